//! Styles by meaning, and a symbol for each state, so that no information depends on colour alone.

use anstyle::{AnsiColor, Effects, Style};

use thumbctl_platform::terminal::TerminalText;

/// The meaning of a text, from which the palette derives its style.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(crate) enum Role {
    /// Plain text.
    #[default]
    Plain,
    /// Emphasized.
    Strong,
    /// Secondary.
    Muted,
    /// Success.
    Good,
    /// Activity.
    Busy,
    /// Warning.
    Warn,
    /// Error.
    Bad,
}

/// Applies styles, unless colours are disabled.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Palette {
    colours: bool,
}

impl Palette {
    /// Creates a palette.
    pub(crate) fn new(colours: bool) -> Self {
        Self { colours }
    }

    /// Whether colours are enabled.
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
            Role::Muted => Style::new().effects(Effects::DIMMED),
            Role::Good => AnsiColor::Green.on_default(),
            Role::Busy => AnsiColor::Cyan.on_default(),
            Role::Warn => AnsiColor::Yellow.on_default(),
            Role::Bad => AnsiColor::Red.on_default().effects(Effects::BOLD),
        };
        TerminalText::styled(style, text)
    }
}

/// Succeeded.
pub(crate) const DONE: &str = "✔";
/// Failed.
pub(crate) const FAILED: &str = "✖";
/// Retried.
pub(crate) const RETRY: &str = "↻";
/// Waiting.
pub(crate) const WAITING: &str = "·";
/// Skipped.
pub(crate) const SKIPPED: &str = "–";
/// Nothing to do.
pub(crate) const ALREADY: &str = "=";
/// Warning.
pub(crate) const WARNING: &str = "!";
/// Started, without animation.
pub(crate) const STARTED: &str = "▸";
/// The frames of the spinner.
pub(crate) const SPINNER: [&str; 4] = ["◐", "◓", "◑", "◒"];
