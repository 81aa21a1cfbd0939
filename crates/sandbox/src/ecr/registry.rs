//! The registry protocol under `/v2/`, streaming in both directions.

use std::sync::Arc;

use async_trait::async_trait;
use awsim_core::{AwsError, RequestContext};
use axum::body::Body;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures::TryStreamExt;
use http::header::{AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, LOCATION, RANGE, WWW_AUTHENTICATE};
use http::request::Parts;
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body_util::BodyExt;
use percent_encoding::percent_decode_str;
use serde_json::json;
use tokio_util::io::ReaderStream;

use super::layer::LayerError;
use super::manifest::hex_of;
use super::permissions::{self, RegistryRequestKind};
use super::resolve::region_of_host;
use super::token::{self, PasswordGrant};
use super::{Ecr, RepositoryRef, SERVICE};
use crate::authz::access_control::AccessControl;
use crate::gateway::registry_endpoint::RegistryEndpoint;

/// The header with the registry's host name, since the sandbox only accepts its own host names.
pub(crate) const REGISTRY_HEADER: &str = "x-forwarded-host";
/// The limit of a manifest's size; real ones have a few kilobytes.
const MANIFEST_LIMIT: usize = 4 * 1024 * 1024;
/// The bytes of a refused upload that are read before the connection is closed.
const DRAIN_LIMIT: usize = 1024 * 1024 * 1024;

/// Handles requests whose path starts with `/v2/`.
pub(crate) struct Registry {
    store: Arc<Ecr>,
    access: Arc<AccessControl>,
}

/// An error response.
struct RegistryError {
    status: StatusCode,
    code: &'static str,
    message: String,
}

type RegistryResult = Result<Response<Body>, RegistryError>;

/// The target of a path under `/v2/`.
#[derive(Debug, PartialEq, Eq)]
enum RegistryTarget<'a> {
    Base,
    Download(&'a str),
    Uploads(&'a str),
    Upload(&'a str, &'a str),
    Blob(&'a str, &'a str),
    Manifest(&'a str, &'a str),
    Tags(&'a str),
}

impl RegistryTarget<'_> {
    fn of(path: &str) -> Option<RegistryTarget<'_>> {
        let rest = path.strip_prefix("/v2")?;
        let rest = rest.strip_prefix('/').unwrap_or(rest);
        if rest.is_empty() {
            return Some(RegistryTarget::Base);
        }
        if let Some(digest) = rest.strip_prefix("_layers/") {
            return Some(RegistryTarget::Download(digest));
        }
        if let Some(name) = rest.strip_suffix("/tags/list") {
            return Some(RegistryTarget::Tags(name));
        }
        if let Some((name, id)) = rest.split_once("/blobs/uploads") {
            return Some(match id.trim_start_matches('/') {
                "" => RegistryTarget::Uploads(name),
                id => RegistryTarget::Upload(name, id),
            });
        }
        // A repository's name may have slashes; the part after the last marker has none.
        if let Some((name, digest)) = rest.rsplit_once("/blobs/") {
            return Some(RegistryTarget::Blob(name, digest));
        }
        let (name, reference) = rest.rsplit_once("/manifests/")?;
        Some(RegistryTarget::Manifest(name, reference))
    }
}

impl<'a> RegistryTarget<'a> {
    /// The kind of request and its repository.
    fn request_kind(&self) -> Option<(RegistryRequestKind, &'a str)> {
        Some(match *self {
            Self::Base | Self::Download(_) => return None,
            Self::Uploads(name) => (RegistryRequestKind::Uploads, name),
            Self::Upload(name, _) => (RegistryRequestKind::Upload, name),
            Self::Blob(name, _) => (RegistryRequestKind::Blob, name),
            Self::Manifest(name, _) => (RegistryRequestKind::Manifest, name),
            Self::Tags(name) => (RegistryRequestKind::Tags, name),
        })
    }
}

impl Registry {
    pub(super) fn new(store: Arc<Ecr>, access: Arc<AccessControl>) -> Self {
        Self { store, access }
    }
}

#[async_trait]
impl RegistryEndpoint for Registry {
    async fn serve(&self, request: Request<Body>) -> Response<Body> {
        let mut response = match self.route(request).await {
            Ok(response) => response,
            Err(refusal) => refusal.response(),
        };
        response
            .headers_mut()
            .insert("docker-distribution-api-version", http::HeaderValue::from_static("registry/2.0"));
        response
    }
}

