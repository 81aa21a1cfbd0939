//! The model of a deployment: plans, events, and values computed from events.
//!
//! - [`event`]: [`event::Event`], the record of everything that happens
//! - [`resource`], [`names`]: the resources of the architecture and their names
//! - [`plan`], [`engine`]: the graph of steps and its execution
//! - [`recorder`], [`journal`]: numbering, storing and delivering events
//! - [`deployment`], [`timing`]: existing resources and durations, as folds over events
//! - [`log_line`]: a line of any log
//! - [`redaction`]: masking credentials in text

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
