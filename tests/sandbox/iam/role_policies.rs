//! The need for each action in the policies of both roles.

use std::collections::BTreeSet;

use aws_sdk_codebuild::types::{EnvironmentVariable, StatusType};
use aws_sdk_lambda::primitives::Blob;
use serde_json::{Value, json};
use thumbctl_core::resource::ResourceKind;
use thumbctl_deploy::aws::policy::Document;

use thumbctl_test_support::policies::{actions, assert_accounted_for, only, refused, unexercised};
use thumbctl_test_support::{Clients, Program, until};

/// A deployment with replaceable role policies.
struct Deployed {
    clients: Clients,
    status: Value,
}

impl Deployed {
    fn resource(&self, kind: ResourceKind) -> &Value {
        let resources = self.status["resources"].as_array().expect("a list");
        resources.iter().find(|resource| resource["resource"] == kind.as_str()).expect("a resource")
    }

    fn name(&self, kind: ResourceKind) -> &str {
        self.resource(kind)["name"].as_str().expect("a name")
    }

    /// The deployed version of a policy.
    async fn policy(&self, kind: ResourceKind) -> Value {
        let arn = self.resource(kind)["arn"].as_str().expect("an ARN");
        let version = self.clients.iam.get_policy_version().policy_arn(arn).version_id("v1").send().await;
        let document = version.expect("a version").policy_version.expect("a version").document.expect("a document");
        let text = percent_encoding::percent_decode_str(&document).decode_utf8().expect("text").into_owned();
        serde_json::from_str(&text).expect("JSON")
    }

    /// Replaces a policy.
    async fn set_policy(&self, kind: ResourceKind, policy: &Value) {
        let arn = self.resource(kind)["arn"].as_str().expect("an ARN");
        let iam = &self.clients.iam;
        let versions = iam.list_policy_versions().policy_arn(arn).send().await.expect("versions");
        let old = versions.versions().iter().filter(|one| !one.is_default_version() && one.version_id() != Some("v1"));
        for version in old.filter_map(|one| one.version_id()) {
            iam.delete_policy_version().policy_arn(arn).version_id(version).send().await.expect("deleted");
        }
        let create = iam.create_policy_version().policy_arn(arn).policy_document(policy.to_string());
        create.set_as_default(true).send().await.expect("a version");
    }

    /// The messages of all events of a log group.
    async fn log(&self, kind: ResourceKind) -> String {
        let events = self.clients.logs.filter_log_events().log_group_name(self.name(kind)).send().await;
        events.expect("events").events().iter().filter_map(|event| event.message()).collect()
    }
}

async fn deploy(program: &Program) -> Deployed {
    let sandbox = program.join().await;
    program.run(["deploy"]).ok();
    let status = program.run(["status", "--output", "json"]).ok().json();
    Deployed { clients: sandbox.clients.clone(), status }
}

/// Runs a build into a new repository, and returns whether it succeeded, its messages with its log, and its log.
async fn build(deployed: &Deployed, number: usize) -> (bool, String, String) {
    let repository = format!("{}-{number}", deployed.name(ResourceKind::Repository));
    deployed.clients.ecr.create_repository().repository_name(&repository).send().await.expect("a repository");
    let codebuild = &deployed.clients.codebuild;
    let variable =
        EnvironmentVariable::builder().name("IMAGE_REPO_NAME").value(repository).build().expect("a complete request");
    let start = codebuild.start_build().project_name(deployed.name(ResourceKind::BuildProject));
    let started = start.environment_variables_override(variable).send().await.expect("a build");
    let id = started.build_value().and_then(|build| build.id()).expect("an id").to_owned();
    let build = until("the build's end", async || {
        let builds = codebuild.batch_get_builds().ids(&id).send().await.expect("builds");
        builds.builds().first().filter(|build| build.build_complete()).cloned()
    })
    .await;
    let contexts = build.phases().iter().flat_map(|phase| phase.contexts());
    let mut output: String = contexts.filter_map(|context| context.message()).collect();
    let stream = id.rsplit(':').next().expect("an id");
    let events = deployed.clients.logs.get_log_events().log_group_name(deployed.name(ResourceKind::BuildLogGroup));
    let events = events.log_stream_name(stream).start_from_head(true).send().await;
    let log: String =
        events.map(|events| events.events().iter().filter_map(|event| event.message()).collect()).unwrap_or_default();
    output.push_str(&log);
    (build.build_status() == Some(&StatusType::Succeeded), output, log)
}

