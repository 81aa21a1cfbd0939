//! Tests of asynchronous events: retries, expiry, reserved concurrency.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::harness::{Harness, REGION, until};
use crate::lambda::names::FunctionId;
use crate::lambda::pool::{INIT_LIMIT, PoolLimits};
use crate::lambda::queue::QueuedEvent;
use crate::latency::Pace;
use crate::operation::Service;
use thumbctl_sandbox_protocol::Latency;

const LIMITS: PoolLimits = PoolLimits { processes: 4, idle: Duration::from_secs(300), init: INIT_LIMIT };
/// Lambda's delays, a thousand times as fast.
const QUICK: Pace = Pace { latency: Latency::Aws, time_scale: 0.001, seed: 1 };

async fn send(harness: &Harness, event: Value) {
    let input = json!({
        "FunctionName": "f", "InvocationType": "Event", "__raw_body": STANDARD.encode(event.to_string()),
    });
    assert_eq!(harness.call("Invoke", input).await.unwrap()["__status_code"], 202);
}

async fn wait_for_empty_queue(harness: &Harness) {
    until("the queue to be empty", async || harness.service.lambda.queue.unfinished().unwrap().is_empty()).await;
}

/// The request ids of the started attempts.
fn attempts(harness: &Harness) -> Vec<String> {
    let started = |line: &String| line.strip_prefix("START RequestId: ").map(|rest| rest[..36].to_owned());
    harness.log("f").iter().filter_map(started).collect()
}

#[tokio::test]
async fn failed_event_is_retried_twice_with_same_request_id() {
    let harness = Harness::at(QUICK, LIMITS);
    harness.create("f", json!({})).await;
    send(&harness, json!({ "do": "fail" })).await;
    wait_for_empty_queue(&harness).await;
    let attempts = attempts(&harness);
    assert_eq!(attempts.len(), 3);
    assert!(attempts.iter().all(|id| *id == attempts[0]), "{attempts:?}");
    send(&harness, json!({ "do": "count" })).await;
    wait_for_empty_queue(&harness).await;
    assert_eq!(super::events::attempts(&harness).len(), 4);
}

#[tokio::test]
async fn retries_can_be_disabled() {
    let harness = Harness::at(QUICK, LIMITS);
    harness.create("f", json!({})).await;
    let none = harness.call("GetFunctionEventInvokeConfig", json!({ "FunctionName": "f" })).await.unwrap_err();
    assert_eq!(none.code, "ResourceNotFoundException");
    let put = json!({ "FunctionName": "f", "MaximumRetryAttempts": 0 });
    let put = harness.call("PutFunctionEventInvokeConfig", put).await.unwrap();
    assert_eq!(put["FunctionArn"], "arn:aws:lambda:eu-central-1:000000000000:function:f:$LATEST");
    let shown = harness.call("GetFunctionEventInvokeConfig", json!({ "FunctionName": "f" })).await.unwrap();
    assert_eq!(shown["MaximumRetryAttempts"], 0);
    send(&harness, json!({ "do": "fail" })).await;
    wait_for_empty_queue(&harness).await;
    assert_eq!(attempts(&harness).len(), 1);
    harness.call("DeleteFunctionEventInvokeConfig", json!({ "FunctionName": "f" })).await.unwrap();
    assert!(harness.call("GetFunctionEventInvokeConfig", json!({ "FunctionName": "f" })).await.is_err());
}

#[tokio::test]
async fn deletion_drops_event_between_attempts() {
    let harness = Harness::new();
    harness.create("f", json!({})).await;
    let lambda = &harness.service.lambda;
    let event = QueuedEvent {
        function: FunctionId { region: REGION.to_owned(), name: "f".to_owned() },
        request_id: uuid::Uuid::new_v4().to_string(),
        accepted: 0,
        // Never due: only the function's deletion can end it.
        due: i64::MAX,
        attempts: 1,
        payload: json!({ "do": "fail" }).to_string(),
    };
    lambda.queue.store(&event);
    lambda.start_event(event);
    // Lets its task run and start waiting.
    tokio::task::yield_now().await;
    assert_eq!(lambda.queue.unfinished().unwrap().len(), 1);
    harness.call("DeleteFunction", json!({ "FunctionName": "f" })).await.unwrap();
    wait_for_empty_queue(&harness).await;
    assert_eq!(attempts(&harness).len(), 0);
}

#[tokio::test]
async fn restart_keeps_attempt_count() {
    let harness = Harness::at(QUICK, LIMITS);
    harness.create("f", json!({})).await;
    let (mark, file) = (harness.path("mark"), harness.path("file"));
    send(&harness, json!({ "do": "wait_for", "mark": mark, "file": file, "then_fail": true })).await;
    until("the first attempt", async || mark.exists()).await;
    // The shutdown starts before the first attempt may end, so no second one starts before the restart.
    tokio::join!(biased; harness.service.shut_down(), async { std::fs::write(&file, "").unwrap() });
    let queue = &harness.service.lambda.queue;
    until("its failure", async || queue.unfinished().unwrap().first().is_some_and(|event| event.attempts == 1)).await;
    assert_eq!(attempts(&harness).len(), 1);
    let restarted = harness.restart();
    wait_for_empty_queue(&harness).await;
    assert_eq!(attempts(&harness).len(), 3);
    restarted.shut_down().await;
}

#[tokio::test]
async fn reserved_concurrency_throttles_invoke_and_delays_events() {
    let harness = Harness::new();
    harness.create("f", json!({})).await;
    let reserve = json!({ "FunctionName": "f", "ReservedConcurrentExecutions": 0 });
    assert_eq!(
        harness.call("PutFunctionConcurrency", reserve.clone()).await.unwrap()["ReservedConcurrentExecutions"],
        0
    );
    assert_eq!(
        harness.call("GetFunction", json!({ "FunctionName": "f" })).await.unwrap()["Concurrency"],
        json!({ "ReservedConcurrentExecutions": 0 })
    );
    let refused = harness.call("Invoke", json!({ "FunctionName": "f" })).await.unwrap_err();
    assert_eq!((refused.code.as_str(), refused.status.as_u16()), ("TooManyRequestsException", 429));
    send(&harness, json!({ "do": "count" })).await;
    assert_eq!(attempts(&harness).len(), 0);
    harness.call("DeleteFunctionConcurrency", json!({ "FunctionName": "f" })).await.unwrap();
    wait_for_empty_queue(&harness).await;
    assert_eq!(attempts(&harness).len(), 1);
    assert!(harness.service.snapshot().is_some());
}
