//! `thumbctl sandbox reset`, `save`, `load` and `saved`: the sandbox's state, and the journals of its deployments.
//!
//! A saved state is one file that can be shared: the sandbox's data, and the journals of its deployments, which contain
//! their names.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use chrono::{DateTime, Local};
use serde_json::json;
use thumbctl_core::deployment::Deployment;
use thumbctl_core::event::Failure;
use thumbctl_core::journal::{DeploymentLock, JournalError, JournalStore, is_exported_file, read_export};
use thumbctl_core::names::DeploymentName;
use thumbctl_deploy::cloud::{CloudLabel, sandbox_options};
use thumbctl_deploy::session::SessionError;
use thumbctl_deploy::strategy::terraform::STATE_FILES;
use thumbctl_platform::private_fs;
use thumbctl_platform::terminal::{TerminalText, terminal_text};
use thumbctl_platform::text;
use thumbctl_sandbox::{
    ArchiveError, ArchiveLimits, LoadOutcome, SandboxError, StateChange, change_state, load_outcome, pack, unpack,
};
use thumbctl_sandbox_protocol::data_dir_in_use;

use super::args::{SandboxCommand, SavedState};
use super::confirm::{ConfirmMode, confirm};
use super::context::Context;
use super::error::CliError;
use super::pending_load::{DEPLOYMENTS, LoadDir, SANDBOX};
use super::table::{Column, Table};

/// Why the state cannot be saved, loaded or reset.
#[derive(Debug, thiserror::Error)]
enum StateError {
    #[error("no saved state at {}: list named ones with `thumbctl sandbox saved`", .0.display())]
    NotSaved(PathBuf),
    #[error("{} is not a state saved by `thumbctl sandbox save`: {source}", .file.display())]
    NotAState { file: PathBuf, source: ArchiveError },
    #[error("{} is not a state saved by `thumbctl sandbox save`: directory '{part}' is missing", .file.display())]
    Incomplete { file: PathBuf, part: &'static str },
    #[error("{} cannot be loaded: its 'deployments/{name}/{journal}' {problem}; ask its author for another copy", .file.display())]
    UnreadableJournal { file: PathBuf, name: DeploymentName, journal: String, problem: String },
    #[error(
        "{} cannot be loaded: its deployment '{name}' is not in the sandbox; ask its author for another copy",
        .file.display()
    )]
    NotInSandbox { file: PathBuf, name: DeploymentName },
    #[error("{} cannot be loaded: check the permissions and the free space of the state directory", .file.display())]
    Unloadable { file: PathBuf, source: io::Error },
    #[error("{} cannot be saved: {source}", .file.display())]
    Unsaveable { file: PathBuf, source: ArchiveError },
    #[error("{} cannot be written", .file.display())]
    Unwritable { file: PathBuf, source: io::Error },
    #[error(
        "deployment '{name}' in {cloud} has the same name as one in the saved state and would be lost: destroy it first, or use another --state-dir"
    )]
    ExistsElsewhere { name: DeploymentName, cloud: String },
    #[error(transparent)]
    Journal(#[from] JournalError),
    #[error(transparent)]
    Sandbox(#[from] SandboxError),
}

impl From<StateError> for CliError {
    fn from(error: StateError) -> Self {
        Self::Failed(vec![Failure::from_error(&error)])
    }
}

/// Runs a command for the sandbox's state.
pub(crate) async fn run(context: &Context, command: &SandboxCommand) -> Result<(), CliError> {
    let manager = StateManager::new(context)?;
    match command {
        SandboxCommand::Reset => manager.reset().await,
        SandboxCommand::Save(args) => manager.save(&args.state).await,
        SandboxCommand::Load(args) => manager.load(&args.state).await,
        SandboxCommand::Saved => manager.list(),
    }
}

/// The directories and journals of the sandbox's state.
struct StateManager<'a> {
    context: &'a Context,
    journals: JournalStore,
    /// The default data directory of the sandbox.
    default_dir: PathBuf,
    /// The directory of named saved states.
    saved: PathBuf,
}

