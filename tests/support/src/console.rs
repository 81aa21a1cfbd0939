//! The console in a pseudo-terminal: driven by keys, read as text, and awaited by its screen's contents, never by time.

use crate::Program;
use std::io::{Read, Write};
use std::num::NonZeroU16;
use std::process::Command;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use portable_pty::{Child, CommandBuilder, ExitStatus, MasterPty, PtySize, native_pty_system};
use rustix::process::{Pid, Signal, kill_process};

/// The longest wait for the screen.
const TIMEOUT: Duration = Duration::from_secs(90);

/// A terminal program in a terminal of its own.
pub struct Console {
    child: Box<dyn Child + Send + Sync>,
    master: Box<dyn MasterPty + Send>,
    writer: Arc<Mutex<Box<dyn Write + Send>>>,
    seen: Arc<Seen>,
    modes: [u64; 3],
}

/// The program's drawings.
struct Seen {
    drawn: Mutex<Drawn>,
    changed: Condvar,
}

struct Drawn {
    parser: vt100::Parser,
    raw: Vec<u8>,
    closed: bool,
}

/// A terminal's queries and responses.
pub type Answers = &'static [(&'static [u8], &'static [u8])];

/// A plain terminal, which only reports its type.
const PLAIN: Answers = &[(b"\x1b[c", b"\x1b[?62;22c")];

impl Console {
    /// Starts a command in a plain terminal of a size: columns, rows.
    pub fn start(command: &Command, size: (u16, u16)) -> Self {
        Self::start_in(command, size, PLAIN)
    }

    /// Starts a command in a terminal with these responses.
    pub fn start_in(command: &Command, size: (u16, u16), answers: Answers) -> Self {
        let pair = native_pty_system().openpty(pty_size(size)).expect("a pseudo-terminal");
        let modes = modes(&*pair.master);
        let child = pair.slave.spawn_command(builder(command)).expect("the program starts");
        drop(pair.slave);
        let writer = Arc::new(Mutex::new(pair.master.take_writer().expect("one writer")));
        let seen = Arc::new(Seen {
            drawn: Mutex::new(Drawn { parser: parser(size), raw: Vec::new(), closed: false }),
            changed: Condvar::new(),
        });
        let reader = pair.master.try_clone_reader().expect("a reader");
        let (screen, typed) = (Arc::clone(&seen), Arc::clone(&writer));
        std::thread::spawn(move || screen.read(reader, &typed, answers));
        Self { child, master: pair.master, writer, seen, modes }
    }

    /// The text on the screen.
    pub fn text(&self) -> String {
        self.seen.drawn().parser.screen().contents()
    }

    /// All bytes ever written to the terminal.
    pub fn raw(&self) -> Vec<u8> {
        self.seen.drawn().raw.clone()
    }

