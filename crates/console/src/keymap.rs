//! [`KeyMap`]: which key does what, where. The one table from which keys are understood, and from which footer, help page
//! and command palette are made.

mod action;
mod chord;

use std::fmt;

use crossterm::event::KeyEvent;

pub use action::Action;
pub use chord::Chord;

/// Where a binding holds. Inner contexts are asked before [`Context::Everywhere`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Context {
    /// Wherever nothing is typed and no overlay is open.
    Everywhere,
    /// In the list of resources.
    Resources,
    /// In a resource's details.
    Details,
    /// In a log.
    Log,
    /// In the timing panel.
    Timing,
    /// In the trial panel, looking at results.
    TestUpload,
    /// In the trial panel's list of images to choose from.
    Chooser,
    /// In a question.
    Confirm,
    /// In the question what to do with a run when quitting.
    Quitting,
    /// In an overlay that is only read: help, earlier messages.
    Reading,
    /// While a line is typed: search, filter, path, palette, a word to confirm with.
    Typing,
    /// While a recording is played.
    Replay,
    /// Whatever is open, and also while a line is typed.
    Always,
}

/// One key in one context.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Binding {
    /// Where it holds.
    pub context: Context,
    /// What it does.
    pub action: Action,
    /// The keys that do it; the first is the one that is shown.
    pub chords: Vec<Chord>,
}

/// Which key does what, where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyMap {
    bindings: Vec<Binding>,
}

/// A key of the user's own, from the configuration file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CustomKeys {
    /// The action's name.
    pub action: String,
    /// Its keys, as written: `ctrl-b, B`.
    pub keys: String,
}

/// Why keys of the user's own cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyMapError {
    /// There is no such action.
    #[error("there is no action '{0}' to bind a key to; the console's help (`?`) and config.example.toml name them")]
    UnknownAction(String),
    /// That is no key.
    #[error("'{keys}' is no key for '{action}': write one or more such as D, ctrl-b, f5, space or pgdn, with commas")]
    UnknownKey {
        /// The action.
        action: String,
        /// What was written.
        keys: String,
    },
    /// One key would do two things in one place.
    #[error("key '{chord}' would mean both '{first}' and '{second}' {context}; give one of them another key")]
    Conflict {
        /// The key.
        chord: String,
        /// One meaning.
        first: &'static str,
        /// The other.
        second: &'static str,
        /// Where.
        context: Context,
    },
}

impl fmt::Display for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Everywhere => "everywhere",
            Self::Resources => "in the resources",
            Self::Details => "in the details",
            Self::Log => "in a log",
            Self::Timing => "in the timing panel",
            Self::TestUpload => "in the trial panel",
            Self::Chooser => "when choosing images",
            Self::Confirm => "in a question",
            Self::Quitting => "when quitting",
            Self::Reading => "in help and messages",
            Self::Typing => "when typing",
            Self::Replay => "in a replay",
            Self::Always => "always",
        })
    }
}

