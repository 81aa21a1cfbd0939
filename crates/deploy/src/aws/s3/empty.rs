//! Emptying a bucket: versions, delete markers and incomplete uploads, a page at a time.

use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};

use aws_sdk_s3::Client;
use aws_sdk_s3::types::{Delete, ObjectIdentifier};

use super::{SERVICE, delete_bucket, failed, unbuildable};
use crate::aws::error::{self, AwsError, Deleted, ErrorKind};
use crate::aws::operation::S3Operation;
use crate::aws::pages::Pages;

/// What has been deleted from a bucket so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Emptied {
    /// Objects, older versions and delete markers.
    pub objects: u64,
    /// Incomplete multipart uploads.
    pub uploads: u64,
}

/// How many times a bucket is emptied while it is still written to.
const ROUNDS: usize = 5;

/// Deletes everything in a bucket. A missing bucket is empty.
///
/// The caller removes its notification first. `progress` gets the counts after each page. Keys that
/// S3 does not delete do not end it: the others are deleted, and the failed ones are the error.
///
/// # Errors
/// The first key's error and the number of others, when S3 does not delete some; when a listing is denied.
pub async fn empty_bucket(
    client: &Client,
    bucket: &str,
    progress: &mut (dyn FnMut(Emptied) + Send),
) -> Result<Emptied, AwsError> {
    let mut emptied = Emptied::default();
    let work = async {
        let undeleted = loop {
            let before = emptied.objects;
            let undeleted = delete_versions(client, bucket, &mut emptied, progress).await?;
            // Failed keys are retried as long as their number falls: S3 fails single keys temporarily, too
            // (`InternalError`, `SlowDown`).
            if undeleted.count == 0 || emptied.objects == before {
                break undeleted;
            }
        };
        abort_uploads(client, bucket, &mut emptied, progress).await?;
        Ok(undeleted)
    };
    let undeleted = error::optional(work.await)?;
    match undeleted.and_then(FailedDeletions::into_error) {
        Some(error) => Err(error),
        None => Ok(emptied),
    }
}

/// Empties and deletes a bucket, repeatedly if it is written to in between (by a late invocation).
///
/// # Errors
/// As [`empty_bucket`]; [`ErrorKind::Conflict`] (`BucketNotEmpty`) if it is still written to after five rounds.
pub async fn empty_and_delete_bucket(
    client: &Client,
    bucket: &str,
    progress: &mut (dyn FnMut(Emptied) + Send),
) -> Result<Deleted, AwsError> {
    for _ in 1..ROUNDS {
        empty_bucket(client, bucket, progress).await?;
        match delete_bucket(client, bucket).await {
            Err(error) if error.has_code("BucketNotEmpty") => {}
            answer => return answer,
        }
    }
    empty_bucket(client, bucket, progress).await?;
    delete_bucket(client, bucket).await
}

/// Empties the bucket once, and returns the failed deletions.
async fn delete_versions(
    client: &Client,
    bucket: &str,
    emptied: &mut Emptied,
    progress: &mut (dyn FnMut(Emptied) + Send),
) -> Result<FailedDeletions, AwsError> {
    let mut undeleted = FailedDeletions::default();
    let (mut key_marker, mut version_marker) = (None, None);
    // Of the keys only hashes are kept: a collision skips a key, which the next round deletes.
    let hashes = RandomState::new();
    let (mut first_keys, mut onwards) = (HashSet::new(), false);
    let mut pages = Pages::page_by_page(SERVICE, "ListObjectVersions");
    loop {
        // A bucket without versions lists its objects here too, as the version `null`.
        let page = client
            .list_object_versions()
            .bucket(bucket)
            .set_key_marker(key_marker.take())
            .set_version_id_marker(version_marker.take())
            .send()
            .await
            .map_err(failed(S3Operation::ListObjectVersions))?;
        let versions = page.versions.unwrap_or_default().into_iter().map(|version| (version.key, version.version_id));
        let markers = page.delete_markers.unwrap_or_default().into_iter().map(|marker| (marker.key, marker.version_id));
        let mut keys = Vec::new();
        for (key, version) in versions.chain(markers) {
            let key = ObjectIdentifier::builder()
                .set_key(key)
                .set_version_id(version)
                .build()
                .map_err(unbuildable("DeleteObjects"))?;
            keys.push(key);
        }
        let first = keys.first().map(|first| hashes.hash_one((&first.key, &first.version_id)));
        // Rule: DeleteObjects takes 1,000 keys at most, and rejects an empty list.
        // https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObjects.html
        for chunk in keys.chunks(1000) {
            delete_keys(client, bucket, chunk.to_vec(), emptied, &mut undeleted).await?;
            progress(*emptied);
        }
        if !page.is_truncated.unwrap_or_default() {
            return Ok(undeleted);
        }
        // Deleted objects are not listed again, so the next page is the first one: a marker would name a deleted
        // key. Once a key remains, the listing continues after it.
        onwards |= undeleted.count > 0 || !first_keys.insert(first);
        if onwards {
            let next = (page.next_key_marker, page.next_version_id_marker);
            if next.0.is_none() {
                return Ok(undeleted);
            }
            pages.visit(format!("{next:?}"))?;
            (key_marker, version_marker) = next;
        }
    }
}

