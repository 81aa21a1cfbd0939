//! [`Context`]: the common parameters of all commands.

use thumbctl_deploy::session::Session;
use thumbctl_deploy::settings::Settings;
use thumbctl_platform::terminal::{self, TerminalText};

use super::error::CliError;
use super::input::Input;
use super::interrupt::Interrupt;
use super::screen::Screen;

/// The output format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Output {
    /// Text.
    Text,
    /// JSON lines, the only output on standard output.
    Json,
}

/// The common parameters of all commands.
#[derive(Debug)]
pub(crate) struct Context {
    /// The settings.
    pub(crate) settings: Settings,
    /// The output format.
    pub(crate) output: Output,
    /// Whether all questions are confirmed.
    pub(crate) yes: bool,
    /// Whether the causes of errors are shown.
    pub(crate) verbose: bool,
    /// The signal handler.
    pub(crate) interrupt: Interrupt,
    /// Standard input.
    pub(crate) input: Input,
    /// The terminal.
    pub(crate) screen: Screen,
}

impl Context {
    /// Opens a session with the settings.
    pub(crate) async fn session(&self) -> Result<Session, CliError> {
        Ok(Session::open(self.settings.clone()).await?)
    }

    /// Whether the output format is JSON.
    pub(crate) fn is_json(&self) -> bool {
        self.output == Output::Json
    }

    /// Writes to standard output.
    pub(crate) fn print(&self, text: impl Into<TerminalText>) -> Result<(), CliError> {
        Ok(terminal::print(text)?)
    }

    /// Writes a JSON value on one line.
    pub(crate) fn print_json(&self, value: &serde_json::Value) -> Result<(), CliError> {
        self.print(terminal::json_line(value).map_err(std::io::Error::from)?)
    }
}
