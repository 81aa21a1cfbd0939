//! `thumbctl plan`

use serde_json::json;
use thumbctl_core::plan::{Plan, Step, StepId};
use thumbctl_deploy::resource::descriptor;
use thumbctl_deploy::session::{Preview, Session};
use thumbctl_deploy::strategy::terraform::{Change, RefreshPlan, Summary};
use thumbctl_deploy::strategy::{Requirement, requirement};
use thumbctl_platform::terminal::{TerminalText, print_error, terminal_text};
use thumbctl_platform::text;

use super::context::Context;
use super::error::CliError;
use super::screen::Screen;
use super::style::{Palette, Role};

/// Shows the plan of `deploy`.
pub(crate) async fn run(context: &Context) -> Result<(), CliError> {
    let session = context.session().await?;
    let preview = session.plan_preview()?;
    if requirement(preview.strategy) == Some(Requirement::Terraform) {
        print_error("Running terraform plan, which takes a few seconds.\n");
    }
    let graceful = context.interrupt.graceful();
    let look = session.refresh_plan(graceful.token()).await?;
    if context.interrupt.happened() {
        return Err(CliError::Interrupted);
    }
    let look = look.transpose().map_err(|failure| CliError::Failed(vec![failure]))?;
    if context.is_json() {
        return context.print_json(&document(&session, &preview, look.as_ref()));
    }
    let palette = context.screen.out;
    let width = context.screen.table_width().map_or(100, |_| Screen::size().0).min(110);
    let mut out = terminal_text!(
        "{}\n{}\n",
        palette.paint(
            Role::Strong,
            &format!(
                "Plan of {} by {} · {} · account {} · {}",
                context.settings.name,
                preview.strategy,
                session.label(),
                session.identity().account,
                session.region()
            )
        ),
        palette.paint(Role::Muted, "This command creates nothing. A new deployment gets new names in this form."),
    );
    let depths = preview.plan.depths();
    let waves = depths.values().max().map_or(0, |deepest| deepest + 1);
    for wave in 0..waves {
        let description = match wave {
            0 => "no dependencies, starts at once".to_owned(),
            _ => "each starts when its dependencies are done".to_owned(),
        };
        out.push(terminal_text!(
            "\n{} {}\n",
            palette.paint(Role::Strong, &format!("Wave {}", wave + 1)),
            palette.paint(Role::Muted, &description)
        ));
        for step in preview.plan.steps().iter().filter(|step| depths[&step.id] == wave) {
            out.push(step_text(step, &preview, palette, width));
        }
    }
    if let Some(look) = &look {
        out.push(terraform_text(look, palette));
    }
    for (kind, document) in &preview.documents {
        let title = format!("Policy document: {}", descriptor(*kind).title);
        out.push(terminal_text!(
            "\n{} {}\n",
            palette.paint(Role::Strong, &title),
            palette.paint(Role::Muted, &preview.names.of(*kind))
        ));
        let pretty = serde_json::to_string_pretty(document).unwrap_or_else(|_| document.to_string());
        for line in pretty.lines() {
            out.push(terminal_text!("  {}\n", line));
        }
    }
    out.push(terminal_text!(
        "\n{}, {}, {}. To run them: `thumbctl deploy`\n",
        text::count(preview.plan.steps().len(), "step"),
        text::count(waves, "wave"),
        text::count(preview.documents.len(), "policy document"),
    ));
    context.print(out)
}

/// The changes of Terraform's plan.
fn terraform_text(look: &RefreshPlan, palette: Palette) -> TerminalText {
    let mut out = terminal_text!(
        "\n{} {}\n\n",
        palette.paint(Role::Strong, "Terraform's plan"),
        palette.paint(Role::Muted, &terraform_summary(&look.summary))
    );
    for Change { address, resource_type, action, .. } in &look.planned {
        let action = palette.paint(Role::Busy, &text::fit(&text::clean(action), 8));
        let kind = palette.paint(Role::Muted, &format!("({resource_type})"));
        out.push(terminal_text!("  {} {} {}\n", action, address, kind));
    }
    out
}

