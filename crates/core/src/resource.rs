//! The kinds and states of the architecture's resources.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A resource's role in the architecture, the same for every strategy.
///
/// The order is that of the plan: a later kind may depend on an earlier one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ResourceKind {
    /// The CloudFormation stack of the macro that generates bucket names.
    MacroStack,
    /// The log group of the macro's function.
    MacroLogGroup,
    /// The macro's function's role.
    MacroRole,
    /// The Lambda function behind the macro.
    MacroFunction,
    /// The CloudFormation macro.
    Macro,
    /// The CloudFormation stack of the resources that build the image.
    BuildStack,
    /// The ECR repository of the function's image.
    Repository,
    /// The bucket of the function's source for CodeBuild.
    BuildSourceBucket,
    /// The log group of the build.
    BuildLogGroup,
    /// The policy of the build's role.
    BuildPolicy,
    /// The build's service role.
    BuildRole,
    /// The CodeBuild project.
    BuildProject,
    /// The function's container image.
    Image,
    /// The CloudFormation stack of the buckets and the function.
    AppStack,
    /// The bucket for uploaded images.
    SourceBucket,
    /// The bucket for thumbnails.
    DestinationBucket,
    /// The log group of the function.
    FunctionLogGroup,
    /// The policy of the function's role.
    FunctionPolicy,
    /// The function's execution role.
    FunctionRole,
    /// The Lambda function.
    Function,
    /// The policy statement that allows S3 to invoke the function.
    InvokePermission,
    /// The source bucket's event notification.
    Notification,
}

impl ResourceKind {
    /// All kinds, in plan order.
    pub const ALL: [Self; 22] = [
        Self::MacroStack,
        Self::MacroLogGroup,
        Self::MacroRole,
        Self::MacroFunction,
        Self::Macro,
        Self::BuildStack,
        Self::Repository,
        Self::BuildSourceBucket,
        Self::BuildLogGroup,
        Self::BuildPolicy,
        Self::BuildRole,
        Self::BuildProject,
        Self::Image,
        Self::AppStack,
        Self::SourceBucket,
        Self::DestinationBucket,
        Self::FunctionLogGroup,
        Self::FunctionPolicy,
        Self::FunctionRole,
        Self::Function,
        Self::InvokePermission,
        Self::Notification,
    ];

    /// The kinds that every strategy creates, in plan order.
    pub const ARCHITECTURE: [Self; 15] = [
        Self::Repository,
        Self::BuildSourceBucket,
        Self::BuildLogGroup,
        Self::BuildPolicy,
        Self::BuildRole,
        Self::BuildProject,
        Self::Image,
        Self::SourceBucket,
        Self::DestinationBucket,
        Self::FunctionLogGroup,
        Self::FunctionPolicy,
        Self::FunctionRole,
        Self::Function,
        Self::InvokePermission,
        Self::Notification,
    ];

    /// Whether it is a CloudFormation stack.
    pub fn is_stack(self) -> bool {
        matches!(self, Self::MacroStack | Self::BuildStack | Self::AppStack)
    }

