//! [`SignatureError`]: the reasons to reject a signature.

/// Why a signature is rejected.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum SignatureError {
    /// The request is not signed.
    Missing,
    /// A part of it is missing or malformed.
    Incomplete(&'static str),
    /// A parameter of a presigned URL is missing or malformed.
    BadParameter(&'static str),
    /// It does not match.
    Mismatch,
    /// A header that has an effect is not signed: the holder of a presigned URL could have added it.
    HeaderNotSigned,
    /// A presigned URL has expired.
    Expired,
    /// The clock is off by too much.
    Skewed,
}
