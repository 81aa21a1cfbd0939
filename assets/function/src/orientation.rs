//! The EXIF orientation of a photo.

use crate::pixels::Pixels;

/// An EXIF orientation, 1 to 8: the transformation of stored pixels to an upright picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Orientation(u8);

impl Orientation {
    /// No transformation.
    pub const UPRIGHT: Self = Self(1);

    /// Reads the orientation from EXIF data. Upright if it is missing.
    pub fn from_exif(exif: &[u8]) -> Self {
        let tiff = exif.strip_prefix(b"Exif\0\0").unwrap_or(exif);
        find(tiff).map_or(Self::UPRIGHT, Self)
    }

    /// Whether width and height are swapped.
    pub fn swaps_sides(self) -> bool {
        self.0 >= 5
    }

    /// The displayed size of a stored `size`.
    pub fn turn_size(self, size: (u32, u32)) -> (u32, u32) {
        if self.swaps_sides() { (size.1, size.0) } else { size }
    }

    /// Transforms the pixels to an upright picture.
    pub fn apply(self, pixels: Pixels) -> Pixels {
        if self == Self::UPRIGHT {
            return pixels;
        }
        let channels = pixels.channels;
        let (width, height) = self.turn_size((pixels.width, pixels.height));
        let (right, bottom) = (pixels.width - 1, pixels.height - 1);
        let mut samples = Vec::with_capacity(pixels.samples.len());
        for y in 0..height {
            for x in 0..width {
                let (from_x, from_y) = match self.0 {
                    2 => (right - x, y),
                    3 => (right - x, bottom - y),
                    4 => (x, bottom - y),
                    5 => (y, x),
                    6 => (y, bottom - x),
                    7 => (right - y, bottom - x),
                    8 => (right - y, x),
                    _ => (x, y),
                };
                let at = (from_y as usize * pixels.width as usize + from_x as usize) * channels;
                samples.extend_from_slice(&pixels.samples[at..at + channels]);
            }
        }
        Pixels { width, height, channels, samples }
    }
}

fn find(tiff: &[u8]) -> Option<u8> {
    const ORIENTATION: u16 = 0x0112;
    const SHORT: u16 = 3;
    let little = match tiff.get(..4)? {
        b"II*\0" => true,
        b"MM\0*" => false,
        _ => return None,
    };
    let short = |at: usize| -> Option<u16> {
        let bytes = tiff.get(at..at.checked_add(2)?)?.try_into().ok()?;
        Some(if little { u16::from_le_bytes(bytes) } else { u16::from_be_bytes(bytes) })
    };
    let (low, high) = if little { (4, 6) } else { (6, 4) };
    let directory = usize::from(short(high)?) << 16 | usize::from(short(low)?);
    let entries = usize::from(short(directory)?);
    (0..entries)
        .map(|entry| directory + 2 + entry * 12)
        .find(|&at| short(at) == Some(ORIENTATION) && short(at + 2) == Some(SHORT))
        .and_then(|at| short(at + 8))
        .and_then(|value| u8::try_from(value).ok())
        .filter(|value| (1..=8).contains(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exif(little: bool, value: u16) -> Vec<u8> {
        let short = |n: u16| {
            if little { n.to_le_bytes() } else { n.to_be_bytes() }
        };
        let long = |n: u32| {
            if little { n.to_le_bytes() } else { n.to_be_bytes() }
        };
        let mut data = if little { b"II".to_vec() } else { b"MM".to_vec() };
        data.extend(short(42));
        data.extend(long(8));
        data.extend(short(1));
        data.extend(short(0x0112));
        data.extend(short(3));
        data.extend(long(1));
        data.extend(short(value));
        data.extend(short(0));
        data
    }

    #[test]
    fn both_byte_orders_are_parsed() {
        for little in [true, false] {
            let plain = exif(little, 6);
            assert_eq!(Orientation::from_exif(&plain), Orientation(6));
            let prefixed = [b"Exif\0\0".to_vec(), plain].concat();
            assert_eq!(Orientation::from_exif(&prefixed), Orientation(6));
        }
    }

    #[test]
    fn invalid_exif_is_upright() {
        let cut = &exif(true, 6)[..15];
        for data in [b"".as_slice(), b"II*\0", b"II*\0\xff\xff\xff\xff", cut, &exif(true, 9)] {
            assert_eq!(Orientation::from_exif(data), Orientation::UPRIGHT);
        }
    }

    #[test]
    fn all_orientations_are_applied() {
        // a b c
        // d e f
        let stored = Pixels { width: 3, height: 2, channels: 1, samples: b"abcdef".to_vec() };
        for (number, size, seen) in [
            (1, (3, 2), b"abcdef"),
            (2, (3, 2), b"cbafed"),
            (3, (3, 2), b"fedcba"),
            (4, (3, 2), b"defabc"),
            (5, (2, 3), b"adbecf"),
            (6, (2, 3), b"daebfc"),
            (7, (2, 3), b"fcebda"),
            (8, (2, 3), b"cfbead"),
        ] {
            let turned = Orientation(number).apply(stored.clone());
            assert_eq!((turned.width, turned.height), size, "{number}");
            assert_eq!(turned.samples, seen, "{number}");
        }
    }
}
