//! Reads objects from S3 and writes them to it.
//!
//! `rusty-s3` presigns a URL, `ureq` sends the request. Presigned URLs are secrets and appear in no error.

use std::thread::sleep;
use std::time::{Duration, Instant};

use rusty_s3::actions::{GetObject, PutObject, S3Action};
use rusty_s3::{Bucket, Credentials, UrlStyle};
use thiserror::Error;
use ureq::http::StatusCode;
use ureq::tls::{PemItem, RootCerts, TlsConfig, parse_pem};
use ureq::{Agent, Body, http::Response};

use crate::clock;
use crate::settings::Settings;

/// The number of attempts of a request.
const ATTEMPTS: u32 = 3;
/// The delay after the first failure, four times as long after each further one.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// The timeout of one request.
const REQUEST: Duration = Duration::from_secs(25);
/// The timeout of name resolution and connection.
const CONNECT: Duration = Duration::from_secs(4);
/// The validity of a presigned URL, which is used at once.
const SIGNED_FOR: Duration = Duration::from_secs(300);
/// The bytes read of an error's body.
const ERROR_BODY: u64 = 64 * 1024;

/// A failed read or write of an object.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum StoreError {
    /// An error response of S3.
    #[error("S3 refused to {action} it: {code}: {message} (HTTP status {status})")]
    Refused {
        /// `read` or `write`.
        action: &'static str,
        /// S3's error code, for example `NoSuchKey`.
        code: String,
        /// S3's message.
        message: String,
        /// The HTTP status.
        status: u16,
    },
    /// No response.
    #[error("S3 could not be reached to {action} it: {reason}")]
    Unreachable {
        /// `read` or `write`.
        action: &'static str,
        /// The cause.
        reason: String,
    },
    /// The object exceeds the size limit.
    #[error("it is too large: it has {bytes} bytes, and {limit} are allowed (a quarter of the function's memory)")]
    TooLarge {
        /// Its size.
        bytes: u64,
        /// The size limit.
        limit: u64,
    },
    /// The key cannot be written as a URL.
    #[error("its key cannot be written as a URL: it has the part \"{0}\"")]
    Key(String),
    /// The bucket has no valid URL.
    #[error("its bucket has no valid URL: {0}")]
    Bucket(String),
}

impl StoreError {
    /// The kind of failure in one word, for programs.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Refused { .. } => "S3Refused",
            Self::Unreachable { .. } => "S3Unreachable",
            Self::TooLarge { .. } => "ObjectTooLarge",
            Self::Key(_) | Self::Bucket(_) => "NoAddress",
        }
    }

    /// Whether the request can be retried.
    fn is_temporary(&self) -> bool {
        match self {
            Self::Refused { status, code, .. } => {
                *status >= 500 || *status == 429 || matches!(code.as_str(), "SlowDown" | "RequestTimeout")
            }
            Self::Unreachable { .. } => true,
            _ => false,
        }
    }
}

/// The trusted certificates cannot be read.
#[derive(Debug, Error)]
pub enum CertificatesError {
    /// The file cannot be read.
    #[error("AWS_CA_BUNDLE: {path}: {error}")]
    Unreadable {
        /// Its path.
        path: String,
        /// The system's error.
        error: std::io::Error,
    },
    /// The file has no valid certificate.
    #[error("AWS_CA_BUNDLE: {0} has no PEM certificates")]
    NoCertificates(String),
}

/// A client of S3 with one execution role.
#[derive(Debug)]
pub struct ObjectStore {
    agent: Agent,
    credentials: Credentials,
    region: String,
    endpoint: Option<String>,
}

impl ObjectStore {
    /// Creates a client with the settings' endpoint, region and credentials, without connecting.
    pub fn new(settings: &Settings) -> Result<Self, CertificatesError> {
        let mut tls = TlsConfig::builder();
        if let Some(path) = &settings.ca_bundle {
            tls = tls.root_certs(read_certificates(path)?);
        }
        let agent = Agent::config_builder()
            .tls_config(tls.build())
            .proxy(None)
            // Redirects to other regions are errors, since the signature is not valid there.
            .max_redirects(0)
            .max_redirects_will_error(false)
            .http_status_as_error(false)
            .timeout_connect(Some(CONNECT))
            .build()
            .new_agent();
        let (key, secret) = (&settings.access_key, &settings.secret_key);
        let credentials = match &settings.session_token {
            Some(token) => Credentials::new_with_token(key, secret, token),
            None => Credentials::new(key, secret),
        };
        Ok(Self { agent, credentials, region: settings.region.clone(), endpoint: settings.endpoint.clone() })
    }

