//! Descriptions of deployed resources by the services: to compare strategies.

use std::collections::BTreeMap;

use aws_sdk_codebuild::types::{EnvironmentVariableType, LogsConfigStatusType};
use serde_json::{Value, json};
use thumbctl_core::event::EventKind;
use thumbctl_core::names::Names;
use thumbctl_core::resource::ResourceKind::{self, *};

use crate::{Clients, Program};

/// Each service's description of a resource, without names.
pub type Descriptions = BTreeMap<String, Value>;

/// Deploys by a strategy, and returns the names.
pub fn deploy(program: &Program, name: &str, strategy: &str) -> Names {
    let command = ["deploy", "--name", name, "--strategy", strategy, "--output", "json"];
    let events = program.run(command).ok().events();
    let EventKind::RunStarted(started) = &events[0].kind else { panic!("a run starts with its start event") };
    started.names.clone()
}

/// All properties of the resources, as the services return them. The AWS SDK's types
/// are compared by their `Debug` output, which includes every property.
pub async fn described(clients: &Clients, names: &Names) -> Descriptions {
    let mut all = Descriptions::new();
    let mut put = |kind: ResourceKind, what: &str, answer: String| {
        all.insert(format!("{kind}: {what}"), json!(normalize(&answer, names)));
    };
    for kind in [SourceBucket, DestinationBucket, BuildSourceBucket] {
        let (s3, bucket) = (&clients.s3, names.of(kind));
        put(
            kind,
            "tags",
            tags(format!("{:?}", s3.get_bucket_tagging().bucket(&bucket).send().await.expect("tags").tag_set())),
        );
        put(kind, "encryption", format!("{:?}", s3.get_bucket_encryption().bucket(&bucket).send().await));
        put(kind, "public access", format!("{:?}", s3.get_public_access_block().bucket(&bucket).send().await));
        put(kind, "versioning", format!("{:?}", s3.get_bucket_versioning().bucket(&bucket).send().await));
        put(kind, "ownership", outcome(s3.get_bucket_ownership_controls().bucket(&bucket).send().await));
        put(kind, "lifecycle", outcome(s3.get_bucket_lifecycle_configuration().bucket(&bucket).send().await));
        put(kind, "policy", outcome(s3.get_bucket_policy().bucket(&bucket).send().await));
        let notification = s3.get_bucket_notification_configuration().bucket(&bucket).send().await.expect("an answer");
        let rules = notification.lambda_function_configurations().iter();
        let rules: Vec<_> = rules.map(|rule| (rule.lambda_function_arn(), rule.events(), rule.filter())).collect();
        put(kind, "notification", format!("{rules:?}"));
    }
    let repositories = clients.ecr.describe_repositories().repository_names(names.of(Repository)).send().await;
    let mut repository = repositories.expect("a repository").repositories()[0].clone();
    repository.created_at = None;
    put(Repository, "itself", format!("{repository:?}"));
    let arn = repository.repository_arn().expect("an ARN");
    let answer = clients.ecr.list_tags_for_resource().resource_arn(arn).send().await.expect("tags");
    put(Repository, "tags", tags(format!("{:?}", answer.tags())));
    let policy = clients.ecr.get_repository_policy().repository_name(names.of(Repository)).send().await;
    put(Repository, "policy", outcome(policy));
    let lifecycle = clients.ecr.get_lifecycle_policy().repository_name(names.of(Repository)).send().await;
    put(Repository, "lifecycle", outcome(lifecycle));
    for kind in [BuildRole, FunctionRole] {
        let (iam, name) = (&clients.iam, names.of(kind));
        let role = iam.get_role().role_name(&name).send().await.expect("a role").role.expect("a role");
        put(kind, "itself", format!("{:?}", (role.path(), role.description(), role.max_session_duration())));
        put(kind, "trust", document(role.assume_role_policy_document().expect("a document")));
        put(kind, "boundary", format!("{:?}", role.permissions_boundary()));
        put(kind, "tags", tags(format!("{:?}", role.tags())));
        let attached = iam.list_attached_role_policies().role_name(&name).send().await.expect("policies");
        put(kind, "attached", format!("{:?}", attached.attached_policies()));
        let inline = iam.list_role_policies().role_name(&name).send().await.expect("policies");
        put(kind, "inline", format!("{:?}", inline.policy_names()));
    }
    for kind in [BuildPolicy, FunctionPolicy] {
        let (iam, arn) = (&clients.iam, format!("arn:aws:iam::000000000000:policy/{}", names.of(kind)));
        let policy = iam.get_policy().policy_arn(&arn).send().await.expect("a policy").policy.expect("a policy");
        put(kind, "itself", format!("{:?}", (policy.path(), policy.description(), policy.attachment_count())));
        put(kind, "tags", tags(format!("{:?}", policy.tags())));
        let version = policy.default_version_id().expect("a version");
        let version = iam.get_policy_version().policy_arn(&arn).version_id(version).send().await.expect("a version");
        put(kind, "document", document(version.policy_version().and_then(|one| one.document()).expect("a document")));
    }
    let project = clients.codebuild.batch_get_projects().names(names.of(BuildProject)).send().await;
    let mut project = project.expect("a project").projects()[0].clone();
    put(BuildProject, "tags", tags(format!("{:?}", project.tags())));
    project.tags = None;
    (project.created, project.last_modified) = (None, None);
    // For CodeBuild, a missing value and the default are the same.
    if let Some(artifacts) = &mut project.artifacts {
        artifacts.override_artifact_name = artifacts.override_artifact_name.filter(|overrides| *overrides);
    }
    if let Some(logs) = &mut project.logs_config {
        logs.s3_logs = logs.s3_logs.take().filter(|logs| *logs.status() != LogsConfigStatusType::Disabled);
    }
    if let Some(source) = &mut project.source {
        source.buildspec = source.buildspec.take().filter(|text| !text.is_empty());
        source.git_clone_depth = source.git_clone_depth.filter(|depth| *depth != 0);
        source.insecure_ssl = source.insecure_ssl.filter(|insecure| *insecure);
    }
    if let Some(environment) = &mut project.environment
        && let Some(variables) = &mut environment.environment_variables
    {
        variables.sort_by(|a, b| a.name().cmp(b.name()));
        for variable in variables {
            variable.r#type = variable.r#type.take().filter(|kind| *kind != EnvironmentVariableType::Plaintext);
        }
    }
    put(BuildProject, "itself", format!("{project:?}"));
    let function = clients.lambda.get_function().function_name(names.of(Function)).send().await.expect("a function");
    put(Function, "code", format!("{:?}", function.code().and_then(|code| code.repository_type())));
    put(Function, "concurrency", format!("{:?}", function.concurrency()));
    let answer = function.tags().map(|tags| tags.iter().collect::<BTreeMap<_, _>>()).unwrap_or_default();
    let answer: Vec<String> = answer.iter().map(|(key, value)| format!("Tag {{ {key}: {value} }}")).collect();
    put(Function, "tags", tags(format!("[{}]", answer.join(", "))));
    let mut configuration = function.configuration().expect("a configuration").clone();
    (configuration.last_modified, configuration.revision_id, configuration.code_sha256) = (None, None, None);
    let variables = configuration.environment.take().and_then(|environment| environment.variables).unwrap_or_default();
    put(Function, "variables", format!("{:?}", variables.into_iter().collect::<BTreeMap<_, _>>()));
    put(Function, "configuration", format!("{configuration:?}"));
    let policy = clients.lambda.get_policy().function_name(names.of(Function)).send().await.expect("a policy");
    let mut policy: Value = serde_json::from_str(policy.policy().expect("a policy")).expect("it is JSON");
    for statement in policy["Statement"].as_array_mut().expect("statements") {
        // Its id is the permission's name: CloudFormation generates its own.
        statement["Sid"] = json!("");
    }
    put(InvokePermission, "policy", policy.to_string());
    for kind in [BuildLogGroup, FunctionLogGroup] {
        let groups = clients.logs.describe_log_groups().log_group_name_prefix(names.of(kind)).send().await;
        let group = groups.expect("log groups").log_groups()[0].clone();
        put(kind, "itself", format!("{:?}", (group.retention_in_days(), group.kms_key_id(), group.log_group_class())));
        let arn = group.arn().expect("an ARN").trim_end_matches(":*").to_owned();
        let answer = clients.logs.list_tags_for_resource().resource_arn(arn).send().await.expect("tags");
        let answer = answer.tags().map(|tags| tags.iter().collect::<BTreeMap<_, _>>()).unwrap_or_default();
        let answer: Vec<String> = answer.iter().map(|(key, value)| format!("Tag {{ {key}: {value} }}")).collect();
        put(kind, "tags", tags(format!("[{}]", answer.join(", "))));
    }
    all
}

