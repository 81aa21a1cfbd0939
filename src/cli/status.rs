//! `thumbctl status`

use serde_json::json;

use super::context::Context;
use super::deploy::name_option;
use super::error::CliError;
use super::style::{Palette, Role};
use super::table::{Cell, Column, Table};
use crate::resource::ResourceState;
use crate::session::{ResourceStatus, Session};
use crate::strategy::Presence;
use crate::text;

/// Shows every resource, by the journal and by the cloud.
pub(crate) async fn run(context: &Context) -> Result<(), CliError> {
    let session = context.session().await?;
    let resources = session.status().await?;
    if context.is_json() {
        return context.print_json(&document(&session, &resources));
    }
    let palette = context.screen.out;
    let name = &context.settings.name;
    let standing = resources.iter().any(|resource| resource.journal.may_exist());
    if !standing && resources.iter().all(|resource| resource.presence == Presence::Missing) {
        return context
            .print(&format!("Nothing is deployed as '{name}'. `thumbctl deploy{}` does it.\n", name_option(context)));
    }
    let headline =
        format!("{name} · {} · account {} · {}", session.label(), session.identity().account, session.region());
    context.print(&format!("{}\n\n", palette.paint(Role::Strong, &headline)))?;
    context.print(&table(&resources, palette, context.screen.table_width()))?;
    context.print(&format!("\n  {}\n", palette.paint(Role::Quiet, &tally(&resources))))
}

fn table(resources: &[ResourceStatus], palette: Palette, width: Option<usize>) -> String {
    let mut table = Table::new([
        Column::text("resource"),
        Column::text("journal"),
        Column::text("cloud"),
        Column::text("name").shrinking(),
        Column::text("ARN").shrinking(),
    ]);
    for resource in resources {
        table.row([
            resource.kind.title().into(),
            Cell::new(journal_role(resource.journal), resource.journal.as_str()),
            cloud_cell(&resource.presence, resource.journal),
            resource.name.as_str().into(),
            Cell::new(Role::Quiet, resource.arn.clone().unwrap_or_default()),
        ]);
    }
    table.render(width, palette)
}

fn journal_role(state: ResourceState) -> Role {
    match state {
        ResourceState::Ready => Role::Good,
        ResourceState::Creating | ResourceState::Deleting => Role::Warn,
        ResourceState::Gone => Role::Quiet,
        ResourceState::Failed => Role::Bad,
    }
}

/// What the cloud says; loud where it contradicts the journal.
fn cloud_cell(presence: &Presence, journal: ResourceState) -> Cell {
    match (presence, journal) {
        (Presence::There, ResourceState::Gone) => Cell::new(Role::Bad, "✖ still there"),
        (Presence::There, _) => Cell::new(Role::Good, "✔ there"),
        (Presence::Missing, ResourceState::Gone) => Cell::new(Role::Quiet, "– gone"),
        (Presence::Missing, ResourceState::Ready) => Cell::new(Role::Bad, "✖ missing"),
        (Presence::Missing, _) => Cell::new(Role::Quiet, "– not there"),
        (Presence::Unknown(why), _) => Cell::new(Role::Warn, format!("? {}", text::cut(&text::clean(why), 40))),
    }
}

fn tally(resources: &[ResourceStatus]) -> String {
    let count = |wanted: fn(&Presence) -> bool| resources.iter().filter(|resource| wanted(&resource.presence)).count();
    let there = count(|presence| *presence == Presence::There);
    let missing = count(|presence| *presence == Presence::Missing);
    let unknown = count(|presence| matches!(presence, Presence::Unknown(_)));
    let mut words = format!("{}: {there} there", text::count(resources.len(), "resource"));
    if missing > 0 {
        words.push_str(&format!(", {missing} not there"));
    }
    if unknown > 0 {
        words.push_str(&format!(", {unknown} unknown"));
    }
    words
}

fn document(session: &Session, resources: &[ResourceStatus]) -> serde_json::Value {
    let resources: Vec<_> = resources
        .iter()
        .map(|resource| {
            let (presence, reason) = match &resource.presence {
                Presence::There => ("there", None),
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
    })
}
