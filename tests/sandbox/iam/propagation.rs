//! A role that has not propagated is refused, and thumbctl waits for it.

use aws_sdk_codebuild::types::{
    ArtifactsType, ComputeType, EnvironmentType, ProjectArtifacts, ProjectEnvironment, ProjectSource, SourceType,
};
use aws_sdk_s3::error::{DisplayErrorContext, ProvideErrorMetadata as _};

use thumbctl_test_support::{Program, Sandbox, until};

const TRUST: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"codebuild.amazonaws.com"},"Action":"sts:AssumeRole"}]}"#;

#[tokio::test]
async fn a_new_role_is_refused_until_it_has_propagated() {
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
            .source(source.build().expect("whole"))
            .artifacts(ProjectArtifacts::builder().r#type(ArtifactsType::NoArtifacts).build().expect("whole"))
            .environment(environment.build().expect("whole"))
            .service_role(&role)
            .send()
    };
    let refused = create(&sandbox).await.expect_err("it is too early");
    let words = format!("CodeBuild is not authorized to perform: sts:AssumeRole on {role}");
    assert_eq!((refused.code(), refused.message()), (Some("InvalidInputException"), Some(words.as_str())));
    sandbox.kill();

    // The role's age outlives the sandbox.
    let sandbox = start();
    until("the role's propagation", async || match create(&sandbox).await {
        Ok(made) => Some(made),
        Err(error) if error.code() == Some("InvalidInputException") => None,
        Err(error) => panic!("{}", DisplayErrorContext(error)),
    })
    .await;
    sandbox.interrupt().ok();
}
