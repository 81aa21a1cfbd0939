//! Reading logs: one stream to its end, or a whole group since a time, each line once and in order.

use std::collections::{HashMap, HashSet};

use aws_sdk_cloudwatchlogs::Client;
use aws_sdk_cloudwatchlogs::types::OrderBy;

use super::{SERVICE, failed};
use crate::aws::error::{self, AwsError};
use crate::aws::operation::LogsOperation;
use crate::aws::pages::Pages;

/// A line of a log stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogEvent {
    /// The text, without its line end.
    pub text: String,
    /// The service's own timestamp, in milliseconds since 1970.
    pub timestamp_ms: i64,
}

/// The maximum number of pages of one read: a page has up to 10,000 events and 1 MB.
const PAGES: usize = 8;

/// Follows one log stream from its start.
///
/// By polling, which loses nothing: live tail samples, may drop lines, and is billed.
#[derive(Debug)]
pub struct LogTail {
    client: Client,
    group: String,
    stream: String,
    token: Option<String>,
    caught_up: bool,
}

impl LogTail {
    /// Creates a tail of a stream, which need not exist yet.
    pub fn new(client: Client, group: impl Into<String>, stream: impl Into<String>) -> Self {
        Self { client, group: group.into(), stream: stream.into(), token: None, caught_up: false }
    }

    /// Returns whether the last read reached the stream's end. If not, there is more to read at once.
    pub fn caught_up(&self) -> bool {
        self.caught_up
    }

    /// Returns the lines since the last read; empty if the stream does not exist yet.
    ///
    /// # Errors
    /// When a read is denied, or fails before it has any line; lines read before an error are returned first.
    // Rule: a repeated forward token means caught up, not finished. After the writer's end, one more read is
    // needed. An empty page with a new token is not the end.
    // https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_GetLogEvents.html
    pub async fn next(&mut self) -> Result<Vec<LogEvent>, AwsError> {
        let mut lines = Vec::new();
        self.caught_up = false;
        for _ in 0..PAGES {
            let answer = self
                .client
                .get_log_events()
                .log_group_name(&self.group)
                .log_stream_name(&self.stream)
                .start_from_head(true)
                .set_next_token(self.token.clone())
                .send()
                .await
                .map_err(failed(LogsOperation::GetLogEvents));
            let page = match answer {
                Ok(page) => page,
                // Rule: group and stream are absent at first.
                // https://docs.aws.amazon.com/codebuild/latest/APIReference/API_LogsLocation.html
                Err(error) if error.is_not_found() => {
                    self.caught_up = true;
                    return Ok(lines);
                }
                // Lines before the error are returned now, and the error, if it persists, the next time.
                Err(_) if !lines.is_empty() => return Ok(lines),
                Err(error) => return Err(error),
            };
            for event in page.events.unwrap_or_default() {
                split_lines(
                    event.message.as_deref().unwrap_or_default(),
                    event.timestamp.unwrap_or_default(),
                    &mut lines,
                );
            }
            // A response without a token is the end, too.
            let is_last = page.next_forward_token.is_none() || page.next_forward_token == self.token;
            if page.next_forward_token.is_some() {
                self.token = page.next_forward_token;
            }
            if is_last {
                self.caught_up = true;
                break;
            }
        }
        Ok(lines)
    }

    /// Returns all lines up to the stream's current end.
    ///
    /// # Errors
    /// When a read is denied; the lines read before are lost.
    pub async fn drain(&mut self) -> Result<Vec<LogEvent>, AwsError> {
        let mut pages = Pages::new(SERVICE, "GetLogEvents");
        let mut lines = self.next().await?;
        while !self.caught_up {
            pages.continue_with(self.token.clone())?;
            lines.extend(self.next().await?);
        }
        Ok(lines)
    }
}

// An event may have several lines, with or without a final line end.
fn split_lines(message: &str, timestamp_ms: i64, lines: &mut Vec<LogEvent>) {
    let message = message.strip_suffix('\n').unwrap_or(message);
    lines.extend(
        message
            .split('\n')
            .map(|text| LogEvent { text: text.strip_suffix('\r').unwrap_or(text).to_owned(), timestamp_ms }),
    );
}

/// An event of a group, with its id.
struct GroupEvent {
    id: String,
    message: String,
    timestamp_ms: i64,
}

