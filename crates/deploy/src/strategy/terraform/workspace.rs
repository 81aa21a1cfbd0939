//! [`Workspace`]: a deployment's Terraform folder: configuration, variables, state.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use thumbctl_core::journal::ToolState;
use thumbctl_core::names::{Names, Suffix};
use thumbctl_platform::private_fs;

use super::program::{Program, TerraformError};
use crate::assets;
use crate::aws::Architecture;
use crate::deploy_target::{self, DeployTarget};
use crate::settings::{BuildSource, Settings, TerraformSettings};

const STATE: &str = "terraform.tfstate";
const VARIABLES: &str = "terraform.tfvars.json";

/// The files of this folder in a saved deployment.
pub const STATE_FILES: ToolState = ToolState { folder: "terraform", files: &[STATE, VARIABLES] };

const IMPORTS: &str = "imports.tf";
const PLAN: &str = "thumbctl.tfplan";
const LOCK_FILE: &str = ".terraform.lock.hcl";
const ERRORED_STATE: &str = "errored.tfstate";
const LOCK_FILE_BEFORE: &str = ".terraform.lock.hcl.before";
const CRASH_LOG: &str = "crash.log";

/// Records what the folder was initialized with. Beside Terraform's own files, so that it is deleted with them.
const INITIALISED: &str = ".terraform/thumbctl.json";

/// The provider constraint in the configuration, and the one for the untested major version.
const PROVIDER_5: &str = "\"~> 5.40\"";
const PROVIDER_6: &str = "\"~> 6.0\"";

/// A deployment's Terraform folder.
#[derive(Clone, Debug)]
pub(super) struct Workspace {
    dir: PathBuf,
}

/// What a folder was initialized with.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Initialised {
    /// The program that did it, cached with its version.
    pub(super) program: Program,
    /// The providers' source and constraint. Another program uses the same.
    needs: Needs,
}

/// What `init` has to provide.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Needs {
    /// Terraform and OpenTofu have registries of their own.
    program: String,
    plugin_dir: Option<PathBuf>,
    aws_provider: u32,
    /// The configuration's constraint.
    versions: String,
}

impl Workspace {
    pub(super) fn new(dir: PathBuf) -> Self {
        Self { dir }
    }

    pub(super) fn dir(&self) -> &Path {
        &self.dir
    }

