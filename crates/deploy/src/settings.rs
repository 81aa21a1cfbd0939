//! [`Settings`]: what the user may choose, from defaults, the configuration file, the environment and flags, in this
//! order; what comes later wins.
//!
//! Every setting is one row of the table in [`keys`]: its name, what is allowed, and how it is set and shown. The file,
//! the environment and the flags are all lists of [`Assignment`]s to those rows, so that they check alike and complain
//! alike.

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

/// Everything that the user may choose.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// Which cloud is meant.
    pub cloud: CloudChoice,
    /// The endpoint that is called instead of the cloud's own. Never set with [`CloudChoice::Sandbox`].
    pub endpoint_url: Option<String>,
    /// The profile of the AWS configuration files; none: the SDK's own choice.
    pub profile: Option<String>,
    /// The region; none: the profile's.
    pub region: Option<String>,
    /// The deployment's name.
    pub name: DeploymentName,
    /// Where journals and the sandbox's state are kept.
    pub state_dir: PathBuf,
    /// By which of the ways to deploy; none: as what stands was deployed, else by [`DEFAULT_STRATEGY`].
    pub strategy: Option<StrategyKind>,
    /// How many steps may run side by side.
    pub parallelism: NonZeroUsize,
    /// The Lambda function's settings.
    pub function: FunctionSettings,
    /// The build's settings.
    pub build: BuildSettings,
    /// The log groups' settings.
    pub logs: LogSettings,
    /// Terraform's settings.
    pub terraform: TerraformSettings,
    /// How long to wait for what.
    pub timeouts: TimeoutSettings,
    /// The sandbox's settings.
    pub sandbox: SandboxSettings,
    /// The console's settings.
    pub console: ConsoleSettings,
}

/// Which cloud the user means. What is shown follows the endpoint that is really used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum CloudChoice {
    /// The AWS look-alike inside this program.
    Sandbox,
    /// AWS, or the endpoint in [`Settings::endpoint_url`].
    Aws,
}

/// The Lambda function's settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FunctionSettings {
    /// Its memory in MB, which also decides its share of processor time.
    pub memory_mb: u32,
    /// After how many seconds Lambda stops an invocation.
    pub timeout_seconds: u32,
    /// The longest side of a thumbnail, in pixels.
    pub max_size: u32,
}

/// The build's settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BuildSettings {
    /// CodeBuild's name for the size of the machine.
    pub compute_type: String,
    /// The image that the build runs in.
    pub image: String,
    /// Where the function's source comes from.
    pub source: BuildSource,
    /// After how many minutes CodeBuild stops the build.
    pub timeout_minutes: u32,
}

/// Where the function's source comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BuildSource {
    /// The function that this program carries, put into a bucket as a zip file.
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
    /// After how many days CloudWatch forgets a log line.
    pub retention_days: u32,
}

/// Terraform's settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TerraformSettings {
    /// The program; none: terraform, or else tofu, on the PATH.
    pub program: Option<String>,
    /// A folder laid out as a mirror of the registry, from which alone providers are taken.
    pub plugin_dir: Option<PathBuf>,
    /// The AWS provider's major version.
    pub aws_provider: u32,
}

/// How long to wait for what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TimeoutSettings {
    /// For the answer to one call.
    pub call_seconds: u32,
    /// For a connection.
    pub connect_seconds: u32,
    /// For the thumbnail of one image.
    pub trial_seconds: u32,
}

/// The settings of a sandbox that a command starts; one that is running already stays as it is.
#[derive(Clone, Debug, PartialEq)]
pub struct SandboxSettings {
    /// Whose times it keeps.
    pub latency: Latency,
    /// What AWS's times are multiplied with.
    pub time_scale: f64,
    /// Whether builds compile the function.
    pub real_cargo: bool,
}

