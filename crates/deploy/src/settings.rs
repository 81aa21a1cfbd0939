//! [`Settings`]: the user's settings from defaults, the configuration file, the environment and flags, in this
//! order; later ones win.
//!
//! Every setting is one row of the table in [`keys`]: its name, its allowed values, how it is set and shown. The file,
//! the environment and the flags are all lists of [`Assignment`]s to those rows, so that validation and errors are
//! the same.

mod file;
mod keys;

use std::ffi::OsString;
use std::fmt;
use std::io;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

pub use keys::choice_name;
use keys::{Draft, KEYS, Key};
use thumbctl_core::event::StrategyKind;
use thumbctl_core::names::DeploymentName;
use thumbctl_sandbox_protocol::Latency;

/// All settings.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// The cloud.
    pub cloud: CloudChoice,
    /// The endpoint to call instead of the cloud's own. Never set with [`CloudChoice::Sandbox`].
    pub endpoint_url: Option<String>,
    /// The profile of the AWS configuration files; none: the SDK's default.
    pub profile: Option<String>,
    /// The region; none: the profile's.
    pub region: Option<String>,
    /// The deployment's name.
    pub name: DeploymentName,
    /// The directory of the journals and the sandbox's state.
    pub state_dir: PathBuf,
    /// The deployment strategy; none: the deployment's, or [`DEFAULT_STRATEGY`].
    pub strategy: Option<StrategyKind>,
    /// The maximum number of concurrent steps.
    pub parallelism: NonZeroUsize,
    /// The Lambda function's settings.
    pub function: FunctionSettings,
    /// The build's settings.
    pub build: BuildSettings,
    /// The log groups' settings.
    pub logs: LogSettings,
    /// Terraform's settings.
    pub terraform: TerraformSettings,
    /// The timeouts.
    pub timeouts: TimeoutSettings,
    /// The sandbox's settings.
    pub sandbox: SandboxSettings,
    /// The console's settings.
    pub console: ConsoleSettings,
}

/// The selected cloud. The displayed label follows the endpoint in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum CloudChoice {
    /// The AWS emulator inside this program.
    Sandbox,
    /// AWS, or the endpoint in [`Settings::endpoint_url`].
    Aws,
}

/// The Lambda function's settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FunctionSettings {
    /// Its memory in MB, which also decides its share of processor time.
    pub memory_mb: u32,
    /// The timeout of an invocation in seconds.
    pub timeout_seconds: u32,
    /// The longest side of a thumbnail, in pixels.
    pub max_size: u32,
}

/// The build's settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BuildSettings {
    /// The CodeBuild compute type.
    pub compute_type: String,
    /// The build image.
    pub image: String,
    /// The source of the function.
    pub source: BuildSource,
    /// The timeout of a build in minutes.
    pub timeout_minutes: u32,
}

/// The source of the function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BuildSource {
    /// The embedded source, uploaded to a bucket as a zip file.
    Bundle,
    /// A public GitHub repository.
    Github {
        /// Its URL.
        url: String,
    },
}

/// The log groups' settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogSettings {
    /// The retention in days.
    pub retention_days: u32,
}

/// Terraform's settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TerraformSettings {
    /// The program; none: terraform, or else tofu, on the PATH.
    pub program: Option<String>,
    /// A mirror of the registry, the only source of providers if set.
    pub plugin_dir: Option<PathBuf>,
    /// The AWS provider's major version.
    pub aws_provider: u32,
}

/// The timeouts in seconds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TimeoutSettings {
    /// For one call.
    pub call_seconds: u32,
    /// For a connection.
    pub connect_seconds: u32,
    /// For the thumbnail of a test upload.
    pub test_upload_seconds: u32,
}

/// The settings of a new sandbox; a running one keeps its own.
#[derive(Clone, Debug, PartialEq)]
pub struct SandboxSettings {
    /// The source of its delays.
    pub latency: Latency,
    /// The factor for AWS's delays.
    pub time_scale: f64,
    /// Whether builds compile the function.
    pub real_cargo: bool,
}