impl<'a> StateManager<'a> {
    fn new(context: &'a Context) -> Result<Self, CliError> {
        let state_dir = &context.settings.state_dir;
        Ok(Self {
            context,
            journals: JournalStore::new(state_dir),
            default_dir: sandbox_options(&context.settings).map_err(SessionError::from)?.data_dir,
            saved: state_dir.join("saved"),
        })
    }

    async fn reset(&self) -> Result<(), CliError> {
        let current = self.in_sandbox()?;
        let about = terminal_text!("Delete all data of the sandbox{}.\n", with_deployments(&current));
        confirm(self.context, about, "Delete all data?", ConfirmMode::Yes).await?;
        let _locks = self.lock(&current)?;
        self.change(StateChange::Reset).await?;
        self.archive(&current)?;
        self.report("reset", None, &[], "The sandbox is empty.\n".into())
    }

    async fn save(&self, state: &SavedState) -> Result<(), CliError> {
        let file = self.file(state);
        if file.exists() {
            let about = terminal_text!("{} already exists.\n", file.display());
            confirm(self.context, about, "Replace it?", ConfirmMode::Yes).await?;
        }
        let names = self.in_sandbox()?;
        // A deployment in use would be saved incomplete.
        let _locks = self.lock(&names)?;
        let unwritable = |source| StateError::Unwritable { file: file.clone(), source };
        let dir = file.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
        private_fs::create_dir_all(dir).map_err(unwritable)?;
        let parts = private_fs::temporary_dir(".saving-", dir).map_err(unwritable)?;
        let parts_dir = std::path::absolute(parts.path()).map_err(unwritable)?;
        self.change(StateChange::SaveTo(parts_dir.join(SANDBOX))).await?;
        private_fs::create_dir_all(&parts_dir.join(DEPLOYMENTS)).map_err(unwritable)?;
        for name in &names {
            let to = parts_dir.join(DEPLOYMENTS).join(name.as_str());
            self.journals.deployment(name).export_runs(&to, STATE_FILES).map_err(StateError::from)?;
        }
        pack(&parts_dir, &file, ArchiveLimits::default())
            .map_err(|source| StateError::Unsaveable { file: file.clone(), source })?;
        let message = terminal_text!("Saved the sandbox{} as {}.\n", with_deployments(&names), file.display());
        self.report("save", Some(&file), &names, message)
    }

    async fn load(&self, state: &SavedState) -> Result<(), CliError> {
        let file = self.file(state);
        if !file.is_file() {
            return Err(StateError::NotSaved(file).into());
        }
        let unloadable = |source| StateError::Unloadable { file: file.clone(), source };
        let parts = LoadDir::create(&self.saved).map_err(unloadable)?;
        unpack(&file, parts.path(), ArchiveLimits::default(), &belongs_to_journals)
            .map_err(|source| StateError::NotAState { file: file.clone(), source })?;
        #[cfg(debug_assertions)]
        thumbctl_platform::failpoint::at("load-unpacked");
        let (sandbox, deployments) = (parts.path().join(SANDBOX), parts.path().join(DEPLOYMENTS));
        for (part, dir) in [(SANDBOX, &sandbox), (DEPLOYMENTS, &deployments)] {
            if !dir.is_dir() {
                return Err(StateError::Incomplete { file, part }.into());
            }
        }
        let incoming = names_below(&deployments).map_err(unloadable)?;
        self.check_journals(&file, &deployments, &incoming)?;
        self.check_other_clouds(&incoming)?;
        let current = self.in_sandbox()?;
        if !current.is_empty() {
            let about = terminal_text!("Replace the sandbox{}.\n", with_deployments(&current));
            confirm(self.context, about, "Replace it?", ConfirmMode::Yes).await?;
        }
        let mut all = current.clone();
        all.extend(incoming.iter().cloned());
        all.sort();
        all.dedup();
        let _locks = self.lock(&all)?;
        self.replace(&file, parts, &current, &incoming).await?;
        let message = terminal_text!("Loaded the sandbox from {}{}.\n", file.display(), with_deployments(&incoming));
        self.report("load", Some(&file), &incoming, message)
    }

