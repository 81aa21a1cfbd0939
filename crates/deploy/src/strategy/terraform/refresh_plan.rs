//! A refresh and plan with Terraform: planned changes and drift. Changes neither cloud nor state,
//! and does not disturb other processes in the folder.

use thumbctl_core::event::Failure;
use thumbctl_core::names::Names;
use thumbctl_platform::private_fs;
use tokio_util::sync::CancellationToken;

use super::diagnosis::Diagnosis;
use super::process::{Process, ended};
use super::stream::{Change, Diagnostic, Line, Message, Summary};
use super::workspace::Workspace;
use super::{Terraform, TerraformUnavailable};
use crate::deploy_target::DeployTarget;

/// The prefix of the temporary folders for variables and output.
const FOLDER_PREFIX: &str = "plan-";

/// The result of a refresh and plan.
#[derive(Clone, Debug, Default)]
pub struct RefreshPlan {
    /// The number of resources in the state.
    pub known: usize,
    /// The changes of an apply.
    pub planned: Vec<Change>,
    /// Resources in the state that no longer exist.
    pub missing: Vec<Change>,
    /// The number of changes of an apply.
    pub summary: Summary,
}

/// Compares configuration, state and cloud by `terraform plan`. Without a deployment, no state is read.
/// The folder is used as it is.
///
/// # Errors
/// When Terraform cannot be run, fails, or is cancelled.
pub(super) async fn refresh_plan(
    terraform: &Terraform,
    (names, exists): (&Names, bool),
    target: &DeployTarget,
    cancel: &CancellationToken,
) -> Result<RefreshPlan, Failure> {
    let workspace = &terraform.workspace;
    let unusable = |error| workspace.failed("", error).failure();
    if !workspace.is_initialized(&terraform.program, &terraform.settings) {
        return Err(Failure::new(
            "Terraform's folder is not initialized, and another process has locked the deployment",
        )
        .with_hint("retry after that process has ended"));
    }
    let folder = private_fs::temporary_dir(FOLDER_PREFIX, workspace.dir()).map_err(unusable)?;
    let own = Workspace::new(folder.path().to_owned());
    let variables = own.write_variables(names, target).map_err(|error| error.failure())?;
    let variables = format!("-var-file={}", variables.display());
    let no_state = format!("-state={}", folder.path().join("none.tfstate").display());
    // No lock is taken: a read-only plan may see a changing state, as it may see a changing cloud.
    let mut arguments = vec!["plan", "-json", "-input=false", "-lock=false", &variables];
    let known = if exists { workspace.state().map_or(0, |state| state.len()) } else { 0 };
    if !exists {
        arguments.push(&no_state);
    }
    let mut plan = RefreshPlan { known, ..RefreshPlan::default() };
    let mut errors = Vec::new();
    let mut process = terraform.start_in(&arguments, Some(folder.path())).await?;
    while let Some(lines) = lines(&mut process, cancel).await.map_err(unusable)? {
        for line in lines {
            match line.message {
                Message::Planned(change) if change.action != "noop" && change.action != "read" => {
                    plan.planned.push(change);
                }
                // Other drift that matters is planned as a change; the rest are the provider's own attributes.
                Message::Drift(change) if change.action == "delete" => plan.missing.push(change),
                Message::Summary(summary) => plan.summary = summary,
                Message::Diagnostic(diagnostic) if diagnostic.is_error() => errors.push(diagnostic),
                _ => {}
            }
        }
    }
    check_exit(terraform, "plan", &process, &errors)?;
    // Terraform's order is that of its graph walk.
    plan.planned.sort_by(|a, b| a.address.cmp(&b.address));
    plan.missing.sort_by(|a, b| a.address.cmp(&b.address));
    Ok(plan)
}

/// Returns the next lines; a cancelled run is interrupted, and read to its end.
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
    /// Writes the configuration into the deployment's folder and initializes it, unless nothing would change. Returns the
    /// installed providers, by address and version.
    ///
    /// # Errors
    /// When Terraform cannot be run, or cannot install its provider.
    pub async fn prepare_folder(&self, cancel: &CancellationToken) -> Result<Vec<(String, String)>, Failure> {
        let Self { program, settings, workspace, .. } = self;
        let unusable = |error| workspace.failed("", error).failure();
        let written = workspace.write_configuration(settings).and_then(|()| workspace.write_imports(&[]));
        written.and_then(|()| workspace.remove_all(FOLDER_PREFIX)).map_err(|error| error.failure())?;
        if !workspace.is_initialized(program, settings) {
            workspace.unlock_providers(program, settings).map_err(|error| error.failure())?;
            let arguments = self.init_arguments();
            let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
            let mut process = self.start(&arguments).await?;
            while lines(&mut process, cancel).await.map_err(unusable)?.is_some() {}
            if let Err(failure) = check_exit(self, "init", &process, &[]) {
                workspace.lock_providers_again().map_err(|error| error.failure())?;
                return Err(failure);
            }
            workspace.set_initialized(program, settings).map_err(|error| error.failure())?;
        }
        Ok(workspace.providers())
    }
}

fn check_exit(terraform: &Terraform, command: &str, process: &Process, errors: &[Diagnostic]) -> Result<(), Failure> {
    let Some(status) = process.status().filter(|status| !status.success()) else { return Ok(()) };
    process.end_group();
    let command = format!("{} {command}", terraform.program.name());
    let (output, ended) = (process.errors(), ended(status));
    Err(Diagnosis { command: &command, errors, output: &output, ended: &ended, has_crash_log: false }.failure())
}

impl TerraformUnavailable {
    /// Returns the error as a failure with its hint.
    pub(super) fn failure(&self) -> Failure {
        Failure { hint: self.hint(), ..Failure::from_error(self) }
    }

    /// Returns what to do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Terraform(error) => error.hint(),
            Self::Cloud(error) => error.hint(),
        }
    }
}
