//! `thumbctl build-image`: builds the function's image for the Terraform configuration.

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

/// Runs a build of a project in the cloud of the environment variables, and waits for its end. Ignores the user's settings,
/// since the caller sets everything by environment.
pub(crate) async fn run(args: &BuildImageArgs, interrupt: &Interrupt) -> Result<(), CliError> {
    let endpoint_url = std::env::var("AWS_ENDPOINT_URL").ok().filter(|url| !url.is_empty());
    let settings = Settings { cloud: CloudChoice::Aws, endpoint_url, ..Settings::with_state_dir(PathBuf::new()) };
    let cloud = Cloud::connect(&settings).await.map_err(SessionError::from)?;
    let graceful = interrupt.graceful();
    let mut output_error = None;
    let mut print_line = |line: &str| {
        if let Err(error) = print(terminal_text!("{}\n", clean_line(line))) {
            output_error.get_or_insert(error);
        }
    };
    match run_build(cloud.clients(), &args.project, graceful.token(), &mut print_line).await {
        Ok(BuildEnd::Succeeded) => output_error.map_or(Ok(()), |error| Err(error.into())),
        Ok(BuildEnd::Cancelled) => Err(CliError::Interrupted),
        Err(failure) => Err(CliError::Failed(vec![failure])),
    }
}
