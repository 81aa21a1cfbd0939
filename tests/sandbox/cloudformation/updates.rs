//! Stack updates.

use aws_sdk_cloudformation::error::ProvideErrorMetadata as _;
use aws_sdk_cloudformation::types::Tag;

use thumbctl_test_support::cloudformation::{StackSandbox, position, refused};

/// A template with bucket `one`, a log group with a retention of `days` days, and the resources `rest`.
fn template(one: &str, days: u32, rest: &str) -> String {
    format!(
        "
Resources:
  One: {{ Type: 'AWS::S3::Bucket', Properties: {{ BucketName: {one} }} }}
  Log: {{ Type: 'AWS::Logs::LogGroup', Properties: {{ LogGroupName: upd, RetentionInDays: {days} }} }}
{rest}
Outputs:
  Name: {{ Value: !Ref One }}
"
    )
}

async fn days(cloud: &StackSandbox) -> Option<i32> {
    let groups = cloud.clients.logs.describe_log_groups().log_group_name_prefix("upd").send().await.unwrap();
    groups.log_groups()[0].retention_in_days()
}

fn output(stack: &aws_sdk_cloudformation::types::Stack) -> &str {
    stack.outputs()[0].output_value().unwrap()
}

#[tokio::test]
async fn update_modifies_in_place_or_replaces() {
    let cloud = StackSandbox::new();
    cloud.create_and_wait("upd", &template("upd-one", 7, ""), "CREATE_COMPLETE").await;
    let extra = "  Extra: { Type: 'AWS::ECR::Repository', Properties: { RepositoryName: extra } }";
    let stack = cloud.update_and_wait("upd", &template("upd-two", 14, extra), "UPDATE_COMPLETE").await;
    assert_eq!(days(&cloud).await, Some(14));
    assert_eq!(output(&stack), "upd-two");
    assert!(cloud.has_bucket("upd-two").await && !cloud.has_bucket("upd-one").await);
    let event_lines = cloud.event_lines("upd").await;
    let replaced = "One UPDATE_IN_PROGRESS: Requested update requires the creation of a new physical resource";
    let cleanup = position(&event_lines, "upd UPDATE_COMPLETE_CLEANUP_IN_PROGRESS");
    assert!(
        position(&event_lines, replaced) < cleanup && cleanup < position(&event_lines, "One DELETE_COMPLETE"),
        "{event_lines:#?}"
    );
    position(&event_lines, "Extra CREATE_COMPLETE");
    // A resource that was removed from the template is deleted.
    cloud.update_and_wait("upd", &template("upd-two", 14, ""), "UPDATE_COMPLETE").await;
    assert!(cloud.clients.ecr.describe_repositories().repository_names("extra").send().await.is_err());
    let again = cloud.clients.cloudformation.update_stack().stack_name("upd");
    let same = again.template_body(template("upd-two", 14, "")).send().await.unwrap_err();
    assert_eq!(same.message(), Some("No updates are to be performed."));
}

#[tokio::test]
async fn failed_update_is_rolled_back() {
    let cloud = StackSandbox::with_faults(&[refused("ecr", "CreateRepository", "", 1)]);
    cloud.create_and_wait("upd", &template("upd-one", 7, ""), "CREATE_COMPLETE").await;
    let extra = "  Extra: { Type: 'AWS::ECR::Repository', DependsOn: [One, Log] }";
    let stack = cloud.update_and_wait("upd", &template("upd-two", 14, extra), "UPDATE_ROLLBACK_COMPLETE").await;
    assert_eq!((output(&stack), days(&cloud).await), ("upd-one", Some(7)));
    assert!(cloud.has_bucket("upd-one").await && !cloud.has_bucket("upd-two").await);
    assert_eq!(cloud.physical_id("upd", "One").await, "upd-one");
    assert_eq!(cloud.resources("upd").await.len(), 2);
    let event_lines = cloud.event_lines("upd").await;
    let rollback = &event_lines[position(&event_lines, "upd UPDATE_ROLLBACK_IN_PROGRESS")];
    assert!(rollback.contains("The following resource(s) failed to create: [Extra]."), "{rollback}");
    // The stack can be updated again.
    cloud.update_and_wait("upd", &template("upd-two", 14, extra), "UPDATE_COMPLETE").await;
    cloud.delete_and_wait("upd", "DELETE_COMPLETE").await;
    assert!(!cloud.has_bucket("upd-two").await);
}

