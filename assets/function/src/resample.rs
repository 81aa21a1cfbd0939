//! Shrinks a picture like Pillow's `thumbnail`.
//!
//! Two steps: averaging blocks of pixels to at least twice the target size, which makes large photos fast, then a
//! bicubic filter, widened to the scale.

use crate::pixels::Pixels;

/// The minimum size of the averaged picture, relative to the result.
const REDUCING_GAP: f64 = 2.0;

/// The bicubic filter's radius in pixels.
const SUPPORT: f64 = 2.0;

/// The size of a thumbnail: at most `max` on each side, with the same aspect ratio, never enlarged.
pub fn fit(width: u32, height: u32, max: u32) -> (u32, u32) {
    if width <= max && height <= max {
        return (width, height);
    }
    let aspect = f64::from(width) / f64::from(height);
    let side = f64::from(max);
    if aspect <= 1.0 {
        let across = nearer(side * aspect, |n| (aspect - n / side).abs());
        (across, max)
    } else {
        let down = nearer(side / aspect, |n| if n == 0.0 { 0.0 } else { (aspect - side / n).abs() });
        (max, down)
    }
}

/// Rounds `exact` to the integer with the smaller aspect error; the lower one if they are equal.
fn nearer(exact: f64, wrong: impl Fn(f64) -> f64) -> u32 {
    let (below, above) = (exact.floor(), exact.ceil());
    let best = if wrong(above) < wrong(below) { above } else { below };
    (best as u32).max(1)
}

/// Shrinks the picture to `width` x `height`, which must not be larger than it.
pub fn shrink(mut pixels: Pixels, width: u32, height: u32) -> Pixels {
    if (pixels.width, pixels.height) == (width, height) {
        return pixels;
    }
    pixels.premultiply();
    let factor = |from: u32, to: u32| ((f64::from(from) / f64::from(to) / REDUCING_GAP) as u32).max(1);
    let (across, down) = (factor(pixels.width, width), factor(pixels.height, height));
    // The picture's extent in averaged pixels, the last of which may be covered only in part.
    let extent_x = f64::from(pixels.width) / f64::from(across);
    let extent_y = f64::from(pixels.height) / f64::from(down);
    let reduced = reduce(pixels, across, down);
    let mut small = bicubic(&reduced, (extent_x, extent_y), (width, height));
    small.unpremultiply();
    small
}

/// Averages blocks of `across` x `down` pixels, which may be smaller at the right and lower edge.
fn reduce(pixels: Pixels, across: u32, down: u32) -> Pixels {
    if across == 1 && down == 1 {
        return pixels;
    }
    let channels = pixels.channels;
    let (width, height) = (pixels.width.div_ceil(across), pixels.height.div_ceil(down));
    let row_length = pixels.width as usize * channels;
    let block = across as usize * channels;
    let mut samples = Vec::with_capacity(width as usize * height as usize * channels);
    let mut sums = vec![0_u64; width as usize * channels];
    for rows in pixels.samples.chunks(row_length * down as usize) {
        sums.fill(0);
        for row in rows.chunks_exact(row_length) {
            for (block, sums) in row.chunks(block).zip(sums.chunks_exact_mut(channels)) {
                for pixel in block.chunks_exact(channels) {
                    for (sum, sample) in sums.iter_mut().zip(pixel) {
                        *sum += u64::from(*sample);
                    }
                }
            }
        }
        let rows = (rows.len() / row_length) as u64;
        for (column, sums) in (0..width).zip(sums.chunks_exact(channels)) {
            let columns = across.min(pixels.width - column * across);
            let count = u64::from(columns) * rows;
            samples.extend(sums.iter().map(|sum| ((sum + count / 2) / count) as u8));
        }
    }
    Pixels { width, height, channels, samples }
}

/// The source pixels of one result pixel and their weights.
struct Window {
    first: usize,
    weights: Vec<f32>,
}

