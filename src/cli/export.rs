//! `thumbctl export`: writes a strategy's files for manual deployment.

use std::borrow::Cow;
use std::path::Path;

use thumbctl_deploy::assets;
use thumbctl_deploy::strategy::terraform::configuration;
use thumbctl_platform::terminal::{json_line, print, terminal_text};

use super::args::{ExportArgs, ExportStrategy};
use super::context::Output;
use super::error::CliError;

/// A file's name and content.
type File = (Cow<'static, str>, Cow<'static, [u8]>);

/// Writes the files of a strategy into a directory. Fails if one exists with different content.
pub(crate) fn run(args: &ExportArgs, output: Output) -> Result<(), CliError> {
    let files = files(args.files)?;
    let dir = &args.dir;
    if let Some((differs, _)) = files.iter().find(|file| has_other_content(dir, file)) {
        return Err(CliError::usage(
            format!("{} already exists with different content", dir.join(&**differs).display()),
            "use another directory; nothing was written",
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
        "{} in {}\nFor manual deployment see {}.\n",
        names.join(", "),
        dir.display(),
        readme.display()
    ))?;
    Ok(())
}

fn zip_error(error: impl std::fmt::Display) -> CliError {
    CliError::failed(format!("cannot zip the function's source: {error}"))
}

fn files(strategy: ExportStrategy) -> Result<Vec<File>, CliError> {
    match strategy {
        ExportStrategy::Cloudformation => {
            let templates = assets::cloudformation_files()
                .iter()
                .map(|(name, content)| (Cow::Borrowed(*name), Cow::Borrowed(*content)));
            let source = assets::function_zip().map_err(zip_error)?;
            Ok(templates.chain([("function.zip".into(), Cow::Owned(source))]).collect())
        }
        ExportStrategy::Terraform => {
            let files = configuration().map_err(zip_error)?;
            Ok(files.into_iter().map(|(name, content)| (name.into(), Cow::Owned(content))).collect())
        }
    }
}

/// Whether a file of this name exists with other content, or is not a file.
fn has_other_content(dir: &Path, (name, content): &File) -> bool {
    match std::fs::read(dir.join(&**name)) {
        Ok(existing) => existing != **content,
        Err(error) => error.kind() != std::io::ErrorKind::NotFound && error.kind() != std::io::ErrorKind::NotADirectory,
    }
}
