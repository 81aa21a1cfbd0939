//! A clock that differs from the service's: the error names it, and not a permission.

use std::time::SystemTime;

use aws_smithy_types::DateTime;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::date_time::Format;
use thumbctl_deploy::aws::{AwsError, Downloads, ErrorKind, iam, logs, s3};
use thumbctl_test_support::{Clients, Program};

use super::canned::{answer, clients};

const HOURS: i64 = 3600;

/// Clients of an endpoint with a clock ahead of this machine's, which rejects every request.
fn refused(ahead: i64, status: u16, body: &'static str) -> Clients {
    let now = DateTime::from(SystemTime::now()).secs();
    let date = DateTime::from_secs(now + ahead).fmt(Format::HttpDate).unwrap();
    let headers = [("date".to_owned(), date)];
    clients(Downloads::Buffered, move |_| answer(status, &headers, SdkBody::from(body)))
}

#[track_caller]
fn names_clock<T>(result: Result<T, AwsError>) {
    let error = result.err().expect("an error");
    assert_eq!(error.kind, ErrorKind::ClockSkewed, "{error}");
    let text = error.to_string();
    assert!(text.contains("this machine's clock is 2 h 0 min behind the service's"), "{text}");
    let hint = error.hint().unwrap();
    assert!(hint.contains("Set this machine's clock") && !hint.contains("missing"), "{hint}");
}

#[tokio::test]
async fn head_refused_by_skewed_clock_names_clock_not_permission() {
    let clients = refused(2 * HOURS + 20, 403, "");
    names_clock(s3::head_object(&clients.s3, "b", "k").await);
    names_clock(s3::bucket(&clients.s3, "b").await);
}

#[tokio::test]
async fn skewed_clock_error_of_each_service_names_clock() {
    let s3 = "<Error><Code>RequestTimeTooSkewed</Code><Message>The difference between the request time and the \
              current time is too large.</Message></Error>";
    names_clock(s3::get_object_bytes(&refused(2 * HOURS + 20, 403, s3).s3, "b", "k").await);
    let query = "<ErrorResponse><Error><Code>SignatureDoesNotMatch</Code><Message>Signature expired: \
                 20240101T000000Z is now earlier than 20240101T014500Z (20240101T020000Z - 15 min.)</Message></Error>\
                 </ErrorResponse>";
    names_clock(iam::list_roles(&refused(2 * HOURS + 20, 403, query).iam, "").await);
    let json = r#"{"__type":"InvalidSignatureException","message":"Signature expired: 20240101T000000Z"}"#;
    names_clock(logs::log_group(&refused(2 * HOURS + 20, 400, json).logs, "g").await);
}

#[tokio::test]
async fn denied_call_with_correct_clock_names_permission() {
    let error = s3::head_object(&refused(0, 403, "").s3, "b", "k").await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Denied);
    assert!(error.hint().unwrap().contains("s3:GetObject is missing"));
    // The service reports the reason, independent of the clocks.
    let denied = "<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>";
    let error = s3::get_object_bytes(&refused(2 * HOURS, 403, denied).s3, "b", "k").await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Denied);
}

#[test]
fn program_error_names_skewed_clock() {
    let fault = r#"[{"service":"sts","kind":"error","status":403,"code":"SignatureDoesNotMatch",
        "message":"Signature expired: 20240101T000000Z is now earlier than 20240101T014500Z"}]"#;
    let mut program = Program::new();
    let sandbox = program.sandbox_with_faults(fault);
    program.set("AWS_ENDPOINT_URL", &sandbox.url);
    program.set("AWS_REGION", "eu-central-1");
    program.set("AWS_ACCESS_KEY_ID", &sandbox.access_key);
    program.set("AWS_SECRET_ACCESS_KEY", &sandbox.secret_key);
    let stderr = program.run(["status"]).fails_with(1);
    assert!(stderr.contains("Signature expired") && stderr.contains("hint: Set this machine's clock"), "{stderr}");
}
