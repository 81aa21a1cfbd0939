//! Measures the log store with a million lines: append rate, scroll and search times, memory.

use std::fs;
use std::time::{Duration, Instant};

use thumbctl_console::log_store::{DisplayLine, LogCommand, LogMove, LogReport, LogStore, LogWindow, ViewportSize};

const LINES: usize = 1_000_000;
const BATCH: usize = 1000;
const VIEWPORT: ViewportSize = ViewportSize { rows: 50, columns: 140, wrap: false };

fn batch(first: usize) -> LogCommand {
    let line = |number: usize| DisplayLine {
        text: format!(
            "\u{1b}[1;32m   Compiling\u{1b}[0m part-{number} v0.{}.0 (/codebuild/output/src{number:08}/src)",
            number % 100
        ),
        timestamp: chrono::DateTime::from_timestamp_millis(1_795_000_000_000 + number as i64),
    };
    LogCommand::Append((first..first + BATCH).map(line).collect())
}

/// Executes a command; returns the duration and the window.
fn timed(store: &mut LogStore, command: LogCommand) -> (Duration, LogWindow) {
    let start = Instant::now();
    let reports = store.run(command);
    let took = start.elapsed();
    (took, window_of(reports).expect("there is always a window"))
}

fn window_of(reports: Vec<LogReport>) -> Option<LogWindow> {
    let window = |report| match report {
        LogReport::Updated(window) => Some(*window),
        LogReport::Saved { .. } => None,
        LogReport::Failed(failure) => panic!("{}", failure.message),
    };
    reports.into_iter().filter_map(window).next_back()
}

/// Executes a command and all pending work; returns total duration, longest slice and window.
fn run_to_end(store: &mut LogStore, command: LogCommand) -> (Duration, Duration, LogWindow) {
    let (mut whole, mut window) = timed(store, command);
    let mut longest = whole;
    while store.has_work() {
        let start = Instant::now();
        let reports = store.work();
        let took = start.elapsed();
        (whole, longest) = (whole + took, longest.max(took));
        window = window_of(reports).unwrap_or(window);
    }
    (whole, longest, window)
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

/// The peak resident set in megabytes.
fn peak() -> f64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or("0 kB");
    line.trim().trim_end_matches(" kB").parse::<f64>().unwrap_or(f64::NAN) * 1024.0 / 1e6
}

fn main() {
    // `cargo test --benches` only checks that the benchmark starts.
    if std::env::args().any(|argument| argument == "--test") {
        return;
    }
    let mut store = LogStore::new();
    store.run(LogCommand::Show(VIEWPORT));
    let (mut appending, mut slowest) = (Duration::ZERO, Duration::ZERO);
    for first in (0..LINES).step_by(BATCH) {
        let lines = batch(first);
        let (took, window) = timed(&mut store, lines);
        assert!(window.following && window.total == first + BATCH);
        (appending, slowest) = (appending + took, slowest.max(took));
    }
    println!(
        "append: {:.2} million lines a second; {BATCH} lines in {:.2} ms at worst (10,000 a second must leave 16 ms for a key)",
        LINES as f64 / appending.as_secs_f64() / 1e6,
        milliseconds(slowest)
    );

    for wrap in [false, true] {
        let how = if wrap { "lines wrapped" } else { "lines truncated" };
        let (took, _) = timed(&mut store, LogCommand::Show(ViewportSize { wrap, columns: 60, ..VIEWPORT }));
        println!("{how}: shown at the end in {:.2} ms (16 ms)", milliseconds(took));
        let (took, window) = timed(&mut store, LogCommand::Move(LogMove::Top));
        assert_eq!(window.position, 1);
        println!("{how}: to the top in {:.2} ms (16 ms)", milliseconds(took));
        let mut pages: Vec<Duration> =
            (0..2000).map(|_| timed(&mut store, LogCommand::Move(LogMove::PageDown)).0).collect();
        pages.sort();
        println!(
            "{how}: a page down in {:.2} ms, {:.2} ms at worst (16 ms)",
            milliseconds(pages[pages.len() / 2]),
            milliseconds(pages[pages.len() - 1])
        );
        let (took, window) = timed(&mut store, LogCommand::Move(LogMove::Bottom));
        assert_eq!(window.position, LINES);
        println!("{how}: to the end in {:.2} ms (16 ms)", milliseconds(took));
    }

    for (what, text, matches) in [
        ("in every line, case-insensitive", "compiling", LINES),
        ("in one line, case-insensitive", "part-999999 ", 1),
        ("in every line, case-sensitive", "Compiling", LINES),
        ("without match", "no such thing", 0),
    ] {
        let (whole, longest, window) = run_to_end(&mut store, LogCommand::Search(text.to_owned()));
        assert_eq!(window.search.map(|found| found.matches), Some(matches));
        println!(
            "search, {what}: {:.0} ms in total, {:.2} ms per slice at most (16 ms)",
            milliseconds(whole),
            milliseconds(longest)
        );
    }
    let (whole, longest, window) = run_to_end(&mut store, LogCommand::Filter("v0.7".to_owned()));
    assert_eq!(window.passing, LINES / 100 * 11);
    println!(
        "filter: {:.0} ms in total, {:.2} ms per slice at most (16 ms)",
        milliseconds(whole),
        milliseconds(longest)
    );
    println!("peak memory: {:.0} MB (300 MB)", peak());
}
