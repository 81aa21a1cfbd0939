//! `thumbctl status`

use serde_json::json;
use thumbctl_core::event::Failure;
use thumbctl_core::resource::ResourceState;
use thumbctl_deploy::resource::{Presence, descriptor};
use thumbctl_deploy::session::{ResourceStatus, Session};
use thumbctl_deploy::strategy::terraform::RefreshPlan;
use thumbctl_platform::terminal::{TerminalText, terminal_text};
use thumbctl_platform::text;
use tokio_util::sync::CancellationToken;

use super::context::Context;
use super::deploy::name_option;
use super::error::CliError;
use super::plan::{changes_json, terraform_summary};
use super::style::{Palette, Role};
use super::table::{Cell, Column, Table};

/// Shows every resource, with its state in the journal and in the cloud.
pub(crate) async fn run(context: &Context) -> Result<(), CliError> {
    let session = context.session().await?;
    let resources = session.status().await?;
    let is_deployed = resources.iter().any(|resource| resource.journal.may_exist());
    let unknown: Vec<String> = session.deployment()?.unknown_resources().map(ToString::to_string).collect();
    let graceful = context.interrupt.graceful();
    let look = terraform(&session, is_deployed, graceful.token()).await;
    if context.interrupt.happened() {
        return Err(CliError::Interrupted);
    }
    if context.is_json() {
        return context.print_json(&document(&session, &resources, look.as_ref()));
    }
    let palette = context.screen.out;
    let name = &context.settings.name;
    if !is_deployed && unknown.is_empty() && resources.iter().all(|resource| resource.presence == Presence::Missing) {
        return context.print(terminal_text!(
            "Nothing is deployed as '{}'. To deploy: `thumbctl deploy{}`\n",
            name,
            name_option(context)
        ));
    }
    let headline =
        format!("{name} · {} · account {} · {}", session.label(), session.identity().account, session.region());
    context.print(terminal_text!("{}\n\n", palette.paint(Role::Strong, &headline)))?;
    context.print(table(&resources, palette, context.screen.table_width()))?;
    context.print(terminal_text!("\n  {}\n", palette.paint(Role::Muted, &totals(&resources))))?;
    for resource in unknown {
        let line = format!("unknown to this version: {resource}");
        context.print(terminal_text!("  {}\n", palette.paint(Role::Warn, &line)))?;
    }
    look.map_or(Ok(()), |look| context.print(terraform_text(&look, palette)))
}

/// Terraform's comparison of its state with the cloud, for a deployment by Terraform. Its failure does not prevent the rest.
async fn terraform(
    session: &Session,
    is_deployed: bool,
    cancel: &CancellationToken,
) -> Option<Result<RefreshPlan, Failure>> {
    if !is_deployed {
        return None;
    }
    match session.refresh_plan(cancel).await {
        Ok(look) => look,
        Err(error) => Some(Err(Failure { hint: error.hint(), ..Failure::from_error(&error) })),
    }
}

fn terraform_text(look: &Result<RefreshPlan, Failure>, palette: Palette) -> TerminalText {
    let look = match look {
        Ok(look) => look,
        Err(failure) => {
            let message = format!("Terraform could not compare its state with the cloud: {failure}");
            let hint = failure
                .hint
                .as_ref()
                .map(|hint| terminal_text!("  {}\n", palette.paint(Role::Muted, hint)))
                .unwrap_or_default();
            return terminal_text!("  {}\n{}", palette.paint(Role::Warn, &message), hint);
        }
    };
    let known = text::count(look.known, "resource");
    if look.missing.is_empty() && look.planned.is_empty() {
        let message = format!("Terraform: {known} in the state, all match the configuration.");
        return terminal_text!("  {}\n", palette.paint(Role::Muted, &message));
    }
    let mut out = terminal_text!(
        "\n  {} {}\n",
        palette.paint(Role::Strong, &format!("Terraform: {known} in the state; plan:")),
        palette.paint(Role::Warn, &terraform_summary(&look.summary))
    );
    for change in &look.missing {
        out.push(terminal_text!("  {} {}\n", palette.paint(Role::Bad, "✖ missing "), change.address));
    }
    for change in &look.planned {
        let action = palette.paint(Role::Warn, &format!("! {}", text::fit(&text::clean(&change.action), 8)));
        out.push(terminal_text!("  {} {}\n", action, change.address));
    }
    out
}

