//! Tests of thumbnails of valid, invalid and truncated images.

use crate::image_compare::read_png;
use crate::support::{sample, smooth, write_jpeg, write_png};
use jpeg_encoder::ColorType as Jpeg;
use png::{BitDepth, ColorType};
use thumbnail_function::thumbnail::{Thumbnail, ThumbnailError, ThumbnailLimits, make};

const LIMITS: ThumbnailLimits = ThumbnailLimits { max_side: 256, memory: 256 << 20 };

fn thumbnail(file: &[u8]) -> Result<Thumbnail, ThumbnailError> {
    make(file, LIMITS)
}

const SAMPLES: [&str; 5] = ["bubbles.png", "kites.gif", "lighthouse.jpg", "mountains.jpg", "waves.webp"];

#[test]
fn format_is_kept() {
    for (name, content_type, size) in [
        ("bubbles.png", "image/png", (256, 192)),
        ("kites.gif", "image/gif", (256, 192)),
        ("mountains.jpg", "image/jpeg", (256, 171)),
        ("waves.webp", "image/webp", (256, 192)),
        // Stored as 1200 x 800, rotated by EXIF.
        ("lighthouse.jpg", "image/jpeg", (171, 256)),
    ] {
        let made = thumbnail(&sample(name)).unwrap();
        assert_eq!(made.content_type, content_type, "{name}");
        assert_eq!((made.width, made.height), size, "{name}");
    }
}

#[test]
fn truncated_file_is_refused_at_any_length() {
    let progressive = write_jpeg((300, 200), Jpeg::Rgb, true, &smooth(300, 200, 3));
    let files = SAMPLES.map(sample).into_iter().chain([progressive]);
    for file in files {
        let step = file.len() / 60;
        let lengths = (1..60).map(|part| part * step).chain(file.len() - 12..file.len());
        for length in lengths.chain([16, 30, 40]) {
            match thumbnail(&file[..length]) {
                Err(ThumbnailError::CutShort { .. }) => {}
                other => panic!("{length} of {} bytes: {other:?}", file.len()),
            }
        }
    }
}

#[test]
fn jpeg_with_separate_subsampled_scans_is_refused() {
    // One scan per component, and subsampled colour.
    let mut file = Vec::new();
    let mut encoder = jpeg_encoder::Encoder::new(&mut file, 90);
    encoder.set_sampling_factor(jpeg_encoder::SamplingFactor::R_4_2_0);
    encoder.set_optimized_huffman_tables(true);
    encoder.encode(&smooth(300, 200, 3), 300, 200, Jpeg::Rgb).unwrap();
    let error = thumbnail(&file).unwrap_err().to_string();
    assert!(error.contains("in separate scans"), "{error}");
}

#[test]
fn other_files_are_not_images() {
    assert_eq!(thumbnail(b"").unwrap_err(), ThumbnailError::Empty);
    for file in [b"hello, world".as_slice(), b"\x89PNG", b"BM\x00\x00", b"%PDF-1.7", &[0; 4096]] {
        assert_eq!(thumbnail(file).unwrap_err(), ThumbnailError::NotAnImage);
    }
}

#[test]
fn bytes_after_the_image_are_ignored() {
    for name in SAMPLES {
        let file = [sample(name), b"something that a camera appended".to_vec()].concat();
        assert!(thumbnail(&file).is_ok(), "{name}");
    }
}

#[test]
fn too_large_image_is_refused_by_header() {
    // Each header has an enormous size.
    let mut png = write_png((1, 1), ColorType::Rgb, BitDepth::Eight, None, &[0; 3]);
    png[16..24].copy_from_slice(&[0, 0, 0x80, 0, 0, 0, 0x80, 0]);
    let crc = crc(&png[12..29]).to_be_bytes();
    png[29..33].copy_from_slice(&crc);

    let mut jpeg = write_jpeg((16, 16), Jpeg::Rgb, false, &[0; 768]);
    let at = jpeg.windows(2).position(|pair| pair == [0xff, 0xc0]).unwrap();
    jpeg[at + 5..at + 9].copy_from_slice(&[0xff, 0xff, 0xff, 0xff]);

    let mut gif = sample("kites.gif");
    gif[6..10].copy_from_slice(&[0xff, 0xff, 0xff, 0xff]);

    // The frame header of a lossy WebP: 14 bits of width, 14 of height.
    let mut webp = sample("waves.webp");
    let at = webp.windows(3).position(|bytes| bytes == [0x9d, 0x01, 0x2a]).unwrap();
    webp[at + 3..at + 7].copy_from_slice(&[0xff, 0x3f, 0xff, 0x3f]);

    for file in [png, jpeg, gif, webp] {
        let error = thumbnail(&file).unwrap_err();
        assert!(matches!(error, ThumbnailError::TooLarge { .. }), "{error}");
    }
}

#[test]
fn memory_limit_is_exact() {
    let file = write_png((300, 200), ColorType::Rgb, BitDepth::Eight, None, &smooth(300, 200, 3));
    let bytes = 300 * 200 * 3;
    let with = |memory| make(&file, ThumbnailLimits { max_side: 256, memory });
    assert!(with(bytes).is_ok());
    assert_eq!(
        with(bytes - 1).unwrap_err().to_string(),
        "this PNG image of 300 x 200 pixels is too large: decoding it takes 180000 bytes, \
         and 179999 are allowed (half of the function's memory)"
    );

    // A progressive JPEG needs more, for its coefficients.
    let samples = smooth(300, 200, 3);
    for (progressive, fits) in [(false, true), (true, false)] {
        let file = write_jpeg((300, 200), Jpeg::Rgb, progressive, &samples);
        assert_eq!(make(&file, ThumbnailLimits { max_side: 256, memory: bytes }).is_ok(), fits);
    }
}

