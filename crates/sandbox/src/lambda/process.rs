//! A function's operating system process: command, environment, output, exit.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rustix::fs::OFlags;
use rustix::process::{Pid, Signal};
use tokio::net::unix::pipe;
use tokio::process::{Child, Command};
use tokio::task::JoinHandle;

use super::code::{Code, ImageCode, ZipCode};
use super::function::Function;
use super::leftovers::Leftovers;
use super::log_stream::LogStreamWriter;
use super::memory::{MemoryWatch, mapping_bound};
use super::python;
use super::rootfs;
use crate::authz::sessions::TemporaryCredentials;
use crate::marked_processes::{ProcessMark, kill_marked};
use crate::sync::lock;

/// The search path of an image without `PATH`.
const DEFAULT_PATH: &str = "/usr/local/bin:/usr/bin:/bin:/opt/bin";
/// The bytes read before other tasks run.
const PUMP: usize = 1 << 20;

/// The variable with the process's log stream, unique to the process.
const LOG_STREAM: &str = "AWS_LAMBDA_LOG_STREAM_NAME";

/// FunctionInvoker run at lower priority, so that they do not delay the sandbox's responses.
const NICE: i32 = 5;
/// The longest delay between attempts to start a busy program.
const MAX_BUSY: Duration = Duration::from_millis(500);

/// The parameters of a process start.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Launch {
    pub program: PathBuf,
    /// The program as named by the image, and its arguments.
    pub argv: Vec<String>,
    pub directory: PathBuf,
    pub environment: BTreeMap<String, String>,
    /// In MB.
    pub memory_size: u32,
}

/// A failed start. The message has the form of Lambda's log.
#[derive(Debug, thiserror::Error)]
#[error("fork/exec {program}: {reason}")]
pub(crate) struct LaunchError {
    program: String,
    reason: String,
}

/// The sandbox's values for a process's environment.
pub(crate) struct LaunchContext<'a> {
    pub runtime_api: String,
    pub log_group: &'a str,
    pub log_stream: &'a str,
    pub endpoint: &'a str,
    /// The process's own directory.
    pub temporary: &'a Path,
    pub credentials: &'a TemporaryCredentials,
}

impl Launch {
    /// The mark by which the process and its children are found.
    fn mark(&self) -> ProcessMark {
        let stream = self.environment.get(LOG_STREAM).map_or("", String::as_str);
        ProcessMark::new(LOG_STREAM, stream, mapping_bound(self.memory_size))
    }

    /// Creates the command of `function`, whose code is unpacked at `root`.
    pub(crate) async fn new(
        function: &Function,
        root: &Path,
        context: &LaunchContext<'_>,
    ) -> Result<Self, LaunchError> {
        match &function.code {
            Code::Image(image) => Self::of_image(function, image, root, context),
            Code::Zip(zip) => Self::of_zip(function, zip, root, context).await,
        }
    }

    async fn of_zip(
        function: &Function,
        zip: &ZipCode,
        root: &Path,
        context: &LaunchContext<'_>,
    ) -> Result<Self, LaunchError> {
        let Some(interpreter) = thumbctl_platform::python::interpreter().await else {
            return Err(LaunchError {
                program: "python3".to_owned(),
                reason: "this machine has no python3 on its PATH".to_owned(),
            });
        };
        let mut environment = environment(function, root, &zip.handler, context);
        environment.insert("AWS_EXECUTION_ENV".to_owned(), format!("AWS_Lambda_{}", zip.runtime));
        Ok(Self {
            program: interpreter.to_owned(),
            argv: python::arguments(interpreter),
            directory: root.join("var/task"),
            environment,
            memory_size: function.memory_size,
        })
    }

