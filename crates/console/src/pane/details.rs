//! The details panel: everything about the selected resource.

mod page;
pub mod state;

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::Line;
use ratatui::widgets::Paragraph;
use serde_json::Value;
use thumbctl_core::event::{Action as RunAction, Failure};
use thumbctl_core::redaction::redact_line;
use thumbctl_core::resource::ResourceKind;
use thumbctl_deploy::resource::{self, descriptor};
use thumbctl_deploy::session::Inspection;
use thumbctl_platform::text;

use self::page::DetailsPage;
use self::state::InspectionState;
use super::Pane;
use crate::keymap::{Action, Context, DefaultKeys, scroll_keys};
use crate::message::{Effect, RiskLevel};
use crate::model::Model;
use crate::model::resources::{ResourceDisplayState, ResourceRow};
use crate::model::run::{StepModel, StepState};
use crate::panel::Panel;
use crate::theme::Role;
use crate::view::dependencies::DependencyGraph;
use crate::view::layout::Layout;
use crate::view::line::StyledRow;
use crate::view::{Appearance, clean_lines, status_symbol};

/// The context of its keys.
const KEYS: Context = Context::Panel("in details");

/// The details of the selected resource.
#[derive(Debug)]
pub struct DetailsPane;

impl Pane for DetailsPane {
    fn panel(&self) -> Panel {
        Panel::Details
    }

    fn keys(&self) -> Vec<DefaultKeys> {
        let own: [DefaultKeys; 2] =
            [(KEYS, Action::Show(Panel::Resources), &["h", "left"]), (KEYS, Action::Copy, &["y"])];
        [&scroll_keys(KEYS)[..], &own].concat()
    }

    fn context(&self, _model: &Model) -> Context {
        KEYS
    }

    /// Draws the panel.
    fn draw(&self, frame: &mut Frame<'_>, area: Rect, model: &Model, appearance: Appearance) {
        let inside = Layout::text_area(Layout::inside(area));
        let lines = lines(model, appearance, usize::from(inside.width));
        let height = usize::from(inside.height);
        let first = usize::from(model.scroll(Panel::Details)).min(lines.len().saturating_sub(height));
        let below = lines.len().saturating_sub(first + height);
        let title = format!(" {} ", descriptor(model.resources.selected).title);
        let mut block = appearance.panel(title, model.focus == Panel::Details);
        if first > 0 || below > 0 {
            let words = format!(" {}-{} of {} ", first + 1, lines.len() - below, lines.len());
            block = block.title_bottom(Line::styled(words, appearance.style(Role::Muted)).right_aligned());
        }
        frame.render_widget(block, area);
        let shown: Vec<Line<'static>> = lines.into_iter().skip(first).take(height).collect();
        frame.render_widget(Paragraph::new(shown), inside);
    }

    fn rows(&self, model: &Model, width: u16) -> usize {
        lines(model, Appearance::of(model), usize::from(width.saturating_sub(2))).len()
    }

    fn can(&self, model: &Model, action: Action) -> bool {
        action.is_scroll() || (action == Action::Copy && model.selected_arn().is_some())
    }

    fn act(&self, model: &mut Model, action: Action) -> Vec<Effect> {
        match action {
            Action::Copy => model.selected_arn().map(Effect::Copy).into_iter().collect(),
            action => self.scroll_text(model, action),
        }
    }

    /// Inspects the selected resource while its details are displayed.
    fn follow_up(&self, model: &mut Model) -> Vec<Effect> {
        let kind = model.resources.selected;
        let is_ready = model.deployment.is_ready(kind);
        let is_known = model.details.inspected.contains_key(&kind);
        if model.shown_panel() != Panel::Details || model.connection_info().is_none() || !is_ready || is_known {
            return Vec::new();
        }
        model.details.inspected.insert(kind, InspectionState::Pending);
        vec![Effect::Inspect(kind)]
    }
}

fn lines(model: &Model, appearance: Appearance, columns: usize) -> Vec<Line<'static>> {
    let kind = model.resources.selected;
    let mut page = DetailsPage::new(appearance, columns);
    let rows = model.resource_rows();
    if let Some(row) = rows.iter().find(|row| row.kind == kind) {
        identity(&mut page, row, model);
    }
    configuration(&mut page, kind, model);
    let step = model.run.as_ref().and_then(|run| run.step_for(kind));
    step_of(&mut page, kind, step, model);
    dependencies(&mut page, kind, &rows, model);
    documents(&mut page, kind, model);
    page.into_lines()
}