    /// Replaces the sandbox's state and the journals; neither, if that fails.
    async fn replace(
        &self,
        file: &Path,
        parts: LoadDir,
        current: &[DeploymentName],
        incoming: &[DeploymentName],
    ) -> Result<(), StateError> {
        let unloadable = |source| StateError::Unloadable { file: file.to_owned(), source };
        let data_dir = data_dir_in_use(&self.default_dir).await;
        let sandbox = std::path::absolute(parts.path().join(SANDBOX)).map_err(unloadable)?;
        let id = parts.record(&data_dir, current, incoming).map_err(unloadable)?;
        let changed = change_state(&data_dir, StateChange::LoadFrom(sandbox)).await;
        // The response of a running sandbox may be lost after the change.
        match (changed, load_outcome(&data_dir, &id).await) {
            (Ok(()), _) | (Err(_), LoadOutcome::Loaded) => Ok(parts.complete(&self.journals)?),
            (Err(error), LoadOutcome::NotLoaded) => Err(error.into()),
            (Err(error), LoadOutcome::Pending) => {
                parts.keep();
                Err(error.into())
            }
        }
    }

    /// Rejects unreadable journals, and those of deployments in other clouds, where `destroy` would delete resources.
    fn check_journals(&self, file: &Path, dir: &Path, names: &[DeploymentName]) -> Result<(), StateError> {
        for name in names {
            let mut deployment = Deployment::new(name.clone());
            read_export(&dir.join(name.as_str()), STATE_FILES, |event| deployment.apply(event))
                .map_err(|source| unreadable_journal(file, name, source))?;
            if deployment.origin().is_none_or(|origin| !is_sandbox(&origin.cloud)) {
                return Err(StateError::NotInSandbox { file: file.to_owned(), name: name.clone() });
            }
        }
        Ok(())
    }

    fn list(&self) -> Result<(), CliError> {
        let unreadable =
            |source: io::Error| CliError::failed(format!("cannot read {}: {source}", self.saved.display()));
        let entries = match fs::read_dir(&self.saved) {
            Ok(entries) => entries.collect::<Result<Vec<_>, _>>().map_err(unreadable)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(unreadable(error)),
        };
        let mut states = Vec::new();
        for entry in entries {
            let name = entry.file_name().to_string_lossy().into_owned();
            if let Some(name) = name.strip_suffix(".tar.gz") {
                let metadata = entry.metadata().map_err(unreadable)?;
                let when = DateTime::<Local>::from(metadata.modified().map_err(unreadable)?);
                states.push((name.to_owned(), when, metadata.len()));
            }
        }
        states.sort();
        if self.context.is_json() {
            for (name, when, bytes) in states {
                self.context.print_json(&json!({ "name": name, "saved": when.to_rfc3339(), "bytes": bytes }))?;
            }
            return Ok(());
        }
        if states.is_empty() {
            return self.context.print("No saved states. To save one: `thumbctl sandbox save NAME`\n");
        }
        let mut table = Table::new([Column::text("state"), Column::text("saved"), Column::figures("kB")]);
        for (name, when, bytes) in states {
            let kilobytes = bytes.div_ceil(1000).to_string();
            table.row([name.into(), when.format("%Y-%m-%d %H:%M").to_string().into(), kilobytes.into()]);
        }
        let screen = &self.context.screen;
        self.context.print(table.render(screen.table_width(), screen.out))
    }

    fn file(&self, state: &SavedState) -> PathBuf {
        match state {
            SavedState::Named(name) => self.saved.join(format!("{name}.tar.gz")),
            SavedState::File(file) => file.clone(),
        }
    }

    /// Changes the state of the sandbox in use.
    async fn change(&self, change: StateChange) -> Result<(), StateError> {
        Ok(change_state(&data_dir_in_use(&self.default_dir).await, change).await?)
    }

    fn deployment(&self, name: &DeploymentName) -> Result<Deployment, StateError> {
        Ok(self.journals.deployment(name).deployment()?)
    }

