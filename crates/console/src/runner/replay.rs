//! [`Replay`]: replays a recorded run by the times in its journal.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};
use thumbctl_core::event::{Event, EventKind, RunId};
use thumbctl_core::journal::{DeploymentJournal, JournalStore};
use thumbctl_deploy::settings::Settings;
use tokio::sync::mpsc;

use super::effect_handler::{RunnerEvent, failure_of};
use crate::message::{Message, ReplayPosition};

/// The maximum number of events per message.
const BATCH: usize = 1000;

/// The interval of clock ticks.
const TICK: Duration = Duration::from_millis(100);

/// Events within this interval are sent together.
const FRAME: Duration = Duration::from_millis(16);

/// The minimum and maximum speed.
const SPEEDS: (f64, f64) = (0.125, 1024.0);

/// Replays a recorded run.
#[derive(Debug)]
pub(super) struct Replay {
    journal: DeploymentJournal,
    sender: mpsc::Sender<RunnerEvent>,
    control: Arc<PlaybackControl>,
}

/// The playback state, shared with the player.
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

/// The receiver is gone.
struct ChannelClosed;

impl Replay {
    pub(super) fn new(settings: &Settings, sender: mpsc::Sender<RunnerEvent>) -> Self {
        let journal = JournalStore::new(&settings.state_dir).deployment(&settings.name);
        let state = Mutex::new(PlaybackState { speed: 1.0, paused: false });
        Self { journal, sender, control: Arc::new(PlaybackControl { state, changed: Condvar::new() }) }
    }

    /// Replays a run on a separate thread, after the events of earlier runs.
    pub(super) fn play(&self, run: RunId, speed: f64) {
        self.control.change(|state| state.speed = speed);
        let (journal, sender, control) = (self.journal.clone(), self.sender.clone(), Arc::clone(&self.control));
        std::thread::spawn(move || {
            let mut player = Player::new(sender, control, run.clone());
            // Ends with the console.
            let _ = player.play(&journal, &run);
        });
    }

    /// Multiplies the speed.
    pub(super) fn faster(&self, factor: f64) {
        self.control.change(|state| state.speed = (state.speed * factor).clamp(SPEEDS.0, SPEEDS.1));
    }

    /// Pauses or resumes.
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
    /// The last reported playback state.
    reported: PlaybackState,
    /// The current time of the recording.
    clock: Option<DateTime<Utc>>,
    /// Events that are due.
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

    /// Sends the events of earlier runs immediately, without log lines.
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

    /// Waits until an event is due.
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

    /// Sends the due events.
    fn flush(&mut self) -> Result<(), ChannelClosed> {
        self.send_change()?;
        if self.due.is_empty() {
            return Ok(());
        }
        let due = std::mem::take(&mut self.due);
        self.send(Message::Events(due))
    }

    /// Advances the clock to the next event or tick, at least by a frame. A change of the playback state ends the wait and is
    /// reported.
    fn advance_clock(&mut self, until: DateTime<Utc>) -> Result<(), ChannelClosed> {
        let Some(now) = self.clock else { return Ok(()) };
        self.send_change()?;
        let reported = self.reported;
        if reported.paused {
            drop(self.control.changed.wait_while(self.control.lock(), |state| *state == reported));
        } else {
            let left = Duration::from_secs_f64(((until - now).as_seconds_f64() / reported.speed).max(0.0));
            let slice = left.clamp(FRAME, TICK);
            let start = Instant::now();
            drop(self.control.changed.wait_timeout_while(self.control.lock(), slice, |state| *state == reported));
            let passed = start.elapsed().as_secs_f64() * reported.speed;
            let now = now + TimeDelta::nanoseconds((passed * 1e9) as i64);
            self.clock = Some(now);
            self.send(Message::Tick(now))?;
        }
        self.send_change()
    }

    /// Reports the playback state if it changed.
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

    /// Replays two events, one hour apart, into a channel of capacity one.
    fn played(dir: &std::path::Path) -> (Replay, mpsc::Receiver<RunnerEvent>) {
        let journal = JournalStore::new(dir).deployment(&DeploymentName::new("demo").expect("a legal name"));
        let mut run = journal.begin(Action::Deploy).expect("a run starts");
        for seq in 0..2 {
            let at = DateTime::UNIX_EPOCH + TimeDelta::hours(seq);
            let kind = EventKind::StepStarted { step: "repository".into() };
            let event = Event { v: VERSION, run: run.id().clone(), seq: seq.cast_unsigned(), at, kind };
            run.append(&event).expect("the journal can be written");
        }
        let (sender, receiver) = mpsc::channel(1);
        let control =
            PlaybackControl { state: Mutex::new(PlaybackState { speed: 1.0, paused: false }), changed: Condvar::new() };
        let replay = Replay { journal, sender, control: Arc::new(control) };
        replay.play(run.id().clone(), 1.0);
        (replay, receiver)
    }

    /// The next reported playback state.
    async fn position(receiver: &mut mpsc::Receiver<RunnerEvent>) -> (f64, bool) {
        let reported = async {
            while let Some(event) = receiver.recv().await {
                if let RunnerEvent::Message(Message::Replay(position)) = event {
                    return (position.speed, position.paused);
                }
            }
            panic!("the replay ended");
        };
        tokio::time::timeout(Duration::from_secs(30), reported).await.expect("it is reported")
    }

    #[tokio::test]
    async fn pause_during_send_is_reported() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let (replay, mut receiver) = played(dir.path());
        assert_eq!(position(&mut receiver).await, (1.0, false));
        // The channel is full, so the player still has to send the first event.
        replay.toggle_pause();
        assert_eq!(position(&mut receiver).await, (1.0, true));
        replay.toggle_pause();
        assert_eq!(position(&mut receiver).await, (1.0, false));
    }

    #[tokio::test]
    async fn speed_changes_accumulate() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let (replay, mut receiver) = played(dir.path());
        assert_eq!(position(&mut receiver).await, (1.0, false));
        replay.toggle_pause();
        assert_eq!(position(&mut receiver).await, (1.0, true));
        // The paused player wakes at the first change and may report an intermediate speed.
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
