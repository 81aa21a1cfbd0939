//! The processes of a build, wherever they have moved to and whoever's children they are by now.

use crate::sandbox::marked_processes::{ProcessMark, kill_marked};

/// More than any build can want: the limit is there to be recognised, not to be reached.
const DATA_LIMIT: u64 = 1 << 60;

/// What the processes of the build are found by.
pub(super) fn mark(build: &str) -> ProcessMark {
    ProcessMark::new("CODEBUILD_BUILD_ID", build, DATA_LIMIT)
}

/// Kills every process that this build has started. Blocks for a few milliseconds.
pub(super) fn kill(build: &str) {
    kill_marked(&[mark(build)], None);
}
