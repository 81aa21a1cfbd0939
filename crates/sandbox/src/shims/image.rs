//! Builds an image from its base and a stage's instructions.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Component, Path, PathBuf};

use serde_json::{Map, Value, json};

use super::ShimError;
use super::docker::architecture;
use super::images::{BlobDescriptor, ImageStore, OciManifest};
use super::tarball::Tarball;

/// The media type of an image's manifest.
pub(super) const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const LAYER: &str = "application/vnd.oci.image.layer.v1.tar";
/// Docker's default `PATH`.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// An image being built.
pub(super) struct ImageBuilder<'a> {
    images: &'a ImageStore,
    config: Map<String, Value>,
    layers: Vec<BlobDescriptor>,
    /// The hashes of the uncompressed layers.
    diff_ids: Vec<String>,
    /// Whether this stage has set CMD. A new ENTRYPOINT drops the base's CMD.
    has_command: bool,
}

impl<'a> ImageBuilder<'a> {
    /// An image from `scratch`.
    pub(super) fn empty(images: &'a ImageStore) -> Self {
        let mut image =
            Self { images, config: Map::new(), layers: Vec::new(), diff_ids: Vec::new(), has_command: false };
        image.set_env("PATH", PATH);
        image
    }

    /// An image from an external base, without its files. Lambda's base images for binaries keep their configuration.
    pub(super) fn outside(images: &'a ImageStore, name: &str) -> Self {
        let mut image = Self::empty(images);
        if name.contains("/lambda/provided") {
            for (name, value) in [
                ("LANG", "en_US.UTF-8"),
                ("TZ", ":/etc/localtime"),
                ("LAMBDA_TASK_ROOT", "/var/task"),
                ("LAMBDA_RUNTIME_DIR", "/var/runtime"),
            ] {
                image.set_env(name, value);
            }
            image.config.insert("WorkingDir".to_owned(), json!("/var/task"));
            // The original entry point is a script that starts this.
            image.config.insert("Entrypoint".to_owned(), json!(["/var/runtime/bootstrap"]));
        }
        image
    }

    /// An image from a stored image, by its manifest's digest.
    pub(super) fn on(images: &'a ImageStore, digest: &str) -> Result<Self, ShimError> {
        let manifest = images.manifest(digest)?;
        let config = images.json(&manifest.config.digest)?;
        let diff_ids = config["rootfs"]["diff_ids"].as_array().into_iter().flatten();
        Ok(Self {
            images,
            config: config["config"].as_object().cloned().unwrap_or_default(),
            layers: manifest.layers,
            diff_ids: diff_ids.filter_map(Value::as_str).map(str::to_owned).collect(),
            has_command: false,
        })
    }

    /// The image's variables.
    pub(super) fn environment(&self) -> BTreeMap<String, String> {
        let all = self.config.get("Env").and_then(Value::as_array).into_iter().flatten();
        let pairs = all.filter_map(|one| one.as_str()?.split_once('='));
        pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
    }

    pub(super) fn set_env(&mut self, name: &str, value: &str) {
        let all = self.config.entry("Env").or_insert_with(|| json!([]));
        if let Some(all) = all.as_array_mut() {
            let prefix = format!("{name}=");
            let line = json!(format!("{name}={value}"));
            match all.iter_mut().find(|other| other.as_str().is_some_and(|it| it.starts_with(&prefix))) {
                Some(existing) => *existing = line,
                None => all.push(line),
            }
        }
    }

    pub(super) fn label(&mut self, name: &str, value: &str) {
        self.member("Labels")[name] = json!(value);
    }

    pub(super) fn expose(&mut self, port: &str) {
        let port = if port.contains('/') { port.to_owned() } else { format!("{port}/tcp") };
        self.member("ExposedPorts")[port] = json!({});
    }

    pub(super) fn user(&mut self, user: &str) {
        self.config.insert("User".to_owned(), json!(user));
    }

    pub(super) fn entrypoint(&mut self, words: &[String]) {
        self.config.insert("Entrypoint".to_owned(), json!(words));
        if !self.has_command {
            self.config.remove("Cmd");
        }
    }

    pub(super) fn command(&mut self, words: &[String]) {
        self.config.insert("Cmd".to_owned(), json!(words));
        self.has_command = true;
    }

    /// Sets `WORKDIR` and creates the directory.
    pub(super) fn work_dir(&mut self, path: &str) -> Result<(), ShimError> {
        let directory = self.absolute(path);
        self.config.insert("WorkingDir".to_owned(), json!(directory.display().to_string()));
        self.layer(&format!("WORKDIR {path}"), None, |layer| layer.directory(&directory))
    }

    /// The absolute form of a path in the image.
    pub(super) fn absolute(&self, path: &str) -> PathBuf {
        let start = self.config.get("WorkingDir").and_then(Value::as_str).unwrap_or("/");
        let mut absolute_path = PathBuf::from("/");
        for part in Path::new(start).join(path).components() {
            match part {
                Component::ParentDir => {
                    absolute_path.pop();
                }
                Component::Normal(name) => absolute_path.push(name),
                _ => {}
            }
        }
        absolute_path
    }

    /// Adds a layer.
    pub(super) fn layer(
        &mut self,
        what: &str,
        chmod: Option<u32>,
        fill: impl FnOnce(&mut Tarball) -> std::io::Result<()>,
    ) -> Result<(), ShimError> {
        let file = self.images.incoming()?;
        let written = Tarball::create(&file, chmod).and_then(|mut layer| {
            fill(&mut layer)?;
            layer.finish()
        });
        let written = written.map_err(|cause| {
            let _ = fs::remove_file(&file);
            ShimError::Io { what: format!("cannot write the layer of {what}"), cause }
        })?;
        self.images.store(&file, &written.hex)?;
        let digest = format!("sha256:{}", written.hex);
        // A layer is uncompressed, so its digest is its diff id.
        self.diff_ids.push(digest.clone());
        self.layers.push(BlobDescriptor { media_type: LAYER.to_owned(), digest, size: written.size });
        Ok(())
    }

    fn member(&mut self, name: &str) -> &mut Value {
        self.config.entry(name).or_insert_with(|| json!({}))
    }

    /// Writes configuration and manifest, and returns the manifest's digest, which is reproducible.
    pub(super) fn finish(self) -> Result<String, ShimError> {
        let config = json!({
            "architecture": architecture(),
            "os": "linux",
            "created": "1970-01-01T00:00:00Z",
            "config": self.config,
            "rootfs": { "type": "layers", "diff_ids": self.diff_ids },
        })
        .to_string();
        let manifest = OciManifest {
            schema_version: 2,
            media_type: MANIFEST.to_owned(),
            config: BlobDescriptor {
                media_type: CONFIG.to_owned(),
                digest: self.images.add(config.as_bytes())?,
                size: config.len() as u64,
            },
            layers: self.layers,
        };
        let text = serde_json::to_vec(&manifest)
            .map_err(|cause| ShimError::usage(format!("cannot write the manifest: {cause}")))?;
        self.images.add(&text)
    }
}
