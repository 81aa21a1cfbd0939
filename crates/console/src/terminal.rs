//! The terminal screen: entered when the console opens, and restored however it ends.

#![allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "the terminal is read and written here")]
#![expect(clippy::disallowed_methods, reason = "frames consist of cells, which contain no control characters")]

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

/// Whether the screen is active, so that a panic restores it.
static ACTIVE: AtomicBool = AtomicBool::new(false);

/// The processes that are suspended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SuspendScope {
    /// This process, after SIGTSTP.
    Process,
    /// The process group, as with the terminal's Ctrl-Z: a shell waits for a wrapper such as `cargo run`. The sandbox is in
    /// its own group.
    Group,
}

/// The active terminal screen, restored on drop.
#[derive(Debug)]
pub(super) struct Screen {
    terminal: Terminal<CrosstermBackend<BufWriter<Stdout>>>,
    mouse: bool,
    /// Whether the next frame must be drawn completely.
    needs_full_redraw: bool,
}

impl Screen {
    /// Enters the alternate screen and raw mode.
    pub(super) fn open(mouse: bool) -> io::Result<Self> {
        enter(mouse)?;
        let terminal = terminal().inspect_err(|_| restore())?;
        Ok(Self { terminal, mouse, needs_full_redraw: false })
    }

    /// The size in columns and rows.
    pub(super) fn size() -> io::Result<(u16, u16)> {
        crossterm::terminal::size()
    }

    /// Draws the model; writes only changes.
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

    /// Requests a full redraw. Ratatui's own `clear` would query the cursor position, whose reply the key reader consumes.
    pub(super) fn clear(&mut self) {
        self.needs_full_redraw = true;
    }

    /// Copies a text to the terminal's clipboard (OSC 52), which is not acknowledged.
    pub(super) fn copy(&mut self, text: &str) -> io::Result<()> {
        let backend = self.terminal.backend_mut();
        write!(backend, "\x1b]52;c;{}\x07", STANDARD.encode(text))?;
        backend.flush()
    }

    /// Restores the terminal, suspends the program, and enters the screen again when continued.
    pub(super) fn suspend(&mut self, scope: SuspendScope) -> io::Result<()> {
        restore();
        // STOP, since TSTP is handled by this process. All at once: if a wrapper stopped first, the shell could continue the
        // group before this process stops.
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
    // A frame is written at once, to prevent flicker.
    Terminal::new(CrosstermBackend::new(BufWriter::with_capacity(1 << 16, io::stdout())))
}

fn enter(mouse: bool) -> io::Result<()> {
    enable_raw_mode()?;
    ACTIVE.store(true, Ordering::SeqCst);
    let entered = execute!(io::stdout(), EnterAlternateScreen, EnableBracketedPaste, cursor::Hide);
    let entered = entered.and_then(|()| if mouse { execute!(io::stdout(), EnableMouseCapture) } else { Ok(()) });
    entered.inspect_err(|_| restore())
}

/// Restores the terminal, if active.
pub(super) fn restore() {
    if !ACTIVE.swap(false, Ordering::SeqCst) {
        return;
    }
    // Errors of a closed terminal are ignored.
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
