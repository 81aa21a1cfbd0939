//! Event notifications: invokes functions on changes of objects.

use percent_encoding::utf8_percent_encode;
use serde_json::{Value, json};

use super::index::Version;
use super::xml::{Element, Xml};
use super::{Call, S3, S3Error, S3Result, iso_time, new_id, settings};
use crate::authz::canonical::STRICT;
use crate::service_registry::ServiceRegistry;

/// Checks a configuration (every function must exist and allow S3 to invoke it for this bucket) and returns it with
/// generated ids where the client sent none.
pub(super) fn accept(document: &Element, bucket: &str, services: &ServiceRegistry) -> S3Result<String> {
    let unsupported = document
        .children
        .iter()
        .any(|child| !matches!(child.name.as_str(), "CloudFunctionConfiguration" | "EventBridgeConfiguration"));
    if unsupported {
        return Err(unreachable_destination());
    }
    let mut out = Xml::document("NotificationConfiguration");
    let mut rules: Vec<Rule> = Vec::new();
    for element in document.all("CloudFunctionConfiguration") {
        let rule = Rule::read(element)?;
        let functions = services.functions().ok_or_else(unreachable_destination)?;
        let source = format!("arn:aws:s3:::{bucket}");
        if !functions.exists(&rule.function)
            || !functions.may_invoke(&rule.function, "s3.amazonaws.com", &source, services.account())
        {
            return Err(unreachable_destination());
        }
        if rules.iter().any(|other| other.overlaps(&rule)) {
            return Err(S3Error::invalid_argument(
                "Configuration is ambiguously defined. Cannot have overlapping suffixes in two rules if the prefixes are overlapping for the same event type.",
            ));
        }
        rule.write(&mut out);
        rules.push(rule);
    }
    if document.child("EventBridgeConfiguration").is_some() {
        out.open("EventBridgeConfiguration").close("EventBridgeConfiguration");
    }
    Ok(out.end("NotificationConfiguration"))
}

fn unreachable_destination() -> S3Error {
    S3Error::invalid_argument("Unable to validate the following destination configurations")
}

/// A rule for one function: its events and filters.
struct Rule {
    id: String,
    function: String,
    events: Vec<String>,
    prefix: String,
    suffix: String,
}

impl Rule {
    fn read(element: &Element) -> S3Result<Self> {
        let function = element
            .value("CloudFunction")
            .or_else(|| element.value("LambdaFunctionArn"))
            .ok_or_else(S3Error::malformed_xml)?;
        let events: Vec<String> = element.all("Event").map(|event| event.text.trim().to_owned()).collect();
        let known = |event: &String| {
            event.starts_with("s3:ObjectCreated:")
                || event.starts_with("s3:ObjectRemoved:")
                || ["s3:Object", "s3:Reduced", "s3:Replication", "s3:Lifecycle", "s3:IntelligentTiering"]
                    .iter()
                    .any(|kind| event.starts_with(kind))
        };
        if events.is_empty() || !events.iter().all(known) {
            return Err(S3Error::invalid_argument("The event is not supported for notifications"));
        }
        let (mut prefix, mut suffix) = (String::new(), String::new());
        let key = element.child("Filter").and_then(|filter| filter.child("S3Key"));
        for rule in key.into_iter().flat_map(|key| key.all("FilterRule")) {
            let value = rule.value("Value").unwrap_or_default().to_owned();
            match rule.value("Name").map(str::to_ascii_lowercase).as_deref() {
                Some("prefix") => prefix = value,
                Some("suffix") => suffix = value,
                _ => {
                    return Err(S3Error::invalid_argument("filter rule name must be either prefix or suffix"));
                }
            }
        }
        let id = element.value("Id").filter(|id| !id.is_empty()).map_or_else(new_id, str::to_owned);
        Ok(Self { id, function: function.trim().to_owned(), events, prefix, suffix })
    }

