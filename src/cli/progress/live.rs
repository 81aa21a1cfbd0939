//! The progress of a run drawn in place: log lines scroll above a list of steps, which is redrawn.
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

/// The maximum width of lines, so that a step's time is near its title.
const MAX_WIDTH: usize = 110;

/// The spaces around a step's detail.
const MARGIN: usize = 3;

/// The rows reserved for scrolling lines.
const SCROLL_ROWS: usize = 4;

/// Formats the list of steps.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Frame {
    /// The terminal's columns.
    pub(crate) width: usize,
    /// The terminal's rows.
    pub(crate) height: usize,
    /// The palette.
    pub(crate) palette: Palette,
}

impl Frame {
    /// The lines for a run at a point in time; `extra` more lines will follow.
    pub(crate) fn lines(&self, view: &RunView, now: Instant, extra: usize) -> Vec<TerminalText> {
        let Some(started) = &view.started else { return Vec::new() };
        // Leave the last column free: some terminals wrap a full line.
        let width = self.width.saturating_sub(1).clamp(20, MAX_WIDTH);
        let headline = text::cut(&text::clean(&super::headline(started)), width.saturating_sub(2));
        let mut lines = vec![TerminalText::default()];
        lines.push(terminal_text!("  {}", self.palette.paint(Role::Strong, &headline)));
        lines.push(TerminalText::default());
        let rows = self.height.saturating_sub(SCROLL_ROWS + 5 + extra).max(3);
        let (above, shown, below) = window(view, rows);
        if above > 0 {
            let words = format!("  {} {} done", style::DONE, text::count(above, "step"));
            lines.push(self.palette.paint(Role::Muted, &words));
        }
        // Titles and details share the rest of the line. All titles have the same width, for a stable layout.
        let columns = width.saturating_sub(4 + 12);
        let titles = view.steps.iter().map(|step| text::width(&text::clean(&step.title))).max().unwrap_or(0);
        let titles = titles.min(columns * 3 / 5).min(columns.saturating_sub(MARGIN));
        for step in &view.steps[shown] {
            lines.push(self.step(view, step, now, titles, columns.saturating_sub(titles)));
        }
        if below > 0 {
            let words = format!("  {} {} waiting", style::WAITING, text::count(below, "more step"));
            lines.push(self.palette.paint(Role::Muted, &words));
        }
        lines.push(TerminalText::default());
        lines.push(self.footer(view, now, width));
        lines
    }

    fn step(&self, view: &RunView, step: &StepView, now: Instant, titles: usize, details: usize) -> TerminalText {
        let (sign, role) = match step.state {
            StepState::Waiting => (style::WAITING, Role::Muted),
            StepState::RunHandle { retrying: true, .. } => (style::RETRY, Role::Warn),
            StepState::RunHandle { .. } => (spinner(now - view.began), Role::Busy),
            StepState::Done(_) => (style::DONE, Role::Good),
            StepState::Failed(_) => (style::FAILED, Role::Bad),
            StepState::Skipped(reason) => {
                let (sign, role, _) = super::skipped(reason, view.action());
                (sign, role)
            }
        };
        let time = match step.state {
            StepState::Waiting | StepState::Skipped(_) => String::new(),
            StepState::RunHandle { since, .. } => text::ticking((now - since).as_secs_f64()),
            StepState::Done(seconds) | StepState::Failed(seconds) => text::seconds(seconds),
        };
        let (title_role, detail_role) = match step.state {
            StepState::Waiting => (Role::Muted, Role::Muted),
            StepState::RunHandle { retrying: true, .. } => (Role::Strong, Role::Warn),
            StepState::RunHandle { .. } => (Role::Strong, Role::Plain),
            StepState::Failed(_) => (Role::Strong, Role::Bad),
            StepState::Done(_) | StepState::Skipped(_) => (Role::Plain, Role::Muted),
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
            paint(Role::Muted, &format!("{time:>12}")),
        );
        line.trim_end()
    }

