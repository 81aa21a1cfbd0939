//! What templates can say of these resources: the properties of CloudFormation's public schemas. Below what the sandbox
//! refuses anyway, nothing is listed.

use crate::cloudformation::resource_types::Property;

/// Of `AWS::Logs::LogGroup`.
pub(crate) const LOG_GROUP: &[Property] = &[
    Property::optional("BearerTokenAuthenticationEnabled"),
    Property::optional("DataProtectionPolicy"),
    Property::optional("DeletionProtectionEnabled"),
    Property::optional("FieldIndexPolicies"),
    Property::optional("KmsKeyId"),
    Property::optional("LogGroupClass"),
    Property::optional("LogGroupName").replacing(),
    Property::optional("ResourcePolicyDocument"),
    Property::optional("RetentionInDays"),
    Property::optional("Tags").with(&[Property::required("Key"), Property::required("Value")]),
];
