//! The buildspec, version 0.2: what a build runs in which phase.

use yaml_rust2::{Yaml, YamlLoader};

/// What a build does.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Buildspec {
    /// `env.variables`: the project's variables and those of `StartBuild` go before these.
    pub(super) variables: Vec<(String, String)>,
    /// `env.exported-variables`.
    pub(super) exported: Vec<String>,
    pub(super) install: Commands,
    pub(super) pre_build: Commands,
    pub(super) build: Commands,
    pub(super) post_build: Commands,
}

/// One phase.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Commands {
    pub(super) commands: Vec<String>,
    /// Run after the commands, also when one of them failed.
    pub(super) finally: Vec<String>,
    pub(super) on_failure: OnFailure,
}

/// `on-failure`.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) enum OnFailure {
    /// Not said: a build that fails still goes on to `POST_BUILD`, the phases before it end the build.
    #[default]
    Usual,
    Abort,
    Continue,
}

/// Why a text is no buildspec; CodeBuild reports each as `YAML_FILE_ERROR`.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub(super) enum BuildspecError {
    #[error("{message} at line {line}")]
    Syntax { message: String, line: usize },
    #[error("the buildspec is empty")]
    Empty,
    #[error("the buildspec must be a mapping")]
    NotAMapping,
    #[error("unsupported buildspec version: {0}. The sandbox runs version 0.2")]
    Version(String),
    #[error("no phases found in YAML")]
    NoPhases,
    #[error("unknown phase: {0}. Supported phases: install, pre_build, build, post_build")]
    UnknownPhase(String),
    #[error("Expected {0} to be a mapping")]
    ExpectedMapping(String),
    #[error("Expected {0} to be a list")]
    ExpectedList(String),
    #[error("Expected {0} to be of string type: found subkeys or nothing instead")]
    ExpectedString(String),
    #[error("on-failure of {0} must be ABORT or CONTINUE")]
    OnFailure(String),
    #[error("{0} is not available in the sandbox: use env.variables")]
    NoSecrets(&'static str),
}

impl Buildspec {
    /// Reads a buildspec.
    pub(super) fn read(text: &str) -> Result<Self, BuildspecError> {
        let documents = YamlLoader::load_from_str(text).map_err(|error| BuildspecError::Syntax {
            message: error.info().to_owned(),
            line: error.marker().line(),
        })?;
        let document = documents.first().filter(|document| !document.is_null()).ok_or(BuildspecError::Empty)?;
        if !document.is_hash() {
            return Err(BuildspecError::NotAMapping);
        }
        let version = scalar(&document["version"]).unwrap_or_default();
        if version != "0.2" {
            return Err(BuildspecError::Version(version));
        }
        let mut spec = Self::default();
        spec.read_environment(&document["env"])?;
        let phases = document["phases"].as_hash().ok_or(BuildspecError::NoPhases)?;
        for (name, phase) in phases {
            let name = scalar(name).unwrap_or_default();
            let commands = Commands::read(&name.to_uppercase(), phase)?;
            match name.as_str() {
                "install" => spec.install = commands,
                "pre_build" => spec.pre_build = commands,
                "build" => spec.build = commands,
                "post_build" => spec.post_build = commands,
                _ => return Err(BuildspecError::UnknownPhase(name)),
            }
        }
        Ok(spec)
    }

    fn read_environment(&mut self, env: &Yaml) -> Result<(), BuildspecError> {
        for secret in ["parameter-store", "secrets-manager"] {
            if env[secret].as_hash().is_some_and(|them| !them.is_empty()) {
                return Err(BuildspecError::NoSecrets(secret));
            }
        }
        if let Some(variables) = mapping(&env["variables"], "env/variables")? {
            for (name, value) in variables {
                let name = scalar(name).unwrap_or_default();
                let value = scalar(value).ok_or_else(|| BuildspecError::ExpectedString(name.clone()))?;
                self.variables.push((name, value));
            }
        }
        self.exported = strings(&env["exported-variables"], "exported-variables")?;
        Ok(())
    }
}

