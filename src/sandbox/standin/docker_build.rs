//! `docker build`: an OCI image from a Dockerfile that begins with `FROM scratch`, one layer for each COPY.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Component, Path, PathBuf};

use serde_json::{Map, Value, json};

use super::docker::architecture;
use super::dockerfile::{Dockerfile, Instruction};
use super::images::{Images, Manifest, Part};
use super::reference::Reference;
use super::tarball::Tarball;
use super::{Environment, Error};

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const LAYER: &str = "application/vnd.oci.image.layer.v1.tar";

/// What the command line asks for.
#[derive(Default)]
struct Options {
    tags: Vec<Reference>,
    file: Option<String>,
    platform: Option<String>,
    arguments: BTreeMap<String, String>,
    context: Option<String>,
    push: bool,
}

impl Options {
    fn read(args: &[&str]) -> Result<Self, Error> {
        let mut options = Self::default();
        let mut args = args.iter();
        while let Some(arg) = args.next() {
            let (name, inline) = match arg.split_once('=') {
                Some((name, value)) if name.starts_with("--") => (name, Some(value)),
                _ => (*arg, None),
            };
            let mut value = || {
                inline
                    .or_else(|| args.next().copied())
                    .ok_or_else(|| Error::usage(format!("flag needs an argument: {name}")))
            };
            match name {
                "-t" | "--tag" => options.tags.push(Reference::read(value()?)?),
                "-f" | "--file" => options.file = Some(value()?.to_owned()),
                "--platform" => options.platform = Some(value()?.to_owned()),
                "--build-arg" => {
                    let given = value()?;
                    let (name, value) = match given.split_once('=') {
                        Some((name, value)) => (name, value.to_owned()),
                        None => (given, std::env::var(given).unwrap_or_default()),
                    };
                    options.arguments.insert(name.to_owned(), value);
                }
                // No attestations are made, asked for or not; there is no cache, nothing is pulled.
                "--provenance" | "--sbom" | "--progress" | "--output" | "-o" | "--cache-from" | "--cache-to" => {
                    value()?;
                }
                "--load" | "--no-cache" | "--pull" | "--quiet" | "-q" => {}
                "--push" => options.push = true,
                flag if flag.starts_with('-') && flag != "-" => {
                    return Err(Error::usage(format!("unknown flag: {flag}")));
                }
                path => options.context = Some(path.to_owned()),
            }
        }
        Ok(options)
    }
}

pub(super) fn run(args: &[&str], build: &Environment) -> Result<(), Error> {
    let options = Options::read(args)?;
    let context = options
        .context
        .as_deref()
        .ok_or_else(|| Error::usage("'docker build' requires 1 argument: the context's path"))?;
    let context = build.directory.join(context);
    if !context.is_dir() {
        return Err(Error::usage(format!("unable to prepare context: path \"{}\" not found", context.display())));
    }
    let host = format!("linux/{}", architecture());
    if let Some(platform) = options.platform.as_deref().filter(|it| **it != host) {
        return Err(Error::usage(format!("the platform is {platform}, but the sandbox builds for its own, {host}")));
    }
    let file = match &options.file {
        Some(file) => build.directory.join(file),
        None => context.join("Dockerfile"),
    };
    let text = fs::read_to_string(&file).map_err(Error::io(format!("failed to read dockerfile {}", file.display())))?;
    let dockerfile = Dockerfile::read(&text, &options.arguments)
        .map_err(|error| Error::usage(format!("dockerfile parse error: {error}")))?;

    let images = Images::of(build);
    let mut image = Image::new(&context, &images);
    for instruction in &dockerfile.instructions {
        image.apply(instruction)?;
    }
    let digest = image.finish()?;
    println!("writing image {digest}");
    for tag in &options.tags {
        images.tag(tag, &digest)?;
        println!("naming to {tag}");
    }
    if options.push {
        for tag in &options.tags {
            super::docker_push::run(tag, build)?;
        }
    }
    Ok(())
}

/// An image in the making.
struct Image<'a> {
    context: &'a Path,
    images: &'a Images,
    config: Map<String, Value>,
    working_dir: PathBuf,
    layers: Vec<Part>,
}

impl<'a> Image<'a> {
    fn new(context: &'a Path, images: &'a Images) -> Self {
        Self { context, images, config: Map::new(), working_dir: PathBuf::from("/"), layers: Vec::new() }
    }

