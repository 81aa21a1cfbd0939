//! Builds in the sandbox, with the SDK.

#[cfg(target_os = "linux")]
mod isolation;
mod layers;
mod termination;

use aws_sdk_codebuild::types::builders::ProjectSourceBuilder;
use aws_sdk_codebuild::types::{
    ArtifactsType, Build, BuildPhase, BuildPhaseType, ComputeType, EnvironmentType, EnvironmentVariable,
    ProjectArtifacts, ProjectEnvironment, ProjectSource, SourceType, StatusType,
};
use aws_sdk_ecr::types::ImageIdentifier;
use aws_sdk_s3::error::{DisplayErrorContext, ProvideErrorMetadata as _};
use sha2::{Digest as _, Sha256};
use thumbctl_test_support::{Sandbox, until};

/// Another region than the sandbox's default.
const REGION: &str = "eu-west-1";

const TRUST: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"codebuild.amazonaws.com"},"Action":"sts:AssumeRole"}]}"#;
const FULL_ACCESS: &str =
    r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["s3:*","ecr:*","logs:*"],"Resource":"*"}]}"#;

async fn role(sandbox: &Sandbox) -> String {
    let iam = sandbox.clients_in(REGION).iam;
    let role = iam.create_role().role_name("builder").assume_role_policy_document(TRUST).send().await.unwrap();
    iam.put_role_policy()
        .role_name("builder")
        .policy_name("everything")
        .policy_document(FULL_ACCESS)
        .send()
        .await
        .unwrap();
    role.role().unwrap().arn().to_owned()
}

fn environment() -> ProjectEnvironment {
    let variable = |name: &str, value: &str| EnvironmentVariable::builder().name(name).value(value).build().unwrap();
    ProjectEnvironment::builder()
        .r#type(EnvironmentType::LinuxContainer)
        .image("aws/codebuild/standard:8.0")
        .compute_type(ComputeType::BuildGeneral1Small)
        .environment_variables(variable("IMAGE_REPO_NAME", "thumb"))
        .environment_variables(variable("IMAGE_TAG", "latest"))
        .environment_variables(variable("AWS_ACCOUNT_ID", "000000000000"))
        .build()
        .unwrap()
}

