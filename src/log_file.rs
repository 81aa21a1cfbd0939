//! The log file of `--log-file`: what the program did, for a bug report.
//!
//! Only this program's own crates are logged: the SDK's would write headers with signatures. Every line is redacted and
//! cleaned once more on its way into the file.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use thumbctl_core::redaction::redact_line;
use thumbctl_platform::{private_fs, text};
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

/// The environment variable that sets the level.
const LEVEL_VARIABLE: &str = "THUMBCTL_LOG";

/// The crates of this program: a target is one of them or a module in it.
const TARGETS: [&str; 7] = [
    "thumbctl",
    "thumbctl_console",
    "thumbctl_core",
    "thumbctl_deploy",
    "thumbctl_platform",
    "thumbctl_sandbox",
    "thumbctl_sandbox_protocol",
];

/// Why there is no log file.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LogFileError {
    /// The level is none.
    #[error("{LEVEL_VARIABLE} is '{0}', but must be error, warn, info, debug or trace")]
    Level(String),
    /// The file cannot be written.
    #[error("cannot write the log file {}", .file.display())]
    File {
        /// The file.
        file: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// Appends to `file`, which only its owner may read, what this process does from now on.
///
/// # Errors
/// When the level in the environment is none, or the file cannot be opened.
pub(crate) fn start(file: &Path) -> Result<(), LogFileError> {
    let level = match std::env::var(LEVEL_VARIABLE) {
        Ok(level) => level.parse::<LevelFilter>().map_err(|_| LogFileError::Level(level))?,
        Err(_) => LevelFilter::DEBUG,
    };
    let opened = private_fs::options()
        .create(true)
        .append(true)
        .open(file)
        .map_err(|source| LogFileError::File { file: file.to_owned(), source })?;
    let lines = tracing_subscriber::fmt::layer().with_ansi(false).with_writer(RedactedFile(Arc::new(opened)));
    let targets = Targets::new().with_targets(TARGETS.map(|target| (target, level)));
    tracing_subscriber::registry().with(targets).with(lines).init();
    tracing::info!(
        version = env!("CARGO_PKG_VERSION"),
        os = std::env::consts::OS,
        architecture = std::env::consts::ARCH,
        "started"
    );
    Ok(())
}

/// Writes lines without credentials and control characters.
#[derive(Clone)]
struct RedactedFile(Arc<File>);

impl<'a> MakeWriter<'a> for RedactedFile {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

impl Write for RedactedFile {
    /// Takes one event: the layer formats each as a whole before it writes.
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        let event_text = String::from_utf8_lossy(event);
        let mut lines = String::with_capacity(event.len());
        for line in event_text.lines() {
            lines.push_str(&redact_line(&text::clean(line)));
            lines.push('\n');
        }
        // One call, so that lines of several processes do not mix.
        (&*self.0).write_all(lines.as_bytes())?;
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        (&*self.0).flush()
    }
}
