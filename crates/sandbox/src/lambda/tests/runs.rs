//! Tests of running functions: environment, output, exit, cleanup.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::harness::{Harness, is_alive, until};
use crate::lambda::pool::PoolLimits;
use crate::operation::Service;
use crate::service_registry::FunctionInvoker;

#[tokio::test]
async fn warm_process_is_reused_after_cold_start() {
    let harness = Harness::new();
    harness.create("f", json!({})).await;
    let cold = harness.invoke("f", json!({ "do": "count" })).await;
    let warm = harness.invoke("f", json!({ "do": "count" })).await;
    assert_eq!(cold.error, None);
    assert_eq!(cold.payload["served"], 1);
    assert_eq!(warm.payload["served"], 2);
    assert_eq!(cold.payload["pid"], warm.payload["pid"]);
    assert_eq!(cold.payload["arn"], "arn:aws:lambda:eu-central-1:000000000000:function:f");
    assert!(cold.tail.contains("Init Duration: "), "{}", cold.tail);
    assert!(!warm.tail.contains("Init Duration: "), "{}", warm.tail);
    assert!(warm.tail.starts_with("START RequestId: "));
    assert_eq!(harness.stream_count(), 1);
    if cfg!(target_os = "linux") {
        assert!(!warm.tail.contains("Max Memory Used: 0 MB"), "{}", warm.tail);
    }
}

#[tokio::test]
async fn log_is_complete_and_ordered_when_invoke_returns() {
    let harness = Harness::new();
    harness.create("f", json!({})).await;
    let lines: Vec<String> = (0..2000).map(|number| format!("line {number}")).collect();
    harness.invoke("f", json!({ "do": "print", "lines": lines })).await;
    let log = harness.log("f");
    assert_eq!(log[0], "initialised\n");
    assert!(log[1].starts_with("START RequestId: "));
    assert!(log[1].ends_with(" Version: $LATEST\n"));
    let written: Vec<String> = lines.iter().map(|line| format!("{line}\n")).collect();
    assert_eq!(log[2..2002], written);
    assert_eq!(log[2002], "no line break\n");
    assert_eq!(log[2003], "from stderr\n");
    assert!(log[2004].starts_with("END RequestId: "));
    assert!(log[2005].starts_with("REPORT RequestId: "));
    assert_eq!(log.len(), 2006);
}

#[tokio::test]
async fn function_has_exactly_its_own_environment() {
    let harness = Harness::new();
    let variables = json!({ "Variables": { "DEST_BUCKET": "thumbs", "BOTH": "function" } });
    harness.create("f", json!({ "Environment": variables, "MemorySize": 512 })).await;
    let environment = harness.invoke("f", json!({ "do": "env" })).await.payload;
    let environment = environment.as_object().unwrap();
    let names: Vec<&str> = environment
        .keys()
        .map(String::as_str)
        // Added by macOS.
        .filter(|name| *name != "__CF_USER_TEXT_ENCODING")
        .collect();
    let mut expected = [
        "AWS_ACCESS_KEY_ID",
        "AWS_DEFAULT_REGION",
        "AWS_ENDPOINT_URL",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
        "AWS_LAMBDA_FUNCTION_NAME",
        "AWS_LAMBDA_FUNCTION_VERSION",
        "AWS_LAMBDA_INITIALIZATION_TYPE",
        "AWS_LAMBDA_LOG_GROUP_NAME",
        "AWS_LAMBDA_LOG_STREAM_NAME",
        "AWS_LAMBDA_RUNTIME_API",
        "AWS_REGION",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SESSION_TOKEN",
        "BOTH",
        "DEST_BUCKET",
        "FROM_IMAGE",
        "LAMBDA_RUNTIME_DIR",
        "LAMBDA_TASK_ROOT",
        "LANG",
        "PATH",
        "TMPDIR",
        "TZ",
        "_HANDLER",
    ];
    expected.sort_unstable();
    let mut names = names;
    names.sort_unstable();
    assert_eq!(names, expected);
    for (name, value) in [
        ("BOTH", "function"),
        ("FROM_IMAGE", "yes"),
        ("DEST_BUCKET", "thumbs"),
        ("AWS_REGION", "eu-central-1"),
        ("AWS_ACCESS_KEY_ID", "ASIA"),
        ("AWS_SESSION_TOKEN", "token"),
        ("AWS_ENDPOINT_URL", "http://127.0.0.1:4566"),
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "512"),
        ("AWS_LAMBDA_LOG_GROUP_NAME", "/aws/lambda/f"),
        ("_HANDLER", "handler"),
        ("TZ", ":UTC"),
    ] {
        assert_eq!(environment[name], value, "{name}");
    }
    let place = harness.invoke("f", json!({ "do": "where" })).await.payload;
    assert!(place["cwd"].as_str().unwrap().ends_with("/work"));
    assert_eq!(place["arguments"], json!(["handler"]));
}

