//! The command line's grammar.

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

/// Deploys the S3 Thumbnail Creator, shows it, tries it, times it, and takes it down again.
///
/// An image put into a source bucket makes a Lambda function write a thumbnail into a destination bucket. thumbctl builds
/// all of that with CodeBuild, ECR, Lambda, S3 and IAM, in the embedded sandbox (the default, which needs no account and
/// costs nothing) or on AWS. Without a command, the console opens: everything in one place, interactively.
#[derive(Debug, Parser)]
#[command(
    name = "thumbctl",
    version,
    styles = STYLES,
    max_term_width = 100,
    infer_subcommands = false,
    disable_help_subcommand = true,
    after_help = "Start with: thumbctl (the console), or thumbctl demo",
    after_long_help = "Examples:\n  thumbctl                                 open the console\n  thumbctl demo                            see everything once, in the sandbox\n  thumbctl deploy && thumbctl upload photo.jpg\n  thumbctl --cloud aws --region eu-central-1 deploy\n\nExit codes: 0 done, 1 failed, 2 bad usage, 130 interrupted."
)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: GlobalArgs,
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
}

/// What every command understands.
#[derive(Debug, Args)]
#[command(next_help_heading = "Options of every command")]
pub(crate) struct GlobalArgs {
    /// Where to deploy [default: sandbox]
    #[arg(long, global = true, value_name = "CLOUD", value_enum)]
    cloud: Option<CloudChoice>,
    /// Call this endpoint instead of the cloud's own
    #[arg(long, global = true, value_name = "URL")]
    endpoint_url: Option<String>,
    /// Profile of the AWS configuration files
    #[arg(long, global = true, value_name = "PROFILE")]
    profile: Option<String>,
    /// AWS region [default: the profile's; us-east-1 in the sandbox]
    #[arg(long, global = true, value_name = "REGION")]
    region: Option<String>,
    /// The deployment's name, with which its resources' names begin [default: thumbnails]
    #[arg(long, global = true, value_name = "NAME")]
    pub(crate) name: Option<String>,
    /// Where journals and the sandbox's state are kept [default: ~/.local/state/thumbctl]
    #[arg(long, global = true, value_name = "DIR")]
    state_dir: Option<PathBuf>,
    /// Configuration file [default: ~/.config/thumbctl/config.toml] [env: THUMBCTL_CONFIG]
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// By which way to deploy [default: as what stands was deployed, else sdk]
    #[arg(long, global = true, value_name = "STRATEGY", value_enum)]
    strategy: Option<StrategyKind>,
    /// How many steps may run side by side [default: 8]
    #[arg(long, global = true, value_name = "N")]
    parallelism: Option<String>,
    /// Answer every question with yes
    #[arg(long, short = 'y', global = true)]
    pub(crate) yes: bool,
    /// Text for people, or JSON lines (the events, and nothing else on standard output)
    #[arg(long, global = true, value_enum, value_name = "FORMAT", default_value_t = OutputArg::Text)]
    pub(crate) output: OutputArg,
    /// Append a log for a bug report, without credentials [env: THUMBCTL_LOG: its level, default debug]
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) log_file: Option<PathBuf>,
    /// Tell the causes of errors too
    #[arg(long, short = 'v', global = true, action = ArgAction::SetTrue)]
    pub(crate) verbose: bool,
}

impl GlobalArgs {
    /// The settings that the flags make.
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
        let given = flags.into_iter().filter_map(|(key, flag, value)| Some((key, flag, value.clone()?)));
        given
            .map(|(key, flag, value)| Assignment { key: key.into(), value, origin: Origin::Flag(flag.into()) })
            .collect()
    }
}

