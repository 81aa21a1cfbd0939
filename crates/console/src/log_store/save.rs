//! [`SaveTask`]: a log on its way into a file of the user's.

use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use thumbctl_core::event::Failure;

use super::lines::Lines;
use super::protocol::LogReport;

/// How many names are tried before it is given up.
const NAMES: usize = 1000;

/// A log on its way into a file.
#[derive(Debug)]
pub(super) struct SaveTask {
    file: File,
    path: PathBuf,
    /// The first line that is not written yet.
    next: usize,
    /// Behind the last line that is: what comes later is not saved.
    until: usize,
    lines: usize,
}

impl SaveTask {
    /// Makes the file. One that is there is never written over; only its owner may read it, since logs tell much.
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

    /// Writes a block. Answers how it ended, once it has.
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

    /// Gives it up: the lines are about to go.
    pub(super) fn abort(self) -> LogReport {
        self.remove();
        LogReport::Failed(failure(&self.path, &io::Error::other("another log began before its end was written")))
    }

    /// Half a log is none. The file was ours from its beginning.
    fn remove(&self) {
        let _ = std::fs::remove_file(&self.path);
    }

    fn write(&mut self, lines: &mut Lines) -> io::Result<()> {
        if self.next >= self.until {
            // All of it was lost meanwhile.
            return Ok(());
        }
        let mut range = lines.rest_of_block(self.next);
        range.end = range.end.min(self.until);
        let (text, continued) = lines.copy(range.clone());
        // A line feed is written before each line but the first, so that one that goes on is put together again.
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
        message: format!("the log could not be saved to {}", path.display()),
        causes: vec![error.to_string()],
        log: Vec::new(),
        hint: None,
    }
}
