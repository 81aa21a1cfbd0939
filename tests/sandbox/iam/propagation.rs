//! Rejection of a role before it has propagated.

use aws_sdk_codebuild::types::{
    ArtifactsType, ComputeType, EnvironmentType, ProjectArtifacts, ProjectEnvironment, ProjectSource, SourceType,
};
use aws_sdk_s3::error::{DisplayErrorContext, ProvideErrorMetadata as _};

use thumbctl_test_support::{Program, Sandbox, until};

const TRUST: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"codebuild.amazonaws.com"},"Action":"sts:AssumeRole"}]}"#;

#[tokio::test]
async fn new_role_is_rejected_until_propagated() {
    let program = Program::new();
    let dir = program.home().join("cloud");
    let start = || {
        let flags = ["sandbox", "--port", "0", "--latency", "aws", "--time-scale", "0.1", "--data-dir"];
        Sandbox::start(program.command(flags.map(std::ffi::OsStr::new).into_iter().chain([dir.as_os_str()])))
    };
    let sandbox = start();
    let iam = sandbox.clients().iam;
    let role = iam.create_role().role_name("builder").assume_role_policy_document(TRUST).send().await.expect("a role");
    let role = role.role.expect("a role").arn;
    let create = |sandbox: &Sandbox| {
        let environment = ProjectEnvironment::builder()
            .r#type(EnvironmentType::LinuxContainer)
            .image("aws/codebuild/standard:8.0")
            .compute_type(ComputeType::BuildGeneral1Small);
        let source = ProjectSource::builder().r#type(SourceType::NoSource).buildspec("version: 0.2");
        sandbox
            .clients()
            .codebuild
            .create_project()
            .name("thumbs")
            .source(source.build().expect("a complete request"))
            .artifacts(
                ProjectArtifacts::builder().r#type(ArtifactsType::NoArtifacts).build().expect("a complete request"),
            )
            .environment(environment.build().expect("a complete request"))
            .service_role(&role)
            .send()
    };
    let error = create(&sandbox).await.expect_err("rejected before propagation");
    let expected = format!("CodeBuild is not authorized to perform: sts:AssumeRole on {role}");
    assert_eq!((error.code(), error.message()), (Some("InvalidInputException"), Some(expected.as_str())));
    sandbox.kill();

    // The role's creation time survives the restart.
    let sandbox = start();
    until("the role's propagation", async || match create(&sandbox).await {
        Ok(project) => Some(project),
        Err(error) if error.code() == Some("InvalidInputException") => None,
        Err(error) => panic!("{}", DisplayErrorContext(error)),
    })
    .await;
    sandbox.interrupt().ok();
}
