//! [`CliError`]: why a command failed, and how this is reported.

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

/// Why a command failed.
#[derive(Debug)]
pub(crate) enum CliError {
    /// Invalid usage or settings.
    Usage(Failure),
    /// One or more failures.
    Failed(Vec<Failure>),
    /// A failure that has already been reported.
    AlreadyReported,
    /// Interrupted by the user.
    Interrupted,
    /// The output could not be written.
    Output(io::Error),
}

impl CliError {
    /// Creates an error of invalid usage, with a hint.
    pub(crate) fn usage(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::Usage(Failure::new(message).with_hint(hint))
    }

    /// Creates a failure with a message only.
    pub(crate) fn failed(message: impl Into<String>) -> Self {
        Self::Failed(vec![Failure::new(message)])
    }

    /// Reports the error and returns its exit code.
    pub(crate) fn report(self, verbose: bool, screen: Screen) -> ExitCode {
        tracing::error!(error = ?self, "ended");
        match self {
            Self::Usage(failure) => {
                report_failure(&failure, verbose, screen);
                ExitCode::from(2)
            }
            Self::Failed(failures) => {
                for failure in &failures {
                    report_failure(failure, verbose, screen);
                }
                ExitCode::FAILURE
            }
            Self::AlreadyReported => ExitCode::FAILURE,
            Self::Interrupted => ExitCode::from(130),
            // A closed pipe is no error.
            Self::Output(error) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
            Self::Output(error) => {
                report_failure(&Failure::new(format!("cannot write to standard output: {error}")), verbose, screen);
                ExitCode::FAILURE
            }
        }
    }
}

/// Prints a failure to standard error: its message, its causes if `verbose`, its hint.
pub(crate) fn report_failure(failure: &Failure, verbose: bool, screen: Screen) {
    let mut text = labelled(screen.err.paint(Role::Bad, "error:"), &failure.message);
    if verbose {
        for cause in &failure.causes {
            text.push("  ");
            text.push(labelled(screen.err.paint(Role::Muted, "because:"), cause));
        }
    }
    if let Some(hint) = &failure.hint {
        text.push(labelled(screen.err.paint(Role::Busy, "hint:"), hint));
    }
    print_error(text);
}

/// A text after its label. Further lines are indented, so that they cannot imitate a label.
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