    pub(super) fn plan_file(&self) -> &'static str {
        PLAN
    }

    /// Writes the configuration and the variables. A state of an earlier deployment with other names is
    /// archived.
    pub(super) fn write_files(&self, names: &Names, target: &DeployTarget) -> Result<(), TerraformError> {
        self.write_configuration(&target.settings.terraform)?;
        self.write_imports(&[])?;
        if let Some(before) = self.suffix().filter(|before| before != names.suffix()) {
            self.archive_state(before.as_str())?;
        }
        self.write_variables(names, target).map(drop)
    }

    /// Writes only the variables; returns their path.
    pub(super) fn write_variables(&self, names: &Names, target: &DeployTarget) -> Result<PathBuf, TerraformError> {
        let text = format!("{:#}\n", variables(names, target));
        self.write(VARIABLES, text.as_bytes())?;
        Ok(self.dir.join(VARIABLES))
    }

    /// Writes only the configuration: the input of `init`.
    pub(super) fn write_configuration(&self, settings: &TerraformSettings) -> Result<(), TerraformError> {
        for (path, content) in configuration().map_err(|source| self.failed("function.zip", source))? {
            let content = if path == "versions.tf" { versions(settings).into_bytes() } else { content };
            self.write(&path, &content)?;
        }
        Ok(())
    }

    /// The suffix in the variables written last.
    fn suffix(&self) -> Option<Suffix> {
        let variables: Value = serde_json::from_slice(&fs::read(self.dir.join(VARIABLES)).ok()?).ok()?;
        Suffix::try_from(variables["suffix"].as_str()?.to_owned()).ok()
    }

    /// Renames the state, so that it is no longer read; its content is kept.
    pub(super) fn archive_state(&self, why: &str) -> Result<(), TerraformError> {
        let numbered = |number: usize| match number {
            0 => self.dir.join(format!("{STATE}.{why}")),
            number => self.dir.join(format!("{STATE}.{why}-{number}")),
        };
        // An earlier archived state may be worth more than this one.
        let to = (0..).map(numbered).find(|to| !to.exists()).expect("some number is free");
        match fs::rename(self.dir.join(STATE), to) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(self.failed(STATE, error)),
            _ => Ok(()),
        }
    }

    /// Removes an empty state, with Terraform's backups of it.
    pub(super) fn forget_state(&self) -> Result<(), TerraformError> {
        let entries = self.dir.read_dir().map_err(|error| self.failed("", error))?;
        for entry in entries {
            let name = entry.map_err(|error| self.failed("", error))?.file_name();
            let is_state = name.to_str().is_some_and(|name| name == STATE || is_backup(name));
            if is_state || name == PLAN || name == IMPORTS {
                self.remove(&name.to_string_lossy())?;
            }
        }
        Ok(())
    }

    /// The addresses in the state; empty without a state. An unreadable one is damaged.
    pub(super) fn state(&self) -> Result<BTreeSet<String>, StateError> {
        let text = match fs::read(self.dir.join(STATE)) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(BTreeSet::new()),
            Err(error) => return Err(StateError::Unreadable(self.failed(STATE, error))),
        };
        // Terraform creates the file with its lock, and writes it with its first resource.
        if text.is_empty() {
            return Ok(BTreeSet::new());
        }
        let state: State = serde_json::from_slice(&text).map_err(|_| StateError::Damaged)?;
        Ok(state.resources.into_iter().flat_map(StateResource::addresses).collect())
    }

    /// Writes import blocks, for resources to import before others are created: addresses and ids.
    pub(super) fn write_imports(&self, imports: &[(&str, String)]) -> Result<(), TerraformError> {
        if imports.is_empty() {
            return self.remove(IMPORTS);
        }
        let mut text = String::from("# Created by an interrupted apply, and not in the state.\n");
        for (address, id) in imports {
            // An id needs no escaping: it consists of names from this program.
            text.push_str(&format!("\nimport {{\n  to = {address}\n  id = \"{id}\"\n}}\n"));
        }
        self.write(IMPORTS, text.as_bytes())
    }

    pub(super) fn has_crash_log(&self) -> bool {
        self.dir.join(CRASH_LOG).exists()
    }

    /// Removes an earlier crash log, so that a new one is detected.
    pub(super) fn remove_crash_log(&self) -> Result<(), TerraformError> {
        self.rename(CRASH_LOG, &format!("{CRASH_LOG}.old"))
    }

    /// What the folder was initialized with, if it still is.
    pub(super) fn initialized(&self) -> Option<Initialised> {
        serde_json::from_slice(&fs::read(self.dir.join(INITIALISED)).ok()?).ok()
    }

    /// Returns whether `init` would change nothing.
    pub(super) fn is_initialized(&self, program: &Program, settings: &TerraformSettings) -> bool {
        let is_as_needed = self.initialized().is_some_and(|known| known.needs == needs(program, settings));
        let providers = self.providers();
        let is_known = self.initialized().is_some_and(|known| known.program == *program);
        let is_whole = !providers.is_empty() && providers.iter().all(|(address, version)| self.has(address, version));
        is_as_needed && is_whole && (is_known || self.set_initialized(program, settings).is_ok())
    }

    /// Returns whether a provider exists. Caches and mirrors are links, whose targets may have been deleted.
    fn has(&self, address: &str, version: &str) -> bool {
        let systems = self.dir.join(".terraform/providers").join(address).join(version).read_dir();
        let is_program = |file: io::Result<fs::DirEntry>| {
            file.is_ok_and(|file| file.file_name().to_string_lossy().starts_with("terraform-provider-"))
        };
        systems.is_ok_and(|mut systems| {
            systems.any(|system| {
                system.is_ok_and(|system| system.path().read_dir().is_ok_and(|mut files| files.any(is_program)))
            })
        })
    }

    /// Records that the folder is initialized.
    pub(super) fn set_initialized(
        &self,
        program: &Program,
        settings: &TerraformSettings,
    ) -> Result<(), TerraformError> {
        self.remove(LOCK_FILE_BEFORE)?;
        let text = json!(initialized(program, settings)).to_string();
        self.write(INITIALISED, text.as_bytes())
    }

    /// Removes the lock file if other providers are configured now: it pins the versions for `init`. Otherwise
    /// an existing deployment keeps its provider's version.
    pub(super) fn unlock_providers(
        &self,
        program: &Program,
        settings: &TerraformSettings,
    ) -> Result<(), TerraformError> {
        match self.initialized() {
            Some(known) if known.needs != needs(program, settings) => self.rename(LOCK_FILE, LOCK_FILE_BEFORE),
            _ => Ok(()),
        }
    }

    /// Restores the lock file after a failed `init`.
    pub(super) fn lock_providers_again(&self) -> Result<(), TerraformError> {
        self.rename(LOCK_FILE_BEFORE, LOCK_FILE)
    }

    /// Removes the record of an initialization that has turned out to be wrong.
    pub(super) fn forget_initialized(&self) -> Result<(), TerraformError> {
        self.remove(INITIALISED)
    }

    fn rename(&self, from: &str, to: &str) -> Result<(), TerraformError> {
        match fs::rename(self.dir.join(from), self.dir.join(to)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(self.failed(from, error)),
            _ => Ok(()),
        }
    }

    /// Moves `errored.tfstate` to the state. Returns whether there was one.
    // Rule: a state that could not be written goes to `errored.tfstate`, and is the valid one from then on.
    // https://github.com/cloudposse/docs/issues/358
    pub(super) fn take_errored_state(&self) -> Result<bool, TerraformError> {
        if !self.dir.join(ERRORED_STATE).exists() {
            return Ok(false);
        }
        self.archive_state("before-error")?;
        let renamed = fs::rename(self.dir.join(ERRORED_STATE), self.dir.join(STATE));
        renamed.map(|()| true).map_err(|error| self.failed(ERRORED_STATE, error))
    }

    /// The providers that `init` has installed, by address and version.
    pub(super) fn providers(&self) -> Vec<(String, String)> {
        let text = fs::read_to_string(self.dir.join(LOCK_FILE)).unwrap_or_default();
        let (mut providers, mut address) = (Vec::new(), None);
        for line in text.lines() {
            if let Some(rest) = line.strip_prefix("provider \"") {
                address = rest.split('"').next().map(str::to_owned);
            } else if let Some(rest) = line.trim().strip_prefix("version")
                && let (Some(version), Some(address)) = (rest.split('"').nth(1), address.take())
            {
                providers.push((address, version.to_owned()));
            }
        }
        providers
    }

    /// Removes folders with this prefix, left by killed processes.
    pub(super) fn remove_all(&self, prefix: &str) -> Result<(), TerraformError> {
        for entry in self.dir.read_dir().map_err(|error| self.failed("", error))? {
            let name = entry.map_err(|error| self.failed("", error))?.file_name();
            let name = name.to_string_lossy();
            if name.starts_with(prefix) {
                fs::remove_dir_all(self.dir.join(&*name)).map_err(|error| self.failed(&name, error))?;
            }
        }
        Ok(())
    }

    fn write(&self, name: &str, content: &[u8]) -> Result<(), TerraformError> {
        let path = self.dir.join(name);
        if fs::read(&path).is_ok_and(|content_now| content_now == content) {
            return Ok(());
        }
        let folder = path.parent().unwrap_or(&self.dir);
        private_fs::create_dir_all(folder)
            .and_then(|()| private_fs::write(&path, content))
            .map_err(|error| self.failed(name, error))
    }

    fn remove(&self, name: &str) -> Result<(), TerraformError> {
        match fs::remove_file(self.dir.join(name)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(self.failed(name, error)),
            _ => Ok(()),
        }
    }

    pub(super) fn failed(&self, name: &str, source: io::Error) -> TerraformError {
        TerraformError::Folder { path: self.dir.join(name), source }
    }
}

