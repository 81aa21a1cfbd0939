//! Objects: uploads and downloads, streamed from and to files.

use std::path::Path;
use std::time::Duration;

use aws_sdk_s3::Client;
use aws_sdk_s3::operation::get_object::GetObjectOutput;
use aws_sdk_s3::primitives::ByteStream;
use tokio::io::AsyncWriteExt;

use super::{SERVICE, failed};
use crate::aws::MAX_RESPONSE;
use crate::aws::error::{self, AwsError, ErrorKind};
use crate::aws::operation::S3Operation;

/// The maximum size of a download into a file, in bytes: that of the sandbox's objects.
pub(super) const MAX_DOWNLOAD: u64 = 256 * 1024 * 1024;

/// The timeout of a download. A stalled one is ended by the SDK before.
const DOWNLOAD_DEADLINE: Duration = Duration::from_secs(3600);

/// The metadata of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Object {
    /// Its key.
    pub key: String,
    /// Its size in bytes.
    pub size: u64,
    /// Its content type, if a single object was requested.
    pub content_type: Option<String>,
    /// When it was written, in milliseconds since 1970.
    pub modified_ms: Option<i64>,
}

/// Uploads a file, streamed, without holding it in memory. S3 takes at most 5 GB this way.
///
/// # Errors
/// [`ErrorKind::File`] if the file cannot be read, [`ErrorKind::NotFound`] without the bucket.
pub async fn put_object_from_file(
    client: &Client,
    bucket: &str,
    key: &str,
    file: &Path,
    content_type: &str,
) -> Result<(), AwsError> {
    const OPERATION: S3Operation = S3Operation::PutObject;
    let body = ByteStream::read_from()
        .path(file)
        .build()
        .await
        .map_err(|error| AwsError::file(SERVICE, OPERATION.name(), file, std::io::Error::other(error)))?;
    put(client, bucket, key, body, content_type).await
}

/// Uploads bytes from memory.
///
/// # Errors
/// [`ErrorKind::NotFound`] without the bucket.
pub async fn put_object_bytes(
    client: &Client,
    bucket: &str,
    key: &str,
    bytes: impl Into<bytes::Bytes>,
    content_type: &str,
) -> Result<(), AwsError> {
    let body = ByteStream::from(bytes.into());
    put(client, bucket, key, body, content_type).await
}

async fn put(client: &Client, bucket: &str, key: &str, body: ByteStream, content_type: &str) -> Result<(), AwsError> {
    client
        .put_object()
        .bucket(bucket)
        .key(key)
        .content_type(content_type)
        .body(body)
        .send()
        .await
        .map_err(failed(S3Operation::PutObject))?;
    Ok(())
}

/// Downloads an object of at most [`MAX_DOWNLOAD`] bytes into a file, streamed, and returns its size. The file appears
/// when it is complete.
///
/// # Errors
/// [`ErrorKind::NotFound`] without the object, [`ErrorKind::Oversized`] for a larger one, [`ErrorKind::File`] if the file
/// cannot be written, [`ErrorKind::Network`] and [`ErrorKind::Timeout`] for an incomplete download.
pub async fn get_object_to_file(client: &Client, bucket: &str, key: &str, file: &Path) -> Result<u64, AwsError> {
    let mut answer = get(client, bucket, key).await?;
    let announced = answer.content_length.and_then(|length| u64::try_from(length).ok());
    if announced.is_some_and(|length| length > MAX_DOWNLOAD) {
        return Err(too_large(MAX_DOWNLOAD));
    }
    let mut name = file.file_name().unwrap_or_default().to_owned();
    name.push(".part");
    let part = file.with_file_name(name);
    let written = tokio::time::timeout(DOWNLOAD_DEADLINE, write_body(&mut answer.body, &part));
    let written = written.await.unwrap_or_else(|_| {
        Err(AwsError::new(SERVICE, "GetObject", ErrorKind::Timeout, "the object did not arrive within an hour"))
    });
    let renamed = match written {
        Ok(size) => tokio::fs::rename(&part, file)
            .await
            .map(|()| size)
            .map_err(|error| AwsError::file(SERVICE, "GetObject", file, error)),
        Err(error) => Err(error),
    };
    if renamed.is_err() {
        // The partial file is useless; the first error is the one to report.
        let _ = tokio::fs::remove_file(&part).await;
    }
    renamed
}

