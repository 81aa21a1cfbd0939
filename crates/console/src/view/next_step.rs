//! The next-step card: title, reason, API calls, keys.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::Line;
use ratatui::widgets::Paragraph;

use super::layout::Layout;
use super::line::{StyledRow, wrapped};
use super::{Appearance, card, hints};
use crate::model::Model;
use crate::theme::Role;
use card::{Card, CardPart};

/// The width of labels, with a blank.
const LABEL: usize = 8;

/// Draws the card.
pub fn draw(frame: &mut Frame<'_>, area: Rect, model: &Model, appearance: Appearance) {
    let card = Card::of(model, appearance);
    let block = appearance.panel(format!(" {} ", card.title), false);
    frame.render_widget(block, area);
    let inside = Layout::inside(area);
    // A margin of one column at both sides.
    let inside = Rect { x: inside.x.saturating_add(1), width: inside.width.saturating_sub(2), ..inside };
    frame.render_widget(Paragraph::new(lines(&card, model, appearance, inside)), inside);
}

fn lines(card: &Card, model: &Model, appearance: Appearance, area: Rect) -> Vec<Line<'static>> {
    let (columns, height) = (usize::from(area.width), usize::from(area.height));
    let keys: Vec<Line<'static>> = keys(card, model, appearance).into_iter().map(|row| row.line(columns)).collect();
    let mut body = Vec::new();
    let head = wrapped(&card.head, columns.saturating_sub(2));
    for (at, text) in head.iter().enumerate() {
        let before = if at == 0 {
            StyledRow::new(appearance).text(card.sign, card.role).space(1)
        } else {
            StyledRow::new(appearance).space(2)
        };
        body.push(before.text(text, Role::Strong).line(columns));
    }
    // Whether a line continues in the next one.
    let mut continues = vec![false; body.len()];
    for part in &card.parts {
        let lines = part_lines(part, appearance, columns);
        let is_one = matches!(part, CardPart::Text(..) | CardPart::Labelled(..));
        continues.extend((1..=lines.len()).map(|number| is_one && number < lines.len()));
        body.extend(lines);
    }
    // The keys are always displayed; other content is truncated.
    let available = height.saturating_sub(keys.len() + usize::from(!keys.is_empty()));
    if body.len() > available {
        body.truncate(available);
        while body.last().is_some_and(|line: &Line<'_>| line.spans.is_empty()) {
            body.pop();
        }
        if let Some(last) = body.pop() {
            let is_cut = continues[body.len()];
            body.push(if is_cut { with_ellipsis(last, appearance, columns) } else { last });
        }
    }
    if !keys.is_empty() {
        body.push(Line::default());
    }
    body.extend(keys);
    body
}

/// Appends an ellipsis to a line.
fn with_ellipsis(line: Line<'static>, appearance: Appearance, columns: usize) -> Line<'static> {
    let row = line
        .spans
        .into_iter()
        .fold(StyledRow::new(appearance), |row, span| row.styled(span.content.into_owned(), span.style));
    row.space(1).text(appearance.symbols.ellipsis, Role::Muted).line(columns)
}

fn part_lines(part: &CardPart, appearance: Appearance, columns: usize) -> Vec<Line<'static>> {
    match part {
        CardPart::Text(text, role) => wrapped(text, columns)
            .iter()
            .map(|line| StyledRow::new(appearance).text(line, *role).line(columns))
            .collect(),
        CardPart::Labelled(label, text) => {
            let lines = wrapped(text, columns.saturating_sub(LABEL));
            let line = |(at, text): (usize, &String)| {
                let label = if at == 0 { *label } else { "" };
                StyledRow::new(appearance).text(label, Role::Muted).to(LABEL).text(text, Role::Muted).line(columns)
            };
            lines.iter().enumerate().map(line).collect()
        }
        CardPart::RunningStep { sign, title, time, detail } => {
            let left = StyledRow::new(appearance).text(sign.symbol, sign.role).space(1).text(title, Role::Text);
            let mut lines = vec![StyledRow::spread(left, StyledRow::new(appearance).text(time, sign.role), columns)];
            for line in detail.iter().flat_map(|detail| wrapped(detail, columns.saturating_sub(2))) {
                lines.push(StyledRow::new(appearance).space(2).text(&line, Role::Muted).line(columns));
            }
            lines
        }
        CardPart::Blank => vec![Line::default()],
    }
}

/// The rows of available keys with descriptions.
fn keys(card: &Card, model: &Model, appearance: Appearance) -> Vec<StyledRow> {
    let keys: Vec<(String, &str)> =
        card.keys.iter().filter_map(|(action, words)| Some((hints::key_of(model, *action)?, *words))).collect();
    let widest = keys.iter().map(|(key, _)| thumbctl_platform::text::width(key)).max().unwrap_or(0);
    let row = |(key, words): (String, &str)| {
        StyledRow::new(appearance).text(&key, Role::Key).to(widest + 2).text(words, Role::Text)
    };
    keys.into_iter().map(row).collect()
}

/// The card in one line, for small screens.
pub fn one_line(model: &Model, appearance: Appearance, columns: usize) -> Line<'static> {
    let card = Card::of(model, appearance);
    let head = card.head.lines().next().unwrap_or_default();
    let init = |sign: &str, role| StyledRow::new(appearance).space(1).text(sign, role).space(1);
    if card.is_next_step {
        let row = init(card.sign, card.role).text("Next: ", Role::Muted);
        return row.text(head, Role::Text).line(columns);
    }
    let mut running_steps = card.parts.iter().filter(|part| matches!(part, CardPart::RunningStep { .. }));
    let Some(CardPart::RunningStep { sign, title, time, detail }) = running_steps.next() else {
        return init(card.sign, card.role).text(head, Role::Text).line(columns);
    };
    let mut left = init(sign.symbol, sign.role).text(title, Role::Text);
    if let Some(detail) = detail {
        left = left.text(&format!(": {detail}"), Role::Muted);
    }
    let others = match running_steps.count() {
        0 => String::new(),
        others => format!("and {others} more  "),
    };
    let right = StyledRow::new(appearance).text(&others, Role::Muted).text(time, sign.role).space(1);
    StyledRow::spread(left, right, columns)
}

#[cfg(test)]
mod tests;
