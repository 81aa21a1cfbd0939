//! Confines the symbolic links of an unpacked image to the image.

use std::io;
use std::path::{Path, PathBuf};

use crate::lambda::trace;

/// Rewrites the link `link` (relative to the image's directory `root`) if it leads out of `root`: its target becomes the
/// relative path of what it means in a container, where `root` is the root directory.
pub(super) fn contain(root: &Path, link: &Path) -> io::Result<()> {
    let found = trace(root, link)?;
    if !found.leaves_root {
        return Ok(());
    }
    let depth = link.parent().map_or(0, |parent| parent.components().count());
    let up: PathBuf = std::iter::repeat_n("..", depth).collect();
    let target = up.join(found.path);
    let target = if target.as_os_str().is_empty() { PathBuf::from(".") } else { target };
    std::fs::remove_file(root.join(link))?;
    std::os::unix::fs::symlink(target, root.join(link))
}