/// A response or its error.
fn outcome<T: std::fmt::Debug, E: aws_smithy_types::error::metadata::ProvideErrorMetadata>(
    answer: Result<T, aws_sdk_s3::error::SdkError<E>>,
) -> String {
    match answer {
        Ok(answer) => format!("{answer:?}"),
        Err(error) => format!("{:?}", error.as_service_error().and_then(|error| error.code())),
    }
}

/// Tags by their `Debug` output, without the two that may differ.
fn tags(debug: String) -> String {
    let inside = debug.trim_start_matches('[').trim_end_matches(']');
    let mut tags: Vec<&str> = inside.split("}, ").map(|tag| tag.trim_end_matches([' ', '}'])).collect();
    tags.retain(|tag| !tag.contains("thumbctl:strategy") && !tag.contains("aws:"));
    tags.sort_unstable();
    tags.join("; ")
}

/// An IAM document, decoded, in one form.
fn document(encoded: &str) -> String {
    let text = percent_decode(encoded);
    sorted(serde_json::from_str(&text).expect("it is JSON")).to_string()
}

/// The same JSON with sorted fields: their order has no meaning.
fn sorted(value: Value) -> Value {
    match value {
        Value::Object(fields) => {
            let fields: BTreeMap<String, Value> =
                fields.into_iter().map(|(name, field)| (name, sorted(field))).collect();
            fields.into_iter().collect::<serde_json::Map<_, _>>().into()
        }
        Value::Array(items) => items.into_iter().map(sorted).collect(),
        other => other,
    }
}

fn percent_decode(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let [first, more @ ..] = rest {
        if *first == b'%' && more.len() >= 2 {
            let hex = std::str::from_utf8(&more[..2]).expect("two digits");
            bytes.push(u8::from_str_radix(hex, 16).expect("two digits"));
            rest = &more[2..];
        } else {
            bytes.push(*first);
            rest = more;
        }
    }
    String::from_utf8(bytes).expect("text")
}

/// Without names and request ids.
fn normalize(answer: &str, names: &Names) -> String {
    let answer = answer.replace(&names.stem(), "STEM").replace(names.deployment().as_str(), "NAME");
    let (mut text, mut rest) = (String::new(), answer.as_str());
    while let Some((before, after)) = rest.split_once("_request_id: Some(\"") {
        text.push_str(before);
        rest = after.split_once('"').map_or("", |(_, after)| after);
    }
    // For S3, a missing value and `false` are the same.
    (text + rest).replace("bucket_key_enabled: Some(false)", "bucket_key_enabled: None")
}
