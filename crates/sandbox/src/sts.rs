//! STS: the caller's identity and temporary credentials.
//!
//! awsim's STS does not store the secrets it issues, so signatures could not be checked, and it treats the root as a
//! user named after its key.

use std::sync::Arc;

use awsim_core::{AwsError, Protocol, RequestContext};
use serde_json::{Value, json};

use crate::account::ACCOUNT;
use crate::authz::access_control::AccessControl;
use crate::authz::auth_error::{self, BadKey};
use crate::authz::caller::Caller;
use crate::authz::permission::RequiredPermission;
use crate::authz::resource_policy::{PrincipalMatcher, Trust, trust};
use crate::authz::sessions::Session;
use crate::latency::CallLatency;
use crate::operation::Handler::{Async, Sync};
use crate::operation::{ApiCall, ApiResult, IamStore, Operation, Service, boxed};
use crate::service_registry::ServiceRegistry;
use crate::unsupported_fields;

/// The STS service.
pub(crate) struct Sts {
    services: Arc<ServiceRegistry>,
    access: Arc<AccessControl>,
}

impl Sts {
    pub(crate) fn new(services: Arc<ServiceRegistry>, access: Arc<AccessControl>) -> Self {
        Self { services, access }
    }

    fn caller(&self, context: &RequestContext) -> Result<Caller, AwsError> {
        let key = context.access_key.as_deref().unwrap_or_default();
        let holder = self.access.holder(key).map(|(caller, _)| caller);
        // The key was deleted after the signature check.
        holder.ok_or_else(|| auth_error::of_key(BadKey::Unknown, "sts", Protocol::AwsQuery))
    }

    fn caller_identity(&self, call: &ApiCall<'_>) -> ApiResult {
        let caller = self.caller(call.context)?;
        Ok(json!({ "UserId": caller.id(), "Account": ACCOUNT, "Arn": caller.arn() }))
    }

    /// Handles GetSessionToken: temporary credentials with the caller's permissions.
    fn session_token(&self, &ApiCall { input, context, .. }: &ApiCall<'_>) -> ApiResult {
        let caller = self.caller(context)?;
        if matches!(caller, Caller::Session(_)) {
            return Err(AwsError::forbidden("AccessDenied", "Cannot call GetSessionToken with session credentials"));
        }
        let seconds = seconds(input, 43_200)?;
        let session = self.services.sessions().start(&caller.arn(), &caller.id(), "", seconds);
        Ok(json!({ "Credentials": credentials(&session) }))
    }

