//! Resumption of stack operations after a kill or a shutdown of the sandbox.

use serde_json::{Value, json};
use thumbctl_sandbox::{StateChange, change_state};

use thumbctl_test_support::cloudformation::{StackSandbox, position};
use thumbctl_test_support::until;

/// Every resource type that requires several calls, with dependencies.
const ALL_RESOURCES: &str = "
Resources:
  Bucket:
    Type: AWS::S3::Bucket
    Properties:
      BucketName: killed
      VersioningConfiguration: { Status: Enabled }
  Policy:
    Type: AWS::S3::BucketPolicy
    Properties:
      Bucket: !Ref Bucket
      PolicyDocument:
        Version: '2012-10-17'
        Statement: [{ Effect: Allow, Principal: { AWS: '*' }, Action: 's3:GetObject', Resource: 'arn:aws:s3:::killed/*' }]
  Log: { Type: 'AWS::Logs::LogGroup', Properties: { LogGroupName: killed, RetentionInDays: 7 } }
  Repository: { Type: 'AWS::ECR::Repository', Properties: { LifecyclePolicy: { LifecyclePolicyText: '{\"rules\":[]}' } } }
  Allowed:
    Type: AWS::IAM::ManagedPolicy
    Properties:
      PolicyDocument:
        Version: '2012-10-17'
        Statement: [{ Effect: Allow, Action: 'logs:*', Resource: '*' }]
  Role:
    Type: AWS::IAM::Role
    Properties:
      RoleName: killed
      ManagedPolicyArns: [!Ref Allowed]
      AssumeRolePolicyDocument:
        Version: '2012-10-17'
        Statement: [{ Effect: Allow, Principal: { Service: lambda.amazonaws.com }, Action: 'sts:AssumeRole' }]
      Policies:
        - PolicyName: one
          PolicyDocument: { Version: '2012-10-17', Statement: [{ Effect: Allow, Action: 's3:*', Resource: '*' }] }
  Function:
    Type: AWS::Lambda::Function
    Properties:
      FunctionName: killed
      Runtime: python3.13
      Handler: index.handler
      Role: !GetAtt Role.Arn
      Code: { ZipFile: 'def handler(event, context): pass' }
  Permission:
    Type: AWS::Lambda::Permission
    Properties: { Action: 'lambda:InvokeFunction', FunctionName: !Ref Function, Principal: s3.amazonaws.com }
";

fn hang(service: &str, operation: &str) -> Value {
    json!({ "service": service, "operation": operation, "kind": "hang" })
}

/// A delay for each call, so that an operation can be interrupted.
fn slow() -> Vec<Value> {
    let of = |service: &&str| json!({ "service": service, "kind": "delay", "delay_ms": 15 });
    ["s3", "logs", "ecr", "iam", "lambda"].iter().map(of).collect()
}

/// Checks that each resource was created once, and that the stack can be deleted.
async fn assert_complete_and_deletable(cloud: &StackSandbox, stack: &str) {
    let event_lines = cloud.event_lines(stack).await;
    for resource in cloud.resources(stack).await {
        let name = resource.logical_resource_id().unwrap_or_default();
        let complete = event_lines.iter().filter(|line| **line == format!("{name} CREATE_COMPLETE")).count();
        assert_eq!(complete, 1, "{name} {event_lines:#?}");
    }
    assert_eq!(cloud.resources(stack).await.len(), 8);
    let versioning = cloud.clients.s3.get_bucket_versioning().bucket("killed").send().await.unwrap();
    assert!(versioning.status().is_some());
    let tags = cloud.clients.s3.get_bucket_tagging().bucket("killed").send().await.unwrap();
    assert_eq!(tags.tag_set().len(), 3);
    let policies = cloud.clients.iam.list_role_policies().role_name("killed").send().await.unwrap();
    assert_eq!(policies.policy_names().len(), 1);
    assert_deletion_is_complete(cloud, stack).await;
}

