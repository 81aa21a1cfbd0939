//! Many images at once.

use thumbctl::names::Names;
use thumbctl::resource::ResourceKind;

use crate::common::{Clients, Program, until};
use crate::{assert_nothing_left, deploy};

/// As many as the console would have to be patient for.
const IMAGES: usize = 20;

#[tokio::test]
async fn twenty_images_at_once_become_twenty_thumbnails() {
    let program = Program::new();
    let joined = program.join().await;
    let clients = &joined.clients;
    let names = deploy(&program);
    assert_all_become_thumbnails(clients, &names).await;
    program.run(["destroy", "--yes"]).ok();
    assert_nothing_left(clients).await;
}

/// Images that are put at once into a bucket that had none before become thumbnails, each at the first attempt.
pub(crate) async fn assert_all_become_thumbnails(clients: &Clients, names: &Names) {
    let (source, destination) = (names.of(ResourceKind::SourceBucket), names.of(ResourceKind::DestinationBucket));
    let image = thumbctl::assets::sample_images()[0].1;
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
    // Each by its first attempt: none has failed on the way.
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
