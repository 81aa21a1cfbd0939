//! One process of a function, from its cold start through the events that it works on, one after the other.

use std::path::Path;
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

/// How long a function may take to ask for its first event.
const INIT_LIMIT: Duration = Duration::from_secs(10);
/// Where, below Lambda's directory, the processes have their temporary files.
pub(crate) const TEMPORARY: &str = "tmp";
/// Credentials are good for an hour; a process is replaced well before.
const CREDENTIALS_VALIDITY: Duration = Duration::from_secs(45 * 60);

/// What a function is asked to do.
#[derive(Debug, Clone)]
pub(crate) struct Invocation {
    pub request_id: String,
    pub payload: Bytes,
}

/// What became of it.
#[derive(Debug)]
pub(crate) struct InvocationOutcome {
    pub result: InvocationResult,
    /// The end of its log.
    pub tail: Vec<u8>,
}

impl InvocationOutcome {
    /// It did not even begin, since the function is gone or the sandbox is going down.
    pub(crate) fn stopped() -> Self {
        Self { result: InvocationResult::Stopped, tail: Vec::new() }
    }
}

/// One process of a function.
pub(crate) struct ExecutionEnvironment {
    pub function: FunctionId,
    /// The function's revision that it was started with.
    pub revision: String,
    started: Instant,
    api: RuntimeApi,
    process: Process,
    /// Removed with the process.
    _temporary: TempDir,
    log: Arc<LogStreamWriter>,
    writer: JoinHandle<()>,
    /// It has asked for an event and waits for it.
    waiting: bool,
    max_memory_used: u32,
}

