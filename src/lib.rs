//! The command line of thumbctl: one file per command in [`cli`]. The crates in `crates/` implement the commands; see
//! `docs/architecture.md`.

#![deny(clippy::print_stdout, clippy::print_stderr, clippy::dbg_macro)]

pub mod cli;
mod log_file;
