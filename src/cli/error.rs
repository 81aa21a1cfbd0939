//! How a command fails, and what it reports about that.

use std::io;
use std::process::ExitCode;

use thumbctl_core::event::Failure;
use thumbctl_core::journal::JournalError;
use thumbctl_deploy::session::SessionError;
use thumbctl_deploy::settings::SettingsError;
use thumbctl_platform::terminal::{TerminalText, print_error, terminal_text};

use super::screen::Screen;
use super::style::Role;
use crate::log_file::LogFileError;

/// Why a command did not end well.
#[derive(Debug)]
pub(crate) enum CliError {
    /// It was called wrongly, or its settings are wrong.
    Usage(Failure),
    /// It failed, in one way or several.
    Failed(Vec<Failure>),
    /// It failed, and all is said.
    AlreadyTold,
    /// The user stopped it.
    Interrupted,
    /// Its output could not be written.
    Output(io::Error),
}

impl CliError {
    /// A wrong call, and what to do instead.
    pub(crate) fn usage(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::Usage(Failure::new(message).with_hint(hint))
    }

    /// A failure in one sentence.
    pub(crate) fn failed(message: impl Into<String>) -> Self {
        Self::Failed(vec![Failure::new(message)])
    }

    /// Says what went wrong, and gives the exit code for it.
    pub(crate) fn report(self, verbose: bool, screen: Screen) -> ExitCode {
        tracing::error!(error = ?self, "ended");
        match self {
            Self::Usage(failure) => {
                tell(&failure, verbose, screen);
                ExitCode::from(2)
            }
            Self::Failed(failures) => {
                for failure in &failures {
                    tell(failure, verbose, screen);
                }
                ExitCode::FAILURE
            }
            Self::AlreadyTold => ExitCode::FAILURE,
            Self::Interrupted => ExitCode::from(130),
            // Whoever read our output has enough of it.
            Self::Output(error) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
            Self::Output(error) => {
                tell(&Failure::new(format!("cannot write to standard output: {error}")), verbose, screen);
                ExitCode::FAILURE
            }
        }
    }
}

/// One failure on standard error: what, why (if asked for), what to do.
pub(crate) fn tell(failure: &Failure, verbose: bool, screen: Screen) {
    let mut text = labelled(screen.err.paint(Role::Bad, "error:"), &failure.message);
    if verbose {
        for cause in &failure.causes {
            text.push("  ");
            text.push(labelled(screen.err.paint(Role::Quiet, "because:"), cause));
        }
    }
    if let Some(hint) = &failure.hint {
        text.push(labelled(screen.err.paint(Role::Busy, "hint:"), hint));
    }
    print_error(text);
}

/// A text behind its label. Its further lines are indented, so that none of them looks like one of ours.
fn labelled(label: TerminalText, text: &str) -> TerminalText {
    let mut lines = text.lines().filter(|line| !line.trim().is_empty());
    let mut labelled = terminal_text!("{} {}\n", label, lines.next().unwrap_or_default());
    for line in lines {
        labelled.push(terminal_text!("    {}\n", line));
    }
    labelled
}

impl From<io::Error> for CliError {
    fn from(error: io::Error) -> Self {
        Self::Output(error)
    }
}

impl From<LogFileError> for CliError {
    fn from(error: LogFileError) -> Self {
        Self::Usage(Failure::from_error(&error))
    }
}

impl From<SettingsError> for CliError {
    fn from(error: SettingsError) -> Self {
        Self::Usage(Failure::from_error(&error))
    }
}

impl From<SessionError> for CliError {
    fn from(error: SessionError) -> Self {
        let mut failure = Failure::from_error(&error);
        failure.hint = error.hint();
        Self::Failed(vec![failure])
    }
}

impl From<JournalError> for CliError {
    fn from(error: JournalError) -> Self {
        Self::Failed(vec![Failure::from_error(&error)])
    }
}