    fn of_image(
        function: &Function,
        image: &ImageCode,
        root: &Path,
        context: &LaunchContext<'_>,
    ) -> Result<Self, LaunchError> {
        let overrides = &function.image_config;
        // Like docker: overriding the entry point drops the image's command.
        let (entrypoint, cmd) = match (overrides.entrypoint.is_empty(), overrides.command.is_empty()) {
            (true, true) => (&image.entrypoint, &image.cmd),
            (true, false) => (&image.entrypoint, &overrides.command),
            (false, _) => (&overrides.entrypoint, &overrides.command),
        };
        let argv: Vec<String> = entrypoint.iter().chain(cmd).cloned().collect();
        let handler = cmd.first().map_or("", String::as_str);
        let environment = environment(function, root, handler, context);

        let directory = overrides.working_directory.as_deref().unwrap_or(&image.working_dir);
        let directory = Path::new(if directory.is_empty() { "/" } else { directory });
        let failed = |reason: &str| LaunchError {
            program: argv.first().cloned().unwrap_or_else(|| "the entry point".to_owned()),
            reason: reason.to_owned(),
        };
        let Some(name) = argv.first().filter(|name| !name.is_empty()) else {
            return Err(failed("the image has neither ENTRYPOINT nor CMD"));
        };
        let candidates: Vec<PathBuf> = if name.contains('/') {
            vec![directory.join(name)]
        } else {
            let path = environment.get("PATH").map_or(DEFAULT_PATH, String::as_str);
            path.split(':').filter(|dir| !dir.is_empty()).map(|dir| Path::new(dir).join(name)).collect()
        };
        let mut reason = "no such file or directory";
        let program = candidates.iter().find_map(|candidate| {
            let found = rootfs::resolve(root, candidate).ok()?;
            let metadata = std::fs::metadata(&found).ok()?;
            if metadata.is_file() && metadata.permissions().mode() & 0o111 != 0 {
                return Some(found);
            }
            reason = "permission denied";
            None
        });
        let Some(program) = program else {
            return Err(failed(reason));
        };
        let directory = rootfs::resolve(root, directory).map_err(|cause| failed(&cause.to_string()))?;
        // Lambda, too, creates a working directory that the image lacks.
        std::fs::create_dir_all(&directory).map_err(|cause| failed(&cause.to_string()))?;
        Ok(Self { program, argv, directory, environment, memory_size: function.memory_size })
    }
}

/// The process's complete environment: Lambda's variables, the image's and the function's, none of the sandbox's own.
fn environment(
    function: &Function,
    root: &Path,
    handler: &str,
    context: &LaunchContext<'_>,
) -> BTreeMap<String, String> {
    let mut environment = BTreeMap::new();
    let mut set = |name: &str, value: &str| {
        environment.insert(name.to_owned(), value.to_owned());
    };
    set("PATH", DEFAULT_PATH);
    set("LANG", "en_US.UTF-8");
    set("TZ", ":UTC");
    // Only the sandbox sets this: the SDKs' own variable for an endpoint.
    set("AWS_ENDPOINT_URL", context.endpoint);
    // Without its own root directory the process has no own /tmp; programs that respect TMPDIR get a private one.
    set("TMPDIR", &context.temporary.to_string_lossy());
    if let Code::Image(image) = &function.code {
        for (name, value) in image.env.iter().filter_map(|variable| variable.split_once('=')) {
            set(name, value);
        }
    }
    for (name, value) in &function.environment {
        set(name, value);
    }
    set("_HANDLER", handler);
    set("AWS_REGION", &function.id.region);
    set("AWS_DEFAULT_REGION", &function.id.region);
    set("AWS_ACCESS_KEY_ID", &context.credentials.access_key);
    set("AWS_SECRET_ACCESS_KEY", &context.credentials.secret_key);
    set("AWS_SESSION_TOKEN", &context.credentials.session_token);
    set("AWS_LAMBDA_FUNCTION_NAME", &function.id.name);
    set("AWS_LAMBDA_FUNCTION_VERSION", super::function::LATEST);
    set("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", &function.memory_size.to_string());
    set("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand");
    set("AWS_LAMBDA_LOG_GROUP_NAME", context.log_group);
    set(LOG_STREAM, context.log_stream);
    set("AWS_LAMBDA_RUNTIME_API", &context.runtime_api);
    // On Lambda these are /var/task and /var/runtime; the process has no root directory of its own here.
    set("LAMBDA_TASK_ROOT", &root.join("var/task").to_string_lossy());
    set("LAMBDA_RUNTIME_DIR", &root.join("var/runtime").to_string_lossy());
    environment
}

