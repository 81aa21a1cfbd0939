//! [`TestUploadWorker`]: does what the trial panel needs of the disk and of decoders, off the drawing thread.

#![allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "files and pictures are read here")]

use std::collections::VecDeque;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use tempfile::TempDir;
use thumbctl_core::event::Failure;
use thumbctl_platform::private_fs;
use thumbctl_platform::text;
use tokio::sync::mpsc;

use super::files;
use super::message::Message;
use super::model::test_upload::chooser::Folder;
use super::model::test_upload::picture_cache::PictureKey;
use super::model::test_upload::{TestUploadCommand, TestUploadReport};
use super::pictures::{Graphics, Picture};

/// How many threads decode pictures.
const DECODER_COUNT: usize = 2;

/// Where thumbnails are copied to when the user wants to keep them, in the working directory.
const SAVE_FOLDER: &str = "thumbnails";

/// Does what the trial panel needs, and answers by [`Message::TestUpload`]. Its folder goes with it.
#[derive(Debug)]
pub struct TestUploadWorker {
    work: Arc<Work>,
    folder: TempDir,
    thumbnails: PathBuf,
    test_uploads: u32,
}

/// What is to be done, shared with the threads that do it.
#[derive(Debug)]
struct Work {
    state: Mutex<State>,
    changed: Condvar,
    messages: mpsc::Sender<Message>,
    samples: PathBuf,
}

#[derive(Debug, Default)]
struct State {
    /// Commands about files, in their order.
    commands: VecDeque<TestUploadCommand>,
    /// Pictures that are wanted, the most wanted first. What is not begun when others are wanted is never begun.
    requested: VecDeque<PictureKey>,
    graphics: Graphics,
    closed: bool,
}

