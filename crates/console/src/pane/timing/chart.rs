//! The waterfall: a row per step, with a bar from start to end.

use chrono::{DateTime, Utc};
use ratatui::text::{Line, Span};
use thumbctl_core::event::SkipReason;
use thumbctl_core::plan::{Step, StepId};
use thumbctl_core::timing::{self, Estimate, PhaseBar, WaterfallBar};
use thumbctl_deploy::resource::descriptor;
use thumbctl_platform::text;

use crate::model::run::{RunModel, StepState};
use crate::theme::Role;
use crate::view::{Appearance, clean};

/// The width of durations: `12 m 05 s`.
const TIME: usize = 9;

/// The minimum distance of axis marks in columns.
const MARKS_APART: f64 = 10.0;

/// The possible distances of axis marks in seconds.
const STEPS: [f64; 18] =
    [0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 15.0, 20.0, 30.0, 60.0, 120.0, 300.0, 600.0, 900.0, 1800.0, 3600.0, 7200.0];

/// The chart of a run.
pub(super) struct Chart<'a> {
    pub(super) run: &'a RunModel,
    pub(super) now: f64,
    pub(super) estimate: Option<Estimate>,
    pub(super) is_live: bool,
    pub(super) clock: DateTime<Utc>,
    pub(super) appearance: Appearance,
    pub(super) width: usize,
}

/// The columns of the chart.
struct Scale {
    /// The width of names.
    names: usize,
    /// The width of the bar area.
    cells: usize,
    /// The time span in seconds.
    total: f64,
    /// The axis marks: cell and seconds.
    marks: Vec<(usize, f64)>,
}

/// A row of the chart.
struct ChartRow {
    sign: (Role, &'static str),
    name: (Role, String),
    is_critical: bool,
    bar: Option<(Role, f64, f64)>,
    /// The text after the bar, or instead of it.
    note: (Role, String),
    time: (Role, String),
}

/// The name of a step: its resource, or its title if the resource is missing or ambiguous.
pub(super) fn name(run: &RunModel, step: &Step) -> String {
    let first = |kind| run.step_for(kind).is_some_and(|model| model.step.id == step.id);
    let name = match step.resource {
        Some(kind) if first(kind) => descriptor(kind).title,
        _ => &step.title,
    };
    clean(name)
}

/// A rounded time span of at least this many seconds, so that the scale is stable.
pub(super) fn rounded_span(seconds: f64) -> f64 {
    let step = STEPS.into_iter().find(|step| seconds <= step * 10.0).unwrap_or(STEPS[STEPS.len() - 1]);
    ((seconds / step).ceil() * step).max(1.0)
}

impl Chart<'_> {
    /// The lines, and the line of the step that started last.
    pub(super) fn lines(&self) -> (Vec<Line<'static>>, Option<usize>) {
        let scale = self.scale();
        let path = self.run.waterfall.critical_path(self.now);
        let build = self.run.waterfall.build().map(|bar| &bar.step.id);
        let mut lines = vec![self.axis(&scale)];
        let mut latest = None;
        for bar in &self.run.waterfall.bars {
            if bar.span.from().is_some() {
                latest = Some(lines.len());
            }
            lines.push(self.lay_out(&self.step(bar, &path), &scale));
            if build == Some(&bar.step.id) {
                let phases = self.phases(&scale);
                let count = phases.len();
                for (index, phase) in phases.into_iter().enumerate() {
                    lines.push(self.lay_out(&self.phase(phase, index + 1 == count), &scale));
                }
            }
        }
        lines.extend(self.legend(&path));
        (lines, latest)
    }

    fn scale(&self) -> Scale {
        let names = self.run.waterfall.bars.iter().map(|bar| text::width(&name(self.run, &bar.step)));
        let names = names.max().unwrap_or(0).min(self.width * 2 / 5);
        // Symbol, mark and time, each with a space.
        let cells = self.width.saturating_sub(names + 5 + TIME).max(1);
        let total = super::span_of(&self.run.waterfall, self.now, self.estimate);
        let apart = |step: &f64| step / total * cells as f64;
        let step = STEPS.into_iter().find(|step| apart(step) >= MARKS_APART).unwrap_or(f64::INFINITY);
        let marks = (0..)
            .map(|n| f64::from(n) * if step.is_finite() { step } else { total + 1.0 })
            .take_while(|seconds| *seconds <= total)
            .map(|seconds| ((seconds / total * cells as f64).round() as usize, seconds))
            .filter(|(cell, _)| *cell < cells)
            .collect();
        Scale { names, cells, total, marks }
    }

