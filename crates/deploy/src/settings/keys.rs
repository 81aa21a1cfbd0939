//! The table of all settings, and the draft that they are set on.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::ValueEnum;
use thumbctl_core::names::DeploymentName;

use super::{
    Assignment, BuildSource, CloudChoice, Environment, KeySetting, Origin, Settings, SettingsError, home_dir, xdg_dir,
};

/// One setting.
pub(super) struct Key {
    /// Its name in the file, with its table's.
    pub(super) name: &'static str,
    /// Whether the file has it as text or as an integer.
    pub(super) kind: Kind,
    /// The allowed values, as the end of "it must be …".
    pub(super) allowed: &'static str,
    /// AWS's variables for it; its own is `THUMBCTL_` and its name.
    pub(super) aws_variables: &'static [&'static str],
    /// Sets a value, or rejects it.
    set: fn(&mut Draft, &str) -> Option<()>,
    /// The value as text; none without one.
    #[cfg_attr(not(test), expect(dead_code, reason = "tests compare config.example.toml with the defaults"))]
    pub(super) get: fn(&Settings) -> Option<String>,
}

/// What a setting is in TOML.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    /// A string.
    Text,
    /// An integer.
    Number,
}

/// Settings under construction.
pub(super) struct Draft {
    settings: Settings,
    home: Option<PathBuf>,
    has_state_dir: bool,
    github: bool,
    github_url: String,
}

/// The retention periods that CloudWatch Logs allows.
const RETENTION_DAYS: [u32; 22] =
    [1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653];

const COMPUTE_TYPES: [&str; 5] = [
    "BUILD_GENERAL1_SMALL",
    "BUILD_GENERAL1_MEDIUM",
    "BUILD_GENERAL1_LARGE",
    "BUILD_GENERAL1_XLARGE",
    "BUILD_GENERAL1_2XLARGE",
];

