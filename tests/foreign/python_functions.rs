//! Functions in the real sandbox, by the SDK: zips in Python, memory limits, failing events.

use std::io::Write;
use std::time::Duration;

use aws_sdk_lambda::client::Waiters;
use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::{FunctionCode, LogType, Runtime};
use aws_sdk_s3::types::{Event, LambdaFunctionConfiguration, NotificationConfiguration};
use base64::Engine as _;
use serde_json::{Value, json};
use thumbctl_test_support::in_process::Sandbox;
use thumbctl_test_support::{Clients, TIMEOUT, until};

thumbctl_test_support::foreign_tests! {
    [Python3] async: zip_from_a_bucket_runs_and_can_be_downloaded,
        function_beyond_its_memory_limit_is_killed,
        failed_event_is_retried_twice,
        twenty_concurrent_events_are_all_processed;
}

const TRUST: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"lambda.amazonaws.com"},"Action":"sts:AssumeRole"}]}"#;

fn zip(source: &str) -> Vec<u8> {
    let mut writer = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    writer.start_file("index.py", zip::write::SimpleFileOptions::default()).expect("a zip");
    writer.write_all(source.as_bytes()).expect("a zip");
    writer.finish().expect("a zip").into_inner()
}

/// A function `f` that is ready; returns its ARN.
async fn create(clients: &Clients, code: FunctionCode) -> String {
    let role = clients.iam.create_role().role_name("runner").assume_role_policy_document(TRUST).send().await;
    let role = role.expect("a role").role.expect("a role").arn;
    // A function writes its log with its role's permissions.
    let writes_logs = "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole";
    let attached = clients.iam.attach_role_policy().role_name("runner").policy_arn(writes_logs).send().await;
    attached.expect("the right to write a log");
    let function = clients.lambda.create_function().function_name("f").runtime(Runtime::from("python3.13"));
    let function = function.handler("index.handler").role(role).code(code).timeout(30).send().await;
    let ready = clients.lambda.wait_until_function_active_v2().function_name("f").wait(TIMEOUT).await;
    ready.expect("a function that becomes active");
    function.expect("a function").function_arn.expect("an ARN")
}

fn inline(source: &str) -> FunctionCode {
    FunctionCode::builder().zip_file(Blob::new(zip(source))).build()
}

/// Returns the function's response, and the end of its log.
async fn invoke(clients: &Clients, event: Value) -> (Value, String) {
    let answer = clients.lambda.invoke().function_name("f").log_type(LogType::Tail);
    let answer = answer.payload(Blob::new(event.to_string())).send().await.expect("an answer");
    let log = base64::engine::general_purpose::STANDARD.decode(answer.log_result().expect("a log")).expect("Base64");
    let payload = serde_json::from_slice(answer.payload().expect("a payload").as_ref()).expect("JSON");
    (payload, String::from_utf8(log).expect("text"))
}

/// The request ids in the log, one for each attempt.
async fn attempts(clients: &Clients) -> Vec<String> {
    let events = clients.logs.filter_log_events().log_group_name("/aws/lambda/f").send().await;
    let events = events.map(|page| page.events.unwrap_or_default()).unwrap_or_default();
    let begun = |line: &str| line.strip_prefix("START RequestId: ").map(|rest| rest[..36].to_owned());
    events.iter().filter_map(|event| begun(event.message()?)).collect()
}

async fn zip_from_a_bucket_runs_and_can_be_downloaded() {
    let dir = tempfile::tempdir().expect("a directory");
    let sandbox = Sandbox::on(dir.path()).await;
    let clients = Clients::of(sandbox.config());
    let source = "import os\ndef handler(event, context):\n    return [event, os.environ['AWS_ACCESS_KEY_ID'][:4]]\n";
    clients.s3.create_bucket().bucket("code").send().await.expect("a bucket");
    let object = clients.s3.put_object().bucket("code").key("a b/f.zip").body(zip(source).into());
    object.send().await.expect("an object");
    create(&clients, FunctionCode::builder().s3_bucket("code").s3_key("a b/f.zip").build()).await;
    clients.s3.delete_object().bucket("code").key("a b/f.zip").send().await.expect("the copied object is not needed");
    assert_eq!(invoke(&clients, json!({ "a": 1 })).await.0, json!([{ "a": 1 }, "ASIA"]));
    sandbox.stop().await;

    let sandbox = Sandbox::on(dir.path()).await;
    let clients = Clients::of(sandbox.config());
    assert_eq!(invoke(&clients, json!(2)).await.0, json!([2, "ASIA"]));
    let function = clients.lambda.get_function().function_name("f").send().await.expect("a function");
    let location = function.code().and_then(|code| code.location()).expect("a location").to_owned();
    let fetch = |url: String| move || ureq::get(url).call().map(|mut answer| answer.body_mut().read_to_vec());
    let fetched = tokio::task::spawn_blocking(fetch(location.clone())).await.expect("no panic").expect("an answer");
    assert_eq!(fetched.expect("bytes"), zip(source));
    let guessed = format!("{}/{}", location.rsplit_once('/').expect("a path").0, "0".repeat(64));
    assert!(tokio::task::spawn_blocking(fetch(guessed)).await.expect("no panic").is_err());
    sandbox.stop().await;
}

