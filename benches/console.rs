//! Measures the console in a pseudo-terminal: start, key latency, idle cost, frame time.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use ratatui::Terminal;
use ratatui::backend::TestBackend;
use thumbctl_console::keymap::KeyMap;
use thumbctl_console::message::Message;
use thumbctl_console::model::{Model, ModelInit, RequestedDeployment};
use thumbctl_console::theme::Theme;
use thumbctl_console::update::update;
use thumbctl_console::{symbols, view};
use thumbctl_core::event::{Event, StrategyKind};
use thumbctl_core::names::DeploymentName;
use thumbctl_test_support::console::Console;

const SIZE: (u16, u16) = (120, 36);

struct Bench {
    dir: tempfile::TempDir,
}

impl Bench {
    fn new() -> Self {
        Self { dir: tempfile::tempdir().expect("a temporary folder") }
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_thumbctl"));
        command
            .args(arguments)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.dir.path())
            .env("TMPDIR", self.dir.path())
            .env("THUMBCTL_STATE_DIR", self.dir.path().join("state"))
            .current_dir(self.dir.path());
        command
    }

    fn open(&self, arguments: &[&str]) -> Console {
        Console::start(&self.command(arguments), SIZE)
    }

    fn journals(&self) -> PathBuf {
        self.dir.path().join("state/deployments/thumbnails/runs")
    }

    fn deploy(&self) {
        let done = self.command(&["deploy", "--yes"]).output().expect("the program runs");
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    }

    /// The journals of the runs: run ID and lines.
    fn recorded(&self) -> Vec<(String, String)> {
        let mut paths: Vec<PathBuf> =
            fs::read_dir(self.journals()).expect("journals").map(|entry| entry.expect("an entry").path()).collect();
        paths.sort();
        let recorded = |path: PathBuf| {
            let run = path.file_stem().expect("a name").to_string_lossy().into_owned();
            (run, fs::read_to_string(path).expect("a journal"))
        };
        paths.into_iter().map(recorded).collect()
    }

    /// Replaces the runs by a number of runs, which repeat the recorded ones.
    fn write_runs(&self, recorded: &[(String, String)], runs: usize) {
        fs::remove_dir_all(self.journals()).expect("journals");
        fs::create_dir_all(self.journals()).expect("a folder");
        for (number, (run, lines)) in recorded.iter().cycle().take(runs).enumerate() {
            let action = run.split('-').nth(1).expect("a run's id");
            let id = format!("{:04}-{action}-{:04x}", number + 1, number % 0x10000);
            fs::write(self.journals().join(format!("{id}.jsonl")), lines.replace(run, &id)).expect("a journal");
        }
    }

    /// The events of the only run.
    fn events(&self) -> Vec<Event> {
        let journal = fs::read_dir(self.journals()).expect("the journals").next().expect("one").expect("readable");
        let text = fs::read_to_string(journal.path()).expect("a journal");
        text.lines().map(|line| serde_json::from_str(line).expect("an event")).collect()
    }

    /// Writes a run with a build log of `lines` lines, at a rate per second.
    fn write_log(&self, lines: usize, a_second: f64) {
        let template = Self::new();
        template.deploy();
        let events = template.events();
        let started = serde_json::to_string(&events[0]).expect("an event is JSON");
        let run = events[0].run.clone();
        let mut text = String::with_capacity(lines * 160);
        let _ = writeln!(text, "{started}");
        for number in 0..lines {
            let at = events[0].at + chrono::TimeDelta::microseconds((number as f64 / a_second * 1e6) as i64);
            let at = at.to_rfc3339_opts(chrono::SecondsFormat::Millis, true);
            let _ = writeln!(
                text,
                r#"{{"v":1,"run":"{run}","seq":{},"at":"{at}","event":"log_line","source":"build","text":"   Compiling part-{number} v0.1.0","timestamp":"{at}"}}"#,
                number + 1
            );
        }
        let end = events[0].at + chrono::TimeDelta::microseconds((lines as f64 / a_second * 1e6) as i64);
        let end = end.to_rfc3339_opts(chrono::SecondsFormat::Millis, true);
        let _ = writeln!(
            text,
            r#"{{"v":1,"run":"{run}","seq":{},"at":"{end}","event":"run_finished","outcome":"cancelled","seconds":1.0}}"#,
            lines + 1
        );
        fs::create_dir_all(self.journals()).expect("a folder");
        fs::write(self.journals().join(format!("{run}.jsonl")), text).expect("a journal");
    }
}

