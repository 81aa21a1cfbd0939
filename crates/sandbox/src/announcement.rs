//! What a sandbox writes for those who look for it: its endpoint, and that it runs in the foreground elsewhere.

use std::fs;
use std::io;
use std::path::Path;

use thumbctl_sandbox_protocol::{ANNOUNCEMENT_FILE, ENDPOINT_FILE, Endpoint, announced_dir};

use crate::authz::access_control::RootKeys;
use crate::latency::Pace;
use crate::storage::persistence::replace_shared;
use crate::storage::temporaries;

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

/// Writes the endpoint's file: its owner alone may read it.
pub(crate) fn publish(endpoint: &Endpoint, dir: &Path) -> io::Result<()> {
    replace_shared(&dir.join(ENDPOINT_FILE), &serde_json::to_vec_pretty(endpoint)?)
}

/// Removes the endpoint's file.
pub(crate) fn unpublish(dir: &Path) {
    // A file that stays is not believed: nothing answers there with its instance.
    let _ = fs::remove_file(dir.join(ENDPOINT_FILE));
}

/// Has those who look for a sandbox in `usual` use the one of `dir` instead, while it runs.
pub(crate) fn announce(usual: &Path, dir: &Path) -> io::Result<()> {
    temporaries::remove_announcements(usual)?;
    replace_shared(&usual.join(ANNOUNCEMENT_FILE), &serde_json::to_vec(dir)?)
}

/// Takes that back, unless another has been announced meanwhile.
pub(crate) fn retract(usual: &Path, dir: &Path) {
    if announced_dir(usual).as_deref() == Some(dir) {
        let _ = fs::remove_file(usual.join(ANNOUNCEMENT_FILE));
    }
}
