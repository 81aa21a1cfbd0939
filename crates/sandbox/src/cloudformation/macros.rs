//! Invoking the functions of macros.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::template::{Template, TemplateError, TransformCall};
use crate::service_registry::ServiceRegistry;

/// The most calls for a template: a macro may return further calls, also of itself.
const MOST_CALLS: usize = 200;

/// The context of macro calls.
pub(crate) struct MacroContext<'a> {
    /// The sandbox's services.
    pub services: &'a ServiceRegistry,
    /// The stack's region.
    pub region: &'a str,
    /// The access key of the caller, who must be allowed to invoke the function; none for internal calls.
    pub access_key: Option<&'a str>,
    /// The values of the template's parameters.
    pub parameter_values: &'a BTreeMap<String, Value>,
    /// Finds the function's name or ARN by the macro's name.
    pub function_of: &'a (dyn Fn(&str) -> Option<String> + Send + Sync),
}

/// Calls a template's macros, deepest first, until none is left.
pub(crate) async fn expand(mut template: Template, context: &MacroContext<'_>) -> Result<Template, TemplateError> {
    // Unknown macros fail before any call.
    for name in template.declared_transforms() {
        function_of(&name, context)?;
    }
    let mut calls = 0;
    while let Some(call) = template.next_transform() {
        calls += 1;
        if calls > MOST_CALLS {
            return Err(TemplateError(format!(
                "Transform {} failed with: more than {MOST_CALLS} calls of macros",
                id(&call.name, context)
            )));
        }
        let function = function_of(&call.name, context)?;
        let fragment = invoke(&call, &function, context).await?;
        template.replace(&call.pointer, fragment)?;
    }
    if calls == 0 {
        return Ok(template);
    }
    Template::from_document(template.document().clone())
}

/// A macro's name with its account.
fn id(name: &str, context: &MacroContext<'_>) -> String {
    if name.contains("::") { name.to_owned() } else { format!("{}::{name}", context.services.account()) }
}

fn function_of(name: &str, context: &MacroContext<'_>) -> Result<String, TemplateError> {
    if name.is_empty() {
        return Err(TemplateError("Template format error: Every Transform must have a Name.".to_owned()));
    }
    if name.starts_with("AWS::") {
        return Err(TemplateError(format!("the sandbox does not have the transform {name}")));
    }
    let own = name.strip_prefix(context.services.account()).and_then(|rest| rest.strip_prefix("::")).unwrap_or(name);
    (context.function_of)(own).ok_or_else(|| TemplateError(format!("No transform named {} found.", id(name, context))))
}

async fn invoke(call: &TransformCall, function: &str, context: &MacroContext<'_>) -> Result<Value, TemplateError> {
    let id = id(&call.name, context);
    let request_id = uuid::Uuid::new_v4().to_string();
    let event = json!({
        "region": context.region,
        "accountId": context.services.account(),
        "fragment": call.fragment,
        "transformId": id,
        "params": call.parameters,
        "requestId": request_id,
        "templateParameterValues": context.parameter_values,
    });
    let input = json!({ "FunctionName": function, "__raw_body": STANDARD.encode(event.to_string()) });
    let invoked = match context.access_key {
        Some(key) => context.services.call_as(key, "lambda", context.region, "Invoke", input).await,
        None => context.services.call("lambda", context.region, "Invoke", input).await,
    };
    let output =
        invoked.map_err(|refused| TemplateError(format!("Transform {id} failed with: {}", refused.message)))?;
    read_response(&output, &id, &request_id)
}

