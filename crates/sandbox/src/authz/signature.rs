//! Signature Version 4, in the headers or in the query (presigned).
//!
//! awsim's verifier does not escape paths again, which fails for every service but S3 (a function's ARN), and does not
//! support trailers.
//!
//! See <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv.html>.

use std::time::{Duration, SystemTime};

use aws_sigv4::sign::v4::{calculate_signature, generate_signing_key};
use chrono::{DateTime, NaiveDateTime, Utc};
use http::request::Parts;
use percent_encoding::{percent_decode_str, utf8_percent_encode};
use sha2::{Digest, Sha256};

use crate::authz::canonical::{STRICT, STRICT_PATH, query_pairs, same};
use crate::authz::signature_error::SignatureError;
use crate::authz::signature_v2::PresignedV2;
use crate::storage::blobs::hex;

/// How far a client's clock may be off.
const SKEW: Duration = Duration::from_secs(15 * 60);

/// The longest validity of a presigned URL: a week.
const LONGEST_PRESIGNED: Duration = Duration::from_secs(604_800);

/// S3's message for a presigned URL without one of these.
const MISSING_PARAMETER: &str = "Query-string authentication version 4 requires the X-Amz-Algorithm, X-Amz-Credential, \
                                 X-Amz-Signature, X-Amz-Date, X-Amz-SignedHeaders, and X-Amz-Expires parameters.";

/// How the signature covers the body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Payload {
    /// `UNSIGNED-PAYLOAD`, and every presigned request.
    Unsigned,
    /// Its SHA-256, in hexadecimal.
    Hashed(String),
    /// No header declares the hash: the signature contains that of the actual body.
    Whole,
    /// `aws-chunked`, each chunk signed or not.
    Chunked { signed: bool },
}

/// The credential and the signature of a request.
#[derive(Debug)]
pub(crate) struct Credential {
    pub access_key: String,
    pub token: Option<String>,
    pub service: String,
    pub region: String,
    pub payload: Payload,
    pub presigned: bool,
    day: String,
    time: DateTime<Utc>,
    expires: Option<Duration>,
    signed_headers: Vec<String>,
    signature: String,
    /// The signature, if the URL is presigned with Version 2.
    version_2: Option<PresignedV2>,
}

/// Verifies the chunk signatures of a streamed body; each includes the previous one.
#[derive(Clone)]
pub(crate) struct ChunkSigner {
    key: Vec<u8>,
    time: String,
    scope: String,
    previous: String,
}

