//! Runs one build from its queue to its end.

use std::io;
use std::path::{Path, PathBuf};

use serde_json::Value;
use thumbctl_platform::private_fs;
use tokio::sync::watch;

use super::build::Build;
use super::buildspec::{Buildspec, PhaseCommands, PhaseFailurePolicy};
use super::environment::{self, BuildDirectories, BuildTools, Compiler};
use super::log::BuildLog;
use super::phase::{BuildStatus, PhaseContext, PhaseKind};
use super::shell::Shell;
use super::toolchain::{Toolchain, aws_cli};
use super::{BuildStore, PRINCIPAL, leftovers, source};
use crate::authz::sessions::TemporaryCredentials;
use crate::latency::LatencySpan;
use crate::shims::signed::Signer;

/// Why a build ended before its last command.
enum BuildInterruption {
    Stopped,
    TimedOut,
}

/// The outcome of a build.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct BuildOutcome {
    pub(super) status: BuildStatus,
    /// The retries requested by the failed phase.
    pub(super) retries: Option<u64>,
}

impl From<BuildStatus> for BuildOutcome {
    fn from(status: BuildStatus) -> Self {
        Self { status, retries: None }
    }
}

/// Runs a build to its end.
pub(super) async fn run(store: &BuildStore, build: Build, stop: watch::Receiver<bool>) -> BuildOutcome {
    let id = build.id.clone();
    let directory = store.builds_dir().join(leftovers::directory_name(&id));
    let latencies = store.services.latencies();
    let compiler = match store.services.behaviour().real_cargo {
        true => Toolchain::find().map_or(Compiler::Missing, Compiler::Machine),
        false => Compiler::Shim,
    };
    let tools = BuildTools {
        compiler,
        aws_cli: aws_cli(),
        compile: latencies.of(LatencySpan::BuildCompile),
        push: latencies.of(LatencySpan::BuildPush),
    };
    let run = Run { store, build, root: directory, tools };
    let outcome = run.run(stop).await;
    store.change(&id, |build| {
        build.leave(outcome.status, PhaseContext::default());
        build.complete(outcome.status);
    });
    outcome
}

struct Run<'a> {
    store: &'a BuildStore,
    build: Build,
    root: PathBuf,
    tools: BuildTools,
}

