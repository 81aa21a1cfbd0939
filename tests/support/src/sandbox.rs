//! The sandbox from outside: a process of its own, or joined as by a command.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Stdio};

use rustix::process::Signal;
use thumbctl_sandbox_protocol::Lease;

use crate::clients::Clients;
use crate::running::{Finished, Running};
use crate::wait_for;

/// A running `thumbctl sandbox`.
pub struct Sandbox {
    process: Running,
    pub url: String,
    pub access_key: String,
    pub secret_key: String,
    pub region: String,
    /// Its exported variables.
    pub exports: BTreeMap<String, String>,
}

impl Sandbox {
    /// Starts a sandbox with its state in `dir`, in a clean environment.
    pub fn on(dir: &Path) -> Self {
        let mut command = Command::new(crate::thumbctl());
        command.args(["sandbox", "--port", "0", "--data-dir"]).arg(dir).stdin(Stdio::null());
        // Where it is announced: not to other commands of this machine.
        command.env("THUMBCTL_STATE_DIR", dir.join("announced"));
        Self::start(command)
    }

    pub fn start(command: Command) -> Self {
        let mut process = Running::start(command);
        let exported = |process: &mut Running, name: &str| {
            let start = format!("export {name}=");
            wait_for(&start, || {
                assert!(!process.has_ended(), "the sandbox ended: {}", process.stderr());
                // The line is complete with its end.
                let out = process.stdout();
                let lines = out.split_inclusive('\n').filter_map(|line| line.strip_suffix('\n'));
                lines.into_iter().find_map(|line| line.strip_prefix(&start).map(str::to_owned))
            })
        };
        // The last line, after all others.
        exported(&mut process, "AWS_DEFAULT_REGION");
        let lines = process.stdout();
        let exports = lines.lines().filter_map(|line| line.strip_prefix("export ")?.split_once('='));
        Self {
            url: exported(&mut process, "AWS_ENDPOINT_URL"),
            access_key: exported(&mut process, "AWS_ACCESS_KEY_ID"),
            secret_key: exported(&mut process, "AWS_SECRET_ACCESS_KEY"),
            region: exported(&mut process, "AWS_REGION"),
            exports: exports.map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
            process,
        }
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    pub fn clients(&self) -> Clients {
        self.clients_in(&self.region)
    }

    pub fn clients_in(&self, region: &str) -> Clients {
        Clients::new(&self.url, region, &self.access_key, &self.secret_key)
    }

    /// Returns how often this operation was called, by the sandbox's call log.
    pub fn calls(&self, service: &str, operation: &str) -> usize {
        let is = |line: &&str| {
            let mut words = line.split_whitespace().skip(1);
            words.next() == Some(service) && words.next() == Some(operation)
        };
        self.process.stdout().lines().filter(is).count()
    }

    /// Sends `kill -9`.
    pub fn kill(self) {
        self.process.kill();
    }

    /// Sends Ctrl-C, and waits for its end.
    pub fn interrupt(self) -> Finished {
        self.process.signal(Signal::INT);
        self.process.wait()
    }
}

/// The sandbox of a state directory, while this is held.
pub struct Joined {
    pub lease: Lease,
    pub clients: Clients,
}

impl Joined {
    pub(crate) fn new(lease: Lease) -> Self {
        let endpoint = lease.endpoint();
        let clients = Clients::new(&endpoint.url, "us-east-1", &endpoint.access_key, &endpoint.secret_key);
        Self { lease, clients }
    }
}
