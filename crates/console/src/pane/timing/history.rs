//! Statistics of earlier runs, and the most recent ones.

use chrono::{DateTime, Utc};
use ratatui::text::{Line, Span};
use thumbctl_core::event::{Action, Outcome};
use thumbctl_core::timing::{PastRun, RunKey};
use thumbctl_platform::text;

use crate::model::Model;
use crate::theme::Role;
use crate::view::{Appearance, clean};

/// The number of listed runs per kind.
const LISTED: usize = 5;

/// The maximum width of a bar.
const BAR: usize = 24;

/// The lines; `follows` is whether there are lines above.
pub(super) fn lines(model: &Model, appearance: Appearance, width: usize, follows: bool) -> Vec<Line<'static>> {
    let shown = model.run.as_ref().map(|run| RunKey::of(&run.started));
    let mut keys: Vec<&RunKey> = model.history.keys().filter(|key| key.action != Action::TestUpload).collect();
    // Runs comparable with the current one come first.
    keys.sort_by_key(|key| Some(*key) != shown.as_ref());
    let mut lines = Vec::new();
    for key in keys {
        if follows || !lines.is_empty() {
            lines.push(Line::default());
        }
        lines.extend(section(model, key, appearance, width));
    }
    lines
}

fn section(model: &Model, key: &RunKey, appearance: Appearance, width: usize) -> Vec<Line<'static>> {
    let known = model.history.statistics(key);
    let what = if key.action == Action::Destroy { "Teardowns" } else { "Deployments" };
    let pace = key.pace.as_deref().map(|pace| format!(" at {}", clean(pace))).unwrap_or_default();
    let environment = format!("{}{pace}, {}", clean(&key.cloud), key.strategy);
    let mut lines =
        super::flowing(appearance, (Role::Title, format!("{what} so far")), vec![(Role::Muted, environment)], width);
    let counts = format!("{}, {} succeeded", text::count(known.runs, "run"), known.succeeded);
    let mut figures = Vec::new();
    if let Some(((median, fastest), slowest)) = known.median.zip(known.fastest).zip(known.slowest) {
        figures.push((Role::Text, format!("median {}", text::seconds(median))));
        figures.push((Role::Text, format!("fastest {}", text::seconds(fastest))));
        figures.push((Role::Text, format!("slowest {}", text::seconds(slowest))));
    } else {
        figures.push((Role::Muted, "none comparable".into()));
    }
    lines.extend(super::flowing(appearance, (Role::Text, counts), figures, width));
    let listed = &known.last[..known.last.len().min(LISTED)];
    let names = listed.iter().map(|run| text::width(&clean(run.id.as_str()))).max().unwrap_or(0).min(width / 3);
    let longest = listed.iter().map(|run| run.seconds).fold(0.0, f64::max);
    lines.extend(listed.iter().map(|run| row(run, model.now, names, longest, appearance, width)));
    lines
}

fn row(
    run: &PastRun,
    now: DateTime<Utc>,
    names: usize,
    longest: f64,
    appearance: Appearance,
    width: usize,
) -> Line<'static> {
    let symbols = appearance.symbols;
    let (role, sign) = match run.outcome {
        Outcome::Succeeded => (Role::Good, symbols.ready),
        Outcome::Failed => (Role::Bad, symbols.failed),
        Outcome::Cancelled => (Role::Warn, symbols.skipped),
    };
    let name = text::fit(&clean(run.id.as_str()), names);
    let figures = format!(" {:>10}  {:>9}  ", ago(now - run.started), text::seconds(run.seconds));
    let left = width.saturating_sub(2 + names + text::width(&figures));
    let (bar_role, drawn) = if run.complete {
        let (_, eighths) = super::extent(0.0, run.seconds, longest, left.min(BAR));
        (Role::Bar, super::bar(appearance, eighths).concat())
    } else {
        (Role::Muted, if left < 14 { "excluded" } else { "not comparable" }.to_owned())
    };
    let line = vec![
        Span::styled(format!("{sign} "), appearance.style(role)),
        Span::styled(name, appearance.style(Role::Muted)),
        Span::styled(figures, appearance.style(Role::Text)),
        Span::styled(text::cut(&drawn, left), appearance.style(bar_role)),
    ];
    Line::from(line)
}

/// A duration in the past, such as `5 min ago`.
fn ago(passed: chrono::TimeDelta) -> String {
    let minutes = passed.num_minutes();
    match minutes {
        ..1 => "just now".into(),
        1..60 => format!("{minutes} min ago"),
        60..1440 => format!("{} h ago", minutes / 60),
        _ => format!("{} d ago", minutes / 1440),
    }
}
