//! The test upload panel: chooser, gallery, single image.

pub mod areas;
mod chooser;
mod gallery;
mod picture;
pub mod protocol;
mod single;
pub mod state;

use chrono::{DateTime, Utc};
use crossterm::event::KeyEvent;
use ratatui::Frame;
use ratatui::layout::{Position, Rect};
use ratatui::text::{Line, Span};
use thumbctl_platform::text;

use self::state::results::{ImageResult, ImageState, TestUploadRun};
use super::Pane;
use crate::keymap::{Action, Context, DefaultKeys};
use crate::message::{Effect, RunMode, Task};
use crate::model::Model;
use crate::panel::Panel;
use crate::theme::Role;
use crate::view::layout::Layout;
use crate::view::{Appearance, clean};

/// The context of its keys with results.
const RESULTS: Context = Context::Panel("in the test upload panel");

/// The context of its keys with the image chooser.
const CHOOSER: Context = Context::Panel("when choosing images");

/// The test uploads: chooser, gallery, single image.
#[derive(Debug)]
pub struct TestUploadPane;

impl Pane for TestUploadPane {
    fn panel(&self) -> Panel {
        Panel::TestUpload
    }

    fn keys(&self) -> Vec<DefaultKeys> {
        vec![
            (RESULTS, Action::Choose, &["i", "enter"]),
            (RESULTS, Action::TypePath, &["/"]),
            (RESULTS, Action::Enlarge, &["z", "space"]),
            (RESULTS, Action::Save, &["s"]),
            (RESULTS, Action::Left, &["h", "left"]),
            (RESULTS, Action::Right, &["l", "right"]),
            (RESULTS, Action::Up, &["k", "up"]),
            (RESULTS, Action::Down, &["j", "down"]),
            (RESULTS, Action::Back, &["esc"]),
            (CHOOSER, Action::Send, &["enter"]),
            (CHOOSER, Action::Mark, &["space"]),
            (CHOOSER, Action::TypePath, &["/"]),
            (CHOOSER, Action::Up, &["k", "up"]),
            (CHOOSER, Action::Down, &["j", "down"]),
            (CHOOSER, Action::Left, &["h", "left"]),
            (CHOOSER, Action::Right, &["l", "right"]),
            (CHOOSER, Action::PageUp, &["pgup", "ctrl-u"]),
            (CHOOSER, Action::PageDown, &["pgdn", "ctrl-d"]),
            (CHOOSER, Action::Top, &["g", "home"]),
            (CHOOSER, Action::Bottom, &["G", "end"]),
            (CHOOSER, Action::Back, &["esc"]),
        ]
    }

    fn context(&self, model: &Model) -> Context {
        if model.test_upload.is_choosing() { CHOOSER } else { RESULTS }
    }

    fn draw(&self, frame: &mut Frame<'_>, area: Rect, model: &Model, appearance: Appearance) {
        frame.render_widget(appearance.panel(" Test upload ", model.focus == Panel::TestUpload), area);
        let inside = inside(area).intersection(frame.area());
        if inside.is_empty() {
            return;
        }
        match model.test_upload.results.test_upload().filter(|_| !model.test_upload.is_choosing()) {
            None => chooser::draw(frame, inside, model, appearance),
            Some(test_upload) if model.test_upload.results.is_single() => {
                single::draw(frame, inside, model, test_upload, appearance);
            }
            Some(test_upload) => gallery::draw(frame, inside, model, test_upload, appearance),
        }
    }

    fn can(&self, model: &Model, action: Action) -> bool {
        let pane = &model.test_upload;
        let uses_files =
            matches!(action, Action::Choose | Action::TypePath | Action::Mark | Action::Send | Action::Save);
        match action {
            _ if uses_files && model.activity.is_replay() => false,
            // Also without an image, so that the key has no other meaning.
            Action::Mark => pane.is_choosing(),
            Action::Send => {
                let opens_folder = pane.to_send().is_empty();
                let can_run = model.connection_info().is_some() && model.activity.is_idle();
                pane.can(action) && (opens_folder || (can_run && model.deployment.is_complete()))
            }
            action => pane.can(action),
        }
    }

    fn act(&self, model: &mut Model, action: Action) -> Vec<Effect> {
        let images = if action == Action::Send { model.test_upload.to_send() } else { Vec::new() };
        if images.is_empty() {
            return model.test_upload.act(action);
        }
        let mut effects = model.test_upload.start_sending(&images);
        effects.extend(model.prepare(Task::TestUpload(images), RunMode::Continuous));
        effects
    }

    fn scroll(&self, model: &mut Model, _area: Rect, lines: i32) -> Vec<Effect> {
        model.test_upload.scroll(lines.signum())
    }

