//! The `cargo` shim, which copies the function embedded in thumbctl, and the version output of `rustc`.

use std::fs;
use std::path::Path;

use super::{BuildEnvironment, ShimError};

/// The reported version: the function's minimum.
const VERSION: &str = "1.93.0";
/// The name of the function's executable.
const BINARY: &str = "bootstrap";

pub(super) fn cargo(args: &[&str], build: &BuildEnvironment) -> Result<(), ShimError> {
    let toolchain = args.first().filter(|arg| arg.starts_with('+'));
    let args = &args[usize::from(toolchain.is_some())..];
    match args {
        ["--version" | "-V" | "version", ..] => {
            println!("cargo {VERSION} (the sandbox's shim)");
            Ok(())
        }
        ["build" | "b", ..] if std::env::var_os(super::NO_TOOLCHAIN).is_some() => Err(ShimError::usage(
            "the sandbox runs with --real-cargo, but this machine has no Rust toolchain: neither on the sandbox's PATH nor in \
             ~/.cargo/bin are there both cargo and rustc",
        )),
        ["build" | "b", options @ ..] => copy_function(options, build),
        other => Err(ShimError::usage(format!(
            "the sandbox's shim supports only 'cargo build', not 'cargo {}'",
            other.join(" ")
        ))),
    }
}

fn copy_function(options: &[&str], build: &BuildEnvironment) -> Result<(), ShimError> {
    let option = |name: &str| value_of(options, name);
    let manifest = build.directory.join(option("--manifest-path").unwrap_or("Cargo.toml"));
    if !manifest.is_file() {
        return Err(ShimError::usage(format!("could not find `Cargo.toml` in `{}`", build.directory.display())));
    }
    let configured = std::env::var("CARGO_TARGET_DIR").ok();
    let target = option("--target-dir").or(configured.as_deref());
    let package = manifest.parent().unwrap_or(Path::new("."));
    let mut output = target.map_or_else(|| package.join("target"), |dir| build.directory.join(dir));
    if let Some(triple) = option("--target") {
        output.push(triple);
    }
    let release = options.contains(&"--release") || options.contains(&"-r");
    output.push(match option("--profile") {
        Some("dev") | None if !release => "debug",
        Some(profile) if profile != "dev" => profile,
        _ => "release",
    });
    let binary = output.join(BINARY);
    eprintln!("   Sandbox: not compiling; copying the function embedded in thumbctl");
    let program = match std::env::var_os(super::FUNCTION) {
        Some(program) => program.into(),
        None => std::env::current_exe().map_err(ShimError::io("cannot find thumbctl's executable"))?,
    };
    super::apply_latency(super::COMPILE_DURATION);
    // A copy, not a link, since a build may change its binary, for example with strip. File systems with reflinks share
    // the bytes.
    fs::create_dir_all(&output)
        .and_then(|()| match fs::remove_file(&binary) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
            _ => fs::copy(&program, &binary).map(drop),
        })
        .map_err(ShimError::io(format!("cannot create {}", binary.display())))?;
    eprintln!("    Finished `{BINARY}`");
    Ok(())
}

fn value_of<'a>(options: &[&'a str], name: &str) -> Option<&'a str> {
    let mut options = options.iter();
    while let Some(option) = options.next() {
        match option.strip_prefix(name) {
            Some("") => return options.next().copied(),
            Some(value) if value.starts_with('=') => return Some(&value[1..]),
            _ => {}
        }
    }
    None
}

pub(super) fn rustc(args: &[&str]) -> Result<(), ShimError> {
    match args {
        ["-V" | "--version"] => println!("rustc {VERSION} (the sandbox's shim)"),
        ["-vV" | "-Vv"] | ["--version", "--verbose" | "-v"] => {
            println!("rustc {VERSION} (the sandbox's shim)\nbinary: rustc\nhost: {}\nrelease: {VERSION}", host());
        }
        other => {
            return Err(ShimError::usage(format!(
                "the sandbox's shim does not compile, it only prints its version: 'rustc {}'",
                other.join(" ")
            )));
        }
    }
    Ok(())
}

/// Does nothing, since nothing is compiled.
pub(super) fn rustup(args: &[&str]) -> Result<(), ShimError> {
    eprintln!("info: the sandbox's shim ignores 'rustup {}'", args.join(" "));
    Ok(())
}

fn host() -> String {
    let arch = std::env::consts::ARCH;
    match std::env::consts::OS {
        "macos" => format!("{arch}-apple-darwin"),
        os => format!("{arch}-unknown-{os}-gnu"),
    }
}

#[cfg(test)]
mod tests {
    use super::value_of;

    #[test]
    fn option_is_not_confused_with_longer_one() {
        let options = ["--target-dir", "out", "--target=x"];
        assert_eq!(value_of(&options, "--target"), Some("x"));
        assert_eq!(value_of(&options, "--target-dir"), Some("out"));
        assert_eq!(value_of(&options, "--profile"), None);
    }
}
