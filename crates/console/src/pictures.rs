//! [`Picture`]: an image prepared for the terminal: decoded, rotated upright, scaled to its cells, and encoded for the
//! terminal's graphics protocol. Does I/O.

#![allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "pictures are decoded off the drawing thread")]

use std::fmt;
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;

use image::imageops::FilterType;
use image::{DynamicImage, ImageDecoder, ImageFormat, ImageReader, Limits, Rgba, RgbaImage};
use ratatui::layout::Size;
use ratatui_image::protocol::Protocol;
use ratatui_image::protocol::halfblocks::Halfblocks;
use ratatui_image::protocol::iterm2::Iterm2;
use ratatui_image::protocol::kitty::Kitty;
use ratatui_image::protocol::sixel::Sixel;

use thumbctl_core::event::Failure;

/// The memory limit of a decoder in bytes: a small file can declare a huge picture.
const MAX_MEMORY: u64 = 256 * 1024 * 1024;

/// The background of transparent pixels, where the terminal has no transparency.
const BACKGROUND: Rgba<u8> = Rgba([128, 128, 128, 255]);

/// The graphics protocol of the terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum GraphicsKind {
    /// Half-block characters, two pixels each; supported everywhere.
    #[default]
    Halfblocks,
    /// The kitty protocol.
    Kitty,
    /// The iTerm2 protocol.
    Iterm2,
    /// Sixel graphics.
    Sixel,
}

impl GraphicsKind {
    /// The name in the configuration file.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Halfblocks => "blocks",
            Self::Kitty => "kitty",
            Self::Iterm2 => "iterm2",
            Self::Sixel => "sixel",
        }
    }

    /// The kind with a name; none for `auto` and unknown names.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Halfblocks, Self::Kitty, Self::Iterm2, Self::Sixel].into_iter().find(|kind| kind.as_str() == name)
    }
}

/// The graphics protocol and cell size of the terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Graphics {
    /// The graphics protocol.
    pub kind: GraphicsKind,
    /// The cell width and height in pixels.
    pub cell: (u16, u16),
}

impl Default for Graphics {
    fn default() -> Self {
        Self { kind: GraphicsKind::Halfblocks, cell: (10, 20) }
    }
}

impl Graphics {
    /// The picture pixels per cell, horizontally and vertically.
    fn pixels_per_cell(self) -> (u32, u32) {
        match self.kind {
            GraphicsKind::Halfblocks => (1, 2),
            _ => (u32::from(self.cell.0.max(1)), u32::from(self.cell.1.max(1))),
        }
    }

    /// The size of a picture in cells, up to a maximum: columns, rows.
    pub fn cells_of(self, pixels: (u32, u32), most: (u16, u16)) -> (u16, u16) {
        self.fit(pixels, most).1
    }

    /// The displayed size of a picture in pixels and cells. It is scaled down to fit, never up.
    fn fit(self, (width, height): (u32, u32), most: (u16, u16)) -> ((u32, u32), (u16, u16)) {
        let (across, down) = self.pixels_per_cell();
        let available = (u64::from(most.0) * u64::from(across), u64::from(most.1) * u64::from(down));
        let (width, height) = (u64::from(width.max(1)), u64::from(height.max(1)));
        let (mut w, mut h) = (width, height);
        if w > available.0 {
            (w, h) = (available.0, (height * available.0).div_ceil(width));
        }
        if h > available.1 {
            (w, h) = ((width * available.1).div_ceil(height), available.1);
        }
        let (w, h) = (w.clamp(1, available.0.max(1)), h.clamp(1, available.1.max(1)));
        let cells = (w.div_ceil(u64::from(across)), h.div_ceil(u64::from(down)));
        let narrow = |n: u64| u32::try_from(n).unwrap_or(u32::MAX);
        let cell = |n: u64| u16::try_from(n).unwrap_or(u16::MAX);
        ((narrow(w), narrow(h)), (cell(cells.0), cell(cells.1)))
    }
}

