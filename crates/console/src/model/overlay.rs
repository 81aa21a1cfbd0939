//! [`Overlay`]: dialogs over the panels, which receive all keys.

use thumbctl_core::resource::ResourceKind;
use tui_input::Input;

use crate::keymap::{Action, Context};

/// A dialog over the panels, which receives all keys.
#[derive(Clone, Debug)]
pub enum Overlay {
    /// The available keys, by context.
    Help {
        /// Lines scrolled down.
        scroll: u16,
    },
    /// The messages.
    Messages {
        /// Lines scrolled up from the end.
        scroll: u16,
    },
    /// The command palette.
    Palette {
        /// The input.
        input: Input,
        /// The index of the selected match.
        selected: usize,
    },
    /// A confirmation before a change.
    Confirm(ConfirmDialog),
    /// The options for the active run when quitting.
    Quitting,
}

/// A confirmation before a change.
#[derive(Clone, Debug)]
pub struct ConfirmDialog {
    /// The prompt, such as `Delete?`.
    pub prompt: String,
    /// The consequence, such as `Delete 15 resources and their contents from the sandbox?`.
    pub consequence: String,
    /// The affected resources.
    pub resources: Vec<(ResourceKind, String)>,
    /// Resources that are not touched.
    pub foreign: Vec<String>,
    /// The kind of input.
    pub input: ConfirmInput,
    /// The confirmed action.
    pub action: ConfirmAction,
    /// Lines scrolled down in the list of resources.
    pub scroll: u16,
}

/// The input of a confirmation.
#[derive(Clone, Debug)]
pub enum ConfirmInput {
    /// A single key.
    Key,
    /// The typed word `yes`, where costs may occur.
    Word(Input),
}

/// The action of a confirmation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConfirmAction {
    /// Starts the prepared run.
    Start,
    /// Cancels the active run.
    Cancel,
}

impl Overlay {
    /// The key contexts.
    pub fn contexts(&self) -> &'static [Context] {
        match self {
            Self::Help { .. } | Self::Messages { .. } => &[Context::Reading],
            Self::Palette { .. } | Self::Confirm(ConfirmDialog { input: ConfirmInput::Word(_), .. }) => {
                &[Context::Typing]
            }
            Self::Confirm(_) => &[Context::Confirm],
            Self::Quitting => &[Context::Quitting],
        }
    }
}

/// The actions that match the palette input, best first. All words must occur, in any order.
pub fn matching(typed: &str, actions: &[Action]) -> Vec<Action> {
    let typed = typed.to_lowercase();
    let words: Vec<&str> = typed.split_whitespace().collect();
    let mut found: Vec<(usize, Action)> = Vec::new();
    for action in actions {
        let name = format!("{} {}", action.title().to_lowercase(), action.name());
        let positions: Option<Vec<usize>> = words.iter().map(|word| name.find(word)).collect();
        if let Some(positions) = positions {
            found.push((positions.iter().sum(), *action));
        }
    }
    // Without input, the order of the help page applies.
    if !words.is_empty() {
        found.sort_by_key(|(position, action)| (*position, action.title().len()));
    }
    found.into_iter().map(|(_, action)| action).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn palette_matches_words_in_any_order() {
        assert_eq!(matching("deployment destr", &Action::all()), [Action::Destroy]);
        assert_eq!(matching("", &Action::all()), Action::all());
        assert_eq!(matching("nothing like it", &Action::all()), []);
        assert_eq!(matching("quit", &Action::all())[0], Action::Quit);
    }
}
