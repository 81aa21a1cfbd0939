//! Tests of whole invocations with an S3 in memory.

use std::io::{Read, Write};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::support::{FakeS3, Response, error, event, sample, serve};
use lambda_runtime::Diagnostic;
use serde_json::{Value, json};
use thumbnail_function::handler::{Handler, InvocationError, InvocationResponse};
use thumbnail_function::settings::Settings;

struct InvocationOutcome {
    result: Result<InvocationResponse, InvocationError>,
    log: Vec<Value>,
}

impl InvocationOutcome {
    fn error(self) -> Diagnostic {
        self.result.unwrap_err().into()
    }
}

fn settings(endpoint: &str) -> Settings {
    Settings {
        destination: "thumbs".to_owned(),
        max_side: 256,
        memory: 64 << 20,
        region: "us-east-1".to_owned(),
        endpoint: Some(endpoint.to_owned()),
        ca_bundle: None,
        access_key: "AKIDEXAMPLE".to_owned(),
        secret_key: "secret".to_owned(),
        session_token: Some("token".to_owned()),
    }
}

fn invoke_with(settings: Settings, payload: Value) -> InvocationOutcome {
    let lines = Arc::new(Mutex::new(Vec::new()));
    let sink = lines.clone();
    let log = move |line: &str| sink.lock().unwrap().push(serde_json::from_str(line).unwrap());
    let handler = Handler::new(settings, Box::new(log)).unwrap();
    let result = handler.handle(payload, "request-1", Instant::now() + Duration::from_secs(10));
    let log = lines.lock().unwrap().clone();
    InvocationOutcome { result, log }
}

fn invoke(endpoint: &str, payload: Value) -> InvocationOutcome {
    invoke_with(settings(endpoint), payload)
}

#[test]
fn thumbnail_is_written_and_logged() {
    let file = sample("mountains.jpg");
    let s3 = FakeS3::with(&[("/source/trip/a%20b%2Bc%25%C3%BC.jpg", file.clone())]);
    let outcome = invoke(&s3.start(), event(&["trip/a+b%2Bc%25%C3%BC.jpg"]));

    let thumbnails = vec!["thumb-trip/a b+c%ü.jpg".to_owned()];
    assert_eq!(outcome.result.unwrap(), InvocationResponse { thumbnails });
    let made = s3.object("/thumbs/thumb-trip/a%20b%2Bc%25%C3%BC.jpg").unwrap();
    assert!(made.starts_with(b"\xff\xd8\xff"));

    let put = s3.requests.lock().unwrap().last().unwrap().clone();
    assert_eq!(put.method, "PUT");
    assert_eq!(put.headers["content-type"], "image/jpeg");
    assert_eq!(put.headers["content-length"], made.len().to_string());
    assert!(put.query.contains("X-Amz-SignedHeaders=content-type%3Bhost"), "{}", put.query);
    assert!(put.query.contains("X-Amz-Security-Token=token"), "{}", put.query);

    let [line] = outcome.log.as_slice() else { panic!("{:?}", outcome.log) };
    assert_eq!(line["level"], "INFO");
    assert_eq!(line["request_id"], "request-1");
    assert_eq!(line["bucket"], "source");
    assert_eq!(line["key"], "trip/a b+c%ü.jpg");
    assert_eq!(line["source"], json!({"width": 1600, "height": 1067, "bytes": file.len()}));
    assert_eq!(line["thumbnail"]["key"], "thumb-trip/a b+c%ü.jpg");
    assert_eq!(line["thumbnail"]["width"], 256);
    assert_eq!(line["thumbnail"]["height"], 171);
    assert_eq!(line["thumbnail"]["bytes"], made.len());
    assert!(line["milliseconds"].as_f64().unwrap() > 0.0);
    for stage in ["download", "resize", "upload"] {
        assert!(line["stages"][stage].is_number(), "{line}");
    }
}

#[test]
fn failed_record_does_not_affect_others() {
    let photo = sample("mountains.jpg");
    let s3 = FakeS3::with(&[
        ("/source/notes.txt", b"not an image".to_vec()),
        ("/source/cut.jpg", photo[..photo.len() / 2].to_vec()),
        ("/source/good.png", sample("bubbles.png")),
    ]);
    let outcome = invoke(&s3.start(), event(&["notes.txt", "missing.jpg", "cut.jpg", "good.png"]));
    assert!(s3.object("/thumbs/thumb-good.png").is_some());
    let levels: Vec<_> = outcome.log.iter().map(|line| line["level"].as_str().unwrap()).collect();
    assert_eq!(levels, ["ERROR", "ERROR", "ERROR", "INFO"]);
    assert_eq!(outcome.log[2]["error"], "ImageCutShort");
    let error = outcome.error();
    assert_eq!(error.error_type, "NotAnImage");
    assert_eq!(
        error.error_message,
        "no thumbnail of source/notes.txt: it is not a JPEG, PNG, GIF or WebP image; \
         no thumbnail of source/missing.jpg: S3 refused to read it: NoSuchKey: The specified key does not exist. \
         (HTTP status 404); \
         no thumbnail of source/cut.jpg: this JPEG image is cut short: its end is missing"
    );
}

#[test]
fn too_large_object_is_not_downloaded() {
    // The length is declared, but no body is sent.
    let server = serve(|_| Response::new(200, "").header("content-length", 5_000_000_000_u64));
    let start = Instant::now();
    let error = invoke(&format!("http://{server}"), event(&["huge.jpg"])).error();
    assert!(start.elapsed() < Duration::from_secs(2));
    assert_eq!(error.error_type, "ObjectTooLarge");
    assert_eq!(
        error.error_message,
        "no thumbnail of source/huge.jpg: it is too large: it has 5000000000 bytes, \
         and 16777216 are allowed (a quarter of the function's memory)"
    );
}

