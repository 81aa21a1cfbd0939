//! Tests of builds without a server and without the shims.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use awsim_core::RequestContext;
use serde_json::{Value, json};
use tokio::sync::Notify;

use super::{BuildHost, BuildTimeout, CodeBuildService, SERVICE};
use crate::authz::access_control::{AccessControl, RootKeys};
use crate::behaviour::Behaviour;
use crate::iam::Iam;
use crate::latency::{Latencies, Pace};
use crate::logs::Logs;
use crate::service_registry::ServiceRegistry;
use thumbctl_sandbox_protocol::Latency;

/// The longest wait in a test, generous for busy machines.
const TEST_TIMEOUT: Duration = Duration::from_secs(120);

const TRUST: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"codebuild.amazonaws.com"},"Action":"sts:AssumeRole"}]}"#;

const LOGGING: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"logs:*","Resource":"*"}]}"#;

/// Waits for a condition; panics with its description after the timeout.
async fn until(what: &str, mut condition: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + TEST_TIMEOUT;
    while !condition().await {
        assert!(Instant::now() < deadline, "timed out waiting for {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// CodeBuild with the services that a build needs, and a role.
struct TestCodeBuild {
    services: Arc<ServiceRegistry>,
    _dir: tempfile::TempDir,
}

impl TestCodeBuild {
    async fn new() -> Self {
        Self::with(BuildTimeout::ByClock, Behaviour::default()).await
    }

    async fn with(timeout: BuildTimeout, behaviour: Behaviour) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let endpoint = "http://127.0.0.1:9".to_owned();
        let services = Arc::new(ServiceRegistry::new(endpoint, dir.path().to_owned(), behaviour, Vec::new()).unwrap());
        let iam = Arc::new(Iam::new(services.clone()));
        let access = AccessControl::new(RootKeys::generate(), iam.store(), services.sessions().clone(), false);
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
        let codebuild = CodeBuildService::with_timeout(services.clone(), host, timeout);
        services.register(Arc::new(codebuild)).unwrap();
        let role = json!({ "RoleName": "builder", "AssumeRolePolicyDocument": TRUST });
        let role = services.call("iam", "eu-west-1", "CreateRole", role).await.unwrap()["Role"].take();
        // The role can be assumed at once, even in tests with AWS's latencies.
        services.propagation().begin(role["RoleId"].as_str().unwrap(), &Latencies::new(Pace::default()));
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

    async fn refusal(&self, operation: &str, input: Value) -> String {
        match self.services.call(SERVICE, "eu-west-1", operation, input).await {
            Ok(answer) => panic!("{operation} is not refused: {answer}"),
            Err(error) => format!("{}: {}", error.code, error.message),
        }
    }

    fn project(source: Value) -> Value {
        json!({
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
        })
    }

    async fn build(&self, source: Value, start: Value) -> Value {
        let started = self.start(source, start).await;
        self.finished(&started["id"]).await
    }

    /// Creates the project and starts a build.
    async fn start(&self, source: Value, start: Value) -> Value {
        self.call("CreateProject", Self::project(source)).await;
        let mut input = json!({ "projectName": "thumbs" });
        for (name, value) in start.as_object().into_iter().flatten() {
            input[name] = value.clone();
        }
        self.call("StartBuild", input).await["build"].take()
    }

    async fn get(&self, id: &Value) -> Value {
        self.call("BatchGetBuilds", json!({ "ids": [id] })).await["builds"][0].take()
    }

    async fn finished(&self, id: &Value) -> Value {
        until("the build to end", async || self.get(id).await["buildComplete"] == true).await;
        self.get(id).await
    }

    async fn log(&self, build: &Value) -> String {
        let input = json!({
            "logGroupName": build["logs"]["groupName"],
            "logStreamName": build["logs"]["streamName"],
            "startFromHead": true,
        });
        let context = RequestContext::new("logs", "eu-west-1");
        let logs = self.services.handler("logs").unwrap();
        let events = logs.handle("GetLogEvents", &input, &context).await.unwrap();
        let events = events["events"].as_array().unwrap().iter();
        events.filter_map(|event| event["message"].as_str()).collect()
    }
}

fn inline(buildspec: &str) -> Value {
    json!({ "type": "NO_SOURCE", "buildspec": buildspec })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn build_times_out() {
    let too_long = Arc::new(Notify::new());
    let codebuild = TestCodeBuild::with(BuildTimeout::OnSignal(too_long.clone()), Behaviour::default()).await;
    let spec = "version: 0.2\nphases:\n  build:\n    commands: [\"echo started\", \"sleep 600\"]\n";
    let started = codebuild.start(inline(spec), json!({})).await;
    until("the build to be at its second command", async || {
        let build = codebuild.get(&started["id"]).await;
        !build["logs"]["streamName"].is_null() && codebuild.log(&build).await.contains("\nstarted\n")
    })
    .await;
    too_long.notify_one();
    let build = codebuild.finished(&started["id"]).await;
    assert_eq!(build["buildStatus"], "TIMED_OUT");
    let phases = build["phases"].as_array().unwrap();
    let ended = phases.iter().find(|it| it["phaseType"] == "BUILD").unwrap();
    assert_eq!(ended["phaseStatus"], "TIMED_OUT");
    assert_eq!(ended["contexts"][0]["statusCode"], "BUILD_TIMED_OUT");
    assert!(codebuild.log(&build).await.contains("\nstarted\n"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn github_source_is_replaced_by_embedded_function() {
    let codebuild = TestCodeBuild::new().await;
    let source = json!({ "type": "GITHUB", "location": "https://github.com/someone/something" });
    let build = codebuild.build(source, json!({})).await;
    assert_eq!(build["buildStatus"], "SUCCEEDED");
    let log = codebuild.log(&build).await;
    assert!(log.contains("\nthe embedded function\n"), "{log}");
    assert!(log.contains("does not fetch https://github.com/someone/something"), "{log}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn build_environment_has_only_its_own_variables() {
    let codebuild = TestCodeBuild::new().await;
    let spec = "version: 0.2\nenv:\n  variables: { WHO: buildspec, WHAT: buildspec }\n  exported-variables: [MADE]\nphases:\n  \
                build:\n    commands:\n      - env | sort\n      - MADE=\"a b\"\n      - printf 'no end'\n";
    let variables = json!([{ "name": "EXTRA", "value": "start" }]);
    let start = json!({ "environmentVariablesOverride": variables });
    let build = codebuild.build(inline(spec), start).await;
    let log = codebuild.log(&build).await;
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
async fn large_output_is_logged_completely_and_in_order() {
    let codebuild = TestCodeBuild::new().await;
    let spec =
        "version: 0.2\nphases:\n  build:\n    commands: [\"seq 1 20000\", \"exec sh -c 'seq 20001 20010; exit 4'\"]\n";
    let build = codebuild.build(inline(spec), json!({})).await;
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
        let page = codebuild.services.call("logs", "eu-west-1", "GetLogEvents", input).await.unwrap();
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unsupported_features_are_logged() {
    let codebuild = TestCodeBuild::new().await;
    let spec = "version: 0.2\nenv: { shell: /bin/sh }\ncache: { paths: [x] }\nphases:\n  install:\n    runtime-versions: { \
                python: 3.13 }\n    commands: ['echo \"bash: ${BASH_VERSION:-none}\"']\n  build:\n    run-as: app\n";
    let build = codebuild.build(inline(spec), json!({})).await;
    let log = codebuild.log(&build).await;
    assert_eq!(build["buildStatus"], "SUCCEEDED", "{log}");
    for part in [
        "In the sandbox: cache: ",
        "In the sandbox: INSTALL: runtime-versions: python 3.13 not installed",
        "In the sandbox: BUILD: run-as: ",
        "\nbash: none\n",
    ] {
        assert!(log.contains(part), "{part} is missing: {log}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn buildspec_errors_have_codebuild_messages() {
    let codebuild = TestCodeBuild::new().await;
    let spec = "version: 0.2\nphases:\n  build:\n    commands:\n      - echo a: b\n";
    let build = codebuild.build(inline(spec), json!({})).await;
    let phases = build["phases"].as_array().unwrap();
    let failed = phases.iter().find(|it| it["phaseType"] == "DOWNLOAD_SOURCE").unwrap();
    assert_eq!(failed["phaseStatus"], "FAILED");
    let context = &failed["contexts"][0];
    assert_eq!(context["statusCode"], "YAML_FILE_ERROR");
    let message = "Expected Commands[0] to be of string type: found subkeys instead at line 5, value of the key tag on line 4 \
                   might be empty";
    assert_eq!(context["message"], message);
    let log = codebuild.log(&build).await;
    assert!(log.contains(&format!("Phase context status code: YAML_FILE_ERROR Message: {message}")), "{log}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_failure_controls_following_phases() {
    let codebuild = TestCodeBuild::new().await;
    let source = inline("version: 0.2\nphases: {}\n");
    codebuild.call("CreateProject", TestCodeBuild::project(source)).await;
    for (on_failure, continues) in [("ABORT", false), ("CONTINUE", true)] {
        let spec = format!(
            "version: 0.2\nphases:\n  pre_build:\n    on-failure: {on_failure}\n    commands: [\"false\"]\n  build:\n    \
             commands: [\"echo continued: $CODEBUILD_BUILD_SUCCEEDING\"]\n"
        );
        let start = json!({ "projectName": "thumbs", "buildspecOverride": spec });
        let started = codebuild.call("StartBuild", start).await;
        let build = codebuild.finished(&started["build"]["id"]).await;
        assert_eq!(build["buildStatus"], "FAILED", "{on_failure}");
        assert_eq!(codebuild.log(&build).await.contains("\ncontinued: 0\n"), continues, "{on_failure}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn failed_build_is_retried_with_on_failure_retry() {
    let codebuild = TestCodeBuild::new().await;
    let spec = "version: 0.2\nphases:\n  build:\n    on-failure: RETRY-1\n    commands: [\"false\"]\n";
    let first = codebuild.build(inline(spec), json!({})).await;
    assert_eq!(first["buildStatus"], "FAILED");
    let listed = json!({ "projectName": "thumbs", "sortOrder": "ASCENDING" });
    let mut ids = Vec::new();
    while ids.len() < 2 {
        ids = codebuild.call("ListBuildsForProject", listed.clone()).await["ids"].as_array().unwrap().clone();
        tokio::task::yield_now().await;
    }
    let second = codebuild.finished(&ids[1]).await;
    assert_eq!(second["buildNumber"], 2);
    let retry = &second["autoRetryConfig"];
    assert_eq!((&retry["autoRetryNumber"], &retry["autoRetryLimit"]), (&json!(1), &json!(1)));
    assert_eq!(retry["previousAutoRetry"], first["arn"]);
    let first = codebuild.finished(&ids[0]).await;
    assert_eq!(first["autoRetryConfig"]["nextAutoRetry"], second["arn"]);

    // RetryBuild starts another build with the same settings.
    let retried = codebuild.call("RetryBuild", json!({ "id": ids[1] })).await["build"].take();
    assert_eq!(retried["source"], second["source"]);
    assert_ne!(retried["id"], second["id"]);
    assert_eq!(retried["buildStatus"], "IN_PROGRESS");
    let missing = codebuild.refusal("RetryBuild", json!({ "id": "thumbs:none" })).await;
    assert_eq!(missing, "ResourceNotFoundException: Build cannot be found: thumbs:none");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_builds_are_limited_by_project() {
    let codebuild = TestCodeBuild::new().await;
    // Each waits for the other's file, so they must run concurrently.
    let source = inline(
        "version: 0.2\nphases:\n  build:\n    commands:\n      - touch ../../here-$CODEBUILD_BUILD_NUMBER\n      - until [ -e \
         ../../here-1 ] && [ -e ../../here-2 ]; do sleep 0.02; done\n",
    );
    let mut project = TestCodeBuild::project(source);
    project["concurrentBuildLimit"] = json!(2);
    codebuild.call("CreateProject", project).await;
    let start = json!({ "projectName": "thumbs" });
    let first = codebuild.call("StartBuild", start.clone()).await;
    let blocking = json!({ "projectName": "thumbs", "buildspecOverride": "version: 0.2\nphases:\n  build:\n    commands:\n      \
        - touch ../../here-2; sleep 600\n" });
    let second = codebuild.call("StartBuild", blocking).await;
    let refused = codebuild.refusal("StartBuild", start).await;
    assert!(refused.starts_with("AccountLimitExceededException: "), "{refused}");
    assert_eq!(codebuild.finished(&first["build"]["id"]).await["buildStatus"], "SUCCEEDED");
    let stopped = codebuild.call("StopBuild", json!({ "id": second["build"]["id"] })).await;
    assert_eq!(stopped["build"]["buildStatus"], "STOPPED");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn queued_build_can_be_stopped() {
    // The queue takes days at this scale.
    let pace = Pace { latency: Latency::Aws, time_scale: 1e6, seed: 1 };
    let codebuild = TestCodeBuild::with(BuildTimeout::ByClock, Behaviour { pace, ..Behaviour::default() }).await;
    codebuild.call("CreateProject", TestCodeBuild::project(inline("version: 0.2\nphases: {}\n"))).await;
    let started = codebuild.call("StartBuild", json!({ "projectName": "thumbs" })).await;
    assert_eq!(started["build"]["currentPhase"], "QUEUED");
    let stopped = codebuild.call("StopBuild", json!({ "id": started["build"]["id"] })).await["build"].take();
    assert_eq!(stopped["buildStatus"], "STOPPED");
    let phases = stopped["phases"].as_array().unwrap();
    let last = phases.iter().rfind(|phase| phase["phaseStatus"] == "STOPPED").unwrap();
    assert_eq!(last["phaseType"], "QUEUED", "{stopped}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn shims_get_durations_with_aws_latency() {
    let spec = "version: 0.2\nphases:\n  build:\n    commands: [env]\n";
    for (latency, expected) in [(Latency::Instant, false), (Latency::Aws, true)] {
        let pace = Pace { latency, time_scale: 0.001, seed: 1 };
        let codebuild = TestCodeBuild::with(BuildTimeout::ByClock, Behaviour { pace, ..Behaviour::default() }).await;
        let build = codebuild.build(inline(spec), json!({})).await;
        let log = codebuild.log(&build).await;
        for name in [crate::shims::COMPILE_DURATION, crate::shims::PUSH_DURATION] {
            assert_eq!(log.contains(&format!("\n{name}=")), expected, "{latency:?}: {log}");
        }
    }
}

#[tokio::test]
async fn invalid_projects_are_refused() {
    let codebuild = TestCodeBuild::new().await;
    let good = TestCodeBuild::project(inline("version: 0.2\nphases: {}\n"));
    for (pointer, value, expected) in [
        ("/name", json!("-x"), "Invalid project name"),
        ("/source", json!({ "type": "NO_SOURCE" }), "buildspec has to be provided"),
        ("/source", json!({ "type": "CODECOMMIT", "location": "x" }), "not from CODECOMMIT"),
        ("/source", json!({ "type": "S3", "location": "bucket" }), "location must be a valid S3 source"),
        ("/artifacts", json!({ "type": "S3", "location": "b" }), "NO_ARTIFACTS only"),
        ("/environment/type", json!("WINDOWS_CONTAINER"), "builds on Linux only"),
        ("/environment/type", json!("TOASTER"), "Member must satisfy enum value set: [LINUX_CONTAINER, "),
        ("/environment/computeType", json!("BIG"), "Value 'BIG' at 'environment.computeType' failed"),
        ("/serviceRole", json!("builder"), "'builder' is not the ARN of a role"),
        ("/serviceRole", json!("arn:aws:iam::123456789012:role/x"), "account ID does not match caller's account"),
        ("/timeoutInMinutes", json!(4), "must be between 5 and 2160"),
        ("/description", json!("x".repeat(256)), "at most 255"),
    ] {
        let mut project = good.clone();
        match project.pointer_mut(pointer) {
            Some(slot) => *slot = value,
            None => project[&pointer[1..]] = value,
        }
        let refused = codebuild.refusal("CreateProject", project).await;
        assert!(refused.starts_with("InvalidInputException: ") && refused.contains(expected), "{pointer}: {refused}");
    }
    codebuild.call("CreateProject", good).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[cfg(target_os = "linux")]
async fn failed_command_on_full_disk_is_reported_in_its_phase() {
    let codebuild = TestCodeBuild::new().await;
    // Writing to /dev/full fails as on a full disk.
    for (command, reason) in [
        ("echo x >/dev/full", "no space left on device, exit status 1"),
        ("(ulimit -f 1; trap '' XFSZ; head -c 99999 /dev/zero >x)", "file size limit exceeded, exit status 1"),
        ("echo 'No space left on device'; false", "no space left on device, exit status 1"),
        ("false", "exit status 1"),
    ] {
        let spec = json!({ "version": 0.2, "phases": { "build": { "commands": [command] } } }).to_string();
        let build = codebuild.build(inline(&format!("{spec}\n")), json!({})).await;
        let phases = build["phases"].as_array().unwrap();
        let ended = phases.iter().find(|it| it["phaseType"] == "BUILD").unwrap();
        let message = ended["contexts"][0]["message"].as_str().unwrap();
        assert!(message.ends_with(&format!(". Reason: {reason}")), "{message}");
        codebuild.call("DeleteProject", json!({ "name": "thumbs" })).await;
    }
}
