//! Change sets: creation, description and execution.

use aws_sdk_cloudformation::error::ProvideErrorMetadata as _;
use aws_sdk_cloudformation::operation::create_change_set::builders::CreateChangeSetFluentBuilder;
use aws_sdk_cloudformation::operation::describe_change_set::DescribeChangeSetOutput;
use aws_sdk_cloudformation::types::{ChangeSetType, ResourceChange};

use thumbctl_test_support::cloudformation::{StackSandbox, status_of};
use thumbctl_test_support::until;

fn template(bucket: &str, days: u32, rest: &str) -> String {
    format!(
        "
Resources:
  Bucket: {{ Type: 'AWS::S3::Bucket', Properties: {{ BucketName: {bucket} }} }}
  Log: {{ Type: 'AWS::Logs::LogGroup', Properties: {{ LogGroupName: sets, RetentionInDays: {days} }} }}
{rest}"
    )
}

fn set(cloud: &StackSandbox, name: &str, kind: ChangeSetType, template: &str) -> CreateChangeSetFluentBuilder {
    let set = cloud.clients.cloudformation.create_change_set().stack_name("sets").change_set_name(name);
    set.change_set_type(kind).template_body(template)
}

async fn wait_for_change_set(cloud: &StackSandbox, name: &str) -> DescribeChangeSetOutput {
    until("a change set", async || {
        let described = cloud.clients.cloudformation.describe_change_set().stack_name("sets").change_set_name(name);
        let described = described.send().await.expect("a change set");
        let status = described.status().map(|status| status.as_str().to_owned()).unwrap_or_default();
        (!matches!(status.as_str(), "CREATE_PENDING" | "CREATE_IN_PROGRESS")).then_some(described)
    })
    .await
}

async fn execute(cloud: &StackSandbox, name: &str) {
    let execute = cloud.clients.cloudformation.execute_change_set().stack_name("sets").change_set_name(name);
    execute.send().await.expect("a started execution");
}

fn change<'a>(described: &'a DescribeChangeSetOutput, name: &str) -> &'a ResourceChange {
    let mut changes = described.changes().iter().filter_map(|change| change.resource_change());
    changes.find(|change| change.logical_resource_id() == Some(name)).expect("a change")
}

fn action_and_replacement(change: &ResourceChange) -> (String, Option<String>) {
    let action = change.action().map(|action| action.as_str().to_owned()).unwrap_or_default();
    (action, change.replacement().map(|replacement| replacement.as_str().to_owned()))
}

#[tokio::test]
async fn change_set_shows_changes_and_executes_them() {
    let cloud = StackSandbox::new();
    let extra = "  Extra: { Type: 'AWS::ECR::Repository' }";
    set(&cloud, "first", ChangeSetType::Create, &template("sets-one", 7, extra)).send().await.unwrap();
    assert_eq!(status_of(&cloud.stack("sets").await.unwrap()), "REVIEW_IN_PROGRESS");
    let first = wait_for_change_set(&cloud, "first").await;
    assert_eq!(first.execution_status().map(|status| status.as_str()), Some("AVAILABLE"));
    assert_eq!(first.changes().len(), 3);
    assert_eq!(action_and_replacement(change(&first, "Bucket")), ("Add".to_owned(), None));
    assert!(!cloud.has_bucket("sets-one").await, "not created before execution");
    execute(&cloud, "first").await;
    cloud.wait_for_status("sets", "CREATE_COMPLETE").await;

    let more = "  More: { Type: 'AWS::S3::Bucket', Properties: { BucketName: sets-more } }";
    set(&cloud, "second", ChangeSetType::Update, &template("sets-two", 14, more)).send().await.unwrap();
    let second = wait_for_change_set(&cloud, "second").await;
    assert_eq!(action_and_replacement(change(&second, "Bucket")), ("Modify".to_owned(), Some("True".to_owned())));
    assert_eq!(action_and_replacement(change(&second, "Log")), ("Modify".to_owned(), Some("False".to_owned())));
    assert_eq!(action_and_replacement(change(&second, "Extra")).0, "Remove");
    assert_eq!(action_and_replacement(change(&second, "More")).0, "Add");
    let bucket = change(&second, "Bucket");
    assert_eq!(bucket.physical_resource_id(), Some("sets-one"));
    let target = bucket.details()[0].target().unwrap();
    assert_eq!(target.name(), Some("BucketName"));
    assert_eq!(target.requires_recreation().map(|value| value.as_str()), Some("Always"));
    assert_eq!(bucket.details()[0].change_source().map(|value| value.as_str()), Some("DirectModification"));
    execute(&cloud, "second").await;
    cloud.wait_for_status("sets", "UPDATE_COMPLETE").await;
    assert!(cloud.has_bucket("sets-two").await && cloud.has_bucket("sets-more").await);
    let executed = wait_for_change_set(&cloud, "second").await;
    assert!(executed.execution_status().is_some_and(|status| status.as_str().starts_with("EXECUTE")));
    let again = cloud.clients.cloudformation.execute_change_set().stack_name("sets").change_set_name("second");
    assert_eq!(again.send().await.unwrap_err().code(), Some("InvalidChangeSetStatus"));
}