#[tokio::test]
async fn timeout_kills_function_and_children() {
    let harness = Harness::new();
    harness.create("f", json!({ "Timeout": 1 })).await;
    let spawned = harness.invoke("f", json!({ "do": "spawn" })).await.payload;
    assert!(is_alive(&spawned["pid"]) && is_alive(&spawned["child"]));
    let late = harness.invoke("f", json!({ "do": "hang" })).await;
    assert_eq!(late.error.as_deref(), Some("Unhandled"));
    assert_eq!(late.payload["errorType"], "Sandbox.Timedout");
    assert!(late.payload["errorMessage"].as_str().unwrap().ends_with("Task timed out after 1.00 seconds"));
    assert!(late.tail.contains(" Task timed out after 1.00 seconds\nEND RequestId"), "{}", late.tail);
    assert!(late.tail.contains("Duration: 1000.00 ms\tBilled Duration: 1000 ms"), "{}", late.tail);
    until("the process group to end", async || !is_alive(&spawned["pid"]) && !is_alive(&spawned["child"])).await;

    let fresh = harness.invoke("f", json!({ "do": "count" })).await;
    assert_ne!(fresh.payload["pid"], spawned["pid"]);
    assert_eq!(harness.stream_count(), 2);
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn function_over_memory_limit_is_killed_and_logged() {
    let harness = Harness::new();
    harness.create("f", json!({ "Timeout": 60 })).await;
    let within = harness.invoke("f", json!({ "do": "hoard", "megabytes": 64 })).await;
    assert_eq!((within.error, within.payload), (None, json!(16)));
    for kind in ["hoard", "hoard_in_child"] {
        let killed = harness.invoke("f", json!({ "do": kind, "megabytes": 600 })).await;
        assert_eq!(killed.payload["errorType"], "Runtime.OutOfMemory", "{kind}");
        assert!(
            killed.payload["errorMessage"].as_str().unwrap().ends_with("Runtime exited with error: signal: killed")
        );
        assert!(killed.tail.contains(" Error: Runtime exited with error: signal: killed\nRuntime.ExitError\n"));
        assert!(killed.tail.contains("Memory Size: 128 MB\tMax Memory Used: 128 MB\t"), "{}", killed.tail);
        assert!(killed.tail.ends_with("Status: error\tError Type: Runtime.OutOfMemory\t\n"), "{}", killed.tail);
    }
    assert_eq!(harness.invoke("f", json!({ "do": "count" })).await.payload["served"], 1);
}

#[tokio::test]
async fn crashed_function_is_reported_and_restarted() {
    let harness = Harness::new();
    harness.create("f", json!({})).await;
    let crashed = harness.invoke("f", json!({ "do": "exit", "code": 7 })).await;
    assert_eq!(crashed.payload["errorType"], "Runtime.ExitError");
    assert!(crashed.payload["errorMessage"].as_str().unwrap().ends_with("Runtime exited with error: exit status 7"));
    assert!(crashed.tail.contains("Error: Runtime exited with error: exit status 7\nRuntime.ExitError\n"));
    assert_eq!(harness.invoke("f", json!({ "do": "count" })).await.payload["served"], 1);
}

#[tokio::test]
async fn process_survives_function_error() {
    let harness = Harness::new();
    harness.create("f", json!({})).await;
    let failed = harness.invoke("f", json!({ "do": "fail" })).await;
    assert_eq!(failed.error.as_deref(), Some("Unhandled"));
    assert_eq!(failed.payload, json!({ "errorType": "Oops", "errorMessage": "on purpose" }));
    assert_eq!(harness.invoke("f", json!({ "do": "count" })).await.payload["served"], 2);
    let large = harness.invoke("f", json!({ "do": "large", "bytes": 6_500_000 })).await;
    assert_eq!(large.payload["errorType"], "Function.ResponseSizeTooLarge");
    assert_eq!(harness.invoke("f", json!({ "do": "count" })).await.payload["served"], 4);
}

#[tokio::test]
async fn init_failure_is_reported() {
    let harness = Harness::new();
    harness.create("e", json!({ "Environment": { "Variables": { "BREAK_INIT": "error" } } })).await;
    assert_eq!(harness.invoke("e", json!({})).await.payload["errorType"], "Init.Bad");
    harness.create("x", json!({ "Environment": { "Variables": { "BREAK_INIT": "exit" } } })).await;
    assert_eq!(harness.invoke("x", json!({})).await.payload["errorType"], "Runtime.ExitError");
    harness.create("n", json!({ "ImageConfig": { "EntryPoint": ["/none"] } })).await;
    let missing = harness.invoke("n", json!({})).await;
    assert_eq!(missing.payload["errorType"], "Runtime.InvalidEntrypoint");
    assert!(missing.payload["errorMessage"].as_str().unwrap().ends_with("fork/exec /none: no such file or directory"));
    assert!(missing.tail.contains("REPORT RequestId"));
    harness.create("out", json!({ "ImageConfig": { "EntryPoint": ["/../../../../../bin/sh"] } })).await;
    assert_eq!(harness.invoke("out", json!({})).await.payload["errorType"], "Runtime.InvalidEntrypoint");
}

#[tokio::test]
async fn too_long_an_initialisation_is_repeated_with_the_functions_timeout() {
    let harness = Harness::with(PoolLimits { init: Duration::ZERO, ..PoolLimits::default() });
    let file = harness.path("ready");
    let waiting = json!({ "BREAK_INIT": "wait", "WAIT_FOR": file });
    harness.create("f", json!({ "Timeout": 60, "Environment": { "Variables": waiting } })).await;
    let is_report = |line: &String| *line == "INIT_REPORT Init Duration: 0.00 ms\tPhase: init\tStatus: timeout\n";
    // The first process cannot get ready: the file appears after its end.
    let (served, ()) = tokio::join!(harness.invoke("f", json!({ "do": "count" })), async {
        until("the first process's end", async || harness.log("f").iter().any(is_report)).await;
        std::fs::write(&file, "").unwrap();
    });
    assert_eq!(served.payload["served"], 1);

    let never = json!({ "BREAK_INIT": "wait", "WAIT_FOR": file.with_file_name("never") });
    harness.create("never", json!({ "Timeout": 1, "Environment": { "Variables": never } })).await;
    let never = harness.invoke("never", json!({})).await;
    assert_eq!(never.error.as_deref(), Some("Unhandled"));
    assert!(never.payload["errorMessage"].as_str().unwrap().ends_with("Task timed out after 1.00 seconds"));
}

#[tokio::test]
async fn concurrent_invocations_are_limited_by_pool_size() {
    let harness = Harness::with(PoolLimits { processes: 2, ..PoolLimits::default() });
    harness.create("f", json!({ "Timeout": 30 })).await;
    let events = (0..6).map(|_| harness.invoke("f", json!({ "do": "count" })));
    let answers = futures::future::join_all(events).await;
    let served: u64 = answers.iter().map(|answer| u64::from(answer.payload["served"].is_u64())).sum();
    assert_eq!(served, 6);
    let mut pids: Vec<String> = answers.iter().map(|answer| answer.payload["pid"].to_string()).collect();
    pids.sort();
    pids.dedup();
    assert_eq!(pids.len(), 2);
    assert_eq!(harness.service.lambda.pool.idle_count(), 2);
}

#[tokio::test]
async fn idle_process_is_ended() {
    let harness = Harness::with(PoolLimits { processes: 2, idle: Duration::from_millis(50), ..PoolLimits::default() });
    harness.create("f", json!({})).await;
    let pid = harness.invoke("f", json!({ "do": "count" })).await.payload["pid"].clone();
    until("the idle process to end", async || !is_alive(&pid)).await;
    assert_eq!(harness.service.lambda.pool.idle_count(), 0);
}

#[tokio::test]
async fn deletion_ends_processes_and_removes_image() {
    let harness = Harness::new();
    harness.create("f", json!({ "Timeout": 60 })).await;
    let idle = harness.invoke("f", json!({ "do": "count" })).await.payload["pid"].clone();
    let mark = harness.path("mark");
    let event = json!({ "do": "hang", "mark": mark });
    let arn = "arn:aws:lambda:eu-central-1:000000000000:function:f";
    harness.service.invoke_async(arn, event);
    until("the event to be worked on", async || mark.exists()).await;
    assert_eq!(harness.images(), 1);

    harness.call("DeleteFunction", json!({ "FunctionName": "f" })).await.unwrap();
    assert!(!is_alive(&idle));
    assert_eq!(harness.images(), 0);
    let lines = harness.log("f").len();
    assert!(!harness.service.exists(arn));
    until("the queue to be empty", async || harness.service.lambda.queue.unfinished().unwrap().is_empty()).await;
    assert_eq!(harness.log("f").len(), lines);
}

#[tokio::test]
async fn update_restarts_function() {
    let harness = Harness::new();
    harness.create("f", json!({})).await;
    let before = harness.invoke("f", json!({ "do": "count" })).await.payload["pid"].clone();
    let update = json!({ "FunctionName": "f", "Environment": { "Variables": { "NEW": "yes" } } });
    let updated = harness.call("UpdateFunctionConfiguration", update).await.unwrap();
    assert_eq!(updated["LastUpdateStatus"], "InProgress");
    harness.wait_until_active("f").await;
    assert_eq!(harness.invoke("f", json!({ "do": "env" })).await.payload["NEW"], "yes");
    until("the old process to end", async || !is_alive(&before)).await;

    let code = json!({ "FunctionName": "f", "ImageUri": super::harness::IMAGE });
    harness.call("UpdateFunctionCode", code).await.unwrap();
    harness.wait_until_active("f").await;
    assert_eq!(harness.invoke("f", json!({ "do": "count" })).await.payload["served"], 1);
}

#[tokio::test]
async fn shutdown_waits_for_running_event() {
    let harness = Harness::new();
    harness.create("f", json!({})).await;
    let mark = harness.path("mark");
    let arn = "arn:aws:lambda:eu-central-1:000000000000:function:f";
    let file = harness.path("file");
    harness.service.invoke_async(arn, json!({ "do": "wait_for", "mark": mark, "file": file }));
    until("the event to be worked on", async || mark.exists()).await;
    let may_end = async {
        assert!(!harness.log("f").iter().any(|line| line.starts_with("REPORT ")));
        std::fs::write(&file, "").unwrap();
    };
    // In this order: the shutdown starts before the event may end.
    tokio::join!(biased; harness.service.shut_down(), may_end);
    assert!(harness.log("f").last().unwrap().starts_with("REPORT "));
    until("the queue to be empty", async || harness.service.lambda.queue.unfinished().unwrap().is_empty()).await;
}

#[tokio::test]
async fn queued_event_survives_restart() {
    let harness = Harness::new();
    harness.create("f", json!({ "Timeout": 60 })).await;
    let mark = harness.path("mark");
    let input = json!({
        "FunctionName": "f", "InvocationType": "Event",
        "__raw_body": STANDARD.encode(json!({ "do": "mark", "mark": mark }).to_string()),
    });
    // Shut down before the event's task has run.
    let accepted = harness.call("Invoke", input).await.unwrap();
    assert_eq!(accepted["__status_code"], 202);
    harness.service.shut_down().await;
    assert!(!mark.exists());

    let restarted = harness.restart();
    until("the event to be worked on", async || mark.exists()).await;
    until("the queue to be empty", async || restarted.lambda.queue.unfinished().unwrap().is_empty()).await;
    restarted.shut_down().await;
    assert_eq!(restarted.lambda.pool.idle_count(), 0);
}

#[tokio::test]
async fn invoke_supports_dry_run_and_refuses_invalid_payloads() {
    let harness = Harness::new();
    harness.create("f", json!({})).await;
    let invoke = |kind: &str, payload: Vec<u8>| {
        let input = json!({ "FunctionName": "f", "InvocationType": kind, "__raw_body": STANDARD.encode(payload) });
        async { harness.call("Invoke", input).await }
    };
    assert_eq!(invoke("DryRun", Vec::new()).await.unwrap()["__status_code"], 204);
    assert_eq!(harness.stream_count(), 0);
    let broken = invoke("RequestResponse", b"{".to_vec()).await.unwrap_err();
    assert_eq!(broken.code, "InvalidRequestContentException");
    let huge = format!("\"{}\"", "x".repeat(6_291_456)).into_bytes();
    assert_eq!(invoke("RequestResponse", huge).await.unwrap_err().status.as_u16(), 413);
    assert_eq!(invoke("Whenever", Vec::new()).await.unwrap_err().code, "ValidationException");

    // Through the gateway: any JSON arrives unchanged.
    let uri = "/2015-03-31/functions/f/invocations".parse().unwrap();
    let wrapped = crate::lambda::wrap_payload(&uri, &http::HeaderMap::new(), b"[1, 2]").unwrap();
    let mut input: Value = serde_json::from_slice(&wrapped).unwrap();
    input["FunctionName"] = json!("f");
    let answer = harness.call("Invoke", input).await.unwrap();
    assert_eq!(STANDARD.decode(answer["__raw_body"].as_str().unwrap()).unwrap(), b"[1, 2]");
    assert!(harness.service.snapshot().is_some());
}

/// Starts children of a function in their own sessions, one without its environment, and returns their ids.
async fn start_detached_children(harness: &Harness, name: &str) -> Vec<Value> {
    let children = harness.invoke(name, json!({ "do": "detach" })).await.payload.as_array().unwrap().clone();
    assert!(children.iter().all(is_alive));
    children
}

async fn wait_until_ended(what: &str, children: &[Value]) {
    until(what, async || !children.iter().any(is_alive)).await;
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn detached_children_end_with_their_function() {
    let harness = Harness::new();
    harness.create("f", json!({ "Timeout": 1 })).await;

    let children = start_detached_children(&harness, "f").await;
    harness.invoke("f", json!({ "do": "hang" })).await;
    wait_until_ended("the children to end after the timeout", &children).await;

    let children = start_detached_children(&harness, "f").await;
    harness.invoke("f", json!({ "do": "exit", "code": 1 })).await;
    wait_until_ended("the children to end after the exit", &children).await;

    let children = start_detached_children(&harness, "f").await;
    harness.call("DeleteFunction", json!({ "FunctionName": "f" })).await.unwrap();
    wait_until_ended("the children to end after the deletion", &children).await;

    harness.create("g", json!({})).await;
    let children = start_detached_children(&harness, "g").await;
    harness.service.shut_down().await;
    wait_until_ended("the children to end after the shutdown", &children).await;
}
