//! Macros, which CloudFormation itself keeps.

use async_trait::async_trait;
use serde_json::{Value, json};

use super::shape::{self, made, text};
use super::{Created, HandlerContext, HandlerError, Provider};
use crate::latency::LatencySpan;

const UNHEEDED: [&str; 2] = ["LogGroupName", "LogRoleARN"];

/// `AWS::CloudFormation::Macro`.
pub(super) struct Macro;

async fn register(place: &HandlerContext<'_>, properties: &Value, anew: bool) -> Result<String, HandlerError> {
    shape::refuse_unheeded("AWS::CloudFormation::Macro", properties, &UNHEEDED)?;
    let name = text(&properties["Name"]).unwrap_or_default();
    let input = json!({
        "Name": name,
        "FunctionName": text(&properties["FunctionName"]),
        "Description": text(&properties["Description"]),
        "Replace": !anew,
    });
    place.call("cloudformation", "RegisterMacro", input).await?;
    Ok(name)
}

#[async_trait]
impl Provider for Macro {
    fn physical_id(&self, _: &HandlerContext<'_>, properties: &Value) -> String {
        text(&properties["Name"]).unwrap_or_default()
    }

    async fn exists(&self, place: &HandlerContext<'_>, physical_id: &str, _: &Value) -> bool {
        place.has("cloudformation", "DescribeMacro", json!({ "Name": physical_id })).await
    }

    async fn create(&self, place: &HandlerContext<'_>, properties: &Value) -> Result<Created, HandlerError> {
        let name = register(place, properties, true).await?;
        Ok(made(name.clone(), [("Id", name.into())]))
    }

    async fn stabilise(&self, place: &HandlerContext<'_>, _: &Created) -> Result<(), HandlerError> {
        place.services.latencies().wait(LatencySpan::StackOther).await;
        Ok(())
    }

    async fn update(
        &self,
        place: &HandlerContext<'_>,
        made: &Created,
        _: &Value,
        after: &Value,
    ) -> Result<Created, HandlerError> {
        register(place, after, false).await?;
        Ok(made.clone())
    }

    async fn delete(&self, place: &HandlerContext<'_>, made: &Created, _: &Value) -> Result<(), HandlerError> {
        let input = json!({ "Name": made.physical_id });
        Ok(shape::unless_missing(place.call("cloudformation", "DeregisterMacro", input).await)?)
    }
}
