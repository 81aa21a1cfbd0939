//! [`Layout`]: the areas of the screen, for drawing, scrolling and the mouse.

use ratatui::layout::{Constraint, Layout as Split, Rect};

use crate::model::Model;
use crate::panel::Panel;

/// The minimum size: columns, rows.
pub const MIN_SIZE: (u16, u16) = (60, 20);

/// The minimum width for resources beside the panels.
const WIDE: u16 = 100;

/// The minimum height for the next-step card.
const HIGH: u16 = 30;

/// The minimum rows of the card, without and with planned changes. The card takes precedence over the resources, which can
/// be scrolled.
const CARD: u16 = 8;
const CARD_WITH_CHANGES: u16 = 15;

/// The minimum size for the timing panel below the others.
const LARGE: (u16, u16) = (160, 48);

/// The areas of the screen.
///
/// ```text
/// wide (100 columns or more)                      narrow
/// ┌ header ─────────────────────────────────┐     ┌ header ───────────┐
/// │ connection                               │     │ place             │
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
    /// Whether the screen is too small for the layout.
    pub too_small: bool,
    /// The header: two lines.
    pub header: Rect,
    /// The resources, in a wide layout.
    pub resources: Option<Rect>,
    /// The next-step card.
    pub next: Option<Rect>,
    /// The tabs: one line.
    pub tabs: Rect,
    /// The active panel, with its border.
    pub main: Rect,
    /// The timing panel below, in a large layout.
    pub below: Option<Rect>,
    /// The message: one line.
    pub message: Rect,
    /// The key hints: one line.
    pub footer: Rect,
}

/// Whether the held step has planned changes.
fn has_planned_changes(model: &Model) -> bool {
    let held = model.activity.active_run().and_then(|active| active.held.as_ref());
    held.and_then(|step| model.run.as_ref()?.step(step)).is_some_and(|step| !step.changes.is_empty())
}

impl Layout {
    /// The layout of a model.
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

    /// The area inside a panel's border.
    pub fn inside(panel: Rect) -> Rect {
        Rect {
            x: panel.x.saturating_add(1),
            y: panel.y.saturating_add(1),
            width: panel.width.saturating_sub(2),
            height: panel.height.saturating_sub(2),
        }
    }

    /// The text area, with a margin of one column at both sides.
    pub fn text_area(inside: Rect) -> Rect {
        Rect { x: inside.x.saturating_add(1), width: inside.width.saturating_sub(2), ..inside }
    }

    /// The panels with tabs: all, without the resources in a wide layout.
    pub fn tabbed<'a>(&self, panels: &'a [Panel]) -> &'a [Panel] {
        if self.resources.is_some() { &panels[1..] } else { panels }
    }
}

impl Model {
    /// The screen layout.
    pub fn layout(&self) -> Layout {
        Layout::of(self)
    }

    /// The panel beside the resources, or the only panel in a narrow layout.
    pub fn shown_panel(&self) -> Panel {
        if self.focus == Panel::Resources && self.layout().resources.is_some() { self.shown } else { self.focus }
    }
}
