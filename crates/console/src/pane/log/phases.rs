//! CodeBuild's phases as a row, and the current phase as a sentence.

use ratatui::Frame;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use thumbctl_core::event::{Action, LogSource};
use thumbctl_core::resource::ResourceKind;
use thumbctl_platform::text;

use crate::model::Model;
use crate::model::run::{Phase, PhaseState, RunModel, StepState};
use crate::theme::Role;
use crate::view::{Appearance, clean};

/// The phases in order: CodeBuild's name, and short names of at most ten, six, five and three letters.
const PHASES: [(&str, [&str; 4]); 11] = [
    ("SUBMITTED", ["submitted", "submit", "sub", "sub"]),
    ("QUEUED", ["queued", "queued", "queue", "que"]),
    ("PROVISIONING", ["provision", "prov", "prov", "prv"]),
    ("DOWNLOAD_SOURCE", ["source", "source", "src", "src"]),
    ("INSTALL", ["install", "inst", "inst", "ins"]),
    ("PRE_BUILD", ["pre-build", "pre", "pre", "pre"]),
    ("BUILD", ["build", "build", "build", "bld"]),
    ("POST_BUILD", ["post-build", "post", "post", "pst"]),
    ("UPLOAD_ARTIFACTS", ["upload", "upload", "upl", "upl"]),
    ("FINALIZING", ["finalize", "final", "final", "fin"]),
    ("COMPLETED", ["done", "done", "done", "end"]),
];

/// The number of rows of the phases, by the panel's inner height only.
pub(super) fn height(inside: u16) -> u16 {
    match inside {
        0..4 => 0,
        4..8 => 1,
        8..16 => 3,
        16.. => 5,
    }
}

/// The state of a phase.
#[derive(Clone, Copy, Debug, PartialEq)]
enum PhaseStage {
    /// It has not started.
    Ahead,
    /// It was passed without an event.
    Passed,
    Running(f64),
    /// It has no end event.
    Open,
    Done(Option<f64>),
    Failed(Option<f64>),
}

impl PhaseStage {
    fn symbol(self, model: &Model, appearance: Appearance) -> (&'static str, Role) {
        match self {
            Self::Ahead => (appearance.symbols.waiting, Role::Muted),
            Self::Passed => (appearance.symbols.skipped, Role::Muted),
            Self::Running(_) => (appearance.symbols.spinner_at(model.now.timestamp_millis()), Role::Busy),
            Self::Open => (appearance.symbols.unfinished, Role::Warn),
            Self::Done(_) => (appearance.symbols.ready, Role::Good),
            Self::Failed(_) => (appearance.symbols.failed, Role::Bad),
        }
    }

    fn seconds(self) -> Option<f64> {
        match self {
            Self::Running(seconds) => Some(seconds),
            Self::Done(seconds) | Self::Failed(seconds) => seconds,
            Self::Ahead | Self::Passed | Self::Open => None,
        }
    }
}

/// The run with the displayed build: the last deployment.
fn build(model: &Model) -> Option<&RunModel> {
    model.run.as_ref().filter(|run| run.started.action == Action::Deploy && !run.phases.is_empty())
}

fn stage(run: &RunModel, phase: &Phase, model: &Model) -> PhaseStage {
    if phase.name == "COMPLETED" {
        // The final phase has neither status nor duration.
        let is_failed = run.phases.iter().any(|phase| matches!(phase.state, PhaseState::Failed(_)));
        return if is_failed { PhaseStage::Failed(None) } else { PhaseStage::Done(None) };
    }
    match phase.state {
        PhaseState::Done(seconds) => PhaseStage::Done(Some(seconds)),
        PhaseState::Failed(seconds) => PhaseStage::Failed(Some(seconds)),
        PhaseState::Running if model.is_live() => {
            PhaseStage::Running((model.now - phase.since).as_seconds_f64().max(0.0))
        }
        PhaseState::Running => PhaseStage::Open,
    }
}

