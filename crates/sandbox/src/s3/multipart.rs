//! Multipart uploads.

use md5::{Digest, Md5};
use tokio::io::{AsyncReadExt, AsyncSeekExt};

use super::body::{MAX_OBJECT, declared_length, too_large};
use super::checksum::{self, Checksum};
use super::content::ContentWriter;
use super::index::{Change, Part, Upload, Version};
use super::list::Listing;
use super::write::{check_write_conditions, kept_headers, store, tags_in_header};
use super::xml::{Element, Xml};
use super::{Call, S3, S3Error, S3Result, empty, iso_time, new_id, now, set_header, settings, xml};
use crate::storage::blobs::hex;

/// The smallest size of all parts but the last, in bytes.
const MIN_PART: u64 = 5 * 1024 * 1024;

impl S3 {
    pub(super) fn create_upload(&self, call: &Call) -> S3Result {
        let (algorithm, kind) = requested_checksum(call)?;
        let upload = Upload {
            key: call.target.key.clone(),
            started: now(),
            headers: kept_headers(&call.parts)?,
            tags: tags_in_header(call)?,
            checksum_algorithm: algorithm.clone(),
            checksum_type: kind.clone(),
            parts: Default::default(),
        };
        let id = new_id();
        self.with(call, |bucket| Ok(bucket.change(Change::Begin { id: id.clone(), upload: Box::new(upload) })?))?;
        let mut document = Xml::document("InitiateMultipartUploadResult");
        document.text("Bucket", &call.target.bucket).text("Key", &call.target.key).text("UploadId", &id);
        let mut response = xml(document.end("InitiateMultipartUploadResult"));
        set_header(&mut response, "x-amz-server-side-encryption", "AES256");
        if let Some(algorithm) = algorithm {
            set_header(&mut response, "x-amz-checksum-algorithm", &algorithm);
        }
        if let Some(kind) = kind {
            set_header(&mut response, "x-amz-checksum-type", &kind);
        }
        Ok(response)
    }

    pub(super) async fn upload_part(&self, call: &mut Call) -> S3Result {
        let (id, number) = part_of(call)?;
        // Parts of an upload that is too large are rejected early.
        let room = |upload: &Upload, length: u64| {
            let others = upload.parts.iter().filter(|(other, _)| **other != number).map(|(_, part)| part.size);
            match others.sum::<u64>().saturating_add(length) {
                0..=MAX_OBJECT => Ok(()),
                sum => Err(too_large(sum)),
            }
        };
        let declared = declared_length(call).unwrap_or_default();
        self.with(call, |bucket| room(upload_at(bucket.uploads.get(&id), &id, &call.target.key)?, declared))?;
        let received = self.receive(call).await?;
        let part = Part {
            blob: received.content.sha256,
            size: received.content.size,
            etag: received.content.md5,
            modified: now(),
            checksum: received.checksum,
        };
        let mut response = empty(200);
        set_header(&mut response, "etag", &format!("\"{}\"", part.etag));
        set_header(&mut response, "x-amz-server-side-encryption", "AES256");
        if let Some((algorithm, value)) = &part.checksum {
            set_header(&mut response, &format!("x-amz-checksum-{algorithm}"), value);
        }
        self.with(call, |bucket| {
            room(upload_at(bucket.uploads.get(&id), &id, &call.target.key)?, part.size)?;
            bucket.change(Change::AddPart { id, number, part: Box::new(part) })?;
            Ok(response)
        })
    }