/// An image prepared for the terminal.
#[derive(Clone)]
pub struct Picture {
    protocol: Protocol,
    /// The width and height in pixels, upright.
    pub pixels: (u32, u32),
    /// The file size in bytes.
    pub bytes: u64,
    /// The approximate memory use in bytes.
    pub weight: usize,
}

impl fmt::Debug for Picture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { pixels, bytes, .. } = self;
        let size = self.protocol.size();
        write!(f, "Picture({pixels:?} pixels, {bytes} bytes, {} x {} cells)", size.width, size.height)
    }
}

impl Picture {
    /// Reads an image file for a maximum size in cells.
    ///
    /// # Errors
    /// If the file cannot be read, is not an image, or exceeds the memory limit.
    pub fn read(path: &Path, most: (u16, u16), graphics: Graphics) -> Result<Self, Failure> {
        let (image, bytes) = decode(path)?;
        Self::make(image, bytes, most, graphics)
    }

    /// Prepares a decoded image.
    ///
    /// # Errors
    /// If it cannot be encoded for the terminal.
    pub fn make(image: DynamicImage, bytes: u64, most: (u16, u16), graphics: Graphics) -> Result<Self, Failure> {
        let pixels = (image.width(), image.height());
        let (size, cells) = graphics.fit(pixels, most);
        let shrunk = shrink(image, size);
        // Exactly whole cells, so that nothing is scaled again and no edge is visible.
        let (across, down) = graphics.pixels_per_cell();
        let canvas = (u32::from(cells.0) * across, u32::from(cells.1) * down);
        let drawn = match graphics.kind {
            GraphicsKind::Halfblocks => on_background(shrunk.resize_exact(canvas.0, canvas.1, FilterType::Triangle)),
            GraphicsKind::Sixel => on_background(in_canvas(&shrunk, canvas)),
            GraphicsKind::Kitty | GraphicsKind::Iterm2 => in_canvas(&shrunk, canvas),
        };
        let weight = match graphics.kind {
            GraphicsKind::Halfblocks => usize::from(cells.0) * usize::from(cells.1) * 16,
            // Four bytes per pixel, in base64.
            _ => usize::try_from(u64::from(canvas.0) * u64::from(canvas.1) * 16 / 3).unwrap_or(usize::MAX),
        };
        let size = Size::new(cells.0, cells.1);
        // Not by the crate's `Picker`: in tmux it starts a process that changes the user's settings.
        let protocol = match graphics.kind {
            GraphicsKind::Halfblocks => Halfblocks::new(drawn, size).map(Protocol::Halfblocks),
            GraphicsKind::Kitty => Kitty::new(drawn, size, rand::random(), false, false).map(Protocol::Kitty),
            GraphicsKind::Iterm2 => Iterm2::new(drawn, size, false).map(Protocol::ITerm2),
            GraphicsKind::Sixel => Sixel::new(drawn, size, false).map(Protocol::Sixel),
        };
        let protocol = protocol.map_err(|error| Failure::from_error(&error))?;
        Ok(Self { protocol, pixels, bytes, weight })
    }

    /// The encoded picture.
    pub fn protocol(&self) -> &Protocol {
        &self.protocol
    }

    /// The size in cells: columns, rows.
    pub fn cells(&self) -> (u16, u16) {
        let size = self.protocol.size();
        (size.width, size.height)
    }

    /// Whether it consists of coloured characters.
    pub fn is_text(&self) -> bool {
        matches!(self.protocol, Protocol::Halfblocks(_))
    }

    /// Whether it is drawn over the cells. Then it must be removed before an overlay is drawn.
    pub fn is_overlaid(&self) -> bool {
        matches!(self.protocol, Protocol::Sixel(_) | Protocol::ITerm2(_))
    }
}

