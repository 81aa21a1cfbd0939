//! Tests of the required permissions, also for requests with superfluous members.

use awsim_core::ContextValue;
use awsim_iam::IamService;
use serde_json::json;

use super::*;
use crate::ecr::permissions::{RegistryRequestKind, registry_permissions};

fn resources(service: &str, operation: &str, input: Value) -> Vec<String> {
    let context = RequestContext::new_with_account(service, "eu-central-1", "000000000000");
    let permissions = of_call(service, operation, &input, &context, &IamService::new().store());
    permissions.into_iter().map(|permission| permission.resource).collect()
}

#[test]
fn permission_is_for_the_resource_that_the_operation_uses() {
    let mine = "arn:aws:ecr:eu-central-1:000000000000:repository/mine";
    let put = resources("ecr", "PutImage", json!({ "resourceArn": mine, "repositoryName": "theirs" }));
    assert!(put.contains(&"arn:aws:ecr:eu-central-1:000000000000:repository/theirs".to_owned()), "{put:?}");
    let delete = resources("codebuild", "DeleteProject", json!({ "projectName": "mine", "name": "theirs" }));
    assert!(delete.contains(&"arn:aws:codebuild:eu-central-1:000000000000:project/theirs".to_owned()), "{delete:?}");
    assert_eq!(
        resources("iam", "CreateAccessKey", json!({ "RoleName": "mine", "UserName": "theirs" })),
        ["arn:aws:iam::000000000000:user/theirs"]
    );
    assert_eq!(
        resources("iam", "AttachRolePolicy", json!({ "RoleName": "theirs", "PolicyArn": "arn:aws:iam::1:policy/p" })),
        ["arn:aws:iam::000000000000:role/theirs"]
    );
    let stack = "arn:aws:cloudformation:eu-central-1:000000000000:stack/theirs";
    for name in ["theirs", &format!("{stack}/0123")] {
        assert_eq!(resources("cloudformation", "DeleteStack", json!({ "StackName": name })), [format!("{stack}/*")]);
    }
    assert_eq!(resources("cloudformation", "ListStacks", json!({})), ["*"]);
    let theirs = "arn:aws:lambda:eu-central-1:000000000000:function:theirs";
    assert_eq!(resources("lambda", "TagResource", json!({ "FunctionName": "mine", "Resource": theirs })), [theirs]);
}

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

#[test]
fn passing_a_role_requires_pass_role_for_that_service() {
    let role = "arn:aws:iam::000000000000:role/r";
    let passed = |service: &str, operation: &str, input: Value| -> Vec<(String, Option<String>)> {
        let context = RequestContext::new_with_account(service, "eu-central-1", "000000000000");
        let permissions = of_call(service, operation, &input, &context, &IamService::new().store());
        let passes = permissions.into_iter().filter(|permission| permission.action == "iam:PassRole");
        let to = |permission: &RequiredPermission| match permission.conditions.get("iam:PassedToService") {
            Some(ContextValue::String(service)) => Some(service.clone()),
            _ => None,
        };
        passes.map(|permission| (permission.resource.clone(), to(&permission))).collect()
    };
    for (service, operation, input) in [
        ("lambda", "CreateFunction", json!({ "FunctionName": "f", "Role": role })),
        ("lambda", "UpdateFunctionConfiguration", json!({ "FunctionName": "f", "Role": role })),
        ("codebuild", "CreateProject", json!({ "name": "p", "serviceRole": role })),
        ("codebuild", "UpdateProject", json!({ "name": "p", "serviceRole": role })),
        ("codebuild", "StartBuild", json!({ "projectName": "p", "serviceRoleOverride": role })),
    ] {
        let expected = vec![(role.to_owned(), Some(format!("{service}.amazonaws.com")))];
        assert_eq!(passed(service, operation, input), expected, "{operation}");
    }
    assert_eq!(passed("lambda", "UpdateFunctionConfiguration", json!({ "FunctionName": "f" })), []);
}
