//! A picture, or what stands in its place.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::Line;
use ratatui::widgets::{Block, Paragraph};

use crate::text;
use crate::tui::model::Model;
use crate::tui::model::trial::album::Shown;
use crate::tui::pictures::Graphics;
use crate::tui::theme::Role;
use crate::tui::view::{Look, clean};

/// The shape of a picture of which nothing is known.
const USUAL: (u32, u32) = (4000, 3000);

/// Draws what is known of a picture; where it cannot be drawn, `instead` says why.
pub fn draw(frame: &mut Frame<'_>, area: Rect, shown: Shown<'_>, instead: &str, model: &Model, look: Look) {
    if area.is_empty() {
        return;
    }
    match shown {
        // An overlay could not be drawn over it, and would leave its traces on it.
        Shown::There(picture) if picture.lies_over() && model.overlay.is_some() => {
            frame_of(frame, part(area, picture.cells()), "", look);
        }
        Shown::There(picture) => {
            // The symbol set without Unicode has no half blocks; but then a picture is all noise anyway.
            frame.render_widget(ratatui_image::Image::new(picture.protocol()), area);
        }
        Shown::Coming(pixels) => empty(frame, area, pixels, "", look),
        Shown::Failed(_) => empty(frame, area, None, instead, look),
    }
}

/// A quiet frame in the place of a picture, about as large as that will be, with words in its middle.
pub fn empty(frame: &mut Frame<'_>, area: Rect, pixels: Option<(u32, u32)>, words: &str, look: Look) {
    let cells = Graphics::default().cells_of(pixels.unwrap_or(USUAL), (area.width, area.height));
    frame_of(frame, part(area, cells), words, look);
}

/// The upper left part of an area.
fn part(area: Rect, (width, height): (u16, u16)) -> Rect {
    Rect { width: width.min(area.width), height: height.min(area.height), ..area }
}

/// A quiet frame with words in its middle.
fn frame_of(frame: &mut Frame<'_>, area: Rect, words: &str, look: Look) {
    if area.width < 2 || area.height < 2 {
        return;
    }
    let block = Block::bordered().border_set(look.symbols.border).border_style(look.style(Role::Border));
    let inside = block.inner(area);
    frame.render_widget(block, area);
    let lines: Vec<Line<'_>> = text::wrap(&clean(words), usize::from(inside.width))
        .into_iter()
        .take(usize::from(inside.height))
        .map(|line| Line::styled(line, look.style(Role::Quiet)).centered())
        .collect();
    let height = u16::try_from(lines.len()).unwrap_or(inside.height).min(inside.height);
    let middle = Rect { y: inside.y + (inside.height - height) / 2, height, ..inside };
    frame.render_widget(Paragraph::new(lines), middle);
}
