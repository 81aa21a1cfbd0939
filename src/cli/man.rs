//! `thumbctl man`

use clap::CommandFactory;
use thumbctl_platform::terminal::{TerminalText, print, terminal_text};
use thumbctl_platform::text;

use super::args::{Cli, ManArgs};
use super::error::CliError;

/// Prints the manual page, or writes one for the program and each command into a directory.
pub(crate) fn run(args: &ManArgs) -> Result<(), CliError> {
    let mut program = Cli::command();
    // Propagates the global options to the commands.
    program.build();
    let Some(dir) = &args.dir else {
        let mut page = Vec::new();
        clap_mangen::Man::new(program).render(&mut page)?;
        print(TerminalText::generated(&String::from_utf8_lossy(&page)))?;
        return Ok(());
    };
    let unwritable = |error: std::io::Error| CliError::failed(format!("cannot write to {}: {error}", dir.display()));
    std::fs::create_dir_all(dir).map_err(unwritable)?;
    let pages = program.get_subcommands().filter(|command| !command.is_hide_set()).count() + 1;
    clap_mangen::generate_to(program, dir).map_err(unwritable)?;
    print(terminal_text!("{} in {}\n", text::count(pages, "manual page"), dir.display()))?;
    Ok(())
}
