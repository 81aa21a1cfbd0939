//! CloudWatch Logs: groups, streams and events.
//!
//! awsim's service uses SQLite, which adds a quarter of a minute to a first build. Here each stream's events are an
//! append-only file, and the groups are saved like every other service's state.

mod events;
mod filter;
mod groups;
mod permissions;
mod stream;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use awsim_core::{AwsError, Protocol};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use stream::StreamEvents;
use thumbctl_platform::private_fs;

use self::permissions::{of_group, of_new_group, of_stream};
use crate::account::ACCOUNT;
use crate::latency::CallLatency;
use crate::operation::Handler::Sync;
use crate::operation::{Operation, Service};
use crate::service_registry::ServiceRegistry;
use crate::sync::lock;

/// A log group.
#[derive(Default, Serialize, Deserialize)]
struct GroupRecord {
    created: i64,
    #[serde(default)]
    retention: Option<u32>,
    #[serde(default)]
    tags: BTreeMap<String, String>,
    #[serde(default)]
    class: Option<String>,
    streams: BTreeMap<String, StreamRecord>,
}

/// A log stream.
#[derive(Serialize, Deserialize)]
struct StreamRecord {
    created: i64,
    /// The name of its file.
    file: String,
    #[serde(skip)]
    events: Option<StreamEvents>,
}

/// Groups by region and name.
type Groups = BTreeMap<String, BTreeMap<String, GroupRecord>>;

/// The CloudWatch Logs service.
pub(crate) struct Logs {
    dir: PathBuf,
    groups: Mutex<Groups>,
    /// Whether groups or streams have changed since the last snapshot. Events have their own files.
    changed: AtomicBool,
    number: AtomicU64,
}

impl Logs {
    pub(crate) fn new(services: &ServiceRegistry) -> std::io::Result<Self> {
        let dir = services.data_dir().join("logs");
        private_fs::create_dir_all(&dir)?;
        // Event numbers must increase over restarts.
        let number = u64::try_from(now()).unwrap_or_default() << 20;
        Ok(Self { dir, groups: Mutex::default(), changed: AtomicBool::new(false), number: AtomicU64::new(number) })
    }

    fn change(&self) {
        self.changed.store(true, Ordering::Release);
    }

    fn with_group<T>(
        &self,
        region: &str,
        name: &str,
        act: impl FnOnce(&mut GroupRecord) -> Result<T, AwsError>,
    ) -> Result<T, AwsError> {
        match lock(&self.groups).get_mut(region).and_then(|groups| groups.get_mut(name)) {
            Some(group) => act(group),
            None => Err(not_found("The specified log group does not exist.")),
        }
    }

    fn with_stream<T>(
        &self,
        region: &str,
        group: &str,
        name: &str,
        act: impl FnOnce(&mut StreamEvents) -> Result<T, AwsError>,
    ) -> Result<T, AwsError> {
        self.with_group(region, group, |group| match group.streams.get_mut(name) {
            Some(stream) => act(self.events(stream)?),
            None => Err(not_found("The specified log stream does not exist.")),
        })
    }

    /// A stream's events, read on first use.
    fn events<'a>(&self, stream: &'a mut StreamRecord) -> Result<&'a mut StreamEvents, AwsError> {
        let path = self.dir.join(&stream.file);
        match &mut stream.events {
            Some(events) => Ok(events),
            empty => Ok(empty.insert(StreamEvents::open(&path).map_err(|cause| broken(&cause))?)),
        }
    }
}

/// The latency of every call.
const LATENCY: CallLatency = CallLatency::LOGS;

