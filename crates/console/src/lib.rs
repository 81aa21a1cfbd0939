//! The interactive terminal application.
//!
//! Model, update, view: every input is a [`message::Message`]. [`update::update`] applies it to the [`model::Model`] and
//! returns [`message::Effect`]s. The [`runner`] executes them and sends the results as messages. The [`view`] draws the
//! model.

pub mod files;
pub mod keymap;
pub mod log_store;
pub mod message;
pub mod model;
pub mod pane;
pub mod panel;
pub mod pictures;
mod runner;
#[cfg(test)]
pub(crate) mod scenes;
mod scroll;
pub mod symbols;
pub mod terminal;
pub mod test_upload_worker;
pub mod theme;
pub mod update;
pub mod view;

pub use runner::{ConsoleError, LaunchMode, find_run, open};
