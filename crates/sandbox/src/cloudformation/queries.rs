//! The operations that read stacks and templates.

use std::collections::BTreeSet;

use awsim_core::AwsError;
use serde_json::{Value, json};

use super::descriptions;
use super::request::{invalid, list, needed, reject_unsupported, template_body, template_error, text};
use super::service::CloudFormation;
use super::template::Template;
use crate::operation::{ApiCall, ApiResult};
use crate::sync::lock;

/// The statuses of a stack, from the documentation of ListStacks.
const STATUSES: [&str; 23] = [
    "CREATE_IN_PROGRESS",
    "CREATE_FAILED",
    "CREATE_COMPLETE",
    "ROLLBACK_IN_PROGRESS",
    "ROLLBACK_FAILED",
    "ROLLBACK_COMPLETE",
    "DELETE_IN_PROGRESS",
    "DELETE_FAILED",
    "DELETE_COMPLETE",
    "UPDATE_IN_PROGRESS",
    "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS",
    "UPDATE_COMPLETE",
    "UPDATE_FAILED",
    "UPDATE_ROLLBACK_IN_PROGRESS",
    "UPDATE_ROLLBACK_FAILED",
    "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS",
    "UPDATE_ROLLBACK_COMPLETE",
    "REVIEW_IN_PROGRESS",
    "IMPORT_IN_PROGRESS",
    "IMPORT_COMPLETE",
    "IMPORT_ROLLBACK_IN_PROGRESS",
    "IMPORT_ROLLBACK_FAILED",
    "IMPORT_ROLLBACK_COMPLETE",
];

impl CloudFormation {
    pub(super) fn describe_stacks(&self, &ApiCall { input, context, .. }: &ApiCall<'_>) -> ApiResult {
        let stacks = match text(input, "StackName") {
            Some(name) => vec![descriptions::stack(&self.found(&context.region, name)?)],
            None => {
                let state = lock(&self.state);
                let there = state.stacks.iter().rev();
                let there = there.filter(|stack| stack.region == context.region && stack.status != "DELETE_COMPLETE");
                there.map(descriptions::stack).collect()
            }
        };
        descriptions::page("Stacks", stacks, input)
    }

    pub(super) fn list_stacks(&self, &ApiCall { input, context, .. }: &ApiCall<'_>) -> ApiResult {
        let wanted = list(input, "StackStatusFilter");
        if wanted.iter().any(|status| !STATUSES.contains(&status.as_str())) {
            return Err(AwsError::bad_request(
                "ValidationError",
                format!(
                    "1 validation error detected: Value '[{}]' at 'stackStatusFilter' failed to satisfy constraint: \
                     Member must satisfy constraint: [Member must satisfy enum value set: [{}]]",
                    wanted.join(", "),
                    STATUSES.join(", ")
                ),
            ));
        }
        let state = lock(&self.state);
        let stacks =
            state.stacks.iter().rev().filter(|stack| {
                stack.region == context.region && (wanted.is_empty() || wanted.contains(&stack.status))
            });
        descriptions::page("StackSummaries", stacks.map(descriptions::summary).collect(), input)
    }

    pub(super) fn describe_events(&self, &ApiCall { input, context, .. }: &ApiCall<'_>) -> ApiResult {
        let stack = self.found(&context.region, needed(input, "StackName")?)?;
        descriptions::page("StackEvents", stack.events.into_iter().rev().collect(), input)
    }

    pub(super) fn list_resources(&self, &ApiCall { input, context, .. }: &ApiCall<'_>) -> ApiResult {
        let stack = self.found(&context.region, needed(input, "StackName")?)?;
        let all = stack.resources.iter().map(|one| descriptions::resource(&stack, one, "LastUpdatedTimestamp"));
        descriptions::page("StackResourceSummaries", all.collect(), input)
    }

    pub(super) fn describe_resources(&self, &ApiCall { input, context, .. }: &ApiCall<'_>) -> ApiResult {
        let stack = self.found(&context.region, needed(input, "StackName")?)?;
        let wanted = text(input, "LogicalResourceId");
        let all = stack.resources.iter().filter(|one| wanted.is_none_or(|name| one.logical_id == name));
        let all: Vec<_> = all.map(|one| descriptions::resource(&stack, one, "Timestamp")).collect();
        Ok(json!({ "StackResources": all }))
    }

    pub(super) fn describe_resource(&self, &ApiCall { input, context, .. }: &ApiCall<'_>) -> ApiResult {
        let stack = self.found(&context.region, needed(input, "StackName")?)?;
        let name = needed(input, "LogicalResourceId")?;
        let resource = stack
            .resources
            .iter()
            .find(|one| one.logical_id == name)
            .ok_or_else(|| invalid(format!("Resource {name} does not exist for stack {}", stack.name)))?;
        Ok(json!({ "StackResourceDetail": descriptions::resource(&stack, resource, "LastUpdatedTimestamp") }))
    }

    pub(super) fn get_template(&self, &ApiCall { input, context, .. }: &ApiCall<'_>) -> ApiResult {
        reject_unsupported(input, &["ChangeSetName"])?;
        let stack = self.found(&context.region, needed(input, "StackName")?)?;
        let body = match text(input, "TemplateStage") {
            Some("Processed") => stack.goal.processed.to_string(),
            _ => stack.goal.text,
        };
        Ok(json!({ "TemplateBody": body, "StagesAvailable": ["Original", "Processed"] }))
    }

    /// GetTemplateSummary, by a template or a stack: `aws cloudformation deploy` calls it before it changes a stack.
    pub(super) fn summarise(&self, &ApiCall { input, context, .. }: &ApiCall<'_>) -> ApiResult {
        reject_unsupported(input, &["StackSetName", "TemplateSummaryConfig"])?;
        let body = match (template_body(input)?, text(input, "StackName")) {
            (Some(body), None) => body.to_owned(),
            (None, Some(name)) => self.found(&context.region, name)?.goal.text,
            _ => return Err(invalid("Exactly one of TemplateBody and StackName must be specified.")),
        };
        let mut summary = self.validate(&json!({ "TemplateBody": body }))?;
        let template = Template::parse(&body).map_err(template_error)?;
        let document = template.document();
        let types = document["Resources"].as_object().into_iter().flat_map(|all| all.values());
        let types: BTreeSet<&str> = types.filter_map(|resource| resource["Type"].as_str()).collect();
        summary["ResourceTypes"] = json!(types);
        summary["Version"] = document["AWSTemplateFormatVersion"].clone();
        for (shown, declared) in summary["Parameters"].as_array_mut().into_iter().flatten().zip(template.parameters()) {
            shown["ParameterType"] = declared.kind.into();
            shown["ParameterConstraints"] = json!({ "AllowedValues": declared.allowed_values });
        }
        Ok(summary)
    }

    pub(super) fn validate(&self, input: &Value) -> Result<Value, AwsError> {
        let body =
            template_body(input)?.ok_or_else(|| invalid("Either Template URL or Template Body must be specified."))?;
        let template = Template::parse(body).map_err(template_error)?;
        template.check_types().map_err(template_error)?;
        let needs = template.needed_capabilities();
        let parameters: Vec<_> = template
            .parameters()
            .into_iter()
            .map(|one| {
                json!({
                    "ParameterKey": one.name, "DefaultValue": one.default, "NoEcho": one.no_echo,
                    "Description": one.description,
                })
            })
            .collect();
        Ok(json!({
            "Parameters": parameters, "Description": template.description(), "Capabilities": needs.capabilities,
            "CapabilitiesReason": needs.reason, "DeclaredTransforms": template.declared_transforms(),
        }))
    }
}
