//! Tests of Lambda without the sandbox's other services.

mod api;
mod client;
mod events;
mod function;
mod harness;
mod runs;
