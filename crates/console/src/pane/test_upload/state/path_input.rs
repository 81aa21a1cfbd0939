//! [`PathInput`]: an input line for a path, with completion.

use crossterm::event::{Event as TerminalEvent, KeyCode, KeyEvent, KeyModifiers};
use tui_input::Input;
use tui_input::backend::crossterm::EventHandler;

use crate::pane::test_upload::protocol::{EntryKind, FileEntry};

/// An input line for a path, with completion.
#[derive(Clone, Debug, Default)]
pub struct PathInput {
    /// The input.
    pub input: Input,
    /// The completions.
    pub candidates: Vec<FileEntry>,
    /// The selected completion.
    pub selected: Option<usize>,
    /// Whether the candidates belong to the current text.
    is_known: bool,
    /// Whether to complete when the candidates arrive.
    completes: bool,
}

/// The result of accepting the input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AcceptedPath {
    /// The path was extended to a folder.
    Extended(String),
    /// The path is complete.
    Complete(String),
    /// The input is empty.
    Empty,
}

impl PathInput {
    /// The typed text.
    pub fn typed(&self) -> &str {
        self.input.value()
    }

    /// The selected completion.
    pub fn selected_entry(&self) -> Option<&FileEntry> {
        self.candidates.get(self.selected?)
    }

    /// Handles a key. Returns whether the text changed.
    pub fn type_key(&mut self, key: KeyEvent) -> bool {
        let is_at_end = self.input.cursor() == self.typed().chars().count();
        let completes = match key.code {
            KeyCode::Tab => true,
            KeyCode::Right => is_at_end && key.modifiers == KeyModifiers::NONE,
            _ => false,
        };
        if completes {
            return self.complete();
        }
        let is_changed = self.input.handle_event(&TerminalEvent::Key(key)).is_some_and(|change| change.value);
        if is_changed {
            self.selected = None;
            self.is_known = false;
            self.completes = false;
        }
        is_changed
    }

    /// Selects the next or previous candidate.
    pub fn choose(&mut self, by: isize) {
        let count = self.candidates.len();
        self.selected = match (self.selected, count) {
            (_, 0) => None,
            (None, _) if by > 0 => Some(0),
            (None, _) => Some(count - 1),
            (Some(at), _) => Some(at.saturating_add_signed(by).min(count - 1)),
        };
    }

    /// Applies the candidates for a text, unless it changed meanwhile. Returns whether the text changed.
    pub fn set_candidates(&mut self, typed: &str, candidates: Vec<FileEntry>) -> bool {
        if typed != self.typed() {
            return false;
        }
        self.candidates = candidates;
        self.selected = None;
        self.is_known = true;
        std::mem::take(&mut self.completes) && self.complete()
    }

    /// Completes the common prefix of all candidates, or the selected one. Returns whether the text changed.
    fn complete(&mut self) -> bool {
        if !self.is_known {
            self.completes = true;
            return false;
        }
        let next = match self.selected_entry() {
            Some(entry) => self.with(&name_of(entry)),
            None => match &self.candidates[..] {
                [] => return false,
                [one] => self.with(&name_of(one)),
                many => {
                    let common = common_beginning(many.iter().map(|entry| entry.name.as_str()));
                    let (_, prefix) = self.split();
                    if common.len() <= prefix.len() {
                        return false;
                    }
                    self.with(&common)
                }
            },
        };
        let is_changed = next != self.typed();
        self.set(next);
        is_changed
    }

    /// Accepts the input: opens the selected folder, or returns the path.
    pub fn accept(&mut self) -> AcceptedPath {
        if let Some(entry) = self.selected_entry() {
            let next = self.with(&name_of(entry));
            return match entry.kind {
                EntryKind::Folder => {
                    self.set(next.clone());
                    AcceptedPath::Extended(next)
                }
                EntryKind::Image { .. } => AcceptedPath::Complete(next),
            };
        }
        match self.typed().trim() {
            "" => AcceptedPath::Empty,
            path => AcceptedPath::Complete(path.to_owned()),
        }
    }

    fn set(&mut self, value: String) {
        self.is_known = value == self.typed();
        self.input = Input::new(value);
        self.selected = None;
    }

    /// The typed text, split after the last slash.
    fn split(&self) -> (&str, &str) {
        let typed = self.typed();
        let at = typed.rfind('/').map_or(0, |slash| slash + 1);
        typed.split_at(at)
    }

