//! [`TestUpload`]: sends images through a deployment and says what took how long.

use std::collections::{BTreeMap, VecDeque};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use thumbctl_core::engine::{StepDone, StepError, StepRunner, StepScope};
use thumbctl_core::event::{EventKind, Failure, TrialStage};
use thumbctl_core::names::Names;
use thumbctl_core::plan::{Plan, Step, StepId};
use thumbctl_core::resource::ResourceKind;
use tokio::sync::Mutex;

use crate::aws::{AwsError, ErrorKind, logs, s3, wait};
use crate::strategy::DeployTarget;

mod function_log;
mod image_file;

use self::function_log::{Invocation, Reading};
use self::image_file::ImageFile;
pub use self::image_file::TestUploadError;

/// When the thumbnail is looked for: close together at first, since a warm function is quick.
const LOOK: wait::Schedule =
    wait::Schedule::new(Duration::from_millis(10), 1.15, Duration::from_secs(1), Duration::from_secs(3600));

/// How long the function's log is read for what is worth knowing, after the thumbnail is there.
const LOG_WITHIN: Duration = Duration::from_secs(3);

/// Between two looks into the function's log while the thumbnail has not come.
const LOG_EVERY: Duration = Duration::from_millis(400);

/// Rule: FilterLogEvents is allowed five times a second in an account; all images of a trial share that.
const LOG_READS_A_SECOND: usize = 5;

/// Images to be sent, each a step.
#[derive(Debug)]
pub struct TestUpload {
    target: DeployTarget,
    names: Names,
    images: BTreeMap<StepId, ImageFile>,
    save: Option<PathBuf>,
    /// Keeps this trial's keys apart from those of others, so that no earlier thumbnail is taken for this one's.
    mark: String,
    /// When the function's log was read last.
    log_reads: Mutex<VecDeque<Instant>>,
}

impl TestUpload {
    /// Checks the images.
    ///
    /// # Errors
    /// When one is missing, empty, no image, too large, or the folder to save to cannot be made.
    pub fn new(
        target: DeployTarget,
        names: Names,
        images: Vec<PathBuf>,
        save: Option<PathBuf>,
    ) -> Result<Self, TestUploadError> {
        if let Some(dir) = &save {
            std::fs::create_dir_all(dir).map_err(|source| TestUploadError::Save { path: dir.clone(), source })?;
        }
        let mut checked = BTreeMap::new();
        let width = images.len().to_string().len();
        // What the function itself refuses (`object_limit` there); gigabytes need not be sent to learn that.
        let most = u64::from(target.settings.function.memory_mb) * 1024 * 1024 / 4;
        let mut saved_names = Vec::new();
        for (index, path) in images.iter().enumerate() {
            let image = ImageFile::check(path, most, &mut saved_names)?;
            // Steps run in the order of their names.
            let id = format!("image_{:0width$}", index + 1);
            checked.insert(StepId::from(id.as_str()), image);
        }
        Ok(Self {
            target,
            names,
            images: checked,
            save,
            mark: format!("{:08x}", rand::random::<u32>()),
            log_reads: Mutex::default(),
        })
    }

    /// One step an image; none needs another.
    pub fn plan(&self) -> Plan {
        let steps = self.images.iter().map(|(id, image)| {
            Step::new(
                id.as_str(),
                format!("Send {}", image.shown()),
                "Its thumbnail shows that everything works together.",
            )
            .calls(&["s3:PutObject", "s3:HeadObject", "s3:GetObject", "logs:FilterLogEvents"])
        });
        Plan::new(steps.collect()).expect("every image has a number of its own")
    }

    async fn send(&self, image: &ImageFile, scope: &StepScope) -> Result<(), StepError> {
        let clients = &self.target.clients;
        let source = self.names.of(ResourceKind::SourceBucket);
        let destination = self.names.of(ResourceKind::DestinationBucket);
        let key = format!("{}-{}", self.mark, image.name());
        let thumbnail_key = format!("thumb-{key}");
        let began = Instant::now();
        let began_at = Utc::now();
        tokio::select! {
            put = s3::put_object_from_file(&clients.s3_transfer, &source, &key, image.path(), image.content_type()) => {
                put.map_err(failed)?;
            }
            // A large image on a slow line is not waited for.
            () = scope.cancel().cancelled() => return Err(StepError::Cancelled),
        }
        let stage = |stage, seconds, key: &str| EventKind::TrialStage {
            image: image.shown(),
            stage,
            seconds,
            key: key.to_owned(),
            bytes: None,
            cold: None,
            path: None,
        };
        let with_bytes = |event, size| match event {
            EventKind::TrialStage { image, stage, seconds, key, cold, path, .. } => {
                EventKind::TrialStage { image, stage, seconds, key, bytes: Some(size), cold, path }
            }
            other => other,
        };
        let uploaded = stage(TrialStage::Uploaded, began.elapsed().as_secs_f64(), &key);
        scope.tell(with_bytes(uploaded, image.size())).await?;

        let size = self.await_thumbnail(&destination, &thumbnail_key, &key, began, began_at, scope).await?;
        let there = stage(TrialStage::Thumbnail, began.elapsed().as_secs_f64(), &thumbnail_key);
        scope.tell(with_bytes(there, size)).await?;
        if let Some(dir) = &self.save {
            let path = dir.join(image.saved_name());
            s3::get_object_to_file(&clients.s3_transfer, &destination, &thumbnail_key, &path).await.map_err(failed)?;
            let saved = stage(TrialStage::Saved, began.elapsed().as_secs_f64(), &thumbnail_key);
            let saved = match saved {
                EventKind::TrialStage { image, stage, seconds, key, bytes, cold, .. } => {
                    let path = Some(path.display().to_string());
                    EventKind::TrialStage { image, stage, seconds, key, bytes, cold, path }
                }
                other => other,
            };
            scope.tell(with_bytes(saved, size)).await?;
        }
        // Told last, since the log comes later than the thumbnail; by its own clock it happened before.
        if let Some(invocation) = self.await_invocation(&key, began_at).await.map_err(failed)? {
            let seconds = (invocation.started - began_at).as_seconds_f64().max(0.0);
            scope
                .tell(EventKind::TrialStage {
                    image: image.shown(),
                    stage: TrialStage::Invoked,
                    seconds,
                    key,
                    bytes: None,
                    cold: invocation.cold,
                    path: None,
                })
                .await?;
        }
        Ok(())
    }

