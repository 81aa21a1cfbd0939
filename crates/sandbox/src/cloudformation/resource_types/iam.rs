//! Roles and policies.

use std::collections::BTreeMap;

use async_trait::async_trait;
use awsim_iam::IAM_REGION;
use serde_json::{Value, json};

use super::call::Failure;
use super::shape::{self, created, document, text, texts};
use super::{Created, HandlerContext, HandlerError, Provider};
use crate::latency::LatencySpan;

/// `AWS::IAM::Role`.
pub(super) struct Role;

/// `AWS::IAM::ManagedPolicy`.
pub(super) struct ManagedPolicy;

/// `AWS::IAM::Policy`: an inline policy of all named principals.
pub(super) struct Policy;

/// Calls IAM and ignores the response.
async fn call_iam(context: &HandlerContext<'_>, operation: &str, input: Value) -> Result<(), Failure> {
    context.call("iam", operation, input).await.map(|_| ())
}

/// The strings of one list that are not in the other.
fn without(list: &Value, other: &Value) -> Vec<String> {
    let other = texts(other);
    texts(list).into_iter().filter(|text| !other.contains(text)).collect()
}

/// The system tags and the others.
fn split_tags(tags: BTreeMap<String, String>) -> (BTreeMap<String, String>, BTreeMap<String, String>) {
    tags.into_iter().partition(|(key, _)| key.starts_with("aws:"))
}

/// Updates a role's policies and tags: removes old ones, adds new or changed ones.
async fn update_attachments(
    context: &HandlerContext<'_>,
    name: &str,
    before: &Value,
    after: &Value,
) -> Result<(), Failure> {
    let inline = |properties: &Value| -> Vec<(String, String)> {
        let policies = properties["Policies"].as_array().into_iter().flatten();
        policies
            .map(|policy| (text(&policy["PolicyName"]).unwrap_or_default(), document(&policy["PolicyDocument"])))
            .collect()
    };
    let (old, new) = (inline(before), inline(after));
    for (policy, _) in old.iter().filter(|(policy, _)| new.iter().all(|(name, _)| name != policy)) {
        let input = json!({ "RoleName": name, "PolicyName": policy });
        shape::unless_missing(context.call("iam", "DeleteRolePolicy", input).await)?;
    }
    for (policy, document) in new.iter().filter(|policy| !old.contains(policy)) {
        let input = json!({ "RoleName": name, "PolicyName": policy, "PolicyDocument": document });
        call_iam(context, "PutRolePolicy", input).await?;
    }
    for arn in without(&before["ManagedPolicyArns"], &after["ManagedPolicyArns"]) {
        let input = json!({ "RoleName": name, "PolicyArn": arn });
        shape::unless_missing(context.call("iam", "DetachRolePolicy", input).await)?;
    }
    for arn in without(&after["ManagedPolicyArns"], &before["ManagedPolicyArns"]) {
        call_iam(context, "AttachRolePolicy", json!({ "RoleName": name, "PolicyArn": arn })).await?;
    }
    Ok(())
}

#[async_trait]
impl Provider for Role {
    fn physical_id(&self, context: &HandlerContext<'_>, properties: &Value) -> String {
        shape::name(context, &properties["RoleName"], 64)
    }

    async fn exists(&self, context: &HandlerContext<'_>, physical_id: &str, _: &Value) -> bool {
        context.has("iam", "GetRole", json!({ "RoleName": physical_id })).await
    }

    async fn create(&self, context: &HandlerContext<'_>, properties: &Value) -> Result<Created, HandlerError> {
        let name = self.physical_id(context, properties);
        let mut input = json!({
            "RoleName": name,
            "AssumeRolePolicyDocument": document(&properties["AssumeRolePolicyDocument"]),
        });
        for member in ["Path", "Description", "PermissionsBoundary"] {
            if let Some(value) = text(&properties[member]) {
                input[member] = value.into();
            }
        }
        if !properties["MaxSessionDuration"].is_null() {
            input["MaxSessionDuration"] = shape::number(&properties["MaxSessionDuration"]);
        }
        let (system, tags) = split_tags(shape::tags(context, &properties["Tags"]));
        if !tags.is_empty() {
            input["Tags"] = shape::pairs(&tags, "Key", "Value");
        }
        let answer = context.call("iam", "CreateRole", input).await?;
        let role = &answer["Role"];
        if let Some(access) = context.services.access()
            && let Some(mut role) = access.iam().get(context.services.account(), IAM_REGION).roles.get_mut(&name)
        {
            // IAM's operation rejects system tags.
            role.tags.extend(system);
        }
        let created = created(name.clone(), [("Arn", role["Arn"].clone()), ("RoleId", role["RoleId"].clone())]);
        let configured = update_attachments(context, &name, &Value::Null, properties).await;
        self.finish_creation(context, created, properties, configured).await
    }

    fn stabilisation(&self) -> LatencySpan {
        LatencySpan::StackRole
    }

