//! [`TestUploadWorker`]: reads files and decodes pictures for the test upload panel, off the UI thread.

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
use super::pane::test_upload::protocol::{Folder, PictureKey, TestUploadCommand, TestUploadReport};
use super::pictures::{Graphics, Picture};

/// The number of decoder threads.
const DECODER_COUNT: usize = 2;

/// The folder for saved thumbnails, in the working directory.
const SAVE_FOLDER: &str = "thumbnails";

/// Executes the commands of the test upload panel and reports by [`Message::TestUpload`]. Its temporary folder is
/// deleted on drop.
#[derive(Debug)]
pub struct TestUploadWorker {
    work: Arc<Work>,
    folder: TempDir,
    thumbnails: PathBuf,
    test_uploads: u32,
}

/// The queue, shared with the threads.
#[derive(Debug)]
struct Work {
    state: Mutex<State>,
    changed: Condvar,
    messages: mpsc::Sender<Message>,
    samples: PathBuf,
}

#[derive(Debug, Default)]
struct State {
    /// File commands, in order.
    commands: VecDeque<TestUploadCommand>,
    /// Requested pictures, most important first. A new request replaces the queue.
    requested: VecDeque<PictureKey>,
    graphics: Graphics,
    closed: bool,
}

impl Work {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for work; none after closing.
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
        // The receiver is gone when the console ends.
        let _ = self.messages.blocking_send(Message::TestUpload(report));
    }

    fn notice(&self, notice: Result<String, Failure>) {
        let _ = self.messages.blocking_send(Message::Notice(notice));
    }

    fn draw_pictures(&self) {
        while let Some((key, graphics)) = self.next(|state| Some((state.requested.pop_front()?, state.graphics))) {
            // A decoder's panic over a broken file must not end the thread.
            let read = || Picture::read(&key.path, key.cells, graphics);
            let picture = std::panic::catch_unwind(read)
                .unwrap_or_else(|_| Err(Failure::new("the image cannot be decoded")))
                .map(Arc::new);
            // If the graphics changed meanwhile, the pane has requested it again.
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
                            .map_err(|error| Failure::new(format!("no working directory: {error}")))
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
                TestUploadCommand::Render(_) => unreachable!("pictures are rendered by other threads"),
            }
        }
    }
}

impl TestUploadWorker {
    /// Starts a worker that reports to `messages`.
    ///
    /// # Errors
    /// If temporary files or threads cannot be created.
    pub fn new(messages: mpsc::Sender<Message>) -> io::Result<Self> {
        // Accessible for the user only: pictures are private.
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

    /// Queues a command; the result is a message.
    pub fn run(&mut self, command: TestUploadCommand) {
        let mut state = self.work.state();
        match command {
            TestUploadCommand::Render(keys) => state.requested = keys.into(),
            command => state.commands.push_back(command),
        }
        drop(state);
        self.work.changed.notify_all();
    }

    /// Sets the graphics and makes the pane request its pictures again. Also called with unchanged graphics after the
    /// program was suspended, since the terminal has lost its pictures.
    pub fn set_graphics(&mut self, graphics: Graphics) {
        let mut state = self.work.state();
        state.graphics = graphics;
        state.requested.clear();
        drop(state);
        // Not on this thread, which may be the receiver.
        let work = Arc::clone(&self.work);
        match work.messages.try_send(Message::TestUpload(TestUploadReport::GraphicsChanged)) {
            Ok(()) => {}
            Err(_) => {
                std::thread::spawn(move || work.report(TestUploadReport::GraphicsChanged));
            }
        }
    }

    /// The folder for thumbnails. Images with equal names overwrite each other; see [`Self::next_thumbnails_dir`].
    pub fn thumbnails_dir(&self) -> &Path {
        &self.thumbnails
    }

    /// Creates a separate folder for the thumbnails of a test upload.
    ///
    /// # Errors
    /// If it cannot be created.
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
    use crate::pane::test_upload::protocol::EntryKind;

    /// A worker and its messages.
    fn worker() -> (TestUploadWorker, mpsc::Receiver<Message>) {
        let (sender, receiver) = mpsc::channel(16);
        (TestUploadWorker::new(sender).expect("the worker starts"), receiver)
    }

    #[test]
    fn samples_are_listed_and_rendered() {
        let (mut worker, mut messages) = worker();
        worker.run(TestUploadCommand::List(Folder::Samples));
        let Some(Message::TestUpload(TestUploadReport::Listed(Folder::Samples, Ok(listing)))) =
            messages.blocking_recv()
        else {
            panic!("no listing of the samples");
        };
        let key = PictureKey { path: listing.entries[0].path.clone(), cells: (12, 6) };
        worker.run(TestUploadCommand::Render(vec![key.clone()]));
        let Some(Message::TestUpload(TestUploadReport::Rendered(drawn, Ok(picture)))) = messages.blocking_recv() else {
            panic!("no picture");
        };
        assert_eq!((drawn, picture.pixels), (key, (640, 480)));
        let folder = worker.folder.path().to_owned();
        drop(worker);
        assert!(!folder.exists(), "the folder is deleted");
    }

    #[test]
    fn unreadable_paths_are_reported() {
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
    fn working_directory_is_listed_with_absolute_path() {
        let (mut worker, mut messages) = worker();
        worker.run(TestUploadCommand::List(Folder::Working));
        let Some(Message::TestUpload(TestUploadReport::Listed(Folder::Working, Ok(listing)))) =
            messages.blocking_recv()
        else {
            panic!("no listing of the working directory");
        };
        assert!(listing.folder.is_absolute());
        assert!(listing.entries.iter().any(|entry| entry.name == "src" && entry.kind == EntryKind::Folder));
    }

    #[test]
    fn graphics_change_is_reported() {
        let (mut worker, mut messages) = worker();
        worker.set_graphics(Graphics { cell: (9, 18), ..Graphics::default() });
        assert!(matches!(messages.blocking_recv(), Some(Message::TestUpload(TestUploadReport::GraphicsChanged))));
    }

    #[test]
    fn every_test_upload_has_its_own_folder() {
        let (mut worker, _messages) = worker();
        assert!(worker.thumbnails_dir().is_dir());
        let (one, two) =
            (worker.next_thumbnails_dir().expect("a folder"), worker.next_thumbnails_dir().expect("a folder"));
        assert!(one.is_dir() && two.is_dir() && one != two);
    }
}
