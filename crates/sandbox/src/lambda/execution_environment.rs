//! An execution environment: one process of a function, from its cold start through the events it handles in turn.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use bytes::Bytes;
use tempfile::TempDir;
use tokio::task::JoinHandle;

use super::function::Function;
use super::internal_caller::InternalCaller;
use super::leftovers::Leftovers;
use super::log_stream::LogStreamWriter;
use super::names::FunctionId;
use super::process::{Launch, LaunchContext, LaunchError, Process, ProcessEnd};
use super::report::{self, InvocationMetrics, InvocationResult};
use super::runtime_api::{RuntimeApi, RuntimeEvent, RuntimeMessage};

/// The directory of the processes' temporary files, below Lambda's directory.
pub(crate) const TEMPORARY: &str = "tmp";
/// Credentials expire after an hour; a process is replaced well before.
const CREDENTIALS_VALIDITY: Duration = Duration::from_secs(45 * 60);

/// A request to invoke a function.
#[derive(Debug, Clone)]
pub(crate) struct Invocation {
    pub request_id: String,
    pub payload: Bytes,
}

/// The outcome of an invocation.
#[derive(Debug)]
pub(crate) struct InvocationOutcome {
    pub result: InvocationResult,
    /// The last lines of its log.
    pub tail: Vec<u8>,
}

impl InvocationOutcome {
    /// The outcome when the function is deleted or the sandbox shuts down before the start.
    pub(crate) fn stopped() -> Self {
        Self { result: InvocationResult::Stopped, tail: Vec::new() }
    }
}

/// Starts a function's processes.
pub(crate) struct Launcher {
    pub internal: Arc<dyn InternalCaller>,
    /// The function's unpacked image.
    pub root: PathBuf,
    pub leftovers: Leftovers,
    /// How long the first initialisation may take.
    pub init_limit: Duration,
}

/// One process of a function.
pub(crate) struct ExecutionEnvironment {
    pub function: FunctionId,
    /// The function's revision at its start.
    pub revision: String,
    launcher: Launcher,
    /// The start of the process.
    started: Instant,
    api: RuntimeApi,
    process: Process,
    /// Deleted with the process.
    _temporary: TempDir,
    log: Arc<LogStreamWriter>,
    writer: JoinHandle<()>,
    /// Whether it has requested an event and waits for it.
    waiting: bool,
    max_memory_used: u32,
}

impl Launcher {
    async fn launch(
        &self,
        function: &Function,
        log: &Arc<LogStreamWriter>,
    ) -> Result<(RuntimeApi, Process, TempDir), InvocationResult> {
        let internal = &self.internal;
        let credentials = internal.assume_role(&function.role, &function.id.name).await.map_err(|error| {
            InvocationResult::Launch {
                kind: "AccessDeniedException",
                message: format!("The role defined for the function cannot be assumed by Lambda. {}", error.message),
            }
        })?;
        log.write_as(credentials.clone());
        let api = RuntimeApi::listen().await.map_err(|cause| InvocationResult::Launch {
            kind: "Sandbox.Failure",
            message: format!("cannot listen for the Runtime API: {cause}"),
        })?;
        let temporary = temporary_directory(&internal.directory()).map_err(|cause| InvocationResult::Launch {
            kind: "Sandbox.Failure",
            message: format!("cannot create a directory for temporary files: {cause}"),
        })?;
        let context = LaunchContext {
            runtime_api: api.address().to_string(),
            log_group: log.group(),
            log_stream: log.name(),
            endpoint: internal.endpoint(),
            temporary: temporary.path(),
            credentials: &credentials,
        };
        let failed = |error: LaunchError| InvocationResult::Launch {
            kind: "Runtime.InvalidEntrypoint",
            message: error.to_string(),
        };
        let launch = Launch::new(function, &self.root, &context).await.map_err(failed)?;
        let process = Process::start(&launch, log.clone(), self.leftovers.clone()).await.map_err(failed)?;
        Ok((api, process, temporary))
    }
}

