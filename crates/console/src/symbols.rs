//! [`Symbols`]: the signs that are drawn, for terminals with Unicode and for those without.

use ratatui::symbols::border;

/// The signs that are drawn. Each takes one column, so that rows stay rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Symbols {
    /// Something waits.
    pub waiting: &'static str,
    /// It comes next.
    pub next: &'static str,
    /// It happens now: one after another.
    pub spinner: &'static [&'static str],
    /// It is tried again.
    pub retrying: &'static str,
    /// It is there, or done.
    pub ready: &'static str,
    /// It failed.
    pub failed: &'static str,
    /// It is gone, or was never made.
    pub gone: &'static str,
    /// It was begun and never told to be done.
    pub unfinished: &'static str,
    /// It was not done.
    pub skipped: &'static str,
    /// Between parts of a line.
    pub dot: &'static str,
    /// From one thing to another.
    pub arrow: &'static str,
    /// Between a width and a height.
    pub times: &'static str,
    /// The selected row.
    pub cursor: &'static str,
    /// A marked row.
    pub marked: &'static str,
    /// Text goes on beyond the edge.
    pub ellipsis: &'static str,
    /// A full cell of a bar.
    pub full: &'static str,
    /// Eighths of a cell from the left, from one to seven; empty where only whole cells can be drawn.
    pub eighths: &'static [&'static str],
    /// An empty cell of a bar.
    pub track: &'static str,
    /// A cell of a picture without colours, from black to white.
    pub shades: &'static [&'static str],
    /// There is more above.
    pub up: &'static str,
    /// There is more below.
    pub down: &'static str,
    /// A horizontal line.
    pub line: &'static str,
    /// A vertical line.
    pub bar: &'static str,
    /// A branch of a tree.
    pub branch: &'static str,
    /// A tree's last branch.
    pub last_branch: &'static str,
    /// A panel's border.
    pub border: border::Set<'static>,
}

/// Signs for terminals with Unicode.
pub static UNICODE: Symbols = Symbols {
    waiting: "·",
    next: "▸",
    spinner: &["◐", "◓", "◑", "◒"],
    retrying: "↻",
    ready: "✔",
    failed: "✖",
    gone: "○",
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

/// Signs for terminals without.
pub static ASCII: Symbols = Symbols {
    waiting: ".",
    next: ">",
    spinner: &["|", "/", "-", "\\"],
    retrying: "~",
    ready: "+",
    failed: "x",
    gone: "o",
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
    /// Whether they are for a terminal that has no others.
    pub fn is_ascii(&self) -> bool {
        self.full.is_ascii()
    }

    /// The sign of something that happens, at a moment in milliseconds.
    pub fn spinner_at(&self, milliseconds: i64) -> &'static str {
        let count = i64::try_from(self.spinner.len()).expect("a handful");
        let index = (milliseconds / 100).rem_euclid(count);
        self.spinner[usize::try_from(index).expect("within the handful")]
    }
}