    /// Waits until the screen matches.
    pub fn wait_until(&self, what: &str, is: impl Fn(&str) -> bool) -> String {
        let started = Instant::now();
        let mut drawn = self.seen.drawn();
        loop {
            let text = drawn.parser.screen().contents();
            if is(&text) {
                return text;
            }
            let left = TIMEOUT.saturating_sub(started.elapsed());
            assert!(!drawn.closed && !left.is_zero(), "timeout waiting for {what}; on the screen:\n{text}");
            drawn = self.seen.changed.wait_timeout(drawn, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Waits until a text is on the screen.
    pub fn wait_for(&self, text: &str) -> String {
        self.wait_until(&format!("'{text}'"), |screen| screen.contains(text))
    }

    /// Waits until a text has disappeared from the screen.
    pub fn wait_until_gone(&self, text: &str) -> String {
        self.wait_until(&format!("'{text}' to disappear"), |screen| !screen.contains(text))
    }

    /// Types keys.
    pub fn keys(&self, keys: &str) {
        let mut writer = self.writer.lock().expect("the lock is not poisoned");
        writer.write_all(keys.as_bytes()).and_then(|()| writer.flush()).expect("the terminal takes keys");
    }

    /// Resizes the terminal: columns, rows.
    pub fn resize(&self, size: (u16, u16)) {
        {
            let mut drawn = self.seen.drawn();
            drawn.parser.screen_mut().set_size(at_least_one(size.1), at_least_one(size.0));
        }
        self.master.resize(pty_size(size)).expect("a terminal can be resized");
    }

    /// The process.
    pub fn pid(&self) -> Pid {
        let pid = self.child.process_id().expect("it is running");
        Pid::from_raw(i32::try_from(pid).expect("a process id")).expect("a process id")
    }

    /// Sends a signal to the process.
    pub fn signal(&self, signal: Signal) {
        kill_process(self.pid(), signal).expect("the process is there");
    }

    /// Waits for its end, and returns its status. All its output has been read by then.
    pub fn wait_end(&mut self) -> ExitStatus {
        let started = Instant::now();
        let status = loop {
            if let Some(status) = self.child.try_wait().expect("its status is available") {
                break status;
            }
            assert!(started.elapsed() < TIMEOUT, "it did not end; on the screen:\n{}", self.text());
            std::thread::sleep(Duration::from_millis(5));
        };
        let mut drawn = self.seen.drawn();
        while !drawn.closed && started.elapsed() < TIMEOUT {
            drawn = self.seen.changed.wait_timeout(drawn, TIMEOUT).unwrap_or_else(PoisonError::into_inner).0;
        }
        status
    }

    /// Whether the terminal's modes (echo, lines, signals) are as before the program's start.
    pub fn terminal_is_restored(&self) -> bool {
        modes(&*self.master) == self.modes
    }
}

impl Drop for Console {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Seen {
    /// A failed test's lock must not hide its message.
    fn drawn(&self) -> MutexGuard<'_, Drawn> {
        self.drawn.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn read(&self, mut reader: Box<dyn Read + Send>, writer: &Mutex<Box<dyn Write + Send>>, answers: Answers) {
        let mut buffer = [0; 1 << 16];
        loop {
            let count = reader.read(&mut buffer).unwrap_or(0);
            let mut drawn = self.drawn();
            if count == 0 {
                drawn.closed = true;
                self.changed.notify_all();
                return;
            }
            let bytes = &buffer[..count];
            drawn.raw.extend_from_slice(bytes);
            drawn.parser.process(bytes);
            drop(drawn);
            self.changed.notify_all();
            for (question, answer) in answers {
                if bytes.windows(question.len()).any(|window| window == *question) {
                    let mut writer = writer.lock().expect("the lock is not poisoned");
                    // A program that has ended needs no response.
                    let _ = writer.write_all(answer).and_then(|()| writer.flush());
                }
            }
        }
    }
}

/// The terminal's modes.
fn modes(master: &dyn MasterPty) -> [u64; 3] {
    let modes = master.get_termios().expect("a terminal has modes");
    [modes.local_flags.bits(), modes.input_flags.bits(), modes.output_flags.bits()].map(u64::from)
}

fn parser((columns, rows): (u16, u16)) -> vt100::Parser {
    vt100::Parser::new(at_least_one(rows), at_least_one(columns), 0)
}

fn at_least_one(number: u16) -> NonZeroU16 {
    NonZeroU16::new(number).expect("a terminal has rows and columns")
}

fn pty_size((columns, rows): (u16, u16)) -> PtySize {
    PtySize { rows, cols: columns, pixel_width: 0, pixel_height: 0 }
}

/// The same command, for a terminal.
fn builder(command: &Command) -> CommandBuilder {
    let mut builder = CommandBuilder::new(command.get_program());
    builder.args(command.get_args());
    builder.env_clear();
    for (name, value) in command.get_envs() {
        if let Some(value) = value {
            builder.env(name, value);
        }
    }
    builder.env("TERM", "xterm-256color");
    builder.env("LANG", "C.UTF-8");
    if let Some(dir) = command.get_current_dir() {
        builder.cwd(dir);
    }
    builder
}

/// Opens the console of a program.
pub fn open(program: &Program) -> Console {
    Console::start(&program.command([] as [&str; 0]), SIZE)
}

/// Opens the console and waits until it has connected and found nothing deployed.
pub fn open_empty(program: &Program) -> Console {
    let console = open(program);
    console.wait_for("nothing deployed");
    console.wait_for("account 0");
    console
}

/// Deploys everything from the console.
pub fn deploy(console: &Console) {
    console.keys("a");
    console.wait_for("15/15 ready");
    console.wait_for("✔ deployed");
}

/// The size that most tests have: columns, rows.
pub const SIZE: (u16, u16) = (120, 36);
pub const ESC: &str = "\x1b";
pub const ENTER: &str = "\r";
pub const CTRL_C: &str = "\x03";
pub const CTRL_Z: &str = "\x1a";
