//! [`TestUpload`]: uploads images through a deployment and times each stage.

use std::collections::{BTreeMap, VecDeque};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use thumbctl_core::engine::{StepDone, StepError, StepRunner, StepScope};
use thumbctl_core::event::{EventKind, Failure, TestUploadStage};
use thumbctl_core::names::Names;
use thumbctl_core::plan::{Plan, Step, StepId};
use thumbctl_core::resource::ResourceKind;
use tokio::sync::Mutex;

use crate::aws::{AwsError, ErrorKind, logs, s3, wait};
use crate::deploy_target::DeployTarget;

mod function_log;
mod image_file;

use self::function_log::{Invocation, LogReading};
use self::image_file::ImageFile;
pub use self::image_file::TestUploadError;

/// The polls for the thumbnail: short delays at first, since a warm function is fast.
const POLLS: wait::Schedule =
    wait::Schedule::new(Duration::from_millis(10), 1.15, Duration::from_secs(1), Duration::from_secs(3600));

/// How long the function's log is read after the thumbnail.
const LOG_DEADLINE: Duration = Duration::from_secs(3);

/// The interval of log reads before the thumbnail.
const LOG_INTERVAL: Duration = Duration::from_millis(400);

/// Rule: an account has five FilterLogEvents calls a second; all images of a test upload share them.
/// <https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/cloudwatch_limits_cwl.html>.
const LOG_READS_A_SECOND: usize = 5;

/// Images to upload, each as a step.
#[derive(Debug)]
pub struct TestUpload {
    target: DeployTarget,
    names: Names,
    images: BTreeMap<StepId, ImageFile>,
    save: Option<PathBuf>,
    /// Separates this test upload's keys from others', so that no earlier thumbnail is taken for this one's.
    mark: String,
    /// The times of the latest log reads.
    log_reads: Mutex<VecDeque<Instant>>,
}

