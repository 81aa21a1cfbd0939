//! The deployment's journals, read from their beginning and followed: what earlier runs did, and what other processes do.

use std::time::Duration;

use thumbctl_core::event::Failure;
use thumbctl_core::journal::{DeploymentJournal, JournalFollower, JournalStore};
use thumbctl_deploy::settings::Settings;
use tokio::sync::mpsc;

use super::effect_handler::{RunnerEvent, failure_of};
use crate::message::Message;

/// How many events are handed over at once.
const BATCH: usize = 1000;

/// Between two looks while nobody works on the deployment, as far as is known.
const IDLE: Duration = Duration::from_secs(1);

/// Between two looks while somebody does.
const BUSY: Duration = Duration::from_millis(100);

/// Follows the journals on a thread of its own, until nobody listens.
pub(super) fn follow(settings: &Settings, sender: mpsc::Sender<RunnerEvent>) {
    let journal = JournalStore::new(&settings.state_dir).deployment(&settings.name);
    std::thread::spawn(move || {
        // A console that has ended hears nothing; then this ends too.
        let _ = JournalWatcher::new(journal, sender).run();
    });
}

struct JournalWatcher {
    journal: DeploymentJournal,
    follower: JournalFollower,
    sender: mpsc::Sender<RunnerEvent>,
    /// Who works on the deployment, as it was told last.
    holder: Option<String>,
    /// Why the journals cannot be read, as it was told last.
    failure: Option<Failure>,
}

/// Nobody listens any more.
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
                // A journal that is damaged is read past. What cannot be read at all fails in the same way again: it is
                // told once, and looked at again later.
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

    /// A run without an end is either under way in another process, or its process died. The lock says which.
    fn check_lock_holder(&mut self) -> Result<(), ChannelClosed> {
        let holder = if self.follower.has_open() {
            // A lock that cannot be looked at keeps nobody from looking at the deployment.
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
        match next.expect("something is told") {
            Some(RunnerEvent::Message(message)) => message,
            other => panic!("not a message: {other:?}"),
        }
    }

    #[tokio::test]
    async fn journals_that_cannot_be_read_are_told_once_and_read_when_they_can_be() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let journal = JournalStore::new(dir.path()).deployment(&DeploymentName::new("demo").expect("a legal name"));
        let runs = journal.dir().join("runs");
        std::fs::create_dir_all(journal.dir()).expect("a folder");
        std::fs::write(&runs, "a file where a folder should be").expect("there is room");
        let (sender, mut receiver) = mpsc::channel(1);
        let watcher = JournalWatcher::new(journal.clone(), sender);
        std::thread::spawn(move || watcher.run());
        let failure = next(&mut receiver).await;
        assert!(matches!(&failure, Message::Notice(Err(failure)) if failure.message.contains("runs")), "{failure:?}");
        let read = next(&mut receiver).await;
        assert!(matches!(read, Message::JournalsRead), "{read:?}");

        std::fs::remove_file(&runs).expect("it is there");
        let mut run = journal.begin(Action::Deploy).expect("a run begins");
        let event = event(run.id());
        run.append(&event).expect("there is room");
        let events = next(&mut receiver).await;
        assert!(matches!(&events, Message::Events(events) if *events == [event]), "{events:?}");
    }

    #[tokio::test]
    async fn what_stands_beside_a_damaged_journal_is_read_before_all_are_called_read() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let journal = JournalStore::new(dir.path()).deployment(&DeploymentName::new("demo").expect("a legal name"));
        let damaged = journal.begin(Action::Deploy).expect("a run begins");
        std::fs::write(damaged.path(), "nonsense\n").expect("there is room");
        let mut good = journal.begin(Action::Destroy).expect("a run begins");
        let event = event(good.id());
        good.append(&event).expect("there is room");
        let (sender, mut receiver) = mpsc::channel(1);
        let watcher = JournalWatcher::new(journal, sender);
        std::thread::spawn(move || watcher.run());
        assert!(matches!(next(&mut receiver).await, Message::Notice(Err(_))));
        assert!(matches!(next(&mut receiver).await, Message::Events(events) if events == [event]));
        assert!(matches!(next(&mut receiver).await, Message::JournalsRead));
    }
}
