//! A deployment's journals, copied to be handed on, taken in from somebody else, or set aside.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use chrono::Utc;

use super::{DeploymentJournal, JournalError, create_private_dir, io_error};

/// What belongs to a deployment besides its journals: without its state, Terraform would not know what it has made.
const TERRAFORM_FILES: [&str; 2] = ["terraform.tfstate", "terraform.tfvars.json"];

impl DeploymentJournal {
    /// Copies the journals of all runs, and Terraform's state if there is one, into a folder, which is made.
    ///
    /// # Errors
    /// When a journal cannot be read, or the folder not be written.
    pub fn copy_runs(&self, to: &Path) -> Result<(), JournalError> {
        create_private_dir(to)?;
        for run in self.runs()? {
            let to = to.join(format!("{run}.jsonl"));
            fs::copy(self.path_of(&run), &to).map_err(io_error("write", &to))?;
        }
        for name in TERRAFORM_FILES {
            let (from, to) = (self.terraform_dir().join(name), to.join(name));
            match fs::copy(from, &to) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                copied => drop(copied.map_err(io_error("write", &to))?),
            }
        }
        Ok(())
    }

    /// The folder in which Terraform works for this deployment, if it is made by it.
    pub fn terraform_dir(&self) -> PathBuf {
        self.dir.join("terraform")
    }

    /// Puts such a copy in the place of the journals, which are set aside.
    ///
    /// # Errors
    /// When a journal cannot be read, or the folder not be written.
    pub fn adopt_runs(&self, from: &Path) -> Result<(), JournalError> {
        self.set_aside()?;
        let runs = self.runs_dir();
        create_private_dir(&runs)?;
        for entry in fs::read_dir(from).map_err(io_error("read", from))? {
            let entry = entry.map_err(io_error("read", from))?;
            let is_terraforms = TERRAFORM_FILES.iter().any(|name| entry.file_name() == **name);
            let to = if is_terraforms { self.terraform_dir() } else { runs.clone() };
            create_private_dir(&to)?;
            let to = to.join(entry.file_name());
            fs::copy(entry.path(), &to).map_err(io_error("write", &to))?;
        }
        Ok(())
    }

    /// Renames the folder of the journals, so that they are read no more: what they tell of has been replaced. Their
    /// content stays for whoever wants it.
    ///
    /// # Errors
    /// When the folder cannot be renamed.
    pub fn set_aside(&self) -> Result<(), JournalError> {
        self.set_terraform_aside()?;
        rename(&self.runs_dir(), &self.dir.join(format!("runs-{}", until_now())))
    }

    /// The same for Terraform's state, where it knows of nothing any more that there is.
    ///
    /// # Errors
    /// When a file cannot be renamed.
    pub fn set_terraform_aside(&self) -> Result<(), JournalError> {
        let (terraform, aside) = (self.terraform_dir(), until_now());
        TERRAFORM_FILES
            .iter()
            .try_for_each(|name| rename(&terraform.join(name), &terraform.join(format!("{name}-{aside}"))))
    }
}

/// A name's end by which what is set aside now differs from everything that was before.
fn until_now() -> String {
    format!("until-{}-{:04x}", Utc::now().format("%Y%m%dT%H%M%SZ"), rand::random::<u16>())
}

/// Renames what is there; what is not need not be.
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

    #[test]
    fn journals_that_are_taken_in_replace_those_that_there_were() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let journal = |place: &str| {
            JournalStore::new(&dir.path().join(place)).deployment(&DeploymentName::new("demo").expect("a legal name"))
        };
        let (theirs, ours) = (journal("theirs"), journal("ours"));
        let run = theirs.begin(Action::Deploy).expect("a journal").id().clone();
        let state = |journal: &super::DeploymentJournal| journal.terraform_dir().join("terraform.tfstate");
        for (journal, content) in [(&theirs, "theirs"), (&ours, "ours")] {
            std::fs::create_dir_all(journal.terraform_dir()).expect("a folder");
            std::fs::write(state(journal), content).expect("there is room");
        }
        for _ in 0..2 {
            ours.begin(Action::Trial).expect("a journal");
        }
        let copy = dir.path().join("copy");
        theirs.copy_runs(&copy).expect("a copy");
        ours.adopt_runs(&copy).expect("journals");
        assert_eq!(ours.runs().expect("runs"), [run]);
        assert_eq!(std::fs::read_to_string(state(&ours)).expect("it was taken in"), "theirs");
        ours.set_aside().expect("a rename");
        assert_eq!(ours.runs().expect("runs"), []);
        assert!(!state(&ours).exists());
        for folder in [ours.dir(), &ours.terraform_dir()] {
            let kept = std::fs::read_dir(folder)
                .expect("a folder")
                .filter(|entry| entry.as_ref().expect("an entry").file_name().to_string_lossy().contains("-until-"));
            assert_eq!(kept.count(), 2, "what was set aside is kept");
        }
    }
}
