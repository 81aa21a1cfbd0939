//! The shell of a build's commands. One shell runs all of them, so that variables and the directory carry over.
//!
//! A driver script reads the names of command files from standard input and sources them, each with an empty standard
//! input. After each command's output it writes a mark with the exit status to the same pipe. A command that exits the
//! shell ends only itself: the next one gets a new shell with the exported variables and directory of the old. The umask
//! is CodeBuild's.

use std::io;
use std::path::PathBuf;
use std::process::Stdio;

use rustix::process::{Pid, Signal, kill_process_group};
use thumbctl_platform::write_failure::WriteFailure;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::unix::pipe;
use tokio::process::{Child, ChildStdin, Command};

use super::buildspec::Interpreter;
use super::log::BuildLog;
use crate::marked_processes::ProcessMark;

const DRIVER: &str = r#"__mark=$1 __dir=$2
umask 022
set --
exec 9>&1
[ -f "$__dir/exported" ] && . "$__dir/exported"
trap '__status=$?; export -p >"$__dir/exported"; pwd >"$__dir/directory"; printf "\036%s exit %d\n" "$__mark" "$__status" >&9' EXIT
while IFS=' ' read -r __file CODEBUILD_BUILD_SUCCEEDING; do
  export CODEBUILD_BUILD_SUCCEEDING
  . "$__dir/$__file" </dev/null
  printf '\036%s done %d\n' "$__mark" "$?" >&9
done
trap - EXIT
"#;

/// Longer lines are split: CloudWatch Logs accepts 256 KB.
const MAX_LINE: usize = 200 * 1024;

/// Runs commands one after another.
pub(super) struct Shell {
    interpreter: PathBuf,
    /// The directory of the shell's own files, outside the build's source directory.
    control: PathBuf,
    source: PathBuf,
    environment: Vec<(String, String)>,
    /// The mark of the build's processes.
    process_mark: ProcessMark,
    mark: String,
    commands: usize,
    running: Option<ShellProcess>,
}

struct ShellProcess {
    child: Child,
    /// Kills the remaining processes when dropped.
    _group: ProcessGroup,
    commands: ChildStdin,
    output: pipe::Receiver,
    lines: OutputParser,
}

/// The shell's process group; killed when dropped.
struct ProcessGroup(Option<Pid>);