    /// Reads an object of at most `limit` bytes.
    pub fn get(&self, bucket: &str, key: &str, limit: u64, until: Instant) -> Result<Vec<u8>, StoreError> {
        let action = "read";
        let bucket = self.bucket(bucket)?;
        check_key(key)?;
        retry(until, action, |timeout| {
            let address = GetObject::new(&bucket, Some(&self.credentials), key).sign(SIGNED_FOR);
            let response = self
                .agent
                .get(address.as_str())
                .config()
                .timeout_global(Some(timeout))
                .build()
                .call()
                .map_err(|error| unreachable(action, &error))?;
            let mut response = accept(action, response)?;
            let body = response.body_mut();
            if let Some(bytes) = body.content_length().filter(|bytes| *bytes > limit) {
                return Err(StoreError::TooLarge { bytes, limit });
            }
            // A body without a length is read up to the limit.
            body.with_config().limit(limit + 1).read_to_vec().map_err(|error| match error {
                ureq::Error::BodyExceedsLimit(bytes) => StoreError::TooLarge { bytes, limit },
                error => unreachable(action, &error),
            })
        })
    }

    /// Writes an object.
    pub fn put(
        &self,
        bucket: &str,
        key: &str,
        content_type: &str,
        bytes: &[u8],
        until: Instant,
    ) -> Result<(), StoreError> {
        let action = "write";
        let bucket = self.bucket(bucket)?;
        check_key(key)?;
        retry(until, action, |timeout| {
            let mut put = PutObject::new(&bucket, Some(&self.credentials), key);
            put.headers_mut().insert("content-type", content_type);
            let response = self
                .agent
                .put(put.sign(SIGNED_FOR).as_str())
                .header("content-type", content_type)
                .config()
                .timeout_global(Some(timeout))
                .build()
                .send(bytes)
                .map_err(|error| unreachable(action, &error))?;
            accept(action, response).map(drop)
        })
    }

    fn bucket(&self, name: &str) -> Result<Bucket, StoreError> {
        let (address, style) = address(self.endpoint.as_deref(), &self.region, name);
        let address = address.parse().map_err(|error| StoreError::Bucket(format!("{address}: {error}")))?;
        Bucket::new(address, style, name.to_owned(), self.region.clone())
            .map_err(|error| StoreError::Bucket(error.to_string()))
    }
}

/// The endpoint of a bucket, and whether its name is in the path or the host.
fn address(endpoint: Option<&str>, region: &str, bucket: &str) -> (String, UrlStyle) {
    if let Some(endpoint) = endpoint {
        return (endpoint.to_owned(), UrlStyle::Path);
    }
    let suffix = if region.starts_with("cn-") { "amazonaws.com.cn" } else { "amazonaws.com" };
    // The certificate's wildcard does not cover bucket names with a dot.
    let style = if bucket.contains('.') { UrlStyle::Path } else { UrlStyle::VirtualHost };
    (format!("https://s3.{region}.{suffix}"), style)
}

/// Refuses keys that a URL would change: empty keys, and parts `.` and `..`.
fn check_key(key: &str) -> Result<(), StoreError> {
    let part = key.split('/').find(|part| matches!(*part, "." | ".."));
    match part {
        Some(part) => Err(StoreError::Key(part.to_owned())),
        None if key.is_empty() => Err(StoreError::Key(String::new())),
        None => Ok(()),
    }
}

fn read_certificates(path: &str) -> Result<RootCerts, CertificatesError> {
    let pem = std::fs::read(path).map_err(|error| CertificatesError::Unreadable { path: path.to_owned(), error })?;
    let certificates: Vec<_> = parse_pem(&pem)
        .filter_map(|item| match item {
            Ok(PemItem::Certificate(certificate)) => Some(certificate),
            _ => None,
        })
        .collect();
    if certificates.is_empty() {
        return Err(CertificatesError::NoCertificates(path.to_owned()));
    }
    Ok(RootCerts::new_with_certs(&certificates))
}

/// Sends a request up to [`ATTEMPTS`] times while the error can be retried and time is left.
fn retry<T>(
    until: Instant,
    action: &'static str,
    mut send: impl FnMut(Duration) -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    let mut pause = FIRST_PAUSE;
    let mut attempt = 1;
    loop {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(StoreError::Unreachable { action, reason: "the invocation's time is used up".to_owned() });
        }
        match send(left.min(REQUEST)) {
            Err(error) if error.is_temporary() && attempt < ATTEMPTS && Instant::now() + pause < until => {
                sleep(pause);
                pause *= 4;
                attempt += 1;
            }
            result => return result,
        }
    }
}

