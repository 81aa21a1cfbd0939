//! The permissions that ECR's API and the registry protocol require.

use http::Method;
use http::header::{CONTENT_LENGTH, TRANSFER_ENCODING};
use http::request::Parts;
use serde_json::Value;

use super::repository::arn;
use crate::authz::permission::{RequiredPermission, has_tags, text};
use crate::operation::{ApiCall, IamStore};

/// On the registry as a whole.
pub(super) fn of_registry(call: &ApiCall<'_>, _: &IamStore) -> Vec<RequiredPermission> {
    vec![call.permission("*")]
}

/// On every named repository, so that an additional member grants nothing; on all if none is named.
pub(super) fn of_repositories(call: &ApiCall<'_>, _: &IamStore) -> Vec<RequiredPermission> {
    let names = call.input["repositoryNames"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let names = text(call.input, "repositoryName").into_iter().chain(names);
    let mut resources: Vec<_> = names.map(|name| repository(call, name)).collect();
    resources.extend(text(call.input, "resourceArn").map(str::to_owned));
    if resources.is_empty() {
        resources.push(repository(call, "*"));
    }
    resources.into_iter().map(|resource| call.permission(resource)).collect()
}

/// On a new repository, with its tags.
pub(super) fn of_new_repository(call: &ApiCall<'_>, iam: &IamStore) -> Vec<RequiredPermission> {
    let mut needs = of_repositories(call, iam);
    if has_tags(&call.input["tags"]) {
        let name = text(call.input, "repositoryName");
        needs.extend(name.map(|name| RequiredPermission::new("ecr:TagResource", repository(call, name))));
    }
    needs
}

fn repository(call: &ApiCall<'_>, name: &str) -> String {
    arn(&call.context.account_id, &call.context.region, name)
}

/// The kinds of registry protocol requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RegistryRequestKind {
    Uploads,
    Upload,
    Blob,
    Manifest,
    Tags,
}

/// The permissions for a request to `/v2/`. A layer in the request that completes its upload counts as a part too.
pub(crate) fn registry_permissions(
    request_kind: RegistryRequestKind,
    request: &Parts,
    region: &str,
    account: &str,
    name: &str,
) -> Vec<RequiredPermission> {
    let put = request.method == Method::PUT;
    let length = request.headers.get(CONTENT_LENGTH);
    let has_body = length.map_or_else(|| request.headers.contains_key(TRANSFER_ENCODING), |length| length != "0");
    // With a digest, the request that starts an upload also completes it.
    let at_once = request.uri.query().is_some_and(|query| query.split('&').any(|pair| pair.starts_with("digest=")));
    let actions: &[&str] = match request_kind {
        RegistryRequestKind::Uploads if at_once => {
            &["ecr:InitiateLayerUpload", "ecr:UploadLayerPart", "ecr:CompleteLayerUpload"]
        }
        RegistryRequestKind::Uploads => &["ecr:InitiateLayerUpload"],
        RegistryRequestKind::Upload if put && has_body => &["ecr:UploadLayerPart", "ecr:CompleteLayerUpload"],
        RegistryRequestKind::Upload if put => &["ecr:CompleteLayerUpload"],
        RegistryRequestKind::Upload => &["ecr:UploadLayerPart"],
        RegistryRequestKind::Blob if request.method == Method::GET => &["ecr:GetDownloadUrlForLayer"],
        RegistryRequestKind::Blob => &["ecr:BatchCheckLayerAvailability"],
        RegistryRequestKind::Manifest if put => &["ecr:PutImage"],
        RegistryRequestKind::Manifest if request.method == Method::DELETE => &["ecr:BatchDeleteImage"],
        RegistryRequestKind::Manifest => &["ecr:BatchGetImage"],
        RegistryRequestKind::Tags => &["ecr:ListImages"],
    };
    actions.iter().map(|action| RequiredPermission::new(*action, arn(account, region, name))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn monolithic_layer_upload_requires_all_upload_permissions() {
        let actions = |uri: &str| -> Vec<String> {
            let (request, ()) = http::Request::post(uri).body(()).unwrap().into_parts();
            registry_permissions(RegistryRequestKind::Uploads, &request, "eu-central-1", "000000000000", "team")
                .into_iter()
                .map(|permission| permission.action)
                .collect()
        };
        assert_eq!(actions("/v2/team/blobs/uploads/"), ["ecr:InitiateLayerUpload"]);
        assert_eq!(
            actions("/v2/team/blobs/uploads/?digest=sha256:ab"),
            ["ecr:InitiateLayerUpload", "ecr:UploadLayerPart", "ecr:CompleteLayerUpload"]
        );
    }
}
