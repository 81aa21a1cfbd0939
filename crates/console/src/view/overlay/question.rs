//! A question before something is done: what would happen, to what, and how to answer.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::Line;

use super::{Frameless, centred, fill, inside, open, part_of, typed};
use crate::keymap::{Action, Context};
use crate::message::Stakes;
use crate::model::Model;
use crate::model::overlay::{Answer, Asking, Question};
use crate::theme::Role;
use crate::view::Look;
use crate::view::line::{Row, wrapped};

/// The widest that it is drawn.
const WIDTH: u16 = 76;

/// As many columns as the longest title takes, with a blank.
const TITLE: usize = 25;

/// The question's parts at a width, and how much of its list there is room for.
struct Parts {
    above: Vec<Line<'static>>,
    list: Vec<Line<'static>>,
    below: Vec<Line<'static>>,
    height: u16,
    seen: usize,
}

impl Parts {
    fn of(question: &Question, screen: Rect, model: &Model, look: Look) -> Self {
        let columns = usize::from(inside(centred(screen, WIDTH, screen.height)).width);
        let consequence = wrapped(&question.consequence, columns);
        let above: Vec<_> =
            consequence.iter().map(|line| Row::new(look).text(line, Role::Strong).line(columns)).collect();
        let list = list(question, look, columns);
        let below = answers(question, model, look, columns);
        let list_and_room = if list.is_empty() { 0 } else { list.len() + 1 };
        let height = u16::try_from(above.len() + 1 + list_and_room + below.len()).unwrap_or(u16::MAX);
        let visible = usize::from(inside(centred(screen, WIDTH, height)).height);
        let seen = list.len().min(visible.saturating_sub(above.len() + 2 + below.len()));
        Self { above, list, below, height, seen }
    }
}

/// How far the list can be scrolled down.
pub(super) fn most(question: &Question, model: &Model) -> u16 {
    let parts = Parts::of(question, model.layout().screen, model, Look::of(model));
    u16::try_from(parts.list.len() - parts.seen).unwrap_or(u16::MAX)
}

pub(super) fn draw(frame: &mut Frame<'_>, screen: Rect, question: &Question, model: &Model, look: Look) {
    let Parts { above: mut lines, list, below, height, seen } = Parts::of(question, screen, model, look);
    let is_real = model.stakes() == Stakes::Money && question.about == Asking::Start;
    let first = usize::from(question.scroll).min(list.len() - seen);
    let what = Frameless {
        title: if is_real { "AWS: real resources" } else { "A question" },
        width: WIDTH,
        height,
        below: part_of(first, seen, list.len()),
        border: if is_real { Role::Bad } else { Role::Warn },
    };
    let area = open(frame, screen, &what, look);
    lines.push(Line::default());
    if seen > 0 {
        lines.extend(list.into_iter().skip(first).take(seen));
        lines.push(Line::default());
    }
    // How to answer is to be seen in any case.
    lines.truncate(usize::from(area.height).saturating_sub(below.len()));
    let answer = u16::try_from(lines.len()).unwrap_or(u16::MAX);
    lines.extend(below);
    fill(frame, area, lines);
    if let Answer::Word(input) = &question.answer {
        let y = area.y.saturating_add(answer).saturating_add(1);
        let line = Rect { y, height: 1, ..area }.intersection(area);
        let prompt = Row::new(look).text("Type ", Role::Text).text("yes", Role::Key).text(": ", Role::Text);
        typed(frame, line, prompt, input, look);
    }
}

/// What it is about, then what is left alone.
fn list(question: &Question, look: Look, columns: usize) -> Vec<Line<'static>> {
    let mut lines = Vec::new();
    for (kind, name) in &question.resources {
        let row = Row::new(look).text(kind.title(), Role::Text).to(TITLE).text(name, Role::Quiet);
        lines.push(row.line(columns));
    }
    for name in &question.foreign {
        let row = Row::new(look).text("left alone", Role::Warn).to(TITLE).text(name, Role::Quiet);
        lines.push(row.text(" (not ours)", Role::Quiet).line(columns));
    }
    lines
}

/// The question and how to answer it; with a word, an empty line for it.
fn answers(question: &Question, model: &Model, look: Look, columns: usize) -> Vec<Line<'static>> {
    let key = |context: Context, action: Action| {
        model.keymap.chord_of(&[context], action).map(|chord| chord.to_string()).unwrap_or_default()
    };
    let asked = Row::new(look).text(&question.question, Role::Strong);
    match &question.answer {
        Answer::Key => {
            let row = asked.space(3).text(&key(Context::Question, Action::Accept), Role::Key).text(" yes", Role::Text);
            let row = row.space(3).text(&key(Context::Question, Action::Back), Role::Key).text(" no", Role::Text);
            vec![row.line(columns)]
        }
        Answer::Word(_) => {
            let row =
                Row::new(look).text(&key(Context::Typing, Action::Accept), Role::Key).text(" answers", Role::Text);
            let row = row.space(3).text(&key(Context::Typing, Action::Back), Role::Key).text(" leaves it", Role::Text);
            vec![asked.line(columns), Line::default(), row.line(columns)]
        }
    }
}
