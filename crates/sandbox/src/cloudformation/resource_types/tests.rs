//! Tests of the handlers with the services, without a server or a stack.

use std::sync::Arc;

use serde_json::{Value, json};

use super::{Created, HandlerContext, HandlerError, Stop, resource_type};
use crate::authz::access_control::{AccessControl, RootKeys};
use crate::behaviour::Behaviour;
use crate::codebuild::{BuildHost, CodeBuildService};
use crate::ecr::Ecr;
use crate::iam::Iam;
use crate::lambda::LambdaService;
use crate::logs::Logs;
use crate::s3::S3;
use crate::service_registry::ServiceRegistry;

const REGION: &str = "eu-west-1";

/// The services for the handlers.
struct TestBench {
    services: Arc<ServiceRegistry>,
    s3: Arc<S3>,
    tags: Vec<(String, String)>,
    stop: Stop,
    _dir: tempfile::TempDir,
}

impl TestBench {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let endpoint = "http://127.0.0.1:9".to_owned();
        let services =
            Arc::new(ServiceRegistry::new(endpoint, dir.path().to_owned(), Behaviour::default(), Vec::new()).unwrap());
        let s3 = Arc::new(S3::open(services.clone()).unwrap());
        let iam = Arc::new(Iam::new(services.clone()));
        let access = AccessControl::new(RootKeys::generate(), iam.store(), services.sessions().clone(), true);
        services.set_access(Arc::new(access));
        services.register(iam).unwrap();
        services.register(Arc::new(Logs::new(&services).unwrap())).unwrap();
        let ecr = Arc::new(Ecr::new(services.clone()));
        services.register(ecr.clone()).unwrap();
        let host = BuildHost { program: "/nonexistent".into(), function: || &[] };
        services.register(Arc::new(CodeBuildService::new(services.clone(), host))).unwrap();
        let lambda = Arc::new(LambdaService::new(services.clone(), ecr.image_resolver(), s3.clone()));
        services.register(lambda.clone()).unwrap();
        services.set_function_invoker(lambda);
        let tags = vec![("aws:cloudformation:stack-name".to_owned(), "pictures".to_owned())];
        Self { services, s3, tags, stop: Stop::default(), _dir: dir }
    }

    fn handler_context<'a>(&'a self, access_key: Option<&'a str>, logical_id: &'a str) -> HandlerContext<'a> {
        HandlerContext {
            services: &self.services,
            s3: &self.s3,
            region: REGION,
            access_key,
            stack_name: "pictures",
            logical_id,
            chance: "0123456789AB",
            tags: &self.tags,
            former_tags: &self.tags,
            stop: &self.stop,
        }
    }

    async fn try_make(&self, kind: &str, properties: &Value) -> Result<Created, HandlerError> {
        let provider = resource_type(kind).unwrap().provider;
        let context = self.handler_context(None, "Thing");
        let created = provider.create(&context, properties).await?;
        provider.stabilise(&context, &created).await?;
        Ok(created)
    }

    async fn make(&self, kind: &str, properties: Value) -> Created {
        self.try_make(kind, &properties).await.unwrap_or_else(|refused| panic!("{kind}: {refused}"))
    }

    async fn unmake(&self, kind: &str, created: &Created, properties: &Value) -> Result<(), HandlerError> {
        resource_type(kind).unwrap().provider.delete(&self.handler_context(None, "Thing"), created, properties).await
    }

    async fn call(&self, service: &str, operation: &str, input: Value) -> Value {
        let answer = self.services.call(service, REGION, operation, input).await;
        answer.unwrap_or_else(|error| panic!("{operation}: {error}"))
    }

    async fn role(&self, name: &str, principal: &str) -> Created {
        self.make(
            "AWS::IAM::Role",
            json!({
                "RoleName": name,
                "AssumeRolePolicyDocument": trust(principal),
            }),
        )
        .await
    }

    async fn bucket_setting(&self, bucket: &str, query: &str) -> String {
        let answer = self.handler_context(None, "Thing").call_s3(http::Method::GET, bucket, query, String::new()).await;
        answer.unwrap_or_else(|failure| panic!("{query}: {failure:?}"))
    }
}