impl Credential {
    /// Reads the credential without verifying it.
    pub(crate) fn read(parts: &Parts) -> Result<Self, SignatureError> {
        let header = |name: &str| parts.headers.get(name).and_then(|value| value.to_str().ok());
        let query = parts.uri.query().unwrap_or("");
        if let Some(authorization) = header("authorization") {
            let fields = authorization
                .strip_prefix("AWS4-HMAC-SHA256")
                .ok_or(SignatureError::Incomplete("Authorization is not of the kind AWS4-HMAC-SHA256"))?;
            let field = |name: &str| {
                fields
                    .split(',')
                    .find_map(|field| field.trim().strip_prefix(name)?.strip_prefix('='))
                    .map(str::to_owned)
            };
            let time = header("x-amz-date").ok_or(SignatureError::Incomplete("X-Amz-Date is missing"))?;
            let payload = match header("x-amz-content-sha256") {
                None => Payload::Whole,
                Some("UNSIGNED-PAYLOAD") => Payload::Unsigned,
                Some("STREAMING-UNSIGNED-PAYLOAD-TRAILER") => Payload::Chunked { signed: false },
                Some("STREAMING-AWS4-HMAC-SHA256-PAYLOAD" | "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER") => {
                    Payload::Chunked { signed: true }
                }
                Some(hash) => Payload::Hashed(hash.to_owned()),
            };
            Self::assemble(
                &field("Credential").ok_or(SignatureError::Incomplete("Credential is missing"))?,
                &field("SignedHeaders").ok_or(SignatureError::Incomplete("SignedHeaders is missing"))?,
                field("Signature").ok_or(SignatureError::Incomplete("Signature is missing"))?,
                time,
                None,
                header("x-amz-security-token").map(str::to_owned),
                payload,
                false,
            )
        } else if query.contains("X-Amz-Signature=") {
            let parameters = query_pairs(query);
            let parameter = |name: &str| parameters.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone());
            let needed = |name: &str| parameter(name).ok_or(SignatureError::BadParameter(MISSING_PARAMETER));
            let expires = presigned_window(&needed("X-Amz-Expires")?)?;
            let credential = Self::assemble(
                &needed("X-Amz-Credential")?,
                &needed("X-Amz-SignedHeaders")?,
                needed("X-Amz-Signature")?,
                &needed("X-Amz-Date")?,
                Some(expires),
                parameter("X-Amz-Security-Token"),
                Payload::Unsigned,
                true,
            );
            credential.map_err(|error| match error {
                SignatureError::Incomplete(why) => SignatureError::BadParameter(why),
                other => other,
            })
        } else if let Some(presigned) = PresignedV2::read(query) {
            Self::of_version_2(presigned?)
        } else {
            Err(SignatureError::Missing)
        }
    }

    /// Version 2 has neither service nor region: only S3 accepts it, and clients use it in us-east-1.
    fn of_version_2(presigned: PresignedV2) -> Result<Self, SignatureError> {
        Ok(Self {
            access_key: presigned.access_key.clone(),
            token: presigned.token.clone(),
            service: "s3".to_owned(),
            region: "us-east-1".to_owned(),
            payload: Payload::Unsigned,
            presigned: true,
            day: String::new(),
            time: DateTime::UNIX_EPOCH,
            expires: None,
            signed_headers: Vec::new(),
            signature: String::new(),
            version_2: Some(presigned),
        })
    }

    #[allow(clippy::too_many_arguments)]
    fn assemble(
        credential: &str,
        signed_headers: &str,
        signature: String,
        time: &str,
        expires: Option<Duration>,
        token: Option<String>,
        payload: Payload,
        presigned: bool,
    ) -> Result<Self, SignatureError> {
        let mut scope = credential.trim().rsplitn(5, '/');
        let (Some("aws4_request"), Some(service), Some(region), Some(day), Some(access_key)) =
            (scope.next(), scope.next(), scope.next(), scope.next(), scope.next())
        else {
            return Err(SignatureError::Incomplete("Credential is not KEY/DAY/REGION/SERVICE/aws4_request"));
        };
        let time = NaiveDateTime::parse_from_str(time, "%Y%m%dT%H%M%SZ")
            .map_err(|_| SignatureError::Incomplete("X-Amz-Date is not a time"))?
            .and_utc();
        let signed_headers: Vec<String> =
            signed_headers.split(';').map(|name| name.trim().to_ascii_lowercase()).collect();
        if !signed_headers.iter().any(|name| name == "host") {
            return Err(SignatureError::Incomplete("the Host header is not signed"));
        }
        Ok(Self {
            access_key: access_key.to_owned(),
            token,
            service: service.to_owned(),
            region: region.to_owned(),
            payload,
            presigned,
            day: day.to_owned(),
            time,
            expires,
            signed_headers,
            signature,
            version_2: None,
        })
    }

    /// Checks that the time of signing is recent. Version 2 checks its expiry itself.
    pub(crate) fn check_time(&self) -> Result<(), SignatureError> {
        if self.version_2.is_some() {
            return Ok(());
        }
        let now = SystemTime::now();
        let time = SystemTime::from(self.time);
        match self.expires {
            Some(window) => {
                if time > now + SKEW {
                    return Err(SignatureError::Skewed);
                }
                if now > time + window {
                    return Err(SignatureError::Expired);
                }
            }
            None => {
                let off = now.duration_since(time).unwrap_or_else(|ahead| ahead.duration());
                if off > SKEW {
                    return Err(SignatureError::Skewed);
                }
            }
        }
        Ok(())
    }

    /// Verifies the signature with `secret` and the hash of the body. S3 streams bodies and takes the hash from the head.
    pub(crate) fn verify(&self, parts: &Parts, secret: &str, body_hash: &str) -> Result<(), SignatureError> {
        if let Some(presigned) = &self.version_2 {
            return presigned.verify(parts, secret);
        }
        self.check_time()?;
        let payload = match &self.payload {
            // Only S3 relies on the declared hash of the body.
            _ if self.service != "s3" => body_hash.to_owned(),
            Payload::Unsigned if self.presigned => "UNSIGNED-PAYLOAD".to_owned(),
            Payload::Whole => body_hash.to_owned(),
            _ => parts.headers["x-amz-content-sha256"].to_str().unwrap_or_default().to_owned(),
        };
        let canonical = format!(
            "{}\n{}\n{}\n{}\n{}\n{payload}",
            parts.method,
            self.canonical_path(parts.uri.path()),
            canonical_query(parts.uri.query().unwrap_or("")),
            self.canonical_headers(parts),
            self.signed_headers.join(";"),
        );
        let to_sign = format!(
            "AWS4-HMAC-SHA256\n{}\n{}\n{}",
            self.time.format("%Y%m%dT%H%M%SZ"),
            self.scope(),
            hex(&Sha256::digest(canonical.as_bytes())),
        );
        let expected = calculate_signature(self.key(secret), to_sign.as_bytes());
        if !same(&expected, &self.signature) {
            return Err(SignatureError::Mismatch);
        }
        if self.presigned { self.reject_unsigned_headers(parts) } else { Ok(()) }
    }

    /// Rejects unsigned `x-amz-` headers, which could change the call of a presigned URL. The date and the body's hash are
    /// excepted.
    fn reject_unsigned_headers(&self, parts: &Parts) -> Result<(), SignatureError> {
        let own = ["x-amz-date", "x-amz-content-sha256"];
        let is_unsigned = |name: &str| {
            name.starts_with("x-amz-")
                && !own.contains(&name)
                && !self.signed_headers.iter().any(|signed| signed == name)
        };
        if parts.headers.keys().any(|name| is_unsigned(name.as_str())) {
            Err(SignatureError::HeaderNotSigned)
        } else {
            Ok(())
        }
    }

    /// The verifier of the body's chunk signatures.
    pub(crate) fn chunk_signer(&self, secret: &str) -> ChunkSigner {
        ChunkSigner {
            key: self.key(secret),
            time: self.time.format("%Y%m%dT%H%M%SZ").to_string(),
            scope: self.scope(),
            previous: self.signature.clone(),
        }
    }

    fn key(&self, secret: &str) -> Vec<u8> {
        generate_signing_key(secret, SystemTime::from(self.time), &self.region, &self.service).as_ref().to_vec()
    }

    fn scope(&self) -> String {
        format!("{}/{}/{}/aws4_request", self.day, self.region, self.service)
    }

    /// The path as it is signed: S3 escapes it once, all other services twice.
    fn canonical_path(&self, path: &str) -> String {
        if self.service == "s3" {
            utf8_percent_encode(&percent_decode_str(path).decode_utf8_lossy(), STRICT_PATH).to_string()
        } else {
            utf8_percent_encode(path, STRICT_PATH).to_string()
        }
    }

    fn canonical_headers(&self, parts: &Parts) -> String {
        let mut text = String::new();
        for name in &self.signed_headers {
            let values: Vec<String> = parts
                .headers
                .get_all(name)
                .iter()
                .map(|value| {
                    let value = String::from_utf8_lossy(value.as_bytes());
                    value.split(' ').filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
                })
                .collect();
            text.push_str(&format!("{name}:{}\n", values.join(",")));
        }
        text
    }
}

