//! The quit dialog during an active run.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::Line;
use thumbctl_core::event::Action as RunAction;
use thumbctl_platform::text;

use super::{DialogSpec, centred, fill, inside, open};
use crate::keymap::{Action, Context};
use crate::model::Model;
use crate::theme::Role;
use crate::view::line::{StyledRow, wrapped};
use crate::view::{Appearance, status_symbol};

/// The maximum width.
const WIDTH: u16 = 70;

/// The maximum number of listed running steps.
const NAMED: usize = 3;

/// The options with descriptions.
const OPTIONS: [(Action, &str, &str); 4] = [
    (Action::QuitAfter, "wait", "Close the console at the end of the run."),
    (Action::QuitCancel, "cancel", "Cancel the run, wait for running steps, then close."),
    (Action::QuitLeave, "leave", "Close now. The next start can resume from the journal."),
    (Action::Back, "stay", "Keep the console open."),
];

pub(super) fn draw(frame: &mut Frame<'_>, screen: Rect, model: &Model, appearance: Appearance) {
    let columns = usize::from(inside(centred(screen, WIDTH, screen.height)).width);
    let lines = lines(model, appearance, columns);
    let height = u16::try_from(lines.len()).unwrap_or(u16::MAX);
    let spec = DialogSpec { title: "Quit", width: WIDTH, height, below: None, border: Role::Warn };
    let area = open(frame, screen, &spec, appearance);
    fill(frame, area, lines);
}

fn lines(model: &Model, appearance: Appearance, columns: usize) -> Vec<Line<'static>> {
    let what = match model.activity.active_run().map(|active| active.action) {
        Some(RunAction::Deploy) | None => "A deployment is running.",
        Some(RunAction::Destroy) => "A teardown is running.",
        Some(RunAction::TestUpload) => "A test upload is running.",
    };
    let mut lines = vec![StyledRow::new(appearance).text(what, Role::Strong).line(columns)];
    let running = model.run.iter().filter(|_| model.is_live()).flat_map(|run| &run.steps);
    let running: Vec<_> = running.filter(|step| step.is_running()).collect();
    for step in running.iter().take(NAMED) {
        let sign = status_symbol::for_step(&step.state, model, appearance);
        let row = StyledRow::new(appearance).space(2).text(sign.symbol, sign.role).space(1);
        lines.push(row.text(&step.step.title, Role::Text).line(columns));
    }
    if running.len() > NAMED {
        let words = format!("and {}", text::count(running.len() - NAMED, "other step"));
        lines.push(StyledRow::new(appearance).space(4).text(&words, Role::Muted).line(columns));
    }
    lines.push(Line::default());
    let key =
        |action| model.keymap.chord_of(&[Context::Quitting], action).map(|chord| chord.to_string()).unwrap_or_default();
    let widest = OPTIONS.iter().map(|(action, ..)| text::width(&key(*action))).max().unwrap_or(0);
    let at = widest + 2 + "cancel".len() + 2;
    for (action, word, means) in OPTIONS {
        for (number, part) in wrapped(means, columns.saturating_sub(at)).iter().enumerate() {
            let row = StyledRow::new(appearance);
            let row = match number {
                0 => row.text(&key(action), Role::Key).to(widest + 2).text(word, Role::Strong),
                _ => row,
            };
            lines.push(row.to(at).text(part, Role::Text).line(columns));
        }
    }
    lines
}
