//! Zip functions in Python: handler arguments, errors, updates.

use std::io::Write;
use std::path::Path;

use aws_sdk_lambda::error::ProvideErrorMetadata;
use aws_sdk_lambda::operation::create_function::builders::CreateFunctionFluentBuilder;
use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::{FunctionCode, LastUpdateStatus, LogType, PackageType, Runtime, State};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use thumbctl_test_support::in_process::Sandbox;
use thumbctl_test_support::{Clients, until};

thumbctl_test_support::foreign_tests! {
    [Python3] async: handler_gets_event_and_context_as_on_lambda,
        failures_are_reported_as_by_lambdas_python,
        code_and_handler_can_be_changed,
        unrunnable_function_is_rejected_with_reason;
}

const TRUST: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"lambda.amazonaws.com"},"Action":"sts:AssumeRole"}]}"#;

/// A zip of one module, as CloudFormation creates it from inline code.
fn zip(source: &str) -> Vec<u8> {
    let mut writer = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    writer.start_file("index.py", zip::write::SimpleFileOptions::default()).expect("a zip");
    writer.write_all(source.as_bytes()).expect("a zip");
    writer.finish().expect("a zip").into_inner()
}

/// A sandbox with a role that functions can assume.
struct Bench {
    sandbox: Sandbox,
    clients: Clients,
    role: String,
}

struct Invoked {
    error: Option<String>,
    payload: Value,
    log: String,
}

impl Bench {
    async fn new(dir: &Path) -> Self {
        let sandbox = Sandbox::on(dir).await;
        let clients = Clients::of(sandbox.config());
        let role = clients.iam.create_role().role_name("runner").assume_role_policy_document(TRUST).send().await;
        let role = role.expect("a role").role.expect("a role").arn;
        let writes_logs = "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole";
        let attached = clients.iam.attach_role_policy().role_name("runner").policy_arn(writes_logs).send().await;
        attached.expect("the right to write a log");
        Self { sandbox, clients, role }
    }

    /// The request for a function of one module.
    fn creation(&self, name: &str, source: &str) -> CreateFunctionFluentBuilder {
        let code = FunctionCode::builder().zip_file(Blob::new(zip(source))).build();
        let function = self.clients.lambda.create_function().function_name(name).role(&self.role).timeout(30);
        function.runtime(Runtime::from("python3.13")).handler("index.handler").code(code)
    }

    async fn create(&self, name: &str, source: &str) {
        self.creation(name, source).send().await.expect("a function");
        self.ready(name).await;
    }

    /// Waits until the function is active.
    async fn ready(&self, name: &str) {
        until("a function that is ready", || async {
            let now = self.clients.lambda.get_function_configuration().function_name(name).send().await;
            let now = now.expect("a function");
            let is_ready =
                now.state() == Some(&State::Active) && now.last_update_status() == Some(&LastUpdateStatus::Successful);
            is_ready.then_some(())
        })
        .await;
    }

    async fn invoke(&self, name: &str, event: Value) -> Invoked {
        let call = self.clients.lambda.invoke().function_name(name).log_type(LogType::Tail);
        let answer = call.payload(Blob::new(event.to_string())).send().await.expect("an answer");
        let log = STANDARD.decode(answer.log_result().expect("a log")).expect("Base64");
        Invoked {
            error: answer.function_error().map(str::to_owned),
            payload: serde_json::from_slice(answer.payload().expect("a payload").as_ref()).expect("JSON"),
            log: String::from_utf8(log).expect("text"),
        }
    }
}

