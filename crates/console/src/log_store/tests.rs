//! Compares the store with a simple list of lines.

mod credentials;

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::PermissionsExt;

use chrono::{DateTime, Utc};
use proptest::prelude::*;
use proptest::string::string_regex;

use super::*;
use crate::log_store::fold;

/// A store with blocks so small that short logs spill to the file.
fn small(open: lines::OpenFile, folder: Option<PathBuf>) -> LogStore {
    LogStore::with(Lines::new(64, 512, open), folder)
}

fn line(text: &str) -> DisplayLine {
    DisplayLine { text: text.to_owned(), timestamp: None }
}

fn numbered(numbers: std::ops::Range<usize>) -> LogCommand {
    LogCommand::Append(numbers.map(|number| line(&format!("line {number}"))).collect())
}

fn show(rows: usize, columns: usize, wrap: bool) -> LogCommand {
    LogCommand::Show(ViewportSize { rows, columns, wrap })
}

/// Executes a command and all pending work; returns the last window and the other reports.
fn run_to_end(store: &mut LogStore, command: LogCommand) -> (LogWindow, Vec<LogReport>) {
    let mut reports = store.run(command);
    while store.has_work() {
        reports.extend(store.work());
    }
    let mut last = None;
    let mut others = Vec::new();
    for report in reports {
        match report {
            LogReport::Updated(window) => last = Some(*window),
            other => others.push(other),
        }
    }
    (last.expect("there is always a window"), others)
}

fn run(store: &mut LogStore, command: LogCommand) -> LogWindow {
    let (window, others) = run_to_end(store, command);
    assert_eq!(others, []);
    window
}

fn numbers(window: &LogWindow) -> Vec<usize> {
    window.lines.iter().map(|row| row.number).collect()
}

fn texts(window: &LogWindow) -> Vec<&str> {
    window.lines.iter().map(|row| row.styled.text.as_str()).collect()
}

fn current(window: &LogWindow) -> Option<usize> {
    window.lines.get(window.current).map(|row| row.number)
}

#[test]
fn new_lines_are_followed_until_scrolled_up() {
    let mut store = small(lines::temporary_file, None);
    run(&mut store, show(3, 20, false));
    let window = run(&mut store, numbered(0..100));
    assert_eq!((texts(&window), window.following), (vec!["line 97", "line 98", "line 99"], true));
    let window = run(&mut store, LogCommand::Move(LogMove::Up));
    assert_eq!((window.position, window.following), (99, false));
    let window = run(&mut store, numbered(100..110));
    assert_eq!((numbers(&window), current(&window), window.total), (vec![97, 98, 99], Some(98), 110));
    run(&mut store, LogCommand::Move(LogMove::Bottom));
    let window = run(&mut store, numbered(110..111));
    assert_eq!((numbers(&window), window.following), (vec![108, 109, 110], true));
}

#[test]
fn scrolling_to_the_end_follows_again() {
    for to in [LogMove::Down, LogMove::Scroll(1), LogMove::PageDown] {
        let mut store = small(lines::temporary_file, None);
        run(&mut store, show(3, 20, false));
        run(&mut store, numbered(0..5));
        run(&mut store, LogCommand::Move(LogMove::Top));
        let steps = std::iter::repeat_with(|| run(&mut store, LogCommand::Move(to)).following);
        assert!(steps.take(5).any(|following| following), "{to:?}");
    }
}

#[test]
fn colours_and_times_survive_spilling() {
    let mut store = small(lines::temporary_file, None);
    run(&mut store, show(1, 20, false));
    let at: DateTime<Utc> = "2026-11-22T13:05:12.345Z".parse().expect("a time");
    let styled = DisplayLine { text: "\u{1b}[31mred\u{1b}[0m".to_owned(), timestamp: Some(at) };
    run(&mut store, LogCommand::Append(vec![styled]));
    run(&mut store, numbered(1..500));
    let window = run(&mut store, LogCommand::Move(LogMove::Top));
    assert_eq!(window.lines[0].timestamp, Some(at));
    assert_eq!(window.lines[0].styled, crate::log_store::ansi::read("\u{1b}[31mred"));
}

