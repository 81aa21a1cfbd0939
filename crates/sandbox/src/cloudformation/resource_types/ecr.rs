//! Image repositories.

use async_trait::async_trait;
use serde_json::{Value, json};

use super::call::Failure;
use super::shape::{self, created, document, text};
use super::{Created, HandlerContext, HandlerError, Provider};

const UNSUPPORTED: [&str; 1] = ["ImageTagMutabilityExclusionFilters"];

/// `AWS::ECR::Repository`.
pub(super) struct Repository;

/// The settings applied after the creation.
async fn configure(context: &HandlerContext<'_>, name: &str, before: &Value, after: &Value) -> Result<(), Failure> {
    for (property, member, put, delete) in [
        ("RepositoryPolicyText", "policyText", "SetRepositoryPolicy", "DeleteRepositoryPolicy"),
        ("LifecyclePolicy", "lifecyclePolicyText", "PutLifecyclePolicy", "DeleteLifecyclePolicy"),
    ] {
        let value = match property {
            "LifecyclePolicy" => &after[property]["LifecyclePolicyText"],
            _ => &after[property],
        };
        if before[property] == after[property] {
            continue;
        }
        if value.is_null() {
            context.call("ecr", delete, json!({ "repositoryName": name })).await?;
        } else {
            context.call("ecr", put, json!({ "repositoryName": name, member: document(value) })).await?;
        }
    }
    Ok(())
}

#[async_trait]
impl Provider for Repository {
    fn physical_id(&self, context: &HandlerContext<'_>, properties: &Value) -> String {
        text(&properties["RepositoryName"]).unwrap_or_else(|| shape::name(context, &Value::Null, 256).to_lowercase())
    }

    async fn exists(&self, context: &HandlerContext<'_>, physical_id: &str, _: &Value) -> bool {
        context.has("ecr", "DescribeRepositories", json!({ "repositoryNames": [physical_id] })).await
    }

    async fn create(&self, context: &HandlerContext<'_>, properties: &Value) -> Result<Created, HandlerError> {
        shape::reject_unsupported("AWS::ECR::Repository", properties, &UNSUPPORTED)?;
        let name = self.physical_id(context, properties);
        let mut input = json!({
            "repositoryName": name,
            "tags": shape::pairs(&shape::tags(context, &properties["Tags"]), "Key", "Value"),
            "imageScanningConfiguration": { "scanOnPush": shape::truth(&properties["ImageScanningConfiguration"]["ScanOnPush"]) },
        });
        for (property, member) in
            [("ImageTagMutability", "imageTagMutability"), ("EncryptionConfiguration", "encryptionConfiguration")]
        {
            if !properties[property].is_null() {
                input[member] = shape::lower_camel(&properties[property]);
            }
        }
        let answer = context.call("ecr", "CreateRepository", input).await?;
        let repository = &answer["repository"];
        let created = created(
            name.clone(),
            [("Arn", repository["repositoryArn"].clone()), ("RepositoryUri", repository["repositoryUri"].clone())],
        );
        let configured = configure(context, &name, &Value::Null, properties).await;
        self.finish_creation(context, created, properties, configured).await
    }

    async fn update(
        &self,
        context: &HandlerContext<'_>,
        created: &Created,
        before: &Value,
        after: &Value,
    ) -> Result<Created, HandlerError> {
        shape::reject_unsupported("AWS::ECR::Repository", after, &UNSUPPORTED)?;
        let name = &created.physical_id;
        configure(context, name, before, after).await?;
        if before["ImageTagMutability"] != after["ImageTagMutability"] {
            let value = text(&after["ImageTagMutability"]).unwrap_or_else(|| "MUTABLE".to_owned());
            let input = json!({ "repositoryName": name, "imageTagMutability": value });
            context.call("ecr", "PutImageTagMutability", input).await?;
        }
        let scan = shape::truth(&after["ImageScanningConfiguration"]["ScanOnPush"]);
        let input = json!({ "repositoryName": name, "imageScanningConfiguration": { "scanOnPush": scan } });
        if before["ImageScanningConfiguration"] != after["ImageScanningConfiguration"] {
            context.call("ecr", "PutImageScanningConfiguration", input).await?;
        }
        let arn = &created.attributes["Arn"];
        let removed = shape::removed_tag_keys(context, &before["Tags"], &after["Tags"]);
        if !removed.is_empty() {
            context.call("ecr", "UntagResource", json!({ "resourceArn": arn, "tagKeys": removed })).await?;
        }
        let tags = shape::pairs(&shape::tags(context, &after["Tags"]), "Key", "Value");
        context.call("ecr", "TagResource", json!({ "resourceArn": arn, "tags": tags })).await?;
        Ok(created.clone())
    }

    async fn delete(
        &self,
        context: &HandlerContext<'_>,
        created: &Created,
        properties: &Value,
    ) -> Result<(), HandlerError> {
        let force = shape::truth(&properties["EmptyOnDelete"]) == true;
        let input = json!({ "repositoryName": created.physical_id, "force": force });
        Ok(shape::unless_missing(context.call("ecr", "DeleteRepository", input).await)?)
    }
}
