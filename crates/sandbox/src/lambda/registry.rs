//! The functions and their state changes.

use std::collections::{BTreeMap, HashSet};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard};

use awsim_core::AwsError;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use super::concurrency::Concurrency;
use super::downloads::Downloads;
use super::errors;
use super::function::{Function, FunctionState, LATEST, UpdateStatus};
use super::images::{ImageCache, ImageCacheError, is_digest};
use super::internal_caller::InternalCaller;
use super::names::{self, FunctionId, FunctionReference};
use super::pool::{Pool, PoolLimits};
use super::queue::EventQueue;
use super::source::PackageSource;
use crate::error::log_error;
use crate::latency::LatencySpan;
use crate::sync::lock;

/// Lambda without its protocol.
pub(crate) struct Lambda {
    pub internal: Arc<dyn InternalCaller>,
    pub pool: Arc<Pool>,
    pub images: ImageCache,
    pub queue: EventQueue,
    pub concurrency: Concurrency,
    pub downloads: Downloads,
    functions: Mutex<BTreeMap<FunctionId, Function>>,
    /// Notifies tasks that wait for a function's change.
    changes: watch::Sender<()>,
}

/// The saved state of the service.
#[derive(Serialize, Deserialize)]
struct LambdaSnapshot {
    functions: Vec<Function>,
}

impl Lambda {
    pub(crate) fn new(internal: Arc<dyn InternalCaller>, limits: PoolLimits) -> Arc<Self> {
        let dir = internal.directory();
        Arc::new(Self {
            pool: Pool::new(internal.clone(), limits),
            images: ImageCache::new(dir.join("images")),
            queue: EventQueue::new(dir.join("queue")),
            concurrency: Concurrency::default(),
            downloads: Downloads::default(),
            internal,
            functions: Mutex::default(),
            changes: watch::Sender::new(()),
        })
    }

    pub(crate) fn account(&self) -> &str {
        self.internal.account()
    }