#[tokio::test]
async fn replacement_with_same_name_fails() {
    let cloud = StackSandbox::new();
    let repository = |encryption: &str| {
        format!(
            "Resources: {{ R: {{ Type: 'AWS::ECR::Repository', Properties: {{ RepositoryName: same, \
             EncryptionConfiguration: {{ EncryptionType: {encryption} }} }} }} }}"
        )
    };
    cloud.create_and_wait("same", &repository("AES256"), "CREATE_COMPLETE").await;
    cloud.update_and_wait("same", &repository("KMS"), "UPDATE_ROLLBACK_COMPLETE").await;
    let event_lines = cloud.event_lines("same").await;
    let failed = &event_lines[position(&event_lines, "R UPDATE_FAILED")];
    let expected = "CloudFormation cannot update a stack when a custom-named resource requires replacing. Rename same";
    assert!(failed.contains(expected), "{failed}");
    assert!(cloud.clients.ecr.describe_repositories().repository_names("same").send().await.is_ok());
}

#[tokio::test]
async fn deletion_policy_retain_applies_to_updates_and_deletions() {
    let cloud = StackSandbox::new();
    let kept = |name: &str, policy: &str| {
        format!(
            "  {name}: {{ Type: 'AWS::S3::Bucket', {policy}: Retain, Properties: {{ BucketName: kept-{name} }} }}\n"
        )
        .replace("kept-A", "kept-a")
        .replace("kept-B", "kept-b")
    };
    let both = format!("{}{}", kept("A", "DeletionPolicy"), kept("B", "DeletionPolicy"));
    cloud.create_and_wait("keeps", &template("plain", 7, &both), "CREATE_COMPLETE").await;
    cloud.update_and_wait("keeps", &template("plain", 7, &kept("B", "DeletionPolicy")), "UPDATE_COMPLETE").await;
    position(&cloud.event_lines("keeps").await, "A DELETE_SKIPPED");
    let id = cloud.delete_and_wait("keeps", "DELETE_COMPLETE").await.stack_id.unwrap();
    position(&cloud.event_lines(&id).await, "B DELETE_SKIPPED");
    assert!(cloud.has_bucket("kept-a").await && cloud.has_bucket("kept-b").await && !cloud.has_bucket("plain").await);
}

#[tokio::test]
async fn update_replace_policy_retains_old_resource() {
    let cloud = StackSandbox::new();
    let template = |name: &str| {
        format!(
            "Resources: {{ A: {{ Type: 'AWS::S3::Bucket', UpdateReplacePolicy: Retain, Properties: {{ BucketName: {name} }} }} }}"
        )
    };
    cloud.create_and_wait("old", &template("old-one"), "CREATE_COMPLETE").await;
    cloud.update_and_wait("old", &template("new-one"), "UPDATE_COMPLETE").await;
    assert!(cloud.has_bucket("old-one").await && cloud.has_bucket("new-one").await);
    position(&cloud.event_lines("old").await, "A DELETE_SKIPPED");
}

#[tokio::test]
async fn retain_except_on_create_deletes_after_failed_creation() {
    let cloud = StackSandbox::with_faults(&[refused("logs", "CreateLogGroup", "", 1)]);
    let template = |policy: &str| {
        format!(
            "
Resources:
  A: {{ Type: 'AWS::S3::Bucket', DeletionPolicy: {policy}, Properties: {{ BucketName: made }} }}
  B: {{ Type: 'AWS::Logs::LogGroup', DependsOn: A }}
"
        )
    };
    cloud.create_and_wait("undone", &template("RetainExceptOnCreate"), "ROLLBACK_COMPLETE").await;
    assert!(!cloud.has_bucket("made").await);
    cloud.create_and_wait("done", &template("RetainExceptOnCreate"), "CREATE_COMPLETE").await;
    cloud.delete_and_wait("done", "DELETE_COMPLETE").await;
    assert!(cloud.has_bucket("made").await);
}

