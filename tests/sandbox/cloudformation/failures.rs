//! Failures of resource creation and deletion.

use aws_sdk_cloudformation::types::OnFailure;
use serde_json::json;

use thumbctl_test_support::cloudformation::{StackSandbox, position, refused};

const DEPENDENT_RESOURCES: &str = "
Resources:
  Good: { Type: 'AWS::S3::Bucket', Properties: { BucketName: fails-good } }
  Bad: { Type: 'AWS::Logs::LogGroup', DependsOn: Good, Properties: { LogGroupName: fails-bad } }
  Later: { Type: 'AWS::ECR::Repository', DependsOn: Bad }
";

#[tokio::test]
async fn failed_resource_rolls_stack_back() {
    let cloud = StackSandbox::with_faults(&[refused("logs", "CreateLogGroup", "fails-bad", 1)]);
    cloud.create_and_wait("fails", DEPENDENT_RESOURCES, "ROLLBACK_COMPLETE").await;
    assert!(!cloud.has_bucket("fails-good").await);
    let event_lines = cloud.event_lines("fails").await;
    let failed = &event_lines[position(&event_lines, "Bad CREATE_FAILED")];
    assert!(failed.contains("not allowed here") && failed.contains("HandlerErrorCode: AccessDenied"), "{failed}");
    let rollback = &event_lines[position(&event_lines, "fails ROLLBACK_IN_PROGRESS")];
    assert!(
        rollback.ends_with("The following resource(s) failed to create: [Bad]. Rollback requested by user."),
        "{rollback}"
    );
    assert!(!event_lines.iter().any(|line| line.starts_with("Later")), "{event_lines:#?}");
    assert!(position(&event_lines, "Good DELETE_COMPLETE") < position(&event_lines, "fails ROLLBACK_COMPLETE"));
    // The rolled back stack must be deleted before its name can be reused.
    assert!(cloud.create("fails", DEPENDENT_RESOURCES).send().await.is_err());
    cloud.delete_and_wait("fails", "DELETE_COMPLETE").await;
    cloud.create_and_wait("fails", DEPENDENT_RESOURCES, "CREATE_COMPLETE").await;
}

#[tokio::test]
async fn running_resources_are_cancelled_after_a_failure() {
    let hang = json!({ "service": "s3", "operation": "CreateBucket", "times": 1, "kind": "hang" });
    let bad =
        json!({ "service": "logs", "operation": "CreateLogGroup", "kind": "error", "status": 400, "code": "Bad" });
    let cloud = StackSandbox::with_faults(&[hang, bad]);
    let template = "
Resources:
  Slow: { Type: 'AWS::S3::Bucket', Properties: { BucketName: cancelled } }
  Bad: { Type: 'AWS::Logs::LogGroup', Properties: { LogGroupName: bad } }
";
    cloud.create_and_wait("cancels", template, "ROLLBACK_COMPLETE").await;
    let event_lines = cloud.event_lines("cancels").await;
    assert!(
        position(&event_lines, "Bad CREATE_FAILED")
            < position(&event_lines, "Slow CREATE_FAILED: Resource creation cancelled")
    );
    let rollback = &event_lines[position(&event_lines, "cancels ROLLBACK_IN_PROGRESS")];
    assert!(rollback.contains("failed to create: [Bad, Slow]"), "{rollback}");
}

#[tokio::test]
async fn failed_calls_are_retried_up_to_a_limit() {
    let cloud = StackSandbox::with_faults(&[
        json!({ "service": "logs", "operation": "CreateLogGroup", "about": "passing", "times": 2, "kind": "throttle" }),
        json!({ "service": "s3", "operation": "CreateBucket", "about": "passing", "times": 1, "kind": "failure" }),
        json!({ "service": "ecr", "operation": "CreateRepository", "about": "passing", "times": 1, "kind": "drop_before" }),
        json!({ "service": "ecr", "operation": "CreateRepository", "about": "lasting", "kind": "throttle" }),
    ]);
    let passing = "
Resources:
  A: { Type: 'AWS::Logs::LogGroup', Properties: { LogGroupName: passing } }
  B: { Type: 'AWS::S3::Bucket', Properties: { BucketName: passing } }
  C: { Type: 'AWS::ECR::Repository', Properties: { RepositoryName: passing } }
";
    cloud.create_and_wait("passing", passing, "CREATE_COMPLETE").await;
    let lasting = "Resources: { A: { Type: 'AWS::ECR::Repository', Properties: { RepositoryName: lasting } } }";
    cloud.create_and_wait("lasting", lasting, "ROLLBACK_COMPLETE").await;
    let event_lines = cloud.event_lines("lasting").await;
    let failed = &event_lines[position(&event_lines, "A CREATE_FAILED")];
    assert!(failed.contains("HandlerErrorCode: Throttling"), "{failed}");
}

