//! IAM: roles and customer-managed policies, and the steps before their deletion.

use aws_sdk_iam::Client;
use aws_sdk_iam::types::{PolicyScopeType, Tag};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

use super::error::{self, AwsError, Deleted, ErrorKind};
use super::pages::Pages;
use super::tags::{self, Tagged, Tags};
use crate::aws::operation::IamOperation;

const SERVICE: &str = "IAM";

fn failed<E>(operation: IamOperation) -> impl FnOnce(SdkError<E, HttpResponse>) -> AwsError
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
{
    AwsError::from_sdk(operation)
}

fn sdk_tags(operation: &'static str, tags: &Tags) -> Result<Vec<Tag>, AwsError> {
    tags.iter()
        .map(|(key, value)| {
            Tag::builder()
                .key(key)
                .value(value)
                .build()
                .map_err(|error| AwsError::new(SERVICE, operation, ErrorKind::Invalid, error.to_string()))
        })
        .collect()
}

fn from_sdk_tags(tags: impl IntoIterator<Item = Tag>) -> Tags {
    tags::from_pairs(tags.into_iter().map(|tag| (tag.key, tag.value)))
}

/// Creates a customer-managed policy and returns its ARN.
///
/// # Errors
/// [`ErrorKind::AlreadyExists`] for a name in use; also when the response lacks the ARN.
pub async fn create_policy(
    client: &Client,
    name: &str,
    document: &serde_json::Value,
    description: &str,
    tags: &Tags,
) -> Result<String, AwsError> {
    const OPERATION: IamOperation = IamOperation::CreatePolicy;
    client
        .create_policy()
        .policy_name(name)
        .policy_document(document.to_string())
        .description(description)
        .set_tags(Some(sdk_tags(OPERATION.name(), tags)?))
        .send()
        .await
        .map_err(failed(OPERATION))?
        .policy
        .and_then(|policy| policy.arn)
        .ok_or_else(|| AwsError::missing_field(SERVICE, OPERATION.name(), "the policy's ARN"))
}

/// Creates a role with a trust policy, and returns its ARN.
///
/// It can be assumed after some seconds: see [`super::wait::ROLE_PROPAGATION`].
///
/// # Errors
/// [`ErrorKind::AlreadyExists`] for a name in use; also when the response lacks the role.
pub async fn create_role(
    client: &Client,
    name: &str,
    trust: &serde_json::Value,
    description: &str,
    tags: &Tags,
) -> Result<String, AwsError> {
    const OPERATION: IamOperation = IamOperation::CreateRole;
    client
        .create_role()
        .role_name(name)
        .assume_role_policy_document(trust.to_string())
        .description(description)
        .set_tags(Some(sdk_tags(OPERATION.name(), tags)?))
        .send()
        .await
        .map_err(failed(OPERATION))?
        .role
        .map(|role| role.arn)
        .ok_or_else(|| AwsError::missing_field(SERVICE, OPERATION.name(), "the role's ARN"))
}

/// Adds tags to a policy.
///
/// # Errors
/// [`ErrorKind::NotFound`] without the policy.
pub async fn tag_policy(client: &Client, arn: &str, tags: &Tags) -> Result<(), AwsError> {
    const OPERATION: IamOperation = IamOperation::TagPolicy;
    let tags = Some(sdk_tags(OPERATION.name(), tags)?);
    client.tag_policy().policy_arn(arn).set_tags(tags).send().await.map_err(failed(OPERATION))?;
    Ok(())
}

/// Attaches a policy to a role. Idempotent.
///
/// # Errors
/// [`ErrorKind::NotFound`] without the role or the policy; either may be too new to be visible.
pub async fn attach_role_policy(client: &Client, role: &str, policy_arn: &str) -> Result<(), AwsError> {
    client
        .attach_role_policy()
        .role_name(role)
        .policy_arn(policy_arn)
        .send()
        .await
        .map_err(failed(IamOperation::AttachRolePolicy))?;
    Ok(())
}

/// A role.
#[derive(Debug, Clone, PartialEq)]
pub struct Role {
    /// Its ARN.
    pub arn: String,
    /// Its description.
    pub description: Option<String>,
    /// Its trust policy; `None` if it cannot be read.
    pub trust: Option<serde_json::Value>,
    /// The maximum duration of its sessions.
    pub max_session_seconds: Option<u32>,
    /// When it was created, in milliseconds since 1970.
    pub created_ms: Option<i64>,
    /// Its tags.
    pub tags: Tags,
}

