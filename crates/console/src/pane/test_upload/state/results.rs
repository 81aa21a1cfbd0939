//! [`TestUploadResults`]: test uploads, as a fold over their events.

use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};

use thumbctl_core::event::{Action, Event, EventKind, Failure, Outcome, RunId, SkipReason, TestUploadStage};
use thumbctl_core::plan::StepId;

/// The maximum number of retained test uploads.
const MAX_TEST_UPLOADS: usize = 200;

/// The test uploads, oldest first, and the displayed one.
#[derive(Clone, Debug, Default)]
pub struct TestUploadResults {
    test_uploads: Vec<TestUploadRun>,
    /// The requested test upload before its first event.
    pending: Option<TestUploadRun>,
    /// The index of the displayed test upload; none: the latest.
    shown_index: Option<usize>,
    /// The index of the selected image.
    selected: usize,
    /// Whether only the selected image is displayed.
    is_enlarged: bool,
}

/// The effect of an event on the test uploads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ApplyOutcome {
    /// The event is not about a test upload.
    Ignored,
    /// A test upload was updated.
    Updated,
    /// A test upload started.
    Started,
}

/// A test upload of one or several images.
#[derive(Clone, Debug, PartialEq)]
pub struct TestUploadRun {
    /// The run ID; none before the first event.
    pub id: Option<RunId>,
    /// The start time.
    pub at: Option<DateTime<Utc>>,
    /// The images.
    pub cards: Vec<ImageResult>,
    /// The outcome; none while running or if interrupted.
    pub outcome: Option<Outcome>,
    /// Whether it ended without an outcome.
    is_abandoned: bool,
}

/// The result of one image.
#[derive(Clone, Debug, PartialEq)]
pub struct ImageResult {
    step: Option<StepId>,
    /// The image path, as given.
    pub shown: String,
    /// The state.
    pub state: ImageState,
    /// The uploaded image.
    pub uploaded: Option<StoredObject>,
    /// The invocation of the function. Its log may arrive after the thumbnail.
    pub invoked: Option<Invocation>,
    /// The thumbnail in the destination bucket.
    pub written: Option<StoredObject>,
    /// The path of the saved thumbnail.
    pub thumbnail: Option<PathBuf>,
}

/// An object in a bucket.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StoredObject {
    /// The time when it was stored, in seconds since the start of the upload.
    pub seconds: f64,
    /// The size in bytes.
    pub bytes: Option<u64>,
}

/// An invocation of the function.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Invocation {
    /// The start time, in seconds since the start of the upload.
    pub seconds: f64,
    /// Whether it was a cold start.
    pub cold: Option<bool>,
}

/// The state of an image.
#[derive(Clone, Debug, PartialEq)]
pub enum ImageState {
    /// It was not uploaded yet.
    Waiting,
    /// It is in progress.
    Running {
        /// The start time.
        since: DateTime<Utc>,
        /// The last progress message.
        progress: Option<String>,
    },
    /// Its thumbnail exists.
    Done,
    /// It failed.
    Failed(Box<Failure>),
    /// It was skipped.
    Skipped(SkipReason),
}

impl ImageResult {
    fn new(step: Option<StepId>, shown: String) -> Self {
        Self { step, shown, state: ImageState::Waiting, uploaded: None, invoked: None, written: None, thumbnail: None }
    }

    /// The file name.
    pub fn name(&self) -> &str {
        Path::new(&self.shown).file_name().and_then(|name| name.to_str()).unwrap_or(&self.shown)
    }

    /// The path of the image, if it is absolute.
    pub fn source(&self) -> Option<&Path> {
        let path = Path::new(&self.shown);
        path.is_absolute().then_some(path)
    }

    /// The sizes of image and thumbnail in bytes, if both are known.
    pub fn sizes(&self) -> Option<(u64, u64)> {
        Some((self.uploaded?.bytes?, self.written?.bytes?))
    }

    /// The size of the thumbnail relative to the image.
    pub fn ratio(&self) -> Option<f64> {
        let (bytes, thumbnail) = self.sizes()?;
        (bytes > 0).then(|| thumbnail as f64 / bytes as f64)
    }

    /// Whether it is waiting or in progress.
    pub fn is_open(&self) -> bool {
        matches!(self.state, ImageState::Waiting | ImageState::Running { .. })
    }
}