/// The keys of somebody who has chosen none. The order is the one in which footer and help show them.
const DEFAULTS: &[(Context, Action, &[&str])] = &[
    (Context::Replay, Action::Pause, &["space"]),
    (Context::Replay, Action::Faster, &["+", "="]),
    (Context::Replay, Action::Slower, &["-"]),
    (Context::Everywhere, Action::RunStep, &["enter"]),
    (Context::Everywhere, Action::RunAll, &["a"]),
    (Context::Everywhere, Action::Pause, &["space"]),
    (Context::Everywhere, Action::Cancel, &["x", "ctrl-c"]),
    (Context::Everywhere, Action::Destroy, &["D"]),
    (Context::Everywhere, Action::Refresh, &["r"]),
    (Context::Everywhere, Action::NextPanel, &["tab"]),
    (Context::Everywhere, Action::PreviousPanel, &["shift-tab"]),
    (Context::Everywhere, Action::ShowResources, &["1"]),
    (Context::Everywhere, Action::ShowDetails, &["2"]),
    (Context::Everywhere, Action::ShowBuild, &["3"]),
    (Context::Everywhere, Action::ShowFunction, &["4"]),
    (Context::Everywhere, Action::ShowTiming, &["5"]),
    (Context::Everywhere, Action::ShowTestUpload, &["6", "t"]),
    (Context::Everywhere, Action::ShowStacks, &["7"]),
    (Context::Everywhere, Action::ShowTerraform, &["8"]),
    (Context::Resources, Action::Up, &["k", "up"]),
    (Context::Resources, Action::Down, &["j", "down"]),
    (Context::Resources, Action::PageUp, &["pgup", "ctrl-u"]),
    (Context::Resources, Action::PageDown, &["pgdn", "ctrl-d"]),
    (Context::Resources, Action::Top, &["g", "home"]),
    (Context::Resources, Action::Bottom, &["G", "end"]),
    (Context::Resources, Action::ShowDetails, &["l", "right"]),
    (Context::Resources, Action::ToggleDependencies, &["d"]),
    (Context::Resources, Action::Copy, &["y"]),
    (Context::Resources, Action::Back, &["esc"]),
    (Context::Details, Action::Up, &["k", "up"]),
    (Context::Details, Action::Down, &["j", "down"]),
    (Context::Details, Action::PageUp, &["pgup", "ctrl-u"]),
    (Context::Details, Action::PageDown, &["pgdn", "ctrl-d"]),
    (Context::Details, Action::Top, &["g", "home"]),
    (Context::Details, Action::Bottom, &["G", "end"]),
    (Context::Details, Action::ShowResources, &["h", "left"]),
    (Context::Details, Action::Copy, &["y"]),
    (Context::Log, Action::Search, &["/"]),
    (Context::Log, Action::SearchNext, &["n"]),
    (Context::Log, Action::SearchPrevious, &["N"]),
    (Context::Log, Action::Filter, &["f"]),
    (Context::Log, Action::ToggleWrap, &["w"]),
    (Context::Log, Action::Copy, &["y"]),
    (Context::Log, Action::Save, &["s"]),
    (Context::Log, Action::Up, &["k", "up"]),
    (Context::Log, Action::Down, &["j", "down"]),
    (Context::Log, Action::Left, &["h", "left"]),
    (Context::Log, Action::Right, &["l", "right"]),
    (Context::Log, Action::PageUp, &["pgup", "ctrl-u", "b"]),
    (Context::Log, Action::PageDown, &["pgdn", "ctrl-d"]),
    (Context::Log, Action::Top, &["g", "home"]),
    (Context::Log, Action::Bottom, &["G", "end"]),
    (Context::Log, Action::Back, &["esc"]),
    (Context::Timing, Action::Up, &["k", "up"]),
    (Context::Timing, Action::Down, &["j", "down"]),
    (Context::Timing, Action::PageUp, &["pgup", "ctrl-u"]),
    (Context::Timing, Action::PageDown, &["pgdn", "ctrl-d"]),
    (Context::Timing, Action::Top, &["g", "home"]),
    (Context::Timing, Action::Bottom, &["G", "end"]),
    (Context::TestUpload, Action::Choose, &["i", "enter"]),
    (Context::TestUpload, Action::TypePath, &["/"]),
    (Context::TestUpload, Action::Enlarge, &["z", "space"]),
    (Context::TestUpload, Action::Save, &["s"]),
    (Context::TestUpload, Action::Left, &["h", "left"]),
    (Context::TestUpload, Action::Right, &["l", "right"]),
    (Context::TestUpload, Action::Up, &["k", "up"]),
    (Context::TestUpload, Action::Down, &["j", "down"]),
    (Context::TestUpload, Action::Back, &["esc"]),
    (Context::Chooser, Action::Send, &["enter"]),
    (Context::Chooser, Action::Mark, &["space"]),
    (Context::Chooser, Action::TypePath, &["/"]),
    (Context::Chooser, Action::Up, &["k", "up"]),
    (Context::Chooser, Action::Down, &["j", "down"]),
    (Context::Chooser, Action::Left, &["h", "left"]),
    (Context::Chooser, Action::Right, &["l", "right"]),
    (Context::Chooser, Action::PageUp, &["pgup", "ctrl-u"]),
    (Context::Chooser, Action::PageDown, &["pgdn", "ctrl-d"]),
    (Context::Chooser, Action::Top, &["g", "home"]),
    (Context::Chooser, Action::Bottom, &["G", "end"]),
    (Context::Chooser, Action::Back, &["esc"]),
    (Context::Confirm, Action::Accept, &["y"]),
    (Context::Confirm, Action::Back, &["n", "esc", "q"]),
    (Context::Confirm, Action::Up, &["k", "up"]),
    (Context::Confirm, Action::Down, &["j", "down"]),
    (Context::Quitting, Action::QuitAfter, &["w"]),
    (Context::Quitting, Action::QuitCancel, &["c"]),
    (Context::Quitting, Action::QuitLeave, &["l"]),
    (Context::Quitting, Action::Back, &["esc", "n"]),
    (Context::Reading, Action::Back, &["esc", "q", "?", "enter"]),
    (Context::Reading, Action::Up, &["k", "up"]),
    (Context::Reading, Action::Down, &["j", "down"]),
    (Context::Reading, Action::PageUp, &["pgup", "ctrl-u"]),
    (Context::Reading, Action::PageDown, &["pgdn", "ctrl-d", "space"]),
    (Context::Reading, Action::Top, &["g", "home"]),
    (Context::Reading, Action::Bottom, &["G", "end"]),
    (Context::Typing, Action::Accept, &["enter"]),
    (Context::Typing, Action::Back, &["esc", "ctrl-c"]),
    (Context::Typing, Action::Up, &["up", "ctrl-p"]),
    (Context::Typing, Action::Down, &["down", "ctrl-n"]),
    (Context::Everywhere, Action::Help, &["?"]),
    (Context::Everywhere, Action::Palette, &[":"]),
    (Context::Everywhere, Action::Messages, &["m"]),
    (Context::Always, Action::Suspend, &["ctrl-z"]),
    (Context::Always, Action::Redraw, &["ctrl-l"]),
    (Context::Everywhere, Action::Quit, &["q"]),
];

