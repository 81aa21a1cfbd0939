//! Routing: the operation, bucket and key of a request to S3.

use http::Method;
use http::request::Parts;
use percent_encoding::percent_decode_str;

use super::error::{S3Error, S3Result};
use crate::authz::canonical::query_pairs;
use crate::bucket_host::bucket_of_host;

/// The operation of a request and its resource.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    /// The operation's name.
    pub operation: String,
    pub bucket: String,
    /// Empty for operations on the bucket.
    pub key: String,
    query: Vec<(String, String)>,
}

/// The settings of a bucket: the query's name and the operation's.
pub(crate) const SETTINGS: &[(&str, &str)] = &[
    ("accelerate", "BucketAccelerateConfiguration"),
    ("acl", "BucketAcl"),
    ("cors", "BucketCors"),
    ("encryption", "BucketEncryption"),
    ("lifecycle", "BucketLifecycleConfiguration"),
    ("logging", "BucketLogging"),
    ("notification", "BucketNotificationConfiguration"),
    ("object-lock", "ObjectLockConfiguration"),
    ("ownershipControls", "BucketOwnershipControls"),
    ("policy", "BucketPolicy"),
    ("publicAccessBlock", "PublicAccessBlock"),
    ("replication", "BucketReplication"),
    ("requestPayment", "BucketRequestPayment"),
    ("tagging", "BucketTagging"),
    ("versioning", "BucketVersioning"),
    ("website", "BucketWebsite"),
];

/// Unsupported sub-resources: the query's name and the operation's without its verb, which comes from the method.
const UNSUPPORTED: &[(&str, &str)] = &[
    ("abac", "BucketAbac"),
    ("analytics", "BucketAnalyticsConfiguration"),
    ("intelligent-tiering", "BucketIntelligentTieringConfiguration"),
    ("inventory", "BucketInventoryConfiguration"),
    ("legal-hold", "ObjectLegalHold"),
    ("metadataConfiguration", "BucketMetadataConfiguration"),
    ("metadataInventoryTable", "BucketMetadataInventoryTableConfiguration"),
    ("metadataJournalTable", "BucketMetadataJournalTableConfiguration"),
    ("metadataTable", "BucketMetadataTableConfiguration"),
    ("metrics", "BucketMetricsConfiguration"),
    ("policyStatus", "BucketPolicyStatus"),
    ("renameObject", "RenameObject"),
    ("restore", "RestoreObject"),
    ("retention", "ObjectRetention"),
    ("select", "SelectObjectContent"),
    ("session", "CreateSession"),
    ("torrent", "ObjectTorrent"),
];

/// The largest section of headers, in bytes.
const MAX_HEADERS: usize = 8 * 1024;

impl Target {
    /// Reads the target from the request's first line, host and headers.
    pub(crate) fn read(parts: &Parts) -> S3Result<Self> {
        if parts.headers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum::<usize>() > MAX_HEADERS {
            return Err(S3Error::new(
                400,
                "RequestHeaderSectionTooLarge",
                "Your request header section exceeds the maximum allowed size.",
            )
            .with("MaxSizeAllowed", MAX_HEADERS.to_string()));
        }
        let host = parts.headers.get("host").and_then(|host| host.to_str().ok()).unwrap_or("");
        let path = parts.uri.path().strip_prefix('/').unwrap_or("");
        let (bucket, key) = match bucket_of_host(host) {
            Some(bucket) => (bucket.to_owned(), path),
            None => {
                let (bucket, key) = path.split_once('/').unwrap_or((path, ""));
                (percent_decode_str(bucket).decode_utf8_lossy().into_owned(), key)
            }
        };
        let key = percent_decode_str(key)
            .decode_utf8()
            .map_err(|_| S3Error::new(400, "InvalidURI", "Couldn't parse the specified URI."))?
            .into_owned();
        if key.len() > 1024 {
            return Err(S3Error::new(400, "KeyTooLongError", "Your key is too long")
                .with("Size", key.len().to_string())
                .with("MaxSizeAllowed", "1024"));
        }
        let query = query_pairs(parts.uri.query().unwrap_or(""));
        let mut target = Self { operation: String::new(), bucket, key, query };
        let copies = parts.headers.contains_key("x-amz-copy-source");
        target.operation = target.name(&parts.method, copies)?;
        Ok(target)
    }

    /// A parameter of the query.
    pub(crate) fn parameter(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// The setting of the request, if any.
    pub(crate) fn setting(&self) -> Option<&'static str> {
        SETTINGS.iter().map(|(query, _)| *query).find(|query| self.parameter(query).is_some())
    }

    fn has(&self, name: &str) -> bool {
        self.parameter(name).is_some()
    }

    /// The name of the operation, if it is unsupported.
    fn unsupported(&self, method: &Method) -> Option<String> {
        let (query, name) = UNSUPPORTED.iter().find(|(query, _)| self.has(query))?;
        // Names without a verb from the method.
        let verb = match *method {
            _ if matches!(*query, "renameObject" | "restore" | "select" | "session") => "",
            // Without an id, all configurations are listed.
            Method::GET if name.ends_with("Configuration") && !query.starts_with("metadata") && !self.has("id") => {
                return Some(format!("List{name}s"));
            }
            Method::PUT if query.starts_with("metadata") => "Update",
            Method::PUT => "Put",
            Method::POST => "Create",
            Method::DELETE => "Delete",
            _ => "Get",
        };
        Some(format!("{verb}{name}"))
    }

