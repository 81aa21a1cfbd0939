//! S3 of the sandbox, with the SDK.

use std::time::Duration;

use aws_sdk_s3::presigning::PresigningConfig;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{
    BucketLocationConstraint, BucketVersioningStatus, ChecksumAlgorithm, CompletedMultipartUpload, CompletedPart,
    CreateBucketConfiguration, Delete, EncodingType, MetadataDirective, ObjectIdentifier,
    PublicAccessBlockConfiguration, ServerSideEncryption, ServerSideEncryptionByDefault,
    ServerSideEncryptionConfiguration, ServerSideEncryptionRule, Tag, Tagging, VersioningConfiguration,
};
use thumbctl_test_support::in_process::{Sandbox, code, config_with_keys, s3};

async fn body(client: &aws_sdk_s3::Client, bucket: &str, key: &str) -> Vec<u8> {
    let got = client.get_object().bucket(bucket).key(key).send().await.unwrap();
    got.body.collect().await.unwrap().to_vec()
}

const UNUSUAL_KEYS: [&str; 15] = [
    "plain.jpg",
    "with space.jpg",
    "a+b.jpg",
    "100%.jpg",
    "100%25.jpg",
    "dir/file.jpg",
    "dir//file.jpg",
    "dir/./file.jpg",
    "../../etc/passwd",
    "..",
    "/leading",
    "trailing/",
    "фото/日本 🦀.jpg",
    "a&b=c?d#e<f>'g\"h",
    "new\nline\ttab",
];

#[tokio::test]
async fn every_key_is_valid() {
    let sandbox = Sandbox::ephemeral().await;
    let client = sandbox.s3();
    client.create_bucket().bucket("keys").send().await.unwrap();
    let long = "ключ/".repeat(112) + "1234567890123456";
    assert_eq!(long.len(), 1024);
    let mut keys: Vec<&str> = UNUSUAL_KEYS.to_vec();
    keys.push(&long);
    for key in &keys {
        let put = client.put_object().bucket("keys").key(*key).body(ByteStream::from(key.as_bytes().to_vec()));
        put.send().await.unwrap();
    }
    for key in &keys {
        assert_eq!(body(&client, "keys", key).await, key.as_bytes(), "{key}");
    }
    for encoding in [None, Some(EncodingType::Url)] {
        let listed = client.list_objects_v2().bucket("keys").set_encoding_type(encoding.clone()).send().await.unwrap();
        let mut found: Vec<String> = listed.contents().iter().map(|object| object.key().unwrap().to_owned()).collect();
        if encoding.is_some() {
            for key in &mut found {
                *key = percent_encoding::percent_decode_str(key).decode_utf8().unwrap().into_owned();
            }
        }
        let mut expected: Vec<String> = keys.iter().map(|key| (*key).to_owned()).collect();
        expected.sort();
        assert_eq!(found, expected);
    }
    let mut delete = Delete::builder();
    for key in &keys {
        delete = delete.objects(ObjectIdentifier::builder().key(*key).build().unwrap());
    }
    let deleted = client.delete_objects().bucket("keys").delete(delete.build().unwrap()).send().await.unwrap();
    assert_eq!(deleted.deleted().len(), keys.len());
    client.delete_bucket().bucket("keys").send().await.unwrap();
    let too_long = client.put_object().bucket("keys").key("k".repeat(1025)).send().await;
    assert_eq!(code(too_long), "KeyTooLongError");
    sandbox.stop().await;
}

