//! Build projects.

use async_trait::async_trait;
use serde_json::{Value, json};

use super::call::Failure;
use super::shape::{self, created, text};
use super::{Created, HandlerContext, HandlerError, Provider};
use crate::latency::LatencySpan;

const UNSUPPORTED: [&str; 7] = [
    "BadgeEnabled",
    "BuildBatchConfig",
    "FileSystemLocations",
    "ResourceAccessRole",
    "Triggers",
    "Visibility",
    "VpcConfig",
];

/// The properties with the same name in CodeBuild and CloudFormation.
const ALIKE: [&str; 13] = [
    "Artifacts",
    "AutoRetryLimit",
    "Cache",
    "ConcurrentBuildLimit",
    "Description",
    "EncryptionKey",
    "LogsConfig",
    "QueuedTimeoutInMinutes",
    "SecondaryArtifacts",
    "SecondarySourceVersions",
    "SecondarySources",
    "ServiceRole",
    "SourceVersion",
];

const NUMBERS: [&str; 6] =
    ["autoRetryLimit", "concurrentBuildLimit", "queuedTimeoutInMinutes", "timeoutInMinutes", "gitCloneDepth", "size"];
const TRUTHS: [&str; 7] = [
    "privilegedMode",
    "insecureSsl",
    "reportBuildStatus",
    "encryptionDisabled",
    "overrideArtifactName",
    "fetchSubmodules",
    "namespaceType",
];

/// `AWS::CodeBuild::Project`.
pub(super) struct Project;

/// Converts numbers and booleans, which parameters pass as strings.
fn convert_types(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(convert_types),
        Value::Object(members) => {
            for (name, value) in members {
                if NUMBERS.contains(&name.as_str()) {
                    *value = shape::number(value);
                } else if TRUTHS.contains(&name.as_str()) {
                    *value = shape::truth(value);
                } else if name == "value" {
                    *value = text(value).map_or(Value::Null, Value::String);
                } else {
                    convert_types(value);
                }
            }
        }
        _ => {}
    }
}

fn input(context: &HandlerContext<'_>, name: &str, properties: &Value) -> Value {
    let alike = Value::Object(shape::take(properties, &ALIKE));
    let mut input = shape::lower_camel(&alike);
    for (property, member) in
        [("Environment", "environment"), ("Source", "source"), ("TimeoutInMinutes", "timeoutInMinutes")]
    {
        if !properties[property].is_null() {
            input[member] = shape::lower_camel(&properties[property]);
        }
    }
    // The only member with another name in CodeBuild.
    if let Some(spec) = input["source"].as_object_mut().and_then(|source| source.remove("buildSpec")) {
        input["source"]["buildspec"] = spec;
    }
    // A role may be a name instead of an ARN.
    if let Some(role) = input["serviceRole"].as_str().filter(|role| !role.starts_with("arn:")) {
        input["serviceRole"] = format!("arn:aws:iam::{}:role/{role}", context.services.account()).into();
    }
    convert_types(&mut input);
    input["name"] = name.into();
    input["tags"] = shape::pairs(&shape::tags(context, &properties["Tags"]), "key", "value");
    input
}

/// The defaults of properties that an update removes.
const DEFAULTS: [(&str, &str); 3] =
    [("description", "\"\""), ("timeoutInMinutes", "60"), ("queuedTimeoutInMinutes", "480")];

#[async_trait]
impl Provider for Project {
    fn physical_id(&self, context: &HandlerContext<'_>, properties: &Value) -> String {
        shape::name(context, &properties["Name"], 150)
    }

    async fn exists(&self, context: &HandlerContext<'_>, physical_id: &str, _: &Value) -> bool {
        let found = context.look("codebuild", "BatchGetProjects", json!({ "names": [physical_id] })).await;
        found.is_some_and(|found| found["projects"][0].is_object())
    }

    async fn create(&self, context: &HandlerContext<'_>, properties: &Value) -> Result<Created, HandlerError> {
        shape::reject_unsupported("AWS::CodeBuild::Project", properties, &UNSUPPORTED)?;
        let name = self.physical_id(context, properties);
        let input = input(context, &name, properties);
        let answer: Result<Value, Failure> = context.call_with_role("codebuild", "CreateProject", input).await;
        let arn = answer?["project"]["arn"].clone();
        Ok(created(name.clone(), [("Arn", arn), ("Id", name.into())]))
    }

    fn stabilisation(&self) -> LatencySpan {
        LatencySpan::StackProject
    }

    async fn update(
        &self,
        context: &HandlerContext<'_>,
        created: &Created,
        _: &Value,
        after: &Value,
    ) -> Result<Created, HandlerError> {
        shape::reject_unsupported("AWS::CodeBuild::Project", after, &UNSUPPORTED)?;
        let mut input = input(context, &created.physical_id, after);
        for (member, value) in DEFAULTS {
            if input[member].is_null() {
                input[member] = serde_json::from_str(value).unwrap_or_default();
            }
        }
        context.call_with_role("codebuild", "UpdateProject", input).await?;
        Ok(created.clone())
    }

    async fn delete(&self, context: &HandlerContext<'_>, created: &Created, _: &Value) -> Result<(), HandlerError> {
        let input = json!({ "name": created.physical_id });
        Ok(shape::unless_missing(context.call("codebuild", "DeleteProject", input).await)?)
    }
}