    async fn update(
        &self,
        context: &HandlerContext<'_>,
        created: &Created,
        before: &Value,
        after: &Value,
    ) -> Result<Created, HandlerError> {
        let name = &created.physical_id;
        let changed = |property: &str| before[property] != after[property];
        if changed("AssumeRolePolicyDocument") {
            let policy = document(&after["AssumeRolePolicyDocument"]);
            let input = json!({ "RoleName": name, "PolicyDocument": policy });
            call_iam(context, "UpdateAssumeRolePolicy", input).await?;
        }
        if changed("Description") || changed("MaxSessionDuration") {
            let hours = match &after["MaxSessionDuration"] {
                Value::Null => 3600.into(),
                seconds => shape::number(seconds),
            };
            let description = text(&after["Description"]).unwrap_or_default();
            let input = json!({ "RoleName": name, "Description": description, "MaxSessionDuration": hours });
            call_iam(context, "UpdateRole", input).await?;
        }
        if changed("PermissionsBoundary") {
            match text(&after["PermissionsBoundary"]) {
                Some(arn) => {
                    let input = json!({ "RoleName": name, "PermissionsBoundary": arn });
                    call_iam(context, "PutRolePermissionsBoundary", input).await?;
                }
                None => {
                    call_iam(context, "DeleteRolePermissionsBoundary", json!({ "RoleName": name })).await?;
                }
            }
        }
        update_attachments(context, name, before, after).await?;
        let removed = shape::removed_tag_keys(context, &before["Tags"], &after["Tags"]);
        if !removed.is_empty() {
            call_iam(context, "UntagRole", json!({ "RoleName": name, "TagKeys": removed })).await?;
        }
        let (_, tags) = split_tags(shape::tags(context, &after["Tags"]));
        if !tags.is_empty() {
            let input = json!({ "RoleName": name, "Tags": shape::pairs(&tags, "Key", "Value") });
            call_iam(context, "TagRole", input).await?;
        }
        Ok(created.clone())
    }

    async fn delete(
        &self,
        context: &HandlerContext<'_>,
        created: &Created,
        properties: &Value,
    ) -> Result<(), HandlerError> {
        let name = &created.physical_id;
        // As on AWS, policies attached by others prevent the deletion: only the template's are detached.
        match update_attachments(context, name, properties, &json!({})).await {
            Err(failure) if !failure.is_missing() => return Err(failure.into()),
            _ => {}
        }
        Ok(shape::unless_missing(context.call("iam", "DeleteRole", json!({ "RoleName": name })).await)?)
    }
}

/// The kinds of principals of a policy: the property, the word in operations, and the parameter.
const HOLDERS: [(&str, &str, &str); 3] =
    [("Roles", "Role", "RoleName"), ("Users", "User", "UserName"), ("Groups", "Group", "GroupName")];

/// Attaches a managed policy to new principals and detaches it from removed ones.
async fn attach(context: &HandlerContext<'_>, arn: &str, before: &Value, after: &Value) -> Result<(), Failure> {
    for (property, word, parameter) in HOLDERS {
        for holder in without(&before[property], &after[property]) {
            let input = json!({ parameter: holder, "PolicyArn": arn });
            shape::unless_missing(context.call("iam", &format!("Detach{word}Policy"), input).await)?;
        }
        for holder in without(&after[property], &before[property]) {
            let input = json!({ parameter: holder, "PolicyArn": arn });
            call_iam(context, &format!("Attach{word}Policy"), input).await?;
        }
    }
    Ok(())
}

#[async_trait]
impl Provider for ManagedPolicy {
    fn physical_id(&self, context: &HandlerContext<'_>, properties: &Value) -> String {
        let path = text(&properties["Path"]).unwrap_or_else(|| "/".to_owned());
        let name = shape::name(context, &properties["ManagedPolicyName"], 128);
        format!("arn:aws:iam::{}:policy{path}{name}", context.services.account())
    }

    async fn exists(&self, context: &HandlerContext<'_>, physical_id: &str, _: &Value) -> bool {
        context.has("iam", "GetPolicy", json!({ "PolicyArn": physical_id })).await
    }

    async fn create(&self, context: &HandlerContext<'_>, properties: &Value) -> Result<Created, HandlerError> {
        let name = shape::name(context, &properties["ManagedPolicyName"], 128);
        let mut input = json!({ "PolicyName": name, "PolicyDocument": document(&properties["PolicyDocument"]) });
        for member in ["Path", "Description"] {
            if let Some(value) = text(&properties[member]) {
                input[member] = value.into();
            }
        }
        let answer = context.call("iam", "CreatePolicy", input).await?;
        let policy = &answer["Policy"];
        let arn = text(&policy["Arn"]).unwrap_or_default();
        let mut created = created(arn.clone(), [("PolicyArn", policy["Arn"].clone())]);
        for member in [
            "AttachmentCount",
            "CreateDate",
            "DefaultVersionId",
            "IsAttachable",
            "PermissionsBoundaryUsageCount",
            "PolicyId",
            "UpdateDate",
        ] {
            if !policy[member].is_null() {
                created.attributes.insert(member.to_owned(), policy[member].clone());
            }
        }
        let configured = attach(context, &arn, &json!({}), properties).await;
        self.finish_creation(context, created, properties, configured).await
    }