impl Run<'_> {
    async fn run(&self, mut stop: watch::Receiver<bool>) -> BuildOutcome {
        let latencies = self.store.services.latencies();
        if is_stopped(latencies.wait(LatencySpan::BuildQueued), &mut stop).await {
            return BuildStatus::Stopped.into();
        }
        self.leave(BuildStatus::Succeeded, PhaseContext::default());
        self.enter(PhaseKind::Provisioning);
        if is_stopped(latencies.wait(LatencySpan::BuildProvisioning), &mut stop).await {
            return BuildStatus::Stopped.into();
        }
        match self.prepare().await {
            Ok((log, credentials)) => {
                let outcome = self.run_logged(&log, &credentials, stop).await;
                self.clean_up().await;
                // The last line must be readable once the build is complete.
                log.close().await;
                outcome
            }
            Err(context) => {
                self.leave(BuildStatus::Failed, context);
                self.clean_up().await;
                BuildStatus::Failed.into()
            }
        }
    }

    fn enter(&self, kind: PhaseKind) {
        self.store.change(&self.build.id, |build| build.enter(kind));
    }

    fn leave(&self, status: BuildStatus, context: PhaseContext) {
        self.store.change(&self.build.id, |build| build.leave(status, context));
    }

    /// Ends a phase in the build and in its log.
    async fn leave_logged(&self, log: &BuildLog, kind: PhaseKind, status: BuildStatus, context: PhaseContext) {
        log.container(&format!("Phase complete: {} State: {}", kind.name(), status.name())).await;
        log.container(&format!("Phase context status code: {} Message: {}", context.code, context.message)).await;
        self.leave(status, context);
    }

    /// Provisions the role's credentials, the build's directory and the log stream.
    async fn prepare(&self) -> Result<(BuildLog, TemporaryCredentials), PhaseContext> {
        let services = &self.store.services;
        let role = text(self.build.setting("serviceRole"));
        let session = format!("AWSCodeBuild-{}", self.build.id.rsplit(':').next().unwrap_or(""));
        let credentials = services.assume_role(role, PRINCIPAL, &session).await.map_err(|_| {
            PhaseContext::new(
                "ACCESS_DENIED",
                format!("CodeBuild is not authorized to perform: sts:AssumeRole on {role}"),
            )
        })?;
        self.make_directories().map_err(|cause| {
            PhaseContext::new(
                "INTERNAL_SERVICE_ERROR",
                format!("cannot create the build's directory {}: {cause}", self.root.display()),
            )
        })?;
        let destination = self.build.log_destination();
        let stream = destination.stream.clone();
        let log = BuildLog::open(services.clone(), credentials.clone(), destination).await.map_err(|error| {
            PhaseContext::new(
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
            build.leave(BuildStatus::Succeeded, PhaseContext::default());
        });
        Ok((log, credentials))
    }

    fn make_directories(&self) -> io::Result<()> {
        for directory in ["src", "home", "tmp", "control", "bin"] {
            private_fs::create_dir_all(&self.root.join(directory))?;
        }
        for name in self.tools.shims() {
            std::os::unix::fs::symlink(&self.store.host.program, self.root.join("bin").join(name))?;
        }
        Ok(())
    }

    /// Runs the phases after provisioning until their end or an interruption.
    async fn run_logged(
        &self,
        log: &BuildLog,
        credentials: &TemporaryCredentials,
        mut stop: watch::Receiver<bool>,
    ) -> BuildOutcome {
        let minutes = self.build.setting("timeoutInMinutes").as_u64().unwrap_or(60);
        let minutes = u32::try_from(minutes).unwrap_or(u32::MAX);
        let mut run_phases = std::pin::pin!(self.run_phases(log, credentials));
        let interruption = tokio::select! {
            outcome = &mut run_phases => return outcome,
            _ = stop.wait_for(|stop| *stop) => BuildInterruption::Stopped,
            () = self.store.timeout.expire(minutes) => BuildInterruption::TimedOut,
        };
        let (status, context) = match interruption {
            BuildInterruption::Stopped => (BuildStatus::Stopped, PhaseContext::default()),
            BuildInterruption::TimedOut => {
                (BuildStatus::TimedOut, PhaseContext::new("BUILD_TIMED_OUT", "Build has timed out. "))
            }
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

    async fn run_phases(&self, log: &BuildLog, credentials: &TemporaryCredentials) -> BuildOutcome {
        self.enter(PhaseKind::DownloadSource);
        let prepared = self.download(log, credentials).await;
        let (spec, mut shell) = match prepared {
            Ok(prepared) => prepared,
            Err(context) => {
                self.leave_logged(log, PhaseKind::DownloadSource, BuildStatus::Failed, context).await;
                return self.finalize(BuildStatus::Failed.into()).await;
            }
        };
        self.leave_logged(log, PhaseKind::DownloadSource, BuildStatus::Succeeded, PhaseContext::default()).await;

        let mut outcome = BuildOutcome::from(BuildStatus::Succeeded);
        let phases = [
            (PhaseKind::Install, &spec.install),
            (PhaseKind::PreBuild, &spec.pre_build),
            (PhaseKind::Build, &spec.build),
            (PhaseKind::PostBuild, &spec.post_build),
        ];
        for (kind, commands) in phases {
            let succeeding = outcome.status == BuildStatus::Succeeded;
            if !self.phase(kind, commands, succeeding, &mut shell, log).await {
                outcome.status = BuildStatus::Failed;
                // A failed BUILD continues with POST_BUILD; an earlier failure ends the build.
                let continues = match commands.on_failure {
                    PhaseFailurePolicy::PhaseDefault => matches!(kind, PhaseKind::Build | PhaseKind::PostBuild),
                    PhaseFailurePolicy::Continue => true,
                    PhaseFailurePolicy::Abort => false,
                    PhaseFailurePolicy::Retry(times) => {
                        outcome.retries = Some(times);
                        false
                    }
                };
                if !continues {
                    self.export(&spec, &mut shell, log).await;
                    return self.finalize(outcome).await;
                }
            }
        }
        self.export(&spec, &mut shell, log).await;
        self.enter(PhaseKind::UploadArtifacts);
        self.leave_logged(log, PhaseKind::UploadArtifacts, BuildStatus::Succeeded, PhaseContext::default()).await;
        self.finalize(outcome).await
    }

    async fn finalize(&self, outcome: BuildOutcome) -> BuildOutcome {
        self.enter(PhaseKind::Finalizing);
        self.kill_processes().await;
        self.store.services.latencies().wait(LatencySpan::BuildFinalizing).await;
        self.leave(BuildStatus::Succeeded, PhaseContext::default());
        outcome
    }

    async fn download(
        &self,
        log: &BuildLog,
        credentials: &TemporaryCredentials,
    ) -> Result<(Buildspec, Shell), PhaseContext> {
        log.container("Running on the sandbox's CodeBuild").await;
        log.container("Phase is DOWNLOAD_SOURCE").await;
        let project_source = self.build.setting("source").clone();
        if project_source["type"] == "GITHUB" {
            log.container(&format!(
                "The sandbox does not fetch {}: it builds the function's source embedded in thumbctl",
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
        .map_err(|error| PhaseContext::new("INTERNAL_SERVICE_ERROR", error.to_string()))??;

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
            log.container(&format!("In the sandbox: compiling with cargo from {}", toolchain.directory.display()))
                .await;
        }
        let shell = self.shell(&spec, credentials, &directory)?;
        Ok((spec, shell))
    }

    fn shell(
        &self,
        spec: &Buildspec,
        credentials: &TemporaryCredentials,
        directory: &Path,
    ) -> Result<Shell, PhaseContext> {
        let directories = BuildDirectories {
            source: directory,
            home: &self.root.join("home"),
            temporary: &self.root.join("tmp"),
            shims: &self.root.join("bin"),
        };
        let endpoint = self.store.services.endpoint();
        let variables = environment::variables(&self.build, spec, credentials, endpoint, &directories, &self.tools)?;
        let mark = leftovers::mark(&self.build.id);
        Shell::new(spec.shell, self.root.join("control"), directory.to_owned(), variables, mark)
            .map_err(|error| PhaseContext::new("INTERNAL_SERVICE_ERROR", error.to_string()))
    }

    /// Runs a phase's commands; false if one failed.
    async fn phase(
        &self,
        kind: PhaseKind,
        commands: &PhaseCommands,
        succeeding: bool,
        shell: &mut Shell,
        log: &BuildLog,
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
            // The first failure is the phase's cause.
            failure = failure.or(failed);
        }
        let (status, context) = match failure {
            None => (BuildStatus::Succeeded, PhaseContext::default()),
            Some(context) => (BuildStatus::Failed, context),
        };
        self.leave_logged(log, kind, status, context).await;
        status == BuildStatus::Succeeded
    }

    async fn command(
        &self,
        command: &str,
        succeeding: bool,
        shell: &mut Shell,
        log: &BuildLog,
    ) -> Result<(), PhaseContext> {
        log.container(&format!("Running command {}", command.trim_end())).await;
        let end = shell.run(command, succeeding, log).await.map_err(|error| {
            PhaseContext::new("INTERNAL_SERVICE_ERROR", format!("cannot send the command to the shell: {error}"))
        })?;
        if end.status == 0 {
            return Ok(());
        }
        let (text, status) = (command.trim_end(), end.status);
        log.container(&format!("Command did not exit successfully {text} exit status {status}")).await;
        Err(PhaseContext::command(command, end))
    }

    /// Saves the values of `env.exported-variables`.
    async fn export(&self, spec: &Buildspec, shell: &mut Shell, log: &BuildLog) {
        if spec.exported.is_empty() {
            return;
        }
        // If the shell has ended, the build has no exported variables; that is no failure.
        if let Ok(values) = shell.values(&spec.exported, log).await {
            self.store.change(&self.build.id, |build| build.exported = values);
        }
    }

    /// Kills the build's processes.
    async fn kill_processes(&self) {
        let id = self.build.id.clone();
        // After a panic the next start kills the remaining processes.
        let _ = tokio::task::spawn_blocking(move || leftovers::kill(&id)).await;
    }

    /// Kills the build's processes and deletes its directory.
    async fn clean_up(&self) {
        self.kill_processes().await;
        // A process may have created a file just before its kill; the next start deletes leftovers.
        let _ = self.store.remove_directory(self.root.file_name());
    }
}

/// Waits for a future; true if the build is stopped first.
async fn is_stopped(wait: impl Future<Output = ()>, stop: &mut watch::Receiver<bool>) -> bool {
    tokio::select! {
        () = wait => false,
        _ = stop.wait_for(|stop| *stop) => true,
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
