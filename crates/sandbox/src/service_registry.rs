//! [`ServiceRegistry`]: the services of the sandbox and what they share.
//!
//! A service is created with `XService::new(services: Arc<ServiceRegistry>)` and registered afterwards. The reference cycle
//! (registry -> service -> registry) ends with [`ServiceRegistry::close`]. Services call each other by
//! [`ServiceRegistry::call`], never while holding a lock of their own: the call takes snapshots.

use std::collections::{HashMap, HashSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, RwLock};

use awsim_core::{AwsError, RequestContext};
use serde_json::Value;
use thumbctl_platform::private_fs;

use crate::account::ACCOUNT;
use crate::authz::access_control::AccessControl;
use crate::authz::resource_policy::{PrincipalMatcher, Trust, trust};
use crate::authz::sessions::Sessions;
use crate::authz::sessions::TemporaryCredentials;
use crate::behaviour::Behaviour;
use crate::fault::{FaultRule, Faults};
use crate::iam::propagation::Propagation;
use crate::latency::Latencies;
use crate::operation::{AnyService, ApiCall};
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
    /// The file of a deployment package, by the token of its download link.
    fn package(&self, _token: &str) -> Option<PathBuf> {
        None
    }
}

/// A service that stores blobs. The sandbox removes unused blobs at its start.
pub(crate) trait BlobUser: Send + Sync {
    /// The hashes of the blobs in use.
    fn blobs_in_use(&self) -> Vec<String>;
}

/// The last snapshot written for a service.
type LastSaved = Arc<Mutex<Option<Vec<u8>>>>;

/// The services of a sandbox and what they share.
pub(crate) struct ServiceRegistry {
    endpoint: String,
    data_dir: PathBuf,
    blobs: Blobs,
    sessions: Arc<Sessions>,
    access: OnceLock<Arc<AccessControl>>,
    faults: Faults,
    propagation: Propagation,
    behaviour: Behaviour,
    latencies: Latencies,
    handlers: RwLock<HashMap<&'static str, Arc<dyn AnyService>>>,
    /// The last snapshot of each service, to skip writing an unchanged state. One lock per service covers taking and
    /// writing a snapshot, so that an older state never overwrites a newer one.
    saved: Mutex<HashMap<String, LastSaved>>,
    functions: OnceLock<Arc<dyn FunctionInvoker>>,
    blob_users: Mutex<Vec<Arc<dyn BlobUser>>>,
}

