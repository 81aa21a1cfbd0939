//! The properties from CloudFormation's public schemas. Nothing is listed below unsupported ones.

use crate::cloudformation::resource_types::Property;

/// The properties of `AWS::ECR::Repository`.
pub(crate) const REPOSITORY: &[Property] = &[
    Property::optional("EmptyOnDelete"),
    Property::optional("EncryptionConfiguration")
        .replacing()
        .with(&[Property::required("EncryptionType").replacing(), Property::optional("KmsKey").replacing()]),
    Property::optional("ImageScanningConfiguration").with(&[Property::optional("ScanOnPush")]),
    Property::optional("ImageTagMutability"),
    Property::optional("ImageTagMutabilityExclusionFilters").with(&[
        Property::required("ImageTagMutabilityExclusionFilterType"),
        Property::required("ImageTagMutabilityExclusionFilterValue"),
    ]),
    Property::optional("LifecyclePolicy")
        .with(&[Property::optional("LifecyclePolicyText"), Property::optional("RegistryId")]),
    Property::optional("RepositoryName").replacing(),
    Property::optional("RepositoryPolicyText"),
    Property::optional("Tags").with(&[Property::required("Key"), Property::required("Value")]),
];
