//! The processes of a build, including those that changed their group, session or parent.

use std::fs;
use std::path::Path;

use crate::marked_processes::{ProcessMark, kill_marked};

/// A limit that no build reaches; it only marks the processes.
const DATA_LIMIT: u64 = 1 << 60;

/// The mark of the build's processes.
pub(super) fn mark(build: &str) -> ProcessMark {
    ProcessMark::new("CODEBUILD_BUILD_ID", build, DATA_LIMIT)
}

/// Kills every process of this build. Blocks for a few milliseconds.
pub(super) fn kill(build: &str) {
    kill_marked(&[mark(build)], None);
}

/// Kills the processes of all unfinished builds, which have a directory in `builds`.
pub(super) fn kill_below(builds: &Path) {
    let names = fs::read_dir(builds).into_iter().flatten().flatten().map(|entry| entry.file_name());
    let marks: Vec<_> = names.filter_map(|name| Some(mark(&id_of(name.to_str()?)?))).collect();
    if !marks.is_empty() {
        kill_marked(&marks, None);
    }
}

/// The name of a build's directory.
pub(super) fn directory_name(build: &str) -> String {
    build.replace(':', "-")
}

/// The build of a directory: a project and a UUID of 36 characters.
fn id_of(directory: &str) -> Option<String> {
    let (project, uuid) = directory.split_at_checked(directory.len().checked_sub(36)?)?;
    Some(format!("{}:{uuid}", project.strip_suffix('-')?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn build_id_is_read_from_directory_name() {
        let id = format!("my-project:{}", uuid::Uuid::new_v4());
        assert_eq!(id_of(&directory_name(&id)), Some(id));
        assert_eq!(id_of("something-else"), None);
    }
}
