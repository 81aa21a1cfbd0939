//! The files embedded in the binary: the function's source, templates, policies and sample images.

use std::io::{Cursor, Write};

macro_rules! embed {
    ($folder:literal: $($path:literal),+ $(,)?) => {
        &[$(($path, include_bytes!(concat!("../../../assets/", $folder, "/", $path)).as_slice())),+]
    };
}

/// A file's path and its content.
pub type File = (&'static str, &'static [u8]);

const FUNCTION: &[File] = embed!["function":
    "Cargo.lock",
    "Cargo.toml",
    "Dockerfile",
    "buildspec.yml",
    "src/clock.rs",
    "src/codec.rs",
    "src/codec/gif.rs",
    "src/codec/jpeg.rs",
    "src/codec/png.rs",
    "src/codec/webp.rs",
    "src/event.rs",
    "src/handler.rs",
    "src/lib.rs",
    "src/log.rs",
    "src/main.rs",
    "src/orientation.rs",
    "src/pixels.rs",
    "src/resample.rs",
    "src/settings.rs",
    "src/store.rs",
    "src/thumbnail.rs",
];

const IMAGES: &[File] = embed!["images": "bubbles.png", "kites.gif", "lighthouse.jpg", "mountains.jpg", "waves.webp"];

const CLOUDFORMATION: &[File] = embed!["cloudformation": "README.md", "app.yaml", "build.yaml", "macro.yaml"];

const TERRAFORM: &[File] = embed!["terraform":
    "README.md",
    "codebuild.tf",
    "ecr.tf",
    "function/iam.tf",
    "function/lambda.tf",
    "function/outputs.tf",
    "function/s3.tf",
    "function/variables.tf",
    "function/versions.tf",
    "iam.tf",
    "main.tf",
    "outputs.tf",
    "s3.tf",
    "sts.tf",
    "variables.tf",
    "versions.tf",
];

const POLICIES: &[File] = embed!["policies":
    "build-policy.json",
    "build-trust.json",
    "function-policy.json",
    "function-trust.json",
];

/// The Terraform configuration, with instructions for manual use. It reads the policy documents, shared with the other
/// strategies, from its folder `policies`, and the function's source from `function.zip`.
pub fn terraform_files() -> &'static [File] {
    TERRAFORM
}

/// The policy documents of the architecture, with placeholders.
pub fn policy_files() -> &'static [File] {
    POLICIES
}

/// The CloudFormation templates, with instructions for manual use.
pub fn cloudformation_files() -> &'static [File] {
    CLOUDFORMATION
}

/// The files for a build of the function: path within the crate, content.
pub fn function_files() -> &'static [File] {
    FUNCTION
}

/// The sample images: file name, content.
pub fn sample_images() -> &'static [File] {
    IMAGES
}

/// The function's source as CodeBuild expects it: a zip without a root folder. The same source gives the same bytes.
///
/// # Errors
/// When zipping fails.
pub fn function_zip() -> Result<Vec<u8>, zip::result::ZipError> {
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    let options = zip::write::SimpleFileOptions::default()
        .compression_method(zip::CompressionMethod::Deflated)
        .last_modified_time(zip::DateTime::default());
    for (path, content) in function_files() {
        zip.start_file(*path, options)?;
        zip.write_all(content).map_err(zip::result::ZipError::Io)?;
    }
    Ok(zip.finish()?.into_inner())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use super::*;

    fn files_below(dir: &Path, prefix: &str, found: &mut BTreeSet<String>) {
        for entry in std::fs::read_dir(dir).expect("the directory exists") {
            let entry = entry.expect("the folder can be read");
            let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
            if entry.path().is_dir() {
                files_below(&entry.path(), &format!("{name}/"), found);
            } else {
                found.insert(name);
            }
        }
    }

    #[test]
    fn all_needed_files_are_embedded() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../assets");
        let mut expected: BTreeSet<String> =
            ["Cargo.lock", "Cargo.toml", "Dockerfile", "buildspec.yml"].map(str::to_owned).into();
        files_below(&root.join("function/src"), "src/", &mut expected);
        let embedded: BTreeSet<String> = function_files().iter().map(|(path, _)| (*path).to_owned()).collect();
        assert_eq!(embedded, expected);
        let mut templates = BTreeSet::new();
        files_below(&root.join("cloudformation"), "", &mut templates);
        let embedded: BTreeSet<String> = cloudformation_files().iter().map(|(path, _)| (*path).to_owned()).collect();
        assert_eq!(embedded, templates);
        let mut configuration = BTreeSet::new();
        files_below(&root.join("terraform"), "", &mut configuration);
        let embedded: BTreeSet<String> = terraform_files().iter().map(|(path, _)| (*path).to_owned()).collect();
        assert_eq!(embedded, configuration);
        let mut images = BTreeSet::new();
        files_below(&root.join("images"), "", &mut images);
        assert_eq!(sample_images().iter().map(|(path, _)| (*path).to_owned()).collect::<BTreeSet<_>>(), images);
    }

    #[test]
    fn same_source_gives_same_zip() {
        let zip = function_zip().expect("the source can be zipped");
        assert_eq!(zip, function_zip().expect("the source can be zipped"));
        let mut archive = zip::ZipArchive::new(Cursor::new(zip)).expect("it is a zip");
        assert!(archive.by_name("buildspec.yml").is_ok(), "the buildspec is at the root");
    }
}