impl TestUpload {
    /// Checks the images.
    ///
    /// # Errors
    /// When one is missing, empty, not an image or too large, or the folder for thumbnails cannot be created.
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
        // The function's own limit (`object_limit` there), checked before uploading gigabytes.
        let most = u64::from(target.settings.function.memory_mb) * 1024 * 1024 / 4;
        let mut saved_names = Vec::new();
        for (index, path) in images.iter().enumerate() {
            let image = ImageFile::check(path, most, &mut saved_names)?;
            // Steps run in the order of their ids.
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

    /// Returns a plan with one independent step for each image.
    pub fn plan(&self) -> Plan {
        let steps = self.images.iter().map(|(id, image)| {
            Step::new(
                id.as_str(),
                format!("Upload {}", image.shown()),
                "Its thumbnail shows that the whole deployment works.",
            )
            .calls(&["s3:PutObject", "s3:HeadObject", "s3:GetObject", "logs:FilterLogEvents"])
        });
        Plan::new(steps.collect()).expect("every image has its own number")
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
            // Cancelling does not wait for a large image on a slow connection.
            () = scope.cancel().cancelled() => return Err(StepError::Cancelled),
        }
        let stage = |stage, seconds, key: &str| EventKind::TestUploadStage {
            image: image.shown(),
            stage,
            seconds,
            key: key.to_owned(),
            bytes: None,
            cold: None,
            path: None,
        };
        let with_bytes = |event, size| match event {
            EventKind::TestUploadStage { image, stage, seconds, key, cold, path, .. } => {
                EventKind::TestUploadStage { image, stage, seconds, key, bytes: Some(size), cold, path }
            }
            other => other,
        };
        let uploaded = stage(TestUploadStage::Uploaded, began.elapsed().as_secs_f64(), &key);
        scope.emit(with_bytes(uploaded, image.size())).await?;

        let size = self.await_thumbnail(&destination, &thumbnail_key, &key, began, began_at, scope).await?;
        let written = stage(TestUploadStage::Thumbnail, began.elapsed().as_secs_f64(), &thumbnail_key);
        scope.emit(with_bytes(written, size)).await?;
        if let Some(dir) = &self.save {
            let path = dir.join(image.saved_name());
            s3::get_object_to_file(&clients.s3_transfer, &destination, &thumbnail_key, &path).await.map_err(failed)?;
            let saved = stage(TestUploadStage::Saved, began.elapsed().as_secs_f64(), &thumbnail_key);
            let saved = match saved {
                EventKind::TestUploadStage { image, stage, seconds, key, bytes, cold, .. } => {
                    let path = Some(path.display().to_string());
                    EventKind::TestUploadStage { image, stage, seconds, key, bytes, cold, path }
                }
                other => other,
            };
            scope.emit(with_bytes(saved, size)).await?;
        }
        // Reported last, since the log is later than the thumbnail; by its own clock it happened before.
        if let Some(invocation) = self.await_invocation(&key, began_at).await.map_err(failed)? {
            let seconds = (invocation.started - began_at).as_seconds_f64().max(0.0);
            scope
                .emit(EventKind::TestUploadStage {
                    image: image.shown(),
                    stage: TestUploadStage::Invoked,
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

    /// Polls for the thumbnail until it exists, the function has failed, or the deadline has passed; returns its size.
    async fn await_thumbnail(
        &self,
        bucket: &str,
        thumbnail_key: &str,
        key: &str,
        began: Instant,
        began_at: DateTime<Utc>,
        scope: &StepScope,
    ) -> Result<u64, StepError> {
        let deadline = Duration::from_secs(u64::from(self.target.settings.timeouts.test_upload_seconds));
        let mut log_read_at = Instant::now();
        let mut attempt = 0;
        loop {
            attempt += 1;
            match s3::head_object(&self.target.clients.s3, bucket, thumbnail_key).await {
                Ok(Some(thumbnail)) => return Ok(thumbnail.size),
                Ok(None) => {}
                Err(error) if error.kind == ErrorKind::Throttled => {}
                Err(error) => return Err(failed(error)),
            }
            if log_read_at.elapsed() > LOG_INTERVAL {
                log_read_at = Instant::now();
                let reading = self.read_log(key, began_at).await.map_err(failed)?;
                if let Some(error) = self.error_in(reading, began) {
                    let failure = Failure::new(format!("the function failed: {error}"));
                    return Err(StepError::Failed(failure.with_hint("`thumbctl logs function` shows its log")));
                }
            }
            if began.elapsed() > deadline {
                let message =
                    format!("no thumbnail within {} s, and no error in the function's log", deadline.as_secs());
                return Err(StepError::Failed(Failure::new(message).with_hint(
                    "check the deployment with `thumbctl status`, and the invocation with `thumbctl logs function`",
                )));
            }
            if attempt == 12 {
                scope.progress("waiting for the thumbnail", None, None).await?;
            }
            tokio::select! {
                () = tokio::time::sleep(POLLS.delay(attempt)) => {}
                () = scope.cancel().cancelled() => return Err(StepError::Cancelled),
            }
        }
    }

    /// The error in the log, if there is one. A killed invocation's line names no image: it is this image's
    /// if there is no other, or once every invocation for this image must be over.
    fn error_in(&self, reading: LogReading, began: Instant) -> Option<String> {
        if let Some(invocation) = reading.invocation {
            return invocation.error;
        }
        let limit = Duration::from_secs(u64::from(self.target.settings.function.timeout_seconds) + 5);
        let certain = self.images.len() == 1 || began.elapsed() > limit;
        reading.lost.into_iter().next().filter(|_| certain)
    }

    /// Waits until another log read is allowed.
    async fn await_log_quota(&self) {
        let mut reads = self.log_reads.lock().await;
        if reads.len() == LOG_READS_A_SECOND
            && let Some(earliest) = reads.pop_front()
        {
            tokio::time::sleep(Duration::from_secs(1).saturating_sub(earliest.elapsed())).await;
        }
        reads.push_back(Instant::now());
    }

    async fn read_log(&self, key: &str, uploaded: DateTime<Utc>) -> Result<LogReading, AwsError> {
        self.await_log_quota().await;
        let group = self.names.of(ResourceKind::FunctionLogGroup);
        // Earlier than the upload, since the two clocks may differ.
        let since = (uploaded - chrono::TimeDelta::minutes(1)).timestamp_millis();
        match logs::filter_events(&self.target.clients.logs, &group, since, None).await {
            Ok(lines) => Ok(function_log::read(key, uploaded.timestamp_millis(), &lines)),
            // The log is optional; the thumbnail is what counts.
            Err(error) if matches!(error.kind, ErrorKind::Throttled | ErrorKind::NotFound) => Ok(LogReading::default()),
            Err(error) => Err(error),
        }
    }

    /// Reads the invocation of a finished image; the log is later than the thumbnail.
    async fn await_invocation(&self, key: &str, since: DateTime<Utc>) -> Result<Option<Invocation>, AwsError> {
        let began = Instant::now();
        let mut attempt = 0;
        loop {
            attempt += 1;
            let found = self.read_log(key, since).await?.invocation;
            if found.as_ref().is_some_and(|invocation| invocation.cold.is_some()) || began.elapsed() > LOG_DEADLINE {
                return Ok(found);
            }
            tokio::time::sleep(POLLS.delay(attempt * 4)).await;
        }
    }
}

#[async_trait]
impl StepRunner for TestUpload {
    async fn run(&self, step: &Step, scope: &StepScope) -> Result<StepDone, StepError> {
        let image = self.images.get(&step.id).expect("the plan consists of these images");
        self.send(image, scope).await.map(|()| StepDone::Finished)
    }
}

fn failed(error: AwsError) -> StepError {
    let failure = Failure::from_error(&error);
    StepError::Failed(Failure { hint: error.hint(), ..failure })
}

/// The file name of an image's saved thumbnail.
fn saved_name(name: &str) -> String {
    format!("thumb-{name}")
}

fn file_name_of(path: &Path) -> Option<&str> {
    path.file_name().and_then(|name| name.to_str())
}