/// Every setting, in the order of config.example.toml.
pub(super) const KEYS: &[Key] = &[
    Key {
        name: "cloud",
        kind: Kind::Text,
        allowed: "sandbox or aws",
        aws_variables: &[],
        set: |draft, text| {
            draft.settings.cloud = choice(text)?;
            Some(())
        },
        get: |settings| Some(choice_name(&settings.cloud)),
    },
    Key {
        name: "endpoint_url",
        kind: Kind::Text,
        allowed: "a URL such as http://127.0.0.1:4566, with nothing behind the port and no user name or password in it",
        aws_variables: &["AWS_ENDPOINT_URL"],
        set: |draft, text| {
            draft.settings.endpoint_url = Some(endpoint(text)?);
            Some(())
        },
        get: |settings| settings.endpoint_url.clone(),
    },
    Key {
        name: "profile",
        kind: Kind::Text,
        allowed: "the name of a profile in the AWS configuration files",
        aws_variables: &["AWS_PROFILE"],
        set: |draft, text| {
            draft.settings.profile = Some(not_blank(text)?);
            Some(())
        },
        get: |settings| settings.profile.clone(),
    },
    Key {
        name: "region",
        kind: Kind::Text,
        allowed: "an AWS region such as eu-central-1",
        aws_variables: &["AWS_REGION", "AWS_DEFAULT_REGION"],
        set: |draft, text| {
            draft.settings.region = Some(region(text)?);
            Some(())
        },
        get: |settings| settings.region.clone(),
    },
    Key {
        name: "name",
        kind: Kind::Text,
        allowed: "1 to 40 lower-case letters, digits and single hyphens, beginning with a letter and not ending with a hyphen",
        aws_variables: &[],
        set: |draft, text| {
            draft.settings.name = DeploymentName::new(text).ok()?;
            Some(())
        },
        get: |settings| Some(settings.name.to_string()),
    },
    Key {
        name: "state_dir",
        kind: Kind::Text,
        allowed: "a directory",
        aws_variables: &[],
        set: |draft, text| {
            draft.settings.state_dir = draft.directory(text)?;
            draft.has_state_dir = true;
            Some(())
        },
        get: |settings| Some(settings.state_dir.display().to_string()),
    },
    Key {
        name: "strategy",
        kind: Kind::Text,
        allowed: "sdk, cloudformation or terraform",
        aws_variables: &[],
        set: |draft, text| {
            draft.settings.strategy = Some(choice(text)?);
            Some(())
        },
        get: |settings| settings.strategy.map(|strategy| strategy.to_string()),
    },
    Key {
        name: "parallelism",
        kind: Kind::Number,
        allowed: "a whole number from 1 to 64",
        aws_variables: &[],
        set: |draft, text| {
            draft.settings.parallelism = NonZeroUsize::new(number(text, 1, 64)? as usize)?;
            Some(())
        },
        get: |settings| Some(settings.parallelism.to_string()),
    },
    Key {
        name: "function.memory_mb",
        kind: Kind::Number,
        allowed: "a whole number from 128 to 10240",
        aws_variables: &[],
        set: |draft, text| {
            draft.settings.function.memory_mb = number(text, 128, 10_240)?;
            Some(())
        },
        get: |settings| Some(settings.function.memory_mb.to_string()),
    },
    Key {
        name: "function.timeout_seconds",
        kind: Kind::Number,
        allowed: "a whole number from 1 to 900",
        aws_variables: &[],
        set: |draft, text| {
            draft.settings.function.timeout_seconds = number(text, 1, 900)?;
            Some(())
        },
        get: |settings| Some(settings.function.timeout_seconds.to_string()),
    },
    Key {
        name: "function.max_size",
        kind: Kind::Number,
        allowed: "a whole number from 16 to 4096",
        aws_variables: &[],
        set: |draft, text| {
            draft.settings.function.max_size = number(text, 16, 4096)?;
            Some(())
        },
        get: |settings| Some(settings.function.max_size.to_string()),
    },
    Key {
        name: "build.compute_type",
        kind: Kind::Text,
        allowed: "BUILD_GENERAL1_SMALL, _MEDIUM, _LARGE, _XLARGE or _2XLARGE",
        aws_variables: &[],
        set: |draft, text| {
            draft.settings.build.compute_type = COMPUTE_TYPES.contains(&text).then(|| text.to_owned())?;
            Some(())
        },
        get: |settings| Some(settings.build.compute_type.clone()),
    },
    Key {
        name: "build.image",
        kind: Kind::Text,
        allowed: "an image that CodeBuild can run, such as aws/codebuild/standard:8.0",
        aws_variables: &[],
        set: |draft, text| {
            draft.settings.build.image = not_blank(text)?;
            Some(())
        },
        get: |settings| Some(settings.build.image.clone()),
    },
    Key {
        name: "build.source",
        kind: Kind::Text,
        allowed: "bundle or github",
        aws_variables: &[],
        set: |draft, text| {
            draft.github = match text {
                "bundle" => false,
                "github" => true,
                _ => return None,
            };
            Some(())
        },
        get: |settings| {
            Some(match settings.build.source {
                BuildSource::Bundle => "bundle".to_owned(),
                BuildSource::Github { .. } => "github".to_owned(),
            })
        },
    },
    Key {
        name: "build.github_url",
        kind: Kind::Text,
        allowed: "the URL of a public repository, such as https://github.com/OWNER/REPOSITORY",
        aws_variables: &[],
        set: |draft, text| {
            let path = text.strip_prefix("https://github.com/")?;
            let (owner, repository) = path.split_once('/')?;
            let named =
                |part: &str| !part.is_empty() && part.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c));
            draft.github_url = (named(owner) && named(repository)).then(|| text.to_owned())?;
            Some(())
        },
        get: |settings| {
            Some(match &settings.build.source {
                BuildSource::Bundle => DEFAULT_GITHUB_URL.to_owned(),
                BuildSource::Github { url } => url.clone(),
            })
        },
    },
    Key {
        name: "build.timeout_minutes",
        kind: Kind::Number,
        allowed: "a whole number from 5 to 2160",
        aws_variables: &[],
        set: |draft, text| {
            draft.settings.build.timeout_minutes = number(text, 5, 2160)?;
            Some(())
        },
        get: |settings| Some(settings.build.timeout_minutes.to_string()),
    },
    Key {
        name: "logs.retention_days",
        kind: Kind::Number,
        allowed: "one of CloudWatch's periods: 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, \
                  2192, 2557, 2922, 3288 or 3653 days",
        aws_variables: &[],
        set: |draft, text| {
            let days = number(text, 1, u32::MAX)?;
            draft.settings.logs.retention_days = RETENTION_DAYS.contains(&days).then_some(days)?;
            Some(())
        },
        get: |settings| Some(settings.logs.retention_days.to_string()),
    },
    Key {
        name: "terraform.program",
        kind: Kind::Text,
        allowed: "a program's name or path, such as terraform or tofu",
        aws_variables: &[],
        set: |draft, text| {
            draft.settings.terraform.program = Some(not_blank(text)?);
            Some(())
        },
        get: |settings| settings.terraform.program.clone(),
    },
    Key {
        name: "terraform.plugin_dir",
        kind: Kind::Text,
        allowed: "a directory",
        aws_variables: &[],
        set: |draft, text| {
            draft.settings.terraform.plugin_dir = Some(draft.directory(text)?);
            Some(())
        },
        get: |settings| settings.terraform.plugin_dir.as_ref().map(|dir| dir.display().to_string()),
    },
    Key {
        name: "terraform.aws_provider",
        kind: Kind::Number,
        allowed: "5 or 6",
        aws_variables: &[],
        set: |draft, text| {
            draft.settings.terraform.aws_provider = number(text, 5, 6)?;
            Some(())
        },
        get: |settings| Some(settings.terraform.aws_provider.to_string()),
    },
    Key {
        name: "timeouts.call_seconds",
        kind: Kind::Number,
        allowed: "a whole number from 1 to 900",
        aws_variables: &[],
        set: |draft, text| {
            draft.settings.timeouts.call_seconds = number(text, 1, 900)?;
            Some(())
        },
        get: |settings| Some(settings.timeouts.call_seconds.to_string()),
    },
    Key {
        name: "timeouts.connect_seconds",
        kind: Kind::Number,
        allowed: "a whole number from 1 to 60",
        aws_variables: &[],
        set: |draft, text| {
            draft.settings.timeouts.connect_seconds = number(text, 1, 60)?;
            Some(())
        },
        get: |settings| Some(settings.timeouts.connect_seconds.to_string()),
    },
    Key {
        name: "timeouts.test_upload_seconds",
        kind: Kind::Number,
        allowed: "a whole number from 1 to 3600",
        aws_variables: &[],
        set: |draft, text| {
            draft.settings.timeouts.test_upload_seconds = number(text, 1, 3600)?;
            Some(())
        },
        get: |settings| Some(settings.timeouts.test_upload_seconds.to_string()),
    },
    Key {
        name: "sandbox.latency",
        kind: Kind::Text,
        allowed: "instant or aws",
        aws_variables: &[],
        set: |draft, text| {
            draft.settings.sandbox.latency = choice(text)?;
            Some(())
        },
        get: |settings| Some(choice_name(&settings.sandbox.latency)),
    },
    Key {
        name: "sandbox.time_scale",
        kind: Kind::Text,
        allowed: "a number from 0 to 100, in quotes",
        aws_variables: &[],
        set: |draft, text| {
            let scale = text.trim().parse().ok().filter(|scale| (0.0..=100.0).contains(scale))?;
            draft.settings.sandbox.time_scale = scale;
            Some(())
        },
        get: |settings| Some(settings.sandbox.time_scale.to_string()),
    },
    Key {
        name: "sandbox.cargo",
        kind: Kind::Text,
        allowed: "carried or real",
        aws_variables: &[],
        set: |draft, text| {
            draft.settings.sandbox.real_cargo = match text {
                "carried" => false,
                "real" => true,
                _ => return None,
            };
            Some(())
        },
        get: |settings| Some(if settings.sandbox.real_cargo { "real" } else { "carried" }.to_owned()),
    },
    Key {
        name: "console.theme",
        kind: Kind::Text,
        allowed: "auto, dark, light, high-contrast or plain",
        aws_variables: &[],
        set: |draft, text| {
            draft.settings.console.theme = choice(text)?;
            Some(())
        },
        get: |settings| Some(choice_name(&settings.console.theme)),
    },
    Key {
        name: "console.symbols",
        kind: Kind::Text,
        allowed: "auto, unicode or ascii",
        aws_variables: &[],
        set: |draft, text| {
            draft.settings.console.symbols = choice(text)?;
            Some(())
        },
        get: |settings| Some(choice_name(&settings.console.symbols)),
    },
    Key {
        name: "console.pictures",
        kind: Kind::Text,
        allowed: "auto, kitty, iterm2, sixel or half-blocks",
        aws_variables: &[],
        set: |draft, text| {
            draft.settings.console.pictures = choice(text)?;
            Some(())
        },
        get: |settings| Some(choice_name(&settings.console.pictures)),
    },
    Key {
        name: "console.mouse",
        kind: Kind::Text,
        allowed: "on or off",
        aws_variables: &[],
        set: |draft, text| {
            draft.settings.console.mouse = match text {
                "on" => true,
                "off" => false,
                _ => return None,
            };
            Some(())
        },
        get: |settings| Some(if settings.console.mouse { "on" } else { "off" }.to_owned()),
    },
];

