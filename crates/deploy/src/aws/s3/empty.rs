//! Emptying a bucket: every version, every delete marker, every unfinished upload, a page at a time.

use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};

use aws_sdk_s3::Client;
use aws_sdk_s3::types::{Delete, ObjectIdentifier};

use super::{SERVICE, delete_bucket, failed, unbuildable};
use crate::aws::error::{self, AwsError, Deleted, ErrorKind};
use crate::aws::operation::S3Operation;
use crate::aws::pages::Pages;

/// What has been taken out of a bucket so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Emptied {
    /// Objects, older versions and delete markers.
    pub objects: u64,
    /// Multipart uploads that were never finished.
    pub uploads: u64,
}

/// How often a bucket that is not empty after all is emptied again, before it is given up.
const ROUNDS: usize = 5;

/// Takes everything out of a bucket. A bucket that is not there is empty.
///
/// Its notification comes off before: that is the caller's. `progress` is told the counts after each page. Keys that
/// S3 refuses to delete do not end it: the others are deleted, and the refused ones are the error.
pub async fn empty_bucket(
    client: &Client,
    bucket: &str,
    progress: &mut (dyn FnMut(Emptied) + Send),
) -> Result<Emptied, AwsError> {
    let mut emptied = Emptied::default();
    let work = async {
        let refused = loop {
            let before = emptied.objects;
            let refused = delete_versions(client, bucket, &mut emptied, progress).await?;
            // What was refused is asked for again as long as that gets on: S3 refuses single keys in passing, too
            // (`InternalError`, `SlowDown`).
            if refused.count == 0 || emptied.objects == before {
                break refused;
            }
        };
        abort_uploads(client, bucket, &mut emptied, progress).await?;
        Ok(refused)
    };
    let refused = error::optional(work.await)?;
    match refused.and_then(Refused::into_error) {
        Some(error) => Err(error),
        None => Ok(emptied),
    }
}

/// Empties and deletes a bucket, again if something was written to it in between (an invocation that came late).
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

/// Goes through the bucket once, and answers what S3 would not delete.
async fn delete_versions(
    client: &Client,
    bucket: &str,
    emptied: &mut Emptied,
    progress: &mut (dyn FnMut(Emptied) + Send),
) -> Result<Refused, AwsError> {
    let mut refused = Refused::default();
    let (mut key_marker, mut version_marker) = (None, None);
    // Of the keys only hashes are kept: two that are taken for the same lead on too early, and the next round comes back.
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
        // Rule: DeleteObjects takes 1,000 keys at most, and refuses none at all.
        for chunk in keys.chunks(1000) {
            delete_keys(client, bucket, chunk.to_vec(), emptied, &mut refused).await?;
            progress(*emptied);
        }
        if !page.is_truncated.unwrap_or_default() {
            return Ok(refused);
        }
        // What was deleted is not listed again, so the next page is the first one: a marker would name a key that has
        // gone. Once something stays, the way leads on behind it.
        onwards |= refused.count > 0 || !first_keys.insert(first);
        if onwards {
            let next = (page.next_key_marker, page.next_version_id_marker);
            if next.0.is_none() {
                return Ok(refused);
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
    refused: &mut Refused,
) -> Result<(), AwsError> {
    const OPERATION: S3Operation = S3Operation::DeleteObjects;
    let asked = keys.len() as u64;
    let delete = Delete::builder()
        .set_objects(Some(keys))
        // Quiet: only the keys that were refused are answered.
        .quiet(true)
        .build()
        .map_err(unbuildable(OPERATION.name()))?;
    let answer = client.delete_objects().bucket(bucket).delete(delete).send().await.map_err(failed(OPERATION))?;
    // Rule: the answer is a success even if every key was refused: each has its own error.
    let errors = answer.errors.unwrap_or_default();
    emptied.objects += asked.saturating_sub(errors.len() as u64);
    for error in errors {
        refused.add(error.key.unwrap_or_default(), error.code.unwrap_or_default(), error.message.unwrap_or_default());
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
            // Gone in between is as good.
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

/// The keys that S3 would not delete: how many, and the first few with what S3 said.
#[derive(Debug, Default)]
struct Refused {
    count: u64,
    code: String,
    examples: Vec<String>,
}

impl Refused {
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
            // The bucket is there: this must not pass for "already gone".
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
    fn refused_keys_are_counted_and_the_first_are_named() {
        let mut refused = Refused::default();
        for key in ["a", "b", "c", "d"] {
            refused.add(key.into(), "AccessDenied".into(), "Access Denied".into());
        }
        let error = refused.into_error().unwrap();
        assert_eq!(error.kind, ErrorKind::Denied);
        assert_eq!(
            error.to_string(),
            "S3 DeleteObjects failed: 4 objects could not be deleted: a (AccessDenied: Access Denied), \
             b (AccessDenied: Access Denied), c (AccessDenied: Access Denied), …"
        );
    }

    #[test]
    fn nothing_refused_is_no_error() {
        assert!(Refused::default().into_error().is_none());
    }
}