impl ServiceRegistry {
    /// Creates a registry without services. `data_dir` must exist.
    pub(crate) fn new(
        endpoint: String,
        data_dir: PathBuf,
        behaviour: Behaviour,
        faults: Vec<FaultRule>,
    ) -> io::Result<Self> {
        let blobs = Blobs::open(&data_dir.join("blobs"))?;
        private_fs::create_dir_all(&data_dir.join("snapshots"))?;
        let sessions = Arc::new(Sessions::open(&data_dir.join("sessions.json"))?);
        Ok(Self {
            endpoint,
            data_dir,
            blobs,
            sessions,
            access: OnceLock::new(),
            faults: Faults::new(faults, behaviour.pace.seed),
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

    /// The sandbox's URL: `http://127.0.0.1:PORT`.
    pub(crate) fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// The data directory. A service stores its own files under `data_dir()/<service>/`.
    pub(crate) fn data_dir(&self) -> &Path {
        &self.data_dir
    }

    /// Content-addressed bytes, shared by S3 and ECR.
    pub(crate) fn blobs(&self) -> &Blobs {
        &self.blobs
    }

    /// The sessions with temporary credentials.
    pub(crate) fn sessions(&self) -> &Arc<Sessions> {
        &self.sessions
    }

    /// The access control, once it is set.
    pub(crate) fn access(&self) -> Option<&Arc<AccessControl>> {
        self.access.get()
    }

    /// Sets the access control. The first call wins.
    pub(crate) fn set_access(&self, access: Arc<AccessControl>) {
        let _ = self.access.set(access);
    }

    /// The injected faults.
    pub(crate) fn faults(&self) -> &Faults {
        &self.faults
    }

    /// The propagation of new roles.
    pub(crate) fn propagation(&self) -> &Propagation {
        &self.propagation
    }

    /// The options of this sandbox.
    pub(crate) fn behaviour(&self) -> &Behaviour {
        &self.behaviour
    }

    /// The simulated latencies.
    pub(crate) fn latencies(&self) -> &Latencies {
        &self.latencies
    }

    /// The function side of S3's notifications, once it is set.
    pub(crate) fn functions(&self) -> Option<Arc<dyn FunctionInvoker>> {
        self.functions.get().cloned()
    }

    /// Sets the function side. The first call wins.
    pub(crate) fn set_function_invoker(&self, functions: Arc<dyn FunctionInvoker>) {
        let _ = self.functions.set(functions);
    }

    /// Adds a service whose blobs are kept.
    pub(crate) fn add_blob_user(&self, user: Arc<dyn BlobUser>) {
        lock(&self.blob_users).push(user);
    }

    /// The hashes of all blobs in use.
    pub(crate) fn blobs_in_use(&self) -> HashSet<String> {
        let users = lock(&self.blob_users).clone();
        users.iter().flat_map(|user| user.blobs_in_use()).collect()
    }

    /// Adds a service under its signing name and restores its state.
    pub(crate) fn register(&self, handler: Arc<dyn AnyService>) -> Result<(), String> {
        let name = handler.name();
        let file = self.snapshot_file(name);
        match std::fs::read(&file) {
            Ok(bytes) => {
                handler
                    .restore_state(&bytes)
                    .map_err(|cause| format!("snapshots/{name}.json cannot be read: {cause}"))?;
            }
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => {}
            Err(cause) => return Err(format!("snapshots/{name}.json cannot be read: {cause}")),
        }
        write(&self.handlers).insert(name, handler);
        Ok(())
    }

    /// Has every service resume its work. Call it when all services are restored.
    pub(crate) fn rehydrate(&self) -> Result<(), String> {
        let handlers: Vec<_> = read(&self.handlers).values().cloned().collect();
        handlers.iter().try_for_each(|handler| handler.resume())
    }

    /// The service that signs its requests with `name`.
    pub(crate) fn handler(&self, name: &str) -> Option<Arc<dyn AnyService>> {
        read(&self.handlers).get(name).cloned()
    }

    /// Calls a service for the sandbox itself, without permissions, and saves its state.
    pub(crate) async fn call(
        &self,
        service: &str,
        region: &str,
        operation: &str,
        input: Value,
    ) -> Result<Value, AwsError> {
        self.call_for(None, service, region, operation, input).await
    }

    /// Calls a service with the permissions of an access key's holder.
    ///
    /// # Errors
    /// When the holder's policies deny the call, or the call fails.
    pub(crate) async fn call_as(
        &self,
        access_key: &str,
        service: &str,
        region: &str,
        operation: &str,
        input: Value,
    ) -> Result<Value, AwsError> {
        self.call_for(Some(access_key), service, region, operation, input).await
    }

    async fn call_for(
        &self,
        access_key: Option<&str>,
        service: &str,
        region: &str,
        operation: &str,
        input: Value,
    ) -> Result<Value, AwsError> {
        let handler = self
            .handler(service)
            .ok_or_else(|| AwsError::internal(format!("the sandbox has no service called {service}")))?;
        let (info, requires) = handler.find(operation).ok_or_else(|| AwsError::unknown_operation(operation))?;
        let mut context = RequestContext::new_with_account(service, region, ACCOUNT);
        context.internal_bypass = true;
        let authorize = || {
            let Some(key) = access_key else { return Ok(()) };
            let access = self.access().ok_or_else(|| AwsError::internal("the access control is not set"))?;
            let mut context = RequestContext::new_with_account(service, region, ACCOUNT);
            context.access_key = Some(key.to_owned());
            let call = ApiCall { operation: info.name, input: &input, context: &context };
            access.authorize(&call, requires, handler.protocol())
        };
        self.perform(service, &info, authorize, |()| handler.handle(info.name, &input, &context)).await
    }

    /// Returns temporary credentials of a role for an AWS service principal (`lambda.amazonaws.com`).
    ///
    /// # Errors
    /// When the role does not exist, has not propagated, or does not trust the principal.
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

    /// Whether a role, as IAM describes it, has propagated.
    pub(crate) fn has_propagated(&self, role: &Value) -> bool {
        let text = |member: &str| role[member].as_str().unwrap_or_default();
        self.propagation.is_complete(text("RoleId"), text("CreateDate"), &self.latencies)
    }

    /// Saves a service's state, for changes outside of a call (a build's phase, Pending -> Active). Cheap if nothing has
    /// changed. A failure goes to standard error; the next successful save repairs it.
    pub(crate) fn save(&self, service: &str) {
        let _ = self.persist(service);
    }

    /// Saves a service's state before the response to a call.
    ///
    /// # Errors
    /// When the state cannot be written: the call must fail as well.
    pub(crate) fn persist(&self, service: &str) -> Result<(), AwsError> {
        let Some(handler) = self.handler(service) else {
            // Services outside of the registry save their state themselves.
            return if read(&self.handlers).is_empty() {
                Err(AwsError::internal("the sandbox's state was replaced during this call"))
            } else {
                Ok(())
            };
        };
        let slot = lock(&self.saved).entry(service.to_owned()).or_default().clone();
        let mut last = lock(&slot);
        let Some(bytes) = handler.save_state() else {
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
                Err(AwsError::internal(format!("the sandbox cannot save its state: {cause}")))
            }
        }
    }

    /// Saves the state of every service.
    pub(crate) fn save_all(&self) {
        let names: Vec<_> = read(&self.handlers).keys().copied().collect();
        for name in names {
            self.save(name);
        }
    }

    /// Saves and drops the services.
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

fn read<T>(lock: &RwLock<T>) -> std::sync::RwLockReadGuard<'_, T> {
    lock.read().unwrap_or_else(std::sync::PoisonError::into_inner)
}

fn write<T>(lock: &RwLock<T>) -> std::sync::RwLockWriteGuard<'_, T> {
    lock.write().unwrap_or_else(std::sync::PoisonError::into_inner)
}
