//! [`Parser`]: separates terminal replies from user input, byte by byte.

use crossterm::event::{Event, KeyCode, KeyEvent, KeyModifiers};

/// The maximum length of a sequence; longer ones are not replies.
const MAX_SEQUENCE: usize = 4096;

/// The maximum length of pasted text.
const MAX_PASTED: usize = 1 << 20;

/// A reply or user input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InputItem {
    /// A reply to a query.
    Reply(TerminalReply),
    /// A key or paste of the user.
    Typed(Event),
}

/// A reply to a terminal query.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TerminalReply {
    /// Kitty graphics are supported.
    Kitty,
    /// The cell width and height in pixels.
    Cell(u16, u16),
    /// The red, green and blue of the background.
    Background(u8, u8, u8),
    /// The terminal's name and version.
    Version(String),
    /// The device attributes: the last reply.
    Attributes {
        /// Whether sixel graphics are supported.
        sixel: bool,
    },
}

/// The state of the parser.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
enum ParserState {
    /// Outside of sequences.
    #[default]
    Ground,
    /// In a multi-byte character, with the number of remaining bytes.
    Letter(usize),
    /// After an escape.
    Escape,
    /// After `ESC O`.
    Single,
    /// In `ESC [ …`.
    Control,
    /// In a string that starts with this character, up to BEL or ST.
    Text(u8),
    /// In a string, after an escape.
    TextEscape(u8),
    /// In pasted text.
    Pasted,
}

/// Separates terminal replies from user input.
#[derive(Clone, Debug, Default)]
pub struct Parser {
    state: ParserState,
    bytes: Vec<u8>,
}

const PASTE_ENDS: &[u8] = b"\x1b[201~";

impl Parser {
    /// Whether a sequence is incomplete.
    pub fn is_in_sequence(&self) -> bool {
        self.state != ParserState::Ground
    }

    /// Parses bytes.
    pub fn push(&mut self, bytes: &[u8]) -> Vec<InputItem> {
        let mut items = Vec::new();
        for byte in bytes {
            self.byte(*byte, &mut items);
        }
        items
    }

    /// Ends the input: a pending escape is the escape key; incomplete sequences are dropped.
    pub fn finish(&mut self) -> Vec<InputItem> {
        let state = std::mem::take(&mut self.state);
        let bytes = std::mem::take(&mut self.bytes);
        match state {
            ParserState::Escape => vec![key(KeyCode::Esc)],
            ParserState::Single => vec![alt('O')],
            ParserState::Control if bytes.is_empty() => vec![alt('[')],
            ParserState::Pasted => vec![pasted(&bytes)],
            _ => Vec::new(),
        }
    }

    fn byte(&mut self, byte: u8, items: &mut Vec<InputItem>) {
        match self.state {
            ParserState::Ground => self.ground(byte, items),
            ParserState::Letter(left) => self.letter(left, byte, items),
            ParserState::Escape => self.escape(byte, items),
            ParserState::Single => {
                self.state = ParserState::Ground;
                items.extend(named(byte, 1).map(typed));
            }
            ParserState::Control => self.control(byte, items),
            ParserState::Text(kind) => match byte {
                0x07 => self.end_text(kind, items),
                0x1b => self.state = ParserState::TextEscape(kind),
                byte => self.buffer_byte(byte),
            },
            ParserState::TextEscape(kind) => {
                self.end_text(kind, items);
                if byte != b'\\' {
                    // The string was interrupted by another sequence.
                    self.state = ParserState::Escape;
                    self.escape(byte, items);
                }
            }
            ParserState::Pasted => {
                if self.bytes.len() < MAX_PASTED || self.bytes.ends_with(&PASTE_ENDS[..PASTE_ENDS.len() - 1]) {
                    self.bytes.push(byte);
                } else {
                    // Only the end marker still matters.
                    let tail = self.bytes.len() - PASTE_ENDS.len();
                    self.bytes.remove(tail);
                    self.bytes.push(byte);
                }
                if self.bytes.ends_with(PASTE_ENDS) {
                    self.bytes.truncate(self.bytes.len() - PASTE_ENDS.len());
                    items.push(pasted(&self.bytes));
                    self.reset();
                }
            }
        }
    }

    fn reset(&mut self) {
        self.state = ParserState::Ground;
        self.bytes.clear();
    }

    fn buffer_byte(&mut self, byte: u8) {
        if self.bytes.len() < MAX_SEQUENCE {
            self.bytes.push(byte);
        }
    }

