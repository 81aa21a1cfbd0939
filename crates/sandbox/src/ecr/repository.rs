//! Repositories: their record and the operations that create, update, describe and delete them.

use std::collections::BTreeMap;

use awsim_core::{AwsError, RequestContext, cap_max_results, paginate};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::image::Image;
use super::{Ecr, RepositoryRef, invalid, now, text};
use crate::operation::{ApiCall, ApiResult};

/// One repository and its content.
#[derive(Serialize, Deserialize)]
pub(super) struct Repository {
    pub(super) created_at: f64,
    pub(super) mutability: String,
    scan_on_push: bool,
    encryption: Value,
    labels: BTreeMap<String, String>,
    policy: Option<String>,
    lifecycle: Option<String>,
    /// Images by digest.
    pub(super) images: BTreeMap<String, Image>,
    /// Digests by tag.
    pub(super) tags: BTreeMap<String, String>,
    /// Sizes of the uploaded layers and image configurations by digest.
    pub(super) layers: BTreeMap<String, u64>,
}

/// The ARN of a repository.
pub(crate) fn arn(account: &str, region: &str, name: &str) -> String {
    format!("arn:aws:ecr:{region}:{account}:repository/{name}")
}

/// The registry host of a region.
pub(super) fn host(account: &str, region: &str) -> String {
    format!("{account}.dkr.ecr.{region}.amazonaws.com")
}

impl Repository {
    fn describe(&self, at: &RepositoryRef<'_>) -> Value {
        json!({
            "repositoryName": at.name,
            "repositoryArn": arn(at.account, at.region, at.name),
            "registryId": at.account,
            "repositoryUri": format!("{}/{}", host(at.account, at.region), at.name),
            "createdAt": self.created_at,
            "imageTagMutability": self.mutability,
            "imageScanningConfiguration": { "scanOnPush": self.scan_on_push },
            "encryptionConfiguration": self.encryption,
        })
    }
}

impl Ecr {
    pub(super) fn put_tag_mutability(&self, &ApiCall { input, context: ctx, .. }: &ApiCall<'_>) -> ApiResult {
        let at = RepositoryRef::of(input, ctx)?;
        let mutability = mutability(&input["imageTagMutability"])?;
        self.lock().repository_mut(&at)?.mutability.clone_from(&mutability);
        Ok(json!({
            "registryId": at.account,
            "repositoryName": at.name,
            "imageTagMutability": mutability,
        }))
    }

    pub(super) fn put_scanning(&self, &ApiCall { input, context: ctx, .. }: &ApiCall<'_>) -> ApiResult {
        let at = RepositoryRef::of(input, ctx)?;
        let on_push = input["imageScanningConfiguration"]["scanOnPush"] == true;
        self.lock().repository_mut(&at)?.scan_on_push = on_push;
        Ok(json!({
            "registryId": at.account,
            "repositoryName": at.name,
            "imageScanningConfiguration": { "scanOnPush": on_push },
        }))
    }

    pub(super) fn create_repository(&self, &ApiCall { input, context: ctx, .. }: &ApiCall<'_>) -> ApiResult {
        let at = RepositoryRef::of(input, ctx)?;
        if !valid_name(at.name) {
            return Err(invalid(format!(
                "Invalid parameter at 'repositoryName' failed to satisfy constraint: 'must satisfy regular expression \
                 '(?:[a-z0-9]+(?:[._-][a-z0-9]+)*/)*[a-z0-9]+(?:[._-][a-z0-9]+)*'', got '{}'",
                at.name
            )));
        }
        let encryption = match &input["encryptionConfiguration"] {
            Value::Null => json!({ "encryptionType": "AES256" }),
            given => given.clone(),
        };
        let mut state = self.lock();
        let names = state.regions.entry(at.region.to_owned()).or_default();
        if names.contains_key(at.name) {
            return Err(AwsError::bad_request(
                "RepositoryAlreadyExistsException",
                format!(
                    "The repository with name '{}' already exists in the registry with id '{}'",
                    at.name, at.account
                ),
            ));
        }
        let repository = Repository {
            created_at: now(),
            mutability: mutability(&input["imageTagMutability"])?,
            scan_on_push: input["imageScanningConfiguration"]["scanOnPush"] == true,
            encryption,
            labels: labels(input, ctx)?,
            policy: None,
            lifecycle: None,
            images: BTreeMap::new(),
            tags: BTreeMap::new(),
            layers: BTreeMap::new(),
        };
        let description = repository.describe(&at);
        names.insert(at.name.to_owned(), repository);
        Ok(json!({ "repository": description }))
    }

