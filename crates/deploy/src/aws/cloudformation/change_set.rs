//! Change sets: a template's changes to a stack, shown before execution.

use aws_sdk_cloudformation::Client;
use aws_sdk_cloudformation::types::{
    Capability, ChangeAction as SdkAction, ChangeSetType, Parameter, Replacement, Tag,
};

use super::super::error::AwsError;
use super::super::pages::Pages;
use super::super::tags::Tags;
use super::{SERVICE, failed, none_if_missing};
use crate::aws::operation::CloudFormationOperation;

/// The parameters of a change set for a new stack.
#[derive(Debug, Clone)]
pub struct ChangeSetSpec<'a> {
    /// The stack's name.
    pub stack: &'a str,
    /// The change set's own name.
    pub name: &'a str,
    /// The template's text.
    pub template: &'a str,
    /// The parameters' values, by name.
    pub parameters: &'a [(String, String)],
    /// The tags of the stack and its resources.
    pub tags: &'a Tags,
}

/// A change set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangeSet {
    /// The ARN of its stack.
    pub stack_id: String,
    /// Its status.
    pub status: ChangeSetStatus,
    /// Its changes, once it is ready.
    pub changes: Vec<PlannedChange>,
}

/// The status of a change set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChangeSetStatus {
    /// CloudFormation is still creating it, macros included.
    Pending,
    /// It can be executed.
    Ready,
    /// It was executed.
    Executed,
    /// It failed, with the reason.
    Failed(String),
}

/// A change of one resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlannedChange {
    /// The action.
    pub action: ChangeAction,
    /// The resource's logical id.
    pub logical_id: String,
    /// Its type, for example `AWS::S3::Bucket`.
    pub resource_type: String,
}

/// The action of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChangeAction {
    /// Creates it.
    Add,
    /// Updates it in place.
    Modify,
    /// Recreates it and deletes the old one; also where CloudFormation cannot decide yet.
    Replace,
    /// Deletes it.
    Remove,
}

impl ChangeAction {
    /// Returns its word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Add => "add",
            Self::Modify => "modify",
            Self::Replace => "replace",
            Self::Remove => "remove",
        }
    }
}

/// Creates a change set for a new stack, and returns the stack's ARN. The stack is in review from then on.
///
/// # Errors
/// `ErrorKind::AlreadyExists` for the name of an earlier one; `ErrorKind::Invalid` for an invalid template, or a stack
/// that is not in review.
pub async fn create_change_set(client: &Client, spec: &ChangeSetSpec<'_>) -> Result<String, AwsError> {
    const OPERATION: CloudFormationOperation = CloudFormationOperation::CreateChangeSet;
    let parameters = spec.parameters.iter();
    let parameters =
        parameters.map(|(key, value)| Parameter::builder().parameter_key(key).parameter_value(value).build());
    let tags = spec.tags.iter().map(|(key, value)| Tag::builder().key(key).value(value).build());
    client
        .create_change_set()
        .stack_name(spec.stack)
        .change_set_name(spec.name)
        .change_set_type(ChangeSetType::Create)
        .template_body(spec.template)
        .set_parameters(Some(parameters.collect()))
        .set_tags(Some(tags.collect()))
        // Its roles and policies have given names; its macro is this deployment's own.
        .capabilities(Capability::CapabilityNamedIam)
        .capabilities(Capability::CapabilityAutoExpand)
        .send()
        .await
        .map_err(failed(OPERATION))?
        .stack_id
        .ok_or_else(|| AwsError::missing_field(SERVICE, OPERATION.name(), "the stack's ARN"))
}

/// Returns a change set with all its changes; `None` if it does not exist.
///
/// # Errors
/// When the call is denied, or the response lacks the stack's ARN; a missing change set is no error.
pub async fn change_set(client: &Client, stack: &str, name: &str) -> Result<Option<ChangeSet>, AwsError> {
    const OPERATION: CloudFormationOperation = CloudFormationOperation::DescribeChangeSet;
    let mut changes = Vec::new();
    let mut pages = Pages::new(SERVICE, OPERATION.name());
    loop {
        let answer = client
            .describe_change_set()
            .stack_name(stack)
            .change_set_name(name)
            .set_next_token(pages.token())
            .send()
            .await
            .map_err(failed(OPERATION));
        let Some(page) = none_if_missing(answer)? else { return Ok(None) };
        let of_resources = page.changes.unwrap_or_default().into_iter().filter_map(|change| change.resource_change);
        changes.extend(of_resources.filter_map(planned));
        if pages.continue_with(page.next_token)? {
            continue;
        }
        let word = page.status.as_ref().map_or("", |status| status.as_str());
        let executed = page.execution_status.as_ref().map_or("", |status| status.as_str());
        return Ok(Some(ChangeSet {
            stack_id: page
                .stack_id
                .ok_or_else(|| AwsError::missing_field(SERVICE, OPERATION.name(), "the stack's ARN"))?,
            status: status(word, executed, page.status_reason),
            changes,
        }));
    }
}

fn status(word: &str, executed: &str, reason: Option<String>) -> ChangeSetStatus {
    match (word, executed) {
        ("CREATE_COMPLETE", "AVAILABLE") => ChangeSetStatus::Ready,
        (_, "EXECUTE_IN_PROGRESS" | "EXECUTE_COMPLETE" | "EXECUTE_FAILED") => ChangeSetStatus::Executed,
        ("FAILED", _) | (_, "OBSOLETE") => {
            ChangeSetStatus::Failed(reason.unwrap_or_else(|| "no reason given".to_owned()))
        }
        _ => ChangeSetStatus::Pending,
    }
}

fn planned(change: aws_sdk_cloudformation::types::ResourceChange) -> Option<PlannedChange> {
    let action = match (change.action?, change.replacement) {
        (SdkAction::Add | SdkAction::Import, _) => ChangeAction::Add,
        (SdkAction::Remove, _) => ChangeAction::Remove,
        (_, Some(Replacement::True | Replacement::Conditional)) => ChangeAction::Replace,
        _ => ChangeAction::Modify,
    };
    Some(PlannedChange { action, logical_id: change.logical_resource_id?, resource_type: change.resource_type? })
}

/// Executes a change set; the stack's events report the progress.
///
/// # Errors
/// `ErrorKind::NotFound` for a missing change set; `ErrorKind::Invalid` for one that is not ready.
pub async fn execute_change_set(client: &Client, stack: &str, name: &str) -> Result<(), AwsError> {
    client
        .execute_change_set()
        .stack_name(stack)
        .change_set_name(name)
        .send()
        .await
        .map_err(failed(CloudFormationOperation::ExecuteChangeSet))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn change_set_is_ready_only_when_it_can_be_executed() {
        assert_eq!(status("CREATE_IN_PROGRESS", "UNAVAILABLE", None), ChangeSetStatus::Pending);
        assert_eq!(status("CREATE_COMPLETE", "AVAILABLE", None), ChangeSetStatus::Ready);
        assert_eq!(status("CREATE_COMPLETE", "EXECUTE_COMPLETE", None), ChangeSetStatus::Executed);
        let why = "Transform 000000000000::thumbs-macro failed";
        assert_eq!(status("FAILED", "UNAVAILABLE", Some(why.into())), ChangeSetStatus::Failed(why.into()));
    }
}
