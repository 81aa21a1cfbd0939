//! Decodes thumbnails and measures their difference.

use std::io::Cursor;

/// Decodes a thumbnail to RGBA.
pub(super) fn decode(content_type: &str, file: &[u8]) -> (u32, u32, Vec<u8>) {
    match content_type {
        "image/jpeg" => {
            let mut decoder = zune_jpeg::JpegDecoder::new(zune_core::bytestream::ZCursor::new(file));
            let samples = decoder.decode().unwrap();
            let info = decoder.info().unwrap();
            let channels = samples.len() / (usize::from(info.width) * usize::from(info.height));
            (info.width.into(), info.height.into(), rgba(channels, &samples))
        }
        "image/png" => {
            let (width, height, channels, samples) = read_png(file);
            (width, height, rgba(channels, &samples))
        }
        "image/gif" => {
            let mut options = gif::DecodeOptions::new();
            options.set_color_output(gif::ColorOutput::RGBA);
            let mut decoder = options.read_info(file).unwrap();
            let frame = decoder.read_next_frame().unwrap().unwrap();
            (frame.width.into(), frame.height.into(), frame.buffer.to_vec())
        }
        "image/webp" => {
            let mut decoder = image_webp::WebPDecoder::new(Cursor::new(file)).unwrap();
            let (width, height) = decoder.dimensions();
            let mut samples = vec![0; decoder.output_buffer_size().unwrap()];
            decoder.read_image(&mut samples).unwrap();
            let channels = if decoder.has_alpha() { 4 } else { 3 };
            (width, height, rgba(channels, &samples))
        }
        other => panic!("{other}"),
    }
}

fn rgba(channels: usize, samples: &[u8]) -> Vec<u8> {
    samples
        .chunks_exact(channels)
        .flat_map(|pixel| match *pixel {
            [grey] => [grey, grey, grey, 255],
            [grey, alpha] => [grey, grey, grey, alpha],
            [red, green, blue] => [red, green, blue, 255],
            [red, green, blue, alpha] => [red, green, blue, alpha],
            _ => unreachable!(),
        })
        .collect()
}

/// The peak signal-to-noise ratio in dB of colours weighted by alpha, and of alpha itself.
pub(super) fn psnr(one: &[u8], two: &[u8]) -> f64 {
    let seen = |pixels: &[u8]| -> Vec<f64> {
        let pixel = |pixel: &[u8]| {
            let alpha = f64::from(pixel[3]) / 255.0;
            let colour = |at: usize| f64::from(pixel[at]) * alpha;
            [colour(0), colour(1), colour(2), f64::from(pixel[3])]
        };
        pixels.chunks_exact(4).flat_map(pixel).collect()
    };
    let (one, two) = (seen(one), seen(two));
    // Opaque alpha is left out, since it would dilute the error.
    let opaque = one.chunks_exact(4).chain(two.chunks_exact(4)).all(|pixel| pixel[3] == 255.0);
    let counted = if opaque { 3 } else { 4 };
    let squares: f64 = one
        .chunks_exact(4)
        .zip(two.chunks_exact(4))
        .flat_map(|(one, two)| (0..counted).map(move |at| (one[at] - two[at]).powi(2)))
        .sum();
    let mean = squares / (one.len() / 4 * counted) as f64;
    10.0 * (255.0 * 255.0 / mean.max(1e-9)).log10()
}

/// Decodes a PNG file: width, height, channels and eight-bit samples.
pub(super) fn read_png(file: &[u8]) -> (u32, u32, usize, Vec<u8>) {
    let mut decoder = png::Decoder::new(Cursor::new(file));
    decoder.set_transformations(png::Transformations::EXPAND);
    let mut reader = decoder.read_info().unwrap();
    let mut samples = vec![0; reader.output_buffer_size().unwrap()];
    let info = reader.next_frame(&mut samples).unwrap();
    (info.width, info.height, info.color_type.samples(), samples)
}
