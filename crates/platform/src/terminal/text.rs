//! [`TerminalText`]: text that is safe to write to a terminal.

use std::fmt::{self, Display, Formatter};

use anstyle::Style;

use crate::text;

/// Text that is safe to write to a terminal: its only control sequences are this program's line breaks, styles and
/// [`Control`]s. It is created from literals (`&'static str`) and, by [`terminal_text!`], from values, which are cleaned. It
/// has no `Display`, so that it cannot be used as a value.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TerminalText {
    written: String,
}

/// Creates a [`TerminalText`] as `format!` creates a `String`: values are cleaned, other [`TerminalText`]s are inserted
/// unchanged. Named arguments are rejected, since they would not be cleaned.
#[macro_export]
macro_rules! terminal_text {
    ($format:literal $(, $value:expr)* $(,)?) => {{
        const _: () = assert!(
            $crate::terminal::takes_positions_only($format),
            "pass values after the format string, and format numbers with a precision first"
        );
        $crate::terminal::TerminalText::from_pieces(format_args!($format $(, $crate::terminal::Cleaned(&$value))*))
    }};
}
#[doc(hidden)]
pub use crate::terminal_text;

/// Whether a format string has no named argument (`{name}`) and no precision (`{:.1}`), which would cut a cleaned value.
pub const fn takes_positions_only(format: &str) -> bool {
    let bytes = format.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        if bytes[at] == b'{' && at + 1 < bytes.len() {
            if bytes[at + 1] == b'{' {
                at += 2;
                continue;
            }
            if !matches!(bytes[at + 1], b'}' | b':' | b'0'..=b'9') {
                return false;
            }
            while at < bytes.len() && bytes[at] != b'}' {
                if bytes[at] == b'.' {
                    return false;
                }
                at += 1;
            }
        }
        at += 1;
    }
    true
}

/// A part of a [`TerminalText`]: another one, inserted unchanged, or a value, which is cleaned.
pub trait Piece {
    /// Writes it.
    fn write(&self, to: &mut Formatter<'_>) -> fmt::Result;
}

impl<T: Display + ?Sized> Piece for T {
    fn write(&self, to: &mut Formatter<'_>) -> fmt::Result {
        to.pad(&text::clean(&self.to_string()))
    }
}

impl Piece for TerminalText {
    fn write(&self, to: &mut Formatter<'_>) -> fmt::Result {
        to.write_str(&self.written)
    }
}

impl Piece for &TerminalText {
    fn write(&self, to: &mut Formatter<'_>) -> fmt::Result {
        to.write_str(&self.written)
    }
}

/// The `Display` wrapper of a piece, for the macro.
pub struct Cleaned<'a, P: ?Sized>(pub &'a P);

impl<P: Piece + ?Sized> Display for Cleaned<'_, P> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.0.write(f)
    }
}

/// A control sequence for drawing in place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Control {
    /// Begin a synchronized update, if the terminal supports it.
    BeginUpdate,
    /// End a synchronized update.
    EndUpdate,
    /// Save the cursor position.
    SaveCursor,
    /// Restore the cursor position.
    RestoreCursor,
    /// Clear from the cursor to the end of the line.
    ClearLine,
    /// Clear from the cursor to the end of the screen.
    ClearBelow,
    /// Move to the start of the line.
    LineStart,
    /// Move to the start of the next line.
    NextLine,
    /// Move up by this number of lines.
    Up(usize),
}

impl TerminalText {
    /// Creates a text from pieces; used by [`terminal_text!`].
    pub fn from_pieces(pieces: fmt::Arguments<'_>) -> Self {
        Self { written: fmt::format(pieces) }
    }

    /// Creates a text from a value, cleaned.
    pub fn value(value: impl Display) -> Self {
        Self { written: text::clean(&value.to_string()) }
    }

    /// Creates a text from a value, cleaned, with a style.
    pub fn styled(style: Style, value: &str) -> Self {
        Self { written: format!("{style}{}{style:#}", text::clean(value)) }
    }

    /// Creates a text from clap's output (help, manual pages, completions): line breaks, tabs and styles are kept, everything
    /// else is cleaned.
    pub fn generated(generated: &str) -> Self {
        let mut written = String::with_capacity(generated.len());
        let mut rest = generated;
        while let Some(at) = rest.find(['\n', '\t', '\u{1b}']) {
            let (words, special) = rest.split_at(at);
            written.push_str(&text::clean(words));
            let kept = match special.strip_prefix('\u{1b}') {
                Some(sequence) => style_length(sequence).map(|length| length + 1),
                None => Some(1),
            };
            let (special, after) = special.split_at(kept.unwrap_or(1));
            written.push_str(if kept.is_some() { special } else { "\u{fffd}" });
            rest = after;
        }
        written.push_str(&text::clean(rest));
        Self { written }
    }

    /// Creates a text from a JSON document with escaped strings; used by [`super::json_line`].
    pub(super) fn json(escaped: String) -> Self {
        Self { written: escaped }
    }

    /// Appends another text.
    pub fn push(&mut self, other: impl Into<Self>) {
        self.written.push_str(&other.into().written);
    }

    /// Appends spaces.
    pub fn push_spaces(&mut self, columns: usize) {
        self.written.extend(std::iter::repeat_n(' ', columns));
    }

