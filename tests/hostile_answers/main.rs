//! Answers of an endpoint that means no good: each call ends in an error or a result, within bounds of time and memory.

#[path = "../common/mod.rs"]
mod common;

mod bounds;
mod calls;
mod canned;
mod clock;
mod fuzz;
