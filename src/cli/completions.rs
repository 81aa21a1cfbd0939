//! `thumbctl completions`

use clap::CommandFactory;
use thumbctl_platform::terminal::{TerminalText, print};

use super::args::{Cli, CompletionsArgs};
use super::error::CliError;

/// Prints a shell's completions.
pub(crate) fn run(args: &CompletionsArgs) -> Result<(), CliError> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "thumbctl", &mut script);
    print(TerminalText::generated(&String::from_utf8_lossy(&script)))?;
    Ok(())
}
