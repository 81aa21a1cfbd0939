//! The terminal capability query, without loss of input.
//!
//! All queries are sent at once. The last one is answered by every terminal and ends the wait. Keys and pastes between
//! the replies are forwarded.

mod parser;

use std::fs::File;
use std::io::{self, IsTerminal, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use crossterm::event::Event;
use rustix::event::{PollFd, PollFlags, Timespec, poll};

pub use self::parser::{InputItem, Parser, TerminalReply};
use crate::pictures::{Graphics, GraphicsKind};
use crate::theme::Theme;

/// The timeout after which an escape character is the escape key.
const ESCAPE_WITHIN: Duration = Duration::from_millis(50);

/// The capabilities of the terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct TerminalCapabilities {
    /// The graphics protocol and cell size.
    pub graphics: Graphics,
    /// The background colour.
    pub background: Option<(u8, u8, u8)>,
}

impl TerminalCapabilities {
    /// The theme for the background, if known.
    pub fn theme(&self) -> Option<Theme> {
        self.background.map(theme_for)
    }

    /// Overrides the graphics protocol.
    #[must_use]
    pub fn with_kind(mut self, kind: Option<GraphicsKind>) -> Self {
        self.graphics.kind = kind.unwrap_or(self.graphics.kind);
        self
    }
}

/// The theme for a background, by luminance.
pub fn theme_for((red, green, blue): (u8, u8, u8)) -> Theme {
    let luminance = 2126 * u32::from(red) + 7152 * u32::from(green) + 722 * u32::from(blue);
    if luminance > 10_000 * 128 { Theme::Light } else { Theme::Dark }
}

/// Properties of the terminal in the environment.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct TerminalEnvironment {
    /// `TERM`.
    pub term: String,
    /// `TERM_PROGRAM`.
    pub program: String,
    /// Whether it is a multiplexer, `screen` or `tmux`.
    pub is_multiplexed: bool,
    /// Whether it is Konsole, whose kitty graphics are incomplete.
    pub is_konsole: bool,
}

impl TerminalEnvironment {
    /// Reads the environment.
    pub fn read(environment: &dyn Fn(&str) -> Option<String>) -> Self {
        let get = |name: &str| environment(name).unwrap_or_default();
        let term = get("TERM");
        let program = get("TERM_PROGRAM");
        let is_multiplexed = term.starts_with("screen")
            || term.starts_with("tmux")
            || program == "tmux"
            || !get("TMUX").is_empty()
            || !get("STY").is_empty();
        Self { is_konsole: !get("KONSOLE_VERSION").is_empty(), term, program, is_multiplexed }
    }

    /// The query sequence; none if the terminal would not reply, or would display it.
    pub fn query(&self) -> Option<String> {
        if matches!(self.term.as_str(), "" | "dumb" | "linux" | "cons25" | "unknown") {
            return None;
        }
        let mut query = String::new();
        if !self.is_multiplexed {
            query.push_str("\x1b_Gi=31,s=1,v=1,a=q,t=d,f=24;AAAA\x1b\\");
        }
        query.push_str("\x1b]11;?\x1b\\\x1b[16t");
        if !self.is_multiplexed {
            query.push_str("\x1b[>q");
        }
        // Answered by all terminals, after the other replies.
        query.push_str("\x1b[c");
        Some(query)
    }
}

/// The collected replies.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct ReplyCollector {
    kitty: bool,
    sixel: bool,
    cell: Option<(u16, u16)>,
    background: Option<(u8, u8, u8)>,
    version: String,
    is_over: bool,
}

impl ReplyCollector {
    /// Adds a reply.
    pub fn add(&mut self, reply: TerminalReply) {
        match reply {
            TerminalReply::Kitty => self.kitty = true,
            TerminalReply::Cell(width, height) => self.cell = Some((width, height)),
            TerminalReply::Background(red, green, blue) => self.background = Some((red, green, blue)),
            TerminalReply::Version(version) => self.version = version,
            TerminalReply::Attributes { sixel } => {
                self.sixel = sixel;
                self.is_over = true;
            }
        }
    }

    /// Whether the last reply arrived.
    pub fn is_over(&self) -> bool {
        self.is_over
    }

