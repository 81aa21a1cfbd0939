//! The view: draws the model. What is in the panels is drawn by their panes.

pub mod card;
pub mod dependencies;
pub mod footer;
pub mod header;
pub mod hints;
pub mod json;
pub mod layout;
pub mod line;
pub mod next_step;
pub mod overlay;
pub mod status_symbol;

use ratatui::Frame;
use ratatui::style::Style;
use ratatui::text::Line;
use ratatui::widgets::{Block, Paragraph, Wrap};

use self::layout::{Layout, MIN_SIZE};
use super::model::Model;
use super::panel::Panel;
use super::symbols::Symbols;
use super::theme::{Role, Theme};

/// The theme and symbols for drawing.
#[derive(Clone, Copy, Debug)]
pub struct Appearance {
    /// The theme.
    pub theme: Theme,
    /// The symbols.
    pub symbols: &'static Symbols,
}

impl Appearance {
    /// The appearance of a model.
    pub fn of(model: &Model) -> Self {
        Self { theme: model.theme, symbols: model.symbols }
    }

    /// The style of a role.
    pub fn style(self, role: Role) -> Style {
        self.theme.style(role)
    }

    /// Truncates a text to a width, with an ellipsis.
    pub fn cut(self, text: &str, columns: usize) -> String {
        let mut cut = thumbctl_platform::text::cut(text, columns);
        if cut != text && cut.pop().is_some() {
            cut.push_str(self.symbols.ellipsis);
        }
        cut
    }

    /// Pads or truncates a text to a width.
    pub fn fit(self, text: &str, columns: usize) -> String {
        thumbctl_platform::text::fit(&self.cut(text, columns), columns)
    }

    /// The current spinner frame.
    pub fn spinner(self, model: &Model) -> &'static str {
        self.symbols.spinner_at(model.now.timestamp_millis())
    }

    /// The border of a panel with its title.
    pub fn panel(self, title: impl Into<Line<'static>>, has_keys: bool) -> Block<'static> {
        let border = if has_keys { Role::FocusedBorder } else { Role::Border };
        Block::bordered()
            .border_set(self.symbols.border)
            .border_style(self.style(border))
            .title(title.into().style(self.style(Role::Title)))
    }
}

/// Draws the whole screen.
pub fn draw(frame: &mut Frame<'_>, model: &Model) {
    let appearance = Appearance::of(model);
    let layout = Layout::of(model);
    if layout.screen.intersection(frame.area()) != layout.screen {
        // The terminal has shrunk; the resize message follows.
        return;
    }
    if layout.too_small {
        let (columns, rows) = MIN_SIZE;
        let words = format!(
            "The console needs at least {columns} by {rows} cells; the terminal has {} by {}.",
            model.size.0, model.size.1
        );
        frame.render_widget(Paragraph::new(words).wrap(Wrap { trim: true }), frame.area());
        return;
    }
    header::draw(frame, layout.header, model, appearance);
    if let Some(area) = layout.resources {
        Panel::Resources.pane().draw(frame, area, model, appearance);
    }
    if let Some(area) = layout.next {
        next_step::draw(frame, area, model, appearance);
    }
    footer::draw_tabs(frame, layout.tabs, model, appearance);
    model.shown_panel().pane().draw(frame, layout.main, model, appearance);
    if let Some(area) = layout.below {
        Panel::Timing.pane().draw(frame, area, model, appearance);
    }
    footer::draw_message(frame, layout.message, model, appearance);
    footer::draw_keys(frame, layout.footer, model, appearance);
    overlay::draw(frame, layout.screen, model, appearance);
    spell_ellipses(frame, appearance);
    clean_cells(frame);
}

/// Replaces unsafe characters, such as direction marks, in every frame. Cells contain no control characters, except those
/// of pictures.
fn clean_cells(frame: &mut Frame<'_>) {
    const PICTURE: char = '\u{1b}';
    for cell in &mut frame.buffer_mut().content {
        let symbol = cell.symbol();
        if !symbol.is_ascii() && !symbol.starts_with(PICTURE) && symbol.contains(thumbctl_platform::text::is_unsafe) {
            cell.set_symbol("\u{fffd}");
        }
    }
}

/// Replaces ellipses by the ASCII symbol, if necessary.
fn spell_ellipses(frame: &mut Frame<'_>, appearance: Appearance) {
    const ELLIPSIS: &str = "…";
    if appearance.symbols.ellipsis == ELLIPSIS {
        return;
    }
    for cell in frame.buffer_mut().content.iter_mut().filter(|cell| cell.symbol() == ELLIPSIS) {
        cell.set_symbol(appearance.symbols.ellipsis);
    }
}

/// Cleans an external text: removes control characters and masks credentials.
#[allow(clippy::disallowed_methods, reason = "credentials are masked here")]
pub fn clean(text: &str) -> String {
    thumbctl_core::redaction::redact_line(&thumbctl_platform::text::clean(text)).into_owned()
}

/// Cleans external lines together.
#[allow(clippy::disallowed_methods, reason = "credentials are masked here")]
pub fn clean_lines<'a>(lines: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    thumbctl_core::redaction::redact_lines(lines.into_iter().map(thumbctl_platform::text::clean))
}

#[cfg(test)]
mod tests;