/// Why a state cannot be used.
#[derive(Debug)]
pub(super) enum StateError {
    /// It is not a valid state.
    Damaged,
    /// It cannot be read.
    Unreadable(TerraformError),
}

#[derive(Deserialize)]
struct State {
    resources: Vec<StateResource>,
}

#[derive(Deserialize)]
struct StateResource {
    #[serde(default)]
    module: Option<String>,
    mode: String,
    #[serde(rename = "type")]
    kind: String,
    name: String,
    #[serde(default)]
    instances: Vec<Instance>,
}

#[derive(Deserialize)]
struct Instance {
    #[serde(default)]
    index_key: Option<Value>,
}

impl StateResource {
    fn addresses(self) -> Vec<String> {
        if self.mode != "managed" {
            return Vec::new();
        }
        let module = self.module.map(|module| format!("{module}.")).unwrap_or_default();
        let stem = format!("{module}{}.{}", self.kind, self.name);
        let address = |instance: &Instance| match &instance.index_key {
            Some(key) => format!("{stem}[{key}]"),
            None => stem.clone(),
        };
        self.instances.iter().map(address).collect()
    }
}

/// The values of the variables file.
fn variables(names: &Names, target: &DeployTarget) -> Value {
    let Settings { build, function, logs, .. } = &*target.settings;
    json!({
        "prefix": names.deployment(),
        "suffix": names.suffix(),
        "region": target.region,
        "account_id": target.identity.account,
        "source_url": match &build.source {
            BuildSource::Bundle => "",
            BuildSource::Github { url } => url,
        },
        "architecture": match deploy_target::architecture_in(&target.label) {
            Architecture::X86_64 => "x86_64",
            Architecture::Arm64 => "arm64",
        },
        "build_image": build.image,
        "compute_type": build.compute_type,
        "build_timeout_minutes": build.timeout_minutes,
        "memory_size": function.memory_mb,
        "timeout": function.timeout_seconds,
        "max_size": function.max_size,
        "log_retention_days": logs.retention_days,
    })
}

