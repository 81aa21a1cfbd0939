//! What every crate of thumbctl needs of the operating system and the terminal.
//!
//! - [`private_fs`]: files and directories that only their owner may read
//! - [`process_setup`]: signals and inherited descriptors of this process
//! - [`python`]: the machine's Python interpreter
//! - [`terminal`]: [`terminal::TerminalText`], the only thing that is written to stdout and stderr
//! - [`text`]: text measured and cut in columns, cleaned; figures as people read them
//! - [`write_failure`]: a full disk, recognised in what a program printed
//! - `failpoint`: where a test may have the process killed; not in release builds

#![deny(clippy::print_stdout, clippy::print_stderr, clippy::dbg_macro)]

#[cfg(debug_assertions)]
pub mod failpoint;
pub mod private_fs;
pub mod process_setup;
pub mod python;
pub mod terminal;
pub mod text;
pub mod write_failure;
