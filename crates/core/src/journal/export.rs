//! Export of a deployment's journals into a saved state, import from one, and archival.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, BufReader};
use std::path::{Path, PathBuf};

use chrono::Utc;
use thumbctl_platform::private_fs;

use super::{DeploymentJournal, JournalError, create_private_dir, io_error, read_events};
use crate::event::{Event, RunId};

/// A deployment tool's state files beside the journals, for example Terraform's state.
#[derive(Clone, Copy, Debug)]
pub struct ToolState {
    /// Its directory in the deployment's directory.
    pub folder: &'static str,
    /// The names of its files; all are JSON.
    pub files: &'static [&'static str],
}

/// Whether [`DeploymentJournal::export_runs`] writes a file of this name.
pub fn is_exported_file(name: &OsStr, tool: ToolState) -> bool {
    run_of(name).is_some() || tool.files.iter().any(|file| name == *file)
}

/// The run whose journal has this name.
fn run_of(name: &OsStr) -> Option<RunId> {
    let stem = name.to_str()?.strip_suffix(".jsonl")?;
    Some(RunId::from_file_stem(stem)).filter(RunId::is_regular)
}

/// Reads an export and passes every event of its journals to `handle`, in order.
///
/// # Errors
/// When it contains other files, or a file cannot be read.
pub fn read_export(from: &Path, tool: ToolState, mut handle: impl FnMut(&Event)) -> Result<(), JournalError> {
    let entries = fs::read_dir(from).map_err(io_error("read", from))?;
    let mut files: Vec<PathBuf> = entries
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<_, _>>()
        .map_err(io_error("read", from))?;
    files.sort();
    for path in files {
        let name = path.file_name().unwrap_or_default();
        if !is_exported_file(name, tool) {
            return Err(JournalError::Unknown { path });
        }
        let file = File::open(&path).map_err(io_error("read", &path))?;
        if run_of(name).is_some() {
            read_events(&path, BufReader::new(file), |event| handle(&event))?;
        } else {
            serde_json::from_reader::<_, serde::de::IgnoredAny>(BufReader::new(file))
                .map_err(|source| io_error("read", &path)(source.into()))?;
        }
    }
    Ok(())
}

impl DeploymentJournal {
    /// Copies the journals of all runs, and the tool's state if it exists, into a new directory.
    ///
    /// # Errors
    /// When a journal cannot be read, or the directory cannot be written.
    pub fn export_runs(&self, to: &Path, tool: ToolState) -> Result<(), JournalError> {
        create_private_dir(to)?;
        for run in self.runs()?.iter().filter(|run| run.is_regular()) {
            let to = to.join(format!("{run}.jsonl"));
            private_fs::copy(&self.path_of(run), &to).map_err(io_error("write", &to))?;
        }
        for name in tool.files {
            let (from, to) = (self.tool_dir(tool).join(name), to.join(name));
            match private_fs::copy(&from, &to) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                copied => copied.map_err(io_error("write", &to))?,
            }
        }
        Ok(())
    }

    /// The directory of a tool's state of this deployment.
    pub fn tool_dir(&self, tool: ToolState) -> PathBuf {
        self.dir.join(tool.folder)
    }

    /// Replaces the journals with an export and archives the previous ones. The export is moved. If the process ends
    /// during the import, the same call completes it.
    ///
    /// # Errors
    /// When the export cannot be moved.
    pub fn import_runs(&self, from: &Path, tool: ToolState) -> Result<(), JournalError> {
        if !from.is_dir() {
            // An earlier call has completed the import.
            return Ok(());
        }
        // A second call must not archive what the first has imported.
        let marker = from.with_extension("begun");
        if !marker.exists() {
            self.archive(tool)?;
            private_fs::write(&marker, b"").map_err(io_error("write", &marker))?;
            #[cfg(debug_assertions)]
            thumbctl_platform::failpoint::at("journals-archived");
        }
        for name in tool.files {
            let (from, to) = (from.join(name), self.tool_dir(tool).join(name));
            if from.exists() {
                create_private_dir(&self.tool_dir(tool))?;
                move_file(&from, &to).map_err(io_error("write", &to))?;
            }
        }
        create_private_dir(&self.dir)?;
        let runs = self.runs_dir();
        match fs::rename(from, &runs) {
            Err(cause) if cause.kind() == io::ErrorKind::CrossesDevices => self.import_copy(from),
            renamed => renamed.map_err(io_error("write", &runs)),
        }
    }

    /// Imports journals from another file system: copies them, then renames the directory.
    fn import_copy(&self, from: &Path) -> Result<(), JournalError> {
        let (copy, runs) = (self.dir.join("runs-incoming"), self.runs_dir());
        let copied = (|| {
            if copy.is_dir() {
                fs::remove_dir_all(&copy)?;
            }
            private_fs::create_dir_all(&copy)?;
            for entry in fs::read_dir(from)? {
                let entry = entry?;
                private_fs::copy(&entry.path(), &copy.join(entry.file_name()))?;
            }
            fs::rename(&copy, &runs)?;
            fs::remove_dir_all(from)
        })();
        copied.map_err(io_error("write", &runs))
    }

    /// Archives the journals and the tool's state by renaming, so that they are no longer read.
    ///
    /// # Errors
    /// When they cannot be renamed.
    pub fn archive(&self, tool: ToolState) -> Result<(), JournalError> {
        self.archive_tool_state(tool)?;
        rename(&self.runs_dir(), &self.dir.join(format!("runs-{}", archive_suffix())))
    }

    /// Archives the tool's state, when none of its resources exists any more.
    ///
    /// # Errors
    /// When a file cannot be renamed.
    pub fn archive_tool_state(&self, tool: ToolState) -> Result<(), JournalError> {
        let (dir, suffix) = (self.tool_dir(tool), archive_suffix());
        tool.files.iter().try_for_each(|name| rename(&dir.join(name), &dir.join(format!("{name}-{suffix}"))))
    }
}