    fn footer(&self, view: &RunView, now: Instant, width: usize) -> TerminalText {
        let elapsed = match view.seconds {
            Some(seconds) => text::seconds(seconds),
            None => text::ticking((now - view.began).as_secs_f64()),
        };
        let mut words = format!("{} of {} done · {elapsed}", view.done(), text::count(view.steps.len(), "step"));
        if view.cancelling && view.seconds.is_none() {
            words.push_str(" · cancelling; Ctrl-C again: exit at once");
        }
        let role = if view.cancelling { Role::Warn } else { Role::Muted };
        terminal_text!("  {}", self.palette.paint(role, &text::cut(&words, width.saturating_sub(2))))
    }
}

fn spinner(elapsed: std::time::Duration) -> &'static str {
    let tick = usize::try_from(elapsed.as_millis() / 100).unwrap_or(0);
    style::SPINNER[tick % style::SPINNER.len()]
}

/// The steps to show if not all fit: the unfinished ones, from the first.
fn window(view: &RunView, rows: usize) -> (usize, std::ops::Range<usize>, usize) {
    let all = view.steps.len();
    if all <= rows {
        return (0, 0..all, 0);
    }
    // Two lines count the hidden steps.
    let rows = rows.saturating_sub(2).max(1);
    let first_open = view.steps.iter().position(|step| !step.state.is_over()).unwrap_or(all);
    let first = first_open.min(all - rows);
    (first, first..first + rows, all - first - rows)
}

/// Redraws lines over its previous frame.
#[derive(Debug, Default)]
pub(crate) struct LiveRenderer {
    /// The width of each drawn line, to compute its rows after the terminal was resized.
    drawn_widths: Vec<usize>,
    /// Whether the last line is a prompt, with the cursor at its end.
    has_prompt: bool,
}

impl LiveRenderer {
    /// The output that scrolls `above` and redraws `lines` below it. With `has_prompt` the last line is a prompt: the cursor
    /// stays at its end, after the user's input.
    pub(crate) fn frame(
        &mut self,
        above: &TerminalText,
        lines: &[TerminalText],
        has_prompt: bool,
        width: usize,
    ) -> TerminalText {
        let mut frame = TerminalText::default();
        frame.push_control(Control::BeginUpdate);
        let only_refresh = has_prompt && self.has_prompt && above.is_empty() && lines.len() == self.drawn_widths.len();
        if only_refresh {
            // Keep the prompt line with the user's input.
            frame.push_control(Control::SaveCursor);
            self.push_move_to_top(&mut frame, width);
            for line in &lines[..lines.len().saturating_sub(1)] {
                frame.push(line);
                frame.push_control(Control::ClearLine);
                frame.push_control(Control::NextLine);
            }
            frame.push_control(Control::RestoreCursor);
        } else {
            self.push_move_to_top(&mut frame, width);
            if !above.is_empty() {
                frame.push_control(Control::ClearBelow);
                frame.push(above.with_carriage_returns());
            }
            for (index, line) in lines.iter().enumerate() {
                frame.push(line);
                frame.push_control(Control::ClearLine);
                if !(has_prompt && index + 1 == lines.len()) {
                    frame.push_control(Control::NextLine);
                }
            }
            frame.push_control(Control::ClearBelow);
        }
        frame.push_control(Control::EndUpdate);
        self.drawn_widths = lines.iter().map(TerminalText::width).collect();
        self.has_prompt = has_prompt;
        frame
    }

    /// Notes that the user has ended the input with a line break.
    pub(crate) fn input_ended(&mut self) {
        self.has_prompt = false;
    }

    /// Keeps the last frame on the screen; the next one is drawn below it.
    pub(crate) fn keep(&mut self) {
        self.drawn_widths.clear();
        self.has_prompt = false;
    }

    fn push_move_to_top(&self, frame: &mut TerminalText, width: usize) {
        let rows: usize = self.drawn_widths.iter().map(|columns| columns.div_ceil(width.max(1)).max(1)).sum();
        frame.push_control(Control::LineStart);
        frame.push_control(Control::Up(if self.has_prompt { rows.saturating_sub(1) } else { rows }));
    }
}

#[cfg(test)]
mod tests;
