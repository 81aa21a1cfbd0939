//! The HTTP client of the sandbox's own processes: what they read is bounded in time and in size.
//!
//! Answers that are read as text are bounded by `ureq` itself, which gives up after 10 MB.

use std::time::Duration;

use http::Response;
use ureq::{Agent, Body, BodyReader};

/// The longest to connect: the sandbox is on this machine.
const CONNECT: Duration = Duration::from_secs(10);

/// The longest that a call may take, its body in both directions included: for an image's largest layer.
const CALL: Duration = Duration::from_secs(15 * 60);

/// A client to which every status is an answer.
pub(crate) fn agent() -> Agent {
    let config = Agent::config_builder().http_status_as_error(false).proxy(None);
    config.timeout_connect(Some(CONNECT)).timeout_global(Some(CALL)).build().into()
}

/// Reads an answer's body up to a number of bytes; more is an error of the reader.
pub(crate) fn reader_of(answer: &mut Response<Body>, limit: u64) -> BodyReader<'_> {
    answer.body_mut().with_config().limit(limit).reader()
}
