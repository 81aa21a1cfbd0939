//! [`Chord`]: a key with modifiers, in the configuration's notation.

use std::fmt;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

/// A key with modifiers: `ctrl-c`, `D`, `pgdn`, `space`.
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
    /// The chord of a key event. Shift is part of a letter, since not all terminals report it.
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

    /// Whether the chord types a character.
    pub fn is_typed(self) -> bool {
        matches!(self.code, KeyCode::Char(_)) && !self.modifiers.intersects(KeyModifiers::CONTROL | KeyModifiers::ALT)
    }

    /// The key event of this chord.
    pub fn event(self) -> KeyEvent {
        KeyEvent::new(self.code, self.modifiers)
    }

    /// Parses a chord; none if the text is not a key.
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
        let code = if let (Some(letter), None) = (letters.next(), letters.next()) {
            KeyCode::Char(letter)
        } else {
            let lower = rest.to_ascii_lowercase();
            let named = NAMED.iter().find(|(name, _)| *name == lower).map(|(_, code)| *code);
            let function = lower.strip_prefix('f').and_then(|digits| digits.parse().ok());
            named.or(function.filter(|number| (1..=12).contains(number)).map(KeyCode::F))?
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
    fn chord_parse_and_display_round_trip() {
        for text in ["ctrl-c", "D", "?", "pgdn", "space", "shift-tab", "alt-x", "f5", "-", "ctrl--", ":", "esc"] {
            assert_eq!(Chord::parse(text).expect(text).to_string(), text);
        }
        for text in ["", "hyper-x", "f13", "enterr", "ctrl-"] {
            assert_eq!(Chord::parse(text), None, "{text}");
        }
    }

    #[test]
    fn capital_letter_equals_itself_with_shift() {
        let with_shift = KeyEvent::new(KeyCode::Char('D'), KeyModifiers::SHIFT);
        let without_shift = KeyEvent::new(KeyCode::Char('D'), KeyModifiers::NONE);
        let lower = KeyEvent::new(KeyCode::Char('d'), KeyModifiers::SHIFT);
        assert_eq!(Chord::of(with_shift), Chord::of(without_shift));
        assert_eq!(Chord::of(with_shift), Chord::of(lower));
        let back = KeyEvent::new(KeyCode::BackTab, KeyModifiers::SHIFT);
        assert_eq!(Chord::of(back), Chord::parse("shift-tab").expect("a key"));
    }
}
