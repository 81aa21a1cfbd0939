//! Object tags.

use std::collections::{BTreeMap, BTreeSet};

use super::index::Change;
use super::xml::{Element, Xml};
use super::{Call, S3, S3Error, S3Result, empty, find, set_header, settings, xml};

impl S3 {
    pub(super) fn get_tagging(&self, call: &Call) -> S3Result {
        self.with_version(call, |bucket, version| {
            let mut document = Xml::document("Tagging");
            document.open("TagSet");
            for (key, value) in &version.tags {
                document.open("Tag").text("Key", key).text("Value", value).close("Tag");
            }
            document.close("TagSet");
            let mut response = xml(document.end("Tagging"));
            if settings::versioning(bucket).is_some() {
                set_header(&mut response, "x-amz-version-id", &version.id);
            }
            Ok(response)
        })
    }

    pub(super) async fn put_tagging(&self, call: &mut Call) -> S3Result {
        let document = Element::parse(&call.document().await?)?;
        let set = document.child("TagSet").ok_or_else(S3Error::malformed_xml)?;
        let mut tags = BTreeMap::new();
        let mut names = BTreeSet::new();
        for tag in set.all("Tag") {
            let key = tag.value("Key").ok_or_else(S3Error::malformed_xml)?;
            if !names.insert(key) {
                return Err(S3Error::new(400, "InvalidTag", "Cannot provide multiple Tags with the same key"));
            }
            tags.insert(key.to_owned(), tag.value("Value").unwrap_or_default().to_owned());
        }
        check(&tags)?;
        self.tag(call, tags, 200)
    }

    pub(super) fn delete_tagging(&self, call: &Call) -> S3Result {
        self.tag(call, BTreeMap::new(), 204)
    }

    fn tag(&self, call: &Call, tags: BTreeMap<String, String>, status: u16) -> S3Result {
        let key = &call.target.key;
        self.with(call, |bucket| {
            let id = find(bucket, key, call.target.parameter("versionId"))?.id.clone();
            let mut response = empty(status);
            if settings::versioning(bucket).is_some() {
                set_header(&mut response, "x-amz-version-id", &id);
            }
            bucket.change(Change::Tag { key: key.clone(), id, tags })?;
            Ok(response)
        })
    }
}

/// Checks the number and the length of tags.
pub(super) fn check(tags: &BTreeMap<String, String>) -> S3Result<()> {
    if tags.len() > 10 {
        return Err(S3Error::new(400, "BadRequest", "Object tags cannot be greater than 10"));
    }
    let wrong = tags.iter().any(|(key, value)| {
        key.is_empty() || key.chars().count() > 128 || value.chars().count() > 256 || key.starts_with("aws:")
    });
    if wrong {
        return Err(S3Error::new(400, "InvalidTag", "The TagKey or TagValue you have provided is invalid"));
    }
    Ok(())
}