impl Registry {
    async fn route(&self, request: Request<Body>) -> RegistryResult {
        let (parts, body) = request.into_parts();
        let unsupported =
            || RegistryError::new(StatusCode::METHOD_NOT_ALLOWED, "UNSUPPORTED", "The operation is unsupported.");
        let path = percent_decode_str(parts.uri.path()).decode_utf8_lossy();
        let target = RegistryTarget::of(&path).ok_or_else(unsupported)?;
        let query = parts.uri.query().unwrap_or_default();
        if let RegistryTarget::Download(digest) = target {
            let token = parameter(query, "token").unwrap_or_default();
            if !self.store.is_valid_for_layer(digest, &token) {
                let message = "The link is not valid or has expired";
                return Err(RegistryError::new(StatusCode::FORBIDDEN, "DENIED", message));
            }
            return self.send_blob(digest, true).await;
        }
        let grant = self.grant(&parts.headers)?;
        let at = |name| RepositoryRef { account: self.store.services.account(), region: &grant.region, name };
        if let Some((request_kind, name)) = target.request_kind()
            && let Err(refusal) = self.permit(&grant, request_kind, &parts, &at(name))
        {
            drain(body).await;
            return Err(refusal);
        }
        let with_body = parts.method == Method::GET;
        match (&parts.method, target) {
            (&Method::GET | &Method::HEAD, RegistryTarget::Base) => Ok(reply(StatusCode::OK, [], Body::from("{}"))),
            (&Method::GET | &Method::HEAD, RegistryTarget::Blob(name, digest)) => {
                self.blob(&at(name), digest, with_body).await
            }
            (&Method::POST, RegistryTarget::Uploads(name)) => self.begin(&at(name), query, body).await,
            (&Method::PATCH, RegistryTarget::Upload(name, id)) => self.append(&at(name), id, body).await,
            (&Method::PUT, RegistryTarget::Upload(name, id)) => {
                let digest = parameter(query, "digest").unwrap_or_default();
                self.complete(&at(name), id, &digest, body).await
            }
            (&Method::GET, RegistryTarget::Upload(name, id)) => {
                let received = self.received(&at(name), id).await?;
                Ok(progress(StatusCode::NO_CONTENT, name, id, received))
            }
            (&Method::DELETE, RegistryTarget::Upload(name, id)) => {
                self.store.upload(&at(name), id).await?;
                self.store.drop_upload(id);
                Ok(reply(StatusCode::NO_CONTENT, [], Body::empty()))
            }
            (&Method::GET | &Method::HEAD, RegistryTarget::Manifest(name, reference)) => {
                self.manifest(&at(name), reference, with_body)
            }
            (&Method::PUT, RegistryTarget::Manifest(name, reference)) => {
                self.put_manifest(&at(name), reference, &parts.headers, body).await
            }
            (&Method::DELETE, RegistryTarget::Manifest(name, reference)) => self.delete_manifest(&at(name), reference),
            (&Method::GET, RegistryTarget::Tags(name)) => self.tags(&at(name)),
            _ => Err(unsupported()),
        }
    }

    /// Checks ECR's password. The region is the password's; a registry named in the header, as by the docker shim, must be
    /// in that region.
    fn grant(&self, headers: &HeaderMap) -> Result<PasswordGrant, RegistryError> {
        let password = headers
            .get(AUTHORIZATION)
            .and_then(|value| value.to_str().ok())
            .and_then(|value| value.strip_prefix("Basic "))
            .and_then(|value| STANDARD.decode(value.trim()).ok())
            .and_then(|value| String::from_utf8(value).ok())
            .and_then(|value| value.strip_prefix("AWS:").map(str::to_owned));
        let unauthorized = |message: &str| RegistryError::new(StatusCode::UNAUTHORIZED, "UNAUTHORIZED", message);
        let password = password.ok_or_else(|| unauthorized("no basic auth credentials"))?;
        let granted = self.store.grant(&password).ok_or_else(|| {
            unauthorized("Your authorization token has expired or is not valid. Reauthenticate and try again.")
        })?;
        let host = headers.get(REGISTRY_HEADER).and_then(|value| value.to_str().ok());
        let called = host.and_then(|host| region_of_host(self.store.services.account(), host));
        match called {
            Some(region) if region != granted.region => Err(RegistryError::new(
                StatusCode::FORBIDDEN,
                "DENIED",
                format!("The authorization token is for {}, not for {region}", granted.region),
            )),
            _ => Ok(granted),
        }
    }

