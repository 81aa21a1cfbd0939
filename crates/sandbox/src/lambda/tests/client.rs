//! Tests with the AWS SDK's client over HTTP.

use std::sync::Arc;

use aws_sdk_lambda::Client;
use aws_sdk_lambda::client::Waiters;
use aws_sdk_lambda::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_lambda::error::ProvideErrorMetadata;
use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::{Environment, FunctionCode, InvocationType, LogType, PackageType};
use awsim_core::RequestContext;
use awsim_core::protocol::{ParsedRequest, parse_request, serialize_error, serialize_response};
use axum::body::Bytes;
use axum::extract::State;
use axum::response::IntoResponse;
use base64::Engine as _;
use http::{HeaderMap, Method, Uri};

use super::harness::{ACCOUNT, Harness, IMAGE, REGION, ROLE, TEST_TIMEOUT};
use crate::lambda::LambdaService;
use crate::operation::{AnyService, Service};

async fn respond(
    State(service): State<Arc<LambdaService>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> axum::response::Response {
    let protocol = LambdaService::PROTOCOL;
    let body = crate::lambda::wrap_payload(&uri, &headers, &body).unwrap_or(body);
    let mut context = RequestContext::new_with_account(LambdaService::NAME, REGION, ACCOUNT);
    context.uri = uri.to_string();
    let result = match parse_request(protocol, &method, &uri, &headers, &body, &service.routes()) {
        Ok(ParsedRequest { operation, input }) => {
            let result = service.handle(&operation, &input, &context).await;
            result.map(|value| serialize_response(protocol, &operation, &value, &context.request_id))
        }
        Err(error) => Err(error),
    };
    result.unwrap_or_else(|error| serialize_error(protocol, &error, &context.request_id)).into_response()
}

async fn client(harness: &Harness) -> (Client, tokio::task::JoinHandle<()>) {
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let limit = axum::extract::DefaultBodyLimit::max(16 << 20);
    let router = axum::Router::new().fallback(respond).layer(limit).with_state(harness.service.clone());
    let server = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    let config = aws_sdk_lambda::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(REGION))
        .credentials_provider(Credentials::new("AKIA", "secret", None, None, "test"))
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .endpoint_url(endpoint)
        .build();
    (Client::from_conf(config), server)
}

#[tokio::test]
async fn sdk_client_works_with_all_operations() {
    let harness = Harness::new();
    let (lambda, server) = client(&harness).await;
    let created = lambda
        .create_function()
        .function_name("thumb")
        .package_type(PackageType::Image)
        .code(FunctionCode::builder().image_uri(IMAGE).build())
        .role(ROLE)
        .memory_size(512)
        .timeout(30)
        .environment(Environment::builder().variables("DEST_BUCKET", "thumbs").build())
        .tags("deployment", "d")
        .send()
        .await
        .unwrap();
    assert_eq!(created.state().unwrap().as_str(), "Pending");
    let active = lambda.wait_until_function_active_v2().function_name("thumb").wait(TEST_TIMEOUT).await.unwrap();
    let shown = active.as_result().unwrap();
    let configuration = shown.configuration().unwrap();
    assert_eq!(configuration.environment().unwrap().variables().unwrap()["DEST_BUCKET"], "thumbs");
    assert_eq!(shown.code().unwrap().repository_type(), Some("ECR"));
    let arn = configuration.function_arn().unwrap();

    let answered = lambda
        .invoke()
        .function_name(arn)
        .log_type(LogType::Tail)
        .payload(Blob::new(r#"{"Qualifier":"7","FunctionName":"other"}"#))
        .send()
        .await
        .unwrap();
    assert_eq!(answered.status_code(), 200);
    assert_eq!(answered.executed_version(), Some("$LATEST"));
    assert_eq!(answered.function_error(), None);
    let payload: serde_json::Value = serde_json::from_slice(answered.payload().unwrap().as_ref()).unwrap();
    assert_eq!(payload, serde_json::json!({ "Qualifier": "7", "FunctionName": "other" }));
    let tail = base64::engine::general_purpose::STANDARD.decode(answered.log_result().unwrap()).unwrap();
    assert!(String::from_utf8(tail).unwrap().starts_with("START RequestId: "));

    let failed = lambda.invoke().function_name("thumb").payload(Blob::new(r#"{"do":"fail"}"#)).send().await.unwrap();
    assert_eq!(failed.function_error(), Some("Unhandled"));
    let event = lambda.invoke().function_name("thumb").invocation_type(InvocationType::Event).payload(Blob::new("[1]"));
    assert_eq!(event.send().await.unwrap().status_code(), 202);
    let dry_run = lambda.invoke().function_name("thumb").invocation_type(InvocationType::DryRun);
    assert_eq!(dry_run.send().await.unwrap().status_code(), 204);
    let broken = lambda.invoke().function_name("thumb").payload(Blob::new("{")).send().await.unwrap_err();
    assert_eq!(broken.code(), Some("InvalidRequestContentException"));

    let permission = lambda
        .add_permission()
        .function_name("thumb")
        .statement_id("s3")
        .action("lambda:InvokeFunction")
        .principal("s3.amazonaws.com")
        .source_arn("arn:aws:s3:::b")
        .send()
        .await
        .unwrap();
    assert!(permission.statement().unwrap().contains("ArnLike"));
    assert!(lambda.get_policy().function_name("thumb").send().await.unwrap().policy().is_some());
    lambda.remove_permission().function_name("thumb").statement_id("s3").send().await.unwrap();
    assert!(
        lambda
            .get_policy()
            .function_name("thumb")
            .send()
            .await
            .unwrap_err()
            .into_service_error()
            .is_resource_not_found_exception()
    );

    lambda.tag_resource().resource(arn).tags("a", "1").tags("b", "2").send().await.unwrap();
    lambda.untag_resource().resource(arn).tag_keys("a").tag_keys("deployment").send().await.unwrap();
    let tags = lambda.list_tags().resource(arn).send().await.unwrap();
    assert_eq!(tags.tags().unwrap().keys().collect::<Vec<_>>(), ["b"]);
    assert_eq!(lambda.list_functions().send().await.unwrap().functions().len(), 1);
    assert_eq!(lambda.list_versions_by_function().function_name("thumb").send().await.unwrap().versions().len(), 1);
    lambda.update_function_configuration().function_name("thumb").timeout(10).send().await.unwrap();
    harness.wait_until_active("thumb").await;
    let updated = lambda.wait_until_function_updated_v2().function_name("thumb");
    updated.wait(TEST_TIMEOUT).await.unwrap();
    lambda.update_function_code().function_name("thumb").image_uri(IMAGE).send().await.unwrap();
    harness.wait_until_active("thumb").await;
    let updated = lambda.wait_until_function_updated_v2().function_name("thumb");
    updated.wait(TEST_TIMEOUT).await.unwrap();

    lambda.delete_function().function_name("thumb").send().await.unwrap();
    let deleted = lambda.get_function().function_name("thumb").send().await.unwrap_err().into_service_error();
    assert!(deleted.is_resource_not_found_exception());
    assert_eq!(deleted.message(), Some("Function not found: arn:aws:lambda:eu-central-1:000000000000:function:thumb"));
    server.abort();
}