#[tokio::test]
async fn build_policy_actions_are_needed_or_documented() {
    let program = Program::new();
    let session = program.join().await;
    let deployed = deploy(&program).await;
    let policy = deployed.policy(ResourceKind::BuildPolicy).await;
    let mut available = policy.clone();
    // Each build pushes to a new repository, because existing layers are not pushed again.
    for statement in available["Statement"].as_array_mut().expect("statements") {
        if statement["Sid"] == "PushImage" {
            let repository = format!("{}*", statement["Resource"].as_str().expect("an ARN"));
            statement["Resource"] = json!(repository);
        }
    }
    let all = actions(&policy);
    let mut granted = BTreeSet::new();
    for number in 0.. {
        assert!(number <= all.len(), "each build requires another action: {granted:?}");
        deployed.set_policy(ResourceKind::BuildPolicy, &only(&available, &granted)).await;
        let (succeeded, output, log) = build(&deployed, number).await;
        let mut new: BTreeSet<String> = refused(&output).difference(&granted).cloned().collect();
        if log.is_empty() && granted.contains("logs:CreateLogStream") {
            // The stream exists and is empty.
            new.insert("logs:PutLogEvents".to_owned());
        }
        if new.is_empty() {
            assert!(succeeded, "{output}");
            break;
        }
        assert!(new.is_subset(&all) && new.is_disjoint(&granted), "{new:?} is missing in build-policy.json: {output}");
        granted.append(&mut new);
    }
    assert_accounted_for(Document::BuildPolicy, &policy, &granted);
    drop(session);
}

#[tokio::test]
async fn function_policy_actions_are_needed_or_documented() {
    let program = Program::new();
    let session = program.join().await;
    let deployed = deploy(&program).await;
    let policy = deployed.policy(ResourceKind::FunctionPolicy).await;
    let (clients, bucket) = (&deployed.clients, deployed.name(ResourceKind::SourceBucket));
    // Only the test invokes the function.
    let no_notifications = aws_sdk_s3::types::NotificationConfiguration::builder().build();
    let put =
        clients.s3.put_bucket_notification_configuration().bucket(bucket).notification_configuration(no_notifications);
    put.send().await.expect("no notification");
    let (key, content) = thumbctl_deploy::assets::sample_images()[0];
    clients.s3.put_object().bucket(bucket).key(key).body(content.to_vec().into()).send().await.expect("an object");
    let event = json!({ "Records": [{
        "eventSource": "aws:s3", "eventName": "ObjectCreated:Put", "eventVersion": "2.1", "awsRegion": "us-east-1",
        "eventTime": "2026-01-01T00:00:00.000Z",
        "s3": { "bucket": { "name": bucket }, "object": { "key": key, "size": content.len(), "sequencer": "1" } },
    }] });
    let invoke = async || {
        let call = clients.lambda.invoke().function_name(deployed.name(ResourceKind::Function));
        let response = call.payload(Blob::new(event.to_string())).send().await.expect("a response");
        let payload = response.payload().map(|payload| String::from_utf8_lossy(payload.as_ref()).into_owned());
        (response.function_error().is_none(), payload.unwrap_or_default())
    };
    let all = actions(&policy);
    let mut needed = BTreeSet::new();
    for action in &all {
        let mut granted = all.clone();
        granted.remove(action);
        let before = deployed.log(ResourceKind::FunctionLogGroup).await;
        // The update starts a new execution environment, with a new log stream.
        let update =
            clients.lambda.update_function_configuration().function_name(deployed.name(ResourceKind::Function));
        until("an update", async || update.clone().description(action).send().await.ok()).await;
        until("the update's end", async || {
            let get = clients.lambda.get_function_configuration().function_name(deployed.name(ResourceKind::Function));
            let state = get.send().await.expect("a function");
            (state.last_update_status()?.as_str() == "Successful").then_some(())
        })
        .await;
        deployed.set_policy(ResourceKind::FunctionPolicy, &only(&policy, &granted)).await;
        let (succeeded, payload) = invoke().await;
        if action.starts_with("logs:") {
            assert!(succeeded, "without {action}: {payload}");
            assert_eq!(deployed.log(ResourceKind::FunctionLogGroup).await, before, "log is unchanged without {action}");
            needed.insert(action.clone());
        } else {
            assert!(!succeeded, "without {action}: {payload}");
            assert!(refused(&payload).contains(action), "without {action}: {payload}");
            needed.extend(refused(&payload));
        }
    }
    deployed.set_policy(ResourceKind::FunctionPolicy, &policy).await;
    let (succeeded, payload) = invoke().await;
    assert!(succeeded, "{payload}");
    assert!(deployed.log(ResourceKind::FunctionLogGroup).await.contains("END RequestId"));
    assert_accounted_for(Document::FunctionPolicy, &policy, &needed);
    drop(session);
}

#[test]
fn unexercised_actions_have_documented_reason() {
    for document in [Document::BuildPolicy, Document::FunctionPolicy] {
        for (action, reason) in unexercised(document) {
            let page = reason["page"].as_str().unwrap_or_default();
            assert!(page.starts_with("https://docs.aws.amazon.com/"), "{action} has no page");
            assert!(reason["needed_by"].is_string(), "{action} has no reason");
        }
    }
    for (action, reason) in unexercised(Document::UserPolicy) {
        assert!(reason["needed_by"].is_string(), "{action} has no reason");
    }
}