    fn ground(&mut self, byte: u8, items: &mut Vec<InputItem>) {
        match byte {
            0x1b => self.state = ParserState::Escape,
            0x00..=0x7f => items.extend(plain(byte).map(typed)),
            0xc2..=0xf4 => {
                self.bytes.push(byte);
                self.state = ParserState::Letter(if byte < 0xe0 {
                    1
                } else if byte < 0xf0 {
                    2
                } else {
                    3
                });
            }
            _ => {}
        }
    }

    fn letter(&mut self, left: usize, byte: u8, items: &mut Vec<InputItem>) {
        if byte & 0xc0 != 0x80 {
            // The character was interrupted.
            self.reset();
            return self.ground(byte, items);
        }
        self.bytes.push(byte);
        if left > 1 {
            self.state = ParserState::Letter(left - 1);
            return;
        }
        let letter = std::str::from_utf8(&self.bytes).ok().and_then(|text| text.chars().next());
        items.extend(letter.map(|letter| key(KeyCode::Char(letter))));
        self.reset();
    }

    fn escape(&mut self, byte: u8, items: &mut Vec<InputItem>) {
        self.bytes.clear();
        self.state = match byte {
            b'[' => ParserState::Control,
            b'O' => ParserState::Single,
            b']' | b'P' | b'_' | b'^' | b'X' => ParserState::Text(byte),
            0x1b => {
                items.push(key(KeyCode::Esc));
                ParserState::Escape
            }
            byte => {
                if let Some(mut pressed) = plain(byte) {
                    pressed.modifiers |= KeyModifiers::ALT;
                    items.push(typed(pressed));
                }
                ParserState::Ground
            }
        };
    }

    fn control(&mut self, byte: u8, items: &mut Vec<InputItem>) {
        match byte {
            0x40..=0x7e => {
                let body = std::mem::take(&mut self.bytes);
                self.state = ParserState::Ground;
                if byte == b'~' && body == b"200" {
                    self.state = ParserState::Pasted;
                    return;
                }
                items.extend(sequence(&body, byte));
            }
            0x20..=0x3f => self.buffer_byte(byte),
            0x1b => {
                self.bytes.clear();
                self.state = ParserState::Escape;
            }
            // Control characters are invalid in a sequence.
            _ => self.reset(),
        }
    }

    fn end_text(&mut self, kind: u8, items: &mut Vec<InputItem>) {
        let text = String::from_utf8_lossy(&self.bytes).into_owned();
        self.reset();
        let answer = match kind {
            b'_' => text.strip_prefix('G').filter(|rest| rest.ends_with(";OK")).map(|_| TerminalReply::Kitty),
            b']' => text.strip_prefix("11;").and_then(colour).map(|(r, g, b)| TerminalReply::Background(r, g, b)),
            b'P' => text.strip_prefix(">|").map(|version| TerminalReply::Version(version.to_owned())),
            _ => None,
        };
        items.extend(answer.map(InputItem::Reply));
    }
}

/// Parses `ESC [ body end`; none if it is neither a reply nor a known key.
fn sequence(body: &[u8], end: u8) -> Option<InputItem> {
    let body = std::str::from_utf8(body).ok()?;
    if let Some(attributes) = body.strip_prefix('?') {
        let sixel = attributes.split(';').skip(1).any(|attribute| attribute == "4");
        return (end == b'c').then_some(InputItem::Reply(TerminalReply::Attributes { sixel }));
    }
    if body.starts_with(['<', '>', '=']) {
        return None;
    }
    let mut numbers = body.split(';').map(|number| number.parse::<u16>().ok());
    let first = numbers.next().flatten();
    let second = numbers.next().flatten();
    if end == b't' {
        let third = numbers.next().flatten();
        return match (first, second, third) {
            (Some(6), Some(height), Some(width)) => Some(InputItem::Reply(TerminalReply::Cell(width, height))),
            _ => None,
        };
    }
    let modifiers = second.unwrap_or(1);
    if end != b'~' {
        return named(end, modifiers).map(typed);
    }
    let code = match first? {
        1 | 7 => KeyCode::Home,
        2 => KeyCode::Insert,
        3 => KeyCode::Delete,
        4 | 8 => KeyCode::End,
        5 => KeyCode::PageUp,
        6 => KeyCode::PageDown,
        number @ 11..=15 => KeyCode::F(u8::try_from(number - 10).ok()?),
        number @ 17..=21 => KeyCode::F(u8::try_from(number - 11).ok()?),
        number @ 23..=24 => KeyCode::F(u8::try_from(number - 12).ok()?),
        _ => return None,
    };
    Some(typed(KeyEvent::new(code, held(modifiers))))
}

