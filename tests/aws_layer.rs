//! The AWS layer against moto, an independent imitation of AWS, where it is installed (`pip install 'moto[server]'`).

#[path = "aws_layer/moto.rs"]
mod moto;

use std::time::Duration;

use aws_sdk_s3::types::{BucketVersioningStatus, VersioningConfiguration};
use futures::stream::{self, StreamExt, TryStreamExt};
use moto::Moto;
use thumbctl::aws::cloudformation::{self, ChangeAction, ChangeSetSpec, ChangeSetStatus};
use thumbctl::aws::s3::{self, Emptied, Presence};
use thumbctl::aws::{Deleted, ErrorKind, Tags, codebuild, ecr, iam, lambda, logs, wait};
use tokio_util::sync::CancellationToken;

/// The running moto, or the end of the test with one line that says why.
macro_rules! moto_or_skip {
    () => {
        match Moto::shared().await {
            Some(moto) => moto,
            None => {
                println!("skipped: moto_server is not on this machine");
                return;
            }
        }
    };
}

fn tags() -> Tags {
    Tags::from([("deployment".to_owned(), "thumbnails-1".to_owned()), ("strategy".to_owned(), "sdk".to_owned())])
}

#[tokio::test]
async fn a_bucket_is_created_guarded_found_and_deleted() {
    let moto = moto_or_skip!();
    let client = aws_sdk_s3::Client::from_conf(moto.s3());
    let bucket = "layer-1-source";
    assert_eq!(s3::head_bucket(&client, bucket).await.unwrap(), Presence::Gone);
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

#[tokio::test]
async fn in_us_east_1_there_is_no_location_constraint() {
    let moto = moto_or_skip!();
    let config = moto.s3().to_builder();
    let config = config.region(aws_sdk_s3::config::Region::new("us-east-1"));
    let client = aws_sdk_s3::Client::from_conf(config.build());
    s3::create_bucket(&client, "layer-east", "us-east-1").await.unwrap();
    // There, one's own bucket again is no error on AWS.
    s3::delete_bucket(&client, "layer-east").await.unwrap();
}

#[tokio::test]
async fn a_bucket_is_emptied_of_pages_of_versions_markers_and_uploads() {
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
    let mut told = Vec::new();
    let emptied = s3::empty_bucket(&client, bucket, &mut |so_far| told.push(so_far)).await.unwrap();
    let all = Emptied { objects: KEYS + REMOVED, uploads: 2 };
    assert_eq!(emptied, all);
    assert_eq!(told.last(), Some(&all));
    assert!(told[0].objects <= 1_000, "{told:?}");
    assert_eq!(s3::delete_bucket(&client, bucket).await.unwrap(), Deleted::Now);
    // And what is not there is empty.
    assert_eq!(s3::empty_bucket(&client, bucket, &mut |_| {}).await.unwrap(), Emptied::default());
    assert_eq!(s3::empty_and_delete_bucket(&client, bucket, &mut |_| {}).await.unwrap(), Deleted::AlreadyGone);
}

#[tokio::test]
async fn files_go_into_a_bucket_and_come_out_the_same() {
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

    // What is not there, on either side.
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

#[tokio::test]
async fn roles_and_policies_go_with_all_that_hangs_on_them() {
    let moto = moto_or_skip!();
    let client = aws_sdk_iam::Client::new(&moto.config);
    let trust = serde_json::json!({"Version": "2012-10-17", "Statement": [{
        "Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}]});
    let document = serde_json::json!({"Version": "2012-10-17", "Statement": [{
        "Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::layer/*"}]});
    let policy = iam::create_policy(&client, "layer-4-policy", &document, "a test", &tags()).await.unwrap();
    let role = iam::create_role(&client, "layer-4-role", &trust, "a test", &tags()).await.unwrap();
    for _ in 0..2 {
        iam::attach_role_policy(&client, "layer-4-role", &policy).await.unwrap();
    }
    let again = iam::create_role(&client, "layer-4-role", &trust, "a test", &tags()).await;
    assert_eq!(again.unwrap_err().kind, ErrorKind::AlreadyExists);
    // What somebody may have added since.
    client
        .put_role_policy()
        .role_name("layer-4-role")
        .policy_name("inline")
        .policy_document(document.to_string())
        .send()
        .await
        .unwrap();
    client
        .create_policy_version()
        .policy_arn(&policy)
        .policy_document(document.to_string())
        .set_as_default(true)
        .send()
        .await
        .unwrap();

    let found = iam::role(&client, "layer-4-role").await.unwrap().unwrap();
    assert_eq!((found.arn, found.tags), (role, tags()));
    assert_eq!(found.trust, Some(trust));
    let described = iam::policy(&client, &policy).await.unwrap().unwrap();
    // moto counts the second attaching of the same policy, which on AWS changes nothing.
    assert!(described.attachment_count.is_some_and(|count| count > 0));
    assert_eq!(described.default_version.as_deref(), Some("v2"));
    let permitted = iam::policy_document(&client, &policy, "v2").await.unwrap();
    assert_eq!(permitted, document);
    let listed = iam::list_roles(&client, "layer-4-").await.unwrap();
    assert_eq!(listed[0].tags, tags());
    let listed = iam::list_policies(&client, "layer-4-").await.unwrap();
    assert_eq!((&listed[0].arn, &listed[0].tags), (&policy, &tags()));

    // In the order that is hardest: the policy is still attached.
    let deleted = iam::delete_policy(&client, &policy).await.unwrap();
    assert_eq!(deleted, Deleted::Now);
    let deleted = iam::delete_role(&client, "layer-4-role").await.unwrap();
    assert_eq!(deleted, Deleted::Now);
    let deleted = iam::delete_policy(&client, &policy).await.unwrap();
    assert_eq!(deleted, Deleted::AlreadyGone);
    let deleted = iam::delete_role(&client, "layer-4-role").await.unwrap();
    assert_eq!(deleted, Deleted::AlreadyGone);
    assert_eq!(iam::role(&client, "layer-4-role").await.unwrap(), None);
    assert_eq!(iam::policy(&client, &policy).await.unwrap(), None);
}

#[tokio::test]
async fn an_image_is_found_by_its_tag_and_goes_with_its_repository() {
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

async fn write_log(
    client: &aws_sdk_cloudwatchlogs::Client,
    group: &str,
    stream: &str,
    numbers: std::ops::Range<usize>,
) {
    let now = std::time::SystemTime::now();
    let now = now.duration_since(std::time::UNIX_EPOCH).unwrap();
    let now = now.as_millis() as i64;
    let events = numbers
        .map(|number| {
            aws_sdk_cloudwatchlogs::types::InputLogEvent::builder()
                .timestamp(now)
                .message(format!("line {number}\n"))
                .build()
                .unwrap()
        })
        .collect();
    client
        .put_log_events()
        .log_group_name(group)
        .log_stream_name(stream)
        .set_log_events(Some(events))
        .send()
        .await
        .unwrap();
}

fn numbered(range: std::ops::Range<usize>) -> Vec<String> {
    range.map(|number| format!("line {number}")).collect()
}

fn texts(lines: Vec<logs::LogLine>) -> Vec<String> {
    lines.into_iter().map(|line| line.text).collect()
}

#[tokio::test]
async fn a_log_is_followed_from_before_it_is_there_to_its_last_line() {
    let moto = moto_or_skip!();
    let client = aws_sdk_cloudwatchlogs::Client::new(&moto.config);
    let (group, stream) = ("/aws/codebuild/layer-6-build", "one");
    let mut tail = logs::LogTail::new(client.clone(), group, stream);
    assert!(tail.next().await.unwrap().is_empty());
    let mut whole = logs::GroupTail::new(client.clone(), group, 0);
    assert!(whole.next().await.unwrap().is_empty());

    logs::create_log_group(&client, group, &tags()).await.unwrap();
    logs::put_retention(&client, group, 7).await.unwrap();
    let again = logs::create_log_group(&client, group, &tags()).await;
    assert_eq!(again.unwrap_err().kind, ErrorKind::AlreadyExists);
    assert!(tail.next().await.unwrap().is_empty());
    for stream in [stream, "two"] {
        let create = client.create_log_stream().log_group_name(group);
        create.log_stream_name(stream).send().await.unwrap();
    }
    assert!(tail.next().await.unwrap().is_empty());

    // More than a page, then a little more: each line once, in order.
    write_log(&client, group, stream, 0..9_000).await;
    write_log(&client, group, stream, 9_000..13_000).await;
    assert_eq!(texts(tail.drain().await.unwrap()), numbered(0..13_000));
    assert!(tail.caught_up());
    assert!(tail.drain().await.unwrap().is_empty());
    write_log(&client, group, stream, 13_000..13_003).await;
    assert_eq!(texts(tail.drain().await.unwrap()), numbered(13_000..13_003));

    let first = whole.next().await.unwrap();
    assert_eq!(first.len(), 13_003);
    write_log(&client, group, "two", 20_000..20_002).await;
    assert_eq!(texts(whole.next().await.unwrap()), numbered(20_000..20_002));
    assert!(whole.next().await.unwrap().is_empty());

    let streams = logs::latest_streams(&client, group, 5).await.unwrap();
    assert_eq!(streams.len(), 2);
    let listed = logs::list_log_groups(&client, "/aws/codebuild/layer-6-").await.unwrap();
    assert_eq!((&listed[0].name[..], &listed[0].tags), (group, &tags()));
    let found = logs::log_group(&client, group).await.unwrap().unwrap();
    assert_eq!(found.retention_days, Some(7));
    assert_eq!(logs::log_group_tags(&client, &found.arn).await.unwrap(), tags());
    // A name that another one begins with is not that other one.
    let shorter = &group[..group.len() - 1];
    assert_eq!(logs::log_group(&client, shorter).await.unwrap(), None);

    let deleted = logs::delete_log_group(&client, group).await.unwrap();
    assert_eq!(deleted, Deleted::Now);
    let deleted = logs::delete_log_group(&client, group).await.unwrap();
    assert_eq!(deleted, Deleted::AlreadyGone);
    let none = logs::filter_events(&client, group, 0, None).await.unwrap();
    assert!(none.is_empty());
}

#[tokio::test]
async fn a_project_is_created_found_deleted_and_built() {
    let moto = moto_or_skip!();
    let client = aws_sdk_codebuild::Client::new(&moto.config);
    let name = "layer-7-build";
    let source = codebuild::Source::S3 { bucket: "layer-7-build-source".into(), key: "function.zip".into() };
    let environment = codebuild::build_environment(moto::REGION, "123456789012", "layer-7-images", "latest");
    let spec = codebuild::ProjectSpec {
        name,
        description: "a test",
        role_arn: "arn:aws:iam::123456789012:role/service-role/layer-7-role",
        source: &source,
        buildspec: None,
        image: codebuild::build_image(thumbctl::aws::Architecture::X86_64),
        compute_type: "BUILD_GENERAL1_SMALL",
        architecture: thumbctl::aws::Architecture::X86_64,
        environment: &environment,
        log_group: "/aws/codebuild/layer-7-build",
        timeout_minutes: 20,
        queued_timeout_minutes: 20,
        tags: &tags(),
    };
    let arn = codebuild::create_project(&client, &spec).await.unwrap();
    let again = codebuild::create_project(&client, &spec).await;
    assert_eq!(again.unwrap_err().kind, ErrorKind::AlreadyExists);
    let found = codebuild::project(&client, name).await.unwrap().unwrap();
    assert_eq!((&found.arn, &found.tags), (&arn, &tags()));
    let listed = codebuild::list_projects(&client, "layer-7-").await.unwrap();
    assert_eq!((listed.len(), &listed[0].arn, &listed[0].tags), (1, &arn, &tags()));
    let shown = found.environment.iter().map(|variable| (variable.name.clone(), variable.value.clone()));
    assert_eq!(shown.collect::<Vec<_>>(), environment);
    assert_eq!(found.source.location.as_deref(), Some("layer-7-build-source/function.zip"));
    assert_eq!((found.timeout_minutes, found.privileged), (Some(20), Some(true)));

    let deleted = codebuild::delete_project(&client, name).await.unwrap();
    assert_eq!(deleted, Deleted::Now);
    assert_eq!(codebuild::project(&client, name).await.unwrap(), None);
    let deleted = codebuild::delete_project(&client, name).await.unwrap();
    assert_eq!(deleted, Deleted::AlreadyGone);

    // moto cannot delete builds: these stay until it ends.
    codebuild::create_project(&client, &spec).await.unwrap();
    let id = codebuild::start_build(&client, name, "a-token").await.unwrap();
    let state = codebuild::build(&client, &id).await.unwrap().unwrap();
    assert_eq!(state.id, id);
    assert!(!state.phases.is_empty());
    codebuild::stop_build(&client, &id).await.unwrap();
    assert_eq!(codebuild::builds_of(&client, name).await.unwrap(), Some(vec![id]));
}

#[tokio::test]
async fn a_function_waits_for_its_role_becomes_active_and_is_invoked_by_one_bucket() {
    let moto = moto_or_skip!();
    let client = aws_sdk_lambda::Client::new(&moto.config);
    let iam_client = aws_sdk_iam::Client::new(&moto.config);
    let s3_client = aws_sdk_s3::Client::from_conf(moto.s3());
    let name = "layer-8-function";
    let image = format!("123456789012.dkr.ecr.{}.amazonaws.com/layer-8@sha256:{}", moto::REGION, "0".repeat(64));
    let environment = [("DEST_BUCKET".to_owned(), "layer-8-thumbnails".to_owned())];
    let all_tags = tags();
    let spec = lambda::FunctionSpec {
        name,
        description: "a test",
        image_uri: &image,
        role_arn: "arn:aws:iam::123456789012:role/layer-8-role",
        memory_mb: 512,
        timeout_seconds: 30,
        environment: &environment,
        architecture: thumbctl::aws::Architecture::X86_64,
        tags: &all_tags,
    };
    // The role comes while the function is being tried.
    let trust = serde_json::json!({"Version": "2012-10-17", "Statement": [{
        "Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}]});
    let (told, mut retries) = tokio::sync::mpsc::unbounded_channel();
    let create_role = async {
        let retry: wait::Retry = retries.recv().await.unwrap();
        iam::create_role(&iam_client, "layer-8-role", &trust, "a test", &tags()).await.unwrap();
        retry.reason
    };
    let cancel = CancellationToken::new();
    let mut on_retry = |retry| told.send(retry).unwrap();
    let rules = [wait::ROLE_PROPAGATION, wait::THROTTLING];
    let create = wait::retry(&rules, &cancel, &mut on_retry, || lambda::create_function(&client, &spec));
    let (created, reason) = tokio::join!(create, create_role);
    let arn = created.unwrap();
    assert_eq!(reason, "Lambda cannot assume the new role yet");
    let again = lambda::create_function(&client, &spec).await;
    assert_eq!(again.unwrap_err().kind, ErrorKind::AlreadyExists);
    let function = lambda::wait_active(&client, name, &cancel, &mut |_| {}).await.unwrap();
    assert_eq!(function.arn, arn);
    assert_eq!((function.memory_mb, function.timeout_seconds), (512, 30));

    let allow = || lambda::add_bucket_permission(&client, name, "s3-invoke", "layer-8-source", "123456789012");
    let permissions = async || lambda::bucket_permissions(&client, name, "layer-8-source").await.unwrap();
    assert_eq!(permissions().await, [] as [serde_json::Value; 0]);
    allow().await.unwrap();
    let ids: Vec<_> = permissions().await.into_iter().map(|one| one["Sid"].clone()).collect();
    assert_eq!(ids, ["s3-invoke"]);
    let statement = lambda::resource_policy(&client, name).await.unwrap().unwrap();
    let condition = &statement["Statement"][0]["Condition"];
    assert!(condition.to_string().contains("arn:aws:s3:::layer-8-source"));
    assert!(condition.to_string().contains("123456789012"));

    let bucket = "layer-8-source";
    s3::create_bucket(&s3_client, bucket, moto::REGION).await.unwrap();
    s3::put_notification(&s3_client, bucket, &arn).await.unwrap();
    // moto's answer to the question for it has a root that AWS's has not, and that the SDK does not read.
    s3::clear_notification(&s3_client, bucket).await.unwrap();
    s3::delete_bucket(&s3_client, bucket).await.unwrap();

    let listed = lambda::list_functions(&client, "layer-8-").await.unwrap();
    assert_eq!((&listed[0].arn, &listed[0].tags), (&arn, &tags()));
    let deleted = lambda::remove_permission(&client, name, "s3-invoke").await.unwrap();
    assert_eq!(deleted, Deleted::Now);
    let deleted = lambda::delete_function(&client, name).await.unwrap();
    assert_eq!(deleted, Deleted::Now);
    let deleted = lambda::delete_function(&client, name).await.unwrap();
    assert_eq!(deleted, Deleted::AlreadyGone);
    assert_eq!(lambda::function(&client, name).await.unwrap(), None);
    iam::delete_role(&iam_client, "layer-8-role").await.unwrap();
}

#[tokio::test]
async fn an_endpoint_that_nobody_listens_at_is_a_network_error() {
    let config = moto::config(&format!("http://127.0.0.1:{}", moto::free_port())).await;
    let client = aws_sdk_iam::Client::new(&config);
    let error = iam::role(&client, "any").await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Network, "{error}");
    assert!(error.to_string().contains("cannot reach the endpoint"), "{error}");
    assert!(error.hint().unwrap().contains("endpoint"));
}

#[tokio::test]
async fn an_endpoint_that_never_answers_is_a_timeout() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let config = moto::config(&format!("http://{address}")).await;
    let config = config.into_builder().timeout_config(
        aws_config::timeout::TimeoutConfig::builder().operation_timeout(Duration::from_millis(200)).build(),
    );
    let client = aws_sdk_iam::Client::new(&config.build());
    let error = iam::role(&client, "any").await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Timeout, "{error}");
}

#[tokio::test]
async fn no_credentials_are_told_from_no_network() {
    let config = moto::config("http://127.0.0.1:1").await.into_builder();
    let mut config = config;
    config.set_credentials_provider(None);
    let client = aws_sdk_iam::Client::new(&config.build());
    let error = iam::role(&client, "any").await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::InvalidCredentials, "{error}");
    assert!(error.hint().unwrap().contains("--profile"));
}

#[tokio::test]
async fn a_key_that_s3_refuses_to_delete_is_named_and_the_others_go() {
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

#[test]
fn waits_and_long_calls_can_run_on_any_thread() {
    fn is_send<T: Send>(_: &T) {}
    // Never run: it is enough that it compiles.
    #[allow(dead_code)]
    fn all(s3_client: &aws_sdk_s3::Client, lambda_client: &aws_sdk_lambda::Client, cancel: &CancellationToken) {
        is_send(&s3::wait_usable(s3_client, "b", cancel, &mut |_| {}));
        is_send(&s3::empty_and_delete_bucket(s3_client, "b", &mut |_| {}));
        is_send(&lambda::wait_active(lambda_client, "f", cancel, &mut |_| {}));
        is_send(&wait::retry(&[wait::THROTTLING], cancel, &mut |_| {}, || lambda::function(lambda_client, "f")));
    }
}

#[tokio::test]
async fn a_stack_is_made_by_a_change_set_told_by_its_events_and_deleted() {
    let moto = moto_or_skip!();
    let client = aws_sdk_cloudformation::Client::new(&moto.config);
    let (stack, change_set) = ("layer-8-build", "make");
    assert_eq!(cloudformation::stack(&client, stack).await.unwrap(), None);
    let suffix = ("Suffix".to_owned(), "0a1b2c3d".to_owned());
    let spec = ChangeSetSpec {
        stack,
        name: change_set,
        template: include_str!("../assets/cloudformation/build.yaml"),
        parameters: std::slice::from_ref(&suffix),
        tags: &tags(),
    };
    let id = cloudformation::create_change_set(&client, &spec).await.unwrap();
    let planned = cloudformation::change_set(&client, stack, change_set).await.unwrap().unwrap();
    assert_eq!((planned.stack_id, planned.status), (id.clone(), ChangeSetStatus::Ready));
    let mut added: Vec<&str> = planned.changes.iter().map(|change| change.logical_id.as_str()).collect();
    added.sort_unstable();
    assert_eq!(added, ["BuildLogGroup", "BuildPolicy", "BuildProject", "BuildRole", "BuildSourceBucket", "Repository"]);
    assert!(planned.changes.iter().all(|change| change.action == ChangeAction::Add));

    cloudformation::execute_change_set(&client, stack, change_set).await.unwrap();
    let made = cloudformation::stack(&client, stack).await.unwrap().unwrap();
    assert!(made.status.is_complete(), "{made:?}");
    assert_eq!((&made.id, &made.tags), (&id, &tags()));
    assert!(made.parameters.contains(&suffix));
    let events = cloudformation::events_since(&client, &id, None).await.unwrap();
    let last = events.last().unwrap();
    assert!(last.is_of_stack() && last.status == "CREATE_COMPLETE", "{last:?}");
    assert!(cloudformation::events_since(&client, &id, Some(&last.id)).await.unwrap().is_empty());
    let listed = cloudformation::list_stacks(&client, "layer-8-").await.unwrap();
    assert_eq!((&listed[0].name[..], &listed[0].tags), (stack, &tags()));

    assert_eq!(cloudformation::delete_stack(&client, stack).await.unwrap(), Deleted::Now);
    assert_eq!(cloudformation::delete_stack(&client, stack).await.unwrap(), Deleted::AlreadyGone);
}