async fn handler_gets_event_and_context_as_on_lambda() {
    let dir = tempfile::tempdir().expect("a directory");
    let bench = Bench::new(dir.path()).await;
    let source = r#"
import os, logging, tempfile
count = 0

def handler(event, context):
    global count
    count += 1
    print("the event has", len(event), "members")
    logging.getLogger().warning("careful")
    os.open(os.path.join(tempfile.gettempdir(), "mine"), os.O_CREAT)
    return {
        "count": count, "event": event, "cwd": os.getcwd(), "root": os.environ["LAMBDA_TASK_ROOT"],
        "name": context.function_name, "version": context.function_version, "id": context.aws_request_id,
        "arn": context.invoked_function_arn, "memory": context.memory_limit_in_mb, "group": context.log_group_name,
        "stream": context.log_stream_name, "left": context.get_remaining_time_in_millis(),
        "environment": os.environ["AWS_EXECUTION_ENV"], "handler": os.environ["_HANDLER"],
        "trace": os.environ["_X_AMZN_TRACE_ID"], "home": os.environ.get("HOME"), "temporary": tempfile.gettempdir(),
        "umlaut": "ä",
    }
"#;
    bench.create("f", source).await;
    let created = bench.clients.lambda.get_function_configuration().function_name("f").send().await;
    let created = created.expect("a function");
    let bytes = zip(source);
    assert_eq!(created.package_type(), Some(&PackageType::Zip));
    assert_eq!(created.runtime().map(Runtime::as_str), Some("python3.13"));
    assert_eq!(created.handler(), Some("index.handler"));
    assert_eq!(usize::try_from(created.code_size()), Ok(bytes.len()));
    assert_eq!(created.code_sha256(), Some(STANDARD.encode(Sha256::digest(&bytes)).as_str()));

    let first = bench.invoke("f", json!({ "a": 1, "ö": 2 })).await;
    assert_eq!(first.error, None, "{}", first.log);
    let answer = &first.payload;
    let text = |name: &str| answer[name].as_str().expect("text");
    assert_eq!(answer["event"], json!({ "a": 1, "ö": 2 }));
    assert_eq!(answer["cwd"], answer["root"]);
    assert_eq!(answer["name"], "f");
    assert_eq!(answer["version"], "$LATEST");
    assert_eq!(answer["memory"], "128");
    assert_eq!(answer["group"], "/aws/lambda/f");
    assert_eq!(answer["environment"], "AWS_Lambda_python3.13");
    assert_eq!(answer["handler"], "index.handler");
    assert_eq!(answer["umlaut"], "ä");
    assert_eq!(answer["home"], Value::Null);
    assert!(text("arn").ends_with(":function:f"));
    assert!(text("trace").starts_with("Root=1-"));
    assert!((1..=30_000).contains(&answer["left"].as_i64().expect("milliseconds")));
    assert!(first.log.contains("\nthe event has 2 members\n"), "{}", first.log);
    let warning = first.log.lines().find(|line| line.starts_with("[WARNING]\t")).expect("a warning");
    assert!(warning.ends_with(&format!("Z\t{}\tcareful", text("id"))), "{warning}");
    assert!(Path::new(text("temporary")).starts_with(dir.path().join("lambda")));
    assert_eq!(bench.invoke("f", json!({})).await.payload["count"], 2);
    bench.sandbox.stop().await;
}

async fn failures_are_reported_as_by_lambdas_python() {
    let dir = tempfile::tempdir().expect("a directory");
    let bench = Bench::new(dir.path()).await;
    let source =
        "def handler(event, context):\n    if event:\n        return {1, 2}\n    raise ValueError('no good')\n";
    bench.create("f", source).await;
    let failed = bench.invoke("f", json!({})).await;
    assert_eq!(failed.error.as_deref(), Some("Unhandled"));
    assert_eq!(failed.payload["errorType"], "ValueError");
    assert_eq!(failed.payload["errorMessage"], "no good");
    assert_eq!(failed.payload["requestId"].as_str().map(str::len), Some(36));
    let trace = failed.payload["stackTrace"].as_array().expect("a stack trace");
    assert_eq!(trace.len(), 1);
    let frame = trace[0].as_str().expect("text");
    assert!(frame.starts_with("  File \"/var/task/index.py\", line 4, in handler\n"), "{frame}");
    let logged = "[ERROR] ValueError: no good\nTraceback (most recent call last):\n";
    assert!(failed.log.contains(logged), "{}", failed.log);
    let unserialisable = bench.invoke("f", json!({ "a": 1 })).await;
    assert_eq!(unserialisable.payload["errorType"], "Runtime.MarshalError");

    for (name, source, kind) in [
        ("missing", "import not_there_at_all", "Runtime.ImportModuleError"),
        ("syntax", "def handler(", "Runtime.UserCodeSyntaxError"),
        ("other", "def another(event, context): pass", "Runtime.HandlerNotFound"),
        ("raises", "raise KeyError('x')", "KeyError"),
    ] {
        bench.create(name, source).await;
        assert_eq!(bench.invoke(name, json!({})).await.payload["errorType"], kind, "{name}");
    }
    bench.sandbox.stop().await;
}