    /// Checks the permissions of the password's owner, as for ECR's own API.
    fn permit(
        &self,
        grant: &PasswordGrant,
        request_kind: RegistryRequestKind,
        request: &Parts,
        at: &RepositoryRef<'_>,
    ) -> Result<(), RegistryError> {
        let mut context = RequestContext::new_with_account(SERVICE, at.region, at.account);
        let is_administrator = grant.access_key == token::ADMINISTRATOR;
        context.access_key =
            Some(if is_administrator { self.access.root_key().to_owned() } else { grant.access_key.clone() });
        let policy = self.store.policy(at);
        for need in permissions::registry_permissions(request_kind, request, at.region, at.account, at.name) {
            self.access
                .check_with(&context, &need, policy.as_ref())
                .map_err(|denied| RegistryError::new(StatusCode::FORBIDDEN, "DENIED", denied.to_string()))?;
        }
        Ok(())
    }

    async fn blob(&self, at: &RepositoryRef<'_>, digest: &str, with_body: bool) -> RegistryResult {
        let there = {
            let state = self.store.lock();
            let repository = state.repository(at).map_err(RegistryError::name_unknown)?;
            repository.layers.contains_key(digest)
        };
        if !there {
            return Err(RegistryError::new(StatusCode::NOT_FOUND, "BLOB_UNKNOWN", "blob unknown to registry"));
        }
        self.send_blob(digest, with_body).await
    }

    async fn send_blob(&self, digest: &str, with_body: bool) -> RegistryResult {
        let blob_unknown = |()| RegistryError::new(StatusCode::NOT_FOUND, "BLOB_UNKNOWN", "blob unknown to registry");
        let hex = hex_of(digest).ok_or_else(|| blob_unknown(()))?;
        let file = tokio::fs::File::open(self.store.services.blobs().path(hex)).await.map_err(|_| blob_unknown(()))?;
        let length = file.metadata().await.map_err(|_| blob_unknown(()))?.len();
        let body =
            if with_body { Body::from_stream(ReaderStream::with_capacity(file, 128 * 1024)) } else { Body::empty() };
        let headers = [
            (CONTENT_LENGTH.as_str(), length.to_string()),
            (CONTENT_TYPE.as_str(), "application/octet-stream".to_owned()),
            ("docker-content-digest", digest.to_owned()),
        ];
        Ok(reply(StatusCode::OK, headers, body))
    }

    async fn begin(&self, at: &RepositoryRef<'_>, query: &str, body: Body) -> RegistryResult {
        let id = self.store.begin_upload(at).await?;
        match parameter(query, "digest") {
            // The whole blob is in this request.
            Some(digest) => self.complete(at, &id, &digest, body).await,
            // Mounting from another repository is not supported; the protocol lets the client upload instead.
            None => Ok(progress(StatusCode::ACCEPTED, at.name, &id, 0)),
        }
    }

    async fn append(&self, at: &RepositoryRef<'_>, id: &str, body: Body) -> RegistryResult {
        let received = self.receive(at, id, body).await?;
        Ok(progress(StatusCode::ACCEPTED, at.name, id, received))
    }

    async fn complete(&self, at: &RepositoryRef<'_>, id: &str, digest: &str, body: Body) -> RegistryResult {
        self.receive(at, id, body).await?;
        self.store.finish_upload(at, id, digest).await?;
        self.store.services.save(SERVICE);
        let headers = [
            (LOCATION.as_str(), format!("/v2/{}/blobs/{digest}", at.name)),
            ("docker-content-digest", digest.to_owned()),
        ];
        Ok(reply(StatusCode::CREATED, headers, Body::empty()))
    }

    /// Streams a body into an upload.
    async fn receive(&self, at: &RepositoryRef<'_>, id: &str, body: Body) -> Result<u64, RegistryError> {
        let upload = self.store.upload(at, id).await?;
        let mut slot = upload.0.lock().await;
        let unknown = || LayerError::UnknownUpload(id.to_owned());
        let incoming = slot.as_mut().ok_or_else(unknown)?;
        let mut stream = body.into_data_stream();
        while let Some(chunk) = stream.try_next().await.map_err(|cause| {
            let message = format!("the upload was interrupted: {cause}");
            RegistryError::new(StatusCode::BAD_REQUEST, "BLOB_UPLOAD_INVALID", message)
        })? {
            incoming.write(&chunk).await.map_err(LayerError::Io)?;
        }
        Ok(incoming.received())
    }

