//! Invoke's payload, which is the whole body.

use awsim_core::AwsError;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{HeaderMap, Uri};
use percent_encoding::percent_decode_str;
use serde_json::json;

use super::LambdaService;
use super::errors;
use super::invoke::InvokeRequest;
use crate::operation::ApiCall;

/// The member under which [`wrap_payload`] puts an Invoke's payload.
const PAYLOAD: &str = "__lambda_payload";

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
pub(super) fn invoke_request(service: &LambdaService, call: &ApiCall<'_>) -> Result<InvokeRequest, AwsError> {
    let input = call.input;
    let text = |name: &str| input[name].as_str().filter(|text| !text.is_empty()).map(str::to_owned);
    let encoded = input[PAYLOAD].as_str().or_else(|| input["__raw_body"].as_str()).unwrap_or_default();
    let payload = STANDARD
        .decode(encoded)
        .map_err(|cause| errors::invalid_content(format!("Could not parse request body into json: {cause}")))?;
    Ok(InvokeRequest {
        reference: service.reference(call)?,
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