/// The windows along one axis, from `extent` of `length` pixels to `result` pixels.
fn windows(length: u32, extent: f64, result: u32) -> Vec<Window> {
    let scale = extent / f64::from(result);
    let stretch = scale.max(1.0);
    let support = SUPPORT * stretch;
    (0..result)
        .map(|index| {
            let centre = (f64::from(index) + 0.5) * scale;
            let first = (centre - support + 0.5).max(0.0) as usize;
            let last = ((centre + support + 0.5) as usize).min(length as usize);
            let weights: Vec<f64> = (first..last).map(|x| cubic((x as f64 + 0.5 - centre) / stretch)).collect();
            let sum: f64 = weights.iter().sum();
            let weights = weights.iter().map(|weight| (weight / sum) as f32).collect();
            Window { first, weights }
        })
        .collect()
}

/// The cubic convolution kernel with a = -0.5.
fn cubic(x: f64) -> f64 {
    const A: f64 = -0.5;
    let x = x.abs();
    if x < 1.0 {
        ((A + 2.0) * x - (A + 3.0)) * x * x + 1.0
    } else if x < SUPPORT {
        (((x - 5.0) * x + 8.0) * x - 4.0) * A
    } else {
        0.0
    }
}

fn bicubic(pixels: &Pixels, extent: (f64, f64), size: (u32, u32)) -> Pixels {
    let channels = pixels.channels;
    let (width, height) = size;
    let columns = windows(pixels.width, extent.0, width);
    let rows = windows(pixels.height, extent.1, height);

    let narrow_length = width as usize * channels;
    let mut narrow = vec![0_f32; narrow_length * pixels.height as usize];
    let source_rows = pixels.samples.chunks_exact(pixels.width as usize * channels);
    for (source, target) in source_rows.zip(narrow.chunks_exact_mut(narrow_length)) {
        for (window, target) in columns.iter().zip(target.chunks_exact_mut(channels)) {
            let source = source[window.first * channels..].chunks_exact(channels);
            for (weight, pixel) in window.weights.iter().zip(source) {
                for (sum, sample) in target.iter_mut().zip(pixel) {
                    *sum += weight * f32::from(*sample);
                }
            }
        }
    }

    let mut samples = Vec::with_capacity(narrow_length * height as usize);
    let mut sums = vec![0_f32; narrow_length];
    for window in &rows {
        sums.fill(0.0);
        let source = narrow[window.first * narrow_length..].chunks_exact(narrow_length);
        for (weight, row) in window.weights.iter().zip(source) {
            for (sum, sample) in sums.iter_mut().zip(row) {
                *sum += weight * sample;
            }
        }
        // The cast clamps values, since the kernel overshoots at hard edges.
        samples.extend(sums.iter().map(|sum| sum.round() as u8));
    }
    Pixels { width, height, channels, samples }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_match_pillow() {
        // Computed with Pillow: Image.new("L", size).thumbnail((256, 256)).
        for (size, expected) in [
            ((1600, 1067), (256, 171)),
            ((1067, 1600), (171, 256)),
            ((256, 256), (256, 256)),
            ((257, 256), (256, 255)),
            ((256, 257), (255, 256)),
            ((1000, 1), (256, 1)),
            ((1, 1000), (1, 256)),
            ((40, 20), (40, 20)),
            ((4032, 3024), (256, 192)),
            ((512, 341), (256, 171)),
            ((341, 512), (170, 256)),
            ((1023, 2), (256, 1)),
            ((768, 1001), (196, 256)),
            ((1001, 768), (256, 196)),
        ] {
            assert_eq!(fit(size.0, size.1, 256), expected, "{size:?}");
        }
    }

    #[test]
    fn uniform_colour_is_kept() {
        for channels in 1..=4 {
            let pixel: Vec<u8> = [200, 100, 50, 255][4 - channels..].to_vec();
            let pixels = Pixels { width: 701, height: 333, channels, samples: pixel.repeat(701 * 333) };
            let small = shrink(pixels, 64, 30);
            assert_eq!(small.samples, pixel.repeat(64 * 30));
        }
    }

    #[test]
    fn transparent_pixels_do_not_affect_colours() {
        // Opaque white beside transparent black: the edge must stay white.
        let row: Vec<u8> = [[255_u8; 4].repeat(10), [0_u8; 4].repeat(10)].concat();
        let pixels = Pixels { width: 20, height: 20, channels: 4, samples: row.repeat(20) };
        for pixel in shrink(pixels, 5, 5).samples.chunks_exact(4) {
            assert!(pixel[3] < 8 || pixel[0] > 250, "{pixel:?}");
        }
    }
}
