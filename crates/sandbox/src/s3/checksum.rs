//! Checksums of objects and parts.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha1::Sha1;
use sha2::{Digest, Sha256};

/// The algorithms by their names in headers.
const ALGORITHMS: [&str; 5] = ["crc32", "crc32c", "crc64nvme", "sha1", "sha256"];

/// The name of a supported algorithm.
pub(super) fn known(name: &str) -> Option<&'static str> {
    ALGORITHMS.into_iter().find(|known| known.eq_ignore_ascii_case(name))
}

/// All names.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    ALGORITHMS.into_iter()
}

/// A checksum being computed.
pub(super) enum Checksum {
    Crc32(flate2::Crc),
    Crc(TableCrc),
    Sha1(Sha1),
    Sha256(Sha256),
}

impl Checksum {
    pub(super) fn new(algorithm: &str) -> Option<Self> {
        match algorithm {
            "crc32" => Some(Self::Crc32(flate2::Crc::new())),
            "crc32c" => Some(Self::Crc(TableCrc::new(0x82F6_3B78, 32))),
            "crc64nvme" => Some(Self::Crc(TableCrc::new(0x9A6C_9329_AC4B_C9B5, 64))),
            "sha1" => Some(Self::Sha1(Sha1::new())),
            "sha256" => Some(Self::Sha256(Sha256::new())),
            _ => None,
        }
    }

    pub(super) fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::Crc32(crc) => crc.update(bytes),
            Self::Crc(crc) => crc.update(bytes),
            Self::Sha1(hash) => hash.update(bytes),
            Self::Sha256(hash) => hash.update(bytes),
        }
    }

    /// The checksum in Base64.
    pub(super) fn finish(self) -> String {
        match self {
            Self::Crc32(crc) => STANDARD.encode(crc.sum().to_be_bytes()),
            Self::Crc(crc) => crc.finish(),
            Self::Sha1(hash) => STANDARD.encode(hash.finalize()),
            Self::Sha256(hash) => STANDARD.encode(hash.finalize()),
        }
    }
}

/// The `COMPOSITE` checksum: the checksum of the parts' checksums, and their number.
pub(super) fn composite(algorithm: &str, parts: &[&str]) -> Option<String> {
    let mut all = Checksum::new(algorithm)?;
    for part in parts {
        all.update(&STANDARD.decode(part).ok()?);
    }
    Some(format!("{}-{}", all.finish(), parts.len()))
}

/// The type of a checksum.
pub(super) fn kind(value: &str) -> &'static str {
    // Base64 contains no hyphen.
    if value.contains('-') { "COMPOSITE" } else { "FULL_OBJECT" }
}

/// A reflected CRC of up to 64 bits, with initial value and final inversion of all ones.
pub(super) struct TableCrc {
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
    use crate::storage::blobs::hex;

    fn of(name: &str, bytes: &[u8]) -> String {
        let mut checksum = Checksum::new(name).unwrap();
        checksum.update(bytes);
        checksum.finish()
    }

    #[test]
    fn checksums_match_the_published_values() {
        // The check values for "123456789" in the catalogue of CRCs.
        let digits = |name: &str| hex(&STANDARD.decode(of(name, b"123456789")).unwrap());
        assert_eq!(digits("crc32"), "cbf43926");
        assert_eq!(digits("crc32c"), "e3069283");
        assert_eq!(digits("crc64nvme"), "ae8b14860a799888");
        assert_eq!(digits("sha1"), "f7c3bc1d808e04732adf679965ccc34ca7ae3441");
        assert_eq!(digits("sha256"), "15e2b0d3c33891ebb0f1ef609ec419420c20e320ce94c65fbc8c3312448eb225");
    }

    #[test]
    fn composite_checksum_covers_the_parts_checksums() {
        let (one, other) = (of("crc32", b"one"), of("crc32", b"other"));
        let both = composite("crc32", &[&one, &other]).unwrap();
        let raw: Vec<u8> = [&one, &other].into_iter().flat_map(|part| STANDARD.decode(part).unwrap()).collect();
        assert_eq!(both, format!("{}-2", of("crc32", &raw)));
        assert_eq!((kind(&both), kind(&one)), ("COMPOSITE", "FULL_OBJECT"));
        assert_eq!(composite("crc32", &["not base64!"]), None);
    }
}
