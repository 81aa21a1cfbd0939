//! The summary of a finished run: totals, and tables of durations.

use thumbctl_core::event::{Action, Outcome, SkipReason};
use thumbctl_core::plan::StepId;
use thumbctl_core::timing::{StepSpan, TestUploadTiming, Waterfall, median};
use thumbctl_platform::terminal::{TerminalText, terminal_text};
use thumbctl_platform::text;

use super::style::{self, Palette, Role};
use super::table::{Cell, Column, Table};

/// The outcome of a run, in two or three lines.
pub(crate) fn outcome(timing: &Waterfall, palette: Palette, width: usize) -> TerminalText {
    let (outcome, seconds) = timing.ended.unwrap_or((Outcome::Failed, 0.0));
    let (symbol, role, message) = match (outcome, timing.action) {
        (Outcome::Succeeded, Action::Deploy) => (style::DONE, Role::Good, "Deployed"),
        (Outcome::Succeeded, Action::Destroy) => (style::DONE, Role::Good, "Destroyed"),
        (Outcome::Succeeded, Action::TestUpload) => (style::DONE, Role::Good, "All thumbnails written"),
        (Outcome::Failed, _) => (style::FAILED, Role::Bad, "Failed"),
        (Outcome::Cancelled, _) => (style::SKIPPED, Role::Warn, "Cancelled"),
    };
    let mut out = terminal_text!(
        "\n{} {} {} {}\n",
        palette.paint(role, symbol),
        palette.paint(Role::Strong, message),
        if outcome == Outcome::Succeeded { "in" } else { "after" },
        text::seconds(seconds)
    );
    let unit = if timing.action == Action::TestUpload { "image" } else { "step" };
    out.push(terminal_text!("  {}\n", palette.paint(Role::Muted, &totals(timing, unit))));
    let chain = timing.longest_chain();
    if chain.steps.len() > 1 {
        let names: Vec<&str> = chain.steps.iter().map(StepId::as_str).collect();
        let text = format!("longest chain, {}: {}", text::seconds(chain.seconds), names.join(" → "));
        for line in text::wrap(&text, width.saturating_sub(3).max(20)) {
            out.push(terminal_text!("  {}\n", palette.paint(Role::Muted, &line)));
        }
    }
    out
}

/// `15 steps: 12 done, 3 already existed`
fn totals(timing: &Waterfall, unit: &str) -> String {
    let counts = timing.step_counts();
    let already = if timing.action == Action::Destroy { "already deleted" } else { "already existed" };
    let parts: Vec<String> = [
        (counts.done, "done"),
        (counts.already_done, already),
        (counts.failed, "failed"),
        (counts.skipped, "skipped"),
        (counts.open, "unfinished"),
    ]
    .into_iter()
    .filter(|(number, _)| *number > 0)
    .map(|(number, words)| format!("{number} {words}"))
    .collect();
    format!("{}: {}", text::count(timing.bars.len(), unit), parts.join(", "))
}

/// The duration of each step, its share of the total, and the longest chain.
pub(crate) fn steps(timing: &Waterfall, palette: Palette, width: Option<usize>) -> TerminalText {
    let work = timing.work();
    let chain = timing.longest_chain();
    let share = |seconds: f64| if work > 0.0 { seconds / work } else { 0.0 };
    let longest = timing.bars.iter().filter_map(|bar| bar.span.seconds()).fold(0.0, f64::max);
    let mut table = Table::new([
        Column::text("step").shrinking(),
        Column::figures("time"),
        Column::figures("share"),
        Column::text(""),
        Column::text("longest chain"),
    ]);
    for step in &timing.bars {
        let in_chain = chain.steps.contains(&step.step.id);
        let Some(seconds) = step.span.seconds() else {
            let label = match &step.span {
                StepSpan::Skipped(SkipReason::AlreadyDone) => "up to date",
                _ => "skipped",
            };
            table.row([step.step.title.as_str().into(), Cell::new(Role::Muted, label)]);
            continue;
        };
        table.row([
            step.step.title.as_str().into(),
            text::seconds(seconds).into(),
            format!("{:.1} %", share(seconds) * 100.0).into(),
            Cell::new(if in_chain { Role::Busy } else { Role::Muted }, bar(seconds, longest)),
            Cell::new(Role::Busy, if in_chain { "●" } else { "" }),
        ]);
    }
    table.total([
        Cell::new(Role::Strong, "Sum of all steps"),
        Cell::new(Role::Strong, text::seconds(work)),
        Cell::new(Role::Muted, if work > 0.0 { "100.0 %" } else { "" }),
        Cell::default(),
        Cell::new(Role::Busy, text::seconds(chain.seconds)),
    ]);
    let mut out = table.render(width, palette);
    if let Some((_, seconds)) = timing.ended {
        let saved = work - seconds;
        let text = if saved > 0.005 {
            format!("elapsed {}: parallelism saved {}", text::seconds(seconds), text::seconds(saved))
        } else {
            format!("elapsed {}", text::seconds(seconds))
        };
        out.push(terminal_text!("  {}\n", palette.paint(Role::Muted, &text)));
    }
    out
}