fn trust(principal: &str) -> Value {
    json!({
        "Version": "2012-10-17",
        "Statement": [{ "Effect": "Allow", "Principal": { "Service": principal }, "Action": "sts:AssumeRole" }],
    })
}

fn inline_function(name: &str, role: &Created) -> Value {
    json!({
        "FunctionName": name,
        "Runtime": "python3.13",
        "Handler": "index.handler",
        "Role": role.attributes["Arn"],
        "Timeout": "10",
        "Environment": { "Variables": { "MAX_SIZE": 256 } },
        "Code": { "ZipFile": "def handler(event, context):\n    return event\n" },
    })
}

#[test]
fn table_declares_required_and_replacing_properties() {
    let property = |kind: &str, name: &str| {
        resource_type(kind).unwrap().properties.iter().find(|it| it.name == name).map(|it| (it.required, it.replaces))
    };
    assert_eq!(property("AWS::S3::Bucket", "BucketName"), Some((false, true)));
    assert_eq!(property("AWS::S3::Bucket", "Arn"), None, "an attribute is no property");
    assert_eq!(property("AWS::Lambda::Function", "Code"), Some((true, false)));
    assert_eq!(property("AWS::Lambda::Permission", "Principal"), Some((true, true)));
    assert_eq!(property("AWS::IAM::ManagedPolicy", "Description"), Some((false, true)));
    assert_eq!(property("AWS::IAM::ManagedPolicy", "Tags"), None);
    assert_eq!(property("AWS::IAM::Role", "AssumeRolePolicyDocument"), Some((true, false)));
    assert!(resource_type("AWS::EC2::Instance").is_none());
}

#[tokio::test]
async fn function_is_created_with_role_permission_and_notifying_bucket() {
    let bench = TestBench::new();
    let policy = bench
        .make(
            "AWS::IAM::ManagedPolicy",
            json!({
                "ManagedPolicyName": "write-log",
                "PolicyDocument": { "Version": "2012-10-17", "Statement": [
                    { "Effect": "Allow", "Action": "logs:*", "Resource": "*" },
                ] },
            }),
        )
        .await;
    assert_eq!(policy.physical_id, "arn:aws:iam::000000000000:policy/write-log");
    let role_properties = json!({
        "RoleName": "worker",
        "AssumeRolePolicyDocument": trust("lambda.amazonaws.com"),
        "ManagedPolicyArns": [policy.physical_id],
        "Tags": [{ "Key": "team", "Value": "pictures" }],
    });
    let role = bench.make("AWS::IAM::Role", role_properties.clone()).await;
    let tags = bench.call("iam", "ListRoleTags", json!({ "RoleName": "worker" })).await.to_string();
    assert!(tags.contains("aws:cloudformation:stack-name") && tags.contains("team"), "{tags}");

    let function_properties = inline_function("thumbs", &role);
    let function = bench.make("AWS::Lambda::Function", function_properties.clone()).await;
    assert_eq!(function.attributes["Arn"], "arn:aws:lambda:eu-west-1:000000000000:function:thumbs");
    let there = bench.call("lambda", "GetFunction", json!({ "FunctionName": "thumbs" })).await;
    assert_eq!(there["Configuration"]["State"], "Active");
    assert_eq!(there["Configuration"]["Timeout"], 10);
    assert_eq!(there["Configuration"]["Environment"]["Variables"]["MAX_SIZE"], "256");
    assert_eq!(there["Tags"]["aws:cloudformation:stack-name"], "pictures");

    let bucket_properties = json!({
        "BucketName": "pictures-source",
        "BucketEncryption": { "ServerSideEncryptionConfiguration": [
            { "ServerSideEncryptionByDefault": { "SSEAlgorithm": "AES256" } },
        ] },
        "NotificationConfiguration": { "LambdaConfigurations": [
            { "Event": "s3:ObjectCreated:*", "Function": function.attributes["Arn"] },
        ] },
    });
    // S3 has no permission to invoke the function yet: the bucket is deleted.
    let refused = bench.try_make("AWS::S3::Bucket", &bucket_properties).await.unwrap_err().to_string();
    assert!(refused.contains("Unable to validate the following destination configurations"), "{refused}");
    assert!(!bench.s3.has_bucket("pictures-source"));

    let permission_properties = json!({
        "Action": "lambda:InvokeFunction",
        "FunctionName": function.physical_id,
        "Principal": "s3.amazonaws.com",
        "SourceArn": "arn:aws:s3:::pictures-source",
        "SourceAccount": "000000000000",
    });
    let permission = bench.make("AWS::Lambda::Permission", permission_properties.clone()).await;
    assert!(permission.physical_id.starts_with("pictures-Thing-"), "{}", permission.physical_id);
    let bucket = bench.make("AWS::S3::Bucket", bucket_properties.clone()).await;
    let notification = bench.bucket_setting("pictures-source", "?notification").await;
    assert!(notification.contains("function:thumbs"), "{notification}");
    let tags = bench.bucket_setting("pictures-source", "?tagging").await;
    assert!(tags.contains("aws:cloudformation:stack-name"), "{tags}");

    bench.unmake("AWS::S3::Bucket", &bucket, &bucket_properties).await.unwrap();
    bench.unmake("AWS::Lambda::Permission", &permission, &permission_properties).await.unwrap();
    bench.unmake("AWS::Lambda::Function", &function, &function_properties).await.unwrap();
    bench.unmake("AWS::IAM::Role", &role, &role_properties).await.unwrap();
    bench.unmake("AWS::IAM::ManagedPolicy", &policy, &json!({})).await.unwrap();
    // Deleting missing resources succeeds.
    bench.unmake("AWS::IAM::Role", &role, &role_properties).await.unwrap();
    bench.unmake("AWS::S3::Bucket", &bucket, &bucket_properties).await.unwrap();
}

