//! A deployment's journals, copied to be handed on, taken in from somebody else, or set aside.

use std::fs;
use std::io;
use std::path::Path;

use chrono::Utc;

use super::{DeploymentJournal, JournalError, create_private_dir, io_error};

impl DeploymentJournal {
    /// Copies the journals of all runs into a folder, which is made.
    ///
    /// # Errors
    /// When a journal cannot be read, or the folder not be written.
    pub fn copy_runs(&self, to: &Path) -> Result<(), JournalError> {
        create_private_dir(to)?;
        for run in self.runs()? {
            let to = to.join(format!("{run}.jsonl"));
            fs::copy(self.path_of(&run), &to).map_err(io_error("write", &to))?;
        }
        Ok(())
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
            let to = runs.join(entry.file_name());
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
        let runs = self.runs_dir();
        let (now, salt) = (Utc::now().format("%Y%m%dT%H%M%SZ"), rand::random::<u16>());
        let aside = self.dir.join(format!("runs-until-{now}-{salt:04x}"));
        match fs::rename(&runs, &aside) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            other => other.map_err(io_error("rename", &runs)),
        }
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
        for _ in 0..2 {
            ours.begin(Action::Trial).expect("a journal");
        }
        let copy = dir.path().join("copy");
        theirs.copy_runs(&copy).expect("a copy");
        ours.adopt_runs(&copy).expect("journals");
        assert_eq!(ours.runs().expect("runs"), [run]);
        ours.set_aside().expect("a rename");
        assert_eq!(ours.runs().expect("runs"), []);
        let kept = std::fs::read_dir(ours.dir()).expect("a folder").count();
        assert_eq!(kept, 2, "what was set aside is kept");
    }
}