/// The key of a sequence that ends with a letter.
fn named(end: u8, modifiers: u16) -> Option<KeyEvent> {
    let code = match end {
        b'A' => KeyCode::Up,
        b'B' => KeyCode::Down,
        b'C' => KeyCode::Right,
        b'D' => KeyCode::Left,
        b'H' => KeyCode::Home,
        b'F' => KeyCode::End,
        b'Z' => return Some(KeyEvent::new(KeyCode::BackTab, KeyModifiers::SHIFT)),
        b'P'..=b'S' => KeyCode::F(end - b'P' + 1),
        _ => return None,
    };
    Some(KeyEvent::new(code, held(modifiers)))
}

/// The modifiers of a key, encoded as one plus a bit set.
fn held(number: u16) -> KeyModifiers {
    let bits = number.saturating_sub(1);
    let mut modifiers = KeyModifiers::NONE;
    for (bit, modifier) in [(1, KeyModifiers::SHIFT), (2, KeyModifiers::ALT), (4, KeyModifiers::CONTROL)] {
        if bits & bit != 0 {
            modifiers |= modifier;
        }
    }
    modifiers
}

/// The key of a single byte.
fn plain(byte: u8) -> Option<KeyEvent> {
    let control = |letter: u8| KeyEvent::new(KeyCode::Char(char::from(letter)), KeyModifiers::CONTROL);
    Some(match byte {
        b'\r' => KeyEvent::new(KeyCode::Enter, KeyModifiers::NONE),
        b'\t' => KeyEvent::new(KeyCode::Tab, KeyModifiers::NONE),
        0x7f => KeyEvent::new(KeyCode::Backspace, KeyModifiers::NONE),
        0x00 => control(b' '),
        0x01..=0x1a => control(byte - 1 + b'a'),
        0x1c..=0x1f => control(byte - 0x1c + b'4'),
        0x20..=0x7e => {
            let shift = if byte.is_ascii_uppercase() { KeyModifiers::SHIFT } else { KeyModifiers::NONE };
            KeyEvent::new(KeyCode::Char(char::from(byte)), shift)
        }
        _ => return None,
    })
}

/// Parses a colour in X11 notation, `rgb:hhhh/hhhh/hhhh`, with one to four digits each.
fn colour(text: &str) -> Option<(u8, u8, u8)> {
    let text = text.strip_prefix("rgb:").or_else(|| text.strip_prefix("rgba:"))?;
    let mut parts = text.split('/').map(|part| {
        let most = match part.len() {
            1..=4 => (1_u32 << (4 * part.len())) - 1,
            _ => return None,
        };
        let value = u32::from_str_radix(part, 16).ok()?;
        u8::try_from(value * 255 / most).ok()
    });
    Some((parts.next()??, parts.next()??, parts.next()??))
}

fn key(code: KeyCode) -> InputItem {
    typed(KeyEvent::new(code, KeyModifiers::NONE))
}

fn alt(letter: char) -> InputItem {
    typed(KeyEvent::new(KeyCode::Char(letter), KeyModifiers::ALT))
}

fn typed(key: KeyEvent) -> InputItem {
    InputItem::Typed(Event::Key(key))
}

