//! Looking with Terraform: what it would do, and what is not as its state has it. Nothing in the cloud or in the state changes,
//! and whoever works in the folder is not disturbed.

use thumbctl_core::event::Failure;
use thumbctl_core::names::Names;
use thumbctl_platform::private_fs;
use tokio_util::sync::CancellationToken;

use super::diagnosis::Diagnosis;
use super::process::{Process, ended};
use super::stream::{Change, Diagnostic, Line, Message, Summary};
use super::workspace::Workspace;
use super::{NotReady, Terraform};
use crate::strategy::Site;

/// How the folders are called in which what is looked at is written down, for as long as that takes.
const LOOKING: &str = "look-";

/// What Terraform says when it looks.
#[derive(Clone, Debug, Default)]
pub struct Look {
    /// How many resources the state has.
    pub known: usize,
    /// What an apply would do.
    pub planned: Vec<Change>,
    /// What is gone, though the state has it.
    pub missing: Vec<Change>,
    /// How much an apply would do.
    pub summary: Summary,
}

/// Has Terraform compare its configuration, its state and the cloud. Where nothing stands, there is no state to compare with.
/// Its folder is taken as it is.
///
/// # Errors
/// When Terraform cannot be run, fails, or is cancelled: why, in words.
pub async fn look(
    terraform: &Terraform,
    (names, stands): (&Names, bool),
    site: &Site,
    cancel: &CancellationToken,
) -> Result<Look, Failure> {
    let workspace = &terraform.workspace;
    let unusable = |error| workspace.failed("", error).failure();
    if !workspace.is_initialised(&terraform.program, &terraform.settings) {
        return Err(Failure::new("Terraform's folder is not initialised yet, and somebody works on the deployment")
            .with_hint("try it again when that has ended"));
    }
    let folder = private_fs::temporary_dir(LOOKING, workspace.dir()).map_err(unusable)?;
    let own = Workspace::new(folder.path().to_owned());
    let variables = own.write_variables(names, site).map_err(|error| error.failure())?;
    let variables = format!("-var-file={}", variables.display());
    let no_state = format!("-state={}", folder.path().join("none.tfstate").display());
    // Nobody's lock is waited for: what is read may be changing, as the cloud may.
    let mut arguments = vec!["plan", "-json", "-input=false", "-lock=false", &variables];
    let known = if stands { workspace.state().map_or(0, |state| state.len()) } else { 0 };
    if !stands {
        arguments.push(&no_state);
    }
    let mut look = Look { known, ..Look::default() };
    let mut errors = Vec::new();
    let mut process = terraform.start_in(&arguments, Some(folder.path())).await?;
    while let Some(lines) = lines(&mut process, cancel).await.map_err(unusable)? {
        for line in lines {
            match line.message {
                Message::Planned(change) if change.action != "noop" && change.action != "read" => {
                    look.planned.push(change);
                }
                // Whatever else differs and matters is planned to be changed; the rest are the provider's own words.
                Message::Drift(change) if change.action == "delete" => look.missing.push(change),
                Message::Summary(summary) => look.summary = summary,
                Message::Diagnostic(diagnostic) if diagnostic.is_error() => errors.push(diagnostic),
                _ => {}
            }
        }
    }
    verdict(terraform, "plan", &process, &errors)?;
    // Terraform tells them in whatever order its graph was walked.
    look.planned.sort_by(|a, b| a.address.cmp(&b.address));
    look.missing.sort_by(|a, b| a.address.cmp(&b.address));
    Ok(look)
}

/// The next lines; one that is cancelled is asked to stop, and read to its end.
async fn lines(process: &mut Process, cancel: &CancellationToken) -> std::io::Result<Option<Vec<Line>>> {
    if !cancel.is_cancelled() {
        tokio::select! {
            lines = process.lines() => return lines,
            () = cancel.cancelled() => {}
        }
    }
    process.interrupt()?;
    process.lines().await
}

impl Terraform {
    /// Writes the configuration into the deployment's folder and initialises it, unless that would change nothing. Answers the
    /// providers that were chosen, by address and version.
    ///
    /// # Errors
    /// When Terraform cannot be run, or does not get its provider: why, in words.
    pub async fn prepare_folder(&self, cancel: &CancellationToken) -> Result<Vec<(String, String)>, Failure> {
        let Self { program, settings, workspace, .. } = self;
        let unusable = |error| workspace.failed("", error).failure();
        let written = workspace.lay_out_configuration(settings).and_then(|()| workspace.write_imports(&[]));
        written.and_then(|()| workspace.remove_all(LOOKING)).map_err(|error| error.failure())?;
        if !workspace.is_initialised(program, settings) {
            workspace.unlock_providers(program, settings).map_err(|error| error.failure())?;
            let arguments = self.init_arguments();
            let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
            let mut process = self.start(&arguments).await?;
            while lines(&mut process, cancel).await.map_err(unusable)?.is_some() {}
            if let Err(failure) = verdict(self, "init", &process, &[]) {
                workspace.lock_providers_again().map_err(|error| error.failure())?;
                return Err(failure);
            }
            workspace.set_initialised(program, settings).map_err(|error| error.failure())?;
        }
        Ok(workspace.providers())
    }
}

fn verdict(terraform: &Terraform, command: &str, process: &Process, errors: &[Diagnostic]) -> Result<(), Failure> {
    let Some(status) = process.status().filter(|status| !status.success()) else { return Ok(()) };
    process.end_group();
    let command = format!("{} {command}", terraform.program.name());
    let (said, ended) = (process.errors(), ended(status));
    Err(Diagnosis { command: &command, errors, said: &said, ended: &ended, has_crash_log: false }.failure())
}

impl NotReady {
    /// The error in words for people.
    pub(super) fn failure(&self) -> Failure {
        Failure { hint: self.hint(), ..Failure::from_error(self) }
    }

    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Terraform(error) => error.hint(),
            Self::Cloud(error) => error.hint(),
        }
    }
}