#[tokio::test]
async fn second_put_replaces_first() {
    let sandbox = Sandbox::ephemeral().await;
    let client = sandbox.s3();
    client.create_bucket().bucket("twice").send().await.unwrap();
    for text in ["one", "two"] {
        let put = client
            .put_object()
            .bucket("twice")
            .key("k")
            .content_type("text/plain")
            .cache_control("no-store")
            .metadata("name", text)
            .tagging("a=1&b=x%20y")
            .body(ByteStream::from_static(text.as_bytes()));
        let etag = put.send().await.unwrap().e_tag.unwrap();
        let head = client.head_object().bucket("twice").key("k").send().await.unwrap();
        assert_eq!(head.e_tag.unwrap(), etag);
        assert_eq!(head.content_type.unwrap(), "text/plain");
        assert_eq!(head.cache_control.unwrap(), "no-store");
        assert_eq!(head.metadata.unwrap()["name"], text);
        assert_eq!(head.content_length.unwrap(), 3);
        assert_eq!(body(&client, "twice", "k").await, text.as_bytes());
    }
    let tags = client.get_object_tagging().bucket("twice").key("k").send().await.unwrap();
    assert_eq!(tags.tag_set()[1].value(), "x y");
    let part = client.get_object().bucket("twice").key("k").range("bytes=1-").send().await.unwrap();
    assert_eq!(part.content_range().unwrap(), "bytes 1-2/3");
    assert_eq!(part.body.collect().await.unwrap().to_vec(), b"wo");
    assert_eq!(code(client.get_object().bucket("twice").key("k").range("bytes=9-").send().await), "InvalidRange");
    assert_eq!(code(client.get_object().bucket("twice").key("none").send().await), "NoSuchKey");
    assert_eq!(code(client.get_object().bucket("none").key("k").send().await), "NoSuchBucket");
    assert_eq!(code(client.head_object().bucket("twice").key("none").send().await), "NotFound");
    assert_eq!(
        code(client.put_object().bucket("twice").key("k").if_none_match("*").send().await),
        "PreconditionFailed"
    );
    client
        .copy_object()
        .bucket("twice")
        .key("copy")
        .copy_source("twice/k")
        .metadata_directive(MetadataDirective::Copy)
        .send()
        .await
        .unwrap();
    assert_eq!(body(&client, "twice", "copy").await, b"two");
    sandbox.stop().await;
}

#[tokio::test]
async fn listings_paginate_and_group_prefixes() {
    let sandbox = Sandbox::ephemeral().await;
    let client = sandbox.s3();
    client.create_bucket().bucket("many").send().await.unwrap();
    let mut puts = tokio::task::JoinSet::new();
    for number in 0..1203 {
        let put = client.put_object().bucket("many").key(format!("d{}/{number:04}", number % 3));
        puts.spawn(async move { put.send().await.unwrap() });
        if puts.len() > 20 {
            puts.join_next().await;
        }
    }
    puts.join_all().await;
    let mut pages = client.list_objects_v2().bucket("many").into_paginator().send();
    let (mut keys, mut count) = (Vec::new(), 0);
    while let Some(page) = pages.next().await {
        count += 1;
        keys.extend(page.unwrap().contents().iter().map(|object| object.key().unwrap().to_owned()));
    }
    assert_eq!((keys.len(), count), (1203, 2));
    assert!(keys.is_sorted());
    let top = client.list_objects_v2().bucket("many").delimiter("/").max_keys(2).send().await.unwrap();
    let prefixes: Vec<&str> = top.common_prefixes().iter().filter_map(|prefix| prefix.prefix()).collect();
    assert_eq!(prefixes, ["d0/", "d1/"]);
    let rest = client
        .list_objects_v2()
        .bucket("many")
        .delimiter("/")
        .continuation_token(top.next_continuation_token().unwrap())
        .send()
        .await
        .unwrap();
    let prefixes: Vec<&str> = rest.common_prefixes().iter().filter_map(|prefix| prefix.prefix()).collect();
    assert_eq!((prefixes, rest.is_truncated()), (vec!["d2/"], Some(false)));
    let first = client.list_objects().bucket("many").prefix("d1/").max_keys(300).send().await.unwrap();
    let second =
        client.list_objects().bucket("many").prefix("d1/").marker(first.next_marker().unwrap()).send().await.unwrap();
    assert_eq!((first.contents().len(), second.contents().len()), (300, 101));
    assert_eq!(code(client.delete_bucket().bucket("many").send().await), "BucketNotEmpty");
    sandbox.stop().await;
}

