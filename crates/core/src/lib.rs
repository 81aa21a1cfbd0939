//! thumbctl's model of a deployment: what is to be done, what happened, and what is computed from that.
//!
//! - [`event`]: [`event::Event`], which everything that happens becomes
//! - [`resource`], [`names`]: what the architecture consists of, and how its parts are called
//! - [`plan`], [`engine`]: the graph of steps, and what runs it
//! - [`recorder`], [`journal`]: events are numbered, written to disk, and passed on
//! - [`deployment`], [`timing`]: what exists and what took how long, as folds over events
//! - [`log_line`]: a line of any log
//! - [`redaction`]: what must never be shown, and a line of text without it

#![deny(clippy::print_stdout, clippy::print_stderr, clippy::dbg_macro)]

pub mod deployment;
pub mod engine;
pub mod event;
pub mod journal;
pub mod log_line;
pub mod names;
pub mod plan;
pub mod recorder;
pub mod redaction;
pub mod resource;

pub mod timing;
