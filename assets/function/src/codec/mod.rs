//! The image formats: which one it is, decoding, encoding. One file for each.

mod gif;
mod jpeg;
mod png;
mod webp;

use crate::orientation::Orientation;
use crate::pixels::Pixels;
use crate::thumbnail::ThumbnailError;

/// An image format that can be read and written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    Jpeg,
    Png,
    Gif,
    WebP,
}

/// A decoded image and what belongs to it.
pub struct Decoded {
    /// Its pixels, as stored.
    pub pixels: Pixels,
    /// How to turn them.
    pub orientation: Orientation,
    /// The colour profile that gives the numbers their meaning: kept, or colours would change.
    pub profile: Option<Vec<u8>>,
}

impl Format {
    /// The format, by a file's first bytes. Names and content types are not asked: they may be wrong.
    pub fn guess(file: &[u8]) -> Option<Self> {
        match file {
            [0xff, 0xd8, 0xff, ..] => Some(Self::Jpeg),
            [0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1a, b'\n', ..] => Some(Self::Png),
            [b'G', b'I', b'F', b'8', b'7' | b'9', b'a', ..] => Some(Self::Gif),
            [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => Some(Self::WebP),
            _ => None,
        }
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Jpeg => "JPEG",
            Self::Png => "PNG",
            Self::Gif => "GIF",
            Self::WebP => "WebP",
        }
    }

    /// Its content type.
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Jpeg => "image/jpeg",
            Self::Png => "image/png",
            Self::Gif => "image/gif",
            Self::WebP => "image/webp",
        }
    }

    /// Decodes a file, if that takes at most `memory` bytes.
    pub fn decode(self, file: &[u8], memory: u64) -> Result<Decoded, ThumbnailError> {
        let source = Source { format: self, file, memory };
        match self {
            Self::Jpeg => jpeg::decode(source),
            Self::Png => png::decode(source),
            Self::Gif => gif::decode(source),
            Self::WebP => webp::decode(source),
        }
    }

    /// Encodes pixels that came out of [`Format::decode`] of the same format.
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

/// A file on its way through a decoder, and the errors that it can end in.
#[derive(Clone, Copy)]
struct Source<'a> {
    format: Format,
    file: &'a [u8],
    memory: u64,
}

impl Source<'_> {
    fn cut_short(&self) -> ThumbnailError {
        ThumbnailError::CutShort { format: self.format.name() }
    }

    fn broken(&self, reason: impl ToString) -> ThumbnailError {
        ThumbnailError::Broken { format: self.format.name(), reason: reason.to_string() }
    }

    /// The answer to a decoder's error: a file that is cut short gets that said, whatever the decoder says.
    fn failed(&self, whole: bool, reason: impl ToString) -> ThumbnailError {
        if whole { self.broken(reason) } else { self.cut_short() }
    }

    /// Checks what the header announces, before anything is decoded.
    fn check_memory(&self, width: u32, height: u32, needed: u64) -> Result<(), ThumbnailError> {
        if width == 0 || height == 0 {
            return Err(self.broken("it has no pixels"));
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

/// `width * height`, as wide as it may get.
fn area(width: u32, height: u32) -> u64 {
    u64::from(width) * u64::from(height)
}
