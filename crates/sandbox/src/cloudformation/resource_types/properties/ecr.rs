//! What templates can say of these resources: the properties of CloudFormation's public schemas. Below what the sandbox
//! refuses anyway, nothing is listed.

use crate::cloudformation::resource_types::Property;

/// Of `AWS::ECR::Repository`.
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
