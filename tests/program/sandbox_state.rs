//! The sandbox's state: save, load and reset, running or not; and finding the sandbox.

use thumbctl_test_support::{Program, Sandbox, list_everything};

fn thumbnail_arrives(program: &Program) {
    let (name, content) = &thumbctl_deploy::assets::sample_images()[0];
    program.file(name, content);
    program.run(["upload", name, "--save", "thumbnails"]).ok();
}

fn is_ready(program: &Program) -> bool {
    program.run(["status", "--output", "json"]).stdout.contains("\"ready\"")
}

#[test]
fn load_restores_sandbox_with_journal() {
    let program = Program::new();
    program.run(["deploy"]).ok();
    program.run(["sandbox", "save", "step-7"]).ok();
    program.run(["destroy", "--yes"]).ok();
    assert!(!is_ready(&program));
    program.run(["sandbox", "load", "step-7", "--yes"]).ok();
    assert!(is_ready(&program), "status: {}", program.run(["status"]).stdout);
    thumbnail_arrives(&program);
    let listed = program.run(["sandbox", "saved"]);
    assert!(listed.stdout.contains("step-7"), "{}", listed.stdout);
    program.run(["destroy", "--yes"]).ok();
}

#[test]
fn shared_state_file_loads_for_another_user() {
    let (instructor, student) = (Program::new(), Program::new());
    instructor.run(["deploy"]).ok();
    let file = instructor.work_dir().join("step-7.tar.gz");
    let file = file.to_str().expect("a path of text");
    instructor.run(["sandbox", "save", file]).ok();
    student.run(["sandbox", "load", file]).ok();
    thumbnail_arrives(&student);
    student.run(["destroy", "--yes"]).ok();
    instructor.run(["destroy", "--yes"]).ok();
}

#[tokio::test]
async fn running_sandbox_can_be_saved_loaded_and_reset() {
    let program = Program::new();
    let sandbox = program.sandbox();
    let clients = sandbox.clients();
    clients.s3.create_bucket().bucket("kept").send().await.expect("a bucket");
    program.run(["sandbox", "save", "one-bucket"]).ok();
    clients.s3.create_bucket().bucket("late").send().await.expect("a bucket");
    program.run(["sandbox", "load", "one-bucket"]).ok();
    let names = |listed: aws_sdk_s3::operation::list_buckets::ListBucketsOutput| -> Vec<String> {
        listed.buckets().iter().filter_map(|bucket| bucket.name().map(str::to_owned)).collect()
    };
    assert_eq!(names(clients.s3.list_buckets().send().await.expect("buckets")), ["kept"]);
    program.run(["sandbox", "reset", "--yes"]).ok();
    assert_eq!(list_everything(&clients, "").await, Vec::<String>::new());
    sandbox.interrupt().ok();
}

#[test]
fn reset_archives_deployments() {
    let program = Program::new();
    program.run(["deploy"]).ok();
    let refused = program.run(["sandbox", "reset"]);
    assert!(refused.stderr.contains("use --yes"), "{}", refused.stderr);
    program.run(["sandbox", "reset", "--yes"]).ok();
    assert!(!is_ready(&program));
    // A new one begins from nothing.
    program.run(["deploy"]).ok();
    program.run(["destroy", "--yes"]).ok();
}

#[test]
fn invalid_saved_state_is_rejected_without_changes() {
    let program = Program::new();
    program.run(["deploy"]).ok();
    let nonsense = program.file("nonsense.tar.gz", "nonsense");
    for (state, reported) in [
        (nonsense.to_str().expect("a path of text"), "is not a state saved by"),
        ("never-saved", "no saved state at"),
        ("../outside", "a name has up to 64"),
    ] {
        let refused = program.run(["sandbox", "load", state, "--yes"]);
        assert!(refused.code != Some(0) && refused.stderr.contains(reported), "{state}: {}", refused.stderr);
    }
    thumbnail_arrives(&program);
    program.run(["destroy", "--yes"]).ok();
}

#[test]
fn foreground_sandbox_with_other_data_dir_is_found() {
    let program = Program::new();
    let sandbox = Sandbox::start(program.command(["sandbox", "--port", "0", "--ephemeral"]));
    program.run(["deploy"]).ok();
    assert!(sandbox.calls("codebuild", "StartBuild") == 1, "the build ran in the sandbox in the foreground");
    assert!(!program.has_sandbox(), "no other was started");
    program.run(["destroy", "--yes"]).ok();
    sandbox.interrupt().ok();
    program.run(["status"]).ok();
}
