//! The headless front end: one file a command, and what they share.
//!
//! Events go to standard output, in one of three forms; questions and messages go to standard error.

mod access_key;
mod args;
mod build_image;
mod completions;
mod confirm;
mod context;
mod demo;
mod deploy;
mod destroy;
mod doctor;
mod error;
mod export;
mod gate;
mod input;
mod interrupt;
mod logs;
mod man;
mod pending_load;
mod plan;
mod progress;
mod sandbox;
mod sandbox_state;
mod screen;
mod status;
mod style;
mod summary;
mod table;

mod upload;
mod watch;

use std::backtrace::{Backtrace, BacktraceStatus};
use std::ffi::OsString;
use std::io::IsTerminal;
use std::process::ExitCode;

use clap::builder::StyledStr;
use clap::{CommandFactory, FromArgMatches};

use args::{Cli, Command, OutputArg};
use context::{Context, Output};
use error::CliError;
use interrupt::Interrupt;
use screen::Screen;
use style::Palette;

use crate::log_file;

use thumbctl_core::event::Failure;
use thumbctl_deploy::settings::Settings;
use thumbctl_platform::private_fs;
use thumbctl_platform::terminal::{TerminalText, print, print_error, terminal_text};
use thumbctl_platform::text;

/// What the user asks for, understood.
#[derive(Debug)]
pub struct Invocation {
    cli: Cli,
}

/// Understands a command line. What can be answered at once, such as help or a wrong word, is, and gives the exit code.
///
/// # Errors
/// The exit code, when there is nothing more to do.
pub fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Invocation, ExitCode> {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    match parsed(&arguments) {
        Ok(cli) => Ok(Invocation { cli }),
        Err(error) => Err(answer(error, &arguments)),
    }
}

fn parsed(arguments: &[OsString]) -> Result<Cli, clap::Error> {
    let matches = Cli::command().try_get_matches_from(arguments)?;
    Cli::from_arg_matches(&matches)
}

/// Prints help, or what is wrong with the command line, which may have the name of somebody else's file in it.
fn answer(error: clap::Error, arguments: &[OsString]) -> ExitCode {
    let cleaned: Vec<OsString> =
        arguments.iter().map(|argument| text::clean(&argument.to_string_lossy()).into()).collect();
    // clap repeats an argument as it is, line breaks and all.
    let error = if cleaned == arguments { error } else { parsed(&cleaned).err().unwrap_or(error) };
    let (screen, exit_code) = (Screen::detect(), ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2)));
    if error.use_stderr() {
        print_error(generated(&error.render(), screen.err));
        return exit_code;
    }
    // Help that is not read to its end is no error.
    let _ = print(generated(&error.render(), screen.out));
    exit_code
}

/// What clap generates, with its styles where there are colours.
fn generated(text: &StyledStr, palette: Palette) -> TerminalText {
    let text = if palette.has_colours() { text.ansi().to_string() } else { text.to_string() };
    TerminalText::generated(&text)
}

/// What is left to do when the command line has done its part.
#[derive(Debug)]
pub enum Next {
    /// Nothing.
    Done(ExitCode),
    /// To open the console.
    Console(Box<Settings>),
    /// To play a run, named by the user, so many times faster than it happened.
    Replay(Box<Settings>, String, f64),
}

/// Does what the user asks for.
pub async fn run(invocation: Invocation) -> Next {
    let screen = Screen::detect();
    let verbose = invocation.cli.global.verbose;
    install_panic_hook(verbose);
    if let Some(file) = &invocation.cli.global.log_file
        && let Err(error) = log_file::start(file)
    {
        return Next::Done(CliError::from(error).report(verbose, screen));
    }
    match open_console(&invocation.cli).await {
        Ok(Some(console)) => return console,
        Ok(None) => {}
        Err(error) => return Next::Done(error.report(verbose, screen)),
    }
    Next::Done(match dispatch(invocation.cli, screen).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => error.report(verbose, screen),
    })
}

/// The console, where that is what is asked for. Without a terminal there is none, and help is all that can be given.
async fn open_console(cli: &Cli) -> Result<Option<Next>, CliError> {
    let is_terminal = std::io::stdin().is_terminal() && Screen::detect().is_terminal();
    let (replay, opens) = match &cli.command {
        None => (None, is_terminal),
        Some(Command::Replay(args)) => (Some(args), true),
        Some(_) => (None, false),
    };
    if !opens {
        return Ok(None);
    }
    if !is_terminal {
        return Err(CliError::usage(
            "a run is played in the console, which needs a terminal for its input and output",
            "the journal's lines are JSON: look into them with jq",
        ));
    }
    let settings =
        Settings::load(cli.global.config.as_deref(), &|name| std::env::var_os(name), &cli.global.assignments())?;
    prepare_state_dir(&settings).await?;
    Ok(Some(match replay {
        None => Next::Console(Box::new(settings)),
        Some(args) => Next::Replay(Box::new(settings), args.run.clone(), args.speed),
    }))
}

