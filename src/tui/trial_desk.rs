//! [`TrialDesk`]: the files and pictures of the trial, outside the model.

use std::io;
use std::path::Path;

use tokio::sync::mpsc;

use super::message::Message;
use super::model::trial::TrialCommand;
use super::terminal::query::Graphics;

/// The files and pictures of the trial.
#[derive(Debug)]
pub struct TrialDesk {
    folder: tempfile::TempDir,
}

impl TrialDesk {
    /// A desk with a temporary folder of its own.
    ///
    /// # Errors
    /// When the folder cannot be made.
    pub fn new(_messages: mpsc::Sender<Message>) -> io::Result<Self> {
        Ok(Self { folder: tempfile::tempdir()? })
    }

    /// Does what the trial needs; answers later.
    pub fn run(&mut self, command: TrialCommand) {
        match command {}
    }

    /// Draws pictures as the terminal knows them from now on.
    pub fn set_graphics(&mut self, _graphics: Graphics) {}

    /// Where thumbnails are saved.
    pub fn thumbnails_dir(&self) -> &Path {
        self.folder.path()
    }
}