#[test]
fn search_starts_at_saved_position_and_wraps() {
    let mut store = small(lines::temporary_file, None);
    run(&mut store, show(4, 20, false));
    run(&mut store, numbered(0..200));
    run(&mut store, LogCommand::Move(LogMove::Top));
    run(&mut store, LogCommand::SavePosition);
    let window = run(&mut store, LogCommand::Search("9".into()));
    assert_eq!(current(&window), Some(9));
    let window = run(&mut store, LogCommand::Search("99".into()));
    assert_eq!(window.search, Some(SearchStatus { matches: 2, at: Some(1), searching: false }));
    assert_eq!(current(&window), Some(99));
    let window = run(&mut store, LogCommand::Move(LogMove::NextMatch));
    assert_eq!(current(&window), Some(199));
    assert!(!window.following, "a match does not follow");
    let window = run(&mut store, LogCommand::Move(LogMove::NextMatch));
    assert_eq!(current(&window), Some(99));
    let window = run(&mut store, numbered(990..992));
    assert_eq!(window.search.map(|found| found.matches), Some(4), "new lines are searched");
    let window = run(&mut store, LogCommand::RestorePosition);
    assert_eq!(current(&window), Some(0));
}

#[test]
fn removing_filter_restores_position() {
    let mut store = small(lines::temporary_file, None);
    run(&mut store, show(4, 20, false));
    run(&mut store, numbered(0..100));
    run(&mut store, LogCommand::Move(LogMove::Scroll(-50)));
    let before = run(&mut store, LogCommand::Move(LogMove::Up));
    let window = run(&mut store, LogCommand::Filter("7".into()));
    assert!(window.passing == 19 && window.lines.iter().all(|row| row.styled.text.contains('7')));
    let window = run(&mut store, LogCommand::Filter("nothing".into()));
    assert_eq!((window.passing, window.position, window.lines.len()), (0, 0, 0));
    assert_eq!(run(&mut store, LogCommand::Filter(String::new())), before);
}

#[test]
fn multi_line_event_is_split_and_long_line_is_continued() {
    let mut store = small(lines::temporary_file, None);
    run(&mut store, show(9, 20, false));
    let long = "x".repeat(block::LONGEST + 5);
    let window = run(&mut store, LogCommand::Append(vec![line("a\nb\n"), line(&long), line("c")]));
    assert_eq!(window.total, 5);
    let lengths: Vec<usize> = window.lines.iter().map(|row| row.styled.text.len()).collect();
    assert_eq!(lengths, [1, 1, block::LONGEST, 5, 1]);
    let continued: Vec<bool> = window.lines.iter().map(|row| row.is_continued).collect();
    assert_eq!(continued, [false, false, false, true, false]);
}

#[test]
fn saved_log_is_complete_plain_private_and_not_overwritten() {
    let dir = tempfile::tempdir().expect("a folder");
    let mut store = small(lines::temporary_file, Some(dir.path().to_owned()));
    let long = "y".repeat(2 * block::LONGEST + 5);
    run(&mut store, LogCommand::Append(vec![line("\u{1b}[31mred"), line(""), line(&long)]));
    run(&mut store, numbered(0..100));
    run(&mut store, LogCommand::Filter("red".into()));
    let expected: String = ["red", "", &long]
        .into_iter()
        .map(str::to_owned)
        .chain((0..100).map(|number| format!("line {number}")))
        .map(|line| line + "\n")
        .collect();
    for name in ["log.log", "log-1.log", "log-2.log"] {
        let path = dir.path().join(name);
        let (_, reports) = run_to_end(&mut store, LogCommand::Save("log".into()));
        assert_eq!(reports, [LogReport::Saved { lines: 103, path: path.clone() }]);
        assert!(fs::read_to_string(&path).expect("it exists") == expected);
        assert_eq!(fs::metadata(&path).expect("it exists").permissions().mode() & 0o777, 0o600);
    }
}

#[test]
fn failed_save_is_reported_and_leaves_no_file() {
    let dir = tempfile::tempdir().expect("a folder");
    let mut store = small(lines::temporary_file, Some(dir.path().join("missing")));
    run(&mut store, numbered(0..3));
    let (_, reports) = run_to_end(&mut store, LogCommand::Save("log".into()));
    assert!(matches!(&reports[..], [LogReport::Failed(failure)] if failure.message.contains("missing/log.log")));
    let mut store = small(lines::temporary_file, Some(dir.path().to_owned()));
    run(&mut store, numbered(0..300));
    store.run(LogCommand::Save("log".into()));
    let (_, reports) = run_to_end(&mut store, LogCommand::Clear);
    assert!(matches!(&reports[..], [LogReport::Failed(_)]), "{reports:?}");
    assert_eq!(fs::read_dir(dir.path()).expect("it exists").count(), 0);
}

