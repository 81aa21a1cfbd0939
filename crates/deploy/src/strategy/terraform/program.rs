//! The user's own Terraform: where it is, which one it is, whether it will do.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use thumbctl_core::event::Failure;

use crate::settings::TerraformSettings;

/// The oldest version that will do: import blocks came with it.
const OLDEST: [u32; 2] = [1, 5];

/// How long it may take to say its version: it loads no provider for that.
const PATIENCE: Duration = Duration::from_secs(20);

/// What is looked for where no program was chosen.
const USUAL: [&str; 2] = ["terraform", "tofu"];

/// Terraform, or OpenTofu, as it was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Program {
    /// Where it is.
    pub path: PathBuf,
    /// Its version, such as `1.11.4`.
    pub version: String,
    /// By which it is known again without being asked: its size in bytes, and when it was changed, in seconds since 1970.
    stamp: (u64, u64),
}

/// Why Terraform cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TerraformError {
    /// It is not there.
    #[error("the terraform strategy needs {}, and there is none here", .0.as_deref().unwrap_or("terraform or tofu"))]
    Missing(Option<String>),
    /// It is too old.
    #[error("{} is version {version}, and the terraform strategy needs {}.{} or later", .path.display(), OLDEST[0], OLDEST[1])]
    TooOld {
        /// Where it is.
        path: PathBuf,
        /// Its version.
        version: String,
    },
    /// It does not say which version it is.
    #[error("{} does not say which version of Terraform it is: {why}", .path.display())]
    Unanswering {
        /// Where it is.
        path: PathBuf,
        /// What came instead.
        why: String,
    },
    /// The folder for providers has none.
    #[error("terraform.plugin_dir is {}, and there is no hashicorp/aws in it", .0.display())]
    NoProvider(PathBuf),
    /// One is at work, and does not stop.
    #[error("a Terraform is at work in {}, and does not stop", .0.display())]
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
    /// The error in words for people.
    pub(super) fn failure(&self) -> Failure {
        Failure { hint: self.hint(), ..Failure::from_error(self) }
    }

    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Missing(None) => {
                "install it (https://developer.hashicorp.com/terraform/install), name it in terraform.program, or take \
                 --strategy sdk, which needs nothing; what stands already, `thumbctl destroy --purge` takes down without it"
                    .to_owned()
            }
            Self::Missing(Some(_)) => {
                "terraform.program names it: a name on the PATH, or a path; what stands already, `thumbctl destroy --purge` \
                 takes down without it"
                    .to_owned()
            }
            Self::TooOld { .. } => {
                "update it, or name another in terraform.program; what stands already, `thumbctl destroy --purge` takes down \
                 without it"
                    .to_owned()
            }
            Self::Unanswering { .. } => "try it with `version`, or name another in terraform.program".to_owned(),
            Self::AtWork(_) => "wait for its end, or end it; then run the same command again".to_owned(),
            Self::NoProvider(_) => {
                "it must be laid out as a mirror: registry.terraform.io/hashicorp/aws/VERSION/SYSTEM; `terraform providers \
                 mirror DIR` makes one"
                    .to_owned()
            }
            Self::Folder { .. } => return None,
        })
    }
}

impl Program {
    /// Finds the program that the settings mean, and asks for its version; one that is as it was when it was asked last is not
    /// asked again.
    ///
    /// # Errors
    /// When it is not there, does not answer, or is too old; or when the settings name a folder without providers.
    pub async fn find(settings: &TerraformSettings, known: Option<Self>) -> Result<Self, TerraformError> {
        let path = match &settings.program {
            Some(asked) => on_path(asked).ok_or_else(|| TerraformError::Missing(Some(asked.clone())))?,
            None => USUAL.into_iter().find_map(on_path).ok_or(TerraformError::Missing(None))?,
        };
        if let Some(dir) = settings.plugin_dir.as_ref().filter(|dir| !has_aws_provider(dir)) {
            return Err(TerraformError::NoProvider(dir.clone()));
        }
        let stamp = stamp(&path).map_err(|source| TerraformError::Folder { path: path.clone(), source })?;
        if let Some(known) = known.filter(|known| known.path == path && known.stamp == stamp) {
            return Ok(known);
        }
        let version =
            ask_version(&path).await.map_err(|why| TerraformError::Unanswering { path: path.clone(), why })?;
        if numbers(&version).is_none_or(|version| version < OLDEST) {
            return Err(TerraformError::TooOld { path, version });
        }
        Ok(Self { path, version, stamp })
    }

