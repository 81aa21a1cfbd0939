//! [`TestUploadResults`]: trials, as a fold over their events.

use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};

use thumbctl_core::event::{Action, Event, EventKind, Failure, Outcome, RunId, SkipReason, TrialStage};
use thumbctl_core::plan::StepId;

/// How many trials are kept.
const MAX_TEST_UPLOADS: usize = 200;

/// The trials, oldest first, and which of them is looked at.
#[derive(Clone, Debug, Default)]
pub struct TestUploadResults {
    test_uploads: Vec<TestUploadRun>,
    /// What was sent and has not begun yet.
    pending: Option<TestUploadRun>,
    /// Which trial is looked at; none: the latest.
    shown_index: Option<usize>,
    /// Which image of it.
    selected: usize,
    /// Whether that image is looked at alone.
    is_enlarged: bool,
}

/// What an event meant to the trials.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ApplyOutcome {
    /// It is not about a trial.
    Ignored,
    /// It is about a trial.
    Updated,
    /// A trial has begun with it.
    Started,
}

/// One trial.
#[derive(Clone, Debug, PartialEq)]
pub struct TestUploadRun {
    /// Its run; none until it has begun.
    pub id: Option<RunId>,
    /// When it began.
    pub at: Option<DateTime<Utc>>,
    /// Its images.
    pub cards: Vec<ImageResult>,
    /// How it ended; none while it runs, or when its process died.
    pub outcome: Option<Outcome>,
    /// Whether it was given up before it was told how it ended.
    is_abandoned: bool,
}

/// What became of one image.
#[derive(Clone, Debug, PartialEq)]
pub struct ImageResult {
    step: Option<StepId>,
    /// The image, as it was named.
    pub shown: String,
    /// Where it is on its way.
    pub state: ImageState,
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
pub enum ImageState {
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

impl ImageResult {
    fn new(step: Option<StepId>, shown: String) -> Self {
        Self {
            step,
            shown,
            state: ImageState::Waiting,
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
        matches!(self.state, ImageState::Waiting | ImageState::Running { .. })
    }
}

impl TestUploadRun {
    fn begin(event: &Event) -> Option<Self> {
        let EventKind::RunStarted(started) = &event.kind else { return None };
        if started.action != Action::Trial {
            return None;
        }
        let card = |step: &thumbctl_core::plan::Step| {
            let shown = step.title.strip_prefix("Send ").unwrap_or(&step.title);
            ImageResult::new(Some(step.id.clone()), shown.to_owned())
        };
        Some(Self {
            id: Some(event.run.clone()),
            at: Some(event.at),
            cards: started.plan.steps().iter().map(card).collect(),
            outcome: None,
            is_abandoned: false,
        })
    }

    /// Whether nothing more happens, as far as is known.
    pub fn is_over(&self) -> bool {
        self.outcome.is_some() || self.is_abandoned
    }