/// In which form output is written.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum OutputArg {
    /// For people
    Text,
    /// For programs
    Json,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Deploy, send sample images, save the thumbnails, destroy; then say what took how long
    #[command(after_help = "Example:\n  thumbctl demo --save /tmp/thumbnails")]
    Demo(DemoArgs),
    /// Show the steps, what depends on what, the names and the policy documents; creates nothing
    #[command(after_help = "Example:\n  thumbctl plan --output json | jq '.steps[].id'")]
    Plan,
    /// Deploy, or continue where an interrupted deployment stopped
    #[command(after_help = "Examples:\n  thumbctl deploy\n  thumbctl deploy --step --parallelism 1")]
    Deploy(DeployArgs),
    /// Show every resource: kind, name, ARN, state, and whether it is really there
    #[command(after_help = "Example:\n  thumbctl status --name thumbnails")]
    Status,
    /// Send images, wait for their thumbnails, save them, and say what took how long
    #[command(after_help = "Example:\n  thumbctl upload holiday/*.jpg --save thumbnails")]
    Upload(UploadArgs),
    /// Show the log of the build, of the function, of CloudFormation's stacks or of Terraform
    #[command(after_help = "Examples:\n  thumbctl logs function --follow\n  thumbctl logs stack")]
    Logs(LogsArgs),
    /// Delete everything that was deployed
    #[command(after_help = "Examples:\n  thumbctl destroy\n  thumbctl destroy --purge --yes")]
    Destroy(DestroyArgs),
    /// Play a recorded run in the console, as it happened or faster
    #[command(
        after_help = "Examples:\n  thumbctl replay last --speed 10\n  thumbctl replay 3\n  thumbctl replay 0003-destroy-9f2c"
    )]
    Replay(ReplayArgs),
    /// Check what is there and what is missing, and say what to do about it
    #[command(after_help = "Example:\n  thumbctl doctor --cloud aws --profile workshop")]
    Doctor,
    /// Run the sandbox in the foreground, for other programs to use
    #[command(
        after_help = "Examples:\n  thumbctl sandbox\n  thumbctl sandbox --ephemeral --latency aws --time-scale 0.1\n  thumbctl sandbox save step-7"
    )]
    Sandbox(SandboxArgs),
    /// Write the templates or the configuration of a strategy into a folder, to deploy them by hand
    #[command(
        after_help = "Examples:\n  thumbctl export cloudformation ./templates\n  thumbctl export terraform ./configuration"
    )]
    Export(ExportArgs),
    /// Run a build of a CodeBuild project and wait for its end: what the Terraform configuration calls
    #[command(hide = true)]
    BuildImage(BuildImageArgs),
    /// Print a shell's completions
    #[command(
        after_help = "Example:\n  thumbctl completions bash > ~/.local/share/bash-completion/completions/thumbctl"
    )]
    Completions(CompletionsArgs),
    /// Print the manual page, or write all of them into a directory
    #[command(after_help = "Examples:\n  thumbctl man | man -l -\n  thumbctl man /usr/local/share/man/man1")]
    Man(ManArgs),
}

/// `demo`
#[derive(Debug, Args)]
pub(crate) struct DemoArgs {
    /// Where to save the thumbnails
    #[arg(long, value_name = "DIR", default_value = "thumbnails")]
    pub(crate) save: PathBuf,
    /// Leave everything standing afterwards
    #[arg(long)]
    pub(crate) keep: bool,
}

/// `deploy`
#[derive(Debug, Args)]
pub(crate) struct DeployArgs {
    /// Say what each step does and why, and ask before it
    #[arg(long)]
    pub(crate) step: bool,
}

/// `upload`
#[derive(Debug, Args)]
pub(crate) struct UploadArgs {
    /// The images: JPEG, PNG, GIF or WebP
    #[arg(required = true, value_name = "IMAGE")]
    pub(crate) images: Vec<PathBuf>,
    /// Where to save the thumbnails
    #[arg(long, value_name = "DIR", default_value = "thumbnails")]
    pub(crate) save: PathBuf,
}

/// `logs`
#[derive(Debug, Args)]
pub(crate) struct LogsArgs {
    /// Whose log
    #[arg(value_enum, value_name = "WHOSE")]
    pub(crate) whose: Whose,
    /// Go on showing new lines until Ctrl-C, or until the build or run is over
    #[arg(long, short)]
    pub(crate) follow: bool,
}

/// Whose log.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Whose {
    /// The latest build's
    Build,
    /// The function's
    Function,
    /// CloudFormation's: the events of the stacks in the newest run that had any
    Stack,
    /// Terraform's: what it said in the newest run in which it was at work
    Terraform,
}

/// `destroy`
#[derive(Debug, Args)]
pub(crate) struct DestroyArgs {
    /// Look for leftovers by tag and name instead of trusting the journal
    #[arg(long)]
    pub(crate) purge: bool,
}

/// `export`
#[derive(Debug, Args)]
pub(crate) struct ExportArgs {
    /// Whose files
    #[arg(value_enum, value_name = "STRATEGY")]
    pub(crate) what: Exported,
    /// Where to write them; it is made if it is not there
    #[arg(value_name = "DIR")]
    pub(crate) dir: PathBuf,
}

/// What can be exported.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Exported {
    /// The CloudFormation templates and the function's source, with a README
    Cloudformation,
    /// Terraform's configuration and the function's source, with a README
    Terraform,
}

/// `build-image`
#[derive(Debug, Args)]
pub(crate) struct BuildImageArgs {
    /// The CodeBuild project
    #[arg(value_name = "PROJECT")]
    pub(crate) project: String,
}

