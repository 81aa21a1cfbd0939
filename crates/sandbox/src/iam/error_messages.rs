//! IAM's error messages as on AWS, which scripts match, in place of awsim's.

use awsim_core::AwsError;
use http::StatusCode;

/// Replaces the message of an error by AWS's message for this operation.
pub(super) fn aws_error(operation: &str, mut error: AwsError) -> AwsError {
    if error.code == "LimitExceeded" {
        error.status = StatusCode::CONFLICT;
    }
    let replaced = match error.code.as_str() {
        "NoSuchEntity" => not_found(operation, &error.message),
        "EntityAlreadyExists" => taken(&error.message),
        "DeleteConflict" => in_use(&error.message),
        _ => None,
    };
    if let Some(message) = replaced {
        error.message = message;
    }
    error
}

fn not_found(operation: &str, message: &str) -> Option<String> {
    let (kind, name) = message.strip_suffix(" cannot be found")?.split_once(' ')?;
    Some(match kind {
        "Role" => format!("The role with name {name} cannot be found."),
        "User" => format!("The user with name {name} cannot be found."),
        "Group" => format!("The group with name {name} cannot be found."),
        "Policy" if operation.starts_with("Attach") => format!("Policy {name} does not exist or is not attachable."),
        "Policy" => format!("Policy {name} was not found."),
        "InlinePolicy" => format!("The role policy with name {name} cannot be found."),
        "PolicyAttachment" => format!("Policy {} was not found.", name.split(' ').next().unwrap_or(name)),
        _ => return None,
    })
}

fn taken(message: &str) -> Option<String> {
    let (kind, name) = message.strip_suffix(" already exists")?.split_once(" with name ")?;
    Some(match kind {
        "Policy" => format!("A policy called {name} already exists. Duplicate names are not allowed."),
        kind => format!("{kind} with name {name} already exists."),
    })
}

fn in_use(message: &str) -> Option<String> {
    let about = message.strip_prefix("Cannot delete ")?;
    let replaced = if about.starts_with("policy") && about.contains("attached to") {
        "Cannot delete a policy attached to entities."
    } else if about.starts_with("policy") && about.contains("version") {
        "This policy has more than one version. Before you delete a policy, you must delete the policy's versions. The default version is deleted with the policy."
    } else if about.contains("attached policies") {
        "Cannot delete entity, must detach all policies first."
    } else if about.contains("inline policies") {
        "Cannot delete entity, must delete policies first."
    } else {
        return None;
    };
    Some(replaced.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn error_messages_match_aws() {
        let message_of = |code: &str, message: &str| aws_error("GetRole", AwsError::bad_request(code, message)).message;
        assert_eq!(message_of("NoSuchEntity", "Role r cannot be found"), "The role with name r cannot be found.");
        assert_eq!(
            message_of("NoSuchEntity", "PolicyAttachment arn:p on role r cannot be found"),
            "Policy arn:p was not found."
        );
        assert_eq!(
            message_of("EntityAlreadyExists", "Role with name r already exists"),
            "Role with name r already exists."
        );
        assert_eq!(
            message_of("DeleteConflict", "Cannot delete role r: role has attached policies"),
            "Cannot delete entity, must detach all policies first."
        );
        assert_eq!(message_of("NoSuchEntity", "Something else"), "Something else");
        assert_eq!(
            aws_error("CreatePolicyVersion", AwsError::bad_request("LimitExceeded", "")).status,
            StatusCode::CONFLICT
        );
    }
}
