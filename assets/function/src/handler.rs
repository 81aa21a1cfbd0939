//! Handles one invocation, record by record.

use std::panic::catch_unwind;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use lambda_runtime::Diagnostic;
use serde::Serialize;
use serde_json::Value;
use thiserror::Error;

use crate::event::{Event, EventError, Record};
use crate::log::{ImageSize, LogEntry, LogSink, StageDurations, WrittenThumbnail};
use crate::settings::Settings;
use crate::store::{CertificatesError, ObjectStore, StoreError};
use crate::thumbnail::{self, Thumbnail, ThumbnailError, ThumbnailLimits};

/// The prefix of a thumbnail's key.
const PREFIX: &str = "thumb-";

/// The time reserved for reporting an error before Lambda ends the invocation.
const RESERVE: Duration = Duration::from_millis(500);

/// Handles invocations.
pub struct Handler {
    settings: Settings,
    store: ObjectStore,
    log: LogSink,
}

/// The response of a successful invocation.
#[derive(Debug, Serialize, PartialEq, Eq)]
pub struct InvocationResponse {
    /// The keys of the written thumbnails.
    pub thumbnails: Vec<String>,
}

/// Why an invocation failed.
#[derive(Debug, Error)]
pub enum InvocationError {
    /// The event is not from S3.
    #[error(transparent)]
    Event(#[from] EventError),
    /// Some objects have no thumbnail. The event's other objects do.
    #[error("{}", describe_failures(.0))]
    Objects(Vec<RecordFailure>),
}

/// An object without a thumbnail.
#[derive(Debug)]
pub struct RecordFailure {
    /// The record of the object.
    pub record: Record,
    /// The cause.
    pub error: RecordError,
}

/// Why an object has no thumbnail.
#[derive(Debug, Error)]
pub enum RecordError {
    /// The object is a thumbnail in the destination bucket.
    #[error("it is a thumbnail already: source and destination bucket are the same, which would recurse")]
    Recursion,
    /// The object could not be read.
    #[error(transparent)]
    Get(StoreError),
    /// The image cannot be converted.
    #[error(transparent)]
    Thumbnail(#[from] ThumbnailError),
    /// The thumbnail could not be written.
    #[error("its thumbnail could not be written: {bucket}/{key}: {error}")]
    Put {
        /// The destination bucket.
        bucket: String,
        /// The thumbnail's key.
        key: String,
        /// The cause.
        error: StoreError,
    },
}

impl RecordError {
    /// The kind of failure in one word, for programs.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Recursion => "Recursion",
            Self::Thumbnail(error) => error.kind(),
            Self::Get(error) | Self::Put { error, .. } => error.kind(),
        }
    }
}

fn describe_failures(failures: &[RecordFailure]) -> String {
    let one = |failure: &RecordFailure| {
        let Record { bucket, key, .. } = &failure.record;
        format!("no thumbnail of {bucket}/{key}: {}", failure.error)
    };
    failures.iter().map(one).collect::<Vec<_>>().join("; ")
}

impl From<InvocationError> for Diagnostic {
    fn from(error: InvocationError) -> Self {
        let kind = match &error {
            InvocationError::Event(_) => "NotAnS3Event",
            // Several failures have the kind of the first.
            InvocationError::Objects(failures) => failures.first().map_or("Failed", |failure| failure.error.kind()),
        };
        Self { error_type: kind.to_owned(), error_message: error.to_string() }
    }
}

/// A record with a written thumbnail.
struct ProcessedRecord {
    key: String,
    thumbnail: Thumbnail,
    source_bytes: u64,
    stages: StageDurations,
}

impl Handler {
    /// Creates a handler that logs to `log`.
    pub fn new(settings: Settings, log: LogSink) -> Result<Self, CertificatesError> {
        let store = ObjectStore::new(&settings)?;
        Ok(Self { settings, store, log })
    }

