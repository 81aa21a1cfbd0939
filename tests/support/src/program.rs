//! [`Program`]: thumbctl with its own home directory.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use thumbctl_core::event::Event;
use thumbctl_sandbox_protocol::{SandboxOptions, join_or_start};

use crate::running::{Finished, Running};
use crate::sandbox::{Joined, Sandbox};

/// How long started processes may take to end after the test.
const EXIT_DEADLINE: Duration = Duration::from_secs(10);

/// thumbctl, as on a new machine.
pub struct Program {
    home: TempDir,
    environment: Vec<(OsString, OsString)>,
}

impl Program {
    pub fn new() -> Self {
        let home = tempfile::Builder::new().prefix("thumbctl-test-").tempdir().expect("a temporary directory");
        for dir in ["work", "tmp", "config/thumbctl"] {
            std::fs::create_dir_all(home.path().join(dir)).expect("a directory");
        }
        let function = crate::function_program().map(|program| ("THUMBCTL_TEST_FUNCTION".into(), program.into()));
        Self { home, environment: function.into_iter().collect() }
    }

    /// The same with thumbctl itself as the built function, as outside tests.
    pub fn with_its_own_function() -> Self {
        let mut program = Self::new();
        program.environment.clear();
        program
    }

    /// The directory of this program's files.
    pub fn home(&self) -> &Path {
        self.home.path()
    }

    pub fn state_dir(&self) -> PathBuf {
        self.home().join("state")
    }

    /// The state directory of the sandbox that commands join.
    pub fn sandbox_dir(&self) -> PathBuf {
        self.state_dir().join("sandbox")
    }

    /// The working directory of commands.
    pub fn work_dir(&self) -> PathBuf {
        self.home().join("work")
    }

    /// Writes a file below the working directory and returns its path.
    pub fn file(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.work_dir().join(name);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("a directory");
        std::fs::write(&path, content).expect("a file");
        path
    }

    /// Writes the configuration file.
    pub fn configure(&self, toml: &str) {
        std::fs::write(self.home().join("config/thumbctl/config.toml"), toml).expect("a file");
    }

    /// Sets an environment variable for all commands that follow.
    pub fn set(&mut self, name: &str, value: impl AsRef<OsStr>) {
        self.environment.push((name.into(), value.as_ref().to_owned()));
    }

