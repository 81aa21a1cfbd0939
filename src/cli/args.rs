//! The definition of the command line.

use std::path::PathBuf;

use clap::builder::styling::{AnsiColor, Styles};
use clap::{ArgAction, Args, Parser, Subcommand, ValueEnum};
use thumbctl_core::event::StrategyKind;
use thumbctl_deploy::settings::{Assignment, CloudChoice, Origin, choice_name};
use thumbctl_sandbox::{Behaviour, FaultRule, Latency, Pace};

use super::access_key::{self, AccessKey};

const STYLES: Styles = Styles::styled()
    .header(AnsiColor::White.on_default().bold())
    .usage(AnsiColor::White.on_default().bold())
    .literal(AnsiColor::Cyan.on_default())
    .placeholder(AnsiColor::Green.on_default());

/// Deploy, inspect, test, time and destroy the S3 Thumbnail Creator.
///
/// A Lambda function writes a thumbnail of each image in a source bucket to a destination bucket. thumbctl deploys the
/// architecture with CodeBuild, ECR, Lambda, S3 and IAM, in the embedded sandbox (the default: no account, no cost) or on
/// AWS. Without a command, it opens the interactive console.
#[derive(Debug, Parser)]
#[command(
    name = "thumbctl",
    version,
    styles = STYLES,
    max_term_width = 100,
    infer_subcommands = false,
    disable_help_subcommand = true,
    after_help = "Start with: thumbctl (the console), or thumbctl demo",
    after_long_help = "Examples:\n  thumbctl                                 open the console\n  thumbctl demo                            run a demonstration in the sandbox\n  thumbctl deploy && thumbctl upload photo.jpg\n  thumbctl --cloud aws --region eu-central-1 deploy\n\nExit codes: 0 success, 1 failure, 2 invalid usage, 130 interrupted."
)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: GlobalArgs,
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
}

/// The options of every command.
#[derive(Debug, Args)]
#[command(next_help_heading = "Options of every command")]
pub(crate) struct GlobalArgs {
    /// Cloud [default: sandbox]
    #[arg(long, global = true, value_name = "CLOUD", value_enum)]
    cloud: Option<CloudChoice>,
    /// Endpoint URL, instead of the cloud's endpoints
    #[arg(long, global = true, value_name = "URL")]
    endpoint_url: Option<String>,
    /// Profile in the AWS configuration files
    #[arg(long, global = true, value_name = "PROFILE")]
    profile: Option<String>,
    /// AWS region [default: the profile's; us-east-1 in the sandbox]
    #[arg(long, global = true, value_name = "REGION")]
    region: Option<String>,
    /// Deployment name, the prefix of all resource names [default: thumbnails]
    #[arg(long, global = true, value_name = "NAME")]
    pub(crate) name: Option<String>,
    /// Directory of the journals and the sandbox's state [default: ~/.local/state/thumbctl]
    #[arg(long, global = true, value_name = "DIR")]
    state_dir: Option<PathBuf>,
    /// Configuration file [default: ~/.config/thumbctl/config.toml] [env: THUMBCTL_CONFIG]
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Deployment strategy [default: the deployment's, or sdk]
    #[arg(long, global = true, value_name = "STRATEGY", value_enum)]
    strategy: Option<StrategyKind>,
    /// Maximum number of parallel steps [default: 8]
    #[arg(long, global = true, value_name = "N")]
    parallelism: Option<String>,
    /// Confirm all questions
    #[arg(long, short = 'y', global = true)]
    pub(crate) yes: bool,
    /// Output format: text, or JSON lines (only events on standard output)
    #[arg(long, global = true, value_enum, value_name = "FORMAT", default_value_t = OutputArg::Text)]
    pub(crate) output: OutputArg,
    /// Append a log for a bug report, without credentials [env: THUMBCTL_LOG: its level, default debug]
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) log_file: Option<PathBuf>,
    /// Show the causes of errors
    #[arg(long, short = 'v', global = true, action = ArgAction::SetTrue)]
    pub(crate) verbose: bool,
}

