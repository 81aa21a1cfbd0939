//! The deployment's journals, read from their beginning and followed: what earlier runs did, and what other processes do.

use std::time::Duration;

use tokio::sync::mpsc;

use super::desk::{Note, failure_of};
use crate::journal::{DeploymentJournal, JournalFollower, JournalStore};
use crate::settings::Settings;
use crate::tui::message::Message;

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
        let _ = Watch { follower: journal.follow(), journal, notes, holder: None }.run();
    });
}

struct Watch {
    journal: DeploymentJournal,
    follower: JournalFollower,
    notes: mpsc::Sender<Note>,
    /// Who works on the deployment, as it was told last.
    holder: Option<String>,
}

/// Nobody listens any more.
struct Unheard;

impl Watch {
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
                Ok(events) if events.is_empty() => break,
                Ok(events) => self.tell(Message::Events(events))?,
                Err(error) => self.tell(Message::Notice(Err(failure_of(&error, None))))?,
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