    /// Its name in the journal.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::MacroStack => "macro_stack",
            Self::MacroLogGroup => "macro_log_group",
            Self::MacroRole => "macro_role",
            Self::MacroFunction => "macro_function",
            Self::Macro => "macro",
            Self::BuildStack => "build_stack",
            Self::Repository => "repository",
            Self::BuildSourceBucket => "build_source_bucket",
            Self::BuildLogGroup => "build_log_group",
            Self::BuildPolicy => "build_policy",
            Self::BuildRole => "build_role",
            Self::BuildProject => "build_project",
            Self::Image => "image",
            Self::AppStack => "app_stack",
            Self::SourceBucket => "source_bucket",
            Self::DestinationBucket => "destination_bucket",
            Self::FunctionLogGroup => "function_log_group",
            Self::FunctionPolicy => "function_policy",
            Self::FunctionRole => "function_role",
            Self::Function => "function",
            Self::InvokePermission => "invoke_permission",
            Self::Notification => "notification",
        }
    }

    /// Its display name.
    pub fn title(self) -> &'static str {
        match self {
            Self::MacroStack => "Macro stack",
            Self::MacroLogGroup => "Macro log group",
            Self::MacroRole => "Macro role",
            Self::MacroFunction => "Macro function",
            Self::Macro => "Template macro",
            Self::BuildStack => "Build stack",
            Self::Repository => "ECR repository",
            Self::BuildSourceBucket => "Build source bucket",
            Self::BuildLogGroup => "Build log group",
            Self::BuildPolicy => "Build policy",
            Self::BuildRole => "Build service role",
            Self::BuildProject => "CodeBuild project",
            Self::Image => "Function image",
            Self::AppStack => "Application stack",
            Self::SourceBucket => "Source bucket",
            Self::DestinationBucket => "Destination bucket",
            Self::FunctionLogGroup => "Function log group",
            Self::FunctionPolicy => "Function policy",
            Self::FunctionRole => "Function execution role",
            Self::Function => "Lambda function",
            Self::InvokePermission => "Invoke permission",
            Self::Notification => "Event notification",
        }
    }

    /// Its purpose, one sentence for users new to the architecture.
    pub fn purpose(self) -> &'static str {
        match self {
            Self::MacroStack => {
                "The CloudFormation stack of the macro. It comes first: templates can only use an existing macro."
            }
            Self::MacroLogGroup => "Receives the log of the macro's function.",
            Self::MacroRole => "The execution role of the macro's function, which allows it to write its log.",
            Self::MacroFunction => {
                "Generates a bucket name from prefix, suffix and role when a template uses the macro."
            }
            Self::Macro => "Makes the macro's function available to the application template.",
            Self::BuildStack => "The CloudFormation stack of the resources that build the image.",
            Self::AppStack => "The CloudFormation stack of the buckets and the function.",
            Self::Repository => "Stores the function's container image: CodeBuild pushes it, Lambda pulls it.",
            Self::BuildSourceBucket => "Stores the function's source as a zip file for CodeBuild.",
            Self::BuildLogGroup => "Receives the build log and keeps it for the retention period.",
            Self::BuildPolicy => "Grants the build the permissions that it needs, and no others.",
            Self::BuildRole => "The role that CodeBuild assumes for the build, with the permissions of its policy.",
            Self::BuildProject => "Defines the build of the image: source, compute type and service role.",
            Self::Image => "The container image of the function and its dependencies, which Lambda runs.",
            Self::SourceBucket => "Receives the images. Each upload invokes the function.",
            Self::DestinationBucket => "Receives the thumbnails that the function writes.",
            Self::FunctionLogGroup => "Receives the function's log.",
            Self::FunctionPolicy => "Allows the function to read images and to write thumbnails and its log.",
            Self::FunctionRole => "The role that Lambda assumes for the function, with the permissions of its policy.",
            Self::Function => "Writes a thumbnail of each uploaded image. It runs only when it is invoked.",
            Self::InvokePermission => "Allows S3 to invoke the function for events of the source bucket only.",
            Self::Notification => "Invokes the function for each new image in the source bucket.",
        }
    }
}

impl fmt::Display for ResourceKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A resource's state, according to the journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ResourceState {
    /// The call that creates it is imminent; it may or may not exist.
    Creating,
    /// It exists and can be used.
    Ready,
    /// The call that deletes it is imminent; it may or may not exist.
    Deleting,
    /// It has been deleted.
    #[serde(rename = "gone")]
    Deleted,
    /// Creating or deleting it failed; it may or may not exist.
    Failed,
}

impl ResourceState {
    /// Whether a resource in this state may exist, so that `destroy` must handle it.
    pub fn may_exist(self) -> bool {
        self != Self::Deleted
    }

    /// Its name in the journal.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Creating => "creating",
            Self::Ready => "ready",
            Self::Deleting => "deleting",
            Self::Deleted => "gone",
            Self::Failed => "failed",
        }
    }
}

impl ResourceState {
    /// The state as shown to the user.
    pub fn label(self) -> &'static str {
        match self {
            Self::Deleted => "deleted",
            other => other.as_str(),
        }
    }
}

impl fmt::Display for ResourceState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.label())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn architecture_excludes_cloudformation_kinds() {
        use ResourceKind::*;
        let own = [MacroStack, MacroLogGroup, MacroRole, MacroFunction, Macro, BuildStack, AppStack];
        let rest: Vec<ResourceKind> = ResourceKind::ALL.into_iter().filter(|kind| !own.contains(kind)).collect();
        assert_eq!(rest, ResourceKind::ARCHITECTURE);
    }

    #[test]
    fn kinds_serialize_as_their_journal_names() {
        for kind in ResourceKind::ALL {
            assert_eq!(serde_json::to_value(kind).expect("a kind serializes"), kind.as_str());
        }
        let mut sorted = ResourceKind::ALL;
        sorted.sort();
        assert_eq!(sorted, ResourceKind::ALL, "ALL is in the order of declaration");
    }
}
