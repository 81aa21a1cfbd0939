//! Who holds a key, and what they may do.

use std::sync::Arc;

use awsim_core::{AccountRegionStore, ContextValue, PrincipalLookup, RequestContext};
use awsim_iam::authz::IamPrincipalLookup;
use awsim_iam::state::IamState;
use awsim_iam_policy::{
    AuthzRequest, DecisionReason, EvalContext, PolicyAttributions, PolicyDocument, PolicySource, explain,
};
use serde_json::Value;

use crate::account::ACCOUNT;
use crate::authz::caller::{Caller, root_arn};
use crate::authz::conditions::global_conditions;
use crate::authz::permission::RequiredPermission;
use crate::authz::resource_policy::{PrincipalMatcher, statements_for};
use crate::authz::sessions::{Session, Sessions};

/// The sandbox's own keys: they may do everything.
#[derive(Debug, Clone)]
pub(crate) struct RootKeys {
    pub access_key: String,
    pub secret_key: String,
}

impl RootKeys {
    /// Keys that nobody has had before.
    pub(crate) fn generate() -> Self {
        Self { access_key: crate::authz::sessions::access_key("AKIA"), secret_key: crate::authz::sessions::secret(40) }
    }
}

impl From<(String, String)> for RootKeys {
    fn from((access_key, secret_key): (String, String)) -> Self {
        Self { access_key, secret_key }
    }
}

/// What a caller may not do, and why.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{}", self.message(""))]
pub(crate) struct AccessDenied {
    principal: String,
    action: String,
    resource: String,
    reason: DenialReason,
}

