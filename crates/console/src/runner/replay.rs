//! [`Replay`]: plays a recorded run, event by event, by the times in its journal.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};
use thumbctl_core::event::{Event, EventKind, RunId};
use thumbctl_core::journal::{DeploymentJournal, JournalStore};
use thumbctl_deploy::settings::Settings;
use tokio::sync::mpsc;

use super::desk::{Note, failure_of};
use crate::message::{Message, ReplayPosition};

/// How many events of earlier runs are handed over at once.
const BATCH: usize = 1000;

/// Between two ticks of the recording's clock.
const TICK: Duration = Duration::from_millis(100);

/// Events that are closer together than this are told together.
const FRAME: Duration = Duration::from_millis(16);

/// The slowest and the fastest that a recording can be made to play.
const SPEEDS: (f64, f64) = (0.125, 1024.0);

/// Plays a recorded run.
#[derive(Debug)]
pub(super) struct Replay {
    journal: DeploymentJournal,
    notes: mpsc::Sender<Note>,
    control: Arc<Control>,
}

/// How a recording is played, as the user has it.
#[derive(Debug)]
struct Control {
    playing: Mutex<Playing>,
    changed: Condvar,
}

#[derive(Clone, Copy, Debug, PartialEq)]
struct Playing {
    speed: f64,
    paused: bool,
}

/// Nobody listens any more.
struct Unheard;

impl Replay {
    pub(super) fn new(settings: &Settings, notes: mpsc::Sender<Note>) -> Self {
        let journal = JournalStore::new(&settings.state_dir).deployment(&settings.name);
        let playing = Mutex::new(Playing { speed: 1.0, paused: false });
        Self { journal, notes, control: Arc::new(Control { playing, changed: Condvar::new() }) }
    }

    /// Plays a run on a thread of its own. What earlier runs left is there when it begins.
    pub(super) fn play(&self, run: RunId, speed: f64) {
        self.control.change(|playing| playing.speed = speed);
        let (journal, notes, control) = (self.journal.clone(), self.notes.clone(), Arc::clone(&self.control));
        std::thread::spawn(move || {
            let mut player = Player::new(notes, control, run.clone());
            // A console that has ended hears nothing; then this ends too.
            let _ = player.play(&journal, &run);
        });
    }

    /// Plays so many times faster from now on.
    pub(super) fn faster(&self, factor: f64) {
        self.control.change(|playing| playing.speed = (playing.speed * factor).clamp(SPEEDS.0, SPEEDS.1));
    }

    /// Holds the recording, or goes on.
    pub(super) fn toggle_pause(&self) {
        self.control.change(|playing| playing.paused = !playing.paused);
    }
}

impl Control {
    fn lock(&self) -> MutexGuard<'_, Playing> {
        self.playing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, change: impl FnOnce(&mut Playing)) {
        change(&mut self.lock());
        self.changed.notify_all();
    }
}

struct Player {
    notes: mpsc::Sender<Note>,
    control: Arc<Control>,
    run: RunId,
    /// How it is played, as it was told last.
    told: Playing,
    /// What time it is in the recording.
    clock: Option<DateTime<Utc>>,
    /// Events whose time has come.
    due: Vec<Event>,
}

impl Player {
    fn new(notes: mpsc::Sender<Note>, control: Arc<Control>, run: RunId) -> Self {
        let told = *control.lock();
        Self { notes, control, run, told, clock: None, due: Vec::new() }
    }

    fn play(&mut self, journal: &DeploymentJournal, run: &RunId) -> Result<(), Unheard> {
        self.prelude(journal, run)?;
        self.tell(Message::JournalsRead)?;
        self.tell_position(false)?;
        let mut unheard = false;
        let read = journal.each_of(run, |event| unheard = unheard || self.next(event).is_err());
        if let Err(error) = read {
            self.tell(Message::Notice(Err(failure_of(&error, None))))?;
        }
        if unheard {
            return Err(Unheard);
        }
        self.flush()?;
        self.tell_position(true)
    }

    /// Earlier runs, at once and without their logs.
    fn prelude(&mut self, journal: &DeploymentJournal, run: &RunId) -> Result<(), Unheard> {
        let runs = match journal.runs() {
            Ok(runs) => runs,
            Err(error) => return self.tell(Message::Notice(Err(failure_of(&error, None)))),
        };
        let mut batch = Vec::new();
        for earlier in runs.iter().take_while(|earlier| *earlier != run) {
            let read = journal.each_of(earlier, |event| {
                if !matches!(event.kind, EventKind::LogLine { .. }) {
                    batch.push(event);
                }
            });
            if let Err(error) = read {
                self.tell(Message::Notice(Err(failure_of(&error, None))))?;
            }
            while !batch.is_empty() {
                let rest = batch.split_off(batch.len().min(BATCH));
                self.tell(Message::Events(std::mem::replace(&mut batch, rest)))?;
            }
        }
        Ok(())
    }

