//! `thumbctl deploy`

use std::sync::Arc;

use thumbctl_core::engine::OpenGate;
use thumbctl_deploy::cloud::CloudLabel;
use thumbctl_deploy::session::{PendingRun, RunMode, Session};
use thumbctl_platform::terminal::{TerminalText, terminal_text};
use thumbctl_platform::text;

use super::args::DeployArgs;
use super::confirm::{ConfirmMode, announcement, confirm};
use super::context::Context;
use super::error::CliError;
use super::gate::PromptGate;
use super::screen::Screen;
use super::style::Role;
use super::summary;
use super::watch::{Watched, watch};

/// Deploys, or resumes a deployment.
pub(crate) async fn run(context: &Context, args: &DeployArgs) -> Result<(), CliError> {
    let step_by_step = args.step && !context.yes;
    let mut settings = context.settings.clone();
    if step_by_step {
        // One step at a time, so that the order of prompts is deterministic.
        settings.parallelism = std::num::NonZeroUsize::MIN;
    }
    let session = context.session_with(settings).await?;
    let stride = if step_by_step { RunMode::StepByStep } else { RunMode::Continuous };
    let prepared = session.prepare_deploy(stride).await?;
    confirm_creation(context, &session, &prepared, "").await?;
    let plan = prepared.started().plan.clone();
    let watched = deploy(context, prepared, step_by_step).await?;
    if !context.is_json() {
        context.print(summary::outcome(&watched.timing, context.screen.out, Screen::size().0))?;
        if watched.report.failures.is_empty() {
            context.print(next_steps(context, session.deployment()?.is_complete()))?;
        }
    }
    watched.verdict(&plan)
}

/// Runs a deployment and shows its progress.
pub(crate) async fn deploy(context: &Context, prepared: PendingRun, step_by_step: bool) -> Result<Watched, CliError> {
    let graceful = context.interrupt.graceful();
    let cancel = graceful.token();
    let (running, prompts) = if step_by_step {
        let (gate, prompts) = PromptGate::new();
        (prepared.run(Arc::new(gate), cancel.clone()).await?, Some(prompts))
    } else {
        (prepared.run(Arc::new(OpenGate), cancel.clone()).await?, None)
    };
    watch(context, running, cancel, prompts).await
}

/// Confirms the creation of resources, except in the sandbox, which costs nothing.
pub(crate) async fn confirm_creation(
    context: &Context,
    session: &Session,
    prepared: &PendingRun,
    suffix: &str,
) -> Result<(), CliError> {
    if *session.label() == CloudLabel::Sandbox {
        return Ok(());
    }
    // Use the cloud's status, since manually deleted resources would be created again.
    let existing = session.status().await?;
    let mut missing = prepared.resources().to_vec();
    missing.retain(|(kind, _)| !existing.iter().any(|known| known.kind == *kind && known.presence.exists()));
    if missing.is_empty() {
        return Ok(());
    }
    let title = format!("Create {} {suffix}:", text::count(missing.len(), "resource"));
    let about = announcement(context, session, prepared.started(), &title, &missing);
    confirm(context, about, "Create them?", ConfirmMode::in_cloud(session.label())).await
}

/// The commands that can follow.
fn next_steps(context: &Context, complete: bool) -> TerminalText {
    let palette = context.screen.out;
    // A deployment without resources has no strategy yet, so the flag is needed again.
    let strategy = context.settings.strategy.filter(|_| !complete);
    let strategy = strategy.map(|strategy| format!(" --strategy {strategy}")).unwrap_or_default();
    let options = format!("{}{strategy}", name_option(context));
    let steps: &[(&str, &str)] = if complete {
        &[("upload IMAGE", "test it"), ("status", "show its resources"), ("destroy", "delete it")]
    } else {
        &[("deploy", "resume"), ("destroy", "delete existing resources")]
    };
    let mut out = TerminalText::from("\n");
    for (command, purpose) in steps {
        let command = format!("thumbctl {command}{options}");
        out.push(terminal_text!(
            "  {}  {}\n",
            palette.paint(Role::Busy, &text::fit(&command, 24 + options.len())),
            purpose
        ));
    }
    out
}

/// ` --name NAME`, unless the deployment has the default name.
pub(crate) fn name_option(context: &Context) -> String {
    let name = context.settings.name.as_str();
    if name == thumbctl_deploy::settings::DEFAULT_NAME { String::new() } else { format!(" --name {name}") }
}
