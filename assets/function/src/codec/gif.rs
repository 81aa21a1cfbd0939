//! GIF: the first frame on the whole canvas.

use gif::{ColorOutput, DecodeOptions, DecodingError, Encoder, Frame, MemoryLimit};

use super::{DecodedImage, DecoderInput, area};
use crate::orientation::Orientation;
use crate::pixels::Pixels;
use crate::thumbnail::ThumbnailError;

const CHANNELS: usize = 4;

/// The quantiser's setting from quality (1) to speed (30).
const SPEED: i32 = 1;

pub fn decode(source: DecoderInput<'_>) -> Result<DecodedImage, ThumbnailError> {
    let failed = |error: DecodingError| match error {
        DecodingError::UnexpectedEof => source.cut_short(),
        DecodingError::Io(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => source.cut_short(),
        error => source.broken(error),
    };
    let mut options = DecodeOptions::new();
    options.set_color_output(ColorOutput::RGBA);
    // `check_memory` checks the header's size instead.
    options.set_memory_limit(MemoryLimit::Unlimited);
    let mut decoder = options.clone().read_info(source.file).map_err(failed)?;
    let (width, height) = (u32::from(decoder.width()), u32::from(decoder.height()));
    let canvas = area(width, height) * CHANNELS as u64;
    source.check_memory(width, height, canvas)?;
    walk(source.file, options).map_err(failed)?;

    let frame = decoder.next_frame_info().map_err(failed)?;
    let frame = frame.ok_or_else(|| source.broken("the file has no frame"))?;
    let (left, top) = (usize::from(frame.left), usize::from(frame.top));
    let (across, down) = (usize::from(frame.width), usize::from(frame.height));
    let covers = (left, top, across, down) == (0, 0, width as usize, height as usize);
    let frame_bytes = (across * down * CHANNELS) as u64;
    let needed = if covers { canvas } else { canvas + frame_bytes };
    source.check_memory(width, height, needed)?;
    let mut samples = vec![0; frame_bytes as usize];
    decoder.read_into_buffer(&mut samples).map_err(failed)?;
    if !covers {
        samples = place(&samples, (left, top), across, (width as usize, height as usize));
    }
    Ok(DecodedImage {
        pixels: Pixels { width, height, channels: CHANNELS, samples },
        orientation: Orientation::UPRIGHT,
        profile: None,
    })
}

/// Places a frame on an empty canvas, and crops the parts outside.
fn place(frame: &[u8], (left, top): (usize, usize), across: usize, (width, height): (usize, usize)) -> Vec<u8> {
    let mut canvas = vec![0; width * height * CHANNELS];
    let visible = across.min(width.saturating_sub(left)) * CHANNELS;
    if visible > 0 {
        let rows = frame.chunks_exact(across * CHANNELS);
        let canvas_rows = canvas.chunks_exact_mut(width * CHANNELS).skip(top);
        for (row, target) in rows.zip(canvas_rows) {
            target[left * CHANNELS..][..visible].copy_from_slice(&row[..visible]);
        }
    }
    canvas
}

/// Reads all frames without decoding them, to check that the file is complete.
fn walk(file: &[u8], mut options: DecodeOptions) -> Result<(), DecodingError> {
    options.skip_frame_decoding(true);
    let mut decoder = options.read_info(file)?;
    while decoder.next_frame_info()?.is_some() {}
    Ok(())
}

pub fn encode(mut pixels: Pixels) -> Result<Vec<u8>, String> {
    // GIF has no partial transparency, so alpha is rounded.
    for pixel in pixels.samples.chunks_exact_mut(CHANNELS) {
        pixel[3] = if pixel[3] < 128 { 0 } else { 255 };
    }
    let (width, height) = (pixels.width as u16, pixels.height as u16);
    let frame = Frame::from_rgba_speed(width, height, &mut pixels.samples, SPEED);
    let mut file = Vec::new();
    let mut encoder = Encoder::new(&mut file, width, height, &[]).map_err(|error| error.to_string())?;
    encoder.write_frame(&frame).map_err(|error| error.to_string())?;
    drop(encoder);
    Ok(file)
}
