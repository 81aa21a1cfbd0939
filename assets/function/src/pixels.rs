//! A picture in memory.

/// Eight-bit samples, row by row, with interleaved channels.
///
/// One channel is grey, two are grey and alpha, three are RGB, four are RGBA.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pixels {
    /// The width in pixels.
    pub width: u32,
    /// The height in pixels.
    pub height: u32,
    /// The samples per pixel, 1 to 4.
    pub channels: usize,
    /// `width * height * channels` samples.
    pub samples: Vec<u8>,
}

impl Pixels {
    /// Whether the last channel is alpha.
    pub fn has_alpha(&self) -> bool {
        self.channels.is_multiple_of(2)
    }

    /// Multiplies colours by alpha, so that transparent pixels do not affect their neighbours.
    pub fn premultiply(&mut self) {
        if !self.has_alpha() {
            return;
        }
        for pixel in self.samples.chunks_exact_mut(self.channels) {
            if let [colours @ .., alpha] = pixel {
                for colour in colours {
                    *colour = ((u32::from(*colour) * u32::from(*alpha) + 127) / 255) as u8;
                }
            }
        }
    }

    /// Reverses [`Pixels::premultiply`].
    pub fn unpremultiply(&mut self) {
        if !self.has_alpha() {
            return;
        }
        for pixel in self.samples.chunks_exact_mut(self.channels) {
            if let [colours @ .., alpha] = pixel
                && *alpha > 0
            {
                let alpha = u32::from(*alpha);
                for colour in colours {
                    *colour = ((u32::from(*colour) * 255 + alpha / 2) / alpha).min(255) as u8;
                }
            }
        }
    }
}
