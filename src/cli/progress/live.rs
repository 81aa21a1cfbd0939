//! A run drawn in place: what scrolls (log lines) goes above, what stays (a line for each step) is drawn over itself.
//!
//! ```text
//!   <scrolling: log lines, messages>
//!
//!   Deploying thumbnails by sdk · sandbox · account 000000000000 · us-east-1
//!
//!   ✔ Create the ECR repository        thumbnails-0a1b2c3d                         0.41 s
//!   ⠹ Build the function's image       BUILD                                       12.3 s
//!   · Create the Lambda function       after: Build the function's image
//!
//!   8 of 15 steps done · 12.9 s
//! ```

use std::io::{self, Write};
use std::time::Instant;

use super::super::style::{self, Palette, Role};
use super::view::{RunView, StepState, StepView};
use crate::text;

/// The widest that the lines become: the eye must find the time that belongs to a title.
const WIDEST: usize = 110;

/// Rows of the terminal that are left for what scrolls.
const ROOM_ABOVE: usize = 4;

/// Makes the lines that stay.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Frame {
    /// The terminal's columns.
    pub(crate) width: usize,
    /// The terminal's rows.
    pub(crate) height: usize,
    /// The colours.
    pub(crate) palette: Palette,
}

impl Frame {
    /// The lines for a run as it is at a moment; `extra` more will stand below them.
    pub(crate) fn lines(&self, view: &RunView, now: Instant, extra: usize) -> Vec<String> {
        let Some(started) = &view.started else { return Vec::new() };
        // The last column stays free: a terminal that is full to the edge may break the line.
        let width = self.width.saturating_sub(1).clamp(20, WIDEST);
        let mut lines = vec![String::new()];
        lines.push(format!("  {}", self.palette.paint(Role::Strong, &text::cut(&super::headline(started), width - 2))));
        lines.push(String::new());
        let room = self.height.saturating_sub(ROOM_ABOVE + 5 + extra).max(3);
        let (above, shown, below) = window(view, room);
        if above > 0 {
            let words = format!("  {} {} done", style::DONE, text::count(above, "step"));
            lines.push(self.palette.paint(Role::Quiet, &words));
        }
        // Titles and details share what the time leaves; titles of one plan are of one width, so that nothing jumps.
        let room = width - 4 - 12;
        let titles = view.steps.iter().map(|step| text::width(&step.title)).max().unwrap_or(0);
        let titles = titles.min(room * 3 / 5);
        for step in &view.steps[shown] {
            lines.push(self.step(view, step, now, titles, room - titles));
        }
        if below > 0 {
            let words = format!("  {} {} to come", style::WAITING, text::count(below, "more step"));
            lines.push(self.palette.paint(Role::Quiet, &words));
        }
        lines.push(String::new());
        lines.push(self.foot(view, now, width));
        lines
    }

    fn step(&self, view: &RunView, step: &StepView, now: Instant, titles: usize, details: usize) -> String {
        let (sign, role) = match step.state {
            StepState::Waiting => (style::WAITING, Role::Quiet),
            StepState::Running { retrying: true, .. } => (style::RETRY, Role::Warn),
            StepState::Running { .. } => (spinner(now - view.began), Role::Busy),
            StepState::Done(_) => (style::DONE, Role::Good),
            StepState::Failed(_) => (style::FAILED, Role::Bad),
            StepState::Skipped(reason) => {
                let (sign, role, _) = super::skipped(reason, view.action());
                (sign, role)
            }
        };
        let time = match step.state {
            StepState::Waiting | StepState::Skipped(_) => String::new(),
            StepState::Running { since, .. } => text::ticking((now - since).as_secs_f64()),
            StepState::Done(seconds) | StepState::Failed(seconds) => text::seconds(seconds),
        };
        let (title_role, detail_role) = match step.state {
            StepState::Waiting => (Role::Quiet, Role::Quiet),
            StepState::Running { retrying: true, .. } => (Role::Strong, Role::Warn),
            StepState::Running { .. } => (Role::Strong, Role::Plain),
            StepState::Failed(_) => (Role::Strong, Role::Bad),
            StepState::Done(_) | StepState::Skipped(_) => (Role::Plain, Role::Quiet),
        };
        let detail = match step.state {
            StepState::Waiting => view.waits_for(step).map(|title| format!("after: {title}")).unwrap_or_default(),
            _ => text::clean(&step.detail),
        };
        let paint = |role, text: &str| self.palette.paint(role, text);
        let line = format!(
            "  {} {}  {} {}",
            paint(role, sign),
            paint(title_role, &text::fit(&step.title, titles)),
            paint(detail_role, &text::fit(&detail, details.saturating_sub(3))),
            paint(Role::Quiet, &format!("{time:>12}")),
        );
        line.trim_end().to_owned()
    }

