//! The HTTP client of the sandbox's own processes, with limits on time and size.
//!
//! `ureq` limits responses that are read as text to 10 MB.

use std::time::Duration;

use http::Response;
use ureq::{Agent, Body, BodyReader};

/// The timeout to connect.
const CONNECT: Duration = Duration::from_secs(10);

/// The timeout of a call including its bodies, long enough for an image's largest layer.
const CALL: Duration = Duration::from_secs(15 * 60);

/// Creates a client that returns responses of every status.
pub(crate) fn agent() -> Agent {
    let config = Agent::config_builder().http_status_as_error(false).proxy(None);
    config.timeout_connect(Some(CONNECT)).timeout_global(Some(CALL)).build().into()
}

/// Returns a reader of a response's body that fails after `limit` bytes.
pub(crate) fn reader_of(response: &mut Response<Body>, limit: u64) -> BodyReader<'_> {
    response.body_mut().with_config().limit(limit).reader()
}
