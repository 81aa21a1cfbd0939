//! The user's own Terraform: its path, version and suitability.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use thumbctl_core::event::Failure;

use crate::settings::TerraformSettings;

/// The oldest supported version: import blocks came with it.
const OLDEST: [u32; 2] = [1, 5];

/// How long `version` may take: it loads no provider.
const VERSION_TIMEOUT: Duration = Duration::from_secs(20);

/// The names searched without a configured program.
const DEFAULT_NAMES: [&str; 2] = ["terraform", "tofu"];

/// The Terraform or OpenTofu program found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Program {
    /// Its path.
    pub path: PathBuf,
    /// Its version, such as `1.11.4`.
    pub version: String,
    /// Identifies an unchanged file: its size in bytes, and its modification time in seconds since 1970.
    stamp: (u64, u64),
}

/// Why Terraform cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TerraformError {
    /// It was not found.
    #[error("the terraform strategy needs {}, which was not found", .0.as_deref().unwrap_or("terraform or tofu"))]
    Missing(Option<String>),
    /// It is too old.
    #[error("{} is version {version}; the terraform strategy needs {}.{} or later", .path.display(), OLDEST[0], OLDEST[1])]
    TooOld {
        /// Its path.
        path: PathBuf,
        /// Its version.
        version: String,
    },
    /// Its version cannot be determined.
    #[error("cannot determine the Terraform version of {}: {why}", .path.display())]
    Unusable {
        /// Its path.
        path: PathBuf,
        /// The reason.
        why: String,
    },
    /// The provider folder has no provider.
    #[error("terraform.plugin_dir {} has no hashicorp/aws", .0.display())]
    NoProvider(PathBuf),
    /// Another process is running, and does not stop.
    #[error("a Terraform process in {} does not stop", .0.display())]
    AtWork(PathBuf),
    /// Its folder cannot be used.
    #[error("cannot use {}: {source}", .path.display())]
    Folder {
        /// The folder or file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

impl TerraformError {
    /// Returns the error as a failure with its hint.
    pub(super) fn failure(&self) -> Failure {
        Failure { hint: self.hint(), ..Failure::from_error(self) }
    }

    /// Returns what to do about it.
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Missing(None) => {
                "install it (https://developer.hashicorp.com/terraform/install), set terraform.program, or use \
                 --strategy sdk; `thumbctl destroy --purge` deletes an existing deployment without it"
                    .to_owned()
            }
            Self::Missing(Some(_)) => {
                "set terraform.program to a name on the PATH or a path; `thumbctl destroy --purge` deletes an existing deployment \
                 without it"
                    .to_owned()
            }
            Self::TooOld { .. } => {
                "update it, or set terraform.program to another; `thumbctl destroy --purge` deletes an existing deployment \
                 without it"
                    .to_owned()
            }
            Self::Unusable { .. } => "run it with `version`, or set terraform.program to another".to_owned(),
            Self::AtWork(_) => "wait for its end, or stop it; then run the same command again".to_owned(),
            Self::NoProvider(_) => {
                "use a mirror's layout: registry.terraform.io/hashicorp/aws/VERSION/SYSTEM; `terraform providers \
                 mirror DIR` makes one"
                    .to_owned()
            }
            Self::Folder { .. } => return None,
        })
    }
}

impl Program {
    /// Finds the configured program and determines its version; for an unchanged one the cached version
    /// is used.
    ///
    /// # Errors
    /// When it is missing, unusable or too old; or when the configured folder has no providers.
    pub async fn find(settings: &TerraformSettings, cached: Option<Self>) -> Result<Self, TerraformError> {
        let path = match &settings.program {
            Some(requested) => on_path(requested).ok_or_else(|| TerraformError::Missing(Some(requested.clone())))?,
            None => DEFAULT_NAMES.into_iter().find_map(on_path).ok_or(TerraformError::Missing(None))?,
        };
        if let Some(dir) = settings.plugin_dir.as_ref().filter(|dir| !has_aws_provider(dir)) {
            return Err(TerraformError::NoProvider(dir.clone()));
        }
        let stamp = stamp(&path).map_err(|source| TerraformError::Folder { path: path.clone(), source })?;
        if let Some(cached) = cached.filter(|cached| cached.path == path && cached.stamp == stamp) {
            return Ok(cached);
        }
        let version = ask_version(&path).await.map_err(|why| TerraformError::Unusable { path: path.clone(), why })?;
        if numbers(&version).is_none_or(|version| version < OLDEST) {
            return Err(TerraformError::TooOld { path, version });
        }
        Ok(Self { path, version, stamp })
    }

    /// Returns the untested component, if any: the program, or the configured provider.
    pub fn untested(&self, settings: &TerraformSettings) -> Option<&'static str> {
        match (self.name(), settings.aws_provider) {
            ("tofu", _) => Some("OpenTofu"),
            (_, 6) => Some("the AWS provider 6"),
            _ => None,
        }
    }

    /// Returns its name: `terraform` or `tofu`.
    pub fn name(&self) -> &'static str {
        let name = self.path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if name.contains("tofu") { "tofu" } else { "terraform" }
    }
}

