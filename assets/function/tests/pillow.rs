//! Our thumbnails of the sample images beside those that Pillow makes.

mod common;

use std::io::Cursor;

use thumbnail_function::thumbnail::{Limits, make};

const LIMITS: Limits = Limits { max_side: 256, memory: 256 << 20 };

/// Any thumbnail as RGBA.
fn decode(content_type: &str, file: &[u8]) -> (u32, u32, Vec<u8>) {
    match content_type {
        "image/jpeg" => {
            let mut decoder = zune_jpeg::JpegDecoder::new(zune_core::bytestream::ZCursor::new(file));
            let samples = decoder.decode().unwrap();
            let info = decoder.info().unwrap();
            let channels = samples.len() / (usize::from(info.width) * usize::from(info.height));
            (info.width.into(), info.height.into(), rgba(channels, &samples))
        }
        "image/png" => {
            let (width, height, channels, samples) = common::read_png(file);
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

/// Peak signal to noise in dB over what is seen: colours weighed by alpha, and alpha itself.
fn psnr(one: &[u8], two: &[u8]) -> f64 {
    let seen = |pixels: &[u8]| -> Vec<f64> {
        let pixel = |pixel: &[u8]| {
            let alpha = f64::from(pixel[3]) / 255.0;
            let colour = |at: usize| f64::from(pixel[at]) * alpha;
            [colour(0), colour(1), colour(2), f64::from(pixel[3])]
        };
        pixels.chunks_exact(4).flat_map(pixel).collect()
    };
    let (one, two) = (seen(one), seen(two));
    // An alpha that is all opaque must not water the error down.
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

#[test]
fn thumbnails_are_as_pillow_makes_them() {
    for name in ["bubbles.png", "kites.gif", "lighthouse.jpg", "mountains.jpg", "waves.webp"] {
        let thumbnail = make(&common::sample(name), LIMITS).unwrap();
        let reference = common::beside("../../tests/references").join(format!("{name}.png"));
        let (width, height, channels, samples) = common::read_png(&std::fs::read(reference).unwrap());
        let ours = decode(thumbnail.content_type, &thumbnail.bytes);
        assert_eq!((ours.0, ours.1), (width, height), "{name}");
        assert_eq!((thumbnail.width, thumbnail.height), (width, height), "{name}");
        let psnr = psnr(&ours.2, &rgba(channels, &samples));
        println!("{name}: {width} x {height}, {psnr:.1} dB, {} bytes", thumbnail.bytes.len());
        assert!(psnr >= 28.0, "{name}: {psnr:.1} dB");
    }
}
