//! Tests of images from Dockerfiles, without a registry.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;

use serde_json::{Value, json};

use super::images::ImageStore;
use super::reference::ImageReference;
use super::{BuildEnvironment, ShimError, docker, unpacked};

/// A build's directories with a context.
struct TestBuild {
    environment: BuildEnvironment,
    _dir: tempfile::TempDir,
}

impl TestBuild {
    fn new(dockerfile: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let (home, directory) = (dir.path().join("home"), dir.path().join("src"));
        let write = |name: &str, text: &str| {
            let file = directory.join(name);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, text).unwrap();
        };
        write("Dockerfile", dockerfile);
        write("bootstrap", "the function");
        write("data/one.txt", "1");
        write("data/two.log", "2");
        symlink("one.txt", directory.join("data/link")).unwrap();
        Self { environment: BuildEnvironment { home, directory, endpoint: String::new() }, _dir: dir }
    }

    fn docker(&self, args: &[&str]) -> Result<(), ShimError> {
        docker::run(args, &self.environment)
    }

    /// Builds an image, and returns its digest, configuration and files.
    fn image(&self, options: &[&str]) -> (String, Value, PathBuf) {
        let args = [&["build", "-t", "x"], options, &["."]].concat();
        self.docker(&args).unwrap();
        let images = ImageStore::of(&self.environment);
        let (digest, _) = images.find(&ImageReference::read("x").unwrap()).unwrap();
        let config = images.json(&images.manifest(&digest).unwrap().config.digest).unwrap();
        let files = unpacked::unpack(&images, &digest).unwrap();
        (digest, config, files)
    }

    fn refusal(&self, args: &[&str]) -> String {
        self.docker(args).unwrap_err().to_string()
    }
}

const STAGES: &str = "ARG NAME=app\nFROM rust:1 AS build\nWORKDIR /src\nRUN cargo build\nCOPY data out/\nFROM build AS \
                      unused\nCOPY nothing /\nFROM scratch AS last\nARG NAME\nARG TARGETARCH\nENV WHO=$NAME \
                      ARCH=$TARGETARCH\nCOPY --from=build /src/out/*.txt /data/\nCOPY --chmod=755 bootstrap \
                      /bin/${WHO}\nLABEL by=us\nUSER 1000\nEXPOSE 80\nENTRYPOINT [\"/bin/app\"]\nCMD [\"go\"]\n";

#[test]
fn final_stage_copies_from_earlier_stages() {
    let build = TestBuild::new(STAGES);
    let (_, config, files) = build.image(&[]);
    let env = [
        "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin".to_owned(),
        "WHO=app".to_owned(),
        format!("ARCH={}", docker::architecture()),
    ];
    assert_eq!(
        config["config"],
        json!({
            "Env": env, "Labels": { "by": "us" }, "User": "1000", "ExposedPorts": { "80/tcp": {} },
            "Entrypoint": ["/bin/app"], "Cmd": ["go"],
        })
    );
    assert_eq!(fs::read_to_string(files.join("data/one.txt")).unwrap(), "1");
    assert!(!files.join("data/two.log").exists());
    assert_eq!(fs::read_to_string(files.join("bin/app")).unwrap(), "the function");
    assert_eq!(config["rootfs"]["diff_ids"].as_array().unwrap().len(), 2);
}

#[test]
fn images_are_reproducible_and_differ_by_target() {
    let (one, other) = (TestBuild::new(STAGES), TestBuild::new(STAGES));
    let (digest, _, _) = one.image(&["--provenance=false", "--sbom=false"]);
    assert_eq!(other.image(&[]).0, digest);
    assert_ne!(other.image(&["--build-arg", "NAME=given"]).0, digest);
    let (target, config, files) = other.image(&["--target", "build"]);
    assert_ne!(target, digest);
    assert_eq!(config["config"]["WorkingDir"], "/src");
    assert_eq!(fs::read_link(files.join("src/out/link")).unwrap(), PathBuf::from("one.txt"));
    assert!(one.refusal(&["build", "--target", "none", "."]).contains("target stage \"none\" could not be found"));
}

#[test]
fn ignored_files_are_not_copied() {
    let build = TestBuild::new("FROM scratch\nCOPY . /all/\n");
    fs::write(build.environment.directory.join(".dockerignore"), "**/*.log\nbootstrap\n").unwrap();
    let (_, _, files) = build.image(&[]);
    assert!(files.join("all/data/one.txt").is_file());
    assert!(!files.join("all/data/two.log").exists());
    assert!(!files.join("all/bootstrap").exists());
    fs::write(build.environment.directory.join("Dockerfile"), "FROM scratch\nCOPY bootstrap /\n").unwrap();
    assert!(build.refusal(&["build", "."]).starts_with("COPY failed: \"/bootstrap\" not found in the context"));
}

#[test]
fn lambda_base_image_keeps_its_entrypoint() {
    let build = TestBuild::new(
        "FROM public.ecr.aws/lambda/provided:al2023\nCOPY bootstrap ${LAMBDA_RUNTIME_DIR}/\nCMD [\"handler\"]\n",
    );
    let (_, config, files) = build.image(&[]);
    assert_eq!(config["config"]["Entrypoint"], json!(["/var/runtime/bootstrap"]));
    assert_eq!(config["config"]["WorkingDir"], "/var/task");
    assert_eq!(config["config"]["Cmd"], json!(["handler"]));
    assert!(files.join("var/runtime/bootstrap").is_file());
}

