//! CloudWatch Logs: groups, and reading them without losing or repeating a line.

mod read;

use aws_sdk_cloudwatchlogs::Client;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

use super::error::{self, AwsError, Deleted};
use super::pages::Pages;
use super::tags::{Tagged, Tags};
use crate::aws::operation::LogsOperation;

pub use read::{GroupTail, LogEvent, LogTail, filter_events, latest_streams};

const SERVICE: &str = "CloudWatch Logs";

fn failed<E>(operation: LogsOperation) -> impl FnOnce(SdkError<E, HttpResponse>) -> AwsError
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
{
    AwsError::from_sdk(operation)
}

/// Creates a log group.
///
/// # Errors
/// [`super::ErrorKind::AlreadyExists`] if it exists: a late invocation may have created it.
pub async fn create_log_group(client: &Client, group: &str, tags: &Tags) -> Result<(), AwsError> {
    client
        .create_log_group()
        .log_group_name(group)
        .set_tags((!tags.is_empty()).then(|| tags.clone().into_iter().collect()))
        .send()
        .await
        .map_err(failed(LogsOperation::CreateLogGroup))?;
    Ok(())
}

/// Sets a group's retention in days: 1, 3, 5, 7, 14, 30, … as CloudWatch Logs allows.
///
/// # Errors
/// [`super::ErrorKind::NotFound`] without the group, [`super::ErrorKind::Invalid`] for another number of days.
pub async fn put_retention(client: &Client, group: &str, days: u32) -> Result<(), AwsError> {
    client
        .put_retention_policy()
        .log_group_name(group)
        .retention_in_days(i32::try_from(days).unwrap_or(i32::MAX))
        .send()
        .await
        .map_err(failed(LogsOperation::PutRetentionPolicy))?;
    Ok(())
}

/// A log group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogGroup {
    /// Its ARN, without a star.
    pub arn: String,
    /// Its retention in days; none: events are kept.
    pub retention_days: Option<u32>,
    /// Its size in bytes, as CloudWatch Logs reports it: hours late.
    pub stored_bytes: Option<u64>,
    /// When it was created, in milliseconds since 1970.
    pub created_ms: Option<i64>,
}

/// Returns a log group by its name; `None` if it does not exist.
///
/// # Errors
/// When a page is denied, or the listing has no end ([`ErrorKind::Oversized`]); a missing group is no error.
pub async fn log_group(client: &Client, group: &str) -> Result<Option<LogGroup>, AwsError> {
    // Prefixes match longer names too, and listings are sorted: an exact match comes first.
    let page = client
        .describe_log_groups()
        .log_group_name_prefix(group)
        .send()
        .await
        .map_err(failed(LogsOperation::DescribeLogGroups))?;
    let mut found = page.log_groups.unwrap_or_default().into_iter();
    Ok(found.find(|found| found.log_group_name.as_deref() == Some(group)).map(|found| LogGroup {
        arn: group_arn(found.log_group_arn, found.arn),
        retention_days: found.retention_in_days.and_then(|days| u32::try_from(days).ok()),
        stored_bytes: found.stored_bytes.and_then(|bytes| u64::try_from(bytes).ok()),
        created_ms: found.creation_time,
    }))
}

/// Returns a log group's tags, by its ARN without a star.
///
/// # Errors
/// [`super::ErrorKind::NotFound`] without the group.
pub async fn log_group_tags(client: &Client, arn: &str) -> Result<Tags, AwsError> {
    let answer = client
        .list_tags_for_resource()
        .resource_arn(arn)
        .send()
        .await
        .map_err(failed(LogsOperation::ListTagsForResource))?;
    Ok(answer.tags.unwrap_or_default().into_iter().collect())
}

/// Deletes a log group with its contents.
///
/// # Errors
/// When the call is denied; a missing group is no error.
pub async fn delete_log_group(client: &Client, group: &str) -> Result<Deleted, AwsError> {
    error::deleted(
        client.delete_log_group().log_group_name(group).send().await.map_err(failed(LogsOperation::DeleteLogGroup)),
    )
}

/// Returns the log groups with a name prefix, with their tags.
///
/// # Errors
/// When a page or a group's tags are denied, or the listing has no end ([`ErrorKind::Oversized`]).
pub async fn list_log_groups(client: &Client, prefix: &str) -> Result<Vec<Tagged>, AwsError> {
    let mut named = Vec::new();
    let mut pages = Pages::new(SERVICE, "DescribeLogGroups");
    loop {
        let page = client
            .describe_log_groups()
            .log_group_name_prefix(prefix)
            .set_next_token(pages.token())
            .send()
            .await
            .map_err(failed(LogsOperation::DescribeLogGroups))?;
        named.extend(
            page.log_groups
                .unwrap_or_default()
                .into_iter()
                .filter_map(|group| Some((group.log_group_name?, group.log_group_arn, group.arn)))
                .map(|(name, plain, starred)| (name, group_arn(plain, starred))),
        );
        if !pages.continue_with(page.next_token)? {
            break;
        }
    }
    let mut found = Vec::with_capacity(named.len());
    for (name, arn) in named {
        if let Some(tags) = error::optional(log_group_tags(client, &arn).await)? {
            found.push(Tagged { name, arn, tags });
        }
    }
    Ok(found)
}

// Rule: a group has two ARNs. The one ending in `:*` is for policies, the other for tags.
// https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_LogGroup.html
fn group_arn(plain: Option<String>, starred: Option<String>) -> String {
    let arn = plain.or(starred).unwrap_or_default();
    arn.strip_suffix(":*").map_or(arn.clone(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_requested_by_the_arn_without_a_star() {
        let starred = "arn:aws:logs:us-east-1:1:log-group:/g:*".to_owned();
        assert_eq!(group_arn(None, Some(starred)), "arn:aws:logs:us-east-1:1:log-group:/g");
        assert_eq!(group_arn(Some("a".into()), Some("b:*".into())), "a");
    }
}
