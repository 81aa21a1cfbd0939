//! Tests of the program with a Runtime API and an S3 over HTTP.

use std::process::{Command, Output, Stdio};
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::support::{FakeS3, Request, Response, event, sample, serve};
use serde_json::{Value, json};

/// A Runtime API that serves events in order and sends the results to a channel.
fn runtime_api(events: Vec<String>) -> (String, Receiver<(String, Value)>) {
    let (next_sender, next): (Sender<(usize, String)>, _) = channel();
    for event in events.into_iter().enumerate() {
        next_sender.send(event).unwrap();
    }
    let (sender, results) = channel();
    let state = Mutex::new((next, sender, next_sender));
    let address = serve(move |request: Request| {
        let (next, results, _open) = &*state.lock().unwrap();
        if request.path.ends_with("/invocation/next") {
            let Ok((number, event)) = next.recv_timeout(Duration::from_secs(20)) else {
                return Response::new(500, "");
            };
            let deadline = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() + 10_000;
            Response::new(200, event)
                .header("Lambda-Runtime-Aws-Request-Id", format!("request-{number}"))
                .header("Lambda-Runtime-Deadline-Ms", deadline)
                .header("Lambda-Runtime-Invoked-Function-Arn", "arn:aws:lambda:us-east-1:000000000000:function:thumbs")
                .header("Lambda-Runtime-Trace-Id", "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Sampled=0")
        } else {
            let body = serde_json::from_slice(&request.body).unwrap_or(Value::Null);
            let _ = results.send((request.path, body));
            Response::new(202, "{\"status\":\"OK\"}")
        }
    });
    (address, results)
}

fn function(changes: &[(&str, &str)]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bootstrap"));
    command.env_clear().stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.envs([
        ("AWS_LAMBDA_RUNTIME_API", "127.0.0.1:1"),
        ("AWS_LAMBDA_FUNCTION_NAME", "thumbs"),
        ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST"),
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "512"),
        ("AWS_REGION", "us-east-1"),
        ("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE"),
        ("AWS_SECRET_ACCESS_KEY", "secret"),
        ("DEST_BUCKET", "thumbs"),
    ]);
    command.envs(changes.iter().copied());
    command
}

#[test]
fn process_serves_next_event_after_failure() {
    let s3 =
        FakeS3::with(&[("/source/bad.jpg", b"not an image".to_vec()), ("/source/good.jpg", sample("lighthouse.jpg"))]);
    let (api, results) = runtime_api(vec![
        event(&["bad.jpg"]).to_string(),
        "this is not even JSON".to_owned(),
        json!({"detail": "not from S3"}).to_string(),
        event(&["good.jpg"]).to_string(),
    ]);
    let mut child = function(&[("AWS_LAMBDA_RUNTIME_API", &api), ("AWS_ENDPOINT_URL", &s3.start())]).spawn().unwrap();
    let wait = || results.recv_timeout(Duration::from_secs(20)).unwrap();

    let (path, body) = wait();
    assert_eq!(path, "/2018-06-01/runtime/invocation/request-0/error");
    assert_eq!(body["errorType"], "NotAnImage");
    assert_eq!(body["errorMessage"], "no thumbnail of source/bad.jpg: it is not a JPEG, PNG, GIF or WebP image");
    assert_eq!(wait().0, "/2018-06-01/runtime/invocation/request-1/error");
    let (path, body) = wait();
    assert_eq!(path, "/2018-06-01/runtime/invocation/request-2/error");
    assert_eq!(body["errorType"], "NotAnS3Event");
    let (path, body) = wait();
    assert_eq!(path, "/2018-06-01/runtime/invocation/request-3/response");
    assert_eq!(body, json!({"thumbnails": ["thumb-good.jpg"]}));
    assert!(s3.object("/thumbs/thumb-good.jpg").is_some());

    // One process has handled all four.
    assert_eq!(child.try_wait().unwrap(), None);
    child.kill().unwrap();
    let output = child.wait_with_output().unwrap();
    let lines: Vec<Value> =
        String::from_utf8(output.stdout).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let levels: Vec<_> = lines.iter().map(|line| line["level"].as_str().unwrap()).collect();
    assert_eq!(levels, ["ERROR", "ERROR", "INFO"]);
    assert_eq!(lines[2]["request_id"], "request-3");
}

#[test]
fn invalid_environment_exits_with_1_and_one_line() {
    for (changes, expected) in [
        (("DEST_BUCKET", ""), "thumbnail-function: the environment variable DEST_BUCKET is not set"),
        (("MAX_SIZE", "huge"), "thumbnail-function: the environment variable MAX_SIZE is \"huge\""),
        (("AWS_LAMBDA_RUNTIME_API", ""), "thumbnail-function: the environment variable AWS_LAMBDA_RUNTIME_API"),
        (("AWS_CA_BUNDLE", "/nowhere.pem"), "thumbnail-function: AWS_CA_BUNDLE: /nowhere.pem"),
    ] {
        let Output { status, stdout, stderr } = function(&[changes]).output().unwrap();
        let stderr = String::from_utf8(stderr).unwrap();
        assert_eq!(status.code(), Some(1), "{stderr}");
        assert!(stdout.is_empty());
        assert!(stderr.starts_with(expected), "{stderr}");
        assert_eq!(stderr.lines().count(), 1, "{stderr}");
    }
}
