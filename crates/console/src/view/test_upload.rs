//! The test upload panel: chooser, gallery, single image.

pub mod areas;
mod chooser;
mod gallery;
mod picture;
mod single;

use chrono::{DateTime, Utc};
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use thumbctl_platform::text;

use super::layout::Layout;
use super::{Appearance, clean};
use crate::keymap::{Action, Context};
use crate::model::Model;
use crate::model::panel::Panel;
use crate::model::test_upload::results::{ImageResult, ImageState, TestUploadRun};
use crate::theme::Role;

/// Draws the panel.
pub fn draw(frame: &mut Frame<'_>, area: Rect, model: &Model, look: Appearance) {
    frame.render_widget(look.panel(" Test upload ", model.focus == Panel::TestUpload), area);
    let inside = Layout::text_area(Layout::inside(area)).intersection(frame.area());
    if inside.is_empty() {
        return;
    }
    match model.test_upload.results.test_upload().filter(|_| !model.test_upload.is_choosing()) {
        None => chooser::draw(frame, inside, model, look),
        Some(test_upload) if model.test_upload.results.is_single() => {
            single::draw(frame, inside, model, test_upload, look);
        }
        Some(test_upload) => gallery::draw(frame, inside, model, test_upload, look),
    }
}

/// Whether a test upload is active.
fn is_live(model: &Model, test_upload: &TestUploadRun) -> bool {
    if test_upload.is_over() {
        return false;
    }
    let Some(id) = &test_upload.id else { return true };
    let is_last = model.deployment.runs().last().is_some_and(|run| run.id == *id);
    is_last && (model.activity.is_running() || model.activity.is_replay())
}

/// The symbol, role and label of an image state.
fn state_of(card: &ImageResult, is_live: bool, now: DateTime<Utc>, look: Appearance) -> (&'static str, Role, String) {
    let symbols = look.symbols;
    match &card.state {
        ImageState::Done => {
            let cold = card.invoked.and_then(|invoked| invoked.cold);
            let cold = cold.map(|cold| if cold { " cold" } else { " warm" }).unwrap_or_default();
            let took = card.written.map(|written| text::milliseconds(written.seconds)).unwrap_or_default();
            (symbols.ready, Role::Good, format!("{took}{cold}"))
        }
        ImageState::Failed(failure) => (symbols.failed, Role::Bad, clean(&failure.message)),
        ImageState::Skipped(reason) => {
            (symbols.skipped, Role::Quiet, reason.label(thumbctl_core::event::Action::TestUpload).to_owned())
        }
        ImageState::Waiting | ImageState::Running { .. } if !is_live => {
            (symbols.unfinished, Role::Warn, "interrupted".to_owned())
        }
        ImageState::Waiting => (symbols.waiting, Role::Quiet, "waiting".to_owned()),
        ImageState::Running { .. } => {
            let words = if card.uploaded.is_some() { "waiting for thumbnail" } else { "uploading" };
            (symbols.spinner_at(now.timestamp_millis()), Role::Busy, words.to_owned())
        }
    }
}

/// The line above the pictures: images and result; visible range; number and time of the test upload.
fn title(
    width: u16,
    part: Option<(usize, usize)>,
    model: &Model,
    test_upload: &TestUploadRun,
    look: Appearance,
) -> Line<'static> {
    let results = &model.test_upload.results;
    let is_live = is_live(model, test_upload);
    let count = |matches: fn(&ImageState) -> bool| test_upload.cards.iter().filter(|card| matches(&card.state)).count();
    let done = count(|state| matches!(state, ImageState::Done));
    let failed = count(|state| matches!(state, ImageState::Failed(_)));
    let images = text::count(test_upload.cards.len(), "image");
    let of_images = |count: usize| {
        if test_upload.cards.len() == 1 { images.clone() } else { format!("{count} of {images}") }
    };
    let (role, mut words) = match (is_live, failed) {
        (true, _) if test_upload.id.is_none() => (Role::Busy, format!("uploading {images}")),
        (true, 0) => (Role::Busy, format!("{} in progress", of_images(test_upload.cards.len() - done))),
        (true, _) => (Role::Busy, format!("{} done, {failed} failed", of_images(done))),
        (false, 0) if done == test_upload.cards.len() => (Role::Strong, format!("{images} uploaded")),
        (false, 0) => (Role::Warn, format!("{} not uploaded", of_images(test_upload.cards.len() - done))),
        (false, _) => (Role::Bad, format!("{} failed", of_images(failed))),
    };
    if results.is_enlarged() {
        words = format!("{words} {} {} of {}", look.symbols.dot, results.selected() + 1, test_upload.cards.len());
    }
    let mut hints = Vec::new();
    hints.extend(part.map(|(first, last)| format!("{first}-{last} shown")));
    if results.count() > 1 {
        hints.push(format!("upload {} of {}", results.at() + 1, results.count()));
    }
    if let Some(at) = test_upload.at {
        hints.push(at.format("%H:%M:%S UTC").to_string());
    }
    let right = hints.join(&format!(" {} ", look.symbols.dot));
    between(
        usize::from(width),
        Span::styled(words, look.style(role)),
        Span::styled(right, look.style(Role::Quiet)),
        look,
    )
}

/// A line with a left and a right part; the right one is omitted if both do not fit.
fn between(width: usize, left: Span<'static>, right: Span<'static>, look: Appearance) -> Line<'static> {
    let left = Span::styled(look.cut(&left.content, width), left.style);
    let available = width.saturating_sub(text::width(&left.content));
    if text::width(&right.content) + 2 > available {
        return Line::from(left);
    }
    let blank = " ".repeat(available.saturating_sub(text::width(&right.content)));
    Line::from(vec![left, Span::raw(blank), right])
}

/// The size of a picture: `1600 × 1067 · 412.0 kB`.
fn figures(pixels: Option<(u32, u32)>, bytes: Option<u64>, look: Appearance) -> String {
    let pixels = pixels.map(|(width, height)| format!("{width} {} {height}", look.symbols.times));
    let bytes = bytes.map(text::bytes);
    pixels.into_iter().chain(bytes).collect::<Vec<_>>().join(&format!(" {} ", look.symbols.dot))
}

/// The end of a text at a width, for paths.
fn tail(text: &str, columns: usize, look: Appearance) -> String {
    if text::width(text) <= columns {
        return text.to_owned();
    }
    if columns == 0 {
        return String::new();
    }
    format!("{}{}", look.symbols.ellipsis, text::end(text, columns - 1))
}

/// The key of an action, if any.
fn key_of(model: &Model, context: Context, action: Action) -> Option<String> {
    model.keymap.chord_of(&[context], action).map(|chord| chord.to_string())
}

#[cfg(test)]
mod tests;