impl ChunkSigner {
    /// Whether `signature` is that of the next chunk, by the hash of its content.
    pub(crate) fn accepts(&mut self, chunk_hash: &str, signature: &str) -> bool {
        let nothing = hex(&Sha256::digest(b""));
        let to_sign = format!(
            "AWS4-HMAC-SHA256-PAYLOAD\n{}\n{}\n{}\n{nothing}\n{chunk_hash}",
            self.time, self.scope, self.previous
        );
        self.advance(&to_sign, signature)
    }

    /// Whether `signature` is that of the trailing headers (`name:value\n`, sorted).
    pub(crate) fn accepts_trailer(&mut self, trailer: &str, signature: &str) -> bool {
        let hash = hex(&Sha256::digest(trailer.as_bytes()));
        let to_sign = format!("AWS4-HMAC-SHA256-TRAILER\n{}\n{}\n{}\n{hash}", self.time, self.scope, self.previous);
        self.advance(&to_sign, signature)
    }

    fn advance(&mut self, to_sign: &str, signature: &str) -> bool {
        let expected = calculate_signature(&self.key, to_sign.as_bytes());
        let accepted = same(&expected, signature);
        self.previous = expected;
        accepted
    }
}

#[cfg(test)]
impl ChunkSigner {
    /// Creates a verifier whose previous signature is zeros.
    pub(crate) fn for_tests() -> Self {
        let scope = "20130524/us-east-1/s3/aws4_request".to_owned();
        Self { key: b"key".to_vec(), time: "20130524T000000Z".to_owned(), scope, previous: "0".repeat(64) }
    }

