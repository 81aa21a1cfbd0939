//! Asynchronous events: tried again, given up, held back.

use std::time::Duration;

use awsim_core::ServiceHandler;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::bench::{Bench, REGION, until};
use crate::lambda::names::FunctionId;
use crate::lambda::pool::Limits;
use crate::lambda::queue::Queued;
use crate::latency::Pace;
use thumbctl_sandbox_protocol::Latency;

const LIMITS: Limits = Limits { processes: 4, idle: Duration::from_secs(300) };
/// Lambda's pauses, a thousand times as fast.
const QUICK: Pace = Pace { latency: Latency::Aws, time_scale: 0.001, seed: 1 };

async fn send(bench: &Bench, event: Value) {
    let input = json!({
        "FunctionName": "f", "InvocationType": "Event", "__raw_body": STANDARD.encode(event.to_string()),
    });
    assert_eq!(bench.ask("Invoke", input).await.unwrap()["__status_code"], 202);
}

async fn done(bench: &Bench) {
    until("the queue to be empty", async || bench.service.lambda.queue.unfinished().unwrap().is_empty()).await;
}

/// The request ids of the attempts that were begun.
fn attempts(bench: &Bench) -> Vec<String> {
    let begun = |line: &String| line.strip_prefix("START RequestId: ").map(|rest| rest[..36].to_owned());
    bench.log("f").iter().filter_map(begun).collect()
}

#[tokio::test]
async fn an_event_that_fails_is_tried_twice_more_under_the_same_request_id() {
    let bench = Bench::at(QUICK, LIMITS);
    bench.create("f", json!({})).await;
    send(&bench, json!({ "do": "fail" })).await;
    done(&bench).await;
    let attempts = attempts(&bench);
    assert_eq!(attempts.len(), 3);
    assert!(attempts.iter().all(|id| *id == attempts[0]), "{attempts:?}");
    send(&bench, json!({ "do": "count" })).await;
    done(&bench).await;
    assert_eq!(super::events::attempts(&bench).len(), 4);
}

#[tokio::test]
async fn retries_can_be_turned_off() {
    let bench = Bench::at(QUICK, LIMITS);
    bench.create("f", json!({})).await;
    let none = bench.ask("GetFunctionEventInvokeConfig", json!({ "FunctionName": "f" })).await.unwrap_err();
    assert_eq!(none.code, "ResourceNotFoundException");
    let put = json!({ "FunctionName": "f", "MaximumRetryAttempts": 0 });
    let put = bench.ask("PutFunctionEventInvokeConfig", put).await.unwrap();
    assert_eq!(put["FunctionArn"], "arn:aws:lambda:eu-central-1:000000000000:function:f:$LATEST");
    let shown = bench.ask("GetFunctionEventInvokeConfig", json!({ "FunctionName": "f" })).await.unwrap();
    assert_eq!(shown["MaximumRetryAttempts"], 0);
    send(&bench, json!({ "do": "fail" })).await;
    done(&bench).await;
    assert_eq!(attempts(&bench).len(), 1);
    bench.ask("DeleteFunctionEventInvokeConfig", json!({ "FunctionName": "f" })).await.unwrap();
    assert!(bench.ask("GetFunctionEventInvokeConfig", json!({ "FunctionName": "f" })).await.is_err());
}

#[tokio::test]
async fn an_event_between_two_attempts_ends_with_its_function() {
    let bench = Bench::new();
    bench.create("f", json!({})).await;
    let lambda = &bench.service.lambda;
    let event = Queued {
        function: FunctionId { region: REGION.to_owned(), name: "f".to_owned() },
        request_id: uuid::Uuid::new_v4().to_string(),
        accepted: 0,
        // Never: only the function's end can end it.
        due: i64::MAX,
        attempts: 1,
        payload: json!({ "do": "fail" }).to_string(),
    };
    lambda.queue.keep(&event);
    lambda.start_event(event);
    // Its task has its turn, and begins to wait.
    tokio::task::yield_now().await;
    assert_eq!(lambda.queue.unfinished().unwrap().len(), 1);
    bench.ask("DeleteFunction", json!({ "FunctionName": "f" })).await.unwrap();
    done(&bench).await;
    assert_eq!(attempts(&bench).len(), 0);
}

#[tokio::test]
async fn a_restart_goes_on_counting_attempts() {
    let bench = Bench::at(QUICK, LIMITS);
    bench.create("f", json!({})).await;
    let (mark, file) = (bench.path("mark"), bench.path("file"));
    send(&bench, json!({ "do": "wait_for", "mark": mark, "file": file, "then_fail": true })).await;
    until("the first attempt", async || mark.exists()).await;
    // The shutdown is under way before the first attempt may end, so there is no second one before the restart.
    tokio::join!(biased; bench.service.shut_down(), async { std::fs::write(&file, "").unwrap() });
    let queue = &bench.service.lambda.queue;
    until("its failure", async || queue.unfinished().unwrap().first().is_some_and(|event| event.attempts == 1)).await;
    assert_eq!(attempts(&bench).len(), 1);
    let again = bench.restart();
    done(&bench).await;
    assert_eq!(attempts(&bench).len(), 3);
    again.shut_down().await;
}

#[tokio::test]
async fn reserved_concurrency_refuses_callers_and_holds_events_back() {
    let bench = Bench::new();
    bench.create("f", json!({})).await;
    let reserve = json!({ "FunctionName": "f", "ReservedConcurrentExecutions": 0 });
    assert_eq!(bench.ask("PutFunctionConcurrency", reserve.clone()).await.unwrap()["ReservedConcurrentExecutions"], 0);
    assert_eq!(
        bench.ask("GetFunction", json!({ "FunctionName": "f" })).await.unwrap()["Concurrency"],
        json!({ "ReservedConcurrentExecutions": 0 })
    );
    let refused = bench.ask("Invoke", json!({ "FunctionName": "f" })).await.unwrap_err();
    assert_eq!((refused.code.as_str(), refused.status.as_u16()), ("TooManyRequestsException", 429));
    send(&bench, json!({ "do": "count" })).await;
    assert_eq!(attempts(&bench).len(), 0);
    bench.ask("DeleteFunctionConcurrency", json!({ "FunctionName": "f" })).await.unwrap();
    done(&bench).await;
    assert_eq!(attempts(&bench).len(), 1);
    assert!(bench.service.snapshot().is_some());
}
