//! The properties from CloudFormation's public schemas. Nothing is listed below unsupported ones.

use crate::cloudformation::resource_types::Property;

/// The properties of `AWS::IAM::Role`.
pub(crate) const ROLE: &[Property] = &[
    Property::required("AssumeRolePolicyDocument"),
    Property::optional("Description"),
    Property::optional("ManagedPolicyArns"),
    Property::optional("MaxSessionDuration"),
    Property::optional("Path").replacing(),
    Property::optional("PermissionsBoundary"),
    Property::optional("Policies").with(&[Property::required("PolicyDocument"), Property::required("PolicyName")]),
    Property::optional("RoleName").replacing(),
    Property::optional("Tags").with(&[Property::required("Key"), Property::required("Value")]),
];

/// The properties of `AWS::IAM::ManagedPolicy`.
pub(crate) const MANAGED_POLICY: &[Property] = &[
    Property::optional("Description").replacing(),
    Property::optional("Groups"),
    Property::optional("ManagedPolicyName").replacing(),
    Property::optional("Path").replacing(),
    Property::required("PolicyDocument"),
    Property::optional("Roles"),
    Property::optional("Users"),
];

/// The properties of `AWS::IAM::Policy`.
pub(crate) const POLICY: &[Property] = &[
    Property::optional("Groups"),
    Property::required("PolicyDocument"),
    Property::required("PolicyName"),
    Property::optional("Roles"),
    Property::optional("Users"),
];
