//! A single image: both pictures, and its stages with times.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;
use thumbctl_core::event::Failure;
use thumbctl_platform::text;

use super::areas::SingleAreas;
use super::{figures, is_live, picture, state_of, title};
use crate::model::Model;
use crate::pane::test_upload::state::picture_cache::PictureState;
use crate::pane::test_upload::state::results::{ImageResult, ImageState, TestUploadRun};
use crate::theme::Role;
use crate::view::{Appearance, clean, clean_lines};

/// The width of stage labels.
const WORDS: usize = 24;

/// The width of stage times.
const TIME: usize = 9;

/// The text for a missing picture.
pub(super) const NOT_KEPT: &str = "picture not available";

/// Draws the image.
pub(super) fn draw(
    frame: &mut Frame<'_>,
    inside: Rect,
    model: &Model,
    test_upload: &TestUploadRun,
    appearance: Appearance,
) {
    let areas = SingleAreas::of(inside);
    frame.render_widget(title(areas.title.width, None, model, test_upload, appearance), areas.title);
    let Some(card) = model.test_upload.results.card() else { return };
    let is_live = is_live(model, test_upload);
    draw_source(frame, &areas, model, card, appearance);
    frame.render_widget(Line::styled(appearance.symbols.arrow, appearance.style(Role::Muted)), areas.between);
    draw_thumbnail(frame, &areas, model, card, is_live, appearance);
    // A failure takes the right side.
    let has_failed = matches!(card.state, ImageState::Failed(_));
    let width = if has_failed { areas.source.width } else { areas.stages.width };
    let stages = stages(usize::from(width), model, card, is_live, appearance);
    frame.render_widget(Paragraph::new(stages), Rect { width, ..areas.stages });
}

fn caption(frame: &mut Frame<'_>, area: Rect, name: &str, figures: &str, appearance: Appearance) {
    let width = usize::from(area.width);
    let lines = vec![
        Line::styled(appearance.cut(name, width), appearance.style(Role::Strong)),
        Line::styled(appearance.cut(figures, width), appearance.style(Role::Muted)),
    ];
    frame.render_widget(Paragraph::new(lines), area);
}

fn draw_source(frame: &mut Frame<'_>, areas: &SingleAreas, model: &Model, card: &ImageResult, appearance: Appearance) {
    let shown = card.source().map(|path| model.test_upload.picture(path, areas.source));
    let (pixels, bytes) = known(shown);
    let uploaded = card.uploaded.and_then(|uploaded| uploaded.bytes);
    let has_changed = matches!((bytes, uploaded), (Some(now), Some(sent)) if now != sent);
    let pixels = pixels.filter(|_| !has_changed);
    let bytes = uploaded.or(bytes);
    caption(frame, areas.source_caption, &clean(card.name()), &figures(pixels, bytes, appearance), appearance);
    match shown {
        Some(_) if has_changed => picture::empty(frame, areas.source, None, "the file has changed", appearance),
        Some(shown) => picture::draw(frame, areas.source, shown, NOT_KEPT, model, appearance),
        None => picture::empty(frame, areas.source, None, NOT_KEPT, appearance),
    }
}

fn draw_thumbnail(
    frame: &mut Frame<'_>,
    areas: &SingleAreas,
    model: &Model,
    card: &ImageResult,
    is_live: bool,
    appearance: Appearance,
) {
    if let ImageState::Failed(failure) = &card.state {
        return draw_failure(frame, areas.failure, failure, appearance);
    }
    let shown = card.thumbnail.as_deref().map(|path| model.test_upload.picture(path, areas.thumbnail));
    let (pixels, _) = known(shown);
    let mut words = figures(pixels, card.written.and_then(|written| written.bytes), appearance);
    if let Some(ratio) = card.ratio() {
        words.push_str(&format!(" ({})", percent(ratio)));
    }
    caption(frame, areas.thumbnail_caption, "thumbnail", &words, appearance);
    match shown {
        Some(shown) => picture::draw(frame, areas.thumbnail, shown, NOT_KEPT, model, appearance),
        None if card.is_open() && is_live => picture::empty(frame, areas.thumbnail, None, "", appearance),
        None if card.written.is_some() && is_live => picture::empty(frame, areas.thumbnail, None, "", appearance),
        None if card.written.is_some() => picture::empty(frame, areas.thumbnail, None, NOT_KEPT, appearance),
        None => {
            let (_, _, words) = state_of(card, is_live, model.now, appearance);
            picture::empty(frame, areas.thumbnail, None, &words, appearance);
        }
    }
}

/// The pixels and bytes of a picture, if known.
fn known(shown: Option<PictureState<'_>>) -> (Option<(u32, u32)>, Option<u64>) {
    match shown {
        Some(PictureState::Ready(picture)) => (Some(picture.pixels), Some(picture.bytes)),
        Some(PictureState::Loading(pixels)) => (pixels, None),
        Some(PictureState::Failed(_)) | None => (None, None),
    }
}

/// A percentage: `2.1 %`, `45 %`.
fn percent(ratio: f64) -> String {
    let percent = ratio * 100.0;
    if percent < 9.95 { format!("{percent:.1} %") } else { format!("{percent:.0} %") }
}