    /// The capabilities by the replies. `measured` is the cell size reported by the system.
    pub fn capabilities(
        &self,
        environment: &TerminalEnvironment,
        measured: Option<(u16, u16)>,
    ) -> TerminalCapabilities {
        let is = |name: &str| self.version.contains(name) || environment.program.contains(name);
        let konsole = environment.is_konsole || self.version.contains("Konsole");
        let cell = self.cell.or(measured).filter(|(width, height)| *width > 0 && *height > 0);
        let kind = match cell {
            // Without the cell size, the size of a picture in cells is unknown.
            None => GraphicsKind::Halfblocks,
            // It confirms kitty graphics but does not support placeholders, which keep a picture in its cells.
            Some(_) if konsole => GraphicsKind::Halfblocks,
            Some(_) if environment.is_multiplexed => {
                if self.sixel {
                    GraphicsKind::Sixel
                } else {
                    GraphicsKind::Halfblocks
                }
            }
            Some(_) if is("iTerm") || is("WezTerm") => GraphicsKind::Iterm2,
            Some(_) if self.kitty => GraphicsKind::Kitty,
            Some(_) if self.sixel => GraphicsKind::Sixel,
            Some(_) => GraphicsKind::Halfblocks,
        };
        let graphics = Graphics { kind, cell: cell.unwrap_or(Graphics::default().cell) };
        TerminalCapabilities { graphics, background: self.background }
    }
}

/// Queries the terminal and waits for the replies until the timeout. Blocks. The terminal must be in raw mode without
/// another reader: keys and pastes are passed to `on_input`. Without replies, returns the defaults.
pub fn ask(
    environment: &TerminalEnvironment,
    timeout: Duration,
    on_input: &mut dyn FnMut(Event),
) -> TerminalCapabilities {
    let Some(query) = environment.query() else { return TerminalCapabilities::default() };
    let mut out = io::stdout().lock();
    if !out.is_terminal() || out.write_all(query.as_bytes()).and_then(|()| out.flush()).is_err() {
        return TerminalCapabilities::default();
    }
    drop(out);
    wait_for_replies(environment, timeout, on_input)
}

/// Waits for the replies to a [`TerminalEnvironment::query`] that was already written.
pub fn wait_for_replies(
    environment: &TerminalEnvironment,
    timeout: Duration,
    on_input: &mut dyn FnMut(Event),
) -> TerminalCapabilities {
    let Ok(keyboard) = Keyboard::open() else { return TerminalCapabilities::default() };
    read_replies(keyboard.descriptor(), timeout, on_input).capabilities(environment, measured_cell_size())
}

/// Reads replies from a descriptor, until the last one or the timeout.
fn read_replies(keyboard: BorrowedFd<'_>, timeout: Duration, on_input: &mut dyn FnMut(Event)) -> ReplyCollector {
    let mut parser = Parser::default();
    let mut replies = ReplyCollector::default();
    let deadline = Instant::now() + timeout;
    let mut take = |items: Vec<InputItem>, replies: &mut ReplyCollector| {
        for items in items {
            match items {
                InputItem::Reply(reply) => replies.add(reply),
                InputItem::Typed(event) => on_input(event),
            }
        }
    };
    let mut has_read = false;
    loop {
        // A started sequence is read to its end: the rest of a split reply would be taken for keys.
        let is_open = parser.is_in_sequence();
        let left = deadline.saturating_duration_since(Instant::now());
        // On a busy machine the timeout may expire before the first read.
        let is_late = left.is_zero() && has_read;
        if (replies.is_over() || is_late) && !is_open {
            break;
        }
        has_read = true;
        let wait = if is_open { ESCAPE_WITHIN } else { left };
        match read(keyboard, wait) {
            Ok(Some(bytes)) if bytes.is_empty() => break,
            Ok(Some(bytes)) => take(parser.push(&bytes), &mut replies),
            Ok(None) if is_open => take(parser.finish(), &mut replies),
            Ok(None) => {}
            Err(_) => break,
        }
    }
    take(parser.finish(), &mut replies);
    replies
}

/// The cell size reported by the system, if known.
fn measured_cell_size() -> Option<(u16, u16)> {
    let size = rustix::termios::tcgetwinsize(io::stdout()).ok()?;
    let cell = (size.ws_xpixel.checked_div(size.ws_col)?, size.ws_ypixel.checked_div(size.ws_row)?);
    (cell.0 > 0 && cell.1 > 0).then_some(cell)
}

