//! Bucket settings: documents that are checked, stored and returned unchanged.

use std::collections::BTreeMap;

use axum::body::Body;
use http::{HeaderValue, Response};

use super::index::{Bucket, Change};
use super::xml::{Element, Xml};
use super::{Call, S3, S3Error, S3Result, empty, notification, xml};

/// The account's canonical user.
pub(crate) const OWNER: &str = "0000000000000000000000000000000000000000000000000000000000000000";

const DEFAULT_ENCRYPTION: &str = "<ServerSideEncryptionConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Rule>\
    <ApplyServerSideEncryptionByDefault><SSEAlgorithm>AES256</SSEAlgorithm></ApplyServerSideEncryptionByDefault>\
    <BucketKeyEnabled>false</BucketKeyEnabled></Rule></ServerSideEncryptionConfiguration>";
const BLOCKED: &str = "<PublicAccessBlockConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">\
    <BlockPublicAcls>true</BlockPublicAcls><IgnorePublicAcls>true</IgnorePublicAcls>\
    <BlockPublicPolicy>true</BlockPublicPolicy><RestrictPublicBuckets>true</RestrictPublicBuckets>\
    </PublicAccessBlockConfiguration>";
const OWNED: &str = "<OwnershipControls xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Rule>\
    <ObjectOwnership>BucketOwnerEnforced</ObjectOwnership></Rule></OwnershipControls>";

/// The part of a lifecycle configuration that is in a header; stored under the header's name.
const MINIMUM_SIZE: &str = "x-amz-transition-default-minimum-object-size";
const DEFAULT_MINIMUM_SIZE: &str = "all_storage_classes_128K";

/// The settings of a new bucket.
pub(super) fn of_new_bucket() -> [(&'static str, String); 2] {
    [("publicAccessBlock", BLOCKED.to_owned()), ("ownershipControls", OWNED.to_owned())]
}

/// The ACL of every bucket and object: the owner only.
pub(super) fn private_acl() -> String {
    let mut document = Xml::document("AccessControlPolicy");
    document.open("Owner").text("ID", OWNER).close("Owner");
    document.open("AccessControlList").open("Grant");
    let mut text = document.end("Grant");
    text.push_str("</AccessControlList></AccessControlPolicy>");
    let grantee = format!(
        "<Grantee xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" xsi:type=\"CanonicalUser\"><ID>{OWNER}</ID>\
         </Grantee><Permission>FULL_CONTROL</Permission></Grant>"
    );
    text.replace("</Grant>", &grantee)
}

/// Tags as a `Tagging` document.
pub(super) fn tagging_document(tags: &Element) -> String {
    let mut document = Xml::document("Tagging");
    document.open("TagSet");
    let tags = tags.all("Tag").chain(tags.all("member")).chain(tags.all("TagSet").flat_map(|set| set.all("Tag")));
    for tag in tags {
        document.open("Tag");
        document.text("Key", tag.value("Key").unwrap_or_default());
        document.text("Value", tag.value("Value").unwrap_or_default());
        document.close("Tag");
    }
    document.close("TagSet");
    document.end("Tagging")
}

/// A setting of a bucket.
#[derive(Debug)]
pub(super) struct Setting {
    /// The name in the query, under which the document is stored.
    pub query: &'static str,
    /// The root element of the document; none for JSON.
    root: &'static str,
    unset: Unset,
}

/// The response to GET while a setting is unset.
#[derive(Debug)]
enum Unset {
    /// A document without content.
    Empty,
    Document(fn() -> String),
    /// An error's code and message.
    Missing(&'static str, &'static str),
}

use Unset::{Document, Empty, Missing};

const fn setting(query: &'static str, root: &'static str, unset: Unset) -> Setting {
    Setting { query, root, unset }
}

pub(super) static ACCELERATE: Setting = setting("accelerate", "AccelerateConfiguration", Empty);
pub(super) static ACL: Setting = setting("acl", "AccessControlPolicy", Document(private_acl));
pub(super) static CORS: Setting =
    setting("cors", "CORSConfiguration", Missing("NoSuchCORSConfiguration", "The CORS configuration does not exist"));
pub(super) static ENCRYPTION: Setting =
    setting("encryption", "ServerSideEncryptionConfiguration", Document(|| DEFAULT_ENCRYPTION.to_owned()));
pub(super) static LIFECYCLE: Setting = setting(
    "lifecycle",
    "LifecycleConfiguration",
    Missing("NoSuchLifecycleConfiguration", "The lifecycle configuration does not exist"),
);
pub(super) static LOGGING: Setting = setting("logging", "BucketLoggingStatus", Empty);
pub(super) static NOTIFICATION: Setting = setting("notification", "NotificationConfiguration", Empty);
pub(super) static OBJECT_LOCK: Setting = setting(
    "object-lock",
    "ObjectLockConfiguration",
    Missing("ObjectLockConfigurationNotFoundError", "Object Lock configuration does not exist for this bucket"),
);
pub(super) static OWNERSHIP_CONTROLS: Setting = setting(
    "ownershipControls",
    "OwnershipControls",
    Missing("OwnershipControlsNotFoundError", "The bucket ownership controls were not found"),
);
pub(super) static POLICY: Setting =
    setting("policy", "", Missing("NoSuchBucketPolicy", "The bucket policy does not exist"));
pub(super) static PUBLIC_ACCESS_BLOCK: Setting = setting(
    "publicAccessBlock",
    "PublicAccessBlockConfiguration",
    Missing("NoSuchPublicAccessBlockConfiguration", "The public access block configuration was not found"),
);
pub(super) static REPLICATION: Setting = setting(
    "replication",
    "ReplicationConfiguration",
    Missing("ReplicationConfigurationNotFoundError", "The replication configuration was not found"),
);
pub(super) static REQUEST_PAYMENT: Setting =
    setting("requestPayment", "RequestPaymentConfiguration", Document(paid_by_owner));
pub(super) static TAGGING: Setting =
    setting("tagging", "Tagging", Missing("NoSuchTagSet", "The TagSet does not exist"));
pub(super) static VERSIONING: Setting = setting("versioning", "VersioningConfiguration", Empty);
pub(super) static WEBSITE: Setting = setting(
    "website",
    "WebsiteConfiguration",
    Missing("NoSuchWebsiteConfiguration", "The specified bucket does not have a website configuration"),
);

fn paid_by_owner() -> String {
    let mut document = Xml::document("RequestPaymentConfiguration");
    document.text("Payer", "BucketOwner");
    document.end("RequestPaymentConfiguration")
}

/// The versioning status: `Enabled`, `Suspended`, or nothing.
pub(super) fn versioning(bucket: &Bucket) -> Option<&'static str> {
    let document = bucket.settings.get("versioning")?;
    if document.contains(">Enabled<") { Some("Enabled") } else { Some("Suspended") }
}