    fn write(&self, out: &mut Xml) {
        out.open("CloudFunctionConfiguration").text("Id", &self.id).text("CloudFunction", &self.function);
        for event in &self.events {
            out.text("Event", event);
        }
        if !self.prefix.is_empty() || !self.suffix.is_empty() {
            out.open("Filter").open("S3Key");
            for (name, value) in [("Prefix", &self.prefix), ("Suffix", &self.suffix)] {
                if !value.is_empty() {
                    out.open("FilterRule").text("Name", name).text("Value", value).close("FilterRule");
                }
            }
            out.close("S3Key").close("Filter");
        }
        out.close("CloudFunctionConfiguration");
    }

    /// `event` is as in `ObjectCreated:Put`.
    fn matches(&self, event: &str, key: &str) -> bool {
        key.starts_with(&self.prefix)
            && key.ends_with(&self.suffix)
            && self.events.iter().any(|pattern| covers(pattern.trim_start_matches("s3:"), event))
    }

    fn overlaps(&self, other: &Self) -> bool {
        let starts = self.prefix.starts_with(&other.prefix) || other.prefix.starts_with(&self.prefix);
        let ends = self.suffix.ends_with(&other.suffix) || other.suffix.ends_with(&self.suffix);
        let event = self.events.iter().any(|a| other.events.iter().any(|b| covers(a, b) || covers(b, a)));
        starts && ends && event
    }
}

fn covers(pattern: &str, event: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(start) => event.starts_with(start),
        None => pattern == event,
    }
}

impl S3 {
    /// Notifies the functions about a change of the request's key.
    pub(super) fn notify(&self, call: &Call, event: &str, version: &Version) {
        self.notify_key(call, &call.target.key, event, version);
    }

    /// Queues an invocation for each function with a matching rule.
    pub(super) fn notify_key(&self, call: &Call, key: &str, event: &str, version: &Version) {
        let Some(functions) = self.services.functions() else {
            return;
        };
        let found = self.with(call, |bucket| {
            let Some(document) = bucket.settings.get("notification") else {
                return Ok(None);
            };
            let document = Element::parse(document.as_bytes())?;
            let rules: Vec<Rule> =
                document.all("CloudFunctionConfiguration").map(Rule::read).collect::<S3Result<_>>()?;
            Ok(Some((rules, bucket.region.clone(), settings::versioning(bucket).is_some())))
        });
        let Ok(Some((rules, region, versioned))) = found else {
            return;
        };
        for rule in rules.iter().filter(|rule| rule.matches(event, key)) {
            let record = self.record(call, key, event, version, rule, &region, versioned);
            functions.invoke_async(&rule.function, json!({ "Records": [record] }));
        }
    }