async fn assert_deletion_is_complete(cloud: &StackSandbox, stack: &str) {
    cloud.delete_and_wait(stack, "DELETE_COMPLETE").await;
    assert!(
        !cloud.has_bucket("killed").await && !cloud.has_log_group("killed").await && !cloud.has_role("killed").await
    );
    assert!(cloud.clients.ecr.describe_repositories().send().await.unwrap().repositories().is_empty());
    let policies = cloud.clients.iam.list_policies().scope("Local".into()).send().await.unwrap();
    assert!(policies.policies().is_empty(), "{policies:?}");
    assert!(cloud.clients.lambda.list_functions().send().await.unwrap().functions().is_empty());
}

#[tokio::test]
async fn killed_sandbox_resumes_stack_operations() {
    for events in [1, 4, 9, 14, 19, 24, 29] {
        let cloud = StackSandbox::with_faults(&slow());
        cloud.create("all", ALL_RESOURCES).send().await.unwrap();
        until("some events", async || (cloud.events("all").await.len() >= events).then_some(())).await;
        let cloud = cloud.restart_after_kill();
        cloud.wait_for_status("all", "CREATE_COMPLETE").await;
        assert_complete_and_deletable(&cloud, "all").await;
    }
}

/// The first call of each resource returns, the second hangs.
#[tokio::test]
async fn unconfirmed_creation_is_resumed_without_conflict() {
    let cloud = StackSandbox::with_faults(&[
        hang("s3", "PutBucketVersioning"),
        hang("logs", "PutRetentionPolicy"),
        hang("ecr", "PutLifecyclePolicy"),
        hang("iam", "PutRolePolicy"),
    ]);
    cloud.create("all", ALL_RESOURCES).send().await.unwrap();
    until("the first calls", async || {
        let exist = cloud.has_bucket("killed").await && cloud.has_log_group("killed").await;
        let repositories = cloud.clients.ecr.describe_repositories().send().await.unwrap();
        (exist && cloud.has_role("killed").await && !repositories.repositories().is_empty()).then_some(())
    })
    .await;
    let cloud = cloud.restart_after_kill();
    cloud.wait_for_status("all", "CREATE_COMPLETE").await;
    assert_complete_and_deletable(&cloud, "all").await;
}

#[tokio::test]
async fn rollback_deletion_and_update_are_resumed() {
    let fault =
        json!({ "service": "lambda", "operation": "CreateFunction", "kind": "error", "status": 400, "code": "Bad" });
    let cloud = StackSandbox::with_faults(&[fault, hang("iam", "DeleteRole")]);
    cloud.create("all", ALL_RESOURCES).send().await.unwrap();
    until("the rollback", async || {
        cloud.event_lines("all").await.iter().any(|line| line.starts_with("Role DELETE_IN_PROGRESS")).then_some(())
    })
    .await;
    let cloud = cloud.restart_after_kill();
    cloud.wait_for_status("all", "ROLLBACK_COMPLETE").await;
    assert!(!cloud.has_role("killed").await && !cloud.has_bucket("killed").await);
    cloud.delete_and_wait("all", "DELETE_COMPLETE").await;

    let log = |name: &str| {
        format!("Resources: {{ L: {{ Type: 'AWS::Logs::LogGroup', Properties: {{ LogGroupName: {name} }} }} }}")
    };
    let StackSandbox { sandbox, dir, .. } = cloud;
    sandbox.kill();
    let cloud = StackSandbox::continuing(dir, &[hang("logs", "DeleteLogGroup")]);
    cloud.create_and_wait("log", &log("one"), "CREATE_COMPLETE").await;
    let update = cloud.clients.cloudformation.update_stack().stack_name("log").template_body(log("two"));
    update.send().await.unwrap();
    until("the clean-up", async || {
        cloud.event_lines("log").await.iter().any(|line| line.starts_with("L DELETE_IN_PROGRESS")).then_some(())
    })
    .await;
    let cloud = cloud.restart_after_kill();
    cloud.wait_for_status("log", "UPDATE_COMPLETE").await;
    assert!(cloud.has_log_group("two").await && !cloud.has_log_group("one").await);
    let event_lines = cloud.event_lines("log").await;
    assert!(position(&event_lines, "L DELETE_COMPLETE") < event_lines.len() - 1, "{event_lines:#?}");
}

