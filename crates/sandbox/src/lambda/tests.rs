//! Functions from CreateFunction to their last log line, in a house that only has what Lambda asks for.

mod api;
mod client;
mod events;
mod function;
mod harness;
mod runs;
