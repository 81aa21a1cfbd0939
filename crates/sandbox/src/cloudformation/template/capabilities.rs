//! The capabilities to acknowledge before a stack is created.

use serde_json::Value;

use super::section;

/// The required capabilities and their reason.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct NeededCapabilities {
    /// `CAPABILITY_IAM` or `CAPABILITY_NAMED_IAM`; empty if none is required.
    pub capabilities: Vec<String>,
    /// The resource types that require them.
    pub reason: Option<String>,
}

/// The IAM resource types, and the property that sets a custom name.
const IAM: [(&str, Option<&str>); 9] = [
    ("AWS::IAM::AccessKey", None),
    ("AWS::IAM::Group", Some("GroupName")),
    ("AWS::IAM::InstanceProfile", Some("InstanceProfileName")),
    ("AWS::IAM::ManagedPolicy", Some("ManagedPolicyName")),
    // The name is unique within a role, user or group only, so it is no custom name.
    ("AWS::IAM::Policy", None),
    ("AWS::IAM::Role", Some("RoleName")),
    ("AWS::IAM::User", Some("UserName")),
    ("AWS::IAM::UserPolicy", None),
    ("AWS::IAM::UserToGroupAddition", None),
];

/// The capabilities that a template's resources require, regardless of conditions.
pub(super) fn needed(document: &Value) -> NeededCapabilities {
    let mut types: Vec<&str> = Vec::new();
    let mut named = false;
    for (_, resource) in section(document, "Resources") {
        let type_name = resource["Type"].as_str().unwrap_or_default();
        let Some((type_name, name)) = IAM.iter().find(|(iam, _)| *iam == type_name) else {
            continue;
        };
        named |= name.is_some_and(|name| resource["Properties"].get(name).is_some());
        if !types.contains(type_name) {
            types.push(type_name);
        }
    }
    if types.is_empty() {
        return NeededCapabilities::default();
    }
    let capability = if named { "CAPABILITY_NAMED_IAM" } else { "CAPABILITY_IAM" };
    NeededCapabilities {
        capabilities: vec![capability.to_owned()],
        reason: Some(format!("The following resource(s) require capabilities: [{}]", types.join(", "))),
    }
}
