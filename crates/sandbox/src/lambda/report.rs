//! Lambda's own lines in a function's log, and its error documents.

use std::time::Duration;

use bytes::Bytes;
use chrono::{SecondsFormat, Utc};
use serde_json::json;

use super::function::LATEST;

/// Lambda's description of a process killed for its memory use.
const KILLED: &str = "Runtime exited with error: signal: killed";

/// The result of an invocation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum InvocationResult {
    /// The function's response.
    Response(Bytes),
    /// The function's own error document.
    Failure(Bytes),
    /// No response in time.
    Timeout(Duration),
    /// The process exited.
    Exit(String),
    /// The process was killed above its memory limit.
    OutOfMemory,
    /// The process could not be started.
    Launch { kind: &'static str, message: String },
    /// The response exceeds Lambda's limit.
    TooLarge(usize),
    /// The function was deleted, or the sandbox is shutting down.
    Stopped,
}

impl InvocationResult {
    /// The response payload, and whether it is an error.
    pub(crate) fn payload(&self, request_id: &str) -> (Bytes, bool) {
        let document = |kind: &str, message: String| {
            (Bytes::from(json!({ "errorType": kind, "errorMessage": message }).to_string()), true)
        };
        match self {
            Self::Response(payload) => (payload.clone(), false),
            Self::Failure(payload) => (payload.clone(), true),
            Self::Timeout(limit) => document(
                "Sandbox.Timedout",
                format!("RequestId: {request_id} Error: Task timed out after {:.2} seconds", limit.as_secs_f64()),
            ),
            Self::Exit(how) => document("Runtime.ExitError", format!("RequestId: {request_id} Error: {how}")),
            Self::OutOfMemory => document("Runtime.OutOfMemory", format!("RequestId: {request_id} Error: {KILLED}")),
            Self::Launch { kind, message } => document(kind, format!("RequestId: {request_id} Error: {message}")),
            Self::TooLarge(size) => document(
                "Function.ResponseSizeTooLarge",
                format!("Response payload size ({size} bytes) exceeded maximum allowed payload size (6291556 bytes)."),
            ),
            Self::Stopped => document(
                "Sandbox.Stopped",
                format!("RequestId: {request_id} Error: the function was deleted or stopped during the invocation"),
            ),
        }
    }

    /// The log line for a failure that the function did not report itself.
    pub(crate) fn log_line(&self, request_id: &str) -> Option<String> {
        match self {
            Self::Response(_) | Self::Failure(_) | Self::Stopped => None,
            Self::Timeout(limit) => Some(format!(
                "{} {request_id} Task timed out after {:.2} seconds\n",
                Utc::now().to_rfc3339_opts(SecondsFormat::Millis, true),
                limit.as_secs_f64()
            )),
            Self::Exit(how) => Some(format!("RequestId: {request_id} Error: {how}\nRuntime.ExitError\n")),
            // As on Lambda, only the report and the response name the memory as the cause.
            Self::OutOfMemory => Some(format!("RequestId: {request_id} Error: {KILLED}\nRuntime.ExitError\n")),
            Self::Launch { kind, message } => Some(format!("RequestId: {request_id} Error: {message}\n{kind}\n")),
            Self::TooLarge(size) => Some(format!(
                "RequestId: {request_id} Error: Response payload size ({size} bytes) exceeded maximum allowed payload \
                 size (6291556 bytes).\nFunction.ResponseSizeTooLarge\n"
            )),
        }
    }

    fn status(&self) -> String {
        match self {
            Self::Response(_) | Self::Failure(_) | Self::Stopped => String::new(),
            Self::Timeout(_) => "Status: timeout\t".to_owned(),
            Self::Exit(_) => "Status: error\tError Type: Runtime.ExitError\t".to_owned(),
            Self::OutOfMemory => "Status: error\tError Type: Runtime.OutOfMemory\t".to_owned(),
            Self::Launch { kind, .. } => format!("Status: error\tError Type: {kind}\t"),
            Self::TooLarge(_) => "Status: error\tError Type: Function.ResponseSizeTooLarge\t".to_owned(),
        }
    }
}