/// The states of all phases.
fn stages(model: &Model) -> [PhaseStage; PHASES.len()] {
    let mut stages = [PhaseStage::Ahead; PHASES.len()];
    let Some(run) = build(model) else { return stages };
    // A finished build passed the phases without events.
    let built = run.step_for(ResourceKind::Image).is_some_and(|step| matches!(step.state, StepState::Done(_)));
    let mut is_past = built;
    for (index, (name, _)) in PHASES.iter().enumerate().rev() {
        let reported = run.phases.iter().find(|phase| phase.name == *name);
        stages[index] = match reported {
            Some(phase) => stage(run, phase, model),
            None if built && *name == "COMPLETED" => PhaseStage::Done(None),
            None if is_past => PhaseStage::Passed,
            None => PhaseStage::Ahead,
        };
        is_past |= reported.is_some();
    }
    stages
}

/// Draws the phases.
pub(super) fn draw(frame: &mut Frame<'_>, area: Rect, model: &Model, appearance: Appearance) {
    let area = area.intersection(frame.area());
    if area.is_empty() {
        return;
    }
    let inside = Rect { x: area.x.saturating_add(1), width: area.width.saturating_sub(2), ..area };
    let buffer = frame.buffer_mut();
    let sentence = match area.height {
        0..3 => 0,
        3 | 4 => 2,
        _ => 3,
    };
    if sentence > 0 {
        draw_row(buffer, inside, sentence == 3, model, appearance);
    }
    let rows = area.height - sentence;
    draw_sentence(buffer, Rect { y: area.y + sentence, height: rows, ..inside }, model, appearance);
}

fn draw_row(buffer: &mut Buffer, area: Rect, with_seconds: bool, model: &Model, appearance: Appearance) {
    // The last one only needs the width of its name.
    let joints = u16::try_from(PHASES.len() - 1).expect("a dozen");
    let cell = area.width.saturating_sub(4) / joints;
    if cell < 2 {
        return;
    }
    let columns = usize::from(cell);
    for (index, (stage, (_, names))) in stages(model).into_iter().zip(PHASES).enumerate() {
        let x = area.x + cell * u16::try_from(index).expect("a dozen");
        let (sign, role) = stage.symbol(model, appearance);
        let style = appearance.style(role);
        buffer.set_stringn(x, area.y, sign, columns, style);
        // Completed phases are connected by a line.
        if matches!(stage, PhaseStage::Done(_)) && index + 1 < PHASES.len() {
            buffer.set_stringn(x + 1, area.y, appearance.symbols.line.repeat(columns - 2), columns - 2, style);
        }
        let name = match columns {
            11.. => names[0],
            7.. => names[1],
            6 => names[2],
            _ => names[3],
        };
        let name_style = match stage {
            PhaseStage::Running(_) | PhaseStage::Failed(_) | PhaseStage::Open => style,
            PhaseStage::Done(_) => appearance.style(Role::Text),
            PhaseStage::Ahead | PhaseStage::Passed => appearance.style(Role::Muted),
        };
        buffer.set_stringn(x, area.y + 1, name, columns.max(5) - 1, name_style);
        if let Some(seconds) = stage.seconds().filter(|_| with_seconds) {
            let words = match stage {
                PhaseStage::Running(_) => text::ticking(seconds),
                _ => text::seconds(seconds),
            };
            let words = if text::width(&words) < columns { words } else { brief(seconds) };
            buffer.set_stringn(x, area.y + 2, words, columns - 1, appearance.style(Role::Muted));
        }
    }
}

/// A duration in four columns: `0.4s`, `38s`, `12m`.
fn brief(seconds: f64) -> String {
    if seconds < 9.95 {
        format!("{seconds:.1}s")
    } else if seconds < 599.5 {
        format!("{seconds:.0}s")
    } else {
        format!("{:.0}m", seconds / 60.0)
    }
}

