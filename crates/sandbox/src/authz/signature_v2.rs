//! Signature Version 2 in presigned URLs, the default of boto3 and the AWS CLI for S3 in us-east-1, where S3 still accepts
//! it.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chrono::Utc;
use hmac::{Hmac, Mac};
use http::request::Parts;
use sha1::Sha1;

use crate::authz::canonical::{query_pairs, same};
use crate::authz::signature_error::SignatureError;
use crate::bucket_host::bucket_of_host;

/// The query parameters that are signed as a part of the resource.
const SIGNED_PARAMETERS: &[&str] = &[
    "accelerate",
    "acl",
    "analytics",
    "cors",
    "defaultObjectAcl",
    "delete",
    "inventory",
    "lifecycle",
    "location",
    "logging",
    "metrics",
    "notification",
    "object-lock",
    "partNumber",
    "policy",
    "replication",
    "requestPayment",
    "response-cache-control",
    "response-content-disposition",
    "response-content-encoding",
    "response-content-language",
    "response-content-type",
    "response-expires",
    "restore",
    "select",
    "select-type",
    "storageClass",
    "tagging",
    "torrent",
    "uploadId",
    "uploads",
    "versionId",
    "versioning",
    "versions",
    "website",
];

/// A presigned URL of Version 2.
#[derive(Debug)]
pub(crate) struct PresignedV2 {
    pub access_key: String,
    pub token: Option<String>,
    /// Seconds since 1970, as sent.
    expires: String,
    signature: String,
}

impl PresignedV2 {
    /// Reads it from a query; nothing if that is not signed with Version 2.
    pub(crate) fn read(query: &str) -> Option<Result<Self, SignatureError>> {
        let parameters = query_pairs(query);
        let parameter = |name: &str| parameters.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone());
        let (signature, access_key) = (parameter("Signature")?, parameter("AWSAccessKeyId")?);
        let token = parameter("x-amz-security-token");
        Some(match parameter("Expires") {
            Some(expires) => Ok(Self { access_key, token, expires, signature }),
            None => Err(SignatureError::Incomplete("Expires is missing")),
        })
    }

    /// Verifies the signature with `secret` and the expiry.
    pub(crate) fn verify(&self, parts: &Parts, secret: &str) -> Result<(), SignatureError> {
        let expires: i64 = self.expires.parse().map_err(|_| SignatureError::Incomplete("Expires is not a number"))?;
        if expires < Utc::now().timestamp() {
            return Err(SignatureError::Expired);
        }
        if same(&sign(&self.string_to_sign(parts), secret), &self.signature) {
            Ok(())
        } else {
            Err(SignatureError::Mismatch)
        }
    }

    fn string_to_sign(&self, parts: &Parts) -> String {
        let parameters = query_pairs(parts.uri.query().unwrap_or(""));
        let mut amazon: BTreeMap<String, String> = BTreeMap::new();
        let header = |name: &str| {
            let sent = parts.headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
            // A presigning client puts headers into the query.
            let parameter = parameters.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone());
            sent.or(parameter).unwrap_or_default()
        };
        let (md5, kind) = (header("content-md5"), header("content-type"));
        let sent = parts.headers.iter().map(|(name, value)| (name.as_str(), String::from_utf8_lossy(value.as_bytes())));
        for (name, value) in sent.filter(|(name, _)| name.starts_with("x-amz-")) {
            let values = amazon.entry(name.to_owned()).or_default();
            values.push_str(if values.is_empty() { "" } else { "," });
            values.push_str(value.trim());
        }
        for (name, value) in parameters.iter().filter(|(name, _)| name.starts_with("x-amz-")) {
            amazon.entry(name.clone()).or_insert_with(|| value.clone());
        }
        let amazon: String = amazon.iter().map(|(name, value)| format!("{name}:{value}\n")).collect();
        let resource = resource(parts, &parameters);
        format!("{}\n{md5}\n{kind}\n{}\n{amazon}{resource}", parts.method, self.expires)
    }
}

/// The resource as it is signed: the bucket of the host, the path as sent, and the signed parameters.
fn resource(parts: &Parts, parameters: &[(String, String)]) -> String {
    let host = parts.headers.get("host").and_then(|host| host.to_str().ok()).unwrap_or("");
    let bucket = bucket_of_host(host).map(|bucket| format!("/{bucket}")).unwrap_or_default();
    let mut signed: Vec<String> = parameters
        .iter()
        .filter(|(name, _)| SIGNED_PARAMETERS.contains(&name.as_str()))
        .map(|(name, value)| if value.is_empty() { name.clone() } else { format!("{name}={value}") })
        .collect();
    signed.sort();
    let query = if signed.is_empty() { String::new() } else { format!("?{}", signed.join("&")) };
    format!("{bucket}{}{query}", parts.uri.path())
}

/// The signature of a text, in Base64.
pub(crate) fn sign(text: &str, secret: &str) -> String {
    let mut mac = Hmac::<Sha1>::new_from_slice(secret.as_bytes()).expect("HMAC takes keys of any length");
    mac.update(text.as_bytes());
    STANDARD.encode(mac.finalize().into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn string_to_sign_matches_the_documentation() {
        // "Signing and authenticating REST requests (AWS signature version 2)", its example of a query.
        let uri = "/photos/puppy.jpg?AWSAccessKeyId=AKIAIOSFODNN7EXAMPLE&Signature=NpgCjnDzrM%2BWFzoENXmpNDUsSn8%3D&Expires=1175139620";
        let request = http::Request::builder()
            .method("GET")
            .uri(uri)
            .header("host", "awsexamplebucket1.s3.localhost")
            .body(())
            .unwrap();
        let parts = request.into_parts().0;
        let presigned = PresignedV2::read(parts.uri.query().unwrap()).unwrap().unwrap();
        assert_eq!(presigned.string_to_sign(&parts), "GET\n\n\n1175139620\n/awsexamplebucket1/photos/puppy.jpg");
        assert_eq!(presigned.verify(&parts, "secret"), Err(SignatureError::Expired));
    }

    #[test]
    fn sub_resources_and_amz_parameters_are_signed() {
        let uri = "/b/k?versionId=1&prefix=x&uploads&AWSAccessKeyId=K&Signature=S&Expires=9999999999&x-amz-acl=private";
        let request = http::Request::builder().method("PUT").uri(uri).header("host", "localhost").body(()).unwrap();
        let parts = request.into_parts().0;
        let presigned = PresignedV2::read(parts.uri.query().unwrap()).unwrap().unwrap();
        let text = presigned.string_to_sign(&parts);
        assert_eq!(text, "PUT\n\n\n9999999999\nx-amz-acl:private\n/b/k?uploads&versionId=1");
        assert_eq!(presigned.verify(&parts, "secret"), Err(SignatureError::Mismatch));
        let signed = PresignedV2 { signature: sign(&text, "secret"), ..presigned };
        assert_eq!(signed.verify(&parts, "secret"), Ok(()));
    }
}
