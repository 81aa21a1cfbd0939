//! The list of resources.

pub mod state;

use ratatui::Frame;
use ratatui::layout::{Position, Rect};
use ratatui::text::Line;
use ratatui::widgets::Paragraph;
use thumbctl_deploy::resource::descriptor;
use thumbctl_platform::text;

use super::Pane;
use crate::keymap::{Action, Context, DefaultKeys, scroll_keys};
use crate::message::Effect;
use crate::model::Model;
use crate::model::resources::{DeploymentStatus, ResourceDisplayState, ResourceRow};
use crate::panel::Panel;
use crate::theme::Role;
use crate::view::dependencies::{DependencyGraph, Relation};
use crate::view::layout::Layout;
use crate::view::line::StyledRow;
use crate::view::{Appearance, clean, status_symbol};

/// The context of its keys.
pub const KEYS: Context = Context::Panel("in resources");

/// The width of cursor, symbol and blank.
const SIGN: usize = 3;

/// The width of titles.
const TITLE: usize = 23;

/// The width of state and time.
const STATE: usize = 18;

/// The minimum width of a name.
const NAME: usize = 24;

/// The gap before the state.
const GAP: usize = 1;

/// The margin after the time.
const MARGIN: usize = 1;

/// The rows kept visible after the selected one.
const AHEAD: usize = 2;

/// The list of resources.
#[derive(Debug)]
pub struct ResourcesPane;

impl Pane for ResourcesPane {
    fn panel(&self) -> Panel {
        Panel::Resources
    }

    fn keys(&self) -> Vec<DefaultKeys> {
        let own: [DefaultKeys; 4] = [
            (KEYS, Action::Show(Panel::Details), &["l", "right"]),
            (KEYS, Action::ToggleDependencies, &["d"]),
            (KEYS, Action::Copy, &["y"]),
            (KEYS, Action::Back, &["esc"]),
        ];
        [&scroll_keys(KEYS)[..], &own].concat()
    }

    fn context(&self, _model: &Model) -> Context {
        KEYS
    }

    /// Draws the list.
    ///
    /// ```text
    /// ╭ Resources  6/15 ready ───────────────────────╮
    /// │ ✔ ECR repository          ready       0.25 s │
    /// │▌⠋ Function image          creating    12.5 s │
    /// ```
    fn draw(&self, frame: &mut Frame<'_>, area: Rect, model: &Model, appearance: Appearance) {
        let inside = Layout::inside(area);
        let columns = usize::from(inside.width);
        let rows = model.resource_rows();
        let first = first_row(inside, model);
        let shown = first..rows.len().min(first + usize::from(inside.height));
        let has_keys = model.focus == Panel::Resources;
        let hidden = (first, rows.len() - shown.end);
        let mut block = appearance.panel(title(model, &rows, appearance), has_keys);
        if let Some(words) = more(hidden, appearance) {
            block = block.title_bottom(Line::styled(words, appearance.style(Role::Muted)).right_aligned());
        }
        frame.render_widget(block, area);

        let graph = model.resources.dependencies.then(|| DependencyGraph::of(model));
        let selected = model.resources.selected;
        let lines: Vec<Line<'static>> = rows[shown.clone()]
            .iter()
            .map(|row| {
                let relation = graph.as_ref().and_then(|graph| graph.relation(row.kind, selected));
                line(row, relation, graph.is_some(), model, appearance, columns)
            })
            .collect();
        frame.render_widget(Paragraph::new(lines), inside);
        if let Some(at) = rows[shown].iter().position(|row| row.kind == selected) {
            let role = if has_keys { Role::Selected } else { Role::SelectedElsewhere };
            let y = inside.y.saturating_add(u16::try_from(at).unwrap_or(u16::MAX));
            let line = Rect { y, height: 1, ..inside }.intersection(inside).intersection(frame.area());
            frame.buffer_mut().set_style(line, appearance.style(role));
        }
    }

    fn can(&self, model: &Model, action: Action) -> bool {
        match action {
            Action::ToggleDependencies => true,
            Action::Copy => model.selected_arn().is_some(),
            Action::Back => model.resources.dependencies,
            action => action.is_scroll(),
        }
    }

    fn act(&self, model: &mut Model, action: Action) -> Vec<Effect> {
        let rows = isize::try_from(model.resource_rows().len()).unwrap_or(isize::MAX);
        match action {
            Action::ToggleDependencies => model.resources.dependencies = !model.resources.dependencies,
            Action::Copy => return model.selected_arn().map(Effect::Copy).into_iter().collect(),
            Action::Back => model.resources.dependencies = false,
            Action::Up => move_selection(model, -1),
            Action::Down => move_selection(model, 1),
            Action::PageUp => move_selection(model, -5),
            Action::PageDown => move_selection(model, 5),
            Action::Top => move_selection(model, -rows),
            Action::Bottom => move_selection(model, rows),
            _ => {}
        }
        Vec::new()
    }

    fn scroll(&self, model: &mut Model, _area: Rect, lines: i32) -> Vec<Effect> {
        move_selection(model, lines.signum() as isize);
        Vec::new()
    }