impl GlobalArgs {
    /// The settings set by flags.
    pub(crate) fn assignments(&self) -> Vec<Assignment> {
        let state_dir = self.state_dir.as_ref().map(|dir| dir.to_string_lossy().into_owned());
        let cloud = self.cloud.as_ref().map(choice_name);
        let strategy = self.strategy.as_ref().map(choice_name);
        let flags = [
            ("cloud", "--cloud", &cloud),
            ("endpoint_url", "--endpoint-url", &self.endpoint_url),
            ("profile", "--profile", &self.profile),
            ("region", "--region", &self.region),
            ("name", "--name", &self.name),
            ("state_dir", "--state-dir", &state_dir),
            ("strategy", "--strategy", &strategy),
            ("parallelism", "--parallelism", &self.parallelism),
        ];
        let set = flags.into_iter().filter_map(|(key, flag, value)| Some((key, flag, value.clone()?)));
        set.map(|(key, flag, value)| Assignment { key: key.into(), value, origin: Origin::Flag(flag.into()) }).collect()
    }
}

/// The output format.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum OutputArg {
    /// Text
    Text,
    /// JSON lines
    Json,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Deploy, upload sample images, save the thumbnails, destroy, and show the timings
    #[command(after_help = "Example:\n  thumbctl demo --save /tmp/thumbnails")]
    Demo(DemoArgs),
    /// Show the steps, dependencies, names and policy documents without creating anything
    #[command(after_help = "Example:\n  thumbctl plan --output json | jq '.steps[].id'")]
    Plan,
    /// Deploy, or resume an interrupted deployment
    #[command(after_help = "Examples:\n  thumbctl deploy\n  thumbctl deploy --step --parallelism 1")]
    Deploy(DeployArgs),
    /// Show every resource: kind, name, ARN, state, and whether it exists in the cloud
    #[command(after_help = "Example:\n  thumbctl status --name thumbnails")]
    Status,
    /// Upload images, wait for their thumbnails, save them, and show the timings
    #[command(after_help = "Example:\n  thumbctl upload holiday/*.jpg --save thumbnails")]
    Upload(UploadArgs),
    /// Show the log of the build, the function, the CloudFormation stacks or Terraform
    #[command(after_help = "Examples:\n  thumbctl logs function --follow\n  thumbctl logs stack")]
    Logs(LogsArgs),
    /// Delete all deployed resources
    #[command(after_help = "Examples:\n  thumbctl destroy\n  thumbctl destroy --purge --yes")]
    Destroy(DestroyArgs),
    /// Replay a recorded run in the console
    #[command(
        after_help = "Examples:\n  thumbctl replay last --speed 10\n  thumbctl replay 3\n  thumbctl replay 0003-destroy-9f2c"
    )]
    Replay(ReplayArgs),
    /// Check the requirements, and show how to fix what is missing
    #[command(after_help = "Example:\n  thumbctl doctor --cloud aws --profile workshop")]
    Doctor,
    /// Run the sandbox in the foreground for other programs
    #[command(
        after_help = "Examples:\n  thumbctl sandbox\n  thumbctl sandbox --ephemeral --latency aws --time-scale 0.1\n  thumbctl sandbox save step-7"
    )]
    Sandbox(SandboxArgs),
    /// Export a strategy's templates or configuration into a directory, for manual deployment
    #[command(
        after_help = "Examples:\n  thumbctl export cloudformation ./templates\n  thumbctl export terraform ./configuration"
    )]
    Export(ExportArgs),
    /// Run a build of a CodeBuild project and wait for it; called by the Terraform configuration
    #[command(hide = true)]
    BuildImage(BuildImageArgs),
    /// Print shell completions
    #[command(
        after_help = "Example:\n  thumbctl completions bash > ~/.local/share/bash-completion/completions/thumbctl"
    )]
    Completions(CompletionsArgs),
    /// Print the manual page, or write all manual pages into a directory
    #[command(after_help = "Examples:\n  thumbctl man | man -l -\n  thumbctl man /usr/local/share/man/man1")]
    Man(ManArgs),
}

/// `demo`
#[derive(Debug, Args)]
pub(crate) struct DemoArgs {
    /// Directory for the thumbnails
    #[arg(long, value_name = "DIR", default_value = "thumbnails")]
    pub(crate) save: PathBuf,
    /// Keep the deployment afterwards
    #[arg(long)]
    pub(crate) keep: bool,
}

/// `deploy`
#[derive(Debug, Args)]
pub(crate) struct DeployArgs {
    /// Explain each step and confirm it before it runs
    #[arg(long)]
    pub(crate) step: bool,
}

