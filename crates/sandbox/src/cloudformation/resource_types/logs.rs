//! Log groups.

use async_trait::async_trait;
use serde_json::{Value, json};

use super::call::Failure;
use super::shape::{self, created, text};
use super::{Created, HandlerContext, HandlerError, Provider};

const UNSUPPORTED: [&str; 6] = [
    "BearerTokenAuthenticationEnabled",
    "DataProtectionPolicy",
    "DeletionProtectionEnabled",
    "FieldIndexPolicies",
    "KmsKeyId",
    "ResourcePolicyDocument",
];

/// `AWS::Logs::LogGroup`.
pub(super) struct LogGroup;

async fn retain(context: &HandlerContext<'_>, name: &str, days: &Value) -> Result<(), Failure> {
    let (operation, input) = if days.is_null() {
        ("DeleteRetentionPolicy", json!({ "logGroupName": name }))
    } else {
        ("PutRetentionPolicy", json!({ "logGroupName": name, "retentionInDays": shape::number(days) }))
    };
    context.call("logs", operation, input).await.map(|_| ())
}

#[async_trait]
impl Provider for LogGroup {
    fn physical_id(&self, context: &HandlerContext<'_>, properties: &Value) -> String {
        shape::name(context, &properties["LogGroupName"], 512)
    }

    async fn exists(&self, context: &HandlerContext<'_>, physical_id: &str, _: &Value) -> bool {
        // The exact name is the shortest with this prefix, and comes first.
        let found = context.look("logs", "DescribeLogGroups", json!({ "logGroupNamePrefix": physical_id, "limit": 1 }));
        found.await.is_some_and(|found| found["logGroups"][0]["logGroupName"] == physical_id)
    }

    async fn create(&self, context: &HandlerContext<'_>, properties: &Value) -> Result<Created, HandlerError> {
        shape::reject_unsupported("AWS::Logs::LogGroup", properties, &UNSUPPORTED)?;
        let name = self.physical_id(context, properties);
        let mut input = json!({ "logGroupName": name, "tags": shape::tags(context, &properties["Tags"]) });
        if let Some(class) = text(&properties["LogGroupClass"]) {
            input["logGroupClass"] = class.into();
        }
        context.call("logs", "CreateLogGroup", input).await?;
        let arn = format!("arn:aws:logs:{}:{}:log-group:{name}:*", context.region, context.services.account());
        let created = created(name.clone(), [("Arn", arn.into())]);
        let configured = match &properties["RetentionInDays"] {
            Value::Null => Ok(()),
            days => retain(context, &name, days).await,
        };
        self.finish_creation(context, created, properties, configured).await
    }

    async fn update(
        &self,
        context: &HandlerContext<'_>,
        created: &Created,
        before: &Value,
        after: &Value,
    ) -> Result<Created, HandlerError> {
        shape::reject_unsupported("AWS::Logs::LogGroup", after, &UNSUPPORTED)?;
        let name = &created.physical_id;
        if before["RetentionInDays"] != after["RetentionInDays"] {
            retain(context, name, &after["RetentionInDays"]).await?;
        }
        let removed = shape::removed_tag_keys(context, &before["Tags"], &after["Tags"]);
        if !removed.is_empty() {
            context.call("logs", "UntagLogGroup", json!({ "logGroupName": name, "tags": removed })).await?;
        }
        let tags = shape::tags(context, &after["Tags"]);
        context.call("logs", "TagLogGroup", json!({ "logGroupName": name, "tags": tags })).await?;
        Ok(created.clone())
    }

    async fn delete(&self, context: &HandlerContext<'_>, created: &Created, _: &Value) -> Result<(), HandlerError> {
        let input = json!({ "logGroupName": created.physical_id });
        Ok(shape::unless_missing(context.call("logs", "DeleteLogGroup", input).await)?)
    }
}
