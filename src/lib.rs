//! thumbctl: deploys the S3 Thumbnail Creator, shows it, times it, tries it and takes it down again.
//!
//! The rooms, in the order in which arrows may point (a room knows those above it); `docs/architecture.md` says more:

pub mod cli; // the headless front end: one file a command
pub mod deployment; // what exists, as a fold over events
pub mod engine; // runs a plan
pub mod event; // the one language that everything speaks
#[cfg(debug_assertions)]
mod failpoint;
pub mod journal; // the events on disk
pub mod names; // what its parts are called
pub mod plan; // the graph of what is to be done
pub mod recorder; // numbers events, journals them, passes them on
pub mod resource; // what the architecture consists of
pub mod settings; // what the user may choose
pub mod timing; // what took how long