#[tokio::test]
async fn versions_and_delete_markers_are_kept_until_deleted() {
    let sandbox = Sandbox::ephemeral().await;
    let client = sandbox.s3();
    client.create_bucket().bucket("old").send().await.unwrap();
    let put = |text: &'static str| {
        client.put_object().bucket("old").key("k").body(ByteStream::from_static(text.as_bytes())).send()
    };
    put("zero").await.unwrap();
    let on = VersioningConfiguration::builder().status(BucketVersioningStatus::Enabled).build();
    client.put_bucket_versioning().bucket("old").versioning_configuration(on).send().await.unwrap();
    let one = put("one").await.unwrap().version_id.unwrap();
    put("two").await.unwrap();
    let marker = client.delete_object().bucket("old").key("k").send().await.unwrap();
    assert_eq!(marker.delete_marker(), Some(true));
    assert_eq!(code(client.get_object().bucket("old").key("k").send().await), "NoSuchKey");
    let old = client.get_object().bucket("old").key("k").version_id(&one).send().await.unwrap();
    assert_eq!(old.body.collect().await.unwrap().to_vec(), b"one");
    let old = client.get_object().bucket("old").key("k").version_id("null").send().await.unwrap();
    assert_eq!(old.body.collect().await.unwrap().to_vec(), b"zero");
    assert!(client.list_objects_v2().bucket("old").send().await.unwrap().contents().is_empty());
    assert_eq!(code(client.delete_bucket().bucket("old").send().await), "BucketNotEmpty");
    // In pages of two.
    let (mut found, mut key, mut id) = (Vec::new(), None, None);
    loop {
        let page = client
            .list_object_versions()
            .bucket("old")
            .max_keys(2)
            .set_key_marker(key)
            .set_version_id_marker(id)
            .send()
            .await
            .unwrap();
        found.extend(page.versions().iter().map(|v| (v.key().unwrap().to_owned(), v.version_id().unwrap().to_owned())));
        found.extend(
            page.delete_markers().iter().map(|v| (v.key().unwrap().to_owned(), v.version_id().unwrap().to_owned())),
        );
        if page.is_truncated() != Some(true) {
            break;
        }
        (key, id) = (page.next_key_marker, page.next_version_id_marker);
    }
    assert_eq!(found.len(), 4);
    let mut delete = Delete::builder();
    for (key, id) in found {
        delete = delete.objects(ObjectIdentifier::builder().key(key).version_id(id).build().unwrap());
    }
    client.delete_objects().bucket("old").delete(delete.build().unwrap()).send().await.unwrap();
    client.delete_bucket().bucket("old").send().await.unwrap();
    sandbox.stop().await;
}

#[tokio::test]
async fn multipart_upload_creates_object() {
    let sandbox = Sandbox::ephemeral().await;
    let client = sandbox.s3();
    client.create_bucket().bucket("parts").send().await.unwrap();
    let create = client.create_multipart_upload().bucket("parts").key("big one").content_type("image/png");
    let id = create.send().await.unwrap().upload_id.unwrap();
    let pieces = [vec![1u8; 5 * 1024 * 1024], vec![2u8; 1000]];
    let mut completed_parts = CompletedMultipartUpload::builder();
    for (number, piece) in (1..).zip(&pieces) {
        let part = client.upload_part().bucket("parts").key("big one").upload_id(&id).part_number(number);
        let part = part.body(ByteStream::from(piece.clone())).send().await.unwrap();
        completed_parts =
            completed_parts.parts(CompletedPart::builder().part_number(number).e_tag(part.e_tag.unwrap()).build());
    }
    let listed = client.list_multipart_uploads().bucket("parts").send().await.unwrap();
    assert_eq!(listed.uploads()[0].key(), Some("big one"));
    let parts = client.list_parts().bucket("parts").key("big one").upload_id(&id).send().await.unwrap();
    assert_eq!(parts.parts().len(), 2);
    let complete = client.complete_multipart_upload().bucket("parts").key("big one").upload_id(&id);
    let complete = complete.multipart_upload(completed_parts.build()).send().await.unwrap();
    assert!(complete.e_tag().unwrap().ends_with("-2\""), "{:?}", complete.e_tag());
    assert_eq!(body(&client, "parts", "big one").await, pieces.concat());
    let head = client.head_object().bucket("parts").key("big one").send().await.unwrap();
    assert_eq!(head.content_type(), Some("image/png"));
    // An incomplete upload does not block deletion of its bucket.
    client.delete_object().bucket("parts").key("big one").send().await.unwrap();
    let id = client.create_multipart_upload().bucket("parts").key("x").send().await.unwrap().upload_id.unwrap();
    client.abort_multipart_upload().bucket("parts").key("x").upload_id(&id).send().await.unwrap();
    assert_eq!(
        code(client.abort_multipart_upload().bucket("parts").key("x").upload_id(&id).send().await),
        "NoSuchUpload"
    );
    client.create_multipart_upload().bucket("parts").key("y").send().await.unwrap();
    client.delete_bucket().bucket("parts").send().await.unwrap();
    sandbox.stop().await;
}

