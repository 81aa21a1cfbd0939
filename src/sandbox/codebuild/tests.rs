//! Builds without a server around them: what does not need the stand-ins.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use awsim_core::RequestContext;
use serde_json::{Value, json};

use super::{BuildHost, CodeBuildService, SERVICE, services::Services};
use crate::sandbox::access::{Access, RootKeys};
use crate::sandbox::behaviour::Behaviour;
use crate::sandbox::logs::Logs;

const TRUST: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"codebuild.amazonaws.com"},"Action":"sts:AssumeRole"}]}"#;

const LOGGING: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"logs:*","Resource":"*"}]}"#;

/// CodeBuild with the neighbours that a build needs, and a role.
struct House {
    services: Arc<Services>,
    _dir: tempfile::TempDir,
}

impl House {
    async fn new(minute: Duration) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let endpoint = "http://127.0.0.1:9".to_owned();
        let services = Arc::new(Services::new(endpoint, dir.path().to_owned(), Behaviour::default()).unwrap());
        let iam = Arc::new(awsim_iam::IamService::new());
        let access = Access::new(RootKeys::generate(), iam.store(), services.sessions().clone(), false);
        services.set_access(Arc::new(access));
        services.register(iam).unwrap();
        let logs = Arc::new(Logs::new(&services).unwrap());
        services.register(logs).unwrap();
        let host = BuildHost {
            program: PathBuf::from("/nonexistent"),
            function: || {
                &[
                    ("buildspec.yml", b"version: 0.2\nphases:\n  build:\n    commands: [cat src/main.rs]\n"),
                    ("src/main.rs", b"the embedded function\n"),
                ]
            },
        };
        let codebuild = CodeBuildService::with_minute(services.clone(), host, minute);
        services.register(Arc::new(codebuild)).unwrap();
        let role = json!({ "RoleName": "builder", "AssumeRolePolicyDocument": TRUST });
        services.call("iam", "eu-west-1", "CreateRole", role).await.unwrap();
        let policy = json!({ "RoleName": "builder", "PolicyName": "log", "PolicyDocument": LOGGING });
        services.call("iam", "eu-west-1", "PutRolePolicy", policy).await.unwrap();
        Self { services, _dir: dir }
    }

    async fn call(&self, operation: &str, input: Value) -> Value {
        self.services
            .call(SERVICE, "eu-west-1", operation, input)
            .await
            .unwrap_or_else(|error| panic!("{operation}: {error}"))
    }

    async fn build(&self, source: Value, start: Value) -> Value {
        let project = json!({
            "name": "thumbs",
            "source": source,
            "artifacts": { "type": "NO_ARTIFACTS" },
            "environment": {
                "type": "LINUX_CONTAINER",
                "image": "aws/codebuild/standard:8.0",
                "computeType": "BUILD_GENERAL1_SMALL",
                "environmentVariables": [{ "name": "WHO", "value": "project" }],
            },
            "serviceRole": "arn:aws:iam::000000000000:role/builder",
            "timeoutInMinutes": 5,
        });
        self.call("CreateProject", project).await;
        let mut input = json!({ "projectName": "thumbs" });
        for (name, value) in start.as_object().into_iter().flatten() {
            input[name] = value.clone();
        }
        let started = self.call("StartBuild", input).await;
        let ids = json!({ "ids": [started["build"]["id"]] });
        for _ in 0..2000 {
            let build = self.call("BatchGetBuilds", ids.clone()).await["builds"][0].take();
            if build["buildComplete"] == true {
                return build;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        panic!("the build does not end");
    }

    async fn log(&self, build: &Value) -> String {
        let input = json!({
            "logGroupName": build["logs"]["groupName"],
            "logStreamName": build["logs"]["streamName"],
            "startFromHead": true,
        });
        let context = RequestContext::new("logs", "eu-west-1");
        let logs = self.services.handler("logs").unwrap();
        let events = logs.handle("GetLogEvents", input, &context).await.unwrap();
        let events = events["events"].as_array().unwrap().iter();
        events.filter_map(|event| event["message"].as_str()).collect()
    }
}

fn inline(buildspec: &str) -> Value {
    json!({ "type": "NO_SOURCE", "buildspec": buildspec })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_build_that_takes_too_long_is_ended() {
    let house = House::new(Duration::from_millis(40)).await;
    let spec = "version: 0.2\nphases:\n  build:\n    commands: [\"echo begun\", \"sleep 600\"]\n";
    let build = house.build(inline(spec), json!({})).await;
    assert_eq!(build["buildStatus"], "TIMED_OUT");
    let phases = build["phases"].as_array().unwrap();
    let ended = phases.iter().find(|it| it["phaseType"] == "BUILD").unwrap();
    assert_eq!(ended["phaseStatus"], "TIMED_OUT");
    assert_eq!(ended["contexts"][0]["statusCode"], "BUILD_TIMED_OUT");
    assert!(house.log(&build).await.contains("\nbegun\n"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_source_on_github_is_the_embedded_function_and_the_log_says_so() {
    let house = House::new(Duration::from_secs(60)).await;
    let source = json!({ "type": "GITHUB", "location": "https://github.com/someone/something" });
    let build = house.build(source, json!({})).await;
    assert_eq!(build["buildStatus"], "SUCCEEDED");
    let log = house.log(&build).await;
    assert!(log.contains("\nthe embedded function\n"), "{log}");
    assert!(log.contains("does not fetch https://github.com/someone/something"), "{log}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_builds_environment_is_its_own() {
    let house = House::new(Duration::from_secs(60)).await;
    let spec = "version: 0.2\nenv:\n  variables: { WHO: buildspec, WHAT: buildspec }\n  exported-variables: [MADE]\nphases:\n  \
                build:\n    commands:\n      - env | sort\n      - MADE=\"a b\"\n      - printf 'no end'\n";
    let variables = json!([{ "name": "EXTRA", "value": "start" }]);
    let start = json!({ "environmentVariablesOverride": variables });
    let build = house.build(inline(spec), start).await;
    let log = house.log(&build).await;
    assert_eq!(build["buildStatus"], "SUCCEEDED", "{log}");
    for line in [
        "WHO=project",
        "WHAT=buildspec",
        "EXTRA=start",
        "AWS_DEFAULT_REGION=eu-west-1",
        "AWS_ENDPOINT_URL=http://127.0.0.1:9",
        "no end",
    ] {
        assert!(log.lines().any(|it| it == line), "{line} is missing: {log}");
    }
    assert!(!log.contains("CARGO_MANIFEST_DIR"), "{log}");
    assert_eq!(build["exportedEnvironmentVariables"], json!([{ "name": "MADE", "value": "a b" }]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn much_output_arrives_whole_and_in_order() {
    let house = House::new(Duration::from_secs(60)).await;
    let spec =
        "version: 0.2\nphases:\n  build:\n    commands: [\"seq 1 20000\", \"exec sh -c 'seq 20001 20010; exit 4'\"]\n";
    let build = house.build(inline(spec), json!({})).await;
    let phases = build["phases"].as_array().unwrap();
    let ended = phases.iter().find(|it| it["phaseType"] == "BUILD").unwrap();
    let message = ended["contexts"][0]["message"].as_str().unwrap();
    assert!(message.ends_with("exit status 4"), "{message}");
    let mut seen = Vec::new();
    let mut token = Value::Null;
    loop {
        let mut input = json!({
            "logGroupName": build["logs"]["groupName"],
            "logStreamName": build["logs"]["streamName"],
            "startFromHead": true,
        });
        if !token.is_null() {
            input["nextToken"] = token.clone();
        }
        let page = house.services.call("logs", "eu-west-1", "GetLogEvents", input).await.unwrap();
        for event in page["events"].as_array().unwrap() {
            seen.extend(event["message"].as_str().unwrap().trim().parse::<u32>());
        }
        if page["nextForwardToken"] == token {
            break;
        }
        token = page["nextForwardToken"].clone();
    }
    assert_eq!(seen, (1..=20010).collect::<Vec<_>>());
}
