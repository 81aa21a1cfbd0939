//! Effects that follow from the state of the model, after every message.

use crate::message::Effect;
use crate::model::Model;
use crate::model::messages::Severity;
use crate::model::overlay::Overlay;
use crate::panel::Panel;

/// The effects for the current model.
pub(super) fn follow_up(model: &mut Model) -> Vec<Effect> {
    if model.overlay.is_none() && !model.is_typing() {
        // A dialog waits while an input line is open, so that typed letters do not confirm it.
        model.overlay = model.pending_dialog.take().map(Overlay::Confirm);
    }
    warn_of_unknown_events(model);
    let mut effects = fit_panes(model);
    for panel in Panel::ALL {
        effects.extend(panel.pane().follow_up(model));
    }
    effects
}

/// Warns once that a newer version has written events of the deployment.
fn warn_of_unknown_events(model: &mut Model) {
    if model.journals_read
        && !model.unknown_events_reported
        && let Some(warning) = model.deployment.unknown_events_warning()
    {
        model.unknown_events_reported = true;
        model.messages.add(model.now, Severity::Info, format!("Warning: {warning}."));
    }
}

/// Resizes the panes after a layout change.
fn fit_panes(model: &mut Model) -> Vec<Effect> {
    let main = model.layout().main;
    if model.fitted == main {
        return Vec::new();
    }
    model.fitted = main;
    Panel::ALL.iter().flat_map(|panel| panel.pane().resize(model, main)).collect()
}
