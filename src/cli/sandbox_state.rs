//! `thumbctl sandbox reset`, `save`, `load` and `saved`: the sandbox as a whole, and the journals of what stands in it.
//!
//! A saved state is one file, so that an instructor can hand it on: the sandbox's data, and the journals of the deployments
//! that stand in it, without which nobody would know their names.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use chrono::{DateTime, Local};
use serde_json::json;
use thumbctl_core::deployment::Deployment;
use thumbctl_core::event::Failure;
use thumbctl_core::journal::{DeploymentLock, JournalError, JournalStore, is_copied_file, read_copy};
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
use super::confirm::{Consent, confirm};
use super::context::Context;
use super::error::CliError;
use super::pending_load::{DEPLOYMENTS, LoadDir, SANDBOX};
use super::table::{Column, Table};

/// Why the state cannot be saved, loaded or emptied.
#[derive(Debug, thiserror::Error)]
enum StateError {
    #[error("there is no saved state at {}: `thumbctl sandbox saved` lists those that have a name", .0.display())]
    NotSaved(PathBuf),
    #[error("{} is not a state that `thumbctl sandbox save` has made: {source}", .file.display())]
    NotAState { file: PathBuf, source: ArchiveError },
    #[error("{} is not a state that `thumbctl sandbox save` has made: it has no directory '{part}'", .file.display())]
    Incomplete { file: PathBuf, part: &'static str },
    #[error("{} cannot be loaded: its 'deployments/{name}/{journal}' {problem}; ask its author for another", .file.display())]
    UnreadableJournal { file: PathBuf, name: DeploymentName, journal: String, problem: String },
    #[error(
        "{} cannot be loaded: by its journals deployment '{name}' is not in the sandbox; ask its author for another",
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
        "deployment '{name}' stands in {cloud}, and the saved state has another of that name: it would not be found again; destroy it first, or use another --state-dir"
    )]
    StandsElsewhere { name: DeploymentName, cloud: String },
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

/// Does what is asked for.
pub(crate) async fn run(context: &Context, command: &SandboxCommand) -> Result<(), CliError> {
    let desk = Desk::new(context)?;
    match command {
        SandboxCommand::Reset => desk.reset().await,
        SandboxCommand::Save(args) => desk.save(&args.state).await,
        SandboxCommand::Load(args) => desk.load(&args.state).await,
        SandboxCommand::Saved => desk.list(),
    }
}

/// Where everything is.
struct Desk<'a> {
    context: &'a Context,
    journals: JournalStore,
    /// The usual data directory of the sandbox.
    usual: PathBuf,
    /// The saved states that have a name.
    saved: PathBuf,
}

impl<'a> Desk<'a> {
    fn new(context: &'a Context) -> Result<Self, CliError> {
        let state_dir = &context.settings.state_dir;
        Ok(Self {
            context,
            journals: JournalStore::new(state_dir),
            usual: sandbox_options(&context.settings).map_err(SessionError::from)?.data_dir,
            saved: state_dir.join("saved"),
        })
    }

    async fn reset(&self) -> Result<(), CliError> {
        let there = self.in_sandbox()?;
        let about = terminal_text!("This empties the sandbox{}.\n", with_deployments(&there));
        confirm(self.context, about, "Empty it?", Consent::Yes).await?;
        let _locks = self.lock(&there)?;
        self.change(StateChange::Reset).await?;
        self.set_aside(&there)?;
        self.tell("reset", None, &[], "The sandbox is empty.\n".into())
    }

    async fn save(&self, state: &SavedState) -> Result<(), CliError> {
        let file = self.file(state);
        if file.exists() {
            let about = terminal_text!("{} is there already.\n", file.display());
            confirm(self.context, about, "Replace it?", Consent::Yes).await?;
        }
        let names = self.in_sandbox()?;
        // What is being worked on would be saved half done.
        let _locks = self.lock(&names)?;
        let unwritable = |source| StateError::Unwritable { file: file.clone(), source };
        let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        private_fs::create_dir_all(folder).map_err(unwritable)?;
        let parts = private_fs::temporary_dir(".saving-", folder).map_err(unwritable)?;
        let parts_dir = std::path::absolute(parts.path()).map_err(unwritable)?;
        self.change(StateChange::SaveTo(parts_dir.join(SANDBOX))).await?;
        private_fs::create_dir_all(&parts_dir.join(DEPLOYMENTS)).map_err(unwritable)?;
        for name in &names {
            let to = parts_dir.join(DEPLOYMENTS).join(name.as_str());
            self.journals.deployment(name).copy_runs(&to, STATE_FILES).map_err(StateError::from)?;
        }
        pack(&parts_dir, &file, ArchiveLimits::default())
            .map_err(|source| StateError::Unsaveable { file: file.clone(), source })?;
        let words = terminal_text!("Saved the sandbox{} as {}.\n", with_deployments(&names), file.display());
        self.tell("save", Some(&file), &names, words)
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
        let coming = names_below(&deployments).map_err(unloadable)?;
        self.check_journals(&file, &deployments, &coming)?;
        self.refuse_what_stands_elsewhere(&coming)?;
        let there = self.in_sandbox()?;
        if !there.is_empty() {
            let about = terminal_text!("This replaces the sandbox{}.\n", with_deployments(&there));
            confirm(self.context, about, "Replace it?", Consent::Yes).await?;
        }
        let mut all = there.clone();
        all.extend(coming.iter().cloned());
        all.sort();
        all.dedup();
        let _locks = self.lock(&all)?;
        self.replace(&file, parts, &there, &coming).await?;
        let words = terminal_text!(
            "The sandbox is as it was when {} was saved{}.\n",
            file.display(),
            with_deployments(&coming)
        );
        self.tell("load", Some(&file), &coming, words)
    }

