//! Maps the configuration's addresses to resource kinds. Pure.

use thumbctl_core::names::Names;
use thumbctl_core::resource::ResourceKind::{self, *};

/// One kind's addresses in the configuration.
#[derive(Debug)]
pub(super) struct AddressMapping {
    pub(super) kind: ResourceKind,
    /// The address of its main resource.
    pub(super) address: &'static str,
    /// The addresses of its settings, which are Terraform resources of their own.
    pub(super) parts: &'static [&'static str],
    /// The kind of its import id.
    pub(super) import: ImportId,
}

/// The import id of a resource that exists and is not in the state.
#[derive(Clone, Copy, Debug)]
pub(super) enum ImportId {
    /// Its name.
    Name,
    /// The ARN of an IAM policy.
    PolicyArn,
    /// The function's name and the statement's id.
    Statement,
    /// None: creating it again has the same result.
    Never,
}

/// The permission's statement id in the configuration.
const STATEMENT: &str = "s3-invoke";

/// The address prefix of the second half.
pub(super) const FUNCTION_MODULE: &str = "module.function";

const fn mapping(
    kind: ResourceKind,
    address: &'static str,
    parts: &'static [&'static str],
    import: ImportId,
) -> AddressMapping {
    AddressMapping { kind, address, parts, import }
}

/// All kinds, in the plans' order.
pub(super) const ADDRESS_MAPPINGS: [AddressMapping; 15] = [
    mapping(Repository, "aws_ecr_repository.function", &[], ImportId::Name),
    mapping(
        BuildSourceBucket,
        "aws_s3_bucket.build_source[0]",
        &[
            "aws_s3_bucket_public_access_block.build_source[0]",
            "aws_s3_bucket_server_side_encryption_configuration.build_source[0]",
        ],
        ImportId::Name,
    ),
    mapping(BuildLogGroup, "aws_cloudwatch_log_group.build", &[], ImportId::Name),
    mapping(BuildPolicy, "aws_iam_policy.build", &[], ImportId::PolicyArn),
    mapping(BuildRole, "aws_iam_role.build", &["aws_iam_role_policy_attachment.build"], ImportId::Name),
    mapping(BuildProject, "aws_codebuild_project.function", &[], ImportId::Name),
    mapping(Image, "terraform_data.build", &[], ImportId::Never),
    mapping(
        SourceBucket,
        "module.function[0].aws_s3_bucket.source",
        &[
            "module.function[0].aws_s3_bucket_public_access_block.source",
            "module.function[0].aws_s3_bucket_server_side_encryption_configuration.source",
        ],
        ImportId::Name,
    ),
    mapping(
        DestinationBucket,
        "module.function[0].aws_s3_bucket.destination",
        &[
            "module.function[0].aws_s3_bucket_public_access_block.destination",
            "module.function[0].aws_s3_bucket_server_side_encryption_configuration.destination",
        ],
        ImportId::Name,
    ),
    mapping(FunctionLogGroup, "module.function[0].aws_cloudwatch_log_group.function", &[], ImportId::Name),
    mapping(FunctionPolicy, "module.function[0].aws_iam_policy.function", &[], ImportId::PolicyArn),
    mapping(
        FunctionRole,
        "module.function[0].aws_iam_role.function",
        &["module.function[0].aws_iam_role_policy_attachment.function"],
        ImportId::Name,
    ),
    mapping(Function, "module.function[0].aws_lambda_function.thumbnails", &[], ImportId::Name),
    mapping(InvokePermission, "module.function[0].aws_lambda_permission.source", &[], ImportId::Statement),
    mapping(Notification, "module.function[0].aws_s3_bucket_notification.source", &[], ImportId::Never),
];

impl AddressMapping {
    /// The mapping of an address, for a kind's main resource or settings.
    pub(super) fn of(address: &str) -> Option<&'static Self> {
        ADDRESS_MAPPINGS.iter().find(|mapping| mapping.address == address || mapping.parts.contains(&address))
    }

    /// Returns whether it is in the first half, which builds the image.
    pub(super) fn is_of_build_half(&self) -> bool {
        !self.address.starts_with(FUNCTION_MODULE)
    }

    /// The import id of its resource.
    pub(super) fn import_id(&self, names: &Names, account: &str) -> Option<String> {
        match self.import {
            ImportId::Name => Some(names.of(self.kind)),
            ImportId::PolicyArn => Some(format!("arn:aws:iam::{account}:policy/{}", names.of(self.kind))),
            ImportId::Statement => Some(format!("{}/{STATEMENT}", names.of(Function))),
            ImportId::Never => None,
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
    fn every_kind_has_one_mapping_and_every_address_is_in_the_configuration() {
        let kinds: Vec<ResourceKind> = ADDRESS_MAPPINGS.iter().map(|mapping| mapping.kind).collect();
        assert_eq!(kinds, ResourceKind::ARCHITECTURE);
        let mut mapped: Vec<String> = ADDRESS_MAPPINGS
            .iter()
            .flat_map(|mapping| mapping.parts.iter().chain([&mapping.address]))
            .map(|address| address.replace("[0]", ""))
            .collect();
        let mut declared = declared();
        // The zip is an object in the bucket, not a resource of the architecture.
        declared.retain(|address| address != "aws_s3_object.build_source");
        mapped.sort();
        declared.sort();
        assert_eq!(mapped, declared);
    }

    #[test]
    fn statement_id_equals_the_configurations() {
        let lambda = assets::terraform_files().iter().find(|(path, _)| *path == "function/lambda.tf");
        let text = std::str::from_utf8(lambda.expect("the file is embedded").1).expect("text");
        assert!(text.contains(&format!("\"{STATEMENT}\"")));
    }
}