fn pasted(bytes: &[u8]) -> InputItem {
    InputItem::Typed(Event::Paste(String::from_utf8_lossy(bytes).into_owned()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn items(bytes: &[u8]) -> Vec<InputItem> {
        let mut parser = Parser::default();
        let mut items = parser.push(bytes);
        items.extend(parser.finish());
        items
    }

    fn pressed(code: KeyCode, modifiers: KeyModifiers) -> InputItem {
        typed(KeyEvent::new(code, modifiers))
    }

    /// Terminal replies mixed with keys.
    const TALK: &[u8] = b"a\x1b_Gi=31;OK\x1b\\j\x1b]11;rgb:1e1e/2020/2828\x1b\\\x1b[A\x1b[6;20;10t\xc3\xa9\
        \x1bP>|kitty(0.32.0)\x1b\\\x1b[200~/tmp/my photo.jpg\x1b[201~\x1b[?62;4;22c\x1b";

    fn talk() -> Vec<InputItem> {
        vec![
            key(KeyCode::Char('a')),
            InputItem::Reply(TerminalReply::Kitty),
            key(KeyCode::Char('j')),
            InputItem::Reply(TerminalReply::Background(0x1e, 0x20, 0x28)),
            key(KeyCode::Up),
            InputItem::Reply(TerminalReply::Cell(10, 20)),
            key(KeyCode::Char('é')),
            InputItem::Reply(TerminalReply::Version("kitty(0.32.0)".into())),
            InputItem::Typed(Event::Paste("/tmp/my photo.jpg".into())),
            InputItem::Reply(TerminalReply::Attributes { sixel: true }),
            key(KeyCode::Esc),
        ]
    }

    #[test]
    fn replies_and_keys_are_separated() {
        assert_eq!(items(TALK), talk());
    }

    #[test]
    fn all_supported_keys_are_parsed() {
        let none = KeyModifiers::NONE;
        for (bytes, expected) in [
            (&b"\r"[..], pressed(KeyCode::Enter, none)),
            (b"\t", pressed(KeyCode::Tab, none)),
            (b"\x1b[Z", pressed(KeyCode::BackTab, KeyModifiers::SHIFT)),
            (b"\x7f", pressed(KeyCode::Backspace, none)),
            (b"\x1b", pressed(KeyCode::Esc, none)),
            (b"\x1b[D", pressed(KeyCode::Left, none)),
            (b"\x1bOC", pressed(KeyCode::Right, none)),
            (b"\x1b[H", pressed(KeyCode::Home, none)),
            (b"\x1b[4~", pressed(KeyCode::End, none)),
            (b"\x1b[5~", pressed(KeyCode::PageUp, none)),
            (b"\x1b[6~", pressed(KeyCode::PageDown, none)),
            (b"\x1b[15~", pressed(KeyCode::F(5), none)),
            (b"\x1b[24~", pressed(KeyCode::F(12), none)),
            (b"\x1bOP", pressed(KeyCode::F(1), none)),
            (b"\x1b[1;5C", pressed(KeyCode::Right, KeyModifiers::CONTROL)),
            (b"\x03", pressed(KeyCode::Char('c'), KeyModifiers::CONTROL)),
            (b"D", pressed(KeyCode::Char('D'), KeyModifiers::SHIFT)),
            (b"\x1bx", pressed(KeyCode::Char('x'), KeyModifiers::ALT)),
            ("日".as_bytes(), pressed(KeyCode::Char('日'), none)),
        ] {
            assert_eq!(items(bytes), [expected], "{bytes:?}");
        }
    }

    #[test]
    fn unknown_sequences_are_dropped() {
        assert_eq!(items(b"\x1b[<0;10;5M"), [], "the mouse");
        assert_eq!(items(b"\x1b[I\x1b[8;24;80t\x1b[>1;2c\x1b]52;c;AAAA\x07\x1b_Gi=31;ENOENT\x1b\\"), []);
        assert_eq!(items(b"\x1b[?1;2"), [], "an incomplete reply");
        assert_eq!(items(b"\xff\xc3("), [key(KeyCode::Char('('))]);
    }

    #[test]
    fn two_escapes_are_two_keys() {
        assert_eq!(items(b"\x1b\x1b"), [key(KeyCode::Esc), key(KeyCode::Esc)]);
    }

    #[test]
    fn colours_have_one_to_four_digits() {
        assert_eq!(colour("rgb:f/f/f"), Some((255, 255, 255)));
        assert_eq!(colour("rgb:80/00/ff"), Some((128, 0, 255)));
        assert_eq!(colour("rgba:ffff/0000/8080/ffff"), Some((255, 0, 128)));
        assert_eq!(colour("rgb:12345/0/0"), None);
        assert_eq!(colour("#ffffff"), None);
    }

    proptest! {
        #[test]
        fn result_does_not_depend_on_chunks(cuts in proptest::collection::vec(0..TALK.len(), 0..6)) {
            let mut cuts = cuts;
            cuts.extend([0, TALK.len()]);
            cuts.sort_unstable();
            let mut parser = Parser::default();
            let mut all = Vec::new();
            for pair in cuts.windows(2) {
                all.extend(parser.push(&TALK[pair[0]..pair[1]]));
            }
            all.extend(parser.finish());
            prop_assert_eq!(all, talk());
        }

        #[test]
        fn parser_recovers_after_any_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            let mut parser = Parser::default();
            parser.push(&bytes);
            parser.finish();
            // After the end of input, the next key is parsed.
            prop_assert_eq!(parser.push(b"q"), vec![key(KeyCode::Char('q'))]);
        }
    }
}
