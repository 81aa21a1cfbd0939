//! Confirmation of actions that cost money or cannot be undone.

use thumbctl_core::event::RunStarted;
use thumbctl_core::resource::ResourceKind;
use thumbctl_deploy::cloud::CloudLabel;
use thumbctl_deploy::resource::descriptor;
use thumbctl_deploy::session::Session;
use thumbctl_platform::terminal::{TerminalText, print_error, terminal_text};

use super::context::Context;
use super::error::CliError;
use super::input::Input;
use super::style::Role;
use super::table::{Cell, Column, Table};

/// How to confirm an action.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ConfirmMode {
    /// By `y` or `yes`.
    Yes,
    /// By `yes` only, where money or data is at risk.
    FullWord,
}

impl ConfirmMode {
    /// The mode for a cloud.
    pub(crate) fn in_cloud(label: &CloudLabel) -> Self {
        match label {
            CloudLabel::Aws => Self::FullWord,
            CloudLabel::Sandbox | CloudLabel::Endpoint(_) => Self::Yes,
        }
    }
}

/// Shows `about` and asks the question. Ends the command unless confirmed.
pub(crate) async fn confirm(
    context: &Context,
    about: TerminalText,
    question: &str,
    consent: ConfirmMode,
) -> Result<(), CliError> {
    if context.yes {
        return Ok(());
    }
    if !Input::is_terminal() {
        return Err(CliError::usage(
            format!("cannot ask '{question}': standard input is not a terminal"),
            "use --yes to confirm",
        ));
    }
    print_error(about);
    let keys = match consent {
        ConfirmMode::Yes => "[y/N]",
        ConfirmMode::FullWord => "Type yes to confirm:",
    };
    print_error(terminal_text!("\n{} {} ", context.screen.err.paint(Role::Strong, question), keys));
    let answer = context.input.line().await.unwrap_or_default().trim().to_lowercase();
    if answer == "yes" || (consent == ConfirmMode::Yes && answer == "y") {
        return Ok(());
    }
    print_error("Nothing was changed.\n");
    Err(CliError::AlreadyReported)
}

/// The description of an action: cloud, account, region, identity and resources.
pub(crate) fn announcement(
    context: &Context,
    session: &Session,
    started: &RunStarted,
    title: &str,
    resources: &[(ResourceKind, String)],
) -> TerminalText {
    let palette = context.screen.err;
    let mut target = Table::new([Column::text(""), Column::text("").shrinking()]);
    for (label, value) in [
        ("cloud", session.label().to_string()),
        ("account", started.account.clone()),
        ("region", started.region.clone()),
        ("as", session.identity().arn.clone()),
    ] {
        let role = if label == "cloud" { Role::Warn } else { Role::Plain };
        target.row([Cell::new(Role::Muted, label), Cell::new(role, value)]);
    }
    let mut list = Table::new([Column::text(""), Column::text("").shrinking()]);
    for (kind, name) in resources {
        list.row([descriptor(*kind).title.into(), Cell::new(Role::Muted, name.as_str())]);
    }
    let width = context.screen.table_width();
    terminal_text!(
        "{}\n\n{}\n{}",
        palette.paint(Role::Strong, title),
        target.render(width, palette),
        list.render(width, palette)
    )
}
