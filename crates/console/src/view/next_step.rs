//! The card of the step that comes next: what it does, why, what it calls, and which key does it.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::Line;
use ratatui::widgets::Paragraph;

use super::layout::Layout;
use super::line::{Row, wrapped};
use super::{Look, card, hints};
use crate::model::Model;
use crate::theme::Role;
use card::{Card, Part};

/// As many columns as the longest label takes, with a blank.
const LABEL: usize = 8;

/// Draws it.
pub fn draw(frame: &mut Frame<'_>, area: Rect, model: &Model, look: Look) {
    let card = Card::of(model, look);
    let block = look.panel(format!(" {} ", card.title), false);
    frame.render_widget(block, area);
    let inside = Layout::inside(area);
    // A column's margin at both sides: text is read, a list is scanned.
    let inside = Rect { x: inside.x.saturating_add(1), width: inside.width.saturating_sub(2), ..inside };
    frame.render_widget(Paragraph::new(lines(&card, model, look, inside)), inside);
}

fn lines(card: &Card, model: &Model, look: Look, area: Rect) -> Vec<Line<'static>> {
    let (columns, height) = (usize::from(area.width), usize::from(area.height));
    let keys: Vec<Line<'static>> = keys(card, model, look).into_iter().map(|row| row.line(columns)).collect();
    let mut body = Vec::new();
    let head = wrapped(&card.head, columns.saturating_sub(2));
    for (at, text) in head.iter().enumerate() {
        let before = if at == 0 { Row::new(look).text(card.sign, card.role).space(1) } else { Row::new(look).space(2) };
        body.push(before.text(text, Role::Strong).line(columns));
    }
    // Behind which lines the same sentence or list goes on.
    let mut goes_on = vec![false; body.len()];
    for part in &card.parts {
        let lines = part_lines(part, look, columns);
        let is_one = matches!(part, Part::Text(..) | Part::Labelled(..));
        goes_on.extend((1..=lines.len()).map(|number| is_one && number < lines.len()));
        body.extend(lines);
    }
    // The keys are there however little room there is; of the rest, what comes first.
    let room = height.saturating_sub(keys.len() + usize::from(!keys.is_empty()));
    if body.len() > room {
        body.truncate(room);
        while body.last().is_some_and(|line: &Line<'_>| line.spans.is_empty()) {
            body.pop();
        }
        if let Some(last) = body.pop() {
            let is_torn = goes_on[body.len()];
            body.push(if is_torn { torn(last, look, columns) } else { last });
        }
    }
    if !keys.is_empty() {
        body.push(Line::default());
    }
    body.extend(keys);
    body
}

/// A line with the sign that it goes on.
fn torn(line: Line<'static>, look: Look, columns: usize) -> Line<'static> {
    let row =
        line.spans.into_iter().fold(Row::new(look), |row, span| row.styled(span.content.into_owned(), span.style));
    row.space(1).text(look.symbols.ellipsis, Role::Quiet).line(columns)
}

fn part_lines(part: &Part, look: Look, columns: usize) -> Vec<Line<'static>> {
    match part {
        Part::Text(text, role) => {
            wrapped(text, columns).iter().map(|line| Row::new(look).text(line, *role).line(columns)).collect()
        }
        Part::Labelled(label, text) => {
            let lines = wrapped(text, columns.saturating_sub(LABEL));
            let line = |(at, text): (usize, &String)| {
                let label = if at == 0 { *label } else { "" };
                Row::new(look).text(label, Role::Quiet).to(LABEL).text(text, Role::Quiet).line(columns)
            };
            lines.iter().enumerate().map(line).collect()
        }
        Part::Happening { sign, title, time, says } => {
            let left = Row::new(look).text(sign.sign, sign.role).space(1).text(title, Role::Text);
            let mut lines = vec![Row::spread(left, Row::new(look).text(time, sign.role), columns)];
            for line in says.iter().flat_map(|says| wrapped(says, columns.saturating_sub(2))) {
                lines.push(Row::new(look).space(2).text(&line, Role::Quiet).line(columns));
            }
            lines
        }
        Part::Blank => vec![Line::default()],
    }
}

/// The card's keys that do something now, each with what it does.
fn keys(card: &Card, model: &Model, look: Look) -> Vec<Row> {
    let keys: Vec<(String, &str)> =
        card.keys.iter().filter_map(|(action, words)| Some((hints::key_of(model, *action)?, *words))).collect();
    let widest = keys.iter().map(|(key, _)| thumbctl_platform::text::width(key)).max().unwrap_or(0);
    let row =
        |(key, words): (String, &str)| Row::new(look).text(&key, Role::Key).to(widest + 2).text(words, Role::Text);
    keys.into_iter().map(row).collect()
}

/// The same in one line, where there is no room for a card.
pub fn in_a_line(model: &Model, look: Look, columns: usize) -> Line<'static> {
    let card = Card::of(model, look);
    let head = card.head.lines().next().unwrap_or_default();
    let beginning = |sign: &str, role| Row::new(look).space(1).text(sign, role).space(1);
    if card.says_what_comes {
        let row = beginning(card.sign, card.role).text("Next: ", Role::Quiet);
        return row.text(head, Role::Text).line(columns);
    }
    let mut happening = card.parts.iter().filter(|part| matches!(part, Part::Happening { .. }));
    let Some(Part::Happening { sign, title, time, says }) = happening.next() else {
        return beginning(card.sign, card.role).text(head, Role::Text).line(columns);
    };
    let mut left = beginning(sign.sign, sign.role).text(title, Role::Text);
    if let Some(says) = says {
        left = left.text(&format!(": {says}"), Role::Quiet);
    }
    let others = match happening.count() {
        0 => String::new(),
        others => format!("and {others} more  "),
    };
    let right = Row::new(look).text(&others, Role::Quiet).text(time, sign.role).space(1);
    Row::spread(left, right, columns)
}

#[cfg(test)]
mod tests;
