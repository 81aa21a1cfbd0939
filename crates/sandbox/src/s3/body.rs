//! Objects' bytes on their way in: streamed to disk, counted, and checked against all that the client says of them.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use md5::{Digest, Md5};
use sha2::Sha256;

use super::checksum::{self, Checksum};
use super::{Call, S3, S3Error, S3Result};
use crate::authz::signature::Payload;
use crate::gateway::chunked::BodyError;
use crate::storage::blobs::{Blob, hex};

/// The largest object that the sandbox takes.
pub(crate) const MAX_OBJECT: u64 = 256 * 1024 * 1024;

/// What has been received.
pub(super) struct Received {
    pub blob: Blob,
    /// Algorithm and value, if the client sent one.
    pub checksum: Option<(String, String)>,
}

impl S3 {
    /// Takes the request's body.
    pub(super) async fn receive(&self, call: &mut Call) -> S3Result<Received> {
        let chunked = matches!(call.payload, Payload::Chunked { .. });
        let announced = announced_length(call);
        // Clients that stream say the length all the same; a body of none is one without a length.
        if announced.is_none() && (chunked || call.header("transfer-encoding").is_some()) {
            return Err(S3Error::new(411, "MissingContentLength", "You must provide the Content-Length HTTP header."));
        }
        if announced.is_some_and(|length| length > MAX_OBJECT) {
            return Err(too_large(announced.unwrap_or_default()));
        }
        let algorithm = checksum_algorithm(call);
        let mut checksum = algorithm.and_then(Checksum::new);
        let mut writer = self.services.blobs().writer().await?;
        while let Some(bytes) = call.body.next().await? {
            let length = writer.len() + bytes.len() as u64;
            // Not a byte more than was announced is kept.
            if announced.is_some_and(|announced| length > announced) {
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
        if announced.is_some_and(|length| length != writer.len()) {
            return Err(BodyError::Incomplete.into());
        }
        let blob = writer.finish().await?;
        check_hash(&call.payload, &blob.sha256)?;
        check_md5(call, &blob.md5)?;
        check_trailers(call)?;
        let claimed = algorithm.and_then(|algorithm| {
            let name = format!("x-amz-checksum-{algorithm}");
            let value = call.header(&name).or_else(|| call.body.trailer(&name))?.to_owned();
            Some((algorithm.to_owned(), value))
        });
        if let (Some((algorithm, claimed)), Some(computed)) = (&claimed, checksum)
            && *claimed != computed.finish()
        {
            return Err(S3Error::new(
                400,
                "BadDigest",
                format!("The {} you specified did not match the calculated checksum.", algorithm.to_uppercase()),
            ));
        }
        Ok(Received { blob, checksum: claimed })
    }
}

/// How long the request says that its object is.
pub(super) fn announced_length(call: &Call) -> Option<u64> {
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
        Payload::Hashed(claimed) if !claimed.eq_ignore_ascii_case(actual) => Err(S3Error::new(
            400,
            "XAmzContentSHA256Mismatch",
            "The provided 'x-amz-content-sha256' header does not match what was computed.",
        )),
        _ => Ok(()),
    }
}

fn check_md5(call: &Call, actual: &str) -> S3Result<()> {
    let Some(claimed) = call.header("content-md5") else {
        return Ok(());
    };
    match STANDARD.decode(claimed) {
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

/// The algorithm of the checksum that the request carries, in its headers or after its body.
fn checksum_algorithm(call: &Call) -> Option<&'static str> {
    let named = checksum::names().find(|name| call.header(&format!("x-amz-checksum-{name}")).is_some());
    named.or_else(|| {
        announced_trailers(call).iter().find_map(|name| checksum::known(name.strip_prefix("x-amz-checksum-")?))
    })
}

/// The headers that are to come after the body.
fn announced_trailers(call: &Call) -> Vec<String> {
    let names = call.header("x-amz-trailer").unwrap_or_default();
    names.split(',').map(|name| name.trim().to_ascii_lowercase()).filter(|name| !name.is_empty()).collect()
}

/// What was announced must have come.
fn check_trailers(call: &Call) -> S3Result<()> {
    if announced_trailers(call).iter().all(|name| call.body.trailer(name).is_some()) {
        return Ok(());
    }
    Err(S3Error::new(
        400,
        "MalformedTrailerError",
        "The request contained trailing data that was not well-formed or did not conform to our published schema.",
    ))
}
