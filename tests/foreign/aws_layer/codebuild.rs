//! Projects and builds.

use thumbctl_deploy::aws::{Deleted, ErrorKind, codebuild};

use super::moto::{self, Moto};
use super::tags;

thumbctl_test_support::foreign_tests! {
    [Moto] async: project_is_created_found_built_and_deleted;
}

async fn project_is_created_found_built_and_deleted() {
    let moto = moto_or_skip!();
    let client = aws_sdk_codebuild::Client::new(&moto.config);
    let name = "layer-7-build";
    let source = codebuild::Source::S3 { bucket: "layer-7-build-source".into(), key: "function.zip".into() };
    let environment = codebuild::build_environment(moto::REGION, "123456789012", "layer-7-images", "latest");
    let spec = codebuild::ProjectSpec {
        name,
        description: "a test",
        role_arn: "arn:aws:iam::123456789012:role/service-role/layer-7-role",
        source: &source,
        buildspec: None,
        image: codebuild::build_image(thumbctl_deploy::aws::Architecture::X86_64),
        compute_type: "BUILD_GENERAL1_SMALL",
        architecture: thumbctl_deploy::aws::Architecture::X86_64,
        environment: &environment,
        log_group: "/aws/codebuild/layer-7-build",
        timeout_minutes: 20,
        queued_timeout_minutes: 20,
        tags: &tags(),
    };
    let arn = codebuild::create_project(&client, &spec).await.unwrap();
    let again = codebuild::create_project(&client, &spec).await;
    assert_eq!(again.unwrap_err().kind, ErrorKind::AlreadyExists);
    let found = codebuild::project(&client, name).await.unwrap().unwrap();
    assert_eq!((&found.arn, &found.tags), (&arn, &tags()));
    let listed = codebuild::list_projects(&client, "layer-7-").await.unwrap();
    assert_eq!((listed.len(), &listed[0].arn, &listed[0].tags), (1, &arn, &tags()));
    let shown = found.environment.iter().map(|variable| (variable.name.clone(), variable.value.clone()));
    assert_eq!(shown.collect::<Vec<_>>(), environment);
    assert_eq!(found.source.location.as_deref(), Some("layer-7-build-source/function.zip"));
    assert_eq!((found.timeout_minutes, found.privileged), (Some(20), Some(true)));

    let deleted = codebuild::delete_project(&client, name).await.unwrap();
    assert_eq!(deleted, Deleted::Now);
    assert_eq!(codebuild::project(&client, name).await.unwrap(), None);
    let deleted = codebuild::delete_project(&client, name).await.unwrap();
    assert_eq!(deleted, Deleted::AlreadyGone);

    // moto cannot delete builds: these remain until its end.
    codebuild::create_project(&client, &spec).await.unwrap();
    let id = codebuild::start_build(&client, name, "a-token").await.unwrap();
    let state = codebuild::build(&client, &id).await.unwrap().unwrap();
    assert_eq!(state.id, id);
    assert!(!state.phases.is_empty());
    codebuild::stop_build(&client, &id).await.unwrap();
    assert_eq!(codebuild::builds_of(&client, name).await.unwrap(), Some(vec![id]));
}
