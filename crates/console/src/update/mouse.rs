//! Handles the mouse: selection, scrolling, tabs.

use crossterm::event::{MouseButton, MouseEvent, MouseEventKind};
use ratatui::layout::{Position, Rect};

use super::commands::perform;
use crate::keymap::Action;
use crate::message::Effect;
use crate::model::Model;
use crate::model::overlay::{ConfirmDialog, Overlay};
use crate::panel::Panel;
use crate::scroll::{limit, moved};
use crate::view::{self, layout::Layout};

/// The lines per wheel notch.
const NOTCH: i32 = 3;

pub(super) fn mouse(model: &mut Model, mouse: MouseEvent) -> Vec<Effect> {
    let at = Position::new(mouse.column, mouse.row);
    match mouse.kind {
        MouseEventKind::Down(MouseButton::Left) => click(model, at),
        MouseEventKind::ScrollDown => wheel(model, at, NOTCH),
        MouseEventKind::ScrollUp => wheel(model, at, -NOTCH),
        _ => Vec::new(),
    }
}

fn click(model: &mut Model, at: Position) -> Vec<Effect> {
    let layout = model.layout();
    if model.overlay.is_some() {
        // A click closes read-only overlays. Dialogs need a key.
        return match model.overlay {
            Some(Overlay::Help { .. } | Overlay::Messages { .. } | Overlay::Palette { .. }) => {
                perform(model, Action::Back)
            }
            _ => Vec::new(),
        };
    }
    if layout.tabs.contains(at) {
        let tab = view::footer::tab_at(layout.tabs, &layout, model, at.x);
        return tab.map(|panel| perform(model, Action::Show(panel))).unwrap_or_default();
    }
    if let Some((panel, area)) = panel_at(model, &layout, at) {
        let mut effects = perform(model, Action::Show(panel));
        effects.extend(panel.pane().click(model, area, at));
        return effects;
    }
    if layout.below.is_some_and(|area| area.contains(at)) {
        return perform(model, Action::Show(Panel::Timing));
    }
    if layout.message.contains(at) {
        model.messages.dismiss();
    }
    Vec::new()
}

/// The panel at a position, and its area. The timing panel below only shows the latest step.
fn panel_at(model: &Model, layout: &Layout, at: Position) -> Option<(Panel, Rect)> {
    let panels = layout.resources.map(|area| (Panel::Resources, area)).into_iter();
    panels.chain([(model.shown_panel(), layout.main)]).find(|(_, area)| area.contains(at))
}

fn wheel(model: &mut Model, at: Position, lines: i32) -> Vec<Effect> {
    let (rows, visible) = view::overlay::help_rows(model);
    let (messages, dialog) = (view::overlay::messages_scroll_limit(model), view::overlay::confirm_scroll_limit(model));
    match &mut model.overlay {
        Some(Overlay::Help { scroll }) => {
            *scroll = moved(*scroll, lines).min(limit(rows, visible));
            return Vec::new();
        }
        Some(Overlay::Confirm(ConfirmDialog { scroll, .. })) => {
            *scroll = moved(*scroll, lines).min(dialog);
            return Vec::new();
        }
        Some(Overlay::Messages { scroll }) => {
            *scroll = moved(*scroll, -lines).min(messages);
            return Vec::new();
        }
        Some(_) => return Vec::new(),
        None => {}
    }
    match panel_at(model, &model.layout(), at) {
        Some((panel, area)) => panel.pane().scroll(model, area, lines),
        None => Vec::new(),
    }
}
