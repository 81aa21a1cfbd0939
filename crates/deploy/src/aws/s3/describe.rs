//! What a bucket is like: its region, its settings, and which functions hear of its objects.

use aws_sdk_s3::Client;
use aws_sdk_s3::types::{FilterRuleName, LambdaFunctionConfiguration};

use super::super::error::{self, AwsError};
use super::super::operation::S3Operation;
use super::failed;

/// A bucket that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bucket {
    /// Its region; every AWS says so, not every endpoint.
    pub region: Option<String>,
}

/// How a bucket's objects are encrypted unless they say otherwise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Encryption {
    /// `AES256`, `aws:kms`, ….
    pub algorithm: String,
    /// The key in KMS, if it is not S3's own.
    pub key: Option<String>,
}

/// Which ways of becoming public are blocked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PublicAccessBlock {
    /// New ACLs that make something public are refused.
    pub block_acls: bool,
    /// ACLs that make something public have no effect.
    pub ignore_acls: bool,
    /// New policies that make something public are refused.
    pub block_policy: bool,
    /// A public policy has no effect for strangers.
    pub restrict: bool,
}

/// What invokes a function: some of a bucket's events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventRule {
    /// The rule's id.
    pub id: Option<String>,
    /// The function's ARN.
    pub function_arn: String,
    /// The events: `s3:ObjectCreated:*`, ….
    pub events: Vec<String>,
    /// How keys have to begin.
    pub prefix: Option<String>,
    /// How keys have to end.
    pub suffix: Option<String>,
}

impl EventRule {
    /// Whether it invokes the function of this name.
    pub fn invokes(&self, function: &str) -> bool {
        self.function_arn.ends_with(&format!(":function:{function}"))
    }
}

/// A bucket by its name; `None` if it is not there.
pub async fn bucket(client: &Client, bucket: &str) -> Result<Option<Bucket>, AwsError> {
    let answer = client.head_bucket().bucket(bucket).send().await.map_err(failed(S3Operation::HeadBucket));
    Ok(error::optional(answer)?.map(|found| Bucket { region: found.bucket_region }))
}

/// How a bucket encrypts; `None` if nothing is set.
pub async fn bucket_encryption(client: &Client, bucket: &str) -> Result<Option<Encryption>, AwsError> {
    let answer =
        client.get_bucket_encryption().bucket(bucket).send().await.map_err(failed(S3Operation::GetBucketEncryption));
    let found = unless_unset(answer, "ServerSideEncryptionConfigurationNotFoundError")?;
    Ok(found
        .and_then(|found| found.server_side_encryption_configuration)
        .and_then(|configuration| configuration.rules.into_iter().next())
        .and_then(|rule| rule.apply_server_side_encryption_by_default)
        .map(|by_default| Encryption {
            algorithm: by_default.sse_algorithm.as_str().to_owned(),
            key: by_default.kms_master_key_id,
        }))
}

/// Which ways of becoming public a bucket blocks; `None` if nothing is set.
pub async fn public_access_block(client: &Client, bucket: &str) -> Result<Option<PublicAccessBlock>, AwsError> {
    let answer =
        client.get_public_access_block().bucket(bucket).send().await.map_err(failed(S3Operation::GetPublicAccessBlock));
    let found = unless_unset(answer, "NoSuchPublicAccessBlockConfiguration")?;
    Ok(found.and_then(|found| found.public_access_block_configuration).map(|block| PublicAccessBlock {
        block_acls: block.block_public_acls.unwrap_or_default(),
        ignore_acls: block.ignore_public_acls.unwrap_or_default(),
        block_policy: block.block_public_policy.unwrap_or_default(),
        restrict: block.restrict_public_buckets.unwrap_or_default(),
    }))
}

/// Whether a bucket keeps versions: `Enabled`, `Suspended`; `None` if it never has.
pub async fn bucket_versioning(client: &Client, bucket: &str) -> Result<Option<String>, AwsError> {
    let answer =
        client.get_bucket_versioning().bucket(bucket).send().await.map_err(failed(S3Operation::GetBucketVersioning))?;
    Ok(answer.status.map(|status| status.as_str().to_owned()))
}

// Rule: a setting that a bucket does not have is an error, each with a code of its own; that there is no such bucket is
// another, with the same status.
fn unless_unset<T>(answer: Result<T, AwsError>, unset: &str) -> Result<Option<T>, AwsError> {
    match answer {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.has_code(unset) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Which functions a bucket's events invoke; `None` if there is no such bucket.
pub async fn notification(client: &Client, bucket: &str) -> Result<Option<Vec<EventRule>>, AwsError> {
    let answer = client
        .get_bucket_notification_configuration()
        .bucket(bucket)
        .send()
        .await
        .map_err(failed(S3Operation::GetBucketNotificationConfiguration));
    let found = error::optional(answer)?.map(|found| found.lambda_function_configurations.unwrap_or_default());
    Ok(found.map(|rules| rules.into_iter().map(rule).collect()))
}

fn rule(rule: LambdaFunctionConfiguration) -> EventRule {
    let filters = rule.filter.and_then(|filter| filter.key).and_then(|key| key.filter_rules).unwrap_or_default();
    // Rule: S3 answers `Prefix` where `prefix` was sent.
    let filter = |name: &FilterRuleName| {
        let of_name = |given: &FilterRuleName| given.as_str().eq_ignore_ascii_case(name.as_str());
        let found = filters.iter().find(|filter| filter.name.as_ref().is_some_and(of_name));
        found.and_then(|filter| filter.value.clone()).filter(|value| !value.is_empty())
    };
    EventRule {
        prefix: filter(&FilterRuleName::Prefix),
        suffix: filter(&FilterRuleName::Suffix),
        id: rule.id,
        function_arn: rule.lambda_function_arn,
        events: rule.events.iter().map(|event| event.as_str().to_owned()).collect(),
    }
}

#[cfg(test)]
mod tests {
    use aws_sdk_s3::types::{FilterRule, NotificationConfigurationFilter, S3KeyFilter};

    use super::*;

    #[test]
    fn filters_are_found_however_their_names_are_written() {
        let filter = |name: &str, value: &str| FilterRule::builder().name(name.into()).value(value).build();
        let key = S3KeyFilter::builder().filter_rules(filter("Prefix", "in/")).filter_rules(filter("suffix", ".png"));
        let described = LambdaFunctionConfiguration::builder()
            .lambda_function_arn("arn:aws:lambda:us-east-1:1:function:f")
            .events("s3:ObjectCreated:*".into())
            .filter(NotificationConfigurationFilter::builder().key(key.build()).build())
            .build()
            .unwrap();
        let rule = rule(described);
        assert_eq!((rule.prefix.as_deref(), rule.suffix.as_deref()), (Some("in/"), Some(".png")));
        assert_eq!(rule.events, ["s3:ObjectCreated:*"]);
        assert!(rule.invokes("f") && !rule.invokes("other-f"));
    }
}