/// The source of keys.
enum Keyboard {
    Stdin,
    Terminal(OwnedFd),
}

impl Keyboard {
    /// Opens standard input, or `/dev/tty` if that is not a terminal, like crossterm.
    fn open() -> io::Result<Self> {
        if io::stdin().is_terminal() {
            return Ok(Self::Stdin);
        }
        Ok(Self::Terminal(File::open("/dev/tty")?.into()))
    }

    fn descriptor(&self) -> BorrowedFd<'_> {
        match self {
            Self::Stdin => rustix::stdio::stdin(),
            Self::Terminal(terminal) => terminal.as_fd(),
        }
    }
}

/// Reads bytes within a timeout; `None` at the timeout, empty at the end of input.
fn read(descriptor: BorrowedFd<'_>, within: Duration) -> io::Result<Option<Vec<u8>>> {
    let timeout = Timespec::try_from(within).unwrap_or(Timespec { tv_sec: 1, tv_nsec: 0 });
    let mut waiting = [PollFd::new(&descriptor, PollFlags::IN)];
    match poll(&mut waiting, Some(&timeout)) {
        Ok(0) | Err(rustix::io::Errno::INTR) => return Ok(None),
        Ok(_) => {}
        Err(error) => return Err(error.into()),
    }
    let mut buffer = [0; 1024];
    match rustix::io::read(descriptor, &mut buffer) {
        Ok(count) => Ok(Some(buffer[..count].to_vec())),
        Err(rustix::io::Errno::INTR | rustix::io::Errno::AGAIN) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(pairs: &[(&str, &str)]) -> TerminalEnvironment {
        TerminalEnvironment::read(&|name| pairs.iter().find(|(n, _)| *n == name).map(|(_, value)| (*value).to_owned()))
    }

    fn items(bytes: &[u8]) -> ReplyCollector {
        let mut replies = ReplyCollector::default();
        for items in Parser::default().push(bytes) {
            match items {
                InputItem::Reply(reply) => replies.add(reply),
                InputItem::Typed(event) => panic!("nothing was typed: {event:?}"),
            }
        }
        assert!(replies.is_over());
        replies
    }

    #[test]
    fn terminals_without_query_support_are_not_queried() {
        assert_eq!(environment(&[("TERM", "dumb")]).query(), None);
        assert_eq!(environment(&[("TERM", "linux")]).query(), None);
        assert_eq!(environment(&[]).query(), None);
    }

    #[test]
    fn multiplexer_gets_only_supported_queries() {
        let query = environment(&[("TERM", "xterm-256color")]).query().expect("there is a query");
        assert!(query.contains("\x1b_G") && query.contains("\x1b[>q") && query.ends_with("\x1b[c"));
        for pairs in [[("TERM", "screen-256color")], [("TERM", "tmux-256color")]] {
            let query = environment(&pairs).query().expect("there is a query");
            assert!(!query.contains("\x1b_G") && !query.contains("\x1b[>q") && query.ends_with("\x1b[c"));
        }
        assert!(environment(&[("TERM", "xterm"), ("TMUX", "/tmp/tmux-0/default,1,0")]).is_multiplexed);
    }

    #[test]
    fn best_supported_graphics_are_chosen() {
        let plain = environment(&[("TERM", "xterm-256color")]);
        let kind = |bytes: &[u8], around: &TerminalEnvironment| items(bytes).capabilities(around, None).graphics.kind;
        let kitty = b"\x1b_Gi=31;OK\x1b\\\x1b[6;18;9t\x1b[?62;c";
        assert_eq!(kind(kitty, &plain), GraphicsKind::Kitty);
        assert_eq!(kind(b"\x1b[6;18;9t\x1b[?62;4;22c", &plain), GraphicsKind::Sixel);
        assert_eq!(kind(b"\x1b[6;18;9t\x1b[?62;22c", &plain), GraphicsKind::Halfblocks);
        let wezterm = b"\x1b_Gi=31;OK\x1b\\\x1b[6;18;9t\x1bP>|WezTerm 20240203\x1b\\\x1b[?65;4;6c";
        assert_eq!(kind(wezterm, &plain), GraphicsKind::Iterm2);
        let iterm = environment(&[("TERM", "xterm"), ("TERM_PROGRAM", "iTerm.app")]);
        assert_eq!(kind(b"\x1b[6;18;9t\x1b[?62;4c", &iterm), GraphicsKind::Iterm2);
        let konsole = environment(&[("TERM", "xterm"), ("KONSOLE_VERSION", "230800")]);
        assert_eq!(kind(kitty, &konsole), GraphicsKind::Halfblocks);
        let tmux = environment(&[("TERM", "tmux"), ("TERM_PROGRAM", "tmux")]);
        assert_eq!(kind(b"\x1b[6;18;9t\x1b[?1;2;4c", &tmux), GraphicsKind::Sixel);
    }

    #[test]
    fn unknown_cell_size_falls_back_to_half_blocks() {
        let plain = environment(&[("TERM", "xterm")]);
        let replies = items(b"\x1b_Gi=31;OK\x1b\\\x1b[?62;c");
        assert_eq!(replies.capabilities(&plain, None).graphics, Graphics::default());
        let measured = replies.capabilities(&plain, Some((7, 14))).graphics;
        assert_eq!(measured, Graphics { kind: GraphicsKind::Kitty, cell: (7, 14) });
        let forced = replies.capabilities(&plain, None).with_kind(GraphicsKind::from_name("sixel"));
        assert_eq!(forced.graphics, Graphics { kind: GraphicsKind::Sixel, cell: (10, 20) });
        assert_eq!(forced.with_kind(GraphicsKind::from_name("auto")), forced);
    }

    #[test]
    fn theme_follows_background() {
        assert_eq!(theme_for((0, 0, 0)), Theme::Dark);
        assert_eq!(theme_for((40, 44, 52)), Theme::Dark);
        assert_eq!(theme_for((0, 0, 255)), Theme::Dark);
        assert_eq!(theme_for((253, 246, 227)), Theme::Light);
        assert_eq!(theme_for((255, 255, 0)), Theme::Light);
        let answers =
            items(b"\x1b]11;rgb:ffff/ffff/ffff\x07\x1b[?6c").capabilities(&TerminalEnvironment::default(), None);
        assert_eq!(answers.theme(), Some(Theme::Light));
        assert_eq!(TerminalCapabilities::default().theme(), None);
    }

    /// The replies and the input in a terminal's output; the pipe stays open if `stays`.
    fn talk(output: &[u8], stays: bool, timeout: Duration) -> (ReplyCollector, Vec<Event>) {
        let (reader, mut writer) = std::io::pipe().expect("a pipe");
        writer.write_all(output).expect("the pipe accepts it");
        let writer = stays.then_some(writer);
        let mut typed = Vec::new();
        let replies = read_replies(reader.as_fd(), timeout, &mut |event| typed.push(event));
        drop(writer);
        (replies, typed)
    }

    fn key(letter: char) -> Event {
        Event::Key(crossterm::event::KeyEvent::from(crossterm::event::KeyCode::Char(letter)))
    }

    #[test]
    fn wait_ends_with_last_reply_and_keeps_keys() {
        // So long that an actual wait would be noticed.
        let long = Duration::from_secs(600);
        let (replies, typed) = talk(b"j\x1b[6;18;9tk\x1b[?62;4c", true, long);
        assert!(replies.is_over() && replies.sixel);
        assert_eq!(replies.cell, Some((9, 18)));
        assert_eq!(typed, [key('j'), key('k')]);
    }

    #[test]
    fn wait_ends_at_timeout() {
        let (replies, typed) = talk(b"j\x1b]11;rgb:0/0/0\x07", true, Duration::ZERO);
        assert!(!replies.is_over());
        assert_eq!((replies.background, typed), (Some((0, 0, 0)), vec![key('j')]));
        let (replies, _) = talk(b"", false, Duration::from_secs(600));
        assert_eq!(replies, ReplyCollector::default(), "a closed terminal");
    }

    #[test]
    fn single_escape_is_a_key() {
        let (_, typed) = talk(b"\x1b", true, Duration::ZERO);
        assert_eq!(typed, [Event::Key(crossterm::event::KeyEvent::from(crossterm::event::KeyCode::Esc))]);
    }
}
