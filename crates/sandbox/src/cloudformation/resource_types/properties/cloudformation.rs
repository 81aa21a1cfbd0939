//! What templates can say of these resources: the properties of CloudFormation's public schemas. Below what the sandbox
//! refuses anyway, nothing is listed.

use crate::cloudformation::resource_types::Property;

/// Of `AWS::CloudFormation::Macro`.
pub(crate) const MACRO: &[Property] = &[
    Property::optional("Description"),
    Property::required("FunctionName"),
    Property::optional("LogGroupName"),
    Property::optional("LogRoleARN"),
    Property::required("Name").replacing(),
];
