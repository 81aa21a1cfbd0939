//! S3: buckets; reading their settings is in `s3/describe.rs`, their objects in `s3/objects.rs`, and emptying in
//! `s3/empty.rs`.

mod describe;
mod empty;
mod objects;

use aws_sdk_s3::Client;
use aws_sdk_s3::types::{
    BucketLocationConstraint, CreateBucketConfiguration, Event, LambdaFunctionConfiguration, NotificationConfiguration,
    PublicAccessBlockConfiguration, ServerSideEncryption, ServerSideEncryptionByDefault,
    ServerSideEncryptionConfiguration, ServerSideEncryptionRule, Tag, Tagging,
};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use aws_smithy_types::error::operation::BuildError;
use tokio_util::sync::CancellationToken;

use super::error::{self, AwsError, Deleted, ErrorKind};
use super::pages::Pages;
use super::tags::{self, Tagged, Tags};
use super::wait::{self, Poll, Waiting};
use crate::aws::operation::S3Operation;

pub use describe::{
    Bucket, Encryption, EventRule, PublicAccessBlock, bucket, bucket_encryption, bucket_versioning, notification,
    public_access_block,
};
pub use empty::{Emptied, empty_and_delete_bucket, empty_bucket};
pub use objects::{
    Object, get_object_bytes, get_object_to_file, head_object, list_objects, put_object_bytes, put_object_from_file,
};

const SERVICE: &str = "S3";

fn failed<E>(operation: S3Operation) -> impl FnOnce(SdkError<E, HttpResponse>) -> AwsError
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
{
    AwsError::from_sdk(operation)
}

fn unbuildable(operation: &'static str) -> impl FnOnce(BuildError) -> AwsError {
    move |error| AwsError::new(SERVICE, operation, ErrorKind::Invalid, error.to_string())
}

/// The presence of a bucket, as far as the caller can see.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BucketPresence {
    /// It exists, and the caller can use it.
    Accessible,
    /// It does not exist.
    Missing,
    /// It exists, but has another owner, or the caller has no permission.
    Denied,
}

/// Creates a bucket in a region.
///
/// # Errors
/// [`ErrorKind::AlreadyOwned`] if it exists with the same owner, [`ErrorKind::AlreadyExists`] with another one.
pub async fn create_bucket(client: &Client, bucket: &str, region: &str) -> Result<(), AwsError> {
    // Rule: the location constraint is required outside us-east-1, and forbidden inside. There, creating an owned
    // bucket again succeeds.
    // https://docs.aws.amazon.com/AmazonS3/latest/API/API_CreateBucket.html
    let location = (region != "us-east-1").then(|| {
        CreateBucketConfiguration::builder().location_constraint(BucketLocationConstraint::from(region)).build()
    });
    client
        .create_bucket()
        .bucket(bucket)
        .set_create_bucket_configuration(location)
        .send()
        .await
        .map_err(failed(S3Operation::CreateBucket))?;
    Ok(())
}

/// Waits until a new bucket can be used.
///
/// # Errors
/// [`wait::WaitError::Aws`] if access is denied, [`wait::WaitError::TimedOut`] after the deadline,
/// [`wait::WaitError::Cancelled`].
pub async fn wait_usable(
    client: &Client,
    bucket: &str,
    cancel: &CancellationToken,
    on_wait: &mut (dyn FnMut(Waiting) + Send),
) -> Result<(), wait::WaitError> {
    let what = format!("the bucket {bucket} becoming usable");
    wait::until(&what, &wait::BUCKET_USABLE, cancel, on_wait, || async {
        match head_bucket(client, bucket).await? {
            BucketPresence::Accessible => Ok(Poll::Ready(())),
            BucketPresence::Missing => Ok(Poll::Pending),
            BucketPresence::Denied => Err(AwsError::new(SERVICE, "HeadBucket", ErrorKind::Denied, {
                format!("access to the bucket {bucket} is denied")
            })),
        }
    })
    .await
}

