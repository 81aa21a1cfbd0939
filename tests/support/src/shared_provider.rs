//! [`SharedProviders`]: AWS providers that are started once and serve several terraform runs in sequence.
//!
//! Launching the provider takes most of a terraform command's CPU time: a program of 700 MB, hashed, started and queried
//! for its schemas once or twice per command. Terraform attaches to a running one named by `TF_REATTACH_PROVIDERS`.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{LazyLock, Mutex};

use serde_json::Value;
use tempfile::TempDir;
use tokio::net::UnixListener;
use tokio::runtime::Runtime;

use crate::provider_proxy::ProviderProxy;
use crate::tools::Terraform;
use crate::{Program, wait_for};

/// The variable that names the provider to attach to.
pub const REATTACH: &str = "TF_REATTACH_PROVIDERS";

/// The runtime of the proxies' connections.
static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| Runtime::new().expect("a runtime"));

/// Starts the provider and ends it when standard input closes, which also happens when the test is killed. Ctrl-C in the
/// terminal is left to the tests.
const PROVIDER_PARENT: &str = r#"trap '' INT
"$0" -debug </dev/null 2>&1 &
read -r _
kill -KILL $!
wait"#;

/// thumbctl's terraform program: for a deployment with a provider, a terraform that attaches to it; for others,
/// one that launches its own. thumbctl withholds the variable from terraform, so it is set here.
const WRAPPER: &str = r#"#!/bin/sh
deployment=${PWD%/terraform}
served="SERVED/${deployment##*/}"
# What `init` has made once in a folder with this configuration, it would make in each.
if [ "$1" = init ]; then
    mkdir -p .terraform && cp -R "INITIALISED/.terraform/modules" .terraform/ || exit
    ln -sfn "INITIALISED/.terraform/providers" .terraform/providers || exit
    exec cp "INITIALISED/.terraform.lock.hcl" .
fi
if [ -f "$served" ] && ! [ -f "$served.launching-$1" ]; then
    read -r TF_REATTACH_PROVIDERS < "$served"
    export TF_REATTACH_PROVIDERS GOGC=off
fi
exec "TERRAFORM" "$@"
"#;

/// Providers for the deployments of one sandbox.
///
/// A provider is configured by the last terraform run, default tags included, so each serves one deployment at a time.
/// Its credentials are those of its own environment.
pub struct SharedProviders {
    free: Mutex<Vec<SharedProvider>>,
    dir: TempDir,
}

impl SharedProviders {
    /// Starts a number of providers with a program's environment and its sandbox. Deployments without one
    /// launch their own.
    pub fn start(
        count: usize,
        terraform: &Terraform,
        program: &mut Program,
        sandbox: &BTreeMap<String, String>,
    ) -> Self {
        let dir = tempfile::Builder::new().prefix("thumbctl-providers-").tempdir().expect("a temporary directory");
        let (served, initialised) = (dir.path().join("served"), dir.path().join("initialised"));
        std::fs::create_dir(&served).expect("a directory");
        initialise(terraform, &initialised);
        let text = WRAPPER
            .replace("SERVED", path(&served))
            .replace("INITIALISED", path(&initialised))
            .replace("TERRAFORM", path(&terraform.program));
        let wrapper = dir.path().join("terraform");
        std::fs::write(&wrapper, text).expect("a file");
        std::fs::set_permissions(&wrapper, std::fs::Permissions::from_mode(0o755)).expect("it is made executable");
        let provider = find_provider(&initialised.join(".terraform/providers")).expect("init provides the provider");
        let start = |number: usize| {
            let mut command =
                program.around("sh", [OsStr::new("-c"), OsStr::new(PROVIDER_PARENT), provider.as_os_str()]);
            command.envs(sandbox);
            SharedProvider::start(command, &dir.path().join(number.to_string()))
        };
        let free = Mutex::new((0..count).map(start).collect());
        program.set("THUMBCTL_TERRAFORM_PROGRAM", &wrapper);
        Self { free, dir }
    }

    /// The terraform program for thumbctl; the folder that it runs in decides the provider.
    pub fn program(&self) -> PathBuf {
        self.dir.path().join("terraform")
    }

    /// Assigns a provider to a deployment while `act` runs; waits until one is free.
    pub fn serve<T>(&self, deployment: &str, act: impl FnOnce() -> T) -> T {
        let served = self.serving(deployment);
        let done = act();
        drop(served);
        done
    }