async fn write_body(body: &mut ByteStream, file: &Path) -> Result<u64, AwsError> {
    const OPERATION: S3Operation = S3Operation::GetObject;
    let unwritable = |error| AwsError::file(SERVICE, OPERATION.name(), file, error);
    let mut output = tokio::fs::File::create(file).await.map_err(unwritable)?;
    let mut size = 0;
    while let Some(chunk) = body.next().await {
        let chunk = chunk.map_err(interrupted)?;
        size += chunk.len() as u64;
        if size > MAX_DOWNLOAD {
            return Err(too_large(MAX_DOWNLOAD));
        }
        output.write_all(&chunk).await.map_err(unwritable)?;
    }
    output.flush().await.map_err(unwritable)?;
    Ok(size)
}

fn interrupted(error: aws_sdk_s3::primitives::ByteStreamError) -> AwsError {
    AwsError {
        source: Some(Box::new(error)),
        ..AwsError::new(SERVICE, "GetObject", ErrorKind::Network, "the download was interrupted")
    }
}

fn too_large(limit: u64) -> AwsError {
    let message = format!("the object is larger than {} MB", limit / (1024 * 1024));
    AwsError::new(SERVICE, "GetObject", ErrorKind::Oversized, message)
}

/// Downloads an object into memory: a small one, of at most [`MAX_RESPONSE`] bytes.
///
/// # Errors
/// [`ErrorKind::NotFound`] without the object, [`ErrorKind::Oversized`] for a larger one.
pub async fn get_object_bytes(client: &Client, bucket: &str, key: &str) -> Result<bytes::Bytes, AwsError> {
    let mut body = get(client, bucket, key).await?.body;
    let mut bytes = Vec::new();
    while let Some(chunk) = body.next().await {
        let chunk = chunk.map_err(interrupted)?;
        if bytes.len() + chunk.len() > MAX_RESPONSE {
            return Err(too_large(MAX_RESPONSE as u64));
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes.into())
}

async fn get(client: &Client, bucket: &str, key: &str) -> Result<GetObjectOutput, AwsError> {
    client.get_object().bucket(bucket).key(key).send().await.map_err(failed(S3Operation::GetObject))
}

/// Returns an object's metadata; `None` if it does not exist.
///
/// # Errors
/// When the call is denied; a missing object or bucket is no error.
pub async fn head_object(client: &Client, bucket: &str, key: &str) -> Result<Option<Object>, AwsError> {
    let answer = client.head_object().bucket(bucket).key(key).send().await.map_err(failed(S3Operation::HeadObject));
    Ok(error::optional(answer)?.map(|found| Object {
        key: key.to_owned(),
        size: u64::try_from(found.content_length.unwrap_or_default()).unwrap_or_default(),
        modified_ms: found.last_modified.and_then(|at| at.to_millis().ok()),
        content_type: found.content_type,
    }))
}

/// Returns the first objects, at most 1,000, with a key prefix.
///
/// # Errors
/// [`ErrorKind::NotFound`] without the bucket.
pub async fn list_objects(client: &Client, bucket: &str, prefix: &str) -> Result<Vec<Object>, AwsError> {
    let page = client
        .list_objects_v2()
        .bucket(bucket)
        .prefix(prefix)
        .send()
        .await
        .map_err(failed(S3Operation::ListObjectsV2))?;
    Ok(page
        .contents
        .unwrap_or_default()
        .into_iter()
        .filter_map(|object| {
            Some(Object {
                key: object.key?,
                size: u64::try_from(object.size.unwrap_or_default()).unwrap_or_default(),
                content_type: None,
                modified_ms: object.last_modified.and_then(|at| at.to_millis().ok()),
            })
        })
        .collect())
}