/// Returns a role by its name; `None` if it does not exist.
///
/// # Errors
/// When the call is denied; a missing role is no error, and neither is an unreadable trust policy.
pub async fn role(client: &Client, name: &str) -> Result<Option<Role>, AwsError> {
    let answer = client.get_role().role_name(name).send().await.map_err(failed(IamOperation::GetRole));
    Ok(error::optional(answer)?.and_then(|found| found.role).map(|role| Role {
        arn: role.arn,
        description: role.description,
        trust: role.assume_role_policy_document.as_deref().and_then(|text| read_document(text).ok()),
        max_session_seconds: role.max_session_duration.and_then(|seconds| u32::try_from(seconds).ok()),
        created_ms: role.create_date.to_millis().ok(),
        tags: from_sdk_tags(role.tags.unwrap_or_default()),
    }))
}

/// A customer-managed policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// Its ARN.
    pub arn: String,
    /// Its description.
    pub description: Option<String>,
    /// The number of roles, users and groups with the policy.
    pub attachment_count: Option<u32>,
    /// The default version; see [`policy_document`].
    pub default_version: Option<String>,
    /// When it was created, in milliseconds since 1970.
    pub created_ms: Option<i64>,
    /// When its document was last changed, in milliseconds since 1970.
    pub updated_ms: Option<i64>,
    /// Its tags.
    pub tags: Tags,
}

/// Returns a policy by its ARN; `None` if it does not exist.
///
/// # Errors
/// When the call is denied; a missing policy is no error.
pub async fn policy(client: &Client, arn: &str) -> Result<Option<Policy>, AwsError> {
    let answer = client.get_policy().policy_arn(arn).send().await.map_err(failed(IamOperation::GetPolicy));
    Ok(error::optional(answer)?.and_then(|found| found.policy).map(|policy| Policy {
        arn: policy.arn.unwrap_or_else(|| arn.to_owned()),
        description: policy.description,
        attachment_count: policy.attachment_count.and_then(|count| u32::try_from(count).ok()),
        default_version: policy.default_version_id,
        created_ms: policy.create_date.and_then(|at| at.to_millis().ok()),
        updated_ms: policy.update_date.and_then(|at| at.to_millis().ok()),
        tags: from_sdk_tags(policy.tags.unwrap_or_default()),
    }))
}

/// Returns the document of a policy's version.
///
/// # Errors
/// [`ErrorKind::NotFound`] without the policy or its version; also when the document is missing or not JSON.
pub async fn policy_document(client: &Client, arn: &str, version: &str) -> Result<serde_json::Value, AwsError> {
    const OPERATION: IamOperation = IamOperation::GetPolicyVersion;
    let answer =
        client.get_policy_version().policy_arn(arn).version_id(version).send().await.map_err(failed(OPERATION))?;
    let text = answer.policy_version.and_then(|version| version.document);
    let text = text.ok_or_else(|| AwsError::missing_field(SERVICE, OPERATION.name(), "the policy's document"))?;
    read_document(&text).map_err(|error| AwsError {
        source: Some(Box::new(error)),
        ..AwsError::missing_field(SERVICE, OPERATION.name(), "a readable document")
    })
}

// Rule: IAM returns documents percent-encoded. Not every endpoint does; JSON begins with a brace, which it encodes.
// https://docs.aws.amazon.com/IAM/latest/APIReference/API_GetPolicyVersion.html
fn read_document(text: &str) -> Result<serde_json::Value, serde_json::Error> {
    if text.trim_start().starts_with('{') {
        return serde_json::from_str(text);
    }
    serde_json::from_str(&percent_encoding::percent_decode_str(text).decode_utf8_lossy())
}

/// Returns the ARNs of a role's attached policies; `None` if the role does not exist.
///
/// # Errors
/// When a page is denied, or the listing has no end ([`ErrorKind::Oversized`]); a missing role is no error.
pub async fn attached_policies(client: &Client, role: &str) -> Result<Option<Vec<String>>, AwsError> {
    let mut attached = Vec::new();
    let mut pages = Pages::new(SERVICE, "ListAttachedRolePolicies");
    loop {
        let answer = client
            .list_attached_role_policies()
            .role_name(role)
            .set_marker(pages.token())
            .send()
            .await
            .map_err(failed(IamOperation::ListAttachedRolePolicies));
        let Some(page) = error::optional(answer)? else {
            return Ok(None);
        };
        attached.extend(page.attached_policies.unwrap_or_default().into_iter().filter_map(|policy| policy.policy_arn));
        if !pages.continue_with(page.marker.filter(|_| page.is_truncated))? {
            return Ok(Some(attached));
        }
    }
}

