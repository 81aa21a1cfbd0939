//! The permissions that Lambda operations require.

use serde_json::Value;

use crate::authz::permission::{RequiredPermission, has_tags, text};
use crate::ecr;
use crate::operation::{ApiCall, IamStore};

/// On the function; on all if none is named.
pub(super) fn of_function(call: &ApiCall<'_>, _: &IamStore) -> Vec<RequiredPermission> {
    vec![call.permission(arn(call, "FunctionName"))]
}

/// On the function, by an action of another name than the operation's.
pub(super) fn of_invocation(call: &ApiCall<'_>, _: &IamStore) -> Vec<RequiredPermission> {
    vec![RequiredPermission::new("lambda:InvokeFunction", arn(call, "FunctionName"))]
}

/// On the function that a tag operation names by its ARN.
pub(super) fn of_resource(call: &ApiCall<'_>, _: &IamStore) -> Vec<RequiredPermission> {
    vec![call.permission(arn(call, "Resource"))]
}

/// On a new function, with its tags, role and code.
pub(super) fn of_new_function(call: &ApiCall<'_>, iam: &IamStore) -> Vec<RequiredPermission> {
    let mut needs = of_function(call, iam);
    if has_tags(&call.input["Tags"]) {
        needs.push(RequiredPermission::new("lambda:TagResource", arn(call, "FunctionName")));
    }
    needs.extend(role(call));
    needs.extend(of_source(&call.input["Code"]));
    needs
}

/// On the function, with its new role.
pub(super) fn of_configuration(call: &ApiCall<'_>, iam: &IamStore) -> Vec<RequiredPermission> {
    let mut needs = of_function(call, iam);
    needs.extend(role(call));
    needs
}

/// On the function, with its new code.
pub(super) fn of_code(call: &ApiCall<'_>, iam: &IamStore) -> Vec<RequiredPermission> {
    let mut needs = of_function(call, iam);
    needs.extend(of_source(call.input));
    needs
}

fn role(call: &ApiCall<'_>) -> Option<RequiredPermission> {
    text(call.input, "Role").map(|role| RequiredPermission::pass_role(role, "lambda.amazonaws.com"))
}

/// The permissions for a function's code, which Lambda reads as the caller.
fn of_source(code: &Value) -> Vec<RequiredPermission> {
    let mut needs = text(code, "ImageUri").map(of_image).unwrap_or_default();
    if let (Some(bucket), Some(key)) = (text(code, "S3Bucket"), text(code, "S3Key")) {
        needs.push(RequiredPermission::new("s3:GetObject", format!("arn:aws:s3:::{bucket}/{key}")));
    }
    needs
}

/// The permissions for an image: Lambda also adds itself to the repository's policy.
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
    let repository = ecr::repository_arn(account, region, name);
    ["BatchGetImage", "GetDownloadUrlForLayer", "GetRepositoryPolicy", "SetRepositoryPolicy"]
        .map(|action| RequiredPermission::new(format!("ecr:{action}"), &repository))
        .into()
}

/// The ARN without a qualifier of the function named by a member, in any form of its name; `*` if none is named.
fn arn(call: &ApiCall<'_>, member: &str) -> String {
    let Some(name) = text(call.input, member) else { return "*".to_owned() };
    let plain = match name.split(':').collect::<Vec<_>>().as_slice() {
        ["arn", _, "lambda", region, account, "function", name, ..] => {
            return format!("arn:aws:lambda:{region}:{account}:function:{name}");
        }
        [_, "function", name, ..] | [name, ..] => (*name).to_owned(),
        [] => String::new(),
    };
    format!("arn:aws:lambda:{}:{}:function:{plain}", call.context.region, call.context.account_id)
}
