//! Creation and deletion of stacks.

use std::collections::BTreeMap;

use serde_json::json;

use thumbctl_test_support::cloudformation::{StackSandbox, position};

const PICTURES: &str = r#"
Description: Pictures
Parameters:
  Prefix: { Type: String, Default: pics }
Conditions:
  Never: !Equals [a, b]
Resources:
  Bucket:
    Type: AWS::S3::Bucket
    Properties:
      BucketName: !Sub "${Prefix}-in"
      VersioningConfiguration: { Status: Enabled }
  Excluded:
    Type: AWS::S3::Bucket
    Condition: Never
  Log:
    Type: AWS::Logs::LogGroup
    Properties: { LogGroupName: !Sub "/${Bucket}/log", RetentionInDays: 7 }
  Repository:
    Type: AWS::ECR::Repository
    Properties: { RepositoryName: !Ref Prefix }
  Role:
    Type: AWS::IAM::Role
    Properties:
      RoleName: !Join ["-", [!Ref Prefix, role]]
      AssumeRolePolicyDocument:
        Version: "2012-10-17"
        Statement: [{ Effect: Allow, Principal: { Service: lambda.amazonaws.com }, Action: "sts:AssumeRole" }]
      Policies:
        - PolicyName: read
          PolicyDocument:
            Version: "2012-10-17"
            Statement: [{ Effect: Allow, Action: "s3:GetObject", Resource: !Sub "${Bucket.Arn}/*" }]
Outputs:
  Where: { Value: !GetAtt Bucket.Arn, Description: The bucket, Export: { Name: pictures } }
"#;

#[tokio::test]
async fn stack_creates_and_deletes_its_resources() {
    let cloud = StackSandbox::new();
    let stack = cloud.create_and_wait("pictures", PICTURES, "CREATE_COMPLETE").await;
    assert_eq!(stack.description(), Some("Pictures"));
    let output = &stack.outputs()[0];
    assert_eq!((output.output_key(), output.output_value()), (Some("Where"), Some("arn:aws:s3:::pics-in")));
    assert_eq!(output.export_name(), Some("pictures"));
    let versioning = cloud.clients.s3.get_bucket_versioning().bucket("pics-in").send().await.unwrap();
    assert_eq!(versioning.status().map(|status| status.as_str()), Some("Enabled"));
    let groups = cloud.clients.logs.describe_log_groups().send().await.unwrap();
    let group = &groups.log_groups()[0];
    assert_eq!((group.log_group_name(), group.retention_in_days()), (Some("/pics-in/log"), Some(7)));
    let policy = cloud.clients.iam.get_role_policy().role_name("pics-role").policy_name("read").send().await.unwrap();
    assert!(policy.policy_document().contains("pics-in"), "{}", policy.policy_document());
    assert_eq!(cloud.resources("pictures").await.len(), 4, "a resource with a false condition is not created");

    cloud.delete_and_wait("pictures", "DELETE_COMPLETE").await;
    assert!(!cloud.has_bucket("pics-in").await && !cloud.has_log_group("/pics-in/log").await);
    assert!(!cloud.has_role("pics-role").await && cloud.stack("pictures").await.is_none());
}

#[tokio::test]
async fn events_match_cloudformation() {
    let cloud = StackSandbox::new();
    cloud.create_and_wait("pictures", PICTURES, "CREATE_COMPLETE").await;
    let event_lines = cloud.event_lines("pictures").await;
    assert_eq!(event_lines[0], "pictures CREATE_IN_PROGRESS: User Initiated");
    assert_eq!(event_lines[event_lines.len() - 1], "pictures CREATE_COMPLETE");
    let of_bucket: Vec<&str> =
        event_lines.iter().map(String::as_str).filter(|line| line.starts_with("Bucket ")).collect();
    assert_eq!(
        of_bucket,
        [
            "Bucket CREATE_IN_PROGRESS",
            "Bucket CREATE_IN_PROGRESS: Resource creation Initiated",
            "Bucket CREATE_IN_PROGRESS CONFIGURATION_COMPLETE: Eventual consistency check initiated",
            "Bucket CREATE_COMPLETE",
        ]
    );
    // Dependents wait for the bucket's configuration; independent resources are created in parallel.
    assert!(
        position(&event_lines, "Bucket CREATE_IN_PROGRESS CONFIGURATION_COMPLETE")
            < position(&event_lines, "Log CREATE_IN_PROGRESS")
    );
    assert!(position(&event_lines, "Repository CREATE_IN_PROGRESS") < position(&event_lines, "Bucket CREATE_COMPLETE"));
    let events = cloud.events("pictures").await;
    let started = events.iter().find(|event| event.logical_resource_id() == Some("Bucket")).unwrap();
    assert_eq!(started.physical_resource_id().unwrap_or_default(), "");
    assert!(started.resource_properties().unwrap_or_default().is_empty() || started.resource_properties().is_some());
    let configured =
        event_lines.iter().filter(|line| line.starts_with("pictures CREATE_IN_PROGRESS CONFIGURATION_COMPLETE"));
    assert!(configured.count() <= 1, "{event_lines:#?}");
}