    pub(super) async fn complete_upload(&self, call: &mut Call) -> S3Result {
        let id = call.target.parameter("uploadId").unwrap_or_default().to_owned();
        let document = Element::parse(&call.document().await?)?;
        let upload = self.with(call, |bucket| {
            check_write_conditions(call, bucket)?;
            upload_at(bucket.uploads.get(&id), &id, &call.target.key).cloned()
        })?;
        let parts = chosen_parts(&document, &upload)?;
        let size: u64 = parts.iter().map(|part| part.size).sum();
        if size > MAX_OBJECT {
            return Err(too_large(size));
        }
        let mut writer = ContentWriter::new(self.services.blobs()).await?;
        let mut whole = whole_checksum(&upload);
        for part in &parts {
            self.append_blob(&mut writer, &part.blob, 0, part.size, whole.as_mut().map(|(_, checksum)| checksum))
                .await?;
        }
        let content = writer.finish().await?;
        let checksum = match whole {
            Some((algorithm, checksum)) => Some((algorithm, checksum.finish())),
            None => checksum_of_parts(&parts),
        };
        let version = Version {
            blob: content.sha256,
            size: content.size,
            etag: composite_etag(&parts),
            headers: upload.headers,
            tags: upload.tags,
            parts: Some(parts.len()),
            part_sizes: parts.iter().map(|part| part.size).collect(),
            checksum,
            ..Version::default()
        };
        let stored = self.with(call, |bucket| {
            // Another call may have completed or aborted the upload.
            upload_at(bucket.uploads.get(&id), &id, &call.target.key)?;
            check_write_conditions(call, bucket)?;
            let stored = store(bucket, &call.target.key, version)?;
            bucket.change(Change::End { id: id.clone() })?;
            Ok(stored)
        })?;
        self.notify(call, "ObjectCreated:CompleteMultipartUpload", &stored);
        let headers = self.stored_response(call, &stored);
        let mut document = Xml::document("CompleteMultipartUploadResult");
        let location = format!("{}/{}/{}", self.services.endpoint(), call.target.bucket, call.target.key);
        document.text("Location", location).text("Bucket", &call.target.bucket).text("Key", &call.target.key);
        document.text("ETag", format!("\"{}\"", stored.etag));
        if let Some((algorithm, value)) = &stored.checksum {
            document.text(&format!("Checksum{}", algorithm.to_uppercase()), value);
            document.text("ChecksumType", checksum::kind(value));
        }
        let mut response = xml(document.end("CompleteMultipartUploadResult"));
        for (name, value) in headers.headers() {
            if name != "etag" {
                response.headers_mut().insert(name, value.clone());
            }
        }
        Ok(response)
    }

    pub(super) fn abort_upload(&self, call: &Call) -> S3Result {
        let id = call.target.parameter("uploadId").unwrap_or_default();
        self.with(call, |bucket| {
            upload_at(bucket.uploads.get(id), id, &call.target.key)?;
            bucket.change(Change::End { id: id.to_owned() })?;
            Ok(empty(204))
        })
    }

    pub(super) fn list_parts(&self, call: &Call) -> S3Result {
        let id = call.target.parameter("uploadId").unwrap_or_default();
        let after: u32 = call.target.parameter("part-number-marker").and_then(|n| n.parse().ok()).unwrap_or(0);
        let limit = call.target.parameter("max-parts").and_then(|n| n.parse().ok()).unwrap_or(1000usize).min(1000);
        self.with(call, |bucket| {
            let upload = upload_at(bucket.uploads.get(id), id, &call.target.key)?;
            let mut rest = upload.parts.range(after.saturating_add(1)..).peekable();
            let mut document = Xml::document("ListPartsResult");
            document.text("Bucket", &bucket.name).text("Key", &upload.key).text("UploadId", id);
            document.text("PartNumberMarker", after);
            let mut last = after;
            for (number, part) in rest.by_ref().take(limit) {
                document.open("Part").text("PartNumber", number).text("LastModified", iso_time(part.modified));
                document.text("ETag", format!("\"{}\"", part.etag)).text("Size", part.size);
                if let Some((algorithm, value)) = &part.checksum {
                    document.text(&format!("Checksum{}", algorithm.to_uppercase()), value);
                }
                document.close("Part");
                last = *number;
            }
            document.text("NextPartNumberMarker", last).text("MaxParts", limit);
            document.text("IsTruncated", rest.peek().is_some());
            document.open("Initiator").text("ID", settings::OWNER).close("Initiator");
            document.open("Owner").text("ID", settings::OWNER).close("Owner");
            document.text("StorageClass", "STANDARD").optional("ChecksumAlgorithm", upload.checksum_algorithm.as_ref());
            document.optional("ChecksumType", upload.checksum_type.as_ref());
            Ok(xml(document.end("ListPartsResult")))
        })
    }

