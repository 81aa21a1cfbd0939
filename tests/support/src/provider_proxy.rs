//! A gRPC proxy between terraform and its AWS provider that saves most of the CPU time of a plan.
//!
//! Each terraform command requests the schemas of some 1,500 resources: the proxy passes on only those that our
//! configurations use. And each has the provider validate its configuration, upon which the provider validates all its schemas:
//! the proxy does that once. Everything else passes unchanged. A configuration with a type that none
//! of ours has is rejected by terraform itself.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};

use http::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use http::{HeaderMap, Request, Response};
use http_body_util::{BodyExt, Full, combinators::BoxBody};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http2::SendRequest;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::OnceCell;

use crate::repository;

/// The fields of a schema response that map types to schemas: resources, data sources, ephemeral resources. They have the same
/// numbers in both versions of terraform's protocol.
const MAPS_OF_TYPES: [u64; 3] = [2, 3, 8];

/// The diagnostics field of a validation response.
const DIAGNOSTICS: u64 = 2;

/// The gRPC message prefix: a compression flag, and the length.
const PREFIX: usize = 5;

type Body = BoxBody<Bytes, hyper::Error>;

/// The schemas of the types in our configurations: all providers of a test are the same program.
static SCHEMA: OnceCell<Bytes> = OnceCell::const_new();

/// Whether a provider has validated its schemas and a configuration.
static IS_VALID: AtomicBool = AtomicBool::new(false);

/// The proxy of one provider.
#[derive(Clone)]
pub struct ProviderProxy {
    provider: PathBuf,
}

impl ProviderProxy {
    /// A proxy for the provider at this socket, with schemas for the types in our configurations.
    pub fn new(provider: PathBuf) -> Self {
        Self { provider }
    }

    /// Serves until the runtime ends.
    pub async fn serve(self, listener: UnixListener) {
        while let Ok((stream, _)) = listener.accept().await {
            let proxy = self.clone();
            // A killed terraform breaks its connection, which is no error here.
            tokio::spawn(async move { proxy.serve_connection(stream).await });
        }
    }

    /// One connection to the provider for each of terraform's: so both calls end together.
    async fn serve_connection(self, stream: UnixStream) -> Result<(), hyper::Error> {
        let provider = UnixStream::connect(&self.provider).await.expect("the provider listens");
        let (sender, connection) =
            hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(provider)).await?;
        tokio::spawn(connection);
        let service = service_fn(move |request| self.clone().answer(sender.clone(), request));
        hyper::server::conn::http2::Builder::new(TokioExecutor::new())
            .serve_connection(TokioIo::new(stream), service)
            .await
    }

    async fn answer(
        self,
        mut provider: SendRequest<Incoming>,
        request: Request<Incoming>,
    ) -> Result<Response<Body>, hyper::Error> {
        match request.uri().path().rsplit('/').next().unwrap_or_default() {
            "GetSchema" | "GetProviderSchema" => {}
            "PrepareProviderConfig" if IS_VALID.load(Ordering::Relaxed) => {
                // The response is the configuration, in the same field.
                return Ok(answer_with(request.into_body().collect().await?.to_bytes()));
            }
            "PrepareProviderConfig" => {
                let answer = provider.send_request(request).await?.into_body().collect().await?.to_bytes();
                let is_valid = fields_of(&answer).all(|field| field.number != DIAGNOSTICS);
                IS_VALID.store(is_valid, Ordering::Relaxed);
                return Ok(answer_with(answer));
            }
            _ => return Ok(provider.send_request(request).await?.map(BodyExt::boxed)),
        }
        let schema = SCHEMA.get_or_try_init(|| async {
            let answer = provider.send_request(request).await?.into_body().collect().await?.to_bytes();
            Ok::<_, hyper::Error>(only_types(&answer, &types_in_configurations()))
        });
        Ok(answer_with(schema.await?.clone()))
    }
}

/// The response of a successful call.
fn answer_with(message: Bytes) -> Response<Body> {
    let trailers = HeaderMap::from_iter([(HeaderName::from_static("grpc-status"), HeaderValue::from_static("0"))]);
    let body = Full::new(message).with_trailers(std::future::ready(Some(Ok(trailers))));
    let mut response = Response::new(body.map_err(|never| match never {}).boxed());
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    response
}

/// The provider's types in all configurations of this repository.
fn types_in_configurations() -> BTreeSet<String> {
    let (mut types, mut folders) =
        (BTreeSet::new(), ["assets/terraform", "tests/foreign/terraform"].map(repository).to_vec());
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "tf") {
                let text = std::fs::read_to_string(path).expect("a configuration");
                types.extend(text.split('"').filter(|word| word.starts_with("aws_")).map(str::to_owned));
            }
        }
    }
    types
}

/// A schema response without the schemas of other types.
fn only_types(answer: &[u8], types: &BTreeSet<String>) -> Bytes {
    let mut kept = vec![0; PREFIX];
    for field in fields_of(answer) {
        let is_wanted = !MAPS_OF_TYPES.contains(&field.number)
            || Fields(field.content).any(|part| {
                part.number == 1 && std::str::from_utf8(part.content).is_ok_and(|name| types.contains(name))
            });
        if is_wanted {
            kept.extend_from_slice(field.whole);
        }
    }
    let length = u32::try_from(kept.len() - PREFIX).expect("a message of less than 4 GB");
    kept[1..PREFIX].copy_from_slice(&length.to_be_bytes());
    kept.into()
}

/// The fields of a message after its prefix.
fn fields_of(answer: &[u8]) -> Fields<'_> {
    Fields(answer.get(PREFIX..).expect("an answer with a message"))
}

/// The fields of a protobuf message with lengths: maps and messages.
struct Fields<'a>(&'a [u8]);

struct Field<'a> {
    number: u64,
    content: &'a [u8],
    /// With its tag and length.
    whole: &'a [u8],
}

impl<'a> Iterator for Fields<'a> {
    type Item = Field<'a>;

    fn next(&mut self) -> Option<Field<'a>> {
        let whole = self.0;
        if whole.is_empty() {
            return None;
        }
        let tag = self.varint();
        assert_eq!(tag & 7, 2, "a field with a length");
        let length = usize::try_from(self.varint()).expect("a length");
        let (content, rest) = self.0.split_at(length);
        self.0 = rest;
        Some(Field { number: tag >> 3, content, whole: &whole[..whole.len() - rest.len()] })
    }
}

impl Fields<'_> {
    fn varint(&mut self) -> u64 {
        let (mut value, mut shift) = (0, 0);
        loop {
            let (first, rest) = self.0.split_first().expect("a whole number");
            self.0 = rest;
            value |= u64::from(first & 0x7f) << shift;
            shift += 7;
            if first & 0x80 == 0 {
                return value;
            }
        }
    }
}