#[tokio::test]
async fn project_is_created_with_all_properties() {
    let bench = TestBench::new();
    let role = bench.role("builder", "codebuild.amazonaws.com").await;
    let properties = json!({
        "Name": "pictures-build",
        "ServiceRole": role.attributes["Arn"],
        "Source": { "Type": "NO_SOURCE", "BuildSpec": "version: 0.2" },
        "Artifacts": { "Type": "NO_ARTIFACTS" },
        "Environment": {
            "Type": "LINUX_CONTAINER",
            "Image": "aws/codebuild/standard:8.0",
            "ComputeType": "BUILD_GENERAL1_SMALL",
            "PrivilegedMode": true,
            "EnvironmentVariables": [{ "Name": "IMAGE_TAG", "Value": "latest" }],
        },
        "LogsConfig": { "CloudWatchLogs": { "Status": "ENABLED", "GroupName": "builds" } },
        "TimeoutInMinutes": "15",
    });
    let project = bench.make("AWS::CodeBuild::Project", properties).await;
    assert_eq!(project.attributes["Arn"], "arn:aws:codebuild:eu-west-1:000000000000:project/pictures-build");
    let there = bench.call("codebuild", "BatchGetProjects", json!({ "names": ["pictures-build"] })).await;
    let there = &there["projects"][0];
    assert_eq!(there["source"]["buildspec"], "version: 0.2");
    assert_eq!(there["timeoutInMinutes"], 15);
    assert_eq!(there["environment"]["environmentVariables"][0]["name"], "IMAGE_TAG");
    assert_eq!(there["logsConfig"]["cloudWatchLogs"]["groupName"], "builds");
}

