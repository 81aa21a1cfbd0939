//! Independent AWS clients, where the machine has them.

use std::ffi::OsStr;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::Sandbox;
use crate::running::{Finished, Running};

/// The AWS CLI; prints that its test is skipped without it.
pub fn aws_cli() -> Option<AwsTool> {
    found(&["aws"], &["--version"], "the AWS CLI (`aws`)")
}

/// A Python with boto3; prints that its test is skipped without one.
pub fn python_with_boto3() -> Option<AwsTool> {
    found(&["python3", "python"], &["-c", "import boto3"], "a Python with boto3")
}

fn found(names: &[&'static str], proof: &[&str], what: &str) -> Option<AwsTool> {
    let works = |name: &&&'static str| {
        let mut command = Command::new(name);
        command.args(proof).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command.status().is_ok_and(|status| status.success())
    };
    let name = names.iter().find(works).copied();
    if name.is_none() {
        println!("skipped: this machine does not have {what}");
    }
    name.map(|name| AwsTool { name })
}

/// A client.
#[derive(Clone, Copy)]
pub struct AwsTool {
    name: &'static str,
}

impl AwsTool {
    /// Runs it in `dir` with the variables exported by `thumbctl sandbox`, and no other AWS settings.
    pub fn run<A: AsRef<OsStr>>(
        self,
        dir: &Path,
        sandbox: &Sandbox,
        arguments: impl IntoIterator<Item = A>,
    ) -> Finished {
        let mut command = Command::new(self.name);
        let theirs =
            |name: &OsStr| name.to_str().is_some_and(|name| name.starts_with("AWS_") || name.starts_with("PYTHON"));
        for (name, _) in std::env::vars_os().filter(|(name, _)| theirs(name)) {
            command.env_remove(name);
        }
        // The user's own settings are excluded, too. HOME is kept: some Pythons need it.
        command
            .envs(&sandbox.exports)
            .env("AWS_CONFIG_FILE", dir.join("no-config"))
            .env("AWS_SHARED_CREDENTIALS_FILE", dir.join("no-credentials"))
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .env("AWS_PAGER", "")
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .current_dir(dir)
            .stdin(Stdio::null())
            .args(arguments);
        Running::start(command).wait()
    }
}
