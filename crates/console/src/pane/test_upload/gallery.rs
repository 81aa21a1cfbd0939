//! The gallery: a card per image.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use thumbctl_platform::text;

use super::areas::{CardAreas, GalleryAreas};
use super::single::NOT_KEPT;
use super::{is_live, picture, state_of, title};
use crate::model::Model;
use crate::pane::test_upload::state::results::{ImageResult, ImageState, TestUploadRun};
use crate::panel::Panel;
use crate::theme::Role;
use crate::view::{Appearance, clean};

/// Draws the gallery.
pub(super) fn draw(
    frame: &mut Frame<'_>,
    inside: Rect,
    model: &Model,
    test_upload: &TestUploadRun,
    appearance: Appearance,
) {
    let gallery = GalleryAreas::of(inside, test_upload.cards.len());
    let selected = model.test_upload.results.selected();
    let part = gallery.part(selected);
    frame.render_widget(title(gallery.title.width, part, model, test_upload, appearance), gallery.title);
    let is_live = is_live(model, test_upload);
    for (index, area) in gallery.cards(selected) {
        if let Some(card) = test_upload.cards.get(index) {
            draw_card(frame, area, card, index == selected, is_live, model, appearance);
        }
    }
}

fn draw_card(
    frame: &mut Frame<'_>,
    area: Rect,
    card: &ImageResult,
    is_selected: bool,
    is_live: bool,
    model: &Model,
    appearance: Appearance,
) {
    let areas = CardAreas::of(area);
    let width = usize::from(area.width);
    let cursor = if is_selected { appearance.symbols.cursor } else { " " };
    let name = appearance.fit(&format!("{cursor} {}", clean(card.name())), width);
    let role = match (is_selected, model.focus == Panel::TestUpload) {
        (false, _) => Role::Strong,
        (true, true) => Role::Selected,
        (true, false) => Role::SelectedElsewhere,
    };
    frame.render_widget(Line::styled(name, appearance.style(role)), areas.name);
    draw_pictures(frame, &areas, card, is_live, model, appearance);
    frame.render_widget(status(width, card, is_live, model, appearance), areas.status);
}

fn draw_pictures(
    frame: &mut Frame<'_>,
    areas: &CardAreas,
    card: &ImageResult,
    is_live: bool,
    model: &Model,
    appearance: Appearance,
) {
    let (Some(source), Some(thumbnail)) = (areas.source, areas.thumbnail) else { return };
    let has_both = source != thumbnail;
    if has_both || card.thumbnail.is_none() {
        match card.source() {
            Some(path) => {
                let shown = model.test_upload.picture(path, source);
                picture::draw(frame, source, shown, NOT_KEPT, model, appearance);
            }
            None => picture::empty(frame, source, None, NOT_KEPT, appearance),
        }
    }
    match card.thumbnail.as_deref() {
        Some(path) => {
            let shown = model.test_upload.picture(path, thumbnail);
            picture::draw(frame, thumbnail, shown, NOT_KEPT, model, appearance);
        }
        None if has_both => {
            let words = match &card.state {
                ImageState::Failed(_) => "no thumbnail",
                _ if card.written.is_some() && !is_live => NOT_KEPT,
                _ => "",
            };
            picture::empty(frame, thumbnail, None, words, appearance);
        }
        None => {}
    }
}

/// The status line: symbol, time, sizes.
fn status(width: usize, card: &ImageResult, is_live: bool, model: &Model, appearance: Appearance) -> Line<'static> {
    let (sign, role, words) = state_of(card, is_live, model.now, appearance);
    let words = appearance.cut(&words, width.saturating_sub(2));
    let left = Span::styled(format!("{sign} "), appearance.style(role));
    let is_bad = matches!(card.state, ImageState::Failed(_));
    let words = Span::styled(words, appearance.style(if is_bad { Role::Bad } else { Role::Text }));
    let used = 2 + text::width(&words.content);
    let bytes = match card.sizes() {
        Some((bytes, thumbnail)) if !is_bad => {
            format!("{} {} {}", text::bytes(bytes), appearance.symbols.arrow, text::bytes(thumbnail))
        }
        _ => String::new(),
    };
    if used + 2 + text::width(&bytes) > width {
        return Line::from(vec![left, words]);
    }
    let blank = " ".repeat(width.saturating_sub(used + text::width(&bytes)));
    Line::from(vec![left, words, Span::raw(blank), Span::styled(bytes, appearance.style(Role::Muted))])
}