    pub(super) fn describe_repositories(&self, &ApiCall { input, context: ctx, .. }: &ApiCall<'_>) -> ApiResult {
        let at = |name| RepositoryRef { account: &ctx.account_id, region: &ctx.region, name };
        let state = self.lock();
        if let Some(names) = input["repositoryNames"].as_array() {
            let found = names
                .iter()
                .filter_map(Value::as_str)
                .map(|name| Ok(state.repository(&at(name))?.describe(&at(name))))
                .collect::<Result<Vec<_>, AwsError>>()?;
            return Ok(json!({ "repositories": found }));
        }
        let all = state
            .regions
            .get(&ctx.region)
            .into_iter()
            .flatten()
            .map(|(name, repository)| (name.clone(), repository.describe(&at(name))))
            .collect();
        page(all, "repositories", 100, input)
    }

    pub(super) fn delete_repository(&self, &ApiCall { input, context: ctx, .. }: &ApiCall<'_>) -> ApiResult {
        let at = RepositoryRef::of(input, ctx)?;
        let mut state = self.lock();
        let repository = state.repository(&at)?;
        if !repository.images.is_empty() && input["force"] != true {
            return Err(AwsError::bad_request(
                "RepositoryNotEmptyException",
                format!(
                    "The repository with name '{}' in registry with id '{}' cannot be deleted because it still contains \
                     images",
                    at.name, at.account
                ),
            ));
        }
        let description = repository.describe(&at);
        if let Some(names) = state.regions.get_mut(at.region) {
            names.remove(at.name);
        }
        Ok(json!({ "repository": description }))
    }

    pub(super) fn repository_tags(&self, &ApiCall { operation, input, context: ctx }: &ApiCall<'_>) -> ApiResult {
        let resource = text(input, "resourceArn")?;
        let prefix = arn(&ctx.account_id, &ctx.region, "");
        let name = resource.strip_prefix(&prefix).ok_or_else(|| {
            invalid(format!("Invalid parameter at 'resourceArn': '{resource}' is not a repository of this registry"))
        })?;
        let at = RepositoryRef { account: &ctx.account_id, region: &ctx.region, name };
        let mut state = self.lock();
        let labels_now = &mut state.repository_mut(&at)?.labels;
        match operation {
            "TagResource" => labels_now.extend(labels(input, ctx)?),
            "UntagResource" => {
                for key in input["tagKeys"].as_array().into_iter().flatten().filter_map(Value::as_str) {
                    refuse_system_tag(key, ctx)?;
                    labels_now.remove(key);
                }
            }
            _ => {
                let tags: Vec<_> =
                    labels_now.iter().map(|(key, value)| json!({ "Key": key, "Value": value })).collect();
                return Ok(json!({ "tags": tags }));
            }
        }
        Ok(json!({}))
    }

    /// The repository's policy, if it can be parsed.
    pub(super) fn policy(&self, at: &RepositoryRef<'_>) -> Option<awsim_iam_policy::PolicyDocument> {
        let state = self.lock();
        awsim_iam_policy::parse(state.repository(at).ok()?.policy.as_ref()?).ok()
    }

    pub(super) fn repository_policy(&self, &ApiCall { operation, input, context: ctx }: &ApiCall<'_>) -> ApiResult {
        let at = RepositoryRef::of(input, ctx)?;
        // A policy that cannot be parsed cannot be enforced.
        if operation == "SetRepositoryPolicy" && awsim_iam_policy::parse(&document(input, "policyText")?).is_err() {
            return Err(AwsError::bad_request(
                "InvalidParameterException",
                "Invalid parameter at 'PolicyText' failed to satisfy constraint: 'Invalid repository policy provided'",
            ));
        }
        let mut state = self.lock();
        let policy = &mut state.repository_mut(&at)?.policy;
        let answer = match operation {
            "SetRepositoryPolicy" => Some(policy.insert(document(input, "policyText")?).clone()),
            "DeleteRepositoryPolicy" => policy.take(),
            _ => policy.clone(),
        };
        let answer = answer.ok_or_else(|| {
            AwsError::bad_request(
                "RepositoryPolicyNotFoundException",
                format!(
                    "Repository policy does not exist for the repository with name '{}' in the registry with id '{}'",
                    at.name, at.account
                ),
            )
        })?;
        Ok(json!({
            "registryId": at.account,
            "repositoryName": at.name,
            "policyText": answer,
        }))
    }

