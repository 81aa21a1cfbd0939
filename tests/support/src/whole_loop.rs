//! Shared parts of the tests of whole deployments, for all strategies.

use aws_sdk_s3::primitives::ByteStream;
use thumbctl_core::event::{Event, EventKind, TestUploadStage};
use thumbctl_core::names::Names;
use thumbctl_core::resource::ResourceKind;

use crate::{Clients, Program, list_everything, until};

/// The number of images uploaded at once.
const IMAGES: usize = 20;

/// Writes the sample images into the working directory, and returns their names.
pub fn samples(program: &Program) -> Vec<&'static str> {
    let write = |(name, content): &(&'static str, &[u8])| {
        program.file(name, content);
        *name
    };
    thumbctl_deploy::assets::sample_images().iter().map(write).collect()
}

/// The names of a run's resources.
pub fn names(events: &[Event]) -> Names {
    let started = events.iter().find_map(|event| match &event.kind {
        EventKind::RunStarted(started) => Some(started.names.clone()),
        _ => None,
    });
    started.expect("a run starts with its start event")
}

/// Deploys in the running sandbox, and returns the names.
pub fn deploy(program: &Program) -> Names {
    names(&program.run(["deploy", "--output", "json"]).ok().events())
}

/// Returns whether the cloud is empty.
#[track_caller]
pub fn assert_nothing(left: &[String]) {
    assert!(left.is_empty(), "{left:#?}");
}

/// Asserts that the cloud is empty.
pub async fn assert_nothing_left(clients: &Clients) {
    assert_nothing(&list_everything(clients, "").await);
}

/// Deploys; meanwhile no other command may change the deployment.
pub fn deploy_without_others(program: &Program) -> Names {
    let mut first = program.start(["deploy", "--output", "json"]);
    first.wait_for_event("the run's start", has_begun);
    for second in [&["deploy"][..], &["destroy", "--yes"], &["destroy", "--purge", "--yes"]] {
        let printed = program.run(second).fails_with(1);
        let expected = "error: deployment 'thumbnails' is in use by process ";
        assert!(printed.starts_with(expected) && printed.contains("thumbctl deploy"), "{printed}");
    }
    names(&first.wait().ok().events())
}

/// Whether all of it has become known.
pub fn has_begun(kind: &EventKind) -> bool {
    matches!(kind, EventKind::RunStarted(_))
}

/// Images uploaded at once into a new bucket become thumbnails, each at the first attempt.
pub async fn assert_all_become_thumbnails(clients: &Clients, names: &Names) {
    let (source, destination) = (names.of(ResourceKind::SourceBucket), names.of(ResourceKind::DestinationBucket));
    let image = thumbctl_deploy::assets::sample_images()[0].1;
    let uploads = (0..IMAGES).map(|number| {
        let put = clients.s3.put_object().bucket(&source).key(format!("{number}.jpg"));
        put.body(image.to_vec().into()).send()
    });
    for upload in futures::future::join_all(uploads).await {
        upload.expect("an upload");
    }
    until("all thumbnails", || async {
        let list = clients.s3.list_objects_v2().bucket(&destination).send().await.expect("a listing");
        (list.key_count() == Some(IMAGES as i32)).then_some(())
    })
    .await;
    // No invocation has failed.
    let group = names.of(ResourceKind::FunctionLogGroup);
    let reports = until("all reports", || async {
        let events = clients.logs.filter_log_events().log_group_name(&group).send().await.ok()?;
        let lines = events.events().iter().filter_map(|event| event.message().map(str::to_owned));
        let reports: Vec<String> = lines.filter(|line| line.starts_with("REPORT ")).collect();
        (reports.len() >= IMAGES).then_some(reports)
    })
    .await;
    assert_eq!(reports.len(), IMAGES);
    assert!(reports.iter().all(|report| !report.contains("Status: ")), "{reports:#?}");
}

/// The keys of the stage that an upload's images have reached.
fn keys(events: &[Event], reached: TestUploadStage) -> Vec<&str> {
    events
        .iter()
        .filter_map(|event| match &event.kind {
            EventKind::TestUploadStage { stage, key, .. } if *stage == reached => Some(key.as_str()),
            _ => None,
        })
        .collect()
}

/// Images with unusual names become thumbnails.
pub async fn assert_any_name_is_a_key(program: &Program, clients: &Clients, names: &Names) {
    let files = ["with space.webp", "a+b.webp", "100%.webp", "%41%2F.webp", "grüße-日本-🎈.webp", "q?a=1&b#c.webp"];
    for file in files {
        program.file(file, sample("waves.webp"));
    }
    let uploaded = program.run([&["upload", "--save", "out", "--output", "json"], &files[..]].concat()).ok().events();
    let thumbnails = keys(&uploaded, TestUploadStage::Thumbnail);
    for file in files {
        assert!(thumbnails.iter().any(|key| key.starts_with("thumb-") && key.ends_with(&format!("-{file}"))), "{file}");
        let saved = std::fs::read(program.work_dir().join("out").join(format!("thumb-{file}")));
        assert!(saved.is_ok_and(|saved| saved.starts_with(b"RIFF")), "{file}");
    }

    // Keys that no file name can have.
    let (source, destination) = (names.of(ResourceKind::SourceBucket), names.of(ResourceKind::DestinationBucket));
    let s3 = &clients.s3;
    let keys = ["a/b/c.webp", "/leading", "double//slash", "a b/ü+%/é.webp", "no-extension", "'quo\"ted'<&>.webp"];
    for key in keys {
        let put = s3.put_object().bucket(&source).key(key).body(ByteStream::from_static(sample("waves.webp")));
        put.send().await.expect("the upload succeeds");
    }
    for key in keys {
        let thumbnail = format!("thumb-{key}");
        let found =
            until(&thumbnail, || async { s3.head_object().bucket(&destination).key(&thumbnail).send().await.ok() })
                .await;
        assert_eq!(found.content_type(), Some("image/webp"), "{key}");
    }
}

/// A sample image by its name.
pub fn sample(name: &str) -> &'static [u8] {
    let samples = thumbctl_deploy::assets::sample_images();
    samples.iter().find(|(known, _)| *known == name).expect("the sample exists").1
}
