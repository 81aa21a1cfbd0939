//! Buckets and objects.

use aws_sdk_s3::types::{BucketVersioningStatus, VersioningConfiguration};
use futures::stream::{self, StreamExt, TryStreamExt};
use thumbctl_deploy::aws::s3::{self, BucketPresence, Emptied};
use thumbctl_deploy::aws::{Deleted, ErrorKind};
use tokio_util::sync::CancellationToken;

use super::moto::{self, Moto};
use super::tags;

thumbctl_test_support::foreign_tests! {
    [Moto] async: bucket_is_created_protected_found_and_deleted,
        us_east_1_has_no_location_constraint,
        bucket_with_pages_of_versions_markers_and_uploads_is_emptied,
        uploaded_files_are_downloaded_unchanged,
        undeletable_key_is_named_and_the_others_are_deleted;
}

async fn bucket_is_created_protected_found_and_deleted() {
    let moto = moto_or_skip!();
    let client = aws_sdk_s3::Client::from_conf(moto.s3());
    let bucket = "layer-1-source";
    assert_eq!(s3::head_bucket(&client, bucket).await.unwrap(), BucketPresence::Missing);
    s3::create_bucket(&client, bucket, moto::REGION).await.unwrap();
    s3::wait_usable(&client, bucket, &CancellationToken::new(), &mut |_| {}).await.unwrap();
    s3::put_bucket_tags(&client, bucket, &tags()).await.unwrap();
    s3::block_public_access(&client, bucket).await.unwrap();
    s3::encrypt_bucket(&client, bucket).await.unwrap();

    let again = s3::create_bucket(&client, bucket, moto::REGION).await;
    assert_eq!(again.unwrap_err().kind, ErrorKind::AlreadyOwned);
    let location = client.get_bucket_location().bucket(bucket).send().await;
    let location = location.unwrap().location_constraint.unwrap();
    assert_eq!(location.as_str(), moto::REGION);
    let listed = s3::list_buckets(&client, "layer-1-", moto::REGION).await.unwrap();
    assert_eq!(listed.len(), 1);
    assert_eq!((&listed[0].name[..], &listed[0].tags), (bucket, &tags()));

    assert_eq!(s3::delete_bucket(&client, bucket).await.unwrap(), Deleted::Now);
    assert_eq!(s3::delete_bucket(&client, bucket).await.unwrap(), Deleted::AlreadyGone);
    assert_eq!(s3::notification(&client, bucket).await.unwrap(), None);
}

async fn us_east_1_has_no_location_constraint() {
    let moto = moto_or_skip!();
    let config = moto.s3().to_builder();
    let config = config.region(aws_sdk_s3::config::Region::new("us-east-1"));
    let client = aws_sdk_s3::Client::from_conf(config.build());
    s3::create_bucket(&client, "layer-east", "us-east-1").await.unwrap();
    // Creating an owned bucket again is no error on AWS there.
    s3::delete_bucket(&client, "layer-east").await.unwrap();
}

async fn bucket_with_pages_of_versions_markers_and_uploads_is_emptied() {
    const KEYS: u64 = 1_050;
    const REMOVED: u64 = 20;
    let moto = moto_or_skip!();
    let client = aws_sdk_s3::Client::from_conf(moto.s3());
    let bucket = "layer-2-source";
    s3::create_bucket(&client, bucket, moto::REGION).await.unwrap();
    let versioning = VersioningConfiguration::builder().status(BucketVersioningStatus::Enabled).build();
    client.put_bucket_versioning().bucket(bucket).versioning_configuration(versioning).send().await.unwrap();
    stream::iter(0..KEYS)
        .map(|number| {
            let client = &client;
            async move {
                let key = format!("a b/{number}+ä&<.jpg");
                s3::put_object_bytes(client, bucket, &key, "x", "image/jpeg").await
            }
        })
        .buffer_unordered(16)
        .try_collect::<Vec<()>>()
        .await
        .unwrap();
    for number in 0..REMOVED {
        let key = format!("a b/{number}+ä&<.jpg");
        client.delete_object().bucket(bucket).key(&key).send().await.unwrap();
    }
    for key in ["unfinished", "unfinished too"] {
        let upload = client.create_multipart_upload().bucket(bucket).key(key);
        upload.send().await.unwrap();
    }

    let refused = s3::delete_bucket(&client, bucket).await.unwrap_err();
    assert_eq!(refused.kind, ErrorKind::Conflict);
    let mut counts = Vec::new();
    let emptied = s3::empty_bucket(&client, bucket, &mut |so_far| counts.push(so_far)).await.unwrap();
    let all = Emptied { objects: KEYS + REMOVED, uploads: 2 };
    assert_eq!(emptied, all);
    assert_eq!(counts.last(), Some(&all));
    assert!(counts[0].objects <= 1_000, "{counts:?}");
    assert_eq!(s3::delete_bucket(&client, bucket).await.unwrap(), Deleted::Now);
    // A missing bucket is empty.
    assert_eq!(s3::empty_bucket(&client, bucket, &mut |_| {}).await.unwrap(), Emptied::default());
    assert_eq!(s3::empty_and_delete_bucket(&client, bucket, &mut |_| {}).await.unwrap(), Deleted::AlreadyGone);
}