    /// The deployments in the sandbox.
    fn in_sandbox(&self) -> Result<Vec<DeploymentName>, StateError> {
        let mut names = Vec::new();
        for name in self.journals.names()? {
            if cloud_of(&self.deployment(&name)?).is_some_and(|cloud| is_sandbox(&cloud)) {
                names.push(name);
            }
        }
        Ok(names)
    }

    fn check_other_clouds(&self, incoming: &[DeploymentName]) -> Result<(), StateError> {
        for name in incoming {
            if let Some(cloud) = cloud_of(&self.deployment(name)?).filter(|cloud| !is_sandbox(cloud)) {
                return Err(StateError::ExistsElsewhere { name: name.clone(), cloud });
            }
        }
        Ok(())
    }

    fn lock(&self, names: &[DeploymentName]) -> Result<Vec<DeploymentLock>, StateError> {
        Ok(names.iter().map(|name| self.journals.deployment(name).lock()).collect::<Result<_, _>>()?)
    }

    /// Archives the journals of deployments whose resources no longer exist.
    fn archive(&self, names: &[DeploymentName]) -> Result<(), StateError> {
        Ok(names.iter().try_for_each(|name| self.journals.deployment(name).archive(STATE_FILES))?)
    }

    fn report(
        &self,
        done: &str,
        file: Option<&Path>,
        names: &[DeploymentName],
        message: TerminalText,
    ) -> Result<(), CliError> {
        if !self.context.is_json() {
            return self.context.print(message);
        }
        let names: Vec<String> = names.iter().map(ToString::to_string).collect();
        self.context.print_json(&json!({ "done": done, "file": file, "deployments": names }))
    }
}

/// The cloud of a deployment, if it has resources.
fn cloud_of(deployment: &Deployment) -> Option<String> {
    deployment.origin().filter(|_| deployment.has_resources()).map(|origin| origin.cloud.clone())
}

fn is_sandbox(cloud: &str) -> bool {
    cloud == CloudLabel::Sandbox.to_string()
}

fn with_deployments(names: &[DeploymentName]) -> String {
    match names {
        [] => String::new(),
        names => {
            let listed: Vec<String> = names.iter().map(ToString::to_string).collect();
            format!(" with {}: {}", text::count(names.len(), "deployment"), listed.join(", "))
        }
    }
}

/// The error of a saved state's journal; [`JournalError`] describes local ones.
fn unreadable_journal(file: &Path, name: &DeploymentName, error: JournalError) -> StateError {
    let (path, problem) = match error {
        JournalError::Damaged { path, line, source } => (path, format!("is damaged in line {line} ({source})")),
        JournalError::Newer { path, .. } => (path, "was written by a newer thumbctl".to_owned()),
        JournalError::Unknown { path } => (path, "is not a file of a saved state".to_owned()),
        JournalError::Io { path, source, .. } => (path, format!("cannot be read ({source})")),
        locked @ JournalError::Locked { .. } => return locked.into(),
    };
    let journal = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    StateError::UnreadableJournal { file: file.to_owned(), name: name.clone(), journal, problem }
}

/// Whether a file of a saved state belongs to its journals.
fn belongs_to_journals(path: &Path, is_dir: bool) -> bool {
    let parts: Vec<&OsStr> = path.iter().collect();
    let is_name = |part: &OsStr| part.to_str().is_some_and(|name| DeploymentName::new(name).is_ok());
    match parts[..] {
        [top] => top == DEPLOYMENTS && is_dir,
        [top, name] => top == DEPLOYMENTS && is_name(name) && is_dir,
        [top, name, file] => top == DEPLOYMENTS && is_name(name) && is_exported_file(file, STATE_FILES) && !is_dir,
        _ => false,
    }
}

/// The deployments in a saved state.
fn names_below(dir: &Path) -> io::Result<Vec<DeploymentName>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(dir)? {
        let name = entry?.file_name();
        let parsed = name.to_str().and_then(|name| DeploymentName::new(name).ok());
        names.push(parsed.ok_or_else(|| {
            io::Error::new(
                io::ErrorKind::InvalidData,
                format!("'{}' is not a valid deployment name", name.to_string_lossy()),
            )
        })?);
    }
    names.sort();
    Ok(names)
}