fn draw_failure(frame: &mut Frame<'_>, area: Rect, failure: &Failure, appearance: Appearance) {
    let width = usize::from(area.width);
    let mut lines = Vec::new();
    let mut push = |words: &str, role: Role| {
        let words = clean(words);
        // Long words, such as ARNs, are folded, not truncated.
        let folded = text::wrap(&words, width).into_iter().flat_map(|line| text::fold(&line, width));
        lines.extend(folded.map(|line| Line::styled(line, appearance.style(role))));
    };
    push(&format!("{} {}", appearance.symbols.failed, failure.message), Role::Bad);
    for cause in &failure.causes {
        push(&format!("because: {cause}"), Role::Text);
    }
    if let Some(hint) = &failure.hint {
        push(&format!("hint: {hint}"), Role::Warn);
    }
    for line in clean_lines(failure.log.iter().map(String::as_str)) {
        push(&line, Role::Muted);
    }
    frame.render_widget(Paragraph::new(lines), area);
}

/// The three stages with times and bars.
fn stages(
    width: usize,
    model: &Model,
    card: &ImageResult,
    is_live: bool,
    appearance: Appearance,
) -> Vec<Line<'static>> {
    let started = match card.invoked.and_then(|invoked| invoked.cold) {
        Some(true) => "function started (cold)",
        Some(false) => "function started (warm)",
        None => "function started",
    };
    let uploaded = card.uploaded.map(|uploaded| uploaded.seconds);
    let invoked = card.invoked.map(|invoked| invoked.seconds);
    let rows = [
        ("uploaded", uploaded, Some(0.0)),
        (started, invoked, uploaded),
        ("thumbnail written", card.written.map(|written| written.seconds), invoked.or(uploaded)),
    ];
    let has_failed = matches!(card.state, ImageState::Failed(_));
    let elapsed = match &card.state {
        ImageState::Running { since, .. } if is_live => Some((model.now - *since).as_seconds_f64().max(0.0)),
        _ => None,
    };
    // The function log arrives after the thumbnail, which ends the wait.
    let awaited = elapsed.filter(|_| card.written.is_none()).and_then(|elapsed| {
        let row = rows.iter().position(|(_, reached, _)| reached.is_none())?;
        Some((row, elapsed))
    });
    let end = rows.iter().filter_map(|row| row.1).chain(awaited.map(|(_, elapsed)| elapsed)).fold(0.0, f64::max);
    let words_width = WORDS.min(width.saturating_sub(2 + TIME));
    let available = width.saturating_sub(2 + words_width + TIME + 2).min(60);
    let line = |(index, (words, reached, before)): (usize, (&str, Option<f64>, Option<f64>))| {
        let is_awaited = awaited.is_some_and(|(row, _)| row == index);
        let (sign, sign_role, words, time) = match reached {
            Some(at) => (appearance.symbols.ready, Role::Good, words.to_owned(), text::milliseconds(at)),
            None if is_awaited => {
                let sign = appearance.symbols.spinner_at(model.now.timestamp_millis());
                (sign, Role::Busy, waits_for(index, card), text::ticking(elapsed.unwrap_or_default()))
            }
            None if has_failed && index == 2 => {
                (appearance.symbols.failed, Role::Bad, "no thumbnail".into(), String::new())
            }
            None => (appearance.symbols.waiting, Role::Muted, words.to_owned(), String::new()),
        };
        let words_role = if reached.is_some() || is_awaited { Role::Text } else { Role::Muted };
        let mut spans = vec![
            Span::styled(format!("{sign} "), appearance.style(sign_role)),
            Span::styled(appearance.fit(&words, words_width), appearance.style(words_role)),
            Span::styled(format!("{time:>TIME$}"), appearance.style(Role::Strong)),
        ];
        let until = reached.or(elapsed.filter(|_| is_awaited));
        if let (Some(until), true) = (until, available >= 10 && !has_failed) {
            let role = if is_awaited { Role::Busy } else { Role::Bar };
            spans.push(Span::raw("  "));
            spans.extend(bar((before.unwrap_or(0.0).min(until), until), end, available, role, appearance));
        }
        Line::from(spans)
    };
    rows.into_iter().enumerate().map(line).collect()
}

/// The label of a pending stage.
fn waits_for(index: usize, card: &ImageResult) -> String {
    match (index, &card.state) {
        (0, _) => "uploading".to_owned(),
        (_, ImageState::Running { progress: Some(progress), .. }) => clean(progress),
        _ => "waiting for the function".to_owned(),
    }
}

/// A bar between two times, scaled to the total duration.
fn bar((from, to): (f64, f64), end: f64, columns: usize, role: Role, appearance: Appearance) -> [Span<'static>; 2] {
    let scale = |seconds: f64| {
        let share = if end > 0.0 { (seconds / end).clamp(0.0, 1.0) } else { 0.0 };
        (share * columns as f64).round() as usize
    };
    let start = scale(from).min(columns.saturating_sub(1));
    let length = scale(to).saturating_sub(start).max(1).min(columns - start);
    [Span::raw(" ".repeat(start)), Span::styled(appearance.symbols.full.repeat(length), appearance.style(role))]
}