/// The first call of each resource hangs, so resources created one after another would not all start.
#[tokio::test]
async fn independent_resources_are_created_in_parallel() {
    let hang = |operation: &str| json!({ "service": "*", "operation": operation, "times": 1, "kind": "hang" });
    let cloud = StackSandbox::with_faults(&[hang("CreateBucket"), hang("CreateRepository"), hang("CreateLogGroup")]);
    let template = "
Resources:
  A: { Type: 'AWS::S3::Bucket', Properties: { BucketName: side-a } }
  B: { Type: 'AWS::ECR::Repository', Properties: { RepositoryName: side-b } }
  C: { Type: 'AWS::Logs::LogGroup', Properties: { LogGroupName: side-c } }
";
    cloud.create("side", template).send().await.unwrap();
    let started =
        |event_lines: &[String]| event_lines.iter().filter(|line| line.ends_with("CREATE_IN_PROGRESS")).count();
    thumbctl_test_support::until("three creations in progress", async || {
        (started(&cloud.event_lines("side").await) == 3).then_some(())
    })
    .await;
    // The API responds meanwhile, and a stack can be deleted during its creation.
    cloud.delete_and_wait("side", "DELETE_COMPLETE").await;
    assert!(!cloud.has_bucket("side-a").await && !cloud.has_log_group("side-c").await);
}

#[tokio::test]
async fn stack_tags_are_applied_and_aws_tags_are_read_only() {
    let cloud = StackSandbox::new();
    let tag = aws_sdk_cloudformation::types::Tag::builder().key("team").value("blue").build();
    let id = cloud.create("pictures", PICTURES).tags(tag).send().await.unwrap().stack_id.unwrap();
    cloud.wait_for_status("pictures", "CREATE_COMPLETE").await;
    let expected = |name: &str| {
        BTreeMap::from([
            ("aws:cloudformation:logical-id".to_owned(), name.to_owned()),
            ("aws:cloudformation:stack-id".to_owned(), id.clone()),
            ("aws:cloudformation:stack-name".to_owned(), "pictures".to_owned()),
            ("team".to_owned(), "blue".to_owned()),
        ])
    };
    let clients = &cloud.clients;
    let tags = clients.s3.get_bucket_tagging().bucket("pics-in").send().await.unwrap();
    let tags: BTreeMap<_, _> =
        tags.tag_set().iter().map(|tag| (tag.key().to_owned(), tag.value().to_owned())).collect();
    assert_eq!(tags, expected("Bucket"));
    let group = clients.logs.describe_log_groups().send().await.unwrap().log_groups()[0].clone();
    let arn = group.log_group_arn().unwrap_or_default().to_owned();
    let tags = clients.logs.list_tags_for_resource().resource_arn(&arn).send().await.unwrap().tags.unwrap();
    assert_eq!(tags.into_iter().collect::<BTreeMap<_, _>>(), expected("Log"));
    let tags = clients.iam.list_role_tags().role_name("pics-role").send().await.unwrap();
    let tags: BTreeMap<_, _> = tags.tags().iter().map(|tag| (tag.key().to_owned(), tag.value().to_owned())).collect();
    assert_eq!(tags, expected("Role"));
    let reserved_key = "aws:cloudformation:stack-name";
    assert!(clients.logs.untag_resource().resource_arn(&arn).tag_keys(reserved_key).send().await.is_err());
    assert!(clients.logs.tag_resource().resource_arn(&arn).tags(reserved_key, "x").send().await.is_err());
    let repository = clients.ecr.describe_repositories().send().await.unwrap().repositories()[0].clone();
    let arn = repository.repository_arn().unwrap();
    assert!(clients.ecr.untag_resource().resource_arn(arn).tag_keys(reserved_key).send().await.is_err());
    let tags = clients.ecr.list_tags_for_resource().resource_arn(arn).send().await.unwrap();
    assert_eq!(tags.tags().len(), 4);
}

#[tokio::test]
async fn stack_events_are_paginated() {
    let cloud = StackSandbox::new();
    let mut template = "Resources:\n".to_owned();
    for number in 0..55 {
        template.push_str(&format!(
            "  Log{number}: {{ Type: 'AWS::Logs::LogGroup', Properties: {{ LogGroupName: 'many-{number}' }} }}\n"
        ));
    }
    cloud.create_and_wait("many", &template, "CREATE_COMPLETE").await;
    let first = cloud.clients.cloudformation.describe_stack_events().stack_name("many").send().await.unwrap();
    assert_eq!(first.stack_events().len(), 100);
    assert_eq!(first.stack_events()[0].logical_resource_id(), Some("many"), "the newest comes first");
    let all = cloud.events("many").await;
    assert!(all.len() > 200, "{}", all.len());
    let ids: std::collections::BTreeSet<_> = all.iter().filter_map(|event| event.event_id()).collect();
    assert_eq!(ids.len(), all.len());
    let listed = cloud.clients.cloudformation.list_stack_resources().stack_name("many").into_paginator().items().send();
    assert_eq!(listed.try_collect().await.unwrap().len(), 55);
    cloud.delete_and_wait("many", "DELETE_COMPLETE").await;
}

#[tokio::test]
async fn repeated_request_token_creates_one_stack() {
    let cloud = StackSandbox::new();
    let create = || cloud.create("pictures", PICTURES).client_request_token("once").send();
    let (first, again) = (create().await.unwrap(), create().await.unwrap());
    assert_eq!(first.stack_id(), again.stack_id());
    cloud.wait_for_status("pictures", "CREATE_COMPLETE").await;
    assert!(cloud.events("pictures").await.iter().all(|event| event.client_request_token() == Some("once")));
    assert!(cloud.create("pictures", PICTURES).client_request_token("twice").send().await.is_err());
}
