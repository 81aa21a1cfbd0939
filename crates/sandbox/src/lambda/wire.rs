//! Lambda's HTTP routes and Invoke's payload, which is the whole body.

use awsim_core::{AwsError, RouteDefinition};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{HeaderMap, Uri};
use percent_encoding::percent_decode_str;
use serde_json::json;

use super::errors;
use super::invoke::InvokeRequest;
use super::operations::OperationRequest;

/// The member under which [`wrap_payload`] puts an Invoke's payload.
const PAYLOAD: &str = "__lambda_payload";

/// Method, path, operation. Routes without parameters come first: awsim would read `/functions/` as a function with an
/// empty name.
const ROUTES: &[(&str, &str, &str)] = &[
    ("GET", "/2015-03-31/functions", "ListFunctions"),
    ("GET", "/2015-03-31/functions/", "ListFunctions"),
    ("POST", "/2015-03-31/functions", "CreateFunction"),
    ("GET", "/2015-03-31/functions/{FunctionName}", "GetFunction"),
    ("DELETE", "/2015-03-31/functions/{FunctionName}", "DeleteFunction"),
    ("GET", "/2015-03-31/functions/{FunctionName}/configuration", "GetFunctionConfiguration"),
    ("PUT", "/2015-03-31/functions/{FunctionName}/configuration", "UpdateFunctionConfiguration"),
    ("PUT", "/2015-03-31/functions/{FunctionName}/code", "UpdateFunctionCode"),
    ("POST", "/2015-03-31/functions/{FunctionName}/invocations", "Invoke"),
    ("POST", "/2015-03-31/functions/{FunctionName}/policy", "AddPermission"),
    ("GET", "/2015-03-31/functions/{FunctionName}/policy", "GetPolicy"),
    ("DELETE", "/2015-03-31/functions/{FunctionName}/policy/{StatementId}", "RemovePermission"),
    ("GET", "/2015-03-31/functions/{FunctionName}/versions", "ListVersionsByFunction"),
    ("GET", "/2015-03-31/functions/{FunctionName}/aliases", "ListAliases"),
    ("GET", "/2019-09-30/functions/{FunctionName}/concurrency", "GetFunctionConcurrency"),
    ("PUT", "/2017-10-31/functions/{FunctionName}/concurrency", "PutFunctionConcurrency"),
    ("DELETE", "/2017-10-31/functions/{FunctionName}/concurrency", "DeleteFunctionConcurrency"),
    ("GET", "/2019-09-25/functions/{FunctionName}/event-invoke-config/list", "ListFunctionEventInvokeConfigs"),
    ("GET", "/2019-09-25/functions/{FunctionName}/event-invoke-config", "GetFunctionEventInvokeConfig"),
    ("PUT", "/2019-09-25/functions/{FunctionName}/event-invoke-config", "PutFunctionEventInvokeConfig"),
    ("POST", "/2019-09-25/functions/{FunctionName}/event-invoke-config", "UpdateFunctionEventInvokeConfig"),
    ("DELETE", "/2019-09-25/functions/{FunctionName}/event-invoke-config", "DeleteFunctionEventInvokeConfig"),
    ("GET", "/2020-06-30/functions/{FunctionName}/code-signing-config", "GetFunctionCodeSigningConfig"),
    ("GET", "/2017-03-31/tags/{Resource}", "ListTags"),
    ("POST", "/2017-03-31/tags/{Resource}", "TagResource"),
    ("DELETE", "/2017-03-31/tags/{Resource}", "UntagResource"),
];

/// The routes in awsim's form.
pub(crate) fn routes() -> Vec<RouteDefinition> {
    // The first match is taken.
    ROUTES
        .iter()
        .chain(super::unsupported_routes::ROUTES)
        .map(|&(method, path_pattern, operation)| RouteDefinition {
            method,
            path_pattern,
            operation,
            required_query_param: None,
        })
        .collect()
}

/// Wraps an Invoke's body, after the signature check and before awsim's gateway parses the request. That gateway reads
/// a body as the operation's input: it would lose a payload that is no JSON object, and would apply a member
/// `Qualifier`. `None` for any other request.
pub(crate) fn wrap_payload(uri: &Uri, headers: &HeaderMap, body: &[u8]) -> Option<Bytes> {
    let name = uri.path().strip_prefix("/2015-03-31/functions/")?.strip_suffix("/invocations")?;
    if name.contains('/') {
        return None;
    }
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let wrapped = json!({
        PAYLOAD: STANDARD.encode(body),
        "InvocationType": header("x-amz-invocation-type"),
        "LogType": header("x-amz-log-type"),
        "Qualifier": uri.query().and_then(|query| parameter(query, "Qualifier")),
    });
    Some(Bytes::from(wrapped.to_string()))
}

/// Reads an Invoke, wrapped or as parsed by awsim's gateway.
pub(crate) fn call(request: &OperationRequest<'_>) -> Result<InvokeRequest, AwsError> {
    let input = request.input;
    let text = |name: &str| input[name].as_str().filter(|text| !text.is_empty()).map(str::to_owned);
    let encoded = input[PAYLOAD].as_str().or_else(|| input["__raw_body"].as_str()).unwrap_or_default();
    let payload = STANDARD
        .decode(encoded)
        .map_err(|cause| errors::invalid_content(format!("Could not parse request body into json: {cause}")))?;
    Ok(InvokeRequest {
        reference: request.reference()?,
        kind: text("InvocationType"),
        log_type: text("LogType"),
        payload,
    })
}

fn parameter(query: &str, name: &str) -> Option<String> {
    let (_, value) = query.split('&').filter_map(|pair| pair.split_once('=')).find(|(key, _)| *key == name)?;
    Some(percent_decode_str(value).decode_utf8_lossy().into_owned())
}

#[cfg(test)]
mod properties;

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    #[test]
    fn invoke_body_is_wrapped_unchanged() {
        let uri: Uri = "/2015-03-31/functions/thumb/invocations?Qualifier=%24LATEST".parse().unwrap();
        let mut headers = HeaderMap::new();
        headers.insert("x-amz-invocation-type", "Event".parse().unwrap());
        let wrapped = wrap_payload(&uri, &headers, b"[1,2]").unwrap();
        let wrapped: Value = serde_json::from_slice(&wrapped).unwrap();
        assert_eq!(STANDARD.decode(wrapped[PAYLOAD].as_str().unwrap()).unwrap(), b"[1,2]");
        assert_eq!(wrapped["InvocationType"], "Event");
        assert_eq!(wrapped["Qualifier"], "$LATEST");
    }

    #[test]
    fn other_requests_are_not_wrapped() {
        for path in ["/2015-03-31/functions", "/2015-03-31/functions/thumb/policy", "/bucket/invocations"] {
            assert!(wrap_payload(&path.parse().unwrap(), &HeaderMap::new(), b"").is_none(), "{path}");
        }
    }
}
