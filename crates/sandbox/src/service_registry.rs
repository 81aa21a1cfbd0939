//! What the sandbox's services may ask of each other and of the house.
//!
//! A service is made with `XService::new(services: Arc<ServiceRegistry>)` and registered afterwards: the cycle
//! (house -> service -> house) is cut by [`ServiceRegistry::close`] when the sandbox ends. A service calls its neighbours with
//! [`ServiceRegistry::call`]; it must not do so while it holds a lock of its own, since the call saves snapshots.

use std::collections::{HashMap, HashSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, RwLock};

use awsim_core::{AwsError, Protocol, RequestContext, ServiceHandler};
use serde_json::Value;
use thumbctl_platform::private_fs;

use crate::account::ACCOUNT;
use crate::authz::access_control::AccessControl;
use crate::authz::auth_error;
use crate::authz::resource_policy::{PrincipalMatcher, Trust, trust};
use crate::authz::sessions::Sessions;
use crate::authz::sessions::TemporaryCredentials;
use crate::behaviour::Behaviour;
use crate::fault::Faults;
use crate::iam::propagation::Propagation;
use crate::latency::Latencies;
use crate::storage::blobs::Blobs;
use crate::sync::lock;

/// The function side of S3's notifications.
pub(crate) trait FunctionInvoker: Send + Sync {
    /// Whether the function's resource policy lets `principal` (such as `s3.amazonaws.com`) invoke it for `source_arn`
    /// of `source_account`.
    fn may_invoke(&self, function_arn: &str, principal: &str, source_arn: &str, source_account: &str) -> bool;
    /// Whether there is such a function.
    fn exists(&self, function_arn: &str) -> bool;
    /// Queues an asynchronous invocation and returns at once.
    fn invoke_async(&self, function_arn: &str, payload: Value);
    /// The file of a deployment package, for who has been given a link to it.
    fn package(&self, _token: &str) -> Option<PathBuf> {
        None
    }
}

/// A service that keeps bytes among the blobs. Those that no one names are removed when the sandbox starts.
pub(crate) trait BlobUser: Send + Sync {
    /// The hashes of the blobs that it needs.
    fn blobs_in_use(&self) -> Vec<String>;
}

/// What was last written of a service.
type LastSaved = Arc<Mutex<Option<Vec<u8>>>>;

/// What a service of the sandbox may ask of its neighbours and of the house.
pub(crate) struct ServiceRegistry {
    endpoint: String,
    data_dir: PathBuf,
    blobs: Blobs,
    sessions: Arc<Sessions>,
    access: OnceLock<Arc<AccessControl>>,
    faults: OnceLock<Arc<Faults>>,
    propagation: Propagation,
    behaviour: Behaviour,
    latencies: Latencies,
    handlers: RwLock<HashMap<String, Arc<dyn ServiceHandler>>>,
    /// What was last written of each service, so that an unchanged state is not written again. One lock a service:
    /// taking a snapshot and writing it are one act, or an older state could overwrite a newer.
    saved: Mutex<HashMap<String, LastSaved>>,
    functions: OnceLock<Arc<dyn FunctionInvoker>>,
    blob_users: Mutex<Vec<Arc<dyn BlobUser>>>,
}

impl ServiceRegistry {
    /// A house without services yet. `data_dir` must exist.
    pub(crate) fn new(endpoint: String, data_dir: PathBuf, behaviour: Behaviour) -> io::Result<Self> {
        let blobs = Blobs::open(&data_dir.join("blobs"))?;
        private_fs::create_dir_all(&data_dir.join("snapshots"))?;
        let sessions = Arc::new(Sessions::open(&data_dir.join("sessions.json"))?);
        Ok(Self {
            endpoint,
            data_dir,
            blobs,
            sessions,
            access: OnceLock::new(),
            faults: OnceLock::new(),
            propagation: Propagation::default(),
            latencies: Latencies::new(behaviour.pace),
            behaviour,
            handlers: RwLock::default(),
            saved: Mutex::default(),
            functions: OnceLock::new(),
            blob_users: Mutex::default(),
        })
    }

    /// The account number.
    pub(crate) fn account(&self) -> &str {
        ACCOUNT
    }

    /// Where the sandbox answers: `http://127.0.0.1:PORT`.
    pub(crate) fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// Services keep files of their own under `data_dir()/<service>/`.
    pub(crate) fn data_dir(&self) -> &Path {
        &self.data_dir
    }

    /// Content-addressed bytes, shared by S3 and ECR.
    pub(crate) fn blobs(&self) -> &Blobs {
        &self.blobs
    }

