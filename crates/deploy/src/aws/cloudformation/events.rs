//! A stack's events.

use aws_sdk_cloudformation::Client;

use super::super::error::{AwsError, ErrorKind};
use super::super::pages::Pages;
use super::{SERVICE, failed};
use crate::aws::operation::CloudFormationOperation;

/// An event of a stack or one of its resources.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StackEvent {
    /// Its id.
    pub id: String,
    /// Its time in milliseconds since 1970, by CloudFormation's clock.
    pub at_ms: i64,
    /// The resource's logical id; the stack's own name for the stack.
    pub logical_id: String,
    /// The resource's physical id, once it has one; the stack's ARN for the stack.
    pub physical_id: Option<String>,
    /// The resource's type; `AWS::CloudFormation::Stack` for the stack.
    pub resource_type: String,
    /// The status, for example `CREATE_IN_PROGRESS`.
    pub status: String,
    /// The detailed status: `CONFIGURATION_COMPLETE` once a resource is configured and only has to become visible
    /// everywhere.
    pub detailed_status: Option<String>,
    /// The reason.
    pub reason: Option<String>,
}

impl StackEvent {
    /// Returns whether it is about the stack itself.
    pub fn is_of_stack(&self) -> bool {
        self.physical_id.as_deref().is_some_and(|id| id.starts_with("arn:") && id.contains(":stack/"))
            && self.resource_type == "AWS::CloudFormation::Stack"
    }

    /// Returns whether it is the cause of a failure, not a consequence of another one.
    // Rule: when one resource fails, those in progress fail too, with this reason.
    // https://github.com/coreos/coreos-kubernetes/pull/454
    pub fn is_cause_of_failure(&self) -> bool {
        let reason = self.reason.as_deref().unwrap_or_default().to_lowercase();
        self.status.ends_with("_FAILED") && !self.is_of_stack() && !reason.contains("cancelled")
    }

    /// Converts a resource's failure to the error of CloudFormation's own call.
    // Rule: the reason has the error's class as HandlerErrorCode, and the service's own message before it.
    // https://docs.aws.amazon.com/cloudformation-cli/latest/userguide/resource-type-test-contract-errors.html
    pub fn error(&self) -> AwsError {
        let reason = self.reason.as_deref().unwrap_or_default();
        let contains = |word: &str| reason.contains(word);
        let kind = if contains("HandlerErrorCode: AccessDenied") || contains("not authorized to perform") {
            ErrorKind::Denied
        } else if contains("HandlerErrorCode: Throttling") {
            ErrorKind::Throttled
        } else if contains("HandlerErrorCode: ServiceLimitExceeded") {
            ErrorKind::LimitExceeded
        } else if contains("HandlerErrorCode: ServiceInternalError") {
            ErrorKind::Server
        } else {
            ErrorKind::Other
        };
        let service = match self.resource_type.split("::").nth(1) {
            Some("Lambda") => "Lambda",
            Some("CodeBuild") => "CodeBuild",
            Some("S3") => "S3",
            Some("IAM") => "IAM",
            Some("ECR") => "ECR",
            Some("Logs") => "CloudWatch Logs",
            _ => super::SERVICE,
        };
        AwsError::new(service, "CreateStack", kind, reason)
    }
}

/// Returns the id of a stack's newest event; `None` if it has none.
///
/// # Errors
/// When the call is denied, or the stack does not exist ([`ErrorKind::Invalid`]).
pub async fn newest_event(client: &Client, stack: &str) -> Result<Option<String>, AwsError> {
    let page = client
        .describe_stack_events()
        .stack_name(stack)
        .send()
        .await
        .map_err(failed(CloudFormationOperation::DescribeStackEvents))?;
    // Rule: CloudFormation lists the newest first.
    // https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_DescribeStackEvents.html
    Ok(page.stack_events.unwrap_or_default().into_iter().next().and_then(|event| event.event_id))
}

/// Returns the events of a stack after a given one (all, if none is), oldest first.
///
/// `stack` should be the ARN: a name also matches later stacks, and no deleted one.
///
/// # Errors
/// When a page is denied, the stack does not exist ([`ErrorKind::Invalid`]), or the listing has no end
/// ([`ErrorKind::Oversized`]).
pub async fn events_since(client: &Client, stack: &str, last: Option<&str>) -> Result<Vec<StackEvent>, AwsError> {
    let mut found = Vec::new();
    let mut pages = Pages::new(SERVICE, "DescribeStackEvents");
    // Rule: CloudFormation lists the newest first; a known event ends the reading.
    // https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_DescribeStackEvents.html
    'pages: loop {
        let page = client
            .describe_stack_events()
            .stack_name(stack)
            .set_next_token(pages.token())
            .send()
            .await
            .map_err(failed(CloudFormationOperation::DescribeStackEvents))?;
        for event in page.stack_events.unwrap_or_default().into_iter().filter_map(from_sdk) {
            if Some(event.id.as_str()) == last {
                break 'pages;
            }
            found.push(event);
        }
        if !pages.continue_with(page.next_token)? {
            break;
        }
    }
    found.reverse();
    Ok(found)
}

fn from_sdk(event: aws_sdk_cloudformation::types::StackEvent) -> Option<StackEvent> {
    Some(StackEvent {
        id: event.event_id?,
        at_ms: event.timestamp?.to_millis().ok()?,
        logical_id: event.logical_resource_id?,
        physical_id: event.physical_resource_id.filter(|id| !id.is_empty()),
        resource_type: event.resource_type?,
        status: event.resource_status?.as_str().to_owned(),
        detailed_status: event.detailed_status.map(|status| status.as_str().to_owned()),
        reason: event.resource_status_reason,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(reason: &str) -> StackEvent {
        StackEvent {
            id: "1".into(),
            at_ms: 0,
            logical_id: "Function".into(),
            physical_id: None,
            resource_type: "AWS::Lambda::Function".into(),
            status: "CREATE_FAILED".into(),
            detailed_status: None,
            reason: Some(reason.into()),
        }
    }

    #[test]
    fn cancelled_resource_is_not_the_cause() {
        assert!(!failure("Resource creation cancelled").is_cause_of_failure());
        assert!(failure("The image cannot be pulled").is_cause_of_failure());
        let stack = StackEvent {
            physical_id: Some("arn:aws:cloudformation:eu-central-1:000000000000:stack/thumbs/1".into()),
            resource_type: "AWS::CloudFormation::Stack".into(),
            ..failure("The following resource(s) failed to create: [Function]. ")
        };
        assert!(!stack.is_cause_of_failure());
    }
}