/// The values of the REPORT line.
#[derive(Debug, Clone, Copy)]
pub(crate) struct InvocationMetrics {
    pub duration: Duration,
    pub memory_size: u32,
    pub max_memory_used: u32,
    /// Only on a cold start.
    pub init: Option<Duration>,
}

pub(crate) fn start(request_id: &str) -> String {
    format!("START RequestId: {request_id} Version: {LATEST}\n")
}

/// The line for an initialisation that took too long.
pub(crate) fn init_timeout(limit: Duration) -> String {
    format!("INIT_REPORT Init Duration: {:.2} ms\tPhase: init\tStatus: timeout\n", milliseconds(limit))
}

pub(crate) fn end(request_id: &str) -> String {
    format!("END RequestId: {request_id}\n")
}

/// The REPORT line. Image functions are billed for their initialisation too.
pub(crate) fn report(request_id: &str, metrics: InvocationMetrics, result: &InvocationResult) -> String {
    let billed = milliseconds(metrics.duration + metrics.init.unwrap_or_default()).ceil();
    let init = metrics.init.map_or_else(String::new, |init| format!("Init Duration: {:.2} ms\t", milliseconds(init)));
    format!(
        "REPORT RequestId: {request_id}\tDuration: {:.2} ms\tBilled Duration: {billed:.0} ms\tMemory Size: {} MB\t\
         Max Memory Used: {} MB\t{init}{}\n",
        milliseconds(metrics.duration),
        metrics.memory_size,
        metrics.max_memory_used,
        result.status(),
    )
}

fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn metrics(init: Option<Duration>) -> InvocationMetrics {
        InvocationMetrics { duration: Duration::from_micros(12_345), memory_size: 512, max_memory_used: 41, init }
    }

    #[test]
    fn report_has_lambda_format() {
        let answered = InvocationResult::Response(Bytes::new());
        assert_eq!(
            report("id", metrics(None), &answered),
            "REPORT RequestId: id\tDuration: 12.35 ms\tBilled Duration: 13 ms\tMemory Size: 512 MB\tMax Memory Used: 41 MB\t\n"
        );
        assert_eq!(
            report("id", metrics(Some(Duration::from_micros(80_100))), &answered),
            "REPORT RequestId: id\tDuration: 12.35 ms\tBilled Duration: 93 ms\tMemory Size: 512 MB\tMax Memory Used: 41 MB\t\
             Init Duration: 80.10 ms\t\n"
        );
    }

    #[test]
    fn timeout_is_in_log_line_and_payload() {
        let timeout = InvocationResult::Timeout(Duration::from_secs(3));
        assert!(timeout.log_line("id").unwrap().ends_with("Z id Task timed out after 3.00 seconds\n"));
        let (payload, is_error) = timeout.payload("id");
        assert!(is_error);
        let payload: serde_json::Value = serde_json::from_slice(&payload).unwrap();
        assert_eq!(payload["errorType"], "Sandbox.Timedout");
        assert_eq!(payload["errorMessage"], "RequestId: id Error: Task timed out after 3.00 seconds");
        assert!(report("id", metrics(None), &timeout).ends_with("Status: timeout\t\n"));
    }

    #[test]
    fn out_of_memory_is_reported_as_killed() {
        let line = "RequestId: id Error: Runtime exited with error: signal: killed\nRuntime.ExitError\n";
        assert_eq!(InvocationResult::OutOfMemory.log_line("id").as_deref(), Some(line));
        let payload: serde_json::Value =
            serde_json::from_slice(&InvocationResult::OutOfMemory.payload("id").0).unwrap();
        assert_eq!(payload["errorType"], "Runtime.OutOfMemory");
        let report = report("id", metrics(None), &InvocationResult::OutOfMemory);
        assert!(report.ends_with("Status: error\tError Type: Runtime.OutOfMemory\t\n"), "{report}");
    }
}
