//! Creates the thumbnail of an image, without I/O.

use thiserror::Error;

use crate::codec::Format;
use crate::resample;

/// The limits of a thumbnail and its creation.
#[derive(Debug, Clone, Copy)]
pub struct ThumbnailLimits {
    /// The longest side of the thumbnail in pixels.
    pub max_side: u32,
    /// The memory limit of decoding in bytes.
    pub memory: u64,
}

/// An encoded thumbnail.
#[derive(Debug)]
pub struct Thumbnail {
    /// The file.
    pub bytes: Vec<u8>,
    /// Its content type, the same as the source's.
    pub content_type: &'static str,
    /// The width in pixels.
    pub width: u32,
    /// The height in pixels.
    pub height: u32,
    /// The source's displayed width.
    pub source_width: u32,
    /// The source's displayed height.
    pub source_height: u32,
}

/// A failed creation of a thumbnail.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum ThumbnailError {
    /// The file is empty.
    #[error("it is empty")]
    Empty,
    /// The format is not supported.
    #[error("it is not a JPEG, PNG, GIF or WebP image")]
    NotAnImage,
    /// The file is truncated.
    #[error("this {format} image is cut short: its end is missing")]
    CutShort {
        /// The detected format.
        format: &'static str,
    },
    /// The file is complete but invalid.
    #[error("this {format} image is broken: {reason}")]
    Broken {
        /// The detected format.
        format: &'static str,
        /// The decoder's error.
        reason: String,
    },
    /// Decoding exceeds the memory limit.
    #[error(
        "this {format} image of {width} x {height} pixels is too large: decoding it takes {needed} bytes, \
         and {limit} are allowed (half of the function's memory)"
    )]
    TooLarge {
        /// The image's format.
        format: &'static str,
        /// The stored width in pixels.
        width: u32,
        /// The stored height in pixels.
        height: u32,
        /// The bytes needed for decoding.
        needed: u64,
        /// The memory limit in bytes.
        limit: u64,
    },
    /// The thumbnail could not be encoded.
    #[error("the thumbnail could not be encoded as {format}: {reason}")]
    Encode {
        /// The format.
        format: &'static str,
        /// The encoder's error.
        reason: String,
    },
}

impl ThumbnailError {
    /// The kind of failure in one word, for programs.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Empty | Self::NotAnImage => "NotAnImage",
            Self::CutShort { .. } => "ImageCutShort",
            Self::Broken { .. } => "ImageBroken",
            Self::TooLarge { .. } => "ImageTooLarge",
            Self::Encode { .. } => "EncodingFailed",
        }
    }
}

/// Creates the upright thumbnail of an image in the image's own format.
pub fn make(source: &[u8], limits: ThumbnailLimits) -> Result<Thumbnail, ThumbnailError> {
    if source.is_empty() {
        return Err(ThumbnailError::Empty);
    }
    let format = Format::guess(source).ok_or(ThumbnailError::NotAnImage)?;
    let decoded = format.decode(source, limits.memory)?;
    let stored = (decoded.pixels.width, decoded.pixels.height);
    let turn = decoded.orientation;
    let (source_width, source_height) = turn.turn_size(stored);
    // The size is the upright picture's; the rotation comes last, when it is cheap.
    let (width, height) = resample::fit(source_width, source_height, limits.max_side);
    let (across, down) = turn.turn_size((width, height));
    let small = turn.apply(resample::shrink(decoded.pixels, across, down));
    let bytes = format.encode(small, decoded.profile)?;
    Ok(Thumbnail { bytes, content_type: format.content_type(), width, height, source_width, source_height })
}
