//! Whatever is wrong is said in one clear sentence with what to do, with the right exit code, and nothing is lost.
//!
//! Wrong settings and wrong usage are in `cli_usage`.

#[path = "../common/mod.rs"]
mod common;

mod credentials;
mod disk;
mod hostile_text;
mod images;
mod interrupts;
mod journals;
mod network;
mod output;

use common::{Clients, Program, list_everything};
use thumbctl::event::{Event, EventKind, Outcome};

async fn assert_nothing_left(clients: &Clients) {
    let left = list_everything(clients, "").await;
    assert!(left.is_empty(), "{left:#?}");
}

/// A smallish image in the work directory.
fn picture(program: &Program) -> &'static str {
    let (name, content) = thumbctl::assets::sample_images()[4];
    program.file(name, content);
    name
}

/// How a run ended, if it says so.
fn outcome(events: &[Event]) -> Option<Outcome> {
    match events.last()?.kind {
        EventKind::RunFinished { outcome, .. } => Some(outcome),
        _ => None,
    }
}