impl S3 {
    /// Sets all tags of a bucket, including system tags (`aws:…`), for CloudFormation.
    pub(crate) fn tag_bucket(&self, bucket: &str, tags: &BTreeMap<String, String>) -> S3Result<()> {
        let mut document = Xml::document("Tagging");
        document.open("TagSet");
        for (key, value) in tags {
            document.open("Tag").text("Key", key).text("Value", value).close("Tag");
        }
        document.close("TagSet");
        let value = (!tags.is_empty()).then(|| document.end("Tagging"));
        self.with_bucket(bucket, |bucket| Ok(bucket.change(Change::Configure { name: "tagging".to_owned(), value })?))
    }

    /// The system tags of a bucket, which only CloudFormation can change.
    fn system_tags(&self, call: &Call) -> S3Result<BTreeMap<String, String>> {
        let document = self.with(call, |bucket| Ok(bucket.settings.get("tagging").cloned()))?;
        let Some(document) = document else { return Ok(BTreeMap::new()) };
        let document = Element::parse(document.as_bytes())?;
        let tags = document.child("TagSet").into_iter().flat_map(|set| set.all("Tag"));
        let pair = |tag: &Element| {
            (tag.value("Key").unwrap_or_default().to_owned(), tag.value("Value").unwrap_or_default().to_owned())
        };
        Ok(tags.map(pair).filter(|(key, _)| key.starts_with("aws:")).collect())
    }

    pub(super) fn delete_setting(&self, call: &Call, setting: &Setting) -> S3Result {
        if setting.query == "tagging" {
            // System tags remain.
            self.tag_bucket(&call.target.bucket, &self.system_tags(call)?)?;
        } else {
            self.configure(call, setting.query, None)?;
        }
        Ok(empty(204))
    }

    pub(super) fn get_setting(&self, call: &Call, setting: &Setting) -> S3Result<Response<Body>> {
        self.with(call, |bucket| {
            let document = match (bucket.settings.get(setting.query), &setting.unset) {
                (Some(document), _) => document.clone(),
                (None, Empty) => Xml::document(setting.root).end(setting.root),
                (None, Document(document)) => document(),
                (None, Missing(code, message)) => {
                    return Err(S3Error::new(404, code, *message).with("BucketName", &bucket.name));
                }
            };
            let mut response = xml(document);
            if setting.query == "policy" {
                response.headers_mut().insert("content-type", HeaderValue::from_static("application/json"));
            }
            show_minimum_size(bucket, setting.query, &mut response);
            Ok(response)
        })
    }

