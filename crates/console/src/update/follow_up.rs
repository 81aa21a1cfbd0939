//! Effects that follow from the state of the model, after every message.

use thumbctl_core::event::LogSource;
use thumbctl_core::names::Names;
use thumbctl_core::resource::ResourceKind;

use crate::message::Effect;
use crate::model::Model;
use crate::model::details::InspectionState;
use crate::model::panel::Panel;
use crate::view::build::log_area;
use crate::view::layout::Layout;

/// The effects for the current model.
pub(super) fn follow_up(model: &mut Model) -> Vec<Effect> {
    if model.overlay.is_none() && !model.is_typing() {
        // A dialog waits while an input line is open, so that typed letters do not confirm it.
        model.overlay = model.pending_dialog.take().map(crate::model::overlay::Overlay::Confirm);
    }
    let mut effects = fit_panes(model);
    effects.extend(follow_function_log(model));
    effects.extend(inspect_selected(model));
    effects
}

/// Resizes the panes after a layout change.
fn fit_panes(model: &mut Model) -> Vec<Effect> {
    let main = model.layout().main;
    if model.fitted == main {
        return Vec::new();
    }
    model.fitted = main;
    let log = log_area(main, LogSource::Build);
    let mut effects = model.log_mut(LogSource::Build).resize(log.width, log.height);
    let log = log_area(main, LogSource::Function);
    effects.extend(model.log_mut(LogSource::Function).resize(log.width, log.height));
    let log = log_area(main, LogSource::Stack);
    effects.extend(model.log_mut(LogSource::Stack).resize(log.width, log.height));
    effects.extend(model.log_mut(LogSource::Terraform).resize(log.width, log.height));
    let test_upload = Layout::text_area(Layout::inside(main));
    effects.extend(model.test_upload.resize(test_upload.width, test_upload.height));
    effects
}

/// Follows the function log while it is displayed and the function exists.
fn follow_function_log(model: &mut Model) -> Vec<Effect> {
    let is_shown = model.shown_panel() == Panel::Function && model.connection_info().is_some();
    let has_function = model.deployment.is_ready(ResourceKind::Function);
    let names = model.deployment.origin().filter(|_| is_shown && has_function).map(|origin| &origin.names);
    if model.followed.as_ref() == names {
        return Vec::new();
    }
    let names: Option<Names> = names.cloned();
    model.followed.clone_from(&names);
    vec![Effect::FollowFunctionLog(names)]
}

/// Inspects the selected resource while its details are displayed.
fn inspect_selected(model: &mut Model) -> Vec<Effect> {
    let kind = model.resources.selected;
    let is_ready = model.deployment.is_ready(kind);
    let is_known = model.details.inspected.contains_key(&kind);
    if model.shown_panel() != Panel::Details || model.connection_info().is_none() || !is_ready || is_known {
        return Vec::new();
    }
    model.details.inspected.insert(kind, InspectionState::Pending);
    vec![Effect::Inspect(kind)]
}