    async fn assume_role(&self, ApiCall { input, context, .. }: ApiCall<'_>) -> ApiResult {
        let needed = |name: &str| {
            input[name].as_str().filter(|value| !value.is_empty()).ok_or_else(|| {
                AwsError::bad_request(
                    "ValidationError",
                    format!("1 validation error detected: Value null at '{name}' failed to satisfy constraint: Member must not be null"),
                )
            })
        };
        let (role_arn, name) = (needed("RoleArn")?, needed("RoleSessionName")?);
        let legal = |c: char| c.is_ascii_alphanumeric() || "_=,.@-".contains(c);
        if !(2..=64).contains(&name.len()) || !name.chars().all(legal) {
            return Err(AwsError::bad_request(
                "ValidationError",
                "Value at 'roleSessionName' failed to satisfy constraint: Member must satisfy regular expression pattern: [\\w+=,.@-]*",
            ));
        }
        let seconds = seconds(input, 3600)?;
        let caller = self.caller(context)?;
        let denied = || {
            AwsError::forbidden(
                "AccessDenied",
                format!("User: {} is not authorized to perform: sts:AssumeRole on resource: {role_arn}", caller.arn()),
            )
        };
        let role_name = role_arn.rsplit('/').next().unwrap_or_default();
        let role = self.services.call("iam", "us-east-1", "GetRole", json!({ "RoleName": role_name })).await;
        let role = role.map_err(|_| denied())?;
        if role["Role"]["Arn"].as_str() != Some(role_arn) || !self.services.has_propagated(&role["Role"]) {
            return Err(denied());
        }
        let longest = role["Role"]["MaxSessionDuration"].as_i64().unwrap_or(3600);
        if seconds > longest {
            return Err(AwsError::bad_request(
                "ValidationError",
                "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.",
            ));
        }
        // Session policies would restrict the role; ignoring them would grant too much.
        if let Some(member) = unsupported_fields::first_set(input, &["Policy", "PolicyArns"]) {
            return Err(AwsError::bad_request(
                "ValidationError",
                format!("The sandbox does not support session policies: omit {member}."),
            ));
        }
        let own = caller.arn();
        let mut conditions = vec![("aws:PrincipalArn", own.as_str()), ("sts:RoleSessionName", name)];
        conditions.extend(input["ExternalId"].as_str().map(|id| ("sts:ExternalId", id)));
        let document = &role["Role"]["AssumeRolePolicyDocument"];
        let trusted = match trust(document, &PrincipalMatcher::caller(&caller), role_arn, context, &conditions) {
            Trust::Yes => true,
            // The account's administrator needs no policy; other callers need their own.
            Trust::Account => {
                self.access.allows(&caller, context, &RequiredPermission::new("sts:AssumeRole", role_arn)).is_ok()
            }
            // On AWS the root user cannot assume roles; here its keys are the default keys.
            Trust::No => false,
        };
        if !trusted {
            return Err(denied());
        }
        let session = self.services.sessions().start(
            role_arn,
            role["Role"]["RoleId"].as_str().unwrap_or_default(),
            name,
            seconds,
        );
        let role_id = role["Role"]["RoleId"].as_str().unwrap_or_default();
        Ok(json!({
            "Credentials": credentials(&session),
            "AssumedRoleUser": { "AssumedRoleId": format!("{role_id}:{name}"), "Arn": session.arn() },
            "PackedPolicySize": 0,
        }))
    }
}

fn seconds(input: &Value, default: i64) -> Result<i64, AwsError> {
    let seconds = match &input["DurationSeconds"] {
        Value::String(text) => text.parse().ok(),
        Value::Null => Some(default),
        number => number.as_i64(),
    };
    seconds.filter(|seconds| (900..=129_600).contains(seconds)).ok_or_else(|| {
        AwsError::bad_request(
            "ValidationError",
            "Value at 'durationSeconds' failed to satisfy constraint: Member must have value between 900 and 129600",
        )
    })
}

fn credentials(session: &Session) -> Value {
    let expires = chrono::DateTime::from_timestamp(session.expires, 0).unwrap_or_default();
    json!({
        "AccessKeyId": session.access_key,
        "SecretAccessKey": session.secret_key,
        "SessionToken": session.session_token,
        "Expiration": expires.format("%Y-%m-%dT%H:%M:%SZ").to_string(),
    })
}

/// No permission. The role's trust policy decides on AssumeRole.
fn unrestricted(_: &ApiCall<'_>, _: &IamStore) -> Vec<RequiredPermission> {
    Vec::new()
}

type StsOperation = Operation<Sts>;

/// Sessions are saved in their own file.
impl Service for Sts {
    const NAME: &'static str = "sts";
    const PROTOCOL: Protocol = Protocol::AwsQuery;
    const REFERENCE: &'static str = "https://docs.aws.amazon.com/STS/latest/APIReference/";
    const OPERATIONS: &'static [Operation<Self>] = &[
        StsOperation::read("GetCallerIdentity", CallLatency::STS, unrestricted, Sync(Self::caller_identity)),
        StsOperation::write("AssumeRole", CallLatency::STS, unrestricted, boxed!(assume_role)),
        StsOperation::write("GetSessionToken", CallLatency::STS, unrestricted, Sync(Self::session_token)),
    ];
}
