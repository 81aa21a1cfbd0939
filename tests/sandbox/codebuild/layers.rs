//! Layers and images, uploaded as by the Docker client.

use aws_sdk_ecr::types::ImageIdentifier;
use aws_sdk_s3::error::ProvideErrorMetadata as _;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};
use thumbctl_test_support::Sandbox;

use super::REGION;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn layers_are_uploaded_in_parts_and_verified() {
    let dir = tempfile::tempdir().unwrap();
    let sandbox = Sandbox::on(dir.path());
    let ecr = sandbox.clients_in(REGION).ecr;
    let created = ecr.create_repository().repository_name("team/parts").send().await.unwrap();
    assert_eq!(
        created.repository().unwrap().repository_uri(),
        Some("000000000000.dkr.ecr.eu-west-1.amazonaws.com/team/parts")
    );
    let upload = async || {
        let started = ecr.initiate_layer_upload().repository_name("team/parts").send().await.unwrap();
        started.upload_id().unwrap().to_owned()
    };
    let part = async |id: &str, first: i64, bytes: &[u8]| {
        ecr.upload_layer_part()
            .repository_name("team/parts")
            .upload_id(id)
            .part_first_byte(first)
            .part_last_byte(first + bytes.len() as i64 - 1)
            .layer_part_blob(bytes.to_vec().into())
            .send()
            .await
            .map_err(|error| error.code().unwrap_or_default().to_owned())
    };
    let complete = async |id: &str, digest: &str| {
        ecr.complete_layer_upload()
            .repository_name("team/parts")
            .upload_id(id)
            .layer_digests(digest)
            .send()
            .await
            .map_err(|error| error.code().unwrap_or_default().to_owned())
    };
    let digest = |bytes: &[u8]| format!("sha256:{:x}", Sha256::digest(bytes));

    let id = upload().await;
    part(&id, 0, b"one ").await.unwrap();
    assert_eq!(part(&id, 9, b"late").await.unwrap_err(), "InvalidLayerPartException");
    part(&id, 4, b"two").await.unwrap();
    assert_eq!(complete(&id, &digest(b"other")).await.unwrap_err(), "InvalidLayerException");
    assert_eq!(complete(&id, &digest(b"one two")).await.unwrap_err(), "UploadNotFoundException");

    let manifest = |layer: &[u8]| {
        serde_json::json!({
            "schemaVersion": 2,
            "mediaType": "application/vnd.docker.distribution.manifest.v2+json",
            "config": { "mediaType": "application/vnd.docker.container.image.v1+json", "size": 2, "digest": digest(b"{}") },
            "layers": [{ "mediaType": "application/vnd.docker.image.rootfs.diff.tar", "size": 7, "digest": digest(layer) }],
        })
        .to_string()
    };
    let put = async |tag: &str, text: String| {
        ecr.put_image()
            .repository_name("team/parts")
            .image_tag(tag)
            .image_manifest(text)
            .send()
            .await
            .map_err(|error| error.code().unwrap_or_default().to_owned())
    };
    assert_eq!(put("v1", manifest(b"one two")).await.unwrap_err(), "LayersNotFoundException");
    for bytes in [&b"one two"[..], b"{}"] {
        let id = upload().await;
        part(&id, 0, bytes).await.unwrap();
        complete(&id, &digest(bytes)).await.unwrap();
    }
    put("v1", manifest(b"one two")).await.unwrap();
    assert_eq!(put("v1", manifest(b"one two")).await.unwrap_err(), "ImageAlreadyExistsException");
    put("v2", manifest(b"one two")).await.unwrap();

    // The image survives a kill of the sandbox.
    let password = password(&ecr).await;
    sandbox.kill();
    let sandbox = Sandbox::on(dir.path());
    let ecr = sandbox.clients_in(REGION).ecr;
    let response = ureq::get(format!("{}/v2/team/parts/manifests/v1", sandbox.url))
        .header("authorization", format!("Basic {password}"))
        .call()
        .unwrap()
        .body_mut()
        .read_to_string()
        .unwrap();
    assert_eq!(response, manifest(b"one two"));
    let described = ecr.describe_images().repository_name("team/parts").send().await.unwrap();
    let details = &described.image_details()[0];
    assert_eq!(details.image_tags(), ["v1", "v2"]);
    assert_eq!(details.image_size_in_bytes(), Some(9));
    assert!(details.image_pushed_at().unwrap().secs() > 1_700_000_000);

    // The image is deleted with its last tag.
    for (tag, remaining) in [("v1", 1), ("v2", 0)] {
        let deleted = ecr
            .batch_delete_image()
            .repository_name("team/parts")
            .image_ids(ImageIdentifier::builder().image_tag(tag).build())
            .send()
            .await
            .unwrap();
        assert_eq!(deleted.image_ids().len(), 1);
        let listed = ecr.list_images().repository_name("team/parts").send().await.unwrap();
        assert_eq!(listed.image_ids().len(), remaining);
    }
    ecr.delete_repository().repository_name("team/parts").send().await.unwrap();
}

async fn password(ecr: &aws_sdk_ecr::Client) -> String {
    let response = ecr.get_authorization_token().send().await.unwrap();
    let data = &response.authorization_data()[0];
    let token = data.authorization_token().unwrap().to_owned();
    assert!(STANDARD.decode(&token).unwrap().starts_with(b"AWS:"));
    assert!(data.expires_at().unwrap().secs() > 1_700_000_000);
    token
}