#[tokio::test]
async fn change_set_without_changes_fails() {
    let cloud = StackSandbox::new();
    let template = template("sets-one", 7, "");
    cloud.create_and_wait("sets", &template, "CREATE_COMPLETE").await;
    set(&cloud, "same", ChangeSetType::Update, &template).send().await.unwrap();
    let same = wait_for_change_set(&cloud, "same").await;
    assert_eq!(same.status().map(|status| status.as_str()), Some("FAILED"));
    assert!(same.status_reason().unwrap().contains("didn't contain changes"));
}

#[tokio::test]
async fn stack_in_review_is_deleted_without_remains() {
    let cloud = StackSandbox::new();
    set(&cloud, "first", ChangeSetType::Create, &template("sets-one", 7, "")).send().await.unwrap();
    wait_for_change_set(&cloud, "first").await;
    let delete = cloud.clients.cloudformation.delete_change_set().stack_name("sets").change_set_name("first");
    delete.send().await.unwrap();
    let missing = cloud.clients.cloudformation.describe_change_set().stack_name("sets").change_set_name("first");
    assert_eq!(missing.send().await.unwrap_err().code(), Some("ChangeSetNotFound"));
    cloud.delete_and_wait("sets", "DELETE_COMPLETE").await;
    assert!(cloud.stack("sets").await.is_none());
}

#[tokio::test]
async fn change_set_is_rejected_for_wrong_stack_state_or_used_name() {
    let cloud = StackSandbox::new();
    let missing = set(&cloud, "s", ChangeSetType::Update, &template("b", 7, "")).send().await.unwrap_err();
    assert!(missing.message().unwrap().contains("does not exist"));
    cloud.create_and_wait("sets", &template("sets-one", 7, ""), "CREATE_COMPLETE").await;
    let existing = set(&cloud, "s", ChangeSetType::Create, &template("b", 7, "")).send().await.unwrap_err();
    assert!(existing.message().unwrap().contains("already exists"));
    set(&cloud, "s", ChangeSetType::Update, &template("c", 7, "")).send().await.unwrap();
    let duplicate = set(&cloud, "s", ChangeSetType::Update, &template("d", 7, "")).send().await.unwrap_err();
    assert_eq!(duplicate.code(), Some("AlreadyExistsException"));
}

#[tokio::test]
async fn change_set_becomes_obsolete_after_stack_update() {
    let cloud = StackSandbox::new();
    let client = &cloud.clients.cloudformation;
    cloud.create_and_wait("sets", &template("sets-one", 7, ""), "CREATE_COMPLETE").await;
    let stale = template("sets-one", 30, "");
    set(&cloud, "stale", ChangeSetType::Update, &stale).send().await.unwrap();
    wait_for_change_set(&cloud, "stale").await;
    // Meanwhile the stack is updated without the change set.
    let extra = "  Extra: { Type: 'AWS::ECR::Repository' }";
    client.update_stack().stack_name("sets").template_body(template("sets-one", 7, extra)).send().await.unwrap();
    until("the update", async || (status_of(&cloud.stack("sets").await.unwrap()) == "UPDATE_COMPLETE").then_some(()))
        .await;
    let described = wait_for_change_set(&cloud, "stale").await;
    assert_eq!(described.execution_status().map(|status| status.as_str()), Some("OBSOLETE"));
    let executed = client.execute_change_set().stack_name("sets").change_set_name("stale").send().await.unwrap_err();
    assert_eq!(executed.code(), Some("InvalidChangeSetStatus"));
    let resources = client.list_stack_resources().stack_name("sets").send().await.unwrap();
    assert_eq!(resources.stack_resource_summaries().len(), 3, "the obsolete change set has no effect");
}
