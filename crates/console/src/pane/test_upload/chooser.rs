//! The image chooser: list, preview, path input.

use ratatui::Frame;
use ratatui::layout::{Position, Rect};
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;
use thumbctl_platform::text;

use super::areas::{ChooserAreas, first_row};
use super::{CHOOSER, between, figures, key_of, picture, tail};
use crate::keymap::Action;
use crate::model::Model;
use crate::pane::test_upload::protocol::{EntryKind, FileEntry};
use crate::pane::test_upload::state::chooser::{ChooserRow, ListNote};
use crate::pane::test_upload::state::path_input::PathInput;
use crate::pane::test_upload::state::picture_cache::PictureState;
use crate::panel::Panel;
use crate::theme::Role;
use crate::view::{Appearance, clean};

/// The width of file sizes.
const SIZE: usize = 9;

/// Draws the chooser.
pub(super) fn draw(frame: &mut Frame<'_>, inside: Rect, model: &Model, appearance: Appearance) {
    let areas = ChooserAreas::of(inside);
    if let Some(line) = &model.test_upload.path_input {
        draw_line(frame, areas.head, line, model.overlay.is_none(), appearance);
        draw_candidates(frame, areas.list, line, appearance);
    } else {
        frame.render_widget(head(areas.head.width, model, appearance), areas.head);
        draw_list(frame, areas.list, model, appearance);
    }
    if let (Some(caption), Some(area)) = (areas.caption, areas.picture) {
        draw_preview(frame, caption, area, model, appearance);
    }
    frame.render_widget(foot(areas.foot.width, model, appearance), areas.foot);
}

fn head(width: u16, model: &Model, appearance: Appearance) -> Line<'static> {
    let marked = model.test_upload.chooser.marked().len();
    let left = match marked {
        0 => Span::styled("Choose images to upload", appearance.style(Role::Text)),
        marked => {
            let words = format!("{} {} chosen", appearance.symbols.marked, text::count(marked, "image"));
            Span::styled(words, appearance.style(Role::Strong))
        }
    };
    let count = model.test_upload.results.count();
    let earlier = key_of(model, CHOOSER, Action::Back)
        .filter(|_| count > 0)
        .map(|key| format!("{key}: {}", text::count(count, "upload")))
        .unwrap_or_default();
    between(usize::from(width), left, Span::styled(earlier, appearance.style(Role::Muted)), appearance)
}

/// The hint for the upload key, or why it is unavailable.
fn foot(width: u16, model: &Model, appearance: Appearance) -> Line<'static> {
    let width = usize::from(width);
    let muted = |words: &str| Line::styled(appearance.cut(words, width), appearance.style(Role::Muted));
    let warn = |words: &str| {
        let words = format!("{} {words}", appearance.symbols.next);
        Line::styled(appearance.cut(&words, width), appearance.style(Role::Warn))
    };
    if model.test_upload.is_typing() {
        return muted("tab complete, up/down select, enter accept, esc cancel");
    }
    if model.activity.is_replay() {
        return muted("Not available in a replay.");
    }
    let send = key_of(model, CHOOSER, Action::Send);
    let images = model.test_upload.to_send();
    if images.is_empty() {
        let opens = send.filter(|_| model.test_upload.chooser.can_enter());
        return opens.map_or_else(|| muted(""), |key| muted(&format!("{key}: open folder")));
    }
    if model.connection_info().is_none() {
        return warn("Not connected.");
    }
    if !model.deployment.is_complete() {
        return warn("Deploy first, then upload images.");
    }
    if !model.activity.is_idle() {
        return warn("Wait for the active run.");
    }
    let what = match &images[..] {
        [one] => one.file_name().map_or_else(String::new, |name| clean(&name.to_string_lossy())),
        several => text::count(several.len(), "image"),
    };
    let Some(key) = send else { return muted("") };
    let available = width.saturating_sub(text::width(&key) + 7);
    Line::from(vec![
        Span::styled(key, appearance.style(Role::Key)),
        Span::styled(": upload ", appearance.style(Role::Muted)),
        Span::styled(appearance.cut(&what, available), appearance.style(Role::Text)),
    ])
}

fn draw_list(frame: &mut Frame<'_>, area: Rect, model: &Model, appearance: Appearance) {
    let chooser = &model.test_upload.chooser;
    let rows = chooser.rows();
    let cursor = chooser.cursor();
    let first = first_row(rows.len(), cursor, usize::from(area.height));
    let width = usize::from(area.width);
    let lines = rows.iter().enumerate().skip(first).take(usize::from(area.height)).map(|(index, row)| {
        let is_selected = index == cursor && row.can_be_chosen();
        let is_marked = matches!(row, ChooserRow::Entry(entry) if chooser.marked().contains(&entry.path));
        let line = row_line(*row, is_selected, is_marked, width, appearance);
        match (is_selected, model.focus == Panel::TestUpload) {
            (false, _) => line,
            (true, true) => line.patch_style(appearance.style(Role::Selected)),
            (true, false) => line.patch_style(appearance.style(Role::SelectedElsewhere)),
        }
    });
    frame.render_widget(Paragraph::new(lines.collect::<Vec<_>>()), area);
}