    /// Keeps an event until its time has come.
    fn next(&mut self, event: Event) -> Result<(), Unheard> {
        if self.clock.is_none() {
            self.clock = Some(event.at);
            self.tell(Message::Tick(event.at))?;
        }
        while self.clock.is_some_and(|clock| clock < event.at) {
            self.flush()?;
            self.let_time_pass(event.at)?;
        }
        self.due.push(event);
        if self.due.len() < BATCH { Ok(()) } else { self.flush() }
    }

    /// Tells the events whose time has come.
    fn flush(&mut self) -> Result<(), Unheard> {
        self.tell_change()?;
        if self.due.is_empty() {
            return Ok(());
        }
        let due = std::mem::take(&mut self.due);
        self.tell(Message::Events(due))
    }

    /// Lets time pass, at most until the next event or tick, whichever is first, but never less than a frame. It passes as
    /// it was told: a change, whenever it was made, ends the wait and is told.
    fn let_time_pass(&mut self, until: DateTime<Utc>) -> Result<(), Unheard> {
        let Some(now) = self.clock else { return Ok(()) };
        self.tell_change()?;
        let told = self.told;
        if told.paused {
            drop(self.control.changed.wait_while(self.control.lock(), |playing| *playing == told));
        } else {
            let left = Duration::from_secs_f64(((until - now).as_seconds_f64() / told.speed).max(0.0));
            let slice = left.clamp(FRAME, TICK);
            let began = Instant::now();
            drop(self.control.changed.wait_timeout_while(self.control.lock(), slice, |playing| *playing == told));
            let passed = began.elapsed().as_secs_f64() * told.speed;
            let now = now + TimeDelta::nanoseconds((passed * 1e9) as i64);
            self.clock = Some(now);
            self.tell(Message::Tick(now))?;
        }
        self.tell_change()
    }

    /// Tells how it is played, if that is not what was told last.
    fn tell_change(&mut self) -> Result<(), Unheard> {
        let playing = *self.control.lock();
        if playing == self.told { Ok(()) } else { self.tell_position(false) }
    }

    fn tell(&self, message: Message) -> Result<(), Unheard> {
        self.notes.blocking_send(Note::Message(message)).map_err(|_| Unheard)
    }

    fn tell_position(&mut self, over: bool) -> Result<(), Unheard> {
        self.told = *self.control.lock();
        let Playing { speed, paused } = self.told;
        self.tell(Message::Replay(ReplayPosition { run: self.run.to_string(), speed, paused, over }))
    }
}

#[cfg(test)]
mod tests {
    use thumbctl_core::event::{Action, VERSION};
    use thumbctl_core::names::DeploymentName;

    use super::*;

    /// A recording of two events that are an hour apart, played into a channel in which one note fits.
    fn played(dir: &std::path::Path) -> (Replay, mpsc::Receiver<Note>) {
        let journal = JournalStore::new(dir).deployment(&DeploymentName::new("demo").expect("a legal name"));
        let mut run = journal.begin(Action::Deploy).expect("a run begins");
        for seq in 0..2 {
            let at = DateTime::UNIX_EPOCH + TimeDelta::hours(seq);
            let kind = EventKind::StepStarted { step: "repository".into() };
            let event = Event { v: VERSION, run: run.id().clone(), seq: seq.cast_unsigned(), at, kind };
            run.append(&event).expect("there is room");
        }
        let (notes, heard) = mpsc::channel(1);
        let control = Control { playing: Mutex::new(Playing { speed: 1.0, paused: false }), changed: Condvar::new() };
        let replay = Replay { journal, notes, control: Arc::new(control) };
        replay.play(run.id().clone(), 1.0);
        (replay, heard)
    }

    /// How it is played, as it is told next.
    async fn position(heard: &mut mpsc::Receiver<Note>) -> (f64, bool) {
        let told = async {
            while let Some(note) = heard.recv().await {
                if let Note::Message(Message::Replay(position)) = note {
                    return (position.speed, position.paused);
                }
            }
            panic!("the recording ended");
        };
        tokio::time::timeout(Duration::from_secs(30), told).await.expect("it is told")
    }

    #[tokio::test]
    async fn a_pause_that_is_made_while_something_else_is_told_is_told_too() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let (replay, mut heard) = played(dir.path());
        assert_eq!(position(&mut heard).await, (1.0, false));
        // One note fits, so the player still has the first event to tell before it lets time pass.
        replay.toggle_pause();
        assert_eq!(position(&mut heard).await, (1.0, true));
        replay.toggle_pause();
        assert_eq!(position(&mut heard).await, (1.0, false));
    }

    #[tokio::test]
    async fn changes_of_the_speed_add_up_before_one_is_told() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let (replay, mut heard) = played(dir.path());
        assert_eq!(position(&mut heard).await, (1.0, false));
        replay.toggle_pause();
        assert_eq!(position(&mut heard).await, (1.0, true));
        // The player is held: it wakes for the first, and may tell what it finds before the others are made.
        for _ in 0..3 {
            replay.faster(2.0);
        }
        while position(&mut heard).await != (8.0, true) {}
        for _ in 0..20 {
            replay.faster(2.0);
        }
        while position(&mut heard).await != (SPEEDS.1, true) {}
    }
}
