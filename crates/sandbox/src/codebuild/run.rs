//! One build, from its queue to its end.

use std::io;
use std::path::{Path, PathBuf};

use serde_json::Value;
use thumbctl_platform::private_fs;
use tokio::sync::watch;

use super::build::Build;
use super::buildspec::{Buildspec, Commands, OnFailure};
use super::environment::{self, Compiler, Directories, Tools};
use super::log::Log;
use super::phase::{Context, PhaseKind, Status};
use super::shell::Shell;
use super::toolchain::{Toolchain, aws_cli};
use super::{PRINCIPAL, Store, leftovers, source};
use crate::authz::sessions::TemporaryCredentials;
use crate::latency::LatencySpan;
use crate::standin::signed::Signer;

/// Why a build has ended before its last command.
enum Interruption {
    Stopped,
    TimedOut,
}

/// How a build came to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ended {
    pub(super) status: Status,
    /// How often the phase that failed wants the build to be tried again.
    pub(super) retries: Option<u64>,
}

impl From<Status> for Ended {
    fn from(status: Status) -> Self {
        Self { status, retries: None }
    }
}

/// Runs a build to its end, whatever that is.
pub(super) async fn run(store: &Store, build: Build, stop: watch::Receiver<bool>) -> Ended {
    let id = build.id.clone();
    let directory = store.builds_dir().join(leftovers::directory_name(&id));
    let latencies = store.services.latencies();
    let compiler = match store.services.behaviour().real_cargo {
        true => Toolchain::find().map_or(Compiler::Missing, Compiler::Machine),
        false => Compiler::StandIn,
    };
    let tools = Tools {
        compiler,
        aws_cli: aws_cli(),
        compile: latencies.of(LatencySpan::BuildCompile),
        push: latencies.of(LatencySpan::BuildPush),
    };
    let run = Run { store, build, root: directory, tools };
    let ended = run.whole(stop).await;
    store.change(&id, |build| {
        build.leave(ended.status, Context::default());
        build.complete(ended.status);
    });
    ended
}

struct Run<'a> {
    store: &'a Store,
    build: Build,
    root: PathBuf,
    tools: Tools,
}