/// The first two numbers of a version.
fn numbers(version: &str) -> Option<[u32; 2]> {
    let mut parts = version.split(['.', '-']).map(|part| part.parse().ok());
    Some([parts.next()??, parts.next()??])
}

/// Finds a program by its name on the PATH, or by its path.
fn on_path(name: &str) -> Option<PathBuf> {
    if name.contains('/') {
        return std::path::absolute(name).ok().filter(|path| is_program(path));
    }
    std::env::split_paths(&std::env::var_os("PATH")?).map(|dir| dir.join(name)).find(|path| is_program(path))
}

fn is_program(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    path.metadata().is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o111 != 0)
}

fn stamp(path: &Path) -> std::io::Result<(u64, u64)> {
    let file = path.metadata()?;
    let changed = file.modified()?.duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    Ok((file.len(), changed.as_secs()))
}

/// Returns whether a mirror's folder has a `hashicorp/aws` of any registry.
fn has_aws_provider(dir: &Path) -> bool {
    let Ok(registries) = dir.read_dir() else { return false };
    registries.filter_map(Result::ok).any(|registry| registry.path().join("hashicorp/aws").is_dir())
}

async fn ask_version(path: &Path) -> Result<String, String> {
    #[derive(Deserialize)]
    struct VersionOutput {
        terraform_version: String,
    }
    let mut command = tokio::process::Command::new(path);
    command.args(["version", "-json"]).stdin(Stdio::null()).kill_on_drop(true);
    // Otherwise it checks the network for a newer version.
    command.env("CHECKPOINT_DISABLE", "1").env_remove("TF_CLI_ARGS").env_remove("TF_CLI_ARGS_version");
    // Otherwise it would read a configuration in the current folder.
    command.current_dir("/");
    let answer = tokio::time::timeout(VERSION_TIMEOUT, command.output()).await;
    let output =
        answer.map_err(|_| format!("no answer within {} s", VERSION_TIMEOUT.as_secs()))?.map_err(|e| e.to_string())?;
    let text = String::from_utf8_lossy(&output.stdout);
    // Warnings about its settings file may precede the JSON.
    let json = text.find('{').map_or("", |begin| &text[begin..]);
    let answer: Result<VersionOutput, _> = serde_json::from_str(json);
    answer.map(|answer| answer.terraform_version).map_err(|error| format!("{}, {error}", output.status))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn program(dir: &Path, name: &str, output: &str) -> TerraformSettings {
        let path = dir.join(name);
        std::fs::write(&path, format!("#!/bin/sh\ncat <<'X'\n{output}\nX\n")).expect("the file is written");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).expect("it is made executable");
        TerraformSettings { program: Some(path.display().to_string()), plugin_dir: None, aws_provider: 5 }
    }

    #[tokio::test]
    async fn versions_from_1_5_on_are_supported() {
        let dir = tempfile::tempdir().expect("a folder");
        for (version, supported) in
            [("1.5.0", true), ("1.11.4", true), ("2.0.0-rc1", true), ("1.4.7", false), ("0.15", false)]
        {
            let settings = program(dir.path(), "terraform", &format!(r#"{{"terraform_version": "{version}"}}"#));
            match Program::find(&settings, None).await {
                Ok(found) => assert!(supported && found.version == version && found.name() == "terraform"),
                Err(error) => assert!(!supported && matches!(error, TerraformError::TooOld { .. }), "{error}"),
            }
        }
    }

    #[tokio::test]
    async fn program_that_is_not_terraform_is_an_error() {
        let dir = tempfile::tempdir().expect("a folder");
        let settings = program(dir.path(), "tofu", "hello");
        assert!(matches!(Program::find(&settings, None).await, Err(TerraformError::Unusable { .. })));
        let missing = TerraformSettings { program: Some("no-such-terraform".into()), ..settings.clone() };
        assert!(matches!(Program::find(&missing, None).await, Err(TerraformError::Missing(Some(_)))));
        let bare = TerraformSettings { plugin_dir: Some(dir.path().into()), ..settings };
        assert!(matches!(Program::find(&bare, None).await, Err(TerraformError::NoProvider(_))));
    }

    #[tokio::test]
    async fn cached_program_is_not_run_again() {
        let dir = tempfile::tempdir().expect("a folder");
        let settings = program(dir.path(), "terraform", r#"{"terraform_version": "1.6.0"}"#);
        let cached = Program::find(&settings, None).await.expect("it is supported");
        let cached = Program { version: "as remembered".into(), ..cached };
        let again = Program::find(&settings, Some(cached)).await.expect("it is supported");
        assert_eq!(again.version, "as remembered");
        let other = Program { stamp: (0, 0), ..again };
        assert_eq!(Program::find(&settings, Some(other)).await.expect("it is supported").version, "1.6.0");
    }
}