    pub(super) async fn put_setting(&self, call: &mut Call, setting: &Setting) -> S3Result {
        let bytes = call.document().await?;
        let Setting { query: setting, root, .. } = *setting;
        if setting == "policy" {
            let policy = serde_json::from_slice::<serde_json::Value>(&bytes)
                .ok()
                .filter(|policy| policy["Statement"].is_array() || policy["Statement"].is_object())
                .map(|policy| policy.to_string())
                // An invalid policy could not be enforced.
                .filter(|policy| awsim_iam_policy::parse(policy).is_ok())
                .ok_or_else(|| S3Error::new(400, "MalformedPolicy", "This policy contains invalid Json"))?;
            return self.store_setting(call, setting, policy, 204);
        }
        if setting == "acl" && bytes.is_empty() {
            // A canned ACL in a header. Object ownership is enforced: only ACLs without an effect are accepted.
            return match call.header("x-amz-acl") {
                None | Some("private" | "bucket-owner-full-control") => self.with(call, |_| Ok(empty(200))),
                Some(_) => Err(S3Error::new(400, "AccessControlListNotSupported", "The bucket does not allow ACLs")),
            };
        }
        let document = Element::parse(&bytes)?;
        if document.name != root {
            return Err(S3Error::malformed_xml());
        }
        let text = match setting {
            "notification" => notification::accept(&document, &call.target.bucket, &self.services)?,
            "tagging" => {
                let system = self.system_tags(call)?;
                check_tags(&document, &system)?;
                let mut tags: BTreeMap<String, String> = system;
                for tag in document.child("TagSet").into_iter().flat_map(|set| set.all("Tag")) {
                    let member = |name| tag.value(name).unwrap_or_default().to_owned();
                    tags.insert(member("Key"), member("Value"));
                }
                self.tag_bucket(&call.target.bucket, &tags)?;
                return Ok(empty(204));
            }
            "versioning" => match document.value("Status") {
                Some("Enabled" | "Suspended") => String::from_utf8_lossy(&bytes).into_owned(),
                _ => return Err(S3Error::malformed_xml()),
            },
            "encryption" if document.child("Rule").is_none() => {
                return Err(S3Error::malformed_xml());
            }
            "lifecycle" => {
                let size = match call.header(MINIMUM_SIZE) {
                    Some(size @ ("all_storage_classes_128K" | "varies_by_storage_class")) => size.to_owned(),
                    Some(_) => return Err(S3Error::invalid_argument("Invalid transition default minimum object size")),
                    None => DEFAULT_MINIMUM_SIZE.to_owned(),
                };
                self.configure(call, MINIMUM_SIZE, Some(size))?;
                String::from_utf8_lossy(&bytes).into_owned()
            }
            _ => String::from_utf8_lossy(&bytes).into_owned(),
        };
        let mut response = self.store_setting(call, setting, text, 200)?;
        self.with(call, |bucket| {
            show_minimum_size(bucket, setting, &mut response);
            Ok(())
        })?;
        Ok(response)
    }

    fn store_setting(&self, call: &Call, setting: &str, document: String, status: u16) -> S3Result {
        self.configure(call, setting, Some(document))?;
        Ok(empty(status))
    }

    fn configure(&self, call: &Call, name: &str, value: Option<String>) -> S3Result<()> {
        self.with(call, |bucket| Ok(bucket.change(Change::Configure { name: name.to_owned(), value })?))
    }
}

fn show_minimum_size(bucket: &Bucket, setting: &str, response: &mut Response<Body>) {
    if setting == "lifecycle" {
        let size = bucket.settings.get(MINIMUM_SIZE).map_or(DEFAULT_MINIMUM_SIZE, String::as_str);
        super::set_header(response, MINIMUM_SIZE, size);
    }
}

fn check_tags(document: &Element, system: &BTreeMap<String, String>) -> S3Result<()> {
    let set = document.child("TagSet").ok_or_else(S3Error::malformed_xml)?;
    let mut names = std::collections::BTreeSet::new();
    for tag in set.all("Tag") {
        let (key, value) = (tag.value("Key").unwrap_or_default(), tag.value("Value").unwrap_or_default());
        if key.is_empty() || key.chars().count() > 128 || value.chars().count() > 256 {
            return Err(S3Error::new(400, "InvalidTag", "The TagKey or TagValue you have provided is invalid"));
        }
        // Unchanged system tags are accepted, for clients that read all tags and write them back.
        if key.starts_with("aws:") && system.get(key).is_none_or(|there| there != value) {
            return Err(S3Error::new(400, "InvalidTag", "System tags cannot be added/updated by requester"));
        }
        if !names.insert(key) {
            return Err(S3Error::new(400, "InvalidTag", "Cannot provide multiple Tags with the same key"));
        }
    }
    if names.iter().filter(|name| !name.starts_with("aws:")).count() > 50 {
        return Err(S3Error::new(400, "BadRequest", "Bucket tag count cannot be greater than 50"));
    }
    Ok(())
}
