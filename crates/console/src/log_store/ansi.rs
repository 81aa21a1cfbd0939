//! Parses the escape sequences of a log line: colours are kept, all other sequences removed.
//!
//! Colours are separate from the text, so that a search ignores them. The crate `ansi-to-tui` is not used: it keeps
//! blinking and hidden text, and handles neither carriage returns nor tabs.

use ratatui::style::{Color, Modifier, Style};

use thumbctl_platform::text;

/// Columns from one tab stop to the next.
const TAB: usize = 8;

/// A text with styled ranges.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StyledText {
    /// The text, without control characters.
    pub text: String,
    /// The styled ranges, in order and without overlap.
    pub ranges: Vec<StyledRange>,
}

/// A range with a style.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StyledRange {
    /// The first byte.
    pub start: usize,
    /// The byte after the last.
    pub end: usize,
    /// The style. Colours are indexed or RGB.
    pub style: Style,
}

/// Parses a line. Styles end with the line, since sources may be mixed.
pub fn read(line: &str) -> StyledText {
    let line = line.trim_end_matches(['\r', '\n']);
    if line.bytes().all(|byte| (0x20..0x7f).contains(&byte)) {
        return StyledText { text: line.to_owned(), ranges: Vec::new() };
    }
    let mut reader = Reader::default();
    let mut rest = line.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '\u{1b}' | '\u{90}' | '\u{98}' | '\u{9b}' | '\u{9d}' | '\u{9e}' | '\u{9f}' => {
                text::skip_escape(c, &mut rest).into_iter().for_each(|parameters| reader.set_style(&parameters));
            }
            '\t' => {
                let column = text::width(&reader.out.text);
                (column % TAB..TAB).for_each(|_| reader.put(' '));
            }
            // Progress bars overwrite the line: only the text after the last carriage return counts.
            '\r' => reader.returned = true,
            c if text::is_unsafe(c) => reader.put(char::REPLACEMENT_CHARACTER),
            c => reader.put(c),
        }
    }
    reader.close();
    reader.out
}

#[derive(Default)]
struct Reader {
    out: StyledText,
    style: Style,
    /// The start of the range with the current style.
    since: usize,
    /// Whether a carriage return is pending.
    returned: bool,
}

impl Reader {
    fn put(&mut self, c: char) {
        if self.returned {
            self.returned = false;
            self.out.text.clear();
            self.out.ranges.clear();
            self.since = 0;
        }
        self.out.text.push(c);
    }

    fn close(&mut self) {
        let end = self.out.text.len();
        if end > self.since && self.style != Style::new() {
            self.out.ranges.push(StyledRange { start: self.since, end, style: self.style });
        }
        self.since = end;
    }

    fn set_style(&mut self, parameters: &str) {
        if parameters.chars().all(|c| c.is_ascii_digit() || c == ';' || c == ':') {
            let style = rendition(self.style, parameters);
            if style != self.style {
                self.close();
                self.style = style;
            }
        }
    }
}

/// The style after a "select graphic rendition" sequence. Blinking and hidden text is ignored.
fn rendition(mut style: Style, parameters: &str) -> Style {
    let mut groups = parameters.split(';');
    while let Some(group) = groups.next() {
        let mut parts = group.split(':');
        let code = number(parts.next());
        let flag = match code {
            0 => {
                style = Style::new();
                continue;
            }
            1 => Modifier::BOLD,
            2 => Modifier::DIM,
            3 => Modifier::ITALIC,
            4 if parts.next() != Some("0") => Modifier::UNDERLINED,
            7 => Modifier::REVERSED,
            9 => Modifier::CROSSED_OUT,
            4 | 22 | 23 | 24 | 27 | 29 => {
                let off = match code {
                    22 => Modifier::BOLD | Modifier::DIM,
                    23 => Modifier::ITALIC,
                    27 => Modifier::REVERSED,
                    29 => Modifier::CROSSED_OUT,
                    _ => Modifier::UNDERLINED,
                };
                style.add_modifier -= off;
                continue;
            }
            30..=37 => {
                style.fg = Some(indexed(code - 30));
                continue;
            }
            90..=97 => {
                style.fg = Some(indexed(code - 82));
                continue;
            }
            40..=47 => {
                style.bg = Some(indexed(code - 40));
                continue;
            }
            100..=107 => {
                style.bg = Some(indexed(code - 92));
                continue;
            }
            39 => {
                style.fg = None;
                continue;
            }
            49 => {
                style.bg = None;
                continue;
            }
            38 | 48 | 58 => {
                let written: Vec<&str> = parts.collect();
                let colour = if written.is_empty() { colour_of(&mut groups) } else { colour_in(&written) };
                match (code, colour) {
                    (38, Some(colour)) => style.fg = Some(colour),
                    (48, Some(colour)) => style.bg = Some(colour),
                    _ => {}
                }
                continue;
            }
            _ => continue,
        };
        style.add_modifier |= flag;
    }
    style
}

fn number(text: Option<&str>) -> u16 {
    match text {
        None | Some("") => 0,
        Some(digits) => digits.parse().unwrap_or(u16::MAX),
    }
}

fn byte(text: Option<&str>) -> Option<u8> {
    u8::try_from(number(Some(text?))).ok()
}

