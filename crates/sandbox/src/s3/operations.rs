//! S3's operations: the table by which requests are routed, authorized and handled.

use futures::future::BoxFuture;
use http::Method;
use http::request::Parts;

use S3Handler::{Async, DeleteSetting, GetSetting, PutSetting, Sync};

use super::permissions::S3Permission::{self, Account, Acl, Bucket, CopySource, Listing, Object, Tags, Version};
use super::route::S3Query;
use super::settings::{self, Setting};
use super::{Call, S3, S3Error, S3Result, Target, empty, xml};
use crate::authz::permission::RequiredPermission;
use crate::latency::CallLatency;
use crate::operation::{OperationInfo, boxed};

/// An operation of S3.
#[derive(Debug)]
pub(crate) struct S3Operation {
    pub info: OperationInfo,
    route: S3Route,
    requires: &'static [S3Permission],
    pub(super) handler: S3Handler,
}

/// The requests that an operation serves.
#[derive(Debug)]
struct S3Route {
    level: Level,
    method: &'static str,
    /// A parameter of the query, with its value if it must have one. Empty for requests without one.
    query: &'static str,
    /// Whether the request names the source of a copy.
    copies: bool,
}

/// What a request is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Level {
    Account,
    Bucket,
    Object,
}

impl Level {
    /// The level of a request, by its bucket and key.
    pub(super) fn of(bucket: &str, key: &str) -> Self {
        match (bucket.is_empty(), key.is_empty()) {
            (true, _) => Self::Account,
            (false, true) => Self::Bucket,
            (false, false) => Self::Object,
        }
    }
}

