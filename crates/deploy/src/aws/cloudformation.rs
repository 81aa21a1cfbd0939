//! CloudFormation: stacks, their change sets and events.

mod change_set;
mod events;

use aws_sdk_cloudformation::Client;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

pub use self::change_set::{
    ChangeAction, ChangeSet, ChangeSetSpec, ChangeSetStatus, PlannedChange, change_set, create_change_set,
    execute_change_set,
};
pub use self::events::{StackEvent, events_since, newest_event};
use super::error::{AwsError, Deleted, ErrorKind};
use super::pages::Pages;
use super::tags::{self, Tagged, Tags};
use crate::aws::operation::CloudFormationOperation;

const SERVICE: &str = "CloudFormation";

fn failed<E>(operation: CloudFormationOperation) -> impl FnOnce(SdkError<E, HttpResponse>) -> AwsError
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
{
    AwsError::from_sdk(operation)
}

/// A stack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stack {
    /// Its name.
    pub name: String,
    /// Its ARN, which differs from later stacks of the same name.
    pub id: String,
    /// Its status.
    pub status: StackStatus,
    /// CloudFormation's reason for the status.
    pub reason: Option<String>,
    /// Its description.
    pub description: Option<String>,
    /// When it was created, in milliseconds since 1970.
    pub created_ms: Option<i64>,
    /// Its parameters' values, by name.
    pub parameters: Vec<(String, String)>,
    /// Its outputs' values, by name.
    pub outputs: Vec<(String, String)>,
    /// Its tags.
    pub tags: Tags,
}

/// The status of a stack: CloudFormation's word, and its meaning.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StackStatus(String);

impl StackStatus {
    /// Returns CloudFormation's word, for example `CREATE_COMPLETE`.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns whether an operation on it is in progress.
    pub fn is_in_progress(&self) -> bool {
        // Rule: REVIEW_IN_PROGRESS waits for an execution: only the stack's name exists.
        // https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/view-stack-events.html
        self.0.ends_with("_IN_PROGRESS") && !self.is_in_review()
    }

    /// Returns whether only its name exists, from a change set that was not executed.
    pub fn is_in_review(&self) -> bool {
        self.0 == "REVIEW_IN_PROGRESS"
    }

    /// Returns whether it is being created.
    pub fn is_being_created(&self) -> bool {
        self.0 == "CREATE_IN_PROGRESS"
    }

    /// Returns whether all its resources exist.
    pub fn is_complete(&self) -> bool {
        matches!(self.0.as_str(), "CREATE_COMPLETE" | "UPDATE_COMPLETE" | "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS")
    }

    /// Returns whether it is being deleted.
    pub fn is_deleting(&self) -> bool {
        self.0 == "DELETE_IN_PROGRESS"
    }

    /// Returns whether it is deleted: only its events remain.
    pub fn is_deleted(&self) -> bool {
        self.0 == "DELETE_COMPLETE"
    }

    /// Returns whether its deletion failed: its remaining resources are still its own.
    pub fn is_delete_failed(&self) -> bool {
        self.0 == "DELETE_FAILED"
    }

    /// Returns whether it can only be deleted.
    // Rule: a stack that failed to create cannot be updated, only deleted.
    // https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/view-stack-events.html
    pub fn must_be_deleted(&self) -> bool {
        matches!(self.0.as_str(), "CREATE_FAILED" | "ROLLBACK_COMPLETE" | "ROLLBACK_FAILED" | "DELETE_FAILED")
            || self.is_in_review()
    }
}

impl From<&str> for StackStatus {
    fn from(word: &str) -> Self {
        Self(word.to_owned())
    }
}

/// Returns a stack by its name or ARN; `None` if it does not exist. A deleted one is found by its ARN only.
///
/// # Errors
/// When the call is denied; a missing stack is no error.
pub async fn stack(client: &Client, name: &str) -> Result<Option<Stack>, AwsError> {
    let answer =
        client.describe_stacks().stack_name(name).send().await.map_err(failed(CloudFormationOperation::DescribeStacks));
    let found = none_if_missing(answer)?;
    Ok(found.and_then(|found| found.stacks).and_then(|stacks| stacks.into_iter().find_map(from_sdk)))
}

