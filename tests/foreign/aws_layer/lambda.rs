//! Functions.

use thumbctl_deploy::aws::s3::{self};
use thumbctl_deploy::aws::{Deleted, ErrorKind, iam, lambda, wait};
use tokio_util::sync::CancellationToken;

use super::moto::{self, Moto};
use super::tags;

thumbctl_test_support::foreign_tests! {
    [Moto] async: function_waits_for_its_role_becomes_active_and_is_invoked_by_one_bucket;
}

async fn function_waits_for_its_role_becomes_active_and_is_invoked_by_one_bucket() {
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
        architecture: thumbctl_deploy::aws::Architecture::X86_64,
        tags: &all_tags,
    };
    // The role is created while creating the function is retried.
    let trust = serde_json::json!({"Version": "2012-10-17", "Statement": [{
        "Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}]});
    let (sender, mut retries) = tokio::sync::mpsc::unbounded_channel();
    let create_role = async {
        let retry: wait::Retry = retries.recv().await.unwrap();
        iam::create_role(&iam_client, "layer-8-role", &trust, "a test", &tags()).await.unwrap();
        retry.reason
    };
    let cancel = CancellationToken::new();
    let mut on_retry = |retry| sender.send(retry).unwrap();
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
    // moto's response has an extra root element, which the SDK does not read.
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
