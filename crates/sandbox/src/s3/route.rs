//! Routing: the operation, bucket and key of a request to S3.

use http::Method;
use http::request::Parts;
use percent_encoding::percent_decode_str;

use super::error::{S3Error, S3Result};
use super::operations::{self, Level, S3Operation};
use crate::authz::canonical::query_pairs;
use crate::bucket_host::bucket_of_host;

/// The operation of a request and its resource.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    pub operation: &'static S3Operation,
    pub bucket: String,
    /// Empty for operations on the bucket.
    pub key: String,
    query: S3Query,
}

/// The parameters of a request.
#[derive(Debug, Clone)]
pub(super) struct S3Query(Vec<(String, String)>);

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
        let query = S3Query(query_pairs(parts.uri.query().unwrap_or("")));
        if let Some(name) = query.unsupported(&parts.method) {
            return Err(S3Error::not_implemented(&name));
        }
        let operation = operations::find(Level::of(&bucket, &key), &query, parts)?;
        Ok(Self { operation, bucket, key, query })
    }

    /// A parameter of the query.
    pub(super) fn parameter(&self, name: &str) -> Option<&str> {
        self.query.get(name)
    }
}

impl S3Query {
    /// A parameter's value.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.get(name).is_some()
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
        assert_eq!(read("GET", "/", "s3.localhost:80").unwrap().operation.info.name, "ListBuckets");
        assert_eq!(read("GET", "/b", "localhost:80").unwrap().bucket, "b");
    }

    #[test]
    fn operation_follows_from_method_and_query() {
        let operation = |method, uri| read(method, uri, "localhost").unwrap().operation.info.name;
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
