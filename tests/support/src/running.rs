//! [`Running`]: a running command, and [`Finished`]: its result.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use thumbctl_core::event::{Event, EventKind};

use crate::{TIMEOUT, wait_for};

type Text = Arc<Mutex<String>>;

/// A running command; it is killed when dropped.
pub struct Running {
    process: Child,
    stdout: Text,
    stderr: Text,
    readers: Vec<JoinHandle<()>>,
}

/// The result of a command.
#[derive(Debug)]
pub struct Finished {
    /// The exit code; none if a signal ended it.
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Running {
    pub fn start(mut command: Command) -> Self {
        let mut process =
            command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the program can be started");
        let (stdout, out) = collect(process.stdout.take().expect("piped"));
        let (stderr, err) = collect(process.stderr.take().expect("piped"));
        Self { process, stdout, stderr, readers: vec![out, err] }
    }

    /// Its standard output so far.
    pub fn stdout(&self) -> String {
        self.stdout.lock().expect("no reader panics").clone()
    }

    /// Its standard error so far.
    pub fn stderr(&self) -> String {
        self.stderr.lock().expect("no reader panics").clone()
    }

    /// Its events so far; for commands with `--output json`.
    pub fn events(&self) -> Vec<Event> {
        events(&self.stdout())
    }

    /// Waits for a matching event.
    pub fn wait_for_event(&mut self, what: &str, is: impl Fn(&EventKind) -> bool) -> Event {
        // Each line is parsed once: there are thousands, and this polls often.
        let mut read = 0;
        wait_for(what, || {
            let new = self.stdout.lock().expect("no reader panics")[read..].to_owned();
            read += new.len();
            let found = events(&new).into_iter().find(|event| is(&event.kind));
            if found.is_none() && self.has_ended() {
                panic!("it ended before {what}: {}{}", self.stdout(), self.stderr());
            }
            found
        })
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    pub fn has_ended(&mut self) -> bool {
        self.process.try_wait().expect("its status can be asked for").is_some()
    }

    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.process), signal).expect("it can be signalled");
    }

    /// Sends `kill -9`, and waits for its end.
    pub fn kill(mut self) {
        self.process.kill().expect("it can be killed");
        self.process.wait().expect("it ends");
    }

    /// Waits for its end.
    pub fn wait(self) -> Finished {
        self.wait_at_most(TIMEOUT)
    }

    /// The same with a longer timeout.
    pub fn wait_at_most(mut self, timeout: Duration) -> Finished {
        let deadline = Instant::now() + timeout;
        let mut delay = Duration::from_millis(1);
        let status = loop {
            if let Some(status) = self.process.try_wait().expect("its status can be asked for") {
                break status;
            }
            assert!(Instant::now() < deadline, "it does not end: {}{}", self.stdout(), self.stderr());
            std::thread::sleep(delay);
            delay = (delay * 2).min(Duration::from_millis(10));
        };
        for reader in self.readers.drain(..) {
            reader.join().expect("no reader panics");
        }
        Finished { code: status.code(), stdout: self.stdout(), stderr: self.stderr() }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Drains the program's output, so that it never blocks.
fn collect(pipe: impl Read + Send + 'static) -> (Text, JoinHandle<()>) {
    let text = Text::default();
    let into = Arc::clone(&text);
    let reader = std::thread::spawn(move || {
        let mut lines = BufReader::new(pipe);
        let mut line = Vec::new();
        while lines.read_until(b'\n', &mut line).is_ok_and(|read| read > 0) {
            into.lock().expect("no reader panics").push_str(&String::from_utf8_lossy(&line));
            line.clear();
        }
    });
    (text, reader)
}

impl Finished {
    /// Asserts success.
    #[track_caller]
    pub fn ok(self) -> Self {
        self.ends_with(0)
    }

    /// Asserts an exit code, without a panic.
    #[track_caller]
    pub fn ends_with(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{self}");
        assert!(!self.stderr.contains("panicked") && !self.stderr.contains("has a bug"), "{self}");
        self
    }

    /// Asserts a failure with an exit code and one sentence, which is returned with its hint.
    #[track_caller]
    pub fn fails_with(self, code: i32) -> String {
        let finished = self.ends_with(code);
        let errors = finished.stderr.lines().filter(|line| line.starts_with("error: ")).count();
        assert_eq!(errors, 1, "one sentence: {finished}");
        assert!(!finished.stderr.to_lowercase().contains("backtrace"), "{finished}");
        finished.stderr
    }

    /// Its events: nothing else is on standard output.
    #[track_caller]
    pub fn events(&self) -> Vec<Event> {
        let parse = |line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error} in {line}"));
        self.stdout.lines().map(parse).collect()
    }

    /// The one JSON document on its standard output.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self}"))
    }
}

impl std::fmt::Display for Finished {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The reason first: reports of failed tests cut long outputs off.
        write!(f, "exit code {:?}\n{}\n{}", self.code, self.stderr, self.stdout)
    }
}

fn events(text: &str) -> Vec<Event> {
    text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}
