//! WebP: reads lossy and lossless files, writes lossless ones.

use std::io::Cursor;

use image_webp::{ColorType, DecodingError, WebPDecoder, WebPEncoder};

use super::{DecodedImage, DecoderInput, area};
use crate::orientation::Orientation;
use crate::pixels::Pixels;
use crate::thumbnail::ThumbnailError;

pub fn decode(source: DecoderInput<'_>) -> Result<DecodedImage, ThumbnailError> {
    let whole = reaches_end(source.file);
    let failed = |error: DecodingError| source.failed(whole, error);
    let mut decoder = WebPDecoder::new(Cursor::new(source.file)).map_err(failed)?;
    let (width, height) = decoder.dimensions();
    let channels = if decoder.has_alpha() { 4 } else { 3 };
    let needed = area(width, height) * channels as u64;
    source.check_memory(width, height, needed)?;
    if !whole {
        return Err(source.cut_short());
    }

    let mut samples = vec![0; needed as usize];
    decoder.read_image(&mut samples).map_err(failed)?;
    let exif = decoder.exif_metadata().map_err(failed)?;
    let profile = decoder.icc_profile().map_err(failed)?;
    Ok(DecodedImage {
        pixels: Pixels { width, height, channels, samples },
        orientation: exif.map_or(Orientation::UPRIGHT, |exif| Orientation::from_exif(&exif)),
        profile,
    })
}

pub fn encode(pixels: &Pixels, profile: Option<Vec<u8>>) -> Result<Vec<u8>, String> {
    let colours = if pixels.channels == 4 { ColorType::Rgba8 } else { ColorType::Rgb8 };
    let mut file = Vec::new();
    let mut encoder = WebPEncoder::new(&mut file);
    if let Some(profile) = profile {
        encoder.set_icc_profile(profile);
    }
    encoder.encode(&pixels.samples, pixels.width, pixels.height, colours).map_err(|error| error.to_string())?;
    Ok(file)
}

/// Whether the file has the length in its header.
fn reaches_end(file: &[u8]) -> bool {
    match file {
        [_, _, _, _, a, b, c, d, ..] => u64::from(u32::from_le_bytes([*a, *b, *c, *d])) + 8 <= file.len() as u64,
        _ => false,
    }
}