/// The prefix of the console's keys: the console validates their names.
pub(super) const KEYS_TABLE: &str = "console.keys.";

/// The original project's repository.
pub(super) const DEFAULT_GITHUB_URL: &str = "https://github.com/Faaizz/s3_thumbnail_creator";

impl Draft {
    /// The defaults.
    pub(super) fn new(environment: Environment<'_>) -> Self {
        let state = xdg_dir(environment, "XDG_STATE_HOME", ".local/state").map(|dir| dir.join("thumbctl"));
        Self {
            has_state_dir: state.is_some(),
            settings: Settings::with_state_dir(state.unwrap_or_default()),
            home: home_dir(environment),
            github: false,
            github_url: DEFAULT_GITHUB_URL.to_owned(),
        }
    }

    /// Applies one layer: a file, the environment, or the flags.
    pub(super) fn apply_all(&mut self, layer: &[Assignment]) -> Result<(), SettingsError> {
        let sandbox = self.reset_endpoint(layer)?;
        for assignment in layer.iter().filter(|assignment| !(sandbox && assignment.key == "endpoint_url")) {
            self.apply(assignment)?;
        }
        if self.settings.endpoint_url.is_some() {
            self.settings.cloud = CloudChoice::Aws;
        }
        Ok(())
    }

    /// Selecting the sandbox overrides the endpoints of lower layers, and AWS's variable; but not one of
    /// the same layer. Returns whether the sandbox was selected.
    fn reset_endpoint(&mut self, layer: &[Assignment]) -> Result<bool, SettingsError> {
        let sandbox = layer.iter().any(|assignment| assignment.key == "cloud" && assignment.value == "sandbox");
        if sandbox {
            self.settings.endpoint_url = None;
            if let Some(endpoint) = layer.iter().find(|assignment| contradicts_sandbox(assignment)) {
                return Err(SettingsError::SandboxWithEndpoint(endpoint.origin.clone()));
            }
        }
        Ok(sandbox)
    }