    fn apply(&mut self, instruction: &Instruction) -> Result<(), Error> {
        match instruction {
            Instruction::Copy { chmod, sources, target } => return self.copy(*chmod, sources, target),
            Instruction::Env(name, value) => self.set_env(name, value),
            Instruction::Label(name, value) => self.member("Labels")[name] = json!(value),
            Instruction::Expose(port) => {
                let port = if port.contains('/') { port.clone() } else { format!("{port}/tcp") };
                self.member("ExposedPorts")[port] = json!({});
            }
            Instruction::WorkDir(path) => {
                self.working_dir = self.absolute(path);
                let path = self.working_dir.display().to_string();
                self.config.insert("WorkingDir".to_owned(), json!(path));
            }
            Instruction::User(user) => {
                self.config.insert("User".to_owned(), json!(user));
            }
            Instruction::Entrypoint(words) => {
                self.config.insert("Entrypoint".to_owned(), json!(words));
            }
            Instruction::Cmd(words) => {
                self.config.insert("Cmd".to_owned(), json!(words));
            }
            Instruction::Run(command) => {
                println!("skipping RUN {command}: the sandbox has no container to run it in");
            }
        }
        Ok(())
    }

    fn member(&mut self, name: &str) -> &mut Value {
        self.config.entry(name).or_insert_with(|| json!({}))
    }

    fn set_env(&mut self, name: &str, value: &str) {
        let all = self.config.entry("Env").or_insert_with(|| json!([]));
        if let Some(all) = all.as_array_mut() {
            let prefix = format!("{name}=");
            all.retain(|other| !other.as_str().is_some_and(|it| it.starts_with(&prefix)));
            all.push(json!(format!("{name}={value}")));
        }
    }

    fn absolute(&self, path: &str) -> PathBuf {
        let mut whole = PathBuf::from("/");
        for part in self.working_dir.join(path).components() {
            match part {
                Component::ParentDir => {
                    whole.pop();
                }
                Component::Normal(name) => whole.push(name),
                _ => {}
            }
        }
        whole
    }

    fn copy(&mut self, chmod: Option<u32>, sources: &[String], target: &str) -> Result<(), Error> {
        println!("COPY {} {target}", sources.join(" "));
        let into_directory = target.ends_with('/') || sources.len() > 1 || target == ".";
        let file = self.images.incoming()?;
        let failed = || format!("cannot write the layer of COPY {}", sources.join(" "));
        let mut layer = Tarball::create(&file, chmod).map_err(Error::io(failed()))?;
        for source in sources {
            let inside = Path::new(source.trim_start_matches('/'));
            let leaves = inside.components().any(|part| part == Component::ParentDir);
            let path = self.context.join(inside);
            if leaves || !path.exists() {
                return Err(Error::usage(format!(
                    "COPY failed: \"/{}\" not found in the context {}",
                    inside.display(),
                    self.context.display()
                )));
            }
            let mut destination = self.absolute(target);
            // Of a directory, docker copies what is in it; a file keeps its name in a directory.
            if into_directory && !path.is_dir() {
                destination.push(inside.file_name().unwrap_or_default());
            }
            layer.add(&path, &destination).map_err(Error::io(failed()))?;
        }
        let written = layer.finish().map_err(Error::io(failed()))?;
        self.images.keep(&file, &written.hex)?;
        self.layers.push(Part {
            media_type: LAYER.to_owned(),
            digest: format!("sha256:{}", written.hex),
            size: written.size,
        });
        Ok(())
    }

    /// Writes configuration and manifest; the same files give the same digest.
    fn finish(mut self) -> Result<String, Error> {
        if !self.config.contains_key("Env") {
            // What docker gives an image that says nothing.
            let path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
            self.set_env("PATH", path);
        }
        let diff_ids: Vec<_> = self.layers.iter().map(|layer| &layer.digest).collect();
        let config = json!({
            "architecture": architecture(),
            "os": "linux",
            "created": "1970-01-01T00:00:00Z",
            "config": self.config,
            // Uncompressed: a layer's digest is its diff id.
            "rootfs": { "type": "layers", "diff_ids": diff_ids },
        })
        .to_string();
        let manifest = Manifest {
            schema_version: 2,
            media_type: MANIFEST.to_owned(),
            config: Part {
                media_type: CONFIG.to_owned(),
                digest: self.images.add(config.as_bytes())?,
                size: config.len() as u64,
            },
            layers: self.layers,
        };
        let text = serde_json::to_vec(&manifest)
            .map_err(|cause| Error::usage(format!("the manifest cannot be written: {cause}")))?;
        self.images.add(&text)
    }
}
