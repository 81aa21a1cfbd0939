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

use super::args::{LogName, LogsArgs};
use super::context::Context;
use super::error::CliError;
use super::style::Role;

/// The initial and the maximum delay between polls of a log without new lines.
const MIN_DELAY: Duration = Duration::from_millis(250);
const MAX_DELAY: Duration = Duration::from_secs(2);

/// The source of a log's lines.
enum Log {
    /// The cloud, with the session to access it.
    Cloud(Box<(LogFollower, Session)>),
    /// A run's journal.
    Journal { log: JournalLogReader, journal: DeploymentJournal, is_over: bool },
}

/// Shows a log, and follows it if requested.
pub(crate) async fn run(context: &Context, args: &LogsArgs) -> Result<(), CliError> {
    let (mut log, source) = match args.log {
        LogName::Build => {
            let session = context.session().await?;
            (Some(Log::Cloud(Box::new((session.build_log().await?, session)))), LogSource::Build)
        }
        LogName::Function => {
            let session = context.session().await?;
            (Some(Log::Cloud(Box::new((session.function_log().await?, session)))), LogSource::Function)
        }
        LogName::Stack => (Log::from_journal(context, LogSource::Stack, args.follow).await?, LogSource::Stack),
        LogName::Terraform => {
            (Log::from_journal(context, LogSource::Terraform, args.follow).await?, LogSource::Terraform)
        }
    };
    let mut shown = 0_usize;
    let mut delay = MIN_DELAY;
    while let Some(log) = &mut log {
        let lines = log.next().await?;
        let is_idle = lines.is_empty();
        let mut out = TerminalText::default();
        for line in &lines {
            out.push(formatted(context, source, line)?);
        }
        context.print(out)?;
        shown += lines.len();
        if log.is_over() || (is_idle && !args.follow) {
            break;
        }
        if is_idle {
            // Ctrl-C exits here, since no operation is in progress.
            tokio::time::sleep(delay).await;
            delay = (delay * 2).min(MAX_DELAY);
        } else {
            delay = MIN_DELAY;
        }
    }
    if log.is_none() {
        print_error(terminal_text!("No run of '{}' has a log of {}.\n", context.settings.name, source_label(source)));
    } else if shown == 0 {
        print_error(terminal_text!("The log of {} is empty.\n", source_label(source)));
    }
    Ok(())
}

/// LogName log it is, in words.
fn source_label(source: LogSource) -> &'static str {
    match source {
        LogSource::Build => "the build",
        LogSource::Function => "the function",
        LogSource::Stack => "the CloudFormation stacks",
        LogSource::Terraform => "Terraform",
    }
}

impl Log {
    async fn from_journal(context: &Context, source: LogSource, follow: bool) -> Result<Option<Self>, CliError> {
        let settings = &context.settings;
        let journal = JournalStore::new(&settings.state_dir).deployment(&settings.name);
        // Wait for a pending run; Ctrl-C exits here.
        let mut is_reported = false;
        while follow && journal.is_run_pending().map_err(SessionError::from)? {
            let holder = journal.holder().map_err(SessionError::from)?.unwrap_or_default();
            if !std::mem::replace(&mut is_reported, true) {
                print_error(terminal_text!("Waiting for {} to start its run.\n", holder));
            }
            tokio::time::sleep(MIN_DELAY).await;
        }
        context.warn_of_unknown_events(journal.deployment());
        let log = journal.newest_log(source).map_err(SessionError::from)?;
        Ok(log.map(|log| Self::Journal { log, journal, is_over: false }))
    }

    async fn next(&mut self) -> Result<Vec<LogLine>, CliError> {
        match self {
            Self::Cloud(cloud) => Ok(cloud.0.next().await.map_err(SessionError::from)?),
            Self::Journal { log, journal, is_over } => {
                // Check the lock first, so that the last lines of a finished or killed run are read.
                let is_running = journal.holder().map_err(SessionError::from)?.is_some();
                let lines = log.read().map_err(SessionError::from)?;
                *is_over = log.has_ended() || (!is_running && lines.is_empty());
                Ok(lines)
            }
        }
    }

    fn is_over(&self) -> bool {
        match self {
            Self::Cloud(cloud) => cloud.0.finished(),
            Self::Journal { is_over, .. } => *is_over,
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
        context.screen.out.paint(Role::Muted, &text::fit(&time, 12)),
        redact_line(&text::clean_line(&line.text))
    ))
}
