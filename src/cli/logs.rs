//! `thumbctl logs`

use std::time::Duration;

use serde_json::json;
use thumbctl_core::event::LogSource;
use thumbctl_core::journal::{DeploymentJournal, JournalLogReader, JournalStore};
use thumbctl_core::log_line::LogLine;
use thumbctl_core::redaction::redact_line;
use thumbctl_deploy::log_follower::LogFollower;
use thumbctl_deploy::session::{Session, SessionError};
use thumbctl_platform::terminal::{TerminalText, json_line, print_error, terminal_text};
use thumbctl_platform::text;

use super::args::{LogsArgs, Whose};
use super::context::Context;
use super::error::CliError;
use super::style::Role;

/// Between two looks at a log that has nothing new: the first, and the most that it grows to.
const FIRST_LOOK: Duration = Duration::from_millis(250);
const LAST_LOOK: Duration = Duration::from_secs(2);

/// Where a log's lines come from.
enum Log {
    /// The cloud keeps it; with the session that reaches it.
    Kept(Box<(LogFollower, Session)>),
    /// Only a run's journal has it.
    Told { log: JournalLogReader, journal: DeploymentJournal, is_over: bool },
}

/// Shows a log, and goes on showing it if asked to.
pub(crate) async fn run(context: &Context, args: &LogsArgs) -> Result<(), CliError> {
    let (mut log, source) = match args.whose {
        Whose::Build => {
            let session = context.session().await?;
            (Some(Log::Kept(Box::new((session.build_log().await?, session)))), LogSource::Build)
        }
        Whose::Function => {
            let session = context.session().await?;
            (Some(Log::Kept(Box::new((session.function_log().await?, session)))), LogSource::Function)
        }
        Whose::Stack => (Log::told(context, LogSource::Stack, args.follow).await?, LogSource::Stack),
        Whose::Terraform => (Log::told(context, LogSource::Terraform, args.follow).await?, LogSource::Terraform),
    };
    let mut shown = 0_usize;
    let mut pause = FIRST_LOOK;
    while let Some(log) = &mut log {
        let lines = log.next().await?;
        let quiet = lines.is_empty();
        let mut out = TerminalText::default();
        for line in &lines {
            out.push(formatted(context, source, line)?);
        }
        context.print(out)?;
        shown += lines.len();
        if log.is_over() || (quiet && !args.follow) {
            break;
        }
        if quiet {
            // Ctrl-C ends the program here: nothing is under way.
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LAST_LOOK);
        } else {
            pause = FIRST_LOOK;
        }
    }
    if log.is_none() {
        print_error(terminal_text!("No run of '{}' has anything of {}.\n", context.settings.name, whose(source)));
    } else if shown == 0 {
        print_error(terminal_text!("The log of {} is empty.\n", whose(source)));
    }
    Ok(())
}

/// Whose log it is, in words.
fn whose(source: LogSource) -> &'static str {
    match source {
        LogSource::Build => "the build",
        LogSource::Function => "the function",
        LogSource::Stack => "CloudFormation's stacks",
        LogSource::Terraform => "Terraform",
    }
}

impl Log {
    async fn told(context: &Context, source: LogSource, follow: bool) -> Result<Option<Self>, CliError> {
        let settings = &context.settings;
        let journal = JournalStore::new(&settings.state_dir).deployment(&settings.name);
        // What is about to begin is what is meant; Ctrl-C ends the program here.
        let mut is_told = false;
        while follow && journal.is_run_pending().map_err(SessionError::from)? {
            let holder = journal.holder().map_err(SessionError::from)?.unwrap_or_default();
            if !std::mem::replace(&mut is_told, true) {
                print_error(terminal_text!("Waiting until {} begins.\n", holder));
            }
            tokio::time::sleep(FIRST_LOOK).await;
        }
        let log = journal.newest_log(source).map_err(SessionError::from)?;
        Ok(log.map(|log| Self::Told { log, journal, is_over: false }))
    }

    async fn next(&mut self) -> Result<Vec<LogLine>, CliError> {
        match self {
            Self::Kept(kept) => Ok(kept.0.next().await.map_err(SessionError::from)?),
            Self::Told { log, journal, is_over } => {
                // Asked first: what a run that is over, or whose process died, has said is there to be read.
                let is_under_way = journal.holder().map_err(SessionError::from)?.is_some();
                let lines = log.read().map_err(SessionError::from)?;
                *is_over = log.has_ended() || (!is_under_way && lines.is_empty());
                Ok(lines)
            }
        }
    }

    fn is_over(&self) -> bool {
        match self {
            Self::Kept(kept) => kept.0.finished(),
            Self::Told { is_over, .. } => *is_over,
        }
    }
}

fn formatted(context: &Context, source: LogSource, line: &LogLine) -> Result<TerminalText, CliError> {
    if context.is_json() {
        let value = json!({ "source": source, "text": line.text, "timestamp": line.timestamp });
        return Ok(json_line(&value).map_err(std::io::Error::from)?);
    }
    let time = line.timestamp.map(|time| time.format("%H:%M:%S%.3f").to_string()).unwrap_or_default();
    Ok(terminal_text!(
        "{}  {}\n",
        context.screen.out.paint(Role::Quiet, &text::fit(&time, 12)),
        redact_line(&text::clean_line(&line.text))
    ))
}
