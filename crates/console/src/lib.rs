//! The console: the same deployment as the command line's, in an interactive terminal application.
//!
//! Model, update, view: what happens becomes a [`message::Message`]; [`update::update`] takes it into the
//! [`model::Model`] and answers what is to be done, as [`message::Effect`]s; the [`runner`] does it, and what comes of that
//! is a message again. The [`view`] draws from the model alone.

pub mod files;
pub mod keymap;
pub mod log_store;
pub mod message;
pub mod model;
pub mod pictures;
mod runner;
#[cfg(test)]
pub(crate) mod scenes;
pub mod symbols;
pub mod terminal;
pub mod test_upload_worker;
pub mod theme;
pub mod update;
pub mod view;

pub use runner::{ConsoleError, LaunchMode, find_run, open};
