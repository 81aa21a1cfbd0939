//! The properties from CloudFormation's public schemas. Nothing is listed below unsupported ones.

use crate::cloudformation::resource_types::Property;

/// The properties of `AWS::CloudFormation::Macro`.
pub(crate) const MACRO: &[Property] = &[
    Property::optional("Description"),
    Property::required("FunctionName"),
    Property::optional("LogGroupName"),
    Property::optional("LogRoleARN"),
    Property::required("Name").replacing(),
];
