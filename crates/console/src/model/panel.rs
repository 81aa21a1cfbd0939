//! [`Panel`]: the parts of the screen that can have the keys.

use crate::keymap::Action;

/// A part of the screen that can have the keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Panel {
    /// All resources.
    Resources,
    /// One resource.
    Details,
    /// The build and its log.
    Build,
    /// The function's log.
    Function,
    /// What took how long.
    Timing,
    /// Images sent through.
    TestUpload,
    /// What CloudFormation says of its stacks.
    Stacks,
    /// What Terraform says.
    Terraform,
}

impl Panel {
    /// The panels that are always there, in the order of their keys.
    pub const USUAL: [Self; 6] =
        [Self::Resources, Self::Details, Self::Build, Self::Function, Self::Timing, Self::TestUpload];

    /// The same, and what there is where there are stacks.
    pub const WITH_STACKS: [Self; 7] =
        [Self::Resources, Self::Details, Self::Build, Self::Function, Self::Timing, Self::TestUpload, Self::Stacks];

    /// The same, and what there is where Terraform is at work.
    pub const WITH_TERRAFORM: [Self; 7] =
        [Self::Resources, Self::Details, Self::Build, Self::Function, Self::Timing, Self::TestUpload, Self::Terraform];

    /// What stands on its tab.
    pub fn title(self) -> &'static str {
        match self {
            Self::Resources => "Resources",
            Self::Details => "Details",
            Self::Build => "Build",
            Self::Function => "Function log",
            Self::Timing => "Timing",
            Self::TestUpload => "Try it",
            Self::Stacks => "Stacks",
            Self::Terraform => "Terraform",
        }
    }

    /// The action that goes to it.
    pub fn action(self) -> Action {
        match self {
            Self::Resources => Action::ShowResources,
            Self::Details => Action::ShowDetails,
            Self::Build => Action::ShowBuild,
            Self::Function => Action::ShowFunction,
            Self::Timing => Action::ShowTiming,
            Self::TestUpload => Action::ShowTestUpload,
            Self::Stacks => Action::ShowStacks,
            Self::Terraform => Action::ShowTerraform,
        }
    }

    /// The panel so many places behind (or before) this one among those that there are, in a circle.
    pub fn offset_by(self, places: isize, panels: &[Self]) -> Self {
        let count = isize::try_from(panels.len()).expect("a handful");
        let at = panels.iter().position(|panel| *panel == self).unwrap_or_default();
        let at = isize::try_from(at).expect("a handful");
        panels[usize::try_from((at + places).rem_euclid(count)).expect("not negative")]
    }
}