/// Returns whether a bucket exists.
///
/// # Errors
/// When S3 cannot be reached or fails; a missing bucket and denied access are no errors.
pub async fn head_bucket(client: &Client, bucket: &str) -> Result<BucketPresence, AwsError> {
    match describe::bucket(client, bucket).await {
        Ok(Some(_)) => Ok(BucketPresence::Accessible),
        Ok(None) => Ok(BucketPresence::Missing),
        // The response to a HEAD has no body: only the status counts.
        Err(error) if error.kind == ErrorKind::Denied => Ok(BucketPresence::Denied),
        Err(error) => Err(error),
    }
}

/// Sets a bucket's tags, replacing all others.
///
/// # Errors
/// [`ErrorKind::NotFound`] without the bucket.
pub async fn put_bucket_tags(client: &Client, bucket: &str, tags: &Tags) -> Result<(), AwsError> {
    const OPERATION: S3Operation = S3Operation::PutBucketTagging;
    let mut tagging = Tagging::builder();
    for (key, value) in tags {
        let tag = Tag::builder().key(key).value(value).build();
        tagging = tagging.tag_set(tag.map_err(unbuildable(OPERATION.name()))?);
    }
    client
        .put_bucket_tagging()
        .bucket(bucket)
        .tagging(tagging.build().map_err(unbuildable(OPERATION.name()))?)
        .send()
        .await
        .map_err(failed(OPERATION))?;
    Ok(())
}

/// Returns a bucket's tags; empty without any.
///
/// # Errors
/// [`ErrorKind::NotFound`] without the bucket.
pub async fn bucket_tags(client: &Client, bucket: &str) -> Result<Tags, AwsError> {
    let answer = client.get_bucket_tagging().bucket(bucket).send().await.map_err(failed(S3Operation::GetBucketTagging));
    match answer {
        Ok(found) => Ok(tags::from_pairs(found.tag_set.into_iter().map(|tag| (tag.key, tag.value)))),
        // Rule: for a bucket without tags, the response is an error.
        // https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketTagging.html
        Err(error) if error.has_code("NoSuchTagSet") => Ok(Tags::new()),
        Err(error) => Err(error),
    }
}

/// Blocks all public access to a bucket.
///
/// # Errors
/// [`ErrorKind::NotFound`] without the bucket.
pub async fn block_public_access(client: &Client, bucket: &str) -> Result<(), AwsError> {
    client
        .put_public_access_block()
        .bucket(bucket)
        .public_access_block_configuration(
            PublicAccessBlockConfiguration::builder()
                .block_public_acls(true)
                .ignore_public_acls(true)
                .block_public_policy(true)
                .restrict_public_buckets(true)
                .build(),
        )
        .send()
        .await
        .map_err(failed(S3Operation::PutPublicAccessBlock))?;
    Ok(())
}

/// Encrypts a bucket's objects at rest with S3's own keys (SSE-S3).
///
/// # Errors
/// [`ErrorKind::NotFound`] without the bucket.
pub async fn encrypt_bucket(client: &Client, bucket: &str) -> Result<(), AwsError> {
    const OPERATION: S3Operation = S3Operation::PutBucketEncryption;
    let by_default = ServerSideEncryptionByDefault::builder()
        .sse_algorithm(ServerSideEncryption::Aes256)
        .build()
        .map_err(unbuildable(OPERATION.name()))?;
    let configuration = ServerSideEncryptionConfiguration::builder()
        .rules(ServerSideEncryptionRule::builder().apply_server_side_encryption_by_default(by_default).build())
        .build()
        .map_err(unbuildable(OPERATION.name()))?;
    client
        .put_bucket_encryption()
        .bucket(bucket)
        .server_side_encryption_configuration(configuration)
        .send()
        .await
        .map_err(failed(OPERATION))?;
    Ok(())
}

