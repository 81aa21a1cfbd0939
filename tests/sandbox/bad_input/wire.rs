//! Requests as bytes with custom signatures, which no SDK would send.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::{Duration, SystemTime};

use aws_sigv4::sign::v4::{calculate_signature, generate_signing_key};
use chrono::{DateTime, Utc};
use sha2::{Digest, Sha256};

use thumbctl_test_support::in_process::Sandbox;

/// The read timeout of a connection.
const READ_TIMEOUT: Duration = Duration::from_secs(60);

/// The address of a sandbox and its access key.
pub(super) struct Wire {
    address: SocketAddr,
    pub access_key: String,
    pub secret_key: String,
}

/// A response.
#[derive(Debug)]
pub(super) struct Response {
    /// 0 if the connection was closed without a response.
    pub status: u16,
    pub body: String,
}

impl Response {
    /// The AWS error code, from XML or JSON.
    pub(super) fn code(&self) -> String {
        if let Some((_, rest)) = self.body.split_once("<Code>") {
            return rest.split('<').next().unwrap_or_default().to_owned();
        }
        let json: serde_json::Value = serde_json::from_str(&self.body).unwrap_or_default();
        let name = json["__type"].as_str().or_else(|| json["code"].as_str()).unwrap_or_default();
        name.rsplit('#').next().unwrap_or_default().to_owned()
    }

    #[track_caller]
    pub(super) fn is(&self, status: u16, code: &str) {
        assert_eq!((self.status, self.code().as_str()), (status, code), "{}", self.body);
    }
}

/// A request with replaceable parts.
#[derive(Clone)]
pub(super) struct Call {
    pub method: String,
    /// Path and query, escaped.
    pub target: String,
    pub service: String,
    pub region: String,
    pub host: String,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    /// The value of `x-amz-content-sha256`; `None` omits the header.
    pub payload: Option<String>,
    pub time: DateTime<Utc>,
}

impl Call {
    fn new(service: &str, method: &str, target: &str, body: &[u8]) -> Self {
        Self {
            method: method.to_owned(),
            target: target.to_owned(),
            service: service.to_owned(),
            region: "us-east-1".to_owned(),
            host: "localhost".to_owned(),
            headers: Vec::new(),
            body: body.to_vec(),
            payload: None,
            time: Utc::now(),
        }
    }

    /// A request to S3.
    pub(super) fn s3(method: &str, target: &str, body: impl AsRef<[u8]>) -> Self {
        let call = Self::new("s3", method, target, body.as_ref());
        Self { payload: Some(hash(body.as_ref())), ..call }
    }

    /// A request to a service of the JSON protocol; `target` as in `Logs_20140328.CreateLogGroup`.
    pub(super) fn json(service: &str, target: &str, body: impl AsRef<[u8]>) -> Self {
        let call = Self::new(service, "POST", "/", body.as_ref());
        call.header("content-type", "application/x-amz-json-1.1").header("x-amz-target", target)
    }

    /// A request to a service of the query protocol.
    pub(super) fn query(service: &str, body: impl AsRef<[u8]>) -> Self {
        let call = Self::new(service, "POST", "/", body.as_ref());
        call.header("content-type", "application/x-www-form-urlencoded; charset=utf-8")
    }

    /// A request to Lambda.
    pub(super) fn lambda(method: &str, target: &str, body: impl AsRef<[u8]>) -> Self {
        Self::new("lambda", method, target, body.as_ref()).header("content-type", "application/json")
    }

    pub(super) fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    fn timestamp(&self) -> String {
        self.time.format("%Y%m%dT%H%M%SZ").to_string()
    }

    fn scope(&self) -> String {
        format!("{}/{}/{}/aws4_request", self.time.format("%Y%m%d"), self.region, self.service)
    }

    fn key(&self, secret: &str) -> Vec<u8> {
        generate_signing_key(secret, SystemTime::from(self.time), &self.region, &self.service).as_ref().to_vec()
    }

    /// The signature of this request.
    pub(super) fn signature(&self, secret: &str) -> String {
        let (path, query) = self.target.split_once('?').unwrap_or((&self.target, ""));
        let mut pairs: Vec<String> = query
            .split('&')
            .filter(|pair| !pair.is_empty())
            .map(|pair| if pair.contains('=') { pair.to_owned() } else { format!("{pair}=") })
            .collect();
        pairs.sort();
        let payload = self.payload.clone().unwrap_or_else(|| hash(&self.body));
        let canonical = format!(
            "{}\n{path}\n{}\nhost:{}\nx-amz-date:{}\n\nhost;x-amz-date\n{payload}",
            self.method,
            pairs.join("&"),
            self.host,
            self.timestamp()
        );
        let to_sign =
            format!("AWS4-HMAC-SHA256\n{}\n{}\n{}", self.timestamp(), self.scope(), hash(canonical.as_bytes()));
        calculate_signature(self.key(secret), to_sign.as_bytes())
    }