/// The exported configuration: paths and contents.
///
/// # Errors
/// When the function's source cannot be zipped.
pub fn configuration() -> io::Result<Vec<(String, Vec<u8>)>> {
    let mut files: Vec<(String, Vec<u8>)> =
        assets::terraform_files().iter().map(|(path, content)| ((*path).to_owned(), content.to_vec())).collect();
    for (name, content) in assets::policy_files() {
        files.push((format!("policies/{name}"), content.to_vec()));
    }
    files.push(("function.zip".to_owned(), assets::function_zip().map_err(io::Error::other)?));
    Ok(files)
}

/// `versions.tf` for the configured provider.
fn versions(settings: &TerraformSettings) -> String {
    let shipped = assets::terraform_files().iter().find(|(path, _)| *path == "versions.tf");
    let text = shipped.map(|(_, content)| String::from_utf8_lossy(content)).expect("versions.tf is shipped");
    match settings.aws_provider {
        6 => text.replace(PROVIDER_5, PROVIDER_6),
        _ => text.into_owned(),
    }
}

fn initialized(program: &Program, settings: &TerraformSettings) -> Initialised {
    Initialised { program: program.clone(), needs: needs(program, settings) }
}

fn needs(program: &Program, settings: &TerraformSettings) -> Needs {
    let TerraformSettings { plugin_dir, aws_provider, .. } = settings.clone();
    Needs { program: program.name().to_owned(), plugin_dir, aws_provider, versions: versions(settings) }
}

