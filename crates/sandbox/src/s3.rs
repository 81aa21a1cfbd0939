//! S3: buckets, objects, versions, uploads and notifications.
//!
//! Requests come directly from the gateway and not through awsim, which would read whole bodies into memory.

mod authorizer;
mod body;
mod bucket;
mod checksum;
mod content;
mod copy;
mod delete;
mod error;
mod index;
mod list;
mod multipart;
mod notification;
mod operations;
mod permissions;
mod read;
mod route;
mod settings;
mod tagging;
mod write;
mod xml;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use awsim_iam_policy::PolicyDocument;
use axum::body::Body;
use http::request::Parts;
use http::{HeaderValue, Response};

use crate::authz::signature::Payload;
use crate::gateway::chunked::Incoming;
use crate::service_registry::{BlobUser, ServiceRegistry};
use crate::sync::lock;

pub(crate) use authorizer::Authorizer;
pub(crate) use body::MAX_OBJECT;
pub(crate) use error::{S3Error, S3Result};
use index::{Bucket, Version};
use operations::S3Handler;
pub(crate) use route::Target;
pub(crate) use xml::escape;

/// An authenticated request.
pub(crate) struct Call {
    pub target: Target,
    pub parts: Parts,
    pub body: Incoming,
    pub payload: Payload,
    /// The region of the signature.
    pub region: String,
    /// The signer's id, for the events.
    pub principal: String,
    /// The signer's permissions.
    pub authorizer: Authorizer,
    pub request_id: String,
}

impl Call {
    fn header(&self, name: &str) -> Option<&str> {
        self.parts.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// Reads a small body, such as an XML document, and checks its hash.
    async fn document(&mut self) -> S3Result<bytes::Bytes> {
        const LIMIT: usize = 4 * 1024 * 1024;
        let bytes = self
            .body
            .collect(LIMIT)
            .await?
            .ok_or_else(|| S3Error::new(400, "MaxMessageLengthExceeded", "Your request was too big."))?;
        body::check_document(self, &bytes)?;
        Ok(bytes)
    }
}

/// The service.
pub(crate) struct S3 {
    services: Arc<ServiceRegistry>,
    dir: PathBuf,
    buckets: Mutex<BTreeMap<String, Bucket>>,
    sequence: AtomicU64,
}

impl S3 {
    /// Reads every bucket's log.
    pub(crate) fn open(services: Arc<ServiceRegistry>) -> std::io::Result<Self> {
        let dir = services.data_dir().join("s3");
        thumbctl_platform::private_fs::create_dir_all(&dir)?;
        let mut buckets = BTreeMap::new();
        for entry in std::fs::read_dir(&dir)? {
            let path = entry?.path();
            if path.extension().is_none_or(|extension| extension != "jsonl") {
                continue;
            }
            match Bucket::open(&path)? {
                Some(bucket) => {
                    buckets.insert(bucket.name.clone(), bucket);
                }
                None => std::fs::remove_file(&path)?,
            }
        }
        let sequence = AtomicU64::new(u64::try_from(now() << 16).unwrap_or_default());
        Ok(Self { services, dir, buckets: Mutex::new(buckets), sequence })
    }

    /// Responds to a request.
    pub(crate) async fn serve(&self, mut call: Call) -> Response<Body> {
        let head = call.parts.method == http::Method::HEAD;
        let result = self.dispatch(&mut call).await;
        let mut response = match result {
            Ok(response) => response,
            Err(error) if error.code == "NoSuchKey" => {
                // Only a caller with s3:ListBucket learns that a key does not exist.
                let error =
                    call.authorizer.check(&permissions::list_bucket(&call.target.bucket)).err().unwrap_or(error);
                error.into_response(head, call.parts.uri.path(), &call.request_id)
            }
            Err(error) => error.into_response(head, call.parts.uri.path(), &call.request_id),
        };
        if let Some(region) = lock(&self.buckets).get(&call.target.bucket).map(|bucket| bucket.region.clone())
            && let Ok(region) = HeaderValue::from_str(&region)
        {
            response.headers_mut().insert("x-amz-bucket-region", region);
        }
        response
    }

    /// Whether a bucket exists.
    pub(crate) fn has_bucket(&self, name: &str) -> bool {
        lock(&self.buckets).contains_key(name)
    }

