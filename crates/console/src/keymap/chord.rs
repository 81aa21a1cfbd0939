//! [`Chord`]: a key with what is held down with it, as people write it.

use std::fmt;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

/// A key with what is held down with it: `ctrl-c`, `D`, `pgdn`, `space`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Chord {
    code: KeyCode,
    modifiers: KeyModifiers,
}

const NAMED: &[(&str, KeyCode)] = &[
    ("enter", KeyCode::Enter),
    ("esc", KeyCode::Esc),
    ("tab", KeyCode::Tab),
    ("space", KeyCode::Char(' ')),
    ("up", KeyCode::Up),
    ("down", KeyCode::Down),
    ("left", KeyCode::Left),
    ("right", KeyCode::Right),
    ("pgup", KeyCode::PageUp),
    ("pgdn", KeyCode::PageDown),
    ("home", KeyCode::Home),
    ("end", KeyCode::End),
    ("backspace", KeyCode::Backspace),
    ("delete", KeyCode::Delete),
    ("insert", KeyCode::Insert),
];

impl Chord {
    /// The chord that a key event is. Shift is part of a letter, not beside it: terminals differ in telling it.
    pub fn of(key: KeyEvent) -> Self {
        let (mut code, mut modifiers) = (key.code, key.modifiers);
        modifiers &= KeyModifiers::CONTROL | KeyModifiers::ALT | KeyModifiers::SHIFT;
        if code == KeyCode::BackTab {
            code = KeyCode::Tab;
            modifiers |= KeyModifiers::SHIFT;
        }
        if let KeyCode::Char(letter) = code {
            if modifiers.contains(KeyModifiers::SHIFT) && letter.is_ascii_lowercase() {
                code = KeyCode::Char(letter.to_ascii_uppercase());
            }
            modifiers.remove(KeyModifiers::SHIFT);
        }
        Self { code, modifiers }
    }

    /// Whether it puts a sign into a line that is typed.
    pub fn is_typed(self) -> bool {
        matches!(self.code, KeyCode::Char(_)) && !self.modifiers.intersects(KeyModifiers::CONTROL | KeyModifiers::ALT)
    }

    /// A key event that is this chord.
    pub fn event(self) -> KeyEvent {
        KeyEvent::new(self.code, self.modifiers)
    }

    /// Reads a chord as people write it; none if that is no key.
    pub fn parse(text: &str) -> Option<Self> {
        let mut rest = text.trim();
        let mut modifiers = KeyModifiers::NONE;
        loop {
            let (prefix, modifier) = match rest.split_once('-') {
                Some((prefix, after)) if !after.is_empty() => (prefix, after),
                _ => break,
            };
            modifiers |= match prefix.to_ascii_lowercase().as_str() {
                "ctrl" => KeyModifiers::CONTROL,
                "alt" => KeyModifiers::ALT,
                "shift" => KeyModifiers::SHIFT,
                _ => return None,
            };
            rest = modifier;
        }
        let mut letters = rest.chars();
        let code = match (letters.next(), letters.next()) {
            (Some(letter), None) => KeyCode::Char(letter),
            _ => {
                let lower = rest.to_ascii_lowercase();
                let named = NAMED.iter().find(|(name, _)| *name == lower).map(|(_, code)| *code);
                let function = lower.strip_prefix('f').and_then(|digits| digits.parse().ok());
                named.or(function.filter(|number| (1..=12).contains(number)).map(KeyCode::F))?
            }
        };
        Some(Self::of(KeyEvent::new(code, modifiers)))
    }
}

impl fmt::Display for Chord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (modifier, word) in
            [(KeyModifiers::CONTROL, "ctrl-"), (KeyModifiers::ALT, "alt-"), (KeyModifiers::SHIFT, "shift-")]
        {
            if self.modifiers.contains(modifier) {
                f.write_str(word)?;
            }
        }
        if let Some((name, _)) = NAMED.iter().find(|(_, code)| *code == self.code) {
            return f.write_str(name);
        }
        match self.code {
            KeyCode::Char(letter) => write!(f, "{letter}"),
            KeyCode::F(number) => write!(f, "f{number}"),
            other => write!(f, "{other}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chord_is_read_as_it_is_written() {
        for text in ["ctrl-c", "D", "?", "pgdn", "space", "shift-tab", "alt-x", "f5", "-", "ctrl--", ":", "esc"] {
            assert_eq!(Chord::parse(text).expect(text).to_string(), text);
        }
        for text in ["", "hyper-x", "f13", "enterr", "ctrl-"] {
            assert_eq!(Chord::parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_capital_is_the_same_whether_shift_is_told_or_not() {
        let with_shift = KeyEvent::new(KeyCode::Char('D'), KeyModifiers::SHIFT);
        let without_shift = KeyEvent::new(KeyCode::Char('D'), KeyModifiers::NONE);
        let lower = KeyEvent::new(KeyCode::Char('d'), KeyModifiers::SHIFT);
        assert_eq!(Chord::of(with_shift), Chord::of(without_shift));
        assert_eq!(Chord::of(with_shift), Chord::of(lower));
        let back = KeyEvent::new(KeyCode::BackTab, KeyModifiers::SHIFT);
        assert_eq!(Chord::of(back), Chord::parse("shift-tab").expect("a key"));
    }
}