fn refused() -> io::Result<File> {
    Err(io::ErrorKind::PermissionDenied.into())
}

fn full() -> io::Result<File> {
    File::options().read(true).write(true).open("/dev/full")
}

#[test]
fn without_file_oldest_lines_are_dropped_and_reported_once() {
    for open in [refused as lines::OpenFile, full] {
        let mut store = small(open, None);
        run(&mut store, show(3, 20, false));
        run(&mut store, LogCommand::Filter("9".into()));
        run(&mut store, LogCommand::Search("99".into()));
        let mut reports = Vec::new();
        let mut window = LogWindow::default();
        for batch in 0..50 {
            let (seen, others) = run_to_end(&mut store, numbered(batch * 20..batch * 20 + 20));
            reports.extend(others);
            window = seen;
        }
        assert!(matches!(&reports[..], [LogReport::Failed(_)]), "{reports:?}");
        assert!(window.total == 1000 && window.lost > 500 && window.lost < 1000, "{window:?}");
        assert_eq!(texts(&window)[2], "line 999");
        let kept = (window.lost..1000).map(|number| number.to_string());
        let (nines, doubles) = kept.fold((0, 0), |(one, two), number| {
            (one + usize::from(number.contains('9')), two + usize::from(number.contains("99")))
        });
        assert_eq!((window.passing, window.search.map(|found| found.matches)), (nines, Some(doubles)));
        run(&mut store, LogCommand::Filter(String::new()));
        let top = run(&mut store, LogCommand::Move(LogMove::Top));
        assert_eq!(texts(&top)[0], format!("line {}", top.lost));
        assert!(store.lines.memory() < 4096);
    }
}

/// A file with space for a few blocks only.
#[cfg(target_os = "linux")]
fn little() -> io::Result<File> {
    let file = rustix::fs::memfd_create("log", rustix::fs::MemfdFlags::ALLOW_SEALING)?;
    rustix::fs::ftruncate(&file, 1000)?;
    rustix::fs::fcntl_add_seals(&file, rustix::fs::SealFlags::GROW)?;
    Ok(File::from(file))
}

#[cfg(target_os = "linux")]
#[test]
fn full_file_keeps_earlier_lines_without_gap() {
    let mut store = small(little, None);
    run(&mut store, show(3, 20, false));
    let mut reports = Vec::new();
    let mut whole = 0;
    for number in 0..400 {
        let (window, others) = run_to_end(&mut store, numbered(number..number + 1));
        reports.extend(others);
        assert!(window.lost == 0 || !reports.is_empty(), "lost lines are reported");
        whole += usize::from(window.lost == 0);
        if number % 20 == 0 {
            let (top, others) = run_to_end(&mut store, LogCommand::Move(LogMove::Top));
            reports.extend(others);
            let expected: Vec<String> = (top.lost..=number).take(3).map(|line| format!("line {line}")).collect();
            assert_eq!(texts(&top), expected);
            run(&mut store, LogCommand::Move(LogMove::Bottom));
        }
    }
    assert!(whole > 60 && reports.len() == 1, "{whole} {reports:?}");
}

/// A write-only file.
fn unreadable() -> io::Result<File> {
    let file = tempfile::NamedTempFile::new()?;
    File::options().write(true).open(file.path())
}

#[test]
fn unreadable_lines_are_empty_and_reported_once() {
    let mut store = small(unreadable, None);
    run(&mut store, show(3, 20, false));
    run(&mut store, numbered(0..400));
    let (window, reports) = run_to_end(&mut store, LogCommand::Move(LogMove::Top));
    assert_eq!((texts(&window), numbers(&window)), (vec!["", "", ""], vec![0, 1, 2]));
    assert!(matches!(&reports[..], [LogReport::Failed(_)]), "{reports:?}");
    run(&mut store, LogCommand::Search("9".into()));
    let window = run(&mut store, LogCommand::Move(LogMove::Bottom));
    assert_eq!(texts(&window)[2], "line 399");
}

