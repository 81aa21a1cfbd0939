//! The capabilities of standard output and standard error: terminal, width, colours.

use std::io::{self, IsTerminal};

use super::style::Palette;

/// The capabilities of standard output and standard error.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Screen {
    /// The palette of standard output.
    pub(crate) out: Palette,
    /// The palette of standard error.
    pub(crate) err: Palette,
    /// Whether standard output is a terminal with cursor control.
    pub(crate) live: bool,
    terminal: bool,
}

impl Screen {
    /// Detects them from the terminal and the environment.
    #[expect(clippy::disallowed_methods, reason = "nothing is written to them here")]
    pub(crate) fn detect() -> Self {
        let variable = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
        let dumb = variable("TERM").is_none_or(|term| term == "dumb");
        // https://no-color.org: any non-empty value.
        let colours = variable("NO_COLOR").is_none() && !dumb;
        let terminal = io::stdout().is_terminal();
        Self {
            out: Palette::new(colours && terminal),
            err: Palette::new(colours && io::stderr().is_terminal()),
            live: terminal && !dumb,
            terminal,
        }
    }

    /// Whether standard output is a terminal.
    pub(crate) fn is_terminal(self) -> bool {
        self.terminal
    }

    /// The maximum width of a table; `None` without a terminal.
    pub(crate) fn table_width(self) -> Option<usize> {
        self.terminal.then(|| Self::size().0)
    }

    /// Columns and rows of the terminal.
    #[expect(clippy::disallowed_methods, reason = "nothing is written to it here")]
    pub(crate) fn size() -> (usize, usize) {
        let measured = terminal_size::terminal_size_of(io::stdout())
            .map(|(width, height)| (usize::from(width.0), usize::from(height.0)))
            // Some pseudo-terminals report a size of 0.
            .filter(|&(width, height)| width > 0 && height > 0);
        measured.unwrap_or((80, 24))
    }
}
