//! The buildspec, version 0.2: the commands of a build's phases.

use crate::yaml::{self, SyntaxError, YamlContent, YamlLimits, YamlNode};

const LIMITS: YamlLimits = YamlLimits { depth: 64, nodes: 100_000 };

/// The note for `run-as`.
const ANY_USER: &str = "commands run as the user of the sandbox";

/// A parsed buildspec.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Buildspec {
    pub(super) shell: Interpreter,
    /// `env.variables`, overridden by the project's and `StartBuild`'s variables.
    pub(super) variables: Vec<(String, String)>,
    /// `env.exported-variables`.
    pub(super) exported: Vec<String>,
    pub(super) install: PhaseCommands,
    pub(super) pre_build: PhaseCommands,
    pub(super) build: PhaseCommands,
    pub(super) post_build: PhaseCommands,
    /// Log lines about requested features that the sandbox does not have.
    pub(super) notes: Vec<String>,
}

/// `env.shell`: which shell runs the commands.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) enum Interpreter {
    #[default]
    Bash,
    Sh,
}

/// One phase.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct PhaseCommands {
    pub(super) commands: Vec<String>,
    /// Run after the commands, even if one failed.
    pub(super) finally: Vec<String>,
    pub(super) on_failure: PhaseFailurePolicy,
}

/// `on-failure`.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) enum PhaseFailurePolicy {
    /// Not set: a failed BUILD phase continues with POST_BUILD; earlier phases end the build.
    #[default]
    PhaseDefault,
    Abort,
    Continue,
    /// Retries the whole build up to this many times.
    Retry(u64),
}

/// An invalid buildspec; CodeBuild reports each error as `YAML_FILE_ERROR`.
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
    #[error("Invalid buildspec phase name: {0}. Expecting: build,install,post_build,pre_build")]
    UnknownPhase(String),
    #[error("Expected {0} to be a mapping at line {1}")]
    ExpectedMapping(String, usize),
    #[error("Expected {0} to be a list at line {1}")]
    ExpectedList(String, usize),
    #[error(
        "Expected {what} to be of string type: found subkeys instead at line {line}, value of the key tag on line {} \
         might be empty", line.saturating_sub(1)
    )]
    Subkeys { what: String, line: usize },
    #[error("on-failure of {phase} cannot be {value}: it must be ABORT, CONTINUE, RETRY or RETRY-count")]
    OnFailure { phase: String, value: String },
    #[error("env/shell cannot be {0}: a build on Linux has bash and /bin/sh")]
    Shell(String),
    #[error("env/{0} is not available in the sandbox: use env/variables")]
    NoSecrets(&'static str),
}

impl From<SyntaxError> for BuildspecError {
    fn from(error: SyntaxError) -> Self {
        Self::Syntax { message: error.message, line: error.at.line }
    }
}

impl Buildspec {
    /// Reads a buildspec.
    pub(super) fn read(text: &str) -> Result<Self, BuildspecError> {
        let document = yaml::read(text, LIMITS)?.ok_or(BuildspecError::Empty)?;
        let entries = match &document.content {
            YamlContent::Map(entries) => entries,
            YamlContent::Null => return Err(BuildspecError::Empty),
            _ => return Err(BuildspecError::NotAMapping),
        };
        let version = document.get("version").and_then(YamlNode::text).unwrap_or_default();
        if version != "0.2" {
            return Err(BuildspecError::Version(version.to_owned()));
        }
        let mut spec = Self::default();
        if let Some(env) = document.get("env") {
            spec.read_environment(env)?;
        }
        let phases = document.get("phases").ok_or(BuildspecError::NoPhases)?;
        let phases = mapping(phases, "phases")?.ok_or(BuildspecError::NoPhases)?;
        for (name, phase) in phases {
            let name = name.text().unwrap_or_default();
            let commands = spec.read_phase(&name.to_uppercase(), phase);
            match name {
                "install" => spec.install = commands?,
                "pre_build" => spec.pre_build = commands?,
                "build" => spec.build = commands?,
                "post_build" => spec.post_build = commands?,
                _ => return Err(BuildspecError::UnknownPhase(name.to_owned())),
            }
        }
        for (name, _) in entries.iter().filter(|(_, value)| !value.is_empty()) {
            let name = name.text().unwrap_or_default();
            let note = match name {
                "version" | "env" | "phases" => continue,
                "run-as" => ANY_USER,
                "artifacts" => "not uploaded, since the project has NO_ARTIFACTS",
                "reports" => "not created, since the sandbox has no report groups",
                "cache" => "not kept between builds",
                "batch" => "ignored, since this is a single build",
                "proxy" => "not needed in the sandbox",
                // CodeBuild ignores other keys too, for example other tools' anchors.
                _ => "unknown to CodeBuild, and ignored",
            };
            spec.notes.push(format!("{name}: {note}"));
        }
        Ok(spec)
    }