    /// Sets several.
    pub fn set_all<'a>(&mut self, variables: impl IntoIterator<Item = (&'a str, &'a OsStr)>) {
        variables.into_iter().for_each(|(name, value)| self.set(name, value));
    }

    pub fn command<A: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = A>) -> Command {
        self.around(crate::thumbctl(), arguments)
    }

    /// Another program, such as a shell that runs thumbctl, in the same environment.
    pub fn around<A: AsRef<OsStr>>(&self, program: &str, arguments: impl IntoIterator<Item = A>) -> Command {
        let mut command = Command::new(program);
        command
            .args(arguments)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.home())
            .env("XDG_CONFIG_HOME", self.home().join("config"))
            .env("TMPDIR", self.home().join("tmp"))
            .env("THUMBCTL_STATE_DIR", self.state_dir())
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .current_dir(self.work_dir())
            .stdin(Stdio::null());
        command
    }

    /// Runs a command to its end.
    pub fn run<A: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = A>) -> Finished {
        self.start(arguments).wait()
    }

    /// Starts a command.
    pub fn start<A: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = A>) -> Running {
        Running::start(self.command(arguments))
    }

    /// Starts a sandbox as a process of its own; commands join it, and it ends when the test stops it.
    pub fn sandbox(&self) -> Sandbox {
        Sandbox::start(self.command(["sandbox", "--port", "0"]))
    }

    /// The same, with fault rules.
    pub fn sandbox_with_faults(&self, faults: &str) -> Sandbox {
        let file = self.home().join("faults.json");
        std::fs::write(&file, faults).expect("a file");
        Sandbox::start(self.command([
            OsStr::new("sandbox"),
            OsStr::new("--port"),
            OsStr::new("0"),
            OsStr::new("--faults"),
            file.as_os_str(),
        ]))
    }

    /// Joins the sandbox as a command would; it is started if it is not running, and ends with its last user.
    pub async fn join(&self) -> Joined {
        self.join_with([]).await
    }

    /// The same, with arguments for starting the sandbox.
    pub async fn join_with<const N: usize>(&self, arguments: [OsString; N]) -> Joined {
        let options = SandboxOptions {
            data_dir: self.sandbox_dir(),
            program: crate::thumbctl().into(),
            arguments: arguments.into(),
        };
        Joined::new(join_or_start(options).await.expect("a sandbox"))
    }

    /// The journal files of a deployment, oldest first.
    pub fn journals(&self, deployment: &str) -> Vec<PathBuf> {
        let dir = self.state_dir().join("deployments").join(deployment).join("runs");
        let Ok(entries) = std::fs::read_dir(dir) else { return Vec::new() };
        let mut files: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
        files.sort();
        files
    }

    /// All journaled events of a deployment.
    pub fn journalled(&self, deployment: &str) -> Vec<Event> {
        let texts = self.journals(deployment).into_iter().map(|file| std::fs::read_to_string(file).expect("a journal"));
        texts
            .flat_map(|text| text.lines().map(|line| serde_json::from_str(line).expect("an event")).collect::<Vec<_>>())
            .collect()
    }

    /// Returns whether a sandbox serves the state directory.
    pub fn has_sandbox(&self) -> bool {
        File::open(self.sandbox_dir().join("server.lock")).is_ok_and(|file| file.try_lock().is_err())
    }

    /// The process id of the state directory's sandbox, running or ended.
    pub fn sandbox_pid(&self) -> Option<Pid> {
        let endpoint = std::fs::read(self.sandbox_dir().join("endpoint.json")).ok()?;
        let endpoint: serde_json::Value = serde_json::from_slice(&endpoint).ok()?;
        Pid::from_raw(endpoint["pid"].as_i64()?.try_into().ok()?)
    }

    /// Processes whose program is in this home, or whose command line names it: functions, builds, sandboxes.
    pub fn processes(&self) -> Vec<Pid> {
        let Ok(entries) = std::fs::read_dir("/proc") else { return Vec::new() };
        let home = self.home().as_os_str().as_encoded_bytes();
        let ours = |dir: &Path| {
            let names = |path: &[u8]| path.windows(home.len()).any(|part| part == home);
            let links = ["exe", "cwd"].iter().filter_map(|link| std::fs::read_link(dir.join(link)).ok());
            links.into_iter().any(|path| names(path.as_os_str().as_encoded_bytes()))
                || std::fs::read(dir.join("cmdline")).is_ok_and(|line| names(&line))
        };
        entries
            .filter_map(|entry| {
                let entry = entry.ok()?;
                let pid = Pid::from_raw(entry.file_name().to_str()?.parse().ok()?)?;
                ours(&entry.path()).then_some(pid)
            })
            .collect()
    }

    /// Waits until all started processes have ended, and returns an error that names the others.
    fn wait_for_exit(&self) -> Result<(), String> {
        let deadline = Instant::now() + EXIT_DEADLINE;
        let mut delay = Duration::from_millis(2);
        while self.has_sandbox() || !self.processes().is_empty() {
            if Instant::now() > deadline {
                let left = self.processes();
                for pid in left.iter().copied().chain(self.sandbox_pid().filter(|_| self.has_sandbox())) {
                    let _ = kill_process(pid, Signal::KILL);
                }
                return Err(format!("processes are still running: {left:?}"));
            }
            std::thread::sleep(delay);
            delay = (delay * 2).min(Duration::from_millis(50));
        }
        Ok(())
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        if let Err(left) = self.wait_for_exit()
            && !std::thread::panicking()
        {
            panic!("{left}");
        }
    }
}