/// `upload`
#[derive(Debug, Args)]
pub(crate) struct UploadArgs {
    /// Images: JPEG, PNG, GIF or WebP
    #[arg(required = true, value_name = "IMAGE")]
    pub(crate) images: Vec<PathBuf>,
    /// Directory for the thumbnails
    #[arg(long, value_name = "DIR", default_value = "thumbnails")]
    pub(crate) save: PathBuf,
}

/// `logs`
#[derive(Debug, Args)]
pub(crate) struct LogsArgs {
    /// Log to show
    #[arg(value_enum, value_name = "LOG")]
    pub(crate) log: LogName,
    /// Show new lines until Ctrl-C, or until the end of the build or run
    #[arg(long, short)]
    pub(crate) follow: bool,
}

/// The log to show.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum LogName {
    /// Log of the latest build
    Build,
    /// Log of the function
    Function,
    /// Events of the CloudFormation stacks, from the newest run with any
    Stack,
    /// Output of Terraform, from the newest run that used it
    Terraform,
}

/// `destroy`
#[derive(Debug, Args)]
pub(crate) struct DestroyArgs {
    /// Find leftover resources by tag and name instead of by the journal
    #[arg(long)]
    pub(crate) purge: bool,
}

/// `export`
#[derive(Debug, Args)]
pub(crate) struct ExportArgs {
    /// Strategy to export
    #[arg(value_enum, value_name = "STRATEGY")]
    pub(crate) files: ExportStrategy,
    /// Target directory; created if missing
    #[arg(value_name = "DIR")]
    pub(crate) dir: PathBuf,
}

/// The strategies that can be exported.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum ExportStrategy {
    /// CloudFormation templates and the function's source, with a README
    Cloudformation,
    /// Terraform configuration and the function's source, with a README
    Terraform,
}

/// `build-image`
#[derive(Debug, Args)]
pub(crate) struct BuildImageArgs {
    /// CodeBuild project
    #[arg(value_name = "PROJECT")]
    pub(crate) project: String,
}

/// `replay`
#[derive(Debug, Args)]
pub(crate) struct ReplayArgs {
    /// Run of the deployment: id, number, or 'last'
    #[arg(value_name = "RUN")]
    pub(crate) run: String,
    /// Speed factor, 0.125 to 1024; + and - change it during the replay
    #[arg(long, value_name = "FACTOR", default_value_t = 1.0, value_parser = speed)]
    pub(crate) speed: f64,
}

fn speed(text: &str) -> Result<f64, String> {
    let factor = text.parse().ok().filter(|factor| (0.125..=1024.0).contains(factor));
    factor.ok_or_else(|| "it must be a number from 0.125 to 1024".to_owned())
}

/// `sandbox`
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct SandboxArgs {
    #[command(subcommand)]
    pub(crate) command: Option<SandboxCommand>,
    /// Port on the loopback address; 0 for a free one
    #[arg(long, value_name = "PORT", default_value_t = 4566)]
    pub(crate) port: u16,
    /// Data directory [default: in the state directory]
    #[arg(long, value_name = "DIR", conflicts_with = "ephemeral")]
    pub(crate) data_dir: Option<PathBuf>,
    /// Delete all data at the end
    #[arg(long)]
    pub(crate) ephemeral: bool,
    #[command(flatten)]
    pub(crate) behaviour: BehaviourArgs,
    /// Access key id and secret, instead of new ones at each start. All users of this machine can see them in the process
    /// list: prefer --access-key-file, or the variable THUMBCTL_SANDBOX_ACCESS_KEY
    #[arg(long, value_name = "ID:SECRET", value_parser = access_key::parse)]
    pub(crate) access_key: Option<AccessKey>,
    /// File with the access key as ID:SECRET; - for standard input
    #[arg(long, value_name = "FILE", conflicts_with = "access_key")]
    pub(crate) access_key_file: Option<PathBuf>,
    /// Fault to inject: throttle, 500, delay=MS, hang, drop-before or drop-after, for a share of the calls or the first
    /// ones, for example s3:PutObject:throttle:20% or iam:*:500:x2
    #[arg(long = "fault", value_name = "SERVICE:OPERATION:WHAT[:HOW-OFTEN]")]
    pub(crate) fault: Vec<FaultRule>,
    /// JSON file with more faults
    #[arg(long, value_name = "FILE")]
    pub(crate) faults: Option<PathBuf>,
    /// Serve attached commands until the last one ends
    #[arg(long, hide = true)]
    pub(crate) attached: bool,
}