/// Returns whether a file is one of Terraform's backups: `terraform.tfstate.backup`, or with a time in the middle.
fn is_backup(name: &str) -> bool {
    name.strip_prefix(STATE).is_some_and(|rest| rest.ends_with(".backup"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn workspace() -> (tempfile::TempDir, Workspace) {
        let dir = tempfile::tempdir().expect("a folder");
        let workspace = Workspace::new(dir.path().join("terraform"));
        private_fs::create_dir_all(workspace.dir()).expect("the file is written");
        (dir, workspace)
    }

    #[test]
    fn state_is_read_as_managed_addresses() {
        let (_dir, workspace) = workspace();
        assert!(workspace.state().expect("there is none").is_empty());
        let state = r#"{"version":4,"resources":[
            {"mode":"data","type":"aws_caller_identity","name":"current","instances":[{}]},
            {"mode":"managed","type":"aws_iam_role","name":"build","instances":[{"attributes":{}}]},
            {"module":"module.function[0]","mode":"managed","type":"aws_s3_bucket","name":"source","instances":[{"index_key":0}]}]}"#;
        fs::write(workspace.dir().join(STATE), state).expect("the file is written");
        let expected = ["aws_iam_role.build", "module.function[0].aws_s3_bucket.source[0]"].map(str::to_owned);
        assert_eq!(workspace.state().expect("it is one"), BTreeSet::from(expected));
        fs::write(workspace.dir().join(STATE), &state[..40]).expect("the file is written");
        assert!(matches!(workspace.state(), Err(StateError::Damaged)));
    }

    #[test]
    fn providers_are_read_from_the_lock_file() {
        let (_dir, workspace) = workspace();
        let text = "# This file\n\nprovider \"registry.terraform.io/hashicorp/aws\" {\n  version     = \"5.100.0\"\n  constraints = \"~> 5.40\"\n}\n";
        fs::write(workspace.dir().join(LOCK_FILE), text).expect("the file is written");
        assert_eq!(workspace.providers(), [("registry.terraform.io/hashicorp/aws".to_owned(), "5.100.0".to_owned())]);
    }

    #[test]
    fn other_provider_version_has_another_constraint() {
        let settings = |aws_provider| TerraformSettings { program: None, plugin_dir: None, aws_provider };
        assert!(versions(&settings(5)).contains(PROVIDER_5));
        let six = versions(&settings(6));
        assert!(six.contains(PROVIDER_6) && !six.contains(PROVIDER_5));
    }

    /// The AWS provider needs seconds of CPU time per start for an `endpoints` block; AWS_ENDPOINT_URL has the same effect.
    #[test]
    fn configuration_has_no_endpoints_block() {
        for (path, content) in assets::terraform_files() {
            let text = String::from_utf8_lossy(content);
            assert!(
                !text.lines().any(|line| line.contains("\"endpoints\" {") || line.trim() == "endpoints {"),
                "{path}"
            );
        }
    }

    #[test]
    fn forgotten_state_leaves_no_backups() {
        let (_dir, workspace) = workspace();
        for name in [
            STATE,
            "terraform.tfstate.backup",
            "terraform.tfstate.1795830433.backup",
            IMPORTS,
            "terraform.tfstate.0a1b2c3d",
        ] {
            fs::write(workspace.dir().join(name), "").expect("the file is written");
        }
        workspace.forget_state().expect("the files are removed");
        let left: Vec<_> = workspace
            .dir()
            .read_dir()
            .expect("the folder exists")
            .map(|entry| entry.expect("an entry").file_name())
            .collect();
        assert_eq!(left, ["terraform.tfstate.0a1b2c3d"], "archived states are kept");
    }
}
