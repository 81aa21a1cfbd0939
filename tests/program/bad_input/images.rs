//! Files that cannot be sent.

use std::fs::File;

use thumbctl_test_support::Program;

use super::picture;

#[test]
fn invalid_images_are_rejected_before_upload() {
    let program = Program::new();
    let sandbox = program.sandbox();
    program.run(["deploy"]).ok();
    let good = picture(&program);
    program.file("empty.jpg", "");
    program.file("text.jpg", "hello, world");
    program.file("folder/inside", "");
    program.file("file", "");
    let huge = program.file("huge.jpg", [0xff, 0xd8, 0xff, 0xe0]);
    // A sparse file.
    let five_gb = 5 * 1024 * 1024 * 1024;
    File::options().write(true).open(huge).and_then(|file| file.set_len(five_gb)).expect("a sparse file");
    program.around("mkfifo", ["pipe.jpg"]).status().expect("mkfifo");

    let sent = sandbox.calls("s3", "PutObject");
    for (image, expected) in [
        ("missing.jpg", "cannot read the image missing.jpg: No such file"),
        ("empty.jpg", "the image empty.jpg is empty"),
        ("text.jpg", "text.jpg is not a JPEG, PNG, GIF or WebP image"),
        ("folder", "folder is a directory, not an image\nhint: pass its images: thumbctl upload folder/*"),
        ("huge.jpg", "the image huge.jpg has 5120 MB, the function's limit is 128 MB\nhint: "),
        ("pipe.jpg", "pipe.jpg is not a file"),
        ("/dev/null", "/dev/null is not a file"),
    ] {
        let reported = program.run(["upload", good, image]).fails_with(1);
        assert!(reported.starts_with(&format!("error: {expected}")), "{reported}");
    }
    let reported = program.run(["upload", "--save", "file", good]).fails_with(1);
    assert!(reported.starts_with("error: cannot save thumbnails in file: "), "{reported}");
    assert_eq!(sandbox.calls("s3", "PutObject"), sent, "not even the good one was sent");

    let reported = program.run(["upload", "--save", "out", good]).ok().stderr;
    assert_eq!(reported, "", "all is well after it");
    program.run(["destroy", "--yes"]).ok();
}

#[test]
fn upload_needs_complete_deployment() {
    let program = Program::new();
    let good = picture(&program);
    let printed = program.run(["upload", good]).fails_with(1);
    assert!(
        printed.starts_with("error: there is no deployment 'thumbnails'\nhint: `thumbctl deploy` creates it"),
        "{printed}"
    );
    let sandbox = program.sandbox_with_faults(
        r#"[{"service":"lambda","operation":"CreateFunction","kind":"error","status":403,"code":"AccessDeniedException","message":"no"}]"#,
    );
    program.run(["deploy"]).fails_with(1);
    let reported = program.run(["upload", good]).fails_with(1);
    assert!(reported.starts_with("error: deployment 'thumbnails' is not complete: "), "{reported}");
    program.run(["destroy", "--yes"]).ok();
    sandbox.kill();
}
