//! [`BucketResource`]: an S3 bucket.

use async_trait::async_trait;
use thumbctl_core::engine::{StepError, StepScope};
use tokio::sync::mpsc;

use super::console_page::{ConsolePages, part};
use super::inspection::InspectionBuilder;
use super::{Presence, ResourceContext, ResourceDefinition, ResourceDescriptor};
use crate::aws::s3::{self, Emptied, PublicAccessBlock};
use crate::aws::{AwsError, Deleted, ErrorKind, wait};
use crate::call::{awaited, call, delete};
use crate::deploy_target::DeployTarget;
use crate::run_context::RunContext;

/// The operations of a bucket's creation.
pub(super) const CREATION: &[&str] =
    &["s3:CreateBucket", "s3:PutBucketTagging", "s3:PutPublicAccessBlock", "s3:PutBucketEncryption"];

/// The operations of a bucket's deletion, and the reason for them.
pub(super) const DELETION: &[&str] = &[
    "s3:ListObjectVersions",
    "s3:ListMultipartUploads",
    "s3:DeleteObjects",
    "s3:AbortMultipartUpload",
    "s3:DeleteBucket",
];
pub(super) const EMPTY_FIRST: &str =
    "S3 deletes only empty buckets: objects, versions, markers and incomplete uploads first.";

/// A bucket.
#[derive(Debug)]
pub(super) struct BucketResource(pub(super) ResourceDescriptor);

#[async_trait]
impl ResourceDefinition for BucketResource {
    fn descriptor(&self) -> &ResourceDescriptor {
        &self.0
    }

    fn arn(&self, context: ResourceContext<'_>) -> Option<String> {
        Some(arn(&context.name(self.kind())))
    }

    fn console_page(&self, pages: &ConsolePages<'_>) -> String {
        bucket_page(pages, &pages.names.of(self.kind()), "objects")
    }

    async fn presence(&self, context: ResourceContext<'_>) -> Result<Presence, AwsError> {
        Ok(match s3::head_bucket(&context.target.clients.s3, &context.name(self.kind())).await? {
            s3::BucketPresence::Accessible => Presence::Exists,
            s3::BucketPresence::Missing => Presence::Missing,
            s3::BucketPresence::Denied => Presence::Unknown("access denied".to_owned()),
        })
    }

    async fn inspect(&self, context: ResourceContext<'_>) -> Result<Option<InspectionBuilder>, AwsError> {
        let (client, name) = (&context.target.clients.s3, &context.name(self.kind()));
        let Some(found) = s3::bucket(client, name).await? else { return Ok(None) };
        let (encryption, block, versioning, tags) = tokio::join!(
            s3::bucket_encryption(client, name),
            s3::public_access_block(client, name),
            s3::bucket_versioning(client, name),
            s3::bucket_tags(client, name),
        );
        let mut builder = InspectionBuilder::new(Some(arn(name)));
        builder.optional("region", found.region);
        if let Some(encryption) = builder.part("encryption", encryption)? {
            builder.row("encryption", encryption.map_or("none".to_owned(), describe_encryption));
        }
        if let Some(block) = builder.part("public access", block)? {
            builder.row("public access", describe_block(block));
        }
        if let Some(versioning) = builder.part("versioning", versioning)? {
            builder.row("versioning", versioning.map_or("off".to_owned(), |status| status.to_lowercase()));
        }
        builder.tags(tags)?;
        Ok(Some(builder))
    }

    async fn create(&self, run: &RunContext, scope: &StepScope) -> Result<Option<String>, StepError> {
        let (client, name, tags) = (&run.target.clients.s3, &run.name(self.kind()), &run.tags());
        call(scope, &[wait::CONFLICT], || async {
            match s3::create_bucket(client, name, &run.target.region).await {
                // Created by a process that ended before the response.
                Err(error) if error.kind == ErrorKind::AlreadyOwned => Ok(()),
                result => result,
            }
        })
        .await?;
        awaited(scope, |waits| async move {
            let mut on_wait = |waiting| drop(waits.send(waiting));
            s3::wait_usable(client, name, scope.cancel(), &mut on_wait).await
        })
        .await?;
        // A new bucket may not be visible to every call yet.
        let rules = [wait::CONFLICT, wait::NOT_YET_SEEN];
        call(scope, &rules, || s3::put_bucket_tags(client, name, tags)).await?;
        call(scope, &rules, || s3::block_public_access(client, name)).await?;
        call(scope, &rules, || s3::encrypt_bucket(client, name)).await?;
        Ok(Some(arn(name)))
    }