    fn foot(&self, view: &RunView, now: Instant, width: usize) -> String {
        let elapsed = match view.seconds {
            Some(seconds) => text::seconds(seconds),
            None => text::ticking((now - view.began).as_secs_f64()),
        };
        let mut words = format!("{} of {} done · {elapsed}", view.done(), text::count(view.steps.len(), "step"));
        if view.cancelling && view.seconds.is_none() {
            words.push_str(" · cancelling, Ctrl-C again stops at once");
        }
        let role = if view.cancelling { Role::Warn } else { Role::Quiet };
        format!("  {}", self.palette.paint(role, &text::cut(&words, width.saturating_sub(2))))
    }
}

fn spinner(elapsed: std::time::Duration) -> &'static str {
    let tick = usize::try_from(elapsed.as_millis() / 100).unwrap_or(0);
    style::SPINNER[tick % style::SPINNER.len()]
}

/// Which steps are shown where not all of them fit: what is over gives way first, then what is far from its turn.
fn window(view: &RunView, room: usize) -> (usize, std::ops::Range<usize>, usize) {
    let all = view.steps.len();
    if all <= room {
        return (0, 0..all, 0);
    }
    // Two lines say what is not shown.
    let room = room.saturating_sub(2).max(1);
    let first_open = view.steps.iter().position(|step| !step.state.is_over()).unwrap_or(all);
    let first = first_open.min(all - room);
    (first, first..first + room, all - first - room)
}

/// Draws over what it drew before.
#[derive(Debug, Default)]
pub(crate) struct LivePainter {
    /// The columns of each line that stands there, to know how many rows it takes after the window was made narrower.
    drawn: Vec<usize>,
    /// Whether the last line is a question behind which the cursor stands.
    asks: bool,
}

impl LivePainter {
    /// Writes what scrolls, and below it what stays. The last of `lines` is a question if `asks` says so: the cursor then
    /// stays behind it, with what the user has typed.
    pub(crate) fn draw(
        &mut self,
        out: &mut impl Write,
        above: &str,
        lines: &[String],
        asks: bool,
        width: usize,
    ) -> io::Result<()> {
        // Between these two the terminal shows nothing half drawn, if it knows them.
        let mut frame = String::from("\x1b[?2026h");
        let only_refresh = asks && self.asks && above.is_empty() && lines.len() == self.drawn.len();
        if only_refresh {
            // What the user has typed stays: the question's line is not touched.
            frame.push_str("\x1b7");
            frame.push_str(&self.back_to_top(width));
            for line in &lines[..lines.len() - 1] {
                frame.push_str(&format!("{line}\x1b[K\r\n"));
            }
            frame.push_str("\x1b8");
        } else {
            frame.push_str(&self.back_to_top(width));
            if !above.is_empty() {
                frame.push_str("\x1b[J");
                frame.push_str(&above.replace('\n', "\r\n"));
            }
            for (index, line) in lines.iter().enumerate() {
                frame.push_str(line);
                frame.push_str("\x1b[K");
                if !(asks && index + 1 == lines.len()) {
                    frame.push_str("\r\n");
                }
            }
            frame.push_str("\x1b[J");
        }
        frame.push_str("\x1b[?2026l");
        self.drawn = lines.iter().map(|line| text::width(&text::clean(line))).collect();
        self.asks = asks;
        out.write_all(frame.as_bytes())?;
        out.flush()
    }

    /// Says that the user has ended the answer with a line break of his own.
    pub(crate) fn answered(&mut self) {
        self.asks = false;
    }

    /// Leaves what was drawn last where it stands; what comes next is drawn below.
    pub(crate) fn leave(&mut self) {
        self.drawn.clear();
        self.asks = false;
    }

    fn back_to_top(&self, width: usize) -> String {
        let rows: usize = self.drawn.iter().map(|columns| columns.div_ceil(width.max(1)).max(1)).sum();
        let up = if self.asks { rows.saturating_sub(1) } else { rows };
        if up == 0 { "\r".to_owned() } else { format!("\r\x1b[{up}A") }
    }
}

#[cfg(test)]
mod tests;
