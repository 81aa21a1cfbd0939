//! Asking the terminal what it can do, without losing what is typed meanwhile.
//!
//! Everything is asked in one go; last comes a question that every terminal answers, so that its answer ends the waiting.
//! Keys and pastes that arrive between the answers are handed on.

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

/// How long the rest of a sequence is waited for before an escape was the key of that name.
const ESCAPE_WITHIN: Duration = Duration::from_millis(50);

/// What the terminal says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct TerminalCapabilities {
    /// How it draws pictures.
    pub graphics: Graphics,
    /// The colour of its background.
    pub background: Option<(u8, u8, u8)>,
}

impl TerminalCapabilities {
    /// The theme for its background, where that is known.
    pub fn theme(&self) -> Option<Theme> {
        self.background.map(theme_for)
    }

    /// The same, with pictures drawn in the way that the user wants.
    #[must_use]
    pub fn with_kind(mut self, kind: Option<GraphicsKind>) -> Self {
        self.graphics.kind = kind.unwrap_or(self.graphics.kind);
        self
    }
}

/// The theme for a background, by how bright people see it.
pub fn theme_for((red, green, blue): (u8, u8, u8)) -> Theme {
    let luminance = 2126 * u32::from(red) + 7152 * u32::from(green) + 722 * u32::from(blue);
    if luminance > 10_000 * 128 { Theme::Light } else { Theme::Dark }
}

/// What the environment says of the terminal.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct TerminalEnvironment {
    /// `TERM`.
    pub term: String,
    /// `TERM_PROGRAM`.
    pub program: String,
    /// Whether it is `screen` or `tmux`, which stands between us and the terminal.
    pub is_multiplexed: bool,
    /// Whether it is Konsole, whose graphics do not do what they say.
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

    /// What is to be asked; nothing where no answer would come, or the question would be seen.
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
        // Answered by all, and in order: nothing comes after it.
        query.push_str("\x1b[c");
        Some(query)
    }
}

/// What was answered, put together. Pure.
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
    /// Takes an answer in.
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

    /// Whether nothing more comes.
    pub fn is_over(&self) -> bool {
        self.is_over
    }

    /// What follows from it. `measured` is the size of a cell as the system knows it.
    pub fn capabilities(
        &self,
        environment: &TerminalEnvironment,
        measured: Option<(u16, u16)>,
    ) -> TerminalCapabilities {
        let is = |name: &str| self.version.contains(name) || environment.program.contains(name);
        let konsole = environment.is_konsole || self.version.contains("Konsole");
        let cell = self.cell.or(measured).filter(|(width, height)| *width > 0 && *height > 0);
        let kind = match cell {
            // Without the size of a cell nobody knows how many of them a picture covers.
            None => GraphicsKind::Halfblocks,
            // It says yes to kitty's question, but does not know placeholders, which keep a picture in its cells.
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

/// Asks the terminal, and waits for its answers for at most so long. Blocks; the terminal must be in raw mode, and nobody
/// else may read its keys meanwhile: keys and pastes are handed to `on_input`. Where no question may be asked, or nobody
/// answers, nothing is known.
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

/// Waits for the answers to a [`TerminalEnvironment::query`] that was written already, by whoever draws: so that it does not
/// come into the middle of a frame.
pub fn wait_for_replies(
    environment: &TerminalEnvironment,
    timeout: Duration,
    on_input: &mut dyn FnMut(Event),
) -> TerminalCapabilities {
    let Ok(keyboard) = Keyboard::open() else { return TerminalCapabilities::default() };
    read_replies(keyboard.descriptor(), timeout, on_input).capabilities(environment, measured_cell_size())
}

/// Hears what comes from a descriptor, until the last answer or for at most so long.
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
        // What was begun is heard to its end: cut in two, an answer would be taken for keys.
        let is_open = parser.is_in_sequence();
        let left = deadline.saturating_duration_since(Instant::now());
        // On a busy machine the time may be over before the first look: what has arrived by then counts.
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

/// The size of a cell as the system knows it, where the terminal has told it.
fn measured_cell_size() -> Option<(u16, u16)> {
    let size = rustix::termios::tcgetwinsize(io::stdout()).ok()?;
    let cell = (size.ws_xpixel.checked_div(size.ws_col)?, size.ws_ypixel.checked_div(size.ws_row)?);
    (cell.0 > 0 && cell.1 > 0).then_some(cell)
}

/// Where keys come from.
enum Keyboard {
    Stdin,
    Terminal(OwnedFd),
}

impl Keyboard {
    /// As crossterm chooses it: standard input, or the terminal itself where that is something else.
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

/// What comes within a time; none if nothing does; nothing at the end.
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
    fn terminals_that_would_show_the_question_are_not_asked() {
        assert_eq!(environment(&[("TERM", "dumb")]).query(), None);
        assert_eq!(environment(&[("TERM", "linux")]).query(), None);
        assert_eq!(environment(&[]).query(), None);
    }

    #[test]
    fn a_multiplexer_is_asked_only_what_it_answers_itself() {
        let query = environment(&[("TERM", "xterm-256color")]).query().expect("it is asked");
        assert!(query.contains("\x1b_G") && query.contains("\x1b[>q") && query.ends_with("\x1b[c"));
        for pairs in [[("TERM", "screen-256color")], [("TERM", "tmux-256color")]] {
            let query = environment(&pairs).query().expect("it is asked");
            assert!(!query.contains("\x1b_G") && !query.contains("\x1b[>q") && query.ends_with("\x1b[c"));
        }
        assert!(environment(&[("TERM", "xterm"), ("TMUX", "/tmp/tmux-0/default,1,0")]).is_multiplexed);
    }

    #[test]
    fn the_best_graphics_that_work_are_chosen() {
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
    fn without_the_size_of_a_cell_there_are_only_characters() {
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
    fn the_theme_follows_the_background() {
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

    /// What is heard, and typed, of what a terminal says; it stays open if `stays`.
    fn talk(output: &[u8], stays: bool, timeout: Duration) -> (ReplyCollector, Vec<Event>) {
        let (reader, mut writer) = std::io::pipe().expect("a pipe");
        writer.write_all(output).expect("there is room");
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
    fn listening_ends_with_the_last_answer_and_loses_no_key() {
        // So long that the test would be noticed if it waited.
        let long = Duration::from_secs(600);
        let (replies, typed) = talk(b"j\x1b[6;18;9tk\x1b[?62;4c", true, long);
        assert!(replies.is_over() && replies.sixel);
        assert_eq!(replies.cell, Some((9, 18)));
        assert_eq!(typed, [key('j'), key('k')]);
    }

    #[test]
    fn a_terminal_that_does_not_answer_is_not_waited_for_for_ever() {
        let (replies, typed) = talk(b"j\x1b]11;rgb:0/0/0\x07", true, Duration::ZERO);
        assert!(!replies.is_over());
        assert_eq!((replies.background, typed), (Some((0, 0, 0)), vec![key('j')]));
        let (replies, _) = talk(b"", false, Duration::from_secs(600));
        assert_eq!(replies, ReplyCollector::default(), "a terminal that has gone");
    }

    #[test]
    fn an_escape_alone_is_a_key() {
        let (_, typed) = talk(b"\x1b", true, Duration::ZERO);
        assert_eq!(typed, [Event::Key(crossterm::event::KeyEvent::from(crossterm::event::KeyCode::Esc))]);
    }
}
