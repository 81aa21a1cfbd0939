//! Macros, which CloudFormation stores itself.

use async_trait::async_trait;
use serde_json::{Value, json};

use super::shape::{self, created, text};
use super::{Created, HandlerContext, HandlerError, Provider};

const UNSUPPORTED: [&str; 2] = ["LogGroupName", "LogRoleARN"];

/// `AWS::CloudFormation::Macro`.
pub(super) struct Macro;

async fn register(context: &HandlerContext<'_>, properties: &Value, creates: bool) -> Result<String, HandlerError> {
    shape::reject_unsupported("AWS::CloudFormation::Macro", properties, &UNSUPPORTED)?;
    let name = text(&properties["Name"]).unwrap_or_default();
    let input = json!({
        "Name": name,
        "FunctionName": text(&properties["FunctionName"]),
        "Description": text(&properties["Description"]),
        "Replace": !creates,
    });
    context.call("cloudformation", "RegisterMacro", input).await?;
    Ok(name)
}

#[async_trait]
impl Provider for Macro {
    fn physical_id(&self, _: &HandlerContext<'_>, properties: &Value) -> String {
        text(&properties["Name"]).unwrap_or_default()
    }

    async fn exists(&self, context: &HandlerContext<'_>, physical_id: &str, _: &Value) -> bool {
        context.has("cloudformation", "DescribeMacro", json!({ "Name": physical_id })).await
    }

    async fn create(&self, context: &HandlerContext<'_>, properties: &Value) -> Result<Created, HandlerError> {
        let name = register(context, properties, true).await?;
        Ok(created(name.clone(), [("Id", name.into())]))
    }

    async fn update(
        &self,
        context: &HandlerContext<'_>,
        created: &Created,
        _: &Value,
        after: &Value,
    ) -> Result<Created, HandlerError> {
        register(context, after, false).await?;
        Ok(created.clone())
    }

    async fn delete(&self, context: &HandlerContext<'_>, created: &Created, _: &Value) -> Result<(), HandlerError> {
        let input = json!({ "Name": created.physical_id });
        Ok(shape::unless_missing(context.call("cloudformation", "DeregisterMacro", input).await)?)
    }
}