    fn axis(&self, scale: &Scale) -> Line<'static> {
        let mut words = " ".repeat(scale.names + 5);
        let start = text::width(&words);
        for (cell, seconds) in &scale.marks {
            let label = mark(*seconds);
            if cell + text::width(&label) > scale.cells {
                break;
            }
            words.extend(std::iter::repeat_n(' ', (start + cell).saturating_sub(text::width(&words))));
            words.push_str(&label);
        }
        Line::styled(words, self.appearance.style(Role::Muted))
    }

    fn step(&self, bar: &WaterfallBar, path: &[StepId]) -> ChartRow {
        let symbols = self.appearance.symbols;
        let state = self.run.step(&bar.step.id).map(|model| &model.state);
        let is_retrying = matches!(state, Some(StepState::Running { retrying: true, .. }));
        let is_critical = path.contains(&bar.step.id);
        let usual = if is_critical { Role::CriticalBar } else { Role::Bar };
        let end = bar.span.to().unwrap_or(self.now);
        let drawn = |role| bar.span.from().map(|from| (role, from, end));
        let (sign, name_role, bar_drawn, time) = match &bar.span {
            timing::StepSpan::Waiting => ((Role::Muted, symbols.waiting), Role::Muted, None, String::new()),
            timing::StepSpan::Running { .. } if !self.is_live => {
                ((Role::Warn, symbols.unfinished), Role::Text, drawn(usual), String::new())
            }
            timing::StepSpan::Running { from } => {
                let spinner = (Role::Busy, symbols.spinner_at(self.clock.timestamp_millis()));
                let sign = if is_retrying { (Role::Warn, symbols.retrying) } else { spinner };
                (sign, Role::Strong, drawn(usual), text::ticking(end - from))
            }
            timing::StepSpan::Done { from, to } => {
                ((Role::Good, symbols.ready), Role::Text, drawn(usual), text::seconds(to - from))
            }
            timing::StepSpan::Failed { from, to } => {
                ((Role::Bad, symbols.failed), Role::Bad, drawn(Role::Bad), text::seconds(to - from))
            }
            timing::StepSpan::Skipped(SkipReason::AlreadyDone) => {
                ((Role::Good, symbols.ready), Role::Muted, None, String::new())
            }
            timing::StepSpan::Skipped(_) => ((Role::Muted, symbols.skipped), Role::Muted, None, String::new()),
        };
        let note = match (&bar.span, bar.retries) {
            (timing::StepSpan::Skipped(reason), _) => (Role::Muted, reason.label(self.run.started.action).to_owned()),
            (_, 0) => (Role::Muted, String::new()),
            (_, 1) => (Role::Warn, format!("{} retried once", symbols.retrying)),
            (_, retries) => (Role::Warn, format!("{} retried {retries} times", symbols.retrying)),
        };
        let time_role = if bar.span.is_running() { Role::Strong } else { Role::Text };
        ChartRow {
            sign,
            name: (name_role, name(self.run, &bar.step)),
            is_critical,
            bar: bar_drawn,
            note,
            time: (time_role, time),
        }
    }

    /// The displayed build phases: of at least one cell, running, or failed.
    fn phases(&self, scale: &Scale) -> Vec<&PhaseBar> {
        let cell = scale.total / scale.cells as f64;
        let seen = |phase: &&PhaseBar| phase.failed || phase.to.is_none_or(|to| to - phase.from.max(0.0) >= cell);
        self.run.waterfall.phases.iter().filter(seen).collect()
    }

    fn phase(&self, phase: &PhaseBar, is_last: bool) -> ChartRow {
        let symbols = self.appearance.symbols;
        let role = if phase.failed { Role::Bad } else { Role::Muted };
        let end = phase.to.unwrap_or(self.now);
        let branch = if is_last { symbols.last_branch } else { symbols.branch };
        let seconds = end - phase.from;
        let time = match phase.to {
            Some(_) => text::seconds(seconds),
            None if self.is_live => text::ticking(seconds.max(0.0)),
            None => String::new(),
        };
        ChartRow {
            sign: (Role::Muted, branch),
            name: (role, clean(&phase.phase)),
            is_critical: false,
            bar: Some((role, phase.from, end)),
            note: (Role::Muted, String::new()),
            time: (role, time),
        }
    }

    fn lay_out(&self, row: &ChartRow, scale: &Scale) -> Line<'static> {
        let appearance = self.appearance;
        let mark = if row.is_critical { appearance.symbols.marked } else { " " };
        let mut spans = vec![
            Span::styled(format!("{} ", row.sign.1), appearance.style(row.sign.0)),
            Span::styled(format!("{} ", text::fit(&row.name.1, scale.names)), appearance.style(row.name.0)),
            Span::styled(format!("{mark} "), appearance.style(Role::CriticalBar)),
        ];
        spans.extend(self.cells(row, scale));
        let time = text::cut(&row.time.1, TIME - 1);
        spans.push(Span::styled(format!(" {time:>width$}", width = TIME - 1), appearance.style(row.time.0)));
        Line::from(spans)
    }

    /// The bar area of a row: bar, axis marks, note.
    fn cells(&self, row: &ChartRow, scale: &Scale) -> Vec<Span<'static>> {
        let appearance = self.appearance;
        let mut cells: Vec<(Role, String)> = vec![(Role::Border, " ".to_owned()); scale.cells];
        for (cell, _) in &scale.marks {
            cells[*cell] = (Role::Border, appearance.symbols.bar.to_owned());
        }
        let mut free = 0;
        if let Some((role, from, to)) = row.bar {
            let (first, eighths) = super::extent(from, to, scale.total, scale.cells);
            free = first;
            for sign in super::bar(appearance, eighths) {
                if let Some(cell) = cells.get_mut(free) {
                    *cell = (role, sign.to_owned());
                    free += 1;
                }
            }
        }
        // The note is after the bar, or in its place.
        let at = if row.bar.is_some() { free + 1 } else { 0 };
        let note = text::cut(&row.note.1, scale.cells.saturating_sub(at));
        let columns = text::width(&note);
        if columns > 0 {
            cells.splice(at..at + columns, [(row.note.0, note)]);
        }
        let mut spans: Vec<Span<'static>> = Vec::new();
        for chunk in cells.chunk_by(|a, b| a.0 == b.0) {
            let signs: String = chunk.iter().map(|(_, sign)| sign.as_str()).collect();
            spans.push(Span::styled(signs, appearance.style(chunk[0].0)));
        }
        spans
    }

    fn legend(&self, path: &[StepId]) -> Option<Line<'static>> {
        if path.is_empty() {
            return None;
        }
        let bars = path.iter().filter_map(|id| self.run.waterfall.bar(id));
        let sum: f64 = bars.filter_map(|bar| bar.span.elapsed(self.now)).sum();

        let time = if self.is_live { text::ticking } else { text::seconds };
        let words = format!(" critical path: {} of {}", time(sum), time(self.run.waterfall.length(self.now)));
        Some(Line::from(vec![
            Span::styled(self.appearance.symbols.marked, self.appearance.style(Role::CriticalBar)),
            Span::styled(text::cut(&words, self.width.saturating_sub(1)), self.appearance.style(Role::Muted)),
        ]))
    }
}

/// The label of an axis mark.
fn mark(seconds: f64) -> String {
    if seconds == 0.0 {
        "0".into()
    } else if seconds < 0.95 || (seconds < 9.95 && (seconds - seconds.round()).abs() > 0.05) {
        format!("{seconds:.1} s")
    } else if seconds < 59.5 {
        format!("{seconds:.0} s")
    } else if seconds < 3599.5 && seconds % 60.0 < 0.5 {
        format!("{:.0} m", seconds / 60.0)
    } else {
        text::seconds(seconds)
    }
}
