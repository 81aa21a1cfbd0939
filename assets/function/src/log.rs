//! The function's log: one JSON object a line, which is what CloudWatch Logs can search by field.

use std::io::Write;

use serde::Serialize;

/// Where finished lines go.
pub type Sink = Box<dyn Fn(&str) + Send + Sync>;

/// Writes one line to standard output.
pub fn to_stdout(line: &str) {
    // One write for the whole line, so that nothing comes between; a closed output must not fail the event.
    #[allow(clippy::disallowed_methods, reason = "standard output is a function's log")]
    let _ = std::io::stdout().lock().write_all(format!("{line}\n").as_bytes());
}

/// A line about one record.
#[derive(Debug, Default, Serialize)]
pub struct Line<'a> {
    /// `INFO` or `ERROR`.
    pub level: &'static str,
    /// What happened, in words.
    pub message: String,
    /// The invocation's id.
    pub request_id: &'a str,
    /// The source bucket.
    pub bucket: &'a str,
    /// The source object's key, decoded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<&'a str>,
    /// The kind of failure, the same word as the invocation error's type.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<&'static str>,
    /// The source image, if it could be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<Size>,
    /// The thumbnail, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub thumbnail: Option<Written<'a>>,
    /// How long the record took.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub milliseconds: Option<f64>,
    /// How that time was spent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stages: Option<Stages>,
}

/// An image's measures.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Size {
    /// Pixels across, as displayed.
    pub width: u32,
    /// Pixels down, as displayed.
    pub height: u32,
    /// Length of the file.
    pub bytes: u64,
}

/// A thumbnail and where it went.
#[derive(Debug, Serialize)]
pub struct Written<'a> {
    /// The destination bucket.
    pub bucket: &'a str,
    /// The thumbnail's key.
    pub key: &'a str,
    /// Its content type.
    pub content_type: &'static str,
    /// Its measures.
    #[serde(flatten)]
    pub size: Size,
}

/// Milliseconds of each stage of a record.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Stages {
    /// Getting the object.
    pub download: f64,
    /// Decoding, resizing and encoding.
    pub resize: f64,
    /// Putting the thumbnail.
    pub upload: f64,
}

impl Line<'_> {
    /// The line, without its end.
    pub fn to_json(&self) -> String {
        // Strings and numbers only: this cannot fail.
        serde_json::to_string(self).unwrap_or_default()
    }
}