    pub(super) fn list_uploads(&self, call: &Call) -> S3Result {
        let listing = Listing::read(call, "max-uploads", "key-marker")?;
        let id_marker = call.target.parameter("upload-id-marker").unwrap_or("");
        self.with(call, |bucket| {
            let mut uploads: Vec<(&String, &Upload)> = bucket.uploads.iter().collect();
            uploads.sort_by(|(a_id, a), (b_id, b)| (&a.key, a.started, a_id).cmp(&(&b.key, b.started, b_id)));
            let marker_at = uploads.iter().position(|(id, _)| id.as_str() == id_marker);
            let page = listing.page(
                uploads
                    .iter()
                    .enumerate()
                    .filter(|(at, (_, upload))| match marker_at {
                        Some(marker) if upload.key == listing.after => *at > marker,
                        _ => upload.key > listing.after || listing.after.is_empty(),
                    })
                    .map(|(_, (id, upload))| (upload.key.as_str(), (*id, *upload))),
            );
            let mut document = Xml::document("ListMultipartUploadsResult");
            document.text("Bucket", &bucket.name).text("KeyMarker", listing.encode(&listing.after));
            document.text("UploadIdMarker", id_marker);
            listing.echo(&mut document);
            document.text("MaxUploads", listing.limit).text("IsTruncated", page.truncated);
            if page.truncated {
                document.text("NextKeyMarker", listing.encode(&page.last));
                document.optional("NextUploadIdMarker", page.entries.last().map(|(_, (id, _))| id));
            }
            for (key, (id, upload)) in &page.entries {
                document.open("Upload").text("Key", listing.encode(key)).text("UploadId", id);
                document.open("Initiator").text("ID", settings::OWNER).close("Initiator");
                document.open("Owner").text("ID", settings::OWNER).close("Owner");
                document.text("StorageClass", "STANDARD").text("Initiated", iso_time(upload.started));
                document.optional("ChecksumAlgorithm", upload.checksum_algorithm.as_ref());
                document.optional("ChecksumType", upload.checksum_type.as_ref());
                document.close("Upload");
            }
            listing.prefixes(&mut document, &page.prefixes);
            Ok(xml(document.end("ListMultipartUploadsResult")))
        })
    }

    /// Appends a range of a blob to a new one.
    pub(super) async fn append_blob(
        &self,
        writer: &mut ContentWriter,
        hash: &str,
        start: u64,
        length: u64,
        mut checksum: Option<&mut Checksum>,
    ) -> std::io::Result<()> {
        let mut file = tokio::fs::File::open(self.services.blobs().path(hash)).await?;
        file.seek(std::io::SeekFrom::Start(start)).await?;
        let mut file = file.take(length);
        let mut buffer = vec![0; 256 * 1024];
        loop {
            match file.read(&mut buffer).await? {
                0 => return Ok(()),
                read => {
                    if let Some(checksum) = &mut checksum {
                        checksum.update(&buffer[..read]);
                    }
                    writer.write(&buffer[..read]).await?;
                }
            }
        }
    }
}

/// The upload id and the part number of a request.
pub(super) fn part_of(call: &Call) -> S3Result<(String, u32)> {
    let id = call.target.parameter("uploadId").unwrap_or_default().to_owned();
    let number = call.target.parameter("partNumber").and_then(|number| number.parse().ok());
    match number {
        Some(number @ 1..=10_000) => Ok((id, number)),
        _ => Err(S3Error::invalid_argument("Part number must be an integer between 1 and 10000, inclusive")),
    }
}

