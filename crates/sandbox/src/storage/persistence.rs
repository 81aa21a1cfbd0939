//! Files that are always whole: the old content or the new, whenever the process is killed.

use std::io;
use std::path::Path;

use thumbctl_platform::private_fs;

/// Replaces a file's content; only its owner may read it. Written beside it and renamed: no fsync, since what has to be
/// survived is the end of the process, not that of the machine.
pub(crate) fn replace(file: &Path, bytes: &[u8]) -> io::Result<()> {
    replace_by(file, &file.with_extension("new"), bytes)
}

/// Does the same where several processes may do it at once, such as sandboxes that announce themselves in one place.
pub(crate) fn replace_shared(file: &Path, bytes: &[u8]) -> io::Result<()> {
    replace_by(file, &file.with_extension(format!("{}.new", std::process::id())), bytes)
}

fn replace_by(file: &Path, temporary: &Path, bytes: &[u8]) -> io::Result<()> {
    private_fs::write(temporary, bytes)?;
    std::fs::rename(temporary, file)
}
