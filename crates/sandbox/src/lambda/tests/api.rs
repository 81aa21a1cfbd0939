//! Tests of the API's responses and errors.

use serde_json::{Value, json};

use super::harness::{ACCOUNT, BROKEN, Harness, IMAGE, REGION, creation, until};
use crate::operation::AnyService;
use crate::service_registry::FunctionInvoker;

const ARN: &str = "arn:aws:lambda:eu-central-1:000000000000:function:thumb";

async fn refused(harness: &Harness, operation: &str, input: Value) -> (String, u16, String) {
    let error = harness.call(operation, input).await.unwrap_err();
    (error.code, error.status.as_u16(), error.message)
}

#[tokio::test]
async fn new_function_is_pending_then_active() {
    let harness = Harness::new();
    let created =
        harness.create("thumb", json!({ "MemorySize": 512, "Timeout": 30, "Tags": { "deployment": "d" } })).await;
    assert_eq!(created["__status_code"], 201);
    assert_eq!(created["State"], "Pending");
    assert_eq!(created["StateReasonCode"], "Creating");
    assert_eq!(created["FunctionArn"], ARN);

    for name in ["thumb", ARN, "000000000000:function:thumb", "thumb:$LATEST"] {
        let shown = harness.call("GetFunction", json!({ "FunctionName": name })).await.unwrap();
        let configuration = &shown["Configuration"];
        assert_eq!(configuration["State"], "Active");
        assert_eq!(configuration["LastUpdateStatus"], "Successful");
        assert!(configuration["StateReasonCode"].is_null());
        assert_eq!(configuration["MemorySize"], 512);
        assert_eq!(configuration["Version"], "$LATEST");
        assert_eq!(configuration["CodeSha256"], "a".repeat(64));
        assert_eq!(configuration["LoggingConfig"]["LogGroup"], "/aws/lambda/thumb");
        assert_eq!(shown["Code"]["ImageUri"], IMAGE);
        let digest = format!("@sha256:{}", "a".repeat(64));
        assert!(shown["Code"]["ResolvedImageUri"].as_str().unwrap().ends_with(&digest));
        assert_eq!(shown["Tags"]["deployment"], "d");
    }
}

#[tokio::test]
async fn pending_function_accepts_only_permissions() {
    let harness = Harness::new();
    harness.call("CreateFunction", creation("thumb", json!({}))).await.unwrap();
    // Single-threaded: no other task has run, so the function is still pending.
    let (code, status, message) = refused(&harness, "Invoke", json!({ "FunctionName": "thumb" })).await;
    assert_eq!((code.as_str(), status), ("ResourceConflictException", 409));
    assert_eq!(
        message,
        "The operation cannot be performed at this time. The function is currently in the following state: Pending"
    );
    let update = json!({ "FunctionName": "thumb", "Timeout": 5 });
    assert_eq!(refused(&harness, "UpdateFunctionConfiguration", update).await.0, "ResourceConflictException");
    let permission = json!({
        "FunctionName": "thumb", "StatementId": "s3", "Action": "lambda:InvokeFunction",
        "Principal": "s3.amazonaws.com", "SourceArn": "arn:aws:s3:::b", "SourceAccount": ACCOUNT,
    });
    assert_eq!(harness.call("AddPermission", permission).await.unwrap()["__status_code"], 201);
    assert!(harness.service.may_invoke(ARN, "s3.amazonaws.com", "arn:aws:s3:::b", ACCOUNT));
    assert!(!harness.service.may_invoke(ARN, "s3.amazonaws.com", "arn:aws:s3:::c", ACCOUNT));
    harness.wait_until_active("thumb").await;
}

#[tokio::test]
async fn errors_have_lambda_codes_and_messages() {
    let harness = Harness::new();
    let role = creation("f", json!({ "Role": "arn:aws:iam::000000000000:role/new" }));
    assert_eq!(
        refused(&harness, "CreateFunction", role).await,
        (
            "InvalidParameterValueException".to_owned(),
            400,
            "The role defined for the function cannot be assumed by Lambda.".to_owned()
        )
    );
    let image =
        creation("f", json!({ "Code": { "ImageUri": "000000000000.dkr.ecr.eu-central-1.amazonaws.com/no:1" } }));
    assert_eq!(
        refused(&harness, "CreateFunction", image).await.2,
        "Source image 000000000000.dkr.ecr.eu-central-1.amazonaws.com/no:1 does not exist. Provide a valid source image."
    );

    harness.create("f", json!({})).await;
    let (code, status, message) = refused(&harness, "CreateFunction", creation("f", json!({}))).await;
    assert_eq!((code.as_str(), status), ("ResourceConflictException", 409));
    assert_eq!(message, "Function already exist: f");
    for operation in ["GetFunction", "DeleteFunction", "Invoke", "GetPolicy", "AddPermission"] {
        let (code, status, message) = refused(&harness, operation, json!({ "FunctionName": "none" })).await;
        assert_eq!((code.as_str(), status), ("ResourceNotFoundException", 404), "{operation}");
        assert_eq!(message, format!("Function not found: arn:aws:lambda:{REGION}:{ACCOUNT}:function:none"));
    }
    let (code, status, _) = refused(&harness, "GetPolicy", json!({ "FunctionName": "f" })).await;
    assert_eq!((code.as_str(), status), ("ResourceNotFoundException", 404));
    // The gateway maps this to 501.
    assert_eq!(refused(&harness, "PublishVersion", json!({})).await.0, "UnknownOperationException");
    let version = json!({ "FunctionName": "f", "Qualifier": "1" });
    assert_eq!(refused(&harness, "GetFunction", version).await.1, 404);
}

