//! The help: available keys by context.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::Line;

use super::{DialogSpec, centred, fill, inside, open, visible_range};
use crate::keymap::{Binding, Context};
use crate::model::Model;
use crate::theme::Role;
use crate::update::available_without_overlay;
use crate::view::Appearance;
use crate::view::line::StyledRow;

/// The width of a column.
const COLUMN: u16 = 48;

/// The gap between columns.
const GAP: u16 = 4;

/// The maximum width of an action's keys.
const KEYS: usize = 16;

pub(super) fn draw(frame: &mut Frame<'_>, screen: Rect, scroll: u16, model: &Model, appearance: Appearance) {
    let lines = lines(model, appearance, screen.width);
    let (width, height) = size(screen, lines.len());
    let visible = usize::from(inside(centred(screen, width, height)).height);
    let first = usize::from(scroll).min(lines.len().saturating_sub(visible));
    let below = visible_range(first, visible, lines.len());
    let spec = DialogSpec { title: "Available keys", width, height, below, border: Role::FocusedBorder };
    let area = open(frame, screen, &spec, appearance);
    let columns = usize::from(area.width);
    fill(
        frame,
        area,
        lines.into_iter().skip(first).take(visible).map(|row| row.line(columns)).collect::<Vec<Line<'_>>>(),
    );
}

/// The rows, and the number of visible ones.
pub(super) fn rows(model: &Model) -> (usize, u16) {
    let screen = model.layout().screen;
    let rows = lines(model, Appearance::of(model), screen.width).len();
    let (width, height) = size(screen, rows);
    (rows, inside(centred(screen, width, height)).height)
}

fn is_wide(width: u16) -> bool {
    width >= 2 * COLUMN + GAP + 8
}

fn size(screen: Rect, rows: usize) -> (u16, u16) {
    let width = if is_wide(screen.width) { 2 * COLUMN + GAP } else { COLUMN + 8 };
    (width, u16::try_from(rows).unwrap_or(u16::MAX))
}

/// The keys of a context.
fn section(context: Context, model: &Model, appearance: Appearance) -> Vec<StyledRow> {
    let bindings: Vec<&Binding> =
        model.keymap.bindings(context).filter(|binding| available_without_overlay(model, binding.action)).collect();
    if bindings.is_empty() {
        return Vec::new();
    }
    let mut name = context.to_string();
    if let Some(first) = name.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    let mut rows = vec![StyledRow::new(appearance).text(&name, Role::Title)];
    for binding in bindings {
        let keys: Vec<String> = binding.chords.iter().map(ToString::to_string).collect();
        let keys = appearance.cut(&keys.join(" "), KEYS);
        let row = StyledRow::new(appearance).text(&keys, Role::Key).to(KEYS + 1);
        rows.push(row.text(binding.action.title(), Role::Text));
    }
    rows
}

fn lines(model: &Model, appearance: Appearance, width: u16) -> Vec<StyledRow> {
    let sections: Vec<Vec<StyledRow>> = model
        .contexts_without_overlay()
        .into_iter()
        .map(|context| section(context, model, appearance))
        .filter(|section| !section.is_empty())
        .collect();
    if !is_wide(width) {
        return one_below_the_other(sections, appearance);
    }
    // Global keys, the longest list, are on the right.
    let mut left = sections;
    let right = left.pop().unwrap_or_default();
    let left = one_below_the_other(left, appearance);
    let count = left.len().max(right.len());
    let mut rows = Vec::with_capacity(count);
    let (mut left, mut right) = (left.into_iter(), right.into_iter());
    for _ in 0..count {
        let row = left.next().unwrap_or_else(|| StyledRow::new(appearance)).cut(usize::from(COLUMN));
        let row = row.to(usize::from(COLUMN + GAP));
        rows.push(right.next().map_or(row.clone(), |beside| row.then(beside)));
    }
    rows
}

fn one_below_the_other(sections: Vec<Vec<StyledRow>>, appearance: Appearance) -> Vec<StyledRow> {
    let mut rows = Vec::new();
    for section in sections {
        if !rows.is_empty() {
            rows.push(StyledRow::new(appearance));
        }
        rows.extend(section);
    }
    rows
}
