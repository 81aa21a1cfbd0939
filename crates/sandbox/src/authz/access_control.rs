//! [`AccessControl`]: the holders of access keys and their permissions.

use std::sync::Arc;

use awsim_core::{AccountRegionStore, AwsError, ContextValue, PrincipalLookup, Protocol, RequestContext};
use awsim_iam::authz::IamPrincipalLookup;
use awsim_iam::state::IamState;
use awsim_iam_policy::{
    AuthzRequest, DecisionReason, EvalContext, PolicyAttributions, PolicyDocument, PolicySource, explain,
};

use crate::account::ACCOUNT;
use crate::authz::auth_error;
use crate::authz::caller::{Caller, root_arn};
use crate::authz::conditions::global_conditions;
use crate::authz::permission::RequiredPermission;
use crate::authz::resource_policy::{PrincipalMatcher, statements_for};
use crate::authz::sessions::{Session, Sessions};
use crate::operation::{ApiCall, Requirements};

/// The administrator's keys, which are allowed everything.
#[derive(Debug, Clone)]
pub(crate) struct RootKeys {
    pub access_key: String,
    pub secret_key: String,
}

impl RootKeys {
    /// Generates random keys.
    pub(crate) fn generate() -> Self {
        Self { access_key: crate::authz::sessions::access_key("AKIA"), secret_key: crate::authz::sessions::secret(40) }
    }
}

impl From<(String, String)> for RootKeys {
    fn from((access_key, secret_key): (String, String)) -> Self {
        Self { access_key, secret_key }
    }
}

/// A denied action and the reason.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{}", self.message(""))]
pub(crate) struct AccessDenied {
    principal: String,
    action: String,
    resource: String,
    reason: DenialReason,
}

/// Why an action is denied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum DenialReason {
    /// No policy of this kind allows it.
    NotAllowed(&'static str),
    /// A policy of this kind denies it.
    ExplicitDeny(&'static str),
}

impl AccessDenied {
    /// AWS's message; S3 quotes the resource.
    pub(crate) fn message(&self, quote: &str) -> String {
        let Self { principal, action, resource, reason } = self;
        // S3 omits the resource `*`.
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

/// The access keys and the decision on each call.
pub(crate) struct AccessControl {
    root: RootKeys,
    iam: AccountRegionStore<IamState>,
    lookup: IamPrincipalLookup,
    sessions: Arc<Sessions>,
    /// Whether the policies of IAM users are enforced. Those of roles always are.
    enforce_users: bool,
}

/// A caller with its policies and condition keys.
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
    ) -> Self {
        Self { root, lookup: IamPrincipalLookup::new(iam.clone()), iam, sessions, enforce_users }
    }

    /// Users, roles and policies.
    pub(crate) fn iam(&self) -> &AccountRegionStore<IamState> {
        &self.iam
    }

    /// Checks that the caller has every permission that a call requires.
    ///
    /// # Errors
    /// The first denial, in the form of the service's protocol.
    pub(crate) fn authorize(
        &self,
        call: &ApiCall<'_>,
        requires: Requirements,
        protocol: Protocol,
    ) -> Result<(), AwsError> {
        let denied = |denied| auth_error::of_access_denied(&denied, &call.context.service, protocol);
        requires(call, &self.iam).iter().try_for_each(|one| self.check(call.context, one).map_err(denied))
    }

    /// The administrator's access key.
    pub(crate) fn root_key(&self) -> &str {
        &self.root.access_key
    }

    /// The holder of an access key, and its secret.
    pub(crate) fn holder(&self, access_key: &str) -> Option<(Caller, String)> {
        if access_key == self.root.access_key {
            return Some((Caller::Root, self.root.secret_key.clone()));
        }
        if let Some(session) = self.sessions.find(access_key) {
            let secret = session.secret_key.clone();
            return Some((Caller::Session(session), secret));
        }
        for (_, state) in self.iam.iter_all() {
            for user in &state.users {
                let key = user.access_keys.iter().find(|key| key.access_key_id == access_key);
                if let Some(key) = key.filter(|key| key.status == "Active") {
                    let caller = Caller::User { arn: user.arn.clone(), id: user.user_id.clone() };
                    return Some((caller, key.secret_access_key.clone()));
                }
            }
        }
        None
    }

    /// Checks that the signer of the request in `context` has a permission.
    pub(crate) fn check(&self, context: &RequestContext, permission: &RequiredPermission) -> Result<(), AccessDenied> {
        self.check_with(context, permission, None)
    }

    /// Checks a permission on a resource with a policy of its own.
    pub(crate) fn check_with(
        &self,
        context: &RequestContext,
        permission: &RequiredPermission,
        resource_policy: Option<&PolicyDocument>,
    ) -> Result<(), AccessDenied> {
        let key = context.access_key.as_deref().unwrap_or_default();
        // An unknown key, such as that of a deleted user, allows nothing.
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
        principal.check(context, permission, resource_policy)
    }

    /// The caller's policies; nothing if they are not enforced.
    fn principal(&self, caller: &Caller) -> Option<Principal> {
        let (holder, is_role) = match caller {
            Caller::Root => return None,
            Caller::User { arn, .. } => (arn.clone(), false),
            Caller::Session(session) if session.is_of_role() => (session.principal.clone(), true),
            // A session of GetSessionToken has the permissions of its holder.
            Caller::Session(session) if session.principal == root_arn() => return None,
            Caller::Session(session) => (session.principal.clone(), false),
        };
        if !is_role && !self.enforce_users {
            return None;
        }
        // A session of a deleted role is allowed nothing, even if a new role has the same name.
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

    /// Whether the session's role still exists.
    fn is_current(&self, session: &Session) -> bool {
        self.iam.iter_all().iter().any(|(_, state)| {
            state.roles.iter().any(|role| role.arn == session.principal && role.role_id == session.principal_id)
        })
    }

    /// Checks a permission against the caller's own policies.
    pub(crate) fn allows(
        &self,
        caller: &Caller,
        context: &RequestContext,
        permission: &RequiredPermission,
    ) -> Result<(), AccessDenied> {
        match self.principal(caller) {
            Some(principal) => principal.check(context, permission, None),
            None => Ok(()),
        }
    }
}

impl Principal {
    fn check(
        &self,
        request: &RequestContext,
        permission: &RequiredPermission,
        resource_policy: Option<&PolicyDocument>,
    ) -> Result<(), AccessDenied> {
        let mut context = global_conditions(request);
        context.extend(self.context.iter().cloned());
        context.extend(permission.conditions.iter().map(|(key, value)| (key.clone(), value.clone())));
        let resource_policy = resource_policy.map(|policy| statements_for(policy, &self.matcher));
        let authz_request = AuthzRequest {
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
        let reason = match explain(&authz_request, &policies, &PolicyAttributions::default()) {
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
