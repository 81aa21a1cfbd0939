//! [`Layout`]: where everything is on the screen. Pure; the same for drawing, for scrolling by pages and for the mouse.

use ratatui::layout::{Constraint, Layout as Split, Rect};

use crate::model::Model;
use crate::model::panel::Panel;

/// The least size for which there is a layout: columns, rows.
pub const MIN_SIZE: (u16, u16) = (60, 20);

/// From this width on, the resources stand beside the other panels.
const WIDE: u16 = 100;

/// From this height on, the step that comes next has a card of its own.
const HIGH: u16 = 30;

/// The least rows of that card, and the least where it says what a change set or a plan would do: the resources give way, since
/// their list can be scrolled and the card cannot.
const CARD: u16 = 8;
const CARD_WITH_CHANGES: u16 = 15;

/// From this size on, the times stand below the other panels.
const LARGE: (u16, u16) = (160, 48);

/// Where everything is.
///
/// ```text
/// wide (100 columns or more)                      narrow
/// ┌ header ─────────────────────────────────┐     ┌ header ───────────┐
/// │ place                                   │     │ place             │
/// ├ resources ───┬ tabs ────────────────────┤     ├ tabs ─────────────┤
/// │              │ main                     │     │ main              │
/// │              │                          │     │                   │
/// ├ next ────────┤                          │     │                   │
/// │ (30 rows up) ├ below (160 x 48 up) ─────┤     │                   │
/// ├ message ─────┴──────────────────────────┤     ├ message ──────────┤
/// └ footer ─────────────────────────────────┘     └ footer ───────────┘
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    /// The whole screen.
    pub screen: Rect,
    /// Whether the screen is too small for anything but a sentence.
    pub too_small: bool,
    /// Two lines: what is worked on, and where.
    pub header: Rect,
    /// The resources, where they stand beside the others.
    pub resources: Option<Rect>,
    /// The card of the step that comes next.
    pub next: Option<Rect>,
    /// The tabs: a line of its own.
    pub tabs: Rect,
    /// The panel that is shown, with its border.
    pub main: Rect,
    /// The times, where there is room for them below.
    pub below: Option<Rect>,
    /// The last message: a line.
    pub message: Rect,
    /// The keys that work: a line.
    pub footer: Rect,
}

/// Whether a step is held that has said what it would do.
fn has_planned_changes(model: &Model) -> bool {
    let held = model.activity.active_run().and_then(|active| active.held.as_ref());
    held.and_then(|step| model.run.as_ref()?.step(step)).is_some_and(|step| !step.changes.is_empty())
}

impl Layout {
    /// Where everything is for a model.
    pub fn of(model: &Model) -> Self {
        let (width, height) = model.size;
        let screen = Rect::new(0, 0, width, height);
        let [header, body, message, footer] =
            Split::vertical([Constraint::Length(2), Constraint::Min(0), Constraint::Length(1), Constraint::Length(1)])
                .areas(screen);
        let (left, right) = if width >= WIDE {
            let share = if width >= LARGE.0 { 50 } else { 48 };
            let [left, right] = Split::horizontal([Constraint::Length(share), Constraint::Min(0)]).areas(body);
            (Some(left), right)
        } else {
            (None, body)
        };
        let rows = u16::try_from(model.resource_rows().len()).unwrap_or(u16::MAX);
        let (resources, next) = match left {
            Some(left) if height >= HIGH => {
                let least = if has_planned_changes(model) { CARD_WITH_CHANGES } else { CARD };
                let [resources, next] =
                    Split::vertical([Constraint::Length(rows.saturating_add(2)), Constraint::Min(least)]).areas(left);
                (Some(resources), Some(next))
            }
            left => (left, None),
        };
        let [tabs, panels] = Split::vertical([Constraint::Length(1), Constraint::Min(0)]).areas(right);
        let is_large = width >= LARGE.0 && height >= LARGE.1;
        let (main, below) = if is_large && model.shown != Panel::Timing {
            let [main, below] = Split::vertical([Constraint::Min(0), Constraint::Length(26)]).areas(panels);
            (main, Some(below))
        } else {
            (panels, None)
        };
        let too_small = width < MIN_SIZE.0 || height < MIN_SIZE.1;
        Self { screen, too_small, header, resources, next, tabs, main, below, message, footer }
    }

    /// The part of a bordered panel that is drawn on.
    pub fn inside(panel: Rect) -> Rect {
        Rect {
            x: panel.x.saturating_add(1),
            y: panel.y.saturating_add(1),
            width: panel.width.saturating_sub(2),
            height: panel.height.saturating_sub(2),
        }
    }

    /// What is left for text: a column's margin at both sides. Text is read, a list is scanned.
    pub fn text_area(inside: Rect) -> Rect {
        Rect { x: inside.x.saturating_add(1), width: inside.width.saturating_sub(2), ..inside }
    }

    /// Which of the panels that there are have tabs: all but the resources, where these stand beside.
    pub fn tabbed(&self, panels: &'static [Panel]) -> &'static [Panel] {
        if self.resources.is_some() { &panels[1..] } else { panels }
    }
}
