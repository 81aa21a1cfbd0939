//! [`Stack`]: the three stacks and their resources.

use thumbctl_core::names::Names;
use thumbctl_core::resource::ResourceKind::{self, *};

use crate::assets;

/// One of the three stacks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::strategy) enum Stack {
    /// The macro that generates bucket names.
    Macro,
    /// The build's resources.
    Build,
    /// The buckets and the function.
    App,
}

/// The macro's name in the shipped template: it cannot be a parameter, so it is replaced in the text.
const SHIPPED_MACRO: &str = "thumbs-macro";

impl Stack {
    /// All three, in a valid order of creation.
    pub(in crate::strategy) const ALL: [Self; 3] = [Self::Macro, Self::Build, Self::App];

    /// Its resource kind.
    pub(in crate::strategy) fn kind(self) -> ResourceKind {
        match self {
            Self::Macro => MacroStack,
            Self::Build => BuildStack,
            Self::App => AppStack,
        }
    }

    /// The stack of a kind, if it is one.
    pub(in crate::strategy) fn of(kind: ResourceKind) -> Option<Self> {
        Self::ALL.into_iter().find(|stack| stack.kind() == kind)
    }

    /// Its word in the log of stacks.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Macro => "macro",
            Self::Build => "build",
            Self::App => "app",
        }
    }

    /// Its resources: logical ids and kinds. The source bucket includes its
    /// notification.
    pub(super) fn resources(self) -> &'static [(&'static str, ResourceKind)] {
        match self {
            Self::Macro => &[
                ("MacroLogGroup", MacroLogGroup),
                ("MacroRole", MacroRole),
                ("MacroFunction", MacroFunction),
                ("Macro", Macro),
            ],
            Self::Build => &[
                ("Repository", Repository),
                ("BuildSourceBucket", BuildSourceBucket),
                ("BuildLogGroup", BuildLogGroup),
                ("BuildPolicy", BuildPolicy),
                ("BuildRole", BuildRole),
                ("BuildProject", BuildProject),
            ],
            Self::App => &[
                ("SourceBucket", SourceBucket),
                ("DestinationBucket", DestinationBucket),
                ("FunctionLogGroup", FunctionLogGroup),
                ("FunctionPolicy", FunctionPolicy),
                ("FunctionRole", FunctionRole),
                ("Function", Function),
                ("InvokePermission", InvokePermission),
                ("SourceBucket", Notification),
            ],
        }
    }

    /// The kinds of its resources.
    pub(in crate::strategy) fn kinds(self) -> Vec<ResourceKind> {
        self.resources().iter().map(|(_, kind)| *kind).collect()
    }

    /// The kinds of a template's resource.
    pub(super) fn kinds_of(self, logical_id: &str) -> impl Iterator<Item = ResourceKind> {
        self.resources().iter().filter(move |(id, _)| *id == logical_id).map(|(_, kind)| *kind)
    }

    /// Its resources in the shipped template: name and type, for example `AWS::S3::Bucket`.
    pub(super) fn template_resources(self) -> Vec<(&'static str, &'static str)> {
        // The shipped templates have one format: the name indented by two, its type below by four.
        let lines = self.shipped().lines().zip(self.shipped().lines().skip(1));
        let resource = |(name, kind): (&'static str, &'static str)| {
            let name = name.strip_prefix("  ")?.strip_suffix(':').filter(|name| !name.starts_with(' '))?;
            let kind = kind.strip_prefix("    Type: ").filter(|kind| kind.starts_with("AWS::"))?;
            Some((name, kind))
        };
        lines.filter_map(resource).collect()
    }

    /// Its template, with this deployment's macro.
    pub(super) fn template(self, names: &Names) -> String {
        let text = self.shipped();
        match self {
            Self::App => text.replace(SHIPPED_MACRO, &names.of(Macro)),
            Self::Macro | Self::Build => text.to_owned(),
        }
    }

    fn shipped(self) -> &'static str {
        let file = format!("{}.yaml", self.word());
        let (_, content) = assets::cloudformation_files()
            .iter()
            .find(|(path, _)| *path == file)
            .expect("the three templates are embedded");
        std::str::from_utf8(content).expect("the templates are text")
    }
}

#[cfg(test)]
mod tests {
    use thumbctl_core::names::{DeploymentName, Suffix};

    use super::*;

    fn names() -> Names {
        Names::new(DeploymentName::new("demo").expect("a legal name"), Suffix::from_number(0xab))
    }

    #[test]
    fn stacks_create_all_kinds_but_the_image() {
        let mut kinds: Vec<ResourceKind> =
            Stack::ALL.into_iter().flat_map(|stack| [vec![stack.kind()], stack.kinds()].concat()).collect();
        kinds.push(Image);
        kinds.sort();
        assert_eq!(kinds, ResourceKind::ALL);
    }

    #[test]
    fn template_has_every_resource() {
        for stack in Stack::ALL {
            let mut expected: Vec<_> = stack.resources().iter().map(|(id, _)| *id).collect();
            let mut found: Vec<_> = stack.template_resources().iter().map(|(id, _)| *id).collect();
            expected.sort_unstable();
            expected.dedup();
            found.sort_unstable();
            assert_eq!(found, expected, "{stack:?}");
            let count = stack.template(&names()).matches("\n    Type: AWS::").count();
            assert_eq!(found.len(), count, "{stack:?} has a resource in another form");
        }
    }

    #[test]
    fn application_template_calls_its_own_deployments_macro() {
        let template = Stack::App.template(&names());
        assert!(template.contains("Name: demo-000000ab-macro,") && !template.contains(SHIPPED_MACRO));
    }
}
