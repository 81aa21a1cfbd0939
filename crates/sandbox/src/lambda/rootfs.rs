//! Paths inside an unpacked image: symbolic links are resolved as in a chroot, so no path leads outside.

use std::io;
use std::path::{Component, Path, PathBuf};

/// Linux's limit of links in a path (ELOOP).
const MAX_LINKS: usize = 40;
/// The limit of a path's parts, including those of link targets.
const MAX_PARTS: usize = 1024;

/// A resolved path.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Trace {
    /// Relative to the root directory, without links. Missing parts are kept.
    pub(crate) path: PathBuf,
    /// Whether a link would lead out of the root directory without a chroot.
    pub(crate) leaves_root: bool,
}

/// Resolves `path` inside `root`, following all links. Missing parts are kept.
pub(crate) fn resolve(root: &Path, path: &Path) -> io::Result<PathBuf> {
    trace(root, path).map(|trace| root.join(trace.path))
}

/// Resolves `path` inside `root`, and reports links that leave it.
pub(crate) fn trace(root: &Path, path: &Path) -> io::Result<Trace> {
    let mut todo: Vec<PathBuf> = parts(path)?;
    let mut inside = PathBuf::new();
    let mut links = 0;
    let mut leaves_root = false;
    let mut followed = 0;
    while let Some(part) = todo.pop() {
        followed += 1;
        if followed > MAX_PARTS {
            return Err(io::Error::other("the path is too long"));
        }
        if part == Path::new("..") {
            leaves_root |= !inside.pop();
            continue;
        }
        let candidate = root.join(&inside).join(&part);
        let is_link = std::fs::symlink_metadata(&candidate).is_ok_and(|found| found.file_type().is_symlink());
        if !is_link {
            inside.push(part);
            continue;
        }
        links += 1;
        if links > MAX_LINKS {
            return Err(io::Error::other(format!("too many symbolic links in {}", path.display())));
        }
        let target = std::fs::read_link(&candidate)?;
        if target.is_absolute() {
            leaves_root = true;
            inside.clear();
        }
        todo.extend(parts(&target)?);
    }
    Ok(Trace { path: inside, leaves_root })
}

/// Resolves the entry `path` itself, without following a link at its end.
pub(crate) fn resolve_entry(root: &Path, path: &Path) -> io::Result<PathBuf> {
    match (path.parent(), path.file_name()) {
        (Some(parent), Some(name)) => Ok(resolve(root, parent)?.join(name)),
        _ => Ok(root.to_owned()),
    }
}

/// The path's parts, last first.
fn parts(path: &Path) -> io::Result<Vec<PathBuf>> {
    let mut parts = Vec::new();
    for component in path.components() {
        match component {
            Component::RootDir | Component::CurDir => {}
            Component::ParentDir => parts.push(PathBuf::from("..")),
            Component::Normal(name) => parts.push(PathBuf::from(name)),
            Component::Prefix(_) => {
                return Err(io::Error::other(format!("{} is not a Unix path", path.display())));
            }
        }
    }
    parts.reverse();
    Ok(parts)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn links_resolve_inside_root() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path();
        std::fs::create_dir_all(root.join("usr/bin")).unwrap();
        symlink("/usr/bin", root.join("bin")).unwrap();
        symlink("../../../../etc/passwd", root.join("usr/bin/out")).unwrap();
        symlink("loop", root.join("loop")).unwrap();
        assert_eq!(resolve(root, Path::new("/bin/sh")).unwrap(), root.join("usr/bin/sh"));
        assert_eq!(resolve(root, Path::new("/bin/out")).unwrap(), root.join("etc/passwd"));
        assert_eq!(resolve(root, Path::new("../../x")).unwrap(), root.join("x"));
        assert_eq!(resolve_entry(root, Path::new("bin/out")).unwrap(), root.join("usr/bin/out"));
        assert!(resolve(root, Path::new("/loop")).is_err());
        assert!(resolve(root, Path::new(&"x/".repeat(2000))).is_err());
    }

    #[test]
    fn trace_reports_links_out_of_root() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path();
        std::fs::create_dir_all(root.join("usr/bin")).unwrap();
        for (link, target, leaves_root) in [
            ("bin", "usr/bin", false),
            ("usr/top", "..", false),
            ("usr/absolute", "/usr/bin", true),
            ("usr/above", "top/../usr", true),
        ] {
            symlink(target, root.join(link)).unwrap();
            assert_eq!(trace(root, Path::new(link)).unwrap().leaves_root, leaves_root, "{link}");
        }
    }
}