impl Drop for ProcessGroup {
    fn drop(&mut self) {
        if let Some(group) = self.0 {
            // The group may be gone already.
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
}

impl Shell {
    /// Creates a shell that starts in `source` with exactly `environment`.
    pub(super) fn new(
        kind: Interpreter,
        control: PathBuf,
        source: PathBuf,
        environment: Vec<(String, String)>,
        process_mark: ProcessMark,
    ) -> io::Result<Self> {
        let interpreter = interpreter(kind).ok_or_else(|| {
            io::Error::new(
                io::ErrorKind::NotFound,
                "neither bash nor sh is installed; the buildspec's commands need one of them",
            )
        })?;
        std::fs::write(control.join("driver.sh"), DRIVER)?;
        Ok(Self {
            interpreter,
            control,
            source,
            environment,
            process_mark,
            mark: uuid::Uuid::new_v4().simple().to_string(),
            commands: 0,
            running: None,
        })
    }

    /// Runs one command, logs its output, and returns its outcome.
    pub(super) async fn run(&mut self, command: &str, succeeding: bool, log: &BuildLog) -> io::Result<CommandOutcome> {
        self.commands += 1;
        let file = format!("command-{}.sh", self.commands);
        tokio::fs::write(self.control.join(&file), format!("{command}\n")).await?;
        let mut running = match self.running.take() {
            Some(running) => running,
            None => self.start()?,
        };
        let order = format!("{file} {}\n", u8::from(succeeding));
        // If an earlier command's process has killed the shell, the write fails and this command ends with it.
        let _ = running.commands.write_all(order.as_bytes()).await;
        let (mark, write_failure) = running.until_mark(log).await?;
        if mark.alive {
            self.running = Some(running);
        }
        let is_full = || self.disk_is_full().then_some(WriteFailure::NoSpace);
        Ok(match mark.status {
            0 => CommandOutcome { status: 0, write_failure: None },
            status => CommandOutcome { status, write_failure: write_failure.or_else(is_full) },
        })
    }

    /// Whether the disk is full, for commands that did not print why they failed.
    fn disk_is_full(&self) -> bool {
        rustix::fs::statvfs(&self.control).is_ok_and(|disk| disk.f_blocks > 0 && disk.f_bavail == 0)
    }

    /// The current values of shell variables, exported or not.
    pub(super) async fn values(&mut self, names: &[String], log: &BuildLog) -> io::Result<Vec<(String, String)>> {
        let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        let printing: String = names
            .iter()
            .filter(|name| !name.is_empty() && name.bytes().all(is_word))
            .map(|name| format!("printf '%s\\0' \"{name}=${{{name}-}}\"\n"))
            .collect();
        let script = format!("{{\n:\n{printing}}} >\"$__dir/values\"");
        self.run(&script, true, log).await?;
        let values = tokio::fs::read_to_string(self.control.join("values")).await?;
        Ok(values
            .split_terminator('\0')
            .filter_map(|pair| pair.split_once('='))
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect())
    }

    fn start(&self) -> io::Result<ShellProcess> {
        let (reader, writer) = io::pipe()?;
        let directory = std::fs::read_to_string(self.control.join("directory")).ok();
        let directory = directory
            .map(|path| PathBuf::from(path.trim_end_matches('\n')))
            .filter(|path| path.is_dir())
            .unwrap_or_else(|| self.source.clone());
        let mut command = Command::new(&self.interpreter);
        command
            .arg(self.control.join("driver.sh"))
            .arg(&self.mark)
            .arg(&self.control)
            .current_dir(directory)
            .env_clear()
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .process_group(0)
            .kill_on_drop(true)
            .stdin(Stdio::piped())
            .stdout(writer.try_clone()?)
            .stderr(writer);
        let mut child = command.spawn()?;
        let group = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        if let Some(shell) = group {
            // Before the first command, so that all children inherit the mark.
            self.process_mark.limit(shell);
        }
        let commands = child.stdin.take().ok_or_else(|| io::Error::other("the shell has no standard input"))?;
        Ok(ShellProcess {
            child,
            _group: ProcessGroup(group),
            commands,
            output: pipe::Receiver::from_owned_fd(reader.into())?,
            lines: OutputParser::new(&self.mark),
        })
    }
}

/// The outcome of a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct CommandOutcome {
    /// The exit status, or 128 plus the signal's number.
    pub(super) status: i32,
    /// The write failure that caused the exit, if any.
    pub(super) write_failure: Option<WriteFailure>,
}

/// A command's exit status, and whether the shell is still running.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct CommandMark {
    status: i32,
    alive: bool,
}

impl ShellProcess {
    /// Logs the output up to the next mark. Also returns the last write failure named in the output.
    async fn until_mark(&mut self, log: &BuildLog) -> io::Result<(CommandMark, Option<WriteFailure>)> {
        let mut buffer = vec![0; 64 * 1024];
        let mut write_failure = None;
        loop {
            while let Some(item) = self.lines.next() {
                match item {
                    OutputItem::Line(line) => {
                        write_failure = WriteFailure::in_text(&line).or(write_failure);
                        log.line(&line).await;
                    }
                    OutputItem::Mark(mark) => return Ok((mark, write_failure)),
                }
            }
            tokio::select! {
                read = self.output.read(&mut buffer) => match read? {
                    0 => break,
                    length => self.lines.feed(&buffer[..length]),
                },
                _ = self.child.wait() => {
                    // Reads what is left in the pipe. Other processes may hold it open, so its end is not awaited.
                    while let Ok(length @ 1..) = self.output.try_read(&mut buffer) {
                        self.lines.feed(&buffer[..length]);
                    }
                    break;
                }
            }
        }
        let mut marked = None;
        self.lines.finish();
        while let Some(item) = self.lines.next() {
            match item {
                OutputItem::Line(line) => {
                    write_failure = WriteFailure::in_text(&line).or(write_failure);
                    log.line(&line).await;
                }
                OutputItem::Mark(mark) => marked = Some(mark.status),
            }
        }
        let exit = self.child.wait().await?;
        let signal = std::os::unix::process::ExitStatusExt::signal(&exit);
        let status = marked.or(exit.code()).unwrap_or_else(|| 128 + signal.unwrap_or_default());
        Ok((CommandMark { status, alive: false }, write_failure))
    }
}