/// Runs an operation.
#[derive(Debug)]
pub(super) enum S3Handler {
    Sync(fn(&S3, &Call) -> S3Result),
    Async(for<'a> fn(&'a S3, &'a mut Call) -> BoxFuture<'a, S3Result>),
    GetSetting(&'static Setting),
    PutSetting(&'static Setting),
    DeleteSetting(&'static Setting),
}

/// S3's API reference, with a page `API_<operation>.html` for each operation.
#[cfg_attr(not(test), expect(dead_code, reason = "for readers and tests"))]
const REFERENCE: &str = "https://docs.aws.amazon.com/AmazonS3/latest/API/";

/// The operations. The first whose route matches is taken; [`find`] gives those of settings precedence.
static OPERATIONS: &[S3Operation] = &[
    read("ListBuckets", account("GET"), &[Account("ListAllMyBuckets")], Sync(S3::list_buckets)),
    write("CreateBucket", bucket("PUT", ""), &[Bucket("CreateBucket")], boxed!(create_bucket))
        .taking(CallLatency::S3_CREATE_BUCKET),
    read("HeadBucket", bucket("HEAD", ""), &[Bucket("ListBucket")], Sync(|s3, call| s3.with(call, |_| Ok(empty(200))))),
    write("DeleteBucket", bucket("DELETE", ""), &[Bucket("DeleteBucket")], Sync(S3::delete_bucket)),
    read("GetBucketLocation", bucket("GET", "location"), &[Bucket("GetBucketLocation")], Sync(S3::get_location)),
    read("ListObjectVersions", bucket("GET", "versions"), &[Listing("ListBucketVersions")], Sync(S3::list_versions)),
    read(
        "ListMultipartUploads",
        bucket("GET", "uploads"),
        &[Listing("ListBucketMultipartUploads")],
        Sync(S3::list_uploads),
    ),
    read(
        "ListObjectsV2",
        bucket("GET", "list-type=2"),
        &[Listing("ListBucket")],
        Sync(|s3, call| s3.list_objects(call, true)),
    ),
    read("ListObjects", bucket("GET", ""), &[Listing("ListBucket")], Sync(|s3, call| s3.list_objects(call, false))),
    // The keys are in the body.
    write("DeleteObjects", bucket("POST", "delete"), &[], boxed!(delete_objects)),
    read("ListParts", object("GET", "uploadId"), &[Object("ListMultipartUploadParts")], Sync(S3::list_parts)),
    read("GetObjectTagging", object("GET", "tagging"), &[Version("GetObjectTagging")], Sync(S3::get_tagging)),
    read(
        "GetObjectAttributes",
        object("GET", "attributes"),
        &[Version("GetObject"), Version("GetObjectAttributes")],
        Sync(S3::get_attributes),
    ),
    read(
        "GetObjectAcl",
        object("GET", "acl"),
        &[Version("GetObjectAcl")],
        Sync(|s3, call| s3.with_version(call, |_, _| Ok(xml(settings::private_acl())))),
    ),
    read("GetObject", object("GET", ""), &[Version("GetObject")], boxed!(get_object)).taking(CallLatency::S3_OBJECT),
    read("HeadObject", object("HEAD", ""), &[Version("GetObject")], boxed!(get_object)).taking(CallLatency::S3_OBJECT),
    write("UploadPartCopy", object("PUT", "uploadId").copying(), &[Object("PutObject"), CopySource], boxed!(copy_part)),
    write("UploadPart", object("PUT", "uploadId"), &[Object("PutObject")], boxed!(upload_part))
        .taking(CallLatency::S3_OBJECT),
    write("PutObjectTagging", object("PUT", "tagging"), &[Version("PutObjectTagging")], boxed!(put_tagging)),
    write(
        "PutObjectAcl",
        object("PUT", "acl"),
        &[Version("PutObjectAcl")],
        Sync(|s3, call| s3.with_version(call, |_, _| Ok(empty(200)))),
    ),
    write(
        "CopyObject",
        object("PUT", "").copying(),
        &[Object("PutObject"), CopySource, Tags, Acl],
        boxed!(copy_object),
    ),
    write("PutObject", object("PUT", ""), &[Object("PutObject"), Tags, Acl], boxed!(put_object))
        .taking(CallLatency::S3_OBJECT),
    write(
        "AbortMultipartUpload",
        object("DELETE", "uploadId"),
        &[Object("AbortMultipartUpload")],
        Sync(S3::abort_upload),
    ),
    write(
        "DeleteObjectTagging",
        object("DELETE", "tagging"),
        &[Version("DeleteObjectTagging")],
        Sync(S3::delete_tagging),
    ),
    write("DeleteObject", object("DELETE", ""), &[Version("DeleteObject")], Sync(S3::delete_object)),
    write(
        "CreateMultipartUpload",
        object("POST", "uploads"),
        &[Object("PutObject"), Tags, Acl],
        Sync(S3::create_upload),
    ),
    write("CompleteMultipartUpload", object("POST", "uploadId"), &[Object("PutObject")], boxed!(complete_upload)),
    get("GetBucketAccelerateConfiguration", &[Bucket("GetAccelerateConfiguration")], &settings::ACCELERATE),
    put("PutBucketAccelerateConfiguration", &[Bucket("PutAccelerateConfiguration")], &settings::ACCELERATE),
    get("GetBucketAcl", &[Bucket("GetBucketAcl")], &settings::ACL),
    put("PutBucketAcl", &[Bucket("PutBucketAcl")], &settings::ACL),
    get("GetBucketCors", &[Bucket("GetBucketCORS")], &settings::CORS),
    put("PutBucketCors", &[Bucket("PutBucketCORS")], &settings::CORS),
    delete("DeleteBucketCors", &[Bucket("PutBucketCORS")], &settings::CORS),
    get("GetBucketEncryption", &[Bucket("GetEncryptionConfiguration")], &settings::ENCRYPTION),
    put("PutBucketEncryption", &[Bucket("PutEncryptionConfiguration")], &settings::ENCRYPTION),
    delete("DeleteBucketEncryption", &[Bucket("PutEncryptionConfiguration")], &settings::ENCRYPTION),
    get("GetBucketLifecycleConfiguration", &[Bucket("GetLifecycleConfiguration")], &settings::LIFECYCLE),
    put("PutBucketLifecycleConfiguration", &[Bucket("PutLifecycleConfiguration")], &settings::LIFECYCLE),
    delete("DeleteBucketLifecycle", &[Bucket("PutLifecycleConfiguration")], &settings::LIFECYCLE),
    get("GetBucketLogging", &[Bucket("GetBucketLogging")], &settings::LOGGING),
    put("PutBucketLogging", &[Bucket("PutBucketLogging")], &settings::LOGGING),
    get("GetBucketNotificationConfiguration", &[Bucket("GetBucketNotification")], &settings::NOTIFICATION),
    put("PutBucketNotificationConfiguration", &[Bucket("PutBucketNotification")], &settings::NOTIFICATION),
    get("GetObjectLockConfiguration", &[Bucket("GetBucketObjectLockConfiguration")], &settings::OBJECT_LOCK),
    put("PutObjectLockConfiguration", &[Bucket("PutBucketObjectLockConfiguration")], &settings::OBJECT_LOCK),
    get("GetBucketOwnershipControls", &[Bucket("GetBucketOwnershipControls")], &settings::OWNERSHIP_CONTROLS),
    put("PutBucketOwnershipControls", &[Bucket("PutBucketOwnershipControls")], &settings::OWNERSHIP_CONTROLS),
    delete("DeleteBucketOwnershipControls", &[Bucket("PutBucketOwnershipControls")], &settings::OWNERSHIP_CONTROLS),
    get("GetBucketPolicy", &[Bucket("GetBucketPolicy")], &settings::POLICY),
    put("PutBucketPolicy", &[Bucket("PutBucketPolicy")], &settings::POLICY),
    delete("DeleteBucketPolicy", &[Bucket("DeleteBucketPolicy")], &settings::POLICY),
    get("GetPublicAccessBlock", &[Bucket("GetBucketPublicAccessBlock")], &settings::PUBLIC_ACCESS_BLOCK),
    put("PutPublicAccessBlock", &[Bucket("PutBucketPublicAccessBlock")], &settings::PUBLIC_ACCESS_BLOCK),
    delete("DeletePublicAccessBlock", &[Bucket("PutBucketPublicAccessBlock")], &settings::PUBLIC_ACCESS_BLOCK),
    get("GetBucketReplication", &[Bucket("GetReplicationConfiguration")], &settings::REPLICATION),
    put("PutBucketReplication", &[Bucket("PutReplicationConfiguration")], &settings::REPLICATION),
    delete("DeleteBucketReplication", &[Bucket("PutReplicationConfiguration")], &settings::REPLICATION),
    get("GetBucketRequestPayment", &[Bucket("GetBucketRequestPayment")], &settings::REQUEST_PAYMENT),
    put("PutBucketRequestPayment", &[Bucket("PutBucketRequestPayment")], &settings::REQUEST_PAYMENT),
    get("GetBucketTagging", &[Bucket("GetBucketTagging")], &settings::TAGGING),
    put("PutBucketTagging", &[Bucket("PutBucketTagging")], &settings::TAGGING),
    delete("DeleteBucketTagging", &[Bucket("PutBucketTagging")], &settings::TAGGING),
    get("GetBucketVersioning", &[Bucket("GetBucketVersioning")], &settings::VERSIONING),
    put("PutBucketVersioning", &[Bucket("PutBucketVersioning")], &settings::VERSIONING),
    get("GetBucketWebsite", &[Bucket("GetBucketWebsite")], &settings::WEBSITE),
    put("PutBucketWebsite", &[Bucket("PutBucketWebsite")], &settings::WEBSITE),
    delete("DeleteBucketWebsite", &[Bucket("DeleteBucketWebsite")], &settings::WEBSITE),
];

/// An operation that only reads.
const fn read(
    name: &'static str,
    route: S3Route,
    requires: &'static [S3Permission],
    handler: S3Handler,
) -> S3Operation {
    S3Operation {
        info: OperationInfo { name, changes_state: false, latency: CallLatency::S3 },
        route,
        requires,
        handler,
    }
}

/// An operation that changes a bucket.
const fn write(
    name: &'static str,
    route: S3Route,
    requires: &'static [S3Permission],
    handler: S3Handler,
) -> S3Operation {
    let mut operation = read(name, route, requires, handler);
    operation.info.changes_state = true;
    operation
}

const fn get(name: &'static str, requires: &'static [S3Permission], setting: &'static Setting) -> S3Operation {
    read(name, bucket("GET", setting.query), requires, GetSetting(setting))
}

const fn put(name: &'static str, requires: &'static [S3Permission], setting: &'static Setting) -> S3Operation {
    write(name, bucket("PUT", setting.query), requires, PutSetting(setting))
}

const fn delete(name: &'static str, requires: &'static [S3Permission], setting: &'static Setting) -> S3Operation {
    write(name, bucket("DELETE", setting.query), requires, DeleteSetting(setting))
}

const fn account(method: &'static str) -> S3Route {
    S3Route { level: Level::Account, method, query: "", copies: false }
}

const fn bucket(method: &'static str, query: &'static str) -> S3Route {
    S3Route { level: Level::Bucket, method, query, copies: false }
}

const fn object(method: &'static str, query: &'static str) -> S3Route {
    S3Route { level: Level::Object, method, query, copies: false }
}

impl S3Route {
    const fn copying(self) -> Self {
        Self { copies: true, ..self }
    }

    fn matches(&self, level: Level, query: &S3Query, parts: &Parts) -> bool {
        let has_query = match self.query.split_once('=') {
            Some((name, value)) => query.get(name) == Some(value),
            None => self.query.is_empty() || query.has(self.query),
        };
        self.level == level
            && parts.method == self.method
            && has_query
            && (!self.copies || parts.headers.contains_key("x-amz-copy-source"))
    }
}

impl S3Operation {
    const fn taking(mut self, latency: CallLatency) -> Self {
        self.info.latency = latency;
        self
    }

    /// The permissions that a request requires, from its head.
    pub(super) fn required_permissions(&self, target: &Target, parts: &Parts) -> Vec<RequiredPermission> {
        self.requires.iter().filter_map(|permission| permission.required(target, parts)).collect()
    }

    fn setting(&self) -> Option<&'static Setting> {
        match self.handler {
            GetSetting(setting) | PutSetting(setting) | DeleteSetting(setting) => Some(setting),
            Sync(_) | Async(_) => None,
        }
    }
}

/// Finds the operation of a request.
pub(super) fn find(level: Level, query: &S3Query, parts: &Parts) -> S3Result<&'static S3Operation> {
    // A request that names a setting is for no other operation: it must not create or delete the bucket.
    let about_setting =
        level == Level::Bucket && OPERATIONS.iter().filter_map(S3Operation::setting).any(|it| query.has(it.query));
    let mut candidates = OPERATIONS.iter().filter(|operation| operation.setting().is_some() == about_setting);
    match candidates.find(|operation| operation.route.matches(level, query, parts)) {
        Some(operation) => Ok(operation),
        // An upload by a browser.
        None if level == Level::Bucket && !about_setting && parts.method == Method::POST => {
            Err(S3Error::not_implemented("PostObject"))
        }
        None => {
            Err(S3Error::new(405, "MethodNotAllowed", "The specified method is not allowed against this resource."))
        }
    }
}

/// Every parameter by which requests name operations.
#[cfg(test)]
pub(super) fn queries() -> Vec<&'static str> {
    OPERATIONS.iter().map(|operation| operation.route.query).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_operation_is_declared_once_with_its_page_and_reached_by_its_route() {
        for (index, operation) in OPERATIONS.iter().enumerate() {
            let name = operation.info.name;
            assert!(OPERATIONS[..index].iter().all(|other| other.info.name != name), "{name} is there twice");
            let page = format!("{REFERENCE}API_{name}.html");
            assert!(page.starts_with("https://docs.aws.amazon.com/"), "{page}");
            assert_eq!(operation.info.changes_state, !["GET", "HEAD"].contains(&operation.route.method), "{name}");
            let S3Route { level, method, query, copies } = &operation.route;
            let path = match level {
                Level::Account => "",
                Level::Bucket => "bucket",
                Level::Object => "bucket/key",
            };
            let mut request = http::Request::builder().method(*method).uri(format!("/{path}?{query}"));
            if *copies {
                request = request.header("x-amz-copy-source", "other/key");
            }
            let (parts, ()) = request.body(()).unwrap().into_parts();
            assert_eq!(Target::read(&parts).unwrap().operation.info.name, name);
        }
    }

    #[test]
    fn deletion_of_an_undeletable_setting_is_not_a_deletion_of_the_bucket() {
        let (parts, ()) = http::Request::delete("/bucket?versioning").body(()).unwrap().into_parts();
        assert_eq!(Target::read(&parts).unwrap_err().status, 405);
    }
}
