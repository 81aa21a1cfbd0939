//! The function's log: one JSON object per line, which CloudWatch Logs can search by field.

use std::io::Write;

use serde::Serialize;

/// The destination of log lines.
pub type LogSink = Box<dyn Fn(&str) + Send + Sync>;

/// Writes one line to standard output.
pub fn to_stdout(line: &str) {
    // One write for the whole line keeps it together; a closed output must not fail the event.
    #[allow(clippy::disallowed_methods, reason = "standard output is the function's log")]
    let _ = std::io::stdout().lock().write_all(format!("{line}\n").as_bytes());
}

/// A log line about one record.
#[derive(Debug, Default, Serialize)]
pub struct LogEntry<'a> {
    /// `INFO` or `ERROR`.
    pub level: &'static str,
    /// The message.
    pub message: String,
    /// The invocation's id.
    pub request_id: &'a str,
    /// The source bucket.
    pub bucket: &'a str,
    /// The source object's key, decoded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<&'a str>,
    /// The kind of failure, as in the invocation error's type.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<&'static str>,
    /// The source image, if it was read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<ImageSize>,
    /// The thumbnail, if it was written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub thumbnail: Option<WrittenThumbnail<'a>>,
    /// The total duration.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub milliseconds: Option<f64>,
    /// The durations of the stages.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stages: Option<StageDurations>,
}

/// An image's size.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct ImageSize {
    /// The displayed width in pixels.
    pub width: u32,
    /// The displayed height in pixels.
    pub height: u32,
    /// The size of the file.
    pub bytes: u64,
}

/// A written thumbnail.
#[derive(Debug, Serialize)]
pub struct WrittenThumbnail<'a> {
    /// The destination bucket.
    pub bucket: &'a str,
    /// The thumbnail's key.
    pub key: &'a str,
    /// Its content type.
    pub content_type: &'static str,
    /// Its size.
    #[serde(flatten)]
    pub size: ImageSize,
}

/// The milliseconds of each stage.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct StageDurations {
    /// Reading the object.
    pub download: f64,
    /// Decoding, resizing and encoding.
    pub resize: f64,
    /// Writing the thumbnail.
    pub upload: f64,
}

impl LogEntry<'_> {
    /// The line without a line break.
    pub fn to_json(&self) -> String {
        // Cannot fail: strings and numbers only.
        serde_json::to_string(self).unwrap_or_default()
    }
}