#[cfg(target_os = "linux")]
async fn function_beyond_its_memory_limit_is_killed() {
    let sandbox = Sandbox::ephemeral().await;
    let clients = Clients::of(sandbox.config());
    let source = "def handler(event, context):\n    return len([bytearray(1 << 20) for _ in range(event)])\n";
    create(&clients, inline(source)).await;
    assert_eq!(invoke(&clients, json!(50)).await.0, json!(50));
    let (payload, log) = invoke(&clients, json!(400)).await;
    assert_eq!(payload["errorType"], "Runtime.OutOfMemory");
    assert!(log.contains(" Error: Runtime exited with error: signal: killed\nRuntime.ExitError\n"), "{log}");
    assert!(log.contains("\tMemory Size: 128 MB\tMax Memory Used: 128 MB\t"), "{log}");
    assert_eq!(invoke(&clients, json!(50)).await.0, json!(50));
    sandbox.stop().await;
}

async fn failed_event_is_retried_twice() {
    let sandbox = Sandbox::ephemeral().await;
    let clients = Clients::of(sandbox.config());
    let arn =
        create(&clients, inline("def handler(event, context):\n    raise ValueError(event['Records'][0]['s3'])\n"))
            .await;
    clients.s3.create_bucket().bucket("pics").send().await.expect("a bucket");
    let permission = clients.lambda.add_permission().function_name("f").statement_id("s3");
    let permission = permission.action("lambda:InvokeFunction").principal("s3.amazonaws.com");
    permission.source_arn("arn:aws:s3:::pics").send().await.expect("a permission");
    let notification =
        LambdaFunctionConfiguration::builder().lambda_function_arn(arn).events(Event::S3ObjectCreated).build();
    let notifications =
        NotificationConfiguration::builder().lambda_function_configurations(notification.expect("complete")).build();
    let put =
        clients.s3.put_bucket_notification_configuration().bucket("pics").notification_configuration(notifications);
    put.send().await.expect("a notification");

    clients.s3.put_object().bucket("pics").key("a.jpg").send().await.expect("an object");
    let ids = until("three attempts", || async { Some(attempts(&clients).await).filter(|ids| ids.len() >= 3) }).await;
    assert_eq!(ids.len(), 3);
    assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
    // A deletion between two attempts ends them: the log group stays empty.
    clients.s3.put_object().bucket("pics").key("b.jpg").send().await.expect("an object");
    until("the next event", || async { (attempts(&clients).await.len() > 3).then_some(()) }).await;
    clients.lambda.delete_function().function_name("f").send().await.expect("gone");
    clients.logs.delete_log_group().log_group_name("/aws/lambda/f").send().await.expect("gone");
    let groups = clients.logs.describe_log_groups().send().await.expect("groups");
    assert!(groups.log_groups().is_empty(), "{groups:?}");
    sandbox.stop().await;
}

async fn twenty_concurrent_events_are_all_processed() {
    let sandbox = Sandbox::ephemeral().await;
    let clients = Clients::of(sandbox.config());
    create(&clients, inline("import time\ndef handler(event, context):\n    time.sleep(0.05)\n    return event\n"))
        .await;
    let answers = (0..20).map(|number| invoke(&clients, json!(number)));
    let answers = tokio::time::timeout(Duration::from_secs(120), futures::future::join_all(answers)).await;
    let answered: Vec<Value> = answers.expect("answers in time").into_iter().map(|(payload, _)| payload).collect();
    assert_eq!(answered, (0..20).map(Value::from).collect::<Vec<_>>());
    sandbox.stop().await;
}
