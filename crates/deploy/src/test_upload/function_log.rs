//! Parses the function's log for one image.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use serde::Deserialize;

use crate::aws::logs::LogEvent;

/// The invocation for one image, from the function's log.
#[derive(Debug, PartialEq)]
pub(super) struct Invocation {
    /// When the invocation started, by Lambda's clock.
    pub(super) started: DateTime<Utc>,
    /// Whether it was a cold start; known from its REPORT line.
    pub(super) cold: Option<bool>,
    /// The error, if there is no thumbnail.
    pub(super) error: Option<String>,
}

/// The fields used of the function's structured log lines.
#[derive(Deserialize)]
struct Line {
    level: String,
    message: String,
    request_id: String,
    key: Option<String>,
}

/// The log's lines about one image.
#[derive(Debug, Default, PartialEq)]
pub(super) struct LogReading {
    /// The invocation for the object, if the function has logged it.
    pub(super) invocation: Option<Invocation>,
    /// Lambda's errors for invocations without a log line of the function: timed out or
    /// crashed. They do not name the image.
    pub(super) lost: Vec<String>,
}

/// Reads the function's structured lines, and Lambda's own, for one object uploaded at `uploaded_ms`.
pub(super) fn read(key: &str, uploaded_ms: i64, lines: &[LogEvent]) -> LogReading {
    let mut started: BTreeMap<&str, i64> = BTreeMap::new();
    let mut with_log_lines: BTreeSet<String> = BTreeSet::new();
    let mut ours: Option<(Line, i64)> = None;
    let mut reports: BTreeMap<&str, bool> = BTreeMap::new();
    let mut killed: Vec<(&str, &str)> = Vec::new();
    for line in lines {
        let text = line.text.trim_end();
        if let Some(rest) = text.strip_prefix("START RequestId: ") {
            started.insert(first_word(rest), line.timestamp_ms);
        } else if let Some(rest) = text.strip_prefix("REPORT RequestId: ") {
            // Rule: Lambda reports an init duration for cold starts only.
            // https://docs.aws.amazon.com/lambda/latest/dg/nodejs-logging.html
            reports.insert(first_word(rest), rest.contains("Init Duration:"));
        } else if text.contains(" Task timed out after ") || text.contains("Error: Runtime exited") {
            let is_id = |word: &&str| word.len() == 36 && word.matches('-').count() == 4;
            killed.extend(text.split_whitespace().find(is_id).map(|id| (id, text)));
        } else if let Ok(logged) = serde_json::from_str::<Line>(text) {
            with_log_lines.insert(logged.request_id.clone());
            if logged.key.as_deref() == Some(key) {
                ours = Some((logged, line.timestamp_ms));
            }
        }
    }
    let lost = killed
        .into_iter()
        .filter(|(id, _)| !with_log_lines.contains(*id) && started.get(id).is_some_and(|&at| at >= uploaded_ms))
        .map(|(_, text)| text.to_owned())
        .collect();
    let invocation = ours.and_then(|(line, at)| {
        let id = line.request_id.as_str();
        Some(Invocation {
            started: DateTime::from_timestamp_millis(started.get(id).copied().unwrap_or(at))?,
            cold: reports.get(id).copied(),
            error: (line.level == "ERROR").then_some(line.message),
        })
    });
    LogReading { invocation, lost }
}

fn first_word(text: &str) -> &str {
    text.split_whitespace().next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "11111111-2222-3333-4444-555555555555";

    fn lines(texts: &[&str]) -> Vec<LogEvent> {
        let at = |n: usize| 1_000 + i64::try_from(n).expect("few lines") * 10;
        texts.iter().enumerate().map(|(n, text)| LogEvent { text: (*text).to_owned(), timestamp_ms: at(n) }).collect()
    }

    #[test]
    fn cold_start_is_read_from_the_report_line() {
        let logged = format!(r#"{{"level":"INFO","message":"thumbnail made","request_id":"{ID}","key":"a/x.jpg"}}"#);
        let report = format!("REPORT RequestId: {ID}\tDuration: 9 ms\tInit Duration: 20 ms");
        let log = lines(&[&format!("START RequestId: {ID} Version: $LATEST"), &logged, &report]);
        let reading = read("a/x.jpg", 0, &log);
        let invocation = reading.invocation.expect("the log names the key");
        assert_eq!((invocation.cold, invocation.error), (Some(true), None));
        assert_eq!(invocation.started.timestamp_millis(), 1_000);
        assert_eq!(read("a/other.jpg", 0, &log), LogReading::default());
    }

    #[test]
    fn error_line_is_the_reason() {
        let logged = format!(r#"{{"level":"ERROR","message":"cut short","request_id":"{ID}","key":"x"}}"#);
        let reading = read("x", 0, &lines(&[&logged]));
        assert_eq!(reading.invocation.and_then(|invocation| invocation.error).as_deref(), Some("cut short"));
    }

    #[test]
    fn killed_invocation_is_reported_unless_it_is_older_than_the_upload() {
        let start = format!("START RequestId: {ID} Version: $LATEST");
        let killed = format!("2026-11-22T13:05:09.123Z {ID} Task timed out after 3.00 seconds");
        let log = lines(&[&start, &killed]);
        assert_eq!(read("x", 500, &log).lost, [killed]);
        assert!(read("x", 5_000, &log).lost.is_empty());
    }
}
