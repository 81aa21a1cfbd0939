//! Draws a picture or its placeholder.

use ratatui::Frame;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Color;
use ratatui::text::Line;
use ratatui::widgets::{Block, Paragraph};
use thumbctl_platform::text;

use crate::model::Model;
use crate::pane::test_upload::state::picture_cache::PictureState;
use crate::pictures::Graphics;
use crate::theme::{Role, Theme};
use crate::view::{Appearance, clean};

/// The assumed size of an unknown picture.
const USUAL: (u32, u32) = (4000, 3000);

/// Draws a picture or its placeholder; `instead` is the text for a failure.
pub(super) fn draw(
    frame: &mut Frame<'_>,
    area: Rect,
    shown: PictureState<'_>,
    instead: &str,
    model: &Model,
    appearance: Appearance,
) {
    if area.is_empty() {
        return;
    }
    match shown {
        // Overlays cannot be drawn over such a picture.
        PictureState::Ready(picture) if picture.is_overlaid() && model.overlay.is_some() => {
            frame_of(frame, part(area, picture.cells()), "", appearance);
        }
        PictureState::Ready(picture) => {
            frame.render_widget(ratatui_image::Image::new(picture.protocol()), area);
            // Pictures of a graphics protocol keep their colours under NO_COLOR, since they are content.
            if picture.is_text() {
                shade(frame.buffer_mut(), part(area, picture.cells()), appearance);
            }
        }
        PictureState::Loading(pixels) => empty(frame, area, pixels, "", appearance),
        PictureState::Failed(_) => empty(frame, area, None, instead, appearance),
    }
}

/// Converts half blocks to shades, for ASCII or without colours.
fn shade(buffer: &mut Buffer, area: Rect, appearance: Appearance) {
    let is_plain = appearance.theme == Theme::Plain;
    if !is_plain && !appearance.symbols.is_ascii() {
        return;
    }
    let area = area.intersection(buffer.area);
    for position in area.positions() {
        let cell = &mut buffer[position];
        // A cell shows two pixels vertically.
        let (Color::Rgb(r, g, b), Color::Rgb(r2, g2, b2)) = (cell.fg, cell.bg) else { continue };
        let [r, g, b] = [(r, r2), (g, g2), (b, b2)].map(|(one, other)| one.midpoint(other));
        let light = luminance(r, g, b);
        // On a light background, full symbols are dark.
        let light = if appearance.theme == Theme::Light { 255 - light } else { light };
        let shades = appearance.symbols.shades;
        let colour = if is_plain { Color::Reset } else { Color::Rgb(r, g, b) };
        cell.set_symbol(shades[usize::from(light) * shades.len() / 256]).set_fg(colour).set_bg(Color::Reset);
    }
}

/// The luminance of a colour.
fn luminance(red: u8, green: u8, blue: u8) -> u8 {
    let sum = u32::from(red) * 299 + u32::from(green) * 587 + u32::from(blue) * 114;
    u8::try_from(sum / 1000).expect("a mean of bytes")
}

/// Draws a placeholder frame of about the size of the picture, with a centred text.
pub(super) fn empty(
    frame: &mut Frame<'_>,
    area: Rect,
    pixels: Option<(u32, u32)>,
    words: &str,
    appearance: Appearance,
) {
    let cells = Graphics::default().cells_of(pixels.unwrap_or(USUAL), (area.width, area.height));
    frame_of(frame, part(area, cells), words, appearance);
}

/// The upper left part of an area.
fn part(area: Rect, (width, height): (u16, u16)) -> Rect {
    Rect { width: width.min(area.width), height: height.min(area.height), ..area }
}

/// Draws a frame with a centred text.
fn frame_of(frame: &mut Frame<'_>, area: Rect, words: &str, appearance: Appearance) {
    if area.width < 2 || area.height < 2 {
        return;
    }
    let block = Block::bordered().border_set(appearance.symbols.border).border_style(appearance.style(Role::Border));
    let inside = block.inner(area);
    frame.render_widget(block, area);
    let lines: Vec<Line<'_>> = text::wrap(&clean(words), usize::from(inside.width))
        .into_iter()
        .take(usize::from(inside.height))
        .map(|line| Line::styled(line, appearance.style(Role::Muted)).centered())
        .collect();
    let height = u16::try_from(lines.len()).unwrap_or(inside.height).min(inside.height);
    let middle = Rect { y: inside.y + (inside.height - height) / 2, height, ..inside };
    frame.render_widget(Paragraph::new(lines), middle);
}
