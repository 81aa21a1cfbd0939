//! The resources of the architecture: what they are, and what state one is in.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What a resource is in the architecture, the same whichever strategy makes it.
///
/// The order is that of the plan: what is declared later may need what is declared earlier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ResourceKind {
    /// The CloudFormation stack of the macro that makes bucket names.
    MacroStack,
    /// The log group that the macro's function writes to.
    MacroLogGroup,
    /// The macro's function's role.
    MacroRole,
    /// The Lambda function behind the macro.
    MacroFunction,
    /// The macro: its name, by which templates call it.
    Macro,
    /// The CloudFormation stack of what builds the image.
    BuildStack,
    /// The ECR repository that keeps the function's image.
    Repository,
    /// The bucket from which CodeBuild takes the function's source.
    BuildSourceBucket,
    /// The log group that the build writes to.
    BuildLogGroup,
    /// What the build may do.
    BuildPolicy,
    /// The build's service role.
    BuildRole,
    /// The CodeBuild project.
    BuildProject,
    /// The function's container image.
    Image,
    /// The CloudFormation stack of buckets and function.
    AppStack,
    /// The bucket that images are put into.
    SourceBucket,
    /// The bucket that thumbnails are written to.
    DestinationBucket,
    /// The log group that the function writes to.
    FunctionLogGroup,
    /// What the function may do.
    FunctionPolicy,
    /// The function's execution role.
    FunctionRole,
    /// The Lambda function.
    Function,
    /// The statement that lets S3 invoke the function.
    InvokePermission,
    /// The source bucket's event notification.
    Notification,
}

impl ResourceKind {
    /// Every kind, in the plans' order.
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

    /// The architecture itself: what every strategy makes, in the plans' order.
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

    /// Whether it is a CloudFormation stack, which makes other resources.
    pub fn is_stack(self) -> bool {
        matches!(self, Self::MacroStack | Self::BuildStack | Self::AppStack)
    }

    /// The word that stands for it in the journal.
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

    /// Its plain name, for people.
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

    /// What it is there for, in a sentence for people who see it for the first time.
    pub fn purpose(self) -> &'static str {
        match self {
            Self::MacroStack => {
                "Is what CloudFormation keeps of the macro: it comes first, since a template can only call what is there."
            }
            Self::MacroLogGroup => "Takes what the macro's function says.",
            Self::MacroRole => "Is who the macro's function is: it may write its log, and nothing else.",
            Self::MacroFunction => {
                "Makes a bucket's name of prefix, suffix and role, whenever a template asks for one."
            }
            Self::Macro => "Is the name by which the application's template calls the macro's function.",
            Self::BuildStack => "Is what CloudFormation keeps of everything that builds the image.",
            Self::AppStack => "Is what CloudFormation keeps of the buckets and of the function between them.",
            Self::Repository => {
                "Keeps the function's container image, where CodeBuild pushes it and Lambda takes it from."
            }
            Self::BuildSourceBucket => "Holds the function's source as a zip, for CodeBuild to take.",
            Self::BuildLogGroup => "Takes what the build says, line by line, and forgets it after a while.",
            Self::BuildPolicy => "Says what the build may do, and so all that it may do.",
            Self::BuildRole => "Is who the build is: CodeBuild assumes it and has what its policy allows.",
            Self::BuildProject => "Says how the image is built: from which source, on which machine, as whom.",
            Self::Image => "Is the function, packed with all that it needs, as Lambda runs it.",
            Self::SourceBucket => "Takes the images: each one that is put here starts the function.",
            Self::DestinationBucket => "Takes the thumbnails that the function writes.",
            Self::FunctionLogGroup => "Takes what the function says at each invocation.",
            Self::FunctionPolicy => "Says what the function may do: read images, write thumbnails and its log.",
            Self::FunctionRole => "Is who the function is: Lambda assumes it and has what its policy allows.",
            Self::Function => "Makes a thumbnail of each image that it is told of; it runs only then.",
            Self::InvokePermission => "Lets S3 invoke the function, for events of the source bucket only.",
            Self::Notification => "Tells the function of each new image: the link that makes the chain work.",
        }
    }
}

impl fmt::Display for ResourceKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// What state a resource is in, as far as the journal knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ResourceState {
    /// The call that creates it is about to be made; it may or may not be there.
    Creating,
    /// It is there and usable.
    Ready,
    /// The call that deletes it is about to be made; it may or may not be there.
    Deleting,
    /// It has been deleted.
    #[serde(rename = "gone")]
    Deleted,
    /// Creating or deleting it failed; it may or may not be there.
    Failed,
}

impl ResourceState {
    /// Whether a resource in this state may be in the cloud, so that `destroy` must look after it.
    pub fn may_exist(self) -> bool {
        self != Self::Deleted
    }

    /// The word that stands for it in the journal and on the screen.
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

impl fmt::Display for ResourceState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_architecture_is_all_but_what_one_strategy_needs_for_itself() {
        use ResourceKind::*;
        let own = [MacroStack, MacroLogGroup, MacroRole, MacroFunction, Macro, BuildStack, AppStack];
        let rest: Vec<ResourceKind> = ResourceKind::ALL.into_iter().filter(|kind| !own.contains(kind)).collect();
        assert_eq!(rest, ResourceKind::ARCHITECTURE);
    }

    #[test]
    fn every_kind_is_written_by_its_word() {
        for kind in ResourceKind::ALL {
            assert_eq!(serde_json::to_value(kind).expect("a kind is JSON"), kind.as_str());
        }
        let mut sorted = ResourceKind::ALL;
        sorted.sort();
        assert_eq!(sorted, ResourceKind::ALL, "ALL is in the order of declaration");
    }
}
