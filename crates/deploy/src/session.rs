//! [`Session`]: one cloud, one deployment, and what can be done with them. Both front ends use it.

mod known;
mod prepared;
mod terraform;

use std::path::PathBuf;
use std::sync::Arc;

use known::Known;
pub use prepared::{Prepared, Running};
use serde_json::Value;
use thumbctl_core::deployment::{Deployment, Origin};
use thumbctl_core::engine::OnFailure;
use thumbctl_core::event::{Action, RunStarted, StrategyKind};
use thumbctl_core::journal::{DeploymentJournal, DeploymentLock, JournalError, JournalStore};
use thumbctl_core::names::Names;
use thumbctl_core::plan::{Plan, StepId};
use thumbctl_core::resource::{ResourceKind, ResourceState};

use crate::aws::AwsError;
use crate::aws::policy::Document;
use crate::cloud::{Cloud, CloudError, CloudLabel, Identity};
use crate::log_follower::LogFollower;
use crate::settings::{DEFAULT_STRATEGY, Settings};
pub use crate::strategy::Stride;
pub use crate::strategy::inspect::Inspection;
use crate::strategy::terraform::{NotReady, Terraform};
use crate::strategy::{self, Presence, RunContext, Site};
use crate::trial::{Trial, TrialError};

/// One cloud and one deployment.
#[derive(Debug)]
pub struct Session {
    settings: Arc<Settings>,
    cloud: Cloud,
    identity: Identity,
    journal: DeploymentJournal,
    known: Known,
}

/// Why something cannot be begun.
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
    /// An image cannot be sent.
    #[error(transparent)]
    Trial(#[from] TrialError),
    /// The deployment was made somewhere else.
    #[error("deployment '{name}' was made in {there}, not in {here}")]
    Elsewhere {
        /// Its name.
        name: String,
        /// Where it was made: cloud, account, region.
        there: String,
        /// Where this session is.
        here: String,
    },
    /// A deployment goes on as it was begun.
    #[error("deployment '{name}' was made by {there}, and cannot go on by {asked}")]
    OtherStrategy {
        /// Its name.
        name: String,
        /// By which way it was made.
        there: StrategyKind,
        /// Which way was asked for.
        asked: StrategyKind,
    },
    /// The macro is a Python function, which the sandbox runs by this machine's own Python.
    #[error(
        "the cloudformation strategy needs python3 in the sandbox, where it runs the macro, and there is none here"
    )]
    NoPython,
    /// Terraform cannot be used.
    #[error(transparent)]
    Terraform(#[from] NotReady),
    /// Images need a deployment that is complete.
    #[error("deployment '{name}' is not complete: {missing} is not ready")]
    Incomplete {
        /// Its name.
        name: String,
        /// The first resource that is not ready.
        missing: &'static str,
    },
    /// There is nothing to look at.
    #[error("there is no deployment '{0}'")]
    NoDeployment(String),
}

impl SessionError {
    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Cloud(error) => error.hint(),
            Self::Aws(error) => error.hint(),
            Self::Journal(_) => None,
            Self::Trial(error) => error.hint(),
            Self::Elsewhere { .. } => {
                Some("choose that cloud, profile and region again, or another deployment with --name".into())
            }
            Self::OtherStrategy { there, .. } => Some(format!(
                "leave --strategy away, or say {there}; `thumbctl destroy` first, or another --name, for the other way"
            )),
            Self::Terraform(error) => error.hint(),
            Self::NoPython => Some(
                "install Python 3 with the system's package manager, or deploy with --strategy sdk, which needs none"
                    .into(),
            ),
            Self::Incomplete { .. } => Some("`thumbctl deploy` completes it".into()),
            Self::NoDeployment(_) => Some("`thumbctl deploy` makes it; --name chooses another".into()),
        }
    }
}

/// What a deployment would do; nothing was created for it.
#[derive(Clone, Debug)]
pub struct Preview {
    /// By which way.
    pub strategy: StrategyKind,
    /// The steps.
    pub plan: Plan,
    /// What templates say that steps make, by name and type.
    pub template_resources: Vec<(StepId, Vec<(&'static str, &'static str)>)>,
    /// The names that resources have, or would have: a new deployment draws its own.
    pub names: Names,
    /// The policy documents.
    pub documents: Vec<(ResourceKind, Value)>,
}