#[tokio::test]
async fn saved_and_original_state_both_resume_operation() {
    let cloud = StackSandbox::with_faults(&slow());
    cloud.create("all", ALL_RESOURCES).send().await.unwrap();
    until("some events", async || (cloud.events("all").await.len() >= 6).then_some(())).await;
    let copy = tempfile::tempdir().unwrap();
    let to = StateChange::SaveTo(copy.path().join("data"));
    change_state(&cloud.dir.path().join("data"), to).await.unwrap();
    cloud.wait_for_status("all", "CREATE_COMPLETE").await;
    assert_complete_and_deletable(&cloud, "all").await;
    let cloud = StackSandbox::continuing(copy, &[]);
    cloud.wait_for_status("all", "CREATE_COMPLETE").await;
    assert_complete_and_deletable(&cloud, "all").await;
}

#[tokio::test]
async fn operation_is_resumed_after_a_shutdown() {
    let cloud = StackSandbox::with_faults(&slow());
    cloud.create("all", ALL_RESOURCES).send().await.unwrap();
    until("some events", async || (cloud.events("all").await.len() >= 6).then_some(())).await;
    // Ctrl-C: the state of running operations is saved.
    let StackSandbox { sandbox, dir, .. } = cloud;
    let ended = sandbox.interrupt();
    assert!(!ended.stderr.contains("panicked"), "{ended}");
    let cloud = StackSandbox::continuing(dir, &[]);
    cloud.wait_for_status("all", "CREATE_COMPLETE").await;
    assert_complete_and_deletable(&cloud, "all").await;
}

/// An update that replaces, modifies in place and then fails is rolled back, at whichever event the sandbox is killed.
#[tokio::test]
async fn killed_update_or_rollback_is_resumed() {
    let template = |bucket: &str, days: u32, rest: &str| {
        format!(
            "
Resources:
  One: {{ Type: 'AWS::S3::Bucket', Properties: {{ BucketName: {bucket} }} }}
  Log: {{ Type: 'AWS::Logs::LogGroup', Properties: {{ LogGroupName: upd, RetentionInDays: {days} }} }}
{rest}"
        )
    };
    let taken = "  Extra: { Type: 'AWS::S3::Bucket', DependsOn: [One, Log], Properties: { BucketName: taken } }";
    for events in [2, 5, 8, 11, 14, 17] {
        let cloud = StackSandbox::with_faults(&slow());
        cloud.clients.s3.create_bucket().bucket("taken").send().await.unwrap();
        cloud.create_and_wait("upd", &template("upd-one", 7, ""), "CREATE_COMPLETE").await;
        let before = cloud.events("upd").await.len();
        let update = cloud.clients.cloudformation.update_stack().stack_name("upd");
        update.template_body(template("upd-two", 14, taken)).send().await.unwrap();
        until("some events", async || (cloud.events("upd").await.len() >= before + events).then_some(())).await;
        let cloud = cloud.restart_after_kill();
        cloud.wait_for_status("upd", "UPDATE_ROLLBACK_COMPLETE").await;
        assert!(cloud.has_bucket("upd-one").await && cloud.has_bucket("taken").await, "{events}");
        assert!(!cloud.has_bucket("upd-two").await, "{events} {:#?}", cloud.event_lines("upd").await);
        let groups = cloud.clients.logs.describe_log_groups().log_group_name_prefix("upd").send().await.unwrap();
        assert_eq!(groups.log_groups()[0].retention_in_days(), Some(7));
        cloud.delete_and_wait("upd", "DELETE_COMPLETE").await;
        assert!(!cloud.has_bucket("upd-one").await);
    }
}
