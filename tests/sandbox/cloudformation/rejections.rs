//! Requests that are rejected before any resource is created.

use aws_sdk_cloudformation::error::ProvideErrorMetadata as _;
use aws_sdk_cloudformation::types::{Capability, OnFailure, Tag};

use thumbctl_test_support::cloudformation::{StackSandbox, parameter};

const BUCKET: &str = "Resources: { A: { Type: 'AWS::S3::Bucket' } }";

#[tokio::test]
async fn missing_capabilities_are_rejected() {
    let cloud = StackSandbox::new();
    let role = |name: &str| {
        format!(
            "Resources: {{ R: {{ Type: 'AWS::IAM::Role', Properties: {{ {name} AssumeRolePolicyDocument: {{}} }} }} }}"
        )
    };
    let create_error = |template: String, capability: Option<Capability>| {
        let create = cloud.clients.cloudformation.create_stack().stack_name("roles").template_body(template);
        async move { create.set_capabilities(capability.map(|one| vec![one])).send().await.unwrap_err() }
    };
    let error = create_error(role(""), None).await;
    assert_eq!(error.code(), Some("InsufficientCapabilitiesException"));
    assert_eq!(error.message(), Some("Requires capabilities : [CAPABILITY_IAM]"));
    let error = create_error(role("RoleName: r,"), Some(Capability::CapabilityIam)).await;
    assert_eq!(error.message(), Some("Requires capabilities : [CAPABILITY_NAMED_IAM]"));
    let valid = cloud.clients.cloudformation.validate_template().template_body(role("RoleName: r,"));
    let valid = valid.send().await.unwrap();
    assert_eq!(valid.capabilities(), [Capability::CapabilityNamedIam]);
}

#[tokio::test]
async fn invalid_templates_are_rejected() {
    let cloud = StackSandbox::new();
    let cycle = "
Resources:
  A: { Type: 'AWS::S3::Bucket', Properties: { BucketName: !Ref B } }
  B: { Type: 'AWS::Logs::LogGroup', Properties: { LogGroupName: !Ref A } }
";
    let error = cloud.creation_error(cycle).await;
    assert!(error.starts_with("ValidationError: Circular dependency between resources: ["), "{error}");
    let error = cloud.creation_error("Resources: { A: { Type: 'AWS::EC2::Volcano' } }").await;
    assert!(error.contains("Unrecognized resource types: [AWS::EC2::Volcano]"), "{error}");
    let error =
        cloud.creation_error("Resources: { A: { Type: 'AWS::S3::Bucket', Properties: { BucketName: !Ref B } } }").await;
    assert!(error.contains("Unresolved resource dependencies [B] in the Resources block"), "{error}");
    let error = cloud.creation_error("Resources: { A: { Type: 'AWS::S3::Bucket', Properties: { Color: red } } }").await;
    assert!(error.contains("extraneous key [Color] is not permitted"), "{error}");
    for (properties, expected) in [
        ("BucketName: [a]", "#/BucketName: expected type: String, found: JSONArray"),
        ("BucketName: a-name, Tags: { a: b }", "#/Tags: expected type: JSONArray, found: JSONObject"),
        ("BucketName: a-name, Tags: a", "#/Tags: expected type: JSONArray, found: String"),
        ("VersioningConfiguration: true", "#/VersioningConfiguration: expected type: JSONObject, found: Boolean"),
    ] {
        let template = format!("Resources: {{ A: {{ Type: 'AWS::S3::Bucket', Properties: {{ {properties} }} }} }}");
        let error = cloud.creation_error(&template).await;
        assert!(error.contains(expected), "{error}");
    }
    let error = cloud.creation_error("Resources: [").await;
    assert!(error.starts_with("ValidationError: Template format error:"), "{error}");
    let unknown = cloud.clients.cloudformation.validate_template();
    let unknown = unknown.template_body("Resources: { A: { Type: 'AWS::EC2::Volcano' } }").send().await.unwrap_err();
    assert!(unknown.message().unwrap().contains("Unrecognized resource types"));
    let filter =
        cloud.clients.cloudformation.list_stacks().stack_status_filter("GONE".into()).send().await.unwrap_err();
    assert!(filter.message().unwrap().contains("Value '[GONE]' at 'stackStatusFilter'"), "{filter:?}");
}

#[tokio::test]
async fn parameters_are_checked_against_constraints() {
    let cloud = StackSandbox::new();
    let template = "
Parameters:
  Size: { Type: Number, MaxValue: 10 }
  Color: { Type: String, AllowedValues: [red, blue], Default: red }
Resources: { A: { Type: 'AWS::S3::Bucket' } }
";
    let create_error = |parameters: Vec<(&str, &str)>| {
        let parameters = parameters.into_iter().map(|(key, value)| parameter(key, value)).collect();
        let create = cloud.create("sized", template).set_parameters(Some(parameters));
        async move { create.send().await.unwrap_err().message().unwrap_or_default().to_owned() }
    };
    assert_eq!(create_error(vec![]).await, "Parameters: [Size] must have values");
    assert_eq!(
        create_error(vec![("Size", "1"), ("Weight", "2")]).await,
        "Parameters: [Weight] do not exist in the template"
    );
    assert!(create_error(vec![("Size", "11")]).await.contains("not greater than 10"));
    assert!(create_error(vec![("Size", "1"), ("Color", "green")]).await.contains("must be one of AllowedValues"));
}

#[tokio::test]
async fn unsupported_members_are_rejected_by_name() {
    let cloud = StackSandbox::new();
    let protected = cloud.create("x", BUCKET).enable_termination_protection(true).send().await.unwrap_err();
    assert!(protected.message().unwrap().contains("EnableTerminationProtection"), "{protected:?}");
    let cloud_role = cloud.create("x", BUCKET).role_arn("arn:aws:iam::000000000000:role/r").send().await.unwrap_err();
    assert!(cloud_role.message().unwrap().contains("RoleARN"));
    let url = cloud.clients.cloudformation.create_stack().stack_name("x").template_url("https://example.com/t.yaml");
    assert!(url.send().await.unwrap_err().message().unwrap().contains("TemplateURL"));
    let both = cloud.create("x", BUCKET).on_failure(OnFailure::Delete).disable_rollback(true).send().await.unwrap_err();
    assert!(both.message().unwrap().contains("not both"));
    let named = cloud.create("1x", BUCKET).send().await.unwrap_err();
    assert!(named.message().unwrap().contains("stackName"));
    let tag = Tag::builder().key("aws:own").value("x").build();
    assert!(cloud.create("x", BUCKET).tags(tag).send().await.unwrap_err().message().unwrap().contains("aws:"));
    // An unsupported member with its default value is accepted.
    cloud.create("x", BUCKET).enable_termination_protection(false).send().await.unwrap();
    cloud.wait_for_status("x", "CREATE_COMPLETE").await;
}

#[tokio::test]
async fn missing_stacks_are_reported() {
    let cloud = StackSandbox::new();
    let client = &cloud.clients.cloudformation;
    let missing = client.describe_stacks().stack_name("missing").send().await.unwrap_err();
    assert_eq!(missing.message(), Some("Stack with id missing does not exist"));
    client.delete_stack().stack_name("missing").send().await.expect("deletion of a missing stack succeeds");
    let missing = client.update_stack().stack_name("missing").template_body(BUCKET).send().await.unwrap_err();
    assert_eq!(missing.code(), Some("ValidationError"));
    // Internal operations are not accessible to clients.
    let internal = client.describe_stack_resource().stack_name("missing").logical_resource_id("x").send().await;
    assert!(internal.is_err());
}