#[test]
fn small_images_are_not_enlarged() {
    let samples = smooth(40, 20, 3);
    let made = thumbnail(&write_png((40, 20), ColorType::Rgb, BitDepth::Eight, None, &samples)).unwrap();
    assert_eq!(read_png(&made.bytes), (40, 20, 3, samples));

    for file in [
        write_jpeg((40, 20), Jpeg::Rgb, false, &smooth(40, 20, 3)),
        thumbnail(&sample("kites.gif")).unwrap().bytes,
        thumbnail(&sample("waves.webp")).unwrap().bytes,
    ] {
        let made = thumbnail(&file).unwrap();
        assert_eq!((made.width, made.height), (made.source_width, made.source_height));
    }
}

#[test]
fn single_pixel_and_thin_images_work() {
    for (size, expected) in [((1, 1), (1, 1)), ((3000, 1), (256, 1)), ((1, 3000), (1, 256))] {
        let samples = vec![77; (size.0 * size.1) as usize];
        let file = write_png(size, ColorType::Grayscale, BitDepth::Eight, None, &samples);
        let made = thumbnail(&file).unwrap();
        assert_eq!((made.width, made.height), expected);
    }
}

#[test]
fn longest_side_is_configurable() {
    for max_side in [1, 16, 1000] {
        let limits = ThumbnailLimits { max_side, ..LIMITS };
        let made = make(&sample("mountains.jpg"), limits).unwrap();
        assert_eq!(made.width, max_side);
    }
}

#[test]
fn all_png_types_work() {
    let size = (600, 400);
    let area = 600 * 400;
    let sixteen =
        |channels| smooth(600, 400, channels).into_iter().flat_map(|sample| [sample, sample]).collect::<Vec<_>>();
    let indices: Vec<u8> = (0..area).map(|at| (at % 3) as u8).collect();
    let palette = Some(([255, 0, 0, 0, 255, 0, 0, 0, 255].as_slice(), [255, 128, 0].as_slice()));
    for (colours, depth, palette, samples, channels) in [
        (ColorType::Grayscale, BitDepth::Eight, None, smooth(600, 400, 1), 1),
        (ColorType::Grayscale, BitDepth::One, None, vec![0b1010_1010; area / 8], 1),
        (ColorType::GrayscaleAlpha, BitDepth::Eight, None, smooth(600, 400, 2), 2),
        (ColorType::Rgb, BitDepth::Sixteen, None, sixteen(3), 3),
        (ColorType::Rgba, BitDepth::Sixteen, None, sixteen(4), 4),
        (ColorType::Grayscale, BitDepth::Sixteen, None, sixteen(1), 1),
        (ColorType::Indexed, BitDepth::Eight, palette, indices, 4),
    ] {
        let made = thumbnail(&write_png(size, colours, depth, palette, &samples)).unwrap();
        let (width, height, found, _) = read_png(&made.bytes);
        assert_eq!((width, height, found), (256, 171, channels), "{colours:?} {depth:?}");
    }
}

#[test]
fn all_jpeg_types_work() {
    for (colours, channels) in [(Jpeg::Luma, 1), (Jpeg::Rgb, 3), (Jpeg::Cmyk, 4), (Jpeg::CmykAsYcck, 4)] {
        for progressive in [false, true] {
            let file = write_jpeg((600, 400), colours, progressive, &smooth(600, 400, channels));
            let made = thumbnail(&file).unwrap();
            assert_eq!((made.width, made.height), (256, 171), "{colours:?} {progressive}");
            // Grey stays grey: the frame header of the thumbnail has one component.
            let at = made.bytes.windows(2).position(|pair| pair == [0xff, 0xc0]).unwrap();
            assert_eq!(made.bytes[at + 9], if channels == 1 { 1 } else { 3 }, "{colours:?}");
        }
    }
}

#[test]
fn gif_transparency_is_kept() {
    // One frame that covers a part of the canvas, half of it transparent.
    let mut file = Vec::new();
    let mut encoder = gif::Encoder::new(&mut file, 400, 400, &[200, 30, 30, 0, 0, 0]).unwrap();
    let mut frame = gif::Frame::from_indexed_pixels(200, 200, [[0; 100], [1; 100]].concat().repeat(200), Some(1));
    (frame.left, frame.top) = (100, 100);
    frame.palette = None;
    encoder.write_frame(&frame).unwrap();
    drop(encoder);

    let made = thumbnail(&file).unwrap();
    let mut options = gif::DecodeOptions::new();
    options.set_color_output(gif::ColorOutput::RGBA);
    let mut decoder = options.read_info(made.bytes.as_slice()).unwrap();
    let frame = decoder.read_next_frame().unwrap().unwrap();
    let pixel = |x: usize, y: usize| frame.buffer[(y * 256 + x) * 4..][..4].to_vec();
    assert_eq!((frame.width, frame.height), (256, 256));
    assert_eq!(pixel(20, 20)[3], 0);
    assert_eq!(pixel(160, 128)[3], 0);
    assert_eq!(pixel(90, 128)[3], 255);
    assert!(pixel(90, 128)[0] > 180);
}

#[test]
fn damaged_files_do_not_panic() {
    // A fixed sequence of random changes.
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut random = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as usize
    };
    for name in SAMPLES {
        let file = thumbnail(&sample(name)).unwrap().bytes;
        for _ in 0..60 {
            let mut file = file.clone();
            for _ in 0..1 + random() % 8 {
                let at = random() % file.len();
                file[at] = random() as u8;
            }
            let _ = make(&file, ThumbnailLimits { max_side: 64, memory: 16 << 20 });
        }
    }
}

/// The checksum of a PNG chunk.
fn crc(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 })
    })
}