#[tokio::test]
async fn buckets_follow_region_rules() {
    let sandbox = Sandbox::ephemeral().await;
    let (virginia, frankfurt) = (sandbox.s3(), s3(&sandbox.endpoint, "eu-central-1"));
    let constraint = |region: &str| {
        CreateBucketConfiguration::builder().location_constraint(BucketLocationConstraint::from(region)).build()
    };
    virginia.create_bucket().bucket("here").send().await.unwrap();
    virginia.create_bucket().bucket("here").send().await.unwrap();
    assert_eq!(code(frankfurt.create_bucket().bucket("there").send().await), "IllegalLocationConstraintException");
    let create = || frankfurt.create_bucket().bucket("there").create_bucket_configuration(constraint("eu-central-1"));
    create().send().await.unwrap();
    assert_eq!(code(create().send().await), "BucketAlreadyOwnedByYou");
    assert_eq!(
        code(virginia.create_bucket().bucket("x-x").create_bucket_configuration(constraint("us-east-1")).send().await),
        "InvalidLocationConstraint"
    );
    assert_eq!(code(virginia.create_bucket().bucket("Bad_Name").send().await), "InvalidBucketName");
    let location = frankfurt.get_bucket_location().bucket("there").send().await.unwrap();
    assert_eq!(location.location_constraint().unwrap().as_str(), "eu-central-1");
    let location = virginia.get_bucket_location().bucket("here").send().await.unwrap();
    assert!(location.location_constraint().is_none_or(|region| region.as_str().is_empty()));
    assert_eq!(virginia.list_buckets().send().await.unwrap().buckets().len(), 2);
    virginia.head_bucket().bucket("here").send().await.unwrap();
    assert_eq!(code(virginia.head_bucket().bucket("nowhere").send().await), "NotFound");
    sandbox.stop().await;
}

#[tokio::test]
async fn s3_state_survives_restart() {
    let dir = tempfile::tempdir().unwrap();
    let sandbox = Sandbox::on(dir.path()).await;
    let client = sandbox.s3();
    client.create_bucket().bucket("kept").send().await.unwrap();
    let rule = ServerSideEncryptionRule::builder()
        .apply_server_side_encryption_by_default(
            ServerSideEncryptionByDefault::builder().sse_algorithm(ServerSideEncryption::Aes256).build().unwrap(),
        )
        .bucket_key_enabled(true)
        .build();
    let encryption = ServerSideEncryptionConfiguration::builder().rules(rule).build().unwrap();
    client
        .put_bucket_encryption()
        .bucket("kept")
        .server_side_encryption_configuration(encryption)
        .send()
        .await
        .unwrap();
    let block = PublicAccessBlockConfiguration::builder().block_public_acls(true).block_public_policy(false).build();
    client.put_public_access_block().bucket("kept").public_access_block_configuration(block).send().await.unwrap();
    let tags = Tagging::builder().tag_set(Tag::builder().key("a").value("<&>").build().unwrap()).build().unwrap();
    client.put_bucket_tagging().bucket("kept").tagging(tags).send().await.unwrap();
    let policy = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Principal":"*","Action":"s3:*","Resource":"arn:aws:s3:::kept/x"}]}"#;
    client.put_bucket_policy().bucket("kept").policy(policy).send().await.unwrap();
    let put = client.put_object().bucket("kept").key("фото 1").tagging("t=1").metadata("m", "v");
    put.body(ByteStream::from_static(b"bytes")).send().await.unwrap();
    let id = client.create_multipart_upload().bucket("kept").key("u").send().await.unwrap().upload_id.unwrap();
    let part = client.upload_part().bucket("kept").key("u").upload_id(&id).part_number(1);
    let part = part.body(ByteStream::from_static(b"part")).send().await.unwrap();
    let old = client;
    sandbox.stop().await;

    let sandbox = Sandbox::on(dir.path()).await;
    let client = sandbox.s3();
    assert!(old.list_buckets().send().await.is_err());
    assert_eq!(body(&client, "kept", "фото 1").await, b"bytes");
    let head = client.head_object().bucket("kept").key("фото 1").send().await.unwrap();
    assert_eq!(head.metadata().unwrap()["m"], "v");
    assert_eq!(client.get_object_tagging().bucket("kept").key("фото 1").send().await.unwrap().tag_set().len(), 1);
    let encryption = client.get_bucket_encryption().bucket("kept").send().await.unwrap();
    let rule = &encryption.server_side_encryption_configuration().unwrap().rules()[0];
    assert_eq!(rule.bucket_key_enabled(), Some(true));
    let block = client.get_public_access_block().bucket("kept").send().await.unwrap();
    let block = block.public_access_block_configuration.unwrap();
    assert_eq!((block.block_public_acls, block.block_public_policy), (Some(true), Some(false)));
    assert_eq!(client.get_bucket_tagging().bucket("kept").send().await.unwrap().tag_set()[0].value(), "<&>");
    assert!(client.get_bucket_policy().bucket("kept").send().await.unwrap().policy().unwrap().contains("Deny"));
    let completed_parts = CompletedMultipartUpload::builder()
        .parts(CompletedPart::builder().part_number(1).e_tag(part.e_tag.unwrap()).build())
        .build();
    let complete =
        client.complete_multipart_upload().bucket("kept").key("u").upload_id(id).multipart_upload(completed_parts);
    complete.send().await.unwrap();
    assert_eq!(body(&client, "kept", "u").await, b"part");
    sandbox.stop().await;
}