    fn stabilisation(&self) -> LatencySpan {
        LatencySpan::StackManagedPolicy
    }

    async fn update(
        &self,
        context: &HandlerContext<'_>,
        created: &Created,
        before: &Value,
        after: &Value,
    ) -> Result<Created, HandlerError> {
        let arn = &created.physical_id;
        if before["PolicyDocument"] != after["PolicyDocument"] {
            // IAM keeps five versions: delete those that are not the default.
            delete_versions(context, arn).await?;
            let policy = document(&after["PolicyDocument"]);
            let input = json!({ "PolicyArn": arn, "PolicyDocument": policy, "SetAsDefault": true });
            call_iam(context, "CreatePolicyVersion", input).await?;
        }
        attach(context, arn, before, after).await?;
        Ok(created.clone())
    }

    async fn delete(
        &self,
        context: &HandlerContext<'_>,
        created: &Created,
        properties: &Value,
    ) -> Result<(), HandlerError> {
        let arn = &created.physical_id;
        attach(context, arn, properties, &json!({})).await?;
        match delete_versions(context, arn).await {
            Err(failure) if failure.is_missing() => return Ok(()),
            Err(failure) => return Err(failure.into()),
            Ok(()) => {}
        }
        Ok(shape::unless_missing(context.call("iam", "DeletePolicy", json!({ "PolicyArn": arn })).await)?)
    }
}

async fn delete_versions(context: &HandlerContext<'_>, arn: &str) -> Result<(), Failure> {
    let answer = context.call("iam", "ListPolicyVersions", json!({ "PolicyArn": arn })).await?;
    let list = &answer["Versions"];
    let versions = list.as_array().or_else(|| list["member"].as_array()).cloned().unwrap_or_default();
    for version in versions {
        if shape::truth(&version["IsDefaultVersion"]) != true {
            let input = json!({ "PolicyArn": arn, "VersionId": version["VersionId"] });
            call_iam(context, "DeletePolicyVersion", input).await?;
        }
    }
    Ok(())
}

/// Puts an inline policy on all named principals and deletes it from removed ones.
async fn inline(context: &HandlerContext<'_>, before: &Value, after: &Value) -> Result<(), Failure> {
    let (old, new) = (text(&before["PolicyName"]), text(&after["PolicyName"]));
    for (property, word, parameter) in HOLDERS {
        let removed = if old == new { without(&before[property], &after[property]) } else { texts(&before[property]) };
        for holder in removed {
            let input = json!({ parameter: holder, "PolicyName": old });
            shape::unless_missing(context.call("iam", &format!("Delete{word}Policy"), input).await)?;
        }
        for holder in texts(&after[property]) {
            let input =
                json!({ parameter: holder, "PolicyName": new, "PolicyDocument": document(&after["PolicyDocument"]) });
            call_iam(context, &format!("Put{word}Policy"), input).await?;
        }
    }
    Ok(())
}

fn without_principals() -> HandlerError {
    HandlerError::Failed("At least one of [Groups,Roles,Users] must be non-empty.".to_owned())
}

#[async_trait]
impl Provider for Policy {
    fn physical_id(&self, context: &HandlerContext<'_>, _: &Value) -> String {
        // As on AWS, the id consists of the stack's and the resource's names.
        let start = |text: &str| text.chars().take(4).collect::<String>();
        format!("{}-{}-{}", start(context.stack_name), start(context.logical_id), context.chance)
    }

    async fn exists(&self, context: &HandlerContext<'_>, _: &str, properties: &Value) -> bool {
        for (property, word, parameter) in HOLDERS {
            for holder in texts(&properties[property]) {
                let input = json!({ parameter: holder, "PolicyName": properties["PolicyName"] });
                if context.has("iam", &format!("Get{word}Policy"), input).await {
                    return true;
                }
            }
        }
        false
    }

    async fn create(&self, context: &HandlerContext<'_>, properties: &Value) -> Result<Created, HandlerError> {
        if HOLDERS.iter().all(|(property, ..)| texts(&properties[*property]).is_empty()) {
            return Err(without_principals());
        }
        if let Err(failure) = inline(context, &json!({}), properties).await {
            // A failure here is repaired by the stack's rollback.
            let _ = inline(context, properties, &json!({})).await;
            return Err(failure.into());
        }
        let id = self.physical_id(context, properties);
        Ok(created(id.clone(), [("Id", id.into())]))
    }

    fn stabilisation(&self) -> LatencySpan {
        LatencySpan::StackManagedPolicy
    }

    async fn update(
        &self,
        context: &HandlerContext<'_>,
        created: &Created,
        before: &Value,
        after: &Value,
    ) -> Result<Created, HandlerError> {
        if HOLDERS.iter().all(|(property, ..)| texts(&after[*property]).is_empty()) {
            return Err(without_principals());
        }
        inline(context, before, after).await?;
        Ok(created.clone())
    }

    async fn delete(&self, context: &HandlerContext<'_>, _: &Created, properties: &Value) -> Result<(), HandlerError> {
        Ok(inline(context, properties, &json!({})).await?)
    }
}