impl Run<'_> {
    async fn whole(&self, mut stop: watch::Receiver<bool>) -> Ended {
        let latencies = self.store.services.latencies();
        if is_stopped(latencies.wait(LatencySpan::BuildQueued), &mut stop).await {
            return Status::Stopped.into();
        }
        self.leave(Status::Succeeded, Context::default());
        self.enter(PhaseKind::Provisioning);
        if is_stopped(latencies.wait(LatencySpan::BuildProvisioning), &mut stop).await {
            return Status::Stopped.into();
        }
        match self.prepare().await {
            Ok((log, credentials)) => {
                let ended = self.logged(&log, &credentials, stop).await;
                self.remove_traces().await;
                // A reader who sees the build complete must find the last line.
                log.close().await;
                ended
            }
            Err(context) => {
                self.leave(Status::Failed, context);
                self.remove_traces().await;
                Status::Failed.into()
            }
        }
    }

    fn enter(&self, kind: PhaseKind) {
        self.store.change(&self.build.id, |build| build.enter(kind));
    }

    fn leave(&self, status: Status, context: Context) {
        self.store.change(&self.build.id, |build| build.leave(status, context));
    }

    /// Ends a phase in the build and in its log.
    async fn leave_logged(&self, log: &Log, kind: PhaseKind, status: Status, context: Context) {
        log.container(&format!("Phase complete: {} State: {}", kind.name(), status.name())).await;
        log.container(&format!("Phase context status code: {} Message: {}", context.code, context.message)).await;
        self.leave(status, context);
    }

    /// Provisioning: the role's credentials, the build's directory, the log's stream.
    async fn prepare(&self) -> Result<(Log, TemporaryCredentials), Context> {
        let services = &self.store.services;
        let role = text(self.build.setting("serviceRole"));
        let session = format!("AWSCodeBuild-{}", self.build.id.rsplit(':').next().unwrap_or(""));
        let credentials = services.assume_role(role, PRINCIPAL, &session).await.map_err(|_| {
            Context::new("ACCESS_DENIED", format!("CodeBuild is not authorized to perform: sts:AssumeRole on {role}"))
        })?;
        self.make_directories().map_err(|cause| {
            Context::new(
                "INTERNAL_SERVICE_ERROR",
                format!("the build's directory {} cannot be made: {cause}", self.root.display()),
            )
        })?;
        let place = self.build.log_place();
        let stream = place.stream.clone();
        let log = Log::open(services.clone(), credentials.clone(), place).await.map_err(|error| {
            Context::new(
                "ACCESS_DENIED",
                format!(
                    "Service role {role} does not allow AWS CodeBuild to create Amazon CloudWatch Logs log streams for \
                     build {}. Error message: {}",
                    self.build.arn, error.message
                ),
            )
        })?;
        self.store.change(&self.build.id, |build| {
            build.stream = Some(stream);
            build.leave(Status::Succeeded, Context::default());
        });
        Ok((log, credentials))
    }

    fn make_directories(&self) -> io::Result<()> {
        for directory in ["src", "home", "tmp", "control", "bin"] {
            private_fs::create_dir_all(&self.root.join(directory))?;
        }
        for name in self.tools.stand_ins() {
            std::os::unix::fs::symlink(&self.store.host.program, self.root.join("bin").join(name))?;
        }
        Ok(())
    }

    /// What follows provisioning, until the end or until it is interrupted.
    async fn logged(&self, log: &Log, credentials: &TemporaryCredentials, mut stop: watch::Receiver<bool>) -> Ended {
        let minutes = self.build.setting("timeoutInMinutes").as_u64().unwrap_or(60);
        let minutes = u32::try_from(minutes).unwrap_or(u32::MAX);
        let mut work = std::pin::pin!(self.work(log, credentials));
        let interruption = tokio::select! {
            ended = &mut work => return ended,
            _ = stop.wait_for(|stop| *stop) => Interruption::Stopped,
            () = self.store.timeout.expire(minutes) => Interruption::TimedOut,
        };
        let (status, context) = match interruption {
            Interruption::Stopped => (Status::Stopped, Context::default()),
            Interruption::TimedOut => (Status::TimedOut, Context::new("BUILD_TIMED_OUT", "Build has timed out. ")),
        };
        self.kill_processes().await;
        let current = {
            let state = self.store.lock();
            let build = state.builds.get(&self.build.id);
            build.and_then(|build| build.phases.last()).map(|it| it.kind)
        };
        if let Some(kind) = current {
            self.leave_logged(log, kind, status, context).await;
        }
        status.into()
    }

    async fn work(&self, log: &Log, credentials: &TemporaryCredentials) -> Ended {
        self.enter(PhaseKind::DownloadSource);
        let prepared = self.download(log, credentials).await;
        let (spec, mut shell) = match prepared {
            Ok(prepared) => prepared,
            Err(context) => {
                self.leave_logged(log, PhaseKind::DownloadSource, Status::Failed, context).await;
                return self.finalize(Status::Failed.into()).await;
            }
        };
        self.leave_logged(log, PhaseKind::DownloadSource, Status::Succeeded, Context::default()).await;

        let mut ended = Ended::from(Status::Succeeded);
        let phases = [
            (PhaseKind::Install, &spec.install),
            (PhaseKind::PreBuild, &spec.pre_build),
            (PhaseKind::Build, &spec.build),
            (PhaseKind::PostBuild, &spec.post_build),
        ];
        for (kind, commands) in phases {
            let succeeding = ended.status == Status::Succeeded;
            if !self.phase(kind, commands, succeeding, &mut shell, log).await {
                ended.status = Status::Failed;
                // A build that has failed still gets its POST_BUILD; before BUILD, a failure is the end.
                let goes_on = match commands.on_failure {
                    OnFailure::Usual => matches!(kind, PhaseKind::Build | PhaseKind::PostBuild),
                    OnFailure::Continue => true,
                    OnFailure::Abort => false,
                    OnFailure::Retry(times) => {
                        ended.retries = Some(times);
                        false
                    }
                };
                if !goes_on {
                    self.export(&spec, &mut shell, log).await;
                    return self.finalize(ended).await;
                }
            }
        }
        self.export(&spec, &mut shell, log).await;
        self.enter(PhaseKind::UploadArtifacts);
        self.leave_logged(log, PhaseKind::UploadArtifacts, Status::Succeeded, Context::default()).await;
        self.finalize(ended).await
    }

    async fn finalize(&self, ended: Ended) -> Ended {
        self.enter(PhaseKind::Finalizing);
        self.kill_processes().await;
        self.store.services.latencies().wait(LatencySpan::BuildFinalizing).await;
        self.leave(Status::Succeeded, Context::default());
        ended
    }

    async fn download(&self, log: &Log, credentials: &TemporaryCredentials) -> Result<(Buildspec, Shell), Context> {
        log.container("Running on the sandbox's CodeBuild").await;
        log.container("Phase is DOWNLOAD_SOURCE").await;
        let project_source = self.build.setting("source").clone();
        if project_source["type"] == "GITHUB" {
            log.container(&format!(
                "The sandbox does not fetch {}: it builds the function's source that thumbctl carries",
                text(&project_source["location"])
            ))
            .await;
        }
        let directory = self.root.join("src");
        log.container(&format!("CODEBUILD_SRC_DIR={}", directory.display())).await;
        let signer = Signer {
            access_key: credentials.access_key.clone(),
            secret_key: credentials.secret_key.clone(),
            session_token: Some(credentials.session_token.clone()),
            region: self.build.region.clone(),
        };
        let endpoint = self.store.services.endpoint().to_owned();
        let embedded = self.store.host.function;
        let target = directory.clone();
        let version = text(self.build.setting("sourceVersion")).to_owned();
        self.store.services.latencies().wait(LatencySpan::BuildSource).await;
        let spec = tokio::task::spawn_blocking(move || {
            source::fetch(&project_source, &version, &endpoint, &signer, embedded, &target)?;
            source::buildspec(&project_source, &target)
        })
        .await
        .map_err(|error| Context::new("INTERNAL_SERVICE_ERROR", error.to_string()))??;

        log.container("Processing environment variables").await;
        let phases = [
            ("INSTALL", &spec.install),
            ("PRE_BUILD", &spec.pre_build),
            ("BUILD", &spec.build),
            ("POST_BUILD", &spec.post_build),
        ];
        let filled = phases.iter().filter(|(_, phase)| !phase.commands.is_empty());
        log.container(&format!("Phases found in YAML: {}", filled.clone().count())).await;
        for (name, phase) in filled {
            log.container(&format!(" {name}: {} commands", phase.commands.len())).await;
        }
        for note in &spec.notes {
            log.container(&format!("In the sandbox: {note}")).await;
        }
        if let Compiler::Machine(toolchain) = &self.tools.compiler {
            log.container(&format!("In the sandbox: cargo compiles, from {}", toolchain.directory.display())).await;
        }
        let shell = self.shell(&spec, credentials, &directory)?;
        Ok((spec, shell))
    }

    fn shell(&self, spec: &Buildspec, credentials: &TemporaryCredentials, directory: &Path) -> Result<Shell, Context> {
        let directories = Directories {
            source: directory,
            home: &self.root.join("home"),
            temporary: &self.root.join("tmp"),
            stand_ins: &self.root.join("bin"),
        };
        let endpoint = self.store.services.endpoint();
        let variables = environment::variables(&self.build, spec, credentials, endpoint, &directories, &self.tools)?;
        let mark = leftovers::mark(&self.build.id);
        Shell::new(spec.shell, self.root.join("control"), directory.to_owned(), variables, mark)
            .map_err(|error| Context::new("INTERNAL_SERVICE_ERROR", error.to_string()))
    }

    /// Runs a phase's commands; false if one of them failed.
    async fn phase(
        &self,
        kind: PhaseKind,
        commands: &Commands,
        succeeding: bool,
        shell: &mut Shell,
        log: &Log,
    ) -> bool {
        self.enter(kind);
        log.container(&format!("Entering phase {}", kind.name())).await;
        let mut failure = None;
        for command in &commands.commands {
            failure = self.command(command, succeeding, shell, log).await.err();
            if failure.is_some() {
                break;
            }
        }
        for command in &commands.finally {
            let succeeding = succeeding && failure.is_none();
            let failed = self.command(command, succeeding, shell, log).await.err();
            // The first failure is the one that says why.
            failure = failure.or(failed);
        }
        let (status, context) = match failure {
            None => (Status::Succeeded, Context::default()),
            Some(context) => (Status::Failed, context),
        };
        self.leave_logged(log, kind, status, context).await;
        status == Status::Succeeded
    }

    async fn command(&self, command: &str, succeeding: bool, shell: &mut Shell, log: &Log) -> Result<(), Context> {
        log.container(&format!("Running command {}", command.trim_end())).await;
        let end = shell.run(command, succeeding, log).await.map_err(|error| {
            Context::new("INTERNAL_SERVICE_ERROR", format!("the command cannot be given to the shell: {error}"))
        })?;
        if end.status == 0 {
            return Ok(());
        }
        let (text, status) = (command.trim_end(), end.status);
        log.container(&format!("Command did not exit successfully {text} exit status {status}")).await;
        Err(Context::command(command, end))
    }

    /// Keeps what `env.exported-variables` names, as the shell has it now.
    async fn export(&self, spec: &Buildspec, shell: &mut Shell, log: &Log) {
        if spec.exported.is_empty() {
            return;
        }
        // A shell that cannot say them any more leaves the build without them; it is no reason to fail.
        if let Ok(values) = shell.values(&spec.exported, log).await {
            self.store.change(&self.build.id, |build| build.exported = values);
        }
    }

    /// Ends everything that the build has started.
    async fn kill_processes(&self) {
        let id = self.build.id.clone();
        // A panic in there would leave processes to the next start.
        let _ = tokio::task::spawn_blocking(move || leftovers::kill(&id)).await;
    }

    /// What a build leaves on the machine: nothing.
    async fn remove_traces(&self) {
        self.kill_processes().await;
        // A process that was killed a moment ago may still have made a file: what is left then goes at the next start.
        let _ = self.store.remove_directory(self.root.file_name());
    }
}

/// Waits for something, unless the build is stopped meanwhile.
async fn is_stopped(wait: impl Future<Output = ()>, stop: &mut watch::Receiver<bool>) -> bool {
    tokio::select! {
        () = wait => false,
        _ = stop.wait_for(|stop| *stop) => true,
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
