//! [`Session`]: one cloud and one deployment. Both front ends use it.

mod deployment_cache;
mod pending_run;
mod tool;

use std::path::PathBuf;
use std::sync::Arc;

use deployment_cache::DeploymentCache;
pub use pending_run::{PendingRun, RunHandle};
use serde_json::Value;
use thumbctl_core::deployment::{Deployment, Origin};
use thumbctl_core::engine::OnFailure;
use thumbctl_core::event::{Action, RunStarted, StrategyKind};
use thumbctl_core::journal::{DeploymentJournal, DeploymentLock, JournalError, JournalStore};
use thumbctl_core::names::Names;
use thumbctl_core::plan::Plan;
use thumbctl_core::resource::{ResourceKind, ResourceState};

use crate::aws::AwsError;
use crate::cloud::{Cloud, CloudError, CloudLabel, Identity};
use crate::deploy_target::{self, DeployTarget};
use crate::log_follower::LogFollower;
pub use crate::resource::Inspection;
use crate::resource::{self, Presence};
use crate::run_context::RunContext;
use crate::settings::{DEFAULT_STRATEGY, Settings};
pub use crate::strategy::RunMode;
use crate::strategy::terraform::TerraformUnavailable;
use crate::strategy::{self, StrategyRun, StrategyUnavailable, TemplateResources};
use crate::test_upload::{TestUpload, TestUploadError};

/// One cloud and one deployment.
#[derive(Debug)]
pub struct Session {
    settings: Arc<Settings>,
    cloud: Cloud,
    identity: Identity,
    journal: DeploymentJournal,
    cache: DeploymentCache,
}

