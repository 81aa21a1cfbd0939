//! [`Symbols`]: the symbols of the console, in Unicode and ASCII.

use ratatui::symbols::border;

/// The symbols of the console. Each takes one column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Symbols {
    /// Waiting.
    pub waiting: &'static str,
    /// Next.
    pub next: &'static str,
    /// The frames of the activity spinner.
    pub spinner: &'static [&'static str],
    /// Retrying.
    pub retrying: &'static str,
    /// Ready or done.
    pub ready: &'static str,
    /// Failed.
    pub failed: &'static str,
    /// Deleted.
    pub deleted: &'static str,
    /// Interrupted.
    pub unfinished: &'static str,
    /// Skipped.
    pub skipped: &'static str,
    /// The separator of parts of a line.
    pub dot: &'static str,
    /// An arrow.
    pub arrow: &'static str,
    /// The multiplication sign between width and height.
    pub times: &'static str,
    /// The cursor of the selected row.
    pub cursor: &'static str,
    /// The mark of a row.
    pub marked: &'static str,
    /// The ellipsis of truncated text.
    pub ellipsis: &'static str,
    /// A full cell of a bar.
    pub full: &'static str,
    /// Eighths of a cell from the left, from one to seven; empty if not supported.
    pub eighths: &'static [&'static str],
    /// An empty cell of a bar.
    pub track: &'static str,
    /// Shades for pictures without colours, from black to white.
    pub shades: &'static [&'static str],
    /// More rows above.
    pub up: &'static str,
    /// More rows below.
    pub down: &'static str,
    /// A horizontal line.
    pub line: &'static str,
    /// A vertical line.
    pub bar: &'static str,
    /// A tree branch.
    pub branch: &'static str,
    /// The last tree branch.
    pub last_branch: &'static str,
    /// The border of panels.
    pub border: border::Set<'static>,
}

/// The symbols for terminals with Unicode.
pub static UNICODE: Symbols = Symbols {
    waiting: "·",
    next: "▸",
    spinner: &["◐", "◓", "◑", "◒"],
    retrying: "↻",
    ready: "✔",
    failed: "✖",
    deleted: "○",
    unfinished: "◌",
    skipped: "–",
    dot: "·",
    arrow: "→",
    times: "×",
    cursor: "▌",
    marked: "●",
    ellipsis: "…",
    full: "█",
    eighths: &["▏", "▎", "▍", "▌", "▋", "▊", "▉"],
    track: "░",
    shades: &[" ", "░", "▒", "▓", "█"],
    up: "↑",
    down: "↓",
    line: "─",
    bar: "│",
    branch: "├",
    last_branch: "└",
    border: border::ROUNDED,
};

/// The symbols for terminals without Unicode.
pub static ASCII: Symbols = Symbols {
    waiting: ".",
    next: ">",
    spinner: &["|", "/", "-", "\\"],
    retrying: "~",
    ready: "+",
    failed: "x",
    deleted: "o",
    unfinished: "?",
    skipped: "-",
    dot: "-",
    arrow: ">",
    times: "x",
    cursor: ">",
    marked: "*",
    ellipsis: "~",
    full: "#",
    eighths: &[],
    track: ".",
    shades: &[" ", ".", ":", "-", "=", "+", "*", "#", "%", "@"],
    up: "^",
    down: "v",
    line: "-",
    bar: "|",
    branch: "|",
    last_branch: "`",
    border: border::Set {
        top_left: "+",
        top_right: "+",
        bottom_left: "+",
        bottom_right: "+",
        vertical_left: "|",
        vertical_right: "|",
        horizontal_top: "-",
        horizontal_bottom: "-",
    },
};

impl Symbols {
    /// Whether these are the ASCII symbols.
    pub fn is_ascii(&self) -> bool {
        self.full.is_ascii()
    }

    /// The spinner frame at a time in milliseconds.
    pub fn spinner_at(&self, milliseconds: i64) -> &'static str {
        let count = i64::try_from(self.spinner.len()).expect("the count fits");
        let index = (milliseconds / 100).rem_euclid(count);
        self.spinner[usize::try_from(index).expect("within the handful")]
    }
}
