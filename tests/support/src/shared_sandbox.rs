//! One sandbox in a process of its own with many deployments, each under its own name, and faults for some of them.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::sync::{LazyLock, Mutex};

use aws_sdk_iam::error::ProvideErrorMetadata as _;
use serde_json::Value;
use thumbctl_core::deployment::Deployment;
use thumbctl_core::event::StrategyKind;
use thumbctl_core::journal::JournalStore;
use thumbctl_core::names::DeploymentName;
use thumbctl_core::resource::ResourceKind;
use tokio::runtime::Runtime;

use crate::shared_provider::SharedProviders;
use crate::tools::Terraform;
use crate::{Clients, Finished, Program, Running, Sandbox, list_everything};

/// For the listings: several threads call them, and connections belong to a runtime.
static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| Runtime::new().expect("a runtime"));

/// The kinds of resources that a strategy creates.
fn kinds_of(strategy: StrategyKind) -> &'static [ResourceKind] {
    match strategy {
        StrategyKind::Sdk | StrategyKind::Terraform => &ResourceKind::ARCHITECTURE,
        StrategyKind::Cloudformation => &ResourceKind::ALL,
    }
}

/// The number of resources of a complete deployment: all of the plan but those included in others, the build and
/// its source.
fn objects_of(strategy: StrategyKind) -> usize {
    use ResourceKind::{InvokePermission, Macro, Notification};
    let belongs_to_another = |kind: &&ResourceKind| matches!(kind, InvokePermission | Notification | Macro);
    let kinds = kinds_of(strategy);
    kinds.len() - kinds.iter().filter(belongs_to_another).count() + 2
}

/// The moment at which a process is killed, as by `kill -9`.
#[derive(Clone, Copy, Debug)]
pub enum KillPoint {
    /// After journaling the event of this number.
    AfterEvent(u64),
    /// The same, not counting log lines, phases, progress and retries.
    AfterMilestone(u64),
}

/// A sandbox with its deployments.
pub struct SharedSandbox {
    // In this order: the sandbox ends before its home is deleted.
    sandbox: Option<Sandbox>,
    clients: Clients,
    strategy: StrategyKind,
    pub program: Program,
}

impl SharedSandbox {
    /// A sandbox without faults.
    pub fn new() -> Self {
        Self::with_faults(&[])
    }

    /// A sandbox with fault rules.
    pub fn with_faults(faults: &[Value]) -> Self {
        Self::by(StrategyKind::Sdk, faults)
    }

    /// The same, for deployments by a strategy.
    pub fn by(strategy: StrategyKind, faults: &[Value]) -> Self {
        let program = Program::new();
        let rules = program.file("faults.json", serde_json::to_vec(faults).expect("rules are JSON"));
        let sandbox = Sandbox::start(program.command(["sandbox", "--port", "0", "--faults", text(&rules)]));
        Self { clients: sandbox.clients(), sandbox: Some(sandbox), strategy, program }
    }

    /// Sets another program's environment for this sandbox.
    pub fn set_environment(&self, command: &mut Command) {
        let sandbox = self.sandbox.as_ref().expect("there is one until the end");
        let (key, secret) = (&sandbox.access_key, &sandbox.secret_key);
        command.env("AWS_ENDPOINT_URL", &sandbox.url).env("TF_VAR_endpoint_url", &sandbox.url);
        command.env("AWS_ACCESS_KEY_ID", key).env("AWS_SECRET_ACCESS_KEY", secret);
    }

    /// Starts providers for its deployments to share; deployments without one launch their own.
    pub fn share_providers(&mut self, count: usize, terraform: &Terraform) -> SharedProviders {
        let sandbox = self.sandbox.as_ref().expect("there is one until the end");
        SharedProviders::start(count, terraform, &mut self.program, &sandbox.exports)
    }

    /// Runs a command on a deployment; its events are on its standard output.
    pub fn run(&self, command: &str, name: &str) -> Finished {
        self.start(&[command], name, None).wait()
    }

    /// Starts a command on a deployment, with a moment to kill it.
    pub fn start(&self, arguments: &[&str], name: &str, kill_point: Option<KillPoint>) -> Running {
        let common = ["--name", name, "--yes", "--output", "json"];
        let mut command = self.program.command(arguments.iter().chain(&common));
        command.env("THUMBCTL_STRATEGY", self.strategy.as_str());
        match kill_point {
            Some(KillPoint::AfterEvent(number)) => command.env("THUMBCTL_TEST_KILL_AFTER", number.to_string()),
            Some(KillPoint::AfterMilestone(number)) => {
                command.env("THUMBCTL_TEST_KILL_AFTER_MILESTONE", number.to_string())
            }
            None => &mut command,
        };
        Running::start(command)
    }

