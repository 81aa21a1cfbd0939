//! DeleteObject and DeleteObjects.

use super::index::{Bucket, Change, NULL_VERSION, Version};
use super::xml::{Element, Xml};
use super::{Call, S3, S3Error, S3Result, empty, new_id, now, set_header, settings, xml};
use crate::s3::permissions;

/// The result of a deletion.
struct Deleted {
    /// The deleted version or the new delete marker.
    id: Option<String>,
    /// Whether a delete marker was deleted or created.
    marker: bool,
    /// The event to notify about.
    event: Option<&'static str>,
}

impl S3 {
    pub(super) fn delete_object(&self, call: &Call) -> S3Result {
        let key = &call.target.key;
        let deleted = self.with(call, |bucket| delete(bucket, key, call.target.parameter("versionId")))?;
        self.notify_removal(call, key, &deleted);
        let mut response = empty(204);
        if let Some(id) = &deleted.id {
            set_header(&mut response, "x-amz-version-id", id);
        }
        if deleted.marker {
            set_header(&mut response, "x-amz-delete-marker", "true");
        }
        Ok(response)
    }

    pub(super) async fn delete_objects(&self, call: &mut Call) -> S3Result {
        let document = Element::parse(&call.document().await?)?;
        let named: Vec<(String, Option<String>)> = document
            .all("Object")
            .map(|object| Some((object.value("Key")?.to_owned(), object.value("VersionId").map(str::to_owned))))
            .collect::<Option<_>>()
            .ok_or_else(S3Error::malformed_xml)?;
        if document.name != "Delete" || named.is_empty() || named.len() > 1000 {
            return Err(S3Error::malformed_xml());
        }
        let quiet = document.value("Quiet").is_some_and(|quiet| quiet.trim() == "true");
        let mut response = Xml::document("DeleteResult");
        for (key, id) in named {
            let id = id.filter(|id| !id.is_empty());
            let allowed = call.authorizer.check(&permissions::delete_object(&call.target.bucket, &key, id.as_deref()));
            let result = allowed.and_then(|()| self.with(call, |bucket| delete(bucket, &key, id.as_deref())));
            match result {
                Ok(deleted) => {
                    self.notify_removal(call, &key, &deleted);
                    if quiet {
                        continue;
                    }
                    response.open("Deleted").text("Key", &key).optional("VersionId", id.as_ref());
                    if deleted.marker {
                        response.text("DeleteMarker", true).optional("DeleteMarkerVersionId", deleted.id);
                    }
                    response.close("Deleted");
                }
                Err(error) if error.code == "NoSuchBucket" => return Err(error),
                Err(error) => {
                    response.open("Error").text("Key", &key).optional("VersionId", id);
                    response.text("Code", error.code).text("Message", error.message).close("Error");
                }
            }
        }
        Ok(xml(response.end("DeleteResult")))
    }

    fn notify_removal(&self, call: &Call, key: &str, deleted: &Deleted) {
        if let Some(event) = deleted.event {
            let version = Version { id: deleted.id.clone().unwrap_or_default(), ..Version::default() };
            self.notify_key(call, key, event, &version);
        }
    }
}

/// Deletes a version or adds a delete marker. Deleting a missing key succeeds.
fn delete(bucket: &mut Bucket, key: &str, id: Option<&str>) -> S3Result<Deleted> {
    let versioning = settings::versioning(bucket);
    if let Some(id) = id {
        let marker = bucket.version(key, id).map(|version| version.marker);
        if marker.is_some() {
            bucket.change(Change::Remove { key: key.to_owned(), id: id.to_owned() })?;
        }
        let event = marker.is_some().then_some("ObjectRemoved:Delete");
        return Ok(Deleted { id: Some(id.to_owned()), marker: marker.unwrap_or(false), event });
    }
    let Some(state) = versioning else {
        let there = bucket.version(key, NULL_VERSION).is_some();
        if there {
            bucket.change(Change::Remove { key: key.to_owned(), id: NULL_VERSION.to_owned() })?;
        }
        return Ok(Deleted { id: None, marker: false, event: there.then_some("ObjectRemoved:Delete") });
    };
    let id = if state == "Enabled" { new_id() } else { NULL_VERSION.to_owned() };
    let version = Version { id: id.clone(), modified: now(), marker: true, ..Version::default() };
    bucket.change(Change::Put { key: key.to_owned(), version: Box::new(version) })?;
    Ok(Deleted { id: Some(id), marker: true, event: Some("ObjectRemoved:DeleteMarkerCreated") })
}
