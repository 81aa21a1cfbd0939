//! The permissions that S3 requests require, from the head. DeleteObjects checks the keys in its body one by one.

use http::request::Parts;
use percent_encoding::percent_decode_str;

use crate::authz::permission::RequiredPermission;
use crate::s3::Target;

/// The permissions that a request requires.
pub(crate) fn of_s3(target: &Target, parts: &Parts) -> Vec<RequiredPermission> {
    let bucket = bucket_arn(&target.bucket);
    let object = object_arn(&target.bucket, &target.key);
    let header = |name: &str| parts.headers.get(name).and_then(|value| value.to_str().ok());
    let version = target.parameter("versionId");
    let of_version = |action: &str| match (version, action) {
        (None, action) => RequiredPermission::new(format!("s3:{action}"), &object),
        (Some(version), action) => {
            // `GetObjectTagging` becomes `GetObjectVersionTagging`.
            let action = action.replacen("Object", "ObjectVersion", 1);
            RequiredPermission::new(format!("s3:{action}"), &object).with("s3:VersionId", version)
        }
    };
    let on_bucket = |action: &str| RequiredPermission::new(format!("s3:{action}"), &bucket);
    let listing = |action: &str| {
        let mut need = on_bucket(action);
        for (parameter, key) in [("prefix", "s3:prefix"), ("delimiter", "s3:delimiter"), ("max-keys", "s3:max-keys")] {
            if let Some(value) = target.parameter(parameter) {
                need = need.with(key, value);
            }
        }
        need
    };
    let mut needs = match target.operation.as_str() {
        "ListBuckets" => vec![RequiredPermission::new("s3:ListAllMyBuckets", "*")],
        "HeadBucket" => vec![on_bucket("ListBucket")],
        "ListObjects" | "ListObjectsV2" => vec![listing("ListBucket")],
        "ListObjectVersions" => vec![listing("ListBucketVersions")],
        "ListMultipartUploads" => vec![listing("ListBucketMultipartUploads")],
        "GetObject" | "HeadObject" => vec![of_version("GetObject")],
        "GetObjectAttributes" => vec![of_version("GetObject"), of_version("GetObjectAttributes")],
        "GetObjectAcl"
        | "PutObjectAcl"
        | "DeleteObject"
        | "GetObjectTagging"
        | "PutObjectTagging"
        | "DeleteObjectTagging" => vec![of_version(&target.operation)],
        // The keys are in the body.
        "DeleteObjects" => Vec::new(),
        "PutObject" | "CreateMultipartUpload" | "UploadPart" | "CompleteMultipartUpload" => {
            vec![RequiredPermission::new("s3:PutObject", &object)]
        }
        "CopyObject" | "UploadPartCopy" => {
            let mut needs = vec![RequiredPermission::new("s3:PutObject", &object)];
            needs.extend(header("x-amz-copy-source").and_then(source));
            needs
        }
        "AbortMultipartUpload" => vec![RequiredPermission::new("s3:AbortMultipartUpload", &object)],
        "ListParts" => vec![RequiredPermission::new("s3:ListMultipartUploadParts", &object)],
        // Buckets and their settings.
        operation => vec![on_bucket(&setting(operation))],
    };
    let writes = ["PutObject", "CreateMultipartUpload", "CopyObject"].contains(&target.operation.as_str());
    if writes && header("x-amz-tagging").is_some_and(|tags| !tags.is_empty()) {
        needs.push(RequiredPermission::new("s3:PutObjectTagging", &object));
    }
    if writes && header("x-amz-acl").is_some_and(|acl| acl != "private") {
        needs.push(RequiredPermission::new("s3:PutObjectAcl", &object));
    }
    needs
}

/// The permission to delete a key.
pub(crate) fn delete_object(bucket: &str, key: &str, version: Option<&str>) -> RequiredPermission {
    let object = object_arn(bucket, key);
    match version {
        Some(version) => RequiredPermission::new("s3:DeleteObjectVersion", object).with("s3:VersionId", version),
        None => RequiredPermission::new("s3:DeleteObject", object),
    }
}

/// The permission to list a bucket, required to learn that a key does not exist.
pub(crate) fn list_bucket(bucket: &str) -> RequiredPermission {
    RequiredPermission::new("s3:ListBucket", bucket_arn(bucket))
}

/// The action of an operation on a bucket or its settings.
fn setting(operation: &str) -> String {
    let (verb, name) = match operation {
        "CreateBucket" | "DeleteBucket" | "GetBucketLocation" | "DeleteBucketPolicy" | "DeleteBucketWebsite" => {
            return operation.to_owned();
        }
        // Deleting a setting requires the action to put it.
        _ => match operation.split_at_checked(3) {
            Some(("Get", name)) => ("Get", name),
            Some(("Put", name)) => ("Put", name),
            _ => ("Put", operation.strip_prefix("Delete").unwrap_or(operation)),
        },
    };
    let name = match name {
        "BucketAccelerateConfiguration" => "AccelerateConfiguration",
        "BucketCors" => "BucketCORS",
        "BucketEncryption" => "EncryptionConfiguration",
        "BucketLifecycle" | "BucketLifecycleConfiguration" => "LifecycleConfiguration",
        "BucketNotificationConfiguration" => "BucketNotification",
        "BucketReplication" => "ReplicationConfiguration",
        "ObjectLockConfiguration" => "BucketObjectLockConfiguration",
        "PublicAccessBlock" => "BucketPublicAccessBlock",
        name => name,
    };
    format!("{verb}{name}")
}

/// The permission to read the source of a copy.
fn source(header: &str) -> Option<RequiredPermission> {
    let (path, version) = match header.rsplit_once("?versionId=") {
        Some((path, version)) => (path, Some(version)),
        None => (header, None),
    };
    let path = percent_decode_str(path).decode_utf8().ok()?;
    let (bucket, key) = path.strip_prefix('/').unwrap_or(&path).split_once('/')?;
    let object = object_arn(bucket, key);
    Some(match version {
        Some(version) => RequiredPermission::new("s3:GetObjectVersion", object).with("s3:VersionId", version),
        None => RequiredPermission::new("s3:GetObject", object),
    })
}

fn bucket_arn(bucket: &str) -> String {
    format!("arn:aws:s3:::{bucket}")
}

fn object_arn(bucket: &str, key: &str) -> String {
    format!("arn:aws:s3:::{bucket}/{key}")
}
