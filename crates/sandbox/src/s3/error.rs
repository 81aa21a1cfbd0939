//! [`S3Error`]: the errors of S3 with their codes, statuses and XML documents.

use awsim_core::AwsError;
use axum::body::Body;
use http::{Response, StatusCode};

use super::xml::escape;
use crate::gateway::chunked::BodyError;

/// An error of S3.
#[derive(Debug)]
pub(crate) struct S3Error {
    pub status: StatusCode,
    pub code: String,
    pub message: String,
    /// Further elements, such as `BucketName`.
    pub details: Vec<(&'static str, String)>,
    /// Headers, such as `x-amz-delete-marker`.
    pub headers: Vec<(&'static str, String)>,
}

/// The result of an S3 operation.
pub(crate) type S3Result<T = Response<Body>> = Result<T, S3Error>;

impl S3Error {
    pub(crate) fn new(status: u16, code: &str, message: impl Into<String>) -> Self {
        Self {
            status: StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
            code: code.to_owned(),
            message: message.into(),
            details: Vec::new(),
            headers: Vec::new(),
        }
    }

    pub(crate) fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.details.push((name, value.into()));
        self
    }

    pub(crate) fn with_header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    pub(crate) fn no_such_bucket(bucket: &str) -> Self {
        Self::new(404, "NoSuchBucket", "The specified bucket does not exist").with("BucketName", bucket)
    }

    pub(crate) fn no_such_key(key: &str) -> Self {
        Self::new(404, "NoSuchKey", "The specified key does not exist.").with("Key", key)
    }

    pub(crate) fn no_such_upload(id: &str) -> Self {
        Self::new(
            404,
            "NoSuchUpload",
            "The specified upload does not exist. The upload ID may be invalid, or the upload may have been aborted or completed.",
        )
        .with("UploadId", id)
    }

    pub(crate) fn invalid_argument(message: impl Into<String>) -> Self {
        Self::new(400, "InvalidArgument", message)
    }

    pub(crate) fn malformed_xml() -> Self {
        Self::new(
            400,
            "MalformedXML",
            "The XML you provided was not well-formed or did not validate against our published schema",
        )
    }

    pub(crate) fn not_implemented(operation: &str) -> Self {
        Self::new(501, "NotImplemented", format!("The sandbox does not have S3's {operation}."))
    }

    /// The response, which has no body for HEAD.
    pub(crate) fn into_response(self, head: bool, resource: &str, request_id: &str) -> Response<Body> {
        let mut xml = format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{}</Code><Message>{}</Message>",
            escape(&self.code),
            escape(&self.message)
        );
        for (name, value) in &self.details {
            xml.push_str(&format!("<{name}>{}</{name}>", escape(value)));
        }
        xml.push_str(&format!("<Resource>{}</Resource><RequestId>{request_id}</RequestId></Error>", escape(resource)));
        let mut response = Response::new(if head { Body::empty() } else { Body::from(xml) });
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        if self.status != StatusCode::NOT_MODIFIED {
            headers.insert("content-type", http::HeaderValue::from_static("application/xml"));
        }
        for (name, value) in self.headers {
            if let Ok(value) = http::HeaderValue::from_str(&value) {
                headers.insert(name, value);
            }
        }
        response
    }
}

impl From<AwsError> for S3Error {
    fn from(error: AwsError) -> Self {
        Self::new(error.status.as_u16(), &error.code, error.message)
    }
}

impl From<S3Error> for AwsError {
    fn from(error: S3Error) -> Self {
        let mut converted = AwsError::bad_request(error.code, error.message);
        converted.status = error.status;
        converted
    }
}

/// An error of the disk, also logged, since clients see it as an error of AWS.
impl From<std::io::Error> for S3Error {
    fn from(cause: std::io::Error) -> Self {
        crate::error::log_error(format_args!("S3: {cause}"));
        Self::new(500, "InternalError", format!("We encountered an internal error. ({cause})"))
    }
}

impl From<BodyError> for S3Error {
    fn from(error: BodyError) -> Self {
        match error {
            BodyError::Incomplete => Self::new(
                400,
                "IncompleteBody",
                "You did not provide the number of bytes specified by the Content-Length HTTP header.",
            ),
            BodyError::Malformed(why) => Self::new(400, "InvalidRequest", format!("The body is malformed: {why}.")),
            BodyError::Signature => Self::new(
                403,
                "SignatureDoesNotMatch",
                "The request signature we calculated does not match the signature you provided.",
            ),
        }
    }
}
