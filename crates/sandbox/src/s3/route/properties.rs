//! Property tests of routing.

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

fn parts(method: &str, uri: &str, host: &str) -> Option<Parts> {
    let request = http::Request::builder().method(method).uri(uri).header("host", host).body(()).ok()?;
    Some(request.into_parts().0)
}

fn escaped(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}

const METHODS: [&str; 7] = ["GET", "HEAD", "PUT", "POST", "DELETE", "PATCH", "OPTIONS"];

proptest! {
    #[test]
    fn every_key_is_decoded_as_encoded(
        bucket in "[a-z0-9][a-z0-9.-]{1,20}[a-z0-9]",
        key in prop_oneof!["\\PC{1,100}", "[./%+ a?&#\n\0]{1,40}"],
        method in prop::sample::select(&["GET", "HEAD", "PUT", "DELETE"][..]),
    ) {
        // In a host name, these labels belong to S3's endpoint.
        prop_assume!(!bucket.split('.').any(|label| label == "s3"));
        let operation = match method {
            "GET" => "GetObject",
            "HEAD" => "HeadObject",
            "PUT" => "PutObject",
            _ => "DeleteObject",
        };
        for (uri, host) in [
            (format!("/{bucket}/{}", escaped(&key)), "127.0.0.1:4566".to_owned()),
            (format!("/{}", escaped(&key)), format!("{bucket}.localhost:4566")),
        ] {
            let target = Target::read(&parts(method, &uri, &host).expect("a request")).expect("a target");
            prop_assert_eq!((&target.bucket, &target.key, target.operation.info.name), (&bucket, &key, operation));
        }
    }

    #[test]
    fn every_request_is_an_operation_or_an_s3_error(
        method in prop::sample::select(&METHODS[..]),
        path in "(/|%[0-9a-fA-F]{2}|[a-z.]|\u{e9}){0,30}",
        names in vec(
            prop_oneof![
                prop::sample::select(operations::queries()).prop_map(str::to_owned),
                prop::sample::select(UNSUPPORTED).prop_map(|(query, _)| query.to_owned()),
                "[a-z%=+-]{0,8}",
            ],
            0..4,
        ),
        host in "[a-zA-Z0-9.:-]{0,30}",
    ) {
        let uri = format!("/{path}?{}", names.join("&"));
        let Some(parts) = parts(method, &uri, &host) else { return Ok(()) };
        match Target::read(&parts) {
            Ok(target) => prop_assert!(!target.operation.info.name.is_empty()),
            Err(error) => {
                prop_assert!(error.status.is_client_error() || error.status == 501, "{error:?}");
                prop_assert!(!error.code.is_empty());
            }
        }
    }

    #[test]
    fn key_of_more_than_1024_bytes_is_too_long(length in 1000..1100usize) {
        let read = Target::read(&parts("PUT", &format!("/b/{}", "k".repeat(length)), "localhost").expect("a request"));
        prop_assert_eq!(read.map(|target| target.key.len()).ok(), (length <= 1024).then_some(length));
    }
}