impl ExecutionEnvironment {
    /// Starts a process. A failure is logged as a failed invocation.
    pub(crate) async fn start(
        launcher: Launcher,
        function: &Function,
        invocation: &Invocation,
    ) -> Result<Self, InvocationOutcome> {
        let log = LogStreamWriter::new(launcher.internal.clone(), &function.id.region, function.log_group());
        let started = Instant::now();
        match launcher.launch(function, &log).await {
            Ok((api, process, temporary)) => Ok(Self {
                function: function.id.clone(),
                revision: function.revision.clone(),
                launcher,
                started,
                api,
                process,
                _temporary: temporary,
                writer: log.write_in_background(),
                log,
                waiting: false,
                max_memory_used: 0,
            }),
            Err(result) => {
                let metrics = InvocationMetrics {
                    duration: started.elapsed(),
                    memory_size: function.memory_size,
                    max_memory_used: 0,
                    init: None,
                };
                log.push(&report::start(&invocation.request_id));
                Err(conclude(&log, invocation, result, metrics).await)
            }
        }
    }

    /// Whether it can handle another event of `revision`.
    pub(crate) fn is_usable(&mut self, revision: &str) -> bool {
        self.waiting
            && self.revision == revision
            && self.started.elapsed() < CREDENTIALS_VALIDITY
            && self.process.is_running()
    }

    /// Handles one event. On return, all of the function's output is in its log.
    pub(crate) async fn invoke(
        &mut self,
        function: &Function,
        arn: &str,
        invocation: &Invocation,
    ) -> InvocationOutcome {
        let cold = !self.waiting;
        self.log.reset_tail();
        let initialised = if cold { self.initialise(function).await } else { Ok(()) };
        let init = cold.then(|| self.started.elapsed());
        if initialised.is_ok() {
            // Output before START belongs to the initialisation; the caller sees it only if that failed.
            self.log.reset_tail();
        }
        self.log.push(&report::start(&invocation.request_id));

        let (start, result) = match initialised {
            // Like Lambda on its second attempt: the time counts for the invocation.
            Err(result) => (self.started, result),
            Ok(()) => (Instant::now(), self.run_event(function, arn, invocation).await),
        };
        let duration = match &result {
            InvocationResult::Timeout(limit) => *limit,
            _ => start.elapsed(),
        };
        self.max_memory_used = match result {
            InvocationResult::OutOfMemory => function.memory_size,
            _ => self.max_memory_used.max(self.process.max_memory_used()),
        };
        if !self.waiting {
            self.process.kill().await;
        }
        self.process.drain();
        let metrics = InvocationMetrics {
            duration,
            memory_size: function.memory_size,
            max_memory_used: self.max_memory_used,
            init: init.filter(|_| start != self.started),
        };
        conclude(&self.log, invocation, result, metrics).await
    }

    /// Waits until the function is initialised.
    ///
    /// Rule: after too long an initialisation, Lambda repeats it within the invocation, with the function's timeout.
    /// <https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html#runtimes-lifecycle-ib>
    async fn initialise(&mut self, function: &Function) -> Result<(), InvocationResult> {
        match self.first_request(self.launcher.init_limit).await {
            Err(InvocationResult::Timeout(limit)) => {
                self.log.push(&report::init_timeout(limit));
                self.process.kill().await;
                self.process.drain();
                self.started = Instant::now();
                (self.api, self.process, self._temporary) = self.launcher.launch(function, &self.log).await?;
                self.first_request(Duration::from_secs(function.timeout.into())).await
            }
            initialised => initialised,
        }
    }

