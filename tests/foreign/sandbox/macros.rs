//! Macros: functions in the sandbox that generate parts of templates.

use aws_sdk_cloudformation::error::ProvideErrorMetadata as _;
use aws_sdk_cloudformation::types::{Capability, ChangeSetType};

use thumbctl_test_support::cloudformation::StackSandbox;
use thumbctl_test_support::until;

thumbctl_test_support::foreign_tests! {
    [Python3] async: macro_generates_a_part_of_a_template,
        missing_failing_or_nonsense_macro_is_reported;
}

/// A template with a macro `Naming` and its function's body.
fn naming(body: &str) -> String {
    format!(
        "
Resources:
  Role:
    Type: AWS::IAM::Role
    Properties:
      AssumeRolePolicyDocument:
        Version: '2012-10-17'
        Statement: [{{ Effect: Allow, Principal: {{ Service: lambda.amazonaws.com }}, Action: 'sts:AssumeRole' }}]
  Function:
    Type: AWS::Lambda::Function
    Properties:
      Runtime: python3.13
      Handler: index.handler
      Role: !GetAtt Role.Arn
      Timeout: 10
      Code: {{ ZipFile: \"def handler(event, context):\\n    {body}\\n\" }}
  Macro:
    Type: AWS::CloudFormation::Macro
    Properties: {{ Name: Naming, FunctionName: !GetAtt Function.Arn }}
"
    )
}

const USE: &str = "
Parameters: { Prefix: { Type: String, Default: made } }
Resources:
  Bucket:
    Type: AWS::S3::Bucket
    Properties:
      BucketName: !Transform { Name: Naming, Parameters: { Role: source } }
";

/// The failure of a change set with the macro.
async fn failure(cloud: &StackSandbox, stack: &str) -> String {
    let client = &cloud.clients.cloudformation;
    let set = client.create_change_set().stack_name(stack).change_set_name("s").change_set_type(ChangeSetType::Create);
    set.template_body(USE).send().await.expect("what a macro does is found out later");
    until("the change set", async || {
        let set =
            client.describe_change_set().stack_name(stack).change_set_name("s").send().await.expect("it is there");
        let status = set.status().map(|status| status.as_str().to_owned()).unwrap_or_default();
        assert_ne!(status, "CREATE_COMPLETE");
        (status == "FAILED").then(|| set.status_reason().unwrap_or_default().to_owned())
    })
    .await
}

async fn macro_generates_a_part_of_a_template() {
    let cloud = StackSandbox::new();
    let body = "return {'requestId': event['requestId'], 'status': 'success', \
                'fragment': event['templateParameterValues']['Prefix'] + '-' + event['params']['Role']}";
    cloud.create_and_wait("macro", &naming(body), "CREATE_COMPLETE").await;
    let refused = cloud.create("user", USE).send().await.unwrap_err();
    assert_eq!(refused.code(), Some("InsufficientCapabilitiesException"), "{:?}", refused.message());
    cloud.create("user", USE).capabilities(Capability::CapabilityAutoExpand).send().await.unwrap();
    cloud.wait_for_status("user", "CREATE_COMPLETE").await;
    assert!(cloud.has_bucket("made-source").await);
    // The macro is deleted with its stack, and its results can still be deleted.
    cloud.delete_and_wait("macro", "DELETE_COMPLETE").await;
    assert_eq!(failure(&cloud, "later").await, "No transform named 000000000000::Naming found.");
    cloud.delete_and_wait("user", "DELETE_COMPLETE").await;
    assert!(!cloud.has_bucket("made-source").await);
}

async fn missing_failing_or_nonsense_macro_is_reported() {
    let cloud = StackSandbox::new();
    assert_eq!(failure(&cloud, "none").await, "No transform named 000000000000::Naming found.");
    let body = "return {'requestId': event['requestId'], 'status': 'failure', 'errorMessage': 'no such role'}";
    cloud.create_and_wait("macro", &naming(body), "CREATE_COMPLETE").await;
    assert_eq!(failure(&cloud, "fails").await, "Transform 000000000000::Naming failed with: no such role");
    cloud.update_and_wait("macro", &naming("return 'nonsense'"), "UPDATE_COMPLETE").await;
    assert_eq!(failure(&cloud, "nonsense").await, "Received malformed response from transform 000000000000::Naming");
    cloud.update_and_wait("macro", &naming("raise ValueError('no')"), "UPDATE_COMPLETE").await;
    assert_eq!(failure(&cloud, "raises").await, "Received malformed response from transform 000000000000::Naming");
    let direct = cloud.create("direct", USE).capabilities(Capability::CapabilityAutoExpand).send().await.unwrap_err();
    assert!(direct.message().unwrap().contains("malformed response"), "{direct:?}");
}
