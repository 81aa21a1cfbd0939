//! `thumbctl export`: what a strategy is made of, to be read, changed and deployed by hand.

use std::path::Path;

use super::args::{ExportArgs, Exported};
use super::context::Output;
use super::error::CliError;
use super::screen;
use crate::assets;

/// Writes the files of a strategy into a folder. Files of other content that are there already are left alone.
pub(crate) fn run(args: &ExportArgs, output: Output) -> Result<(), CliError> {
    let files = match args.what {
        Exported::Cloudformation => assets::cloudformation_files(),
    };
    let dir = &args.dir;
    if let Some(differs) = files.iter().map(|(name, _)| *name).find(|name| is_another(dir, name, files)) {
        return Err(CliError::usage(
            format!("{} is there already, and is not what would be written", dir.join(differs).display()),
            "choose another folder; nothing was written",
        ));
    }
    let unwritable = |error: std::io::Error| CliError::failed(format!("cannot write to {}: {error}", dir.display()));
    std::fs::create_dir_all(dir).map_err(unwritable)?;
    for (name, content) in files {
        std::fs::write(dir.join(name), content).map_err(unwritable)?;
    }
    if output == Output::Json {
        let paths: Vec<_> = files.iter().map(|(name, _)| dir.join(name)).collect();
        return Ok(screen::print(&format!("{}\n", serde_json::json!({ "files": paths })))?);
    }
    let names: Vec<&str> = files.iter().map(|(name, _)| *name).collect();
    let readme = dir.join("README.md");
    screen::print(&format!(
        "{} in {}\n{} says how to deploy them by hand.\n",
        names.join(", "),
        dir.display(),
        readme.display()
    ))?;
    Ok(())
}

/// Whether a file of this name is there and holds something else.
fn is_another(dir: &Path, name: &str, files: &[assets::File]) -> bool {
    let Ok(there) = std::fs::read(dir.join(name)) else { return dir.join(name).exists() };
    files.iter().any(|(other, content)| *other == name && **content != there[..])
}