fn indexed(index: u16) -> Color {
    Color::Indexed(u8::try_from(index).unwrap_or(7))
}

/// Parses a colour in separate parameters: `5;n` or `2;r;g;b`.
fn colour_of<'a>(parts: &mut impl Iterator<Item = &'a str>) -> Option<Color> {
    match number(parts.next()) {
        5 => byte(parts.next()).map(Color::Indexed),
        2 => {
            let (red, green, blue) = (byte(parts.next()), byte(parts.next()), byte(parts.next()));
            Some(Color::Rgb(red?, green?, blue?))
        }
        _ => None,
    }
}

/// Parses a colour in one parameter: `5:n`, `2:r:g:b`, or with a colour space `2:x:r:g:b`.
fn colour_in(parts: &[&str]) -> Option<Color> {
    match parts {
        ["2", _space, red, green, blue, ..] => {
            Some(Color::Rgb(byte(Some(red))?, byte(Some(green))?, byte(Some(blue))?))
        }
        _ => colour_of(&mut parts.iter().copied()),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn range(start: usize, end: usize, style: Style) -> StyledRange {
        StyledRange { start, end, style }
    }

    fn plain(line: &str) -> String {
        read(line).text
    }

    #[test]
    fn colours_are_separate_from_text() {
        let read = read("\u{1b}[1;32m   Compiling\u{1b}[0m serde \u{1b}[31mno\u{1b}[4mt\u{1b}[m ok");
        assert_eq!(read.text, "   Compiling serde not ok");
        let red = Style::new().fg(Color::Indexed(1));
        assert_eq!(
            read.ranges,
            [
                range(0, 12, Style::new().fg(Color::Indexed(2)).bold()),
                range(19, 21, red),
                range(21, 22, red.underlined()),
            ]
        );
    }

    #[test]
    fn all_colour_notations_are_parsed() {
        let ink =
            |sequence: &str| read(&format!("\u{1b}[{sequence}mx")).ranges.first().and_then(|range| range.style.fg);
        assert_eq!(ink("91"), Some(Color::Indexed(9)));
        assert_eq!(ink("38;5;208"), Some(Color::Indexed(208)));
        assert_eq!(ink("38:5:208"), Some(Color::Indexed(208)));
        assert_eq!(ink("38;2;1;2;3"), Some(Color::Rgb(1, 2, 3)));
        assert_eq!(ink("38:2:1:2:3"), Some(Color::Rgb(1, 2, 3)));
        assert_eq!(ink("38:2::1:2:3"), Some(Color::Rgb(1, 2, 3)));
        assert_eq!(ink("58;5;1;36"), Some(Color::Indexed(6)));
        for junk in ["38;5;999", "38;9", "38", "38:2:1", "31;39", "999999999999", "5", "8", ";;", "?31", "31$"] {
            assert_eq!(ink(junk), None, "{junk}");
        }
        let ground = read("\u{1b}[44;104;48;5;3mx").ranges[0].style.bg;
        assert_eq!(ground, Some(Color::Indexed(3)));
        let off = read("\u{1b}[1;2;3;4;7;9;22;23;24;27;29mx").ranges;
        assert_eq!(off, []);
    }

    #[test]
    fn control_sequences_are_removed() {
        assert_eq!(plain("\u{1b}]0;title\u{7}a\u{1b}]8;;http://b\u{1b}\\link\u{9d}x\u{9c}!"), "alink!");
        assert_eq!(plain("a\u{1b}[2J\u{1b}[10;10Hb\u{1b}(Bc\u{1b}7d\u{9b}1me"), "abcde");
        assert_eq!(plain("\u{1b}[31"), "");
        assert_eq!(plain("\u{1b}[3\u{e9}x"), "\u{e9}x");
        assert_eq!(plain("bell\u{7} \u{202e}evil\u{0}"), "bell\u{fffd} \u{fffd}evil\u{fffd}");
    }

    #[test]
    fn overwritten_line_keeps_last_text() {
        assert_eq!(plain("10%\r20%\r30%\r\n"), "30%");
        assert_eq!(plain("done\r\u{1b}[K"), "done");
        assert_eq!(read("\u{1b}[31mred\r\u{1b}[32mgreen").ranges, [range(0, 5, Style::new().fg(Color::Indexed(2)))]);
    }

    #[test]
    fn tab_advances_to_next_stop() {
        assert_eq!(plain("a\tb"), "a       b");
        assert_eq!(plain("日本語\tb"), "日本語  b");
        assert_eq!(plain("12345678\tb"), "12345678        b");
    }

    proptest! {
        #[test]
        fn any_line_parses_to_safe_text_and_valid_ranges(line in "(\u{1b}|\\[|[0-9;:m]|\u{9b}|\\]|\r|\t|.){0,60}") {
            let read = read(&line);
            prop_assert!(!read.text.chars().any(text::is_unsafe), "{:?}", read.text);
            let mut at = 0;
            for range in &read.ranges {
                prop_assert!(range.start >= at && range.end > range.start);
                prop_assert!(read.text.get(range.start..range.end).is_some());
                at = range.end;
            }
            prop_assert!(at <= read.text.len());
        }
    }
}