    fn name(&self, method: &Method, copies: bool) -> S3Result<String> {
        if let Some(name) = self.unsupported(method) {
            return Err(S3Error::not_implemented(&name));
        }
        let wrong_method =
            || Err(S3Error::new(405, "MethodNotAllowed", "The specified method is not allowed against this resource."));
        let name = if self.bucket.is_empty() {
            match *method {
                Method::GET => "ListBuckets",
                _ => return wrong_method(),
            }
        } else if !self.key.is_empty() {
            match *method {
                Method::GET if self.has("uploadId") => "ListParts",
                Method::GET if self.has("tagging") => "GetObjectTagging",
                Method::GET if self.has("attributes") => "GetObjectAttributes",
                Method::GET if self.has("acl") => "GetObjectAcl",
                Method::GET => "GetObject",
                Method::HEAD => "HeadObject",
                Method::PUT if self.has("uploadId") && copies => "UploadPartCopy",
                Method::PUT if self.has("uploadId") => "UploadPart",
                Method::PUT if self.has("tagging") => "PutObjectTagging",
                Method::PUT if self.has("acl") => "PutObjectAcl",
                Method::PUT if copies => "CopyObject",
                Method::PUT => "PutObject",
                Method::DELETE if self.has("uploadId") => "AbortMultipartUpload",
                Method::DELETE if self.has("tagging") => "DeleteObjectTagging",
                Method::DELETE => "DeleteObject",
                Method::POST if self.has("uploads") => "CreateMultipartUpload",
                Method::POST if self.has("uploadId") => "CompleteMultipartUpload",
                _ => return wrong_method(),
            }
        } else if let Some((_, setting)) = SETTINGS.iter().find(|(query, _)| self.has(query)) {
            let verb = match *method {
                Method::GET => "Get",
                Method::PUT => "Put",
                Method::DELETE => "Delete",
                _ => return wrong_method(),
            };
            // The only operation with a shorter name for the deletion.
            return Ok(
                format!("{verb}{setting}").replace("DeleteBucketLifecycleConfiguration", "DeleteBucketLifecycle")
            );
        } else {
            match *method {
                Method::GET if self.has("location") => "GetBucketLocation",
                Method::GET if self.has("versions") => "ListObjectVersions",
                Method::GET if self.has("uploads") => "ListMultipartUploads",
                Method::GET if self.parameter("list-type") == Some("2") => "ListObjectsV2",
                Method::GET => "ListObjects",
                Method::HEAD => "HeadBucket",
                Method::PUT => "CreateBucket",
                Method::DELETE => "DeleteBucket",
                Method::POST if self.has("delete") => "DeleteObjects",
                Method::POST => return Err(S3Error::not_implemented("PostObject")),
                _ => return wrong_method(),
            }
        };
        Ok(name.to_owned())
    }
}

#[cfg(test)]
mod properties;

#[cfg(test)]
mod tests {
    use super::*;

    fn read(method: &str, uri: &str, host: &str) -> S3Result<Target> {
        let request = http::Request::builder().method(method).uri(uri).header("host", host).body(()).unwrap();
        Target::read(&request.into_parts().0)
    }

    #[test]
    fn keys_are_decoded_once_and_not_normalized() {
        let key = |uri| read("GET", uri, "127.0.0.1:1").unwrap().key;
        assert_eq!(key("/b/a//b"), "a//b");
        assert_eq!(key("/b//"), "/");
        assert_eq!(key("/b/..%2F%2E%2E/etc"), "../../etc");
        assert_eq!(key("/b/a%20b+c%25%2B"), "a b+c%+");
        assert_eq!(key("/b/%D0%BA"), "к");
    }

    #[test]
    fn bucket_is_read_from_the_host() {
        for host in ["pics.localhost:80", "pics.s3.localhost:80", "pics.s3.eu-west-1.localhost"] {
            let target = read("GET", "/a/b", host).unwrap();
            assert_eq!((target.bucket.as_str(), target.key.as_str()), ("pics", "a/b"), "{host}");
        }
        assert_eq!(read("GET", "/", "s3.localhost:80").unwrap().operation, "ListBuckets");
        assert_eq!(read("GET", "/b", "localhost:80").unwrap().bucket, "b");
    }

    #[test]
    fn operation_follows_from_method_and_query() {
        let operation = |method, uri| read(method, uri, "localhost").unwrap().operation;
        assert_eq!(operation("GET", "/b?list-type=2&prefix=x"), "ListObjectsV2");
        assert_eq!(operation("PUT", "/b?encryption"), "PutBucketEncryption");
        assert_eq!(operation("DELETE", "/b?lifecycle"), "DeleteBucketLifecycle");
        assert_eq!(operation("POST", "/b/k?uploads"), "CreateMultipartUpload");
        let absent = |method, uri| {
            let error = read(method, uri, "localhost").unwrap_err();
            assert_eq!(error.status, 501, "{uri}");
            error.message
        };
        assert!(absent("GET", "/b?inventory&id=1").contains("GetBucketInventoryConfiguration"));
        assert!(absent("GET", "/b?inventory").contains("ListBucketInventoryConfigurations"));
        assert!(absent("PUT", "/b/k?retention").contains("PutObjectRetention"));
        assert!(absent("POST", "/b/k?select&select-type=2").contains("SelectObjectContent"));
        assert!(absent("POST", "/b").contains("PostObject"));
    }
}
