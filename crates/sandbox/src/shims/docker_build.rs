//! `docker build`: builds an OCI image from a Dockerfile, with one layer per COPY.
//!
//! A base image in the sandbox's ECR is pulled. Others are replaced by an empty image, and RUN is skipped, both with a
//! note in the output: builds need no network and no container.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Component, Path, PathBuf};

use super::docker::architecture;
use super::dockerfile::{CopyInstruction, Dockerfile, Instruction, Stage};
use super::ignore::{self, DockerIgnore};
use super::image::ImageBuilder;
use super::images::ImageStore;
use super::reference::ImageReference;
use super::words::VariableScope;
use super::{BuildEnvironment, ShimError, docker_pull, docker_push, unpacked};
use crate::storage::dir_handle::{DirEntry, DirHandle, Resolved};

/// The options of the command line.
#[derive(Default)]
struct BuildOptions {
    tags: Vec<ImageReference>,
    file: Option<String>,
    platform: Option<String>,
    target: Option<String>,
    arguments: BTreeMap<String, String>,
    labels: Vec<(String, String)>,
    context: Option<String>,
    id_file: Option<String>,
    quiet: bool,
    push: bool,
}

impl BuildOptions {
    fn read(args: &[&str]) -> Result<Self, ShimError> {
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
                    .ok_or_else(|| ShimError::usage(format!("flag needs an argument: {name}")))
            };
            match name {
                "-t" | "--tag" => options.tags.push(ImageReference::read(value()?)?),
                "-f" | "--file" => options.file = Some(value()?.to_owned()),
                "--platform" => options.platform = Some(value()?.to_owned()),
                "--target" => options.target = Some(value()?.to_owned()),
                "--iidfile" => options.id_file = Some(value()?.to_owned()),
                "--build-arg" => {
                    let argument = value()?;
                    let (name, value) = match argument.split_once('=') {
                        Some((name, value)) => (name, value.to_owned()),
                        None => (argument, std::env::var(argument).unwrap_or_default()),
                    };
                    options.arguments.insert(name.to_owned(), value);
                }
                "--label" => {
                    let (name, value) = value()?.split_once('=').unwrap_or_default();
                    options.labels.push((name.to_owned(), value.to_owned()));
                }
                // Ignored: there are no attestations, one builder, and no cache.
                "--provenance" | "--sbom" | "--progress" | "--cache-from" | "--cache-to" | "--builder"
                | "--network" => {
                    value()?;
                }
                "--output" | "-o" => match value()? {
                    "type=docker" => {}
                    "type=registry" | "type=image,push=true" => options.push = true,
                    other => return Err(ShimError::usage(format!("the sandbox's shim has no output '{other}'"))),
                },
                "--load" | "--no-cache" | "--pull" | "--rm" | "--force-rm" => {}
                "--quiet" | "-q" => options.quiet = true,
                "--push" => options.push = true,
                flag if flag.starts_with('-') && flag != "-" => {
                    return Err(ShimError::usage(format!("unknown flag: {flag}")));
                }
                path => options.context = Some(path.to_owned()),
            }
        }
        Ok(options)
    }
}

pub(super) fn run(args: &[&str], build: &BuildEnvironment) -> Result<(), ShimError> {
    let options = BuildOptions::read(args)?;
    let context = options
        .context
        .as_deref()
        .ok_or_else(|| ShimError::usage("'docker build' requires 1 argument: the context's path"))?;
    let context = build.directory.join(context);
    let Ok(context_root) = DirHandle::open(&context) else {
        return Err(ShimError::usage(format!("unable to prepare context: path \"{}\" not found", context.display())));
    };
    let host = format!("linux/{}", architecture());
    if let Some(platform) = options.platform.as_deref().filter(|it| **it != host) {
        return Err(ShimError::usage(format!("the platform is {platform}, but the sandbox builds for {host} only")));
    }
    let file = match &options.file {
        Some(file) => build.directory.join(file),
        None => context.join("Dockerfile"),
    };
    let (text, ignore) = read_dockerfile(&file, &context, &context_root)?;
    let dockerfile =
        Dockerfile::read(&text).map_err(|error| ShimError::usage(format!("dockerfile parse error: {error}")))?;
    let target_stage = match &options.target {
        None => dockerfile.stages.len() - 1,
        Some(name) => find_stage(&dockerfile.stages, name)
            .ok_or_else(|| ShimError::usage(format!("target stage \"{name}\" could not be found")))?,
    };

    let images = ImageStore::of(build);
    let mut builder = DockerfileBuilder {
        build,
        images: &images,
        ignore,
        context: &context,
        dockerfile: &dockerfile,
        build_arguments: &options.arguments,
        labels: &options.labels,
        target_stage,
        built: BTreeMap::new(),
    };
    let digest = builder.stage(target_stage)?;
    if let Some(file) = &options.id_file {
        fs::write(build.directory.join(file), &digest).map_err(ShimError::io(format!("cannot write {file}")))?;
    }
    if options.quiet {
        println!("{digest}");
    } else {
        eprintln!("writing image {digest}");
    }
    for tag in &options.tags {
        images.tag(tag, &digest)?;
        eprintln!("naming to {tag}");
    }
    if options.push {
        for tag in &options.tags {
            docker_push::run(tag, build)?;
        }
    }
    Ok(())
}

