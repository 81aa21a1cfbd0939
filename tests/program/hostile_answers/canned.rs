//! Clients with predefined responses, without a network.

use std::fmt;
use std::sync::Arc;

use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, SharedHttpClient, SharedHttpConnector, http_client_fn,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::http::StatusCode;
use aws_smithy_types::body::SdkBody;
use thumbctl_deploy::aws::{BoundedClient, Downloads};

use thumbctl_test_support::{Clients, config};

/// An answer with a status, headers and a body.
pub(super) fn answer(status: u16, headers: &[(String, String)], body: SdkBody) -> HttpResponse {
    let mut answer = HttpResponse::new(StatusCode::try_from(status).expect("a status"), body);
    for (name, value) in headers {
        // What is no header could not have been received either.
        let _ = answer.headers_mut().try_append(name.clone(), value.clone());
    }
    answer
}

/// The clients of all services, as `Cloud` bounds them, for an endpoint that answers so.
pub(super) fn clients(
    downloads: Downloads,
    answers: impl Fn(&HttpRequest) -> HttpResponse + Send + Sync + 'static,
) -> Clients {
    let connector = SharedHttpConnector::new(Canned(Arc::new(answers)));
    let http: SharedHttpClient = http_client_fn(move |_, _| connector.clone());
    let config = config("http://127.0.0.1:1", "us-east-1", "key", "secret", None);
    Clients::of(config.into_builder().http_client(BoundedClient::new(http, downloads)).build())
}

struct Canned(Arc<dyn Fn(&HttpRequest) -> HttpResponse + Send + Sync>);

impl fmt::Debug for Canned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Canned")
    }
}

impl HttpConnector for Canned {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let answer = (self.0)(&request);
        HttpConnectorFuture::new(async move { Ok(answer) })
    }
}