/// Moves a file, also to another file system.
fn move_file(from: &Path, to: &Path) -> io::Result<()> {
    match fs::rename(from, to) {
        Err(cause) if cause.kind() == io::ErrorKind::CrossesDevices => {
            private_fs::copy(from, to)?;
            fs::remove_file(from)
        }
        renamed => renamed,
    }
}

/// A unique suffix for the names of archived files.
fn archive_suffix() -> String {
    format!("until-{}-{:04x}", Utc::now().format("%Y%m%dT%H%M%SZ"), rand::random::<u16>())
}

/// Renames a file or directory, if it exists.
fn rename(from: &Path, to: &Path) -> Result<(), JournalError> {
    match fs::rename(from, to) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other.map_err(io_error("rename", from)),
    }
}

#[cfg(test)]
mod tests {
    use crate::event::Action;
    use crate::journal::JournalStore;
    use crate::names::DeploymentName;

    const TOOL: super::ToolState =
        super::ToolState { folder: "terraform", files: &["terraform.tfstate", "terraform.tfvars.json"] };

    #[test]
    fn imported_journals_replace_and_archive_previous_ones() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let journal = |name: &str| {
            JournalStore::new(&dir.path().join(name)).deployment(&DeploymentName::new("demo").expect("a valid name"))
        };
        let (theirs, ours) = (journal("theirs"), journal("ours"));
        let run = theirs.begin(Action::Deploy).expect("a journal").id().clone();
        let state = |journal: &super::DeploymentJournal| journal.tool_dir(TOOL).join("terraform.tfstate");
        for (journal, content) in [(&theirs, "\"theirs\""), (&ours, "\"ours\"")] {
            std::fs::create_dir_all(journal.tool_dir(TOOL)).expect("a directory");
            std::fs::write(state(journal), content).expect("the file is written");
        }
        for _ in 0..2 {
            ours.begin(Action::TestUpload).expect("a journal");
        }
        let copy = dir.path().join("copy");
        theirs.export_runs(&copy, TOOL).expect("a copy");
        super::read_export(&copy, TOOL, |_| {}).expect("it can be read");
        ours.import_runs(&copy, TOOL).expect("journals");
        assert_eq!(ours.runs().expect("runs"), [run]);
        assert_eq!(std::fs::read_to_string(state(&ours)).expect("the state was imported"), "\"theirs\"");
        ours.archive(TOOL).expect("a rename");
        assert_eq!(ours.runs().expect("runs"), []);
        assert!(!state(&ours).exists());
        for folder in [ours.dir(), &ours.tool_dir(TOOL)] {
            let kept = std::fs::read_dir(folder)
                .expect("a directory")
                .filter(|entry| entry.as_ref().expect("an entry").file_name().to_string_lossy().contains("-until-"));
            assert_eq!(kept.count(), 2, "archived files are kept");
        }
    }

    #[test]
    fn interrupted_import_is_completed_by_another_call() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let journal = JournalStore::new(dir.path()).deployment(&DeploymentName::new("demo").expect("a valid name"));
        let run = journal.begin(Action::Deploy).expect("a journal").id().clone();
        std::fs::create_dir_all(journal.tool_dir(TOOL)).expect("a directory");
        let state = journal.tool_dir(TOOL).join("terraform.tfstate");
        std::fs::write(&state, "{}").expect("the file is written");
        let copy = dir.path().join("copy");
        journal.export_runs(&copy, TOOL).expect("a copy");
        // A file in place of the runs directory fails the first call after it has moved Terraform's state.
        journal.archive(TOOL).expect("a rename");
        std::fs::write(journal.runs_dir(), "").expect("the file is written");
        std::fs::write(dir.path().join("copy.begun"), "").expect("the file is written");
        journal.import_runs(&copy, TOOL).expect_err("a file blocks the directory");
        assert!(state.exists());
        std::fs::remove_file(journal.runs_dir()).expect("the file exists");
        for _ in 0..2 {
            journal.import_runs(&copy, TOOL).expect("journals");
            assert_eq!(journal.runs().expect("runs"), std::slice::from_ref(&run));
            assert!(state.exists());
        }
    }

    #[test]
    fn read_export_rejects_other_files() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        for (name, content) in [
            ("lock", ""),
            ("x.jsonl", ""),
            ("0001-deploy-9f2c.jsonl", "nonsense\n"),
            ("terraform.tfstate", "nonsense"),
            ("terraform", "directory"),
        ] {
            let copy = dir.path().join(format!("copy-of-{name}"));
            std::fs::create_dir(&copy).expect("a directory");
            match content {
                "directory" => std::fs::create_dir(copy.join(name)).expect("a directory"),
                content => std::fs::write(copy.join(name), content).expect("the file is written"),
            }
            let error = super::read_export(&copy, TOOL, |_| {}).expect_err(name);
            assert!(error.to_string().contains(name), "{error}");
        }
    }
}