/// Reads the Dockerfile and `<dockerfile>.dockerignore`, or else the context's `.dockerignore`. Links must not lead out
/// of the context, or out of the Dockerfile's own directory if it is elsewhere.
fn read_dockerfile(file: &Path, context: &Path, context_root: &DirHandle) -> Result<(String, DockerIgnore), ShimError> {
    let failed = || format!("failed to read dockerfile {}", file.display());
    let is_plain = |path: &&Path| !path.components().any(|part| part == Component::ParentDir);
    let elsewhere;
    let (root, path) = match file.strip_prefix(context).ok().filter(is_plain) {
        Some(inside) => (context_root, inside),
        None => {
            elsewhere = DirHandle::open(file.parent().unwrap_or(Path::new("/"))).map_err(ShimError::io(failed()))?;
            (&elsewhere, Path::new(file.file_name().unwrap_or_default()))
        }
    };
    let dockerfile = read_text(root, path).map_err(ShimError::io(failed()))?;
    let dockerfile = dockerfile.ok_or_else(|| ShimError::io(failed())(io::ErrorKind::NotFound.into()))?;
    let mut own = path.as_os_str().to_owned();
    own.push(".dockerignore");
    for (root, path) in [(root, Path::new(&own)), (context_root, Path::new(".dockerignore"))] {
        if let Some(text) = read_text(root, path).map_err(ShimError::io(format!("cannot read {}", path.display())))? {
            return Ok((dockerfile, DockerIgnore::read(&text)));
        }
    }
    Ok((dockerfile, DockerIgnore::default()))
}

/// The text of the file at `path` within `root`, if it is a file.
fn read_text(root: &DirHandle, path: &Path) -> io::Result<Option<String>> {
    match root.resolve(path)?.map(|resolved| resolved.entry) {
        Some(DirEntry::File(file)) => io::read_to_string(file).map(Some),
        _ => Ok(None),
    }
}

/// A stage by its name or number.
fn find_stage(stages: &[Stage], name: &str) -> Option<usize> {
    let named = stages.iter().rposition(|stage| stage.name.as_deref() == Some(&*name.to_lowercase()));
    named.or_else(|| name.parse().ok().filter(|index| *index < stages.len()))
}

struct DockerfileBuilder<'a> {
    build: &'a BuildEnvironment,
    images: &'a ImageStore,
    context: &'a Path,
    ignore: DockerIgnore,
    dockerfile: &'a Dockerfile,
    build_arguments: &'a BTreeMap<String, String>,
    labels: &'a [(String, String)],
    target_stage: usize,
    /// The manifest digests of the built stages. Unneeded stages are not built.
    built: BTreeMap<usize, String>,
}

/// The source root of a COPY.
struct CopyRoot {
    root: DirHandle,
    /// Its name in messages.
    name: String,
    is_context: bool,
}

/// An existing source of a COPY.
struct CopySource {
    /// The path with wildcards replaced. A link's target gets the link's name.
    path: PathBuf,
    resolved: Resolved,
}

impl CopySource {
    fn is_directory(&self) -> bool {
        matches!(self.resolved.entry, DirEntry::Directory(_))
    }
}

impl<'a> DockerfileBuilder<'a> {
    fn stage(&mut self, index: usize) -> Result<String, ShimError> {
        if let Some(digest) = self.built.get(&index) {
            return Ok(digest.clone());
        }
        let stage = &self.dockerfile.stages[index];
        let name = self.globals().expand(&stage.image);
        let mut image = self.base(index, &name)?;
        let mut variables = VariableScope { environment: image.environment(), ..VariableScope::default() };
        for instruction in &stage.instructions {
            self.apply(index, instruction, &mut image, &mut variables)?;
        }
        if index == self.target_stage {
            for (name, value) in self.labels {
                image.label(name, value);
            }
        }
        let digest = image.finish()?;
        self.built.insert(index, digest.clone());
        Ok(digest)
    }

    /// The variables available in `FROM`.
    fn globals(&self) -> VariableScope {
        let mut variables = VariableScope { arguments: platform_arguments(), ..VariableScope::default() };
        for (name, default) in &self.dockerfile.arguments {
            let value = self.build_arguments.get(name).cloned();
            if let Some(value) = value.or_else(|| default.as_ref().map(|it| variables.expand(it))) {
                variables.arguments.insert(name.clone(), value);
            }
        }
        variables
    }