    #[allow(clippy::too_many_arguments)]
    fn record(
        &self,
        call: &Call,
        key: &str,
        event: &str,
        version: &Version,
        rule: &Rule,
        region: &str,
        versioned: bool,
    ) -> Value {
        let mut object = json!({
            // The key is form-encoded: a space becomes a plus sign.
            "key": utf8_percent_encode(key, STRICT).to_string().replace("%20", "+").replace("%2F", "/"),
            "sequencer": format!("{:018X}", self.next()),
        });
        if event.starts_with("ObjectCreated") {
            object["size"] = version.size.into();
            object["eTag"] = version.etag.clone().into();
        }
        if versioned {
            object["versionId"] = version.id.clone().into();
        }
        json!({
            "eventVersion": "2.1",
            "eventSource": "aws:s3",
            "awsRegion": region,
            "eventTime": iso_time(super::now()),
            "eventName": event,
            "userIdentity": { "principalId": format!("AWS:{}", call.principal) },
            "requestParameters": { "sourceIPAddress": "127.0.0.1" },
            "responseElements": { "x-amz-request-id": call.request_id, "x-amz-id-2": call.request_id },
            "s3": {
                "s3SchemaVersion": "1.0",
                "configurationId": rule.id,
                "bucket": {
                    "name": call.target.bucket,
                    "ownerIdentity": { "principalId": self.services.account() },
                    "arn": format!("arn:aws:s3:::{}", call.target.bucket),
                },
                "object": object,
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use awsim_core::RequestContext;
    use axum::body::Body;

    use super::super::Authorizer;
    use super::*;
    use crate::authz::access_control::{AccessControl, RootKeys};
    use crate::authz::signature::Payload;
    use crate::gateway::chunked::Incoming;
    use crate::service_registry::FunctionInvoker;
    use crate::sync::lock;

    const FUNCTION: &str = "arn:aws:lambda:us-east-1:000000000000:function:f";

    #[derive(Default)]
    struct Fake(Mutex<Vec<Value>>);

    impl FunctionInvoker for Fake {
        fn may_invoke(&self, _: &str, principal: &str, source: &str, account: &str) -> bool {
            (principal, source, account) == ("s3.amazonaws.com", "arn:aws:s3:::pics", "000000000000")
        }

        fn exists(&self, function: &str) -> bool {
            function == FUNCTION
        }

        fn invoke_async(&self, _: &str, payload: Value) {
            lock(&self.0).push(payload);
        }
    }

    /// The permissions of the administrator.
    fn authorizer(s3: &S3) -> Authorizer {
        let root = RootKeys::generate();
        let mut context = RequestContext::new_with_account("s3", "us-east-1", "000000000000");
        context.access_key = Some(root.access_key.clone());
        let access = AccessControl::new(root, Default::default(), s3.services.sessions().clone(), false);
        Authorizer::new(Arc::new(access), context, None)
    }

    async fn send(s3: &S3, method: &str, uri: &str, body: &str) -> u16 {
        let request = http::Request::builder().method(method).uri(uri).header("host", "localhost");
        let (parts, body) = request.body(Body::from(body.to_owned())).unwrap().into_parts();
        let call = Call {
            target: super::super::Target::read(&parts).unwrap(),
            parts,
            body: Incoming::Plain(body),
            payload: Payload::Unsigned,
            region: "us-east-1".to_owned(),
            principal: "me".to_owned(),
            authorizer: authorizer(s3),
            request_id: "1".to_owned(),
        };
        s3.serve(call).await.status().as_u16()
    }

    #[tokio::test]
    async fn function_is_invoked_for_matching_keys_only() {
        let dir = tempfile::tempdir().unwrap();
        let services = Arc::new(
            ServiceRegistry::new("http://127.0.0.1:1".into(), dir.path().into(), Default::default(), Vec::new())
                .unwrap(),
        );
        let functions = Arc::new(Fake::default());
        services.set_function_invoker(functions.clone());
        let s3 = S3::open(services).unwrap();
        let configuration = format!(
            "<NotificationConfiguration><CloudFunctionConfiguration><CloudFunction>{FUNCTION}</CloudFunction>\
             <Event>s3:ObjectCreated:*</Event><Filter><S3Key><FilterRule><Name>suffix</Name><Value>.jpg</Value>\
             </FilterRule></S3Key></Filter></CloudFunctionConfiguration></NotificationConfiguration>"
        );
        for bucket in ["/pics", "/other"] {
            assert_eq!(send(&s3, "PUT", bucket, "").await, 200);
        }
        assert_eq!(send(&s3, "PUT", "/other?notification", &configuration).await, 400);
        assert_eq!(send(&s3, "PUT", "/pics?notification", &configuration).await, 200);
        assert_eq!(send(&s3, "PUT", "/pics/a%20b+c/%C3%B6.jpg", "bytes").await, 200);
        assert_eq!(send(&s3, "PUT", "/pics/a.png", "bytes").await, 200);
        assert_eq!(send(&s3, "DELETE", "/pics/a%20b+c/%C3%B6.jpg", "").await, 204);
        let payloads = lock(&functions.0).clone();
        assert_eq!(payloads.len(), 1);
        let record = &payloads[0]["Records"][0];
        assert_eq!(record["eventName"], "ObjectCreated:Put");
        assert_eq!(record["s3"]["object"]["key"], "a+b%2Bc/%C3%B6.jpg");
        assert_eq!(record["s3"]["object"]["size"], 5);
        assert_eq!(record["s3"]["bucket"]["name"], "pics");
    }
}
