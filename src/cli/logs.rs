//! `thumbctl logs`

use std::time::Duration;

use serde_json::json;

use super::args::{LogsArgs, Whose};
use super::context::Context;
use super::error::CliError;
use super::screen;
use super::style::Role;
use crate::event::LogSource;
use crate::log_follower::LogLine;
use crate::secret::redact_line;
use crate::session::SessionError;
use crate::text;

/// Between two looks at a log that has nothing new: the first, and the most that it grows to.
const FIRST_LOOK: Duration = Duration::from_millis(250);
const LAST_LOOK: Duration = Duration::from_secs(2);

/// Shows a log, and goes on showing it if asked to.
pub(crate) async fn run(context: &Context, args: &LogsArgs) -> Result<(), CliError> {
    let session = context.session().await?;
    let (mut log, source) = match args.whose {
        Whose::Build => (session.build_log().await?, LogSource::Build),
        Whose::Function => (session.function_log().await?, LogSource::Function),
    };
    let mut shown = 0_usize;
    let mut pause = FIRST_LOOK;
    loop {
        let lines = log.next().await.map_err(SessionError::from)?;
        let quiet = lines.is_empty();
        let mut out = String::new();
        for line in &lines {
            out.push_str(&formatted(context, source, line));
        }
        context.print(&out)?;
        shown += lines.len();
        if log.finished() || (quiet && !args.follow) {
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
    if shown == 0 {
        screen::say(&format!("The {source}'s log is empty.\n"));
    }
    Ok(())
}

fn formatted(context: &Context, source: LogSource, line: &LogLine) -> String {
    if context.is_json() {
        return format!("{}\n", json!({ "source": source, "text": line.text, "timestamp": line.timestamp }));
    }
    let time = line.timestamp.map(|time| time.format("%H:%M:%S%.3f").to_string()).unwrap_or_default();
    format!(
        "{}  {}\n",
        context.screen.out.paint(Role::Quiet, &text::fit(&time, 12)),
        redact_line(&text::clean(&line.text))
    )
}