/// A resource as the journal and as the cloud see it.
#[derive(Clone, Debug)]
pub struct ResourceStatus {
    /// What it is.
    pub kind: ResourceKind,
    /// Its name.
    pub name: String,
    /// Its ARN, if known.
    pub arn: Option<String>,
    /// What the journal says.
    pub journal: ResourceState,
    /// What the cloud says.
    pub presence: Presence,
}

impl Session {
    /// Connects to the cloud and asks who we are.
    ///
    /// # Errors
    /// When the cloud cannot be used, or does not know us.
    pub async fn open(settings: Settings) -> Result<Self, SessionError> {
        let cloud = Cloud::connect(&settings).await?;
        let identity = cloud.identity().await?;
        let journal = JournalStore::new(&settings.state_dir).deployment(&settings.name);
        let known = Known::new(settings.name.clone(), journal.clone());
        Ok(Self { settings: Arc::new(settings), cloud, identity, journal, known })
    }

    /// The settings that it was opened with.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Which cloud it is.
    pub fn label(&self) -> &CloudLabel {
        self.cloud.label()
    }

    /// Who we are there.
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// The region.
    pub fn region(&self) -> &str {
        self.cloud.region()
    }

    fn site(&self) -> Site {
        Site {
            clients: self.cloud.clients().clone(),
            label: self.cloud.label().clone(),
            identity: self.identity.clone(),
            region: self.cloud.region().to_owned(),
            settings: Arc::clone(&self.settings),
        }
    }

    /// What the journals say that exists. Only what is new in them since the last question is read.
    ///
    /// # Errors
    /// When a journal cannot be read.
    pub fn deployment(&self) -> Result<Deployment, SessionError> {
        Ok(self.known.deployment()?)
    }

    /// What a deployment would do. Creates nothing, also no journal.
    ///
    /// # Errors
    /// When a journal cannot be read.
    pub fn plan_preview(&self) -> Result<Preview, SessionError> {
        let before = self.deployment()?;
        let (names, strategy) = (self.names(&before), self.strategy(&before)?);
        let site = self.site();
        let documents = [
            (ResourceKind::BuildRole, Document::BuildTrust),
            (ResourceKind::BuildPolicy, Document::BuildPolicy),
            (ResourceKind::FunctionRole, Document::FunctionTrust),
            (ResourceKind::FunctionPolicy, Document::FunctionPolicy),
        ];
        let documents = documents
            .into_iter()
            .map(|(kind, document)| (kind, strategy::site::document_of(document, &names, &site)))
            .collect();
        let template_resources = strategy::template_resources(strategy, &self.settings);
        Ok(Preview {
            strategy,
            template_resources,
            plan: strategy::deploy_plan(strategy, &self.settings, &before, Stride::Through),
            names,
            documents,
        })
    }

    /// Makes a deployment, or the rest of one, ready to be run.
    ///
    /// # Errors
    /// When another process has it, or it was made elsewhere.
    pub async fn prepare_deploy(&self, stride: Stride) -> Result<Prepared, SessionError> {
        let lock = self.journal.lock()?;
        let before = self.deployment()?;
        self.check_origin(&before)?;
        let names = self.names(&before);
        let strategy = self.strategy(&before)?;
        if strategy == StrategyKind::Cloudformation && !self.cloud.runs_python().await {
            return Err(SessionError::NoPython);
        }
        let terraform = self.terraform(strategy).await?;
        let plan = strategy::deploy_plan(strategy, &self.settings, &before, stride);
        Ok(self.prepared((Action::Deploy, strategy), OnFailure::Stop, plan, (names, before), terraform, lock))
    }