    fn apply(&mut self, assignment: &Assignment) -> Result<(), SettingsError> {
        if let Some(action) = assignment.key.strip_prefix(KEYS_TABLE) {
            self.settings.console.keys.push(KeySetting {
                action: action.to_owned(),
                keys: assignment.value.clone(),
                origin: assignment.origin.clone(),
            });
            return Ok(());
        }
        let Some(key) = KEYS.iter().find(|key| key.name == assignment.key) else {
            unreachable!("files are validated when they are read, variables and flags come from the table");
        };
        (key.set)(self, &assignment.value).ok_or_else(|| SettingsError::Value {
            origin: assignment.origin.clone(),
            key: key.name.to_owned(),
            found: format!("'{}'", shortened(&assignment.value)),
            allowed: key.allowed.to_owned(),
        })
    }

    /// The final settings of all layers.
    pub(super) fn finish(mut self) -> Result<Settings, SettingsError> {
        if !self.has_state_dir {
            return Err(SettingsError::NoHome);
        }
        if self.github {
            self.settings.build.source = BuildSource::Github { url: self.github_url };
        }
        Ok(self.settings)
    }

    /// A directory as written: `~/` is home, and a relative path is below the current directory.
    fn directory(&self, text: &str) -> Option<PathBuf> {
        not_blank(text)?;
        match text.strip_prefix('~') {
            Some("") => self.home.clone(),
            Some(rest) if rest.starts_with('/') => Some(self.home.as_ref()?.join(rest.trim_start_matches('/'))),
            _ => std::path::absolute(text).ok(),
        }
    }
}

fn contradicts_sandbox(assignment: &Assignment) -> bool {
    assignment.key == "endpoint_url" && assignment.origin != Origin::Environment("AWS_ENDPOINT_URL".to_owned())
}

fn shortened(text: &str) -> String {
    let cleaned: String = text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).take(80).collect();
    if cleaned.len() < text.len() { format!("{cleaned}…") } else { cleaned }
}

/// The variant of this name.
fn choice<C: ValueEnum>(text: &str) -> Option<C> {
    C::from_str(text, false).ok()
}

/// A variant's name.
pub fn choice_name<C: ValueEnum>(choice: &C) -> String {
    choice.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
}

fn number(text: &str, least: u32, most: u32) -> Option<u32> {
    text.trim().parse().ok().filter(|number| (least..=most).contains(number))
}

fn not_blank(text: &str) -> Option<String> {
    (!text.trim().is_empty() && !text.contains(char::is_control)).then(|| text.to_owned())
}

fn region(text: &str) -> Option<String> {
    let mut parts = text.split('-');
    let area = parts.next().is_some_and(|area| area.len() == 2 && area.chars().all(|c| c.is_ascii_lowercase()));
    let number =
        parts.next_back().is_some_and(|n| !n.is_empty() && n.len() <= 2 && n.chars().all(|c| c.is_ascii_digit()));
    let middle: Vec<&str> = parts.collect();
    let words = !middle.is_empty() && middle.iter().all(|w| !w.is_empty() && w.chars().all(|c| c.is_ascii_lowercase()));
    (area && number && words).then(|| text.to_owned())
}

fn endpoint(text: &str) -> Option<String> {
    let uri: http::Uri = text.parse().ok()?;
    let scheme = matches!(uri.scheme_str(), Some("http" | "https"));
    let authority = uri.authority()?;
    let plain = !authority.as_str().contains('@') && !authority.host().is_empty();
    let bare = matches!(uri.path(), "" | "/") && uri.query().is_none();
    (scheme && plain && bare).then(|| text.trim_end_matches('/').to_owned())
}
