//! An AWS Lambda function: for every image that S3 announces, a thumbnail in another bucket.
//!
//! [`run`] is the whole program. The rooms below it, outermost first:
//!
//! - [`settings`]: what the environment says;
//! - [`handler`]: one invocation, record by record;
//! - [`event`]: what S3 sends;
//! - [`store`]: getting and putting objects;
//! - [`thumbnail`]: bytes of an image in, bytes of a thumbnail out, nothing else touched;
//! - [`log`]: one JSON line for each record.

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
/// Everything is read from the environment. What is missing or wrong there is said in one line on standard
/// error, and the exit code is 1.
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
    // One thread is enough: Lambda sends a process one event at a time, so the handler may block.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let service = service_fn(|event: LambdaEvent<Value>| async move {
        let deadline = handler::deadline(event.context.deadline);
        handler.handle(event.payload, &event.context.request_id, deadline)
    });
    runtime
        .block_on(lambda_runtime::run(service))
        .map_err(|error| format!("the Lambda runtime API failed: {error}").into())
}