/// Decodes an image, upright; returns it with the file size in bytes.
fn decode(path: &Path) -> Result<(DynamicImage, u64), Failure> {
    let unreadable = |error: &dyn std::error::Error| Failure::from_error(error);
    let file = File::open(path).map_err(|error| unreadable(&error))?;
    let metadata = file.metadata().map_err(|error| unreadable(&error))?;
    if !metadata.is_file() {
        return Err(Failure::new("not a regular file"));
    }
    let bytes = metadata.len();
    if bytes == 0 {
        return Err(Failure::new("the file is empty"));
    }
    let mut reader = ImageReader::new(BufReader::new(file));
    let mut limits = Limits::default();
    limits.max_alloc = Some(MAX_MEMORY);
    reader.limits(limits.clone());
    // By content, as the function does.
    let reader = reader.with_guessed_format().map_err(|error| unreadable(&error))?;
    let mut decoder = reader.into_decoder().map_err(|error| unreadable(&error))?;
    // The decoders' limit excludes the output buffer.
    limits.reserve(decoder.total_bytes()).map_err(|error| unreadable(&error))?;
    let orientation = decoder.orientation().unwrap_or(image::metadata::Orientation::NoTransforms);
    let mut image = DynamicImage::from_decoder(decoder).map_err(|error| unreadable(&error))?;
    image.apply_orientation(orientation);
    Ok((image, bytes))
}

/// Scales an image down; a very large one in two passes, since the good filter is slow.
fn shrink(image: DynamicImage, (width, height): (u32, u32)) -> DynamicImage {
    if image.width() == width && image.height() == height {
        return image;
    }
    let image = if image.width() / 4 > width && image.height() / 4 > height {
        image.thumbnail_exact(width * 2, height * 2)
    } else {
        image
    };
    image.resize_exact(width, height, FilterType::CatmullRom)
}

/// The image centred on a transparent canvas.
fn in_canvas(image: &DynamicImage, (width, height): (u32, u32)) -> DynamicImage {
    if image.width() == width && image.height() == height {
        return image.clone();
    }
    let mut canvas = RgbaImage::new(width, height);
    let left = i64::from(width.saturating_sub(image.width()) / 2);
    let top = i64::from(height.saturating_sub(image.height()) / 2);
    image::imageops::overlay(&mut canvas, &image.to_rgba8(), left, top);
    canvas.into()
}

/// The image on an opaque background.
fn on_background(image: DynamicImage) -> DynamicImage {
    if !image.color().has_alpha() {
        return image;
    }
    let mut background = RgbaImage::from_pixel(image.width(), image.height(), BACKGROUND);
    image::imageops::overlay(&mut background, &image.to_rgba8(), 0, 0);
    background.into()
}

/// Whether a file starts with the signature of a supported image format.
pub fn looks_like_image(path: &Path) -> bool {
    let mut first = [0; 16];
    let read = File::open(path).and_then(|mut file| file.read(&mut first)).unwrap_or(0);
    let format = image::guess_format(&first[..read]);
    matches!(format, Ok(ImageFormat::Jpeg | ImageFormat::Png | ImageFormat::Gif | ImageFormat::WebP))
}

#[cfg(test)]
mod tests {
    use ratatui::buffer::Buffer;
    use ratatui::layout::Rect;
    use ratatui::style::Color;
    use ratatui::widgets::Widget;

    use super::*;

    fn sample(name: &str) -> (tempfile::TempDir, std::path::PathBuf) {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let path = dir.path().join(name);
        let (_, content) = thumbctl_deploy::assets::sample_images().iter().find(|(n, _)| *n == name).expect("a sample");
        std::fs::write(&path, content).expect("the file can be written");
        (dir, path)
    }

    fn kind(kind: GraphicsKind) -> Graphics {
        Graphics { kind, cell: (8, 16) }
    }

    #[test]
    fn picture_keeps_aspect_ratio_and_is_not_enlarged() {
        let blocks = kind(GraphicsKind::Halfblocks);
        assert_eq!(blocks.fit((1600, 800), (40, 40)), ((40, 20), (40, 10)));
        assert_eq!(blocks.fit((800, 1600), (40, 10)), ((10, 20), (10, 10)));
        assert_eq!(blocks.fit((6, 5), (40, 10)), ((6, 5), (6, 3)));
        assert_eq!(blocks.fit((100_000, 1), (40, 10)), ((40, 1), (40, 1)));
        let pixels = kind(GraphicsKind::Kitty);
        assert_eq!(pixels.fit((128, 96), (40, 20)), ((128, 96), (16, 6)));
        assert_eq!(pixels.fit((3200, 1600), (40, 20)), ((320, 160), (40, 10)));
        assert_eq!(pixels.fit((10, 10), (0, 0)), ((1, 1), (1, 1)));
    }