    /// Looks for the thumbnail until it is there, the function says that it failed, or the time is up; answers its size.
    async fn await_thumbnail(
        &self,
        bucket: &str,
        thumbnail_key: &str,
        key: &str,
        began: Instant,
        began_at: DateTime<Utc>,
        scope: &StepScope,
    ) -> Result<u64, StepError> {
        let deadline = Duration::from_secs(u64::from(self.target.settings.timeouts.trial_seconds));
        let mut log_looked_at = Instant::now();
        for attempt in 1.. {
            match s3::head_object(&self.target.clients.s3, bucket, thumbnail_key).await {
                Ok(Some(thumbnail)) => return Ok(thumbnail.size),
                Ok(None) => {}
                Err(error) if error.kind == ErrorKind::Throttled => {}
                Err(error) => return Err(failed(error)),
            }
            if log_looked_at.elapsed() > LOG_EVERY {
                log_looked_at = Instant::now();
                let reading = self.read_log(key, began_at).await.map_err(failed)?;
                if let Some(error) = self.error_in(reading, began) {
                    let failure = Failure::new(format!("the function failed: {error}"));
                    return Err(StepError::Failed(failure.with_hint("`thumbctl logs function` shows its log")));
                }
            }
            if began.elapsed() > deadline {
                let message = format!(
                    "no thumbnail came within {} s, and the function's log does not say why",
                    deadline.as_secs()
                );
                return Err(StepError::Failed(Failure::new(message).with_hint(
                    "`thumbctl status` tells whether everything is there, `thumbctl logs function` whether the function was started",
                )));
            }
            if attempt == 12 {
                scope.progress("waiting for the thumbnail", None, None).await?;
            }
            tokio::select! {
                () = tokio::time::sleep(LOOK.delay(attempt)) => {}
                () = scope.cancel().cancelled() => return Err(StepError::Cancelled),
            }
        }
        unreachable!("the attempts are not counted to their end")
    }

    /// Why there will be no thumbnail, if the log says so. A killed invocation does not say whose it was: it is this image's
    /// when there is no other, or when every invocation that could be this image's must be over.
    fn error_in(&self, reading: Reading, began: Instant) -> Option<String> {
        if let Some(invocation) = reading.invocation {
            return invocation.error;
        }
        let limit = Duration::from_secs(u64::from(self.target.settings.function.timeout_seconds) + 5);
        let certain = self.images.len() == 1 || began.elapsed() > limit;
        reading.lost.into_iter().next().filter(|_| certain)
    }

    /// Waits until the log may be read once more.
    async fn await_turn(&self) {
        let mut reads = self.log_reads.lock().await;
        if reads.len() == LOG_READS_A_SECOND
            && let Some(earliest) = reads.pop_front()
        {
            tokio::time::sleep(Duration::from_secs(1).saturating_sub(earliest.elapsed())).await;
        }
        reads.push_back(Instant::now());
    }

    async fn read_log(&self, key: &str, uploaded: DateTime<Utc>) -> Result<Reading, AwsError> {
        self.await_turn().await;
        let group = self.names.of(ResourceKind::FunctionLogGroup);
        // Earlier than the upload: our clock and AWS's need not agree.
        let since = (uploaded - chrono::TimeDelta::minutes(1)).timestamp_millis();
        match logs::filter_events(&self.target.clients.logs, &group, since, None).await {
            Ok(lines) => Ok(function_log::read(key, uploaded.timestamp_millis(), &lines)),
            // What the log says is a courtesy; the thumbnail is what counts.
            Err(error) if matches!(error.kind, ErrorKind::Throttled | ErrorKind::NotFound) => Ok(Reading::default()),
            Err(error) => Err(error),
        }
    }

    /// What the log says of an image whose thumbnail is there; it comes a moment later than the thumbnail.
    async fn await_invocation(&self, key: &str, since: DateTime<Utc>) -> Result<Option<Invocation>, AwsError> {
        let began = Instant::now();
        for attempt in 1.. {
            let found = self.read_log(key, since).await?.invocation;
            if found.as_ref().is_some_and(|invocation| invocation.cold.is_some()) || began.elapsed() > LOG_WITHIN {
                return Ok(found);
            }
            tokio::time::sleep(LOOK.delay(attempt * 4)).await;
        }
        unreachable!("the attempts are not counted to their end")
    }
}

#[async_trait]
impl StepRunner for TestUpload {
    async fn run(&self, step: &Step, scope: &StepScope) -> Result<StepDone, StepError> {
        let image = self.images.get(&step.id).expect("the plan was made of these images");
        self.send(image, scope).await.map(|()| StepDone::Finished)
    }
}

fn failed(error: AwsError) -> StepError {
    let failure = Failure::from_error(&error);
    StepError::Failed(Failure { hint: error.hint(), ..failure })
}

/// The name under which an image's thumbnail is saved.
fn saved_name(name: &str) -> String {
    format!("thumb-{name}")
}

fn file_name_of(path: &Path) -> Option<&str> {
    path.file_name().and_then(|name| name.to_str())
}
