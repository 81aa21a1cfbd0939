//! [`SignatureError`]: the reasons to reject a signature.

/// Why a credential is not believed.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum SignatureError {
    /// There is no signature.
    Missing,
    /// A part of it is missing or malformed.
    Incomplete(&'static str),
    /// The same of a presigned address.
    BadParameter(&'static str),
    /// It does not match.
    Mismatch,
    /// It says nothing of a header that means something: whoever was given a presigned address could add it.
    HeaderNotSigned,
    /// A presigned address is past its time.
    Expired,
    /// The clock is off by too much.
    Skewed,
}
