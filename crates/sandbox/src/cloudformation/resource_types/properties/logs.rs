//! The properties from CloudFormation's public schemas. Nothing is listed below unsupported ones.

use crate::cloudformation::resource_types::Property;

/// The properties of `AWS::Logs::LogGroup`.
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
