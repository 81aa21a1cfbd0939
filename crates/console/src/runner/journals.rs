//! Reads and follows the journals of the deployment: earlier runs and those of other processes.

use std::time::Duration;

use thumbctl_core::event::Failure;
use thumbctl_core::journal::{DeploymentJournal, JournalFollower, JournalStore};
use thumbctl_deploy::settings::Settings;
use tokio::sync::mpsc;

use super::effect_handler::{RunnerEvent, failure_of};
use crate::message::Message;

/// The maximum number of events per message.
const BATCH: usize = 1000;

/// The poll interval without a lock holder.
const IDLE: Duration = Duration::from_secs(1);

/// The poll interval with a lock holder.
const BUSY: Duration = Duration::from_millis(100);

/// Follows the journals on a separate thread, until the receiver is gone.
pub(super) fn follow(settings: &Settings, sender: mpsc::Sender<RunnerEvent>) {
    let journal = JournalStore::new(&settings.state_dir).deployment(&settings.name);
    std::thread::spawn(move || {
        // Ends with the console.
        let _ = JournalWatcher::new(journal, sender).run();
    });
}

struct JournalWatcher {
    journal: DeploymentJournal,
    follower: JournalFollower,
    sender: mpsc::Sender<RunnerEvent>,
    /// The last reported lock holder.
    holder: Option<String>,
    /// The last reported failure.
    failure: Option<Failure>,
}

/// The receiver is gone.
struct ChannelClosed;

impl JournalWatcher {
    fn new(journal: DeploymentJournal, sender: mpsc::Sender<RunnerEvent>) -> Self {
        Self { follower: journal.follow(), journal, sender, holder: None, failure: None }
    }

    fn run(mut self) -> Result<(), ChannelClosed> {
        self.catch_up()?;
        self.check_lock_holder()?;
        self.send(Message::JournalsRead)?;
        loop {
            std::thread::sleep(if self.holder.is_some() { BUSY } else { IDLE });
            self.catch_up()?;
            self.check_lock_holder()?;
        }
    }

    fn send(&self, message: Message) -> Result<(), ChannelClosed> {
        self.sender.blocking_send(RunnerEvent::Message(message)).map_err(|_| ChannelClosed)
    }

    fn catch_up(&mut self) -> Result<(), ChannelClosed> {
        loop {
            match self.follower.next(BATCH) {
                Ok(events) if events.is_empty() => {
                    self.failure = None;
                    break;
                }
                Ok(events) => self.send(Message::Events(events))?,
                // A damaged journal is skipped. A persistent failure is reported once and retried later.
                Err(error) => {
                    let failure = failure_of(&error, None);
                    if self.failure.as_ref() == Some(&failure) {
                        break;
                    }
                    self.failure = Some(failure.clone());
                    self.send(Message::Notice(Err(failure)))?;
                }
            }
        }
        if self.sender.is_closed() { Err(ChannelClosed) } else { Ok(()) }
    }

    /// Checks the lock: an unfinished run is active in another process if the lock is held, else interrupted.
    fn check_lock_holder(&mut self) -> Result<(), ChannelClosed> {
        let holder = if self.follower.has_open() {
            // An unreadable lock must not prevent the display.
            self.journal.holder().unwrap_or_default().filter(|words| !is_this_process(words))
        } else {
            None
        };
        if holder != self.holder {
            self.holder.clone_from(&holder);
            self.send(Message::Holder(holder))?;
        }
        Ok(())
    }
}

fn is_this_process(words: &str) -> bool {
    words.strip_prefix("process ").and_then(|rest| rest.split(' ').next()) == Some(&std::process::id().to_string())
}

#[cfg(test)]
mod tests {
    use thumbctl_core::event::{Action, Event, EventKind, VERSION};
    use thumbctl_core::names::DeploymentName;

    use super::*;

    fn event(run: &thumbctl_core::event::RunId) -> Event {
        let kind = EventKind::StepStarted { step: "repository".into() };
        Event { v: VERSION, run: run.clone(), seq: 0, at: chrono::DateTime::UNIX_EPOCH, kind }
    }

    async fn next(receiver: &mut mpsc::Receiver<RunnerEvent>) -> Message {
        let next = tokio::time::timeout(Duration::from_secs(30), receiver.recv()).await;
        match next.expect("a message arrives") {
            Some(RunnerEvent::Message(message)) => message,
            other => panic!("not a message: {other:?}"),
        }
    }

    #[tokio::test]
    async fn unreadable_journals_are_reported_once_and_retried() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let journal = JournalStore::new(dir.path()).deployment(&DeploymentName::new("demo").expect("a legal name"));
        let runs = journal.dir().join("runs");
        std::fs::create_dir_all(journal.dir()).expect("a folder");
        std::fs::write(&runs, "a file where a folder should be").expect("the file can be written");
        let (sender, mut receiver) = mpsc::channel(1);
        let watcher = JournalWatcher::new(journal.clone(), sender);
        std::thread::spawn(move || watcher.run());
        let failure = next(&mut receiver).await;
        assert!(matches!(&failure, Message::Notice(Err(failure)) if failure.message.contains("runs")), "{failure:?}");
        let read = next(&mut receiver).await;
        assert!(matches!(read, Message::JournalsRead), "{read:?}");

        std::fs::remove_file(&runs).expect("it exists");
        let mut run = journal.begin(Action::Deploy).expect("a run starts");
        let event = event(run.id());
        run.append(&event).expect("the file can be written");
        let events = next(&mut receiver).await;
        assert!(matches!(&events, Message::Events(events) if *events == [event]), "{events:?}");
    }

    #[tokio::test]
    async fn journals_beside_damaged_one_are_read() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let journal = JournalStore::new(dir.path()).deployment(&DeploymentName::new("demo").expect("a legal name"));
        let damaged = journal.begin(Action::Deploy).expect("a run starts");
        std::fs::write(damaged.path(), "nonsense\n").expect("the file can be written");
        let mut good = journal.begin(Action::Destroy).expect("a run starts");
        let event = event(good.id());
        good.append(&event).expect("the file can be written");
        let (sender, mut receiver) = mpsc::channel(1);
        let watcher = JournalWatcher::new(journal, sender);
        std::thread::spawn(move || watcher.run());
        assert!(matches!(next(&mut receiver).await, Message::Notice(Err(_))));
        assert!(matches!(next(&mut receiver).await, Message::Events(events) if events == [event]));
        assert!(matches!(next(&mut receiver).await, Message::JournalsRead));
    }
}