async fn uploaded_files_are_downloaded_unchanged() {
    let moto = moto_or_skip!();
    let client = aws_sdk_s3::Client::from_conf(moto.s3());
    let bucket = "layer-3-source";
    s3::create_bucket(&client, bucket, moto::REGION).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let (sent, came) = (folder.path().join("sent.png"), folder.path().join("came"));
    let bytes: Vec<u8> = (0..3_000_000_u32).map(|n| (n % 251) as u8).collect();
    std::fs::write(&sent, &bytes).unwrap();

    let key = "holiday/ä b+c%20.png";
    s3::put_object_from_file(&client, bucket, key, &sent, "image/png").await.unwrap();
    let head = s3::head_object(&client, bucket, key).await.unwrap();
    let head = head.unwrap();
    assert_eq!(head.size, 3_000_000);
    assert_eq!(head.content_type.as_deref(), Some("image/png"));
    let size = s3::get_object_to_file(&client, bucket, key, &came).await.unwrap();
    assert_eq!(size, 3_000_000);
    assert!(std::fs::read(&came).unwrap() == bytes);
    let listed = s3::list_objects(&client, bucket, "holiday/").await.unwrap();
    assert_eq!(listed[0].key, key);

    // Missing files and objects.
    assert_eq!(s3::head_object(&client, bucket, "other").await.unwrap(), None);
    let missing = s3::get_object_to_file(&client, bucket, "other", &folder.path().join("x")).await;
    assert_eq!(missing.unwrap_err().kind, ErrorKind::NotFound);
    let missing = folder.path().join("missing.png");
    let missing = s3::put_object_from_file(&client, bucket, key, &missing, "image/png").await;
    assert_eq!(missing.unwrap_err().kind, ErrorKind::File);
    let nowhere = folder.path().join("no/folder/came");
    let nowhere = s3::get_object_to_file(&client, bucket, key, &nowhere).await;
    assert_eq!(nowhere.unwrap_err().kind, ErrorKind::File);

    s3::empty_and_delete_bucket(&client, bucket, &mut |_| {}).await.unwrap();
}

async fn undeletable_key_is_named_and_the_others_are_deleted() {
    const KEYS: usize = 1_003;
    let moto = moto_or_skip!();
    let client = aws_sdk_s3::Client::from_conf(moto.s3());
    let bucket = "layer-9-source";
    client
        .create_bucket()
        .bucket(bucket)
        .object_lock_enabled_for_bucket(true)
        .create_bucket_configuration(
            aws_sdk_s3::types::CreateBucketConfiguration::builder().location_constraint(moto::REGION.into()).build(),
        )
        .send()
        .await
        .unwrap();
    stream::iter(0..KEYS)
        .map(|number| {
            let client = &client;
            async move {
                let key = format!("{number:04}");
                s3::put_object_bytes(client, bucket, &key, "x", "image/jpeg").await
            }
        })
        .buffer_unordered(16)
        .try_collect::<Vec<()>>()
        .await
        .unwrap();
    client
        .put_object_legal_hold()
        .bucket(bucket)
        .key("0001")
        .legal_hold(
            aws_sdk_s3::types::ObjectLockLegalHold::builder()
                .status(aws_sdk_s3::types::ObjectLockLegalHoldStatus::On)
                .build(),
        )
        .send()
        .await
        .unwrap();
    let error = s3::empty_bucket(&client, bucket, &mut |_| {}).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Denied, "{error}");
    assert!(error.to_string().contains("1 object could not be deleted: 0001 (AccessDenied"), "{error}");
    let left = s3::list_objects(&client, bucket, "").await.unwrap();
    assert_eq!(left.len(), 1, "{left:?}");
}