    async fn received(&self, at: &RepositoryRef<'_>, id: &str) -> Result<u64, RegistryError> {
        let upload = self.store.upload(at, id).await?;
        let slot = upload.0.lock().await;
        Ok(slot.as_ref().map_or(0, |incoming| incoming.received()))
    }

    fn manifest(&self, at: &RepositoryRef<'_>, reference: &str, with_body: bool) -> RegistryResult {
        let state = self.store.lock();
        let repository = state.repository(at).map_err(RegistryError::name_unknown)?;
        let digest = repository.digest(reference).ok_or_else(|| {
            RegistryError::new(StatusCode::NOT_FOUND, "MANIFEST_UNKNOWN", "Requested image not found")
        })?;
        let image = &repository.images[digest];
        let headers = [
            (CONTENT_LENGTH.as_str(), image.manifest.len().to_string()),
            (CONTENT_TYPE.as_str(), image.media_type.clone()),
            ("docker-content-digest", digest.to_owned()),
        ];
        let body = if with_body { Body::from(image.manifest.clone()) } else { Body::empty() };
        Ok(reply(StatusCode::OK, headers, body))
    }

    async fn put_manifest(
        &self,
        at: &RepositoryRef<'_>,
        reference: &str,
        headers: &HeaderMap,
        body: Body,
    ) -> RegistryResult {
        let invalid = |message: String| RegistryError::new(StatusCode::BAD_REQUEST, "MANIFEST_INVALID", message);
        let body = http_body_util::Limited::new(body, MANIFEST_LIMIT);
        let bytes =
            body.collect().await.map_err(|cause| invalid(format!("the manifest cannot be read: {cause}")))?.to_bytes();
        let text =
            std::str::from_utf8(&bytes).map_err(|cause| invalid(format!("the manifest is not UTF-8: {cause}")))?;
        let media_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let by_digest = hex_of(reference).is_some();
        if by_digest && super::manifest::digest_of(&bytes) != reference {
            return Err(RegistryError::new(
                StatusCode::BAD_REQUEST,
                "DIGEST_INVALID",
                "provided digest did not match uploaded content",
            ));
        }
        let stored = {
            let mut state = self.store.lock();
            let repository = state.repository_mut(at).map_err(RegistryError::name_unknown)?;
            let tag = (!by_digest).then_some(reference);
            repository.store_image(text, media_type, tag, at).map_err(|error| RegistryError {
                status: StatusCode::BAD_REQUEST,
                code: match error.code.as_str() {
                    "LayersNotFoundException" => "MANIFEST_BLOB_UNKNOWN",
                    "ImageTagAlreadyExistsException" => "TAG_INVALID",
                    _ => "MANIFEST_INVALID",
                },
                message: error.message,
            })?
        };
        self.store.services.save(SERVICE);
        let headers = [
            (LOCATION.as_str(), format!("/v2/{}/manifests/{}", at.name, stored.digest)),
            ("docker-content-digest", stored.digest),
        ];
        Ok(reply(StatusCode::CREATED, headers, Body::empty()))
    }

    fn delete_manifest(&self, at: &RepositoryRef<'_>, reference: &str) -> RegistryResult {
        {
            let mut state = self.store.lock();
            let repository = state.repository_mut(at).map_err(RegistryError::name_unknown)?;
            let digest = repository.digest(reference).map(str::to_owned);
            let digest = digest.ok_or_else(|| {
                RegistryError::new(StatusCode::NOT_FOUND, "MANIFEST_UNKNOWN", "Requested image not found")
            })?;
            repository.remove_image(&digest);
        }
        self.store.services.save(SERVICE);
        Ok(reply(StatusCode::ACCEPTED, [], Body::empty()))
    }

    fn tags(&self, at: &RepositoryRef<'_>) -> RegistryResult {
        let state = self.store.lock();
        let repository = state.repository(at).map_err(RegistryError::name_unknown)?;
        let tags: Vec<_> = repository.tags.keys().collect();
        let body = json!({ "name": at.name, "tags": tags }).to_string();
        let headers = [(CONTENT_TYPE.as_str(), "application/json".to_owned())];
        Ok(reply(StatusCode::OK, headers, Body::from(body)))
    }
}

