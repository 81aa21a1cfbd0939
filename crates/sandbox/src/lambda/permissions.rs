//! Lambda.

use awsim_core::RequestContext;
use serde_json::Value;

use crate::authz::permission::{RequiredPermission, has_tags, text};
use crate::ecr::permissions as ecr;

pub(crate) fn of_call(operation: &str, input: &Value, context: &RequestContext) -> Vec<RequiredPermission> {
    let action = match operation {
        "Invoke" | "InvokeAsync" | "InvokeWithResponseStream" => "lambda:InvokeFunction".to_owned(),
        operation => format!("lambda:{operation}"),
    };
    // The operations on tags name their function by `Resource` alone.
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
    // A zip is fetched on behalf of who names it.
    let zip = if operation == "CreateFunction" { &input["Code"] } else { input };
    if matches!(operation, "CreateFunction" | "UpdateFunctionCode")
        && let (Some(bucket), Some(key)) = (text(zip, "S3Bucket"), text(zip, "S3Key"))
    {
        needs.push(RequiredPermission::new("s3:GetObject", format!("arn:aws:s3:::{bucket}/{key}")));
    }
    needs
}

/// Lambda reads an image as its caller, and sees to it that it may read it later: it looks at the repository's policy
/// and adds itself to it.
fn of_image(uri: &str) -> Vec<RequiredPermission> {
    let Some((host, path)) = uri.split_once('/') else { return Vec::new() };
    let mut labels = host.split('.');
    let (Some(account), Some("dkr"), Some("ecr"), Some(region)) =
        (labels.next(), labels.next(), labels.next(), labels.next())
    else {
        // Not ECR's: Lambda will say so itself.
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