/// Why a session cannot start something.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    /// The cloud cannot be used.
    #[error(transparent)]
    Cloud(#[from] CloudError),
    /// The journal cannot be read or written.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// A call failed.
    #[error(transparent)]
    Aws(#[from] AwsError),
    /// An image cannot be uploaded.
    #[error(transparent)]
    TestUpload(#[from] TestUploadError),
    /// The deployment is in another cloud, account or region.
    #[error("deployment '{name}' is in {there}, not in {here}")]
    OtherLocation {
        /// Its name.
        name: String,
        /// Where it is: cloud, account, region.
        there: String,
        /// Where this session is.
        here: String,
    },
    /// An existing deployment keeps its strategy.
    #[error("deployment '{name}' was created by {there}, and cannot be continued by {requested}")]
    OtherStrategy {
        /// Its name.
        name: String,
        /// The strategy that created it.
        there: StrategyKind,
        /// The strategy of the settings.
        requested: StrategyKind,
    },
    /// The deployment's strategy belongs to a newer version.
    #[error("deployment '{name}' was created by {there}, a strategy unknown to this version")]
    UnknownStrategy {
        /// Its name.
        name: String,
        /// The strategy that created it.
        there: String,
    },
    /// The strategy cannot be used.
    #[error(transparent)]
    Strategy(#[from] StrategyUnavailable),
    /// Test uploads need a complete deployment.
    #[error("deployment '{name}' is not complete: {missing} is not ready")]
    Incomplete {
        /// Its name.
        name: String,
        /// The first resource that is not ready.
        missing: &'static str,
    },
    /// There is no deployment.
    #[error("there is no deployment '{0}'")]
    NoDeployment(String),
}

impl SessionError {
    /// Returns what to do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Cloud(error) => error.hint(),
            Self::Aws(error) => error.hint(),
            Self::Journal(_) => None,
            Self::TestUpload(error) => error.hint(),
            Self::OtherLocation { .. } => {
                Some("select that cloud, profile and region, or another deployment with --name".into())
            }
            Self::OtherStrategy { there, .. } => Some(format!(
                "omit --strategy or use {there}; to change it, run `thumbctl destroy` first or use another --name"
            )),
            Self::UnknownStrategy { .. } => Some("update thumbctl".into()),
            Self::Strategy(error) => error.hint(),
            Self::Incomplete { .. } => Some("`thumbctl deploy` completes it".into()),
            Self::NoDeployment(_) => Some("`thumbctl deploy` creates it; --name selects another".into()),
        }
    }
}

/// A preview of a deployment; nothing has been created for it.
#[derive(Clone, Debug)]
pub struct Preview {
    /// The strategy.
    pub strategy: StrategyKind,
    /// The steps.
    pub plan: Plan,
    /// The resources that templates declare for steps, by name and type.
    pub template_resources: TemplateResources,
    /// The names of the resources; for a new deployment, an example.
    pub names: Names,
    /// The policy documents.
    pub documents: Vec<(ResourceKind, Value)>,
}

/// A resource's state in the journal and in the cloud.
#[derive(Clone, Debug)]
pub struct ResourceStatus {
    /// Its kind.
    pub kind: ResourceKind,
    /// Its name.
    pub name: String,
    /// Its ARN, if known.
    pub arn: Option<String>,
    /// Its state in the journal.
    pub journal: ResourceState,
    /// Its presence in the cloud.
    pub presence: Presence,
}

impl Session {
    /// Connects to the cloud and verifies the credentials.
    ///
    /// # Errors
    /// When the cloud cannot be used or rejects the credentials.
    pub async fn open(settings: Settings) -> Result<Self, SessionError> {
        let cloud = Cloud::connect(&settings).await?;
        let identity = cloud.identity().await?;
        let journal = JournalStore::new(&settings.state_dir).deployment(&settings.name);
        let cache = DeploymentCache::new(settings.name.clone(), journal.clone());
        Ok(Self { settings: Arc::new(settings), cloud, identity, journal, cache })
    }

    /// Returns the settings.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Returns the cloud's label.
    pub fn label(&self) -> &CloudLabel {
        self.cloud.label()
    }

    /// Returns the caller's identity.
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// Returns the region.
    pub fn region(&self) -> &str {
        self.cloud.region()
    }

    fn target(&self) -> DeployTarget {
        DeployTarget {
            clients: self.cloud.clients().clone(),
            label: self.cloud.label().clone(),
            identity: self.identity.clone(),
            region: self.cloud.region().to_owned(),
            settings: Arc::clone(&self.settings),
        }
    }

    /// Returns the deployment as the journals record it. Reads only new events.
    ///
    /// # Errors
    /// When a journal cannot be read.
    pub fn deployment(&self) -> Result<Deployment, SessionError> {
        Ok(self.cache.deployment()?)
    }

    /// Previews a deployment. Creates nothing, not even a journal.
    ///
    /// # Errors
    /// When a journal cannot be read.
    pub fn plan_preview(&self) -> Result<Preview, SessionError> {
        let before = self.deployment()?;
        self.check_strategy(&before)?;
        let (names, strategy) = (self.names(&before), self.strategy(&before)?);
        let target = self.target();
        let documents = resource::all()
            .filter_map(|resource| {
                let document = deploy_target::document_of(resource.document()?, &names, &target);
                Some((resource.kind(), document))
            })
            .collect();
        let template_resources = strategy::of(strategy).template_resources(&self.settings);
        Ok(Preview {
            strategy,
            template_resources,
            plan: strategy::deploy_plan(strategy, &self.settings, &before, RunMode::Continuous),
            names,
            documents,
        })
    }

    /// Prepares a run that creates a deployment or completes one.
    ///
    /// # Errors
    /// When another process has locked it, or it is in another cloud, account or region.
    pub async fn prepare_deploy(&self, mode: RunMode) -> Result<PendingRun, SessionError> {
        let lock = self.journal.lock()?;
        let before = self.deployment()?;
        self.check_origin(&before)?;
        self.check_strategy(&before)?;
        let names = self.names(&before);
        let strategy = self.strategy(&before)?;
        let context = self.context(strategy, (names, before));
        let run = strategy::of(strategy).prepare_deploy(context.clone(), mode, self.tools()).await?;
        Ok(self.pending_run(Action::Deploy, context, run, lock))
    }

    /// Prepares a run that destroys the deployment. If a newer version has worked on it, also searches the cloud.
    ///
    /// # Errors
    /// When another process has locked it, it is in another cloud, account or region, or the cloud cannot be searched.
    pub async fn prepare_destroy(&self) -> Result<PendingRun, SessionError> {
        let lock = self.journal.lock()?;
        let mut before = self.deployment()?;
        self.check_origin(&before)?;
        if let Some(origin) = before.origin().filter(|_| before.has_unknown_events()) {
            let leftovers = strategy::leftovers::find(&self.target(), &self.settings.name).await?;
            let found = leftovers.kinds(&origin.names);
            before.add_found(found);
        }
        let names = self.names(&before);
        let strategy = self.deployed_strategy(&before);
        let context = self.context(strategy, (names, before));
        let run = strategy::of(strategy).prepare_destroy(context.clone(), self.tools()).await?;
        Ok(self.pending_run(Action::Destroy, context, run, lock))
    }

    /// Searches the cloud for what a deployment of this name has left, and prepares its deletion; needs no journal.
    ///
    /// # Errors
    /// When another process has locked the deployment, or the cloud cannot be searched.
    pub async fn prepare_purge(&self) -> Result<PendingRun, SessionError> {
        let lock = self.journal.lock()?;
        // A damaged journal is ignored: the search replaces it. A readable one that records a deployment elsewhere is
        // not, since IAM is global and a search from here would find half of that deployment.
        let before = match self.deployment() {
            Ok(before) => {
                self.check_origin(&before)?;
                before
            }
            Err(SessionError::Journal(JournalError::Damaged { .. })) => Deployment::new(self.settings.name.clone()),
            Err(error) => return Err(error),
        };
        // A running Terraform would recreate what is being deleted.
        strategy::terraform::stop_orphaned_run(&self.journal.tool_dir(strategy::terraform::STATE_FILES))
            .await
            .map_err(|error| StrategyUnavailable::from(TerraformUnavailable::from(error)))?;
        let mut leftovers = strategy::leftovers::find(&self.target(), &self.settings.name).await?;
        if let Some(origin) = before.origin().filter(|origin| strategy::of(origin.strategy).purges_recorded()) {
            leftovers.include(&origin.names, before.existing_resources().map(|resource| resource.kind));
        }
        let names = match before.origin() {
            Some(origin) if before.has_resources() => origin.names.clone(),
            _ => leftovers.first_names(&self.settings.name).unwrap_or_else(|| self.names(&before)),
        };
        let context = self.context(self.deployed_strategy(&before), (names, before));
        let run = StrategyRun::purge(context.clone(), &leftovers);
        let mut pending = self.pending_run(Action::Destroy, context, run, lock);
        pending.foreign = leftovers.foreign;
        pending.is_purge = true;
        Ok(pending)
    }

    /// Calls every service's listing for this deployment; a denied call names the missing permission.
    /// Changes nothing, takes no lock.
    ///
    /// # Errors
    /// When a service does not respond, or denies the call.
    pub async fn check_reading(&self) -> Result<(), SessionError> {
        strategy::leftovers::find(&self.target(), &self.settings.name).await?;
        Ok(())
    }

    /// Checks images and prepares their test upload.
    ///
    /// # Errors
    /// When an image cannot be uploaded, or the deployment is not complete.
    pub async fn prepare_test_upload(
        &self,
        images: Vec<PathBuf>,
        save: Option<PathBuf>,
    ) -> Result<PendingRun, SessionError> {
        let deployment = self.deployment()?;
        if deployment.origin().is_none() || !deployment.has_resources() {
            return Err(SessionError::NoDeployment(self.settings.name.to_string()));
        }
        self.check_origin(&deployment)?;
        let needed = [ResourceKind::SourceBucket, ResourceKind::DestinationBucket, ResourceKind::Notification];
        if let Some(missing) = needed.into_iter().find(|kind| !deployment.is_ready(*kind)) {
            return Err(SessionError::Incomplete {
                name: self.settings.name.to_string(),
                missing: resource::descriptor(missing).title,
            });
        }
        let names = self.names(&deployment);
        let upload = TestUpload::new(self.target(), names.clone(), images, save)?;
        let strategy = self.deployed_strategy(&deployment);
        let started = self.started((Action::TestUpload, strategy), upload.plan(), names);
        Ok(PendingRun {
            started,
            runner: Arc::new(upload),
            on_failure: OnFailure::Continue,
            parallelism: self.settings.parallelism,
            journal: self.journal.clone(),
            lock: None,
            resources: Vec::new(),
            foreign: Vec::new(),
            is_purge: false,
        })
    }

    /// Returns every resource's state in the journal and in the cloud.
    ///
    /// # Errors
    /// When a journal cannot be read, or the deployment is in another cloud, account or region.
    pub async fn status(&self) -> Result<Vec<ResourceStatus>, SessionError> {
        let deployment = self.deployment()?;
        self.check_origin(&deployment)?;
        let Some(origin) = deployment.origin() else { return Ok(Vec::new()) };
        let target = self.target();
        let statuses = deployment.resources().map(|resource| {
            let (target, names) = (&target, &origin.names);
            async move {
                ResourceStatus {
                    kind: resource.kind,
                    name: resource.name.clone(),
                    arn: resource.arn.clone(),
                    journal: resource.state,
                    presence: resource::presence_or_unknown(target, names, resource.kind).await,
                }
            }
        });
        Ok(futures::future::join_all(statuses).await)
    }

    /// Reads a resource's actual configuration; `None` if it does not exist. Changes nothing.
    ///
    /// # Errors
    /// When there is no deployment, or it is in another cloud, account or region, or a call fails.
    pub async fn inspect(&self, kind: ResourceKind) -> Result<Option<Inspection>, SessionError> {
        let names = self.deployed_names()?;
        Ok(resource::inspect(&self.target(), &names, kind).await?)
    }

    /// Returns a follower of the newest build's log.
    ///
    /// # Errors
    /// When there is no deployment, or CodeBuild cannot be queried.
    pub async fn build_log(&self) -> Result<LogFollower, SessionError> {
        let names = self.deployed_names()?;
        Ok(LogFollower::of_build(self.cloud.clients(), &names).await?)
    }

    /// Returns a follower of the function's log.
    ///
    /// # Errors
    /// When there is no deployment.
    pub async fn function_log(&self) -> Result<LogFollower, SessionError> {
        Ok(LogFollower::of_function(self.cloud.clients(), &self.deployed_names()?))
    }

    fn deployed_names(&self) -> Result<Names, SessionError> {
        let deployment = self.deployment()?;
        self.check_origin(&deployment)?;
        match deployment.origin() {
            Some(origin) if deployment.has_resources() => Ok(origin.names.clone()),
            _ => Err(SessionError::NoDeployment(self.settings.name.to_string())),
        }
    }

    /// The existing deployment's names; otherwise new ones.
    fn names(&self, deployment: &Deployment) -> Names {
        match deployment.origin() {
            Some(origin) if deployment.has_resources() => origin.names.clone(),
            _ => Names::draw(self.settings.name.clone()),
        }
    }

    /// The strategy to use: the existing deployment's, else the configured one, else the default.
    fn strategy(&self, deployment: &Deployment) -> Result<StrategyKind, SessionError> {
        let existing = self.deployed_strategy(deployment);
        match self.settings.strategy {
            Some(requested) if requested != existing && deployment.has_resources() => {
                Err(SessionError::OtherStrategy { name: self.settings.name.to_string(), there: existing, requested })
            }
            _ => Ok(existing),
        }
    }

    /// The existing deployment's strategy; otherwise the configured one.
    fn deployed_strategy(&self, deployment: &Deployment) -> StrategyKind {
        match deployment.origin() {
            Some(origin) if deployment.has_resources() => origin.strategy,
            _ => self.settings.strategy.unwrap_or(DEFAULT_STRATEGY),
        }
    }

    /// A deployment by an unknown strategy can only be destroyed.
    fn check_strategy(&self, deployment: &Deployment) -> Result<(), SessionError> {
        let origin = deployment.origin().filter(|_| deployment.has_resources());
        match origin.and_then(|origin| origin.unknown_strategy.clone()) {
            Some(there) => Err(SessionError::UnknownStrategy { name: self.settings.name.to_string(), there }),
            None => Ok(()),
        }
    }

    /// A deployment in one account must not be searched for in another.
    fn check_origin(&self, deployment: &Deployment) -> Result<(), SessionError> {
        let Some(Origin { cloud, account, region, .. }) = deployment.origin().filter(|_| deployment.has_resources())
        else {
            return Ok(());
        };
        let there = format!("{cloud}, account {account}, region {region}");
        let here = format!("{}, account {}, region {}", self.label(), self.identity.account, self.region());
        if there == here {
            return Ok(());
        }
        Err(SessionError::OtherLocation { name: self.settings.name.to_string(), there, here })
    }

    fn started(&self, (action, strategy): (Action, StrategyKind), plan: Plan, names: Names) -> RunStarted {
        RunStarted {
            action,
            deployment: self.settings.name.to_string(),
            strategy,
            cloud: self.label().to_string(),
            pace: self.cloud.pace().map(str::to_owned),
            account: self.identity.account.clone(),
            region: self.region().to_owned(),
            names,
            plan,
        }
    }

    fn context(&self, strategy: StrategyKind, (names, before): (Names, Deployment)) -> RunContext {
        RunContext { target: self.target(), names, strategy, before }
    }

    fn pending_run(&self, action: Action, context: RunContext, run: StrategyRun, lock: DeploymentLock) -> PendingRun {
        PendingRun {
            started: self.started((action, context.strategy), run.plan, context.names),
            runner: run.runner,
            on_failure: if action == Action::Destroy { OnFailure::Continue } else { OnFailure::Stop },
            parallelism: self.settings.parallelism,
            journal: self.journal.clone(),
            lock: Some(lock),
            resources: run.resources,
            foreign: Vec::new(),
            is_purge: false,
        }
    }
}
