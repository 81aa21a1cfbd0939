//! [`Overlay`]: what lies over the panels and takes the keys.

use thumbctl_core::resource::ResourceKind;
use tui_input::Input;

use crate::keymap::{Action, Context};

/// What lies over the panels and takes the keys.
#[derive(Clone, Debug)]
pub enum Overlay {
    /// The keys that work, by context; so many lines scrolled down.
    Help {
        /// Lines scrolled down.
        scroll: u16,
    },
    /// Earlier messages; so many lines scrolled up from the end.
    Messages {
        /// Lines scrolled up.
        scroll: u16,
    },
    /// All commands by name.
    Palette {
        /// What was typed.
        input: Input,
        /// Which of the entries that match is selected.
        selected: usize,
    },
    /// A question before something is done.
    Confirm(ConfirmDialog),
    /// What to do with what runs, when quitting.
    Quitting,
}

/// A question before something is done.
#[derive(Clone, Debug)]
pub struct ConfirmDialog {
    /// What is asked: `Delete them?`
    pub prompt: String,
    /// What would happen, in a sentence: `This deletes 15 resources and all that is in them.`
    pub consequence: String,
    /// Which resources it is about.
    pub resources: Vec<(ResourceKind, String)>,
    /// What is left alone.
    pub foreign: Vec<String>,
    /// How it is answered.
    pub input: ConfirmInput,
    /// What a yes does.
    pub action: ConfirmAction,
    /// Lines scrolled down in the list of resources.
    pub scroll: u16,
}

/// How a question is answered.
#[derive(Clone, Debug)]
pub enum ConfirmInput {
    /// With one key.
    Key,
    /// With the word `yes`, typed: somebody's money.
    Word(Input),
}

/// What a question is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConfirmAction {
    /// Whether the run that is ready shall begin.
    Start,
    /// Whether what runs shall be cancelled.
    Cancel,
}

impl Overlay {
    /// The contexts in which keys are understood.
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

/// The commands whose names match what was typed into the palette, best first: all words must be there, in any order.
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
    // Without a word to look for, they stay in the order of the help page.
    if !words.is_empty() {
        found.sort_by_key(|(position, action)| (*position, action.title().len()));
    }
    found.into_iter().map(|(_, action)| action).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_palette_finds_by_parts_of_the_name_in_any_order() {
        assert_eq!(matching("everything destr", Action::ALL), [Action::Destroy]);
        assert_eq!(matching("", Action::ALL), Action::ALL);
        assert_eq!(matching("nothing like it", Action::ALL), []);
        assert_eq!(matching("quit", Action::ALL)[0], Action::Quit);
    }
}