/// Adds state, purpose, name and ARN.
fn identity(page: &mut DetailsPage, row: &ResourceRow, model: &Model) {
    let appearance = page.appearance();
    let sign = status_symbol::for_resource(row, model, appearance);
    let mut state = StyledRow::new(appearance).text(sign.symbol, sign.role).space(1).text(sign.label, sign.role);
    if let Some(seconds) = row.seconds {
        let time = match row.state {
            ResourceDisplayState::Creating | ResourceDisplayState::Retrying | ResourceDisplayState::Deleting => {
                text::ticking(seconds)
            }
            _ => text::seconds(seconds),
        };
        state = state.text(&format!(" {} {time}", appearance.symbols.dot), Role::Muted);
    }
    page.row(state);
    page.paragraph(descriptor(row.kind).purpose, Role::Text);
    if row.name.is_some() || row.arn.is_some() {
        page.blank();
    }
    if let Some(name) = &row.name {
        let is_there = model.deployment.resource(row.kind).is_some();
        page.field(if is_there { "name" } else { "will be" }, name);
    }
    if let Some(arn) = &row.arn {
        page.field("ARN", arn);
    }
    if let Some(url) = console_url(row.kind, model) {
        page.field("console", &url);
    }
    if sign.label == "lost" {
        page.paragraph("In the journal but missing in the cloud. Deploy to recreate.", Role::Bad);
    }
}

/// The URL of a resource in the AWS console; only for AWS.
fn console_url(kind: ResourceKind, model: &Model) -> Option<String> {
    let connection = model.connection_info().filter(|connection| connection.risk == RiskLevel::Cost)?;
    let origin = model.deployment.origin().filter(|_| model.deployment.is_ready(kind))?;
    resource::console_url(kind, &origin.names, &connection.region, &connection.account)
}

/// Adds the step of the resource: reason, calls, state.
fn step_of(page: &mut DetailsPage, kind: ResourceKind, ran: Option<&StepModel>, model: &Model) {
    let planned =
        || model.plan().and_then(|plan| plan.steps().iter().find(|step| step.resources().any(|made| made == kind)));
    let Some(step) = ran.map(|ran| &ran.step).or_else(planned) else { return };
    page.heading("Step");
    page.paragraph(&step.title, Role::Strong);
    page.paragraph(&step.why, Role::Text);
    if !step.calls.is_empty() {
        page.field("calls", &step.calls.join(", "));
    }
    let Some(ran) = ran else { return };
    // A step that continues another one executes the changes confirmed there.
    let previous = step.needs.first().filter(|_| step.continues_previous).and_then(|id| model.run.as_ref()?.step(id));
    for (at, change) in ran.changes.iter().chain(previous.iter().flat_map(|previous| &previous.changes)).enumerate() {
        let label = if at == 0 { "changes" } else { "" };
        page.field(label, &format!("{} {} ({})", change.action, change.logical_id, change.resource_type));
    }
    for warning in &ran.warnings {
        page.field("warning", &redact_line(warning));
    }
    for (name, value) in &ran.outputs {
        page.field("output", &redact_line(&format!("{name} = {value}")));
    }
    let sign = status_symbol::for_step(&ran.state, model, page.appearance());
    let action = model.run.as_ref().map_or(RunAction::Deploy, |run| run.started.action);
    let is_live = model.is_live();
    let (state, time) = match &ran.state {
        StepState::Running { since, .. } if is_live => {
            (sign.label.to_owned(), Some(text::ticking((model.now - *since).as_seconds_f64().max(0.0))))
        }
        StepState::Running { .. } => ("interrupted".to_owned(), None),
        StepState::Done(seconds) | StepState::Failed(seconds, _) => {
            (sign.label.to_owned(), Some(text::seconds(*seconds)))
        }
        StepState::Skipped(reason) => (reason.label(action).to_owned(), None),
        StepState::Waiting => (sign.label.to_owned(), None),
    };
    let in_time = time.map(|time| format!(" in {time}")).unwrap_or_default();
    let in_time =
        if matches!(ran.state, StepState::Running { .. }) { in_time.replace(" in ", " for ") } else { in_time };
    page.field("state", &format!("{state}{in_time}"));
    if ran.retries > 0 {
        let reason = ran.retry_reason.as_deref().map(|reason| format!(", last reason: {reason}"));
        let times = text::count(usize::try_from(ran.retries).unwrap_or(usize::MAX), "time");
        page.field("retried", &format!("{times}{}", reason.unwrap_or_default()));
    }
    if let Some(progress) = ran.progress.as_ref().filter(|_| is_live && matches!(ran.state, StepState::Running { .. }))
    {
        page.field("now", progress);
    }
    if let StepState::Failed(_, failure) = &ran.state {
        page.heading("Failure");
        failure_lines(page, failure);
    }
}

fn failure_lines(page: &mut DetailsPage, failure: &Failure) {
    page.paragraph(&failure.message, Role::Bad);
    for cause in &failure.causes {
        page.field("because", cause);
    }
    if let Some(hint) = &failure.hint {
        page.field("hint", hint);
    }
    if !failure.log.is_empty() {
        page.blank();
        for line in clean_lines(failure.log.iter().map(String::as_str)) {
            page.verbatim(&line, Role::Muted);
        }
    }
}

