//! Stacks.

use thumbctl_deploy::aws::Deleted;
use thumbctl_deploy::aws::cloudformation::{self, ChangeAction, ChangeSetSpec, ChangeSetStatus};

use super::moto::Moto;
use super::tags;

thumbctl_test_support::foreign_tests! {
    [Moto] async: stack_is_created_by_a_change_set_reports_events_and_is_deleted;
}

async fn stack_is_created_by_a_change_set_reports_events_and_is_deleted() {
    let moto = moto_or_skip!();
    let client = aws_sdk_cloudformation::Client::new(&moto.config);
    let (stack, change_set) = ("layer-8-build", "make");
    assert_eq!(cloudformation::stack(&client, stack).await.unwrap(), None);
    let suffix = ("Suffix".to_owned(), "0a1b2c3d".to_owned());
    let spec = ChangeSetSpec {
        stack,
        name: change_set,
        template: include_str!("../../../assets/cloudformation/build.yaml"),
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
