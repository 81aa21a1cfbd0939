//! Listings with pages, prefixes and delimiters.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use percent_encoding::utf8_percent_encode;

use super::checksum;
use super::index::{Bucket, Version};
use super::xml::Xml;
use super::{Call, S3, S3Error, S3Result, iso_time, settings, xml};
use crate::authz::canonical::STRICT;

/// The parameters of a listing.
pub(super) struct Listing {
    prefix: String,
    delimiter: String,
    /// The last key or prefix of the previous page.
    pub after: String,
    pub limit: usize,
    encoded: bool,
}

/// A page of a listing.
pub(super) struct Page<'a, T> {
    pub entries: Vec<(&'a str, T)>,
    pub prefixes: Vec<String>,
    pub truncated: bool,
    /// The last key or prefix of the page.
    pub last: String,
}

impl Listing {
    pub(super) fn read(call: &Call, limit: &str, marker: &str) -> S3Result<Self> {
        let parameter = |name| call.target.parameter(name).unwrap_or("").to_owned();
        let limit = match call.target.parameter(limit) {
            None | Some("") => 1000,
            Some(text) => text
                .parse::<i64>()
                .ok()
                .and_then(|limit| usize::try_from(limit).ok())
                .ok_or_else(|| {
                    S3Error::invalid_argument(format!("Provided {limit} not an integer or within integer range"))
                })?
                .min(1000),
        };
        let encoded = match call.target.parameter("encoding-type") {
            None => false,
            Some("url") => true,
            Some(_) => {
                return Err(S3Error::invalid_argument("Invalid Encoding Method specified in Request"));
            }
        };
        Ok(Self {
            prefix: parameter("prefix"),
            delimiter: parameter("delimiter"),
            after: parameter(marker),
            limit,
            encoded,
        })
    }

    /// The common prefix of a key, if any.
    fn group<'k>(&self, key: &'k str) -> Option<&'k str> {
        if self.delimiter.is_empty() {
            return None;
        }
        let rest = &key[self.prefix.len()..];
        rest.find(&self.delimiter).map(|at| &key[..self.prefix.len() + at + self.delimiter.len()])
    }

    /// Takes a page from sorted keys after the marker, which may still contain keys of the previous page's last prefix.
    pub(super) fn page<'a, T>(&self, keys: impl Iterator<Item = (&'a str, T)>) -> Page<'a, T> {
        let mut page = Page { entries: Vec::new(), prefixes: Vec::new(), truncated: false, last: String::new() };
        for (key, value) in keys {
            if !key.starts_with(&self.prefix) {
                continue;
            }
            let group = self.group(key);
            if let Some(group) = group
                && (page.prefixes.last().is_some_and(|last| last == group) || self.after.as_str() == group)
            {
                continue;
            }
            if page.entries.len() + page.prefixes.len() == self.limit {
                page.truncated = self.limit > 0;
                break;
            }
            match group {
                Some(group) => {
                    page.prefixes.push(group.to_owned());
                    group.clone_into(&mut page.last);
                }
                None => {
                    page.entries.push((key, value));
                    key.clone_into(&mut page.last);
                }
            }
        }
        page
    }

    /// Encodes a key as requested.
    pub(super) fn encode(&self, text: &str) -> String {
        if !self.encoded {
            return text.to_owned();
        }
        // S3 does not encode slashes.
        utf8_percent_encode(text, STRICT).to_string().replace("%2F", "/")
    }

    /// Writes the request's parameters.
    pub(super) fn echo(&self, document: &mut Xml) {
        document.text("Prefix", self.encode(&self.prefix));
        if !self.delimiter.is_empty() {
            document.text("Delimiter", self.encode(&self.delimiter));
        }
        if self.encoded {
            document.text("EncodingType", "url");
        }
    }

    pub(super) fn prefixes(&self, document: &mut Xml, prefixes: &[String]) {
        for prefix in prefixes {
            document.open("CommonPrefixes").text("Prefix", self.encode(prefix)).close("CommonPrefixes");
        }
    }

    /// The keys of a bucket from the marker on.
    fn keys<'a>(&self, bucket: &'a Bucket, inclusive: bool) -> impl Iterator<Item = (&'a str, &'a Vec<Version>)> {
        use std::ops::Bound::{Excluded, Included, Unbounded};
        let after = if self.after.is_empty() || self.after < self.prefix {
            Included(self.prefix.as_str())
        } else if inclusive {
            Included(self.after.as_str())
        } else {
            Excluded(self.after.as_str())
        };
        let prefix = self.prefix.clone();
        bucket
            .keys
            .range::<str, _>((after, Unbounded))
            .take_while(move |(key, _)| key.starts_with(&prefix))
            .map(|(key, versions)| (key.as_str(), versions))
    }
}