/// Draws the state of the build as a sentence: the failed phase and the reason, else the running one, else the result.
/// Long text continues in the second row.
fn draw_sentence(buffer: &mut Buffer, area: Rect, model: &Model, appearance: Appearance) {
    let (stage, strong, rest) = sentence(model);
    let (sign, role) = stage.symbol(model, appearance);
    let pieces: [(&str, Style); 3] = match stage {
        PhaseStage::Ahead => [("", Style::new()), ("", Style::new()), (&rest, appearance.style(Role::Muted))],
        _ => [(sign, appearance.style(role)), (&strong, appearance.style(role)), (&rest, appearance.style(Role::Text))],
    };
    let mut x = area.x;
    let [head @ .., (rest, style)] = pieces;
    for (words, style) in head.into_iter().filter(|(words, _)| !words.is_empty()) {
        let available = usize::from(area.right().saturating_sub(x));
        (x, _) = buffer.set_stringn(x, area.y, text::cut(words, available), available, style);
        x = x.saturating_add(1).min(area.right());
    }
    let available = usize::from(area.right().saturating_sub(x));
    if area.height < 2 || text::width(rest) <= available {
        buffer.set_stringn(x, area.y, text::cut(rest, available), available, style);
        return;
    }
    let first = text::wrap(rest, available).into_iter().next().unwrap_or_default();
    let second = rest.strip_prefix(&first).unwrap_or_default().trim_start();
    buffer.set_stringn(x, area.y, &first, available, style);
    let indented = area.x.saturating_add(2).min(area.right());
    let available = usize::from(area.right() - indented);
    buffer.set_stringn(indented, area.y + 1, text::cut(second, available), available, style);
}

fn sentence(model: &Model) -> (PhaseStage, String, String) {
    let Some(run) = build(model) else {
        let words = match model.log(LogSource::Build).window().total {
            0 => "No build yet.",
            _ => "The log of the last build.",
        };
        return (PhaseStage::Ahead, String::new(), words.to_owned());
    };
    let staged = run.phases.iter().map(|phase| (phase, stage(run, phase, model)));
    if let Some((phase, PhaseStage::Failed(seconds))) =
        staged.clone().find(|(phase, stage)| matches!(stage, PhaseStage::Failed(_)) && phase.name != "COMPLETED")
    {
        let after = seconds.map_or_else(String::new, |seconds| format!(" after {}", text::seconds(seconds)));
        let why = phase.context.as_deref().map(clean).unwrap_or_default();
        let why: Vec<&str> = why.split_whitespace().collect();
        let why = if why.is_empty() { String::new() } else { format!(": {}", why.join(" ")) };
        return (PhaseStage::Failed(seconds), clean(&phase.name), format!("failed{after}{why}"));
    }
    match staged.clone().next_back() {
        Some((phase, PhaseStage::Running(seconds))) => {
            (PhaseStage::Running(seconds), clean(&phase.name), format!("running for {}", text::ticking(seconds)))
        }
        Some((phase, PhaseStage::Open)) => (PhaseStage::Open, clean(&phase.name), "interrupted".to_owned()),
        last => {
            let seconds: f64 = staged.filter_map(|(_, stage)| stage.seconds()).sum();
            let words = format!("in {}", text::seconds(seconds));
            // Between two phases nothing runs, but the build is not finished.
            let is_over = !model.is_live() || last.is_some_and(|(phase, _)| phase.name == "COMPLETED");
            let what = if is_over { "built" } else { "building" };
            (PhaseStage::Done(None), what.to_owned(), if is_over { words } else { String::new() })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_times_fit_their_cells() {
        for (_, names) in PHASES {
            for (name, most) in names.into_iter().zip([10, 6, 5, 3]) {
                assert!(name.len() <= most, "{name}");
            }
        }
        for seconds in [0.0, 0.44, 9.94, 9.96, 59.0, 599.0, 600.0, 28_800.0] {
            assert!(brief(seconds).len() <= 4, "{}", brief(seconds));
        }
    }
}
