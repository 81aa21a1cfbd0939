//! [`Panel`]: the parts of the screen that can have the focus, by name. What a panel does is its [`crate::pane::Pane`].

use thumbctl_core::event::{LogSource, StrategyKind};

/// The texts and keys that lead to a panel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PanelTab {
    /// The title of the tab.
    pub title: &'static str,
    /// The title of the tab if space is limited.
    pub short_title: &'static str,
    /// The name of the action that shows the panel, in the configuration file.
    pub name: &'static str,
    /// The description of this action in help and command palette.
    pub command: &'static str,
    /// The label beside the key, at most two words.
    pub label: &'static str,
    /// The default keys. The first ones are the order of the tabs.
    pub keys: &'static [&'static str],
    /// The only strategy with this panel; none: all.
    pub strategy: Option<StrategyKind>,
}

macro_rules! panels {
    ($($(#[$meta:meta])* $panel:ident => $tab:expr;)+) => {
        /// A part of the screen that can have the focus.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Panel { $($(#[$meta])* $panel),+ }

        impl Panel {
            /// Every panel, in the order of the command palette.
            pub const ALL: &'static [Self] = &[$(Self::$panel),+];

            /// The texts and keys that lead to the panel.
            pub const fn tab(self) -> PanelTab {
                match self { $(Self::$panel => $tab),+ }
            }
        }
    };
}

panels! {
    /// The list of resources.
    Resources => PanelTab {
        title: "Resources",
        short_title: "Resources",
        name: "show-resources",
        command: "Show the resources",
        label: "resources",
        keys: &["1"],
        strategy: None,
    };
    /// The details of a resource.
    Details => PanelTab {
        title: "Details",
        short_title: "Details",
        name: "show-details",
        command: "Show resource details",
        label: "details",
        keys: &["2"],
        strategy: None,
    };
    /// The build phases and log.
    Build => PanelTab {
        title: "Build",
        short_title: "Build",
        name: "show-build",
        command: "Show build and build log",
        label: "build",
        keys: &["3"],
        strategy: None,
    };
    /// The function log.
    Function => PanelTab {
        title: "Function log",
        short_title: "Function",
        name: "show-function",
        command: "Show function log",
        label: "function",
        keys: &["4"],
        strategy: None,
    };
    /// The CloudFormation stack events.
    Stacks => PanelTab {
        title: "Stacks",
        short_title: "Stacks",
        name: "show-stacks",
        command: "Show CloudFormation stack events",
        label: "stacks",
        keys: &["7"],
        strategy: LogSource::Stack.strategy(),
    };
    /// The Terraform output.
    Terraform => PanelTab {
        title: "Terraform",
        short_title: "Terraform",
        name: "show-terraform",
        command: "Show Terraform output",
        label: "terraform",
        keys: &["8"],
        strategy: LogSource::Terraform.strategy(),
    };
    /// The timing panel.
    Timing => PanelTab {
        title: "Timing",
        short_title: "Timing",
        name: "show-timing",
        command: "Show timing",
        label: "timing",
        keys: &["5"],
        strategy: None,
    };
    /// The test uploads.
    TestUpload => PanelTab {
        title: "Test upload",
        short_title: "Upload",
        name: "show-test-upload",
        command: "Test upload",
        label: "test upload",
        keys: &["6", "t"],
        strategy: None,
    };
}

impl Panel {
    /// Every panel, in the order of the tabs.
    pub fn tabs() -> Vec<Self> {
        let mut panels = Self::ALL.to_vec();
        panels.sort_by_key(|panel| panel.tab().keys[0]);
        panels
    }

    /// The panels of a strategy, in the order of the tabs.
    pub fn of(strategy: StrategyKind) -> Vec<Self> {
        let mut panels = Self::tabs();
        panels.retain(|panel| panel.tab().strategy.is_none_or(|only| only == strategy));
        panels
    }

    /// The panel at an offset from this one among the available panels, cyclic.
    pub fn offset_by(self, places: isize, panels: &[Self]) -> Self {
        let count = isize::try_from(panels.len()).expect("the count fits");
        let at = panels.iter().position(|panel| *panel == self).unwrap_or_default();
        let at = isize::try_from(at).expect("the count fits");
        panels[usize::try_from((at + places).rem_euclid(count)).expect("not negative")]
    }
}
