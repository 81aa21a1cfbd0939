//! CopyObject and UploadPartCopy.

use percent_encoding::percent_decode_str;

use super::checksum;
use super::content::{Content, ContentWriter, md5_of};
use super::index::{Change, Part, Version};
use super::write::{check_write_conditions, kept_headers, store, tags_in_header};
use super::xml::Xml;
use super::{Call, S3, S3Error, S3Result, find, iso_time, now, set_header, xml};

impl S3 {
    pub(super) async fn copy_object(&self, call: &mut Call) -> S3Result {
        let (bucket, key, id) = source(call)?;
        let from = self.with_bucket(&bucket, |bucket| Ok(find(bucket, &key, id.as_deref())?.clone()))?;
        check_conditions(call, &from)?;
        let new_headers = call.header("x-amz-metadata-directive") == Some("REPLACE");
        let new_tags = call.header("x-amz-tagging-directive") == Some("REPLACE");
        if bucket == call.target.bucket && key == call.target.key && id.is_none() && !new_headers {
            return Err(S3Error::new(
                400,
                "InvalidRequest",
                "This copy request is illegal because it is trying to copy an object to itself without changing the object's metadata, storage class, website redirect location or encryption attributes.",
            ));
        }
        let version = Version {
            headers: if new_headers { kept_headers(&call.parts)? } else { from.headers.clone() },
            tags: if new_tags { tags_in_header(call)? } else { from.tags.clone() },
            ..from.clone()
        };
        // The ETag of a copy is the MD5 of its content, also if the source was a multipart upload.
        let version = match version.parts {
            None => version,
            Some(_) => {
                let file = tokio::fs::File::open(self.services.blobs().path(&version.blob)).await?;
                let etag = md5_of(file).await?;
                // A composite checksum does not apply to the copy.
                let checksum = version.checksum.filter(|(_, value)| checksum::kind(value) == "FULL_OBJECT");
                Version { etag, parts: None, part_sizes: Vec::new(), checksum, ..version }
            }
        };
        let stored = self.with(call, |bucket| {
            check_write_conditions(call, bucket)?;
            store(bucket, &call.target.key, version)
        })?;
        self.notify(call, "ObjectCreated:Copy", &stored);
        let headers = self.stored_response(call, &stored);
        let mut document = Xml::document("CopyObjectResult");
        document.text("LastModified", iso_time(stored.modified)).text("ETag", format!("\"{}\"", stored.etag));
        let mut response = xml(document.end("CopyObjectResult"));
        for (name, value) in headers.headers() {
            if name != "etag" {
                response.headers_mut().insert(name, value.clone());
            }
        }
        if id.is_some() {
            set_header(&mut response, "x-amz-copy-source-version-id", &from.id);
        }
        Ok(response)
    }

    pub(super) async fn copy_part(&self, call: &mut Call) -> S3Result {
        let (upload_id, number) = super::multipart::part_of(call)?;
        let (bucket, key, id) = source(call)?;
        let from = self.with_bucket(&bucket, |bucket| Ok(find(bucket, &key, id.as_deref())?.clone()))?;
        check_conditions(call, &from)?;
        let (start, length) = match call.header("x-amz-copy-source-range") {
            None => (0, from.size),
            Some(range) => range
                .strip_prefix("bytes=")
                .and_then(|range| range.split_once('-'))
                .and_then(|(first, last)| Some((first.parse::<u64>().ok()?, last.parse::<u64>().ok()?)))
                .filter(|(first, last)| first <= last && *last < from.size)
                .map(|(first, last)| (first, last - first + 1))
                .ok_or_else(|| S3Error::invalid_argument("The x-amz-copy-source-range value must be of the form bytes=first-last where first and last are the zero-based offsets of the first and last bytes to copy"))?,
        };
        let mut writer = ContentWriter::new(self.services.blobs()).await?;
        self.append_blob(&mut writer, &from.blob, start, length, None).await?;
        let Content { sha256, md5, size } = writer.finish().await?;
        let part = Part { blob: sha256, size, etag: md5, modified: now(), checksum: None };
        let mut document = Xml::document("CopyPartResult");
        document.text("LastModified", iso_time(part.modified)).text("ETag", format!("\"{}\"", part.etag));
        self.with(call, |bucket| {
            if !bucket.uploads.contains_key(&upload_id) {
                return Err(S3Error::no_such_upload(&upload_id));
            }
            bucket.change(Change::AddPart { id: upload_id, number, part: Box::new(part) })?;
            Ok(xml(document.end("CopyPartResult")))
        })
    }
}

/// Bucket, key and version in `x-amz-copy-source`.
fn source(call: &Call) -> S3Result<(String, String, Option<String>)> {
    let wrong =
        || S3Error::invalid_argument("Copy Source must mention the source bucket and key: sourcebucket/sourcekey");
    let header = call.header("x-amz-copy-source").ok_or_else(wrong)?;
    let (path, id) = match header.rsplit_once("?versionId=") {
        Some((path, id)) => (path, Some(id.to_owned())),
        None => (header, None),
    };
    let path = percent_decode_str(path).decode_utf8().map_err(|_| wrong())?;
    let (bucket, key) = path.strip_prefix('/').unwrap_or(&path).split_once('/').ok_or_else(wrong)?;
    if super::bucket::belongs_to_another(bucket) {
        return Err(S3Error::new(403, "AccessDenied", "Access Denied"));
    }
    Ok((bucket.to_owned(), key.to_owned(), id))
}

fn check_conditions(call: &Call, version: &Version) -> S3Result<()> {
    let is = |tag: &str| tag == "*" || tag.trim_matches('"') == version.etag;
    let failed = call.header("x-amz-copy-source-if-match").is_some_and(|tag| !is(tag))
        || call.header("x-amz-copy-source-if-none-match").is_some_and(is);
    if failed {
        return Err(S3Error::new(
            412,
            "PreconditionFailed",
            "At least one of the pre-conditions you specified did not hold",
        ));
    }
    Ok(())
}