/// Sets a bucket's notification: each new object invokes a function.
///
/// The function's permission must exist: S3 validates it ([`destination_not_validated`]).
///
/// # Errors
/// [`ErrorKind::Invalid`] if S3 may not invoke the function ([`destination_not_validated`]), [`ErrorKind::NotFound`]
/// without the bucket.
pub async fn put_notification(client: &Client, bucket: &str, function_arn: &str) -> Result<(), AwsError> {
    const OPERATION: S3Operation = S3Operation::PutBucketNotificationConfiguration;
    let function = LambdaFunctionConfiguration::builder()
        .id("thumbnail")
        .lambda_function_arn(function_arn)
        .events(Event::from("s3:ObjectCreated:*"))
        .build()
        .map_err(unbuildable(OPERATION.name()))?;
    replace_notification(
        client,
        bucket,
        NotificationConfiguration::builder().lambda_function_configurations(function).build(),
    )
    .await
}

/// Removes all notifications of a bucket.
///
/// # Errors
/// When the call is denied; a missing bucket is no error.
pub async fn clear_notification(client: &Client, bucket: &str) -> Result<Deleted, AwsError> {
    let none = NotificationConfiguration::builder().build();
    error::deleted(replace_notification(client, bucket, none).await)
}

// Rule: a PUT replaces the whole configuration: nothing can be added or deleted separately.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketNotificationConfiguration.html
async fn replace_notification(
    client: &Client,
    bucket: &str,
    configuration: NotificationConfiguration,
) -> Result<(), AwsError> {
    client
        .put_bucket_notification_configuration()
        .bucket(bucket)
        .notification_configuration(configuration)
        .skip_destination_validation(false)
        .send()
        .await
        .map_err(failed(S3Operation::PutBucketNotificationConfiguration))?;
    Ok(())
}

/// Returns whether S3 rejected a notification because the function's policy does not (yet) allow the bucket's calls.
pub fn destination_not_validated(error: &AwsError) -> bool {
    error.service == SERVICE && error.message.contains("Unable to validate the following destination configurations")
}

/// Returns the caller's buckets of a region with a name prefix, with their tags.
///
/// # Errors
/// When a page or a bucket's tags are denied, or the listing has no end ([`ErrorKind::Oversized`]).
// Rule: S3 lists the buckets of all regions by default, and redirects calls about those of others.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListBuckets.html,
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/Redirects.html
pub async fn list_buckets(client: &Client, prefix: &str, region: &str) -> Result<Vec<Tagged>, AwsError> {
    let mut names = Vec::new();
    let mut pages = Pages::new(SERVICE, "ListBuckets");
    loop {
        // Without a page size all buckets come in one response, of any size.
        let page = client
            .list_buckets()
            .prefix(prefix)
            .bucket_region(region)
            .max_buckets(1000)
            .set_continuation_token(pages.token())
            .send()
            .await
            .map_err(failed(S3Operation::ListBuckets))?;
        // Not every endpoint filters.
        names.extend(
            page.buckets
                .unwrap_or_default()
                .into_iter()
                .filter(|bucket| bucket.bucket_region.as_deref().is_none_or(|of| of == region))
                .filter_map(|bucket| bucket.name)
                .filter(|name| name.starts_with(prefix)),
        );
        if !pages.continue_with(page.continuation_token)? {
            break;
        }
    }
    let mut found = Vec::with_capacity(names.len());
    for name in names {
        // A bucket deleted in between is skipped.
        if let Some(tags) = error::optional(bucket_tags(client, &name).await)? {
            found.push(Tagged { arn: format!("arn:aws:s3:::{name}"), name, tags });
        }
    }
    Ok(found)
}

/// Deletes a bucket, which must be empty.
///
/// # Errors
/// [`ErrorKind::Conflict`] (`BucketNotEmpty`) for a bucket with contents; a missing bucket is no error.
pub async fn delete_bucket(client: &Client, bucket: &str) -> Result<Deleted, AwsError> {
    error::deleted(client.delete_bucket().bucket(bucket).send().await.map_err(failed(S3Operation::DeleteBucket)))
}