    fn click(&self, model: &mut Model, area: Rect, at: Position) -> Vec<Effect> {
        let inside = inside(area);
        if inside.contains(at) { model.test_upload.click(at.x - inside.x, at.y - inside.y) } else { Vec::new() }
    }

    fn is_typing(&self, model: &Model) -> bool {
        model.test_upload.is_typing()
    }

    fn type_key(&self, model: &mut Model, key: KeyEvent) -> Vec<Effect> {
        model.test_upload.type_key(key)
    }

    fn enter(&self, model: &mut Model) -> Vec<Effect> {
        model.test_upload.enter()
    }

    fn resize(&self, model: &mut Model, area: Rect) -> Vec<Effect> {
        let inside = inside(area);
        model.test_upload.resize(inside.width, inside.height)
    }

    fn has_symbol(&self) -> bool {
        true
    }

    fn symbol(&self, model: &Model, appearance: Appearance) -> Option<(&'static str, Role)> {
        model.test_upload.is_waiting().then(|| (appearance.spinner(model), Role::Busy))
    }
}

/// The area of text and pictures in the panel.
fn inside(area: Rect) -> Rect {
    Layout::text_area(Layout::inside(area))
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
fn state_of(
    card: &ImageResult,
    is_live: bool,
    now: DateTime<Utc>,
    appearance: Appearance,
) -> (&'static str, Role, String) {
    let symbols = appearance.symbols;
    match &card.state {
        ImageState::Done => {
            let cold = card.invoked.and_then(|invoked| invoked.cold);
            let cold = cold.map(|cold| if cold { " cold" } else { " warm" }).unwrap_or_default();
            let took = card.written.map(|written| text::milliseconds(written.seconds)).unwrap_or_default();
            (symbols.ready, Role::Good, format!("{took}{cold}"))
        }
        ImageState::Failed(failure) => (symbols.failed, Role::Bad, clean(&failure.message)),
        ImageState::Skipped(reason) => {
            (symbols.skipped, Role::Muted, reason.label(thumbctl_core::event::Action::TestUpload).to_owned())
        }
        ImageState::Waiting | ImageState::Running { .. } if !is_live => {
            (symbols.unfinished, Role::Warn, "interrupted".to_owned())
        }
        ImageState::Waiting => (symbols.waiting, Role::Muted, "waiting".to_owned()),
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
    appearance: Appearance,
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
        words = format!("{words} {} {} of {}", appearance.symbols.dot, results.selected() + 1, test_upload.cards.len());
    }
    let mut hints = Vec::new();
    hints.extend(part.map(|(first, last)| format!("{first}-{last} shown")));
    if results.count() > 1 {
        hints.push(format!("upload {} of {}", results.at() + 1, results.count()));
    }
    if let Some(at) = test_upload.at {
        hints.push(at.format("%H:%M:%S UTC").to_string());
    }
    let right = hints.join(&format!(" {} ", appearance.symbols.dot));
    between(
        usize::from(width),
        Span::styled(words, appearance.style(role)),
        Span::styled(right, appearance.style(Role::Muted)),
        appearance,
    )
}

/// A line with a left and a right part; the right one is omitted if both do not fit.
fn between(width: usize, left: Span<'static>, right: Span<'static>, appearance: Appearance) -> Line<'static> {
    let left = Span::styled(appearance.cut(&left.content, width), left.style);
    let available = width.saturating_sub(text::width(&left.content));
    if text::width(&right.content) + 2 > available {
        return Line::from(left);
    }
    let blank = " ".repeat(available.saturating_sub(text::width(&right.content)));
    Line::from(vec![left, Span::raw(blank), right])
}

/// The size of a picture: `1600 × 1067 · 412.0 kB`.
fn figures(pixels: Option<(u32, u32)>, bytes: Option<u64>, appearance: Appearance) -> String {
    let pixels = pixels.map(|(width, height)| format!("{width} {} {height}", appearance.symbols.times));
    let bytes = bytes.map(text::bytes);
    pixels.into_iter().chain(bytes).collect::<Vec<_>>().join(&format!(" {} ", appearance.symbols.dot))
}

/// The end of a text at a width, for paths.
fn tail(text: &str, columns: usize, appearance: Appearance) -> String {
    if text::width(text) <= columns {
        return text.to_owned();
    }
    if columns == 0 {
        return String::new();
    }
    format!("{}{}", appearance.symbols.ellipsis, text::end(text, columns - 1))
}

/// The key of an action, if any.
fn key_of(model: &Model, context: Context, action: Action) -> Option<String> {
    model.keymap.chord_of(&[context], action).map(|chord| chord.to_string())
}

#[cfg(test)]
mod tests;