/// `replay`
#[derive(Debug, Args)]
pub(crate) struct ReplayArgs {
    /// Which run of the deployment: its id, its number, or last
    #[arg(value_name = "RUN")]
    pub(crate) run: String,
    /// How many times faster than it happened, 0.125 to 1024; + and - change it while it plays
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
    /// Port on the loopback address; 0 takes a free one
    #[arg(long, value_name = "PORT", default_value_t = 4566)]
    pub(crate) port: u16,
    /// Where to keep the state [default: the state directory]
    #[arg(long, value_name = "DIR", conflicts_with = "ephemeral")]
    pub(crate) data_dir: Option<PathBuf>,
    /// Keep no state
    #[arg(long)]
    pub(crate) ephemeral: bool,
    #[command(flatten)]
    pub(crate) behaviour: BehaviourArgs,
    /// The access key and its secret, instead of new ones at each start. Every user of this machine can see them in the
    /// list of processes: better --access-key-file, or the variable THUMBCTL_SANDBOX_ACCESS_KEY
    #[arg(long, value_name = "ID:SECRET", value_parser = access_key::parse)]
    pub(crate) access_key: Option<AccessKey>,
    /// A file with ID:SECRET, the access key and its secret; - reads it from standard input
    #[arg(long, value_name = "FILE", conflicts_with = "access_key")]
    pub(crate) access_key_file: Option<PathBuf>,
    /// A fault to inject: throttle, 500, delay=MS, hang, drop-before or drop-after, for a share of the calls or the first
    /// ones, as s3:PutObject:throttle:20% or iam:*:500:x2
    #[arg(long = "fault", value_name = "SERVICE:OPERATION:WHAT[:HOW-OFTEN]")]
    pub(crate) fault: Vec<FaultRule>,
    /// More faults, from a JSON file
    #[arg(long, value_name = "FILE")]
    pub(crate) faults: Option<PathBuf>,
    /// Serve the commands that have joined, until the last of them leaves
    #[arg(long, hide = true)]
    pub(crate) attached: bool,
}

/// What can be done with the sandbox's whole state.
#[derive(Debug, Subcommand)]
pub(crate) enum SandboxCommand {
    /// Empty the sandbox, running or not
    #[command(after_help = "Example:\n  thumbctl sandbox reset --yes")]
    Reset,
    /// Save the sandbox and what is deployed in it, under a name or into a file
    #[command(
        after_help = "Examples:\n  thumbctl sandbox save step-7\n  thumbctl sandbox save ./step-7.tar.gz   # to hand on"
    )]
    Save(SavedStateArgs),
    /// Put a saved state in the place of what there is
    #[command(after_help = "Examples:\n  thumbctl sandbox load step-7\n  thumbctl sandbox load ./step-7.tar.gz")]
    Load(SavedStateArgs),
    /// List the saved states
    Saved,
}

/// `sandbox save` and `sandbox load`
#[derive(Debug, Args)]
pub(crate) struct SavedStateArgs {
    /// Its name, or a path that ends in .tar.gz
    #[arg(value_name = "NAME", value_parser = saved_state)]
    pub(crate) state: SavedState,
}

/// Which saved state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum SavedState {
    /// One in the state directory.
    Named(String),
    /// One that was, or is to be, handed on.
    File(PathBuf),
}

fn saved_state(text: &str) -> Result<SavedState, String> {
    if text.ends_with(".tar.gz") {
        return Ok(SavedState::File(PathBuf::from(text)));
    }
    let plain = text.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c));
    if plain && !text.is_empty() && !text.starts_with('.') && text.len() <= 64 {
        Ok(SavedState::Named(text.to_owned()))
    } else {
        Err("a name has up to 64 letters, digits, '-', '_' and '.'; a path must end in .tar.gz".to_owned())
    }
}

/// How quick and how strict a sandbox is.
#[derive(Debug, Args)]
pub(crate) struct BehaviourArgs {
    /// Answer as quickly as the machine can, or as slowly as AWS
    #[arg(long, value_enum, value_name = "WHOSE", default_value_t = Latency::Instant)]
    pub(crate) latency: Latency,
    /// What AWS's times are multiplied with: 0.1 is ten times as fast
    #[arg(long, value_name = "FACTOR", default_value_t = 1.0, value_parser = time_scale)]
    pub(crate) time_scale: f64,
    /// What the jitter of AWS's times is drawn from
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    pub(crate) seed: u64,
    /// Hold IAM users to their policies, as roles always are
    #[arg(long)]
    pub(crate) enforce_iam: bool,
    /// Compile the function in builds, with this machine's Rust toolchain
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
    /// Which shell
    #[arg(value_enum, value_name = "SHELL")]
    pub(crate) shell: clap_complete::Shell,
}

/// `man`
#[derive(Debug, Args)]
pub(crate) struct ManArgs {
    /// Write thumbctl.1 and a page for each command into this directory
    #[arg(value_name = "DIR")]
    pub(crate) dir: Option<PathBuf>,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_grammar_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_command_that_is_shown_has_help_with_an_example() {
        for command in Cli::command().get_subcommands().filter(|command| !command.is_hide_set()) {
            let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            assert!(help.contains("Example"), "{} has no example", command.get_name());
            assert!(help.contains(&format!("thumbctl {}", command.get_name())), "{}", command.get_name());
        }
    }

    #[test]
    fn options_of_every_command_may_stand_behind_it() {
        let cli = Cli::try_parse_from(["thumbctl", "deploy", "--region", "eu-west-1", "--yes"]).expect("good usage");
        assert_eq!(cli.global.assignments()[0].value, "eu-west-1");
        assert!(cli.global.yes);
    }
}