#[test]
fn unsupported_builds_are_refused_with_reason() {
    for (dockerfile, expected) in [
        ("FROM rust AS b\nRUN make\nFROM scratch\nCOPY --from=b /made /\n", "stage b, whose RUN was skipped"),
        ("FROM scratch\nCOPY --from=nginx:1 /a /\n", "no such image"),
        ("FROM scratch\nADD https://example.com/x /\n", "fetches nothing from other hosts"),
        ("FROM scratch\nCOPY ../x /\n", "leads out of the context"),
        ("FROM scratch\nFOO x\n", "dockerfile parse error: line 2: unknown instruction: FOO"),
    ] {
        let refused = TestBuild::new(dockerfile).refusal(&["build", "."]);
        assert!(refused.contains(expected), "{refused}");
    }
    let build = TestBuild::new("FROM scratch\n");
    assert!(build.refusal(&["run", "x"]).contains("is not in the sandbox"));
    assert!(build.refusal(&["pull", "debian:12"]).contains("is not in the sandbox"));
    assert!(build.refusal(&["build", "--platform", "linux/s390x", "."]).contains("builds for linux/"));
    assert!(build.refusal(&["rmi", "none"]).contains("No such image: none:latest"));
}

/// Creates a context with links to a directory outside of it, which no build may read.
fn with_links_out(dockerfile: &str) -> TestBuild {
    let build = TestBuild::new(dockerfile);
    let outside = build._dir.path().join("outside");
    fs::create_dir(&outside).unwrap();
    fs::write(outside.join("secret"), "secret").unwrap();
    fs::write(outside.join("Dockerfile"), "FROM scratch\nLABEL read=outside\n").unwrap();
    fs::write(outside.join(".dockerignore"), "bootstrap\n").unwrap();
    symlink(&outside, build.environment.directory.join("out")).unwrap();
    symlink("../outside/secret", build.environment.directory.join("file")).unwrap();
    build
}

#[test]
fn copy_reads_nothing_outside_context() {
    for sources in ["out", "out/secret", "out/*", "o*", "file", "f*", "data/../out"] {
        for word in ["COPY", "ADD"] {
            let build = with_links_out(&format!("FROM scratch\n{word} {sources} /copied/\n"));
            let refused = build.refusal(&["build", "."]);
            assert!(refused.contains("not found in the context") || refused.contains("leads out"), "{refused}");
        }
    }
    let build = with_links_out("FROM scratch\nCOPY . /all/\n");
    let (_, _, files) = build.image(&[]);
    assert_eq!(fs::read_link(files.join("all/file")).unwrap(), PathBuf::from("../outside/secret"));
    assert!(files.join("all/out").is_symlink());
}

#[test]
fn copy_follows_source_link_within_context() {
    let build = TestBuild::new("FROM scratch\nCOPY root /data/\nCOPY one /kept/\nCOPY hidden.txt /x\n");
    symlink("/data", build.environment.directory.join("root")).unwrap();
    symlink("../../data/one.txt", build.environment.directory.join("one")).unwrap();
    symlink("data/two.log", build.environment.directory.join("hidden.txt")).unwrap();
    let (_, _, files) = build.image(&[]);
    assert_eq!(fs::read_to_string(files.join("data/one.txt")).unwrap(), "1");
    assert!(files.join("data/link").is_symlink(), "a link within a copied directory is copied as a link");
    assert_eq!(fs::read_to_string(files.join("kept/one")).unwrap(), "1");
    // A link to an ignored file is ignored.
    fs::write(build.environment.directory.join(".dockerignore"), "**/*.log\n").unwrap();
    assert!(build.refusal(&["build", "."]).contains("\"/hidden.txt\" not found"));
}

#[test]
fn copy_from_stage_reads_nothing_outside_its_files() {
    let build = with_links_out("FROM scratch AS one\nCOPY . /\nFROM scratch\nCOPY --from=one /out/secret /\n");
    assert!(build.refusal(&["build", "."]).contains("\"/out/secret\" not found in stage one"));
}

#[test]
fn dockerfile_and_dockerignore_links_out_of_context_are_refused() {
    let build = with_links_out("FROM scratch\nCOPY bootstrap /\n");
    let directory = &build.environment.directory;
    symlink("out/.dockerignore", directory.join(".dockerignore")).unwrap();
    symlink("data/file", directory.join("Inside")).unwrap();
    fs::write(directory.join("data/file"), "FROM scratch\nLABEL read=inside\n").unwrap();
    assert!(build.image(&[]).2.join("bootstrap").is_file(), "the ignore file outside does not count");
    assert_eq!(build.image(&["-f", "Inside"]).1["config"]["Labels"]["read"], "inside");
    for file in ["out/Dockerfile", "Linked"] {
        let _ = symlink("out/Dockerfile", directory.join("Linked"));
        assert!(build.refusal(&["build", "-f", file, "."]).starts_with("failed to read dockerfile"), "{file}");
    }
    // A Dockerfile named on the command line may be outside the context.
    assert_eq!(build.image(&["-f", "../outside/Dockerfile"]).1["config"]["Labels"]["read"], "outside");
}

#[test]
fn copy_refuses_special_files() {
    let build = TestBuild::new("FROM scratch\nCOPY data /\n");
    let _socket = std::os::unix::net::UnixListener::bind(build.environment.directory.join("data/socket")).unwrap();
    let ShimError::Io { cause, .. } = build.docker(&["build", "."]).unwrap_err() else { panic!("another error") };
    assert_eq!(cause.to_string(), "data/socket is neither a file, a directory nor a link");
}
