//! Effects that follow from the state of the model, after every message.

use crate::message::Effect;
use crate::model::Model;
use crate::model::overlay::Overlay;
use crate::panel::Panel;

/// The effects for the current model.
pub(super) fn follow_up(model: &mut Model) -> Vec<Effect> {
    if model.overlay.is_none() && !model.is_typing() {
        // A dialog waits while an input line is open, so that typed letters do not confirm it.
        model.overlay = model.pending_dialog.take().map(Overlay::Confirm);
    }
    let mut effects = fit_panes(model);
    for panel in Panel::ALL {
        effects.extend(panel.pane().follow_up(model));
    }
    effects
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
