//! [`Panel`]: the parts of the screen that can have the focus.

use crate::keymap::Action;

/// A part of the screen that can have the focus.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Panel {
    /// The list of resources.
    Resources,
    /// The details of a resource.
    Details,
    /// The build phases and log.
    Build,
    /// The function log.
    Function,
    /// The timing panel.
    Timing,
    /// The test uploads.
    TestUpload,
    /// The CloudFormation stack events.
    Stacks,
    /// The Terraform output.
    Terraform,
}

impl Panel {
    /// The panels of all strategies, in the order of their keys.
    pub const USUAL: [Self; 6] =
        [Self::Resources, Self::Details, Self::Build, Self::Function, Self::Timing, Self::TestUpload];

    /// The panels with CloudFormation.
    pub const WITH_STACKS: [Self; 7] =
        [Self::Resources, Self::Details, Self::Build, Self::Function, Self::Timing, Self::TestUpload, Self::Stacks];

    /// The panels with Terraform.
    pub const WITH_TERRAFORM: [Self; 7] =
        [Self::Resources, Self::Details, Self::Build, Self::Function, Self::Timing, Self::TestUpload, Self::Terraform];

    /// The title of the tab.
    pub fn title(self) -> &'static str {
        match self {
            Self::Resources => "Resources",
            Self::Details => "Details",
            Self::Build => "Build",
            Self::Function => "Function log",
            Self::Timing => "Timing",
            Self::TestUpload => "Test upload",
            Self::Stacks => "Stacks",
            Self::Terraform => "Terraform",
        }
    }

    /// The title of the tab if space is limited.
    pub fn short_title(self) -> &'static str {
        match self {
            Self::Function => "Function",
            Self::TestUpload => "Upload",
            panel => panel.title(),
        }
    }

    /// The action that shows the panel.
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

    /// The panel at an offset from this one among the available panels, cyclic.
    pub fn offset_by(self, places: isize, panels: &[Self]) -> Self {
        let count = isize::try_from(panels.len()).expect("a handful");
        let at = panels.iter().position(|panel| *panel == self).unwrap_or_default();
        let at = isize::try_from(at).expect("a handful");
        panels[usize::try_from((at + places).rem_euclid(count)).expect("not negative")]
    }
}