    /// The signature of the next chunk of a body.
    pub(super) fn chunk_signature(&self, secret: &str, previous: &str, content: &[u8]) -> String {
        let to_sign = format!(
            "AWS4-HMAC-SHA256-PAYLOAD\n{}\n{}\n{previous}\n{}\n{}",
            self.timestamp(),
            self.scope(),
            hash(b""),
            hash(content)
        );
        calculate_signature(self.key(secret), to_sign.as_bytes())
    }

    /// The value of the Authorization header.
    pub(super) fn authorization(&self, wire: &Wire) -> String {
        format!(
            "AWS4-HMAC-SHA256 Credential={}/{}, SignedHeaders=host;x-amz-date, Signature={}",
            wire.access_key,
            self.scope(),
            self.signature(&wire.secret_key)
        )
    }

    /// The encoded head; `None` omits the Authorization header.
    pub(super) fn head(&self, authorization: Option<&str>) -> String {
        let mut head =
            format!("{} {} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n", self.method, self.target, self.host);
        head.push_str(&format!("x-amz-date: {}\r\n", self.timestamp()));
        if let Some(payload) = &self.payload {
            head.push_str(&format!("x-amz-content-sha256: {payload}\r\n"));
        }
        if let Some(authorization) = authorization {
            head.push_str(&format!("authorization: {authorization}\r\n"));
        }
        for (name, value) in &self.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        let has_length = self.headers.iter().any(|(name, _)| name == "content-length" || name == "transfer-encoding");
        if !has_length {
            head.push_str(&format!("content-length: {}\r\n", self.body.len()));
        }
        head + "\r\n"
    }
}

impl Wire {
    pub(super) fn to(sandbox: &Sandbox) -> Self {
        let endpoint = &sandbox.endpoint;
        let address = endpoint.url.strip_prefix("http://").expect("plain HTTP");
        let port = address.rsplit(':').next().and_then(|port| port.parse().ok()).expect("a port");
        Self {
            address: SocketAddr::from(([127, 0, 0, 1], port)),
            access_key: endpoint.access_key.clone(),
            secret_key: endpoint.secret_key.clone(),
        }
    }

    pub(super) fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).expect("the sandbox listens");
        stream.set_read_timeout(Some(READ_TIMEOUT)).expect("a socket");
        stream
    }

    /// Sends a correctly signed request, and reads the response.
    pub(super) fn send(&self, call: &Call) -> Response {
        self.send_as(call, Some(&call.authorization(self)))
    }

    /// Sends a request with another Authorization header, or without one, and reads the response.
    pub(super) fn send_as(&self, call: &Call, authorization: Option<&str>) -> Response {
        let mut bytes = call.head(authorization).into_bytes();
        bytes.extend(&call.body);
        self.raw(&bytes)
    }

    /// Sends bytes, and reads the response.
    pub(super) fn raw(&self, bytes: &[u8]) -> Response {
        let mut stream = self.connect();
        // The server may close the connection before it has read everything.
        let _ = stream.write_all(bytes);
        read(&mut stream)
    }

    /// Sends bytes, shuts the connection down for writing, and reads the response, if any.
    pub(super) fn send_and_shut_down(&self, bytes: &[u8]) -> Response {
        let mut stream = self.connect();
        let _ = stream.write_all(bytes);
        let _ = stream.shutdown(Shutdown::Write);
        read(&mut stream)
    }

    /// Checks that the sandbox still serves requests.
    #[track_caller]
    pub(super) fn assert_responsive(&self) {
        let response = self.send(&Call::query("sts", "Action=GetCallerIdentity&Version=2011-06-15"));
        assert_eq!(response.status, 200, "{}", response.body);
        assert!(response.body.contains("<Arn>"), "{}", response.body);
    }
}

/// Reads a whole response. A report of a bug in the sandbox fails the test.
#[track_caller]
pub(super) fn read(stream: &mut TcpStream) -> Response {
    let mut bytes = Vec::new();
    // After a reset, the bytes received so far are the response.
    let _ = stream.read_to_end(&mut bytes);
    let text = String::from_utf8_lossy(&bytes);
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
    assert!(!body.contains("has a bug"), "{text}");
    Response { status, body: body.to_owned() }
}

pub(super) fn hash(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}
