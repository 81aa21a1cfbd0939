//! The image formats: detection, decoding, encoding. One file per format.

mod gif;
mod jpeg;
mod png;
mod webp;

use crate::orientation::Orientation;
use crate::pixels::Pixels;
use crate::thumbnail::ThumbnailError;

/// A supported image format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    Jpeg,
    Png,
    Gif,
    WebP,
}

/// A decoded image with its orientation and colour profile.
pub struct DecodedImage {
    /// The pixels as stored.
    pub pixels: Pixels,
    /// The EXIF orientation.
    pub orientation: Orientation,
    /// The colour profile, which is kept so that colours do not change.
    pub profile: Option<Vec<u8>>,
}

impl Format {
    /// Detects the format from a file's first bytes, since names and content types may be wrong.
    pub fn guess(file: &[u8]) -> Option<Self> {
        match file {
            [0xff, 0xd8, 0xff, ..] => Some(Self::Jpeg),
            [0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1a, b'\n', ..] => Some(Self::Png),
            [b'G', b'I', b'F', b'8', b'7' | b'9', b'a', ..] => Some(Self::Gif),
            [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => Some(Self::WebP),
            _ => None,
        }
    }

    /// The format's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Jpeg => "JPEG",
            Self::Png => "PNG",
            Self::Gif => "GIF",
            Self::WebP => "WebP",
        }
    }

    /// The format's content type.
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Jpeg => "image/jpeg",
            Self::Png => "image/png",
            Self::Gif => "image/gif",
            Self::WebP => "image/webp",
        }
    }

    /// Decodes a file with at most `memory` bytes.
    pub fn decode(self, file: &[u8], memory: u64) -> Result<DecodedImage, ThumbnailError> {
        let source = DecoderInput { format: self, file, memory };
        match self {
            Self::Jpeg => jpeg::decode(source),
            Self::Png => png::decode(source),
            Self::Gif => gif::decode(source),
            Self::WebP => webp::decode(source),
        }
    }

    /// Encodes pixels from [`Format::decode`] of the same format.
    pub fn encode(self, pixels: Pixels, profile: Option<Vec<u8>>) -> Result<Vec<u8>, ThumbnailError> {
        match self {
            Self::Jpeg => jpeg::encode(&pixels, profile),
            Self::Png => png::encode(&pixels, profile),
            Self::Gif => gif::encode(pixels),
            Self::WebP => webp::encode(&pixels, profile),
        }
        .map_err(|reason| ThumbnailError::Encode { format: self.name(), reason })
    }
}

/// A decoder's input, with constructors of its errors.
#[derive(Clone, Copy)]
struct DecoderInput<'a> {
    format: Format,
    file: &'a [u8],
    memory: u64,
}

impl DecoderInput<'_> {
    fn cut_short(&self) -> ThumbnailError {
        ThumbnailError::CutShort { format: self.format.name() }
    }

    fn broken(&self, reason: impl ToString) -> ThumbnailError {
        ThumbnailError::Broken { format: self.format.name(), reason: reason.to_string() }
    }

    /// The error for a decoder's error. A truncated file is always reported as such.
    fn failed(&self, whole: bool, reason: impl ToString) -> ThumbnailError {
        if whole { self.broken(reason) } else { self.cut_short() }
    }

    /// Checks the header's size against the memory limit, before decoding.
    fn check_memory(&self, width: u32, height: u32, needed: u64) -> Result<(), ThumbnailError> {
        if width == 0 || height == 0 {
            return Err(self.broken("the image has no pixels"));
        }
        if needed > self.memory {
            return Err(ThumbnailError::TooLarge {
                format: self.format.name(),
                width,
                height,
                needed,
                limit: self.memory,
            });
        }
        Ok(())
    }
}

/// `width * height` without overflow.
fn area(width: u32, height: u32) -> u64 {
    u64::from(width) * u64::from(height)
}
