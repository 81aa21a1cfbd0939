//! Bytes of an image in, bytes of its thumbnail out. Nothing here reads or writes anything else.

use thiserror::Error;

use crate::codec::Format;
use crate::resample;

/// What bounds a thumbnail and the work on it.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Longest side of the thumbnail, in pixels.
    pub max_side: u32,
    /// Bytes that decoding may take.
    pub memory: u64,
}

/// A thumbnail, encoded.
#[derive(Debug)]
pub struct Thumbnail {
    /// The file.
    pub bytes: Vec<u8>,
    /// Its content type, the same as the source's.
    pub content_type: &'static str,
    /// Pixels across.
    pub width: u32,
    /// Pixels down.
    pub height: u32,
    /// The source's width, as displayed.
    pub source_width: u32,
    /// The source's height, as displayed.
    pub source_height: u32,
}

/// Why there is no thumbnail.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum ThumbnailError {
    /// There is nothing to decode.
    #[error("it is empty")]
    Empty,
    /// None of the formats known here.
    #[error("it is not a JPEG, PNG, GIF or WebP image")]
    NotAnImage,
    /// The file ends before the image does.
    #[error("this {format} image is cut short: its end is missing")]
    CutShort {
        /// The format it starts as.
        format: &'static str,
    },
    /// The file is whole, but not right.
    #[error("this {format} image is broken: {reason}")]
    Broken {
        /// The format it starts as.
        format: &'static str,
        /// What the decoder said.
        reason: String,
    },
    /// Decoding it would take more memory than there is.
    #[error(
        "this {format} image of {width} x {height} pixels is too large: decoding it takes {needed} bytes, \
         and {limit} are allowed (half of the function's memory)"
    )]
    TooLarge {
        /// Its format.
        format: &'static str,
        /// Pixels across, as stored.
        width: u32,
        /// Pixels down, as stored.
        height: u32,
        /// Bytes that decoding takes.
        needed: u64,
        /// Bytes that it may take.
        limit: u64,
    },
    /// The thumbnail could not be written in the source's format.
    #[error("the thumbnail could not be encoded as {format}: {reason}")]
    Encode {
        /// The format.
        format: &'static str,
        /// What the encoder said.
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

/// Makes the thumbnail of an image, upright and in the image's own format.
pub fn make(source: &[u8], limits: Limits) -> Result<Thumbnail, ThumbnailError> {
    if source.is_empty() {
        return Err(ThumbnailError::Empty);
    }
    let format = Format::guess(source).ok_or(ThumbnailError::NotAnImage)?;
    let decoded = format.decode(source, limits.memory)?;
    let stored = (decoded.pixels.width, decoded.pixels.height);
    let turn = decoded.orientation;
    let (source_width, source_height) = turn.turn_size(stored);
    // The size is that of the upright picture; turning is left for the end, when there is little to turn.
    let (width, height) = resample::fit(source_width, source_height, limits.max_side);
    let (across, down) = turn.turn_size((width, height));
    let small = turn.apply(resample::shrink(decoded.pixels, across, down));
    let bytes = format.encode(small, decoded.profile)?;
    Ok(Thumbnail { bytes, content_type: format.content_type(), width, height, source_width, source_height })
}