    /// Temporary credentials that have been given out.
    pub(crate) fn sessions(&self) -> &Arc<Sessions> {
        &self.sessions
    }

    /// Who may do what, once that can be said.
    pub(crate) fn access(&self) -> Option<&Arc<AccessControl>> {
        self.access.get()
    }

    /// Says who may do what. The first call wins.
    pub(crate) fn set_access(&self, access: Arc<AccessControl>) {
        let _ = self.access.set(access);
    }

    /// What is to go wrong on purpose, also in calls that a service makes for its callers.
    pub(crate) fn faults(&self) -> Option<&Arc<Faults>> {
        self.faults.get()
    }

    /// Says what is to go wrong. The first call wins.
    pub(crate) fn set_faults(&self, faults: Arc<Faults>) {
        let _ = self.faults.set(faults);
    }

    /// Which roles are known everywhere by now.
    pub(crate) fn propagation(&self) -> &Propagation {
        &self.propagation
    }

    /// What was chosen when the sandbox was started.
    pub(crate) fn behaviour(&self) -> &Behaviour {
        &self.behaviour
    }

    /// How long things take.
    pub(crate) fn latencies(&self) -> &Latencies {
        &self.latencies
    }

    /// The function side of S3's notifications, once there is one.
    pub(crate) fn functions(&self) -> Option<Arc<dyn FunctionInvoker>> {
        self.functions.get().cloned()
    }

    /// Fills in the function side. The first call wins.
    pub(crate) fn set_function_invoker(&self, functions: Arc<dyn FunctionInvoker>) {
        let _ = self.functions.set(functions);
    }

    /// Adds a service whose blobs are to be kept.
    pub(crate) fn add_blob_user(&self, user: Arc<dyn BlobUser>) {
        lock(&self.blob_users).push(user);
    }

    /// Every blob that is in use.
    pub(crate) fn blobs_in_use(&self) -> HashSet<String> {
        let users = lock(&self.blob_users).clone();
        users.iter().flat_map(|user| user.blobs_in_use()).collect()
    }

    /// Adds a service under its signing name, and gives it the state it had.
    pub(crate) fn register(&self, handler: Arc<dyn ServiceHandler>) -> Result<(), String> {
        let name = handler.signing_name().to_owned();
        let file = self.snapshot_file(&name);
        match std::fs::read(&file) {
            Ok(bytes) => {
                handler.restore(&bytes).map_err(|cause| format!("snapshots/{name}.json cannot be read: {cause}"))?
            }
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => {}
            Err(cause) => return Err(format!("snapshots/{name}.json cannot be read: {cause}")),
        }
        write(&self.handlers).insert(name, handler);
        Ok(())
    }

    /// Lets every service pick up what it was doing, once all of them have their state back.
    pub(crate) fn rehydrate(&self) -> Result<(), String> {
        let handlers: Vec<_> = read(&self.handlers).values().cloned().collect();
        handlers.iter().try_for_each(|handler| handler.rehydrate())
    }

    /// The service that signs its requests with `name`.
    pub(crate) fn handler(&self, name: &str) -> Option<Arc<dyn ServiceHandler>> {
        read(&self.handlers).get(name).cloned()
    }

    /// Calls another service as the house itself (no signature), and saves its state as a call from outside would.
    pub(crate) async fn call(
        &self,
        service: &str,
        region: &str,
        operation: &str,
        input: Value,
    ) -> Result<Value, AwsError> {
        let handler = self
            .handler(service)
            .ok_or_else(|| AwsError::internal(format!("the sandbox has no service called {service}")))?;
        let mut context = RequestContext::new_with_account(service, region, ACCOUNT);
        context.internal_bypass = true;
        let answer = handler.handle(operation, input, &context).await;
        if !is_read_only(operation) {
            self.persist(service)?;
        }
        answer
    }

    /// Calls another service with a role's credentials: refused where the role's policies do not allow it.
    pub(crate) async fn call_as(
        &self,
        role: &TemporaryCredentials,
        service: &str,
        region: &str,
        operation: &str,
        input: Value,
    ) -> Result<Value, AwsError> {
        let mut context = RequestContext::new_with_account(service, region, ACCOUNT);
        context.access_key = Some(role.access_key.clone());
        let access = self.access().ok_or_else(|| AwsError::internal("nobody has access yet"))?;
        for need in access.required_permissions(service, operation, &input, &context) {
            let protocol = self.handler(service).map_or(Protocol::AwsJson1_1, |handler| handler.protocol());
            access.check(&context, &need).map_err(|denied| auth_error::of_access_denied(&denied, service, protocol))?;
        }
        self.call(service, region, operation, input).await
    }