/// Splits output into lines and marks.
struct OutputParser {
    mark: Vec<u8>,
    pending: Vec<u8>,
    /// The length of the part of `pending` without an end of line.
    searched: usize,
    finished: bool,
}

enum OutputItem {
    Line(String),
    Mark(CommandMark),
}

impl OutputParser {
    fn new(mark: &str) -> Self {
        Self { mark: [b"\x1e", mark.as_bytes(), b" "].concat(), pending: Vec::new(), searched: 0, finished: false }
    }

    fn feed(&mut self, bytes: &[u8]) {
        self.pending.extend_from_slice(bytes);
    }

    /// Ends the output; the rest is the last line.
    fn finish(&mut self) {
        self.finished = true;
    }

    fn next(&mut self) -> Option<OutputItem> {
        let end = self.pending[self.searched..].iter().position(|byte| *byte == b'\n').map(|at| self.searched + at);
        let (length, skip) = match end {
            Some(end) => (end, 1),
            None if self.pending.len() > MAX_LINE => (MAX_LINE, 0),
            None if self.finished && !self.pending.is_empty() => (self.pending.len(), 0),
            None => {
                self.searched = self.pending.len();
                return None;
            }
        };
        self.searched = 0;
        let line = &self.pending[..length];
        if let Some(at) = find(line, &self.mark) {
            if at > 0 {
                // The last line had no end: return it first, the mark next time.
                let text = text(&line[..at]);
                self.pending.drain(..at);
                return Some(OutputItem::Line(text));
            }
            let mark = self.mark(&line[self.mark.len()..]);
            self.pending.drain(..length + skip);
            return Some(OutputItem::Mark(mark));
        }
        let line = text(line);
        self.pending.drain(..length + skip);
        Some(OutputItem::Line(line))
    }

    fn mark(&self, words: &[u8]) -> CommandMark {
        let words = String::from_utf8_lossy(words);
        let (word, status) = words.split_once(' ').unwrap_or((&*words, ""));
        CommandMark { status: status.trim().parse().unwrap_or(1), alive: word == "done" }
    }
}

fn find(line: &[u8], mark: &[u8]) -> Option<usize> {
    line.windows(mark.len()).position(|window| window == mark)
}

fn text(line: &[u8]) -> String {
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    String::from_utf8_lossy(line).into_owned()
}

/// Finds `bash`, as in CodeBuild's images, or else `sh`; only `sh` if the buildspec requests it.
fn interpreter(kind: Interpreter) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let names: &[&str] = match kind {
        Interpreter::Bash => &["bash", "sh"],
        Interpreter::Sh => &["sh"],
    };
    names.iter().find_map(|name| {
        [PathBuf::from("/bin"), PathBuf::from("/usr/bin")]
            .into_iter()
            .chain(std::env::split_paths(&path))
            .map(|dir| dir.join(name))
            .find(|file| file.is_file())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(lines: &mut OutputParser) -> Vec<String> {
        std::iter::from_fn(|| lines.next())
            .map(|item| match item {
                OutputItem::Line(line) => line,
                OutputItem::Mark(mark) => format!("<{} {}>", mark.status, mark.alive),
            })
            .collect()
    }

    #[test]
    fn output_is_parsed_across_any_chunk_boundary() {
        let output = b"one\r\ntwo\x1em done 0\n\x1em exit 3\nlast";
        for cut in 0..output.len() {
            let mut lines = OutputParser::new("m");
            let mut found = Vec::new();
            for part in [&output[..cut], &output[cut..]] {
                lines.feed(part);
                found.extend(all(&mut lines));
            }
            lines.finish();
            found.extend(all(&mut lines));
            assert_eq!(found, ["one", "two", "<0 true>", "<3 false>", "last"], "{cut}");
        }
    }

    #[test]
    fn long_line_is_split() {
        let mut lines = OutputParser::new("m");
        lines.feed(&vec![b'x'; MAX_LINE + 5]);
        assert_eq!(all(&mut lines), ["x".repeat(MAX_LINE)]);
    }
}