#[tokio::test]
async fn on_failure_do_nothing_keeps_and_delete_removes_the_stack() {
    let cloud = StackSandbox::with_faults(&[refused("logs", "CreateLogGroup", "fails-bad", 2)]);
    cloud.create("kept", DEPENDENT_RESOURCES).on_failure(OnFailure::DoNothing).send().await.unwrap();
    cloud.wait_for_status("kept", "CREATE_FAILED").await;
    assert!(cloud.has_bucket("fails-good").await);
    cloud.delete_and_wait("kept", "DELETE_COMPLETE").await;
    assert!(!cloud.has_bucket("fails-good").await);
    let id = cloud
        .create("removed", DEPENDENT_RESOURCES)
        .on_failure(OnFailure::Delete)
        .send()
        .await
        .unwrap()
        .stack_id
        .unwrap();
    cloud.wait_for_status(&id, "DELETE_COMPLETE").await;
    assert!(cloud.stack("removed").await.is_none() && !cloud.has_bucket("fails-good").await);
}

#[tokio::test]
async fn existing_resources_are_neither_imported_nor_deleted() {
    let cloud = StackSandbox::new();
    cloud.clients.s3.create_bucket().bucket("fails-good").send().await.unwrap();
    cloud.create_and_wait("conflict", DEPENDENT_RESOURCES, "ROLLBACK_COMPLETE").await;
    let event_lines = cloud.event_lines("conflict").await;
    let failed = &event_lines[position(&event_lines, "Good CREATE_FAILED")];
    assert!(failed.contains("fails-good already exists") && failed.contains("AlreadyExists"), "{failed}");
    assert!(cloud.has_bucket("fails-good").await);
}

#[tokio::test]
async fn failed_deletion_reports_reason_and_can_be_retried() {
    let cloud = StackSandbox::new();
    cloud.create_and_wait("full", DEPENDENT_RESOURCES, "CREATE_COMPLETE").await;
    let s3 = &cloud.clients.s3;
    s3.put_object().bucket("fails-good").key("a").body(b"x".to_vec().into()).send().await.unwrap();
    let stack = cloud.delete_and_wait("full", "DELETE_FAILED").await;
    let reason = stack.stack_status_reason().unwrap();
    assert!(reason.contains("The following resource(s) failed to delete: [Good]"), "{reason}");
    // Its dependents are deleted already; the bucket can be retained, or emptied.
    assert!(!cloud.has_log_group("fails-bad").await);
    let delete = cloud.clients.cloudformation.delete_stack().stack_name("full").retain_resources("Good");
    delete.send().await.unwrap();
    cloud.wait_for_status(stack.stack_id().unwrap(), "DELETE_COMPLETE").await;
    assert!(cloud.has_bucket("fails-good").await);
}

#[tokio::test]
async fn cloudformation_has_only_the_callers_permissions() {
    let cloud = StackSandbox::new();
    let trust = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"000000000000"},"Action":"sts:AssumeRole"}]}"#;
    let policy = r#"{"Version":"2012-10-17","Statement":[
        {"Effect":"Allow","Action":"cloudformation:*","Resource":"arn:aws:cloudformation:*:*:stack/own/*"},
        {"Effect":"Allow","Action":"logs:*","Resource":"*"}]}"#;
    let iam = &cloud.clients.iam;
    let role = iam.create_role().role_name("limited").assume_role_policy_document(trust).send().await.unwrap();
    iam.put_role_policy().role_name("limited").policy_name("p").policy_document(policy).send().await.unwrap();
    let sts = aws_sdk_sts::Client::new(&cloud.clients.config);
    let assumed =
        sts.assume_role().role_arn(role.role().unwrap().arn()).role_session_name("limited").send().await.unwrap();
    let keys = assumed.credentials().unwrap();
    let config = thumbctl_test_support::config(
        &cloud.sandbox.url,
        &cloud.sandbox.region,
        keys.access_key_id(),
        keys.secret_access_key(),
        Some(keys.session_token()),
    );
    let limited = aws_sdk_cloudformation::Client::new(&config);
    let template = "
Resources:
  Log: { Type: 'AWS::Logs::LogGroup', Properties: { LogGroupName: own } }
  Bucket: { Type: 'AWS::S3::Bucket', DependsOn: Log }
";
    assert!(limited.create_stack().stack_name("other").template_body(template).send().await.is_err());
    limited.create_stack().stack_name("own").template_body(template).send().await.unwrap();
    cloud.wait_for_status("own", "ROLLBACK_COMPLETE").await;
    let event_lines = cloud.event_lines("own").await;
    let failed = &event_lines[position(&event_lines, "Bucket CREATE_FAILED")];
    assert!(failed.contains("AccessDenied"), "{failed}");
    position(&event_lines, "Log CREATE_COMPLETE");
}
