//! FunctionInvoker from CreateFunction to their last log line, in a house that only has what Lambda asks for.

mod api;
mod bench;
mod client;
mod events;
mod function;
mod runs;
