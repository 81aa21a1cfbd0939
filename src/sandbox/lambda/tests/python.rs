//! Zip functions in Python, run by the machine's interpreter.

use std::io::Write;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::bench::{Bench, ROLE};

/// A zip of one module, as CloudFormation makes it from inline code.
fn zip(source: &str) -> Vec<u8> {
    let mut writer = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    writer.start_file("index.py", zip::write::SimpleFileOptions::default()).unwrap();
    writer.write_all(source.as_bytes()).unwrap();
    writer.finish().unwrap().into_inner()
}

fn creation(name: &str, source: &str) -> Value {
    json!({
        "FunctionName": name, "Role": ROLE, "Runtime": "python3.13", "Handler": "index.handler",
        "Code": { "ZipFile": STANDARD.encode(zip(source)) },
    })
}

async fn create(bench: &Bench, name: &str, source: &str) -> Value {
    let created = bench.ask("CreateFunction", creation(name, source)).await.unwrap();
    bench.active(name).await;
    created
}

#[tokio::test]
async fn a_handler_gets_its_event_and_lambdas_context() {
    let Some(bench) = Bench::new() else { return };
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
    let created = create(&bench, "f", source).await;
    let bytes = zip(source);
    assert_eq!(created["PackageType"], "Zip");
    assert_eq!(created["Runtime"], "python3.13");
    assert_eq!(created["Handler"], "index.handler");
    assert_eq!(created["CodeSize"], bytes.len());
    assert_eq!(created["CodeSha256"], STANDARD.encode(Sha256::digest(&bytes)));

    let first = bench.invoke("f", json!({ "a": 1, "ö": 2 })).await;
    assert_eq!(first.error, None, "{}", first.tail);
    let answer = &first.payload;
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
    assert!(answer["arn"].as_str().unwrap().ends_with(":function:f"));
    assert!(answer["trace"].as_str().unwrap().starts_with("Root=1-"));
    assert!((1..=3000).contains(&answer["left"].as_i64().unwrap()));
    let id = answer["id"].as_str().unwrap();
    assert!(first.tail.contains("\nthe event has 2 members\n"), "{}", first.tail);
    let warning = first.tail.lines().find(|line| line.starts_with("[WARNING]\t")).unwrap();
    assert!(warning.ends_with(&format!("Z\t{id}\tcareful")), "{warning}");
    assert!(std::path::Path::new(answer["temporary"].as_str().unwrap()).starts_with(bench.path("lambda")));
    assert_eq!(bench.invoke("f", json!({})).await.payload["count"], 2);
}

#[tokio::test]
async fn failures_look_as_those_of_lambdas_python() {
    let Some(bench) = Bench::new() else { return };
    let source =
        "def handler(event, context):\n    if event:\n        return {1, 2}\n    raise ValueError('no good')\n";
    create(&bench, "f", source).await;
    let failed = bench.invoke("f", json!({})).await;
    assert_eq!(failed.error.as_deref(), Some("Unhandled"));
    assert_eq!(failed.payload["errorType"], "ValueError");
    assert_eq!(failed.payload["errorMessage"], "no good");
    assert_eq!(failed.payload["requestId"].as_str().map(str::len), Some(36));
    let trace = failed.payload["stackTrace"].as_array().unwrap();
    assert_eq!(trace.len(), 1);
    assert!(trace[0].as_str().unwrap().starts_with("  File \"/var/task/index.py\", line 4, in handler\n"), "{trace:?}");
    assert!(
        failed.tail.contains("[ERROR] ValueError: no good\nTraceback (most recent call last):\n"),
        "{}",
        failed.tail
    );
    let unserialisable = bench.invoke("f", json!({ "a": 1 })).await;
    assert_eq!(unserialisable.payload["errorType"], "Runtime.MarshalError");

    for (name, source, kind) in [
        ("missing", "import not_there_at_all", "Runtime.ImportModuleError"),
        ("syntax", "def handler(", "Runtime.UserCodeSyntaxError"),
        ("other", "def another(event, context): pass", "Runtime.HandlerNotFound"),
        ("raises", "raise KeyError('x')", "KeyError"),
    ] {
        create(&bench, name, source).await;
        assert_eq!(bench.invoke(name, json!({})).await.payload["errorType"], kind, "{name}");
    }
}

#[tokio::test]
async fn code_and_handler_can_be_changed() {
    let Some(bench) = Bench::new() else { return };
    create(&bench, "f", "def handler(event, context): return 1\ndef second(event, context): return 2").await;
    assert_eq!(bench.invoke("f", json!({})).await.payload, 1);
    let update = json!({ "FunctionName": "f", "Handler": "index.second", "Runtime": "python3.12" });
    assert_eq!(bench.ask("UpdateFunctionConfiguration", update).await.unwrap()["Runtime"], "python3.12");
    bench.active("f").await;
    assert_eq!(bench.invoke("f", json!({})).await.payload, 2);
    let code = json!({ "FunctionName": "f", "ZipFile": STANDARD.encode(zip("def second(event, context): return 3")) });
    bench.ask("UpdateFunctionCode", code).await.unwrap();
    bench.active("f").await;
    assert_eq!(bench.invoke("f", json!({})).await.payload, 3);
    assert_eq!(bench.images(), 1);
    let shown = bench.ask("GetFunction", json!({ "FunctionName": "f" })).await.unwrap();
    assert_eq!(shown["Code"]["RepositoryType"], "S3");
    let listed = bench.ask("ListFunctions", json!({})).await.unwrap();
    assert_eq!(listed["Functions"][0]["PackageType"], "Zip");
    let again = bench.restart();
    let after = super::bench::ask(&again, "GetFunctionConfiguration", json!({ "FunctionName": "f" })).await.unwrap();
    assert_eq!(after, shown["Configuration"]);
}

#[tokio::test]
async fn what_cannot_be_run_is_refused_with_a_reason() {
    let Some(bench) = Bench::new() else { return };
    let refused = async |change: Value| {
        let mut input = creation("f", "def handler(event, context): pass");
        for (field, value) in change.as_object().unwrap() {
            input[field] = value.clone();
        }
        let error = bench.ask("CreateFunction", input).await.unwrap_err();
        assert_eq!(error.code, "InvalidParameterValueException", "{}", error.message);
        error.message
    };
    assert!(refused(json!({ "Runtime": "nodejs22.x" })).await.contains("python3.14"));
    assert!(refused(json!({ "Handler": null })).await.starts_with("Runtime and Handler are mandatory"));
    assert!(refused(json!({ "Layers": ["arn:aws:lambda:eu-central-1:1:layer:a:1"] })).await.contains("no layers"));
    let broken = json!({ "Code": { "ZipFile": STANDARD.encode("no zip") } });
    assert!(refused(broken).await.starts_with("Could not unzip uploaded file."));
    assert!(refused(json!({ "Code": {} })).await.starts_with("Please provide a source"));
}
