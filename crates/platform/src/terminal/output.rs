//! Standard output and standard error.

use std::io::{self, Write};

use super::TerminalText;

/// Writes to standard output and flushes.
///
/// # Errors
/// When it cannot be written, for example to a closed pipe.
#[expect(clippy::disallowed_methods, reason = "the only place that writes to it")]
pub fn print(text: impl Into<TerminalText>) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.into().as_str().as_bytes())?;
    out.flush()
}

/// Writes to standard error. Ignores errors, which could not be reported.
#[expect(clippy::disallowed_methods, reason = "the only place that writes to it")]
pub fn print_error(text: impl Into<TerminalText>) {
    let mut err = io::stderr().lock();
    let _ = err.write_all(text.into().as_str().as_bytes()).and_then(|()| err.flush());
}
