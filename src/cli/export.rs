//! `thumbctl export`: what a strategy is made of, to be read, changed and deployed by hand.

use std::borrow::Cow;
use std::path::Path;

use thumbctl_deploy::assets;
use thumbctl_deploy::strategy::terraform::configuration;
use thumbctl_platform::terminal::{json_line, print, terminal_text};

use super::args::{ExportArgs, Exported};
use super::context::Output;
use super::error::CliError;

/// A file's name and what is in it.
type File = (Cow<'static, str>, Cow<'static, [u8]>);

/// Writes the files of a strategy into a folder. Files of other content that are there already are left alone.
pub(crate) fn run(args: &ExportArgs, output: Output) -> Result<(), CliError> {
    let files = files(args.what)?;
    let dir = &args.dir;
    if let Some((differs, _)) = files.iter().find(|file| is_another(dir, file)) {
        return Err(CliError::usage(
            format!("{} is there already, and is not what would be written", dir.join(&**differs).display()),
            "choose another folder; nothing was written",
        ));
    }
    let unwritable = |error: std::io::Error| CliError::failed(format!("cannot write to {}: {error}", dir.display()));
    std::fs::create_dir_all(dir).map_err(unwritable)?;
    for (name, content) in &files {
        let path = dir.join(&**name);
        std::fs::create_dir_all(path.parent().unwrap_or(dir)).map_err(unwritable)?;
        std::fs::write(path, content).map_err(unwritable)?;
    }
    if output == Output::Json {
        let paths: Vec<_> = files.iter().map(|(name, _)| dir.join(&**name)).collect();
        let line = json_line(&serde_json::json!({ "files": paths })).map_err(std::io::Error::from)?;
        return Ok(print(line)?);
    }
    let names: Vec<&str> = files.iter().map(|(name, _)| &**name).collect();
    let readme = dir.join("README.md");
    print(terminal_text!(
        "{} in {}\n{} says how to deploy them by hand.\n",
        names.join(", "),
        dir.display(),
        readme.display()
    ))?;
    Ok(())
}

fn unzipped(error: impl std::fmt::Display) -> CliError {
    CliError::failed(format!("cannot zip the function's source: {error}"))
}

fn files(what: Exported) -> Result<Vec<File>, CliError> {
    match what {
        Exported::Cloudformation => {
            let templates = assets::cloudformation_files()
                .iter()
                .map(|(name, content)| (Cow::Borrowed(*name), Cow::Borrowed(*content)));
            let source = assets::function_zip().map_err(unzipped)?;
            Ok(templates.chain([("function.zip".into(), Cow::Owned(source))]).collect())
        }
        Exported::Terraform => {
            let files = configuration().map_err(unzipped)?;
            Ok(files.into_iter().map(|(name, content)| (name.into(), Cow::Owned(content))).collect())
        }
    }
}

/// Whether a file of this name is there and holds something else, or is no file.
fn is_another(dir: &Path, (name, content): &File) -> bool {
    match std::fs::read(dir.join(&**name)) {
        Ok(there) => there != **content,
        Err(error) => error.kind() != std::io::ErrorKind::NotFound && error.kind() != std::io::ErrorKind::NotADirectory,
    }
}