/// The console's settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConsoleSettings {
    /// Its colours.
    pub theme: ThemeChoice,
    /// Its signs.
    pub symbols: SymbolChoice,
    /// How it draws pictures.
    pub pictures: PictureChoice,
    /// Whether it hears the mouse; without it, the terminal selects text as usual.
    pub mouse: bool,
    /// Keys of the user's own, in the order in which they were written.
    pub keys: Vec<KeySetting>,
}

/// Which colours the console has.
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

/// Which signs the console draws.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum SymbolChoice {
    /// By the locale.
    Auto,
    /// Those of Unicode.
    Unicode,
    /// Those of ASCII alone.
    Ascii,
}

/// How the console draws pictures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum PictureChoice {
    /// In the best way that the terminal says it knows.
    Auto,
    /// By kitty's protocol.
    Kitty,
    /// By iTerm2's protocol.
    Iterm2,
    /// As sixels.
    Sixel,
    /// As half blocks of text, which every terminal knows.
    HalfBlocks,
}

/// A key of the user's own. Which actions and keys there are is the console's business.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeySetting {
    /// The action's name.
    pub action: String,
    /// Its keys, as written.
    pub keys: String,
    /// Who wrote it.
    pub origin: Origin,
}

/// One setting's value as somebody wrote it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assignment {
    /// The setting's name, for example `function.memory_mb`.
    pub key: String,
    /// Its value as text.
    pub value: String,
    /// Who wrote it.
    pub origin: Origin,
}

/// Who wrote a value.
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

/// Why there are no settings. Each is one sentence that names the place and says what is allowed.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// A configuration file cannot be read.
    #[error("cannot read the configuration file {path}: {source}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A configuration file is not TOML.
    #[error("{path}, line {line}: this is not TOML: {message}")]
    Syntax {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What the parser says.
        message: String,
    },
    /// There is no such setting.
    #[error("{path}, line {line}: there is no setting '{key}'; {known}")]
    Unknown {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What was written.
        key: String,
        /// What could have been meant.
        known: String,
    },
    /// A value is not allowed.
    #[error("{origin}: {key} cannot be {found}; it must be {allowed}")]
    Value {
        /// Who wrote it.
        origin: Origin,
        /// The setting.
        key: String,
        /// What was written, quoted where it is text.
        found: String,
        /// What is allowed.
        allowed: String,
    },
    /// An environment variable is not text.
    #[error("environment variable {0} is not valid UTF-8 text")]
    NotText(String),
    /// The sandbox was asked for together with an endpoint.
    #[error("{0}: an endpoint URL cannot be given together with the sandbox, which has its own")]
    SandboxWithEndpoint(Origin),
    /// There is nowhere to keep anything.
    #[error("there is no home directory to keep the state in: set HOME, or give --state-dir")]
    NoHome,
}

/// Reads one environment variable; [`std::env::var_os`] outside tests.
pub type Environment<'a> = &'a dyn Fn(&str) -> Option<OsString>;

impl Settings {
    /// Loads the settings: defaults, then the file, then the environment, then `flags`.
    ///
    /// `file` is the file that the user named (`--config`); otherwise `THUMBCTL_CONFIG`, otherwise the usual place, where
    /// it may be missing.
    ///
    /// # Errors
    /// When a file that was asked for is not there, or anything in any of the layers is not allowed.
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

    /// The settings of somebody who has chosen nothing but where the state is kept.
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
            timeouts: TimeoutSettings { call_seconds: 30, connect_seconds: 5, trial_seconds: 120 },
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

    /// Where the configuration file is looked for when none is named.
    pub fn usual_file(environment: Environment<'_>) -> Option<PathBuf> {
        xdg_dir(environment, "XDG_CONFIG_HOME", ".config").map(|dir| dir.join("thumbctl/config.toml"))
    }
}

/// The name of a deployment that was not given one.
pub const DEFAULT_NAME: &str = "thumbnails";

/// The way of a deployment for which none was chosen.
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

/// The first of a setting's variables that says something: its own, then AWS's.
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
