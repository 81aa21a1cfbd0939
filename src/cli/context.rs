//! What every command is given.

use thumbctl_deploy::session::Session;
use thumbctl_deploy::settings::Settings;
use thumbctl_platform::terminal::{self, TerminalText};

use super::error::CliError;
use super::input::Input;
use super::interrupt::Interrupt;
use super::screen::Screen;

/// In which form output is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Output {
    /// For people.
    Text,
    /// For programs: JSON, and nothing else on standard output.
    Json,
}

/// What every command is given.
#[derive(Debug)]
pub(crate) struct Context {
    /// The settings.
    pub(crate) settings: Settings,
    /// In which form output is written.
    pub(crate) output: Output,
    /// Whether every question is answered with yes.
    pub(crate) yes: bool,
    /// Whether causes are told.
    pub(crate) verbose: bool,
    /// The signals.
    pub(crate) interrupt: Interrupt,
    /// The user.
    pub(crate) input: Input,
    /// The terminal.
    pub(crate) screen: Screen,
}

impl Context {
    /// Opens a session with the settings.
    pub(crate) async fn session(&self) -> Result<Session, CliError> {
        Ok(Session::open(self.settings.clone()).await?)
    }

    /// Whether output is for programs.
    pub(crate) fn is_json(&self) -> bool {
        self.output == Output::Json
    }

    /// Writes to standard output.
    pub(crate) fn print(&self, text: impl Into<TerminalText>) -> Result<(), CliError> {
        Ok(terminal::print(text)?)
    }

    /// Writes one JSON value on a line of its own.
    pub(crate) fn print_json(&self, value: &serde_json::Value) -> Result<(), CliError> {
        self.print(terminal::json_line(value).map_err(std::io::Error::from)?)
    }
}
