//! STS: who am I, and a role's temporary credentials.
//!
//! awsim's STS forgets the secrets that it gives out, so nothing signed with them could be checked, and it knows the
//! root only as a user called after its key.

use std::sync::{Arc, OnceLock};

use async_trait::async_trait;
use awsim_core::{AwsError, Protocol, RequestContext, ServiceHandler};
use serde_json::{Value, json};

use super::access::{Access, Caller};
use super::services::{ACCOUNT, Services};
use super::sessions::{Session, trusts};

/// The service.
pub(crate) struct Sts {
    services: Arc<Services>,
    access: Arc<OnceLock<Arc<Access>>>,
}

impl Sts {
    /// `access` is filled before the first request.
    pub(crate) fn new(services: Arc<Services>, access: Arc<OnceLock<Arc<Access>>>) -> Self {
        Self { services, access }
    }

    fn caller(&self, context: &RequestContext) -> Caller {
        let key = context.access_key.as_deref().unwrap_or_default();
        self.access.get().and_then(|access| access.holder(key)).map_or(Caller::Root, |(caller, _)| caller)
    }

    async fn assume_role(&self, input: &Value, context: &RequestContext) -> Result<Value, AwsError> {
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
        let caller = self.caller(context);
        let denied = || {
            AwsError::forbidden(
                "AccessDenied",
                format!("User: {} is not authorized to perform: sts:AssumeRole on resource: {role_arn}", caller.arn()),
            )
        };
        let role_name = role_arn.rsplit('/').next().unwrap_or_default();
        let role = self.services.call("iam", "us-east-1", "GetRole", json!({ "RoleName": role_name })).await;
        let role = role.map_err(|_| denied())?;
        if role["Role"]["Arn"].as_str() != Some(role_arn) {
            return Err(denied());
        }
        let (own, root) = (caller.arn(), Caller::Root.arn());
        let mut names = vec![own.as_str(), root.as_str(), ACCOUNT];
        if let Caller::Session(session) = &caller {
            names.push(&session.role_arn);
        }
        if !trusts(&role["Role"]["AssumeRolePolicyDocument"], "AWS", &names) {
            return Err(denied());
        }
        let session = self.services.sessions().start(role_arn, name, seconds);
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

#[async_trait]
impl ServiceHandler for Sts {
    fn service_name(&self) -> &str {
        "sts"
    }

    fn protocol(&self) -> Protocol {
        Protocol::AwsQuery
    }

    async fn handle(&self, operation: &str, input: Value, context: &RequestContext) -> Result<Value, AwsError> {
        match operation {
            "GetCallerIdentity" => {
                let caller = self.caller(context);
                Ok(json!({ "UserId": caller.id(), "Account": ACCOUNT, "Arn": caller.arn() }))
            }
            "AssumeRole" => self.assume_role(&input, context).await,
            other => Err(AwsError::unknown_operation(other)),
        }
    }

    /// Sessions have a file of their own.
    fn snapshot(&self) -> Option<Vec<u8>> {
        None
    }

    fn restore(&self, _: &[u8]) -> Result<(), String> {
        Ok(())
    }
}