impl Work {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for something to do; none when the desk is closed.
    fn next<T>(&self, mut take: impl FnMut(&mut State) -> Option<T>) -> Option<T> {
        let mut state = self.state();
        loop {
            if state.closed {
                return None;
            }
            if let Some(found) = take(&mut state) {
                return Some(found);
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn report(&self, report: TestUploadReport) {
        // Nobody hears it any more when the console ends.
        let _ = self.messages.blocking_send(Message::TestUpload(report));
    }

    fn notice(&self, notice: Result<String, Failure>) {
        let _ = self.messages.blocking_send(Message::Notice(notice));
    }

    fn draw_pictures(&self) {
        while let Some((key, graphics)) = self.next(|state| Some((state.requested.pop_front()?, state.graphics))) {
            // A decoder that panics over a broken file is no reason to end.
            let read = || Picture::read(&key.path, key.cells, graphics);
            let picture = std::panic::catch_unwind(read)
                .unwrap_or_else(|_| Err(Failure::new("the image cannot be decoded")))
                .map(Arc::new);
            // Made for graphics that have changed meanwhile: the pane has asked anew.
            if self.state().graphics == graphics {
                self.report(TestUploadReport::Rendered(key, picture));
            }
        }
    }

    fn run_commands(&self) {
        let home = std::env::var_os("HOME").map(PathBuf::from);
        while let Some(command) = self.next(|state| state.commands.pop_front()) {
            match command {
                TestUploadCommand::List(folder) => {
                    let listing = match &folder {
                        Folder::Samples => files::samples(&self.samples),
                        Folder::Working => std::env::current_dir()
                            .map_err(|error| Failure::new(format!("there is no working directory: {error}")))
                            .and_then(|working| files::list(&working)),
                        Folder::At(path) => files::list(path),
                    };
                    self.report(TestUploadReport::Listed(folder, listing));
                }
                TestUploadCommand::Complete(typed) => {
                    let found = files::complete(&typed, home.as_deref());
                    self.report(TestUploadReport::Completed(typed, found));
                }
                TestUploadCommand::Inspect(paths) => {
                    let mut found = Vec::new();
                    for path in &paths {
                        match files::inspect(path, home.as_deref()) {
                            Ok(entry) => found.push(entry),
                            Err(failure) => self.notice(Err(failure)),
                        }
                    }
                    self.report(TestUploadReport::Inspected(found));
                }
                TestUploadCommand::Save(paths) => {
                    let saved = files::copy_into(Path::new(SAVE_FOLDER), &paths).map(|copies| match &copies[..] {
                        [one] => format!("Saved the thumbnail as {}.", one.display()),
                        _ => format!("Saved {} in ./{SAVE_FOLDER}.", text::count(copies.len(), "thumbnail")),
                    });
                    self.notice(saved);
                }
                TestUploadCommand::Render(_) => unreachable!("pictures are drawn elsewhere"),
            }
        }
    }
}

impl TestUploadWorker {
    /// Opens a desk that answers to `messages`.
    ///
    /// # Errors
    /// When there is no room for temporary files, or no thread to be had.
    pub fn new(messages: mpsc::Sender<Message>) -> io::Result<Self> {
        // Only the user may look in: pictures are private.
        let folder = private_fs::temporary_dir("thumbctl-", &std::env::temp_dir())?;
        let samples = folder.path().join("samples");
        let thumbnails = folder.path().join("thumbnails");
        std::fs::create_dir(&thumbnails)?;
        let work = Arc::new(Work { state: Mutex::default(), changed: Condvar::new(), messages, samples });
        let worker = Self { work, folder, thumbnails, test_uploads: 0 };
        for _ in 0..DECODER_COUNT {
            let work = Arc::clone(&worker.work);
            std::thread::Builder::new().name("pictures".into()).spawn(move || work.draw_pictures())?;
        }
        let work = Arc::clone(&worker.work);
        std::thread::Builder::new().name("files".into()).spawn(move || work.run_commands())?;
        Ok(worker)
    }

    /// Has something done; the answer comes as a message.
    pub fn run(&mut self, command: TestUploadCommand) {
        let mut state = self.work.state();
        match command {
            TestUploadCommand::Render(keys) => state.requested = keys.into(),
            command => state.commands.push_back(command),
        }
        drop(state);
        self.work.changed.notify_all();
    }

    /// From now on pictures are made for this terminal; the pane hears that it must ask anew. To be called, with the same
    /// graphics, when the terminal has forgotten its pictures too: after the program was suspended.
    pub fn set_graphics(&mut self, graphics: Graphics) {
        let mut state = self.work.state();
        state.graphics = graphics;
        state.requested.clear();
        drop(state);
        // Not from this thread, which may be the one that empties the channel.
        let work = Arc::clone(&self.work);
        match work.messages.try_send(Message::TestUpload(TestUploadReport::GraphicsChanged)) {
            Ok(()) => {}
            Err(_) => {
                std::thread::spawn(move || work.report(TestUploadReport::GraphicsChanged));
            }
        }
    }

    /// Where trials save their thumbnails. Two trials of images with one name write over each other here: see
    /// [`Self::next_thumbnails_dir`].
    pub fn thumbnails_dir(&self) -> &Path {
        &self.thumbnails
    }

    /// A folder of its own for the thumbnails of one more trial.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn next_thumbnails_dir(&mut self) -> io::Result<PathBuf> {
        self.test_uploads += 1;
        let folder = self.folder.path().join(format!("trial-{}", self.test_uploads));
        std::fs::create_dir(&folder)?;
        Ok(folder)
    }
}

impl Drop for TestUploadWorker {
    fn drop(&mut self) {
        self.work.state().closed = true;
        self.work.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::test_upload::chooser::EntryKind;

    /// A desk, and the next thing that it says.
    fn worker() -> (TestUploadWorker, mpsc::Receiver<Message>) {
        let (sender, receiver) = mpsc::channel(16);
        (TestUploadWorker::new(sender).expect("there is room"), receiver)
    }

    #[test]
    fn the_samples_are_listed_and_drawn() {
        let (mut worker, mut messages) = worker();
        worker.run(TestUploadCommand::List(Folder::Samples));
        let Some(Message::TestUpload(TestUploadReport::Listed(Folder::Samples, Ok(listing)))) =
            messages.blocking_recv()
        else {
            panic!("the samples were asked for");
        };
        let key = PictureKey { path: listing.entries[0].path.clone(), cells: (12, 6) };
        worker.run(TestUploadCommand::Render(vec![key.clone()]));
        let Some(Message::TestUpload(TestUploadReport::Rendered(drawn, Ok(picture)))) = messages.blocking_recv() else {
            panic!("a picture was asked for");
        };
        assert_eq!((drawn, picture.pixels), (key, (640, 480)));
        let folder = worker.folder.path().to_owned();
        drop(worker);
        assert!(!folder.exists(), "nothing stays behind");
    }

    #[test]
    fn what_cannot_be_read_is_answered_too() {
        let (mut worker, mut messages) = worker();
        let nowhere = PathBuf::from("/nowhere/at/all");
        worker.run(TestUploadCommand::List(Folder::At(nowhere.clone())));
        assert!(matches!(messages.blocking_recv(), Some(Message::TestUpload(TestUploadReport::Listed(_, Err(_))))));
        worker.run(TestUploadCommand::Render(vec![PictureKey { path: nowhere.clone(), cells: (1, 1) }]));
        assert!(matches!(messages.blocking_recv(), Some(Message::TestUpload(TestUploadReport::Rendered(_, Err(_))))));
        worker.run(TestUploadCommand::Inspect(vec![nowhere.clone()]));
        assert!(matches!(messages.blocking_recv(), Some(Message::Notice(Err(_)))));
        assert!(
            matches!(messages.blocking_recv(), Some(Message::TestUpload(TestUploadReport::Inspected(found))) if found.is_empty())
        );
        worker.run(TestUploadCommand::Complete("/nowhere/at/a".into()));
        assert!(
            matches!(messages.blocking_recv(), Some(Message::TestUpload(TestUploadReport::Completed(_, found))) if found.is_empty())
        );
        worker.run(TestUploadCommand::Save(vec![nowhere]));
        assert!(matches!(messages.blocking_recv(), Some(Message::Notice(Err(_)))));
    }

    #[test]
    fn the_working_directory_is_listed_by_its_name() {
        let (mut worker, mut messages) = worker();
        worker.run(TestUploadCommand::List(Folder::Working));
        let Some(Message::TestUpload(TestUploadReport::Listed(Folder::Working, Ok(listing)))) =
            messages.blocking_recv()
        else {
            panic!("the working directory can be read");
        };
        assert!(listing.folder.is_absolute());
        assert!(listing.entries.iter().any(|entry| entry.name == "src" && entry.kind == EntryKind::Folder));
    }

    #[test]
    fn other_graphics_are_told() {
        let (mut worker, mut messages) = worker();
        worker.set_graphics(Graphics { cell: (9, 18), ..Graphics::default() });
        assert!(matches!(messages.blocking_recv(), Some(Message::TestUpload(TestUploadReport::GraphicsChanged))));
    }

    #[test]
    fn every_trial_has_a_folder_of_its_own() {
        let (mut worker, _messages) = worker();
        assert!(worker.thumbnails_dir().is_dir());
        let (one, two) = (worker.next_thumbnails_dir().expect("room"), worker.next_thumbnails_dir().expect("room"));
        assert!(one.is_dir() && two.is_dir() && one != two);
    }
}