    /// Makes a teardown ready to be run.
    ///
    /// # Errors
    /// When another process has the deployment, or it was made elsewhere.
    pub async fn prepare_destroy(&self) -> Result<Prepared, SessionError> {
        let lock = self.journal.lock()?;
        let before = self.deployment()?;
        self.check_origin(&before)?;
        let names = self.names(&before);
        let plan = strategy::destroy_plan(&before);
        let strategy = self.standing_strategy(&before);
        let terraform = if plan.steps().is_empty() { None } else { self.terraform(strategy).await? };
        Ok(self.prepared((Action::Destroy, strategy), OnFailure::Continue, plan, (names, before), terraform, lock))
    }

    /// Looks for what a deployment of this name has left in the cloud, and makes its removal ready; needs no journal.
    ///
    /// # Errors
    /// When another process has the deployment, or the cloud cannot be searched.
    pub async fn prepare_purge(&self) -> Result<Prepared, SessionError> {
        let lock = self.journal.lock()?;
        // The journal may be the very thing that is damaged; then what is found is all that is known. But one that can be
        // read and says that something stands elsewhere is not lost: half of it (IAM's half) would be found from here.
        let before = match self.deployment() {
            Ok(before) => {
                self.check_origin(&before)?;
                before
            }
            Err(SessionError::Journal(JournalError::Damaged { .. })) => Deployment::new(self.settings.name.clone()),
            Err(error) => return Err(error),
        };
        // Otherwise it would go on making what is being removed.
        strategy::terraform::stop_earlier(&self.journal.tool_dir(strategy::terraform::STATE_FILES))
            .await
            .map_err(NotReady::from)?;
        let mut leftovers = strategy::leftovers::find(&self.site(), &self.settings.name).await?;
        if let Some(origin) = before.origin().filter(|origin| origin.strategy == StrategyKind::Terraform) {
            leftovers.include(&origin.names, before.existing_resources().map(|resource| resource.kind));
        }
        let names = match before.origin() {
            Some(origin) if before.has_resources() => origin.names.clone(),
            _ => leftovers.first_names(&self.settings.name).unwrap_or_else(|| self.names(&before)),
        };
        let strategy = self.standing_strategy(&before);
        let plan = leftovers.plan();
        let run = (Action::Destroy, strategy);
        let mut prepared = self.prepared(run, OnFailure::Continue, plan, (names, before), None, lock);
        prepared.foreign = leftovers.foreign;
        prepared.is_purge = true;
        Ok(prepared)
    }

    /// Asks every service for what this deployment has there: a call that is refused says which permission is missing.
    /// Changes nothing, takes no lock.
    ///
    /// # Errors
    /// When a service does not answer, or refuses.
    pub async fn check_reading(&self) -> Result<(), SessionError> {
        strategy::leftovers::find(&self.site(), &self.settings.name).await?;
        Ok(())
    }

    /// Checks images and makes their trial ready to be run.
    ///
    /// # Errors
    /// When an image cannot be sent, or the deployment is not complete.
    pub async fn prepare_trial(&self, images: Vec<PathBuf>, save: Option<PathBuf>) -> Result<Prepared, SessionError> {
        let deployment = self.deployment()?;
        if deployment.origin().is_none() || !deployment.has_resources() {
            return Err(SessionError::NoDeployment(self.settings.name.to_string()));
        }
        self.check_origin(&deployment)?;
        let needed = [ResourceKind::SourceBucket, ResourceKind::DestinationBucket, ResourceKind::Notification];
        if let Some(missing) = needed.into_iter().find(|kind| !deployment.is_ready(*kind)) {
            return Err(SessionError::Incomplete { name: self.settings.name.to_string(), missing: missing.title() });
        }
        let names = self.names(&deployment);
        let trial = Trial::new(self.site(), names.clone(), images, save)?;
        let strategy = self.standing_strategy(&deployment);
        let started = self.started((Action::TestUpload, strategy), trial.plan(), names);
        Ok(Prepared {
            started,
            runner: Arc::new(trial),
            on_failure: OnFailure::Continue,
            parallelism: self.settings.parallelism,
            journal: self.journal.clone(),
            lock: None,
            foreign: Vec::new(),
            is_purge: false,
        })
    }

