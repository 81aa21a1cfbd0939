//! Atomic replacement of files: a killed process leaves the old or the new content.

use std::io;
use std::path::Path;

use thumbctl_platform::private_fs;

/// Replaces a file, readable by its owner only, by writing a temporary file and renaming it. No fsync: it must survive the
/// end of the process, not of the machine.
pub(crate) fn replace(file: &Path, bytes: &[u8]) -> io::Result<()> {
    replace_by(file, &file.with_extension("new"), bytes)
}

/// Replaces a file that several processes may write at once, such as an announcement.
pub(crate) fn replace_shared(file: &Path, bytes: &[u8]) -> io::Result<()> {
    replace_by(file, &file.with_extension(format!("{}.new", std::process::id())), bytes)
}

fn replace_by(file: &Path, temporary: &Path, bytes: &[u8]) -> io::Result<()> {
    private_fs::write(temporary, bytes)?;
    std::fs::rename(temporary, file)
}