impl Default for KeyMap {
    fn default() -> Self {
        let binding = |(context, action, keys): &(Context, Action, &[&str])| Binding {
            context: *context,
            action: *action,
            chords: keys.iter().map(|key| Chord::parse(key).expect("the default keys are keys")).collect(),
        };
        Self { bindings: DEFAULTS.iter().map(binding).collect() }
    }
}

impl KeyMap {
    /// The default keys with those of the user's own in their place: an action that is named loses its default keys in
    /// every context where it has some.
    ///
    /// # Errors
    /// When an action or key is unknown, or one key would do two things in one place.
    pub fn with(custom: &[CustomKeys]) -> Result<Self, KeyMapError> {
        let mut map = Self::default();
        for CustomKeys { action: name, keys } in custom {
            let action = Action::from_name(name).ok_or_else(|| KeyMapError::UnknownAction(name.clone()))?;
            let unknown = || KeyMapError::UnknownKey { action: name.clone(), keys: keys.clone() };
            let chords: Vec<Chord> = keys
                .split(',')
                .map(Chord::parse)
                .collect::<Option<_>>()
                .filter(|all: &Vec<_>| !all.is_empty())
                .ok_or_else(unknown)?;
            for binding in map.bindings.iter_mut().filter(|binding| binding.action == action) {
                if binding.context == Context::Typing {
                    // A letter that is typed is that letter.
                    let others: Vec<Chord> = chords.iter().copied().filter(|chord| !chord.is_typed()).collect();
                    if !others.is_empty() {
                        binding.chords = others;
                    }
                } else {
                    binding.chords.clone_from(&chords);
                }
            }
        }
        map.check()?;
        Ok(map)
    }

    fn check(&self) -> Result<(), KeyMapError> {
        for (index, one) in self.bindings.iter().enumerate() {
            for other in self.bindings[index + 1..].iter().filter(|other| other.context == one.context) {
                if let Some(chord) = one.chords.iter().find(|chord| other.chords.contains(chord)) {
                    return Err(KeyMapError::Conflict {
                        chord: chord.to_string(),
                        first: one.action.name(),
                        second: other.action.name(),
                        context: one.context,
                    });
                }
            }
        }
        Ok(())
    }