#[test]
fn temporary_error_is_retried() {
    let s3 = FakeS3::with(&[("/source/a.png", sample("bubbles.png"))]);
    let requests = Arc::new(AtomicUsize::new(0));
    let (backend, count) = (s3.clone(), requests.clone());
    // The first response to each request is a temporary error.
    let server = serve(move |request| match count.fetch_add(1, Ordering::SeqCst) {
        0 => error(503, "SlowDown", "Please reduce your request rate."),
        2 => error(500, "InternalError", "We encountered an internal error."),
        _ => backend.answer(request),
    });
    assert!(invoke(&format!("http://{server}"), event(&["a.png"])).result.is_ok());
    assert_eq!(requests.load(Ordering::SeqCst), 4);
    assert!(s3.object("/thumbs/thumb-a.png").is_some());
}

#[test]
fn interrupted_download_is_retried() {
    let file = sample("bubbles.png");
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    // Every connection declares the whole file and closes after half of it.
    let connections = Arc::new(AtomicUsize::new(0));
    let count = connections.clone();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            count.fetch_add(1, Ordering::SeqCst);
            let _ = stream.read(&mut [0; 4096]);
            let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", file.len());
            let _ = stream.write_all(&[head.as_bytes(), &file[..file.len() / 2]].concat());
        }
    });
    let error = invoke(&endpoint, event(&["a.png"])).error();
    assert_eq!(error.error_type, "S3Unreachable");
    assert_eq!(connections.load(Ordering::SeqCst), 3);
}

#[test]
fn s3_errors_are_reported_with_code_and_message() {
    let file = sample("bubbles.png");
    let requests = Arc::new(AtomicUsize::new(0));
    let count = requests.clone();
    let server = serve(move |request| {
        count.fetch_add(1, Ordering::SeqCst);
        match request.method.as_str() {
            "GET" => Response::new(200, file.clone()),
            _ => error(403, "AccessDenied", "Access Denied"),
        }
    });
    let error = invoke(&format!("http://{server}"), event(&["a.png"])).error();
    assert_eq!(error.error_type, "S3Refused");
    assert_eq!(
        error.error_message,
        "no thumbnail of source/a.png: its thumbnail could not be written: thumbs/thumb-a.png: \
         S3 refused to write it: AccessDenied: Access Denied (HTTP status 403)"
    );
    assert_eq!(requests.load(Ordering::SeqCst), 2, "a refused write is not retried");
}

#[test]
fn redirects_are_not_followed() {
    let server =
        serve(|_| error(301, "PermanentRedirect", "Use another endpoint.").header("location", "http://127.0.0.1:1/"));
    let error = invoke(&format!("http://{server}"), event(&["a.png"])).error();
    assert!(error.error_message.contains("PermanentRedirect: Use another endpoint."), "{error:?}");
}

#[test]
fn unreachable_s3_is_reported_without_presigned_url() {
    let error = invoke("http://127.0.0.1:1", event(&["a.png"])).error();
    assert_eq!(error.error_type, "S3Unreachable");
    assert!(error.error_message.contains("source/a.png"), "{error:?}");
    assert!(!error.error_message.contains("Signature"), "{error:?}");
}

#[test]
fn handler_stops_at_deadline() {
    // Accepts connections and never responds.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let handler = Handler::new(settings(&endpoint), Box::new(|_: &str| {})).unwrap();
    let start = Instant::now();
    let result = handler.handle(event(&["a.png"]), "request-1", start + Duration::from_secs(1));
    assert!(result.is_err());
    assert!(start.elapsed() < Duration::from_secs(3), "{:?}", start.elapsed());
}

#[test]
fn thumbnail_in_destination_is_refused() {
    let s3 = FakeS3::with(&[("/thumbs/thumb-a.png", sample("bubbles.png"))]);
    let mut payload = event(&["thumb-a.png"]);
    payload["Records"][0]["s3"]["bucket"]["name"] = json!("thumbs");
    assert_eq!(invoke(&s3.start(), payload).error().error_type, "Recursion");
    assert!(s3.requests.lock().unwrap().is_empty());
}

#[test]
fn test_events_and_removals_are_logged() {
    let s3 = FakeS3::default();
    let endpoint = s3.start();
    let outcome = invoke(&endpoint, json!({"Event": "s3:TestEvent", "Bucket": "source"}));
    assert!(outcome.result.is_ok());
    assert_eq!(outcome.log[0]["bucket"], "source");

    let mut payload = event(&["a.png"]);
    payload["Records"][0]["eventName"] = json!("ObjectRemoved:Delete");
    let outcome = invoke(&endpoint, payload);
    assert!(outcome.result.unwrap().thumbnails.is_empty());
    assert_eq!(outcome.log[0]["message"], "ignored ObjectRemoved:Delete");
    assert!(s3.requests.lock().unwrap().is_empty());
}

#[test]
fn other_events_are_errors() {
    let outcome = invoke("http://127.0.0.1:1", json!({"answer": 42}));
    assert_eq!(outcome.log[0]["level"], "ERROR");
    let error = outcome.error();
    assert_eq!(error.error_type, "NotAnS3Event");
    assert_eq!(error.error_message, "this is not an S3 event: it has no list of Records");
}
