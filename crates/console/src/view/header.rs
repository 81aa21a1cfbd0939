//! The two lines on top: what is worked on, its state and time; then where.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::Line;
use ratatui::widgets::Paragraph;
use thumbctl_core::event::Action as RunAction;
use thumbctl_platform::text;

use super::line::Row;
use super::{Look, hints, signs};
use crate::keymap::Action;
use crate::message::{Place, Stakes};
use crate::model::activity::Activity;
use crate::model::resources::{RowState, StateOfAffairs};
use crate::model::{Connection, Model};
use crate::theme::Role;

/// As many columns as the longest time takes: what stands before it does not move while it ticks.
const TIME: usize = 9;

/// So much of the deployment's name is worth more than the figures beside it.
const NAME: usize = 12;

/// What kind of cloud it is, as far as that is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ground {
    Sandbox,
    Endpoint,
    Real,
    Recorded,
}

/// Draws it.
///
/// ```text
///  thumbctl   sandbox  thumbnails · sdk                    ⠋ deploying 6/15   12.5 s
///  account 000000000000 · us-east-1 · arn:aws:iam::000000000000:root
/// ```
pub fn draw(frame: &mut Frame<'_>, area: Rect, model: &Model, look: Look) {
    let columns = usize::from(area.width);
    let lines = vec![first(model, look, columns), second(model, look, columns)];
    frame.render_widget(Paragraph::new(lines), area);
    if ground(model) == Ground::Real {
        let line = Rect { height: area.height.min(1), ..area }.intersection(frame.area());
        frame.buffer_mut().set_style(line, look.style(Role::RealBadge));
    }
}

fn ground(model: &Model) -> Ground {
    if model.activity.is_replay() {
        return Ground::Recorded;
    }
    match (model.place().map(|place| place.stakes), model.asked.cloud.as_str()) {
        (Some(Stakes::None), _) | (None, "sandbox") => Ground::Sandbox,
        (Some(Stakes::Money), _) | (None, "aws") => Ground::Real,
        (Some(Stakes::Work), _) | (None, _) => Ground::Endpoint,
    }
}

fn first(model: &Model, look: Look, columns: usize) -> Line<'static> {
    let program = Row::new(look).text(" thumbctl ", Role::Badge).space(1);
    let cloud = cloud(model, look, columns);
    let name = Row::new(look).text(model.asked.name.as_str(), Role::Strong);
    let strategy = format!(" {} {}", look.symbols.dot, model.strategy());
    let lefts = [
        program.clone().then(cloud.clone()).then(name.clone()).text(&strategy, Role::Quiet),
        program.then(cloud.clone()).then(name.clone()),
        cloud.clone().then(name),
    ];
    let rights = [state(model, look, true, true), state(model, look, false, true), state(model, look, false, false)];
    let whole = lefts.iter().find(|left| left.width() + 1 + rights[0].width() < columns);
    if let Some(left) = whole {
        return Row::spread(left.clone(), rights[0].clone().space(1), columns);
    }
    let [_, _, left] = lefts;
    // Not even the shortest fits whole: the name is cut, and where little of it would be left, the figures go first.
    let least = left.width().min(cloud.width() + NAME);
    let right = rights.iter().find(|right| least + 2 + right.width() < columns).unwrap_or(&rights[2]);
    Row::spread(left, right.clone().space(1), columns)
}

/// The cloud's badge, with a blank behind it.
fn cloud(model: &Model, look: Look, columns: usize) -> Row {
    let asked = model.place().map_or(model.asked.cloud.as_str(), |place| place.cloud.as_str());
    let badge = |words: &str, role| Row::new(look).text(&format!(" {words} "), role).space(1);
    match ground(model) {
        Ground::Sandbox => badge(asked, Role::Badge),
        Ground::Endpoint => badge(&look.cut(&super::clean(asked), (columns / 3).max(12)), Role::Warn),
        Ground::Real => badge(&format!("AWS {} real resources", look.symbols.dot), Role::RealBadge),
        Ground::Recorded => badge("replay", Role::Badge),
    }
}