async fn code_and_handler_can_be_changed() {
    let dir = tempfile::tempdir().expect("a directory");
    let bench = Bench::new(dir.path()).await;
    let lambda = &bench.clients.lambda;
    bench.create("f", "def handler(event, context): return 1\ndef second(event, context): return 2").await;
    assert_eq!(bench.invoke("f", json!({})).await.payload, 1);
    let update = lambda.update_function_configuration().function_name("f");
    let update = update.handler("index.second").runtime(Runtime::from("python3.12")).send().await.expect("an update");
    assert_eq!(update.runtime().map(Runtime::as_str), Some("python3.12"));
    bench.ready("f").await;
    assert_eq!(bench.invoke("f", json!({})).await.payload, 2);
    let code = Blob::new(zip("def second(event, context): return 3"));
    lambda.update_function_code().function_name("f").zip_file(code).send().await.expect("an update");
    bench.ready("f").await;
    assert_eq!(bench.invoke("f", json!({})).await.payload, 3);
    let unpacked = std::fs::read_dir(dir.path().join("lambda/images")).expect("unpacked code").count();
    assert_eq!(unpacked, 1, "the code before is deleted");
    let shown = lambda.get_function().function_name("f").send().await.expect("a function");
    assert_eq!(shown.code().and_then(|code| code.repository_type()), Some("S3"));
    let listed = lambda.list_functions().send().await.expect("functions");
    assert_eq!(listed.functions()[0].package_type(), Some(&PackageType::Zip));
    bench.sandbox.stop().await;

    let sandbox = Sandbox::on(dir.path()).await;
    let lambda = Clients::of(sandbox.config()).lambda;
    let after = lambda.get_function().function_name("f").send().await.expect("a function");
    assert_eq!(after.configuration(), shown.configuration());
    sandbox.stop().await;
}

async fn unrunnable_function_is_rejected_with_reason() {
    let dir = tempfile::tempdir().expect("a directory");
    let bench = Bench::new(dir.path()).await;
    let good = || bench.creation("f", "def handler(event, context): pass");
    let refused = async |request: CreateFunctionFluentBuilder| {
        let error = request.send().await.expect_err("the request is rejected");
        assert_eq!(error.code(), Some("InvalidParameterValueException"));
        error.message().expect("a reason").to_owned()
    };
    assert!(refused(good().runtime(Runtime::from("nodejs22.x"))).await.contains("python3.14"));
    assert!(refused(good().set_handler(None)).await.starts_with("Runtime and Handler are mandatory"));
    let layered = good().layers("arn:aws:lambda:eu-central-1:1:layer:a:1");
    assert!(refused(layered).await.contains("no layers"));
    let broken = good().code(FunctionCode::builder().zip_file(Blob::new("no zip")).build());
    assert!(refused(broken).await.starts_with("Could not unzip uploaded file."));
    let empty = good().code(FunctionCode::builder().build());
    assert!(refused(empty).await.starts_with("Please provide a source"));
    bench.sandbox.stop().await;
}
