//! The permissions that S3 requests require, from the head. DeleteObjects checks the keys in its body one by one.

use http::request::Parts;
use percent_encoding::percent_decode_str;

use crate::authz::permission::RequiredPermission;
use crate::s3::Target;

/// A permission that an operation requires: an action, and what it is required on.
#[derive(Debug)]
pub(super) enum S3Permission {
    /// On all buckets of the account.
    Account(&'static str),
    /// On the bucket.
    Bucket(&'static str),
    /// On the bucket, with the listing's parameters as condition keys.
    Listing(&'static str),
    /// On the object.
    Object(&'static str),
    /// On the object, or with the action for versions on the version that the request names.
    Version(&'static str),
    /// To read the source of a copy.
    CopySource,
    /// To tag the object, if the request has tags.
    Tags,
    /// To set the object's ACL, if the request has one.
    Acl,
}

impl S3Permission {
    /// The permission that a request requires; nothing if the request lacks what it is for.
    pub(super) fn required(&self, target: &Target, parts: &Parts) -> Option<RequiredPermission> {
        let header = |name: &str| parts.headers.get(name).and_then(|value| value.to_str().ok());
        let on_bucket = |action: &str| RequiredPermission::new(format!("s3:{action}"), bucket_arn(&target.bucket));
        let on_object =
            |action: &str| RequiredPermission::new(format!("s3:{action}"), object_arn(&target.bucket, &target.key));
        Some(match *self {
            Self::Account(action) => RequiredPermission::new(format!("s3:{action}"), "*"),
            Self::Bucket(action) => on_bucket(action),
            Self::Listing(action) => {
                let keys = [("prefix", "s3:prefix"), ("delimiter", "s3:delimiter"), ("max-keys", "s3:max-keys")];
                let given = keys.into_iter().filter_map(|(parameter, key)| Some((key, target.parameter(parameter)?)));
                given.fold(on_bucket(action), |permission, (key, value)| permission.with(key, value))
            }
            Self::Object(action) => on_object(action),
            Self::Version(action) => match target.parameter("versionId") {
                None => on_object(action),
                // `GetObjectTagging` becomes `GetObjectVersionTagging`.
                Some(version) => {
                    on_object(&action.replacen("Object", "ObjectVersion", 1)).with("s3:VersionId", version)
                }
            },
            Self::CopySource => return header("x-amz-copy-source").and_then(source),
            Self::Tags => {
                header("x-amz-tagging").filter(|tags| !tags.is_empty()).map(|_| on_object("PutObjectTagging"))?
            }
            Self::Acl => header("x-amz-acl").filter(|acl| *acl != "private").map(|_| on_object("PutObjectAcl"))?,
        })
    }
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