impl TestUploadRun {
    fn begin(event: &Event) -> Option<Self> {
        let EventKind::RunStarted(started) = &event.kind else { return None };
        if started.action != Action::TestUpload {
            return None;
        }
        let card = |step: &thumbctl_core::plan::Step| {
            // "Send" in recordings of earlier versions.
            let shown =
                step.title.strip_prefix("Upload ").or_else(|| step.title.strip_prefix("Send ")).unwrap_or(&step.title);
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

    /// Whether it ended.
    pub fn is_over(&self) -> bool {
        self.outcome.is_some() || self.is_abandoned
    }

    /// Applies a new event of the run.
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
            EventKind::TestUploadStage { image, stage, seconds, bytes, cold, path, .. } => {
                // An image can occur twice: the stage belongs to the one without it.
                let is_open = |card: &&mut ImageResult| card.shown == *image && !card.has(*stage);
                let Some(card) = self.cards.iter_mut().find(is_open) else { return };
                let (seconds, bytes, cold) = (*seconds, *bytes, *cold);
                match stage {
                    TestUploadStage::Uploaded => card.uploaded = Some(StoredObject { seconds, bytes }),
                    TestUploadStage::Invoked => card.invoked = Some(Invocation { seconds, cold }),
                    TestUploadStage::Thumbnail => card.written = Some(StoredObject { seconds, bytes }),
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
            | EventKind::BuildPhase { .. }
            | EventKind::Unknown(_) => {}
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
    fn has(&self, stage: TestUploadStage) -> bool {
        match stage {
            TestUploadStage::Uploaded => self.uploaded.is_some(),
            TestUploadStage::Invoked => self.invoked.is_some(),
            TestUploadStage::Thumbnail => self.written.is_some(),
            TestUploadStage::Saved => self.thumbnail.is_some(),
        }
    }
}

impl TestUploadResults {
    /// Applies an event of any run.
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

    /// Adds a requested test upload before its first event.
    pub fn send(&mut self, images: &[PathBuf]) {
        let cards = images.iter().map(|image| ImageResult::new(None, image.display().to_string())).collect();
        self.pending = Some(TestUploadRun { id: None, at: None, cards, outcome: None, is_abandoned: false });
        self.show_latest();
    }

    /// Marks the last test upload as ended. Returns whether it never started.
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

    /// Whether a requested test upload has not started.
    pub fn is_pending(&self) -> bool {
        self.pending.is_some()
    }

    /// Whether there are no test uploads.
    pub fn is_empty(&self) -> bool {
        self.pending.is_none() && self.test_uploads.is_empty()
    }

    /// The number of test uploads.
    pub fn count(&self) -> usize {
        self.test_uploads.len() + usize::from(self.pending.is_some())
    }

    /// The index of the displayed test upload.
    pub fn at(&self) -> usize {
        let last = self.count().saturating_sub(1);
        self.shown_index.unwrap_or(last).min(last)
    }

    /// The displayed test upload.
    pub fn test_upload(&self) -> Option<&TestUploadRun> {
        self.test_uploads.get(self.at()).or(self.pending.as_ref())
    }

    /// The index of the selected image.
    pub fn selected(&self) -> usize {
        let cards = self.test_upload().map_or(0, |test_upload| test_upload.cards.len());
        self.selected.min(cards.saturating_sub(1))
    }

    /// The selected image.
    pub fn card(&self) -> Option<&ImageResult> {
        self.test_upload()?.cards.get(self.selected())
    }

    /// Whether a single image is displayed: the only one or an enlarged one.
    pub fn is_single(&self) -> bool {
        self.is_enlarged || self.test_upload().is_none_or(|test_upload| test_upload.cards.len() <= 1)
    }

    /// Whether one of several images is enlarged.
    pub fn is_enlarged(&self) -> bool {
        self.is_enlarged && self.has_several()
    }

    /// Whether there are several images.
    pub fn has_several(&self) -> bool {
        self.test_upload().is_some_and(|test_upload| test_upload.cards.len() > 1)
    }

    /// Shows the selected image only, or all.
    pub fn enlarge(&mut self, is_enlarged: bool) {
        self.is_enlarged = is_enlarged && self.has_several();
    }

    /// Selects an image. Returns whether it was selected already.
    pub fn select(&mut self, card: usize) -> bool {
        let was = self.selected();
        self.selected = card;
        self.selected = self.selected();
        self.selected == was
    }

    /// Moves the selection.
    pub fn move_by(&mut self, by: isize) {
        self.selected = self.selected().saturating_add_signed(by);
        self.selected = self.selected();
    }

    /// Whether there is a test upload at an offset.
    pub fn can_go(&self, by: isize) -> bool {
        self.at().checked_add_signed(by).is_some_and(|to| to < self.count())
    }

    /// Shows a later or earlier test upload.
    pub fn go(&mut self, by: isize) {
        if !self.can_go(by) {
            return;
        }
        let to = self.at().saturating_add_signed(by);
        self.show_latest();
        self.shown_index = (to + 1 < self.count()).then_some(to);
    }
}
