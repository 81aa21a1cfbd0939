//! Failed calls, and properties of long ones.

use std::time::Duration;

use thumbctl_deploy::aws::s3::{self};
use thumbctl_deploy::aws::{ErrorKind, iam, lambda, wait};
use tokio_util::sync::CancellationToken;

use super::moto::{self};

thumbctl_test_support::foreign_tests! {
    [] async: closed_port_is_a_network_error,
        unresponsive_endpoint_is_a_timeout,
        missing_credentials_differ_from_network_errors;
    [] sync: waits_and_long_calls_can_run_on_any_thread;
}

async fn closed_port_is_a_network_error() {
    let config = moto::config(&format!("http://127.0.0.1:{}", moto::free_port())).await;
    let client = aws_sdk_iam::Client::new(&config);
    let error = iam::role(&client, "any").await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Network, "{error}");
    assert!(error.to_string().contains("cannot reach the endpoint"), "{error}");
    assert!(error.hint().unwrap().contains("endpoint"));
}

async fn unresponsive_endpoint_is_a_timeout() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let config = moto::config(&format!("http://{address}")).await;
    let config = config.into_builder().timeout_config(
        aws_config::timeout::TimeoutConfig::builder().operation_timeout(Duration::from_millis(200)).build(),
    );
    let client = aws_sdk_iam::Client::new(&config.build());
    let error = iam::role(&client, "any").await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Timeout, "{error}");
}

async fn missing_credentials_differ_from_network_errors() {
    let config = moto::config("http://127.0.0.1:1").await.into_builder();
    let mut config = config;
    config.set_credentials_provider(None);
    let client = aws_sdk_iam::Client::new(&config.build());
    let error = iam::role(&client, "any").await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::InvalidCredentials, "{error}");
    assert!(error.hint().unwrap().contains("--profile"));
}

fn waits_and_long_calls_can_run_on_any_thread() {
    fn is_send<T: Send>(_: &T) {}
    fn all(s3_client: &aws_sdk_s3::Client, lambda_client: &aws_sdk_lambda::Client, cancel: &CancellationToken) {
        is_send(&s3::wait_usable(s3_client, "b", cancel, &mut |_| {}));
        is_send(&s3::empty_and_delete_bucket(s3_client, "b", &mut |_| {}));
        is_send(&lambda::wait_active(lambda_client, "f", cancel, &mut |_| {}));
        is_send(&wait::retry(&[wait::THROTTLING], cancel, &mut |_| {}, || lambda::function(lambda_client, "f")));
    }
    // Nothing is called: compiling is the assertion.
    let _: fn(&aws_sdk_s3::Client, &aws_sdk_lambda::Client, &CancellationToken) = all;
}
