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

use std::time::Instant;

use thumbctl_platform::terminal::{Control, TerminalText, terminal_text};
use thumbctl_platform::text;

use super::super::style::{self, Palette, Role};
use super::view::{RunView, StepState, StepView};

/// The widest that the lines become: the eye must find the time that belongs to a title.
const WIDEST: usize = 110;

/// The spaces around a step's detail.
const MARGIN: usize = 3;

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
    pub(crate) fn lines(&self, view: &RunView, now: Instant, extra: usize) -> Vec<TerminalText> {
        let Some(started) = &view.started else { return Vec::new() };
        // The last column stays free: a terminal that is full to the edge may break the line.
        let width = self.width.saturating_sub(1).clamp(20, WIDEST);
        let headline = text::cut(&text::clean(&super::headline(started)), width.saturating_sub(2));
        let mut lines = vec![TerminalText::default()];
        lines.push(terminal_text!("  {}", self.palette.paint(Role::Strong, &headline)));
        lines.push(TerminalText::default());
        let room = self.height.saturating_sub(ROOM_ABOVE + 5 + extra).max(3);
        let (above, shown, below) = window(view, room);
        if above > 0 {
            let words = format!("  {} {} done", style::DONE, text::count(above, "step"));
            lines.push(self.palette.paint(Role::Quiet, &words));
        }
        // Titles and details share what the time leaves; titles of one plan are of one width, so that nothing jumps.
        let room = width.saturating_sub(4 + 12);
        let titles = view.steps.iter().map(|step| text::width(&text::clean(&step.title))).max().unwrap_or(0);
        let titles = titles.min(room * 3 / 5).min(room.saturating_sub(MARGIN));
        for step in &view.steps[shown] {
            lines.push(self.step(view, step, now, titles, room.saturating_sub(titles)));
        }
        if below > 0 {
            let words = format!("  {} {} to come", style::WAITING, text::count(below, "more step"));
            lines.push(self.palette.paint(Role::Quiet, &words));
        }
        lines.push(TerminalText::default());
        lines.push(self.foot(view, now, width));
        lines
    }

    fn step(&self, view: &RunView, step: &StepView, now: Instant, titles: usize, details: usize) -> TerminalText {
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
            _ => step.detail.clone(),
        };
        let paint = |role, text: &str| self.palette.paint(role, text);
        let line = terminal_text!(
            "  {} {}  {} {}",
            paint(role, sign),
            paint(title_role, &text::fit(&text::clean(&step.title), titles)),
            paint(detail_role, &text::fit(&text::clean(&detail), details.saturating_sub(MARGIN))),
            paint(Role::Quiet, &format!("{time:>12}")),
        );
        line.trim_end()
    }

    fn foot(&self, view: &RunView, now: Instant, width: usize) -> TerminalText {
        let elapsed = match view.seconds {
            Some(seconds) => text::seconds(seconds),
            None => text::ticking((now - view.began).as_secs_f64()),
        };
        let mut words = format!("{} of {} done · {elapsed}", view.done(), text::count(view.steps.len(), "step"));
        if view.cancelling && view.seconds.is_none() {
            words.push_str(" · cancelling, Ctrl-C again stops at once");
        }
        let role = if view.cancelling { Role::Warn } else { Role::Quiet };
        terminal_text!("  {}", self.palette.paint(role, &text::cut(&words, width.saturating_sub(2))))
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
    /// What draws what scrolls, and below it what stays. The last of `lines` is a question if `asks` says so: the cursor then
    /// stays behind it, with what the user has typed.
    pub(crate) fn frame(
        &mut self,
        above: &TerminalText,
        lines: &[TerminalText],
        asks: bool,
        width: usize,
    ) -> TerminalText {
        let mut frame = TerminalText::default();
        frame.push_control(Control::BeginUpdate);
        let only_refresh = asks && self.asks && above.is_empty() && lines.len() == self.drawn.len();
        if only_refresh {
            // What the user has typed stays: the question's line is not touched.
            frame.push_control(Control::SaveCursor);
            self.push_way_to_top(&mut frame, width);
            for line in &lines[..lines.len().saturating_sub(1)] {
                frame.push(line);
                frame.push_control(Control::ClearLine);
                frame.push_control(Control::NextLine);
            }
            frame.push_control(Control::RestoreCursor);
        } else {
            self.push_way_to_top(&mut frame, width);
            if !above.is_empty() {
                frame.push_control(Control::ClearBelow);
                frame.push(above.with_carriage_returns());
            }
            for (index, line) in lines.iter().enumerate() {
                frame.push(line);
                frame.push_control(Control::ClearLine);
                if !(asks && index + 1 == lines.len()) {
                    frame.push_control(Control::NextLine);
                }
            }
            frame.push_control(Control::ClearBelow);
        }
        frame.push_control(Control::EndUpdate);
        self.drawn = lines.iter().map(TerminalText::width).collect();
        self.asks = asks;
        frame
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

    fn push_way_to_top(&self, frame: &mut TerminalText, width: usize) {
        let rows: usize = self.drawn.iter().map(|columns| columns.div_ceil(width.max(1)).max(1)).sum();
        frame.push_control(Control::LineStart);
        frame.push_control(Control::Up(if self.asks { rows.saturating_sub(1) } else { rows }));
    }
}

#[cfg(test)]
mod tests;
