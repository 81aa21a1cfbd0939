//! Where output goes, and what it can do there: a terminal or not, how wide, with colours or without.

use std::io::{self, IsTerminal};

use super::style::Palette;

/// Standard output and standard error, as this run may use them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Screen {
    /// How standard output is painted.
    pub(crate) out: Palette,
    /// How standard error is painted.
    pub(crate) err: Palette,
    /// Whether standard output is a terminal on which the cursor can be moved.
    pub(crate) live: bool,
    terminal: bool,
}

impl Screen {
    /// Looks at the terminal and the environment.
    #[expect(clippy::disallowed_methods, reason = "nothing is written to them here")]
    pub(crate) fn detect() -> Self {
        let variable = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
        let dumb = variable("TERM").is_none_or(|term| term == "dumb");
        // https://no-color.org: set to anything but nothing.
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

    /// How wide a table may be: as wide as the terminal, and as wide as it likes where there is none.
    pub(crate) fn table_width(self) -> Option<usize> {
        self.terminal.then(|| Self::size().0)
    }

    /// Columns and rows of the terminal.
    #[expect(clippy::disallowed_methods, reason = "nothing is written to it here")]
    pub(crate) fn size() -> (usize, usize) {
        let measured = terminal_size::terminal_size_of(io::stdout())
            .map(|(width, height)| (usize::from(width.0), usize::from(height.0)))
            // Some pseudo-terminals do not know their size.
            .filter(|&(width, height)| width > 0 && height > 0);
        measured.unwrap_or((80, 24))
    }
}