/// The algorithm and the type of an upload's checksum. CRC64NVME is always of the full object.
fn requested_checksum(call: &Call) -> S3Result<(Option<String>, Option<String>)> {
    let Some(name) = call.header("x-amz-checksum-algorithm") else {
        return Ok((None, None));
    };
    let known = checksum::known(name).ok_or_else(|| {
        S3Error::new(400, "InvalidRequest", "Checksum algorithm provided is unsupported. Please try again with any of the valid types: [CRC32, CRC32C, CRC64NVME, SHA1, SHA256]")
    })?;
    let usual = if known == "crc64nvme" { "FULL_OBJECT" } else { "COMPOSITE" };
    let kind = call.header("x-amz-checksum-type").unwrap_or(usual);
    let possible = match kind {
        "COMPOSITE" => known != "crc64nvme",
        "FULL_OBJECT" => known.starts_with("crc"),
        _ => false,
    };
    if !possible {
        return Err(S3Error::new(
            400,
            "InvalidRequest",
            format!("The {kind} checksum type cannot be used with the {known} checksum algorithm."),
        ));
    }
    Ok((Some(known.to_uppercase()), Some(kind.to_owned())))
}

/// The checksum of the full object, if the upload requests one.
fn whole_checksum(upload: &Upload) -> Option<(String, Checksum)> {
    let algorithm = checksum::known(upload.checksum_algorithm.as_deref()?)?;
    let whole = upload.checksum_type.as_deref() == Some("FULL_OBJECT");
    Some((algorithm.to_owned(), Checksum::new(algorithm).filter(|_| whole)?))
}

/// The composite checksum, if all parts have the same algorithm.
fn checksum_of_parts(parts: &[Part]) -> Option<(String, String)> {
    let (algorithm, _) = parts.first()?.checksum.as_ref()?;
    let values: Option<Vec<&str>> = parts
        .iter()
        .map(|part| part.checksum.as_ref().filter(|(other, _)| other == algorithm).map(|(_, value)| value.as_str()))
        .collect();
    Some((algorithm.clone(), checksum::composite(algorithm, &values?)?))
}

fn upload_at<'a>(upload: Option<&'a Upload>, id: &str, key: &str) -> S3Result<&'a Upload> {
    upload.filter(|upload| upload.key == key).ok_or_else(|| S3Error::no_such_upload(id))
}

/// The parts named by the client, checked for existence, order and size.
fn chosen_parts(document: &Element, upload: &Upload) -> S3Result<Vec<Part>> {
    if document.name != "CompleteMultipartUpload" || document.children.is_empty() {
        return Err(S3Error::malformed_xml());
    }
    let mut parts: Vec<(u32, Part)> = Vec::new();
    for named in document.all("Part") {
        let number: u32 =
            named.value("PartNumber").and_then(|n| n.trim().parse().ok()).ok_or_else(S3Error::malformed_xml)?;
        let etag = named.value("ETag").map(|tag| tag.trim().trim_matches('"')).unwrap_or_default();
        let same_checksum = |part: &&Part| match &part.checksum {
            Some((algorithm, value)) => named
                .value(&format!("Checksum{}", algorithm.to_uppercase()))
                .is_none_or(|checksum| checksum.trim() == value),
            None => true,
        };
        let part = upload.parts.get(&number).filter(|part| part.etag == etag).filter(same_checksum).ok_or_else(|| {
            S3Error::new(
                400,
                "InvalidPart",
                "One or more of the specified parts could not be found. The part may not have been uploaded, or the specified entity tag may not match the part's entity tag.",
            )
        })?;
        if parts.last().is_some_and(|(last, _)| *last >= number) {
            return Err(S3Error::new(
                400,
                "InvalidPartOrder",
                "The list of parts was not in ascending order. Parts must be ordered by part number.",
            ));
        }
        parts.push((number, part.clone()));
    }
    let all_but_last = parts.len().saturating_sub(1);
    if parts.iter().take(all_but_last).any(|(_, part)| part.size < MIN_PART) {
        return Err(S3Error::new(
            400,
            "EntityTooSmall",
            "Your proposed upload is smaller than the minimum allowed size",
        ));
    }
    Ok(parts.into_iter().map(|(_, part)| part).collect())
}

/// The ETag of a multipart upload: the MD5 of the parts' MD5s, and their number.
fn composite_etag(parts: &[Part]) -> String {
    let mut all = Md5::new();
    for part in parts {
        let digits = part.etag.as_bytes().chunks(2);
        let bytes: Vec<u8> =
            digits.filter_map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()).collect();
        all.update(&bytes);
    }
    format!("{}-{}", hex(&all.finalize()), parts.len())
}
