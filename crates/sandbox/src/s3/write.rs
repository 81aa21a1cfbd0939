//! PutObject, and the common parts of all operations that create objects.

use std::collections::BTreeMap;

use axum::body::Body;
use http::Response;
use http::request::Parts;

use super::index::{Bucket, Change, NULL_VERSION, Version};
use super::{Call, S3, S3Error, S3Result, empty, http_time, new_id, now, set_header, settings};
use crate::authz::canonical::query_pairs;

/// Headers that are stored with an object and returned.
const KEPT: [&str; 7] = [
    "cache-control",
    "content-disposition",
    "content-encoding",
    "content-language",
    "content-type",
    "expires",
    "x-amz-website-redirect-location",
];

impl S3 {
    pub(super) async fn put_object(&self, call: &mut Call) -> S3Result {
        // Checked before the body is received.
        self.with(call, |bucket| check_write_conditions(call, bucket))?;
        let (headers, tags) = (kept_headers(&call.parts)?, tags_in_header(call)?);
        let received = self.receive(call).await?;
        let version = Version {
            blob: received.content.sha256,
            size: received.content.size,
            etag: received.content.md5,
            headers,
            tags,
            checksum: received.checksum,
            ..Version::default()
        };
        let stored = self.with(call, |bucket| {
            check_write_conditions(call, bucket)?;
            store(bucket, &call.target.key, version)
        })?;
        self.notify(call, "ObjectCreated:Put", &stored);
        let mut response = self.stored_response(call, &stored);
        if let Some((algorithm, value)) = &stored.checksum {
            set_header(&mut response, &format!("x-amz-checksum-{algorithm}"), value);
            set_header(&mut response, "x-amz-checksum-type", "FULL_OBJECT");
        }
        Ok(response)
    }

    /// The response headers for a new version.
    pub(super) fn stored_response(&self, call: &Call, version: &Version) -> Response<Body> {
        let mut response = empty(200);
        set_header(&mut response, "etag", &format!("\"{}\"", version.etag));
        set_header(&mut response, "x-amz-server-side-encryption", "AES256");
        let versioned = self.with(call, |bucket| Ok(settings::versioning(bucket).is_some()));
        if versioned.unwrap_or(false) {
            set_header(&mut response, "x-amz-version-id", &version.id);
        }
        response
    }
}

/// Adds a version with an id according to the bucket's versioning.
pub(super) fn store(bucket: &mut Bucket, key: &str, mut version: Version) -> S3Result<Version> {
    version.modified = now();
    version.id = match settings::versioning(bucket) {
        Some("Enabled") => new_id(),
        _ => NULL_VERSION.to_owned(),
    };
    bucket.change(Change::Put { key: key.to_owned(), version: Box::new(version.clone()) })?;
    Ok(version)
}

/// Checks `If-None-Match: *` (write if missing) and `If-Match` (write if unchanged).
pub(super) fn check_write_conditions(call: &Call, bucket: &Bucket) -> S3Result<()> {
    let current = bucket.latest(&call.target.key).filter(|version| !version.marker);
    let failed = |condition: &str| {
        S3Error::new(412, "PreconditionFailed", "At least one of the pre-conditions you specified did not hold")
            .with("Condition", condition)
    };
    match (call.header("if-none-match"), call.header("if-match")) {
        (Some("*"), _) if current.is_some() => Err(failed("If-None-Match")),
        (Some(tag), _) if tag != "*" => Err(S3Error::not_implemented("If-None-Match with an ETag")),
        (_, Some(tag)) => match current {
            None => Err(S3Error::no_such_key(&call.target.key)),
            Some(version) if tag != "*" && tag.trim_matches('"') != version.etag => Err(failed("If-Match")),
            Some(_) => Ok(()),
        },
        _ => Ok(()),
    }
}

/// The headers to store with the object.
pub(super) fn kept_headers(parts: &Parts) -> S3Result<BTreeMap<String, String>> {
    let mut kept = BTreeMap::new();
    let mut metadata = 0;
    for (name, value) in &parts.headers {
        let name = name.as_str();
        let text = String::from_utf8_lossy(value.as_bytes()).into_owned();
        if let Some(own) = name.strip_prefix("x-amz-meta-") {
            metadata += own.len() + text.len();
            kept.insert(name.to_owned(), text);
        } else if name == "content-encoding" {
            // `aws-chunked` is the encoding of the transfer only.
            let rest: Vec<&str> = text.split(',').map(str::trim).filter(|part| *part != "aws-chunked").collect();
            if !rest.is_empty() && !rest.iter().all(|part| part.is_empty()) {
                kept.insert(name.to_owned(), rest.join(","));
            }
        } else if KEPT.contains(&name) {
            kept.insert(name.to_owned(), text);
        }
    }
    if metadata > 2048 {
        return Err(S3Error::new(
            400,
            "MetadataTooLarge",
            "Your metadata headers exceed the maximum allowed metadata size",
        )
        .with("Size", metadata.to_string())
        .with("MaxSizeAllowed", "2048"));
    }
    kept.entry("content-type".to_owned()).or_insert_with(|| "binary/octet-stream".to_owned());
    Ok(kept)
}

/// Parses `x-amz-tagging: a=1&b=2`.
pub(super) fn tags_in_header(call: &Call) -> S3Result<BTreeMap<String, String>> {
    let tags: BTreeMap<String, String> = match call.header("x-amz-tagging") {
        Some(tags) => query_pairs(&tags.replace('+', "%20")).into_iter().collect(),
        None => BTreeMap::new(),
    };
    super::tagging::check(&tags)?;
    Ok(tags)
}

/// Sets the stored headers and those of the version.
pub(super) fn describe(response: &mut Response<Body>, version: &Version, versioned: bool) {
    for (name, value) in &version.headers {
        set_header(response, name, value);
    }
    set_header(response, "etag", &format!("\"{}\"", version.etag));
    set_header(response, "last-modified", &http_time(version.modified));
    set_header(response, "accept-ranges", "bytes");
    set_header(response, "x-amz-server-side-encryption", "AES256");
    if !version.tags.is_empty() {
        set_header(response, "x-amz-tagging-count", &version.tags.len().to_string());
    }
    if versioned {
        set_header(response, "x-amz-version-id", &version.id);
    }
}