impl Commands {
    fn read(name: &str, phase: &Yaml) -> Result<Self, BuildspecError> {
        if mapping(phase, name)?.is_none() {
            return Ok(Self::default());
        }
        let on_failure = match scalar(&phase["on-failure"]).as_deref() {
            None => OnFailure::Usual,
            Some("ABORT") => OnFailure::Abort,
            Some("CONTINUE") => OnFailure::Continue,
            Some(_) => return Err(BuildspecError::OnFailure(name.to_owned())),
        };
        Ok(Self {
            commands: strings(&phase["commands"], "Commands")?,
            finally: strings(&phase["finally"], "Finally")?,
            on_failure,
        })
    }
}

fn mapping<'a>(yaml: &'a Yaml, what: &str) -> Result<Option<&'a yaml_rust2::yaml::Hash>, BuildspecError> {
    match yaml {
        Yaml::BadValue | Yaml::Null => Ok(None),
        Yaml::Hash(hash) => Ok(Some(hash)),
        _ => Err(BuildspecError::ExpectedMapping(what.to_owned())),
    }
}

fn strings(yaml: &Yaml, what: &str) -> Result<Vec<String>, BuildspecError> {
    match yaml {
        Yaml::BadValue | Yaml::Null => Ok(Vec::new()),
        Yaml::Array(items) => items
            .iter()
            .enumerate()
            .map(|(index, item)| scalar(item).ok_or_else(|| BuildspecError::ExpectedString(format!("{what}[{index}]"))))
            .collect(),
        // A single command may stand without its dash.
        Yaml::String(one) => Ok(vec![one.clone()]),
        _ => Err(BuildspecError::ExpectedList(what.to_owned())),
    }
}

fn scalar(yaml: &Yaml) -> Option<String> {
    match yaml {
        Yaml::String(text) | Yaml::Real(text) => Some(text.clone()),
        Yaml::Integer(number) => Some(number.to_string()),
        Yaml::Boolean(truth) => Some(truth.to_string()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_phases_variables_and_what_to_do_on_failure() {
        let spec = Buildspec::read(
            "version: 0.2\nenv:\n  variables:\n    TAG: latest\n    N: 3\nphases:\n  pre_build:\n    commands:\n      - \
             echo one\n      - |\n        echo two\n        echo three\n  build:\n    on-failure: ABORT\n    commands: \
             [make]\n    finally:\n      - echo end\n",
        )
        .unwrap();
        assert_eq!(spec.variables, [("TAG".into(), "latest".into()), ("N".into(), "3".into())]);
        assert_eq!(spec.pre_build.commands, ["echo one", "echo two\necho three\n"]);
        assert_eq!(spec.build.on_failure, OnFailure::Abort);
        assert_eq!(spec.build.finally, ["echo end"]);
        assert_eq!(spec.install, Commands::default());
    }

    #[test]
    fn a_command_that_yaml_takes_for_a_mapping_is_named() {
        let error = Buildspec::read("version: 0.2\nphases:\n  build:\n    commands:\n      - echo a: b\n").unwrap_err();
        assert!(error.to_string().starts_with("Expected Commands[0] to be of string type"), "{error}");
    }

    #[test]
    fn says_the_line_of_a_syntax_error() {
        let error = Buildspec::read("version: 0.2\nphases:\n  build: [\n").unwrap_err();
        assert!(matches!(error, BuildspecError::Syntax { line: 4, .. }), "{error}");
    }

    #[test]
    fn refuses_other_versions_and_phases() {
        assert_eq!(Buildspec::read("version: 0.1\nphases: {}\n"), Err(BuildspecError::Version("0.1".into())));
        assert_eq!(
            Buildspec::read("version: 0.2\nphases:\n  deploy: {}\n"),
            Err(BuildspecError::UnknownPhase("deploy".into()))
        );
        assert_eq!(Buildspec::read(""), Err(BuildspecError::Empty));
    }
}
