use awsim_core::RequestContext;
use serde_json::json;

use super::*;
use crate::operation::AnyService;

struct TestLogs {
    logs: Logs,
    _dir: tempfile::TempDir,
}

fn test_logs() -> TestLogs {
    let dir = tempfile::tempdir().unwrap();
    let services =
        ServiceRegistry::new("http://127.0.0.1:1".into(), dir.path().into(), Default::default(), Vec::new()).unwrap();
    TestLogs { logs: Logs::new(&services).unwrap(), _dir: dir }
}

impl TestLogs {
    async fn call(&self, operation: &str, input: Value) -> Result<Value, AwsError> {
        self.logs.handle(operation, &input, &RequestContext::new("logs", "us-east-1")).await
    }

    async fn stream(&self) {
        self.call("CreateLogGroup", json!({"logGroupName": "/g", "tags": {"a": "b"}})).await.unwrap();
        self.call("CreateLogStream", json!({"logGroupName": "/g", "logStreamName": "s"})).await.unwrap();
    }

    async fn put(&self, messages: &[&str]) {
        let time = now();
        let events: Vec<Value> = messages.iter().map(|m| json!({"timestamp": time, "message": m})).collect();
        let input = json!({"logGroupName": "/g", "logStreamName": "s", "logEvents": events});
        self.call("PutLogEvents", input).await.unwrap();
    }

    async fn get(&self, more: Value) -> (Vec<String>, String) {
        let mut input = json!({"logGroupName": "/g", "logStreamName": "s", "startFromHead": true});
        for (key, value) in more.as_object().unwrap() {
            input[key] = value.clone();
        }
        let answer = self.call("GetLogEvents", input).await.unwrap();
        let events = answer["events"].as_array().unwrap();
        let messages = events.iter().map(|event| event["message"].as_str().unwrap().to_owned()).collect();
        (messages, answer["nextForwardToken"].as_str().unwrap().to_owned())
    }
}

#[tokio::test]
async fn forward_token_repeats_at_end_of_stream() {
    let logs = test_logs();
    logs.stream().await;
    let (none, start) = logs.get(json!({})).await;
    assert!(none.is_empty());
    logs.put(&["1", "2", "3"]).await;
    let (first, token) = logs.get(json!({"nextToken": start, "limit": 2})).await;
    assert_eq!(first, ["1", "2"]);
    let (second, token) = logs.get(json!({"nextToken": token})).await;
    assert_eq!(second, ["3"]);
    let (none, same) = logs.get(json!({"nextToken": token})).await;
    assert!(none.is_empty());
    assert_eq!(same, token);
    logs.put(&["4"]).await;
    assert_eq!(logs.get(json!({"nextToken": token})).await.0, ["4"]);
}

#[tokio::test]
async fn get_events_returns_tail_by_default() {
    let logs = test_logs();
    logs.stream().await;
    logs.put(&["1", "2", "3"]).await;
    assert_eq!(logs.get(json!({"startFromHead": false, "limit": 2})).await.0, ["2", "3"]);
}

#[tokio::test]
async fn filter_covers_streams_and_pages() {
    let logs = test_logs();
    logs.stream().await;
    logs.call("CreateLogStream", json!({"logGroupName": "/g", "logStreamName": "t"})).await.unwrap();
    logs.put(&["ERROR 1", "fine", "ERROR 2"]).await;
    let event = json!({"timestamp": now(), "message": "ERROR 3"});
    logs.call("PutLogEvents", json!({"logGroupName": "/g", "logStreamName": "t", "logEvents": [event]})).await.unwrap();
    let (mut found, mut token) = (Vec::new(), Value::Null);
    loop {
        let mut input = json!({"logGroupName": "/g", "filterPattern": "ERROR", "limit": 1});
        if token.is_string() {
            input["nextToken"] = token;
        }
        let answer = logs.call("FilterLogEvents", input).await.unwrap();
        found.extend(answer["events"].as_array().unwrap().iter().map(|event| event["message"].clone()));
        token = answer["nextToken"].clone();
        if token.is_null() {
            break;
        }
    }
    assert_eq!(found, ["ERROR 1", "ERROR 2", "ERROR 3"]);
}

#[tokio::test]
async fn errors_have_aws_codes() {
    let logs = test_logs();
    logs.stream().await;
    let code = |result: Result<Value, AwsError>| result.unwrap_err().code;
    assert_eq!(
        code(logs.call("CreateLogGroup", json!({"logGroupName": "/g"})).await),
        "ResourceAlreadyExistsException"
    );
    assert_eq!(code(logs.call("DeleteLogGroup", json!({"logGroupName": "/x"})).await), "ResourceNotFoundException");
    let wrong = json!({"logGroupName": "/g", "retentionInDays": 2});
    assert_eq!(code(logs.call("PutRetentionPolicy", wrong).await), "InvalidParameterException");
    assert_eq!(code(logs.call("StartQuery", json!({})).await), "UnknownOperationException");
}

#[tokio::test]
async fn deleted_group_leaves_no_file() {
    let logs = test_logs();
    logs.stream().await;
    logs.put(&["1"]).await;
    logs.call("DeleteLogGroup", json!({"logGroupName": "/g"})).await.unwrap();
    assert!(lock(&logs.logs.groups)["us-east-1"].is_empty());
    assert_eq!(std::fs::read_dir(&logs.logs.dir).unwrap().count(), 0);
}
