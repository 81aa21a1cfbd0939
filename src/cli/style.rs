//! How things look in the terminal: styles by meaning, and a symbol for every state, so that colour is never the only sign.

use anstyle::{AnsiColor, Effects, Style};

use thumbctl_platform::terminal::TerminalText;

/// What a piece of text means; the palette knows how that looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(crate) enum Role {
    /// Plain text.
    #[default]
    Plain,
    /// What the eye should find first.
    Strong,
    /// What may be overlooked.
    Quiet,
    /// Something is well.
    Good,
    /// Something is going on.
    Busy,
    /// Something wants attention.
    Warn,
    /// Something is wrong.
    Bad,
}

/// Paints text, or leaves it alone.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Palette {
    colours: bool,
}

impl Palette {
    /// A palette with colours or without.
    pub(crate) fn new(colours: bool) -> Self {
        Self { colours }
    }

    /// Whether there are colours.
    pub(crate) fn has_colours(self) -> bool {
        self.colours
    }

    /// The text, cleaned, in the style of its meaning.
    pub(crate) fn paint(self, role: Role, text: &str) -> TerminalText {
        if !self.colours || role == Role::Plain || text.is_empty() {
            return TerminalText::value(text);
        }
        let style = match role {
            Role::Plain => Style::new(),
            Role::Strong => Style::new().effects(Effects::BOLD),
            Role::Quiet => Style::new().effects(Effects::DIMMED),
            Role::Good => AnsiColor::Green.on_default(),
            Role::Busy => AnsiColor::Cyan.on_default(),
            Role::Warn => AnsiColor::Yellow.on_default(),
            Role::Bad => AnsiColor::Red.on_default().effects(Effects::BOLD),
        };
        TerminalText::styled(style, text)
    }
}

/// The sign of something done.
pub(crate) const DONE: &str = "✔";
/// The sign of something that failed.
pub(crate) const FAILED: &str = "✖";
/// The sign of something tried again.
pub(crate) const RETRY: &str = "↻";
/// The sign of something that waits for its turn.
pub(crate) const WAITING: &str = "·";
/// The sign of something left out.
pub(crate) const SKIPPED: &str = "–";
/// The sign of something that was there already.
pub(crate) const ALREADY: &str = "=";
/// The sign of something that wants attention.
pub(crate) const WARNING: &str = "!";
/// The sign of something begun, where nothing moves.
pub(crate) const BEGUN: &str = "▸";
/// The frames of something going on.
pub(crate) const SPINNER: [&str; 4] = ["◐", "◓", "◑", "◒"];