    /// Handles one event. Blocks until it is done or `until` has passed.
    pub fn handle(
        &self,
        payload: Value,
        request_id: &str,
        until: Instant,
    ) -> Result<InvocationResponse, InvocationError> {
        let line = LogEntry { level: "INFO", request_id, ..LogEntry::default() };
        let records = match Event::parse(&payload) {
            Ok(Event::Records(records)) => records,
            Ok(Event::Test { bucket }) => {
                let message = "S3's test event: the notification is configured".to_owned();
                let bucket = bucket.as_str();
                self.write(LogEntry { message, bucket, ..line });
                return Ok(InvocationResponse { thumbnails: Vec::new() });
            }
            Err(error) => {
                self.write(LogEntry {
                    level: "ERROR",
                    message: error.to_string(),
                    error: Some("NotAnS3Event"),
                    ..line
                });
                return Err(error.into());
            }
        };

        let mut thumbnails = Vec::new();
        let mut failures = Vec::new();
        for record in records {
            match self.record(&record, request_id, until) {
                Ok(thumbnail) => thumbnails.extend(thumbnail),
                Err(error) => failures.push(RecordFailure { record, error }),
            }
        }
        if failures.is_empty() {
            Ok(InvocationResponse { thumbnails })
        } else {
            Err(InvocationError::Objects(failures))
        }
    }

    /// Handles and logs one record. Returns the thumbnail's key, if the record needs one.
    fn record(&self, record: &Record, request_id: &str, until: Instant) -> Result<Option<String>, RecordError> {
        let start = Instant::now();
        let line = LogEntry {
            level: "INFO",
            request_id,
            bucket: &record.bucket,
            key: Some(&record.key),
            ..LogEntry::default()
        };
        if !record.is_creation() {
            let message = format!("ignored {}", record.name);
            self.write(LogEntry { message, ..line });
            return Ok(None);
        }
        let result = self.create_thumbnail(record, until);
        let milliseconds = Some(elapsed_milliseconds(start));
        match result {
            Ok(done) => {
                let Thumbnail { width, height, .. } = done.thumbnail;
                self.write(LogEntry {
                    message: "thumbnail written".to_owned(),
                    source: Some(ImageSize {
                        width: done.thumbnail.source_width,
                        height: done.thumbnail.source_height,
                        bytes: done.source_bytes,
                    }),
                    thumbnail: Some(WrittenThumbnail {
                        bucket: &self.settings.destination,
                        key: &done.key,
                        content_type: done.thumbnail.content_type,
                        size: ImageSize { width, height, bytes: done.thumbnail.bytes.len() as u64 },
                    }),
                    milliseconds,
                    stages: Some(done.stages),
                    ..line
                });
                Ok(Some(done.key))
            }
            Err(error) => {
                self.write(LogEntry {
                    level: "ERROR",
                    message: format!("no thumbnail of {}/{}: {error}", record.bucket, record.key),
                    error: Some(error.kind()),
                    milliseconds,
                    ..line
                });
                Err(error)
            }
        }
    }

    fn create_thumbnail(&self, record: &Record, until: Instant) -> Result<ProcessedRecord, RecordError> {
        let destination = &self.settings.destination;
        if record.bucket == *destination && record.key.starts_with(PREFIX) {
            return Err(RecordError::Recursion);
        }
        let start = Instant::now();
        let source = self
            .store
            .get(&record.bucket, &record.key, self.settings.object_limit(), until)
            .map_err(RecordError::Get)?;
        let download = elapsed_milliseconds(start);

        let start = Instant::now();
        let limits = ThumbnailLimits { max_side: self.settings.max_side, memory: self.settings.decode_limit() };
        let source_bytes = source.len() as u64;
        // A panic of a decoder must only fail this record.
        let thumbnail = catch_unwind(|| thumbnail::make(&source, limits)).unwrap_or_else(|_| {
            Err(ThumbnailError::Broken { format: "kind of", reason: "the decoder failed".to_owned() })
        })?;
        drop(source);
        let resize = elapsed_milliseconds(start);

        let start = Instant::now();
        let key = format!("{PREFIX}{}", record.key);
        self.store
            .put(destination, &key, thumbnail.content_type, &thumbnail.bytes, until)
            .map_err(|error| RecordError::Put { bucket: destination.clone(), key: key.clone(), error })?;
        let stages = StageDurations { download, resize, upload: elapsed_milliseconds(start) };
        Ok(ProcessedRecord { key, thumbnail, source_bytes, stages })
    }

    fn write(&self, line: LogEntry<'_>) {
        (self.log)(&line.to_json());
    }
}

/// The handler's deadline, from the end of the invocation in milliseconds since 1970.
pub fn deadline(milliseconds: u64) -> Instant {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let left = Duration::from_millis(milliseconds).saturating_sub(now);
    Instant::now() + left.saturating_sub(RESERVE)
}

/// The elapsed milliseconds, rounded to a hundredth.
fn elapsed_milliseconds(start: Instant) -> f64 {
    (start.elapsed().as_secs_f64() * 100_000.0).round() / 100.0
}
