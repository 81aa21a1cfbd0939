//! The files by which clients find a sandbox: its endpoint, and the announcement in another data directory.

use std::fs;
use std::io;
use std::path::Path;

use thumbctl_sandbox_protocol::{ANNOUNCEMENT_FILE, ENDPOINT_FILE, Endpoint, announced_dir};

use crate::authz::access_control::RootKeys;
use crate::latency::Pace;
use crate::storage::persistence::replace_shared;
use crate::storage::temp_files;

/// The endpoint of this process.
pub(crate) fn endpoint(port: u16, root: &RootKeys, pace: &Pace) -> Endpoint {
    Endpoint {
        url: format!("http://127.0.0.1:{port}"),
        access_key: root.access_key.clone(),
        secret_key: root.secret_key.clone(),
        pid: std::process::id(),
        pace: pace.description(),
        instance: uuid::Uuid::new_v4().to_string(),
    }
}

/// Writes the endpoint file, readable by its owner only.
pub(crate) fn publish(endpoint: &Endpoint, dir: &Path) -> io::Result<()> {
    replace_shared(&dir.join(ENDPOINT_FILE), &serde_json::to_vec_pretty(endpoint)?)
}

/// Removes the endpoint file, unless it is another sandbox's: the directory may have been deleted and created again.
pub(crate) fn unpublish(endpoint: &Endpoint, dir: &Path) {
    if Endpoint::read(dir).is_some_and(|published| published.instance == endpoint.instance) {
        // A stale file does no harm: clients check the instance id.
        let _ = fs::remove_file(dir.join(ENDPOINT_FILE));
    }
}

/// Has clients of the data directory `usual` use the sandbox of `dir` while it runs.
pub(crate) fn announce(usual: &Path, dir: &Path) -> io::Result<()> {
    temp_files::remove_announcements(usual)?;
    replace_shared(&usual.join(ANNOUNCEMENT_FILE), &serde_json::to_vec(dir)?)
}

/// Removes the announcement, unless another sandbox has replaced it.
pub(crate) fn retract(usual: &Path, dir: &Path) {
    if announced_dir(usual).as_deref() == Some(dir) {
        let _ = fs::remove_file(usual.join(ANNOUNCEMENT_FILE));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_sandboxs_endpoint_file_is_kept() {
        let dir = tempfile::tempdir().unwrap();
        let [earlier, later] = [1, 2].map(|port| endpoint(port, &RootKeys::generate(), &Pace::default()));
        publish(&later, dir.path()).unwrap();
        unpublish(&earlier, dir.path());
        assert_eq!(Endpoint::read(dir.path()).map(|found| found.instance), Some(later.instance.clone()));
        unpublish(&later, dir.path());
        assert!(Endpoint::read(dir.path()).is_none());
    }
}
