//! Processes of a build that have left its process group, or have outlived the sandbox that started them.

/// Kills every process that was started by this build, found by the build's id in its environment.
#[cfg(target_os = "linux")]
pub(super) fn kill(build: &str) {
    use rustix::process::{Pid, Signal, kill_process};

    let wanted = format!("CODEBUILD_BUILD_ID={build}");
    let Ok(entries) = std::fs::read_dir("/proc") else {
        return;
    };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let Some(pid) = name.to_str().and_then(|name| name.parse().ok()).and_then(Pid::from_raw) else {
            continue;
        };
        // Unreadable means gone, or somebody else's.
        let environment = std::fs::read(entry.path().join("environ")).unwrap_or_default();
        if environment.split(|byte| *byte == 0).any(|variable| variable == wanted.as_bytes()) {
            let _ = kill_process(pid, Signal::KILL);
        }
    }
}

/// Kills every process that was started by this build, found by the build's id in what `ps` shows of its environment.
#[cfg(not(target_os = "linux"))]
pub(super) fn kill(build: &str) {
    use rustix::process::{Pid, Signal, kill_process};

    let wanted = format!("CODEBUILD_BUILD_ID={build}");
    let listed = std::process::Command::new("ps").args(["-A", "-E", "-ww", "-o", "pid=,command="]).output();
    let Ok(listed) = listed else { return };
    for line in String::from_utf8_lossy(&listed.stdout).lines() {
        let Some((pid, command)) = line.trim_start().split_once(' ') else {
            continue;
        };
        if let Some(pid) = pid.parse().ok().and_then(Pid::from_raw)
            && command.split(' ').any(|word| word == wanted)
        {
            let _ = kill_process(pid, Signal::KILL);
        }
    }
}