impl S3 {
    /// Lists objects by either version of the operation.
    pub(super) fn list_objects(&self, call: &Call, second: bool) -> S3Result {
        let mut listing = Listing::read(call, "max-keys", if second { "start-after" } else { "marker" })?;
        let token = call.target.parameter("continuation-token").filter(|_| second);
        let start_after = listing.after.clone();
        if let Some(token) = token {
            listing.after = URL_SAFE_NO_PAD
                .decode(token)
                .ok()
                .and_then(|bytes| String::from_utf8(bytes).ok())
                .ok_or_else(|| S3Error::invalid_argument("The continuation token provided is incorrect"))?;
        }
        self.with(call, |bucket| {
            let current = listing
                .keys(bucket, false)
                .filter_map(|(key, versions)| Some((key, versions.last().filter(|version| !version.marker)?)));
            let page = listing.page(current);
            let mut document = Xml::document("ListBucketResult");
            document.text("Name", &bucket.name);
            listing.echo(&mut document);
            document.text("MaxKeys", listing.limit).text("IsTruncated", page.truncated);
            if second {
                document.text("KeyCount", page.entries.len() + page.prefixes.len());
                document.optional("ContinuationToken", token);
                if !start_after.is_empty() {
                    document.text("StartAfter", listing.encode(&start_after));
                }
                if page.truncated {
                    document.text("NextContinuationToken", URL_SAFE_NO_PAD.encode(&page.last));
                }
            } else {
                document.text("Marker", listing.encode(&listing.after));
                // AWS returns NextMarker only with a delimiter; returning it always helps clients that rely on it.
                if page.truncated {
                    document.text("NextMarker", listing.encode(&page.last));
                }
            }
            let owner = !second || call.target.parameter("fetch-owner") == Some("true");
            for (key, version) in &page.entries {
                document.open("Contents").text("Key", listing.encode(key));
                describe(&mut document, version);
                if let Some((algorithm, value)) = &version.checksum {
                    document.text("ChecksumAlgorithm", algorithm.to_uppercase());
                    document.text("ChecksumType", checksum::kind(value));
                }
                document.text("Size", version.size).text("StorageClass", "STANDARD");
                if owner {
                    document.open("Owner").text("ID", settings::OWNER).close("Owner");
                }
                document.close("Contents");
            }
            listing.prefixes(&mut document, &page.prefixes);
            Ok(xml(document.end("ListBucketResult")))
        })
    }

    pub(super) fn list_versions(&self, call: &Call) -> S3Result {
        let listing = Listing::read(call, "max-keys", "key-marker")?;
        let id_marker = call.target.parameter("version-id-marker").unwrap_or("").to_owned();
        self.with(call, |bucket| {
            // Newest first within a key; the marker's key only if versions of it remain.
            let versions = listing.keys(bucket, !id_marker.is_empty()).flat_map(|(key, versions)| {
                let newest_first = versions.iter().rev().enumerate();
                let skip = if key == listing.after {
                    let at = versions.iter().rev().position(|version| version.id == id_marker);
                    at.map_or(versions.len(), |at| at + 1)
                } else {
                    0
                };
                newest_first.skip(skip).map(move |(at, version)| (key, (at == 0, version)))
            });
            let page = listing.page(versions);
            let mut document = Xml::document("ListVersionsResult");
            document.text("Name", &bucket.name);
            listing.echo(&mut document);
            document.text("KeyMarker", listing.encode(&listing.after)).text("VersionIdMarker", &id_marker);
            document.text("MaxKeys", listing.limit).text("IsTruncated", page.truncated);
            if page.truncated {
                document.text("NextKeyMarker", listing.encode(&page.last));
                let last = page.entries.last().filter(|(key, _)| *key == page.last);
                document.optional("NextVersionIdMarker", last.map(|(_, (_, version))| &version.id));
            }
            for (key, (latest, version)) in &page.entries {
                let element = if version.marker { "DeleteMarker" } else { "Version" };
                document.open(element).text("Key", listing.encode(key)).text("VersionId", &version.id);
                document.text("IsLatest", latest);
                if version.marker {
                    document.text("LastModified", iso_time(version.modified));
                } else {
                    describe(&mut document, version);
                    document.text("Size", version.size).text("StorageClass", "STANDARD");
                }
                document.open("Owner").text("ID", settings::OWNER).close("Owner");
                document.close(element);
            }
            listing.prefixes(&mut document, &page.prefixes);
            Ok(xml(document.end("ListVersionsResult")))
        })
    }
}

fn describe(document: &mut Xml, version: &Version) {
    document.text("LastModified", iso_time(version.modified)).text("ETag", format!("\"{}\"", version.etag));
}
