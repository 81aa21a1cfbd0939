//! Operating system and terminal functions shared by all crates.
//!
//! - [`private_fs`]: files and directories private to their owner
//! - [`process_setup`]: signals and inherited file descriptors of this process
//! - [`python`]: the machine's Python interpreter
//! - [`terminal`]: [`terminal::TerminalText`], the only type that can be written to standard output and standard error
//! - [`text`]: measuring, cutting and cleaning text; formatting numbers
//! - [`write_failure`]: detecting a full disk in a program's output
//! - `failpoint`: test hooks that kill the process; not in release builds

#![deny(clippy::print_stdout, clippy::print_stderr, clippy::dbg_macro)]

#[cfg(debug_assertions)]
pub mod failpoint;
pub mod private_fs;
pub mod process_setup;
pub mod python;
pub mod terminal;
pub mod text;
pub mod write_failure;
