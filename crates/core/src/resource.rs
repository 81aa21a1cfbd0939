//! The resources of the architecture: their kinds and their states.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A kind of resource in the architecture, the same for every strategy.
///
/// The order is that of the plan: later kinds may depend on earlier ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ResourceKind {
    /// The CloudFormation stack of the macro that generates bucket names.
    MacroStack,
    /// The log group of the macro's function.
    MacroLogGroup,
    /// The execution role of the macro's function.
    MacroRole,
    /// The Lambda function behind the macro.
    MacroFunction,
    /// The macro, which templates call by its name.
    Macro,
    /// The CloudFormation stack of the build's resources.
    BuildStack,
    /// The ECR repository of the function's image.
    Repository,
    /// The bucket with the function's source for CodeBuild.
    BuildSourceBucket,
    /// The log group of the build.
    BuildLogGroup,
    /// The build's permissions policy.
    BuildPolicy,
    /// The build's service role.
    BuildRole,
    /// The CodeBuild project.
    BuildProject,
    /// The function's container image.
    Image,
    /// The CloudFormation stack of the buckets and the function.
    AppStack,
    /// The bucket that images are uploaded to.
    SourceBucket,
    /// The bucket for thumbnails.
    DestinationBucket,
    /// The log group of the function.
    FunctionLogGroup,
    /// The function's permissions policy.
    FunctionPolicy,
    /// The function's execution role.
    FunctionRole,
    /// The Lambda function.
    Function,
    /// The statement that allows S3 to invoke the function.
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

    /// The architecture itself: what every strategy creates, in the plans' order.
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

    /// Returns whether it is a CloudFormation stack, which creates other resources.
    pub fn is_stack(self) -> bool {
        matches!(self, Self::MacroStack | Self::BuildStack | Self::AppStack)
    }

    /// Returns its word in the journal.
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

    /// Returns its name on screens.
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

    /// Returns its purpose in one sentence.
    pub fn purpose(self) -> &'static str {
        match self {
            Self::MacroStack => {
                "Groups the macro's resources; it comes first, since a template can only call an existing macro."
            }
            Self::MacroLogGroup => "Stores the log of the macro's function.",
            Self::MacroRole => "Allows the macro's function to write its log, and nothing else.",
            Self::MacroFunction => {
                "Generates a bucket's name from prefix, suffix and role when a template is processed."
            }
            Self::Macro => "Connects the application's template to the macro's function.",
            Self::BuildStack => "Groups the build's resources.",
            Self::AppStack => "Groups the buckets and the function.",
            Self::Repository => "Stores the function's container image: CodeBuild pushes it, Lambda pulls it.",
            Self::BuildSourceBucket => "Stores the function's source as a zip for CodeBuild.",
            Self::BuildLogGroup => "Stores the build's log until its retention ends.",
            Self::BuildPolicy => "Lists the build's permissions.",
            Self::BuildRole => "Gives the build its permissions: CodeBuild assumes it.",
            Self::BuildProject => "Defines the build: source, build machine and service role.",
            Self::Image => "Packages the function with its dependencies for Lambda.",
            Self::SourceBucket => "Receives the images: each upload invokes the function.",
            Self::DestinationBucket => "Stores the function's thumbnails.",
            Self::FunctionLogGroup => "Stores the log of the function's invocations.",
            Self::FunctionPolicy => "Allows the function to read images, and to write thumbnails and its log.",
            Self::FunctionRole => "Gives the function its permissions: Lambda assumes it.",
            Self::Function => "Creates a thumbnail of each uploaded image; it runs only then.",
            Self::InvokePermission => "Allows S3 to invoke the function, for the source bucket's events only.",
            Self::Notification => "Invokes the function for each new image.",
        }
    }
}

impl fmt::Display for ResourceKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// The state of a resource as the journal records it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ResourceState {
    /// The create call is about to be made; it may or may not exist.
    Creating,
    /// It exists and is usable.
    Ready,
    /// The delete call is about to be made; it may or may not exist.
    Deleting,
    /// It does not exist any more.
    #[serde(rename = "gone")]
    Deleted,
    /// Creating or deleting it failed; it may or may not exist.
    Failed,
}

impl ResourceState {
    /// Returns whether a resource in this state may exist in the cloud, so that `destroy` must check it.
    pub fn may_exist(self) -> bool {
        self != Self::Deleted
    }

    /// Returns its word in the journal and on screens.
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
    fn architecture_is_all_kinds_but_those_of_one_strategy() {
        use ResourceKind::*;
        let own = [MacroStack, MacroLogGroup, MacroRole, MacroFunction, Macro, BuildStack, AppStack];
        let rest: Vec<ResourceKind> = ResourceKind::ALL.into_iter().filter(|kind| !own.contains(kind)).collect();
        assert_eq!(rest, ResourceKind::ARCHITECTURE);
    }

    #[test]
    fn every_kind_is_serialized_as_its_word() {
        for kind in ResourceKind::ALL {
            assert_eq!(serde_json::to_value(kind).expect("a kind serializes"), kind.as_str());
        }
        let mut sorted = ResourceKind::ALL;
        sorted.sort();
        assert_eq!(sorted, ResourceKind::ALL, "ALL is in the order of declaration");
    }
}
