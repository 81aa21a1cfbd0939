//! Repositories and images.

use thumbctl_deploy::aws::{Deleted, ErrorKind, ecr};

use super::moto::Moto;
use super::tags;

thumbctl_test_support::foreign_tests! {
    [Moto] async: image_is_found_by_its_tag_and_deleted_with_its_repository;
}

async fn image_is_found_by_its_tag_and_deleted_with_its_repository() {
    let moto = moto_or_skip!();
    let client = aws_sdk_ecr::Client::new(&moto.config);
    let name = "layer-5-images";
    let created = ecr::create_repository(&client, name, &tags()).await.unwrap();
    let again = ecr::create_repository(&client, name, &tags()).await;
    assert_eq!(again.unwrap_err().kind, ErrorKind::AlreadyExists);
    assert_eq!(ecr::repository(&client, name).await.unwrap(), Some(created.clone()));
    let none = ecr::image_by_tag(&client, name, "latest").await.unwrap();
    assert_eq!(none, None);
    let manifest = serde_json::json!({"schemaVersion": 2,
        "mediaType": "application/vnd.docker.distribution.manifest.v2+json",
        "config": {"mediaType": "application/vnd.docker.container.image.v1+json", "size": 1,
            "digest": format!("sha256:{}", "0".repeat(64))}, "layers": []});
    client
        .put_image()
        .repository_name(name)
        .image_tag("latest")
        .image_manifest(manifest.to_string())
        .send()
        .await
        .unwrap();
    let image = ecr::image_by_tag(&client, name, "latest").await.unwrap();
    assert!(image.unwrap().digest.starts_with("sha256:"));
    let listed = ecr::list_repositories(&client, "layer-5-").await.unwrap();
    assert_eq!((&listed[0].arn, &listed[0].tags), (&created.arn, &tags()));

    let deleted = ecr::delete_repository(&client, name).await.unwrap();
    assert_eq!(deleted, Deleted::Now);
    let deleted = ecr::delete_repository(&client, name).await.unwrap();
    assert_eq!(deleted, Deleted::AlreadyGone);
    let none = ecr::image_by_tag(&client, name, "latest").await.unwrap();
    assert_eq!(none, None);
}
