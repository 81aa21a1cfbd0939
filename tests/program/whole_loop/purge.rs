//! What is left when the journal is lost.

use aws_sdk_s3::types::{Tag, Tagging};

use thumbctl_test_support::whole_loop::{assert_nothing_left, deploy, samples};
use thumbctl_test_support::{Program, list_everything};

#[tokio::test]
async fn purge_deletes_tagged_leftovers_only() {
    let program = Program::new();
    let sandbox = program.sandbox();
    let clients = sandbox.clients();
    let images = samples(&program);
    deploy(&program);
    program.run(["upload", images[0]]).ok();
    std::fs::remove_dir_all(program.state_dir().join("deployments")).expect("the journal is there");
    deploy(&program);
    std::fs::remove_dir_all(program.state_dir().join("deployments")).expect("the journal is there");
    let nothing = program.run(["destroy", "--yes"]).ok().stdout;
    assert!(nothing.contains("thumbctl destroy --purge"), "the hint names --purge: {nothing}");

    let foreign = "thumbnails-deadbeef-source";
    clients.s3.create_bucket().bucket(foreign).send().await.expect("a bucket");
    let tag = Tag::builder().key("thumbctl:deployment").value("another").build().expect("a tag");
    let tags = Tagging::builder().tag_set(tag).build().expect("tags");
    clients.s3.put_bucket_tagging().bucket(foreign).tagging(tags).send().await.expect("a tagged bucket");

    let asked = program.run(["destroy", "--purge"]).fails_with(2);
    assert!(asked.contains("--yes"), "{asked}");
    assert!(list_everything(&clients, "thumbnails-").await.len() > 24, "nothing was done without a yes");
    let purged = program.run(["destroy", "--purge", "--yes"]).ok();
    assert!(purged.stderr.contains(&format!("kept: {foreign}")), "{}", purged.stderr);
    assert_eq!(list_everything(&clients, "").await, [format!("bucket {foreign}")]);
    let again = program.run(["destroy", "--purge", "--yes"]).ok();
    assert!(again.stdout.contains("No resources of deployment 'thumbnails' are left"), "{}", again.stdout);
    clients.s3.delete_bucket().bucket(foreign).send().await.expect("it was left as it was");
    assert_nothing_left(&clients).await;
}

#[tokio::test]
async fn purge_works_with_damaged_journal() {
    let program = Program::new();
    let sandbox = program.sandbox();
    deploy(&program);
    let journal = &program.journals("thumbnails")[0];
    let text = std::fs::read_to_string(journal).expect("a journal");
    std::fs::write(journal, text.replacen("{\"v\":1", "rubbish", 3)).expect("a journal");
    let reported = program.run(["destroy", "--yes"]).fails_with(1);
    assert!(reported.contains("line 1, is not an event") && reported.contains("destroy --purge"), "{reported}");
    program.run(["destroy", "--purge", "--yes"]).ok();
    assert_nothing_left(&sandbox.clients()).await;
}
