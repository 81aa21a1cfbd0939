//! IAM, STS, CloudWatch Logs and faults of the sandbox, with the SDK.

use std::time::Duration;

use aws_sdk_cloudwatchlogs::types::{InputLogEvent, OrderBy};
use aws_sdk_iam::types::Tag;
use thumbctl_test_support::in_process::{Sandbox, code, config_with_keys};

const TRUST: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"lambda.amazonaws.com","AWS":"arn:aws:iam::000000000000:root"},"Action":"sts:AssumeRole"}]}"#;
const READ: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::pics/*"}]}"#;

fn tag(key: &str, value: &str) -> Tag {
    Tag::builder().key(key).value(value).build().unwrap()
}

fn decoded(document: &str) -> serde_json::Value {
    let text = percent_encoding::percent_decode_str(document).decode_utf8().unwrap();
    serde_json::from_str(&text).unwrap()
}

#[tokio::test]
async fn roles_and_policies_follow_iam_rules() {
    let dir = tempfile::tempdir().unwrap();
    let sandbox = Sandbox::on(dir.path()).await;
    let iam = aws_sdk_iam::Client::new(&sandbox.config());
    let role = iam
        .create_role()
        .role_name("thumb-role")
        .path("/thumbctl/")
        .assume_role_policy_document(TRUST)
        .description("d")
        .tags(tag("deployment", "a"))
        .send()
        .await
        .unwrap()
        .role
        .unwrap();
    assert_eq!(role.arn(), "arn:aws:iam::000000000000:role/thumbctl/thumb-role");
    let again = iam.create_role().role_name("thumb-role").assume_role_policy_document(TRUST).send().await;
    assert_eq!(code(again), "EntityAlreadyExists");
    let bad = iam.create_role().role_name("bad").assume_role_policy_document("{").send().await;
    assert_eq!(code(bad), "MalformedPolicyDocument");
    let policy = iam
        .create_policy()
        .policy_name("thumb-policy")
        .policy_document(READ)
        .tags(tag("deployment", "a"))
        .send()
        .await
        .unwrap()
        .policy
        .unwrap();
    let arn = policy.arn().unwrap().to_owned();
    iam.attach_role_policy().role_name("thumb-role").policy_arn(&arn).send().await.unwrap();
    iam.tag_role().role_name("thumb-role").tags(tag("more", "b c")).send().await.unwrap();
    for number in 0..5 {
        let create = iam.create_role().role_name(format!("r{number}")).path("/many/");
        create.assume_role_policy_document(TRUST).send().await.unwrap();
    }
    sandbox.stop().await;

    let sandbox = Sandbox::on(dir.path()).await;
    let iam = aws_sdk_iam::Client::new(&sandbox.config());
    let role = iam.get_role().role_name("thumb-role").send().await.unwrap().role.unwrap();
    let mut tags: Vec<(&str, &str)> = role.tags().iter().map(|tag| (tag.key(), tag.value())).collect();
    tags.sort_unstable();
    assert_eq!(tags, [("deployment", "a"), ("more", "b c")]);
    assert_eq!(decoded(role.assume_role_policy_document().unwrap())["Version"], "2012-10-17");
    let attached = iam.list_attached_role_policies().role_name("thumb-role").send().await.unwrap();
    assert_eq!(attached.attached_policies()[0].policy_arn(), Some(arn.as_str()));
    let mut pages = iam.list_roles().path_prefix("/many/").max_items(2).into_paginator().send();
    let mut names = Vec::new();
    while let Some(page) = pages.next().await {
        names.extend(page.unwrap().roles().iter().map(|role| role.role_name().to_owned()));
    }
    names.sort();
    assert_eq!(names, ["r0", "r1", "r2", "r3", "r4"]);
    let versions = iam.list_policy_versions().policy_arn(&arn).send().await.unwrap();
    assert_eq!(versions.versions().len(), 1);
    assert!(versions.versions()[0].is_default_version());
    assert_eq!(code(iam.delete_role().role_name("thumb-role").send().await), "DeleteConflict");
    assert_eq!(code(iam.delete_policy().policy_arn(&arn).send().await), "DeleteConflict");
    iam.detach_role_policy().role_name("thumb-role").policy_arn(&arn).send().await.unwrap();
    iam.delete_policy().policy_arn(&arn).send().await.unwrap();
    iam.delete_role().role_name("thumb-role").send().await.unwrap();
    assert_eq!(code(iam.get_role().role_name("thumb-role").send().await), "NoSuchEntity");
    assert_eq!(code(iam.delete_policy().policy_arn(&arn).send().await), "NoSuchEntity");
    assert_eq!(code(iam.detach_role_policy().role_name("r0").policy_arn(&arn).send().await), "NoSuchEntity");
    sandbox.stop().await;
}

#[tokio::test]
async fn role_session_has_the_permissions_of_its_policies() {
    let sandbox = Sandbox::ephemeral().await;
    let config = sandbox.config();
    let (iam, sts, s3) = (aws_sdk_iam::Client::new(&config), aws_sdk_sts::Client::new(&config), sandbox.s3());
    let identity = sts.get_caller_identity().send().await.unwrap();
    assert_eq!((identity.account(), identity.arn()), (Some("000000000000"), Some("arn:aws:iam::000000000000:root")));
    s3.create_bucket().bucket("pics").send().await.unwrap();
    s3.put_object().bucket("pics").key("a").send().await.unwrap();
    let role = iam.create_role().role_name("reader").assume_role_policy_document(TRUST).send().await.unwrap();
    let arn = role.role.unwrap().arn;
    let policy = iam.create_policy().policy_name("read").policy_document(READ).send().await.unwrap().policy.unwrap();
    iam.attach_role_policy().role_name("reader").policy_arn(policy.arn().unwrap()).send().await.unwrap();
    let assumed = sts.assume_role().role_arn(&arn).role_session_name("me").send().await.unwrap();
    let keys = assumed.credentials.unwrap();
    let (key, secret, token) = (keys.access_key_id(), keys.secret_access_key(), keys.session_token());
    let config = config_with_keys(&sandbox.endpoint.url, "us-east-1", key, secret, Some(token));
    let who = aws_sdk_sts::Client::new(&config).get_caller_identity().send().await.unwrap();
    assert_eq!(who.arn(), Some("arn:aws:sts::000000000000:assumed-role/reader/me"));
    let restricted = aws_sdk_s3::config::Builder::from(&config).force_path_style(true).build();
    let restricted = aws_sdk_s3::Client::from_conf(restricted);
    restricted.get_object().bucket("pics").key("a").send().await.unwrap();
    assert_eq!(code(restricted.put_object().bucket("pics").key("b").send().await), "AccessDenied");
    assert_eq!(code(aws_sdk_iam::Client::new(&config).get_role().role_name("reader").send().await), "AccessDenied");
    let without = config_with_keys(&sandbox.endpoint.url, "us-east-1", key, secret, None);
    assert_eq!(code(aws_sdk_sts::Client::new(&without).get_caller_identity().send().await), "InvalidClientTokenId");
    let service_only = TRUST.replace(r#","AWS":"arn:aws:iam::000000000000:root""#, "");
    let role = iam.create_role().role_name("service").assume_role_policy_document(service_only).send().await.unwrap();
    let arn = role.role.unwrap().arn;
    assert_eq!(code(sts.assume_role().role_arn(arn).role_session_name("me").send().await), "AccessDenied");
    sandbox.stop().await;
}

#[tokio::test]
async fn access_key_works_until_deleted() {
    let sandbox = Sandbox::ephemeral().await;
    let iam = aws_sdk_iam::Client::new(&sandbox.config());
    iam.create_user().user_name("ann").send().await.unwrap();
    let key = iam.create_access_key().user_name("ann").send().await.unwrap().access_key.unwrap();
    let config =
        config_with_keys(&sandbox.endpoint.url, "us-east-1", key.access_key_id(), key.secret_access_key(), None);
    let sts = aws_sdk_sts::Client::new(&config);
    let who = sts.get_caller_identity().send().await.unwrap();
    assert_eq!(who.arn(), Some("arn:aws:iam::000000000000:user/ann"));
    iam.delete_access_key().user_name("ann").access_key_id(key.access_key_id()).send().await.unwrap();
    assert_eq!(code(sts.get_caller_identity().send().await), "InvalidClientTokenId");
    sandbox.stop().await;
}

#[tokio::test]
async fn logs_are_complete_in_order_and_kept() {
    let dir = tempfile::tempdir().unwrap();
    let sandbox = Sandbox::on(dir.path()).await;
    let logs = aws_sdk_cloudwatchlogs::Client::new(&sandbox.config());
    logs.create_log_group().log_group_name("/aws/x").tags("a", "b").send().await.unwrap();
    logs.create_log_group().log_group_name("/other").send().await.unwrap();
    logs.put_retention_policy().log_group_name("/aws/x").retention_in_days(7).send().await.unwrap();
    logs.create_log_stream().log_group_name("/aws/x").log_stream_name("s/[1]").send().await.unwrap();
    let now = chrono::Utc::now().timestamp_millis();
    for batch in 0..3 {
        let events = (0..5).map(|line| {
            let message = format!("line {batch}.{line} \"ü\"");
            InputLogEvent::builder().timestamp(now + batch).message(message).build().unwrap()
        });
        let put = logs.put_log_events().log_group_name("/aws/x").log_stream_name("s/[1]");
        put.set_log_events(Some(events.collect())).send().await.unwrap();
    }
    sandbox.stop().await;

    let sandbox = Sandbox::on(dir.path()).await;
    let logs = aws_sdk_cloudwatchlogs::Client::new(&sandbox.config());
    let groups = logs.describe_log_groups().log_group_name_prefix("/aws/").send().await.unwrap();
    let group = &groups.log_groups()[0];
    assert_eq!((group.log_group_name(), group.retention_in_days()), (Some("/aws/x"), Some(7)));
    assert_eq!(groups.log_groups().len(), 1);
    let (mut lines, mut token) = (Vec::new(), None);
    loop {
        let page = logs
            .get_log_events()
            .log_group_name("/aws/x")
            .log_stream_name("s/[1]")
            .start_from_head(true)
            .limit(4)
            .set_next_token(token.clone())
            .send()
            .await
            .unwrap();
        lines.extend(page.events().iter().map(|event| event.message().unwrap().to_owned()));
        let next = page.next_forward_token;
        if next == token {
            break;
        }
        token = next;
    }
    let expected: Vec<String> =
        (0..3).flat_map(|batch| (0..5).map(move |line| format!("line {batch}.{line} \"ü\""))).collect();
    assert_eq!(lines, expected);
    let found = logs.filter_log_events().log_group_name("/aws/x").filter_pattern("\"line 1.\"").send().await.unwrap();
    assert_eq!(found.events().len(), 5);
    let streams = logs.describe_log_streams().log_group_name("/aws/x").order_by(OrderBy::LastEventTime);
    let streams = streams.descending(true).send().await.unwrap();
    assert_eq!(streams.log_streams()[0].last_event_timestamp(), Some(now + 2));
    let arn = "arn:aws:logs:us-east-1:000000000000:log-group:/aws/x";
    let tags = logs.list_tags_for_resource().resource_arn(arn).send().await.unwrap();
    assert_eq!(tags.tags().unwrap()["a"], "b");
    logs.delete_log_group().log_group_name("/aws/x").send().await.unwrap();
    let missing = logs.delete_log_group().log_group_name("/aws/x").send().await;
    assert_eq!(code(missing), "ResourceNotFoundException");
    sandbox.stop().await;
}

#[tokio::test]
async fn faults_apply_as_configured() {
    let sandbox = Sandbox::with_faults(
        r#"[{"service":"s3","operation":"CreateBucket","times":1,"kind":"error","status":503,"code":"SlowDown","message":"m"},
            {"service":"iam","operation":"GetUser","kind":"error","status":400,"code":"Throttling"},
            {"service":"logs","operation":"CreateLogGroup","times":1,"kind":"drop_after"},
            {"service":"logs","operation":"DeleteLogGroup","times":1,"kind":"drop_before"},
            {"service":"sts","operation":"GetCallerIdentity","kind":"hang"}]"#,
    )
    .await;
    let s3 = sandbox.s3();
    assert_eq!(code(s3.create_bucket().bucket("faulty").send().await), "SlowDown");
    s3.create_bucket().bucket("faulty").send().await.unwrap();
    let config = sandbox.config();
    assert_eq!(code(aws_sdk_iam::Client::new(&config).get_user().user_name("x").send().await), "Throttling");
    let logs = aws_sdk_cloudwatchlogs::Client::new(&config);
    assert!(logs.create_log_group().log_group_name("g").send().await.is_err());
    let again = logs.create_log_group().log_group_name("g").send().await;
    assert_eq!(code(again), "ResourceAlreadyExistsException");
    assert!(logs.delete_log_group().log_group_name("g").send().await.is_err());
    logs.delete_log_group().log_group_name("g").send().await.unwrap();
    let sts = aws_sdk_sts::Client::new(&config);
    let result = tokio::time::timeout(Duration::from_millis(200), sts.get_caller_identity().send()).await;
    assert!(result.is_err());
    sandbox.stop().await;
}

#[tokio::test]
async fn unsupported_operations_are_reported() {
    let sandbox = Sandbox::ephemeral().await;
    let config = sandbox.config();
    let logs = aws_sdk_cloudwatchlogs::Client::new(&config);
    let error = logs.describe_queries().send().await.unwrap_err();
    assert_eq!(error.raw_response().unwrap().status().as_u16(), 501);
    let message = error.into_service_error().to_string();
    assert!(message.contains("DescribeQueries") || message.contains("NotImplemented"), "{message}");
    let unsupported = sandbox.s3().get_bucket_inventory_configuration().bucket("b").id("1").send().await;
    assert_eq!(code(unsupported), "NotImplemented");
    sandbox.stop().await;
}
