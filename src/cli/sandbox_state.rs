//! `thumbctl sandbox reset`, `save`, `load` and `saved`: the sandbox as a whole, and the journals of what stands in it.
//!
//! A saved state is one file, so that an instructor can hand it on: the sandbox's data, and the journals of the deployments
//! that stand in it, without which nobody would know their names.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use chrono::{DateTime, Local};
use serde_json::json;

use super::args::{SandboxCommand, SavedState};
use super::confirm::{Consent, confirm};
use super::context::Context;
use super::error::CliError;
use super::table::{Column, Table};
use crate::cloud::{CloudLabel, sandbox_options};
use crate::deployment::Deployment;
use crate::event::Failure;
use crate::journal::{DeploymentLock, JournalError, JournalStore};
use crate::names::DeploymentName;
use crate::sandbox::{SandboxError, StateChange, change_state, data_dir_in_use, pack, unpack};
use crate::session::SessionError;
use crate::terminal::{TerminalText, terminal_text};
use crate::text;

/// The parts of a saved state, as folders in its archive.
const SANDBOX: &str = "sandbox";
const DEPLOYMENTS: &str = "deployments";

/// Why the state cannot be saved, loaded or emptied.
#[derive(Debug, thiserror::Error)]
enum StateError {
    #[error("there is no saved state at {}: `thumbctl sandbox saved` lists those that have a name", .0.display())]
    NotSaved(PathBuf),
    #[error("{} is not a state that `thumbctl sandbox save` has made", .file.display())]
    NotAState { file: PathBuf, source: io::Error },
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
        private_dir(folder).map_err(unwritable)?;
        let parts = tempfile::Builder::new().prefix(".saving-").tempdir_in(folder).map_err(unwritable)?;
        let parts_dir = std::path::absolute(parts.path()).map_err(unwritable)?;
        self.change(StateChange::SaveTo(parts_dir.join(SANDBOX))).await?;
        private_dir(&parts_dir.join(DEPLOYMENTS)).map_err(unwritable)?;
        for name in &names {
            let to = parts_dir.join(DEPLOYMENTS).join(name.as_str());
            self.journals.deployment(name).copy_runs(&to).map_err(StateError::from)?;
        }
        pack(&parts_dir, &file).map_err(unwritable)?;
        let words = terminal_text!("Saved the sandbox{} as {}.\n", with_deployments(&names), file.display());
        self.tell("save", Some(&file), &names, words)
    }

    async fn load(&self, state: &SavedState) -> Result<(), CliError> {
        let file = self.file(state);
        if !file.is_file() {
            return Err(StateError::NotSaved(file).into());
        }
        let not_a_state = |source| StateError::NotAState { file: file.clone(), source };
        private_dir(&self.saved).map_err(not_a_state)?;
        // Beside the saved states, so that the disk is the same and nothing of it is left on a kill but a hidden folder.
        let parts = tempfile::Builder::new().prefix(".loading-").tempdir_in(&self.saved).map_err(not_a_state)?;
        unpack(&file, parts.path()).map_err(not_a_state)?;
        let (sandbox, deployments) = (parts.path().join(SANDBOX), parts.path().join(DEPLOYMENTS));
        if !sandbox.is_dir() {
            return Err(not_a_state(io::Error::new(io::ErrorKind::InvalidData, "it holds no sandbox")).into());
        }
        let coming = names_below(&deployments).map_err(not_a_state)?;
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
        self.change(StateChange::LoadFrom(std::path::absolute(&sandbox).map_err(not_a_state)?)).await?;
        self.set_aside(&there)?;
        for name in &coming {
            self.journals.deployment(name).adopt_runs(&deployments.join(name.as_str())).map_err(StateError::from)?;
        }
        let words = terminal_text!(
            "The sandbox is as it was when {} was saved{}.\n",
            file.display(),
            with_deployments(&coming)
        );
        self.tell("load", Some(&file), &coming, words)
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
        Ok(names.iter().try_for_each(|name| self.journals.deployment(name).set_aside())?)
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

/// A state holds keys, if only the sandbox's.
fn private_dir(dir: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    fs::DirBuilder::new().recursive(true).mode(0o700).create(dir)
}
