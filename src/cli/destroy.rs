//! `thumbctl destroy`

use std::sync::Arc;

use thumbctl_core::engine::OpenGate;
use thumbctl_deploy::session::PendingRun;
use thumbctl_platform::terminal::{print_error, terminal_text};
use thumbctl_platform::text;

use super::args::DestroyArgs;
use super::confirm::{Consent, announcement, confirm};
use super::context::Context;
use super::error::CliError;
use super::screen::Screen;
use super::style::Role;
use super::summary;
use super::watch::{Watched, watch};

/// Deletes what was deployed.
pub(crate) async fn run(context: &Context, args: &DestroyArgs) -> Result<(), CliError> {
    let session = context.session().await?;
    let prepared = if args.purge { session.prepare_purge().await? } else { session.prepare_destroy().await? };
    for name in prepared.foreign() {
        let sign = context.screen.err.paint(Role::Warn, "left alone:");
        print_error(terminal_text!("{} {} has a name like ours but not our tag\n", sign, name));
    }
    let name = &context.settings.name;
    if prepared.is_empty() {
        let words = if args.purge {
            terminal_text!(
                "Nothing of deployment '{}' is left in {}, region {}.\n",
                name,
                session.label(),
                session.region()
            )
        } else {
            terminal_text!(
                "Nothing is deployed as '{}'. (`thumbctl destroy --purge` looks in the cloud itself.)\n",
                name
            )
        };
        if context.is_json() {
            print_error(words);
        } else {
            context.print(words)?;
        }
        return Ok(());
    }
    let resources = prepared.resources();
    let what = format!("This deletes {} and all that is in them:", text::count(resources.len(), "resource"));
    let about = announcement(context, &session, prepared.started(), &what, &resources);
    confirm(context, about, "Delete them?", Consent::in_cloud(session.label())).await?;
    let plan = prepared.started().plan.clone();
    let watched = destroy(context, prepared).await?;
    if !context.is_json() {
        context.print(summary::outcome(&watched.timing, context.screen.out, Screen::size().0))?;
    }
    if !watched.report.failures.is_empty() {
        print_error("Something is left; `thumbctl destroy` tries again.\n");
    }
    watched.verdict(&plan)
}

/// Runs a teardown and watches it.
pub(crate) async fn destroy(context: &Context, prepared: PendingRun) -> Result<Watched, CliError> {
    let orderly = context.interrupt.orderly();
    let cancel = orderly.token();
    let running = prepared.run(Arc::new(OpenGate), cancel.clone()).await?;
    watch(context, running, cancel, None).await
}