/// A bar of up to sixteen columns, to the eighth of a column.
fn bar(value: f64, most: f64) -> String {
    const EIGHTHS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];
    if most <= 0.0 || value <= 0.0 {
        return String::new();
    }
    let eighths = ((value / most).min(1.0) * 128.0).round().max(1.0) as usize;
    format!("{}{}", "█".repeat(eighths / 8), EIGHTHS[eighths % 8])
}

/// The times of each image at each stage.
pub(crate) fn images(timing: &TestUploadTiming, palette: Palette, width: Option<usize>) -> TerminalText {
    let mut table = Table::new([
        Column::text("image").shrinking(),
        Column::figures("in"),
        Column::figures("uploaded"),
        Column::figures("function start"),
        Column::text("start"),
        Column::figures("thumbnail"),
        Column::figures("out"),
        Column::text("saved as").shrinking(),
    ]);
    let time = |seconds: Option<f64>| Cell::from(seconds.map_or_else(|| "–".to_owned(), text::milliseconds));
    let size = |bytes: Option<u64>| Cell::from(bytes.map_or_else(|| "–".to_owned(), text::bytes));
    for image in &timing.images {
        let start = match image.cold {
            Some(true) => Cell::new(Role::Busy, "cold"),
            Some(false) => Cell::new(Role::Muted, "warm"),
            None => Cell::default(),
        };
        table.row([
            file_name(&image.image).into(),
            size(image.bytes_in),
            time(image.uploaded),
            time(image.invoked),
            start,
            image.thumbnail.map_or_else(|| Cell::new(Role::Bad, "✖ none"), |seconds| time(Some(seconds))),
            size(image.bytes_out),
            Cell::new(Role::Muted, image.path.clone().unwrap_or_default()),
        ]);
    }
    let median_of =
        |of: fn(&thumbctl_core::timing::ImageTiming) -> Option<f64>| median(timing.images.iter().filter_map(of));
    if timing.images.len() > 2 {
        let muted = |seconds: Option<f64>| Cell::new(Role::Muted, seconds.map_or_else(String::new, text::milliseconds));
        table.total([
            Cell::new(Role::Muted, "median"),
            Cell::default(),
            muted(median_of(|image| image.uploaded)),
            muted(median_of(|image| image.invoked)),
            Cell::default(),
            muted(median_of(|image| image.thumbnail)),
        ]);
    }
    table.render(width, palette)
}

fn file_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use thumbctl_core::event::{Event, EventKind, RunId, RunStarted, StrategyKind, VERSION};
    use thumbctl_core::names::{DeploymentName, Names};
    use thumbctl_core::plan::{Plan, Step};

    use super::*;

    fn timing() -> Waterfall {
        let steps =
            vec![Step::new("a", "First", ""), Step::new("b", "Second", "").needs(&["a"]), Step::new("c", "Third", "")];
        let started = RunStarted {
            action: Action::Deploy,
            deployment: "demo".into(),
            strategy: StrategyKind::Sdk,
            cloud: "sandbox".into(),
            pace: None,
            account: "000000000000".into(),
            region: "eu-central-1".into(),
            names: Names::draw(DeploymentName::new("demo").expect("a valid name")),
            plan: Plan::new(steps).expect("a valid plan"),
        };
        let kinds = [
            EventKind::RunStarted(Box::new(started)),
            EventKind::StepFinished { step: "a".into(), seconds: 0.5 },
            EventKind::StepFinished { step: "b".into(), seconds: 1.5 },
            EventKind::StepSkipped { step: "c".into(), reason: SkipReason::AlreadyDone },
            EventKind::RunFinished { outcome: Outcome::Succeeded, seconds: 2.0 },
        ];
        let (run, at) = (RunId::from_file_stem("1"), chrono::DateTime::UNIX_EPOCH);
        let events = kinds.map(|kind| Event { v: VERSION, run: run.clone(), seq: 0, at, kind });
        Waterfall::fold(&events).expect("the events start with the run")
    }

    #[test]
    fn totals_add_up() {
        let text = outcome(&timing(), Palette::new(false), 80);
        let expected = "\n✔ Deployed in 2.00 s\n  3 steps: 2 done, 1 already existed\n  longest chain, 2.00 s: a → b\n";
        assert_eq!(text.as_str(), expected);
    }

    #[test]
    fn step_table_has_shares_and_longest_chain() {
        let expected = [
            "  step                    time    share                    longest chain",
            "  First                 0.50 s   25.0 %  █████▍            ●",
            "  Second                1.50 s   75.0 %  ████████████████  ●",
            "  Third             up to date",
            "  ──────────────────────────────────────────────────────────────────────",
            "  Sum of all steps      2.00 s  100.0 %                    2.00 s",
            "  elapsed 2.00 s",
        ];
        let table = steps(&timing(), Palette::new(false), None);
        assert_eq!(table.as_str().lines().collect::<Vec<_>>(), expected);
    }
}
