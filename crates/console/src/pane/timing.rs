//! The timing panel: a waterfall of the steps, and statistics of earlier runs.
//!
//! ```text
//! Deploying · 15.2 s · about 38 s to go · estimated from 3 earlier runs
//! 11 steps wait for Function image
//!                             0          10 s       20 s       30 s
//! ✔ ECR repository            █▎         │          │          │          1.21 s
//! ✔ Build policy            ● ▎          │          │          │          0.31 s
//! ◑ Function image          ● │ ███████████████     │          │          14.1 s
//! ├ PROVISIONING              │ ███▍     │          │          │          3.20 s
//! └ BUILD                     │    ███████████      │          │          10.9 s
//! · Lambda function           │          │          │          │
//! ● critical path: 14.4 s of 15.2 s
//!
//! Deployments so far · sandbox, sdk
//! 3 runs, 2 succeeded · median 52.1 s · 48.0 s to 56.2 s
//! ✔ 0003-deploy-00ab    5 min ago    52.1 s  ██████████████
//! ✖ 0001-deploy-00ab      2 h ago    14.0 s  not comparable
//! ```

mod chart;
mod history;

use ratatui::Frame;
use ratatui::layout::{Alignment, Rect};
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;
use thumbctl_core::event::{Action, Outcome};
use thumbctl_core::timing::{Estimate, RunKey, Waterfall};
use thumbctl_platform::text;

use self::chart::Chart;
use super::Pane;
use crate::keymap::{Context, DefaultKeys, scroll_keys};
use crate::model::Model;
use crate::model::run::RunModel;
use crate::panel::Panel;
use crate::theme::Role;
use crate::view::Appearance;
use crate::view::layout::Layout;

/// The context of its keys.
const KEYS: Context = Context::Panel("in the timing panel");

/// The timing of the runs.
#[derive(Debug)]
pub struct TimingPane;

impl Pane for TimingPane {
    fn panel(&self) -> Panel {
        Panel::Timing
    }

    fn keys(&self) -> Vec<DefaultKeys> {
        scroll_keys(KEYS).to_vec()
    }

    fn context(&self, _model: &Model) -> Context {
        KEYS
    }

    /// Draws the panel. Below another panel it follows the latest step.
    fn draw(&self, frame: &mut Frame<'_>, area: Rect, model: &Model, appearance: Appearance) {
        let inside = Layout::text_area(Layout::inside(area));
        let TimingContent { lines, latest } = content(model, appearance, usize::from(inside.width));
        let height = usize::from(inside.height);
        let most = lines.len().saturating_sub(height);
        let from = if model.shown_panel() == Panel::Timing {
            usize::from(model.scroll(Panel::Timing)).min(most)
        } else {
            latest.map_or(0, |latest| (latest + 1).saturating_sub(height)).min(most)
        };
        let mut block = appearance.panel(" Timing ", model.focus == Panel::Timing);
        let below = most - from;
        if below > 0 {
            let words = format!(" {} below ", text::count(below, "more line"));
            block =
                block.title_bottom(Line::from(words).style(appearance.style(Role::Muted)).alignment(Alignment::Right));
        }
        let shown: Vec<Line<'static>> = lines.into_iter().skip(from).take(height).collect();
        frame.render_widget(block, area);
        frame.render_widget(Paragraph::new(shown), inside);
    }

    fn rows(&self, model: &Model, width: u16) -> usize {
        content(model, Appearance::of(model), usize::from(width.saturating_sub(2))).lines.len()
    }
}

/// The lines, and the line of the step that started last.
struct TimingContent {
    lines: Vec<Line<'static>>,
    latest: Option<usize>,
}

fn content(model: &Model, appearance: Appearance, width: usize) -> TimingContent {
    let mut lines = Vec::new();
    let mut latest = None;
    if let Some(run) = &model.run {
        let now = run.seconds(model.now, model.is_live());
        let estimate = estimate(model, run, now);
        lines.extend(headline(model, run, now, estimate, appearance, width));
        let chart = Chart { run, now, estimate, is_live: model.is_live(), clock: model.now, appearance, width };
        let before = lines.len();
        let (drawn, row) = chart.lines();
        lines.extend(drawn);
        latest = row.map(|row| before + row);
    }
    lines.extend(history::lines(model, appearance, width, !lines.is_empty()));
    if lines.is_empty() {
        let words = if model.journals_read {
            "No runs yet. This panel shows the steps of a run, its critical path, and statistics of earlier runs."
        } else {
            "Reading earlier runs."
        };
        lines.extend(muted(appearance, words, width));
    }
    TimingContent { lines, latest }
}

fn muted(appearance: Appearance, words: &str, width: usize) -> impl Iterator<Item = Line<'static>> {
    text::wrap(words, width).into_iter().map(move |line| Line::styled(line, appearance.style(Role::Muted)))
}

fn is_cancelling(model: &Model) -> bool {
    model.activity.active_run().is_some_and(|active| active.cancelling)
}

fn estimate(model: &Model, run: &RunModel, now: f64) -> Option<Estimate> {
    if !model.is_live() || is_cancelling(model) {
        return None;
    }
    let key = RunKey::of(&run.started);
    model.history.estimate(&key, &run.started.plan, &run.waterfall, now, model.requested.parallelism)
}

