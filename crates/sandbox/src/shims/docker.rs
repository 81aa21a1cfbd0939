//! The `docker` shim: login, build, tag, push, pull, images, inspect, rmi and version.

use std::io::Read as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use super::images::ImageStore;
use super::reference::ImageReference;
use super::{BuildEnvironment, ShimError, docker_build, docker_pull, docker_push, expect_success, inspect};
use crate::ecr::REGISTRY_HEADER;
use crate::http_agent::agent;

const VERSION: &str = "28.0.0";

pub(super) fn run(args: &[&str], build: &BuildEnvironment) -> Result<(), ShimError> {
    match args {
        ["login", options @ ..] => login(options, build),
        ["logout", ..] => Ok(()),
        ["build", options @ ..] | ["buildx", "build", options @ ..] => docker_build::run(options, build),
        ["tag", source, target] | ["image", "tag", source, target] => {
            let images = ImageStore::of(build);
            let (digest, _) = images.find(&ImageReference::read(source)?)?;
            images.tag(&ImageReference::read(target)?, &digest)
        }
        ["push", options @ ..] | ["image", "push", options @ ..] => {
            let names: Vec<_> = options.iter().filter(|option| !option.starts_with('-')).collect();
            match names[..] {
                [name] => docker_push::run(&ImageReference::read(name)?, build),
                _ => Err(ShimError::usage("'docker push' requires 1 argument")),
            }
        }
        ["pull", options @ ..] | ["image", "pull", options @ ..] => pull(options, build),
        ["images", options @ ..] | ["image", "ls", options @ ..] => inspect::list(options, build),
        ["inspect", options @ ..] | ["image", "inspect", options @ ..] => inspect::inspect(options, build),
        ["rmi", names @ ..] | ["image", "rm", names @ ..] => inspect::remove(names, build),
        ["version" | "info", options @ ..] => {
            println!("{}", version_info(options)?);
            Ok(())
        }
        ["--version" | "-v"] => {
            println!("Docker version {VERSION}, the sandbox's shim");
            Ok(())
        }
        ["buildx", "version"] => {
            println!("buildx {VERSION} (the sandbox's shim)");
            Ok(())
        }
        // The only builder builds for one platform, so there is nothing to set up.
        ["buildx", "create" | "use" | "inspect" | "ls" | "rm", ..] => Ok(()),
        ["run" | "exec" | "start" | "compose" | "create", ..] => {
            Err(ShimError::usage(format!("'docker {}' is not in the sandbox, which has no containers", args.join(" "))))
        }
        other => Err(ShimError::usage(format!(
            "the sandbox's shim supports login, build, tag, push, pull, images, inspect, rmi, version and info, not 'docker {}'",
            other.join(" ")
        ))),
    }
}

fn pull(options: &[&str], build: &BuildEnvironment) -> Result<(), ShimError> {
    let names: Vec<_> = options.iter().filter(|option| !option.starts_with('-')).collect();
    let [name] = names[..] else {
        return Err(ShimError::usage("'docker pull' requires 1 argument"));
    };
    let reference = ImageReference::read(name)?;
    if !docker_push::is_ecr(&reference.host) {
        return Err(ShimError::usage(format!("{reference} is not in the sandbox, which pulls only from its own ECR")));
    }
    let digest = docker_pull::pull(&reference, build)?;
    println!("Digest: {digest}\nStatus: Downloaded newer image for {reference}\n{reference}");
    Ok(())
}

/// Docker's name of this machine's architecture.
pub(super) fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

/// The output of `docker version` and `docker info`, with a template's fields.
fn version_info(options: &[&str]) -> Result<String, ShimError> {
    let format = match options {
        [] => {
            return Ok(format!("Docker {VERSION}, the sandbox's shim, linux/{}", architecture()));
        }
        ["--format" | "-f", format] => (*format).to_owned(),
        [one] => match one.strip_prefix("--format=") {
            Some(format) => format.to_owned(),
            None => return Err(ShimError::usage(format!("unknown flag: {one}"))),
        },
        other => return Err(ShimError::usage(format!("unknown flags: {}", other.join(" ")))),
    };
    let side = json!({ "Os": "linux", "Arch": architecture(), "Version": VERSION });
    let facts = json!({
        "Server": side,
        "Client": side,
        "OSType": "linux",
        "Architecture": std::env::consts::ARCH,
        "ServerVersion": VERSION,
    });
    inspect::render_template(&format, &facts)
}

fn login(options: &[&str], build: &BuildEnvironment) -> Result<(), ShimError> {
    let (mut user, mut password, mut host) = (None, None, None);
    let mut options = options.iter();
    while let Some(option) = options.next() {
        let (name, inline) = match option.split_once('=') {
            Some((name, value)) if name.starts_with("--") => (name, Some(value)),
            _ => (*option, None),
        };
        match name {
            "-u" | "--username" => user = inline.or_else(|| options.next().copied()),
            "-p" | "--password" => {
                password = inline.or_else(|| options.next().copied()).map(str::to_owned);
            }
            "--password-stdin" => {
                let mut text = String::new();
                std::io::stdin().read_to_string(&mut text).map_err(ShimError::io("cannot read the password"))?;
                password = Some(text.trim_end_matches(['\r', '\n']).to_owned());
            }
            flag if flag.starts_with('-') => {
                return Err(ShimError::usage(format!("unknown flag: {flag}")));
            }
            registry => host = Some(registry),
        }
    }
    let (Some(user), Some(password), Some(host)) = (user, password, host) else {
        return Err(ShimError::usage("login needs --username, --password-stdin and the registry's host"));
    };
    if password.is_empty() {
        return Err(ShimError::usage("Must provide --username with --password-stdin"));
    }
    let host = host.strip_prefix("https://").unwrap_or(host).trim_end_matches('/');
    let url = format!("{}/v2/", docker_push::base(host, build)?);
    let auth = format!("Basic {}", STANDARD.encode(format!("{user}:{password}")));
    let answer = agent().get(&url).header(REGISTRY_HEADER, host).header("authorization", &auth).call();
    expect_success(format!("login to {host} failed"), answer)?;
    build.save_login(host, user, &password)?;
    println!("Login Succeeded");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{architecture, version_info};

    #[test]
    fn template_fields_are_rendered() {
        let platform = version_info(&["--format", "{{.Server.Os}}/{{ .Server.Arch }}"]).unwrap();
        assert_eq!(platform, format!("linux/{}", architecture()));
        assert!(version_info(&["--format", "{{.Nothing}}"]).is_err());
    }
}
