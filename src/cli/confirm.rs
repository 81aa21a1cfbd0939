//! Questions before something is done that costs money or cannot be undone.

use thumbctl_core::event::RunStarted;
use thumbctl_core::resource::ResourceKind;
use thumbctl_deploy::cloud::CloudLabel;
use thumbctl_deploy::session::Session;
use thumbctl_platform::terminal::{TerminalText, print_error, terminal_text};

use super::context::Context;
use super::error::CliError;
use super::input::Input;
use super::style::Role;
use super::table::{Cell, Column, Table};

/// How a question is to be answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Consent {
    /// `y` is enough.
    Yes,
    /// The whole word must be typed: somebody's money, or somebody's data.
    WholeWord,
}

impl Consent {
    /// What a cloud is worth.
    pub(crate) fn in_cloud(label: &CloudLabel) -> Self {
        match label {
            CloudLabel::Aws => Self::WholeWord,
            CloudLabel::Sandbox | CloudLabel::Endpoint(_) => Self::Yes,
        }
    }
}

/// Asks, after `about` has been shown. Ends the command if the answer is not yes.
pub(crate) async fn confirm(
    context: &Context,
    about: TerminalText,
    question: &str,
    consent: Consent,
) -> Result<(), CliError> {
    if context.yes {
        return Ok(());
    }
    if !Input::is_terminal() {
        return Err(CliError::usage(
            format!("'{question}' cannot be asked: standard input is not a terminal"),
            "pass --yes to answer it beforehand",
        ));
    }
    print_error(about);
    let keys = match consent {
        Consent::Yes => "[y/N]",
        Consent::WholeWord => "Type yes to go on:",
    };
    print_error(terminal_text!("\n{} {} ", context.screen.err.paint(Role::Strong, question), keys));
    let answer = context.input.line().await.unwrap_or_default().trim().to_lowercase();
    if answer == "yes" || (consent == Consent::Yes && answer == "y") {
        return Ok(());
    }
    print_error("Nothing was done.\n");
    Err(CliError::AlreadyTold)
}

/// Says what is about to happen where, to which resources.
pub(crate) fn announcement(
    context: &Context,
    session: &Session,
    started: &RunStarted,
    what: &str,
    resources: &[(ResourceKind, String)],
) -> TerminalText {
    let palette = context.screen.err;
    let mut place = Table::new([Column::text(""), Column::text("").shrinking()]);
    for (label, value) in [
        ("cloud", session.label().to_string()),
        ("account", started.account.clone()),
        ("region", started.region.clone()),
        ("as", session.identity().arn.clone()),
    ] {
        let role = if label == "cloud" { Role::Warn } else { Role::Plain };
        place.row([Cell::new(Role::Quiet, label), Cell::new(role, value)]);
    }
    let mut list = Table::new([Column::text(""), Column::text("").shrinking()]);
    for (kind, name) in resources {
        list.row([kind.title().into(), Cell::new(Role::Quiet, name.as_str())]);
    }
    let width = context.screen.table_width();
    terminal_text!(
        "{}\n\n{}\n{}",
        palette.paint(Role::Strong, what),
        place.render(width, palette),
        list.render(width, palette)
    )
}
