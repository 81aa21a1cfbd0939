//! Receives the content of objects: streams it to disk and checks its length, hashes and checksums.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use md5::{Digest, Md5};
use sha2::Sha256;

use super::checksum::{self, Checksum};
use super::content::{Content, ContentWriter};
use super::{Call, S3, S3Error, S3Result};
use crate::authz::signature::Payload;
use crate::gateway::chunked::BodyError;
use crate::storage::blobs::hex;

/// The largest object, in bytes.
pub(crate) const MAX_OBJECT: u64 = 256 * 1024 * 1024;

/// The received content.
pub(super) struct Received {
    pub content: Content,
    /// Algorithm and value, if the client sent one.
    pub checksum: Option<(String, String)>,
}

impl S3 {
    /// Receives the request's body.
    pub(super) async fn receive(&self, call: &mut Call) -> S3Result<Received> {
        let chunked = matches!(call.payload, Payload::Chunked { .. });
        let declared = declared_length(call);
        // Streaming clients declare the length too; a request without a length has no body.
        if declared.is_none() && (chunked || call.header("transfer-encoding").is_some()) {
            return Err(S3Error::new(411, "MissingContentLength", "You must provide the Content-Length HTTP header."));
        }
        if declared.is_some_and(|length| length > MAX_OBJECT) {
            return Err(too_large(declared.unwrap_or_default()));
        }
        let algorithm = checksum_algorithm(call);
        let mut checksum = algorithm.and_then(Checksum::new);
        let mut writer = ContentWriter::new(self.services.blobs()).await?;
        while let Some(bytes) = call.body.next().await? {
            let length = writer.len() + bytes.len() as u64;
            // More than the declared length is rejected.
            if declared.is_some_and(|declared| length > declared) {
                return Err(BodyError::Incomplete.into());
            }
            if length > MAX_OBJECT {
                return Err(too_large(length));
            }
            if let Some(checksum) = &mut checksum {
                checksum.update(&bytes);
            }
            writer.write(&bytes).await?;
        }
        if declared.is_some_and(|length| length != writer.len()) {
            return Err(BodyError::Incomplete.into());
        }
        let content = writer.finish().await?;
        check_hash(&call.payload, &content.sha256)?;
        check_md5(call, &content.md5)?;
        check_trailers(call)?;
        let expected = algorithm.and_then(|algorithm| {
            let name = format!("x-amz-checksum-{algorithm}");
            let value = call.header(&name).or_else(|| call.body.trailer(&name))?.to_owned();
            Some((algorithm.to_owned(), value))
        });
        if let (Some((algorithm, expected)), Some(computed)) = (&expected, checksum)
            && *expected != computed.finish()
        {
            return Err(S3Error::new(
                400,
                "BadDigest",
                format!("The {} you specified did not match the calculated checksum.", algorithm.to_uppercase()),
            ));
        }
        Ok(Received { content, checksum: expected })
    }
}

/// How long the request says that its object is.
pub(super) fn declared_length(call: &Call) -> Option<u64> {
    let chunked = matches!(call.payload, Payload::Chunked { .. });
    let header = if chunked { "x-amz-decoded-content-length" } else { "content-length" };
    call.header(header)?.parse().ok()
}

/// Checks a document that is in memory as [`S3::receive`] checks an object.
pub(super) fn check_document(call: &Call, bytes: &[u8]) -> S3Result<()> {
    if matches!(call.payload, Payload::Hashed(_)) {
        check_hash(&call.payload, &hex(&Sha256::digest(bytes)))?;
    }
    check_md5(call, &hex(&Md5::digest(bytes)))
}

fn check_hash(payload: &Payload, actual: &str) -> S3Result<()> {
    match payload {
        Payload::Hashed(expected) if !expected.eq_ignore_ascii_case(actual) => Err(S3Error::new(
            400,
            "XAmzContentSHA256Mismatch",
            "The provided 'x-amz-content-sha256' header does not match what was computed.",
        )),
        _ => Ok(()),
    }
}

fn check_md5(call: &Call, actual: &str) -> S3Result<()> {
    let Some(expected) = call.header("content-md5") else {
        return Ok(());
    };
    match STANDARD.decode(expected) {
        Ok(bytes) if bytes.len() == 16 && hex(&bytes) == actual => Ok(()),
        Ok(bytes) if bytes.len() == 16 => {
            Err(S3Error::new(400, "BadDigest", "The Content-MD5 you specified did not match what we received."))
        }
        _ => Err(S3Error::new(400, "InvalidDigest", "The Content-MD5 you specified is not valid.")),
    }
}

pub(super) fn too_large(size: u64) -> S3Error {
    S3Error::new(400, "EntityTooLarge", "Your proposed upload exceeds the maximum allowed size")
        .with("ProposedSize", size.to_string())
        .with("MaxSizeAllowed", MAX_OBJECT.to_string())
}

/// The algorithm of the request's checksum, in its headers or trailers.
fn checksum_algorithm(call: &Call) -> Option<&'static str> {
    let named = checksum::names().find(|name| call.header(&format!("x-amz-checksum-{name}")).is_some());
    named.or_else(|| {
        declared_trailers(call).iter().find_map(|name| checksum::known(name.strip_prefix("x-amz-checksum-")?))
    })
}

/// The declared trailing headers.
fn declared_trailers(call: &Call) -> Vec<String> {
    let names = call.header("x-amz-trailer").unwrap_or_default();
    names.split(',').map(|name| name.trim().to_ascii_lowercase()).filter(|name| !name.is_empty()).collect()
}

/// Checks that all declared trailers were sent.
fn check_trailers(call: &Call) -> S3Result<()> {
    if declared_trailers(call).iter().all(|name| call.body.trailer(name).is_some()) {
        return Ok(());
    }
    Err(S3Error::new(
        400,
        "MalformedTrailerError",
        "The request contained trailing data that was not well-formed or did not conform to our published schema.",
    ))
}
