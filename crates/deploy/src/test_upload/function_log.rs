//! What the function's log says about one image.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use serde::Deserialize;

use crate::aws::logs::LogEvent;

/// What the function's log says about one image.
#[derive(Debug, PartialEq)]
pub(super) struct Invocation {
    /// When the invocation began, by Lambda's clock.
    pub(super) started: DateTime<Utc>,
    /// Whether a process had to be started for it; known once its REPORT line has come.
    pub(super) cold: Option<bool>,
    /// Why there is no thumbnail.
    pub(super) error: Option<String>,
}

/// The parts of the function's own line that matter here.
#[derive(Deserialize)]
struct Line {
    level: String,
    message: String,
    request_id: String,
    key: Option<String>,
}

/// What the log says.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Reading {
    /// The invocation that handled the object, if the function has said so.
    pub(super) invocation: Option<Invocation>,
    /// What Lambda says of invocations that ended without a word of the function's: killed at their time limit, or
    /// crashed. Whose image it was, nobody says.
    pub(super) lost: Vec<String>,
}

/// Reads the function's structured lines, and Lambda's lines around them, for one object uploaded at `uploaded_ms`.
pub(super) fn read(key: &str, uploaded_ms: i64, lines: &[LogEvent]) -> Reading {
    let mut started: BTreeMap<&str, i64> = BTreeMap::new();
    let mut spoken: BTreeSet<String> = BTreeSet::new();
    let mut ours: Option<(Line, i64)> = None;
    let mut reports: BTreeMap<&str, bool> = BTreeMap::new();
    let mut killed: Vec<(&str, &str)> = Vec::new();
    for line in lines {
        let text = line.text.trim_end();
        if let Some(rest) = text.strip_prefix("START RequestId: ") {
            started.insert(first_word(rest), line.timestamp_ms);
        } else if let Some(rest) = text.strip_prefix("REPORT RequestId: ") {
            // Rule: Lambda gives an init duration for a cold start only.
            reports.insert(first_word(rest), rest.contains("Init Duration:"));
        } else if text.contains(" Task timed out after ") || text.contains("Error: Runtime exited") {
            let is_id = |word: &&str| word.len() == 36 && word.matches('-').count() == 4;
            killed.extend(text.split_whitespace().find(is_id).map(|id| (id, text)));
        } else if let Ok(said) = serde_json::from_str::<Line>(text) {
            spoken.insert(said.request_id.clone());
            if said.key.as_deref() == Some(key) {
                ours = Some((said, line.timestamp_ms));
            }
        }
    }
    let lost = killed
        .into_iter()
        .filter(|(id, _)| !spoken.contains(*id) && started.get(id).is_some_and(|&at| at >= uploaded_ms))
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
    Reading { invocation, lost }
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
    fn a_cold_start_is_told_by_its_report() {
        let said = format!(r#"{{"level":"INFO","message":"thumbnail made","request_id":"{ID}","key":"a/x.jpg"}}"#);
        let report = format!("REPORT RequestId: {ID}\tDuration: 9 ms\tInit Duration: 20 ms");
        let log = lines(&[&format!("START RequestId: {ID} Version: $LATEST"), &said, &report]);
        let reading = read("a/x.jpg", 0, &log);
        let invocation = reading.invocation.expect("the log names the key");
        assert_eq!((invocation.cold, invocation.error), (Some(true), None));
        assert_eq!(invocation.started.timestamp_millis(), 1_000);
        assert_eq!(read("a/other.jpg", 0, &log), Reading::default());
    }

    #[test]
    fn an_error_line_is_the_reason() {
        let said = format!(r#"{{"level":"ERROR","message":"cut short","request_id":"{ID}","key":"x"}}"#);
        let reading = read("x", 0, &lines(&[&said]));
        assert_eq!(reading.invocation.and_then(|invocation| invocation.error).as_deref(), Some("cut short"));
    }

    #[test]
    fn an_invocation_that_was_killed_is_lost_unless_it_is_an_old_one() {
        let start = format!("START RequestId: {ID} Version: $LATEST");
        let killed = format!("2026-11-22T13:05:09.123Z {ID} Task timed out after 3.00 seconds");
        let log = lines(&[&start, &killed]);
        assert_eq!(read("x", 500, &log).lost, [killed]);
        assert!(read("x", 5_000, &log).lost.is_empty());
    }
}
