//! `thumbctl build-image`: what Terraform's configuration calls to have the function's image built.

use std::path::PathBuf;

use thumbctl_deploy::cloud::Cloud;
use thumbctl_deploy::session::SessionError;
use thumbctl_deploy::settings::{CloudChoice, Settings};
use thumbctl_deploy::strategy::terraform::build_runner::{BuildEnd, run_build};
use thumbctl_platform::terminal::{print, terminal_text};
use thumbctl_platform::text::clean_line;

use super::args::BuildImageArgs;
use super::error::CliError;
use super::interrupt::Interrupt;

/// Runs a build of a project where the environment says, and waits for its end. No settings of the user's count: whoever
/// calls it has said everything that is to be said.
pub(crate) async fn run(args: &BuildImageArgs, interrupt: &Interrupt) -> Result<(), CliError> {
    let endpoint_url = std::env::var("AWS_ENDPOINT_URL").ok().filter(|url| !url.is_empty());
    let settings = Settings { cloud: CloudChoice::Aws, endpoint_url, ..Settings::with_state_dir(PathBuf::new()) };
    let cloud = Cloud::connect(&settings).await.map_err(SessionError::from)?;
    let orderly = interrupt.orderly();
    let mut unread = None;
    let mut say = |line: &str| {
        if let Err(error) = print(terminal_text!("{}\n", clean_line(line))) {
            unread.get_or_insert(error);
        }
    };
    match run_build(cloud.clients(), &args.project, orderly.token(), &mut say).await {
        Ok(BuildEnd::Succeeded) => unread.map_or(Ok(()), |error| Err(error.into())),
        Ok(BuildEnd::Cancelled) => Err(CliError::Interrupted),
        Err(failure) => Err(CliError::Failed(vec![failure])),
    }
}
