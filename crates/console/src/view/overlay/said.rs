//! Earlier messages, the last at the end.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::Line;

use super::{Frameless, centred, fill, inside, open, part_of};
use crate::model::Model;
use crate::model::messages::Said;
use crate::theme::Role;
use crate::view::line::{Row, wrapped};
use crate::view::{Look, clean_lines, signs};

/// A time, a blank, a sign, a blank.
const BEFORE: usize = 11;

/// The widest that messages are read well.
const WIDTH: u16 = 96;

/// From a message's text on: what else there is to it.
const INDENT: usize = 2;

pub(super) fn draw(frame: &mut Frame<'_>, screen: Rect, scroll: u16, model: &Model, look: Look) {
    let area = place(screen);
    let visible = usize::from(area.height);
    let lines = lines(model, look, usize::from(area.width));
    let most = lines.len().saturating_sub(visible);
    let first = most - usize::from(scroll).min(most);
    let what = Frameless {
        title: "Messages",
        width: WIDTH,
        height: screen.height,
        below: part_of(first, visible, lines.len()),
        border: Role::FocusedBorder,
    };
    let area = open(frame, screen, &what, look);
    fill(frame, area, lines.into_iter().skip(first).take(visible).collect());
}

fn place(screen: Rect) -> Rect {
    inside(centred(screen, WIDTH, screen.height))
}

/// How far they can be scrolled up.
pub(super) fn most(model: &Model) -> u16 {
    let area = place(model.layout().screen);
    let lines = lines(model, Look::of(model), usize::from(area.width)).len();
    u16::try_from(lines.saturating_sub(usize::from(area.height))).unwrap_or(u16::MAX)
}

fn lines(model: &Model, look: Look, columns: usize) -> Vec<Line<'static>> {
    if model.messages.all().len() == 0 {
        return vec![Row::new(look).text("Nothing was said yet.", Role::Quiet).line(columns)];
    }
    model.messages.all().flat_map(|said| message(said, look, columns)).collect()
}

fn message(said: &Said, look: Look, columns: usize) -> Vec<Line<'static>> {
    let sign = signs::of_tone(said.tone, look);
    let room = columns.saturating_sub(BEFORE);
    let mut lines = Vec::new();
    for (at, part) in wrapped(&said.text, room).iter().enumerate() {
        let row = Row::new(look);
        let row = match at {
            0 => row.text(&said.at.format("%H:%M:%S").to_string(), Role::Quiet).space(1).text(sign.sign, sign.role),
            _ => row,
        };
        lines.push(row.to(BEFORE).text(part, sign.role).line(columns));
    }
    // Masked together: they may be the lines of a private key.
    let more = clean_lines(said.more.iter().flat_map(|more| more.lines()));
    for part in more.iter().flat_map(|more| wrapped(more, room.saturating_sub(INDENT))) {
        lines.push(Row::new(look).to(BEFORE + INDENT).text(&part, Role::Quiet).line(columns));
    }
    lines
}
