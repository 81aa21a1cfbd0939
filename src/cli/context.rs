//! [`Context`]: the common parameters of all commands.

use thumbctl_core::deployment::Deployment;
use thumbctl_deploy::session::Session;
use thumbctl_deploy::settings::Settings;
use thumbctl_platform::terminal::{self, TerminalText, print_error, terminal_text};

use super::error::CliError;
use super::input::Input;
use super::interrupt::Interrupt;
use super::screen::Screen;
use super::style::Role;

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
        self.session_with(self.settings.clone()).await
    }

    /// Opens a session with other settings.
    pub(crate) async fn session_with(&self, settings: Settings) -> Result<Session, CliError> {
        let session = Session::open(settings).await?;
        self.warn_of_unknown_events(session.deployment());
        Ok(session)
    }

    /// Warns that a newer version has written events of the deployment. The command itself reports an unreadable journal.
    pub(crate) fn warn_of_unknown_events<E>(&self, deployment: Result<Deployment, E>) {
        if let Some(warning) = deployment.ok().and_then(|deployment| deployment.unknown_events_warning()) {
            print_error(terminal_text!("{} {}\n", self.screen.err.paint(Role::Warn, "warning:"), warning));
        }
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
