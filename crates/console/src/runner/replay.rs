//! [`Replay`]: plays a recorded run, event by event, by the times in its journal.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};
use thumbctl_core::event::{Event, EventKind, RunId};
use thumbctl_core::journal::{DeploymentJournal, JournalStore};
use thumbctl_deploy::settings::Settings;
use tokio::sync::mpsc;

use super::effect_handler::{RunnerEvent, failure_of};
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
    sender: mpsc::Sender<RunnerEvent>,
    control: Arc<PlaybackControl>,
}

/// How a recording is played, as the user has it.
#[derive(Debug)]
struct PlaybackControl {
    state: Mutex<PlaybackState>,
    changed: Condvar,
}

#[derive(Clone, Copy, Debug, PartialEq)]
struct PlaybackState {
    speed: f64,
    paused: bool,
}

/// Nobody listens any more.
struct ChannelClosed;

impl Replay {
    pub(super) fn new(settings: &Settings, sender: mpsc::Sender<RunnerEvent>) -> Self {
        let journal = JournalStore::new(&settings.state_dir).deployment(&settings.name);
        let state = Mutex::new(PlaybackState { speed: 1.0, paused: false });
        Self { journal, sender, control: Arc::new(PlaybackControl { state, changed: Condvar::new() }) }
    }

    /// Plays a run on a thread of its own. What earlier runs left is there when it begins.
    pub(super) fn play(&self, run: RunId, speed: f64) {
        self.control.change(|state| state.speed = speed);
        let (journal, sender, control) = (self.journal.clone(), self.sender.clone(), Arc::clone(&self.control));
        std::thread::spawn(move || {
            let mut player = Player::new(sender, control, run.clone());
            // A console that has ended hears nothing; then this ends too.
            let _ = player.play(&journal, &run);
        });
    }

    /// Plays so many times faster from now on.
    pub(super) fn faster(&self, factor: f64) {
        self.control.change(|state| state.speed = (state.speed * factor).clamp(SPEEDS.0, SPEEDS.1));
    }

    /// Holds the recording, or goes on.
    pub(super) fn toggle_pause(&self) {
        self.control.change(|state| state.paused = !state.paused);
    }
}

impl PlaybackControl {
    fn lock(&self) -> MutexGuard<'_, PlaybackState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, change: impl FnOnce(&mut PlaybackState)) {
        change(&mut self.lock());
        self.changed.notify_all();
    }
}

struct Player {
    sender: mpsc::Sender<RunnerEvent>,
    control: Arc<PlaybackControl>,
    run: RunId,
    /// How it is played, as it was told last.
    reported: PlaybackState,
    /// What time it is in the recording.
    clock: Option<DateTime<Utc>>,
    /// Events whose time has come.
    due: Vec<Event>,
}

impl Player {
    fn new(sender: mpsc::Sender<RunnerEvent>, control: Arc<PlaybackControl>, run: RunId) -> Self {
        let reported = *control.lock();
        Self { sender, control, run, reported, clock: None, due: Vec::new() }
    }

    fn play(&mut self, journal: &DeploymentJournal, run: &RunId) -> Result<(), ChannelClosed> {
        self.send_earlier_runs(journal, run)?;
        self.send(Message::JournalsRead)?;
        self.send_position(false)?;
        let mut is_closed = false;
        let read = journal.each_of(run, |event| is_closed = is_closed || self.next(event).is_err());
        if let Err(error) = read {
            self.send(Message::Notice(Err(failure_of(&error, None))))?;
        }
        if is_closed {
            return Err(ChannelClosed);
        }
        self.flush()?;
        self.send_position(true)
    }

    /// Earlier runs, at once and without their logs.
    fn send_earlier_runs(&mut self, journal: &DeploymentJournal, run: &RunId) -> Result<(), ChannelClosed> {
        let runs = match journal.runs() {
            Ok(runs) => runs,
            Err(error) => return self.send(Message::Notice(Err(failure_of(&error, None)))),
        };
        let mut batch = Vec::new();
        for earlier in runs.iter().take_while(|earlier| *earlier != run) {
            let read = journal.each_of(earlier, |event| {
                if !matches!(event.kind, EventKind::LogLine { .. }) {
                    batch.push(event);
                }
            });
            if let Err(error) = read {
                self.send(Message::Notice(Err(failure_of(&error, None))))?;
            }
            while !batch.is_empty() {
                let rest = batch.split_off(batch.len().min(BATCH));
                self.send(Message::Events(std::mem::replace(&mut batch, rest)))?;
            }
        }
        Ok(())
    }

    /// Keeps an event until its time has come.
    fn next(&mut self, event: Event) -> Result<(), ChannelClosed> {
        if self.clock.is_none() {
            self.clock = Some(event.at);
            self.send(Message::Tick(event.at))?;
        }
        while self.clock.is_some_and(|clock| clock < event.at) {
            self.flush()?;
            self.advance_clock(event.at)?;
        }
        self.due.push(event);
        if self.due.len() < BATCH { Ok(()) } else { self.flush() }
    }