/// A running process in its own process group. Dropping it kills the process and its children.
pub(crate) struct Process {
    child: Child,
    group: Option<Pid>,
    output: Arc<Output>,
    reader: JoinHandle<()>,
    leftovers: Leftovers,
    /// The mark of the process and its children.
    mark: ProcessMark,
    memory: MemoryWatch,
}

/// Why a process stopped handling events.
#[derive(Debug)]
pub(crate) enum ProcessEnd {
    /// It exited, with a description.
    Ended(String),
    /// It exceeded its memory limit.
    OutOfMemory,
}

impl Process {
    /// Starts the process. Its output goes to `log`.
    pub(crate) async fn start(
        launch: &Launch,
        log: Arc<LogStreamWriter>,
        leftovers: Leftovers,
    ) -> Result<Self, LaunchError> {
        let failed = |cause: io::Error| LaunchError {
            program: launch.argv[0].clone(),
            reason: match cause.raw_os_error() {
                Some(code) if code == rustix::io::Errno::NOEXEC.raw_os_error() => "exec format error".to_owned(),
                _ => cause.to_string(),
            },
        };
        // One pipe for both, so that lines keep their order.
        let (output, input) = io::pipe().map_err(failed)?;
        let mut command = Command::new(&launch.program);
        command
            .arg0(&launch.argv[0])
            .args(&launch.argv[1..])
            .current_dir(&launch.directory)
            .env_clear()
            .envs(&launch.environment)
            .stdin(Stdio::null())
            .stdout(input.try_clone().map_err(failed)?)
            .stderr(input)
            .process_group(0)
            .kill_on_drop(true);
        let child = spawn(&mut command).await.map_err(failed)?;
        // The command holds the pipe's writing end, which would stay open after the process has ended.
        drop(command);
        let group = child.id().and_then(|id| Pid::from_raw(id as i32));
        let mark = launch.mark();
        if let Some(group) = group {
            // First, since children started earlier would lack the mark.
            mark.limit(group);
            // May fail if the process has exited or the system forbids it; then it runs at normal priority.
            let _ = rustix::process::setpriority_pgrp(Some(group), NICE);
        }
        let memory = MemoryWatch::new(child.id(), launch.memory_size);
        let output = Arc::new(Output::new(output.into(), log).map_err(failed)?);
        let reader = tokio::spawn(read_in_background(output.clone()));
        if let Some(id) = child.id() {
            leftovers.note(id, &mark);
        }
        Ok(Self { child, group, output, reader, leftovers, mark, memory })
    }

    /// Waits until the process exits or exceeds its memory limit.
    pub(crate) async fn wait_for_end(&mut self) -> ProcessEnd {
        tokio::select! {
            biased;
            status = self.child.wait() => ProcessEnd::Ended(match status {
                Ok(status) => describe(status),
                Err(cause) => format!("Runtime exited with error: {cause}"),
            }),
            () = self.memory.exceeded() => ProcessEnd::OutOfMemory,
        }
    }

    /// Whether the process is running.
    pub(crate) fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Reads all output so far into the log stream.
    pub(crate) fn drain(&self) {
        // Bypasses the reactor, which may not yet have seen the pipe's content.
        self.output.pump(true, |chunk| (&self.output.pipe).read(chunk));
    }

    /// The peak memory use so far, in MB; 0 where it is unknown.
    pub(crate) fn max_memory_used(&mut self) -> u32 {
        self.memory.sample();
        self.memory.peak()
    }

    /// Kills the process and its children, and waits for their exit.
    pub(crate) async fn kill(&mut self) {
        if let Some(kill_action) = self.kill_action() {
            // After a panic the next start kills the remaining processes by their notes.
            let _ = tokio::task::spawn_blocking(kill_action).await;
        }
        // An error means that there is nothing to wait for.
        let _ = self.child.wait().await;
    }

    /// Returns the action that kills the process and its children, once.
    fn kill_action(&mut self) -> Option<impl FnOnce() + Send + use<>> {
        let group = self.group.take()?;
        let (mark, leftovers) = (self.mark.clone(), self.leftovers.clone());
        // After the exit was seen, the id may belong to another process.
        let root = self.child.id().map(|_| group);
        Some(move || {
            kill_marked(&[mark], root);
            // The group may be gone already.
            let _ = rustix::process::kill_process_group(group, Signal::KILL);
            leftovers.forget(group.as_raw_nonzero().get() as u32);
        })
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if let Some(kill_action) = self.kill_action() {
            kill_action();
        }
        self.reader.abort();
    }
}