    /// What journal and cloud say of every resource.
    ///
    /// # Errors
    /// When a journal cannot be read, or the deployment was made elsewhere.
    pub async fn status(&self) -> Result<Vec<ResourceStatus>, SessionError> {
        let deployment = self.deployment()?;
        self.check_origin(&deployment)?;
        let Some(origin) = deployment.origin() else { return Ok(Vec::new()) };
        let site = self.site();
        let answers = deployment.resources().map(|resource| {
            let (site, names) = (&site, &origin.names);
            async move {
                ResourceStatus {
                    kind: resource.kind,
                    name: resource.name.clone(),
                    arn: resource.arn.clone(),
                    journal: resource.state,
                    presence: strategy::presence_or_why_not(site, names, resource.kind).await,
                }
            }
        });
        Ok(futures::future::join_all(answers).await)
    }

    /// What a resource of the standing deployment is really like; `None` if it is not there. Changes nothing.
    ///
    /// # Errors
    /// When there is no deployment, or it was made elsewhere, or the cloud cannot be asked or does not let us ask.
    pub async fn inspect(&self, kind: ResourceKind) -> Result<Option<Inspection>, SessionError> {
        let names = self.standing_names()?;
        Ok(strategy::inspect::inspect(&self.site(), &names, kind).await?)
    }

    /// The log of the newest build.
    ///
    /// # Errors
    /// When there is no deployment, or CodeBuild cannot be asked.
    pub async fn build_log(&self) -> Result<LogFollower, SessionError> {
        let names = self.standing_names()?;
        Ok(LogFollower::of_build(self.cloud.clients(), &names).await?)
    }

    /// The function's log.
    ///
    /// # Errors
    /// When there is no deployment.
    pub async fn function_log(&self) -> Result<LogFollower, SessionError> {
        Ok(LogFollower::of_function(self.cloud.clients(), &self.standing_names()?))
    }

    fn standing_names(&self) -> Result<Names, SessionError> {
        let deployment = self.deployment()?;
        self.check_origin(&deployment)?;
        match deployment.origin() {
            Some(origin) if deployment.has_resources() => Ok(origin.names.clone()),
            _ => Err(SessionError::NoDeployment(self.settings.name.to_string())),
        }
    }

    /// The deployment's names while it stands; new ones otherwise.
    fn names(&self, deployment: &Deployment) -> Names {
        match deployment.origin() {
            Some(origin) if deployment.has_resources() => origin.names.clone(),
            _ => Names::draw(self.settings.name.clone()),
        }
    }

    /// The way in which a deployment is made: as what stands of it was, as was asked for, or the default.
    fn strategy(&self, deployment: &Deployment) -> Result<StrategyKind, SessionError> {
        let there = self.standing_strategy(deployment);
        match self.settings.strategy {
            Some(asked) if asked != there && deployment.has_resources() => {
                Err(SessionError::OtherStrategy { name: self.settings.name.to_string(), there, asked })
            }
            _ => Ok(there),
        }
    }

    /// The way in which what stands was made; where nothing does, the one that was asked for.
    fn standing_strategy(&self, deployment: &Deployment) -> StrategyKind {
        match deployment.origin() {
            Some(origin) if deployment.has_resources() => origin.strategy,
            _ => self.settings.strategy.unwrap_or(DEFAULT_STRATEGY),
        }
    }

    /// What stands in one account must not be looked for in another.
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
        Err(SessionError::Elsewhere { name: self.settings.name.to_string(), there, here })
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

    fn prepared(
        &self,
        (action, strategy): (Action, StrategyKind),
        on_failure: OnFailure,
        plan: Plan,
        (names, before): (Names, Deployment),
        terraform: Option<Terraform>,
        lock: DeploymentLock,
    ) -> Prepared {
        let context = RunContext { site: self.site(), names: names.clone(), strategy, before };
        Prepared {
            started: self.started((action, strategy), plan, names),
            runner: strategy::runner(context, action, terraform),
            on_failure,
            parallelism: self.settings.parallelism,
            journal: self.journal.clone(),
            lock: Some(lock),
            foreign: Vec::new(),
            is_purge: false,
        }
    }
}
