//! [`Workspace`]: a terraform folder with the sandbox's exported variables.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use thumbctl_test_support::shared_provider::{REATTACH, SharedProviders};
use thumbctl_test_support::tools::Terraform;
use thumbctl_test_support::{Finished, Program, Running, Sandbox};

/// A region outside us-east-1, where S3 requires a location.
pub(super) const REGION: &str = "eu-central-1";

/// The timeout of one terraform run: it starts a provider of several hundred megabytes each time.
pub(super) const TIMEOUT: Duration = Duration::from_secs(300);

pub(super) struct Workspace {
    terraform: Terraform,
    program: Program,
    providers: SharedProviders,
}

impl Workspace {
    /// The fixture's architecture, initialized without a network, and its sandbox.
    pub(super) fn new(terraform: Terraform) -> (Self, Sandbox) {
        let mut program = Program::new();
        let sandbox = program.sandbox();
        for (name, value) in [
            ("AWS_ENDPOINT_URL", sandbox.url.as_str()),
            ("AWS_ACCESS_KEY_ID", &sandbox.access_key),
            ("AWS_SECRET_ACCESS_KEY", &sandbox.secret_key),
            ("AWS_REGION", REGION),
            // terraform would check for updates, and a settings file might name other mirrors.
            ("CHECKPOINT_DISABLE", "1"),
            ("TF_CLI_CONFIG_FILE", "/dev/null"),
            ("TF_IN_AUTOMATION", "1"),
            ("TF_INPUT", "0"),
            ("TF_VAR_name", "shop"),
        ] {
            program.set(name, value);
        }
        program.set("TF_VAR_policies", Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/policies"));
        let archive = thumbctl_deploy::assets::function_zip().expect("the function can be zipped");
        program.set("TF_VAR_source_archive", program.file("function.zip", archive));
        // All commands but `init` use one provider, which has the same exported environment.
        let providers = SharedProviders::start(1, &terraform, &mut program, &BTreeMap::new());
        let workspace = Self { terraform, program, providers };
        workspace.add_folder("architecture");
        let plugins = format!("-plugin-dir={}", workspace.terraform.plugins.display());
        Running::start(workspace.command(&["init", &plugins])).wait_at_most(TIMEOUT).ok();
        (workspace, sandbox)
    }

    /// Adds a folder of the fixture.
    pub(super) fn add_folder(&self, folder: &str) {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/foreign/terraform").join(folder);
        for entry in std::fs::read_dir(folder).expect("the fixture") {
            let entry = entry.expect("an entry");
            self.program
                .file(entry.file_name().to_str().expect("a name"), std::fs::read(entry.path()).expect("a file"));
        }
    }

    /// Deletes terraform's state.
    pub(super) fn forget(&self) {
        std::fs::remove_file(self.program.work_dir().join("terraform.tfstate")).expect("terraform has kept its state");
    }

    /// Applies the architecture of a stage and round, and returns terraform's summary line.
    #[track_caller]
    pub(super) fn apply(&self, stage: &str, round: u32) -> String {
        let mut arguments = vec!["apply".to_owned(), "-auto-approve".to_owned()];
        arguments.extend(variables(stage, round));
        let finished = self.run(&arguments).ok();
        let printed = finished.stdout.lines().find(|line| line.starts_with("Apply complete!"));
        printed.unwrap_or_else(|| panic!("{finished}")).to_owned()
    }

    /// Asserts that a plan has no changes.
    #[track_caller]
    pub(super) fn assert_unchanged(&self, stage: &str, round: u32) {
        let mut arguments = vec!["plan".to_owned(), "-detailed-exitcode".to_owned()];
        arguments.extend(variables(stage, round));
        self.run(&arguments).ok();
    }

    #[track_caller]
    pub(super) fn destroy(&self, stage: &str, round: u32) {
        let mut arguments = vec!["destroy".to_owned(), "-auto-approve".to_owned()];
        arguments.extend(variables(stage, round));
        self.run(&arguments).ok();
    }

    /// An output's value.
    #[track_caller]
    pub(super) fn output(&self, name: &str) -> String {
        self.run(&["output", "-raw", name]).ok().stdout
    }

    fn run<A: AsRef<str>>(&self, arguments: &[A]) -> Finished {
        let served = self.providers.serving("shop");
        let mut command = self.command(arguments);
        command.env(REATTACH, served.reattach());
        Running::start(command).wait_at_most(TIMEOUT)
    }

    fn command<A: AsRef<str>>(&self, arguments: &[A]) -> Command {
        let program = self.terraform.program.to_str().expect("a path");
        let mut command = self.program.around(program, arguments.iter().map(AsRef::as_ref));
        command.env("TF_CLI_ARGS", "-no-color");
        command
    }
}

fn variables(stage: &str, round: u32) -> [String; 2] {
    [format!("-var=stage={stage}"), format!("-var=round={round}")]
}