#[tokio::test]
async fn resource_is_deleted_when_its_condition_turns_false() {
    let cloud = StackSandbox::new();
    let template = "
Parameters: { With: { Type: String, Default: 'yes' } }
Conditions: { IsEnabled: !Equals [!Ref With, 'yes'] }
Resources:
  A: { Type: 'AWS::S3::Bucket', Condition: IsEnabled, Properties: { BucketName: conditional } }
  B: { Type: 'AWS::Logs::LogGroup', Properties: { LogGroupName: always } }
";
    cloud.create_and_wait("cond", template, "CREATE_COMPLETE").await;
    assert!(cloud.has_bucket("conditional").await);
    let update = cloud.clients.cloudformation.update_stack().stack_name("cond").use_previous_template(true);
    update.parameters(thumbctl_test_support::cloudformation::parameter("With", "no")).send().await.unwrap();
    cloud.wait_for_status("cond", "UPDATE_COMPLETE").await;
    assert!(!cloud.has_bucket("conditional").await && cloud.resources("cond").await.len() == 1);
}

#[tokio::test]
async fn failed_cleanup_is_reported_and_update_completes() {
    let cloud = StackSandbox::new();
    cloud.create_and_wait("upd", &template("upd-one", 7, ""), "CREATE_COMPLETE").await;
    let object = cloud.clients.s3.put_object().bucket("upd-one").key("a").body(b"x".to_vec().into());
    object.send().await.unwrap();
    let stack = cloud.update_and_wait("upd", &template("upd-two", 7, ""), "UPDATE_COMPLETE").await;
    assert!(stack.stack_status_reason().unwrap().contains("could not be deleted"));
    position(&cloud.event_lines("upd").await, "One DELETE_FAILED");
    assert!(cloud.has_bucket("upd-one").await);
    cloud.delete_and_wait("upd", "DELETE_COMPLETE").await;
}

#[tokio::test]
async fn stack_tag_update_is_applied_to_resources() {
    let cloud = StackSandbox::new();
    let tag = |key: &str| Tag::builder().key(key).value("x").build();
    cloud.create("upd", &template("upd-one", 7, "")).tags(tag("old")).send().await.unwrap();
    cloud.wait_for_status("upd", "CREATE_COMPLETE").await;
    let update = cloud.clients.cloudformation.update_stack().stack_name("upd").use_previous_template(true);
    update.tags(tag("new")).send().await.unwrap();
    cloud.wait_for_status("upd", "UPDATE_COMPLETE").await;
    let tags = cloud.clients.s3.get_bucket_tagging().bucket("upd-one").send().await.unwrap();
    let own: Vec<&str> = tags.tag_set().iter().map(|tag| tag.key()).filter(|key| !key.starts_with("aws:")).collect();
    assert_eq!(own, ["new"]);
    let groups = cloud.clients.logs.describe_log_groups().send().await.unwrap();
    let arn = groups.log_groups()[0].log_group_arn().unwrap().to_owned();
    let tags = cloud.clients.logs.list_tags_for_resource().resource_arn(arn).send().await.unwrap().tags.unwrap();
    assert!(tags.contains_key("new") && !tags.contains_key("old"), "{tags:?}");
}

#[tokio::test]
async fn export_name_is_unique() {
    let cloud = StackSandbox::new();
    let template = |bucket: &str| {
        format!(
            "
Resources: {{ A: {{ Type: 'AWS::S3::Bucket', Properties: {{ BucketName: {bucket} }} }} }}
Outputs: {{ O: {{ Value: x, Export: {{ Name: shared }} }} }}
"
        )
    };
    cloud.create_and_wait("first", &template("export-a"), "CREATE_COMPLETE").await;
    cloud.create_and_wait("second", &template("export-b"), "ROLLBACK_COMPLETE").await;
    let event_lines = cloud.event_lines("second").await;
    let reason = &event_lines[position(&event_lines, "second ROLLBACK_IN_PROGRESS")];
    assert!(reason.contains("Export with name shared is already exported by stack first"), "{reason}");
}
