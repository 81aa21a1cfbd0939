//! Resource attributes that other tools read back, with the SDK.

use aws_sdk_codebuild::types::{
    ArtifactsType, ComputeType, EnvironmentType, ProjectArtifacts, ProjectEnvironment, ProjectSource, SourceType,
    VpcConfig,
};
use aws_sdk_s3::types::{
    BucketLifecycleConfiguration, ExpirationStatus, LifecycleExpiration, LifecycleRule, LifecycleRuleFilter,
    TransitionDefaultMinimumObjectSize,
};
use thumbctl_test_support::in_process::{Sandbox, code};

const TRUST: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"codebuild.amazonaws.com"},"Action":"sts:AssumeRole"}]}"#;
const READ: &str =
    r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:GetObject","Resource":"*"}]}"#;

#[tokio::test]
async fn lifecycle_returns_its_minimum_object_size() {
    let sandbox = Sandbox::ephemeral().await;
    let s3 = sandbox.s3();
    s3.create_bucket().bucket("pics").send().await.unwrap();
    let rule = LifecycleRule::builder()
        .id("expire")
        .status(ExpirationStatus::Enabled)
        .filter(LifecycleRuleFilter::builder().prefix("old/").build())
        .expiration(LifecycleExpiration::builder().days(30).build())
        .build()
        .unwrap();
    let rules = BucketLifecycleConfiguration::builder().rules(rule).build().unwrap();
    let put = || s3.put_bucket_lifecycle_configuration().bucket("pics").lifecycle_configuration(rules.clone());
    let get = || s3.get_bucket_lifecycle_configuration().bucket("pics").send();

    let varying = TransitionDefaultMinimumObjectSize::VariesByStorageClass;
    put().transition_default_minimum_object_size(varying.clone()).send().await.unwrap();
    assert_eq!(get().await.unwrap().transition_default_minimum_object_size, Some(varying));
    let default = TransitionDefaultMinimumObjectSize::AllStorageClasses128K;
    assert_eq!(put().send().await.unwrap().transition_default_minimum_object_size, Some(default.clone()));
    assert_eq!(get().await.unwrap().transition_default_minimum_object_size, Some(default));
    let invalid = put().transition_default_minimum_object_size("huge".into()).send().await;
    assert_eq!(code(invalid), "InvalidArgument");
    sandbox.stop().await;
}

#[tokio::test]
async fn project_is_found_by_arn_and_rejects_unsupported_members() {
    let sandbox = Sandbox::ephemeral().await;
    let iam = aws_sdk_iam::Client::new(&sandbox.config());
    let role = iam.create_role().role_name("builder").assume_role_policy_document(TRUST).send().await.unwrap();
    let codebuild = aws_sdk_codebuild::Client::new(&sandbox.config());
    let environment = ProjectEnvironment::builder()
        .r#type(EnvironmentType::LinuxContainer)
        .image("aws/codebuild/standard:7.0")
        .compute_type(ComputeType::BuildGeneral1Small)
        .build()
        .unwrap();
    let source = ProjectSource::builder().r#type(SourceType::NoSource).buildspec("version: 0.2");
    let create = codebuild
        .create_project()
        .name("thumbs")
        .source(source.build().unwrap())
        .artifacts(ProjectArtifacts::builder().r#type(ArtifactsType::NoArtifacts).build().unwrap())
        .environment(environment)
        .service_role(role.role.unwrap().arn);
    let with_vpc = create.clone().vpc_config(VpcConfig::builder().vpc_id("vpc-1").build()).send().await;
    assert!(with_vpc.unwrap_err().into_service_error().to_string().contains("vpcConfig"));

    let arn = create.send().await.unwrap().project.unwrap().arn.unwrap();
    codebuild.update_project().name(&arn).description("again").send().await.unwrap();
    let projects = codebuild.batch_get_projects().names(&arn).send().await.unwrap().projects.unwrap();
    assert_eq!(projects[0].description(), Some("again"));
    codebuild.delete_project().name(&arn).send().await.unwrap();
    assert_eq!(codebuild.list_projects().send().await.unwrap().projects(), [""; 0]);
    sandbox.stop().await;
}

#[tokio::test]
async fn permissions_boundary_is_set_at_creation_and_deleted_with_role() {
    let sandbox = Sandbox::ephemeral().await;
    let iam = aws_sdk_iam::Client::new(&sandbox.config());
    let policy = iam.create_policy().policy_name("limit").policy_document(READ).send().await.unwrap();
    let bound = policy.policy.unwrap().arn.unwrap();
    let create = || iam.create_role().role_name("narrow").assume_role_policy_document(TRUST);
    let boundary = || async {
        let role = iam.get_role().role_name("narrow").send().await.unwrap().role.unwrap();
        role.permissions_boundary.and_then(|boundary| boundary.permissions_boundary_arn)
    };
    let created = create().permissions_boundary(&bound).send().await.unwrap().role.unwrap();
    let returned = created.permissions_boundary.and_then(|boundary| boundary.permissions_boundary_arn);
    assert_eq!((returned.as_ref(), boundary().await.as_ref()), (Some(&bound), Some(&bound)));
    iam.delete_role().role_name("narrow").send().await.unwrap();
    create().send().await.unwrap();
    assert_eq!(boundary().await, None);
    sandbox.stop().await;
}