    /// The actions that a key could mean, innermost context first.
    pub fn lookup<'a>(&'a self, contexts: &'a [Context], key: KeyEvent) -> impl Iterator<Item = Action> + 'a {
        let chord = Chord::of(key);
        contexts.iter().flat_map(move |context| {
            self.bindings
                .iter()
                .filter(move |binding| binding.context == *context && binding.chords.contains(&chord))
                .map(|binding| binding.action)
        })
    }

    /// The key that is shown for an action, where it has one in these contexts; innermost context first.
    pub fn chord_of(&self, contexts: &[Context], action: Action) -> Option<Chord> {
        contexts.iter().find_map(|context| {
            let binding = self.bindings.iter().find(|b| b.context == *context && b.action == action)?;
            binding.chords.first().copied()
        })
    }

    /// The bindings of one context, in the order in which they are shown.
    pub fn bindings(&self, context: Context) -> impl Iterator<Item = &Binding> {
        self.bindings.iter().filter(move |binding| binding.context == context)
    }
}

#[cfg(test)]
mod tests {
    use crossterm::event::{KeyCode, KeyModifiers};

    use super::*;

    fn custom(action: &str, keys: &str) -> CustomKeys {
        CustomKeys { action: action.into(), keys: keys.into() }
    }

    #[test]
    fn no_default_key_means_two_things_in_one_place() {
        assert_eq!(KeyMap::default().check(), Ok(()));
    }

    #[test]
    fn every_action_can_be_reached_by_a_key() {
        let map = KeyMap::default();
        for action in Action::ALL {
            assert!(map.bindings.iter().any(|binding| binding.action == *action), "{} has no key", action.name());
        }
    }

    #[test]
    fn a_key_of_the_users_own_takes_the_place_of_the_default() {
        let map = KeyMap::with(&[custom("destroy", "ctrl-x, f8")]).expect("good keys");
        let contexts = [Context::Everywhere];
        let key = |code, modifiers| KeyEvent::new(code, modifiers);
        let ctrl_x = key(KeyCode::Char('x'), KeyModifiers::CONTROL);
        assert_eq!(map.lookup(&contexts, ctrl_x).collect::<Vec<_>>(), [Action::Destroy]);
        assert_eq!(map.lookup(&contexts, key(KeyCode::Char('D'), KeyModifiers::NONE)).next(), None);
        assert_eq!(map.chord_of(&contexts, Action::Destroy).map(|chord| chord.to_string()), Some("ctrl-x".into()));
    }

    #[test]
    fn a_letter_that_is_bound_can_still_be_typed() {
        let map = KeyMap::with(&[custom("up", "e, f7"), custom("back", "u")]).expect("good keys");
        let typing = [Context::Typing];
        let key = |code| KeyEvent::new(code, KeyModifiers::NONE);
        assert_eq!(map.lookup(&typing, key(KeyCode::Char('e'))).next(), None);
        assert_eq!(map.lookup(&typing, key(KeyCode::F(7))).next(), Some(Action::Up));
        assert_eq!(map.lookup(&typing, key(KeyCode::Esc)).next(), Some(Action::Back), "there must be a way out");
        assert_eq!(map.lookup(&[Context::Resources], key(KeyCode::Char('e'))).next(), Some(Action::Up));
    }

    #[test]
    fn keys_that_cannot_be_are_refused_with_a_sentence() {
        assert!(matches!(KeyMap::with(&[custom("fly", "f")]), Err(KeyMapError::UnknownAction(_))));
        assert!(matches!(KeyMap::with(&[custom("quit", "qq")]), Err(KeyMapError::UnknownKey { .. })));
        assert!(matches!(KeyMap::with(&[custom("quit", "")]), Err(KeyMapError::UnknownKey { .. })));
        let error = KeyMap::with(&[custom("quit", "a")]).expect_err("a key that is taken");
        assert!(error.to_string().contains("both 'run-on' and 'quit' everywhere"), "{error}");
    }
}
