//! CloudWatch Logs: groups, and reading them without losing or repeating a line.

mod read;

use aws_sdk_cloudwatchlogs::Client;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

use super::error::{self, AwsError, Deleted};
use super::tags::{Tagged, Tags};

pub use read::{GroupTail, LogLine, LogTail, filter_events, latest_streams};

const SERVICE: &str = "CloudWatch Logs";

fn failed<E>(operation: &'static str) -> impl FnOnce(SdkError<E, HttpResponse>) -> AwsError
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
{
    AwsError::from_sdk(SERVICE, operation)
}

/// Creates a log group. [`super::ErrorKind::AlreadyExists`] if it is there: a late invocation may have made it.
pub async fn create_log_group(client: &Client, group: &str, tags: &Tags) -> Result<(), AwsError> {
    client
        .create_log_group()
        .log_group_name(group)
        .set_tags((!tags.is_empty()).then(|| tags.clone().into_iter().collect()))
        .send()
        .await
        .map_err(failed("CreateLogGroup"))?;
    Ok(())
}

/// Has a group's events deleted after so many days: 1, 3, 5, 7, 14, 30, … as CloudWatch Logs allows.
pub async fn put_retention(client: &Client, group: &str, days: u32) -> Result<(), AwsError> {
    client
        .put_retention_policy()
        .log_group_name(group)
        .retention_in_days(i32::try_from(days).unwrap_or(i32::MAX))
        .send()
        .await
        .map_err(failed("PutRetentionPolicy"))?;
    Ok(())
}

/// Whether a log group is there.
pub async fn log_group_exists(client: &Client, group: &str) -> Result<bool, AwsError> {
    // Prefixes match longer names too, and names sort: if the group is there, it comes first.
    let page =
        client.describe_log_groups().log_group_name_prefix(group).send().await.map_err(failed("DescribeLogGroups"))?;
    Ok(page.log_groups.unwrap_or_default().iter().any(|found| found.log_group_name.as_deref() == Some(group)))
}

/// Deletes a log group with all that is in it.
pub async fn delete_log_group(client: &Client, group: &str) -> Result<Deleted, AwsError> {
    error::deleted(client.delete_log_group().log_group_name(group).send().await.map_err(failed("DeleteLogGroup")))
}

/// The log groups whose names start with a prefix, with their tags.
pub async fn list_log_groups(client: &Client, prefix: &str) -> Result<Vec<Tagged>, AwsError> {
    let mut named = Vec::new();
    let mut token = None;
    loop {
        let page = client
            .describe_log_groups()
            .log_group_name_prefix(prefix)
            .set_next_token(token)
            .send()
            .await
            .map_err(failed("DescribeLogGroups"))?;
        named.extend(
            page.log_groups
                .unwrap_or_default()
                .into_iter()
                .filter_map(|group| Some((group.log_group_name?, group.log_group_arn, group.arn)))
                .map(|(name, plain, starred)| (name, group_arn(plain, starred))),
        );
        token = page.next_token;
        if token.is_none() {
            break;
        }
    }
    let mut found = Vec::with_capacity(named.len());
    for (name, arn) in named {
        let answer =
            client.list_tags_for_resource().resource_arn(&arn).send().await.map_err(failed("ListTagsForResource"));
        if let Some(tags) = error::optional(answer)? {
            found.push(Tagged { name, arn, tags: tags.tags.unwrap_or_default().into_iter().collect() });
        }
    }
    Ok(found)
}

// Rule: a group has two ARNs. The one that ends in `:*` is for policies; tags are asked for with the other.
fn group_arn(plain: Option<String>, starred: Option<String>) -> String {
    let arn = plain.or(starred).unwrap_or_default();
    arn.strip_suffix(":*").map_or(arn.clone(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_asked_for_by_the_arn_without_a_star() {
        let starred = "arn:aws:logs:us-east-1:1:log-group:/g:*".to_owned();
        assert_eq!(group_arn(None, Some(starred)), "arn:aws:logs:us-east-1:1:log-group:/g");
        assert_eq!(group_arn(Some("a".into()), Some("b:*".into())), "a");
    }
}