    /// Runs an internal call and returns the response document.
    pub(crate) async fn call(&self, mut call: Call) -> S3Result<String> {
        let response = self.dispatch(&mut call).await?;
        let bytes = axum::body::to_bytes(response.into_body(), 4 * 1024 * 1024)
            .await
            .map_err(|cause| S3Error::new(500, "InternalError", cause.to_string()))?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    async fn dispatch(&self, call: &mut Call) -> S3Result {
        if let Some(owner) = call.header("x-amz-expected-bucket-owner")
            && owner != self.services.account()
            && !call.target.bucket.is_empty()
        {
            return Err(S3Error::new(403, "AccessDenied", "Access Denied"));
        }
        if bucket::belongs_to_another(&call.target.bucket) {
            return Err(bucket::foreign_bucket_error(call));
        }
        match call.target.operation.handler {
            S3Handler::Sync(run) => run(self, call),
            S3Handler::Async(run) => run(self, call).await,
            S3Handler::GetSetting(setting) => self.get_setting(call, setting),
            S3Handler::PutSetting(setting) => self.put_setting(call, setting).await,
            S3Handler::DeleteSetting(setting) => self.delete_setting(call, setting),
        }
    }

    /// Runs a function on the request's bucket.
    fn with<T>(&self, call: &Call, act: impl FnOnce(&mut Bucket) -> S3Result<T>) -> S3Result<T> {
        self.with_bucket(&call.target.bucket, act)
    }

    fn with_bucket<T>(&self, name: &str, act: impl FnOnce(&mut Bucket) -> S3Result<T>) -> S3Result<T> {
        match lock(&self.buckets).get_mut(name) {
            Some(bucket) => act(bucket),
            None => Err(S3Error::no_such_bucket(name)),
        }
    }

    /// Runs a function on the request's object version.
    fn with_version<T>(&self, call: &Call, act: impl FnOnce(&Bucket, &Version) -> S3Result<T>) -> S3Result<T> {
        let target = &call.target;
        self.with(call, |bucket| act(bucket, find(bucket, &target.key, target.parameter("versionId"))?))
    }

    /// A bucket's policy, if it is valid.
    pub(crate) fn policy(&self, bucket: &str) -> Option<PolicyDocument> {
        lock(&self.buckets)
            .get(bucket)
            .and_then(|bucket| bucket.settings.get("policy"))
            .and_then(|text| awsim_iam_policy::parse(text).ok())
    }

    /// The next sequence number for events.
    fn next(&self) -> u64 {
        self.sequence.fetch_add(1, Ordering::Relaxed)
    }
}

impl BlobUser for S3 {
    fn blobs_in_use(&self) -> Vec<String> {
        lock(&self.buckets).values().flat_map(Bucket::blobs).map(str::to_owned).collect()
    }
}

/// Finds the version of a request, or returns S3's error.
fn find<'a>(bucket: &'a Bucket, key: &str, id: Option<&str>) -> S3Result<&'a Version> {
    match id {
        Some(id) => match bucket.version(key, id) {
            Some(version) if version.marker => {
                Err(S3Error::new(405, "MethodNotAllowed", "The specified method is not allowed against this resource.")
                    .with_header("x-amz-delete-marker", "true")
                    .with_header("x-amz-version-id", &version.id)
                    .with_header("allow", "DELETE"))
            }
            Some(version) => Ok(version),
            None => Err(S3Error::new(404, "NoSuchVersion", "The specified version does not exist.")
                .with("Key", key)
                .with("VersionId", id)),
        },
        None => match bucket.latest(key) {
            Some(version) if version.marker => Err(S3Error::no_such_key(key)
                .with_header("x-amz-delete-marker", "true")
                .with_header("x-amz-version-id", &version.id)),
            Some(version) => Ok(version),
            None => Err(S3Error::no_such_key(key)),
        },
    }
}

/// Milliseconds since 1970.
fn now() -> i64 {
    chrono::Utc::now().timestamp_millis()
}

/// A time as XML documents have it.
fn iso_time(milliseconds: i64) -> String {
    time_of(milliseconds).format("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()
}

/// A time as headers have it.
fn http_time(milliseconds: i64) -> String {
    time_of(milliseconds).format("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

fn time_of(milliseconds: i64) -> chrono::DateTime<chrono::Utc> {
    chrono::DateTime::from_timestamp_millis(milliseconds).unwrap_or_default()
}

fn empty(status: u16) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = http::StatusCode::from_u16(status).unwrap_or_default();
    response
}

fn xml(document: String) -> Response<Body> {
    let mut response = Response::new(Body::from(document));
    response.headers_mut().insert("content-type", HeaderValue::from_static("application/xml"));
    response
}

/// Sets a header to a value from a client, which may be UTF-8.
fn set_header(response: &mut Response<Body>, name: &str, value: &str) {
    if let (Ok(name), Ok(value)) =
        (http::HeaderName::from_bytes(name.as_bytes()), HeaderValue::from_bytes(value.as_bytes()))
    {
        response.headers_mut().insert(name, value);
    }
}

/// Generates a random id of a version or an upload.
fn new_id() -> String {
    crate::authz::sessions::secret(32)
}