/// The state, how far it is and how long it has taken.
fn state(model: &Model, look: Look, with_progress: bool, with_time: bool) -> Row {
    let state = model.state();
    let sign = signs::of_affairs(state, model, look);
    let mut row = Row::new(look).text(sign.sign, sign.role).space(1).text(sign.word, sign.role);
    if let Activity::Theirs { .. } = model.activity {
        row = row.text(" (read-only)", Role::Warn);
    }
    if let Some(progress) = progress(model, state).filter(|_| with_progress) {
        row = row.space(1).text(&progress, Role::Text);
    }
    if let Some(time) = time(model, state).filter(|_| with_time) {
        row = row.text(&format!(" {time:>TIME$}"), Role::Quiet);
    }
    if let Activity::Replay(position) = &model.activity {
        let words = match (position.over, position.paused) {
            (true, _) => " at its end".to_owned(),
            (false, true) => format!(" {}x paused", position.speed),
            (false, false) => format!(" {}x", position.speed),
        };
        row = row.text(&format!(" {}{words}", look.symbols.dot), Role::Warn);
    }
    row
}

fn progress(model: &Model, state: StateOfAffairs) -> Option<String> {
    let run = model.run.as_ref().filter(|_| model.is_live())?;
    let (done, all) = match (state, run.started.action) {
        (_, RunAction::Destroy) => (run.over(), run.steps.len()),
        (StateOfAffairs::Deploying | StateOfAffairs::Held | StateOfAffairs::Cancelling, _) => {
            let rows = model.resource_rows();
            (rows.iter().filter(|row| row.state == RowState::Ready).count(), rows.len())
        }
        _ => return None,
    };
    let digits = all.to_string().len();
    Some(format!("{done:>digits$}/{all}"))
}

fn time(model: &Model, state: StateOfAffairs) -> Option<String> {
    let run = model.run.as_ref()?;
    if matches!(state, StateOfAffairs::Empty | StateOfAffairs::Reading | StateOfAffairs::Preparing) {
        return None;
    }
    let is_live = model.is_live();
    let seconds = run.seconds(model.now, is_live);
    Some(if is_live { text::ticking(seconds) } else { text::seconds(seconds) })
}

fn second(model: &Model, look: Look, columns: usize) -> Line<'static> {
    let mut row = Row::new(look).space(1);
    let separator = format!(" {} ", look.symbols.dot);
    if model.quit_after {
        row = row.text("quits when the run has ended", Role::Warn).text(&separator, Role::Quiet);
    }
    if let Activity::Theirs { holder } = &model.activity {
        let words = format!("{holder} works on it: read-only");
        row = row.text(&words, Role::Warn).text(&separator, Role::Quiet);
    }
    match &model.connection {
        Connection::Connecting => {
            let words = format!(" connecting to {}{}", model.asked.cloud, look.symbols.ellipsis);
            row.text(look.spinner(model), Role::Busy).text(&words, Role::Quiet).line(columns)
        }
        Connection::Connected(place) => row.then(place_row(place, &separator, look)).line(columns),
        Connection::Failed(failure) => {
            let words = format!(" {}", failure.message.lines().next().unwrap_or_default());
            let left = row.text(look.symbols.failed, Role::Bad).text(&words, Role::Bad);
            let right = hints::key_of(model, Action::Refresh)
                .map_or(Row::new(look), |key| Row::new(look).text(&key, Role::Key).text(" tries again ", Role::Quiet));
            Row::spread(left, right, columns)
        }
        Connection::Unneeded => {
            let words = match (model.activity.replayed(), model.deployment.origin()) {
                (Some(run), Some(origin)) => {
                    let cloud = format!("recorded run {run} in {}", origin.cloud);
                    let parts = [cloud, account(&origin.account), origin.region.clone()];
                    parts.join(&separator)
                }
                _ => format!("reading the recording{}", look.symbols.ellipsis),
            };
            row.text(&words, Role::Quiet).line(columns)
        }
    }
}

fn place_row(place: &Place, separator: &str, look: Look) -> Row {
    let parts = [account(&place.account), place.region.clone(), place.arn.clone()];
    Row::new(look).text(&parts.join(separator), Role::Quiet)
}

fn account(number: &str) -> String {
    format!("account {number}")
}

#[cfg(test)]
mod tests;
