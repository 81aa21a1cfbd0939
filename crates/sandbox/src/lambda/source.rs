//! Fetches and checks the code that a request names.

use std::path::PathBuf;

use awsim_core::AwsError;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::code::{Code, ImageCode, ZipCode};
use super::errors;
use super::internal_caller::SourceImage;
use super::package;
use super::python;
use super::registry::Lambda;
use super::request::PackageType;

/// A code package that can be unpacked.
#[derive(Debug, Clone)]
pub(crate) enum PackageSource {
    Image(SourceImage),
    Zip {
        /// `sha256:…`.
        digest: String,
        path: PathBuf,
    },
}

impl PackageSource {
    pub(crate) fn digest(&self) -> &str {
        match self {
            Self::Image(image) => &image.digest,
            Self::Zip { digest, .. } => digest,
        }
    }
}

/// The runtime and handler of a zip function.
#[derive(Debug, Clone)]
pub(crate) struct ZipEntryPoint {
    pub runtime: String,
    pub handler: String,
}

/// The code that a request names.
#[derive(Debug)]
pub(crate) enum CodeSource<'a> {
    Image(&'a str),
    Inline(Vec<u8>),
    Object { bucket: &'a str, key: &'a str, version: Option<&'a str> },
}

impl<'a> CodeSource<'a> {
    /// Reads CreateFunction's `Code` member, or UpdateFunctionCode's own members.
    pub(crate) fn read(code: &'a Value, package: PackageType, verb: &str) -> Result<Self, AwsError> {
        let text = |field: &str| code[field].as_str().filter(|text| !text.is_empty());
        let refuse = |field: &str, package: &str| {
            Err(errors::invalid_parameter(format!(
                "Please don't provide {field} when {verb} a function with packageType {package}."
            )))
        };
        match package {
            PackageType::Image => {
                if let Some(field) = ["ZipFile", "S3Bucket", "S3Key"].into_iter().find(|field| text(field).is_some()) {
                    return refuse(field, "Image");
                }
                text("ImageUri").map(Self::Image)
            }
            PackageType::Zip => {
                if text("ImageUri").is_some() {
                    return refuse("ImageUri", "Zip");
                }
                match (text("ZipFile"), text("S3Bucket"), text("S3Key")) {
                    (Some(_), Some(_), _) | (Some(_), _, Some(_)) => {
                        return Err(errors::invalid_parameter(
                            "Please do not provide other FunctionCode parameters when providing a ZipFile.",
                        ));
                    }
                    (Some(zip), ..) => Some(Self::Inline(STANDARD.decode(zip).map_err(|_| {
                        AwsError::bad_request("SerializationException", "ZipFile is not valid Base64")
                    })?)),
                    (None, Some(bucket), Some(key)) => {
                        Some(Self::Object { bucket, key, version: text("S3ObjectVersion") })
                    }
                    _ => None,
                }
            }
        }
        .ok_or_else(|| errors::invalid_parameter("Please provide a source for function code."))
    }
}

impl Lambda {
    /// Fetches and checks the code that a request names. Zips need `entry`.
    pub(crate) async fn fetch_code(
        &self,
        code_source: CodeSource<'_>,
        region: &str,
        entry: Option<ZipEntryPoint>,
    ) -> Result<(Code, PackageSource), AwsError> {
        let (sha256, size) = match code_source {
            CodeSource::Image(uri) => {
                let image =
                    self.internal.image(uri, region).map_err(|error| errors::invalid_parameter(error.to_string()))?;
                return Ok((Code::Image(ImageCode::new(uri, &image)), PackageSource::Image(image)));
            }
            CodeSource::Inline(bytes) => {
                let blob =
                    self.internal.store_blob(&bytes).await.map_err(|cause| AwsError::internal(cause.to_string()))?;
                (blob.sha256, blob.len)
            }
            CodeSource::Object { bucket, key, version } => self.internal.object(region, bucket, key, version)?,
        };
        let Some(ZipEntryPoint { runtime, handler }) = entry else {
            return Err(errors::invalid_parameter(
                "Runtime and Handler are mandatory parameters for functions created with deployment packages.",
            ));
        };
        if thumbctl_platform::python::interpreter().await.is_none() {
            return Err(python::missing());
        }
        let path = self.internal.blob(&sha256);
        let checked = path.clone();
        tokio::task::spawn_blocking(move || package::check(&checked))
            .await
            .map_err(|cause| AwsError::internal(cause.to_string()))??;
        let digest = format!("sha256:{sha256}");
        let Some(sha256) = bytes_of(&sha256) else {
            return Err(AwsError::internal(format!("{sha256} is not a hash")));
        };
        Ok((Code::Zip(ZipCode { sha256, size, runtime, handler }), PackageSource::Zip { digest, path }))
    }

    /// The package of a function's stored code.
    pub(crate) fn source_of(
        &self,
        code: &Code,
        region: &str,
    ) -> Result<PackageSource, super::internal_caller::SourceError> {
        match code {
            Code::Image(image) => self.internal.image(&image.resolved_uri(), region).map(PackageSource::Image),
            Code::Zip(zip) => Ok(PackageSource::Zip { digest: code.digest(), path: self.internal.blob(&zip.blob()) }),
        }
    }
}

fn bytes_of(hexadecimal: &str) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    if hexadecimal.len() != 64 || !hexadecimal.is_ascii() {
        return None;
    }
    for (at, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&hexadecimal[at * 2..at * 2 + 2], 16).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn code_source_must_match_package_type() {
        let image = json!({ "ImageUri": "host/repo:tag" });
        let object = json!({ "S3Bucket": "b", "S3Key": "k" });
        let (inline, nothing) = (json!({ "ZipFile": "UEs=" }), json!({}));
        fn read(code: &Value, package: PackageType) -> Result<CodeSource<'_>, String> {
            CodeSource::read(code, package, "updating").map_err(|error| error.message)
        }
        assert!(matches!(read(&image, PackageType::Image), Ok(CodeSource::Image("host/repo:tag"))));
        assert!(matches!(
            read(&object, PackageType::Zip),
            Ok(CodeSource::Object { bucket: "b", key: "k", version: None })
        ));
        assert!(matches!(read(&inline, PackageType::Zip), Ok(CodeSource::Inline(_))));
        assert_eq!(
            read(&image, PackageType::Zip).unwrap_err(),
            "Please don't provide ImageUri when updating a function with packageType Zip."
        );
        assert!(read(&object, PackageType::Image).is_err());
        assert!(read(&nothing, PackageType::Zip).is_err());
    }

    #[test]
    fn hash_is_parsed_from_hexadecimal_digits() {
        assert_eq!(bytes_of(&"0f".repeat(32)), Some([15; 32]));
        assert_eq!(bytes_of("0f"), None);
        assert_eq!(bytes_of(&"zz".repeat(32)), None);
    }
}