#[tokio::test]
async fn existing_names_are_rejected_with_cloudformation_messages() {
    let bench = TestBench::new();
    let group = json!({ "LogGroupName": "builds", "RetentionInDays": "7" });
    bench.make("AWS::Logs::LogGroup", group.clone()).await;
    let repository = json!({ "RepositoryName": "pictures" });
    let created = bench.make("AWS::ECR::Repository", repository.clone()).await;
    assert_eq!(created.attributes["RepositoryUri"], "000000000000.dkr.ecr.eu-west-1.amazonaws.com/pictures");
    let bucket = json!({ "BucketName": "pictures-taken" });
    bench.make("AWS::S3::Bucket", bucket.clone()).await;
    let role = json!({ "RoleName": "taken", "AssumeRolePolicyDocument": trust("lambda.amazonaws.com") });
    bench.make("AWS::IAM::Role", role.clone()).await;
    for (kind, properties) in [
        ("AWS::Logs::LogGroup", group),
        ("AWS::ECR::Repository", repository),
        ("AWS::S3::Bucket", bucket),
        ("AWS::IAM::Role", role),
    ] {
        let refused = bench.try_make(kind, &properties).await.unwrap_err().to_string();
        assert!(refused.starts_with("Resource handler returned message: \""), "{refused}");
        assert!(refused.ends_with("HandlerErrorCode: AlreadyExists)"), "{refused}");
    }
}

#[tokio::test]
async fn unsupported_property_is_rejected_by_name() {
    let bench = TestBench::new();
    let website = json!({ "BucketName": "pictures-web", "WebsiteConfiguration": { "IndexDocument": "index.html" } });
    let refused = bench.try_make("AWS::S3::Bucket", &website).await.unwrap_err().to_string();
    assert!(refused.contains("WebsiteConfiguration"), "{refused}");
    assert!(!bench.s3.has_bucket("pictures-web"));
}

#[tokio::test]
async fn stack_has_only_the_permissions_of_its_caller() {
    let bench = TestBench::new();
    bench.call("iam", "CreateUser", json!({ "UserName": "ann" })).await;
    let key = bench.call("iam", "CreateAccessKey", json!({ "UserName": "ann" })).await;
    let key = key["AccessKey"]["AccessKeyId"].as_str().unwrap();
    for (kind, properties, action) in [
        ("AWS::Logs::LogGroup", json!({ "LogGroupName": "builds" }), "logs:CreateLogGroup"),
        ("AWS::S3::Bucket", json!({ "BucketName": "pictures-source" }), "s3:CreateBucket"),
    ] {
        let context = bench.handler_context(Some(key), "Thing");
        let refused =
            resource_type(kind).unwrap().provider.create(&context, &properties).await.unwrap_err().to_string();
        assert!(refused.contains(&format!("is not authorized to perform: {action}")), "{refused}");
        assert!(refused.ends_with("HandlerErrorCode: AccessDenied)"), "{refused}");
    }
}

#[tokio::test]
async fn updatable_properties_are_updated_in_place() {
    let bench = TestBench::new();
    let context = bench.handler_context(None, "Thing");
    let before = json!({ "RoleName": "worker", "AssumeRolePolicyDocument": trust("lambda.amazonaws.com"), "Policies": [
        { "PolicyName": "old", "PolicyDocument": { "Version": "2012-10-17", "Statement": [] } },
    ] });
    let mut after = before.clone();
    after["Policies"][0]["PolicyName"] = "new".into();
    after["Description"] = "works".into();
    let role = bench.make("AWS::IAM::Role", before.clone()).await;
    let provider = resource_type("AWS::IAM::Role").unwrap().provider;
    provider.update(&context, &role, &before, &after).await.unwrap();
    let policies = bench.call("iam", "ListRolePolicies", json!({ "RoleName": "worker" })).await.to_string();
    assert!(policies.contains("new") && !policies.contains("old"), "{policies}");

    let before = inline_function("thumbs", &role);
    let mut after = before.clone();
    after["MemorySize"] = "256".into();
    after["Environment"] = Value::Null;
    let function = bench.make("AWS::Lambda::Function", before.clone()).await;
    let provider = resource_type("AWS::Lambda::Function").unwrap().provider;
    provider.update(&context, &function, &before, &after).await.unwrap();
    let there = bench.call("lambda", "GetFunctionConfiguration", json!({ "FunctionName": "thumbs" })).await;
    assert_eq!(there["MemorySize"], 256);
    assert!(!there.to_string().contains("MAX_SIZE"), "{there}");
}