    /// Appends a control sequence.
    pub fn push_control(&mut self, control: Control) {
        match control {
            Control::BeginUpdate => self.written.push_str("\x1b[?2026h"),
            Control::EndUpdate => self.written.push_str("\x1b[?2026l"),
            Control::SaveCursor => self.written.push_str("\x1b7"),
            Control::RestoreCursor => self.written.push_str("\x1b8"),
            Control::ClearLine => self.written.push_str("\x1b[K"),
            Control::ClearBelow => self.written.push_str("\x1b[J"),
            Control::LineStart => self.written.push('\r'),
            Control::NextLine => self.written.push_str("\r\n"),
            Control::Up(0) => {}
            Control::Up(lines) => self.written.push_str(&format!("\x1b[{lines}A")),
        }
    }

    /// Joins texts with a separator.
    pub fn join(texts: impl IntoIterator<Item = Self>, separator: &'static str) -> Self {
        let mut joined = Self::default();
        for (index, text) in texts.into_iter().enumerate() {
            if index > 0 {
                joined.push(separator);
            }
            joined.push(text);
        }
        joined
    }

    /// Removes trailing spaces.
    pub fn trim_end(mut self) -> Self {
        self.written.truncate(self.written.trim_end().len());
        self
    }

    /// The text with CR LF line breaks, for raw mode and drawing in place.
    pub fn with_carriage_returns(&self) -> Self {
        Self { written: self.written.replace('\n', "\r\n") }
    }

    /// The width of a line in columns.
    pub fn width(&self) -> usize {
        text::width(&text::clean(&self.written))
    }

    /// Whether it is empty.
    pub fn is_empty(&self) -> bool {
        self.written.is_empty()
    }

    /// The text, read-only.
    pub fn as_str(&self) -> &str {
        &self.written
    }
}

/// The length of a style sequence after its escape character; `None` for other sequences.
fn style_length(rest: &str) -> Option<usize> {
    let parameters = rest.strip_prefix('[')?;
    let length = parameters.find(|c: char| !c.is_ascii_digit() && c != ';')?;
    parameters[length..].starts_with('m').then_some(length + 2)
}

impl From<&'static str> for TerminalText {
    fn from(words: &'static str) -> Self {
        Self { written: words.to_owned() }
    }
}

impl From<&Self> for TerminalText {
    fn from(text: &Self) -> Self {
        text.clone()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use thumbctl_hostile_text::any_text;

    use super::*;
    use crate::text::is_unsafe;

    /// Whether the only control sequences are line breaks and styles.
    fn is_safe(text: &TerminalText) -> bool {
        let mut rest = text.as_str();
        while let Some(at) = rest.find(|c: char| is_unsafe(c) && c != '\n') {
            let Some(sequence) = rest[at..].strip_prefix('\u{1b}') else { return false };
            let Some(length) = style_length(sequence) else { return false };
            rest = &sequence[length..];
        }
        true
    }

    #[test]
    fn values_are_cleaned_and_texts_kept() {
        let bold = TerminalText::styled(Style::new().bold(), "b\u{7}\nc");
        assert_eq!(bold.as_str(), "\u{1b}[1mb\u{fffd}\u{fffd}c\u{1b}[0m");
        let all = terminal_text!("{} {}|{:>4}|{{}}\n", bold, "x\u{1b}[2Jy\r", 7);
        assert_eq!(all.as_str(), "\u{1b}[1mb\u{fffd}\u{fffd}c\u{1b}[0m xy|   7|{}\n");
        assert_eq!(terminal_text!("{}{}", &bold, bold).width(), 8);
    }

    #[test]
    fn named_arguments_and_precision_are_rejected() {
        for good in ["", "{}", "{{x}} {:>9} {0}", "{:>1$}"] {
            assert!(takes_positions_only(good), "{good}");
        }
        for bad in ["{x}", "{} {name:>3}", "{:.1}", "{_}"] {
            assert!(!takes_positions_only(bad), "{bad}");
        }
    }

    #[test]
    fn generated_text_keeps_only_lines_tabs_and_styles() {
        let kept = "\u{1b}[1m\u{1b}[4mUsage:\u{1b}[0m x\n\ta\n\n";
        assert_eq!(TerminalText::generated(kept).as_str(), kept);
        let other = TerminalText::generated("a\u{1b}[2Jb\u{1b}]0;t\u{7}\u{1b}[1mc\u{9b}\u{1b}");
        assert_eq!(other.as_str(), "a\u{fffd}[2Jb\u{fffd}]0;t\u{fffd}\u{1b}[1mc\u{fffd}\u{fffd}");
    }

    proptest! {
        #[test]
        fn values_have_no_control_sequences(value in any_text(), other in any_text()) {
            let styled = TerminalText::styled(Style::new().bold(), &other);
            let text = terminal_text!("{}: {:>30} {}\n", styled, value, TerminalText::value(&other));
            prop_assert!(is_safe(&text), "{:?}", text);
            prop_assert_eq!(text.as_str().matches('\n').count(), 1);
        }

        #[test]
        fn generated_text_has_no_other_control_sequences(generated in any_text()) {
            let text = TerminalText::generated(&generated);
            let without_tabs = TerminalText { written: text.as_str().replace('\t', "") };
            prop_assert!(is_safe(&without_tabs), "{:?}", text);
        }
    }
}
