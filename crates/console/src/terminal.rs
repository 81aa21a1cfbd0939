//! The terminal: taken over when the console opens, given back as it was however the console ends.

#![allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "the terminal is read and written here")]
#![expect(
    clippy::disallowed_methods,
    reason = "frames are drawn from cells, into which no control character of a text comes"
)]

pub mod query;

use std::io::{self, BufWriter, Stdout, Write};
use std::sync::atomic::{AtomicBool, Ordering};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use crossterm::event::{DisableBracketedPaste, DisableMouseCapture, EnableBracketedPaste, EnableMouseCapture};
use crossterm::terminal::{
    BeginSynchronizedUpdate, Clear, ClearType, EndSynchronizedUpdate, EnterAlternateScreen, LeaveAlternateScreen,
    disable_raw_mode, enable_raw_mode,
};
use crossterm::{cursor, execute, queue};
use ratatui::Terminal;
use ratatui::backend::CrosstermBackend;
use rustix::process::{Signal, getpid, kill_current_process_group, kill_process};

use super::model::Model;
use super::view;

/// Whether the terminal is ours now, so that a panic gives it back.
static ACTIVE: AtomicBool = AtomicBool::new(false);

/// Who is stopped until the shell continues it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SuspendScope {
    /// This process: it was told to.
    Process,
    /// All that the shell started together with it, as where Ctrl-Z is the terminal's: a shell that waits for a wrapper
    /// (`cargo run`) hears only of that. The sandbox is in a group of its own.
    Group,
}

/// The terminal, taken over. It is given back when this is dropped.
#[derive(Debug)]
pub(super) struct Screen {
    terminal: Terminal<CrosstermBackend<BufWriter<Stdout>>>,
    mouse: bool,
    /// Whether what was drawn is not there any more, so that all must be drawn.
    needs_full_redraw: bool,
}

impl Screen {
    /// Takes the terminal over.
    pub(super) fn open(mouse: bool) -> io::Result<Self> {
        enter(mouse)?;
        let terminal = terminal().inspect_err(|_| restore())?;
        Ok(Self { terminal, mouse, needs_full_redraw: false })
    }

    /// Columns and rows.
    pub(super) fn size() -> io::Result<(u16, u16)> {
        crossterm::terminal::size()
    }

    /// Draws the model; only what has changed is written.
    pub(super) fn draw(&mut self, model: &Model) -> io::Result<()> {
        if std::mem::take(&mut self.needs_full_redraw) {
            self.terminal = terminal()?;
            queue!(self.terminal.backend_mut(), BeginSynchronizedUpdate, Clear(ClearType::All))?;
        } else {
            queue!(self.terminal.backend_mut(), BeginSynchronizedUpdate)?;
        }
        self.terminal.draw(|frame| view::draw(frame, model))?;
        execute!(self.terminal.backend_mut(), EndSynchronizedUpdate)
    }

    /// Makes the next drawing a whole one. A new terminal knows nothing of what was drawn; ratatui's own clearing would ask
    /// for the cursor's place, and wait for the answer that the reader of keys takes.
    pub(super) fn clear(&mut self) {
        self.needs_full_redraw = true;
    }

    /// Puts a text into the terminal's clipboard (OSC 52). Whether the terminal does it, it does not say.
    pub(super) fn copy(&mut self, text: &str) -> io::Result<()> {
        let backend = self.terminal.backend_mut();
        write!(backend, "\x1b]52;c;{}\x07", STANDARD.encode(text))?;
        backend.flush()
    }

    /// Gives the terminal back, stops the program until it is continued, and takes the terminal over again.
    pub(super) fn suspend(&mut self, scope: SuspendScope) -> io::Result<()> {
        restore();
        // STOP and not TSTP: the latter is heard by ourselves. And all at once: were a wrapper stopped first, a quick shell
        // would have continued the group before we stop.
        match scope {
            SuspendScope::Process => kill_process(getpid(), Signal::STOP)?,
            SuspendScope::Group => kill_current_process_group(Signal::STOP)?,
        }
        enter(self.mouse)?;
        self.clear();
        Ok(())
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        restore();
    }
}

fn terminal() -> io::Result<Terminal<CrosstermBackend<BufWriter<Stdout>>>> {
    // A whole frame is written at once: half a frame would flicker.
    Terminal::new(CrosstermBackend::new(BufWriter::with_capacity(1 << 16, io::stdout())))
}

fn enter(mouse: bool) -> io::Result<()> {
    enable_raw_mode()?;
    ACTIVE.store(true, Ordering::SeqCst);
    let entered = execute!(io::stdout(), EnterAlternateScreen, EnableBracketedPaste, cursor::Hide);
    let entered = entered.and_then(|()| if mouse { execute!(io::stdout(), EnableMouseCapture) } else { Ok(()) });
    entered.inspect_err(|_| restore())
}

/// Gives the terminal back as it was; does nothing if it is not ours.
pub(super) fn restore() {
    if !ACTIVE.swap(false, Ordering::SeqCst) {
        return;
    }
    // Nothing can be done about a terminal that has gone.
    let _ = execute!(
        io::stdout(),
        EndSynchronizedUpdate,
        DisableMouseCapture,
        DisableBracketedPaste,
        LeaveAlternateScreen,
        cursor::Show
    );
    let _ = disable_raw_mode();
}
