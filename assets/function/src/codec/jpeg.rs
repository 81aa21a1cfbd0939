//! JPEG.

use jpeg_encoder::{ColorType, Encoder, SamplingFactor};
use zune_core::bytestream::ZCursor;
use zune_core::colorspace::ColorSpace;
use zune_core::options::DecoderOptions;
use zune_jpeg::JpegDecoder;

use super::{DecodedImage, DecoderInput, area};
use crate::orientation::Orientation;
use crate::pixels::Pixels;
use crate::thumbnail::ThumbnailError;

/// The quality of thumbnails.
const QUALITY: u8 = 90;

pub fn decode(source: DecoderInput<'_>) -> Result<DecodedImage, ThumbnailError> {
    let whole = reaches_end(source.file);
    // Strict, since otherwise missing parts are filled with grey.
    let options = DecoderOptions::default()
        .set_strict_mode(true)
        .set_max_width(usize::from(u16::MAX))
        .set_max_height(usize::from(u16::MAX));
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(source.file), options);
    let failed = |error: zune_jpeg::errors::DecodeErrors| source.failed(whole, plain(&error));
    decoder.decode_headers().map_err(failed)?;
    let info = decoder.info().ok_or_else(|| source.broken("the file has no header"))?;
    let stored = decoder.input_colorspace();
    let (colours, channels) = match stored {
        Some(ColorSpace::Luma) => (ColorSpace::Luma, 1),
        _ => (ColorSpace::RGB, 3),
    };

    let (width, height) = (u32::from(info.width), u32::from(info.height));
    let output = area(width, height) * channels as u64;
    let layout = FrameLayout::read(source.file);
    let coefficients = layout.as_ref().map_or(0, |layout| layout.coefficients(width, height));
    source.check_memory(width, height, output + coefficients)?;
    if !whole {
        return Err(source.cut_short());
    }
    if layout.is_some_and(|layout| layout.is_misread()) {
        return Err(source.broken("its colours are in separate scans of different sizes, which is not supported"));
    }

    decoder.set_options(options.jpeg_set_out_colorspace(colours));
    let mut samples = vec![0; output as usize];
    decoder.decode_into(&mut samples).map_err(failed)?;
    let exif = decoder.exif();
    let orientation = exif.map_or(Orientation::UPRIGHT, |exif| Orientation::from_exif(exif));
    // A CMYK profile does not apply to the converted RGB.
    let profile = decoder.icc_profile().filter(|_| !matches!(stored, Some(ColorSpace::CMYK | ColorSpace::YCCK)));
    Ok(DecodedImage { pixels: Pixels { width, height, channels, samples }, orientation, profile })
}

pub fn encode(pixels: &Pixels, profile: Option<Vec<u8>>) -> Result<Vec<u8>, String> {
    let (width, height) = (pixels.width as u16, pixels.height as u16);
    let colours = if pixels.channels == 1 { ColorType::Luma } else { ColorType::Rgb };
    let mut file = Vec::new();
    let mut encoder = Encoder::new(&mut file, QUALITY);
    // No chroma subsampling, which would be visible in a small picture.
    encoder.set_sampling_factor(SamplingFactor::R_4_4_4);
    if let Some(profile) = profile {
        encoder.add_icc_profile(&profile).map_err(|error| error.to_string())?;
    }
    encoder.encode(&pixels.samples, width, height, colours).map_err(|error| error.to_string())?;
    Ok(file)
}

fn plain(error: &zune_jpeg::errors::DecodeErrors) -> String {
    // The decoder's messages may span lines.
    format!("{error:?}").split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The segments of a JPEG file: a marker and its data.
struct Segments<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for Segments<'a> {
    type Item = (u8, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let at = self.rest.windows(2).position(|pair| pair[0] == 0xff && !matches!(pair[1], 0 | 0xff))?;
            let marker = self.rest[at + 1];
            self.rest = &self.rest[at + 2..];
            match marker {
                // Markers without data: start, restarts and a filler.
                0x01 | 0xd0..=0xd8 => {}
                0xd9 => return Some((marker, &[])),
                _ => {
                    let length = usize::from(u16::from_be_bytes([*self.rest.first()?, *self.rest.get(1)?]));
                    let segment = self.rest.get(2..length)?;
                    self.rest = &self.rest[length..];
                    return Some((marker, segment));
                }
            }
        }
    }
}

/// Whether the end marker is present. Scan data is skipped, since there every 0xff that is no marker is followed by a
/// zero.
fn reaches_end(file: &[u8]) -> bool {
    Segments { rest: file }.any(|(marker, _)| marker == 0xd9)
}

/// The sample layout in the frame header.
struct FrameLayout {
    /// The horizontal and vertical sampling factors of each component.
    factors: Vec<(u64, u64)>,
    progressive: bool,
    /// Whether components are in separate scans.
    separate_scans: bool,
}

impl FrameLayout {
    fn read(file: &[u8]) -> Option<Self> {
        let mut segments = Segments { rest: file };
        let (frame, header) = segments.find(|(marker, _)| matches!(marker, 0xc0..=0xc2))?;
        let (_, scan) = segments.find(|(marker, _)| *marker == 0xda)?;
        let [_, _, _, _, _, count, components @ ..] = header else {
            return None;
        };
        let factors = components
            .chunks_exact(3)
            .take(usize::from(*count))
            .map(|component| (u64::from(component[1] >> 4), u64::from(component[1] & 15)));
        Some(Self { factors: factors.collect(), progressive: frame == 0xc2, separate_scans: scan.first()? < count })
    }

    /// Whether the decoder would misread the file: separate scans of different sizes, which cameras do not write.
    fn is_misread(&self) -> bool {
        let same = self.factors.windows(2).all(|pair| pair[0] == pair[1]);
        self.separate_scans && !self.progressive && !same
    }

    /// The bytes of the coefficients, which are kept until the last scan if there are several.
    fn coefficients(&self, width: u32, height: u32) -> u64 {
        if !self.progressive && !self.separate_scans {
            return 0;
        }
        let across = self.factors.iter().map(|factor| factor.0).max();
        let down = self.factors.iter().map(|factor| factor.1).max();
        let units = |length: u32, most: Option<u64>| u64::from(length).div_ceil(8 * most.unwrap_or(1).max(1));
        let blocks: u64 = self.factors.iter().map(|(across, down)| across * down).sum();
        units(width, across) * units(height, down) * blocks * 64 * size_of::<i16>() as u64
    }
}
