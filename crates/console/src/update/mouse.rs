//! Handles the mouse: selection, scrolling, tabs.

use crossterm::event::{MouseButton, MouseEvent, MouseEventKind};
use ratatui::layout::{Position, Rect};
use thumbctl_core::event::LogSource;

use super::commands::{perform, select};
use crate::keymap::Action;
use crate::message::Effect;
use crate::model::Model;
use crate::model::overlay::{ConfirmDialog, Overlay};
use crate::model::panel::Panel;
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
        return tab.map(|panel| perform(model, panel.action())).unwrap_or_default();
    }
    if let Some(list) = layout.resources.or((model.shown_panel() == Panel::Resources).then_some(layout.main))
        && list.contains(at)
    {
        let mut effects = perform(model, Action::ShowResources);
        effects.extend(click_row(model, Layout::inside(list), at));
        return effects;
    }
    if layout.next.is_some_and(|area| area.contains(at)) {
        return Vec::new();
    }
    if layout.below.is_some_and(|area| area.contains(at)) {
        return perform(model, Action::ShowTiming);
    }
    if layout.main.contains(at) {
        let panel = model.shown_panel();
        let mut effects = perform(model, panel.action());
        if panel == Panel::TestUpload {
            let inside = Layout::text_area(Layout::inside(layout.main));
            if inside.contains(at) {
                effects.extend(model.test_upload.click(at.x - inside.x, at.y - inside.y));
            }
        }
        if let Some(source) = model.shown_log().map(|log| log.source) {
            let lines = crate::view::build::log_area(layout.main, source);
            if lines.contains(at) {
                effects.extend(model.log_mut(source).click(at.y - lines.y));
            }
        }
        return effects;
    }
    if layout.message.contains(at) {
        model.messages.dismiss();
    }
    Vec::new()
}

fn click_row(model: &mut Model, inside: Rect, at: Position) -> Vec<Effect> {
    if !inside.contains(at) {
        return Vec::new();
    }
    let rows = model.resource_rows();
    let first = view::resources::first_row(inside, model);
    let row = first + usize::from(at.y - inside.y);
    rows.get(row).map(|row| select(model, row.kind)).unwrap_or_default()
}

fn wheel(model: &mut Model, at: Position, lines: i32) -> Vec<Effect> {
    let (rows, visible) = view::overlay::help_rows(model);
    let (messages, dialog) = (view::overlay::messages_scroll_limit(model), view::overlay::confirm_scroll_limit(model));
    match &mut model.overlay {
        Some(Overlay::Help { scroll }) => {
            *scroll = moved(*scroll, lines).min(scroll_limit(rows, visible));
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
    let layout = model.layout();
    if layout.resources.is_some_and(|area| area.contains(at)) {
        return super::commands::move_selection(model, lines.signum() as isize);
    }
    if !layout.main.contains(at) {
        return Vec::new();
    }
    let inside = Layout::inside(layout.main);
    match model.shown_panel() {
        Panel::Resources => super::commands::move_selection(model, lines.signum() as isize),
        Panel::Details => {
            let rows = view::details::rows(model, inside.width);
            model.details.scroll = moved(model.details.scroll, lines).min(scroll_limit(rows, inside.height));
            Vec::new()
        }
        Panel::Build => model.log_mut(LogSource::Build).scroll(lines),
        Panel::Function => model.log_mut(LogSource::Function).scroll(lines),
        Panel::Stacks => model.log_mut(LogSource::Stack).scroll(lines),
        Panel::Terraform => model.log_mut(LogSource::Terraform).scroll(lines),
        Panel::Timing => {
            let rows = view::timing::rows(model, inside.width);
            model.timing.scroll = moved(model.timing.scroll, lines).min(scroll_limit(rows, inside.height));
            Vec::new()
        }
        Panel::TestUpload => model.test_upload.scroll(lines.signum()),
    }
}

/// The maximum scroll position for a number of rows and visible rows.
fn scroll_limit(rows: usize, visible: u16) -> u16 {
    u16::try_from(rows.saturating_sub(usize::from(visible))).unwrap_or(u16::MAX)
}

/// A scroll position moved by lines.
pub(super) fn moved(scroll: u16, lines: i32) -> u16 {
    let lines = i16::try_from(lines).unwrap_or(if lines < 0 { i16::MIN } else { i16::MAX });
    scroll.saturating_add_signed(lines)
}