    pub(crate) fn functions(&self) -> MutexGuard<'_, BTreeMap<FunctionId, Function>> {
        lock(&self.functions)
    }

    /// Returns a copy of a function.
    pub(crate) fn get(&self, reference: &FunctionReference) -> Result<Function, AwsError> {
        let arn = reference.id.arn(self.account());
        match reference.qualifier.as_deref() {
            None | Some(LATEST) => {
                self.functions().get(&reference.id).cloned().ok_or_else(|| errors::function_not_found(&arn))
            }
            // No versions are published here.
            Some(version) => Err(errors::function_not_found(&format!("{arn}:{version}"))),
        }
    }

    /// Changes a function, and returns the result of `change`.
    pub(crate) fn change<T>(
        &self,
        id: &FunctionId,
        change: impl FnOnce(&mut Function) -> Result<T, AwsError>,
    ) -> Result<T, AwsError> {
        let mut functions = self.functions();
        let function = functions.get_mut(id).ok_or_else(|| errors::function_not_found(&id.arn(self.account())))?;
        let result = change(function);
        drop(functions);
        self.changes.send_replace(());
        result
    }

    /// A function and the path of its unpacked image, for the pool.
    pub(crate) fn runnable(&self, id: &FunctionId) -> Option<(Function, PathBuf)> {
        let function = self.functions().get(id)?.clone();
        let root = self.images.root(&function.code.digest());
        Some((function, root))
    }

    /// Subscribes to changes of functions.
    pub(crate) fn changes(&self) -> watch::Receiver<()> {
        self.changes.subscribe()
    }

    /// Waits until the function `id` is deleted.
    pub(crate) async fn wait_until_deleted(&self, id: &FunctionId) {
        let mut changes = self.changes.subscribe();
        // Cannot fail: `self` holds the sender.
        while self.functions().contains_key(id) && changes.changed().await.is_ok() {}
    }

    /// Waits until `id` is no longer pending. `None` if it is deleted.
    pub(crate) async fn wait_until_prepared(&self, id: &FunctionId) -> Option<FunctionState> {
        let mut changes = self.changes.subscribe();
        loop {
            let state = self.functions().get(id).map(|function| function.state)?;
            if state != FunctionState::Pending {
                return Some(state);
            }
            // Cannot fail: `self` holds the sender.
            changes.changed().await.ok()?;
        }
    }

    /// Prepares a function in the background: pulls and unpacks its image, then sets its state and update status.
    pub(crate) fn prepare(self: &Arc<Self>, id: FunctionId, source: PackageSource, span: LatencySpan) {
        let lambda = self.clone();
        tokio::spawn(async move {
            let (result, ()) = tokio::join!(lambda.images.ensure(&source), lambda.internal.latencies().wait(span));
            lambda.finish_preparation(&id, source.digest(), result);
            lambda.internal.save();
            lambda.pool.refresh(&id).await;
            lambda.remove_unused_images().await;
        });
    }

    /// Completes an update that needs no preparation.
    pub(crate) fn finish_update(self: &Arc<Self>, id: FunctionId) {
        let lambda = self.clone();
        tokio::spawn(async move {
            lambda.internal.latencies().wait(LatencySpan::FunctionUpdate).await;
            // An error means that the function was deleted meanwhile.
            let _ = lambda.change(&id, |function| {
                function.update_status = UpdateStatus::Successful;
                function.update_reason = None;
                Ok(())
            });
            lambda.internal.save();
            lambda.pool.refresh(&id).await;
        });
    }

    /// Cleans up after a deleted function. On return, its processes have ended and nothing more is written to its log
    /// group, so that the group can be deleted for good.
    pub(crate) async fn clean_up_deleted(&self, id: &FunctionId) {
        self.changes.send_replace(());
        self.pool.stop(id).await;
        self.remove_unused_images().await;
    }

    /// The function with an ARN, with or without the qualifier `$LATEST`.
    pub(crate) fn by_arn(&self, arn: &str) -> Option<Function> {
        let region = arn.split(':').nth(3)?;
        self.get(&names::parse(arn, region, self.account()).ok()?).ok()
    }

    fn finish_preparation(&self, id: &FunctionId, digest: &str, result: Result<PathBuf, ImageCacheError>) {
        // If the function was deleted or changed again, the later preparation counts.
        let _ = self.change(id, |function| {
            if function.code.digest() != digest {
                return Ok(());
            }
            match result {
                Ok(_) => {
                    function.state = FunctionState::Active;
                    function.state_reason = None;
                    function.update_status = UpdateStatus::Successful;
                    function.update_reason = None;
                }
                Err(error) => {
                    let reason = ("InvalidImage".to_owned(), with_causes(&error));
                    if function.state == FunctionState::Pending {
                        function.state = FunctionState::Failed;
                        function.state_reason = Some(reason.clone());
                    }
                    function.update_status = UpdateStatus::Failed;
                    function.update_reason = Some(reason);
                }
            }
            Ok(())
        });
    }

    /// Removes images that no function uses.
    pub(crate) async fn remove_unused_images(&self) {
        let used = || -> HashSet<PathBuf> {
            self.functions().values().map(|function| self.images.root(&function.code.digest())).collect()
        };
        self.images.retain(used).await;
    }

    pub(crate) fn snapshot(&self) -> Option<Vec<u8>> {
        let functions = self.functions().values().cloned().collect();
        serde_json::to_vec(&LambdaSnapshot { functions }).ok()
    }

    pub(crate) fn restore(&self, bytes: &[u8]) -> Result<(), serde_json::Error> {
        let snapshot: LambdaSnapshot = serde_json::from_slice(bytes)?;
        if let Some(digest) = snapshot.functions.iter().map(|it| it.code.digest()).find(|digest| !is_digest(digest)) {
            let digest = thumbctl_platform::text::clean(&digest);
            return Err(serde::de::Error::custom(format_args!("'{digest}' is not an image's digest")));
        }
        *self.functions() = snapshot.functions.into_iter().map(|function| (function.id.clone(), function)).collect();
        Ok(())
    }

    /// Resumes the earlier sandbox's work: pending functions and queued events.
    pub(crate) fn resume(self: &Arc<Self>) {
        let unfinished = self.queue.unfinished().unwrap_or_else(|cause| {
            log_error(format_args!("cannot resume queued events: {cause}"));
            Vec::new()
        });
        let lambda = self.clone();
        tokio::spawn(async move {
            let all: Vec<Function> = lambda.functions().values().cloned().collect();
            for function in all {
                let unpacked = lambda.images.root(&function.code.digest()).is_dir();
                let wait_until_prepared =
                    function.state == FunctionState::Active && function.update_status == UpdateStatus::Successful;
                if wait_until_prepared && unpacked {
                    continue;
                }
                let span = if function.state == FunctionState::Pending {
                    LatencySpan::FunctionPending
                } else {
                    LatencySpan::FunctionUpdate
                };
                match lambda.source_of(&function.code, &function.id.region) {
                    Ok(source) => lambda.prepare(function.id, source, span),
                    Err(_) if wait_until_prepared => {}
                    Err(error) => {
                        lambda.finish_preparation(
                            &function.id,
                            &function.code.digest(),
                            Err(ImageCacheError::MissingFromRegistry(error)),
                        );
                        lambda.internal.save();
                    }
                }
            }
            lambda.remove_unused_images().await;
            for event in unfinished {
                lambda.start_event(event);
            }
        });
    }
}

fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text.push_str(": ");
        text.push_str(&inner.to_string());
        cause = inner.source();
    }
    text
}