/// Why a call is not allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum DenialReason {
    /// No policy of this kind says that it may be done.
    NotAllowed(&'static str),
    /// A policy of this kind says that it may not.
    ExplicitDeny(&'static str),
}

impl AccessDenied {
    /// In AWS's words; S3 puts the resource between quotes.
    pub(crate) fn message(&self, quote: &str) -> String {
        let Self { principal, action, resource, reason } = self;
        // S3 names no resource where there is none.
        let on = match resource.as_str() {
            "*" if action.starts_with("s3:") => String::new(),
            _ => format!(" on resource: {quote}{resource}{quote}"),
        };
        let because = match reason {
            DenialReason::NotAllowed(kind) => format!("because no {kind} allows the {action} action"),
            DenialReason::ExplicitDeny(kind) => format!("with an explicit deny in {kind}"),
        };
        format!("User: {principal} is not authorized to perform: {action}{on} {because}")
    }
}

/// Returns the permissions that a call requires: of a service, its operation, input and context, and the IAM state, which
/// holds the paths of roles and users.
pub(crate) type RequiredPermissions =
    fn(&str, &str, &Value, &RequestContext, &AccountRegionStore<IamState>) -> Vec<RequiredPermission>;

/// The access keys and the decision on each call.
pub(crate) struct AccessControl {
    root: RootKeys,
    iam: AccountRegionStore<IamState>,
    lookup: IamPrincipalLookup,
    sessions: Arc<Sessions>,
    /// Whether the policies of IAM users count. Those of roles always do.
    enforce_users: bool,
    required: RequiredPermissions,
}

/// A caller's policies, and what policies call the caller.
struct Principal {
    arn: String,
    matcher: PrincipalMatcher,
    policies: Vec<PolicyDocument>,
    boundary: Option<PolicyDocument>,
    context: Vec<(String, ContextValue)>,
}

impl AccessControl {
    pub(crate) fn new(
        root: RootKeys,
        iam: AccountRegionStore<IamState>,
        sessions: Arc<Sessions>,
        enforce_users: bool,
        required: RequiredPermissions,
    ) -> Self {
        Self { root, lookup: IamPrincipalLookup::new(iam.clone()), iam, sessions, enforce_users, required }
    }

    /// Users, roles and policies.
    pub(crate) fn iam(&self) -> &AccountRegionStore<IamState> {
        &self.iam
    }

    /// The permissions that a call requires.
    pub(crate) fn required_permissions(
        &self,
        service: &str,
        operation: &str,
        input: &Value,
        context: &RequestContext,
    ) -> Vec<RequiredPermission> {
        (self.required)(service, operation, input, context, &self.iam)
    }

    /// The administrator's key of this start.
    pub(crate) fn root_key(&self) -> &str {
        &self.root.access_key
    }

    /// Who holds an access key, and its secret.
    pub(crate) fn holder(&self, access_key: &str) -> Option<(Caller, String)> {
        if access_key == self.root.access_key {
            return Some((Caller::Root, self.root.secret_key.clone()));
        }
        if let Some(session) = self.sessions.find(access_key) {
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

    /// Whether the one who signed the request in `context` may do what it needs.
    pub(crate) fn check(&self, context: &RequestContext, permission: &RequiredPermission) -> Result<(), AccessDenied> {
        self.check_with(context, permission, None)
    }

    /// The same, where the resource has a policy of its own.
    pub(crate) fn check_with(
        &self,
        context: &RequestContext,
        permission: &RequiredPermission,
        resource_policy: Option<&PolicyDocument>,
    ) -> Result<(), AccessDenied> {
        let key = context.access_key.as_deref().unwrap_or_default();
        // A key that nobody has any more, such as that of a user who was deleted meanwhile, allows nothing.
        let principal = match self.holder(key) {
            Some((Caller::Root, _)) => return Ok(()),
            Some((caller, _)) => match self.principal(&caller) {
                Some(principal) => principal,
                None => return Ok(()),
            },
            None => Principal {
                arn: "anonymous".to_owned(),
                matcher: PrincipalMatcher::default(),
                policies: Vec::new(),
                boundary: None,
                context: Vec::new(),
            },
        };
        principal.decide(context, permission, resource_policy)
    }

    /// A caller with the policies that bind it; nothing for one that no policy binds.
    fn principal(&self, caller: &Caller) -> Option<Principal> {
        let (holder, is_role) = match caller {
            Caller::Root => return None,
            Caller::User { arn, .. } => (arn.clone(), false),
            Caller::Session(session) if session.is_of_role() => (session.principal.clone(), true),
            // GetSessionToken: as its holder.
            Caller::Session(session) if session.principal == root_arn() => return None,
            Caller::Session(session) => (session.principal.clone(), false),
        };
        if !is_role && !self.enforce_users {
            return None;
        }
        // A session whose role has been deleted may do nothing, even if another role has the name now.
        let found = match caller {
            Caller::Session(session) if is_role && !self.is_current(session) => None,
            _ => self.lookup.resolve_arn(&holder),
        };
        let (policies, boundary, tags) =
            found.map(|found| (found.identity_policies, found.permissions_boundary, found.tags)).unwrap_or_default();
        let mut context = vec![
            ("aws:PrincipalArn".to_owned(), ContextValue::String(holder.clone())),
            ("aws:PrincipalAccount".to_owned(), ContextValue::String(ACCOUNT.to_owned())),
            ("aws:PrincipalType".to_owned(), text(if is_role { "AssumedRole" } else { "User" })),
            ("aws:userid".to_owned(), ContextValue::String(caller.id())),
        ];
        if !is_role {
            context.push(("aws:username".to_owned(), text(holder.rsplit('/').next().unwrap_or_default())));
        }
        let tags = tags.into_iter();
        context.extend(tags.map(|(key, value)| (format!("aws:PrincipalTag/{key}"), ContextValue::String(value))));
        Some(Principal { arn: caller.arn(), matcher: PrincipalMatcher::caller(caller), policies, boundary, context })
    }

    /// Whether the session's role is still the one that was assumed.
    fn is_current(&self, session: &Session) -> bool {
        self.iam.iter_all().iter().any(|(_, state)| {
            state.roles.iter().any(|role| role.arn == session.principal && role.role_id == session.principal_id)
        })
    }

    /// Whether a caller's own policies allow what is needed; the root may do everything.
    pub(crate) fn allows(
        &self,
        caller: &Caller,
        context: &RequestContext,
        permission: &RequiredPermission,
    ) -> Result<(), AccessDenied> {
        match self.principal(caller) {
            Some(principal) => principal.decide(context, permission, None),
            None => Ok(()),
        }
    }
}

impl Principal {
    fn decide(
        &self,
        request: &RequestContext,
        permission: &RequiredPermission,
        resource_policy: Option<&PolicyDocument>,
    ) -> Result<(), AccessDenied> {
        let mut context = global_conditions(request);
        context.extend(self.context.iter().cloned());
        context.extend(permission.conditions.iter().map(|(key, value)| (key.clone(), value.clone())));
        let resource_policy = resource_policy.map(|policy| statements_for(policy, &self.matcher));
        let asked = AuthzRequest {
            principal_arn: &self.arn,
            principal_account: ACCOUNT,
            action: &permission.action,
            resource_arn: &permission.resource,
            context: &context,
        };
        let policies = EvalContext {
            identity_policies: &self.policies,
            permissions_boundary: self.boundary.as_ref(),
            resource_policy: resource_policy.as_ref(),
            ..EvalContext::default()
        };
        let reason = match explain(&asked, &policies, &PolicyAttributions::default()) {
            DecisionReason::Allowed { .. } => return Ok(()),
            DecisionReason::ExplicitDeny { source, .. } => DenialReason::ExplicitDeny(match source {
                PolicySource::Resource => "a resource-based policy",
                PolicySource::PermissionsBoundary => "a permissions boundary",
                _ => "an identity-based policy",
            }),
            DecisionReason::BoundaryNoAllow => DenialReason::NotAllowed("permissions boundary"),
            _ => DenialReason::NotAllowed("identity-based policy"),
        };
        Err(AccessDenied {
            principal: self.arn.clone(),
            action: permission.action.clone(),
            resource: permission.resource.clone(),
            reason,
        })
    }
}

fn text(value: &str) -> ContextValue {
    ContextValue::String(value.to_owned())
}
