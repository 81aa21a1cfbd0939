//! The whole loop: deployed, tried, and taken down again, by the real program in the real sandbox.

#[path = "../common/mod.rs"]
mod common;
#[path = "../../assets/function/tests/common/compare.rs"]
mod compare;

mod builds;
mod images;
mod load;
mod loops;
mod purge;
mod strategies;
mod together;

use common::{Clients, Program, list_everything};
use thumbctl::event::{Event, EventKind};
use thumbctl::names::Names;

/// Writes the sample images into the work directory, and names them.
fn samples(program: &Program) -> Vec<&'static str> {
    let write = |(name, content): &(&'static str, &[u8])| {
        program.file(name, content);
        *name
    };
    thumbctl::assets::sample_images().iter().map(write).collect()
}

/// The names that a run says it gives.
fn names(events: &[Event]) -> Names {
    let started = events.iter().find_map(|event| match &event.kind {
        EventKind::RunStarted(started) => Some(started.names.clone()),
        _ => None,
    });
    started.expect("a run says how it begins")
}

/// Deploys in the sandbox that is running, and answers the names.
fn deploy(program: &Program) -> Names {
    names(&program.run(["deploy", "--output", "json"]).ok().events())
}

/// Nothing at all is in the cloud.
#[track_caller]
fn assert_nothing(left: &[String]) {
    assert!(left.is_empty(), "{left:#?}");
}

async fn assert_nothing_left(clients: &Clients) {
    assert_nothing(&list_everything(clients, "").await);
}
