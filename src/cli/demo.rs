//! `thumbctl demo`: deploys, uploads sample images, destroys, and shows the timings.

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
use super::deploy::{confirm_creation, deploy};
use super::destroy::destroy;
use super::error::{self, CliError};
use super::screen::Screen;
use super::style::Role;
use super::summary;
use super::table::{Cell, Column, Table};
use super::upload::upload;
use super::watch::Watched;

/// The demonstration's default deployment name.
pub(crate) fn default_name() -> Assignment {
    Assignment { key: "name".into(), value: "demo".into(), origin: Origin::Flag("--name".into()) }
}

/// Runs the demonstration.
pub(crate) async fn run(context: &Context, args: &DemoArgs) -> Result<(), CliError> {
    let session = context.session().await?;
    // The demonstration must not destroy an existing deployment.
    if session.deployment()?.has_resources() {
        let name = &context.settings.name;
        return Err(CliError::usage(
            format!("deployment '{name}' already exists, and the demonstration would destroy it"),
            format!("destroy it with `thumbctl destroy --name {name}`, or use another --name"),
        ));
    }
    let prepared = session.prepare_deploy(RunMode::Continuous).await?;
    let suffix = if args.keep { "" } else { ", to be deleted afterwards" };
    confirm_creation(context, &session, &prepared, suffix).await?;

    let plan = prepared.started().plan.clone();
    let deployed = deploy(context, prepared, false).await;
    let mut result = report_failures(context, deployed.as_ref().ok(), &plan);
    let mut uploaded = None;
    if matches!(&deployed, Ok(watched) if watched.report.outcome == Outcome::Succeeded) {
        match upload_samples(context, &session, &args.save).await {
            Ok((plan, watched)) => {
                result = result.and(report_failures(context, Some(&watched), &plan));
                uploaded = Some(watched);
            }
            Err(error) => result = result.and(Err(error)),
        }
    }
    let mut destroyed = None;
    if args.keep {
        let name = context.settings.name.as_str();
        notify(context, &format!("The deployment is kept. To destroy it: `thumbctl destroy --name {name}`"));
    } else {
        if context.interrupt.happened() {
            let name = context.settings.name.as_str();
            notify(context, &format!("Deleting the resources. After Ctrl-C, use `thumbctl destroy --name {name}`."));
        }
        match clean_up(context, &session).await {
            Ok(Some((plan, watched))) => {
                result = result.and(report_failures(context, Some(&watched), &plan));
                destroyed = Some(watched);
            }
            Ok(None) => {}
            Err(error) => result = result.and(Err(error)),
        }
    }
    if !context.is_json() {
        report(context, deployed.as_ref().ok(), uploaded.as_ref(), destroyed.as_ref(), &args.save)?;
    }
    if context.interrupt.happened() {
        return Err(CliError::Interrupted);
    }
    deployed?;
    result
}

async fn upload_samples(context: &Context, session: &Session, save: &Path) -> Result<(Plan, Watched), CliError> {
    upload(context, session, unpack_samples(save)?, save.to_owned()).await
}

async fn clean_up(context: &Context, session: &Session) -> Result<Option<(Plan, Watched)>, CliError> {
    let prepared = session.prepare_destroy().await?;
    if prepared.is_empty() {
        return Ok(None);
    }
    let plan = prepared.started().plan.clone();
    Ok(Some((plan, destroy(context, prepared).await?)))
}

/// Reports the failures of a run at once, since other output follows.
fn report_failures(context: &Context, watched: Option<&Watched>, plan: &Plan) -> Result<(), CliError> {
    let Some(watched) = watched else { return Ok(()) };
    match watched.verdict(plan) {
        Err(CliError::Failed(failures)) => {
            for failure in &failures {
                error::report_failure(failure, context.verbose, context.screen);
            }
            Err(CliError::AlreadyReported)
        }
        result => result,
    }
}

fn notify(context: &Context, message: &str) {
    print_error(terminal_text!("\n{}\n", context.screen.err.paint(Role::Warn, message)));
}

/// Prints the timings.
fn report(
    context: &Context,
    deployed: Option<&Watched>,
    uploaded: Option<&Watched>,
    destroyed: Option<&Watched>,
    save: &Path,
) -> Result<(), CliError> {
    let palette = context.screen.out;
    let width = context.screen.table_width();
    let heading = |words: &str| terminal_text!("\n{}\n\n", palette.paint(Role::Strong, words));
    if let Some(deployed) = deployed {
        context.print(heading("Deployment"))?;
        context.print(summary::steps(&deployed.timing, palette, width))?;
    }
    if let Some(uploaded) = uploaded {
        context.print(heading("Thumbnails"))?;
        context.print(summary::images(&uploaded.test_upload, palette, width))?;
        let dir = std::path::absolute(save).unwrap_or_else(|_| save.to_owned());
        let words = format!("  saved in {}, the originals in its directory 'originals'", dir.display());
        context.print(terminal_text!("{}\n", palette.paint(Role::Muted, &words)))?;
    }
    context.print(heading("Total"))?;
    let mut table = Table::new([Column::text(""), Column::figures("elapsed"), Column::figures("steps")]);
    let (mut seconds, mut steps) = (0.0, 0);
    for (what, watched) in [("deploy", deployed), ("images", uploaded), ("destroy", destroyed)] {
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

/// Writes the sample images into the thumbnails' directory, for comparison.
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
