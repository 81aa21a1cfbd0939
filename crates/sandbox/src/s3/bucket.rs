//! Creating, listing and deleting buckets.

use axum::body::Body;
use http::{HeaderValue, Response};

use super::index::{Bucket, Change};
use super::xml::{Element, Xml};
use super::{Call, S3, S3Error, S3Result, empty, iso_time, now, settings, xml};
use crate::sync::lock;

impl S3 {
    pub(super) async fn create_bucket(&self, call: &mut Call) -> S3Result {
        let name = call.target.bucket.clone();
        check_name(&name)?;
        let document = call.document().await?;
        let document = if document.is_empty() { Element::default() } else { Element::parse(&document)? };
        let constraint = document.value("LocationConstraint").filter(|region| !region.is_empty());
        // Outside of us-east-1 the region is required, in us-east-1 it is forbidden.
        let region = match constraint {
            Some("us-east-1") => {
                return Err(S3Error::new(
                    400,
                    "InvalidLocationConstraint",
                    "The specified location-constraint is not valid",
                )
                .with("LocationConstraint", "us-east-1"));
            }
            Some(region) if call.region == "us-east-1" || region == call.region || region == "EU" => region,
            None if call.region == "us-east-1" => "us-east-1",
            _ => {
                let shown = constraint.unwrap_or("unspecified");
                return Err(S3Error::new(
                    400,
                    "IllegalLocationConstraintException",
                    format!(
                        "The {shown} location constraint is incompatible for the region specific endpoint this request was sent to."
                    ),
                ));
            }
        };
        let region = if region == "EU" { "eu-west-1" } else { region }.to_owned();
        let mut buckets = lock(&self.buckets);
        if let Some(existing) = buckets.get(&name) {
            // Only in us-east-1, creating one's own bucket again succeeds.
            if region != "us-east-1" || existing.region != "us-east-1" {
                return Err(S3Error::new(
                    409,
                    "BucketAlreadyOwnedByYou",
                    "Your previous request to create the named bucket succeeded and you already own it.",
                )
                .with("BucketName", &name));
            }
        } else {
            let mut bucket = Bucket::create(&self.dir, &name, &region, now())?;
            // The defaults of new buckets since 2023.
            for (name, document) in settings::of_new_bucket() {
                bucket.change(Change::Configure { name: name.to_owned(), value: Some(document) })?;
            }
            if let Some(tags) = document.child("Tags") {
                bucket.change(Change::Configure {
                    name: "tagging".to_owned(),
                    value: Some(settings::tagging_document(tags)),
                })?;
            }
            buckets.insert(name.clone(), bucket);
        }
        let mut response = empty(200);
        if let Ok(location) = HeaderValue::from_str(&format!("/{name}")) {
            response.headers_mut().insert("location", location);
        }
        Ok(response)
    }

    pub(super) fn delete_bucket(&self, call: &Call) -> S3Result {
        let name = &call.target.bucket;
        let mut buckets = lock(&self.buckets);
        let bucket = buckets.get(name).ok_or_else(|| S3Error::no_such_bucket(name))?;
        if !bucket.keys.is_empty() {
            let markers = bucket.keys.values().flatten().all(|version| version.marker)
                || bucket.keys.values().any(|versions| versions.last().is_some_and(|last| last.marker));
            let message = if markers || bucket.settings.contains_key("versioning") {
                "The bucket you tried to delete is not empty. You must delete all versions in the bucket."
            } else {
                "The bucket you tried to delete is not empty"
            };
            return Err(S3Error::new(409, "BucketNotEmpty", message).with("BucketName", name));
        }
        // Incomplete uploads do not prevent the deletion.
        if let Some(bucket) = buckets.remove(name) {
            bucket.delete()?;
        }
        Ok(empty(204))
    }

    pub(super) fn get_location(&self, call: &Call) -> S3Result {
        self.with(call, |bucket| {
            let mut document = Xml::document("LocationConstraint").end("LocationConstraint");
            // The region is the text of the root element, empty for us-east-1.
            if bucket.region != "us-east-1" {
                let end = document.rfind("</").unwrap_or(document.len());
                document.insert_str(end, &bucket.region);
            }
            Ok(xml(document))
        })
    }

    pub(super) fn list_buckets(&self, call: &Call) -> S3Result<Response<Body>> {
        let parameter = |name| call.target.parameter(name).unwrap_or("");
        let limit: usize = parameter("max-buckets").parse().unwrap_or(10_000).max(1);
        let (prefix, after, region) =
            (parameter("prefix"), parameter("continuation-token"), parameter("bucket-region"));
        let buckets = lock(&self.buckets);
        let mut found = buckets.values().filter(|bucket| {
            bucket.name.starts_with(prefix)
                && bucket.name.as_str() > after
                && (region.is_empty() || bucket.region == region)
        });
        let mut document = Xml::document("ListAllMyBucketsResult");
        document.open("Owner").text("ID", settings::OWNER).close("Owner");
        document.open("Buckets");
        let mut last = None;
        for bucket in found.by_ref().take(limit) {
            document.open("Bucket");
            document.text("Name", &bucket.name).text("CreationDate", iso_time(bucket.created));
            document.text("BucketRegion", &bucket.region);
            document.text("BucketArn", format!("arn:aws:s3:::{}", bucket.name));
            document.close("Bucket");
            last = Some(&bucket.name);
        }
        document.close("Buckets");
        if found.next().is_some() {
            document.optional("ContinuationToken", last);
        }
        if !prefix.is_empty() {
            document.text("Prefix", prefix);
        }
        Ok(xml(document.end("ListAllMyBucketsResult")))
    }
}

/// Whether a bucket belongs to another account: here, all names with the reserved prefix of AWS's documentation.
pub(super) fn belongs_to_another(name: &str) -> bool {
    name.starts_with("amzn-s3-demo-")
}

/// The error for a call on a bucket of another account.
pub(super) fn foreign_bucket_error(call: &Call) -> S3Error {
    if call.target.operation.info.name == "CreateBucket" {
        return S3Error::new(
            409,
            "BucketAlreadyExists",
            "The requested bucket name is not available. The bucket namespace is shared by all users of the system. Please select a different name and try again.",
        )
        .with("BucketName", &call.target.bucket);
    }
    S3Error::new(403, "AccessDenied", "Access Denied")
}

/// Checks a name against the rules for general purpose buckets, which also make it a safe file name.
fn check_name(name: &str) -> S3Result<()> {
    let edge = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let valid = (3..=63).contains(&name.len())
        && name.chars().all(|c| edge(c) || c == '-' || c == '.')
        && name.starts_with(edge)
        && name.ends_with(edge)
        && !name.contains("..")
        && name.parse::<std::net::Ipv4Addr>().is_err()
        && !["xn--", "sthree-"].iter().any(|reserved| name.starts_with(reserved))
        && !["-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3"].iter().any(|reserved| name.ends_with(reserved));
    if valid {
        Ok(())
    } else {
        Err(S3Error::new(400, "InvalidBucketName", "The specified bucket is not valid.").with("BucketName", name))
    }
}

#[cfg(test)]
mod tests {
    use super::check_name;

    #[test]
    fn bucket_names_follow_the_rules() {
        for good in ["abc", "a-b.c9", &"a".repeat(63)] {
            assert!(check_name(good).is_ok(), "{good}");
        }
        for bad in ["ab", "Abc", "a_b", "-abc", "abc-", "a..b", "10.0.0.1", "xn--abc", "..", "a/b", &"a".repeat(64)] {
            assert!(check_name(bad).is_err(), "{bad}");
        }
    }
}
