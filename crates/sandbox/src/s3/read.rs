//! GetObject and HeadObject with ranges and conditions, streamed from disk.

use axum::body::Body;
use http::Response;
use tokio::io::{AsyncReadExt, AsyncSeekExt};
use tokio_util::io::ReaderStream;

use super::checksum;
use super::index::Version;
use super::write::describe;
use super::xml::Xml;
use super::{Call, S3, S3Error, S3Result, empty, http_time, set_header, settings, xml};

/// An object for another service of the sandbox.
pub(crate) struct Stored {
    pub region: String,
    pub sha256: String,
    pub size: u64,
}

impl S3 {
    /// Finds an object for another service of the sandbox.
    pub(crate) fn object(&self, bucket: &str, key: &str, version: Option<&str>) -> S3Result<Stored> {
        self.with_bucket(bucket, |bucket| {
            let version = super::find(bucket, key, version)?;
            Ok(Stored { region: bucket.region.clone(), sha256: version.blob.clone(), size: version.size })
        })
    }

    pub(super) async fn get_object(&self, call: &mut Call) -> S3Result {
        let (version, versioned) =
            self.with_version(call, |bucket, version| Ok((version.clone(), settings::versioning(bucket).is_some())))?;
        if let Some(unchanged) = check_read_conditions(call, &version)? {
            return Ok(unchanged);
        }
        let range = match (call.target.parameter("partNumber"), call.header("range")) {
            (Some(_), Some(_)) => {
                return Err(S3Error::new(
                    400,
                    "InvalidRequest",
                    "Cannot specify both Range header and partNumber query parameter",
                ));
            }
            (Some(number), None) => Some(part_range(number, &version)?),
            (None, Some(range)) => parse_range(range, version.size)?,
            (None, None) => None,
        };
        let (start, length) = range.unwrap_or((0, version.size));
        let mut response = empty(if range.is_some() { 206 } else { 200 });
        describe(&mut response, &version, versioned);
        set_header(&mut response, "content-length", &length.to_string());
        if range.is_some() {
            let last = (start + length).saturating_sub(1);
            set_header(&mut response, "content-range", &format!("bytes {start}-{last}/{}", version.size));
        }
        if let (Some(_), Some(count)) = (call.target.parameter("partNumber"), version.parts) {
            set_header(&mut response, "x-amz-mp-parts-count", &count.to_string());
        }
        if call.header("x-amz-checksum-mode").is_some_and(|mode| mode.eq_ignore_ascii_case("enabled"))
            && range.is_none()
            && let Some((algorithm, value)) = &version.checksum
        {
            set_header(&mut response, &format!("x-amz-checksum-{algorithm}"), value);
            set_header(&mut response, "x-amz-checksum-type", checksum::kind(value));
        }
        for (name, value) in
            ["cache-control", "content-disposition", "content-encoding", "content-language", "content-type", "expires"]
                .iter()
                .filter_map(|name| Some((name, call.target.parameter(&format!("response-{name}"))?)))
        {
            set_header(&mut response, name, value);
        }
        if call.parts.method == http::Method::GET && length > 0 {
            let mut file = tokio::fs::File::open(self.services.blobs().path(&version.blob)).await?;
            file.seek(std::io::SeekFrom::Start(start)).await?;
            let stream = ReaderStream::with_capacity(file.take(length), 64 * 1024);
            *response.body_mut() = Body::from_stream(stream);
        }
        Ok(response)
    }

    pub(super) fn get_attributes(&self, call: &Call) -> S3Result {
        let requested = call.header("x-amz-object-attributes").unwrap_or_default().to_owned();
        let wants = |name: &str| requested.split(',').any(|attribute| attribute.trim() == name);
        self.with_version(call, |bucket, version| {
            let mut document = Xml::document("GetObjectAttributesResponse");
            if wants("ETag") {
                document.text("ETag", &version.etag);
            }
            if let Some((algorithm, value)) = version.checksum.as_ref().filter(|_| wants("Checksum")) {
                document.open("Checksum");
                document.text(&format!("Checksum{}", algorithm.to_uppercase()), value);
                document.text("ChecksumType", checksum::kind(value)).close("Checksum");
            }
            if let Some(parts) = version.parts.filter(|_| wants("ObjectParts")) {
                document.open("ObjectParts").text("PartsCount", parts).close("ObjectParts");
            }
            if wants("StorageClass") {
                document.text("StorageClass", "STANDARD");
            }
            if wants("ObjectSize") {
                document.text("ObjectSize", version.size);
            }
            let mut response = xml(document.end("GetObjectAttributesResponse"));
            set_header(&mut response, "last-modified", &http_time(version.modified));
            if settings::versioning(bucket).is_some() {
                set_header(&mut response, "x-amz-version-id", &version.id);
            }
            Ok(response)
        })
    }
}

