//! Maps the configuration's addresses to resource kinds. Pure.

use thumbctl_core::resource::ResourceKind;

use crate::resource::{self, ImportId, ResourceContext, TerraformResource};

/// The permission's statement id in the configuration.
const STATEMENT: &str = "s3-invoke";

/// The address prefix of the second half.
pub(super) const FUNCTION_MODULE: &str = "module.function";

/// A kind with its addresses in the configuration.
#[derive(Clone, Copy, Debug)]
pub(super) struct AddressMapping {
    pub(super) kind: ResourceKind,
    pub(super) terraform: &'static TerraformResource,
}

impl AddressMapping {
    /// All kinds of the configuration, in plan order.
    pub(super) fn all() -> impl Iterator<Item = Self> {
        resource::all().filter_map(|resource| {
            let terraform = resource.descriptor().terraform.as_ref()?;
            Some(Self { kind: resource.kind(), terraform })
        })
    }

    /// The mapping of an address, for a kind's main resource or settings.
    pub(super) fn of(address: &str) -> Option<Self> {
        Self::all().find(|Self { terraform, .. }| terraform.address == address || terraform.parts.contains(&address))
    }

    /// Returns whether it is in the first half, which builds the image.
    pub(super) fn is_of_build_half(&self) -> bool {
        !self.terraform.address.starts_with(FUNCTION_MODULE)
    }

    /// The import id of its resource.
    pub(super) fn import_id(&self, context: ResourceContext<'_>) -> Option<String> {
        match self.terraform.import {
            ImportId::Name => Some(context.name(self.kind)),
            ImportId::Arn => resource::of(self.kind).arn(context),
            ImportId::Statement => Some(format!("{}/{STATEMENT}", context.name(ResourceKind::Function))),
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
        let kinds: Vec<ResourceKind> = AddressMapping::all().map(|mapping| mapping.kind).collect();
        assert_eq!(kinds, ResourceKind::ARCHITECTURE);
        let mut mapped: Vec<String> = AddressMapping::all()
            .flat_map(|mapping| mapping.terraform.parts.iter().chain([&mapping.terraform.address]))
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