    /// Returns whether rules about a text match its name: by a call that [`probe`] rejects.
    pub fn rule_applies(&self, about: &str) -> bool {
        let call = self.clients.iam.create_user().user_name(format!("{about}probe")).send();
        RUNTIME.block_on(call).is_err_and(|error| error.code() == Some("ProbeRejected"))
    }

    /// All resources of a deployment in the cloud.
    pub fn resources_of(&self, name: &str) -> Vec<String> {
        RUNTIME.block_on(list_everything(&self.clients, &format!("{name}-")))
    }

    /// Destroys a deployment, and asserts that nothing is left.
    #[track_caller]
    pub fn destroy_leaves_nothing(&self, name: &str) {
        self.run("destroy", name).ok();
        self.assert_nothing_left(name);
    }

    #[track_caller]
    pub fn assert_nothing_left(&self, name: &str) {
        assert_eq!(self.resources_of(name), Vec::<String>::new(), "{name} has leftovers");
        assert_eq!(self.journalled_resources(name), [], "the journal of {name} has deleted resources");
    }

    /// Deploys or resumes, and asserts that everything exists once.
    #[track_caller]
    pub fn deploy_completes(&self, name: &str) -> Finished {
        let deployed = self.run("deploy", name).ok();
        self.assert_complete(name);
        deployed
    }

    /// Asserts that every resource exists, and none twice.
    #[track_caller]
    pub fn assert_complete(&self, name: &str) {
        let status = self.run("status", name).ok().json();
        let resources = status["resources"].as_array().expect("a list");
        assert_eq!(resources.len(), kinds_of(self.strategy).len(), "{status}");
        let well = |it: &Value| it["cloud"] == "there" && it["journal"] == "ready";
        assert!(resources.iter().all(well), "{status}");
        let found = self.resources_of(name);
        let mut kinds: BTreeMap<String, usize> = BTreeMap::new();
        for line in &found {
            let (kind, _) = line.rsplit_once(' ').expect("a kind and a name");
            *kinds.entry(kind.to_owned()).or_default() += 1;
        }
        // An interrupted build may be followed by another.
        let builds = kinds.get("build").copied().unwrap_or_default();
        assert_eq!(found.len() - builds, objects_of(self.strategy) - 1, "{found:#?}");
    }

    /// The number of a deployment's builds.
    pub fn build_count(&self, name: &str) -> usize {
        self.resources_of(name).iter().filter(|line| line.starts_with("build ")).count()
    }

    /// The existing resources, by the journal.
    pub fn journalled_resources(&self, name: &str) -> Vec<ResourceKind> {
        let name = DeploymentName::new(name).expect("a legal name");
        let journal = JournalStore::new(&self.program.state_dir()).deployment(&name);
        let mut deployment = Deployment::new(name);
        journal.each(|event| deployment.apply(&event)).expect("a journal that can be read");
        deployment.existing_resources().map(|resource| resource.kind).collect()
    }

    /// Kills the sandbox, as `kill -9` does, and restarts it with its state, without faults.
    pub fn kill_and_restart_the_sandbox(&mut self) {
        self.sandbox.take().expect("there is one until the end").kill();
        let sandbox = Sandbox::start(self.program.command(["sandbox", "--port", "0"]));
        self.clients = sandbox.clients();
        self.sandbox = Some(sandbox);
    }

    /// Ends the sandbox with the processes of its functions and builds.
    pub fn close(mut self) {
        let ended = self.sandbox.take().expect("there is one until the end").interrupt();
        ended.ok();
    }
}

fn text(path: &Path) -> &str {
    path.to_str().expect("a path of the test's own")
}

/// A rule about a text, for a call that no deployment makes.
pub fn probe(about: &str) -> Value {
    serde_json::json!({ "service": "iam", "operation": "CreateUser", "about": about,
                        "kind": "error", "status": 400, "code": "ProbeRejected" })
}

/// Processes all work items, a number at a time; panics at the end if one has.
pub fn for_each_parallel<T: Send>(at_a_time: usize, work: impl IntoIterator<Item = T>, act: impl Fn(T) + Sync) {
    let work: Mutex<Vec<T>> = Mutex::new(work.into_iter().collect());
    work.lock().expect("the lock is not poisoned").reverse();
    std::thread::scope(|scope| {
        for _ in 0..at_a_time {
            scope.spawn(|| {
                loop {
                    // The lock is released before the work.
                    let next = work.lock().expect("the lock is not poisoned").pop();
                    let Some(next) = next else { break };
                    act(next);
                }
            });
        }
    });
}
