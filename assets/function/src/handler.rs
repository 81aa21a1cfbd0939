//! One invocation: every record of the event, each on its own.

use std::panic::catch_unwind;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use lambda_runtime::Diagnostic;
use serde::Serialize;
use serde_json::Value;
use thiserror::Error;

use crate::event::{Event, EventError, Record};
use crate::log::{Line, Sink, Size, Stages, Written};
use crate::settings::Settings;
use crate::store::{CertificatesError, Store, StoreError};
use crate::thumbnail::{self, Limits, Thumbnail, ThumbnailError};

/// What a thumbnail's key begins with.
const PREFIX: &str = "thumb-";

/// Kept back from the invocation's time, to say what went wrong before Lambda ends it.
const RESERVE: Duration = Duration::from_millis(500);

/// Handles invocations.
pub struct Handler {
    settings: Settings,
    store: Store,
    log: Sink,
}

/// What a successful invocation answers.
#[derive(Debug, Serialize, PartialEq, Eq)]
pub struct Answer {
    /// Keys of the thumbnails that were written.
    pub thumbnails: Vec<String>,
}

/// Why an invocation failed.
#[derive(Debug, Error)]
pub enum InvocationError {
    /// The event is not one of S3's.
    #[error(transparent)]
    Event(#[from] EventError),
    /// There are objects without a thumbnail. The others of the event have theirs.
    #[error("{}", sentence(.0))]
    Objects(Vec<Failure>),
}

/// An object without a thumbnail.
#[derive(Debug)]
pub struct Failure {
    /// What was to be done.
    pub record: Record,
    /// Why it was not.
    pub error: RecordError,
}

/// Why an object has no thumbnail.
#[derive(Debug, Error)]
pub enum RecordError {
    /// It is in the destination bucket itself.
    #[error("it is a thumbnail already: source and destination bucket are the same, which would never end")]
    Recursion,
    /// It could not be read.
    #[error(transparent)]
    Get(StoreError),
    /// The image is at fault.
    #[error(transparent)]
    Thumbnail(#[from] ThumbnailError),
    /// Its thumbnail could not be written.
    #[error("its thumbnail could not be written: {bucket}/{key}: {error}")]
    Put {
        /// The destination bucket.
        bucket: String,
        /// The thumbnail's key.
        key: String,
        /// What went wrong.
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

fn sentence(failures: &[Failure]) -> String {
    let one = |failure: &Failure| {
        let Record { bucket, key, .. } = &failure.record;
        format!("no thumbnail of {bucket}/{key}: {}", failure.error)
    };
    failures.iter().map(one).collect::<Vec<_>>().join("; ")
}

impl From<InvocationError> for Diagnostic {
    fn from(error: InvocationError) -> Self {
        let kind = match &error {
            InvocationError::Event(_) => "NotAnS3Event",
            // Several failures of different kinds go by the first.
            InvocationError::Objects(failures) => failures.first().map_or("Failed", |failure| failure.error.kind()),
        };
        Self { error_type: kind.to_owned(), error_message: error.to_string() }
    }
}

/// A record done.
struct Done {
    key: String,
    thumbnail: Thumbnail,
    source_bytes: u64,
    stages: Stages,
}

impl Handler {
    /// A handler that logs to `log`.
    pub fn new(settings: Settings, log: Sink) -> Result<Self, CertificatesError> {
        let store = Store::new(&settings)?;
        Ok(Self { settings, store, log })
    }

    /// Handles one event. Blocks until it is done, or until `until` has come.
    pub fn handle(&self, payload: Value, request_id: &str, until: Instant) -> Result<Answer, InvocationError> {
        let line = Line { level: "INFO", request_id, ..Line::default() };
        let records = match Event::parse(&payload) {
            Ok(Event::Records(records)) => records,
            Ok(Event::Test { bucket }) => {
                let message = "S3's test event: the notification is set up".to_owned();
                let bucket = bucket.as_str();
                self.write(Line { message, bucket, ..line });
                return Ok(Answer { thumbnails: Vec::new() });
            }
            Err(error) => {
                self.write(Line { level: "ERROR", message: error.to_string(), error: Some("NotAnS3Event"), ..line });
                return Err(error.into());
            }
        };

        let mut thumbnails = Vec::new();
        let mut failures = Vec::new();
        for record in records {
            match self.record(&record, request_id, until) {
                Ok(thumbnail) => thumbnails.extend(thumbnail),
                Err(error) => failures.push(Failure { record, error }),
            }
        }
        if failures.is_empty() { Ok(Answer { thumbnails }) } else { Err(InvocationError::Objects(failures)) }
    }

    /// Handles one record and logs it. The key of the thumbnail, if one was due.
    fn record(&self, record: &Record, request_id: &str, until: Instant) -> Result<Option<String>, RecordError> {
        let start = Instant::now();
        let line =
            Line { level: "INFO", request_id, bucket: &record.bucket, key: Some(&record.key), ..Line::default() };
        if !record.is_creation() {
            let message = format!("nothing to do for {}", record.name);
            self.write(Line { message, ..line });
            return Ok(None);
        }
        let result = self.make(record, until);
        let milliseconds = Some(since(start));
        match result {
            Ok(done) => {
                let Thumbnail { width, height, .. } = done.thumbnail;
                self.write(Line {
                    message: "thumbnail written".to_owned(),
                    source: Some(Size {
                        width: done.thumbnail.source_width,
                        height: done.thumbnail.source_height,
                        bytes: done.source_bytes,
                    }),
                    thumbnail: Some(Written {
                        bucket: &self.settings.destination,
                        key: &done.key,
                        content_type: done.thumbnail.content_type,
                        size: Size { width, height, bytes: done.thumbnail.bytes.len() as u64 },
                    }),
                    milliseconds,
                    stages: Some(done.stages),
                    ..line
                });
                Ok(Some(done.key))
            }
            Err(error) => {
                self.write(Line {
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

    fn make(&self, record: &Record, until: Instant) -> Result<Done, RecordError> {
        let destination = &self.settings.destination;
        if record.bucket == *destination && record.key.starts_with(PREFIX) {
            return Err(RecordError::Recursion);
        }
        let start = Instant::now();
        let source = self
            .store
            .get(&record.bucket, &record.key, self.settings.object_limit(), until)
            .map_err(RecordError::Get)?;
        let download = since(start);

        let start = Instant::now();
        let limits = Limits { max_side: self.settings.max_side, memory: self.settings.decode_limit() };
        let source_bytes = source.len() as u64;
        // A decoder that trips over a file costs that file, not the records after it.
        let thumbnail = catch_unwind(|| thumbnail::make(&source, limits)).unwrap_or_else(|_| {
            Err(ThumbnailError::Broken { format: "kind of", reason: "the decoder gave up on it".to_owned() })
        })?;
        drop(source);
        let resize = since(start);

        let start = Instant::now();
        let key = format!("{PREFIX}{}", record.key);
        self.store
            .put(destination, &key, thumbnail.content_type, &thumbnail.bytes, until)
            .map_err(|error| RecordError::Put { bucket: destination.clone(), key: key.clone(), error })?;
        let stages = Stages { download, resize, upload: since(start) };
        Ok(Done { key, thumbnail, source_bytes, stages })
    }

    fn write(&self, line: Line<'_>) {
        (self.log)(&line.to_json());
    }
}

/// When to stop, given the time at which Lambda will end the invocation, in milliseconds since 1970.
pub fn deadline(milliseconds: u64) -> Instant {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let left = Duration::from_millis(milliseconds).saturating_sub(now);
    Instant::now() + left.saturating_sub(RESERVE)
}

/// Milliseconds, to a hundredth.
fn since(start: Instant) -> f64 {
    (start.elapsed().as_secs_f64() * 100_000.0).round() / 100.0
}
