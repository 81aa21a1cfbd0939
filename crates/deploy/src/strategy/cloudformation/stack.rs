//! The templates of the three stacks.

use thumbctl_core::names::Names;
use thumbctl_core::resource::ResourceKind::{self, *};

use crate::assets;
use crate::resource::Stack;

/// The macro's name in the shipped template: it cannot be a parameter, so it is replaced in the text.
const SHIPPED_MACRO: &str = "thumbs-macro";

impl Stack {
    /// Its word in the log of stacks.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Macro => "macro",
            Self::Build => "build",
            Self::App => "app",
        }
    }

    /// The kinds of a template's resource.
    pub(super) fn kinds_of(self, logical_id: &str) -> impl Iterator<Item = ResourceKind> {
        self.resources().filter(move |(_, resource)| resource.logical_id == logical_id).map(|(kind, _)| kind)
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

    /// The resources of a template: logical id and type. The shipped templates have one format: the id indented by two, its
    /// type below by four.
    fn declared(text: &str) -> Vec<(&str, &str)> {
        text.lines()
            .zip(text.lines().skip(1))
            .filter_map(|(id, resource_type)| {
                let id = id.strip_prefix("  ")?.strip_suffix(':').filter(|id| !id.starts_with(' '))?;
                Some((id, resource_type.strip_prefix("    Type: ").filter(|kind| kind.starts_with("AWS::"))?))
            })
            .collect()
    }

    #[test]
    fn template_has_every_resource() {
        for stack in Stack::ALL {
            let mut expected: Vec<_> =
                stack.resources().map(|(_, resource)| (resource.logical_id, resource.resource_type)).collect();
            let template = stack.template(&names());
            let mut found = declared(&template);
            expected.sort_unstable();
            expected.dedup();
            found.sort_unstable();
            assert_eq!(found, expected, "{stack:?}");
            let count = template.matches("\n    Type: AWS::").count();
            assert_eq!(found.len(), count, "{stack:?} has a resource in another form");
        }
    }

    #[test]
    fn application_template_calls_its_own_deployments_macro() {
        let template = Stack::App.template(&names());
        assert!(template.contains("Name: demo-000000ab-macro,") && !template.contains(SHIPPED_MACRO));
    }
}
