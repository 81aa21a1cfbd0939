//! Objects' bytes on their way in: streamed to disk, counted, and checked against all that the client says of them.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use md5::{Digest, Md5};
use sha2::Sha256;

use super::super::blobs::{Blob, hex};
use super::super::signature::Payload;
use super::{Call, S3, S3Error, S3Result};

/// The largest object that the sandbox takes.
pub(super) const MAX_OBJECT: u64 = 256 * 1024 * 1024;

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
        let length_header = if chunked { "x-amz-decoded-content-length" } else { "content-length" };
        let announced: Option<u64> = call.header(length_header).and_then(|length| length.parse().ok());
        if chunked && announced.is_none() {
            return Err(S3Error::new(411, "MissingContentLength", "You must provide the Content-Length HTTP header."));
        }
        if announced.is_some_and(|length| length > MAX_OBJECT) {
            return Err(too_large(announced.unwrap_or_default()));
        }
        let algorithm = checksum_algorithm(call);
        let mut checksum = algorithm.as_deref().and_then(Checksum::new);
        let mut writer = self.services.blobs().writer().await?;
        while let Some(bytes) = call.body.next().await? {
            if writer.len() + bytes.len() as u64 > MAX_OBJECT {
                return Err(too_large(writer.len() + bytes.len() as u64));
            }
            if let Some(checksum) = &mut checksum {
                checksum.update(&bytes);
            }
            writer.write(&bytes).await?;
        }
        if announced.is_some_and(|length| length != writer.len()) {
            return Err(S3Error::new(
                400,
                "IncompleteBody",
                "You did not provide the number of bytes specified by the Content-Length HTTP header",
            ));
        }
        let blob = writer.finish().await?;
        check_hash(&call.payload, &blob.sha256)?;
        check_md5(call, &blob.md5)?;
        let claimed = algorithm.and_then(|algorithm| {
            let name = format!("x-amz-checksum-{algorithm}");
            let value = call.header(&name).or_else(|| call.body.trailer(&name))?.to_owned();
            Some((algorithm, value))
        });
        if let (Some((algorithm, claimed)), Some(computed)) = (&claimed, checksum)
            && *claimed != computed.finish(&blob)
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

fn too_large(size: u64) -> S3Error {
    S3Error::new(400, "EntityTooLarge", "Your proposed upload exceeds the maximum allowed size")
        .with("ProposedSize", size.to_string())
        .with("MaxSizeAllowed", MAX_OBJECT.to_string())
}

const ALGORITHMS: [&str; 5] = ["crc32", "crc32c", "crc64nvme", "sha1", "sha256"];

/// The algorithm of the checksum that the request carries, in its headers or after its body.
fn checksum_algorithm(call: &Call) -> Option<String> {
    let named = ALGORITHMS.iter().find(|name| call.header(&format!("x-amz-checksum-{name}")).is_some());
    if let Some(name) = named {
        return Some((*name).to_owned());
    }
    let trailer = call.header("x-amz-trailer")?;
    let name = trailer.split(',').find_map(|name| name.trim().strip_prefix("x-amz-checksum-"))?;
    ALGORITHMS.contains(&name).then(|| name.to_owned())
}

/// A checksum being computed.
enum Checksum {
    Crc32(flate2::Crc),
    Crc(TableCrc),
    Sha256,
}

impl Checksum {
    /// SHA-1 is taken on trust: it would need a crate of its own, and nothing sends it unasked.
    fn new(algorithm: &str) -> Option<Self> {
        match algorithm {
            "crc32" => Some(Self::Crc32(flate2::Crc::new())),
            "crc32c" => Some(Self::Crc(TableCrc::new(0x82F6_3B78, 32))),
            "crc64nvme" => Some(Self::Crc(TableCrc::new(0x9A6C_9329_AC4B_C9B5, 64))),
            "sha256" => Some(Self::Sha256),
            _ => None,
        }
    }

    fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::Crc32(crc) => crc.update(bytes),
            Self::Crc(crc) => crc.update(bytes),
            // The blob has it anyway.
            Self::Sha256 => {}
        }
    }

    fn finish(self, blob: &Blob) -> String {
        match self {
            Self::Crc32(crc) => STANDARD.encode(crc.sum().to_be_bytes()),
            Self::Crc(crc) => crc.finish(),
            Self::Sha256 => {
                let digits = blob
                    .sha256
                    .as_bytes()
                    .chunks(2)
                    .filter_map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok());
                STANDARD.encode(digits.collect::<Vec<u8>>())
            }
        }
    }
}

/// A reflected CRC of up to 64 bits, all ones at the start and inverted at the end.
struct TableCrc {
    table: Box<[u64; 256]>,
    state: u64,
    width: u32,
}

impl TableCrc {
    fn new(polynomial: u64, width: u32) -> Self {
        let mut table = Box::new([0; 256]);
        for (byte, entry) in (0u64..).zip(table.iter_mut()) {
            *entry = (0..8).fold(byte, |crc, _| if crc & 1 == 1 { (crc >> 1) ^ polynomial } else { crc >> 1 });
        }
        Self { table, state: u64::MAX >> (64 - width), width }
    }

    fn update(&mut self, bytes: &[u8]) {
        for byte in bytes {
            let index = usize::from((self.state as u8) ^ byte);
            self.state = self.table[index] ^ (self.state >> 8);
        }
    }

    fn finish(self) -> String {
        let value = (!self.state) & (u64::MAX >> (64 - self.width));
        STANDARD.encode(&value.to_be_bytes()[8 - self.width as usize / 8..])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksums_are_the_published_ones() {
        // The check value of each algorithm's catalogue entry, for "123456789".
        let of = |name: &str| {
            let mut checksum = Checksum::new(name).unwrap();
            checksum.update(b"123456789");
            let blob = Blob { sha256: String::new(), md5: String::new(), len: 9 };
            hex(&STANDARD.decode(checksum.finish(&blob)).unwrap())
        };
        assert_eq!(of("crc32"), "cbf43926");
        assert_eq!(of("crc32c"), "e3069283");
        assert_eq!(of("crc64nvme"), "ae8b14860a799888");
    }
}