/// Checks the conditional headers: returns a response without body or an error if they fail.
fn check_read_conditions(call: &Call, version: &Version) -> S3Result<Option<Response<Body>>> {
    let names = |tags: &str| {
        tags.split(',')
            .any(|tag| matches!(tag.trim().trim_matches('"'), "*") || tag.trim().trim_matches('"') == version.etag)
    };
    let time = |name| {
        let time = chrono::DateTime::parse_from_rfc2822(call.header(name)?).ok()?;
        Some(time.timestamp())
    };
    let modified = version.modified / 1000;
    let failed = |condition: &str| {
        Err(S3Error::new(412, "PreconditionFailed", "At least one of the pre-conditions you specified did not hold")
            .with("Condition", condition))
    };
    match (call.header("if-match"), time("if-unmodified-since")) {
        (Some(tags), _) if !names(tags) => return failed("If-Match"),
        (None, Some(time)) if modified > time => return failed("If-Unmodified-Since"),
        _ => {}
    }
    let unchanged = match (call.header("if-none-match"), time("if-modified-since")) {
        (Some(tags), _) => names(tags),
        (None, Some(time)) => modified <= time,
        _ => false,
    };
    Ok(unchanged.then(|| {
        let mut response = empty(304);
        set_header(&mut response, "etag", &format!("\"{}\"", version.etag));
        set_header(&mut response, "last-modified", &http_time(version.modified));
        response
    }))
}

/// The start and length of a part; an object without parts is its own first part.
fn part_range(number: &str, version: &Version) -> S3Result<(u64, u64)> {
    let whole = [version.size];
    let sizes = if version.part_sizes.is_empty() { &whole[..] } else { &version.part_sizes };
    let number: usize =
        number.parse().ok().filter(|number| (1..=10_000).contains(number)).ok_or_else(|| {
            S3Error::invalid_argument("Part number must be an integer between 1 and 10000, inclusive")
        })?;
    let length = sizes.get(number - 1).ok_or_else(|| {
        S3Error::new(416, "InvalidPartNumber", "The requested partnumber is not satisfiable")
            .with("ActualPartCount", sizes.len().to_string())
            .with("PartNumberRequested", number.to_string())
    })?;
    Ok((sizes[..number - 1].iter().sum(), *length))
}

/// The start and length of a range. A header that is not a single range of bytes is ignored.
fn parse_range(header: &str, size: u64) -> S3Result<Option<(u64, u64)>> {
    let Some((first, last)) = header.strip_prefix("bytes=").and_then(|range| range.split_once('-')) else {
        return Ok(None);
    };
    let range = match (first.trim().parse::<u64>(), last.trim().parse::<u64>()) {
        (Ok(first), Ok(last)) if first <= last => Some((first, last.min(size.saturating_sub(1)))),
        (Ok(first), Err(_)) if last.trim().is_empty() => Some((first, size.saturating_sub(1))),
        (Err(_), Ok(suffix)) if first.trim().is_empty() && suffix > 0 => {
            Some((size.saturating_sub(suffix), size.saturating_sub(1)))
        }
        (Err(_), Ok(0)) if first.trim().is_empty() => Some((size, size)),
        _ => return Ok(None),
    };
    match range {
        Some((first, last)) if first < size => Ok(Some((first, last - first + 1))),
        _ => Err(S3Error::new(416, "InvalidRange", "The requested range is not satisfiable")
            .with("RangeRequested", header)
            .with("ActualObjectSize", size.to_string())
            .with_header("content-range", format!("bytes */{size}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::parse_range;

    #[test]
    fn ranges_follow_http() {
        let range = |text| parse_range(text, 10).unwrap();
        assert_eq!(range("bytes=0-3"), Some((0, 4)));
        assert_eq!(range("bytes=4-"), Some((4, 6)));
        assert_eq!(range("bytes=-3"), Some((7, 3)));
        assert_eq!(range("bytes=8-100"), Some((8, 2)));
        assert_eq!(range("bytes=-100"), Some((0, 10)));
        assert_eq!(range("bytes=0-1,3-4"), None);
        assert_eq!(range("pages=1-2"), None);
        assert!(parse_range("bytes=10-", 10).is_err());
        assert!(parse_range("bytes=0-0", 0).is_err());
    }
}
