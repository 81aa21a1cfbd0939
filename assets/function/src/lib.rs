//! An AWS Lambda function that writes a thumbnail of every image put into an S3 bucket to another bucket.
//!
//! [`run`] is the whole program. Its modules, outermost first:
//!
//! - [`settings`]: the configuration in the environment;
//! - [`handler`]: one invocation, record by record;
//! - [`event`]: S3's events;
//! - [`store`]: reading and writing objects;
//! - [`thumbnail`]: the bytes of an image to the bytes of its thumbnail, without I/O;
//! - [`log`]: one JSON line per record.

mod clock;
mod codec;
pub mod event;
pub mod handler;
pub mod log;
mod orientation;
mod pixels;
mod resample;
pub mod settings;
pub mod store;
pub mod thumbnail;

use std::process::ExitCode;

use lambda_runtime::{LambdaEvent, service_fn};
use serde_json::Value;

use handler::Handler;
use settings::Settings;

/// Serves invocations until Lambda ends the process.
///
/// The configuration is read from the environment. If it is incomplete or invalid, the program writes one line to
/// standard error and exits with 1.
pub fn run() -> ExitCode {
    match serve() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("thumbnail-function: {error}");
            ExitCode::FAILURE
        }
    }
}

fn serve() -> Result<(), Box<dyn std::error::Error>> {
    let settings = Settings::from_env()?;
    let handler = &Handler::new(settings, Box::new(log::to_stdout))?;
    // One thread is enough, and may block: Lambda sends a process one event at a time.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let service = service_fn(|event: LambdaEvent<Value>| async move {
        let deadline = handler::deadline(event.context.deadline);
        handler.handle(event.payload, &event.context.request_id, deadline)
    });
    runtime
        .block_on(lambda_runtime::run(service))
        .map_err(|error| format!("the Lambda runtime API failed: {error}").into())
}
