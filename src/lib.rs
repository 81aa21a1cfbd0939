//! The command line of thumbctl: one file a command in [`cli`]. What the commands do is in the crates below `crates/`;
//! `docs/architecture.md` says what is where.

#![deny(clippy::print_stdout, clippy::print_stderr, clippy::dbg_macro)]

pub mod cli;
mod log_file;