fn unreachable(action: &'static str, error: &ureq::Error) -> StoreError {
    let reason = error.to_string();
    StoreError::Unreachable { action, reason }
}

/// The response, or S3's error.
fn accept(action: &'static str, mut response: Response<Body>) -> Result<Response<Body>, StoreError> {
    let status = response.status();
    if status.is_success() {
        return Ok(response);
    }
    let date = response.headers().get("date").and_then(|date| date.to_str().ok()).map(str::to_owned);
    let body = response.body_mut().with_config().limit(ERROR_BODY).lossy_utf8(true).read_to_string();
    Err(refusal(action, status, date.as_deref(), &body.unwrap_or_default()))
}

/// Builds the error of a response. With a wrong clock S3 reports "access denied" or "expired", so the difference to the
/// response's `date` is added.
fn refusal(action: &'static str, status: StatusCode, date: Option<&str>, body: &str) -> StoreError {
    let reason = status.canonical_reason().unwrap_or("no reason given");
    let mut message = element(body, "Message").unwrap_or_else(|| reason.to_owned());
    if status == StatusCode::FORBIDDEN
        && let Some(remark) = date.and_then(clock::remark)
    {
        message = format!("{message}; {remark}");
    }
    StoreError::Refused {
        action,
        code: element(body, "Code").unwrap_or_else(|| format!("HTTP {}", status.as_u16())),
        message,
        status: status.as_u16(),
    }
}

/// The text of the first element with this name, which is enough for S3's flat errors.
fn element(xml: &str, name: &str) -> Option<String> {
    let (_, rest) = xml.split_once(&format!("<{name}>"))?;
    let (text, _) = rest.split_once(&format!("</{name}>"))?;
    let text = text
        .replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&quot;", "\"")
        .replace("&apos;", "'")
        .replace("&amp;", "&");
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bucket_urls_depend_on_endpoint_region_and_name() {
        for (endpoint, region, bucket, expected, in_path) in [
            (None, "eu-west-1", "b", "https://s3.eu-west-1.amazonaws.com", false),
            (None, "cn-north-1", "b", "https://s3.cn-north-1.amazonaws.com.cn", false),
            (None, "us-east-1", "a.b", "https://s3.us-east-1.amazonaws.com", true),
            (Some("http://127.0.0.1:4566"), "us-east-1", "b", "http://127.0.0.1:4566", true),
        ] {
            let (address, style) = address(endpoint, region, bucket);
            assert_eq!(address, expected);
            assert_eq!(matches!(style, UrlStyle::Path), in_path, "{address} {bucket}");
        }
    }

    #[test]
    fn s3_errors_are_parsed() {
        let body =
            "<?xml version=\"1.0\"?><Error><Code>NoSuchKey</Code><Message>A &amp; B do not exist.</Message></Error>";
        let error = refusal("read", StatusCode::NOT_FOUND, None, body);
        assert_eq!(error.to_string(), "S3 refused to read it: NoSuchKey: A & B do not exist. (HTTP status 404)");
        let error = refusal("write", StatusCode::BAD_GATEWAY, None, "<html>");
        assert_eq!(error.to_string(), "S3 refused to write it: HTTP 502: Bad Gateway (HTTP status 502)");
    }

    #[test]
    fn refusal_names_clock_difference() {
        let body = "<Error><Code>AccessDenied</Code><Message>Request has expired</Message></Error>";
        let date = Some("Mon, 01 Jan 2001 00:00:00 GMT");
        let message = refusal("read", StatusCode::FORBIDDEN, date, body).to_string();
        assert!(message.contains("Request has expired; this machine's clock is "), "{message}");
        assert!(message.contains("ahead of S3's (HTTP status 403)"), "{message}");
        let message = refusal("read", StatusCode::NOT_FOUND, date, body).to_string();
        assert!(!message.contains("clock"), "{message}");
    }

    #[test]
    fn only_temporary_errors_are_retried() {
        let until = Instant::now() + Duration::from_secs(10);
        for (status, attempts) in [(503, 3), (403, 1)] {
            let mut sent = 0;
            let result: Result<(), _> = retry(until, "read", |_| {
                sent += 1;
                Err(refusal("read", StatusCode::from_u16(status).unwrap(), None, ""))
            });
            assert!(result.is_err());
            assert_eq!(sent, attempts, "{status}");
        }
    }

    #[test]
    fn keys_without_url_are_refused() {
        for key in ["", "a/../b", "./a", "a/."] {
            assert!(check_key(key).is_err(), "{key}");
        }
        for key in ["a//b", "..a/b.", "/a", "a b+%/ü"] {
            assert!(check_key(key).is_ok(), "{key}");
        }
    }
}
