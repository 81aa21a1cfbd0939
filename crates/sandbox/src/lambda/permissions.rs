//! The permissions that Lambda operations require.

use awsim_core::RequestContext;
use serde_json::Value;

use crate::authz::permission::{RequiredPermission, has_tags, text};
use crate::ecr::permissions as ecr;

pub(crate) fn of_call(operation: &str, input: &Value, context: &RequestContext) -> Vec<RequiredPermission> {
    let action = match operation {
        "Invoke" | "InvokeAsync" | "InvokeWithResponseStream" => "lambda:InvokeFunction".to_owned(),
        operation => format!("lambda:{operation}"),
    };
    // The tag operations name their function in `Resource`.
    let by_arn = matches!(operation, "TagResource" | "UntagResource" | "ListTags");
    let named = text(input, if by_arn { "Resource" } else { "FunctionName" });
    let function = named.map_or_else(|| "*".to_owned(), |name| arn(name, context));
    let mut needs = vec![RequiredPermission::new(&action, &function)];
    if operation == "CreateFunction" && has_tags(&input["Tags"]) {
        needs.push(RequiredPermission::new("lambda:TagResource", &function));
    }
    if matches!(operation, "CreateFunction" | "UpdateFunctionConfiguration")
        && let Some(role) = text(input, "Role")
    {
        needs.push(RequiredPermission::pass_role(role, "lambda.amazonaws.com"));
    }
    let image = match operation {
        "CreateFunction" => text(&input["Code"], "ImageUri"),
        "UpdateFunctionCode" => text(input, "ImageUri"),
        _ => None,
    };
    needs.extend(image.into_iter().flat_map(of_image));
    // A zip is fetched with the caller's permissions.
    let zip = if operation == "CreateFunction" { &input["Code"] } else { input };
    if matches!(operation, "CreateFunction" | "UpdateFunctionCode")
        && let (Some(bucket), Some(key)) = (text(zip, "S3Bucket"), text(zip, "S3Key"))
    {
        needs.push(RequiredPermission::new("s3:GetObject", format!("arn:aws:s3:::{bucket}/{key}")));
    }
    needs
}

/// The permissions for an image: Lambda reads it as the caller, and adds itself to the repository's policy.
fn of_image(uri: &str) -> Vec<RequiredPermission> {
    let Some((host, path)) = uri.split_once('/') else { return Vec::new() };
    let mut labels = host.split('.');
    let (Some(account), Some("dkr"), Some("ecr"), Some(region)) =
        (labels.next(), labels.next(), labels.next(), labels.next())
    else {
        // Not an ECR URI; Lambda refuses it later.
        return Vec::new();
    };
    let name = path.split(['@', ':']).next().unwrap_or(path);
    let repository = ecr::arn(region, account, name);
    ["BatchGetImage", "GetDownloadUrlForLayer", "GetRepositoryPolicy", "SetRepositoryPolicy"]
        .map(|action| RequiredPermission::new(format!("ecr:{action}"), &repository))
        .into()
}

/// The function's ARN without a qualifier, from any form of its name.
fn arn(name: &str, context: &RequestContext) -> String {
    let plain = match name.split(':').collect::<Vec<_>>().as_slice() {
        ["arn", _, "lambda", region, account, "function", name, ..] => {
            return format!("arn:aws:lambda:{region}:{account}:function:{name}");
        }
        [_, "function", name, ..] | [name, ..] => (*name).to_owned(),
        [] => String::new(),
    };
    format!("arn:aws:lambda:{}:{}:function:{plain}", context.region, context.account_id)
}
