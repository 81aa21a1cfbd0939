//! `thumbctl destroy`

use std::sync::Arc;

use thumbctl_core::engine::OpenGate;
use thumbctl_deploy::session::PendingRun;
use thumbctl_platform::terminal::{print_error, terminal_text};
use thumbctl_platform::text;

use super::args::DestroyArgs;
use super::confirm::{ConfirmMode, announcement, confirm};
use super::context::Context;
use super::error::CliError;
use super::screen::Screen;
use super::style::Role;
use super::summary;
use super::watch::{Watched, watch};

/// Destroys a deployment.
pub(crate) async fn run(context: &Context, args: &DestroyArgs) -> Result<(), CliError> {
    let session = context.session().await?;
    let prepared = if args.purge { session.prepare_purge().await? } else { session.prepare_destroy().await? };
    for name in prepared.foreign() {
        let label = context.screen.err.paint(Role::Warn, "kept:");
        print_error(terminal_text!("{} {} matches by name but lacks the deployment's tag\n", label, name));
    }
    let name = &context.settings.name;
    // A damaged journal records nothing; `--purge` does not need it.
    let unknown_left = || session.deployment().ok().and_then(|deployment| deployment.unknown_resources_left());
    if prepared.is_empty() {
        if let Some(left) = unknown_left() {
            return Err(CliError::Failed(vec![left]));
        }
        let message = if args.purge {
            terminal_text!(
                "No resources of deployment '{}' are left in {}, region {}.\n",
                name,
                session.label(),
                session.region()
            )
        } else {
            terminal_text!(
                "Nothing is deployed as '{}'. To search the cloud by tag: `thumbctl destroy --purge`\n",
                name
            )
        };
        if context.is_json() {
            print_error(message);
        } else {
            context.print(message)?;
        }
        return Ok(());
    }
    let resources = prepared.resources();
    let title = format!("Delete {} and their contents:", text::count(resources.len(), "resource"));
    let about = announcement(context, &session, prepared.started(), &title, resources);
    confirm(context, about, "Delete them?", ConfirmMode::in_cloud(session.label())).await?;
    let plan = prepared.started().plan.clone();
    let watched = destroy(context, prepared).await?;
    if !context.is_json() {
        context.print(summary::outcome(&watched.timing, context.screen.out, Screen::size().0))?;
    }
    if !watched.report.failures.is_empty() {
        print_error("Some resources are left. To retry: `thumbctl destroy`\n");
    }
    match (watched.verdict(&plan), unknown_left()) {
        (Ok(()), Some(left)) => Err(CliError::Failed(vec![left])),
        (Err(CliError::Failed(failures)), Some(left)) => Err(CliError::Failed([failures, vec![left]].concat())),
        (verdict, _) => verdict,
    }
}

/// Runs a teardown and shows its progress.
pub(crate) async fn destroy(context: &Context, prepared: PendingRun) -> Result<Watched, CliError> {
    let graceful = context.interrupt.graceful();
    let cancel = graceful.token();
    let running = prepared.run(Arc::new(OpenGate), cancel.clone()).await?;
    watch(context, running, cancel, None).await
}
