//! The deployment's journals, read from their beginning and followed: what earlier runs did, and what other processes do.

use std::time::Duration;

use thumbctl_core::event::Failure;
use thumbctl_core::journal::{DeploymentJournal, JournalFollower, JournalStore};
use thumbctl_deploy::settings::Settings;
use tokio::sync::mpsc;

use super::desk::{Note, failure_of};
use crate::message::Message;

/// How many events are handed over at once.
const BATCH: usize = 1000;

/// Between two looks while nobody works on the deployment, as far as is known.
const IDLE: Duration = Duration::from_secs(1);

/// Between two looks while somebody does.
const BUSY: Duration = Duration::from_millis(100);

/// Follows the journals on a thread of its own, until nobody listens.
pub(super) fn follow(settings: &Settings, notes: mpsc::Sender<Note>) {
    let journal = JournalStore::new(&settings.state_dir).deployment(&settings.name);
    std::thread::spawn(move || {
        // A console that has ended hears nothing; then this ends too.
        let _ = Watch::new(journal, notes).run();
    });
}

struct Watch {
    journal: DeploymentJournal,
    follower: JournalFollower,
    notes: mpsc::Sender<Note>,
    /// Who works on the deployment, as it was told last.
    holder: Option<String>,
    /// Why the journals cannot be read, as it was told last.
    complaint: Option<Failure>,
}

/// Nobody listens any more.
struct Unheard;

impl Watch {
    fn new(journal: DeploymentJournal, notes: mpsc::Sender<Note>) -> Self {
        Self { follower: journal.follow(), journal, notes, holder: None, complaint: None }
    }

    fn run(mut self) -> Result<(), Unheard> {
        self.catch_up()?;
        self.look_for_holder()?;
        self.tell(Message::JournalsRead)?;
        loop {
            std::thread::sleep(if self.holder.is_some() { BUSY } else { IDLE });
            self.catch_up()?;
            self.look_for_holder()?;
        }
    }

    fn tell(&self, message: Message) -> Result<(), Unheard> {
        self.notes.blocking_send(Note::Message(message)).map_err(|_| Unheard)
    }

    fn catch_up(&mut self) -> Result<(), Unheard> {
        loop {
            match self.follower.next(BATCH) {
                Ok(events) if events.is_empty() => {
                    self.complaint = None;
                    break;
                }
                Ok(events) => self.tell(Message::Events(events))?,
                // A journal that is damaged is read past. What cannot be read at all fails in the same way again: it is
                // told once, and looked at again later.
                Err(error) => {
                    let complaint = failure_of(&error, None);
                    if self.complaint.as_ref() == Some(&complaint) {
                        break;
                    }
                    self.complaint = Some(complaint.clone());
                    self.tell(Message::Notice(Err(complaint)))?;
                }
            }
        }
        if self.notes.is_closed() { Err(Unheard) } else { Ok(()) }
    }

    /// A run without an end is either under way in another process, or its process died. The lock says which.
    fn look_for_holder(&mut self) -> Result<(), Unheard> {
        let holder = if self.follower.has_open() {
            // A lock that cannot be looked at keeps nobody from looking at the deployment.
            self.journal.holder().unwrap_or_default().filter(|words| !is_this_process(words))
        } else {
            None
        };
        if holder != self.holder {
            self.holder.clone_from(&holder);
            self.tell(Message::Holder(holder))?;
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

    async fn next(heard: &mut mpsc::Receiver<Note>) -> Message {
        let next = tokio::time::timeout(Duration::from_secs(30), heard.recv()).await;
        match next.expect("something is told") {
            Some(Note::Message(message)) => message,
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
        let (notes, mut heard) = mpsc::channel(1);
        let watch = Watch::new(journal.clone(), notes);
        std::thread::spawn(move || watch.run());
        let complaint = next(&mut heard).await;
        assert!(
            matches!(&complaint, Message::Notice(Err(failure)) if failure.message.contains("runs")),
            "{complaint:?}"
        );
        let read = next(&mut heard).await;
        assert!(matches!(read, Message::JournalsRead), "{read:?}");

        std::fs::remove_file(&runs).expect("it is there");
        let mut run = journal.begin(Action::Deploy).expect("a run begins");
        let event = event(run.id());
        run.append(&event).expect("there is room");
        let events = next(&mut heard).await;
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
        let (notes, mut heard) = mpsc::channel(1);
        let watch = Watch::new(journal, notes);
        std::thread::spawn(move || watch.run());
        assert!(matches!(next(&mut heard).await, Message::Notice(Err(_))));
        assert!(matches!(next(&mut heard).await, Message::Events(events) if events == [event]));
        assert!(matches!(next(&mut heard).await, Message::JournalsRead));
    }
}
