//! What has to be acknowledged before a stack is made.

use serde_json::Value;

use super::section;

/// What has to be acknowledged, and why.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct NeededCapabilities {
    /// `CAPABILITY_IAM` or `CAPABILITY_NAMED_IAM`; none if nothing has to be.
    pub capabilities: Vec<String>,
    /// Which resources they are for.
    pub reason: Option<String>,
}

/// The types that can change who may do what, and the property with which a template names one.
const IAM: [(&str, Option<&str>); 9] = [
    ("AWS::IAM::AccessKey", None),
    ("AWS::IAM::Group", Some("GroupName")),
    ("AWS::IAM::InstanceProfile", Some("InstanceProfileName")),
    ("AWS::IAM::ManagedPolicy", Some("ManagedPolicyName")),
    // Its name is no name in the account, only one within its role, user or group.
    ("AWS::IAM::Policy", None),
    ("AWS::IAM::Role", Some("RoleName")),
    ("AWS::IAM::User", Some("UserName")),
    ("AWS::IAM::UserPolicy", None),
    ("AWS::IAM::UserToGroupAddition", None),
];

/// What a template's resources need, whatever their conditions.
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
