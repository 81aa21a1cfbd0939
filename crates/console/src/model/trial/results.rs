//! [`Results`]: trials, as a fold over their events.

use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};

use thumbctl_core::event::{Action, Event, EventKind, Failure, Outcome, RunId, SkipReason, TestUploadStage};
use thumbctl_core::plan::StepId;

/// How many trials are kept.
const MOST_TRIALS: usize = 200;

/// The trials, oldest first, and which of them is looked at.
#[derive(Clone, Debug, Default)]
pub struct Results {
    trials: Vec<TrialRun>,
    /// What was sent and has not begun yet.
    pending: Option<TrialRun>,
    /// Which trial is looked at; none: the latest.
    looked_at: Option<usize>,
    /// Which image of it.
    selected: usize,
    /// Whether that image is looked at alone.
    is_enlarged: bool,
}

/// What an event meant to the trials.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    /// It is not about a trial.
    Nothing,
    /// It is about a trial.
    Changed,
    /// A trial has begun with it.
    Begun,
}

/// One trial.
#[derive(Clone, Debug, PartialEq)]
pub struct TrialRun {
    /// Its run; none until it has begun.
    pub id: Option<RunId>,
    /// When it began.
    pub at: Option<DateTime<Utc>>,
    /// Its images.
    pub cards: Vec<Card>,
    /// How it ended; none while it runs, or when its process died.
    pub outcome: Option<Outcome>,
    /// Whether it was given up before it was told how it ended.
    is_given_up: bool,
}

/// What became of one image.
#[derive(Clone, Debug, PartialEq)]
pub struct Card {
    step: Option<StepId>,
    /// The image, as it was named.
    pub shown: String,
    /// Where it is on its way.
    pub state: CardState,
    /// When each stage was reached, in seconds since its upload began.
    pub uploaded: Option<f64>,
    /// When the function began to work on it.
    pub invoked: Option<f64>,
    /// When its thumbnail was there.
    pub written: Option<f64>,
    /// Whether the function's process had to be started for it.
    pub cold: Option<bool>,
    /// How many bytes it has.
    pub bytes: Option<u64>,
    /// How many its thumbnail has.
    pub thumbnail_bytes: Option<u64>,
    /// Where its thumbnail was saved.
    pub thumbnail: Option<PathBuf>,
}

/// Where an image is on its way.
#[derive(Clone, Debug, PartialEq)]
pub enum CardState {
    /// It was not sent yet.
    Waiting,
    /// It is on its way.
    Running {
        /// Since when.
        since: DateTime<Utc>,
        /// What is being waited for.
        progress: Option<String>,
    },
    /// Its thumbnail is there.
    Done,
    /// It failed.
    Failed(Box<Failure>),
    /// It was not sent.
    Skipped(SkipReason),
}

impl Card {
    fn new(step: Option<StepId>, shown: String) -> Self {
        Self {
            step,
            shown,
            state: CardState::Waiting,
            uploaded: None,
            invoked: None,
            written: None,
            cold: None,
            bytes: None,
            thumbnail_bytes: None,
            thumbnail: None,
        }
    }

    /// The image's name, without its folder.
    pub fn name(&self) -> &str {
        Path::new(&self.shown).file_name().and_then(|name| name.to_str()).unwrap_or(&self.shown)
    }

    /// Where the image is, where that still means what it meant.
    pub fn source(&self) -> Option<&Path> {
        let path = Path::new(&self.shown);
        path.is_absolute().then_some(path)
    }

    /// How large the thumbnail is, compared with the image.
    pub fn ratio(&self) -> Option<f64> {
        match (self.bytes, self.thumbnail_bytes) {
            (Some(bytes), Some(thumbnail)) if bytes > 0 => Some(thumbnail as f64 / bytes as f64),
            _ => None,
        }
    }

    /// Whether more may happen to it while its trial runs.
    pub fn is_open(&self) -> bool {
        matches!(self.state, CardState::Waiting | CardState::Running { .. })
    }
}

