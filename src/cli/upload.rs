//! `thumbctl upload`

use std::path::PathBuf;
use std::sync::Arc;

use thumbctl_core::engine::OpenGate;
use thumbctl_core::plan::Plan;
use thumbctl_deploy::session::Session;

use super::args::UploadArgs;
use super::context::Context;
use super::error::CliError;
use super::screen::Screen;
use super::summary;
use super::watch::{Watched, watch};

/// Uploads images and waits for their thumbnails.
pub(crate) async fn run(context: &Context, args: UploadArgs) -> Result<(), CliError> {
    let session = context.session().await?;
    let (plan, watched) = upload(context, &session, args.images, args.save).await?;
    if !context.is_json() {
        context.print(summary::outcome(&watched.timing, context.screen.out, Screen::size().0))?;
        context.print("\n")?;
        context.print(summary::images(&watched.test_upload, context.screen.out, context.screen.table_width()))?;
    }
    watched.verdict(&plan)
}

/// Uploads images and shows their progress.
pub(crate) async fn upload(
    context: &Context,
    session: &Session,
    images: Vec<PathBuf>,
    save: PathBuf,
) -> Result<(Plan, Watched), CliError> {
    let prepared = session.prepare_test_upload(images, Some(save)).await?;
    let plan = prepared.started().plan.clone();
    let graceful = context.interrupt.graceful();
    let cancel = graceful.token();
    let running = prepared.run(Arc::new(OpenGate), cancel.clone()).await?;
    let watched = watch(context, running, cancel, None).await?;
    Ok((plan, watched))
}