    /// What of it, or of what the settings have it use, thumbctl is not tested with.
    pub fn untested(&self, settings: &TerraformSettings) -> Option<&'static str> {
        match (self.name(), settings.aws_provider) {
            ("tofu", _) => Some("OpenTofu"),
            (_, 6) => Some("the AWS provider 6"),
            _ => None,
        }
    }

    /// What it is called: `terraform` or `tofu`.
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

/// A program by its name on the PATH, or by its path.
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

/// Whether some registry's `hashicorp/aws` is in a mirror's folder.
fn has_aws_provider(dir: &Path) -> bool {
    let Ok(registries) = dir.read_dir() else { return false };
    registries.filter_map(Result::ok).any(|registry| registry.path().join("hashicorp/aws").is_dir())
}

async fn ask_version(path: &Path) -> Result<String, String> {
    #[derive(Deserialize)]
    struct Answer {
        terraform_version: String,
    }
    let mut command = tokio::process::Command::new(path);
    command.args(["version", "-json"]).stdin(Stdio::null()).kill_on_drop(true);
    // Otherwise it asks the network whether there is a newer one.
    command.env("CHECKPOINT_DISABLE", "1").env_remove("TF_CLI_ARGS").env_remove("TF_CLI_ARGS_version");
    // Neither is it to look into a configuration that happens to lie where we are.
    command.current_dir("/");
    let answer = tokio::time::timeout(PATIENCE, command.output()).await;
    let output =
        answer.map_err(|_| format!("no answer within {} s", PATIENCE.as_secs()))?.map_err(|e| e.to_string())?;
    let text = String::from_utf8_lossy(&output.stdout);
    // What is wrong with its settings' file may be told before.
    let json = text.find('{').map_or("", |begin| &text[begin..]);
    let answer: Result<Answer, _> = serde_json::from_str(json);
    answer.map(|answer| answer.terraform_version).map_err(|error| format!("{}, {error}", output.status))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn program(dir: &Path, name: &str, says: &str) -> TerraformSettings {
        let path = dir.join(name);
        std::fs::write(&path, format!("#!/bin/sh\ncat <<'X'\n{says}\nX\n")).expect("there is room");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).expect("it can be made a program");
        TerraformSettings { program: Some(path.display().to_string()), plugin_dir: None, aws_provider: 5 }
    }

    #[tokio::test]
    async fn versions_from_1_5_on_will_do() {
        let dir = tempfile::tempdir().expect("a folder");
        for (version, will_do) in
            [("1.5.0", true), ("1.11.4", true), ("2.0.0-rc1", true), ("1.4.7", false), ("0.15", false)]
        {
            let settings = program(dir.path(), "terraform", &format!(r#"{{"terraform_version": "{version}"}}"#));
            match Program::find(&settings, None).await {
                Ok(found) => assert!(will_do && found.version == version && found.name() == "terraform"),
                Err(error) => assert!(!will_do && matches!(error, TerraformError::TooOld { .. }), "{error}"),
            }
        }
    }

    #[tokio::test]
    async fn what_is_no_terraform_is_told() {
        let dir = tempfile::tempdir().expect("a folder");
        let settings = program(dir.path(), "tofu", "hello");
        assert!(matches!(Program::find(&settings, None).await, Err(TerraformError::Unanswering { .. })));
        let missing = TerraformSettings { program: Some("no-such-terraform".into()), ..settings.clone() };
        assert!(matches!(Program::find(&missing, None).await, Err(TerraformError::Missing(Some(_)))));
        let bare = TerraformSettings { plugin_dir: Some(dir.path().into()), ..settings };
        assert!(matches!(Program::find(&bare, None).await, Err(TerraformError::NoProvider(_))));
    }

    #[tokio::test]
    async fn a_program_that_is_known_is_not_asked_again() {
        let dir = tempfile::tempdir().expect("a folder");
        let settings = program(dir.path(), "terraform", r#"{"terraform_version": "1.6.0"}"#);
        let known = Program::find(&settings, None).await.expect("it will do");
        let known = Program { version: "as remembered".into(), ..known };
        let again = Program::find(&settings, Some(known)).await.expect("it will do");
        assert_eq!(again.version, "as remembered");
        let other = Program { stamp: (0, 0), ..again };
        assert_eq!(Program::find(&settings, Some(other)).await.expect("it will do").version, "1.6.0");
    }
}