/// Adds dependencies, as a tree, and dependents.
fn dependencies(page: &mut DetailsPage, kind: ResourceKind, rows: &[ResourceRow], model: &Model) {
    let graph = DependencyGraph::of(model);
    let needs: Vec<ResourceKind> = graph.needs(kind).collect();
    let needed: Vec<ResourceKind> = graph.needed_by(kind).collect();
    if needs.is_empty() && needed.is_empty() {
        return;
    }
    let mut tree = Tree { graph: &graph, rows, model, shown: Vec::new() };
    page.heading("Depends on");
    if needs.is_empty() {
        page.paragraph("No dependencies.", Role::Muted);
    }
    tree.draw(page, &needs, "", true);
    page.heading("Required by");
    if needed.is_empty() {
        page.paragraph("Nothing depends on it.", Role::Muted);
    }
    tree.draw(page, &needed, "", false);
}

struct Tree<'a> {
    graph: &'a DependencyGraph,
    rows: &'a [ResourceRow],
    model: &'a Model,
    /// Resources whose dependencies are already displayed.
    shown: Vec<ResourceKind>,
}

impl Tree<'_> {
    fn draw(&mut self, page: &mut DetailsPage, kinds: &[ResourceKind], before: &str, recurse: bool) {
        let appearance = page.appearance();
        for (at, kind) in kinds.iter().enumerate() {
            let is_last = at + 1 == kinds.len();
            let branch = if is_last { appearance.symbols.last_branch } else { appearance.symbols.branch };
            let mut row = StyledRow::new(appearance).text(&format!("{before}{branch} "), Role::Border);
            if let Some(found) = self.rows.iter().find(|row| row.kind == *kind) {
                let sign = status_symbol::for_resource(found, self.model, appearance);
                row = row.text(sign.symbol, sign.role).space(1);
            }
            page.row(row.text(descriptor(*kind).title, Role::Text));
            if recurse && !self.shown.contains(kind) {
                self.shown.push(*kind);
                let below: Vec<ResourceKind> = self.graph.needs(*kind).collect();
                let rail = if is_last { " " } else { appearance.symbols.bar };
                self.draw(page, &below, &format!("{before}{rail} "), recurse);
            }
        }
    }
}

/// Adds the configuration in the cloud.
fn configuration(page: &mut DetailsPage, kind: ResourceKind, model: &Model) {
    match model.details.inspected.get(&kind) {
        Some(InspectionState::Found(inspection)) => inspection_lines(page, inspection),
        Some(InspectionState::Pending) => {
            page.heading("Configuration");
            let row = StyledRow::new(page.appearance()).text(page.appearance().spinner(model), Role::Busy);
            page.row(row.text(" loading", Role::Muted).text(page.appearance().symbols.ellipsis, Role::Muted));
        }
        Some(InspectionState::Missing) => {
            page.heading("Configuration");
            page.paragraph("Not found in the cloud.", Role::Bad);
        }
        Some(InspectionState::Failed(failure)) => {
            page.heading("Configuration");
            page.paragraph("Cannot read the configuration:", Role::Text);
            failure_lines(page, failure);
        }
        None => {}
    }
}

/// Adds the policy documents, actual or planned.
fn documents(page: &mut DetailsPage, kind: ResourceKind, model: &Model) {
    if let Some(InspectionState::Found(inspection)) = model.details.inspected.get(&kind) {
        for (purpose, document) in &inspection.documents {
            page.heading(&format!("Policy document: {purpose}"));
            page.json(document);
        }
        return;
    }
    let documents = model.preview.iter().flat_map(|preview| &preview.documents);
    for (_, document) in documents.filter(|(of, _)| *of == kind) {
        let is_there = model.deployment.is_ready(kind);
        page.heading(if is_there { "Policy document (planned)" } else { "Planned policy document" });
        page.json(&as_named(document, model));
    }
}

/// A planned document with the deployment's suffix, or a placeholder before the deployment starts.
fn as_named(document: &Value, model: &Model) -> Value {
    let Some(preview) = &model.preview else { return document.clone() };
    let origin = model.deployment.origin().filter(|_| model.deployment.has_resources());
    let suffix = origin.map_or("SUFFIX", |origin| origin.names.suffix().as_str());
    let text = document.to_string().replace(preview.names.suffix().as_str(), suffix);
    serde_json::from_str(&text).unwrap_or_else(|_| document.clone())
}

fn inspection_lines(page: &mut DetailsPage, inspection: &Inspection) {
    if !inspection.settings.is_empty() {
        page.heading("Configuration");
        page.table(&inspection.settings);
    }
    page.heading("Tags");
    if inspection.tags.is_empty() {
        page.paragraph("None.", Role::Muted);
    }
    page.table(&inspection.tags);
}

#[cfg(test)]
mod tests;
