//! Tests of the tables: pages, routes, and the required permissions, also for requests with superfluous members.

use awsim_core::ContextValue;
use awsim_iam::IamService;
use serde_json::json;

use super::*;
use crate::cloudformation::CloudFormation;
use crate::codebuild::CodeBuildService;
use crate::ecr::Ecr;
use crate::iam::Iam;
use crate::lambda::LambdaService;
use crate::logs::Logs;
use crate::sts::Sts;

fn check_table<S: Service>() {
    for (index, operation) in S::OPERATIONS.iter().enumerate() {
        let name = operation.info.name;
        assert!(
            S::OPERATIONS[..index].iter().all(|other| other.info.name != name),
            "{}:{name} is there twice",
            S::NAME
        );
        let page = operation.page.map_or_else(|| format!("{}API_{name}.html", S::REFERENCE), str::to_owned);
        assert!(page.starts_with("https://docs.aws.amazon.com/") && page.ends_with(".html"), "{page}");
        let by_route = S::PROTOCOL == Protocol::RestJson1;
        assert_eq!(by_route, !operation.route.1.is_empty(), "{name}");
        // A change that is declared as a reading would not be saved before the response.
        let changes = ["Add", "Attach", "Create", "Delete", "Detach", "Put", "Remove", "Tag", "Untag", "Update"];
        assert!(operation.info.changes_state || !changes.iter().any(|verb| name.starts_with(verb)), "{name}");
    }
}

#[test]
fn every_operation_is_declared_once_with_its_page_and_route() {
    check_table::<CloudFormation>();
    check_table::<CodeBuildService>();
    check_table::<Ecr>();
    check_table::<Iam>();
    check_table::<LambdaService>();
    check_table::<Logs>();
    check_table::<Sts>();
}

fn of_call(service: &str, operation: &str, input: &Value) -> Vec<RequiredPermission> {
    fn found<S: Service>(operation: &str) -> (&'static str, Requirements) {
        let operation = S::OPERATIONS.iter().find(|it| it.info.name == operation).expect("an operation");
        (operation.info.name, operation.requires)
    }
    let (operation, requires) = match service {
        "cloudformation" => found::<CloudFormation>(operation),
        "codebuild" => found::<CodeBuildService>(operation),
        "ecr" => found::<Ecr>(operation),
        "iam" => found::<Iam>(operation),
        _ => found::<LambdaService>(operation),
    };
    let context = RequestContext::new_with_account(service, "eu-central-1", "000000000000");
    requires(&ApiCall { operation, input, context: &context }, &IamService::new().store())
}

fn resources(service: &str, operation: &str, input: Value) -> Vec<String> {
    of_call(service, operation, &input).into_iter().map(|permission| permission.resource).collect()
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
fn passing_a_role_requires_pass_role_for_that_service() {
    let role = "arn:aws:iam::000000000000:role/r";
    let passed = |service: &str, operation: &str, input: Value| -> Vec<(String, Option<String>)> {
        let passes =
            of_call(service, operation, &input).into_iter().filter(|permission| permission.action == "iam:PassRole");
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