fn table(resources: &[ResourceStatus], palette: Palette, width: Option<usize>) -> TerminalText {
    let mut table = Table::new([
        Column::text("resource"),
        Column::text("journal"),
        Column::text("cloud"),
        Column::text("name").shrinking(),
        Column::text("ARN").shrinking(),
    ]);
    for resource in resources {
        table.row([
            descriptor(resource.kind).title.into(),
            Cell::new(journal_role(resource.journal), resource.journal.label()),
            cloud_cell(&resource.presence, resource.journal),
            resource.name.as_str().into(),
            Cell::new(Role::Muted, resource.arn.clone().unwrap_or_default()),
        ]);
    }
    table.render(width, palette)
}

fn journal_role(state: ResourceState) -> Role {
    match state {
        ResourceState::Ready => Role::Good,
        ResourceState::Creating | ResourceState::Deleting => Role::Warn,
        ResourceState::Deleted => Role::Muted,
        ResourceState::Failed => Role::Bad,
    }
}

/// The presence in the cloud, highlighted where it contradicts the journal.
fn cloud_cell(presence: &Presence, journal: ResourceState) -> Cell {
    match (presence, journal) {
        (Presence::Exists, ResourceState::Deleted) => Cell::new(Role::Bad, "✖ still exists"),
        (Presence::Exists, _) => Cell::new(Role::Good, "✔ exists"),
        (Presence::Missing, ResourceState::Deleted) => Cell::new(Role::Muted, "– deleted"),
        (Presence::Missing, ResourceState::Ready) => Cell::new(Role::Bad, "✖ missing"),
        (Presence::Missing, _) => Cell::new(Role::Muted, "– missing"),
        (Presence::Unknown(why), _) => Cell::new(Role::Warn, format!("? {}", text::cut(&text::clean(why), 40))),
    }
}

fn totals(resources: &[ResourceStatus]) -> String {
    let count =
        |matches: fn(&Presence) -> bool| resources.iter().filter(|resource| matches(&resource.presence)).count();
    let existing = count(|presence| *presence == Presence::Exists);
    let missing = count(|presence| *presence == Presence::Missing);
    let unknown = count(|presence| matches!(presence, Presence::Unknown(_)));
    let mut text = format!("{}: {existing} exist", text::count(resources.len(), "resource"));
    if missing > 0 {
        text.push_str(&format!(", {missing} missing"));
    }
    if unknown > 0 {
        text.push_str(&format!(", {unknown} unknown"));
    }
    text
}

fn document(
    session: &Session,
    resources: &[ResourceStatus],
    look: Option<&Result<RefreshPlan, Failure>>,
) -> serde_json::Value {
    let resources: Vec<_> = resources
        .iter()
        .map(|resource| {
            let (presence, reason) = match &resource.presence {
                Presence::Exists => ("there", None),
                Presence::Missing => ("missing", None),
                Presence::Unknown(why) => ("unknown", Some(why)),
            };
            json!({
                "resource": resource.kind,
                "name": resource.name,
                "arn": resource.arn,
                "journal": resource.journal,
                "cloud": presence,
                "reason": reason,
            })
        })
        .collect();
    json!({
        "deployment": session.settings().name,
        "cloud": session.label().to_string(),
        "account": session.identity().account,
        "region": session.region(),
        "resources": resources,
        "terraform": look.map(|look| match look {
            Ok(look) => json!({
                "known": look.known,
                "missing": changes_json(&look.missing),
                "planned": changes_json(&look.planned),
            }),
            Err(failure) => json!({ "error": failure }),
        }),
    })
}