    /// Takes in one of its events, which is heard for the first time.
    fn apply(&mut self, event: &Event) {
        match &event.kind {
            EventKind::StepStarted { step } => {
                self.set(step, |_| ImageState::Running { since: event.at, progress: None });
            }
            EventKind::StepProgress { step, message, .. } => self.progress(step, message),
            EventKind::StepRetried { step, reason, .. } => self.progress(step, reason),
            EventKind::StepFinished { step, .. } => self.set(step, |_| ImageState::Done),
            EventKind::StepFailed { step, error, .. } => {
                self.set(step, |_| ImageState::Failed(Box::new(error.clone())));
            }
            EventKind::StepSkipped { step, reason } => self.set(step, |_| ImageState::Skipped(*reason)),
            EventKind::TrialStage { image, stage, seconds, bytes, cold, path, .. } => {
                // One image can be in a trial twice: then what has not come yet is the other's.
                let is_open = |card: &&mut ImageResult| card.shown == *image && !card.has(*stage);
                let Some(card) = self.cards.iter_mut().find(is_open) else { return };
                match stage {
                    TrialStage::Uploaded => {
                        card.uploaded = Some(*seconds);
                        card.bytes = *bytes;
                    }
                    TrialStage::Invoked => {
                        card.invoked = Some(*seconds);
                        card.cold = *cold;
                    }
                    TrialStage::Thumbnail => {
                        card.written = Some(*seconds);
                        card.thumbnail_bytes = *bytes;
                    }
                    TrialStage::Saved => card.thumbnail = path.as_ref().map(PathBuf::from),
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
            ImageState::Running { since, .. } => ImageState::Running { since, progress: Some(words.to_owned()) },
            other => other,
        });
    }

    fn set(&mut self, step: &StepId, change: impl FnOnce(ImageState) -> ImageState) {
        if let Some(card) = self.cards.iter_mut().find(|card| card.step.as_ref() == Some(step)) {
            card.state = change(std::mem::replace(&mut card.state, ImageState::Waiting));
        }
    }
}

impl ImageResult {
    fn has(&self, stage: TrialStage) -> bool {
        match stage {
            TrialStage::Uploaded => self.uploaded.is_some(),
            TrialStage::Invoked => self.invoked.is_some(),
            TrialStage::Thumbnail => self.written.is_some(),
            TrialStage::Saved => self.thumbnail.is_some(),
        }
    }
}

impl TestUploadResults {
    /// Takes in an event of any run.
    pub fn apply(&mut self, event: &Event) -> ApplyOutcome {
        if let Some(test_upload) = TestUploadRun::begin(event) {
            if self.test_uploads.len() == MAX_TEST_UPLOADS {
                self.test_uploads.remove(0);
            }
            self.test_uploads.push(test_upload);
            self.pending = None;
            self.show_latest();
            return ApplyOutcome::Started;
        }
        match self.test_uploads.iter_mut().rev().find(|test_upload| test_upload.id.as_ref() == Some(&event.run)) {
            Some(test_upload) => {
                test_upload.apply(event);
                ApplyOutcome::Updated
            }
            None => ApplyOutcome::Ignored,
        }
    }

    /// Images were sent: they are shown before the first event comes.
    pub fn send(&mut self, images: &[PathBuf]) {
        let cards = images.iter().map(|image| ImageResult::new(None, image.display().to_string())).collect();
        self.pending = Some(TestUploadRun { id: None, at: None, cards, outcome: None, is_abandoned: false });
        self.show_latest();
    }

    /// What was sent did not begin, or has ended without saying so. Answers whether it never began.
    pub fn abandon(&mut self) -> bool {
        if let Some(last) = self.test_uploads.last_mut() {
            last.is_abandoned = true;
        }
        self.show_latest();
        self.pending.take().is_some()
    }

    fn show_latest(&mut self) {
        self.shown_index = None;
        self.selected = 0;
        self.is_enlarged = false;
    }

    /// Whether something was sent and has not begun.
    pub fn is_pending(&self) -> bool {
        self.pending.is_some()
    }

    /// Whether there are no trials.
    pub fn is_empty(&self) -> bool {
        self.pending.is_none() && self.test_uploads.is_empty()
    }

    /// How many trials there are.
    pub fn count(&self) -> usize {
        self.test_uploads.len() + usize::from(self.pending.is_some())
    }

    /// The number of the trial that is looked at, from 0.
    pub fn at(&self) -> usize {
        let last = self.count().saturating_sub(1);
        self.shown_index.unwrap_or(last).min(last)
    }

    /// The trial that is looked at.
    pub fn test_upload(&self) -> Option<&TestUploadRun> {
        self.test_uploads.get(self.at()).or(self.pending.as_ref())
    }

    /// The number of the image that is selected.
    pub fn selected(&self) -> usize {
        let cards = self.test_upload().map_or(0, |test_upload| test_upload.cards.len());
        self.selected.min(cards.saturating_sub(1))
    }

    /// The image that is selected.
    pub fn card(&self) -> Option<&ImageResult> {
        self.test_upload()?.cards.get(self.selected())
    }

    /// Whether one image is looked at: the only one of its trial, or one that was enlarged.
    pub fn is_single(&self) -> bool {
        self.is_enlarged || self.test_upload().is_none_or(|test_upload| test_upload.cards.len() <= 1)
    }

    /// Whether one of several was enlarged.
    pub fn is_enlarged(&self) -> bool {
        self.is_enlarged && self.has_several()
    }

    /// Whether the trial has several images.
    pub fn has_several(&self) -> bool {
        self.test_upload().is_some_and(|test_upload| test_upload.cards.len() > 1)
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
        self.show_latest();
        self.shown_index = (to + 1 < self.count()).then_some(to);
    }
}
