//! Images: strange names, and those of which no thumbnail can be made.

use aws_sdk_s3::primitives::ByteStream;
use thumbctl::event::{Event, EventKind, TrialStage};
use thumbctl::names::Names;
use thumbctl::resource::ResourceKind;

use crate::common::{Clients, Program, until};
use crate::{assert_nothing_left, deploy, samples};

const PICTURE: &str = "waves.webp";

fn picture() -> &'static [u8] {
    let samples = thumbctl::assets::sample_images();
    samples.iter().find(|(name, _)| *name == PICTURE).expect("it is one of the samples").1
}

/// The keys of the stage that an upload's images reached.
fn keys(events: &[Event], reached: TrialStage) -> Vec<&str> {
    events
        .iter()
        .filter_map(|event| match &event.kind {
            EventKind::TrialStage { stage, key, .. } if *stage == reached => Some(key.as_str()),
            _ => None,
        })
        .collect()
}

#[tokio::test]
async fn any_name_of_a_file_is_a_key() {
    let program = Program::new();
    let sandbox = program.sandbox();
    let names = deploy(&program);
    assert_any_name_is_a_key(&program, &sandbox.clients(), &names).await;
    program.run(["destroy", "--yes"]).ok();
    assert_nothing_left(&sandbox.clients()).await;
}

/// Images of strange names become thumbnails.
pub(crate) async fn assert_any_name_is_a_key(program: &Program, clients: &Clients, names: &Names) {
    let files = ["with space.webp", "a+b.webp", "100%.webp", "%41%2F.webp", "grüße-日本-🎈.webp", "q?a=1&b#c.webp"];
    for file in files {
        program.file(file, picture());
    }
    let uploaded = program.run([&["upload", "--save", "out", "--output", "json"], &files[..]].concat()).ok().events();
    let thumbnails = keys(&uploaded, TrialStage::Thumbnail);
    for file in files {
        assert!(thumbnails.iter().any(|key| key.starts_with("thumb-") && key.ends_with(&format!("-{file}"))), "{file}");
        let saved = std::fs::read(program.work_dir().join("out").join(format!("thumb-{file}")));
        assert!(saved.is_ok_and(|saved| saved.starts_with(b"RIFF")), "{file}");
    }

    // Keys that no file can have.
    let (source, destination) = (names.of(ResourceKind::SourceBucket), names.of(ResourceKind::DestinationBucket));
    let s3 = &clients.s3;
    let keys = ["a/b/c.webp", "/leading", "double//slash", "a b/ü+%/é.webp", "no-extension", "'quo\"ted'<&>.webp"];
    for key in keys {
        let put = s3.put_object().bucket(&source).key(key).body(ByteStream::from_static(picture()));
        put.send().await.expect("it can be put");
    }
    for key in keys {
        let thumbnail = format!("thumb-{key}");
        let found =
            until(&thumbnail, || async { s3.head_object().bucket(&destination).key(&thumbnail).send().await.ok() })
                .await;
        assert_eq!(found.content_type(), Some("image/webp"), "{key}");
    }
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
async fn a_function_that_fails_says_why_and_lives_on() {
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
            EventKind::TrialStage { stage: TrialStage::Invoked, cold, .. } => cold,
            _ => None,
        })
        .collect();
    assert_eq!(cold, [false], "the process that failed is the one that goes on");

    // One that fails keeps none of the others back.
    let mixed = program.run(["upload", "--save", "mixed", "cut.jpg", PICTURE]).fails_with(1);
    assert!(mixed.contains("cut short"), "{mixed}");
    assert!(program.work_dir().join("mixed/thumb-waves.webp").exists());
    program.run(["destroy", "--yes"]).ok();
    assert_nothing_left(&sandbox.clients()).await;
}
