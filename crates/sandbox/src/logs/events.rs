//! Puts, gets and filters events.

use std::sync::atomic::Ordering;

use awsim_core::AwsError;
use serde_json::{Value, json};

use super::filter::FilterPattern;
use super::stream::{EventEntry, EventPosition, START};
use super::{Logs, broken, group_name, invalid, not_found, now, stream_name};
use crate::operation::{ApiCall, ApiResult};

/// The limits of one response.
const PAGE_EVENTS: usize = 10_000;
const PAGE_BYTES: usize = 1024 * 1024;

impl Logs {
    pub(super) fn put_events(&self, &ApiCall { input, context, .. }: &ApiCall<'_>) -> ApiResult {
        let (group, stream) = (group_name(input)?, stream_name(input)?);
        let given = input["logEvents"].as_array().filter(|events| !events.is_empty());
        let given = given.ok_or_else(|| invalid("1 validation error detected: Value at 'logEvents' failed to satisfy constraint: Member must have length greater than or equal to 1"))?;
        if given.len() > PAGE_EVENTS {
            return Err(invalid("Log event batch exceeds 10000 events"));
        }
        let now = now();
        let (day, mut last, mut bytes) = (86_400_000, i64::MIN, 0);
        let (mut old, mut future) = (None, None);
        let mut new = Vec::with_capacity(given.len());
        for (index, event) in given.iter().enumerate() {
            let (Some(time), Some(message)) = (event["timestamp"].as_i64(), event["message"].as_str()) else {
                return Err(invalid("Each log event needs a timestamp and a message"));
            };
            if message.is_empty() {
                return Err(invalid("Log event message must have length greater than or equal to 1"));
            }
            bytes += message.len() + 26;
            if time < last {
                return Err(invalid("Log events in a single PutLogEvents request must be in chronological order."));
            }
            last = time;
            if time < now - 14 * day {
                old = Some(index + 1);
            } else if time > now + day / 12 {
                future = future.or(Some(index));
            } else {
                new.push((self.number.fetch_add(1, Ordering::Relaxed), time, message.to_owned()));
            }
        }
        if bytes > PAGE_BYTES {
            return Err(invalid("Upload too large: the batch is over 1048576 bytes"));
        }
        self.with_stream(&context.region, &group, &stream, |events| {
            events.append(&new, now).map_err(|cause| broken(&cause))
        })?;
        let mut answer = json!({ "nextSequenceToken": "49039859668105112536411900270829418" });
        if let Some(end) = old {
            answer["rejectedLogEventsInfo"]["tooOldLogEventEndIndex"] = end.into();
        }
        if let Some(start) = future {
            answer["rejectedLogEventsInfo"]["tooNewLogEventStartIndex"] = start.into();
        }
        Ok(answer)
    }

    /// Returns a page forwards from a token or the head, or backwards from a token or the tail. As on AWS, the same forward
    /// token is returned when there are no newer events.
    pub(super) fn get_events(&self, &ApiCall { input, context, .. }: &ApiCall<'_>) -> ApiResult {
        let (group, stream) = (group_name(input)?, stream_name(input)?);
        let limit = page_limit(input)?;
        let from = input["startTime"].as_i64().unwrap_or(i64::MIN);
        let to = input["endTime"].as_i64().unwrap_or(i64::MAX);
        let token = input["nextToken"].as_str().map(read_token).transpose()?;
        self.with_stream(&context.region, &group, &stream, |events| {
            let low = events.entries.partition_point(|entry| entry.at.time < from);
            let high = events.entries.partition_point(|entry| entry.at.time < to).max(low);
            let window = &events.entries[low..high];
            let head = input["startFromHead"].as_bool() == Some(true);
            let (page, forward) = match token {
                Some((true, after)) => {
                    let start = window.partition_point(|entry| entry.at <= after);
                    (&window[start..], true)
                }
                Some((false, before)) => {
                    let end = window.partition_point(|entry| entry.at < before);
                    (&window[..end], false)
                }
                None => (window, head),
            };
            let page = if forward { &page[..page.len().min(limit)] } else { &page[page.len().saturating_sub(limit)..] };
            let mut messages = events.messages(page).map_err(|cause| broken(&cause))?;
            let mut page = page.to_vec();
            trim(&mut page, &mut messages, forward);
            let given = token.map(|(_, at)| at);
            let last = page.last().map(|entry| entry.at).or(given).unwrap_or(START);
            let first = page.first().map(|entry| entry.at).or(given).unwrap_or(START);
            let found: Vec<Value> = page
                .iter()
                .zip(messages)
                .map(|(entry, message)| {
                    json!({ "timestamp": entry.at.time, "message": message, "ingestionTime": entry.ingested })
                })
                .collect();
            Ok(json!({
                "events": found,
                "nextForwardToken": write_token('f', last),
                "nextBackwardToken": write_token('b', first),
            }))
        })
    }

