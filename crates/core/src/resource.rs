//! The resources of the architecture: their kinds and their states.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Declares the kinds of resources: each with its word in the journal, and its name, in which `{}` is
/// `<prefix>-<suffix>` (see [`crate::names::Names::stem`]).
macro_rules! resource_kinds {
    ($($(#[$doc:meta])* $kind:ident: $word:literal, $name:literal;)*) => {
        /// A kind of resource in the architecture, the same for every strategy. What else is particular to a kind is in
        /// the deploy crate's `resource` module.
        ///
        /// The order is that of the plan: later kinds may depend on earlier ones.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum ResourceKind {
            $($(#[$doc])* #[serde(rename = $word)] $kind,)*
        }

        impl ResourceKind {
            /// All kinds, in plan order.
            pub const ALL: [Self; [$($word),*].len()] = [$(Self::$kind),*];

            /// Returns its word in the journal.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$kind => $word,)*
                }
            }

            /// Returns its name, in which `{}` is the deployment's prefix and suffix.
            pub(crate) fn name_pattern(self) -> &'static str {
                match self {
                    $(Self::$kind => $name,)*
                }
            }
        }
    };
}

resource_kinds! {
    /// The CloudFormation stack of the macro that generates bucket names.
    MacroStack: "macro_stack", "{}-macro";
    /// The log group of the macro's function.
    MacroLogGroup: "macro_log_group", "/aws/lambda/{}-macro";
    /// The execution role of the macro's function.
    MacroRole: "macro_role", "{}-macro-role";
    /// The Lambda function behind the macro.
    MacroFunction: "macro_function", "{}-macro";
    /// The macro, which templates call by its name.
    Macro: "macro", "{}-macro";
    /// The CloudFormation stack of the build's resources.
    BuildStack: "build_stack", "{}-build";
    /// The ECR repository of the function's image.
    Repository: "repository", "{}";
    /// The bucket with the function's source for CodeBuild.
    BuildSourceBucket: "build_source_bucket", "{}-build-source";
    /// The log group of the build.
    BuildLogGroup: "build_log_group", "/aws/codebuild/{}-build";
    /// The build's permissions policy.
    BuildPolicy: "build_policy", "{}-build-policy";
    /// The build's service role.
    BuildRole: "build_role", "{}-build-role";
    /// The CodeBuild project.
    BuildProject: "build_project", "{}-build";
    /// The function's container image.
    Image: "image", "{}:latest";
    /// The CloudFormation stack of the buckets and the function.
    AppStack: "app_stack", "{}-app";
    /// The bucket that images are uploaded to.
    SourceBucket: "source_bucket", "{}-source";
    /// The bucket for thumbnails.
    DestinationBucket: "destination_bucket", "{}-destination";
    /// The log group of the function.
    FunctionLogGroup: "function_log_group", "/aws/lambda/{}-function";
    /// The function's permissions policy.
    FunctionPolicy: "function_policy", "{}-function-policy";
    /// The function's execution role.
    FunctionRole: "function_role", "{}-function-role";
    /// The Lambda function.
    Function: "function", "{}-function";
    /// The statement that allows S3 to invoke the function.
    InvokePermission: "invoke_permission", "s3-invoke";
    /// The source bucket's event notification.
    Notification: "notification", "{}-source/thumbnails";
}

impl ResourceKind {
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