/// The commands for the sandbox's state.
#[derive(Debug, Subcommand)]
pub(crate) enum SandboxCommand {
    /// Delete all data of the sandbox, running or not
    #[command(after_help = "Example:\n  thumbctl sandbox reset --yes")]
    Reset,
    /// Save the sandbox and its deployments, under a name or to a file
    #[command(
        after_help = "Examples:\n  thumbctl sandbox save step-7\n  thumbctl sandbox save ./step-7.tar.gz   # to share"
    )]
    Save(SavedStateArgs),
    /// Replace the sandbox with a saved state
    #[command(after_help = "Examples:\n  thumbctl sandbox load step-7\n  thumbctl sandbox load ./step-7.tar.gz")]
    Load(SavedStateArgs),
    /// List the saved states
    Saved,
}

/// `sandbox save` and `sandbox load`
#[derive(Debug, Args)]
pub(crate) struct SavedStateArgs {
    /// Name, or a path ending in .tar.gz
    #[arg(value_name = "NAME", value_parser = saved_state)]
    pub(crate) state: SavedState,
}

/// A saved state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum SavedState {
    /// A named one in the state directory.
    Named(String),
    /// A file outside the state directory.
    File(PathBuf),
}

fn saved_state(text: &str) -> Result<SavedState, String> {
    if text.ends_with(".tar.gz") {
        return Ok(SavedState::File(PathBuf::from(text)));
    }
    let valid = text.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c));
    if valid && !text.is_empty() && !text.starts_with('.') && text.len() <= 64 {
        Ok(SavedState::Named(text.to_owned()))
    } else {
        Err("a name has up to 64 letters, digits, '-', '_' and '.'; a path must end in .tar.gz".to_owned())
    }
}

/// The latency and strictness of a sandbox.
#[derive(Debug, Args)]
pub(crate) struct BehaviourArgs {
    /// Latency of responses: the machine's own, or that of AWS
    #[arg(long, value_enum, value_name = "LATENCY", default_value_t = Latency::Instant)]
    pub(crate) latency: Latency,
    /// Factor for the AWS latency: 0.1 is ten times as fast
    #[arg(long, value_name = "FACTOR", default_value_t = 1.0, value_parser = time_scale)]
    pub(crate) time_scale: f64,
    /// Random seed for the jitter of the AWS latency
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    pub(crate) seed: u64,
    /// Enforce the policies of IAM users; those of roles are always enforced
    #[arg(long)]
    pub(crate) enforce_iam: bool,
    /// Compile the function in builds with this machine's Rust toolchain
    #[arg(long)]
    pub(crate) real_cargo: bool,
}

impl BehaviourArgs {
    pub(crate) fn behaviour(&self) -> Behaviour {
        Behaviour {
            pace: Pace { latency: self.latency, time_scale: self.time_scale, seed: self.seed },
            enforce_iam: self.enforce_iam,
            real_cargo: self.real_cargo,
        }
    }
}

fn time_scale(text: &str) -> Result<f64, String> {
    let allowed = "a number from 0 to 100";
    text.parse::<f64>()
        .ok()
        .filter(|scale| (0.0..=100.0).contains(scale))
        .ok_or_else(|| format!("it must be {allowed}"))
}

/// `completions`
#[derive(Debug, Args)]
pub(crate) struct CompletionsArgs {
    /// Shell
    #[arg(value_enum, value_name = "SHELL")]
    pub(crate) shell: clap_complete::Shell,
}

/// `man`
#[derive(Debug, Args)]
pub(crate) struct ManArgs {
    /// Directory for thumbctl.1 and the page of each command
    #[arg(value_name = "DIR")]
    pub(crate) dir: Option<PathBuf>,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn command_definition_is_valid() {
        Cli::command().debug_assert();
    }

    #[test]
    fn visible_commands_have_help_with_example() {
        for command in Cli::command().get_subcommands().filter(|command| !command.is_hide_set()) {
            let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            assert!(help.contains("Example"), "{} has no example", command.get_name());
            assert!(help.contains(&format!("thumbctl {}", command.get_name())), "{}", command.get_name());
        }
    }

    #[test]
    fn global_options_are_accepted_after_command() {
        let cli = Cli::try_parse_from(["thumbctl", "deploy", "--region", "eu-west-1", "--yes"]).expect("valid usage");
        assert_eq!(cli.global.assignments()[0].value, "eu-west-1");
        assert!(cli.global.yes);
    }
}
