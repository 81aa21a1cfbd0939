//! The permissions that ECR's API and the registry protocol require.

use awsim_core::RequestContext;
use http::Method;
use http::header::{CONTENT_LENGTH, TRANSFER_ENCODING};
use http::request::Parts;
use serde_json::Value;

use crate::authz::permission::{RequiredPermission, has_tags, text};

pub(crate) fn of_call(operation: &str, input: &Value, context: &RequestContext) -> Vec<RequiredPermission> {
    let action = format!("ecr:{operation}");
    if operation == "GetAuthorizationToken" {
        return vec![RequiredPermission::new(action, "*")];
    }
    // Every named resource is required, so an additional member grants nothing.
    let tagged = text(input, "resourceArn").map(|arn| RequiredPermission::new(&action, arn));
    let on = |name: &str| arn(&context.region, &context.account_id, name);
    let names = input["repositoryNames"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let mut needs: Vec<RequiredPermission> = text(input, "repositoryName")
        .into_iter()
        .chain(names)
        .map(|name| RequiredPermission::new(&action, on(name)))
        .collect();
    needs.extend(tagged);
    if needs.is_empty() {
        // A listing of all repositories requires the permission on all.
        needs.push(RequiredPermission::new(&action, on("*")));
    }
    if operation == "CreateRepository" && has_tags(&input["tags"]) {
        needs.extend(text(input, "repositoryName").map(|name| RequiredPermission::new("ecr:TagResource", on(name))));
    }
    needs
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
    actions.iter().map(|action| RequiredPermission::new(*action, arn(region, account, name))).collect()
}

/// A repository's ARN.
pub(crate) fn arn(region: &str, account: &str, name: &str) -> String {
    format!("arn:aws:ecr:{region}:{account}:repository/{name}")
}
