//! Log groups and streams.

use awsim_core::{AwsError, RequestContext};
use serde_json::{Value, json};

use super::{GroupRecord, Logs, StreamRecord, exists, group_arn, group_name, invalid, not_found, now, stream_name};
use crate::operation::{ApiCall, ApiResult};
use crate::sync::lock;

/// The allowed retention periods.
const DAYS: [u32; 23] =
    [1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653, 3654];

impl Logs {
    pub(super) fn create_group(&self, &ApiCall { input, context, .. }: &ApiCall<'_>) -> ApiResult {
        refuse_system_tags(input, context)?;
        let name = group_name(input)?;
        let mut groups = lock(&self.groups);
        let groups = groups.entry(context.region.clone()).or_default();
        if groups.contains_key(&name) {
            return Err(exists("log group"));
        }
        let mut group = GroupRecord { created: now(), ..GroupRecord::default() };
        group.class = input["logGroupClass"].as_str().map(str::to_owned);
        add_tags(&mut group, &input["tags"]);
        groups.insert(name, group);
        self.change();
        Ok(json!({}))
    }

    pub(super) fn delete_group(&self, &ApiCall { input, context, .. }: &ApiCall<'_>) -> ApiResult {
        let name = group_name(input)?;
        let group = lock(&self.groups).get_mut(&context.region).and_then(|groups| groups.remove(&name));
        let group = group.ok_or_else(|| not_found("The specified log group does not exist."))?;
        for stream in group.streams.values() {
            self.delete_file(stream);
        }
        self.change();
        Ok(json!({}))
    }

    pub(super) fn describe_groups(&self, &ApiCall { input, context, .. }: &ApiCall<'_>) -> ApiResult {
        let limit = limit(input, 50)?;
        let prefix = input["logGroupNamePrefix"].as_str().unwrap_or("");
        let pattern = input["logGroupNamePattern"].as_str().map(str::to_lowercase);
        if pattern.is_some() && !input["logGroupNamePrefix"].is_null() {
            return Err(invalid("LogGroup name prefix and LogGroup name pattern are mutually exclusive parameters."));
        }
        let after = input["nextToken"].as_str();
        let mut all = lock(&self.groups);
        let Some(groups) = all.get_mut(&context.region) else {
            return Ok(json!({ "logGroups": [] }));
        };
        let mut found = Vec::new();
        for (name, group) in groups.iter_mut() {
            if !name.starts_with(prefix)
                || after.is_some_and(|after| name.as_str() <= after)
                || pattern.as_ref().is_some_and(|pattern| !name.to_lowercase().contains(pattern))
            {
                continue;
            }
            if found.len() == limit {
                let last = found.last().map(|group: &Value| group["logGroupName"].clone());
                return Ok(json!({ "logGroups": found, "nextToken": last }));
            }
            let mut stored = 0;
            for stream in group.streams.values_mut() {
                stored += self.events(stream)?.bytes;
            }
            let arn = group_arn(&context.region, name);
            let mut description = json!({
                "logGroupName": name,
                "creationTime": group.created,
                "metricFilterCount": 0,
                "arn": format!("{arn}:*"),
                "logGroupArn": arn,
                "storedBytes": stored,
                "logGroupClass": group.class.as_deref().unwrap_or("STANDARD"),
            });
            if let Some(days) = group.retention {
                description["retentionInDays"] = days.into();
            }
            found.push(description);
        }
        Ok(json!({ "logGroups": found }))
    }

    pub(super) fn put_retention(&self, call: &ApiCall<'_>) -> ApiResult {
        let name = group_name(call.input)?;
        let days = call.input["retentionInDays"].as_u64().and_then(|days| u32::try_from(days).ok());
        let days = days.filter(|days| DAYS.contains(days)).ok_or_else(|| {
            invalid(format!(
                "1 validation error detected: Value at 'retentionInDays' failed to satisfy constraint: Member must satisfy enum value set: {DAYS:?}"
            ))
        })?;
        self.set_retention(call, &name, Some(days))
    }

    pub(super) fn delete_retention(&self, call: &ApiCall<'_>) -> ApiResult {
        self.set_retention(call, &group_name(call.input)?, None)
    }

    fn set_retention(&self, call: &ApiCall<'_>, name: &str, days: Option<u32>) -> ApiResult {
        self.with_group(&call.context.region, name, |group| {
            group.retention = days;
            self.change();
            Ok(json!({}))
        })
    }

    pub(super) fn tag(&self, &ApiCall { input, context, .. }: &ApiCall<'_>) -> ApiResult {
        refuse_system_tags(input, context)?;
        self.with_group(&context.region, &group_name(input)?, |group| {
            add_tags(group, &input["tags"]);
            self.change();
            Ok(json!({}))
        })
    }

    pub(super) fn untag(&self, &ApiCall { input, context, .. }: &ApiCall<'_>) -> ApiResult {
        refuse_system_tags(input, context)?;
        let keys = if input["tagKeys"].is_array() { &input["tagKeys"] } else { &input["tags"] };
        self.with_group(&context.region, &group_name(input)?, |group| {
            for key in keys.as_array().into_iter().flatten().filter_map(Value::as_str) {
                group.tags.remove(key);
            }
            self.change();
            Ok(json!({}))
        })
    }