#[test]
fn memory_stays_within_budget() {
    const BUDGET: usize = 256 * 1024;
    let mut store = LogStore::with(Lines::new(16 * 1024, BUDGET, lines::temporary_file), None);
    run(&mut store, show(50, 100, true));
    for batch in 0..40 {
        let coloured =
            (0..500).map(|n| line(&format!("\u{1b}[32mCompiling\u{1b}[0m part {batch}-{n} {}", "z".repeat(60))));
        run(&mut store, LogCommand::Append(coloured.collect()));
        assert!(store.lines.memory() < BUDGET + 128 * 1024, "{}", store.lines.memory());
    }
    for to in [LogMove::Top, LogMove::PageDown, LogMove::Bottom, LogMove::PageUp] {
        run(&mut store, LogCommand::Move(to));
    }
    run(&mut store, LogCommand::Search("part 3-".into()));
    assert!(store.lines.memory() < BUDGET + 128 * 1024, "{}", store.lines.memory());
}

/// A reference implementation: every row of every filtered line, in a list.
#[derive(Default)]
struct Naive {
    lines: Vec<String>,
    filter: String,
    search: String,
    viewport_size: ViewportSize,
}

impl Naive {
    fn has(line: &str, text: &str) -> bool {
        let is_folded = !text.chars().any(char::is_uppercase);
        if is_folded { line.to_lowercase().contains(text) } else { line.contains(text) }
    }

    fn passing(&self) -> Vec<usize> {
        (0..self.lines.len()).filter(|line| Self::has(&self.lines[*line], &self.filter)).collect()
    }

    fn matching(&self) -> Vec<usize> {
        self.passing().into_iter().filter(|line| Self::has(&self.lines[*line], &self.search)).collect()
    }

    fn rows(&self) -> Vec<(usize, usize)> {
        let rows = |line: usize| {
            let wrapped = thumbctl_platform::text::fold(&self.lines[line], self.viewport_size.columns.max(1)).len();
            let count = if self.viewport_size.wrap { wrapped } else { 1 };
            (0..count).map(move |row| (line, row))
        };
        self.passing().into_iter().flat_map(rows).collect()
    }

    /// Checks the invariants of a window.
    fn check(&self, window: &LogWindow) {
        let passing = self.passing();
        assert_eq!((window.total, window.passing, window.lost), (self.lines.len(), passing.len(), 0));
        for row in &window.lines {
            assert_eq!(row.styled.text, self.lines[row.number]);
        }
        if passing.is_empty() || self.viewport_size.rows == 0 {
            assert!(window.lines.is_empty());
            return;
        }
        let rows = self.rows();
        let top = self.top(window);
        let bottom = (top + self.viewport_size.rows).min(rows.len());
        let mut seen: Vec<usize> = rows[top..bottom].iter().map(|(line, _)| *line).collect();
        seen.dedup();
        assert_eq!(numbers(window), seen);
        assert!(bottom - top == self.viewport_size.rows.min(rows.len()), "no row is left empty");
        let current = current(window).expect("there is always a current line");
        assert_eq!(passing[window.position - 1], current);
        if window.following {
            assert_eq!((bottom, Some(&current)), (rows.len(), passing.last()));
        }
        if !self.search.is_empty() {
            let matching = self.matching();
            let at = matching.iter().position(|line| *line == current).map(|at| at + 1);
            assert_eq!(window.search, Some(SearchStatus { matches: matching.len(), at, searching: false }));
        }
    }

    /// The index of the first visible row.
    fn top(&self, window: &LogWindow) -> usize {
        let first = (window.lines[0].number, window.skip);
        self.rows().iter().position(|row| *row == first).expect("the first row exists")
    }