impl Service for Logs {
    const NAME: &'static str = "logs";
    const PROTOCOL: Protocol = Protocol::AwsJson1_1;
    const REFERENCE: &'static str = "https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/";
    const OPERATIONS: &'static [Operation<Self>] = &[
        Operation::write("CreateLogGroup", LATENCY, of_new_group, Sync(Self::create_group)),
        Operation::write("DeleteLogGroup", LATENCY, of_stream, Sync(Self::delete_group)),
        Operation::read("DescribeLogGroups", LATENCY, of_stream, Sync(Self::describe_groups)),
        Operation::write("PutRetentionPolicy", LATENCY, of_stream, Sync(Self::put_retention)),
        Operation::write("DeleteRetentionPolicy", LATENCY, of_stream, Sync(Self::delete_retention)),
        Operation::write("TagResource", LATENCY, of_group, Sync(Self::tag)),
        Operation::write("TagLogGroup", LATENCY, of_stream, Sync(Self::tag)),
        Operation::write("UntagResource", LATENCY, of_group, Sync(Self::untag)),
        Operation::write("UntagLogGroup", LATENCY, of_stream, Sync(Self::untag)),
        Operation::read("ListTagsForResource", LATENCY, of_group, Sync(Self::list_tags)),
        Operation::read("ListTagsLogGroup", LATENCY, of_stream, Sync(Self::list_tags)),
        Operation::write("CreateLogStream", LATENCY, of_stream, Sync(Self::create_stream)),
        Operation::write("DeleteLogStream", LATENCY, of_stream, Sync(Self::delete_stream)),
        Operation::read("DescribeLogStreams", LATENCY, of_stream, Sync(Self::describe_streams)),
        Operation::write("PutLogEvents", LATENCY, of_stream, Sync(Self::put_events)),
        Operation::read("GetLogEvents", LATENCY, of_stream, Sync(Self::get_events)),
        Operation::read("FilterLogEvents", LATENCY, of_stream, Sync(Self::filter_events)),
    ];

    fn snapshot(&self) -> Option<Vec<u8>> {
        if !self.changed.swap(false, Ordering::AcqRel) {
            return None;
        }
        serde_json::to_vec(&*lock(&self.groups)).ok()
    }

    fn restore(&self, data: &[u8]) -> Result<(), String> {
        let groups: Groups = serde_json::from_slice(data).map_err(|cause| cause.to_string())?;
        let mut streams = groups.values().flat_map(BTreeMap::values).flat_map(|group| group.streams.values());
        if let Some(stream) = streams.find(|stream| !is_file_name(&stream.file)) {
            return Err(format!(
                "'{}' is not the name of a stream's file",
                thumbctl_platform::text::clean(&stream.file)
            ));
        }
        *lock(&self.groups) = groups;
        Ok(())
    }
}

/// Whether a name is a stream file's, 32 hexadecimal digits, and so safe as a path.
fn is_file_name(name: &str) -> bool {
    name.strip_suffix(".jsonl")
        .is_some_and(|stem| stem.len() == 32 && stem.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

/// The group's name from any of its members.
fn group_name(input: &Value) -> Result<String, AwsError> {
    let named = ["logGroupName", "logGroupIdentifier", "resourceArn"].iter().find_map(|field| input[*field].as_str());
    let name = named.ok_or_else(|| invalid("logGroupName is required"))?;
    // An ARN may end in `:*`.
    let name = name.split_once(":log-group:").map_or(name, |(_, name)| name.trim_end_matches(":*"));
    let legal = |c: char| c.is_ascii_alphanumeric() || "._-/#".contains(c);
    if name.is_empty() || name.len() > 512 || !name.chars().all(legal) {
        return Err(invalid(format!(
            "1 validation error detected: Value '{name}' at 'logGroupName' failed to satisfy constraint: Member must satisfy regular expression pattern: [\\.\\-_/#A-Za-z0-9]+"
        )));
    }
    Ok(name.to_owned())
}

fn stream_name(input: &Value) -> Result<String, AwsError> {
    match input["logStreamName"].as_str() {
        Some(name) if !name.is_empty() && name.len() <= 512 && !name.contains([':', '*']) => Ok(name.to_owned()),
        _ => Err(invalid(
            "1 validation error detected: Value at 'logStreamName' failed to satisfy constraint: Member must satisfy regular expression pattern: [^:*]*",
        )),
    }
}

fn group_arn(region: &str, name: &str) -> String {
    format!("arn:aws:logs:{region}:{ACCOUNT}:log-group:{name}")
}

fn not_found(message: &str) -> AwsError {
    AwsError::bad_request("ResourceNotFoundException", message)
}

fn exists(what: &str) -> AwsError {
    AwsError::bad_request("ResourceAlreadyExistsException", format!("The specified {what} already exists"))
}

fn invalid(message: impl Into<String>) -> AwsError {
    AwsError::bad_request("InvalidParameterException", message)
}

fn broken(cause: &std::io::Error) -> AwsError {
    crate::error::log_error(format_args!("logs: {cause}"));
    AwsError::internal(format!("the sandbox's disk: {cause}"))
}

fn now() -> i64 {
    chrono::Utc::now().timestamp_millis()
}

#[cfg(test)]
mod tests;
