//! The real terraform with its real AWS provider on an independent configuration, with the sandbox set by
//! AWS_ENDPOINT_URL alone.

use aws_sdk_codebuild::types::StatusType;
use aws_sdk_s3::primitives::ByteStream;
use thumbctl_test_support::tools::Terraform;
use thumbctl_test_support::{Clients, list_everything, until};

use super::workspace::{REGION, Workspace};

thumbctl_test_support::foreign_tests! {
    [Terraform] async: architecture_is_created_changed_imported_and_destroyed;
}

async fn architecture_is_created_changed_imported_and_destroyed() {
    let terraform = match Terraform::find() {
        Ok(terraform) => terraform,
        Err(why) => return println!("skipped: {why}"),
    };
    let (workspace, sandbox) = Workspace::new(terraform);
    let clients = sandbox.clients_in(REGION);

    workspace.apply("build", 1);
    build(&clients, &workspace.output("project")).await;
    workspace.apply("run", 1);
    workspace.assert_unchanged("run", 1);
    assert_creates_thumbnails(&clients, &workspace).await;

    // A second round updates in place, and replaces nothing but the lifecycle policy, which
    // the provider always replaces.
    assert_eq!(workspace.apply("run", 2), "Apply complete! Resources: 1 added, 26 changed, 1 destroyed.");

    // A lost state is rebuilt by the resources' ids. Settings that only terraform has (`force_destroy` and the
    // like) are written into its state; no resource differs from its configuration.
    workspace.forget();
    workspace.add_folder("imports");
    assert_eq!(workspace.apply("run", 2), "Apply complete! Resources: 30 imported, 0 added, 6 changed, 0 destroyed.");
    workspace.assert_unchanged("run", 2);

    workspace.destroy("run", 2);
    let mut left = list_everything(&clients, "").await;
    // On AWS too, a project's builds are not deleted with it.
    left.retain(|thing| !thing.starts_with("build "));
    assert!(left.is_empty(), "{left:#?}");

    let finished = sandbox.interrupt().ok();
    let missing: Vec<&str> = finished.stdout.lines().filter(|call| call.starts_with('5')).collect();
    assert!(missing.is_empty(), "calls that the sandbox does not support: {missing:#?}");
}

async fn build(clients: &Clients, project: &str) {
    let started = clients.codebuild.start_build().project_name(project).send().await.expect("a build");
    let id = started.build_value.and_then(|build| build.id).expect("an id");
    let build = until("the build's end", || async {
        let builds = clients.codebuild.batch_get_builds().ids(&id).send().await.expect("the build");
        builds.builds.and_then(|builds| builds.into_iter().find(|build| build.build_complete))
    })
    .await;
    assert_eq!(build.build_status, Some(StatusType::Succeeded), "{:#?}", build.phases);
}

async fn assert_creates_thumbnails(clients: &Clients, workspace: &Workspace) {
    let (source, destination) = (workspace.output("source_bucket"), workspace.output("destination_bucket"));
    let (name, content) = thumbctl_deploy::assets::sample_images()[0];
    let put = clients.s3.put_object().bucket(source).key(name).body(ByteStream::from_static(content));
    put.send().await.expect("the upload succeeds");
    let thumbnail = format!("thumb-{name}");
    let head = || clients.s3.head_object().bucket(&destination).key(&thumbnail).send();
    until("the thumbnail", || async { head().await.ok() }).await;
}