    /// Checks the effect of a scroll command.
    fn check_move(&self, to: LogMove, before: &LogWindow, after: &LogWindow) {
        if before.lines.is_empty() {
            return;
        }
        let (was, is) = (current(before), current(after));
        let (above, below) = (self.top(before), self.top(after));
        let most = self.rows().len().saturating_sub(self.viewport_size.rows);
        let scrolled = |by: isize| above.saturating_add_signed(by).min(most);
        let page = isize::try_from((self.viewport_size.rows - 1).max(1)).expect("few rows");
        let passing = self.passing();
        let matching = self.matching();
        match to {
            LogMove::Scroll(by) => assert_eq!(below, scrolled(by as isize)),
            LogMove::PageUp => assert_eq!(below, scrolled(-page)),
            LogMove::PageDown => assert_eq!(below, scrolled(page)),
            LogMove::Top => assert_eq!((below, is), (0, passing.first().copied())),
            LogMove::Bottom => assert!(after.following),
            LogMove::Line(line) => {
                let there = passing.iter().find(|other| **other >= line).or(passing.last());
                assert_eq!(is, there.copied());
            }
            LogMove::Up => {
                let stays = was == passing.first().copied() || below + 1 == above;
                assert!(after.position + 1 == before.position || (was == is && stays));
            }
            LogMove::Down => {
                let stays = was == passing.last().copied() || below == above + 1;
                assert!(after.position == before.position + 1 || (was == is && stays));
            }
            LogMove::NextMatch if !self.search.is_empty() => {
                let next = matching.iter().find(|line| Some(**line) > was).or(matching.first());
                assert_eq!(is, next.copied().or(was));
            }
            LogMove::PreviousMatch if !self.search.is_empty() => {
                let next = matching.iter().rfind(|line| Some(**line) < was).or(matching.last());
                assert_eq!(is, next.copied().or(was));
            }
            LogMove::NextMatch | LogMove::PreviousMatch => assert_eq!(is, was),
        }
    }
}

fn command() -> impl Strategy<Value = LogCommand> {
    // Compiled once, not for every text.
    let text = string_regex("[abAé日 ]{0,24}").expect("a pattern");
    let pattern = prop_oneof![Just(String::new()), string_regex("[abAé]{1,2}").expect("a pattern")];
    let to = prop_oneof![
        Just(LogMove::Up),
        Just(LogMove::Down),
        Just(LogMove::PageUp),
        Just(LogMove::PageDown),
        Just(LogMove::Top),
        Just(LogMove::Bottom),
        (-9i32..9).prop_map(LogMove::Scroll),
        (0usize..60).prop_map(LogMove::Line),
        Just(LogMove::NextMatch),
        Just(LogMove::PreviousMatch),
    ];
    prop_oneof![
        4 => proptest::collection::vec(text, 0..12)
            .prop_map(|lines| LogCommand::Append(lines.iter().map(|text| line(text)).collect())),
        9 => to.prop_map(LogCommand::Move),
        2 => (0usize..8, 0usize..14, any::<bool>())
            .prop_map(|(rows, columns, wrap)| LogCommand::Show(ViewportSize { rows, columns, wrap })),
        2 => pattern.clone().prop_map(LogCommand::Search),
        2 => pattern.prop_map(LogCommand::Filter),
        1 => Just(LogCommand::SavePosition),
        1 => Just(LogCommand::DropPosition),
        1 => Just(LogCommand::RestorePosition),
        1 => prop_oneof![9 => Just(LogCommand::DropPosition), 1 => Just(LogCommand::Clear)],
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn store_matches_reference_implementation(
        commands in proptest::collection::vec(command(), 1..40)
    ) {
        let mut store = small(lines::temporary_file, None);
        let mut naive = Naive::default();
        let mut before = LogWindow::default();
        for command in commands {
            match &command {
                LogCommand::Append(lines) => naive.lines.extend(lines.iter().map(|line| line.text.clone())),
                LogCommand::Clear => naive.lines.clear(),
                LogCommand::Show(size) => naive.viewport_size = *size,
                LogCommand::Search(text) => naive.search.clone_from(text),
                LogCommand::Filter(text) => naive.filter.clone_from(text),
                _ => {}
            }
            let window = run(&mut store, command.clone());
            naive.check(&window);
            if let LogCommand::Move(to) = command {
                naive.check_move(to, &before, &window);
            }
            before = window;
        }
    }

    #[test]
    fn row_count_matches_platform_fold(line in "[abAé日 ]{0,40}", columns in 2usize..14) {
        prop_assert_eq!(fold::rows(&line, columns), thumbctl_platform::text::fold(&line, columns).len());
    }
}
