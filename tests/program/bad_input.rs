//! Invalid input: each error is one clear sentence with a hint and the right exit code, and nothing is lost.
//!
//! Wrong settings and wrong usage are in `cli_usage`.

mod credentials;
mod hostile_text;
mod images;
mod interrupts;
mod journals;
mod network;
mod output;

use thumbctl_core::event::{Event, EventKind, Outcome};
use thumbctl_test_support::Program;

/// A smallish image in the work directory.
fn picture(program: &Program) -> &'static str {
    let (name, content) = thumbctl_deploy::assets::sample_images()[4];
    program.file(name, content);
    name
}

/// The outcome of a run, if it has ended.
fn outcome(events: &[Event]) -> Option<Outcome> {
    match events.last()?.kind {
        EventKind::RunFinished { outcome, .. } => Some(outcome),
        _ => None,
    }
}
