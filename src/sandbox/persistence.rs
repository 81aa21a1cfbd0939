//! Files that are always whole: the old content or the new, whenever the process is killed.

use std::io;
use std::path::Path;

/// Replaces a file's content. Written beside it and renamed: no fsync, since what has to be survived is the end of the
/// process, not that of the machine.
pub(crate) fn replace(file: &Path, bytes: &[u8]) -> io::Result<()> {
    let temporary = file.with_extension("new");
    std::fs::write(&temporary, bytes)?;
    std::fs::rename(&temporary, file)
}

/// Replaces the content of a file that only its owner may read.
pub(crate) fn replace_private(file: &Path, bytes: &[u8]) -> io::Result<()> {
    use std::io::Write;
    use std::os::unix::fs::OpenOptionsExt;
    // Of this process's own: several sandboxes that begin at the same moment announce themselves in one place.
    let temporary = file.with_extension(format!("{}.new", std::process::id()));
    let mut out = std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&temporary)?;
    out.write_all(bytes)?;
    std::fs::rename(&temporary, file)
}

/// Makes a directory, and those above it, that only its owner may enter.
pub(crate) fn create_private_dir(dir: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(dir)
}
