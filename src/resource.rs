//! The resources of the architecture: what they are, and what state one is in.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What a resource is in the architecture, the same whichever strategy makes it.
///
/// The order is that of the plan: what is declared later may need what is declared earlier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ResourceKind {
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
    /// Every kind, in the plan's order.
    pub const ALL: [Self; 15] = [
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

    /// The word that stands for it in the journal.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Repository => "repository",
            Self::BuildSourceBucket => "build_source_bucket",
            Self::BuildLogGroup => "build_log_group",
            Self::BuildPolicy => "build_policy",
            Self::BuildRole => "build_role",
            Self::BuildProject => "build_project",
            Self::Image => "image",
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
            Self::Repository => "ECR repository",
            Self::BuildSourceBucket => "Build source bucket",
            Self::BuildLogGroup => "Build log group",
            Self::BuildPolicy => "Build policy",
            Self::BuildRole => "Build service role",
            Self::BuildProject => "CodeBuild project",
            Self::Image => "Function image",
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
    /// It is not there any more.
    Gone,
    /// Creating or deleting it failed; it may or may not be there.
    Failed,
}

impl ResourceState {
    /// Whether a resource in this state may be in the cloud, so that `destroy` must look after it.
    pub fn may_exist(self) -> bool {
        self != Self::Gone
    }

    /// The word that stands for it in the journal and on the screen.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Creating => "creating",
            Self::Ready => "ready",
            Self::Deleting => "deleting",
            Self::Gone => "gone",
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
    fn every_kind_is_written_by_its_word() {
        for kind in ResourceKind::ALL {
            assert_eq!(serde_json::to_value(kind).expect("a kind is JSON"), kind.as_str());
        }
        let mut sorted = ResourceKind::ALL;
        sorted.sort();
        assert_eq!(sorted, ResourceKind::ALL, "ALL is in the order of declaration");
    }
}
