//! Which of the configuration's resources is what in the architecture. Pure.

use thumbctl_core::names::Names;
use thumbctl_core::resource::ResourceKind::{self, *};

/// One kind's place in the configuration.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) kind: ResourceKind,
    /// The address of the resource that it is.
    pub(super) address: &'static str,
    /// The addresses of what makes it as it should be: for Terraform, resources of their own.
    pub(super) parts: &'static [&'static str],
    /// By what its resource is imported.
    pub(super) import: Import,
}

/// By what id a resource is imported that is there and not in the state.
#[derive(Clone, Copy, Debug)]
pub(super) enum Import {
    /// Its name.
    Name,
    /// The ARN of an IAM policy.
    PolicyArn,
    /// The function's name and the statement's id.
    Statement,
    /// It is not: making it once more is no different.
    Never,
}

/// The permission's id in the function's policy, as the configuration has it.
const STATEMENT: &str = "s3-invoke";

/// How the addresses begin of what is in the second half.
pub(super) const FUNCTION_MODULE: &str = "module.function";

const fn place(kind: ResourceKind, address: &'static str, parts: &'static [&'static str], import: Import) -> Place {
    Place { kind, address, parts, import }
}

/// All kinds, in the plans' order.
pub(super) const PLACES: [Place; 15] = [
    place(Repository, "aws_ecr_repository.function", &[], Import::Name),
    place(
        BuildSourceBucket,
        "aws_s3_bucket.build_source[0]",
        &[
            "aws_s3_bucket_public_access_block.build_source[0]",
            "aws_s3_bucket_server_side_encryption_configuration.build_source[0]",
        ],
        Import::Name,
    ),
    place(BuildLogGroup, "aws_cloudwatch_log_group.build", &[], Import::Name),
    place(BuildPolicy, "aws_iam_policy.build", &[], Import::PolicyArn),
    place(BuildRole, "aws_iam_role.build", &["aws_iam_role_policy_attachment.build"], Import::Name),
    place(BuildProject, "aws_codebuild_project.function", &[], Import::Name),
    place(Image, "terraform_data.build", &[], Import::Never),
    place(
        SourceBucket,
        "module.function[0].aws_s3_bucket.source",
        &[
            "module.function[0].aws_s3_bucket_public_access_block.source",
            "module.function[0].aws_s3_bucket_server_side_encryption_configuration.source",
        ],
        Import::Name,
    ),
    place(
        DestinationBucket,
        "module.function[0].aws_s3_bucket.destination",
        &[
            "module.function[0].aws_s3_bucket_public_access_block.destination",
            "module.function[0].aws_s3_bucket_server_side_encryption_configuration.destination",
        ],
        Import::Name,
    ),
    place(FunctionLogGroup, "module.function[0].aws_cloudwatch_log_group.function", &[], Import::Name),
    place(FunctionPolicy, "module.function[0].aws_iam_policy.function", &[], Import::PolicyArn),
    place(
        FunctionRole,
        "module.function[0].aws_iam_role.function",
        &["module.function[0].aws_iam_role_policy_attachment.function"],
        Import::Name,
    ),
    place(Function, "module.function[0].aws_lambda_function.thumbnails", &[], Import::Name),
    place(InvokePermission, "module.function[0].aws_lambda_permission.source", &[], Import::Statement),
    place(Notification, "module.function[0].aws_s3_bucket_notification.source", &[], Import::Never),
];

impl Place {
    /// The place of an address, if it is that of a kind or of one of its parts.
    pub(super) fn of(address: &str) -> Option<&'static Self> {
        PLACES.iter().find(|place| place.address == address || place.parts.contains(&address))
    }

    /// Whether it is in the half that the image is built by.
    pub(super) fn is_of_build_half(&self) -> bool {
        !self.address.starts_with(FUNCTION_MODULE)
    }

    /// The id by which its resource is imported.
    pub(super) fn import_id(&self, names: &Names, account: &str) -> Option<String> {
        match self.import {
            Import::Name => Some(names.of(self.kind)),
            Import::PolicyArn => Some(format!("arn:aws:iam::{account}:policy/{}", names.of(self.kind))),
            Import::Statement => Some(format!("{}/{STATEMENT}", names.of(Function))),
            Import::Never => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::assets;

    /// The configuration's managed resources, as addresses without indices.
    fn declared() -> Vec<String> {
        let mut addresses = Vec::new();
        for (path, text) in assets::terraform_files().iter().filter(|(path, _)| path.ends_with(".tf")) {
            let text = std::str::from_utf8(text).expect("a configuration is text");
            let module = if path.starts_with("function/") { "module.function." } else { "" };
            for line in text.lines() {
                if let Some(rest) = line.strip_prefix("resource ") {
                    let mut words = rest.split('"').filter(|word| !word.trim().is_empty());
                    let (kind, name) = (words.next().expect("a type"), words.next().expect("a name"));
                    addresses.push(format!("{module}{kind}.{name}"));
                }
            }
        }
        addresses
    }

    #[test]
    fn every_kind_has_one_place_and_every_address_is_in_the_configuration() {
        let kinds: Vec<ResourceKind> = PLACES.iter().map(|place| place.kind).collect();
        assert_eq!(kinds, ResourceKind::ARCHITECTURE);
        let mut placed: Vec<String> = PLACES
            .iter()
            .flat_map(|place| place.parts.iter().chain([&place.address]))
            .map(|address| address.replace("[0]", ""))
            .collect();
        let mut declared = declared();
        // The zip is in the bucket; it is no part of the architecture by itself.
        declared.retain(|address| address != "aws_s3_object.build_source");
        placed.sort();
        declared.sort();
        assert_eq!(placed, declared);
    }

    #[test]
    fn the_statement_is_called_as_in_the_configuration() {
        let lambda = assets::terraform_files().iter().find(|(path, _)| *path == "function/lambda.tf");
        let text = std::str::from_utf8(lambda.expect("it is there").1).expect("text");
        assert!(text.contains(&format!("\"{STATEMENT}\"")));
    }
}
