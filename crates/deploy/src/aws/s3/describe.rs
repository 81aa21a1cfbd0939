//! A bucket's settings: region, encryption, public access, notifications.

use aws_sdk_s3::Client;
use aws_sdk_s3::types::{FilterRuleName, LambdaFunctionConfiguration};

use super::super::error::{self, AwsError};
use super::super::operation::S3Operation;
use super::failed;

/// An existing bucket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bucket {
    /// Its region, if the endpoint reports it.
    pub region: Option<String>,
}

/// The default encryption of a bucket's objects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Encryption {
    /// `AES256`, `aws:kms`, ….
    pub algorithm: String,
    /// The KMS key, if it is not S3's own.
    pub key: Option<String>,
}

/// The public access settings that a bucket blocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PublicAccessBlock {
    /// New public ACLs are rejected.
    pub block_acls: bool,
    /// Public ACLs have no effect.
    pub ignore_acls: bool,
    /// New public policies are rejected.
    pub block_policy: bool,
    /// A public policy has no effect for other accounts.
    pub restrict: bool,
}

/// A notification rule: events of a bucket that invoke a function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventRule {
    /// The rule's id.
    pub id: Option<String>,
    /// The function's ARN.
    pub function_arn: String,
    /// The events: `s3:ObjectCreated:*`, ….
    pub events: Vec<String>,
    /// The prefix of the keys.
    pub prefix: Option<String>,
    /// The suffix of the keys.
    pub suffix: Option<String>,
}

impl EventRule {
    /// Returns whether it invokes the function of this name.
    pub fn invokes(&self, function: &str) -> bool {
        self.function_arn.ends_with(&format!(":function:{function}"))
    }
}

/// Returns a bucket by its name; `None` if it does not exist.
///
/// # Errors
/// `ErrorKind::Denied`, also for another owner's bucket; a missing bucket is no error.
pub async fn bucket(client: &Client, bucket: &str) -> Result<Option<Bucket>, AwsError> {
    let answer = client.head_bucket().bucket(bucket).send().await.map_err(failed(S3Operation::HeadBucket));
    Ok(error::optional(answer)?.map(|found| Bucket { region: found.bucket_region }))
}

/// Returns a bucket's encryption; `None` if it is not configured.
///
/// # Errors
/// `ErrorKind::NotFound` without the bucket; no configuration is no error.
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

/// Returns a bucket's public access block; `None` if it is not configured.
///
/// # Errors
/// `ErrorKind::NotFound` without the bucket; no configuration is no error.
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

/// Returns a bucket's versioning status: `Enabled`, `Suspended`; `None` if it never was enabled.
///
/// # Errors
/// `ErrorKind::NotFound` without the bucket.
pub async fn bucket_versioning(client: &Client, bucket: &str) -> Result<Option<String>, AwsError> {
    let answer =
        client.get_bucket_versioning().bucket(bucket).send().await.map_err(failed(S3Operation::GetBucketVersioning))?;
    Ok(answer.status.map(|status| status.as_str().to_owned()))
}

// Rule: a missing setting is an error, each with a code of its own; a missing bucket is
// another, with the same status.
// https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
fn unless_unset<T>(answer: Result<T, AwsError>, unset: &str) -> Result<Option<T>, AwsError> {
    match answer {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.has_code(unset) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Returns a bucket's notification rules; `None` if the bucket does not exist.
///
/// # Errors
/// When the call is denied; a missing bucket is no error.
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
    // Rule: S3 returns `Prefix` where `prefix` was sent.
    // https://github.com/aws/aws-sdk/issues/389
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
    fn filters_are_found_in_any_case() {
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
