//! The machine's tools that a build may use: the Rust toolchain with `--real-cargo`, and the AWS CLI.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

/// The machine's Rust toolchain.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Toolchain {
    /// The directory with `cargo` and `rustc` in it.
    pub(super) directory: PathBuf,
    /// The variables they need, since a build's home is not the user's.
    pub(super) variables: Vec<(String, String)>,
}

impl Toolchain {
    /// Finds the user's toolchain on the PATH or in rustup's directory.
    pub(super) fn find() -> Option<Self> {
        Self::find_in(&|name| std::env::var(name).ok())
    }

    fn find_in(variable: &dyn Fn(&str) -> Option<String>) -> Option<Self> {
        let home = PathBuf::from(variable("HOME").unwrap_or_default());
        let cargo_home = variable("CARGO_HOME").map_or_else(|| home.join(".cargo"), PathBuf::from);
        let path = variable("PATH").unwrap_or_default();
        let directory = std::env::split_paths(OsStr::new(&path))
            .chain([cargo_home.join("bin")])
            .find(|directory| is_program(&directory.join("cargo")) && is_program(&directory.join("rustc")))?;
        let rustup_home = variable("RUSTUP_HOME").map_or_else(|| home.join(".rustup"), PathBuf::from);
        let mut variables = vec![("CARGO_HOME".to_owned(), cargo_home.display().to_string())];
        if rustup_home.is_dir() {
            variables.push(("RUSTUP_HOME".to_owned(), rustup_home.display().to_string()));
        }
        // Cargo fetches crates with the user's proxy settings; other tools call the sandbox without a proxy.
        let first = |names: &[&str]| names.iter().find_map(|name| variable(name));
        let passed = [
            ("RUSTUP_TOOLCHAIN", first(&["RUSTUP_TOOLCHAIN"])),
            ("CARGO_HTTP_PROXY", first(&["CARGO_HTTP_PROXY", "HTTPS_PROXY", "https_proxy"])),
            ("CARGO_HTTP_CAINFO", first(&["CARGO_HTTP_CAINFO", "SSL_CERT_FILE"])),
        ];
        variables.extend(passed.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))));
        Some(Self { directory, variables })
    }
}

/// Finds the user's AWS CLI.
pub(super) fn aws_cli() -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|directory| directory.join("aws")).find(|file| is_program(file))
}

fn is_program(file: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;

    file.metadata().is_ok_and(|it| it.is_file() && it.permissions().mode() & 0o111 != 0)
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn toolchain_is_found_on_path_and_in_cargo_home() {
        let dir = tempfile::tempdir().unwrap();
        let program = |path: &str| {
            let file = dir.path().join(path);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(&file, "").unwrap();
            fs::set_permissions(&file, Permissions::from_mode(0o755)).unwrap();
        };
        let find = |path: &str| {
            let home = dir.path().display().to_string();
            let path = dir.path().join(path).display().to_string();
            Toolchain::find_in(&|name| match name {
                "HOME" => Some(home.clone()),
                "PATH" => Some(path.clone()),
                "https_proxy" => Some("http://proxy".to_owned()),
                _ => None,
            })
        };
        assert_eq!(find("none"), None);
        program("half/cargo");
        assert_eq!(find("half"), None, "cargo without rustc is no toolchain");
        program(".cargo/bin/cargo");
        program(".cargo/bin/rustc");
        let found = find("none").unwrap();
        assert_eq!(found.directory, dir.path().join(".cargo/bin"));
        assert!(found.variables.contains(&("CARGO_HTTP_PROXY".to_owned(), "http://proxy".to_owned())));
        program("usr/cargo");
        program("usr/rustc");
        assert_eq!(find("usr").unwrap().directory, dir.path().join("usr"));
    }
}
