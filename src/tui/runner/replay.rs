//! [`Replay`]: plays a recorded run, event by event, by the times in its journal.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};
use tokio::sync::mpsc;

use super::desk::{Note, failure_of};
use crate::event::{Event, EventKind, RunId};
use crate::journal::{DeploymentJournal, JournalStore};
use crate::settings::Settings;
use crate::tui::message::{Message, ReplayPosition};

/// How many events of earlier runs are handed over at once.
const BATCH: usize = 1000;

/// Between two ticks of the recording's clock.
const TICK: Duration = Duration::from_millis(100);

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
        self.set_speed(speed);
        let (journal, notes, control) = (self.journal.clone(), self.notes.clone(), Arc::clone(&self.control));
        std::thread::spawn(move || {
            let mut player = Player { notes, control, run: run.clone(), clock: None };
            // A console that has ended hears nothing; then this ends too.
            let _ = player.play(&journal, &run);
        });
    }

    /// Plays at another speed from now on.
    pub(super) fn set_speed(&self, speed: f64) {
        self.control.change(|playing| playing.speed = speed);
    }

    /// Holds the recording, or goes on.
    pub(super) fn pause(&self, paused: bool) {
        self.control.change(|playing| playing.paused = paused);
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
    /// What time it is in the recording.
    clock: Option<DateTime<Utc>>,
}

impl Player {
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

    /// Waits until it is an event's time, and tells it.
    fn next(&mut self, event: Event) -> Result<(), Unheard> {
        self.wait_until(event.at)?;
        self.tell(Message::Events(vec![event]))
    }

    fn wait_until(&mut self, at: DateTime<Utc>) -> Result<(), Unheard> {
        let mut now = self.clock.unwrap_or(at);
        if self.clock.is_none() {
            self.tell(Message::Tick(at))?;
        }
        while now < at {
            let control = Arc::clone(&self.control);
            let guard = control.lock();
            let playing = *guard;
            if playing.paused {
                drop(control.changed.wait_while(guard, |now| *now == playing));
            } else {
                let left = (at - now).as_seconds_f64() / playing.speed;
                let slice = Duration::from_secs_f64(left).min(TICK);
                let began = Instant::now();
                drop(control.changed.wait_timeout_while(guard, slice, |now| *now == playing));
                let passed = began.elapsed().min(slice).as_secs_f64() * playing.speed;
                now = (now + seconds(passed)).min(at);
                if left <= TICK.as_secs_f64() && began.elapsed() >= slice {
                    now = at;
                }
                self.tell(Message::Tick(now))?;
            }
            if *self.control.lock() != playing {
                self.tell_position(false)?;
            }
        }
        self.clock = Some(now.max(at));
        Ok(())
    }

    fn tell(&self, message: Message) -> Result<(), Unheard> {
        self.notes.blocking_send(Note::Message(message)).map_err(|_| Unheard)
    }

    fn tell_position(&self, over: bool) -> Result<(), Unheard> {
        let Playing { speed, paused } = *self.control.lock();
        self.tell(Message::Replay(ReplayPosition { run: self.run.to_string(), speed, paused, over }))
    }
}

fn seconds(seconds: f64) -> TimeDelta {
    TimeDelta::nanoseconds((seconds * 1e9) as i64)
}
