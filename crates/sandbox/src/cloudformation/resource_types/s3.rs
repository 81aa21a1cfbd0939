//! Buckets and their policies.

use async_trait::async_trait;
use http::Method;
use serde_json::Value;

use super::bucket_settings as settings;
use super::call::Failure;
use super::shape::{self, created, document, text};
use super::{Created, HandlerContext, HandlerError, Provider};
use crate::latency::LatencySpan;

const UNSUPPORTED: [&str; 17] = [
    "AbacStatus",
    "AccelerateConfiguration",
    "AccessControl",
    "AnalyticsConfigurations",
    "BucketNamePrefix",
    "BucketNamespace",
    "CorsConfiguration",
    "IntelligentTieringConfigurations",
    "InventoryConfigurations",
    "LoggingConfiguration",
    "MetadataConfiguration",
    "MetadataTableConfiguration",
    "MetricsConfigurations",
    "ObjectLockConfiguration",
    "ObjectLockEnabled",
    "ReplicationConfiguration",
    "WebsiteConfiguration",
];

/// `AWS::S3::Bucket`.
pub(super) struct Bucket;

/// `AWS::S3::BucketPolicy`.
pub(super) struct BucketPolicy;

/// Converts a property to S3's document.
type Writer = fn(&Value) -> String;

/// The settings in the order of their calls: the notification last, since S3 checks the function.
const SETTINGS: [(&str, &str, Writer); 6] = [
    ("PublicAccessBlockConfiguration", "?publicAccessBlock", settings::public_access_block),
    ("OwnershipControls", "?ownershipControls", settings::ownership_controls),
    ("BucketEncryption", "?encryption", settings::encryption),
    ("VersioningConfiguration", "?versioning", settings::versioning),
    ("LifecycleConfiguration", "?lifecycle", settings::lifecycle),
    ("NotificationConfiguration", "?notification", settings::notification),
];

/// Rejects unsupported properties.
fn reject_unsupported(properties: &Value) -> Result<(), Failure> {
    shape::reject_unsupported("AWS::S3::Bucket", properties, &UNSUPPORTED)?;
    shape::reject_unsupported(
        "AWS::S3::Bucket's NotificationConfiguration",
        &properties["NotificationConfiguration"],
        &["EventBridgeConfiguration", "QueueConfigurations", "TopicConfigurations"],
    )
}

async fn configure(context: &HandlerContext<'_>, bucket: &str, before: &Value, after: &Value) -> Result<(), Failure> {
    for (property, query, write) in SETTINGS {
        let (old, new) = (&before[property], &after[property]);
        if old == new {
            continue;
        }
        match (new.is_null(), property) {
            // A notification is removed by an empty one, and versioning can only be suspended.
            (true, "NotificationConfiguration") => {
                context.call_s3(Method::PUT, bucket, query, write(&Value::Null)).await?;
            }
            (true, "VersioningConfiguration") => {
                let suspended = serde_json::json!({ "Status": "Suspended" });
                context.call_s3(Method::PUT, bucket, query, write(&suspended)).await?;
            }
            (true, _) => {
                context.call_s3(Method::DELETE, bucket, query, String::new()).await?;
            }
            (false, _) => {
                context.call_s3(Method::PUT, bucket, query, write(new)).await?;
            }
        }
    }
    Ok(())
}

#[async_trait]
impl Provider for Bucket {
    fn physical_id(&self, context: &HandlerContext<'_>, properties: &Value) -> String {
        text(&properties["BucketName"]).unwrap_or_else(|| shape::name(context, &Value::Null, 63).to_lowercase())
    }

    async fn exists(&self, context: &HandlerContext<'_>, physical_id: &str, _: &Value) -> bool {
        context.s3.has_bucket(physical_id)
    }

    async fn create(&self, context: &HandlerContext<'_>, properties: &Value) -> Result<Created, HandlerError> {
        reject_unsupported(properties)?;
        let name = self.physical_id(context, properties);
        // In us-east-1 creating an existing bucket succeeds: check first.
        if context.s3.has_bucket(&name) {
            return Err(Failure::there_already("s3", format!("{name} already exists")).into());
        }
        context.call_s3(Method::PUT, &name, "", settings::location(context.region)).await?;
        let arn = format!("arn:aws:s3:::{name}");
        let region = context.region;
        let created = created(
            name.clone(),
            [
                ("Arn", arn.into()),
                ("DomainName", format!("{name}.s3.amazonaws.com").into()),
                ("DualStackDomainName", format!("{name}.s3.dualstack.{region}.amazonaws.com").into()),
                ("RegionalDomainName", format!("{name}.s3.{region}.amazonaws.com").into()),
                ("WebsiteURL", format!("http://{name}.s3-website-{region}.amazonaws.com").into()),
            ],
        );
        let configured = async {
            context.tag_bucket(&name, &shape::tags(context, &properties["Tags"])).await?;
            configure(context, &name, &Value::Null, properties).await
        };
        self.finish_creation(context, created, properties, configured.await).await
    }

    fn stabilisation(&self) -> LatencySpan {
        LatencySpan::StackBucket
    }

    async fn update(
        &self,
        context: &HandlerContext<'_>,
        created: &Created,
        before: &Value,
        after: &Value,
    ) -> Result<Created, HandlerError> {
        reject_unsupported(after)?;
        context.tag_bucket(&created.physical_id, &shape::tags(context, &after["Tags"])).await?;
        configure(context, &created.physical_id, before, after).await?;
        Ok(created.clone())
    }

    async fn delete(&self, context: &HandlerContext<'_>, created: &Created, _: &Value) -> Result<(), HandlerError> {
        let answer = context.call_s3(Method::DELETE, &created.physical_id, "", String::new()).await;
        Ok(shape::unless_missing(answer)?)
    }
}

async fn put_policy(context: &HandlerContext<'_>, properties: &Value) -> Result<String, HandlerError> {
    let bucket = text(&properties["Bucket"]).unwrap_or_default();
    context.call_s3(Method::PUT, &bucket, "?policy", document(&properties["PolicyDocument"])).await?;
    Ok(bucket)
}

#[async_trait]
impl Provider for BucketPolicy {
    fn physical_id(&self, _: &HandlerContext<'_>, properties: &Value) -> String {
        text(&properties["Bucket"]).unwrap_or_default()
    }

    async fn exists(&self, context: &HandlerContext<'_>, physical_id: &str, _: &Value) -> bool {
        context.s3.policy(physical_id).is_some()
    }

    async fn create(&self, context: &HandlerContext<'_>, properties: &Value) -> Result<Created, HandlerError> {
        let bucket = self.physical_id(context, properties);
        if context.s3.policy(&bucket).is_some() {
            let message = format!("The bucket policy already exists on bucket {bucket}.");
            return Err(Failure::there_already("s3", message).into());
        }
        Ok(created(put_policy(context, properties).await?, []))
    }

    async fn update(
        &self,
        context: &HandlerContext<'_>,
        created: &Created,
        _: &Value,
        after: &Value,
    ) -> Result<Created, HandlerError> {
        put_policy(context, after).await?;
        Ok(created.clone())
    }

    async fn delete(&self, context: &HandlerContext<'_>, created: &Created, _: &Value) -> Result<(), HandlerError> {
        let answer = context.call_s3(Method::DELETE, &created.physical_id, "?policy", String::new()).await;
        Ok(shape::unless_missing(answer)?)
    }
}