/// Returns the lines of all of a group's streams since a time (milliseconds since 1970) that match a filter pattern, by
/// time; empty if the group does not exist.
///
/// # Errors
/// When a page is denied, or the listing has no end (`ErrorKind::Oversized`); a missing group is no error.
pub async fn filter_events(
    client: &Client,
    group: &str,
    since_ms: i64,
    pattern: Option<&str>,
) -> Result<Vec<LogEvent>, AwsError> {
    let mut lines = Vec::new();
    for event in events_since(client, group, since_ms, pattern).await? {
        split_lines(&event.message, event.timestamp_ms, &mut lines);
    }
    Ok(lines)
}

async fn events_since(
    client: &Client,
    group: &str,
    since_ms: i64,
    pattern: Option<&str>,
) -> Result<Vec<GroupEvent>, AwsError> {
    let mut events = Vec::new();
    let mut pages = Pages::new(SERVICE, "FilterLogEvents");
    loop {
        let answer = client
            .filter_log_events()
            .log_group_name(group)
            .start_time(since_ms.max(0))
            .set_filter_pattern(pattern.map(str::to_owned))
            .set_next_token(pages.token())
            .send()
            .await
            .map_err(failed(LogsOperation::FilterLogEvents));
        let Some(page) = error::optional(answer)? else {
            break;
        };
        events.extend(page.events.unwrap_or_default().into_iter().map(|event| {
            let timestamp_ms = event.timestamp.unwrap_or_default();
            let message = event.message.unwrap_or_default();
            GroupEvent {
                id: event.event_id.unwrap_or_else(|| {
                    let stream = event.log_stream_name.unwrap_or_default();
                    format!("{stream} {timestamp_ms} {message}")
                }),
                message,
                timestamp_ms,
            }
        }));
        // Rule: pages may be empty and still have a next one.
        // https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_FilterLogEvents.html
        if !pages.continue_with(page.next_token)? {
            break;
        }
    }
    // Streams come one after another. The sort is stable: lines of one stream keep their order.
    events.sort_by_key(|event| event.timestamp_ms);
    Ok(events)
}

/// Follows all streams of a group: a function has one for every execution environment.
#[derive(Debug)]
pub struct GroupTail {
    client: Client,
    group: String,
    since_ms: i64,
    seen: HashMap<String, i64>,
}

impl GroupTail {
    /// Events appear some seconds after their timestamp, and unordered: reads overlap by this much.
    const OVERLAP_MS: i64 = 30_000;

    /// Creates a tail of a group, which need not exist yet, since a time (milliseconds since 1970).
    pub fn new(client: Client, group: impl Into<String>, since_ms: i64) -> Self {
        Self { client, group: group.into(), since_ms, seen: HashMap::new() }
    }

    /// Returns the lines since the last read, each once.
    ///
    /// # Errors
    /// When a page is denied, or the listing has no end (`ErrorKind::Oversized`); a missing group is no error.
    pub async fn next(&mut self) -> Result<Vec<LogEvent>, AwsError> {
        let events = events_since(&self.client, &self.group, self.since_ms, None).await?;
        let latest = events.last().map(|event| event.timestamp_ms);
        let mut lines = Vec::new();
        for event in events {
            if self.seen.insert(event.id, event.timestamp_ms).is_none() {
                split_lines(&event.message, event.timestamp_ms, &mut lines);
            }
        }
        if let Some(latest) = latest {
            self.since_ms = self.since_ms.max(latest - Self::OVERLAP_MS);
            self.seen.retain(|_, at| *at >= self.since_ms);
        }
        Ok(lines)
    }
}

/// Returns the names of a group's streams, the one with the latest event first, at most `limit` (50); empty if the
/// group does not exist.
///
/// # Errors
/// When the call is denied; a missing group is no error.
pub async fn latest_streams(client: &Client, group: &str, limit: u32) -> Result<Vec<String>, AwsError> {
    let answer = client
        .describe_log_streams()
        .log_group_name(group)
        .order_by(OrderBy::LastEventTime)
        .descending(true)
        .limit(i32::try_from(limit.clamp(1, 50)).unwrap_or(50))
        .send()
        .await
        .map_err(failed(LogsOperation::DescribeLogStreams));
    let streams = error::optional(answer)?.and_then(|page| page.log_streams).unwrap_or_default();
    let mut seen = HashSet::new();
    Ok(streams
        .into_iter()
        .filter_map(|stream| stream.log_stream_name)
        .filter(|name| seen.insert(name.clone()))
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn event_is_split_into_its_lines() {
        let mut lines = Vec::new();
        split_lines("one\n", 1, &mut lines);
        split_lines("two\r\n\nthree", 2, &mut lines);
        let texts: Vec<_> = lines.iter().map(|line| line.text.as_str()).collect();
        assert_eq!(texts, ["one", "two", "", "three"]);
        assert_eq!(lines[3].timestamp_ms, 2);
    }
}