async fn delete_keys(
    client: &Client,
    bucket: &str,
    keys: Vec<ObjectIdentifier>,
    emptied: &mut Emptied,
    undeleted: &mut FailedDeletions,
) -> Result<(), AwsError> {
    const OPERATION: S3Operation = S3Operation::DeleteObjects;
    let requested = keys.len() as u64;
    let delete = Delete::builder()
        .set_objects(Some(keys))
        // Quiet: the response lists only failed keys.
        .quiet(true)
        .build()
        .map_err(unbuildable(OPERATION.name()))?;
    let answer = client.delete_objects().bucket(bucket).delete(delete).send().await.map_err(failed(OPERATION))?;
    // Rule: the response is a success even if every key failed: each has its own error.
    // https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObjects.html
    let errors = answer.errors.unwrap_or_default();
    emptied.objects += requested.saturating_sub(errors.len() as u64);
    for error in errors {
        undeleted.add(error.key.unwrap_or_default(), error.code.unwrap_or_default(), error.message.unwrap_or_default());
    }
    Ok(())
}

async fn abort_uploads(
    client: &Client,
    bucket: &str,
    emptied: &mut Emptied,
    progress: &mut (dyn FnMut(Emptied) + Send),
) -> Result<(), AwsError> {
    let (mut key_marker, mut upload_marker) = (None, None);
    let mut pages = Pages::page_by_page(SERVICE, "ListMultipartUploads");
    loop {
        let page = client
            .list_multipart_uploads()
            .bucket(bucket)
            .set_key_marker(key_marker)
            .set_upload_id_marker(upload_marker)
            .send()
            .await
            .map_err(failed(S3Operation::ListMultipartUploads))?;
        let uploads = page.uploads.unwrap_or_default();
        for upload in &uploads {
            let aborted = client
                .abort_multipart_upload()
                .bucket(bucket)
                .set_key(upload.key.clone())
                .set_upload_id(upload.upload_id.clone())
                .send()
                .await
                .map_err(failed(S3Operation::AbortMultipartUpload));
            // An upload that ended in between is fine.
            error::deleted(aborted)?;
            emptied.uploads += 1;
        }
        if !uploads.is_empty() {
            progress(*emptied);
        }
        if !page.is_truncated.unwrap_or_default() {
            return Ok(());
        }
        let next = (page.next_key_marker, page.next_upload_id_marker);
        if next.0.is_none() {
            return Ok(());
        }
        pages.visit(format!("{next:?}"))?;
        (key_marker, upload_marker) = next;
    }
}

/// The keys that S3 did not delete: their number, and the first few with S3's message.
#[derive(Debug, Default)]
struct FailedDeletions {
    count: u64,
    code: String,
    examples: Vec<String>,
}

impl FailedDeletions {
    const EXAMPLES: usize = 3;

    fn add(&mut self, key: String, code: String, message: String) {
        self.count += 1;
        if self.examples.len() < Self::EXAMPLES {
            self.examples.push(format!("{key} ({code}: {message})"));
        }
        if self.code.is_empty() {
            self.code = code;
        }
    }

    fn into_error(self) -> Option<AwsError> {
        if self.count == 0 {
            return None;
        }
        let more = if self.count > self.examples.len() as u64 { ", …" } else { "" };
        let objects = if self.count == 1 { "object" } else { "objects" };
        let message = format!("{} {objects} could not be deleted: {}{more}", self.count, self.examples.join(", "));
        let kind = match error::classify(Some(&self.code), 0, "") {
            // The bucket exists: this must not count as already deleted.
            ErrorKind::NotFound => ErrorKind::Other,
            kind => kind,
        };
        Some(AwsError::new(SERVICE, "DeleteObjects", kind, message))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn undeleted_keys_are_counted_and_the_first_are_named() {
        let mut undeleted = FailedDeletions::default();
        for key in ["a", "b", "c", "d"] {
            undeleted.add(key.into(), "AccessDenied".into(), "Access Denied".into());
        }
        let error = undeleted.into_error().unwrap();
        assert_eq!(error.kind, ErrorKind::Denied);
        assert_eq!(
            error.to_string(),
            "S3 DeleteObjects failed: 4 objects could not be deleted: a (AccessDenied: Access Denied), \
             b (AccessDenied: Access Denied), c (AccessDenied: Access Denied), …"
        );
    }

    #[test]
    fn no_undeleted_key_is_no_error() {
        assert!(FailedDeletions::default().into_error().is_none());
    }
}