/// The status with elapsed and remaining time, or the result; and the bottleneck.
fn headline(
    model: &Model,
    run: &RunModel,
    now: f64,
    estimate: Option<Estimate>,
    appearance: Appearance,
    width: usize,
) -> Vec<Line<'static>> {
    let is_live = model.is_live();
    let (role, words) = state(model, run, now);
    let mut parts = Vec::new();
    if is_live {
        parts.push((Role::Strong, text::ticking(now)));
    }
    match estimate {
        Some(Estimate { seconds_left, from_runs }) => {
            let held = model.activity.active_run().is_some_and(|active| active.held.is_some());
            let go_on = if held { " after resuming" } else { "" };
            parts.push((Role::Text, format!("{} to go{go_on}", approximate(seconds_left))));
            let runs = if from_runs == 1 { "one earlier run".into() } else { format!("{from_runs} earlier runs") };
            parts.push((Role::Muted, format!("estimated from {runs}")));
        }
        None if is_live && !is_cancelling(model) && run.finished_count() < run.steps.len() => {
            parts.push((Role::Muted, "no estimate: some steps have no history".into()));
        }
        None => {
            let saved = run.waterfall.work() - now;
            if matches!(run.ended, Some((Outcome::Succeeded, _))) && saved > now / 100.0 {
                parts.push((Role::Muted, format!("parallelism saved {}", text::seconds(saved))));
            }
        }
    }
    let mut lines = flowing(appearance, (role, words), parts, width);
    if let Some(bottleneck) = run.waterfall.bottleneck(now).filter(|_| is_live) {
        let name = run.waterfall.bar(&bottleneck.step).map_or_else(String::new, |bar| chart::name(run, &bar.step));
        let (count, verb) =
            (text::count(bottleneck.waiting, "step"), if bottleneck.waiting == 1 { "waits" } else { "wait" });
        let words = text::cut(&format!("{count} {verb} for {name}"), width);
        lines.push(Line::styled(words, appearance.style(Role::Busy)));
    }
    lines
}

fn state(model: &Model, run: &RunModel, now: f64) -> (Role, String) {
    let deploys = run.started.action == Action::Deploy;
    let active = model.activity.active_run();
    let time = text::seconds(now);
    match run.ended {
        Some((Outcome::Succeeded, _)) if deploys => (Role::Good, format!("Deployed in {time}")),
        Some((Outcome::Succeeded, _)) => (Role::Good, format!("Destroyed in {time}")),
        Some((Outcome::Failed, _)) => (Role::Bad, format!("Failed after {time}")),
        Some((Outcome::Cancelled, _)) => (Role::Warn, format!("Cancelled after {time}")),
        None if !model.is_live() => (Role::Warn, format!("Interrupted after {time}")),
        None if is_cancelling(model) => (Role::Warn, "Cancelling".into()),
        None if active.is_some_and(|active| active.held.is_some()) => (Role::Next, "Held".into()),
        None if deploys => (Role::Busy, "Deploying".into()),
        None => (Role::Busy, "Destroying".into()),
    }
}

/// Parts separated by dots, on as many lines as necessary.
fn flowing(
    appearance: Appearance,
    first: (Role, String),
    rest: Vec<(Role, String)>,
    width: usize,
) -> Vec<Line<'static>> {
    let mut lines = vec![Line::from(Span::styled(text::cut(&first.1, width), appearance.style(first.0)))];
    for (role, words) in rest {
        let dot = format!(" {} ", appearance.symbols.dot);
        let line = lines.last_mut().expect("there is always a line");
        if line.width() + text::width(&dot) + text::width(&words) <= width {
            line.push_span(Span::styled(dot, appearance.style(Role::Muted)));
            line.push_span(Span::styled(words, appearance.style(role)));
        } else {
            lines.push(Line::from(Span::styled(text::cut(&words, width), appearance.style(role))));
        }
    }
    lines
}

/// An estimated duration, rounded so that it does not flicker.
fn approximate(seconds: f64) -> String {
    if seconds < 1.0 { "less than a second".into() } else { format!("about {}", whole(seconds.ceil())) }
}

/// Whole seconds: `38 s`, `2 m 05 s`.
fn whole(seconds: f64) -> String {
    if seconds < 59.5 { format!("{seconds:.0} s") } else { text::seconds(seconds) }
}

/// The position of a bar in a chart: its first cell, and its length in eighths of a cell, at least one.
fn extent(from: f64, to: f64, total: f64, cells: usize) -> (usize, usize) {
    let columns = |seconds: f64| if total > 0.0 { seconds.max(0.0) / total * cells as f64 } else { 0.0 };
    let first = (columns(from) as usize).min(cells.saturating_sub(1));
    let end = (columns(to) * 8.0).ceil() as usize;
    (first, end.min(cells * 8).saturating_sub(first * 8).max(1))
}

/// The symbols of a bar with a length in eighths of a cell.
fn bar(appearance: Appearance, eighths: usize) -> Vec<&'static str> {
    let mut cells = vec![appearance.symbols.full; eighths / 8];
    let part = eighths % 8;
    match part.checked_sub(1).and_then(|index| appearance.symbols.eighths.get(index)) {
        Some(sign) => cells.push(sign),
        None if part >= 4 || (part > 0 && cells.is_empty()) => cells.push(appearance.symbols.full),
        None => {}
    }
    cells
}

/// The time span of the chart in seconds; for an active run with the estimated rest.
fn span_of(waterfall: &Waterfall, now: f64, estimate: Option<Estimate>) -> f64 {
    let known = waterfall.length(now);
    if waterfall.ended.is_some() {
        return known;
    }
    chart::rounded_span(known.max(now + estimate.map_or(0.0, |estimate| estimate.seconds_left)))
}

#[cfg(test)]
mod tests;