/// Reads the response of a macro's function.
fn read_response(output: &Value, id: &str, request_id: &str) -> Result<Value, TemplateError> {
    let malformed = || TemplateError(format!("Received malformed response from transform {id}"));
    // The function's error is not shown, as on AWS.
    if output["__headers"]["X-Amz-Function-Error"].is_string() {
        return Err(malformed());
    }
    let body = STANDARD.decode(output["__raw_body"].as_str().unwrap_or_default()).map_err(|_| malformed())?;
    let mut body: Value = serde_json::from_slice(&body).map_err(|_| malformed())?;
    let status = body["status"].as_str().ok_or_else(malformed)?;
    if body["requestId"] != request_id {
        return Err(malformed());
    }
    if !status.eq_ignore_ascii_case("success") {
        return Err(TemplateError(match body["errorMessage"].as_str().filter(|message| !message.is_empty()) {
            Some(message) => format!("Transform {id} failed with: {message}"),
            None => format!("Transform {id} failed without an error message."),
        }));
    }
    match body.get_mut("fragment").map(Value::take) {
        None | Some(Value::Null) => Err(malformed()),
        Some(fragment) => Ok(fragment),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use awsim_core::{AwsError, Protocol};

    use super::*;
    use crate::latency::CallLatency;
    use crate::operation::{ApiCall, ApiResult, Handler, Operation, Service};

    /// The function of a macro.
    type Answers = fn(&Value) -> Value;

    /// A fake of Lambda with one function, which records its requests.
    struct Lambda {
        answers: Answers,
        requests: Mutex<Vec<Value>>,
    }

    impl Service for Lambda {
        const NAME: &'static str = "lambda";
        const PROTOCOL: Protocol = Protocol::RestJson1;
        const REFERENCE: &'static str = "";
        const OPERATIONS: &'static [Operation<Self>] =
            &[Operation::read("Invoke", CallLatency::LAMBDA_INVOKE, |_, _| Vec::new(), Handler::Sync(Self::invoke))];
    }

    impl Lambda {
        fn invoke(&self, &ApiCall { operation, input, .. }: &ApiCall<'_>) -> ApiResult {
            assert_eq!((operation, &input["FunctionName"]), ("Invoke", &json!("arn:of:naming")));
            let event = STANDARD.decode(input["__raw_body"].as_str().unwrap()).unwrap();
            let event: Value = serde_json::from_slice(&event).unwrap();
            self.requests.lock().unwrap().push(event.clone());
            let answer = (self.answers)(&event);
            if let Some(refusal) = answer["refused"].as_str() {
                return Err(AwsError::bad_request("InvalidParameterValueException", refusal));
            }
            let error = answer["unhandled"].is_string().then_some("Unhandled");
            Ok(
                json!({ "__headers": { "X-Amz-Function-Error": error }, "__raw_body": STANDARD.encode(answer.to_string()) }),
            )
        }
    }

    /// Expands a template with a macro `Naming`; also returns the requests of its function.
    async fn expanded(text: &str, answers: Answers) -> (Result<Template, TemplateError>, Vec<Value>) {
        let dir = tempfile::tempdir().unwrap();
        let services =
            ServiceRegistry::new("http://127.0.0.1:1".into(), dir.path().into(), Default::default(), Vec::new())
                .unwrap();
        let lambda = Arc::new(Lambda { answers, requests: Mutex::default() });
        services.register(lambda.clone()).unwrap();
        let values = BTreeMap::from([("Prefix".to_owned(), json!("thumbs"))]);
        let context = MacroContext {
            services: &services,
            region: "eu-west-1",
            access_key: None,
            parameter_values: &values,
            function_of: &|name| (name == "Naming").then(|| "arn:of:naming".to_owned()),
        };
        let result = expand(Template::parse(text).unwrap(), &context).await;
        let requests = lambda.requests.lock().unwrap().clone();
        (result, requests)
    }

    fn success(event: &Value, fragment: Value) -> Value {
        json!({ "requestId": event["requestId"], "status": "success", "fragment": fragment })
    }

    const ONE_CALL: &str = "
Parameters:
  Prefix: { Type: String }
Resources:
  A:
    Type: AWS::S3::Bucket
    Properties:
      BucketName: !Transform { Name: Naming, Parameters: { Prefix: !Ref Prefix, Role: source } }
";

    #[tokio::test]
    async fn macro_gets_the_documented_request_and_its_fragment_replaces_the_call() {
        let (template, requests) = expanded(ONE_CALL, |event| success(event, json!("thumbs-source"))).await;
        assert_eq!(template.unwrap().document()["Resources"]["A"]["Properties"]["BucketName"], "thumbs-source");
        let mut event = requests[0].clone();
        assert!(event.as_object_mut().unwrap().remove("requestId").unwrap().is_string());
        let expected = json!({
            "accountId": "000000000000",
            "region": "eu-west-1",
            "fragment": {},
            "transformId": "000000000000::Naming",
            "params": { "Prefix": { "Ref": "Prefix" }, "Role": "source" },
            "templateParameterValues": { "Prefix": "thumbs" },
        });
        assert_eq!(event, expected);
    }

    #[tokio::test]
    async fn deepest_macros_are_called_first() {
        let text = "
Transform: Naming
Resources:
  A:
    Type: AWS::S3::Bucket
    Properties:
      Tags: [{ Key: k, Value: !Transform { Name: Naming, Parameters: { Deep: yes } } }]
      Fn::Transform: { Name: Naming }
";
        let (template, requests) = expanded(text, |event| {
            let mut fragment = event["fragment"].clone();
            if event["params"]["Deep"] == true {
                return success(event, json!("deep"));
            }
            if fragment.get("Resources").is_some() {
                fragment["Description"] = json!("whole");
            } else {
                fragment["BucketName"] = json!("middle");
            }
            success(event, fragment)
        })
        .await;
        let template = template.unwrap();
        assert_eq!(template.description(), Some("whole"));
        let properties = json!({ "Tags": [{ "Key": "k", "Value": "deep" }], "BucketName": "middle" });
        assert_eq!(template.document()["Resources"]["A"]["Properties"], properties);
        assert!(template.document().get("Transform").is_none());
        assert_eq!(requests.len(), 3);
        assert_eq!(requests[1]["fragment"], json!({ "Tags": [{ "Key": "k", "Value": "deep" }] }));
        assert!(requests[2]["fragment"].get("Transform").is_none());
    }

    #[tokio::test]
    async fn macro_failures_match_cloudformation_messages() {
        let cases: [(Answers, &str); 9] = [
            (
                |event| json!({ "requestId": event["requestId"], "status": "failure", "errorMessage": "no name" }),
                "Transform 000000000000::Naming failed with: no name",
            ),
            (
                |event| json!({ "requestId": event["requestId"], "status": "failure" }),
                "Transform 000000000000::Naming failed without an error message.",
            ),
            (|_| json!({ "unhandled": "boom" }), "Received malformed response from transform 000000000000::Naming"),
            (|_| json!("nonsense"), "Received malformed response from transform 000000000000::Naming"),
            (|_| json!(null), "Received malformed response from transform 000000000000::Naming"),
            (
                |event| json!({ "requestId": event["requestId"], "status": "success" }),
                "Received malformed response from transform 000000000000::Naming",
            ),
            (
                |_| json!({ "requestId": "another", "status": "success", "fragment": "x" }),
                "Received malformed response from transform 000000000000::Naming",
            ),
            (
                |_| json!({ "refused": "Function not found" }),
                "Transform 000000000000::Naming failed with: Function not found",
            ),
            (
                |event| success(event, json!({ "Fn::Transform": { "Name": "Naming" } })),
                "Transform 000000000000::Naming failed with: more than 200 calls of macros",
            ),
        ];
        for (answers, words) in cases {
            let (refused, _) = expanded(ONE_CALL, answers).await;
            assert_eq!(refused.unwrap_err().0, words);
        }
    }

    #[tokio::test]
    async fn unknown_macro_fails_before_any_call() {
        let text = ONE_CALL.replace("Properties:", "Properties:\n      Tags: !Transform { Name: Other }");
        let (refused, requests) = expanded(&text, |event| success(event, json!("x"))).await;
        assert_eq!(refused.unwrap_err().0, "No transform named 000000000000::Other found.");
        assert!(requests.is_empty());
        let text = ONE_CALL.replace("Name: Naming", "Name: AWS::Include");
        let (refused, _) = expanded(&text, |event| success(event, json!("x"))).await;
        assert_eq!(refused.unwrap_err().0, "the sandbox does not have the transform AWS::Include");
    }

    #[tokio::test]
    async fn macro_result_is_checked_as_a_template() {
        let (refused, _) = expanded(ONE_CALL, |event| success(event, json!({ "Ref": "Nowhere" }))).await;
        let words =
            "Template format error: Unresolved resource dependencies [Nowhere] in the Resources block of the template";
        assert_eq!(refused.unwrap_err().0, words);
    }
}
