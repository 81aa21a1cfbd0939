//! Removes temporary files of killed processes: files written but not yet renamed into place.

use std::fs;
use std::io;
use std::path::Path;

use rustix::process::{Pid, test_kill_process};

/// The extension of a temporary file.
const EXTENSION: &str = "new";
/// The directories of a data directory with replaceable files.
const DIRECTORIES: [&str; 4] = ["", "snapshots", "s3", "lambda/queue"];
/// The prefix of announcements, which several sandboxes may write to one directory.
const SHARED: &str = "foreground.";

/// Removes temporary files from a data directory. For its server only, before it serves.
///
/// # Errors
/// When a file cannot be removed.
pub(crate) fn remove_from_data_dir(dir: &Path) -> io::Result<()> {
    for directory in DIRECTORIES {
        remove_where(&dir.join(directory), |name| !name.starts_with(SHARED))?;
    }
    remove_announcements(dir)
}

/// Removes temporary announcements of ended processes from a shared directory.
///
/// # Errors
/// When a file cannot be removed.
pub(crate) fn remove_announcements(dir: &Path) -> io::Result<()> {
    remove_where(dir, |name| {
        let pid = name.strip_prefix(SHARED).and_then(|rest| rest.split('.').next()?.parse().ok());
        pid.and_then(Pid::from_raw).is_some_and(|pid| test_kill_process(pid) == Err(rustix::io::Errno::SRCH))
    })
}

fn remove_where(dir: &Path, is_abandoned: impl Fn(&str) -> bool) -> io::Result<()> {
    let entries = match fs::read_dir(dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries?,
    };
    for entry in entries {
        let entry = entry?;
        let name = entry.file_name();
        // Directories are not temporary files.
        let is_file = !entry.file_type()?.is_dir();
        if is_file
            && Path::new(&name).extension().is_some_and(|it| it == EXTENSION)
            && name.to_str().is_some_and(&is_abandoned)
        {
            match fs::remove_file(entry.path()) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn start_removes_temporary_files_of_ended_processes_only() {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name);
        for directory in ["snapshots", "s3/pics.new", "lambda/queue"] {
            fs::create_dir_all(path(directory)).unwrap();
        }
        let running = format!("foreground.{}.new", std::process::id());
        // The pid of a process that has ended.
        let mut child = std::process::Command::new("true").spawn().unwrap();
        let ended = format!("foreground.{}.new", child.id());
        child.wait().unwrap();
        let left =
            ["endpoint.12.new", "sessions.34.new", "snapshots/iam.new", "s3/b.new", "lambda/queue/1.new", &ended];
        let kept = ["endpoint.json", "foreground.json", "snapshots/iam.json", &running];
        for name in left.iter().chain(&kept) {
            fs::write(path(name), "{").unwrap();
        }
        remove_from_data_dir(dir.path()).unwrap();
        assert!(left.iter().all(|name| !path(name).exists()));
        assert!(kept.iter().chain(&["s3/pics.new"]).all(|name| path(name).exists()));
        remove_from_data_dir(&path("none")).unwrap();
    }
}
