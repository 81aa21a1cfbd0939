//! A function's code: a container image, or a zip with Python in it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::internal_caller::SourceImage;

/// A function's code, fixed when it was set: a moved tag or an overwritten object does not change it.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(untagged)]
pub(crate) enum Code {
    Image(ImageCode),
    Zip(ZipCode),
}

/// A container image.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct ImageCode {
    /// As given by the caller.
    pub uri: String,
    /// `sha256:…`.
    pub digest: String,
    pub entrypoint: Vec<String>,
    pub cmd: Vec<String>,
    pub env: Vec<String>,
    pub working_dir: String,
}

/// A zip, its runtime and its handler.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct ZipCode {
    pub sha256: [u8; 32],
    pub size: u64,
    pub runtime: String,
    pub handler: String,
}

impl ImageCode {
    pub(crate) fn new(uri: &str, image: &SourceImage) -> Self {
        Self {
            uri: uri.to_owned(),
            digest: image.digest.clone(),
            entrypoint: image.entrypoint.clone(),
            cmd: image.cmd.clone(),
            env: image.env.clone(),
            working_dir: image.working_dir.clone(),
        }
    }

    /// The image's URI by digest, which is what is run.
    pub(crate) fn resolved_uri(&self) -> String {
        let repository = self.uri.split('@').next().unwrap_or(&self.uri);
        // A colon after the last slash starts the tag; one before it is a port's.
        let name_start = repository.rfind('/').map_or(0, |slash| slash + 1);
        let end = repository[name_start..].find(':').map_or(repository.len(), |colon| name_start + colon);
        format!("{}@{}", &repository[..end], self.digest)
    }
}

impl ZipCode {
    /// The name of the zip's blob.
    pub(crate) fn blob(&self) -> String {
        crate::storage::blobs::hex(&self.sha256)
    }
}

impl Code {
    /// The image's digest or the zip's hash, `sha256:…`.
    pub(crate) fn digest(&self) -> String {
        match self {
            Self::Image(image) => image.digest.clone(),
            Self::Zip(zip) => format!("sha256:{}", zip.blob()),
        }
    }

    /// Adds the configuration fields that depend on the package type.
    pub(crate) fn describe(&self, view: &mut Value) {
        match self {
            Self::Image(image) => {
                view["PackageType"] = json!("Image");
                // Lambda reports a size of 0 for image functions.
                view["CodeSize"] = json!(0);
                view["CodeSha256"] = json!(image.digest.strip_prefix("sha256:").unwrap_or(&image.digest));
            }
            Self::Zip(zip) => {
                view["PackageType"] = json!("Zip");
                view["CodeSize"] = json!(zip.size);
                // As on Lambda: hexadecimal for images, Base64 for zips.
                view["CodeSha256"] = json!(STANDARD.encode(zip.sha256));
                view["Runtime"] = json!(zip.runtime);
                view["Handler"] = json!(zip.handler);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resolved_uri_has_digest_instead_of_tag() {
        let resolved = |uri: &str| {
            ImageCode { uri: uri.to_owned(), digest: "sha256:ab".to_owned(), ..ImageCode::default() }.resolved_uri()
        };
        assert_eq!(resolved("host.example/repo:tag"), "host.example/repo@sha256:ab");
        assert_eq!(resolved("host:5000/team/repo"), "host:5000/team/repo@sha256:ab");
        assert_eq!(resolved("host/repo@sha256:cd"), "host/repo@sha256:ab");
    }

    #[test]
    fn code_survives_serialization() {
        let zip = Code::Zip(ZipCode { sha256: [1; 32], size: 9, runtime: "python3.13".into(), handler: "a.b".into() });
        let image = Code::Image(ImageCode { digest: "sha256:ab".to_owned(), ..ImageCode::default() });
        for code in [zip, image] {
            let kept = serde_json::to_string(&code).unwrap();
            assert_eq!(serde_json::from_str::<Code>(&kept).unwrap().digest(), code.digest());
        }
    }
}