    #[test]
    fn samples_are_encoded_for_every_protocol() {
        for (name, content) in thumbctl_deploy::assets::sample_images() {
            let (_dir, path) = sample(name);
            for kind_tested in
                [GraphicsKind::Halfblocks, GraphicsKind::Kitty, GraphicsKind::Iterm2, GraphicsKind::Sixel]
            {
                let picture = Picture::read(&path, (20, 10), kind(kind_tested)).expect(name);
                assert!(picture.cells().0 <= 20 && picture.cells().1 <= 10, "{name}: {picture:?}");
                assert!(picture.cells().0 == 20 || picture.cells().1 == 10, "{name}: {picture:?}");
                assert_eq!(picture.bytes, content.len() as u64);
            }
        }
    }

    #[test]
    fn photograph_is_rotated_upright() {
        // Its EXIF orientation is not the default.
        let (_dir, path) = sample("lighthouse.jpg");
        let (turned, _) = decode(&path).expect("an image");
        let plain = image::open(&path).expect("an image");
        assert_ne!(turned.to_rgb8().as_raw(), plain.to_rgb8().as_raw());
    }

    #[test]
    fn half_blocks_colour_cells() {
        let mut red = RgbaImage::from_pixel(40, 40, Rgba([200, 0, 0, 255]));
        red.put_pixel(0, 0, Rgba([0, 0, 0, 0]));
        let picture = Picture::make(red.into(), 1, (10, 10), kind(GraphicsKind::Halfblocks)).expect("a picture");
        assert_eq!(picture.cells(), (10, 5));
        let area = Rect::new(0, 0, 10, 5);
        let mut buffer = Buffer::empty(area);
        ratatui_image::Image::new(picture.protocol()).render(area, &mut buffer);
        let is_red = |colour: Color| matches!(colour, Color::Rgb(r, g, b) if r > 150 && g < 60 && b < 60);
        assert!(buffer.content.iter().all(|cell| is_red(cell.bg)), "{buffer:?}");
    }

    #[test]
    fn transparent_pixels_get_background() {
        let open = RgbaImage::from_pixel(8, 8, Rgba([0, 0, 0, 0]));
        let picture = Picture::make(open.into(), 1, (8, 4), kind(GraphicsKind::Halfblocks)).expect("a picture");
        let area = Rect::new(0, 0, 8, 4);
        let mut buffer = Buffer::empty(area);
        ratatui_image::Image::new(picture.protocol()).render(area, &mut buffer);
        assert_eq!(buffer[(3, 2)].bg, Color::Rgb(128, 128, 128));
    }

    #[test]
    fn non_image_is_rejected() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let path = dir.path().join("x.png");
        assert!(Picture::read(&path, (9, 9), Graphics::default()).is_err());
        std::fs::write(&path, b"hello").expect("the file can be written");
        assert!(Picture::read(&path, (9, 9), Graphics::default()).is_err());
        assert!(!looks_like_image(&path));
        std::fs::write(&path, b"").expect("the file can be written");
        let failure = Picture::read(&path, (9, 9), Graphics::default()).expect_err("an empty file");
        assert_eq!(failure.message, "the file is empty");
        assert!(Picture::read(dir.path(), (9, 9), Graphics::default()).is_err());
    }

    #[test]
    fn declared_size_beyond_limit_is_rejected() {
        // A GIF header of 65,535 by 65,535 pixels without data.
        let dir = tempfile::tempdir().expect("a temporary folder");
        let path = dir.path().join("huge.gif");
        std::fs::write(
            &path,
            b"GIF89a\xff\xff\xff\xff\x80\0\0\0\0\0\xff\xff\xff,\0\0\0\0\xff\xff\xff\xff\0\x02\x01\0;",
        )
        .expect("the file can be written");
        let failure = Picture::read(&path, (9, 9), Graphics::default()).expect_err("too large");
        assert_eq!(failure.message, "Memory limit exceeded");
    }
}