/// Deletes a role with its policies.
///
/// # Errors
/// [`ErrorKind::Conflict`] if the role gets a policy meanwhile; a missing role is no error.
// Rule: a role with policies cannot be deleted (DeleteConflict): managed ones are detached, inline ones deleted first.
// https://docs.aws.amazon.com/IAM/latest/APIReference/API_DeleteRole.html
pub async fn delete_role(client: &Client, name: &str) -> Result<Deleted, AwsError> {
    let Some(attached) = attached_policies(client, name).await? else {
        return Ok(Deleted::AlreadyGone);
    };
    for arn in attached {
        detach(client, name, &arn).await?;
    }
    for inline in inline_policies(client, name).await? {
        let answer = client
            .delete_role_policy()
            .role_name(name)
            .policy_name(inline)
            .send()
            .await
            .map_err(failed(IamOperation::DeleteRolePolicy));
        error::deleted(answer)?;
    }
    error::deleted(client.delete_role().role_name(name).send().await.map_err(failed(IamOperation::DeleteRole)))
}

async fn detach(client: &Client, role: &str, policy_arn: &str) -> Result<Deleted, AwsError> {
    error::deleted(
        client
            .detach_role_policy()
            .role_name(role)
            .policy_arn(policy_arn)
            .send()
            .await
            .map_err(failed(IamOperation::DetachRolePolicy)),
    )
}

async fn inline_policies(client: &Client, role: &str) -> Result<Vec<String>, AwsError> {
    let mut names = Vec::new();
    let mut pages = Pages::new(SERVICE, "ListRolePolicies");
    loop {
        let answer = client
            .list_role_policies()
            .role_name(role)
            .set_marker(pages.token())
            .send()
            .await
            .map_err(failed(IamOperation::ListRolePolicies));
        let Some(page) = error::optional(answer)? else {
            return Ok(names);
        };
        names.extend(page.policy_names);
        if !pages.continue_with(page.marker.filter(|_| page.is_truncated))? {
            return Ok(names);
        }
    }
}

/// Deletes a customer-managed policy, after detaching it from all roles and deleting its older versions.
///
/// # Errors
/// [`ErrorKind::Conflict`] if the policy is attached meanwhile, or to a user or group; a missing policy is no error.
// Rule: an attached policy, or one with versions besides the default, cannot be deleted (DeleteConflict).
// https://docs.aws.amazon.com/IAM/latest/APIReference/API_DeletePolicy.html
pub async fn delete_policy(client: &Client, arn: &str) -> Result<Deleted, AwsError> {
    let Some(roles) = roles_with_policy(client, arn).await? else {
        return Ok(Deleted::AlreadyGone);
    };
    for role in roles {
        detach(client, &role, arn).await?;
    }
    for version in older_versions(client, arn).await? {
        let answer = client
            .delete_policy_version()
            .policy_arn(arn)
            .version_id(version)
            .send()
            .await
            .map_err(failed(IamOperation::DeletePolicyVersion));
        error::deleted(answer)?;
    }
    error::deleted(client.delete_policy().policy_arn(arn).send().await.map_err(failed(IamOperation::DeletePolicy)))
}

// Users and groups are left alone: for a policy attached to one of them, AWS returns an error.
async fn roles_with_policy(client: &Client, arn: &str) -> Result<Option<Vec<String>>, AwsError> {
    let mut roles = Vec::new();
    let mut pages = Pages::new(SERVICE, "ListEntitiesForPolicy");
    loop {
        let answer = client
            .list_entities_for_policy()
            .policy_arn(arn)
            .set_marker(pages.token())
            .send()
            .await
            .map_err(failed(IamOperation::ListEntitiesForPolicy));
        let Some(page) = error::optional(answer)? else {
            return Ok(None);
        };
        roles.extend(page.policy_roles.unwrap_or_default().into_iter().filter_map(|role| role.role_name));
        if !pages.continue_with(page.marker.filter(|_| page.is_truncated))? {
            return Ok(Some(roles));
        }
    }
}

