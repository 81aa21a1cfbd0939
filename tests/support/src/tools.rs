//! External tools, where this machine has them.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// terraform, and the folder with its AWS provider.
pub struct Terraform {
    pub program: PathBuf,
    pub plugins: PathBuf,
}

impl Terraform {
    /// Both, or the reason why one is missing.
    pub fn find() -> Result<Self, &'static str> {
        let program = on_path("terraform").ok_or("terraform is not on this machine")?;
        let plugins = plugins().ok_or("terraform's AWS provider is not on this machine")?;
        Ok(Self { program, plugins })
    }

    /// The variables that make thumbctl use it, without a network.
    pub fn environment(&self) -> [(&'static str, &OsStr); 2] {
        [("THUMBCTL_TERRAFORM_PLUGIN_DIR", self.plugins.as_os_str()), ("TF_CLI_CONFIG_FILE", OsStr::new("/dev/null"))]
    }
}

/// A program on the PATH.
pub fn on_path(name: &str) -> Option<PathBuf> {
    std::env::split_paths(&std::env::var_os("PATH")?).map(|dir| dir.join(name)).find(|file| file.is_file())
}

/// A mirror of the registry with the AWS provider, packed or not: the argument of `init -plugin-dir`.
fn plugins() -> Option<PathBuf> {
    let home = std::env::var_os("HOME").map(PathBuf::from).unwrap_or_default();
    // The usual folders come first; searching the whole machine takes long.
    let usual = [
        home.join(".terraform.d"),
        "/usr/local/share/terraform".into(),
        "/usr/share/terraform".into(),
        "/opt".into(),
        "/".into(),
    ];
    let found = Command::new("find")
        .args(usual.iter().filter(|dir| dir.is_dir()))
        // A working directory's own copy may be deleted at any moment.
        .args(["-xdev", "-name", ".terraform", "-prune", "-o", "-name", "terraform-provider-aws_*", "-print", "-quit"])
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .ok()?;
    let file = String::from_utf8(found.stdout).ok()?;
    let registry = |dir: &&Path| dir.file_name() == Some(OsStr::new("registry.terraform.io"));
    Path::new(file.lines().next()?).ancestors().find(registry)?.parent().map(Path::to_owned)
}