/// Tells why there is no console, as errors are told, and answers the exit code.
pub fn report(message: String, hint: Option<String>, interrupted: bool) -> ExitCode {
    let screen = Screen::detect();
    if interrupted {
        return CliError::Interrupted.report(false, screen);
    }
    let failure = Failure { hint, ..Failure::new(message) };
    CliError::Failed(vec![failure]).report(false, screen)
}

async fn dispatch(cli: Cli, screen: Screen) -> Result<(), CliError> {
    let Cli { global, command } = cli;
    let Some(command) = command else {
        print(generated(&Cli::command().render_long_help(), screen.out))?;
        return Ok(());
    };
    // These need no settings: they must work where the settings are wrong.
    match &command {
        Command::Completions(args) => return completions::run(args),
        Command::Man(args) => return man::run(args),
        _ => {}
    }
    let output = match global.output {
        OutputArg::Text => Output::Text,
        OutputArg::Json => Output::Json,
    };
    if let Command::Export(args) = &command {
        return export::run(args, output);
    }
    let mut flags = global.assignments();
    if matches!(command, Command::Demo(_)) && global.name.is_none() {
        // The demonstration must not touch, or be stopped by, what its user has deployed.
        flags.push(demo::own_name());
    }
    let interrupt = Interrupt::listen().map_err(|error| CliError::failed(format!("cannot hear signals: {error}")))?;
    let command = match command {
        Command::Sandbox(args) if args.attached => return sandbox::run_attached(args, &interrupt).await,
        Command::BuildImage(args) => return build_image::run(&args, &interrupt).await,
        command => command,
    };
    let settings = Settings::load(global.config.as_deref(), &|name| std::env::var_os(name), &flags)?;
    prepare_state_dir(&settings).await?;
    let (yes, verbose) = (global.yes, global.verbose);
    let context = Context { settings, output, yes, verbose, interrupt, input: input::Input::default(), screen };
    match command {
        Command::Demo(args) => demo::run(&context, &args).await,
        Command::Plan => plan::run(&context).await,
        Command::Deploy(args) => deploy::run(&context, &args).await,
        Command::Status => status::run(&context).await,
        Command::Upload(args) => upload::run(&context, args).await,
        Command::Logs(args) => logs::run(&context, &args).await,
        Command::Destroy(args) => destroy::run(&context, &args).await,
        Command::Doctor => doctor::run(&context).await,
        Command::Sandbox(args) => sandbox::run(&context, args).await,
        Command::BuildImage(_)
        | Command::Export(_)
        | Command::Completions(_)
        | Command::Man(_)
        | Command::Replay(_) => {
            unreachable!("these were run above")
        }
    }
}

/// Checks that the state directory is safe to use, and completes what a killed command has left half done in it.
async fn prepare_state_dir(settings: &Settings) -> Result<(), CliError> {
    private_fs::check_dir(&settings.state_dir).map_err(|error| CliError::Failed(vec![Failure::from_error(&error)]))?;
    pending_load::recover(&settings.state_dir)
        .await
        .map_err(|error| CliError::Failed(vec![Failure::from_error(&error)]))
}

/// A bug is reported in one sentence; where it happened, to those who ask.
fn install_panic_hook(verbose: bool) {
    std::panic::set_hook(Box::new(move |panic| {
        let what = panic.payload_as_str().unwrap_or("no message");
        let mut words = terminal_text!("\nerror: thumbctl has a bug: {}\n", what);
        words.push(
            "hint: what was done is in the journal, so `thumbctl deploy` or `thumbctl destroy` goes on from there; please \
             report this with the output of the same command with -v\n",
        );
        let trace = Backtrace::capture();
        let is_traced = trace.status() == BacktraceStatus::Captured;
        if verbose || is_traced {
            let place = panic.location().map(ToString::to_string).unwrap_or_default();
            words.push(terminal_text!("panicked at {}\n", place));
        }
        if is_traced {
            for line in trace.to_string().lines() {
                words.push(terminal_text!("{}\n", line));
            }
        }
        print_error(words);
    }));
}
