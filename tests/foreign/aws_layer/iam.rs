//! Roles and policies.

use thumbctl_deploy::aws::{Deleted, ErrorKind, iam};

use super::moto::Moto;
use super::tags;

thumbctl_test_support::foreign_tests! {
    [Moto] async: roles_and_policies_are_deleted_with_their_attachments;
}

async fn roles_and_policies_are_deleted_with_their_attachments() {
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
    // Additions by others.
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
    // moto counts a repeated attachment of the same policy, which on AWS changes nothing.
    assert!(described.attachment_count.is_some_and(|count| count > 0));
    assert_eq!(described.default_version.as_deref(), Some("v2"));
    let permitted = iam::policy_document(&client, &policy, "v2").await.unwrap();
    assert_eq!(permitted, document);
    let listed = iam::list_roles(&client, "layer-4-").await.unwrap();
    assert_eq!(listed[0].tags, tags());
    let listed = iam::list_policies(&client, "layer-4-").await.unwrap();
    assert_eq!((&listed[0].arn, &listed[0].tags), (&policy, &tags()));

    // In the hardest order: the policy is still attached.
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
