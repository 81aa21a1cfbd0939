//! Log groups.

use async_trait::async_trait;
use serde_json::{Value, json};

use super::call::Failure;
use super::shape::{self, made, text};
use super::{Created, HandlerContext, HandlerError, Provider};
use crate::latency::LatencySpan;

const UNHEEDED: [&str; 6] = [
    "BearerTokenAuthenticationEnabled",
    "DataProtectionPolicy",
    "DeletionProtectionEnabled",
    "FieldIndexPolicies",
    "KmsKeyId",
    "ResourcePolicyDocument",
];

/// `AWS::Logs::LogGroup`.
pub(super) struct LogGroup;

async fn retain(place: &HandlerContext<'_>, name: &str, days: &Value) -> Result<(), Failure> {
    let (operation, input) = if days.is_null() {
        ("DeleteRetentionPolicy", json!({ "logGroupName": name }))
    } else {
        ("PutRetentionPolicy", json!({ "logGroupName": name, "retentionInDays": shape::number(days) }))
    };
    place.call("logs", operation, input).await.map(|_| ())
}

#[async_trait]
impl Provider for LogGroup {
    fn physical_id(&self, place: &HandlerContext<'_>, properties: &Value) -> String {
        shape::name(place, &properties["LogGroupName"], 512)
    }

    async fn exists(&self, place: &HandlerContext<'_>, physical_id: &str, _: &Value) -> bool {
        // The shortest name comes first, and no other is as short as the prefix.
        let found = place.look("logs", "DescribeLogGroups", json!({ "logGroupNamePrefix": physical_id, "limit": 1 }));
        found.await.is_some_and(|found| found["logGroups"][0]["logGroupName"] == physical_id)
    }

    async fn create(&self, place: &HandlerContext<'_>, properties: &Value) -> Result<Created, HandlerError> {
        shape::refuse_unheeded("AWS::Logs::LogGroup", properties, &UNHEEDED)?;
        let name = self.physical_id(place, properties);
        let mut input = json!({ "logGroupName": name, "tags": shape::tags(place, &properties["Tags"]) });
        if let Some(class) = text(&properties["LogGroupClass"]) {
            input["logGroupClass"] = class.into();
        }
        place.call("logs", "CreateLogGroup", input).await?;
        if !properties["RetentionInDays"].is_null()
            && let Err(failure) = retain(place, &name, &properties["RetentionInDays"]).await
        {
            // What cannot be taken back now is when the stack is rolled back.
            let _ = place.call("logs", "DeleteLogGroup", json!({ "logGroupName": name })).await;
            return Err(failure.into());
        }
        let arn = format!("arn:aws:logs:{}:{}:log-group:{name}:*", place.region, place.services.account());
        Ok(made(name, [("Arn", arn.into())]))
    }

    async fn stabilise(&self, place: &HandlerContext<'_>, _: &Created) -> Result<(), HandlerError> {
        place.services.latencies().wait(LatencySpan::StackOther).await;
        Ok(())
    }

    async fn update(
        &self,
        place: &HandlerContext<'_>,
        made: &Created,
        before: &Value,
        after: &Value,
    ) -> Result<Created, HandlerError> {
        shape::refuse_unheeded("AWS::Logs::LogGroup", after, &UNHEEDED)?;
        let name = &made.physical_id;
        if before["RetentionInDays"] != after["RetentionInDays"] {
            retain(place, name, &after["RetentionInDays"]).await?;
        }
        let gone = shape::gone(place, &before["Tags"], &after["Tags"]);
        if !gone.is_empty() {
            place.call("logs", "UntagLogGroup", json!({ "logGroupName": name, "tags": gone })).await?;
        }
        let tags = shape::tags(place, &after["Tags"]);
        place.call("logs", "TagLogGroup", json!({ "logGroupName": name, "tags": tags })).await?;
        Ok(made.clone())
    }

    async fn delete(&self, place: &HandlerContext<'_>, made: &Created, _: &Value) -> Result<(), HandlerError> {
        let input = json!({ "logGroupName": made.physical_id });
        Ok(shape::unless_missing(place.call("logs", "DeleteLogGroup", input).await)?)
    }
}