    async fn delete(&self, context: ResourceContext<'_>, scope: &StepScope) -> Result<Deleted, StepError> {
        clear_bucket(context.target, &context.name(self.kind()), AfterEmptying::Delete, scope).await
    }
}

/// The ARN of a bucket.
fn arn(name: &str) -> String {
    format!("arn:aws:s3:::{name}")
}

/// The page of a bucket, with one of its tabs.
pub(super) fn bucket_page(pages: &ConsolePages<'_>, bucket: &str, tab: &str) -> String {
    format!("{}/s3/buckets/{}?region={}&tab={tab}", pages.host, part(bucket), pages.region)
}

/// Deletes all objects of a bucket, and keeps it.
///
/// # Errors
/// When a call fails.
pub(crate) async fn empty_bucket(target: &DeployTarget, name: &str, scope: &StepScope) -> Result<Deleted, StepError> {
    clear_bucket(target, name, AfterEmptying::Keep, scope).await
}

/// What follows after a bucket is emptied.
#[derive(Clone, Copy, Debug)]
enum AfterEmptying {
    Keep,
    Delete,
}

async fn clear_bucket(
    target: &DeployTarget,
    bucket: &str,
    then: AfterEmptying,
    scope: &StepScope,
) -> Result<Deleted, StepError> {
    let client = &target.clients.s3;
    let (sender, mut counts) = mpsc::unbounded_channel::<Emptied>();
    let deletion = delete(scope, || {
        let sender = sender.clone();
        async move {
            let mut progress = move |emptied| {
                // The receiver outlives the deletion.
                let _ = sender.send(emptied);
            };
            match then {
                AfterEmptying::Delete => s3::empty_and_delete_bucket(client, bucket, &mut progress).await,
                AfterEmptying::Keep => s3::empty_bucket(client, bucket, &mut progress)
                    .await
                    .map(|emptied| if emptied == Emptied::default() { Deleted::AlreadyGone } else { Deleted::Now }),
            }
        }
    });
    let mut deletion = std::pin::pin!(deletion);
    loop {
        tokio::select! {
            biased;
            Some(count) = counts.recv() => {
                scope.progress(format!("{} objects deleted", count.objects), Some(count.objects), None).await?;
            }
            deleted = &mut deletion => return deleted,
        }
    }
}

fn describe_encryption(encryption: s3::Encryption) -> String {
    match encryption.key {
        Some(key) => format!("{} with {key}", encryption.algorithm),
        None => encryption.algorithm,
    }
}

fn describe_block(block: Option<PublicAccessBlock>) -> String {
    let Some(block) = block else { return "not blocked".to_owned() };
    let settings = [
        ("new ACLs", block.block_acls),
        ("ACLs", block.ignore_acls),
        ("new policies", block.block_policy),
        ("policies", block.restrict),
    ];
    let open: Vec<&str> = settings.iter().filter(|(_, blocked)| !blocked).map(|(setting, _)| *setting).collect();
    match open.len() {
        0 => "blocked".to_owned(),
        4 => "not blocked".to_owned(),
        _ => format!("blocked, except {}", open.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unblocked_public_access_is_named() {
        let block = |block_acls, ignore_acls, block_policy, restrict| {
            describe_block(Some(PublicAccessBlock { block_acls, ignore_acls, block_policy, restrict }))
        };
        assert_eq!(block(true, true, true, true), "blocked");
        assert_eq!(block(true, false, true, false), "blocked, except ACLs, policies");
        assert_eq!(block(false, false, false, false), "not blocked");
        assert_eq!(describe_block(None), "not blocked");
    }
}