fn main() {
    const ALL: [(&str, Measurement); 6] = [
        ("first_frame", first_frame),
        ("many_runs", many_runs),
        ("keys_under_load", keys_under_load),
        ("million_lines", million_lines),
        ("idle", idle),
        ("frame", frame),
    ];
    // `cargo bench --bench console -- many_runs` selects one measurement.
    let selected: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    let is_selected = |name: &str| selected.is_empty() || selected.iter().any(|selected| selected == name);
    let figures: Vec<Figures> =
        ALL.into_iter().filter(|(name, _)| is_selected(name)).map(|(_, measure)| measure()).collect();
    println!("\n{:<58} {:>10} {:>12}", "", "bound", "measured");
    for (what, bound, measured) in figures.iter().flatten() {
        println!("{what:<58} {bound:>10} {measured:>12}");
    }
}

type Figures = Vec<(String, String, String)>;

/// A measurement with several figures.
type Measurement = fn() -> Figures;

fn figure(what: &str, bound: &str, measured: String) -> (String, String, String) {
    (what.to_owned(), bound.to_owned(), measured)
}

/// Measures the time from process start to the first frame.
fn first_frame() -> Figures {
    let bench = Bench::new();
    let mut times: Vec<Duration> = (0..15)
        .map(|_| {
            let start = Instant::now();
            let mut console = bench.open(&[]);
            console.wait_for("thumbnails");
            let took = start.elapsed();
            console.wait_for("nothing deployed");
            console.keys("q");
            console.wait_end();
            took
        })
        .collect();
    times.sort();
    vec![figure("first frame (median of 15)", "50 ms", ms(times[7]))]
}

/// Measures the time from process start until all journals are read, by number of runs.
fn many_runs() -> Figures {
    let bench = Bench::new();
    bench.deploy();
    let done = bench.command(&["destroy", "--yes"]).output().expect("the program runs");
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let recorded = bench.recorded();
    let figure_of = |runs: usize| {
        bench.write_runs(&recorded, runs);
        let mut times: Vec<Duration> = (0..5)
            .map(|_| {
                let start = Instant::now();
                let mut console = bench.open(&[]);
                console.wait_for("destroyed");
                let took = start.elapsed();
                console.keys("q");
                console.wait_end();
                took
            })
            .collect();
        times.sort();
        figure(&format!("{runs} runs: all journals read (median of 5)"), "linear", ms(times[2]))
    };
    [500, 1000, 2000].map(figure_of).into()
}

/// Measures the key latency at 10,000 log lines per second, by opening and closing the help.
fn keys_under_load() -> Figures {
    let bench = Bench::new();
    bench.write_log(600_000, 10_000.0);
    let console = bench.open(&["replay", "last"]);
    console.wait_for("replay");
    console.keys("3");
    console.wait_for("following");
    console.wait_until("the log to grow", |screen| !screen.contains("part-1 "));
    let (before, start) = (lines_shown(&console), Instant::now());
    let mut times = Vec::new();
    for _ in 0..12 {
        times.extend(answer_times(&console, 5));
        std::thread::sleep(Duration::from_millis(250));
    }
    let rate = (lines_shown(&console) - before) / start.elapsed().as_secs_f64();
    times.sort();
    vec![
        figure("log lines a second, as shown, meanwhile", "10,000", format!("{rate:.0}")),
        figure("a key under that load: median of 120", "16 ms", ms(times[times.len() / 2])),
        figure("a key under that load: 95th percentile", "", ms(times[times.len() * 95 / 100])),
    ]
}

/// Measures the times to open and close the help.
fn answer_times(console: &Console, rounds: usize) -> Vec<Duration> {
    let mut times = Vec::new();
    for _ in 0..rounds {
        let start = Instant::now();
        console.keys("?");
        console.wait_for("Available keys");
        times.push(start.elapsed());
        let start = Instant::now();
        console.keys("?");
        console.wait_until_gone("Available keys");
        times.push(start.elapsed());
    }
    times
}

/// The number of the last line on the screen.
fn lines_shown(console: &Console) -> f64 {
    let screen = console.text();
    let numbers = screen.split("part-").skip(1).filter_map(|rest| rest.split(' ').next()?.parse::<f64>().ok());
    numbers.fold(0.0, f64::max)
}

/// Measures opening, scrolling and searching a log of a million lines.
fn million_lines() -> Figures {
    let bench = Bench::new();
    bench.write_log(1_000_000, 1e6);
    let start = Instant::now();
    let console = bench.open(&[]);
    console.wait_for("us-east-1");
    console.keys("3");
    console.wait_for("part-999999 ");
    let opened = start.elapsed();
    let timed = |keys: &str, text: &str| {
        assert!(!console.text().contains(text), "'{text}' is on the screen already:\n{}", console.text());
        let start = Instant::now();
        console.keys(keys);
        console.wait_for(text);
        ms(start.elapsed())
    };
    let to_top = timed("g", "part-0 ");
    let page = timed("\x1b[6~\x1b[6~", "part-40 ");
    let to_end = timed("G", "part-999999 ");
    let search = timed("/part-500000 \r", "part-500000 ");
    let keys = {
        let mut times = answer_times(&console, 20);
        times.sort();
        ms(times[times.len() / 2])
    };
    vec![
        figure("a million lines: journal read and log at its end", "", ms(opened)),
        figure("a million lines: to the top", "", to_top),
        figure("a million lines: two pages down", "", page),
        figure("a million lines: to the end", "", to_end),
        figure("a million lines: a search through all of them", "", search),
        figure("a million lines: a key (median of 40)", "16 ms", keys),
        figure(
            "a million lines: peak memory of the console",
            "300 MB",
            mb(memory(console.pid().as_raw_nonzero().get(), "VmHWM")),
        ),
    ]
}