    /// The signature of the next chunk.
    pub(crate) fn sign(&mut self, content: &[u8]) -> String {
        self.accepts(&crate::authz::canonical::sha256_hex(content), "");
        self.previous.clone()
    }

    /// The signature of the trailing headers.
    pub(crate) fn sign_trailer(&mut self, trailer: &str) -> String {
        self.accepts_trailer(trailer, "");
        self.previous.clone()
    }
}

/// The validity of a presigned URL.
fn presigned_window(expires: &str) -> Result<Duration, SignatureError> {
    let digits = expires.strip_prefix('-').unwrap_or(expires);
    if digits.is_empty() || !digits.bytes().all(|digit| digit.is_ascii_digit()) {
        return Err(SignatureError::BadParameter("X-Amz-Expires should be a number"));
    }
    if digits.len() < expires.len() {
        return Err(SignatureError::BadParameter("X-Amz-Expires must be non-negative"));
    }
    // A number that does not fit is too large.
    let window = expires.parse().ok().map(Duration::from_secs).filter(|window| *window <= LONGEST_PRESIGNED);
    window.ok_or(SignatureError::BadParameter(
        "X-Amz-Expires must be less than a week (in seconds); that is, the given X-Amz-Expires must be less than 604800 \
         seconds",
    ))
}

fn canonical_query(query: &str) -> String {
    let encoded = |text: &str| utf8_percent_encode(text, STRICT).to_string();
    let mut pairs: Vec<(String, String)> = query_pairs(query)
        .iter()
        .filter(|(name, _)| name != "X-Amz-Signature")
        .map(|(name, value)| (encoded(name), encoded(value)))
        .collect();
    pairs.sort();
    pairs.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("&")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunk_signatures_match_the_documentation() {
        // "Signature calculations for the Authorization header: transferring payload in multiple chunks", its example.
        let seed = "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9";
        let credential = Credential::assemble(
            "AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request",
            "host",
            seed.to_owned(),
            "20130524T000000Z",
            None,
            None,
            Payload::Chunked { signed: true },
            false,
        )
        .unwrap();
        let mut signer = credential.chunk_signer("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY");
        let hash = |length| hex(&Sha256::digest(vec![b'a'; length]));
        let signatures = [
            "ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648",
            "0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497",
            "b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9",
        ];
        for (length, signature) in [65_536, 1024, 0].into_iter().zip(signatures) {
            assert!(signer.accepts(&hash(length), signature), "{length}");
        }
        assert!(!signer.accepts(&hash(0), signatures[2]));
    }

    #[test]
    fn presigned_window_is_a_number_from_zero_to_a_week() {
        assert_eq!(presigned_window("604800"), Ok(LONGEST_PRESIGNED));
        assert_eq!(presigned_window("0"), Ok(Duration::ZERO));
        let rejection = |expires: &str| match presigned_window(expires) {
            Err(SignatureError::BadParameter(why)) => why,
            other => panic!("{expires}: {other:?}"),
        };
        for long in ["604801", "99999999999999999999999"] {
            assert!(rejection(long).starts_with("X-Amz-Expires must be less than a week (in seconds)"), "{long}");
        }
        assert_eq!(rejection("-1"), "X-Amz-Expires must be non-negative");
        for other in ["", "-", "soon", "+60", "6e1", "1.5", " 60"] {
            assert_eq!(rejection(other), "X-Amz-Expires should be a number", "{other}");
        }
    }

    #[test]
    fn path_is_escaped_twice_except_for_s3() {
        let credential = |service: &str| {
            let credential = format!("K/20130524/us-east-1/{service}/aws4_request");
            let payload = Payload::Unsigned;
            Credential::assemble(&credential, "host", String::new(), "20130524T000000Z", None, None, payload, false)
                .unwrap()
        };
        assert_eq!(credential("lambda").canonical_path("/f/arn%3Aaws/x"), "/f/arn%253Aaws/x");
        assert_eq!(credential("s3").canonical_path("/b/a%20b(c)//%C3%B6"), "/b/a%20b%28c%29//%C3%B6");
    }
}
