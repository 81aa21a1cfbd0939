//! Symbolic links of an unpacked image, so that following them on this machine does not lead out of the image.

use std::io;
use std::path::{Path, PathBuf};

use crate::lambda::trace;

/// Makes sure that following the link `link` (relative to the image's directory `root`) stays in `root`. In a container
/// an absolute target begins at the image's root, and `..` does not lead above it: a link that relies on that gets the
/// relative path of what it means in a container.
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