    /// Tells the events whose time has come.
    fn flush(&mut self) -> Result<(), ChannelClosed> {
        self.send_change()?;
        if self.due.is_empty() {
            return Ok(());
        }
        let due = std::mem::take(&mut self.due);
        self.send(Message::Events(due))
    }

    /// Lets time pass, at most until the next event or tick, whichever is first, but never less than a frame. It passes as
    /// it was told: a change, whenever it was made, ends the wait and is told.
    fn advance_clock(&mut self, until: DateTime<Utc>) -> Result<(), ChannelClosed> {
        let Some(now) = self.clock else { return Ok(()) };
        self.send_change()?;
        let reported = self.reported;
        if reported.paused {
            drop(self.control.changed.wait_while(self.control.lock(), |state| *state == reported));
        } else {
            let left = Duration::from_secs_f64(((until - now).as_seconds_f64() / reported.speed).max(0.0));
            let slice = left.clamp(FRAME, TICK);
            let began = Instant::now();
            drop(self.control.changed.wait_timeout_while(self.control.lock(), slice, |state| *state == reported));
            let passed = began.elapsed().as_secs_f64() * reported.speed;
            let now = now + TimeDelta::nanoseconds((passed * 1e9) as i64);
            self.clock = Some(now);
            self.send(Message::Tick(now))?;
        }
        self.send_change()
    }

    /// Tells how it is played, if that is not what was told last.
    fn send_change(&mut self) -> Result<(), ChannelClosed> {
        let state = *self.control.lock();
        if state == self.reported { Ok(()) } else { self.send_position(false) }
    }

    fn send(&self, message: Message) -> Result<(), ChannelClosed> {
        self.sender.blocking_send(RunnerEvent::Message(message)).map_err(|_| ChannelClosed)
    }

    fn send_position(&mut self, over: bool) -> Result<(), ChannelClosed> {
        self.reported = *self.control.lock();
        let PlaybackState { speed, paused } = self.reported;
        self.send(Message::Replay(ReplayPosition { run: self.run.to_string(), speed, paused, over }))
    }
}

#[cfg(test)]
mod tests {
    use thumbctl_core::event::{Action, VERSION};
    use thumbctl_core::names::DeploymentName;

    use super::*;

    /// A recording of two events that are an hour apart, played into a channel in which one note fits.
    fn played(dir: &std::path::Path) -> (Replay, mpsc::Receiver<RunnerEvent>) {
        let journal = JournalStore::new(dir).deployment(&DeploymentName::new("demo").expect("a legal name"));
        let mut run = journal.begin(Action::Deploy).expect("a run begins");
        for seq in 0..2 {
            let at = DateTime::UNIX_EPOCH + TimeDelta::hours(seq);
            let kind = EventKind::StepStarted { step: "repository".into() };
            let event = Event { v: VERSION, run: run.id().clone(), seq: seq.cast_unsigned(), at, kind };
            run.append(&event).expect("there is room");
        }
        let (sender, receiver) = mpsc::channel(1);
        let control =
            PlaybackControl { state: Mutex::new(PlaybackState { speed: 1.0, paused: false }), changed: Condvar::new() };
        let replay = Replay { journal, sender, control: Arc::new(control) };
        replay.play(run.id().clone(), 1.0);
        (replay, receiver)
    }

    /// How it is played, as it is told next.
    async fn position(receiver: &mut mpsc::Receiver<RunnerEvent>) -> (f64, bool) {
        let reported = async {
            while let Some(event) = receiver.recv().await {
                if let RunnerEvent::Message(Message::Replay(position)) = event {
                    return (position.speed, position.paused);
                }
            }
            panic!("the recording ended");
        };
        tokio::time::timeout(Duration::from_secs(30), reported).await.expect("it is told")
    }

    #[tokio::test]
    async fn a_pause_that_is_made_while_something_else_is_told_is_told_too() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let (replay, mut receiver) = played(dir.path());
        assert_eq!(position(&mut receiver).await, (1.0, false));
        // One note fits, so the player still has the first event to tell before it lets time pass.
        replay.toggle_pause();
        assert_eq!(position(&mut receiver).await, (1.0, true));
        replay.toggle_pause();
        assert_eq!(position(&mut receiver).await, (1.0, false));
    }

    #[tokio::test]
    async fn changes_of_the_speed_add_up_before_one_is_told() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let (replay, mut receiver) = played(dir.path());
        assert_eq!(position(&mut receiver).await, (1.0, false));
        replay.toggle_pause();
        assert_eq!(position(&mut receiver).await, (1.0, true));
        // The player is held: it wakes for the first, and may tell what it finds before the others are made.
        for _ in 0..3 {
            replay.faster(2.0);
        }
        while position(&mut receiver).await != (8.0, true) {}
        for _ in 0..20 {
            replay.faster(2.0);
        }
        while position(&mut receiver).await != (SPEEDS.1, true) {}
    }
}