async fn project(sandbox: &Sandbox, source: ProjectSourceBuilder) {
    let role = role(sandbox).await;
    sandbox
        .clients_in(REGION)
        .codebuild
        .create_project()
        .name("thumbs")
        .source(source.build().unwrap())
        .artifacts(ProjectArtifacts::builder().r#type(ArtifactsType::NoArtifacts).build().unwrap())
        .environment(environment())
        .service_role(role)
        .send()
        .await
        .unwrap_or_else(|error| panic!("{}", DisplayErrorContext(error)));
}

fn inline(buildspec: &str) -> ProjectSourceBuilder {
    ProjectSource::builder().r#type(SourceType::NoSource).buildspec(buildspec)
}

async fn start(sandbox: &Sandbox) -> String {
    let started = sandbox
        .clients_in(REGION)
        .codebuild
        .start_build()
        .project_name("thumbs")
        .send()
        .await
        .unwrap_or_else(|error| panic!("{}", DisplayErrorContext(error)));
    started.build_value().unwrap().id().unwrap().to_owned()
}

async fn describe_build(sandbox: &Sandbox, id: &str) -> Build {
    let builds = sandbox
        .clients_in(REGION)
        .codebuild
        .batch_get_builds()
        .ids(id)
        .send()
        .await
        .unwrap_or_else(|error| panic!("{}", DisplayErrorContext(error)));
    builds.builds()[0].clone()
}

async fn wait_for_build(sandbox: &Sandbox, id: &str) -> Build {
    until("the build's end", async || Some(describe_build(sandbox, id).await).filter(Build::build_complete)).await
}

async fn log(sandbox: &Sandbox, build: &Build) -> String {
    let logs = build.logs().unwrap();
    let Some(group) = logs.group_name() else {
        return String::new();
    };
    let events = sandbox
        .clients_in(REGION)
        .logs
        .get_log_events()
        .log_group_name(group)
        .log_stream_name(logs.stream_name().unwrap())
        .start_from_head(true)
        .send()
        .await
        .unwrap();
    let messages = events.events().iter().filter_map(|event| event.message());
    messages.collect()
}

fn phase(build: &Build, kind: BuildPhaseType) -> &BuildPhase {
    let found = build.phases().iter();
    let mut found = found.filter(|phase| phase.phase_type() == Some(&kind));
    found.next().unwrap_or_else(|| panic!("no {kind}"))
}

fn context(phase: &BuildPhase) -> (&str, &str) {
    let context = &phase.contexts()[0];
    (context.status_code().unwrap_or_default(), context.message().unwrap_or_default())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn function_buildspec_pushes_image_to_ecr() {
    let dir = tempfile::tempdir().unwrap();
    let sandbox = Sandbox::on(dir.path());
    let s3 = sandbox.clients_in(REGION).s3;
    let constraint = aws_sdk_s3::types::BucketLocationConstraint::EuWest1;
    s3.create_bucket()
        .bucket("source-of-builds")
        .create_bucket_configuration(
            aws_sdk_s3::types::CreateBucketConfiguration::builder().location_constraint(constraint).build(),
        )
        .send()
        .await
        .unwrap();
    let source = thumbctl_deploy::assets::function_zip().unwrap();
    s3.put_object().bucket("source-of-builds").key("a b/source.zip").body(source.into()).send().await.unwrap();
    let ecr = sandbox.clients_in(REGION).ecr;
    ecr.create_repository().repository_name("thumb").send().await.unwrap();
    let source = ProjectSource::builder().r#type(SourceType::S3).location("source-of-builds/a b/source.zip");
    project(&sandbox, source).await;

    let id = start(&sandbox).await;
    let build = wait_for_build(&sandbox, &id).await;
    let text = log(&sandbox, &build).await;
    assert_eq!(build.build_status(), Some(&StatusType::Succeeded), "{text}");
    assert!(text.contains("copying the function embedded in thumbctl"), "{text}");
    let last = text.lines().last().unwrap_or_default();
    assert!(last.ends_with("Phase context status code:  Message: "), "{last}");
    let kinds: Vec<_> = build.phases().iter().map(|phase| phase.phase_type().unwrap().as_str()).collect();
    assert_eq!(
        kinds.join(" "),
        "SUBMITTED QUEUED PROVISIONING DOWNLOAD_SOURCE INSTALL PRE_BUILD BUILD POST_BUILD UPLOAD_ARTIFACTS FINALIZING \
         COMPLETED"
    );

    let tag = ImageIdentifier::builder().image_tag("latest").build();
    let images = ecr.batch_get_image().repository_name("thumb").image_ids(tag).send().await.unwrap();
    let image = &images.images()[0];
    let manifest = image.image_manifest().unwrap();
    let digest = image.image_id().unwrap().image_digest().unwrap();
    assert_eq!(digest, format!("sha256:{:x}", Sha256::digest(manifest)));
    let manifest: serde_json::Value = serde_json::from_str(manifest).unwrap();
    let layer = manifest["layers"][0]["digest"].as_str().unwrap();
    let link = ecr.get_download_url_for_layer().repository_name("thumb").layer_digest(layer).send().await.unwrap();
    let bytes = ureq::get(link.download_url().unwrap())
        .call()
        .unwrap()
        .body_mut()
        .with_config()
        .limit(2 << 30)
        .read_to_vec()
        .unwrap();
    assert_eq!(layer, format!("sha256:{:x}", Sha256::digest(&bytes)));
    let mut archive = tar::Archive::new(&bytes[..]);
    let names: Vec<_> =
        archive.entries().unwrap().map(|entry| entry.unwrap().path().unwrap().display().to_string()).collect();
    assert_eq!(names, ["var", "var/runtime", "var/runtime/bootstrap"]);

    // A second build has the same image, and pushes no layer again.
    let id = start(&sandbox).await;
    let build = wait_for_build(&sandbox, &id).await;
    let text = log(&sandbox, &build).await;
    assert!(text.contains("Layer already exists"), "{text}");
    assert!(text.contains(digest), "{text}");
    let remaining: Vec<_> = std::fs::read_dir(dir.path().join("codebuild/builds")).unwrap().collect();
    assert!(remaining.is_empty(), "{remaining:?}");

    // Builds have only the permissions of their role.
    sandbox
        .clients_in(REGION)
        .iam
        .put_role_policy()
        .role_name("builder")
        .policy_name("no-images")
        .policy_document(
            r#"{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"ecr:PutImage","Resource":"*"}]}"#,
        )
        .send()
        .await
        .unwrap();
    let id = start(&sandbox).await;
    let build = wait_for_build(&sandbox, &id).await;
    let text = log(&sandbox, &build).await;
    assert_eq!(build.build_status(), Some(&StatusType::Failed));
    assert!(text.contains("not authorized to perform: ecr:PutImage"), "{text}");

    let error = ecr.delete_repository().repository_name("thumb").send().await.unwrap_err();
    assert_eq!(error.code(), Some("RepositoryNotEmptyException"));
    ecr.delete_repository().repository_name("thumb").force(true).send().await.unwrap();
    sandbox.interrupt().ok();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn failed_command_is_reported_and_ends_its_phase() {
    let dir = tempfile::tempdir().unwrap();
    let sandbox = Sandbox::on(dir.path());
    project(
        &sandbox,
        inline(
            "version: 0.2\nphases:\n  build:\n    commands:\n      - X=kept && cd /tmp\n      - echo $X in $PWD >&2\n      - \
             (exit 7)\n      - echo never\n  post_build:\n    commands:\n      - echo succeeding \
             $CODEBUILD_BUILD_SUCCEEDING and $X\n",
        ),
    )
    .await;
    let id = start(&sandbox).await;
    let build = wait_for_build(&sandbox, &id).await;
    let text = log(&sandbox, &build).await;
    assert_eq!(build.build_status(), Some(&StatusType::Failed), "{text}");
    let failed = phase(&build, BuildPhaseType::Build);
    assert_eq!(failed.phase_status(), Some(&StatusType::Failed));
    assert_eq!(
        context(failed),
        ("COMMAND_EXECUTION_ERROR", "Error while executing command: (exit 7). Reason: exit status 7")
    );
    assert!(text.contains("\nkept in /tmp\n"), "{text}");
    assert!(text.contains("\nsucceeding 0 and kept\n"), "{text}");
    assert!(!text.contains("\nnever\n"), "{text}");
    assert!(
        text.contains("Phase context status code: COMMAND_EXECUTION_ERROR Message: Error while executing command"),
        "{text}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pre_build_failure_skips_build_phase() {
    let dir = tempfile::tempdir().unwrap();
    let sandbox = Sandbox::on(dir.path());
    project(
        &sandbox,
        inline(
            "version: 0.2\nphases:\n  pre_build:\n    commands: [\"exit 3\"]\n    finally: [\"echo after all\"]\n  \
             build:\n    commands: [\"echo never\"]\n",
        ),
    )
    .await;
    let id = start(&sandbox).await;
    let build = wait_for_build(&sandbox, &id).await;
    let text = log(&sandbox, &build).await;
    assert_eq!(build.build_status(), Some(&StatusType::Failed), "{text}");
    let (_, message) = context(phase(&build, BuildPhaseType::PreBuild));
    assert!(message.ends_with("Reason: exit status 3"), "{message}");
    assert!(text.contains("\nafter all\n"), "{text}");
    assert!(!text.contains("Entering phase BUILD"), "{text}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unreadable_source_fails_download_phase() {
    let dir = tempfile::tempdir().unwrap();
    let sandbox = Sandbox::on(dir.path());
    project(&sandbox, inline("version: 0.2\nphases:\n  build: [\n")).await;
    let id = start(&sandbox).await;
    let build = wait_for_build(&sandbox, &id).await;
    let failed = phase(&build, BuildPhaseType::DownloadSource);
    assert_eq!(failed.phase_status(), Some(&StatusType::Failed));
    assert_eq!(context(failed).0, "YAML_FILE_ERROR");

    let codebuild = sandbox.clients_in(REGION).codebuild;
    let missing =
        ProjectSource::builder().r#type(SourceType::S3).location("no-such-bucket-anywhere/x.zip").build().unwrap();
    codebuild.update_project().name("thumbs").source(missing).send().await.unwrap();
    let id = start(&sandbox).await;
    let build = wait_for_build(&sandbox, &id).await;
    let (code, message) = context(phase(&build, BuildPhaseType::DownloadSource));
    assert_eq!(code, "CLIENT_ERROR");
    assert!(message.starts_with("NoSuchBucket: "), "{message}");
    let listed = codebuild.list_builds_for_project().project_name("thumbs").send().await.unwrap();
    assert_eq!(listed.ids()[0], id, "the newest first");
    assert_eq!(listed.ids().len(), 2);
    let deleted = codebuild.batch_delete_builds().set_ids(listed.ids).send().await.unwrap();
    assert_eq!(deleted.builds_deleted().len(), 2);
}

const BUILD_ON_PUSHED_BASE: &str = r#"version: 0.2
phases:
  build:
    commands:
      - R=$AWS_ACCOUNT_ID.dkr.ecr.$AWS_REGION.amazonaws.com/thumb
      - aws ecr get-login-password | docker login --username AWS --password-stdin ${R%/*}
      - echo one > one && echo two > two
      - printf 'FROM scratch\nCOPY one /one\n' > Dockerfile
      - docker build --tag $R:base . && docker push $R:base && docker rmi $R:base
      - printf "FROM $R:base\nCOPY two /two\n" > Dockerfile
      - docker buildx build --push --tag $R:latest .
"#;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pushed_image_is_usable_as_base() {
    let dir = tempfile::tempdir().unwrap();
    let sandbox = Sandbox::on(dir.path());
    let ecr = sandbox.clients_in(REGION).ecr;
    ecr.create_repository().repository_name("thumb").send().await.unwrap();
    project(&sandbox, inline(BUILD_ON_PUSHED_BASE)).await;
    let id = start(&sandbox).await;
    let build = wait_for_build(&sandbox, &id).await;
    let text = log(&sandbox, &build).await;
    assert_eq!(build.build_status(), Some(&StatusType::Succeeded), "{text}");
    let layers = async |tag: &str| {
        let tag = ImageIdentifier::builder().image_tag(tag).build();
        let images = ecr.batch_get_image().repository_name("thumb").image_ids(tag).send().await.unwrap();
        let manifest = images.images()[0].image_manifest().unwrap();
        let manifest: serde_json::Value = serde_json::from_str(manifest).unwrap();
        manifest["layers"].as_array().unwrap().clone()
    };
    let (base, latest) = (layers("base").await, layers("latest").await);
    assert_eq!(latest.len(), 2);
    assert_eq!(latest[..1], base);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn build_uses_host_aws_cli_and_reports_missing_toolchain() {
    let dir = tempfile::tempdir().unwrap();
    let cli = dir.path().join("aws");
    let script = "#!/bin/sh\necho \"the machine's aws: $* by ${AWS_SESSION_TOKEN:+the role}\"\n";
    std::fs::write(&cli, script).unwrap();
    std::fs::set_permissions(&cli, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let mut command = std::process::Command::new(thumbctl_test_support::thumbctl());
    command.args(["sandbox", "--port", "0", "--real-cargo", "--data-dir"]).arg(dir.path().join("data"));
    command.env("PATH", dir.path()).env("HOME", dir.path()).env_remove("CARGO_HOME");
    command.env("THUMBCTL_STATE_DIR", dir.path().join("state"));
    let sandbox = Sandbox::start(command);
    project(
        &sandbox,
        inline("version: 0.2\nphases:\n  build:\n    commands: [aws s3 ls --recursive, cargo build --release]\n"),
    )
    .await;
    let id = start(&sandbox).await;
    let build = wait_for_build(&sandbox, &id).await;
    let text = log(&sandbox, &build).await;
    assert_eq!(build.build_status(), Some(&StatusType::Failed), "{text}");
    assert!(text.contains("\nthe machine's aws: s3 ls --recursive by the role\n"), "{text}");
    assert!(text.contains("this machine has no Rust toolchain"), "{text}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn project_requires_assumable_role() {
    let dir = tempfile::tempdir().unwrap();
    let sandbox = Sandbox::on(dir.path());
    let codebuild = sandbox.clients_in(REGION).codebuild;
    let create = |role: &str| {
        codebuild
            .create_project()
            .name("thumbs")
            .source(inline("version: 0.2\nphases: {}\n").build().unwrap())
            .artifacts(ProjectArtifacts::builder().r#type(ArtifactsType::NoArtifacts).build().unwrap())
            .environment(environment())
            .service_role(role)
            .send()
    };
    let missing = "arn:aws:iam::000000000000:role/none";
    let error = create(missing).await.unwrap_err();
    assert_eq!(error.code(), Some("InvalidInputException"));
    assert_eq!(
        error.message(),
        Some("CodeBuild is not authorized to perform: sts:AssumeRole on arn:aws:iam::000000000000:role/none")
    );
    let role = role(&sandbox).await;
    create(&role).await.unwrap();
    let again = create(&role).await.unwrap_err();
    assert_eq!(again.code(), Some("ResourceAlreadyExistsException"));
    let projects = codebuild.batch_get_projects().names("thumbs").names("none").send().await.unwrap();
    assert_eq!(projects.projects()[0].service_role(), Some(&*role));
    assert_eq!(projects.projects_not_found(), ["none"]);
    codebuild.delete_project().name("thumbs").send().await.unwrap();
    let missing = codebuild.start_build().project_name("thumbs").send().await.unwrap_err();
    assert_eq!(missing.code(), Some("ResourceNotFoundException"));
}