#[tokio::test]
async fn invalid_image_sets_state_failed() {
    let harness = Harness::new();
    harness.call("CreateFunction", creation("f", json!({ "Code": { "ImageUri": BROKEN } }))).await.unwrap();
    let input = json!({ "FunctionName": "f" });
    until("the function to fail", async || {
        harness.call("GetFunctionConfiguration", input.clone()).await.unwrap()["State"] == "Failed"
    })
    .await;
    let shown = harness.call("GetFunctionConfiguration", input.clone()).await.unwrap();
    assert_eq!(shown["StateReasonCode"], "InvalidImage");
    assert!(shown["StateReason"].as_str().unwrap().contains("broken.tar"));
    assert_eq!(refused(&harness, "Invoke", input).await.0, "ResourceConflictException");
}

#[tokio::test]
async fn list_functions_is_paginated() {
    let harness = Harness::new();
    for name in ["c", "a", "b"] {
        harness.create(name, json!({})).await;
    }
    let names = |page: &Value| -> Vec<String> {
        let functions = page["Functions"].as_array().unwrap();
        functions.iter().map(|function| function["FunctionName"].as_str().unwrap().to_owned()).collect()
    };
    let first = harness.call("ListFunctions", json!({ "MaxItems": "2" })).await.unwrap();
    assert_eq!(names(&first), ["a", "b"]);
    let second =
        harness.call("ListFunctions", json!({ "MaxItems": "2", "Marker": first["NextMarker"] })).await.unwrap();
    assert_eq!(names(&second), ["c"]);
    assert!(second["NextMarker"].is_null());
}

#[tokio::test]
async fn tags_and_permissions_are_added_and_removed() {
    let harness = Harness::new();
    harness.create("thumb", json!({ "Tags": { "a": "1", "b": "2", "c": "3" } })).await;
    harness.call("TagResource", json!({ "Resource": ARN, "Tags": { "d": "4" } })).await.unwrap();
    let mut ctx = awsim_core::RequestContext::new_with_account("lambda", REGION, ACCOUNT);
    ctx.uri = format!("/2017-03-31/tags/{ARN}?tagKeys=a&tagKeys=b");
    let input = json!({ "Resource": ARN, "tagKeys": "a" });
    harness.service.handle("UntagResource", &input, &ctx).await.unwrap();
    let tags = harness.call("ListTags", json!({ "Resource": ARN })).await.unwrap();
    assert_eq!(tags, json!({ "Tags": { "c": "3", "d": "4" } }));

    let permission = json!({
        "FunctionName": "thumb", "StatementId": "x", "Action": "lambda:InvokeFunction", "Principal": "s3.amazonaws.com",
    });
    harness.call("AddPermission", permission.clone()).await.unwrap();
    assert_eq!(refused(&harness, "AddPermission", permission).await.0, "ResourceConflictException");
    let policy = harness.call("GetPolicy", json!({ "FunctionName": "thumb" })).await.unwrap();
    let policy: Value = serde_json::from_str(policy["Policy"].as_str().unwrap()).unwrap();
    assert_eq!(policy["Statement"][0]["Resource"], ARN);
    harness.call("RemovePermission", json!({ "FunctionName": "thumb", "StatementId": "x" })).await.unwrap();
    assert_eq!(refused(&harness, "GetPolicy", json!({ "FunctionName": "thumb" })).await.1, 404);
}

#[tokio::test]
async fn restart_keeps_functions_and_resumes_pending_ones() {
    let harness = Harness::new();
    harness.create("thumb", json!({ "Environment": { "Variables": { "A": "1" } } })).await;
    harness.call("CreateFunction", creation("young", json!({}))).await.unwrap();
    let permission = json!({
        "FunctionName": "thumb", "StatementId": "x", "Action": "lambda:InvokeFunction", "Principal": "s3.amazonaws.com",
    });
    harness.call("AddPermission", permission).await.unwrap();
    let before = harness.call("GetFunction", json!({ "FunctionName": "thumb" })).await.unwrap();
    let restarted = harness.restart();
    let after = super::harness::call(&restarted, "GetFunction", json!({ "FunctionName": "thumb" })).await.unwrap();
    assert_eq!(before, after);
    assert!(restarted.may_invoke(ARN, "s3.amazonaws.com", "", ""));
    until("the young function to be active", async || {
        let now = super::harness::call(&restarted, "GetFunctionConfiguration", json!({ "FunctionName": "young" }))
            .await
            .unwrap();
        now["State"] == "Active"
    })
    .await;
}

#[tokio::test]
async fn unsupported_members_are_refused_by_name() {
    let harness = Harness::new();
    let network = json!({ "VpcConfig": { "SubnetIds": ["subnet-1"], "SecurityGroupIds": [] } });
    let (code, status, message) = refused(&harness, "CreateFunction", creation("thumb", network)).await;
    assert_eq!((code.as_str(), status), ("InvalidParameterValueException", 400));
    assert!(message.contains("VpcConfig"), "{message}");
    // Empty, as clients send it.
    harness.create("thumb", json!({ "VpcConfig": { "SubnetIds": [], "SecurityGroupIds": [] }, "KMSKeyArn": "" })).await;
}