    fn click(&self, model: &mut Model, area: Rect, at: Position) -> Vec<Effect> {
        let inside = Layout::inside(area);
        if inside.contains(at) {
            let row = first_row(inside, model) + usize::from(at.y - inside.y);
            if let Some(row) = model.resource_rows().get(row) {
                model.select(row.kind);
            }
        }
        Vec::new()
    }
}

/// Selects another row.
fn move_selection(model: &mut Model, by: isize) {
    let rows = model.resource_rows();
    let Some(at) = rows.iter().position(|row| row.kind == model.resources.selected) else { return };
    let to = at.saturating_add_signed(by).min(rows.len() - 1);
    if to != at {
        model.select(rows[to].kind);
    }
}

fn title(model: &Model, rows: &[ResourceRow], appearance: Appearance) -> Line<'static> {
    let count = |state| rows.iter().filter(|row| row.state == state).count();
    let words = match model.status() {
        DeploymentStatus::Destroying => format!("{}/{} deleted", count(ResourceDisplayState::Deleted), rows.len()),
        _ => format!("{}/{} ready", count(ResourceDisplayState::Ready), rows.len()),
    };
    let mut title =
        StyledRow::new(appearance).text(" Resources ", Role::Title).text(&format!(" {words} "), Role::Muted);
    if model.resources.dependencies {
        title = title.text(&format!("{} dependencies ", appearance.symbols.dot), Role::Muted);
    }
    title.line(usize::MAX)
}

/// The text for hidden rows.
fn more((above, below): (usize, usize), appearance: Appearance) -> Option<String> {
    let part = |count: usize, sign: &str| (count > 0).then(|| format!(" {sign} {count} more "));
    let parts = [part(above, appearance.symbols.up), part(below, appearance.symbols.down)];
    let words: String = parts.into_iter().flatten().collect();
    (!words.is_empty()).then_some(words)
}

fn line(
    row: &ResourceRow,
    relation: Option<Relation>,
    with_relations: bool,
    model: &Model,
    appearance: Appearance,
    columns: usize,
) -> Line<'static> {
    let is_selected = row.kind == model.resources.selected;
    let sign = status_symbol::for_resource(row, model, appearance);
    let cursor = if is_selected { appearance.symbols.cursor } else { " " };
    let title = match row.state {
        ResourceDisplayState::Waiting | ResourceDisplayState::Deleted => Role::Muted,
        ResourceDisplayState::Creating
        | ResourceDisplayState::Retrying
        | ResourceDisplayState::Deleting
        | ResourceDisplayState::Failed => Role::Strong,
        ResourceDisplayState::Next | ResourceDisplayState::Ready | ResourceDisplayState::Unfinished => Role::Text,
    };
    let available = columns.saturating_sub(SIGN + GAP + STATE + MARGIN);
    let left = StyledRow::new(appearance).text(cursor, Role::FocusedBorder).text(sign.symbol, sign.role).space(1);
    let left = match &row.name {
        Some(name) if available >= TITLE + 2 + NAME => {
            let name = appearance.cut(&clean(name), available.saturating_sub(TITLE + 2));
            left.text(&appearance.fit(descriptor(row.kind).title, TITLE), title).space(2).text(&name, Role::Muted)
        }
        _ => left.text(&appearance.cut(descriptor(row.kind).title, available), title),
    };
    let right = match relation {
        Some(relation) => {
            let is_direct =
                matches!(relation, Relation::NeededByIt { directly: true } | Relation::NeedsIt { directly: true });
            StyledRow::new(appearance)
                .text(relation.label(), if is_direct { Role::Next } else { Role::Muted })
                .to(STATE)
        }
        None if with_relations && !is_selected => StyledRow::new(appearance).to(STATE),
        None => {
            let time = time(row);
            let word = StyledRow::new(appearance).text(sign.label, sign.role);
            let blank = STATE.saturating_sub(word.width() + text::width(&time));
            let role = if is_in_progress(row.state) { sign.role } else { Role::Muted };
            word.space(blank).text(&time, role)
        }
    };
    StyledRow::spread(left, right.space(MARGIN), columns)
}

fn is_in_progress(state: ResourceDisplayState) -> bool {
    matches!(state, ResourceDisplayState::Creating | ResourceDisplayState::Retrying | ResourceDisplayState::Deleting)
}

fn time(row: &ResourceRow) -> String {
    match row.seconds {
        Some(seconds) if is_in_progress(row.state) => text::ticking(seconds),
        Some(seconds) => text::seconds(seconds),
        None => String::new(),
    }
}

/// The first visible row: the top, until the selection approaches the lower end.
fn first_row(inside: Rect, model: &Model) -> usize {
    let rows = model.resource_rows();
    let height = usize::from(inside.height);
    let selected = rows.iter().position(|row| row.kind == model.resources.selected).unwrap_or(0);
    let ahead = AHEAD.min(height.saturating_sub(1) / 2);
    (selected + 1 + ahead).saturating_sub(height).min(rows.len().saturating_sub(height))
}

#[cfg(test)]
mod tests;