    fn base(&mut self, index: usize, name: &str) -> Result<ImageBuilder<'a>, ShimError> {
        let earlier = &self.dockerfile.stages[..index];
        if let Some(stage) = earlier.iter().rposition(|stage| stage.name.as_deref() == Some(&*name.to_lowercase())) {
            let digest = self.stage(stage)?;
            return ImageBuilder::on(self.images, &digest);
        }
        if name == "scratch" {
            return Ok(ImageBuilder::empty(self.images));
        }
        let reference = ImageReference::read(name)?;
        if let Some(digest) = self.image(&reference)? {
            eprintln!("FROM {name}: {digest}");
            return ImageBuilder::on(self.images, &digest);
        }
        eprintln!("FROM {name}: replaced by an empty image, since the sandbox pulls only from its own ECR");
        Ok(ImageBuilder::outside(self.images, name))
    }

    /// Finds an image built here or in the sandbox's ECR.
    fn image(&self, reference: &ImageReference) -> Result<Option<String>, ShimError> {
        match self.images.find(reference) {
            Ok((digest, _)) => Ok(Some(digest)),
            Err(_) if docker_push::is_ecr(&reference.host) => docker_pull::pull(reference, self.build).map(Some),
            Err(_) => Ok(None),
        }
    }

    fn apply(
        &mut self,
        index: usize,
        instruction: &Instruction,
        image: &mut ImageBuilder<'_>,
        variables: &mut VariableScope,
    ) -> Result<(), ShimError> {
        match instruction {
            Instruction::Arg(name, default) => {
                let value = self.build_arguments.get(name).cloned();
                let value = value.or_else(|| default.as_ref().map(|it| variables.expand(it)));
                // Without a value, the one before the first FROM applies.
                if let Some(value) = value.or_else(|| self.globals().arguments.remove(name)) {
                    variables.arguments.insert(name.clone(), value);
                }
            }
            Instruction::Env(pairs) => {
                // All values of one line are expanded before any is set.
                let pairs: Vec<_> =
                    pairs.iter().map(|(name, value)| (variables.expand(name), variables.expand(value))).collect();
                for (name, value) in pairs {
                    image.set_env(&name, &value);
                    variables.environment.insert(name, value);
                }
            }
            Instruction::Label(pairs) => {
                for (name, value) in pairs {
                    image.label(&variables.expand(name), &variables.expand(value));
                }
            }
            Instruction::Expose(ports) => ports.iter().for_each(|port| image.expose(&variables.expand(port))),
            Instruction::WorkDir(path) => image.work_dir(&variables.expand(path))?,
            Instruction::User(user) => image.user(&variables.expand(user)),
            Instruction::Entrypoint(words) => image.entrypoint(words),
            Instruction::Cmd(words) => image.command(words),
            Instruction::Run(command) => {
                eprintln!("skipping RUN {command}: the sandbox has no containers");
            }
            Instruction::Copy(copy) => {
                let from = self.copy_root(index, copy, variables)?;
                self.copy(copy, &from, image, variables)?;
            }
        }
        Ok(())
    }

    fn copy_root(
        &mut self,
        index: usize,
        copy: &CopyInstruction,
        variables: &VariableScope,
    ) -> Result<CopyRoot, ShimError> {
        let open =
            |path: &Path| DirHandle::open(path).map_err(ShimError::io(format!("cannot read {}", path.display())));
        let Some(from) = copy.from.as_deref().map(|from| variables.expand(from)) else {
            let name = format!("the context {}", self.context.display());
            return Ok(CopyRoot { root: open(self.context)?, name, is_context: true });
        };
        if let Some(stage) = find_stage(&self.dockerfile.stages[..index], &from) {
            let digest = self.stage(stage)?;
            let root = open(&unpacked::unpack(self.images, &digest)?)?;
            let is_run = |it: &Instruction| matches!(it, Instruction::Run(_));
            let reason = match self.dockerfile.stages[stage].instructions.iter().any(is_run) {
                true => ", whose RUN was skipped: the sandbox has no containers",
                false => "",
            };
            return Ok(CopyRoot { root, name: format!("stage {from}{reason}"), is_context: false });
        }
        let digest = self.image(&ImageReference::read(&from)?)?.ok_or_else(|| {
            ShimError::usage(format!("COPY --from={from}: no such image, and the sandbox pulls only from its own ECR"))
        })?;
        let root = open(&unpacked::unpack(self.images, &digest)?)?;
        Ok(CopyRoot { root, name: format!("image {from}"), is_context: false })
    }

    fn copy(
        &self,
        copy: &CopyInstruction,
        from: &CopyRoot,
        image: &mut ImageBuilder<'_>,
        variables: &VariableScope,
    ) -> Result<(), ShimError> {
        let word = if copy.is_add { "ADD" } else { "COPY" };
        let patterns: Vec<_> = copy.sources.iter().map(|source| variables.expand(source)).collect();
        let target = variables.expand(&copy.target);
        let what = format!("{word} {} {target}", patterns.join(" "));
        eprintln!("{what}");
        let mut sources = Vec::new();
        for source in &patterns {
            if copy.is_add && (source.contains("://") || source.starts_with("git@")) {
                return Err(ShimError::usage(format!("{what}: the sandbox fetches nothing from other hosts")));
            }
            let found = self.find(from, source)?;
            if found.is_empty() {
                let path = source.trim_start_matches('/');
                return Err(ShimError::usage(format!("{word} failed: \"/{path}\" not found in {}", from.name)));
            }
            sources.extend(found);
        }
        if copy.is_add && sources.iter().any(|source| is_archive(&source.resolved.entry)) {
            return Err(ShimError::usage(format!("{what}: the sandbox does not extract archives")));
        }
        let into_directory = target.ends_with('/') || sources.len() > 1 || target == "." || target.ends_with("/.");
        let destination = image.absolute(&target);
        let is_excluded = |path: &Path, is_directory: bool| {
            from.is_context && self.ignore.has(path) && !(is_directory && self.ignore.has_exceptions())
        };
        image.layer(&what, copy.chmod, |layer| {
            for source in &sources {
                // Docker copies a directory's content; a file keeps its name in a directory.
                let name = source.path.file_name().filter(|_| into_directory && !source.is_directory());
                let destination = name.map_or_else(|| destination.clone(), |name| destination.join(name));
                layer.add(&source.resolved.entry, &source.resolved.path, &destination, &is_excluded)?;
            }
            Ok(())
        })
    }

    /// Finds the files of a COPY's source with wildcards. As in BuildKit, links are followed within the root.
    fn find(&self, from: &CopyRoot, pattern: &str) -> Result<Vec<CopySource>, ShimError> {
        let failed = || format!("COPY failed: {pattern} cannot be read in {}", from.name);
        let mut paths = vec![PathBuf::new()];
        for part in Path::new(pattern).components() {
            let Component::Normal(part) = part else {
                match part {
                    Component::ParentDir => {
                        return Err(ShimError::usage(format!("COPY failed: {pattern} leads out of {}", from.name)));
                    }
                    _ => continue,
                }
            };
            let part = part.to_string_lossy();
            let mut next = Vec::new();
            for path in &paths {
                if part.contains(['*', '?', '[']) {
                    let resolved = from.root.resolve(path).map_err(ShimError::io(failed()))?;
                    let Some(DirEntry::Directory(directory)) = resolved.map(|resolved| resolved.entry) else {
                        continue;
                    };
                    let names = directory.list().map_err(ShimError::io(failed()))?.into_iter().map(|(name, _)| name);
                    let fit = names.filter(|name| ignore::matches(&part, &name.to_string_lossy()));
                    next.extend(fit.map(|name| path.join(name)));
                } else {
                    next.push(path.join(&*part));
                }
            }
            paths = next;
        }
        paths.sort();
        let mut found = Vec::new();
        for path in paths {
            let Some(resolved) = from.root.resolve(&path).map_err(ShimError::io(failed()))? else { continue };
            let source = CopySource { path, resolved };
            let is_ignored = self.ignore.has(&source.path) || self.ignore.has(&source.resolved.path);
            if !(from.is_context && is_ignored && !source.is_directory()) {
                found.push(source);
            }
        }
        Ok(found)
    }
}

/// The predefined platform arguments.
fn platform_arguments() -> BTreeMap<String, String> {
    let platform = format!("linux/{}", architecture());
    ["TARGET", "BUILD"]
        .iter()
        .flat_map(|whose| {
            [("PLATFORM", platform.as_str()), ("OS", "linux"), ("ARCH", architecture()), ("VARIANT", "")]
                .map(|(what, value)| (format!("{whose}{what}"), value.to_owned()))
        })
        .collect()
}

/// Whether docker's ADD would extract the file: a tar archive, plain or compressed.
fn is_archive(entry: &DirEntry) -> bool {
    use std::os::unix::fs::FileExt as _;

    let DirEntry::File(file) = entry else { return false };
    let mut start = [0; 512];
    // Does not move the file's position.
    let length = file.read_at(&mut start, 0).unwrap_or(0);
    let start = &start[..length];
    start.get(257..262) == Some(b"ustar")
        || [&b"\x1f\x8b"[..], b"BZh", b"\xfd7zXZ"].iter().any(|magic| start.starts_with(magic))
}