impl TrialRun {
    fn begin(event: &Event) -> Option<Self> {
        let EventKind::RunStarted(started) = &event.kind else { return None };
        if started.action != Action::TestUpload {
            return None;
        }
        let card = |step: &thumbctl_core::plan::Step| {
            let shown =
                step.title.strip_prefix("Upload ").or_else(|| step.title.strip_prefix("Send ")).unwrap_or(&step.title);
            Card::new(Some(step.id.clone()), shown.to_owned())
        };
        Some(Self {
            id: Some(event.run.clone()),
            at: Some(event.at),
            cards: started.plan.steps().iter().map(card).collect(),
            outcome: None,
            is_given_up: false,
        })
    }

    /// Whether nothing more happens, as far as is known.
    pub fn is_over(&self) -> bool {
        self.outcome.is_some() || self.is_given_up
    }

    /// Takes in one of its events, which is heard for the first time.
    fn apply(&mut self, event: &Event) {
        match &event.kind {
            EventKind::StepStarted { step } => {
                self.set(step, |_| CardState::Running { since: event.at, progress: None });
            }
            EventKind::StepProgress { step, message, .. } => self.progress(step, message),
            EventKind::StepRetried { step, reason, .. } => self.progress(step, reason),
            EventKind::StepFinished { step, .. } => self.set(step, |_| CardState::Done),
            EventKind::StepFailed { step, error, .. } => {
                self.set(step, |_| CardState::Failed(Box::new(error.clone())));
            }
            EventKind::StepSkipped { step, reason } => self.set(step, |_| CardState::Skipped(*reason)),
            EventKind::TestUploadStage { image, stage, seconds, bytes, cold, path, .. } => {
                // One image can be in a trial twice: then what has not come yet is the other's.
                let is_open = |card: &&mut Card| card.shown == *image && !card.has(*stage);
                let Some(card) = self.cards.iter_mut().find(is_open) else { return };
                match stage {
                    TestUploadStage::Uploaded => {
                        card.uploaded = Some(*seconds);
                        card.bytes = *bytes;
                    }
                    TestUploadStage::Invoked => {
                        card.invoked = Some(*seconds);
                        card.cold = *cold;
                    }
                    TestUploadStage::Thumbnail => {
                        card.written = Some(*seconds);
                        card.thumbnail_bytes = *bytes;
                    }
                    TestUploadStage::Saved => card.thumbnail = path.as_ref().map(PathBuf::from),
                }
            }
            EventKind::RunFinished { outcome, .. } => self.outcome = Some(*outcome),
            EventKind::RunStarted(_)
            | EventKind::ResourceChanged { .. }
            | EventKind::LogLine { .. }
            | EventKind::ToolFound { .. }
            | EventKind::WarningGiven { .. }
            | EventKind::OutputGiven { .. }
            | EventKind::ChangePlanned { .. }
            | EventKind::BuildPhase { .. } => {}
        }
    }

    fn progress(&mut self, step: &StepId, words: &str) {
        self.set(step, |state| match state {
            CardState::Running { since, .. } => CardState::Running { since, progress: Some(words.to_owned()) },
            other => other,
        });
    }

    fn set(&mut self, step: &StepId, change: impl FnOnce(CardState) -> CardState) {
        if let Some(card) = self.cards.iter_mut().find(|card| card.step.as_ref() == Some(step)) {
            card.state = change(std::mem::replace(&mut card.state, CardState::Waiting));
        }
    }
}

impl Card {
    fn has(&self, stage: TestUploadStage) -> bool {
        match stage {
            TestUploadStage::Uploaded => self.uploaded.is_some(),
            TestUploadStage::Invoked => self.invoked.is_some(),
            TestUploadStage::Thumbnail => self.written.is_some(),
            TestUploadStage::Saved => self.thumbnail.is_some(),
        }
    }
}

