//! ECR: its own API, and docker's.

use awsim_core::RequestContext;
use http::Method;
use serde_json::Value;

use super::{Need, has_tags, text};

pub(super) fn needs(operation: &str, input: &Value, context: &RequestContext) -> Vec<Need> {
    let action = format!("ecr:{operation}");
    if operation == "GetAuthorizationToken" {
        return vec![Need::new(action, "*")];
    }
    if let Some(arn) = text(input, "resourceArn") {
        return vec![Need::new(action, arn)];
    }
    let on = |name: &str| arn(&context.region, &context.account_id, name);
    let names = input["repositoryNames"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let mut needs: Vec<Need> =
        text(input, "repositoryName").into_iter().chain(names).map(|name| Need::new(&action, on(name))).collect();
    if needs.is_empty() {
        // A listing of all repositories is about all of them.
        needs.push(Need::new(&action, on("*")));
    }
    if operation == "CreateRepository" && has_tags(&input["tags"]) {
        needs.extend(text(input, "repositoryName").map(|name| Need::new("ecr:TagResource", on(name))));
    }
    needs
}

/// What a kind of request to docker's front door comes to in ECR's own terms.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Door {
    Uploads,
    Upload,
    Blob,
    Manifest,
    Tags,
}

/// What whoever got a password needs for a request to `/v2/`.
pub(crate) fn of_registry(door: Door, method: &Method, region: &str, account: &str, name: &str) -> Need {
    let reads = *method == Method::GET;
    let action = match door {
        Door::Uploads => "ecr:InitiateLayerUpload",
        Door::Upload if *method == Method::PUT => "ecr:CompleteLayerUpload",
        Door::Upload => "ecr:UploadLayerPart",
        Door::Blob if reads => "ecr:GetDownloadUrlForLayer",
        Door::Blob => "ecr:BatchCheckLayerAvailability",
        Door::Manifest if *method == Method::PUT => "ecr:PutImage",
        Door::Manifest if *method == Method::DELETE => "ecr:BatchDeleteImage",
        Door::Manifest => "ecr:BatchGetImage",
        Door::Tags => "ecr:ListImages",
    };
    Need::new(action, arn(region, account, name))
}

/// A repository's ARN.
pub(super) fn arn(region: &str, account: &str, name: &str) -> String {
    format!("arn:aws:ecr:{region}:{account}:repository/{name}")
}
