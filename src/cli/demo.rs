//! `thumbctl demo`: everything once, and then what took how long.

use std::path::{Path, PathBuf};

use thumbctl_core::event::Outcome;
use thumbctl_core::plan::Plan;
use thumbctl_deploy::assets;
use thumbctl_deploy::session::{RunMode, Session};
use thumbctl_deploy::settings::{Assignment, Origin};
use thumbctl_platform::terminal::{print_error, terminal_text};
use thumbctl_platform::text;

use super::args::DemoArgs;
use super::context::Context;
use super::deploy::{ask_before_creating, deploy};
use super::destroy::destroy;
use super::error::{self, CliError};
use super::screen::Screen;
use super::style::Role;
use super::summary;
use super::table::{Cell, Column, Table};
use super::upload::send;
use super::watch::Watched;

/// The deployment that the demonstration makes, unless another is named.
pub(crate) fn own_name() -> Assignment {
    Assignment { key: "name".into(), value: "demo".into(), origin: Origin::Flag("--name".into()) }
}

/// Deploys, sends the sample images, destroys; and says what took how long.
pub(crate) async fn run(context: &Context, args: &DemoArgs) -> Result<(), CliError> {
    let session = context.session().await?;
    // It destroys what it deployed; what somebody else deployed is not its to destroy.
    if session.deployment()?.is_standing() {
        let name = &context.settings.name;
        return Err(CliError::usage(
            format!("deployment '{name}' stands already, and the demonstration would destroy it"),
            format!(
                "`thumbctl destroy --name {name}` takes it down; --name chooses another name for the demonstration"
            ),
        ));
    }
    let prepared = session.prepare_deploy(RunMode::Continuous).await?;
    let afterwards = if args.keep { "" } else { ", and deletes them again" };
    ask_before_creating(context, &session, &prepared, afterwards).await?;

    let plan = prepared.started().plan.clone();
    let deployed = deploy(context, prepared, false).await;
    let mut verdict = told(context, deployed.as_ref().ok(), &plan);
    let mut sent = None;
    if matches!(&deployed, Ok(watched) if watched.report.outcome == Outcome::Succeeded) {
        match send_samples(context, &session, &args.save).await {
            Ok((trial, watched)) => {
                verdict = worse(verdict, told(context, Some(&watched), &trial));
                sent = Some(watched);
            }
            Err(error) => verdict = worse(verdict, Err(error)),
        }
    }
    let mut destroyed = None;
    if args.keep {
        let name = context.settings.name.as_str();
        say(context, &format!("Everything is left standing; `thumbctl destroy --name {name}` takes it down."));
    } else {
        if context.interrupt.happened() {
            let name = context.settings.name.as_str();
            say(context, &format!("Cleaning up what was made; Ctrl-C leaves it to `thumbctl destroy --name {name}`."));
        }
        match clean_up(context, &session).await {
            Ok(Some((plan, watched))) => {
                verdict = worse(verdict, told(context, Some(&watched), &plan));
                destroyed = Some(watched);
            }
            Ok(None) => {}
            Err(error) => verdict = worse(verdict, Err(error)),
        }
    }
    if !context.is_json() {
        report(context, deployed.as_ref().ok(), sent.as_ref(), destroyed.as_ref(), &args.save)?;
    }
    if context.interrupt.happened() {
        return Err(CliError::Interrupted);
    }
    deployed?;
    verdict
}

async fn send_samples(context: &Context, session: &Session, save: &Path) -> Result<(Plan, Watched), CliError> {
    send(context, session, unpack_samples(save)?, save.to_owned()).await
}

async fn clean_up(context: &Context, session: &Session) -> Result<Option<(Plan, Watched)>, CliError> {
    let prepared = session.prepare_destroy().await?;
    if prepared.is_empty() {
        return Ok(None);
    }
    let plan = prepared.started().plan.clone();
    Ok(Some((plan, destroy(context, prepared).await?)))
}

/// Tells failures where they happen, since more comes after them.
fn told(context: &Context, watched: Option<&Watched>, plan: &Plan) -> Result<(), CliError> {
    let Some(watched) = watched else { return Ok(()) };
    match watched.verdict(plan) {
        Err(CliError::Failed(failures)) => {
            for failure in &failures {
                error::tell(failure, context.verbose, context.screen);
            }
            Err(CliError::AlreadyTold)
        }
        verdict => verdict,
    }
}

/// The first thing that went wrong counts; what went wrong after it is told at once.
fn worse(first: Result<(), CliError>, second: Result<(), CliError>) -> Result<(), CliError> {
    match (first, second) {
        (Ok(()), second) => second,
        (first, _) => first,
    }
}

fn say(context: &Context, words: &str) {
    print_error(terminal_text!("\n{}\n", context.screen.err.paint(Role::Warn, words)));
}

/// What took how long.
fn report(
    context: &Context,
    deployed: Option<&Watched>,
    sent: Option<&Watched>,
    destroyed: Option<&Watched>,
    save: &Path,
) -> Result<(), CliError> {
    let palette = context.screen.out;
    let width = context.screen.table_width();
    let heading = |words: &str| terminal_text!("\n{}\n\n", palette.paint(Role::Strong, words));
    if let Some(deployed) = deployed {
        context.print(heading("Deploying"))?;
        context.print(summary::steps(&deployed.timing, palette, width))?;
    }
    if let Some(sent) = sent {
        context.print(heading("Thumbnails"))?;
        context.print(summary::images(&sent.trial, palette, width))?;
        let folder = std::path::absolute(save).unwrap_or_else(|_| save.to_owned());
        let words = format!("  saved in {}, the originals in its folder originals", folder.display());
        context.print(terminal_text!("{}\n", palette.paint(Role::Quiet, &words)))?;
    }
    context.print(heading("Altogether"))?;
    let mut table = Table::new([Column::text(""), Column::figures("by the clock"), Column::figures("steps")]);
    let (mut seconds, mut steps) = (0.0, 0);
    for (what, watched) in [("deploy", deployed), ("images", sent), ("destroy", destroyed)] {
        let Some(watched) = watched else { continue };
        seconds += watched.report.seconds;
        steps += watched.timing.bars.len();
        let count = watched.timing.bars.len().to_string();
        table.row([what.into(), text::seconds(watched.report.seconds).into(), count.into()]);
    }
    table.total([
        Cell::new(Role::Strong, "all"),
        Cell::new(Role::Strong, text::seconds(seconds)),
        Cell::new(Role::Strong, steps.to_string()),
    ]);
    context.print(table.render(width.or(Some(Screen::size().0)), palette))
}

/// Writes the sample images beside where their thumbnails go, so that both can be looked at.
fn unpack_samples(save: &Path) -> Result<Vec<PathBuf>, CliError> {
    let dir = save.join("originals");
    let unwritable = |error: std::io::Error| {
        CliError::failed(format!("cannot write the sample images to {}: {error}", dir.display()))
    };
    std::fs::create_dir_all(&dir).map_err(unwritable)?;
    let mut images = Vec::new();
    for (name, content) in assets::sample_images() {
        let path = dir.join(name);
        std::fs::write(&path, content).map_err(unwritable)?;
        images.push(path);
    }
    Ok(images)
}