    fn read_environment(&mut self, env: &YamlNode) -> Result<(), BuildspecError> {
        mapping(env, "env")?;
        for secret in ["parameter-store", "secrets-manager"] {
            if env.get(secret).is_some_and(|them| !them.is_empty()) {
                return Err(BuildspecError::NoSecrets(secret));
            }
        }
        match env.get("shell").and_then(YamlNode::text) {
            None | Some("bash") => {}
            Some("/bin/sh" | "sh") => self.shell = Interpreter::Sh,
            Some(other) => return Err(BuildspecError::Shell(other.to_owned())),
        }
        if env.get("git-credential-helper").and_then(YamlNode::text) == Some("yes") {
            self.notes.push("git-credential-helper: not available, since the sandbox does not use git".to_owned());
        }
        if let Some(variables) = env.get("variables") {
            for (name, value) in mapping(variables, "env/variables")?.into_iter().flatten() {
                let name = name.text().unwrap_or_default().to_owned();
                let value = string(value, || format!("env/variables/{name}"))?;
                self.variables.push((name, value));
            }
        }
        if let Some(exported) = env.get("exported-variables") {
            self.exported = strings(exported, "exported-variables")?;
        }
        Ok(())
    }

    fn read_phase(&mut self, name: &str, phase: &YamlNode) -> Result<PhaseCommands, BuildspecError> {
        if mapping(phase, name)?.is_none() {
            return Ok(PhaseCommands::default());
        }
        let on_failure = match phase.get("on-failure").and_then(YamlNode::text) {
            None => PhaseFailurePolicy::PhaseDefault,
            Some(text) => PhaseFailurePolicy::read(text)
                .ok_or_else(|| BuildspecError::OnFailure { phase: name.to_owned(), value: text.to_owned() })?,
        };
        if phase.get("run-as").is_some() {
            self.notes.push(format!("{name}: run-as: {ANY_USER}"));
        }
        if let Some(YamlContent::Map(versions)) = phase.get("runtime-versions").map(|it| &it.content) {
            let text = |node: &YamlNode| node.text().unwrap_or_default().to_owned();
            let requested: Vec<_> = versions.iter().map(|(what, version)| text(what) + " " + &text(version)).collect();
            self.notes.push(format!(
                "{name}: runtime-versions: {} not installed, the build uses this machine's versions",
                requested.join(", ")
            ));
        }
        let of = |key: &str, what: &str| phase.get(key).map_or(Ok(Vec::new()), |node| strings(node, what));
        Ok(PhaseCommands { commands: of("commands", "Commands")?, finally: of("finally", "Finally")?, on_failure })
    }
}

impl PhaseFailurePolicy {
    fn read(text: &str) -> Option<Self> {
        Some(match text {
            "ABORT" => Self::Abort,
            "CONTINUE" => Self::Continue,
            "RETRY" => Self::Retry(3),
            _ => Self::Retry(text.strip_prefix("RETRY-")?.parse().ok().filter(|times| *times <= 100)?),
        })
    }
}

fn mapping<'a>(node: &'a YamlNode, what: &str) -> Result<Option<&'a Vec<(YamlNode, YamlNode)>>, BuildspecError> {
    match &node.content {
        YamlContent::Null => Ok(None),
        YamlContent::Map(entries) => Ok(Some(entries)),
        _ => Err(BuildspecError::ExpectedMapping(what.to_owned(), node.at.line)),
    }
}

fn strings(node: &YamlNode, what: &str) -> Result<Vec<String>, BuildspecError> {
    match &node.content {
        YamlContent::Null => Ok(Vec::new()),
        YamlContent::List(items) => {
            items.iter().enumerate().map(|(index, item)| string(item, || format!("{what}[{index}]"))).collect()
        }
        // A single command may be written without a dash.
        YamlContent::Plain(one) | YamlContent::Quoted(one) => Ok(vec![one.clone()]),
        YamlContent::Map(_) => Err(BuildspecError::ExpectedList(what.to_owned(), node.at.line)),
    }
}