#[tokio::test]
async fn unused_blobs_are_removed_at_startup() {
    let dir = tempfile::tempdir().unwrap();
    let sandbox = Sandbox::on(dir.path()).await;
    let client = sandbox.s3();
    client.create_bucket().bucket("blobs").send().await.unwrap();
    for key in ["kept", "deleted"] {
        let bytes = ByteStream::from(key.as_bytes().to_vec());
        client.put_object().bucket("blobs").key(key).body(bytes).send().await.unwrap();
    }
    client.delete_object().bucket("blobs").key("deleted").send().await.unwrap();
    sandbox.stop().await;
    let sandbox = Sandbox::on(dir.path()).await;
    let blobs = || {
        let directories = std::fs::read_dir(dir.path().join("blobs")).unwrap();
        directories.map(|directory| std::fs::read_dir(directory.unwrap().path()).unwrap().count()).sum::<usize>()
    };
    assert_eq!(blobs(), 1);
    assert_eq!(body(&sandbox.s3(), "blobs", "kept").await, b"kept");
    sandbox.stop().await;
}

#[tokio::test]
async fn notification_requires_function_permission() {
    use aws_sdk_s3::types::{Event, LambdaFunctionConfiguration, NotificationConfiguration};
    let sandbox = Sandbox::ephemeral().await;
    let client = sandbox.s3();
    client.create_bucket().bucket("events").send().await.unwrap();
    let function = LambdaFunctionConfiguration::builder()
        .lambda_function_arn("arn:aws:lambda:us-east-1:000000000000:function:none")
        .events(Event::S3ObjectCreated)
        .build()
        .unwrap();
    let put = |configuration| {
        client.put_bucket_notification_configuration().bucket("events").notification_configuration(configuration).send()
    };
    let result = put(NotificationConfiguration::builder().lambda_function_configurations(function).build()).await;
    assert_eq!(code(result), "InvalidArgument");
    put(NotificationConfiguration::builder().build()).await.unwrap();
    let empty = client.get_bucket_notification_configuration().bucket("events").send().await.unwrap();
    assert!(empty.lambda_function_configurations().is_empty());
    sandbox.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn signatures_are_checked() {
    let sandbox = Sandbox::ephemeral().await;
    let (url, key, secret) = (&sandbox.endpoint.url, &sandbox.endpoint.access_key, &sandbox.endpoint.secret_key);
    let clients_with = |key: &str, secret: &str, token: Option<&str>| {
        let config = config_with_keys(url, "us-east-1", key, secret, token);
        let s3 = aws_sdk_s3::config::Builder::from(&config).force_path_style(true).build();
        (
            aws_sdk_s3::Client::from_conf(s3),
            aws_sdk_sts::Client::new(&config),
            aws_sdk_cloudwatchlogs::Client::new(&config),
        )
    };
    let (s3, sts, logs) = clients_with(key, "wrong", None);
    assert_eq!(code(s3.list_buckets().send().await), "SignatureDoesNotMatch");
    assert_eq!(code(sts.get_caller_identity().send().await), "SignatureDoesNotMatch");
    assert_eq!(code(logs.describe_log_groups().send().await), "InvalidSignatureException");
    let (s3, sts, logs) = clients_with("AKIAUNKNOWN", secret, None);
    assert_eq!(code(s3.list_buckets().send().await), "InvalidAccessKeyId");
    assert_eq!(code(sts.get_caller_identity().send().await), "InvalidClientTokenId");
    assert_eq!(code(logs.describe_log_groups().send().await), "UnrecognizedClientException");

    let client = sandbox.s3();
    client.create_bucket().bucket("signed").send().await.unwrap();
    let expiry = || PresigningConfig::expires_in(Duration::from_secs(60)).unwrap();
    let put = client.put_object().bucket("signed").key("a b+c/ö").presigned(expiry()).await.unwrap();
    ureq::put(put.uri()).send("presigned").unwrap();
    let get = client.get_object().bucket("signed").key("a b+c/ö").presigned(expiry()).await.unwrap();
    assert_eq!(ureq::get(get.uri()).call().unwrap().body_mut().read_to_string().unwrap(), "presigned");
    // An unsigned copy header with a presigned URL is rejected.
    let copying = ureq::put(put.uri()).header("x-amz-copy-source", "signed/other").send("");
    assert!(matches!(copying, Err(ureq::Error::StatusCode(403))), "{copying:?}");
    let tampered = get.uri().replace("X-Amz-Expires=60", "X-Amz-Expires=61");
    assert!(matches!(ureq::get(&tampered).call(), Err(ureq::Error::StatusCode(403))));
    let unsigned = format!("{url}/signed/x");
    assert!(matches!(ureq::get(&unsigned).call(), Err(ureq::Error::StatusCode(403))));
    let rebound = ureq::get(url).header("host", "evil.example").call();
    assert!(matches!(rebound, Err(ureq::Error::StatusCode(403))));
    sandbox.stop().await;
}

#[tokio::test]
async fn checksums_are_verified() {
    let sandbox = Sandbox::ephemeral().await;
    let client = sandbox.s3();
    client.create_bucket().bucket("sums").send().await.unwrap();
    for algorithm in [
        ChecksumAlgorithm::Crc32,
        ChecksumAlgorithm::Crc32C,
        ChecksumAlgorithm::Crc64Nvme,
        ChecksumAlgorithm::Sha1,
        ChecksumAlgorithm::Sha256,
    ] {
        let put = client.put_object().bucket("sums").key(algorithm.as_str()).checksum_algorithm(algorithm.clone());
        put.body(ByteStream::from_static(b"123456789")).send().await.unwrap();
        assert_eq!(body(&client, "sums", algorithm.as_str()).await, b"123456789", "{algorithm}");
    }
    let wrong = client.put_object().bucket("sums").key("x").checksum_crc32("AAAAAA==");
    assert_eq!(code(wrong.body(ByteStream::from_static(b"x")).send().await), "BadDigest");
    sandbox.stop().await;
}

#[tokio::test]
async fn object_size_is_limited() {
    let sandbox = Sandbox::ephemeral().await;
    let client = sandbox.s3();
    client.create_bucket().bucket("big").send().await.unwrap();
    // Rejected by its announced length; the body is never sent.
    let put = client
        .put_object()
        .bucket("big")
        .key("k")
        .presigned(PresigningConfig::expires_in(Duration::from_secs(60)).unwrap());
    let uri = put.await.unwrap().uri().to_owned();
    let path = uri.strip_prefix(&sandbox.endpoint.url).unwrap();
    let request = format!(
        "PUT {path} HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nContent-Length: 300000000\r\n\r\n",
        sandbox.endpoint.port()
    );
    let response = send_raw(sandbox.endpoint.port(), request.as_bytes()).await;
    assert!(response.contains("EntityTooLarge"), "{response}");
    sandbox.stop().await;
}

async fn send_raw(port: u16, request: &[u8]) -> String {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let mut stream = tokio::net::TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    stream.write_all(request).await.unwrap();
    let mut response = Vec::new();
    let mut buffer = [0; 4096];
    while !String::from_utf8_lossy(&response).contains("</Error>") {
        match stream.read(&mut buffer).await.unwrap() {
            0 => break,
            n => response.extend_from_slice(&buffer[..n]),
        }
    }
    String::from_utf8_lossy(&response).into_owned()
}