    pub(super) fn list_tags(&self, &ApiCall { input, context, .. }: &ApiCall<'_>) -> ApiResult {
        self.with_group(&context.region, &group_name(input)?, |group| Ok(json!({ "tags": group.tags })))
    }

    pub(super) fn create_stream(&self, &ApiCall { input, context, .. }: &ApiCall<'_>) -> ApiResult {
        let (group, name) = (group_name(input)?, stream_name(input)?);
        self.with_group(&context.region, &group, |group| {
            if group.streams.contains_key(&name) {
                return Err(exists("log stream"));
            }
            // A separate file name, since the stream's may have slashes and any length.
            let file = format!("{}.jsonl", uuid::Uuid::new_v4().simple());
            group.streams.insert(name, StreamRecord { created: now(), file, events: None });
            self.change();
            Ok(json!({}))
        })
    }

    pub(super) fn delete_stream(&self, &ApiCall { input, context, .. }: &ApiCall<'_>) -> ApiResult {
        let (group, name) = (group_name(input)?, stream_name(input)?);
        self.with_group(&context.region, &group, |group| {
            let stream = group.streams.remove(&name);
            let stream = stream.ok_or_else(|| not_found("The specified log stream does not exist."))?;
            self.delete_file(&stream);
            self.change();
            Ok(json!({}))
        })
    }

    pub(super) fn describe_streams(&self, &ApiCall { input, context, .. }: &ApiCall<'_>) -> ApiResult {
        let group_name = group_name(input)?;
        let limit = limit(input, 50)?;
        let prefix = input["logStreamNamePrefix"].as_str().unwrap_or("");
        let by_time = match input["orderBy"].as_str() {
            None | Some("LogStreamName") => false,
            Some("LastEventTime") if prefix.is_empty() => true,
            Some("LastEventTime") => {
                return Err(invalid("Cannot order by LastEventTime with a logStreamNamePrefix."));
            }
            Some(_) => return Err(invalid("orderBy must be LogStreamName or LastEventTime")),
        };
        let after = input["nextToken"].as_str();
        self.with_group(&context.region, &group_name, |group| {
            let mut found: Vec<(Option<i64>, Value)> = Vec::new();
            for (name, stream) in group.streams.iter_mut().filter(|(name, _)| name.starts_with(prefix)) {
                let created = stream.created;
                let events = self.events(stream)?;
                let mut description = json!({
                    "logStreamName": name,
                    "creationTime": created,
                    "arn": format!("{}:log-stream:{name}", group_arn(&context.region, &group_name)),
                    "storedBytes": 0,
                    "uploadSequenceToken": "49039859668105112536411900270829418",
                });
                if let (Some(first), Some(last)) = (events.entries.first(), events.entries.last()) {
                    description["firstEventTimestamp"] = first.at.time.into();
                    description["lastEventTimestamp"] = last.at.time.into();
                    description["lastIngestionTime"] = events.last_ingestion.into();
                }
                let last = events.entries.last().map(|last| last.at.time);
                found.push((last.or(Some(created)), description));
            }
            if by_time {
                found.sort_by_key(|(time, _)| *time);
            }
            if input["descending"].as_bool() == Some(true) {
                found.reverse();
            }
            let skip = match after {
                None => 0,
                Some(after) => found
                    .iter()
                    .position(|(_, stream)| stream["logStreamName"].as_str() == Some(after))
                    .map_or(found.len(), |at| at + 1),
            };
            let more = found.len().saturating_sub(skip) > limit;
            let page: Vec<Value> = found.into_iter().skip(skip).take(limit).map(|(_, stream)| stream).collect();
            let mut answer = json!({});
            if let (true, Some(last)) = (more, page.last()) {
                answer["nextToken"] = last["logStreamName"].clone();
            }
            answer["logStreams"] = page.into();
            Ok(answer)
        })
    }

    fn delete_file(&self, stream: &StreamRecord) {
        match &stream.events {
            Some(events) => events.delete(),
            None => {
                let _ = std::fs::remove_file(self.dir.join(&stream.file));
            }
        }
    }
}

/// Refuses `aws:` tags, which only CloudFormation sets and removes.
fn refuse_system_tags(input: &Value, context: &RequestContext) -> Result<(), AwsError> {
    let set = input["tags"].as_object().into_iter().flat_map(|tags| tags.keys()).map(String::as_str);
    let lists = [&input["tagKeys"], &input["tags"]].into_iter().filter_map(Value::as_array);
    let mut named = set.chain(lists.flatten().filter_map(Value::as_str));
    match named.find(|key| key.starts_with("aws:")) {
        Some(key) if !context.internal_bypass => {
            Err(invalid(format!("The tag key '{key}' is reserved: keys must not begin with aws:")))
        }
        _ => Ok(()),
    }
}

fn add_tags(group: &mut GroupRecord, tags: &Value) {
    for (key, value) in tags.as_object().into_iter().flatten() {
        group.tags.insert(key.clone(), value.as_str().unwrap_or_default().to_owned());
    }
}

fn limit(input: &Value, most: usize) -> Result<usize, AwsError> {
    match input["limit"].as_u64() {
        None => Ok(most),
        Some(limit) if (1..=most as u64).contains(&limit) => Ok(limit as usize),
        Some(limit) => Err(invalid(format!(
            "1 validation error detected: Value '{limit}' at 'limit' failed to satisfy constraint: Member must have value less than or equal to {most}"
        ))),
    }
}