/// Starts a command whose program may just have been written. A process forked at that moment by another thread holds
/// the file open until its own exec, and until then the program counts as busy.
async fn spawn(command: &mut Command) -> io::Result<Child> {
    let mut delay = Duration::from_millis(1);
    loop {
        match command.spawn() {
            Err(cause) if cause.kind() == io::ErrorKind::ExecutableFileBusy && delay < MAX_BUSY => {
                tokio::time::sleep(delay).await;
                delay *= 2;
            }
            result => return result,
        }
    }
}

fn describe(status: ExitStatus) -> String {
    use std::os::unix::process::ExitStatusExt;
    match (status.code(), status.signal()) {
        (Some(0), _) => "Runtime exited without providing a reason".to_owned(),
        (Some(code), _) => format!("Runtime exited with error: exit status {code}"),
        (None, Some(9)) => "Runtime exited with error: signal: killed".to_owned(),
        (None, Some(11)) => "Runtime exited with error: signal: segmentation fault".to_owned(),
        (None, Some(6)) => "Runtime exited with error: signal: aborted".to_owned(),
        (None, signal) => format!("Runtime exited with error: signal: {}", signal.unwrap_or_default()),
    }
}

/// The read end of a process's output pipe.
struct Output {
    pipe: File,
    partial: Mutex<Vec<u8>>,
    log: Arc<LogStreamWriter>,
}

#[derive(PartialEq, Eq)]
enum PumpStatus {
    /// Nothing more to read for now.
    Empty,
    More,
    Closed,
}

impl Output {
    fn new(pipe: OwnedFd, log: Arc<LogStreamWriter>) -> io::Result<Self> {
        rustix::fs::fcntl_setfl(&pipe, OFlags::NONBLOCK)?;
        Ok(Self { pipe: pipe.into(), partial: Mutex::default(), log })
    }

    /// Reads available output and logs complete lines; with `all`, also the text after the last line break.
    fn pump(&self, all: bool, mut source: impl FnMut(&mut [u8]) -> io::Result<usize>) -> PumpStatus {
        let mut partial = lock(&self.partial);
        let mut chunk = [0; 16 * 1024];
        let mut read = 0;
        let pumped = loop {
            match source(&mut chunk) {
                Ok(0) => break PumpStatus::Closed,
                Ok(count) => {
                    partial.extend_from_slice(&chunk[..count]);
                    read += count;
                    if read >= PUMP {
                        break PumpStatus::More;
                    }
                }
                Err(cause) if cause.kind() == io::ErrorKind::Interrupted => {}
                Err(cause) if cause.kind() == io::ErrorKind::WouldBlock => break PumpStatus::Empty,
                Err(_) => break PumpStatus::Closed,
            }
        };
        let complete = partial.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        for line in partial[..complete].split_inclusive(|byte| *byte == b'\n') {
            self.log.push(&String::from_utf8_lossy(line));
        }
        partial.drain(..complete);
        // A line without an end must not grow without bound.
        if !partial.is_empty() && (all || pumped == PumpStatus::Closed || partial.len() >= PUMP) {
            self.log.push(&format!("{}\n", String::from_utf8_lossy(&partial)));
            partial.clear();
        }
        pumped
    }
}

async fn read_in_background(output: Arc<Output>) {
    let Ok(pipe) = output.pipe.try_clone().and_then(|pipe| pipe::Receiver::from_owned_fd(pipe.into())) else {
        return;
    };
    loop {
        // Back-pressure: a function that writes faster than its log blocks on its pipe.
        output.log.wait_for_capacity().await;
        if pipe.readable().await.is_err() {
            return;
        }
        match output.pump(false, |chunk| pipe.try_read(chunk)) {
            PumpStatus::Empty => {}
            PumpStatus::More => tokio::task::yield_now().await,
            PumpStatus::Closed => return,
        }
    }
}