fn string(node: &YamlNode, what: impl FnOnce() -> String) -> Result<String, BuildspecError> {
    match node.text() {
        Some(text) => Ok(text.to_owned()),
        // CodeBuild reports "found subkeys" for empty values, too.
        None => Err(BuildspecError::Subkeys { what: what(), line: node.at.line }),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn refusal(text: &str) -> String {
        Buildspec::read(text).unwrap_err().to_string()
    }

    #[test]
    fn phases_variables_and_failure_policies_are_read() {
        let spec = Buildspec::read(
            "version: 0.2\nenv:\n  shell: /bin/sh\n  variables:\n    TAG: latest\n    N: 3\nphases:\n  pre_build:\n    \
             commands:\n      - echo one\n      - |\n        echo two\n        echo three\n  build:\n    on-failure: \
             ABORT\n    commands: [make]\n    finally:\n      - echo end\n  post_build:\n    on-failure: RETRY-2\n    \
             commands: [\"true\"]\n",
        )
        .unwrap();
        assert_eq!(spec.shell, Interpreter::Sh);
        assert_eq!(spec.variables, [("TAG".into(), "latest".into()), ("N".into(), "3".into())]);
        assert_eq!(spec.pre_build.commands, ["echo one", "echo two\necho three\n"]);
        assert_eq!(spec.build.on_failure, PhaseFailurePolicy::Abort);
        assert_eq!(spec.build.finally, ["echo end"]);
        assert_eq!(spec.post_build.on_failure, PhaseFailurePolicy::Retry(2));
        assert_eq!(spec.install, PhaseCommands::default());
        assert_eq!(spec.notes, Vec::<String>::new());
    }

    #[test]
    fn unsupported_features_are_noted() {
        let spec = Buildspec::read(
            "version: 0.2\nrun-as: app\nphases:\n  install:\n    runtime-versions:\n      python: 3.13\n  build:\n    \
             commands: [make]\nartifacts:\n  files: ['**/*']\nreports: {}\ncache:\n  paths: [x]\nanchors: here\n",
        )
        .unwrap();
        let first_words: Vec<_> = spec.notes.iter().map(|note| note.split(": ").next().unwrap_or_default()).collect();
        assert_eq!(first_words, ["INSTALL", "run-as", "artifacts", "cache", "anchors"]);
        assert!(spec.notes[0].contains("python 3.13 not installed"), "{}", spec.notes[0]);
    }

    #[test]
    fn command_parsed_as_mapping_is_reported() {
        assert_eq!(
            refusal("version: 0.2\n\nphases:\n  build:\n    commands:\n      - echo \"Hello: world\"\n"),
            "Expected Commands[0] to be of string type: found subkeys instead at line 6, value of the key tag on line 5 \
             might be empty"
        );
    }

    #[test]
    fn syntax_error_names_its_line() {
        assert!(refusal("version: 0.2\nphases:\n  build: [\n").ends_with(" at line 4"));
        assert_eq!(
            refusal("version: 0.2\nphases:\n  build: x: y\n"),
            "mapping values are not allowed in this context at line 3"
        );
    }

    #[test]
    fn unsupported_versions_phases_shells_and_secrets_are_refused() {
        assert_eq!(Buildspec::read("version: 0.1\nphases: {}\n"), Err(BuildspecError::Version("0.1".into())));
        assert_eq!(
            refusal("version: 0.2\nphases:\n  deploy: {}\n"),
            "Invalid buildspec phase name: deploy. Expecting: build,install,post_build,pre_build"
        );
        assert_eq!(Buildspec::read(""), Err(BuildspecError::Empty));
        assert_eq!(Buildspec::read("- version: 0.2\n"), Err(BuildspecError::NotAMapping));
        assert_eq!(Buildspec::read("version: 0.2\n"), Err(BuildspecError::NoPhases));
        let env = |line: &str| refusal(&format!("version: 0.2\nenv:\n  {line}\nphases: {{}}\n"));
        assert!(env("shell: powershell.exe").contains("cannot be powershell.exe"));
        assert!(env("parameter-store: { A: b }").contains("env/parameter-store is not available"));
        assert!(env("secrets-manager: { A: b }").contains("env/secrets-manager is not available"));
        assert!(
            refusal("version: 0.2\nphases:\n  build:\n    on-failure: RETRY-.*net.*\n").contains("cannot be RETRY-")
        );
    }

    fn word() -> impl Strategy<Value = String> {
        "[ -~]{1,30}"
    }

    proptest! {
        #[test]
        fn any_text_is_read_without_panic(text in any::<String>()) {
            let _ = Buildspec::read(&text);
        }

        #[test]
        fn any_yaml_is_read_without_panic(text in "(version: 0\\.2\n)?([a-z-]{0,9}(: |:\n|- |\n|  |\\[|\\{|\\}|\\]|,|&a|\\*a|\\||>|'|\"|#|\t)){0,40}") {
            let _ = Buildspec::read(&text);
        }

        #[test]
        fn commands_are_read_as_written(
            commands in prop::collection::vec(word(), 0..6),
            finally in prop::collection::vec(word(), 0..3),
            variables in prop::collection::btree_map("[A-Z]{1,8}", word(), 0..4),
            unknown in prop::option::of("x-[a-z]{1,8}"),
        ) {
            // JSON's strings are YAML's.
            let mut text = format!(
                "version: 0.2\nenv:\n  variables: {}\nphases:\n  build:\n    commands: {}\n    finally: {}\n",
                serde_json::json!(variables), serde_json::json!(commands), serde_json::json!(finally),
            );
            if let Some(unknown) = &unknown {
                text.push_str(&format!("{unknown}: [1, 2]\n"));
            }
            let spec = Buildspec::read(&text).unwrap();
            prop_assert_eq!(spec.build, PhaseCommands { commands, finally, on_failure: PhaseFailurePolicy::PhaseDefault });
            prop_assert_eq!(spec.variables, variables.into_iter().collect::<Vec<_>>());
            prop_assert_eq!(spec.notes.len(), usize::from(unknown.is_some()));
        }
    }
}