/// The console's settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConsoleSettings {
    /// Its theme.
    pub theme: ThemeChoice,
    /// Its symbols.
    pub symbols: SymbolChoice,
    /// Its graphics protocol.
    pub pictures: PictureChoice,
    /// Whether it uses the mouse; without it, the terminal selects text as usual.
    pub mouse: bool,
    /// The user's own keys, in the order of the file.
    pub keys: Vec<KeySetting>,
}

/// The console's colour theme.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum ThemeChoice {
    /// By the terminal's background; none with `NO_COLOR`.
    Auto,
    /// For dark backgrounds.
    Dark,
    /// For light backgrounds.
    Light,
    /// For projectors and tired eyes.
    HighContrast,
    /// None.
    Plain,
}

/// The console's symbols.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum SymbolChoice {
    /// By the locale.
    Auto,
    /// Those of Unicode.
    Unicode,
    /// Those of ASCII alone.
    Ascii,
}

/// The console's graphics protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum PictureChoice {
    /// The best one that the terminal supports.
    Auto,
    /// The kitty protocol.
    Kitty,
    /// The iTerm2 protocol.
    Iterm2,
    /// Sixel.
    Sixel,
    /// Half blocks of text, for every terminal.
    HalfBlocks,
}

/// A key of the user's own. The console validates actions and keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeySetting {
    /// The action's name.
    pub action: String,
    /// Its keys, as written.
    pub keys: String,
    /// Its origin.
    pub origin: Origin,
}

/// A setting's value as written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assignment {
    /// The setting's name, for example `function.memory_mb`.
    pub key: String,
    /// Its value as text.
    pub value: String,
    /// Its origin.
    pub origin: Origin,
}

/// The origin of a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A line of a configuration file.
    File {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
    },
    /// An environment variable.
    Environment(String),
    /// A flag, for example `--region`.
    Flag(String),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { path, line } => write!(f, "{}, line {line}", path.display()),
            Self::Environment(variable) => write!(f, "environment variable {variable}"),
            Self::Flag(flag) => f.write_str(flag),
        }
    }
}

/// Why the settings are invalid. Each error is one sentence with the place and the allowed values.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// A configuration file cannot be read.
    #[error("cannot read the configuration file {path}: {source}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// A configuration file is not TOML.
    #[error("{path}, line {line}: this is not TOML: {message}")]
    Syntax {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// The parser's error.
        message: String,
    },
    /// There is no such setting.
    #[error("{path}, line {line}: unknown setting '{key}'; {known}")]
    Unknown {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// The unknown key.
        key: String,
        /// The suggestion.
        known: String,
    },
    /// A value is not allowed.
    #[error("{origin}: {key} cannot be {found}; it must be {allowed}")]
    Value {
        /// The value's origin.
        origin: Origin,
        /// The setting.
        key: String,
        /// The value, quoted if it is text.
        found: String,
        /// The allowed values.
        allowed: String,
    },
    /// An environment variable is not text.
    #[error("environment variable {0} is not valid UTF-8 text")]
    NotText(String),
    /// The sandbox was selected together with an endpoint.
    #[error("{0}: an endpoint URL cannot be combined with the sandbox")]
    SandboxWithEndpoint(Origin),
    /// There is no directory for the state.
    #[error("no home directory for the state: set HOME, or pass --state-dir")]
    NoHome,
}

/// Reads one environment variable; [`std::env::var_os`] outside tests.
pub type Environment<'a> = &'a dyn Fn(&str) -> Option<OsString>;

impl Settings {
    /// Loads the settings: defaults, then the file, then the environment, then `flags`.
    ///
    /// `file` is the user's file (`--config`); otherwise `THUMBCTL_CONFIG`, otherwise the default path, where
    /// it may be missing.
    ///
    /// # Errors
    /// When a configured file does not exist, or a value in any layer is not allowed.
    pub fn load(
        file: Option<&Path>,
        environment: Environment<'_>,
        flags: &[Assignment],
    ) -> Result<Self, SettingsError> {
        let mut draft = Draft::new(environment);
        draft.apply_all(&file::read_first(file, environment)?)?;
        draft.apply_all(&from_environment(environment)?)?;
        draft.apply_all(flags)?;
        draft.finish()
    }

