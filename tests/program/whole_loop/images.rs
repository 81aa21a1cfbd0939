//! Images with unusual names, and images without a possible thumbnail.

use thumbctl_core::event::{EventKind, TestUploadStage};
use thumbctl_core::resource::ResourceKind;

use thumbctl_test_support::Program;
use thumbctl_test_support::whole_loop::{assert_any_name_is_a_key, assert_nothing_left, deploy, samples};

const PICTURE: &str = "waves.webp";

#[tokio::test]
async fn any_file_name_is_valid_key() {
    let program = Program::new();
    let sandbox = program.sandbox();
    let names = deploy(&program);
    assert_any_name_is_a_key(&program, &sandbox.clients(), &names).await;
    program.run(["destroy", "--yes"]).ok();
    assert_nothing_left(&sandbox.clients()).await;
}

/// The header of a PNG of 30000 x 30000 pixels, and hardly anything behind it.
fn bomb() -> Vec<u8> {
    let mut file = b"\x89PNG\r\n\x1a\n".to_vec();
    let side = 30_000_u32.to_be_bytes();
    let header = [&side[..], &side[..], &[8, 2, 0, 0, 0]].concat();
    for (kind, content) in [(b"IHDR", &header[..]), (b"IDAT", b"\x78\x9c\x03\x00\x00\x00\x00\x01"), (b"IEND", b"")] {
        file.extend((content.len() as u32).to_be_bytes());
        let mut checksum = flate2::Crc::new();
        for part in [&kind[..], content] {
            checksum.update(part);
            file.extend(part);
        }
        file.extend(checksum.sum().to_be_bytes());
    }
    file
}

#[tokio::test]
async fn failed_invocation_reports_reason_and_function_recovers() {
    let program = Program::new();
    let sandbox = program.sandbox();
    let names = deploy(&program);
    samples(&program);
    // Lambda tries a failed event twice more. One of these would keep the warm process busy at some moment of its own.
    let lambda = sandbox.clients().lambda;
    let config = lambda.put_function_event_invoke_config().function_name(names.of(ResourceKind::Function));
    config.maximum_retry_attempts(0).send().await.expect("retries can be turned off");
    let whole = std::fs::read(program.work_dir().join("mountains.jpg")).expect("a sample");
    program.file("cut.jpg", &whole[..whole.len() / 2]);
    program.file("bomb.png", bomb());

    let cut = program.run(["upload", "cut.jpg"]).fails_with(1);
    assert!(cut.contains("cut short") && cut.contains("cut.jpg"), "{cut}");
    assert!(cut.contains("hint: `thumbctl logs function` shows its log"), "{cut}");
    let bomb = program.run(["upload", "bomb.png"]).fails_with(1);
    assert!(bomb.contains("30000 x 30000") && bomb.contains("too large"), "{bomb}");

    let next = program.run(["upload", PICTURE, "--output", "json"]).ok().events();
    let cold: Vec<bool> = next
        .iter()
        .filter_map(|event| match event.kind {
            EventKind::TestUploadStage { stage: TestUploadStage::Invoked, cold, .. } => cold,
            _ => None,
        })
        .collect();
    assert_eq!(cold, [false], "the failed process is reused");

    // A failed image does not block others.
    let mixed = program.run(["upload", "--save", "mixed", "cut.jpg", PICTURE]).fails_with(1);
    assert!(mixed.contains("cut short"), "{mixed}");
    assert!(program.work_dir().join("mixed/thumb-waves.webp").exists());
    program.run(["destroy", "--yes"]).ok();
    assert_nothing_left(&sandbox.clients()).await;
}