    /// The typed text with its last component replaced.
    fn with(&self, name: &str) -> String {
        let (before, _) = self.split();
        let before = if self.typed() == "~" { "~/" } else { before };
        format!("{before}{name}")
    }
}

/// A candidate's name, with a slash for a folder.
fn name_of(entry: &FileEntry) -> String {
    match entry.kind {
        EntryKind::Folder => format!("{}/", entry.name),
        EntryKind::Image { .. } => entry.name.clone(),
    }
}

fn common_beginning<'a>(mut names: impl Iterator<Item = &'a str>) -> String {
    let mut common = names.next().unwrap_or_default().to_owned();
    for name in names {
        let length: usize = common
            .chars()
            .zip(name.chars())
            .take_while(|(one, other)| one == other)
            .map(|(one, _)| one.len_utf8())
            .sum();
        common.truncate(length);
    }
    common
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(typed: &str, names: &[&str]) -> PathInput {
        let mut line = PathInput { input: Input::new(typed.into()), ..PathInput::default() };
        let entry = |name: &&str| FileEntry {
            name: name.trim_end_matches('/').to_owned(),
            path: name.into(),
            kind: if name.ends_with('/') { EntryKind::Folder } else { EntryKind::Image { bytes: 1 } },
        };
        line.set_candidates(typed, names.iter().map(entry).collect());
        line
    }

    fn press(line: &mut PathInput, code: KeyCode) -> bool {
        line.type_key(KeyEvent::new(code, KeyModifiers::NONE))
    }

    #[test]
    fn tab_completes_common_prefix() {
        let mut some = line("~/pic/ho", &["holiday-1.jpg", "holiday-2.jpg"]);
        assert!(press(&mut some, KeyCode::Tab));
        assert_eq!(some.typed(), "~/pic/holiday-");
        assert!(!press(&mut some, KeyCode::Tab), "the prefix is complete");
        let mut one = line("pi", &["pictures/"]);
        assert!(press(&mut one, KeyCode::Right));
        assert_eq!(one.typed(), "pictures/");
        assert!(!press(&mut line("x", &[]), KeyCode::Tab));
    }

    #[test]
    fn completion_uses_case_of_candidate() {
        let mut other = line("/a/dc", &["DCIM/"]);
        press(&mut other, KeyCode::Tab);
        assert_eq!(other.typed(), "/a/DCIM/");
        let mut home = line("~", &["a.png"]);
        press(&mut home, KeyCode::Tab);
        assert_eq!(home.typed(), "~/a.png");
        assert_eq!(common_beginning(["日本1", "日本2"].into_iter()), "日本");
    }

    #[test]
    fn tab_before_candidates_completes_on_arrival() {
        let mut line = line("~/p", &["photo.jpg", "pictures/"]);
        press(&mut line, KeyCode::Char('i'));
        assert!(!press(&mut line, KeyCode::Tab), "the candidates are outdated");
        let pictures = FileEntry { name: "pictures".into(), path: "/p".into(), kind: EntryKind::Folder };
        assert!(line.set_candidates("~/pi", vec![pictures.clone()]));
        assert_eq!(line.typed(), "~/pictures/");
        assert!(!line.set_candidates("~/pictures/", vec![pictures]), "only once");
    }

    #[test]
    fn right_within_text_moves_cursor() {
        let mut line = line("ab", &["abc.png"]);
        press(&mut line, KeyCode::Left);
        assert!(!press(&mut line, KeyCode::Right));
        assert_eq!(line.typed(), "ab");
    }

    #[test]
    fn selected_candidate_is_accepted() {
        let mut line = line("/x/", &["sub/", "a.png"]);
        line.choose(1);
        assert_eq!(line.accept(), AcceptedPath::Extended("/x/sub/".into()));
        line.set_candidates("/x/sub/", vec![]);
        assert_eq!(line.accept(), AcceptedPath::Complete("/x/sub/".into()));
        let mut line = super::tests::line("/x/", &["sub/", "a.png"]);
        line.choose(-1);
        assert_eq!(line.accept(), AcceptedPath::Complete("/x/a.png".into()));
        assert_eq!(PathInput::default().accept(), AcceptedPath::Empty);
    }

    #[test]
    fn candidates_for_other_text_are_ignored() {
        let mut line = line("abc", &[]);
        line.set_candidates("ab", vec![FileEntry { name: "x".into(), path: "x".into(), kind: EntryKind::Folder }]);
        assert!(line.candidates.is_empty());
    }
}
