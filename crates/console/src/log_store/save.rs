//! [`SaveTask`]: writes a log to a file of the user, in slices.

use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use thumbctl_core::event::Failure;

use super::lines::Lines;
use super::protocol::LogReport;

/// The maximum number of file names to try.
const NAMES: usize = 1000;

/// A log that is being written to a file.
#[derive(Debug)]
pub(super) struct SaveTask {
    file: File,
    path: PathBuf,
    /// The first line to be written next.
    next: usize,
    /// The end of the saved range; later lines are not saved.
    until: usize,
    lines: usize,
}

impl SaveTask {
    /// Creates the file, with mode 0600 and without overwriting an existing one.
    pub(super) fn begin(folder: &Path, name: &str, lines: &Lines) -> Result<Self, Failure> {
        let mut options = File::options();
        options.write(true).create_new(true).mode(0o600);
        for number in 0..NAMES {
            let name = if number == 0 { format!("{name}.log") } else { format!("{name}-{number}.log") };
            let path = folder.join(name);
            match options.open(&path) {
                Ok(file) => {
                    return Ok(Self { file, path, next: lines.first(), until: lines.end(), lines: 0 });
                }
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(failure(&path, &error)),
            }
        }
        Err(failure(&folder.join(format!("{name}.log")), &io::ErrorKind::AlreadyExists.into()))
    }

    /// Writes a block; returns the report at the end.
    pub(super) fn step(&mut self, lines: &mut Lines) -> Option<LogReport> {
        self.next = self.next.max(lines.first());
        match self.write(lines) {
            Err(error) => {
                self.remove();
                Some(LogReport::Failed(failure(&self.path, &error)))
            }
            Ok(()) if self.next < self.until => None,
            Ok(()) => Some(LogReport::Saved { lines: self.lines, path: self.path.clone() }),
        }
    }

    /// Aborts, before the lines are removed.
    pub(super) fn abort(self) -> LogReport {
        self.remove();
        LogReport::Failed(failure(&self.path, &io::Error::other("another log started before the save was complete")))
    }

    /// Removes the incomplete file.
    fn remove(&self) {
        let _ = std::fs::remove_file(&self.path);
    }

    fn write(&mut self, lines: &mut Lines) -> io::Result<()> {
        if self.next >= self.until {
            // All lines were dropped meanwhile.
            return Ok(());
        }
        let mut range = lines.rest_of_block(self.next);
        range.end = range.end.min(self.until);
        let (text, continued) = lines.copy(range.clone());
        // The line feed comes before each line except the first, so that continued lines are joined.
        let mut out = Vec::with_capacity(text.len() + 1);
        let mut continued = continued.into_iter().peekable();
        for (number, line) in text.split_inclusive(|byte| *byte == b'\n').enumerate() {
            let is_continuation = continued.next_if_eq(&number).is_some() && self.lines > 0;
            if !is_continuation {
                if self.lines > 0 {
                    out.push(b'\n');
                }
                self.lines += 1;
            }
            out.extend_from_slice(line.strip_suffix(b"\n").unwrap_or(line));
        }
        self.next = range.end;
        if self.next >= self.until {
            out.push(b'\n');
        }
        self.file.write_all(&out)
    }
}

fn failure(path: &Path, error: &io::Error) -> Failure {
    Failure {
        message: format!("cannot save the log to {}", path.display()),
        causes: vec![error.to_string()],
        log: Vec::new(),
        hint: None,
    }
}
