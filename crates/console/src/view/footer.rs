//! The tabs, the message line and the key hints.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::widgets::Paragraph;
use thumbctl_platform::text;

use super::hints::Hint;
use super::layout::Layout;
use super::line::StyledRow;
use super::{Appearance, hints, next_step, status_symbol};
use crate::keymap::{Action, Context};
use crate::model::Model;
use crate::panel::Panel;
use crate::theme::Role;

/// The gap between two key hints.
const GAP: usize = 3;

/// A drawn tab with its separator.
struct DrawnTab {
    panel: Panel,
    row: StyledRow,
    after: &'static str,
}

/// The form of the tabs, by available width.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum TabForm {
    /// ` 3 Build ⠋ │ 4 Function log `
    Whole,
    /// ` 3 Build ⠋ │ 4 Function `
    Short,
    /// ` 3⠋Build 4 Function `
    Tight,
    /// ` Build Function `
    Bare,
}

/// The tabs in the widest form that fits.
fn tabs(columns: usize, layout: &Layout, model: &Model, appearance: Appearance) -> Vec<DrawnTab> {
    // Computed once, since it depends on the layout.
    let active = model.shown_panel();
    let panels = model.panels();
    let mut found = Vec::new();
    for form in [TabForm::Whole, TabForm::Short, TabForm::Tight, TabForm::Bare] {
        found = layout
            .tabbed(&panels)
            .iter()
            .map(|panel| tab(*panel, *panel == active, form, model, appearance))
            .collect::<Vec<_>>();
        if let Some(last) = found.last_mut() {
            last.after = "";
        }
        let width: usize = found.iter().map(|tab| tab.row.width() + text::width(tab.after)).sum();
        if width < columns {
            break;
        }
    }
    found
}

fn tab(panel: Panel, is_active: bool, form: TabForm, model: &Model, appearance: Appearance) -> DrawnTab {
    let role = if is_active { Role::ActiveTab } else { Role::Muted };
    // Also if unavailable at the moment, so that the tabs do not move.
    let key = model.keymap.chord_of(&[Context::Everywhere], Action::Show(panel)).filter(|_| form != TabForm::Bare);
    let sign = panel.pane().symbol(model, appearance);
    let title = match form {
        TabForm::Whole => panel.tab().title,
        _ => panel.tab().short_title,
    };
    let mut row = StyledRow::new(appearance);
    if let Some(key) = key {
        row = row.text(&key.to_string(), if is_active { Role::ActiveTab } else { Role::Key });
        row = match &sign {
            Some((sign, role)) if form == TabForm::Tight => row.text(sign, *role),
            _ => row.space(1),
        };
    }
    let mut style = appearance.style(role);
    if is_active {
        style = style.underlined();
    }
    row = row.styled(title.to_owned(), style);
    let shows_sign = matches!(form, TabForm::Whole | TabForm::Short);
    if shows_sign && panel.pane().has_symbol() {
        // The column of the symbol is reserved, so that the tabs do not move.
        row = match &sign {
            Some((sign, role)) => row.space(1).text(sign, *role),
            None => row.space(2),
        };
    }
    DrawnTab { panel, row, after: if shows_sign { " | " } else { " " } }
}

/// Draws the tabs.
pub fn draw_tabs(frame: &mut Frame<'_>, area: Rect, model: &Model, appearance: Appearance) {
    let mut row = StyledRow::new(appearance).space(1);
    for tab in tabs(usize::from(area.width), &model.layout(), model, appearance) {
        row = row.then(tab.row);
        row = match tab.after {
            " | " => row.text(&format!(" {} ", appearance.symbols.bar), Role::Border),
            after => row.space(after.len()),
        };
    }
    frame.render_widget(Paragraph::new(row.line(usize::from(area.width))), area);
}

/// The panel of the tab at a column.
pub fn tab_at(area: Rect, layout: &Layout, model: &Model, column: u16) -> Option<Panel> {
    let mut at = area.x.saturating_add(1);
    for tab in tabs(usize::from(area.width), layout, model, Appearance::of(model)) {
        let width = u16::try_from(tab.row.width()).unwrap_or(u16::MAX);
        if (at..at.saturating_add(width)).contains(&column) {
            return Some(tab.panel);
        }
        let after = u16::try_from(text::width(tab.after)).unwrap_or(u16::MAX);
        at = at.saturating_add(width).saturating_add(after);
    }
    None
}

/// Draws the current message; without one, the next step if there is no card.
pub fn draw_message(frame: &mut Frame<'_>, area: Rect, model: &Model, appearance: Appearance) {
    let columns = usize::from(area.width);
    let line = match model.messages.current(model.now) {
        Some(message) => {
            let sign = status_symbol::for_message(message.severity, appearance);
            let first = message.text.lines().next().unwrap_or_default();
            let left = StyledRow::new(appearance).space(1).text(sign.symbol, sign.role).space(1).text(first, sign.role);
            let has_more = !message.more.is_empty() || message.text.lines().nth(1).is_some();
            let is_cut = left.width() > columns;
            let key = hints::key_of(model, Action::Messages).filter(|_| has_more || is_cut);
            let right = key.map_or(StyledRow::new(appearance), |key| {
                StyledRow::new(appearance).text(&key, Role::Key).text(" more ", Role::Muted)
            });
            StyledRow::spread(left, right, columns)
        }
        None if model.layout().next.is_none() => next_step::one_line(model, appearance, columns),
        None => return,
    };
    frame.render_widget(Paragraph::new(line), area);
}

/// Draws the key hints: help and quit at the right, others as space permits.
pub fn draw_keys(frame: &mut Frame<'_>, area: Rect, model: &Model, appearance: Appearance) {
    let columns = usize::from(area.width);
    let is_pinned = |hint: &Hint| matches!(hint.action, Action::Help | Action::Quit);
    let (pinned, others): (Vec<Hint>, Vec<Hint>) = hints::now(model).into_iter().partition(is_pinned);
    let row = |hints: &[Hint], columns: usize| {
        let mut row = StyledRow::new(appearance);
        for hint in hints {
            let gap = if row.width() > 0 { GAP } else { 0 };
            let next = hint.row(appearance);
            if row.width() + gap + next.width() > columns {
                break;
            }
            row = row.space(gap).then(next);
        }
        row
    };
    let right = row(&pinned, columns.saturating_sub(2));
    let taken = if right.width() > 0 { right.width() + GAP } else { 0 };
    let left = row(&others, columns.saturating_sub(taken + 2));
    let line = StyledRow::spread(StyledRow::new(appearance).space(1).then(left), right.space(1), columns);
    frame.render_widget(Paragraph::new(line), area);
}

#[cfg(test)]
mod tests;
