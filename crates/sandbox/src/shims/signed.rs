//! Requests signed with a build's credentials, for CodeBuild's source downloads and the `aws` shim.
//!
//! The sandbox does not depend on the SDKs.

use std::time::SystemTime;

use aws_sigv4::sign::v4::{calculate_signature, generate_signing_key};
use chrono::Utc;
use http::{Method, Request};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use sha2::{Digest as _, Sha256};

/// The escaped characters of a path: all but unreserved ones and slashes.
const PATH: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~').remove(b'/');

/// The escaped characters of a query, including slashes.
const QUERY: &AsciiSet = &PATH.add(b'/');

/// The credentials and region of a signature.
#[derive(Debug, Clone)]
pub(crate) struct Signer {
    pub(crate) access_key: String,
    pub(crate) secret_key: String,
    pub(crate) session_token: Option<String>,
    pub(crate) region: String,
}

/// A request without its signature.
pub(crate) struct UnsignedRequest<'a> {
    pub(crate) method: Method,
    /// `http://127.0.0.1:PORT`.
    pub(crate) endpoint: &'a str,
    /// Not escaped.
    pub(crate) path: &'a str,
    /// One query parameter and its value, not escaped.
    pub(crate) query: Option<(&'a str, &'a str)>,
    pub(crate) headers: &'a [(&'static str, &'a str)],
    pub(crate) body: &'a [u8],
}

impl Signer {
    /// Signs a request (Signature Version 4, in the headers).
    pub(crate) fn sign(&self, service: &str, request: &UnsignedRequest<'_>) -> Result<Request<Vec<u8>>, http::Error> {
        let now = SystemTime::now();
        let time = Utc::now().format("%Y%m%dT%H%M%SZ").to_string();
        let day = &time[..8];
        let hash = format!("{:x}", Sha256::digest(request.body));
        let host = request.endpoint.split_once("://").map_or(request.endpoint, |(_, host)| host).trim_end_matches('/');

        let mut headers = vec![("host", host), ("x-amz-content-sha256", &hash), ("x-amz-date", &time)];
        if let Some(token) = &self.session_token {
            headers.push(("x-amz-security-token", token));
        }
        headers.extend(request.headers);
        headers.sort_unstable();

        let path = utf8_percent_encode(request.path, PATH).to_string();
        let escaped = |text| utf8_percent_encode(text, QUERY).to_string();
        let query = request.query.map(|(name, value)| format!("{}={}", escaped(name), escaped(value)));
        let query = query.unwrap_or_default();
        let names: Vec<_> = headers.iter().map(|(name, _)| *name).collect();
        let names = names.join(";");
        let listed: String = headers.iter().map(|(name, value)| format!("{name}:{}\n", value.trim())).collect();
        let canonical = format!("{}\n{path}\n{query}\n{listed}\n{names}\n{hash}", request.method);
        let scope = format!("{day}/{}/{service}/aws4_request", self.region);
        let to_sign = format!("AWS4-HMAC-SHA256\n{time}\n{scope}\n{:x}", Sha256::digest(canonical));
        let key = generate_signing_key(&self.secret_key, now, &self.region, service);
        let signature = calculate_signature(key, to_sign.as_bytes());
        let authorization = format!(
            "AWS4-HMAC-SHA256 Credential={}/{scope}, SignedHeaders={names}, Signature={signature}",
            self.access_key
        );

        let separator = if query.is_empty() { "" } else { "?" };
        let mut builder = Request::builder()
            .method(request.method.clone())
            .uri(format!("http://{host}{path}{separator}{query}"))
            .header("authorization", authorization);
        for (name, value) in headers {
            // The client sets the host from the URL.
            if name != "host" {
                builder = builder.header(name, value);
            }
        }
        builder.body(request.body.to_vec())
    }
}
