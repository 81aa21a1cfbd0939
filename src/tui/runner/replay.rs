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

/// Events that are closer together than this are told together.
const FRAME: Duration = Duration::from_millis(16);

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
            let mut player = Player { notes, control, run: run.clone(), clock: None, due: Vec::new() };
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
    /// Events whose time has come.
    due: Vec<Event>,
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
        if self.due.is_empty() {
            return Ok(());
        }
        let due = std::mem::take(&mut self.due);
        self.tell(Message::Events(due))
    }

    /// Lets time pass, at most until the next event or tick, whichever is first, but never less than a frame.
    fn let_time_pass(&mut self, until: DateTime<Utc>) -> Result<(), Unheard> {
        let Some(now) = self.clock else { return Ok(()) };
        let control = Arc::clone(&self.control);
        let guard = control.lock();
        let playing = *guard;
        if playing.paused {
            drop(control.changed.wait_while(guard, |now| *now == playing));
        } else {
            let left = Duration::from_secs_f64(((until - now).as_seconds_f64() / playing.speed).max(0.0));
            let slice = left.clamp(FRAME, TICK);
            let began = Instant::now();
            drop(control.changed.wait_timeout_while(guard, slice, |now| *now == playing));
            let passed = began.elapsed().as_secs_f64() * playing.speed;
            let now = now + TimeDelta::nanoseconds((passed * 1e9) as i64);
            self.clock = Some(now);
            self.tell(Message::Tick(now))?;
        }
        if *self.control.lock() == playing { Ok(()) } else { self.tell_position(false) }
    }

    fn tell(&self, message: Message) -> Result<(), Unheard> {
        self.notes.blocking_send(Note::Message(message)).map_err(|_| Unheard)
    }

    fn tell_position(&self, over: bool) -> Result<(), Unheard> {
        let Playing { speed, paused } = *self.control.lock();
        self.tell(Message::Replay(ReplayPosition { run: self.run.to_string(), speed, paused, over }))
    }
}