fn row_line(
    row: ChooserRow<'_>,
    is_selected: bool,
    is_marked: bool,
    width: usize,
    appearance: Appearance,
) -> Line<'static> {
    let cursor = if is_selected { appearance.symbols.cursor } else { " " };
    let mark = if is_marked { appearance.symbols.marked } else { " " };
    match row {
        ChooserRow::Heading(title, path) => {
            let available = width.saturating_sub(text::width(title) + 1);
            let path =
                path.map(|path| tail(&clean(&path.to_string_lossy()), available, appearance)).unwrap_or_default();
            Line::from(vec![
                Span::styled(appearance.cut(title, width), appearance.style(Role::Title)),
                Span::styled(format!(" {path}"), appearance.style(Role::Muted)),
            ])
        }
        ChooserRow::Parent(_) => {
            Line::styled(appearance.fit(&format!("{cursor}  ../"), width), appearance.style(Role::Text))
        }
        ChooserRow::Entry(entry) => entry_line(entry, [cursor, mark], width, appearance),
        ChooserRow::Note(note) => {
            let (role, words) = match note {
                ListNote::Reading => (Role::Muted, "loading".to_owned()),
                ListNote::NoImages => (Role::Muted, "no images".to_owned()),
                ListNote::LeftOut(count) => (Role::Muted, format!("and {count} more, not listed")),
                ListNote::Failed(failure) => {
                    (Role::Bad, format!("{} {}", appearance.symbols.failed, clean(&failure.to_string())))
                }
            };
            Line::styled(appearance.cut(&format!("   {words}"), width), appearance.style(role))
        }
    }
}

fn entry_line(entry: &FileEntry, [cursor, mark]: [&str; 2], width: usize, appearance: Appearance) -> Line<'static> {
    let name = clean(&entry.name);
    let (name, size) = match entry.kind {
        EntryKind::Folder => (format!("{name}/"), String::new()),
        EntryKind::Image { bytes } => (name, text::bytes(bytes)),
    };
    let available = width.saturating_sub(3);
    let with_size = available > SIZE + 12;
    let fitted = appearance.fit(&name, if with_size { available.saturating_sub(SIZE + 1) } else { available });
    let mut spans = vec![
        Span::styled(cursor.to_owned(), appearance.style(Role::Text)),
        Span::styled(format!("{mark} "), appearance.style(Role::Good)),
        Span::styled(fitted, appearance.style(Role::Text)),
    ];
    if with_size {
        spans.push(Span::styled(format!(" {size:>SIZE$}"), appearance.style(Role::Muted)));
    }
    Line::from(spans)
}

fn draw_preview(frame: &mut Frame<'_>, caption: Rect, area: Rect, model: &Model, appearance: Appearance) {
    let Some(entry) = model.test_upload.preview() else { return };
    let EntryKind::Image { bytes } = entry.kind else { return };
    let shown = model.test_upload.picture(&entry.path, area);
    let (pixels, failure) = match shown {
        PictureState::Ready(picture) => (Some(picture.pixels), None),
        PictureState::Loading(pixels) => (pixels, None),
        PictureState::Failed(failure) => (None, Some(clean(&failure.to_string()))),
    };
    let width = usize::from(caption.width);
    let lines = vec![
        Line::styled(appearance.cut(&clean(&entry.name), width), appearance.style(Role::Strong)),
        Line::styled(appearance.cut(&figures(pixels, Some(bytes), appearance), width), appearance.style(Role::Muted)),
    ];
    frame.render_widget(Paragraph::new(lines), caption);
    picture::draw(frame, area, shown, failure.as_deref().unwrap_or_default(), model, appearance);
}

fn draw_line(frame: &mut Frame<'_>, area: Rect, line: &PathInput, has_cursor: bool, appearance: Appearance) {
    const PROMPT: &str = "Path: ";
    let available = usize::from(area.width).saturating_sub(PROMPT.len() + 1).max(1);
    let scroll = line.input.visual_scroll(available);
    let typed: String = scrolled(&clean(line.typed()), scroll);
    let spans = vec![
        Span::styled(PROMPT, appearance.style(Role::Key)),
        Span::styled(appearance.cut(&typed, available), appearance.style(Role::Strong)),
    ];
    frame.render_widget(Line::from(spans), area);
    let cursor = PROMPT.len() + line.input.visual_cursor().max(scroll) - scroll;
    let column = u16::try_from(cursor).unwrap_or(u16::MAX).min(area.width.saturating_sub(1));
    if has_cursor && !area.is_empty() {
        frame.set_cursor_position(Position::new(area.x + column, area.y));
    }
}

/// A text from a column on.
fn scrolled(text: &str, columns: usize) -> String {
    let mut left = columns;
    text.chars()
        .skip_while(|c| {
            let width = text::width(c.encode_utf8(&mut [0; 4]));
            let is_before = left > 0;
            left = left.saturating_sub(width);
            is_before
        })
        .collect()
}

fn draw_candidates(frame: &mut Frame<'_>, area: Rect, line: &PathInput, appearance: Appearance) {
    let width = usize::from(area.width);
    if line.candidates.is_empty() {
        let words = if line.typed().is_empty() { "" } else { "   no match" };
        frame.render_widget(Line::styled(appearance.cut(words, width), appearance.style(Role::Muted)), area);
        return;
    }
    let first = first_row(line.candidates.len(), line.selected.unwrap_or(0), usize::from(area.height));
    let rows = line.candidates.iter().enumerate().skip(first).take(usize::from(area.height)).map(|(index, entry)| {
        let is_selected = line.selected == Some(index);
        let cursor = if is_selected { appearance.symbols.cursor } else { " " };
        let row = entry_line(entry, [cursor, " "], width, appearance);
        if is_selected { row.patch_style(appearance.style(Role::Selected)) } else { row }
    });
    frame.render_widget(Paragraph::new(rows.collect::<Vec<_>>()), area);
}