/// Measures ten seconds without events.
fn idle() -> Figures {
    let bench = Bench::new();
    let console = bench.open(&[]);
    console.wait_for("nothing deployed");
    console.wait_for("us-east-1");
    console.keys("a");
    console.wait_for("✔ deployed");
    let pid = console.pid().as_raw_nonzero().get();
    // Waits until nothing was drawn for ten seconds, since messages expire after eight.
    let mut drawn = console.raw().len();
    loop {
        std::thread::sleep(Duration::from_secs(10));
        let now = console.raw().len();
        if now == drawn {
            break;
        }
        drawn = now;
    }
    let (before, start) = (processor_time(pid), Instant::now());
    std::thread::sleep(Duration::from_secs(10));
    let share = (processor_time(pid) - before) / start.elapsed().as_secs_f64() * 100.0;
    let bytes = console.raw().len() - drawn;
    let sandbox = fs::read_to_string(bench.dir.path().join("state/sandbox/endpoint.json"))
        .ok()
        .and_then(|text| serde_json::from_str::<serde_json::Value>(&text).ok())
        .and_then(|endpoint| endpoint["pid"].as_i64())
        .expect("the sandbox's process");
    let together = memory(pid, "VmRSS") + memory(i32::try_from(sandbox).expect("a process id"), "VmRSS");
    vec![
        figure("idle: bytes drawn in ten seconds", "0", bytes.to_string()),
        figure("idle: share of a core", "0.5 %", format!("{share:.2} %")),
        figure("idle, having deployed: memory, with the sandbox", "60 MB", mb(together)),
    ]
}

/// Measures a complete frame at 200 x 60.
fn frame() -> Figures {
    let bench = Bench::new();
    bench.deploy();
    let size = (200, 60);
    let mut model = Model::new(ModelInit {
        requested: RequestedDeployment {
            cloud: "sandbox".into(),
            region: None,
            name: DeploymentName::new("thumbnails").expect("a legal name"),
            strategy: StrategyKind::Sdk,
            parallelism: 8,
        },
        now: chrono::Utc::now(),
        size,
        keymap: KeyMap::default(),
        theme: Some(Theme::Dark),
        symbols: &symbols::UNICODE,
        replay: false,
    });
    update(&mut model, Message::Resize(size.0, size.1));
    update(&mut model, Message::Events(bench.events()));
    update(&mut model, Message::JournalsRead);
    let mut times: Vec<Duration> = (0..400)
        .map(|_| {
            // A new terminal each time, so that every cell is drawn.
            let mut terminal = Terminal::new(TestBackend::new(size.0, size.1)).expect("a test screen cannot fail");
            let start = Instant::now();
            terminal.draw(|frame| view::draw(frame, &model)).expect("a test screen cannot fail");
            start.elapsed()
        })
        .collect();
    times.sort();
    vec![figure("a frame at 200 x 60 (median of 400)", "2 ms", ms(times[200]))]
}

fn ms(time: Duration) -> String {
    format!("{:.2} ms", time.as_secs_f64() * 1e3)
}

fn mb(bytes: u64) -> String {
    format!("{:.1} MB", bytes as f64 / 1e6)
}

/// A memory figure of a process in bytes.
fn memory(pid: i32, what: &str) -> u64 {
    let status = fs::read_to_string(Path::new("/proc").join(pid.to_string()).join("status")).unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with(what)).unwrap_or_default();
    line.split_whitespace().nth(1).and_then(|kb| kb.parse::<u64>().ok()).unwrap_or(0) * 1024
}

/// The CPU time of a process in seconds.
fn processor_time(pid: i32) -> f64 {
    let stat = fs::read_to_string(Path::new("/proc").join(pid.to_string()).join("stat")).unwrap_or_default();
    let fields: Vec<&str> = stat.rsplit(") ").next().unwrap_or_default().split(' ').collect();
    let ticks = |index: usize| fields.get(index).and_then(|ticks| ticks.parse::<f64>().ok()).unwrap_or(0.0);
    // Linux counts in hundredths of a second (`_SC_CLK_TCK`).
    (ticks(11) + ticks(12)) / 100.0
}