    /// Replaces the sandbox's state, and with it the journals. If that fails, both are as they were.
    async fn replace(
        &self,
        file: &Path,
        parts: LoadDir,
        there: &[DeploymentName],
        coming: &[DeploymentName],
    ) -> Result<(), StateError> {
        let unloadable = |source| StateError::Unloadable { file: file.to_owned(), source };
        let data_dir = data_dir_in_use(&self.usual).await;
        let sandbox = std::path::absolute(parts.path().join(SANDBOX)).map_err(unloadable)?;
        let id = parts.record(&data_dir, there, coming).map_err(unloadable)?;
        let changed = change_state(&data_dir, StateChange::LoadFrom(sandbox)).await;
        // The answer of a sandbox that runs may be lost after it has done it.
        match (changed, load_outcome(&data_dir, &id).await) {
            (Ok(()), _) | (Err(_), LoadOutcome::Loaded) => Ok(parts.complete(&self.journals)?),
            (Err(error), LoadOutcome::NotLoaded) => Err(error.into()),
            (Err(error), LoadOutcome::Pending) => {
                parts.leave();
                Err(error.into())
            }
        }
    }

    /// Refuses journals that cannot be read, or that are of deployments elsewhere: `destroy` would go there.
    fn check_journals(&self, file: &Path, dir: &Path, names: &[DeploymentName]) -> Result<(), StateError> {
        for name in names {
            let mut deployment = Deployment::new(name.clone());
            read_copy(&dir.join(name.as_str()), STATE_FILES, |event| deployment.apply(event))
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
            return self.context.print("No state is saved. `thumbctl sandbox save NAME` saves one.\n");
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

    /// Changes the state of the sandbox that commands use.
    async fn change(&self, change: StateChange) -> Result<(), StateError> {
        Ok(change_state(&data_dir_in_use(&self.usual).await, change).await?)
    }

    fn deployment(&self, name: &DeploymentName) -> Result<Deployment, StateError> {
        let mut deployment = Deployment::new(name.clone());
        self.journals.deployment(name).each(|event| deployment.apply(&event))?;
        Ok(deployment)
    }

    /// The deployments that stand in the sandbox.
    fn in_sandbox(&self) -> Result<Vec<DeploymentName>, StateError> {
        let mut standing = Vec::new();
        for name in self.journals.names()? {
            if stands_in(&self.deployment(&name)?).is_some_and(|cloud| is_sandbox(&cloud)) {
                standing.push(name);
            }
        }
        Ok(standing)
    }

    fn refuse_what_stands_elsewhere(&self, coming: &[DeploymentName]) -> Result<(), StateError> {
        for name in coming {
            if let Some(cloud) = stands_in(&self.deployment(name)?).filter(|cloud| !is_sandbox(cloud)) {
                return Err(StateError::StandsElsewhere { name: name.clone(), cloud });
            }
        }
        Ok(())
    }

    fn lock(&self, names: &[DeploymentName]) -> Result<Vec<DeploymentLock>, StateError> {
        Ok(names.iter().map(|name| self.journals.deployment(name).lock()).collect::<Result<_, _>>()?)
    }

    /// What stood in the sandbox stands no more: its journals tell of nothing that there is.
    fn set_aside(&self, names: &[DeploymentName]) -> Result<(), StateError> {
        Ok(names.iter().try_for_each(|name| self.journals.deployment(name).set_aside(STATE_FILES))?)
    }

    fn tell(
        &self,
        done: &str,
        file: Option<&Path>,
        names: &[DeploymentName],
        words: TerminalText,
    ) -> Result<(), CliError> {
        if !self.context.is_json() {
            return self.context.print(words);
        }
        let names: Vec<String> = names.iter().map(ToString::to_string).collect();
        self.context.print_json(&json!({ "done": done, "file": file, "deployments": names }))
    }
}

/// In which cloud a deployment stands, if it does.
fn stands_in(deployment: &Deployment) -> Option<String> {
    deployment.origin().filter(|_| deployment.is_standing()).map(|origin| origin.cloud.clone())
}

fn is_sandbox(cloud: &str) -> bool {
    cloud == CloudLabel::Sandbox.to_string()
}

fn with_deployments(names: &[DeploymentName]) -> String {
    match names {
        [] => String::new(),
        names => {
            let listed: Vec<String> = names.iter().map(ToString::to_string).collect();
            format!(", with {} in it: {}", text::count(names.len(), "deployment"), listed.join(", "))
        }
    }
}

/// What is wrong with a journal that comes with a saved state; [`JournalError`] is about one's own.
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

/// Whether a member of a saved state is part of its journals.
fn belongs_to_journals(path: &Path, is_dir: bool) -> bool {
    let parts: Vec<&OsStr> = path.iter().collect();
    let is_name = |part: &OsStr| part.to_str().is_some_and(|name| DeploymentName::new(name).is_ok());
    match parts[..] {
        [top] => top == DEPLOYMENTS && is_dir,
        [top, name] => top == DEPLOYMENTS && is_name(name) && is_dir,
        [top, name, file] => top == DEPLOYMENTS && is_name(name) && is_copied_file(file, STATE_FILES) && !is_dir,
        _ => false,
    }
}

/// The deployments whose journals are in a saved state.
fn names_below(dir: &Path) -> io::Result<Vec<DeploymentName>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(dir)? {
        let name = entry?.file_name();
        let legal = name.to_str().and_then(|name| DeploymentName::new(name).ok());
        names.push(legal.ok_or_else(|| {
            io::Error::new(io::ErrorKind::InvalidData, format!("'{}' is no deployment's name", name.to_string_lossy()))
        })?);
    }
    names.sort();
    Ok(names)
}
