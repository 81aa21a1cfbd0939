//! PNG.

use std::borrow::Cow;
use std::io::Cursor;

use png::{BitDepth, ColorType, Decoder, Encoder, Info, Limits, Transformations};

use super::{DecodedImage, DecoderInput};
use crate::orientation::Orientation;
use crate::pixels::Pixels;
use crate::thumbnail::ThumbnailError;

pub fn decode(source: DecoderInput<'_>) -> Result<DecodedImage, ThumbnailError> {
    let whole = reaches_end(source.file);
    let failed = |error: png::DecodingError| source.failed(whole, error);
    let limits = Limits { bytes: usize::try_from(source.memory).unwrap_or(usize::MAX) };
    let mut decoder = Decoder::new_with_limits(Cursor::new(source.file), limits);
    // Expand palettes and reduce 16 bits to 8; grey stays grey.
    decoder.set_transformations(Transformations::EXPAND | Transformations::STRIP_16);
    decoder.set_ignore_text_chunk(true);
    // The header alone, so that a file with an enormous size is refused before any allocation.
    let (width, height) = {
        let info = decoder.read_header_info().map_err(failed)?;
        (info.width, info.height)
    };
    source.check_memory(width, height, super::area(width, height))?;
    let mut reader = decoder.read_info().map_err(failed)?;
    let (colours, _) = reader.output_color_type();
    let channels = colours.samples();
    let needed = super::area(width, height).saturating_mul(channels as u64);
    source.check_memory(width, height, needed)?;
    if !whole {
        return Err(source.cut_short());
    }

    let mut samples = vec![0; needed as usize];
    reader.next_frame(&mut samples).map_err(failed)?;
    // EXIF may come after the pixels.
    reader.finish().map_err(failed)?;
    let info = reader.info();
    let exif = info.exif_metadata.as_deref();
    Ok(DecodedImage {
        pixels: Pixels { width, height, channels, samples },
        orientation: exif.map_or(Orientation::UPRIGHT, Orientation::from_exif),
        profile: info.icc_profile.as_deref().map(<[u8]>::to_vec),
    })
}

pub fn encode(pixels: &Pixels, profile: Option<Vec<u8>>) -> Result<Vec<u8>, String> {
    let mut info = Info::with_size(pixels.width, pixels.height);
    info.bit_depth = BitDepth::Eight;
    info.color_type = match pixels.channels {
        1 => ColorType::Grayscale,
        2 => ColorType::GrayscaleAlpha,
        3 => ColorType::Rgb,
        _ => ColorType::Rgba,
    };
    info.icc_profile = profile.map(Cow::Owned);
    let mut file = Vec::new();
    let encode = |file| {
        let mut writer = Encoder::with_info(file, info)?.write_header()?;
        writer.write_image_data(&pixels.samples)?;
        writer.finish()
    };
    encode(&mut file).map_err(|error: png::EncodingError| error.to_string())?;
    Ok(file)
}

/// Whether the chunks reach the end chunk.
fn reaches_end(file: &[u8]) -> bool {
    let mut rest = file.get(8..).unwrap_or_default();
    while let [a, b, c, d, kind @ ..] = rest {
        let length = u32::from_be_bytes([*a, *b, *c, *d]) as usize;
        // Length, kind and check sum take four bytes each.
        let Some(next) = rest.get(length.saturating_add(12)..) else {
            return false;
        };
        if kind.starts_with(b"IEND") {
            return true;
        }
        rest = next;
    }
    false
}
