//! [`KeyMap`]: the key bindings by context, for key handling, footer, help and command palette.

mod action;
mod chord;

use std::fmt;

use crossterm::event::KeyEvent;

pub use action::Action;
pub use chord::Chord;

use crate::panel::Panel;

/// The scope of a binding. Inner contexts take precedence over [`Context::Everywhere`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Context {
    /// Everywhere, unless an input line or an overlay is open.
    Everywhere,
    /// A panel or a part of it, as named in help and errors, such as `in logs`.
    Panel(&'static str),
    /// A confirmation dialog.
    Confirm,
    /// The quit dialog.
    Quitting,
    /// A read-only overlay: help, messages.
    Reading,
    /// An input line: search, filter, path, palette, confirmation word.
    Typing,
    /// A replay.
    Replay,
    /// Everywhere, also in overlays and input lines.
    Always,
}

/// The keys of an action in one context.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Binding {
    /// The context.
    pub context: Context,
    /// The action.
    pub action: Action,
    /// The keys; the first one is displayed.
    pub chords: Vec<Chord>,
}

/// The key bindings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyMap {
    bindings: Vec<Binding>,
}

/// A key binding from the configuration file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CustomKeys {
    /// The action's name.
    pub action: String,
    /// The keys, as written: `ctrl-b, B`.
    pub keys: String,
}

/// Errors in custom key bindings.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyMapError {
    /// The action is unknown.
    #[error("unknown action '{0}'; the console's help (`?`) and config.example.toml list the actions")]
    UnknownAction(String),
    /// The key is unknown.
    #[error("invalid keys '{keys}' for '{action}': use keys such as D, ctrl-b, f5, space or pgdn, separated by commas")]
    UnknownKey {
        /// The action.
        action: String,
        /// The text in the configuration file.
        keys: String,
    },
    /// One key has two actions in one context.
    #[error("key '{chord}' is bound to both '{first}' and '{second}' {context}; change one of them")]
    Conflict {
        /// The key.
        chord: String,
        /// The first action.
        first: &'static str,
        /// The second action.
        second: &'static str,
        /// The context.
        context: Context,
    },
}

impl fmt::Display for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Everywhere => "everywhere",
            Self::Panel(name) => name,
            Self::Confirm => "in a confirmation",
            Self::Quitting => "when quitting",
            Self::Reading => "in help and messages",
            Self::Typing => "in input lines",
            Self::Replay => "in replays",
            Self::Always => "always",
        })
    }
}

/// Default keys: context, action, keys.
pub type DefaultKeys = (Context, Action, &'static [&'static str]);

/// The default keys of runs and replays, in the order of footer and help. The keys of the panels follow.
const RUN_KEYS: &[DefaultKeys] = &[
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
];

/// The default keys of overlays and input lines, and the global ones at the end of the help.
const OTHER_KEYS: &[DefaultKeys] = &[
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

/// The default keys that scroll a text or a list in a context.
pub fn scroll_keys(context: Context) -> [DefaultKeys; 6] {
    [
        (context, Action::Up, &["k", "up"]),
        (context, Action::Down, &["j", "down"]),
        (context, Action::PageUp, &["pgup", "ctrl-u"]),
        (context, Action::PageDown, &["pgdn", "ctrl-d"]),
        (context, Action::Top, &["g", "home"]),
        (context, Action::Bottom, &["G", "end"]),
    ]
}

impl KeyMap {
    /// The default bindings, with those of the panels.
    pub fn of(panels: &[DefaultKeys]) -> Self {
        let shows = Panel::tabs().into_iter().map(|panel| (Context::Everywhere, Action::Show(panel), panel.tab().keys));
        let binding = |(context, action, keys): DefaultKeys| Binding {
            context,
            action,
            chords: keys.iter().map(|key| Chord::parse(key).expect("the default keys are valid")).collect(),
        };
        let all = RUN_KEYS.iter().copied().chain(shows).chain(panels.iter().copied()).chain(OTHER_KEYS.iter().copied());
        Self { bindings: all.map(binding).collect() }
    }

    /// The default bindings, overridden by custom ones. A custom binding replaces the action's keys in all its contexts.
    ///
    /// # Errors
    /// If an action or key is unknown, or a key has two actions in one context.
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
                    // Letters must remain usable as input.
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

    /// The actions bound to a key, innermost context first.
    pub fn lookup<'a>(&'a self, contexts: &'a [Context], key: KeyEvent) -> impl Iterator<Item = Action> + 'a {
        let chord = Chord::of(key);
        contexts.iter().flat_map(move |context| {
            self.bindings
                .iter()
                .filter(move |binding| binding.context == *context && binding.chords.contains(&chord))
                .map(|binding| binding.action)
        })
    }

    /// The displayed key of an action in these contexts, innermost context first.
    pub fn chord_of(&self, contexts: &[Context], action: Action) -> Option<Chord> {
        contexts.iter().find_map(|context| {
            let binding = self.bindings.iter().find(|b| b.context == *context && b.action == action)?;
            binding.chords.first().copied()
        })
    }

    /// The bindings of one context, in display order.
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
    fn default_keys_have_no_conflict() {
        assert_eq!(KeyMap::default().check(), Ok(()));
    }

    #[test]
    fn every_action_has_a_key() {
        let map = KeyMap::default();
        for action in &Action::all() {
            assert!(map.bindings.iter().any(|binding| binding.action == *action), "{} has no key", action.name());
        }
    }

    #[test]
    fn custom_key_replaces_default() {
        let map = KeyMap::with(&[custom("destroy", "ctrl-x, f8")]).expect("good keys");
        let contexts = [Context::Everywhere];
        let key = |code, modifiers| KeyEvent::new(code, modifiers);
        let ctrl_x = key(KeyCode::Char('x'), KeyModifiers::CONTROL);
        assert_eq!(map.lookup(&contexts, ctrl_x).collect::<Vec<_>>(), [Action::Destroy]);
        assert_eq!(map.lookup(&contexts, key(KeyCode::Char('D'), KeyModifiers::NONE)).next(), None);
        assert_eq!(map.chord_of(&contexts, Action::Destroy).map(|chord| chord.to_string()), Some("ctrl-x".into()));
    }

    #[test]
    fn bound_letter_can_be_typed_in_input_line() {
        let map = KeyMap::with(&[custom("up", "e, f7"), custom("back", "u")]).expect("good keys");
        let typing = [Context::Typing];
        let key = |code| KeyEvent::new(code, KeyModifiers::NONE);
        assert_eq!(map.lookup(&typing, key(KeyCode::Char('e'))).next(), None);
        assert_eq!(map.lookup(&typing, key(KeyCode::F(7))).next(), Some(Action::Up));
        assert_eq!(map.lookup(&typing, key(KeyCode::Esc)).next(), Some(Action::Back), "escape must keep working");
        assert_eq!(map.lookup(&[crate::pane::resources::KEYS], key(KeyCode::Char('e'))).next(), Some(Action::Up));
    }

    #[test]
    fn invalid_custom_keys_are_rejected() {
        assert!(matches!(KeyMap::with(&[custom("fly", "f")]), Err(KeyMapError::UnknownAction(_))));
        assert!(matches!(KeyMap::with(&[custom("quit", "qq")]), Err(KeyMapError::UnknownKey { .. })));
        assert!(matches!(KeyMap::with(&[custom("quit", "")]), Err(KeyMapError::UnknownKey { .. })));
        let error = KeyMap::with(&[custom("quit", "a")]).expect_err("a conflict");
        assert!(error.to_string().contains("both 'run-all' and 'quit' everywhere"), "{error}");
    }
}