impl RegistryError {
    fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into() }
    }

    fn name_unknown(error: AwsError) -> Self {
        Self::new(StatusCode::NOT_FOUND, "NAME_UNKNOWN", error.message)
    }

    fn response(self) -> Response<Body> {
        let body = json!({ "errors": [{ "code": self.code, "message": self.message }] });
        let headers = [(CONTENT_TYPE.as_str(), "application/json; charset=utf-8".to_owned())];
        let mut response = reply(self.status, headers, Body::from(body.to_string()));
        if self.status == StatusCode::UNAUTHORIZED {
            response.headers_mut().insert(
                WWW_AUTHENTICATE,
                http::HeaderValue::from_static("Basic realm=\"sandbox\",service=\"ecr.amazonaws.com\""),
            );
        }
        response
    }
}

impl From<LayerError> for RegistryError {
    fn from(error: LayerError) -> Self {
        let (status, code) = match &error {
            LayerError::UnknownUpload(_) => (StatusCode::NOT_FOUND, "BLOB_UPLOAD_UNKNOWN"),
            LayerError::NotADigest(_) | LayerError::Mismatch { .. } => (StatusCode::BAD_REQUEST, "DIGEST_INVALID"),
            LayerError::UnknownRepository(_) => (StatusCode::NOT_FOUND, "NAME_UNKNOWN"),
            LayerError::Io(_) => (StatusCode::INTERNAL_SERVER_ERROR, "UNKNOWN"),
        };
        let message = match &error {
            LayerError::Io(cause) => format!("{error}: {cause}"),
            _ => error.to_string(),
        };
        Self::new(status, code, message)
    }
}

/// Reads the rest of a refused request up to a limit, since many clients read the response only after sending.
async fn drain(body: Body) {
    let mut body = body;
    let mut left = DRAIN_LIMIT;
    while let Some(Ok(frame)) = body.frame().await {
        left = left.saturating_sub(frame.data_ref().map_or(0, bytes::Bytes::len));
        if left == 0 {
            return;
        }
    }
}

/// The response with an upload's progress.
fn progress(status: StatusCode, name: &str, id: &str, received: u64) -> Response<Body> {
    let headers = [
        (LOCATION.as_str(), format!("/v2/{name}/blobs/uploads/{id}")),
        (RANGE.as_str(), format!("0-{}", received.saturating_sub(1))),
        ("docker-upload-uuid", id.to_owned()),
    ];
    reply(status, headers, Body::empty())
}

fn reply<const N: usize>(status: StatusCode, headers: [(&'static str, String); N], body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    for (name, value) in headers {
        // An invalid header value comes from a client's own path, and is left out.
        if let Ok(value) = http::HeaderValue::from_str(&value) {
            response.headers_mut().insert(name, value);
        }
    }
    response
}

fn parameter(query: &str, name: &str) -> Option<String> {
    query
        .split('&')
        .filter_map(|pair| pair.split_once('='))
        .find(|(key, _)| *key == name)
        .map(|(_, value)| percent_decode_str(value).decode_utf8_lossy().into_owned())
}

#[cfg(test)]
mod tests {
    use super::RegistryTarget;

    #[test]
    fn paths_are_parsed_to_targets() {
        assert_eq!(RegistryTarget::of("/v2/"), Some(RegistryTarget::Base));
        assert_eq!(RegistryTarget::of("/v2/a/b/blobs/uploads/"), Some(RegistryTarget::Uploads("a/b")));
        assert_eq!(RegistryTarget::of("/v2/a/b/blobs/uploads/id"), Some(RegistryTarget::Upload("a/b", "id")));
        assert_eq!(RegistryTarget::of("/v2/a/b/blobs/sha256:00"), Some(RegistryTarget::Blob("a/b", "sha256:00")));
        assert_eq!(RegistryTarget::of("/v2/a/manifests/latest"), Some(RegistryTarget::Manifest("a", "latest")));
        assert_eq!(RegistryTarget::of("/v2/a/tags/list"), Some(RegistryTarget::Tags("a")));
        assert_eq!(RegistryTarget::of("/v2/anything"), None);
    }
}