    /// Assigns a provider to a deployment until the returned value is dropped.
    pub fn serving(&self, deployment: &str) -> Served<'_> {
        let provider = wait_for("a free provider", || self.free.lock().expect("the lock is not poisoned").pop());
        let file = self.dir.path().join("served").join(deployment);
        std::fs::write(&file, format!("{}\n", provider.reattach)).expect("a file");
        Served { provider: Some(provider), file, providers: self }
    }
}

/// A deployment with a provider.
pub struct Served<'a> {
    provider: Option<SharedProvider>,
    file: PathBuf,
    providers: &'a SharedProviders,
}

impl Served<'_> {
    /// Runs `act`, during which one of terraform's commands launches its own provider.
    pub fn launching<T>(&self, command: &str, act: impl FnOnce() -> T) -> T {
        let file = self.file.with_extension(format!("launching-{command}"));
        std::fs::write(&file, "").expect("a file");
        let done = act();
        std::fs::remove_file(file).expect("it was written above");
        done
    }

    /// The value of [`REATTACH`] for a terraform run outside thumbctl.
    pub fn reattach(&self) -> &str {
        &self.provider.as_ref().expect("it is there until the end").reattach
    }
}

impl Drop for Served<'_> {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.file);
        if let (Some(provider), Ok(mut free)) = (self.provider.take(), self.providers.free.lock()) {
            free.push(provider);
        }
    }
}

/// A running provider.
struct SharedProvider {
    reattach: String,
    keeper: Child,
    stdin: Option<ChildStdin>,
}

impl SharedProvider {
    fn start(mut command: Command, dir: &Path) -> Self {
        std::fs::create_dir(dir).expect("a directory");
        command.current_dir(dir).env("TMPDIR", dir);
        // The configuration names it by a path relative to its folder, a launched provider's working directory.
        let source = thumbctl_deploy::assets::function_zip().expect("the function can be zipped");
        std::fs::write(dir.join("function.zip"), source).expect("a file");
        // Without this it logs every call.
        for log in ["TF_LOG", "TF_LOG_SDK", "TF_LOG_PROVIDER"] {
            command.env(log, "off");
        }
        // More memory saves garbage collection.
        command.env("GOGC", "400");
        let mut keeper = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("a shell can be started");
        let stdin = keeper.stdin.take();
        let mut lines = BufReader::new(keeper.stdout.take().expect("piped")).lines().map_while(Result::ok);
        let prefix = format!("{REATTACH}='");
        let own = lines.find_map(|line| Some(line.trim().strip_prefix(&prefix)?.trim_end_matches('\'').to_owned()));
        // Drained, so that it never blocks.
        std::thread::spawn(move || lines.for_each(drop));
        let mut providers: Value =
            serde_json::from_str(&own.expect("the provider prints how to attach to it")).expect("JSON");
        let socket = dir.join("proxy");
        for (_, provider) in providers.as_object_mut().expect("providers by their addresses") {
            let address = provider["Addr"]["String"].as_str().expect("a socket").to_owned();
            provider["Addr"]["String"] = path(&socket).into();
            let _entered = RUNTIME.enter();
            let listener = UnixListener::bind(&socket).expect("a socket");
            RUNTIME.spawn(ProviderProxy::new(address.into()).serve(listener));
        }
        Self { reattach: providers.to_string(), keeper, stdin }
    }
}

impl Drop for SharedProvider {
    fn drop(&mut self) {
        self.stdin.take();
        let _ = self.keeper.wait();
    }
}

/// Runs `init` in a folder with the shipped configuration, like thumbctl.
fn initialise(terraform: &Terraform, folder: &Path) {
    for (name, content) in thumbctl_deploy::assets::terraform_files() {
        let file = folder.join(name);
        std::fs::create_dir_all(file.parent().expect("a folder")).expect("a directory");
        std::fs::write(file, content).expect("a file");
    }
    let mut command = Command::new(&terraform.program);
    command.args(["init", "-input=false", "-no-color"]).arg(format!("-plugin-dir={}", terraform.plugins.display()));
    command.current_dir(folder).envs(terraform.environment()).env("CHECKPOINT_DISABLE", "1").stdin(Stdio::null());
    let output = command.output().expect("terraform can be started");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// The provider's program below a folder.
fn find_provider(folder: &Path) -> Option<PathBuf> {
    let entries = folder.read_dir().ok()?.map(|entry| entry.expect("an entry").path());
    entries.into_iter().find_map(|path| {
        let name = path.file_name()?.to_str()?;
        if name.starts_with("terraform-provider-aws_") { Some(path) } else { find_provider(&path) }
    })
}

fn path(path: &Path) -> &str {
    path.to_str().expect("a path of the test's own")
}