    pub(super) fn filter_events(&self, &ApiCall { input, context, .. }: &ApiCall<'_>) -> ApiResult {
        let group = group_name(input)?;
        let limit = page_limit(input)?;
        let pattern = FilterPattern::read(input["filterPattern"].as_str().unwrap_or(""))?;
        let names: Option<Vec<&str>> =
            input["logStreamNames"].as_array().map(|names| names.iter().filter_map(Value::as_str).collect());
        let prefix = input["logStreamNamePrefix"].as_str();
        if names.is_some() && prefix.is_some() {
            return Err(invalid("Only one of logStreamNames and logStreamNamePrefix can be given"));
        }
        let from = input["startTime"].as_i64().unwrap_or(i64::MIN);
        let to = input["endTime"].as_i64().unwrap_or(i64::MAX);
        let after = match input["nextToken"].as_str() {
            Some(token) => read_token(token)?.1,
            None => START,
        };
        self.with_group(&context.region, &group, |group| {
            if let Some(missing) = names.iter().flatten().find(|name| !group.streams.contains_key(**name)) {
                return Err(not_found(&format!("The specified log stream does not exist: {missing}")));
            }
            let mut found: Vec<(EventPosition, Value, usize)> = Vec::new();
            for (name, stream) in &mut group.streams {
                let selected = names.as_ref().is_none_or(|names| names.contains(&name.as_str()))
                    && prefix.is_none_or(|prefix| name.starts_with(prefix));
                if !selected {
                    continue;
                }
                let events = self.events(stream)?;
                let start = events.entries.partition_point(|entry| entry.at.time < from || entry.at <= after);
                let end = events.entries.partition_point(|entry| entry.at.time <= to).max(start);
                let mut taken = 0;
                // In chunks, up to the limit per stream.
                for entries in events.entries[start..end].chunks(256) {
                    let messages = events.messages(entries).map_err(|cause| broken(&cause))?;
                    for (entry, message) in entries.iter().zip(messages) {
                        if taken <= limit && pattern.matches(&message) {
                            taken += 1;
                            found.push((entry.at, event(name, entry, &message), message.len()));
                        }
                    }
                    if taken > limit {
                        break;
                    }
                }
            }
            found.sort_by_key(|(at, _, _)| *at);
            let mut bytes = 0;
            let fitting = found.iter().take(limit).take_while(|(_, _, length)| {
                bytes += length + 26;
                bytes <= PAGE_BYTES
            });
            let count = fitting.count().max(1).min(found.len());
            let more = count < found.len();
            found.truncate(count);
            let mut answer = json!({ "searchedLogStreams": [] });
            if let (true, Some((at, _, _))) = (more, found.last()) {
                answer["nextToken"] = write_token('f', *at).into();
            }
            answer["events"] = found.into_iter().map(|(_, event, _)| event).collect();
            Ok(answer)
        })
    }
}

fn event(stream: &str, entry: &EventEntry, message: &str) -> Value {
    json!({
        "logStreamName": stream,
        "timestamp": entry.at.time,
        "message": message,
        "ingestionTime": entry.ingested,
        "eventId": format!("{:020}{:036}", entry.at.time.max(0), entry.at.number),
    })
}

/// Trims a page to the response's size, at the far end of the read direction.
fn trim(page: &mut Vec<EventEntry>, messages: &mut Vec<String>, forward: bool) {
    let mut bytes = 0;
    let fits = |message: &&String| {
        bytes += message.len() + 26;
        bytes <= PAGE_BYTES
    };
    let kept =
        if forward { messages.iter().take_while(fits).count() } else { messages.iter().rev().take_while(fits).count() };
    let kept = kept.max(1).min(page.len());
    if forward {
        page.truncate(kept);
        messages.truncate(kept);
    } else {
        page.drain(..page.len() - kept);
        messages.drain(..messages.len() - kept);
    }
}

fn page_limit(input: &Value) -> Result<usize, AwsError> {
    match input["limit"].as_u64() {
        None => Ok(PAGE_EVENTS),
        Some(limit) if (1..=PAGE_EVENTS as u64).contains(&limit) => Ok(limit as usize),
        Some(_) => Err(invalid("limit must be between 1 and 10000")),
    }
}

fn write_token(direction: char, at: EventPosition) -> String {
    format!("{direction}/{:+020}{:020}/s", at.time, at.number)
}

/// Reads a token: whether it is forward, and its position.
fn read_token(token: &str) -> Result<(bool, EventPosition), AwsError> {
    let read = || {
        let forward = match token.get(..2)? {
            "f/" => true,
            "b/" => false,
            _ => return None,
        };
        let body = token.get(2..)?.strip_suffix("/s")?;
        let (time, number) = (body.get(..20)?, body.get(20..)?);
        Some((forward, EventPosition { time: time.parse().ok()?, number: number.parse().ok()? }))
    };
    read().ok_or_else(|| invalid("The specified nextToken is invalid."))
}