    /// Waits for the first request for an event.
    async fn first_request(&mut self, limit: Duration) -> Result<(), InvocationResult> {
        let timeout = tokio::time::sleep_until((self.started + limit).into());
        tokio::pin!(timeout);
        let mut failure = None;
        loop {
            tokio::select! {
                biased;
                message = self.api.next_message() => match message {
                    Some(RuntimeMessage::Next) => {
                        self.waiting = true;
                        self.max_memory_used = self.process.max_memory_used();
                        return Ok(());
                    }
                    // The runtime will exit; its own error says more than the exit status.
                    Some(RuntimeMessage::InitError(document)) => failure = Some(InvocationResult::Failure(document)),
                    _ => {}
                },
                end = self.process.wait_for_end() => return Err(failure.unwrap_or(end.into())),
                () = &mut timeout => return Err(failure.unwrap_or(InvocationResult::Timeout(limit))),
            }
        }
    }

    /// Sends the event, and waits for the response and the request for the next event.
    async fn run_event(&mut self, function: &Function, arn: &str, invocation: &Invocation) -> InvocationResult {
        let limit = Duration::from_secs(function.timeout.into());
        let deadline = Instant::now() + limit;
        self.waiting = false;
        self.api.send_event(RuntimeEvent {
            request_id: invocation.request_id.clone(),
            function_arn: arn.to_owned(),
            payload: invocation.payload.clone(),
            deadline: SystemTime::now() + limit,
        });
        let timeout = tokio::time::sleep_until(deadline.into());
        tokio::pin!(timeout);
        let mut requested_next = false;
        let mut response = None;
        loop {
            tokio::select! {
                biased;
                message = self.api.next_message() => match message {
                    Some(RuntimeMessage::Next) => requested_next = true,
                    Some(RuntimeMessage::Response(payload)) => response = Some(InvocationResult::Response(payload)),
                    Some(RuntimeMessage::ResponseTooLarge(size)) => response = Some(InvocationResult::TooLarge(size)),
                    Some(RuntimeMessage::Error(document)) => response = Some(InvocationResult::Failure(document)),
                    Some(RuntimeMessage::InitError(_)) | None => {}
                },
                end = self.process.wait_for_end() => return match end {
                    // As on Lambda, the response is lost with the environment.
                    ProcessEnd::OutOfMemory => InvocationResult::OutOfMemory,
                    ended => response.unwrap_or(ended.into()),
                },
                () = &mut timeout => return InvocationResult::Timeout(limit),
            }
            if requested_next && let Some(result) = response.take() {
                self.waiting = true;
                return result;
            }
        }
    }

    /// Ends the process after its log is written.
    pub(crate) async fn retire(mut self) {
        self.process.kill().await;
        self.process.drain();
        self.log.flush().await;
    }

    /// Ends the process of a deleted function without writing more of its log.
    pub(crate) async fn discard(mut self) {
        self.log.abandon();
        self.process.kill().await;
        // Waits for a write in progress.
        self.log.flush().await;
    }
}

impl From<ProcessEnd> for InvocationResult {
    fn from(end: ProcessEnd) -> Self {
        match end {
            ProcessEnd::Ended(how) => Self::Exit(how),
            ProcessEnd::OutOfMemory => Self::OutOfMemory,
        }
    }
}

impl Drop for ExecutionEnvironment {
    fn drop(&mut self) {
        self.writer.abort();
    }
}

/// Creates a directory for a process's temporary files.
fn temporary_directory(directory: &Path) -> std::io::Result<TempDir> {
    let parent = directory.join(TEMPORARY);
    thumbctl_platform::private_fs::create_dir_all(&parent)?;
    thumbctl_platform::private_fs::temporary_dir("", &std::path::absolute(parent)?)
}

/// Writes Lambda's lines at the end of an invocation, and flushes the log.
async fn conclude(
    log: &LogStreamWriter,
    invocation: &Invocation,
    result: InvocationResult,
    metrics: InvocationMetrics,
) -> InvocationOutcome {
    if let Some(line) = result.log_line(&invocation.request_id) {
        log.push(&line);
    }
    log.push(&report::end(&invocation.request_id));
    log.push(&report::report(&invocation.request_id, metrics, &result));
    log.flush().await;
    InvocationOutcome { tail: log.tail(), result }
}