impl ExecutionEnvironment {
    /// Starts a process. When that fails, the log has been told, as of an invocation that failed at once.
    pub(crate) async fn start(
        internal: &Arc<dyn InternalCaller>,
        function: &Function,
        root: &Path,
        leftovers: &Leftovers,
        invocation: &Invocation,
    ) -> Result<Self, InvocationOutcome> {
        let log = LogStreamWriter::new(internal.clone(), &function.id.region, function.log_group());
        let started = Instant::now();
        match Self::launch(internal, function, root, leftovers, &log).await {
            Ok((api, process, temporary)) => Ok(Self {
                function: function.id.clone(),
                revision: function.revision.clone(),
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

    async fn launch(
        internal: &Arc<dyn InternalCaller>,
        function: &Function,
        root: &Path,
        leftovers: &Leftovers,
        log: &Arc<LogStreamWriter>,
    ) -> Result<(RuntimeApi, Process, TempDir), InvocationResult> {
        let credentials = internal.assume_role(&function.role, &function.id.name).await.map_err(|error| {
            InvocationResult::Launch {
                kind: "AccessDeniedException",
                message: format!("The role defined for the function cannot be assumed by Lambda. {}", error.message),
            }
        })?;
        log.write_as(credentials.clone());
        let api = RuntimeApi::listen().await.map_err(|cause| InvocationResult::Launch {
            kind: "Sandbox.Failure",
            message: format!("the Runtime API cannot listen: {cause}"),
        })?;
        let temporary = temporary_directory(&internal.directory()).map_err(|cause| InvocationResult::Launch {
            kind: "Sandbox.Failure",
            message: format!("a directory for temporary files cannot be made: {cause}"),
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
        let launch = Launch::new(function, root, &context).await.map_err(failed)?;
        let process = Process::start(&launch, log.clone(), leftovers.clone()).await.map_err(failed)?;
        Ok((api, process, temporary))
    }

    /// Whether it can take another event of `revision`.
    pub(crate) fn is_usable(&mut self, revision: &str) -> bool {
        self.waiting
            && self.revision == revision
            && self.started.elapsed() < CREDENTIALS_VALIDITY
            && self.process.is_running()
    }

    /// Works on one event. Afterwards everything that the function wrote about it is in its log.
    pub(crate) async fn perform(
        &mut self,
        function: &Function,
        arn: &str,
        invocation: &Invocation,
    ) -> InvocationOutcome {
        let cold = !self.waiting;
        self.log.reset_tail();
        let initialised = if cold { self.initialise().await } else { Ok(()) };
        let init = cold.then(|| self.started.elapsed());
        if initialised.is_ok() {
            // What was written before START is the initialisation's; it matters to the caller only if that failed.
            self.log.reset_tail();
        }
        self.log.push(&report::start(&invocation.request_id));

        let (begun, result) = match initialised {
            // As Lambda does on its second try: the time went into the invocation.
            Err(result) => (self.started, result),
            Ok(()) => (Instant::now(), self.work(function, arn, invocation).await),
        };
        let duration = match &result {
            InvocationResult::Timeout(limit) => *limit,
            _ => begun.elapsed(),
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
            init: init.filter(|_| begun != self.started),
        };
        conclude(&self.log, invocation, result, metrics).await
    }

    /// Waits for the first question.
    async fn initialise(&mut self) -> Result<(), InvocationResult> {
        let limit = tokio::time::sleep_until((self.started + INIT_LIMIT).into());
        tokio::pin!(limit);
        let mut failure = None;
        loop {
            tokio::select! {
                biased;
                said = self.api.next_message() => match said {
                    Some(RuntimeMessage::Next) => {
                        self.waiting = true;
                        self.max_memory_used = self.process.max_memory_used();
                        return Ok(());
                    }
                    // The runtime will exit; its reason is the better one to give.
                    Some(RuntimeMessage::InitError(document)) => failure = Some(InvocationResult::Failure(document)),
                    _ => {}
                },
                departure = self.process.wait_for_end() => return Err(failure.unwrap_or(departure.into())),
                () = &mut limit => return Err(failure.unwrap_or(InvocationResult::Timeout(INIT_LIMIT))),
            }
        }
    }

    /// Hands the event over, and waits until the process has answered and asks for the next.
    async fn work(&mut self, function: &Function, arn: &str, invocation: &Invocation) -> InvocationResult {
        let limit = Duration::from_secs(function.timeout.into());
        let deadline = Instant::now() + limit;
        self.waiting = false;
        self.api.hand(RuntimeEvent {
            request_id: invocation.request_id.clone(),
            function_arn: arn.to_owned(),
            payload: invocation.payload.clone(),
            deadline: SystemTime::now() + limit,
        });
        let late = tokio::time::sleep_until(deadline.into());
        tokio::pin!(late);
        let mut asks = false;
        let mut answer = None;
        loop {
            tokio::select! {
                biased;
                said = self.api.next_message() => match said {
                    Some(RuntimeMessage::Next) => asks = true,
                    Some(RuntimeMessage::Response(payload)) => answer = Some(InvocationResult::Response(payload)),
                    Some(RuntimeMessage::ResponseTooLarge(size)) => answer = Some(InvocationResult::TooLarge(size)),
                    Some(RuntimeMessage::Error(document)) => answer = Some(InvocationResult::Failure(document)),
                    Some(RuntimeMessage::InitError(_)) | None => {}
                },
                departure = self.process.wait_for_end() => return match departure {
                    // Lambda's answer is lost then, too: the whole environment is gone.
                    ProcessEnd::OutOfMemory => InvocationResult::OutOfMemory,
                    ended => answer.unwrap_or(ended.into()),
                },
                () = &mut late => return InvocationResult::Timeout(limit),
            }
            if asks && let Some(result) = answer.take() {
                self.waiting = true;
                return result;
            }
        }
    }

    /// Ends the process, its log complete.
    pub(crate) async fn retire(mut self) {
        self.process.kill().await;
        self.process.drain();
        self.log.flush().await;
    }

    /// Ends the process, and writes nothing of it any more: its function is gone.
    pub(crate) async fn discard(mut self) {
        self.log.abandon();
        self.process.kill().await;
        // Whatever was being written just then is written before this returns.
        self.log.flush().await;
    }
}

impl From<ProcessEnd> for InvocationResult {
    fn from(departure: ProcessEnd) -> Self {
        match departure {
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

/// A directory for a process's temporary files, below Lambda's own directory.
fn temporary_directory(directory: &Path) -> std::io::Result<TempDir> {
    let parent = directory.join(TEMPORARY);
    thumbctl_platform::private_fs::create_dir_all(&parent)?;
    thumbctl_platform::private_fs::temporary_dir("", &std::path::absolute(parent)?)
}

/// Writes what Lambda says at the end of an invocation, and sees the whole log home.
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