    pub(super) fn lifecycle_policy(&self, &ApiCall { operation, input, context: ctx }: &ApiCall<'_>) -> ApiResult {
        let at = RepositoryRef::of(input, ctx)?;
        let mut state = self.lock();
        let lifecycle = &mut state.repository_mut(&at)?.lifecycle;
        let answer = match operation {
            "PutLifecyclePolicy" => Some(lifecycle.insert(document(input, "lifecyclePolicyText")?).clone()),
            "DeleteLifecyclePolicy" => lifecycle.take(),
            _ => lifecycle.clone(),
        };
        let answer = answer.ok_or_else(|| {
            AwsError::bad_request(
                "LifecyclePolicyNotFoundException",
                format!(
                    "Lifecycle policy does not exist for the repository with name '{}' in the registry with id '{}'",
                    at.name, at.account
                ),
            )
        })?;
        Ok(json!({
            "registryId": at.account,
            "repositoryName": at.name,
            "lifecyclePolicyText": answer,
        }))
    }
}

/// One page of a listing, each item under its unique key.
pub(super) fn page(
    items: Vec<(String, Value)>,
    member: &str,
    default: usize,
    input: &Value,
) -> Result<Value, AwsError> {
    let size = cap_max_results(input["maxResults"].as_i64(), default, 1000);
    let page = paginate(items, size, input["nextToken"].as_str(), |(key, _)| key.clone())?;
    let values = page.items.into_iter().map(|(_, value)| value).collect();
    let mut answer = Map::from_iter([(member.to_owned(), Value::Array(values))]);
    if let Some(token) = page.next_token {
        answer.insert("nextToken".to_owned(), json!(token));
    }
    Ok(Value::Object(answer))
}

fn mutability(given: &Value) -> Result<String, AwsError> {
    match given.as_str() {
        None => Ok("MUTABLE".to_owned()),
        Some(known @ ("MUTABLE" | "IMMUTABLE")) => Ok(known.to_owned()),
        Some(other) => Err(invalid(format!("imageTagMutability '{other}' must be MUTABLE or IMMUTABLE"))),
    }
}

/// Refuses `aws:` tags, which only CloudFormation sets and removes.
fn refuse_system_tag(key: &str, ctx: &RequestContext) -> Result<(), AwsError> {
    if key.starts_with("aws:") && !ctx.internal_bypass {
        let message = format!("The tag key '{key}' is reserved: keys must not begin with aws:");
        return Err(AwsError::bad_request("InvalidTagParameterException", message));
    }
    Ok(())
}

fn labels(input: &Value, ctx: &RequestContext) -> Result<BTreeMap<String, String>, AwsError> {
    input["tags"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|tag| match (tag["Key"].as_str(), tag["Value"].as_str()) {
            (Some(key), Some(value)) if !key.is_empty() => {
                refuse_system_tag(key, ctx)?;
                Ok((key.to_owned(), value.to_owned()))
            }
            _ => Err(AwsError::bad_request("InvalidTagParameterException", "A tag needs a key and a value")),
        })
        .collect()
}

fn document(input: &Value, member: &str) -> Result<String, AwsError> {
    let document = text(input, member)?;
    match serde_json::from_str::<Value>(document) {
        Ok(Value::Object(_)) => Ok(document.to_owned()),
        _ => Err(invalid(format!(
            "Invalid parameter at '{member}' failed to satisfy constraint: 'must be a JSON document'"
        ))),
    }
}

/// ECR's rule: segments separated by `/`, of lower case letters and digits, joined by single `.`, `_` or `-`.
fn valid_name(name: &str) -> bool {
    let alnum = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    (2..=256).contains(&name.len())
        && name.split(['/', '.', '_', '-']).all(|part| {
            let bytes = part.as_bytes();
            !bytes.is_empty() && bytes.iter().all(alnum)
        })
}

#[cfg(test)]
mod tests {
    use super::valid_name;

    #[test]
    fn repository_names_are_validated() {
        for good in ["ab", "my-repo", "team/service", "a.b_c-d/e9"] {
            assert!(valid_name(good), "{good}");
        }
        for bad in ["a", "MyRepo", "-repo", "repo-", "a__b", "a//b", "/foo", "foo/"] {
            assert!(!valid_name(bad), "{bad}");
        }
    }
}