    /// Temporary credentials of a role for an AWS service principal (`lambda.amazonaws.com`). Refused if the role is not
    /// there, is not known everywhere yet, or if its trust policy does not name the principal.
    pub(crate) async fn assume_role(
        &self,
        role_arn: &str,
        principal: &str,
        session: &str,
    ) -> Result<TemporaryCredentials, AwsError> {
        let denied = || {
            AwsError::forbidden(
                "AccessDenied",
                format!("{principal} is not authorized to perform: sts:AssumeRole on resource: {role_arn}"),
            )
        };
        let name = role_arn.rsplit('/').next().unwrap_or(role_arn);
        let role = self
            .call("iam", "us-east-1", "GetRole", serde_json::json!({ "RoleName": name }))
            .await
            .map_err(|_| denied())?;
        let role = &role["Role"];
        let context = RequestContext::new_with_account("sts", "us-east-1", ACCOUNT);
        let conditions = [("aws:SourceAccount", ACCOUNT), ("sts:RoleSessionName", session)];
        let document = &role["AssumeRolePolicyDocument"];
        if role["Arn"].as_str() != Some(role_arn)
            || !self.has_propagated(role)
            || trust(document, &PrincipalMatcher::service(principal), role_arn, &context, &conditions) != Trust::Yes
        {
            return Err(denied());
        }
        let id = role["RoleId"].as_str().unwrap_or_default();
        Ok(self.sessions.start(role_arn, id, session, 3600).credentials())
    }

    /// Whether a role, as IAM describes it, is known everywhere by now.
    pub(crate) fn has_propagated(&self, role: &Value) -> bool {
        let text = |member: &str| role[member].as_str().unwrap_or_default();
        self.propagation.is_over(text("RoleId"), text("CreateDate"), &self.latencies)
    }

    /// Persists one service's state now: for changes made outside a call (a build's phase, Pending -> Active). Cheap if
    /// nothing has changed. A failure to write is said on standard error, and made good by the next call that can write.
    pub(crate) fn save(&self, service: &str) {
        let _ = self.persist(service);
    }

    /// Persists one service's state before a call is answered: what cannot be kept must not be answered as done.
    pub(crate) fn persist(&self, service: &str) -> Result<(), AwsError> {
        let Some(handler) = self.handler(service) else {
            // A service that is none of these keeps its state itself, unless all of them are closed.
            return if read(&self.handlers).is_empty() {
                Err(AwsError::internal("the sandbox's state was replaced while this call was worked on"))
            } else {
                Ok(())
            };
        };
        let slot = lock(&self.saved).entry(service.to_owned()).or_default().clone();
        let mut last = lock(&slot);
        let Some(bytes) = handler.snapshot() else {
            return Ok(());
        };
        if last.as_ref() == Some(&bytes) {
            return Ok(());
        }
        let file = self.snapshot_file(service);
        match crate::storage::persistence::replace(&file, &bytes) {
            Ok(()) => {
                *last = Some(bytes);
                Ok(())
            }
            Err(cause) => {
                crate::error::log_error(format_args!("{} cannot be written: {cause}", file.display()));
                Err(AwsError::internal(format!("the sandbox cannot keep its state: {cause}")))
            }
        }
    }

    /// Persists every service's state.
    pub(crate) fn save_all(&self) {
        let names: Vec<String> = read(&self.handlers).keys().cloned().collect();
        for name in names {
            self.save(&name);
        }
    }

    /// Saves, and lets go of the services.
    pub(crate) fn close(&self) {
        self.save_all();
        self.discard();
    }

    /// Drops the services without saving.
    pub(crate) fn discard(&self) {
        write(&self.handlers).clear();
        lock(&self.blob_users).clear();
    }

    fn snapshot_file(&self, service: &str) -> PathBuf {
        self.data_dir.join("snapshots").join(format!("{service}.json"))
    }
}

/// Whether an operation cannot change anything, going by its name.
pub(crate) fn is_read_only(operation: &str) -> bool {
    ["Get", "List", "Describe", "Head", "BatchGet", "BatchCheck", "Filter", "Simulate", "Decode", "Invoke"]
        .iter()
        .any(|verb| operation.starts_with(verb))
}

fn read<T>(lock: &RwLock<T>) -> std::sync::RwLockReadGuard<'_, T> {
    lock.read().unwrap_or_else(std::sync::PoisonError::into_inner)
}

fn write<T>(lock: &RwLock<T>) -> std::sync::RwLockWriteGuard<'_, T> {
    lock.write().unwrap_or_else(std::sync::PoisonError::into_inner)
}