async fn older_versions(client: &Client, arn: &str) -> Result<Vec<String>, AwsError> {
    let mut versions = Vec::new();
    let mut pages = Pages::new(SERVICE, "ListPolicyVersions");
    loop {
        let answer = client
            .list_policy_versions()
            .policy_arn(arn)
            .set_marker(pages.token())
            .send()
            .await
            .map_err(failed(IamOperation::ListPolicyVersions));
        let Some(page) = error::optional(answer)? else {
            return Ok(versions);
        };
        versions.extend(
            page.versions
                .unwrap_or_default()
                .into_iter()
                .filter(|version| !version.is_default_version)
                .filter_map(|version| version.version_id),
        );
        if !pages.continue_with(page.marker.filter(|_| page.is_truncated))? {
            return Ok(versions);
        }
    }
}

/// Returns the roles with a name prefix, with their tags.
///
/// # Errors
/// When a page or a role's tags are denied, or the listing has no end ([`ErrorKind::Oversized`]).
pub async fn list_roles(client: &Client, prefix: &str) -> Result<Vec<Tagged>, AwsError> {
    let mut roles = Vec::new();
    let mut pages = Pages::new(SERVICE, "ListRoles");
    loop {
        // Rule: IAM's prefixes are paths; names have to be filtered here.
        // https://docs.aws.amazon.com/IAM/latest/APIReference/API_ListRoles.html
        let page =
            client.list_roles().set_marker(pages.token()).send().await.map_err(failed(IamOperation::ListRoles))?;
        roles.extend(page.roles.into_iter().filter(|role| role.role_name.starts_with(prefix)));
        if !pages.continue_with(page.marker.filter(|_| page.is_truncated))? {
            break;
        }
    }
    let mut found = Vec::with_capacity(roles.len());
    for role in roles {
        // Rule: IAM's listings omit tags. A role has at most 50: one page.
        // https://docs.aws.amazon.com/IAM/latest/APIReference/API_ListRoles.html,
        // https://docs.aws.amazon.com/IAM/latest/UserGuide/id_tags.html
        let answer = client
            .list_role_tags()
            .role_name(&role.role_name)
            .max_items(100)
            .send()
            .await
            .map_err(failed(IamOperation::ListRoleTags));
        if let Some(tags) = error::optional(answer)? {
            found.push(Tagged { name: role.role_name, arn: role.arn, tags: from_sdk_tags(tags.tags) });
        }
    }
    Ok(found)
}

/// Returns the customer-managed policies with a name prefix, with their tags.
///
/// # Errors
/// When a page or a policy's tags are denied, or the listing has no end ([`ErrorKind::Oversized`]).
pub async fn list_policies(client: &Client, prefix: &str) -> Result<Vec<Tagged>, AwsError> {
    let mut named = Vec::new();
    let mut pages = Pages::new(SERVICE, "ListPolicies");
    loop {
        let page = client
            .list_policies()
            .scope(PolicyScopeType::Local)
            .set_marker(pages.token())
            .send()
            .await
            .map_err(failed(IamOperation::ListPolicies))?;
        named.extend(
            page.policies
                .unwrap_or_default()
                .into_iter()
                .filter_map(|policy| Some((policy.policy_name?, policy.arn?)))
                .filter(|(name, _)| name.starts_with(prefix)),
        );
        if !pages.continue_with(page.marker.filter(|_| page.is_truncated))? {
            break;
        }
    }
    let mut found = Vec::with_capacity(named.len());
    for (name, arn) in named {
        let answer = client
            .list_policy_tags()
            .policy_arn(&arn)
            .max_items(100)
            .send()
            .await
            .map_err(failed(IamOperation::ListPolicyTags));
        if let Some(tags) = error::optional(answer)? {
            found.push(Tagged { name, arn, tags: from_sdk_tags(tags.tags) });
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_are_read_encoded_or_plain() {
        let document = serde_json::json!({"Resource": "arn:aws:s3:::a%20b/*", "Sid": "ä"});
        let plain = document.to_string();
        let encoded = percent_encoding::utf8_percent_encode(&plain, percent_encoding::NON_ALPHANUMERIC).to_string();
        assert_eq!(read_document(&encoded).unwrap(), document);
        assert_eq!(read_document(&plain).unwrap(), document);
        assert!(read_document("no document").is_err());
    }
}