impl Results {
    /// Takes in an event of any run.
    pub fn apply(&mut self, event: &Event) -> Taken {
        if let Some(trial) = TrialRun::begin(event) {
            if self.trials.len() == MOST_TRIALS {
                self.trials.remove(0);
            }
            self.trials.push(trial);
            self.pending = None;
            self.look_at_latest();
            return Taken::Begun;
        }
        match self.trials.iter_mut().rev().find(|trial| trial.id.as_ref() == Some(&event.run)) {
            Some(trial) => {
                trial.apply(event);
                Taken::Changed
            }
            None => Taken::Nothing,
        }
    }

    /// Images were sent: they are shown before the first event comes.
    pub fn send(&mut self, images: &[PathBuf]) {
        let cards = images.iter().map(|image| Card::new(None, image.display().to_string())).collect();
        self.pending = Some(TrialRun { id: None, at: None, cards, outcome: None, is_given_up: false });
        self.look_at_latest();
    }

    /// What was sent did not begin, or has ended without saying so. Answers whether it never began.
    pub fn give_up(&mut self) -> bool {
        if let Some(last) = self.trials.last_mut() {
            last.is_given_up = true;
        }
        self.look_at_latest();
        self.pending.take().is_some()
    }

    fn look_at_latest(&mut self) {
        self.looked_at = None;
        self.selected = 0;
        self.is_enlarged = false;
    }

    /// Whether something was sent and has not begun.
    pub fn is_pending(&self) -> bool {
        self.pending.is_some()
    }

    /// Whether there are no trials.
    pub fn is_empty(&self) -> bool {
        self.pending.is_none() && self.trials.is_empty()
    }

    /// How many trials there are.
    pub fn count(&self) -> usize {
        self.trials.len() + usize::from(self.pending.is_some())
    }

    /// The number of the trial that is looked at, from 0.
    pub fn at(&self) -> usize {
        let last = self.count().saturating_sub(1);
        self.looked_at.unwrap_or(last).min(last)
    }

    /// The trial that is looked at.
    pub fn trial(&self) -> Option<&TrialRun> {
        self.trials.get(self.at()).or(self.pending.as_ref())
    }

    /// The number of the image that is selected.
    pub fn selected(&self) -> usize {
        let cards = self.trial().map_or(0, |trial| trial.cards.len());
        self.selected.min(cards.saturating_sub(1))
    }

    /// The image that is selected.
    pub fn card(&self) -> Option<&Card> {
        self.trial()?.cards.get(self.selected())
    }

    /// Whether one image is looked at: the only one of its trial, or one that was enlarged.
    pub fn is_single(&self) -> bool {
        self.is_enlarged || self.trial().is_none_or(|trial| trial.cards.len() <= 1)
    }

    /// Whether one of several was enlarged.
    pub fn is_enlarged(&self) -> bool {
        self.is_enlarged && self.has_several()
    }

    /// Whether the trial has several images.
    pub fn has_several(&self) -> bool {
        self.trial().is_some_and(|trial| trial.cards.len() > 1)
    }

    /// Looks at one image alone, or at all again.
    pub fn enlarge(&mut self, is_enlarged: bool) {
        self.is_enlarged = is_enlarged && self.has_several();
    }

    /// Selects an image. Answers whether it was selected.
    pub fn select(&mut self, card: usize) -> bool {
        let was = self.selected();
        self.selected = card;
        self.selected = self.selected();
        self.selected == was
    }

    /// Selects another image of the trial.
    pub fn move_by(&mut self, by: isize) {
        self.selected = self.selected().saturating_add_signed(by);
        self.selected = self.selected();
    }

    /// Whether there is a trial so many later, or earlier.
    pub fn can_go(&self, by: isize) -> bool {
        self.at().checked_add_signed(by).is_some_and(|to| to < self.count())
    }

    /// Looks at a later trial, or an earlier one.
    pub fn go(&mut self, by: isize) {
        if !self.can_go(by) {
            return;
        }
        let to = self.at().saturating_add_signed(by);
        self.look_at_latest();
        self.looked_at = (to + 1 < self.count()).then_some(to);
    }
}