    /// The default settings, apart from the state directory.
    pub fn with_state_dir(state_dir: impl Into<PathBuf>) -> Self {
        Self {
            cloud: CloudChoice::Sandbox,
            endpoint_url: None,
            profile: None,
            region: None,
            name: DeploymentName::new(DEFAULT_NAME).expect("the default name follows the rules for names"),
            state_dir: state_dir.into(),
            strategy: None,
            parallelism: NonZeroUsize::new(8).expect("eight is not zero"),
            function: FunctionSettings { memory_mb: 512, timeout_seconds: 30, max_size: 256 },
            build: BuildSettings {
                compute_type: "BUILD_GENERAL1_SMALL".to_owned(),
                image: "aws/codebuild/standard:8.0".to_owned(),
                source: BuildSource::Bundle,
                timeout_minutes: 15,
            },
            logs: LogSettings { retention_days: 7 },
            terraform: TerraformSettings { program: None, plugin_dir: None, aws_provider: 5 },
            timeouts: TimeoutSettings { call_seconds: 30, connect_seconds: 5, test_upload_seconds: 120 },
            sandbox: SandboxSettings { latency: Latency::Instant, time_scale: 1.0, real_cargo: false },
            console: ConsoleSettings {
                theme: ThemeChoice::Auto,
                symbols: SymbolChoice::Auto,
                pictures: PictureChoice::Auto,
                mouse: true,
                keys: Vec::new(),
            },
        }
    }

    /// The default path of the configuration file.
    pub fn usual_file(environment: Environment<'_>) -> Option<PathBuf> {
        xdg_dir(environment, "XDG_CONFIG_HOME", ".config").map(|dir| dir.join("thumbctl/config.toml"))
    }
}

/// The default name of a deployment.
pub const DEFAULT_NAME: &str = "thumbnails";

/// The default strategy.
pub const DEFAULT_STRATEGY: StrategyKind = StrategyKind::Sdk;

/// The names of all settings, as in the configuration file.
pub fn keys() -> impl Iterator<Item = &'static str> {
    KEYS.iter().map(|key| key.name)
}

fn from_environment(environment: Environment<'_>) -> Result<Vec<Assignment>, SettingsError> {
    let mut assignments = Vec::new();
    for key in KEYS {
        let Some((variable, value)) = first_set(key, environment) else { continue };
        let value = value.into_string().map_err(|_| SettingsError::NotText(variable.clone()))?;
        assignments.push(Assignment { key: key.name.to_owned(), value, origin: Origin::Environment(variable) });
    }
    Ok(assignments)
}

/// The first variable with a value: the setting's own, then AWS's.
fn first_set(key: &Key, environment: Environment<'_>) -> Option<(String, OsString)> {
    let own = format!("THUMBCTL_{}", key.name.replace('.', "_").to_uppercase());
    let variables = std::iter::once(own).chain(key.aws_variables.iter().map(|&variable| variable.to_owned()));
    variables
        .filter_map(|variable| Some((variable.clone(), environment(&variable)?)))
        .find(|(_, value)| !value.is_empty())
}

fn home_dir(environment: Environment<'_>) -> Option<PathBuf> {
    environment("HOME").filter(|home| !home.is_empty()).map(PathBuf::from)
}

/// A directory of the XDG base directory specification: its variable if that is an absolute path, else below home.
fn xdg_dir(environment: Environment<'_>, variable: &str, below_home: &str) -> Option<PathBuf> {
    environment(variable)
        .map(PathBuf::from)
        .filter(|dir| dir.is_absolute())
        .or_else(|| home_dir(environment).map(|home| home.join(below_home)))
}

#[cfg(test)]
mod tests;