/// Returns the stacks with a name prefix, with their tags.
///
/// # Errors
/// When a page is denied, or the listing has no end ([`ErrorKind::Oversized`]).
pub async fn list_stacks(client: &Client, prefix: &str) -> Result<Vec<Tagged>, AwsError> {
    let mut found = Vec::new();
    let mut pages = Pages::new(SERVICE, "DescribeStacks");
    loop {
        let page = client
            .describe_stacks()
            .set_next_token(pages.token())
            .send()
            .await
            .map_err(failed(CloudFormationOperation::DescribeStacks))?;
        let stacks = page.stacks.unwrap_or_default().into_iter().filter_map(from_sdk);
        found.extend(
            stacks.filter(|stack| stack.name.starts_with(prefix) && !stack.status.is_deleted()).map(|stack| Tagged {
                name: stack.name,
                arn: stack.id,
                tags: stack.tags,
            }),
        );
        if !pages.continue_with(page.next_token)? {
            return Ok(found);
        }
    }
}

/// Starts a stack's deletion, without waiting for its end. A missing stack counts as deleted.
///
/// # Errors
/// [`ErrorKind::Denied`], or [`ErrorKind::Invalid`] while the stack is rolled back or updated.
// Rule: DeleteStack succeeds for a missing stack, so its existence is checked first.
// https://github.com/aws/aws-cli/issues/3569
pub async fn delete_stack(client: &Client, name: &str) -> Result<Deleted, AwsError> {
    let Some(found) = stack(client, name).await? else { return Ok(Deleted::AlreadyGone) };
    if found.status.is_deleted() {
        return Ok(Deleted::AlreadyGone);
    }
    client.delete_stack().stack_name(name).send().await.map_err(failed(CloudFormationOperation::DeleteStack))?;
    Ok(Deleted::Now)
}

fn from_sdk(stack: aws_sdk_cloudformation::types::Stack) -> Option<Stack> {
    let pairs = |pairs: Vec<(Option<String>, Option<String>)>| -> Vec<(String, String)> {
        pairs.into_iter().filter_map(|(key, value)| Some((key?, value?))).collect()
    };
    let parameters = stack.parameters.unwrap_or_default().into_iter();
    let outputs = stack.outputs.unwrap_or_default().into_iter();
    let tags = stack.tags.unwrap_or_default().into_iter().filter_map(|tag| Some((tag.key?, tag.value?)));
    Some(Stack {
        name: stack.stack_name?,
        id: stack.stack_id?,
        status: StackStatus(stack.stack_status?.as_str().to_owned()),
        reason: stack.stack_status_reason,
        description: stack.description,
        created_ms: stack.creation_time.and_then(|at| at.to_millis().ok()),
        parameters: pairs(parameters.map(|one| (one.parameter_key, one.parameter_value)).collect()),
        outputs: pairs(outputs.map(|one| (one.output_key, one.output_value)).collect()),
        tags: tags::from_pairs(tags),
    })
}

/// Rule: for a missing stack the error is `ValidationError`, which differs from an invalid parameter only by its text.
/// <https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_DescribeStacks.html>.
fn none_if_missing<T>(answer: Result<T, AwsError>) -> Result<Option<T>, AwsError> {
    match answer {
        Ok(found) => Ok(Some(found)),
        Err(error) if is_missing(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Returns whether an error is that of a missing stack or change set.
pub fn is_missing(error: &AwsError) -> bool {
    error.kind == ErrorKind::NotFound || (error.has_code("ValidationError") && error.message.contains("does not exist"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stack_in_review_is_not_in_progress_but_must_be_deleted() {
        let status = StackStatus::from("REVIEW_IN_PROGRESS");
        assert!(!status.is_in_progress() && status.must_be_deleted());
        for word in ["CREATE_IN_PROGRESS", "ROLLBACK_IN_PROGRESS", "DELETE_IN_PROGRESS"] {
            let status = StackStatus::from(word);
            assert!(status.is_in_progress() && !status.must_be_deleted(), "{word}");
        }
    }

    #[test]
    fn only_complete_stack_is_complete() {
        for (word, complete) in [
            ("CREATE_COMPLETE", true),
            ("UPDATE_COMPLETE", true),
            ("ROLLBACK_COMPLETE", false),
            ("DELETE_COMPLETE", false),
            ("UPDATE_ROLLBACK_COMPLETE", false),
        ] {
            assert_eq!(StackStatus::from(word).is_complete(), complete, "{word}");
        }
    }

    #[test]
    fn missing_stack_differs_from_invalid_request() {
        let error = |message: &str| AwsError {
            code: Some("ValidationError".to_owned()),
            ..AwsError::new(SERVICE, "DescribeStacks", ErrorKind::Invalid, message)
        };
        assert!(matches!(none_if_missing::<()>(Err(error("Stack with id thumbs does not exist"))), Ok(None)));
        assert!(none_if_missing::<()>(Err(error("1 validation error detected"))).is_err());
    }
}