/// The summary of a Terraform plan.
pub(crate) fn terraform_summary(summary: &Summary) -> String {
    let Summary { add, change, import, remove } = *summary;
    if summary.total() == 0 {
        return "no changes: the resources match the configuration".to_owned();
    }
    let parts = [(add, "to add"), (change, "to change"), (import, "to import"), (remove, "to destroy")];
    let labels: Vec<String> =
        parts.into_iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!("{count} {what}")).collect();
    labels.join(", ")
}

fn step_text(step: &Step, preview: &Preview, palette: Palette, width: usize) -> TerminalText {
    let columns = width.saturating_sub(14).max(20);
    let mut out = terminal_text!("\n  {}\n", palette.paint(Role::Busy, &step.title));
    let name = step.resource.map(|kind| preview.names.of(kind)).unwrap_or_default();
    let created =
        preview.template_resources.iter().filter(|(id, _)| *id == step.id).flat_map(|(_, resources)| resources);
    let created: Vec<String> = created.map(|(name, kind)| format!("{name} ({kind})")).collect();
    let after: Vec<&str> = step.needs.iter().map(|id| title(&preview.plan, id)).collect();
    let rows = [
        ("name", name),
        ("creates", created.join(", ")),
        ("why", step.why.clone()),
        ("after", after.join("; ")),
        ("calls", step.calls.join(", ")),
    ];
    for (label, value) in rows {
        for (index, line) in text::wrap(&value, columns).into_iter().enumerate() {
            let label = if index == 0 { label } else { "" };
            out.push(terminal_text!("    {} {}\n", palette.paint(Role::Muted, &text::fit(label, 7)), line));
        }
    }
    out
}

/// Terraform changes as JSON.
pub(crate) fn changes_json(changes: &[Change]) -> Vec<serde_json::Value> {
    let one = |change: &Change| json!({ "address": change.address, "type": change.resource_type, "action": change.action, "reason": change.reason });
    changes.iter().map(one).collect()
}

fn title<'a>(plan: &'a Plan, id: &'a StepId) -> &'a str {
    plan.step(id).map_or(id.as_str(), |step| step.title.as_str())
}

fn document(session: &Session, preview: &Preview, look: Option<&RefreshPlan>) -> serde_json::Value {
    let depths = preview.plan.depths();
    let steps: Vec<_> = preview
        .plan
        .steps()
        .iter()
        .map(|step| {
            json!({
                "id": step.id,
                "title": step.title,
                "why": step.why,
                "wave": depths[&step.id] + 1,
                "needs": step.needs,
                "resource": step.resource,
                "also": step.also,
                "name": step.resource.map(|kind| preview.names.of(kind)),
                "calls": step.calls,
            })
        })
        .collect();
    let documents: Vec<_> = preview
        .documents
        .iter()
        .map(|(kind, document)| json!({ "resource": kind, "name": preview.names.of(*kind), "document": document }))
        .collect();
    let template = |(step, resources): &(StepId, Vec<(&str, &str)>)| {
        let resources: Vec<_> =
            resources.iter().map(|(name, kind)| json!({ "logical_id": name, "type": kind })).collect();
        json!({ "step": step, "resources": resources })
    };
    let templates: Vec<_> = preview.template_resources.iter().map(template).collect();
    json!({
        "deployment": session.settings().name,
        "strategy": preview.strategy,
        "cloud": session.label().to_string(),
        "account": session.identity().account,
        "region": session.region(),
        "steps": steps,
        "template_resources": templates,
        "policy_documents": documents,
        "terraform_plan": look.map(|look| json!({
            "add": look.summary.add,
            "change": look.summary.change,
            "import": look.summary.import,
            "destroy": look.summary.remove,
            "changes": changes_json(&look.planned),
        })),
    })
}
