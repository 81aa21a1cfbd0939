//! Who holds a key, and what they may do.

use std::sync::Arc;

use awsim_core::{AccountRegionStore, AuthzEngine, AwsError, PrincipalLookup, RequestContext, ResolvedPrincipal};
use awsim_iam::authz::IamPrincipalLookup;
use awsim_iam::state::IamState;

use super::services::{ACCOUNT, Services};
use super::sessions::Session;

/// The sandbox's own keys: they may do everything.
#[derive(Debug, Clone)]
pub(crate) struct RootKeys {
    pub access_key: String,
    pub secret_key: String,
}

impl RootKeys {
    /// Keys that nobody has had before.
    pub(crate) fn generate() -> Self {
        Self { access_key: super::sessions::access_key("AKIA"), secret_key: super::sessions::secret(40) }
    }
}

impl From<(String, String)> for RootKeys {
    fn from((access_key, secret_key): (String, String)) -> Self {
        Self { access_key, secret_key }
    }
}

/// Who signed a request.
#[derive(Debug, Clone)]
pub(crate) enum Caller {
    Root,
    User { arn: String, id: String },
    Session(Session),
}

impl Caller {
    pub(crate) fn arn(&self) -> String {
        match self {
            Self::Root => format!("arn:aws:iam::{ACCOUNT}:root"),
            Self::User { arn, .. } => arn.clone(),
            Self::Session(session) => session.arn(),
        }
    }

    /// AWS's id of the one who calls.
    pub(crate) fn id(&self) -> String {
        match self {
            Self::Root => ACCOUNT.to_owned(),
            Self::User { id, .. } => id.clone(),
            // A role's own id is known to IAM alone; this has its shape.
            Self::Session(session) => format!("AROA{}:{}", &session.access_key[4..], session.name),
        }
    }
}

/// Keys and permissions.
pub(crate) struct Access {
    root: RootKeys,
    iam: AccountRegionStore<IamState>,
    services: Arc<Services>,
    engine: AuthzEngine,
}

impl Access {
    pub(crate) fn new(root: RootKeys, iam: AccountRegionStore<IamState>, services: Arc<Services>) -> Self {
        let mut engine = AuthzEngine::new(true);
        engine.admin_access_key = Some(root.access_key.clone());
        engine.principal_lookup =
            Arc::new(Principals { services: services.clone(), iam: IamPrincipalLookup::new(iam.clone()) });
        Self { root, iam, services, engine }
    }

    /// Who holds an access key, and its secret.
    pub(crate) fn holder(&self, access_key: &str) -> Option<(Caller, String)> {
        if access_key == self.root.access_key {
            return Some((Caller::Root, self.root.secret_key.clone()));
        }
        if let Some(session) = self.services.sessions().find(access_key) {
            let secret = session.secret_key.clone();
            return Some((Caller::Session(session), secret));
        }
        for (_, state) in self.iam.iter_all() {
            for user in state.users.iter() {
                let key = user.access_keys.iter().find(|key| key.access_key_id == access_key);
                if let Some(key) = key.filter(|key| key.status == "Active") {
                    let caller = Caller::User { arn: user.arn.clone(), id: user.user_id.clone() };
                    return Some((caller, key.secret_access_key.clone()));
                }
            }
        }
        None
    }

    /// Whether the caller in `context` may do `action` on `resource`: the root may, others by their policies.
    pub(crate) fn check(&self, context: &RequestContext, action: &str, resource: &str) -> Result<(), AwsError> {
        self.engine.check(context, action, resource)
    }
}

/// Principals by access key: role sessions, then users.
struct Principals {
    services: Arc<Services>,
    iam: IamPrincipalLookup,
}

impl PrincipalLookup for Principals {
    fn resolve_access_key(&self, access_key: &str) -> Option<ResolvedPrincipal> {
        let Some(session) = self.services.sessions().find(access_key) else {
            return self.iam.resolve_access_key(access_key);
        };
        let role = self.iam.resolve_arn(&session.role_arn);
        // awsim lets a principal that it does not find do everything. A session whose role has been deleted may do
        // nothing: it has no policies.
        let (identity_policies, permissions_boundary, tags) =
            role.map(|role| (role.identity_policies, role.permissions_boundary, role.tags)).unwrap_or_default();
        Some(ResolvedPrincipal {
            arn: session.arn(),
            account: ACCOUNT.to_owned(),
            identity_policies,
            permissions_boundary,
            is_root: false,
            tags,
            session_policy: None,
        })
    }

    fn resolve_arn(&self, arn: &str) -> Option<ResolvedPrincipal> {
        self.iam.resolve_arn(arn)
    }
}
