//! Tests of the pane without a store.

use crossterm::event::{KeyCode, KeyModifiers};

use super::*;
use crate::log_store::SearchStatus;
use crate::log_store::ansi::StyledText;

fn pane() -> LogState {
    let mut pane = LogState::new(LogSource::Build);
    pane.resize(42, 5);
    show(&mut pane, &["short", &"x".repeat(100)], 0, None);
    pane
}

fn show(pane: &mut LogState, lines: &[&str], current: usize, search: Option<SearchStatus>) {
    let row = |(number, text): (usize, &&str)| LogRow {
        number,
        styled: StyledText { text: (*text).to_owned(), ranges: Vec::new() },
        timestamp: None,
        is_continued: false,
    };
    let lines: Vec<LogRow> = lines.iter().enumerate().map(row).collect();
    let window = LogWindow { total: lines.len(), passing: lines.len(), lines, current, search, ..LogWindow::default() };
    assert_eq!(pane.apply_report(LogReport::Updated(Box::new(window))), []);
}

fn commands(effects: &[Effect]) -> Vec<&LogCommand> {
    let mut commands = Vec::new();
    for effect in effects {
        let Effect::Log(_, command) = effect else { panic!("{effect:?}") };
        commands.push(command);
    }
    commands
}

fn press(pane: &mut LogState, letter: char) -> Vec<Effect> {
    pane.type_key(KeyEvent::new(KeyCode::Char(letter), KeyModifiers::NONE))
}

fn search(text: &str) -> LogCommand {
    LogCommand::Search(text.to_owned())
}

#[test]
fn search_runs_on_each_key_and_is_reverted_by_escape() {
    let mut pane = pane();
    assert_eq!(commands(&pane.act(Action::Search)), [&LogCommand::SavePosition]);
    assert_eq!(commands(&press(&mut pane, 'a')), [&search("a")]);
    assert_eq!(commands(&press(&mut pane, 'b')), [&search("ab")]);
    assert_eq!(commands(&pane.act(Action::Down)), [&LogCommand::Move(LogMove::NextMatch)]);
    assert_eq!(commands(&pane.act(Action::Back)), [&search(""), &LogCommand::RestorePosition]);
    assert!(!pane.is_typing() && pane.search().is_none());
}

#[test]
fn cancelled_search_restores_previous_one() {
    let mut pane = pane();
    pane.act(Action::Search);
    press(&mut pane, 'a');
    assert_eq!(commands(&pane.act(Action::Accept)), [&LogCommand::DropPosition]);
    pane.act(Action::Search);
    press(&mut pane, 'b');
    assert_eq!(commands(&pane.act(Action::Back)), [&search("a"), &LogCommand::RestorePosition]);
    assert_eq!(pane.search().map(SearchPattern::text), Some("a"));
    assert_eq!(commands(&pane.act(Action::Back)), [&search("")]);
    assert!(!pane.can(Action::Back));
}

#[test]
fn filter_input_is_extended_and_escape_clears_search_first() {
    let mut pane = pane();
    pane.act(Action::Filter);
    press(&mut pane, 'a');
    assert_eq!(pane.act(Action::Accept), []);
    pane.act(Action::Filter);
    assert_eq!(commands(&press(&mut pane, 'b')), [&LogCommand::Filter("ab".into())]);
    pane.act(Action::Accept);
    pane.act(Action::Search);
    press(&mut pane, 'c');
    pane.act(Action::Accept);
    assert_eq!(commands(&pane.act(Action::Back)), [&search("")]);
    assert_eq!(commands(&pane.act(Action::Back)), [&LogCommand::Filter(String::new())]);
}

#[test]
fn horizontal_scroll_is_bounded_and_disabled_by_wrap() {
    let mut pane = pane();
    assert!(!pane.can(Action::Left) && pane.can(Action::Right));
    for _ in 0..50 {
        pane.act(Action::Right);
    }
    assert_eq!(pane.left(), 60);
    assert!(pane.can(Action::Left) && !pane.can(Action::Right));
    let broken = LogCommand::Show(ViewportSize { rows: 5, columns: 40, wrap: true });
    assert_eq!(commands(&pane.act(Action::ToggleWrap)), [&broken]);
    assert!(!pane.can(Action::Left) && pane.left() == 0);
}

#[test]
fn match_beyond_edge_is_scrolled_into_view() {
    let mut pane = pane();
    pane.act(Action::Search);
    press(&mut pane, 'q');
    let line = format!("{}q{}", "-".repeat(70), "-".repeat(70));
    let found = SearchStatus { matches: 1, at: Some(1), searching: false };
    show(&mut pane, &["q", &line], 1, Some(found));
    assert!((31..70).contains(&pane.left()), "{}", pane.left());
    show(&mut pane, &["q", &line], 0, Some(found));
    assert_eq!(pane.left(), 0);
}

#[test]
fn current_line_is_copied_without_colours() {
    let mut pane = pane();
    assert_eq!(pane.act(Action::Copy), [Effect::Copy("short".into())]);
    pane.clear();
    assert!(!pane.can(Action::Copy) && !pane.can(Action::Save));
    assert_eq!(pane.act(Action::Copy), []);
}

#[test]
fn save_is_reported() {
    let saved = LogReport::Saved { lines: 2, path: "/w/thumbctl-build.log".into() };
    assert_eq!(pane().apply_report(saved), [Effect::Notify(Ok("Saved 2 lines to /w/thumbctl-build.log".into()))]);
}
