//! The confirmation dialog: consequence, resources, input.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::Line;
use thumbctl_deploy::resource::descriptor;

use super::{DialogSpec, centred, fill, inside, open, typed, visible_range};
use crate::keymap::{Action, Context};
use crate::message::RiskLevel;
use crate::model::Model;
use crate::model::overlay::{ConfirmAction, ConfirmDialog, ConfirmInput};
use crate::theme::Role;
use crate::view::Appearance;
use crate::view::line::{StyledRow, wrapped};

/// The maximum width.
const WIDTH: u16 = 76;

/// The width of titles.
const TITLE: usize = 25;

/// The parts of the dialog at a width.
struct Parts {
    above: Vec<Line<'static>>,
    list: Vec<Line<'static>>,
    below: Vec<Line<'static>>,
    height: u16,
    visible_rows: usize,
}

impl Parts {
    fn of(dialog: &ConfirmDialog, screen: Rect, model: &Model, appearance: Appearance) -> Self {
        let columns = usize::from(inside(centred(screen, WIDTH, screen.height)).width);
        let consequence = wrapped(&dialog.consequence, columns);
        let above: Vec<_> =
            consequence.iter().map(|line| StyledRow::new(appearance).text(line, Role::Strong).line(columns)).collect();
        let list = list(dialog, appearance, columns);
        let below = buttons(dialog, model, appearance, columns);
        let list_and_room = if list.is_empty() { 0 } else { list.len() + 1 };
        let height = u16::try_from(above.len() + 1 + list_and_room + below.len()).unwrap_or(u16::MAX);
        let visible = usize::from(inside(centred(screen, WIDTH, height)).height);
        let visible_rows = list.len().min(visible.saturating_sub(above.len() + 2 + below.len()));
        Self { above, list, below, height, visible_rows }
    }
}

/// The maximum scroll position of the list.
pub(super) fn scroll_limit(dialog: &ConfirmDialog, model: &Model) -> u16 {
    let parts = Parts::of(dialog, model.layout().screen, model, Appearance::of(model));
    u16::try_from(parts.list.len() - parts.visible_rows).unwrap_or(u16::MAX)
}

pub(super) fn draw(frame: &mut Frame<'_>, screen: Rect, dialog: &ConfirmDialog, model: &Model, appearance: Appearance) {
    let Parts { above: mut lines, list, below, height, visible_rows } = Parts::of(dialog, screen, model, appearance);
    let is_real = model.risk() == RiskLevel::Cost && dialog.action == ConfirmAction::Start;
    let first = usize::from(dialog.scroll).min(list.len() - visible_rows);
    let spec = DialogSpec {
        title: if is_real { "AWS: real resources" } else { "Confirm" },
        width: WIDTH,
        height,
        below: visible_range(first, visible_rows, list.len()),
        border: if is_real { Role::Bad } else { Role::Warn },
    };
    let area = open(frame, screen, &spec, appearance);
    lines.push(Line::default());
    if visible_rows > 0 {
        lines.extend(list.into_iter().skip(first).take(visible_rows));
        lines.push(Line::default());
    }
    // The buttons are always visible.
    lines.truncate(usize::from(area.height).saturating_sub(below.len()));
    let answer = u16::try_from(lines.len()).unwrap_or(u16::MAX);
    lines.extend(below);
    fill(frame, area, lines);
    if let ConfirmInput::Word(input) = &dialog.input {
        let y = area.y.saturating_add(answer).saturating_add(1);
        let line = Rect { y, height: 1, ..area }.intersection(area);
        let prompt = StyledRow::new(appearance).text("Type ", Role::Text).text("yes", Role::Key).text(": ", Role::Text);
        typed(frame, line, prompt, input, appearance);
    }
}

/// The affected resources, then those not touched.
fn list(dialog: &ConfirmDialog, appearance: Appearance, columns: usize) -> Vec<Line<'static>> {
    let mut lines = Vec::new();
    for (kind, name) in &dialog.resources {
        let row =
            StyledRow::new(appearance).text(descriptor(*kind).title, Role::Text).to(TITLE).text(name, Role::Muted);
        lines.push(row.line(columns));
    }
    for name in &dialog.foreign {
        let row = StyledRow::new(appearance).text("not touched", Role::Warn).to(TITLE).text(name, Role::Muted);
        lines.push(row.text(" (no tag)", Role::Muted).line(columns));
    }
    lines
}

/// The prompt and the buttons, with a line for input.
fn buttons(dialog: &ConfirmDialog, model: &Model, appearance: Appearance, columns: usize) -> Vec<Line<'static>> {
    let key = |context: Context, action: Action| {
        model.keymap.chord_of(&[context], action).map(|chord| chord.to_string()).unwrap_or_default()
    };
    let prompt = StyledRow::new(appearance).text(&dialog.prompt, Role::Strong);
    match &dialog.input {
        ConfirmInput::Key => {
            let row = prompt.space(3).text(&key(Context::Confirm, Action::Accept), Role::Key).text(" yes", Role::Text);
            let row = row.space(3).text(&key(Context::Confirm, Action::Back), Role::Key).text(" no", Role::Text);
            vec![row.line(columns)]
        }
        ConfirmInput::Word(_) => {
            let row = StyledRow::new(appearance)
                .text(&key(Context::Typing, Action::Accept), Role::Key)
                .text(" confirm", Role::Text);
            let row = row.space(3).text(&key(Context::Typing, Action::Back), Role::Key).text(" cancel", Role::Text);
            vec![prompt.line(columns), Line::default(), row.line(columns)]
        }
    }
}
