//! The header: deployment, status and time; then the connection.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::Line;
use ratatui::widgets::Paragraph;
use thumbctl_core::event::Action as RunAction;
use thumbctl_platform::text;

use super::line::StyledRow;
use super::{Appearance, hints, status_symbol};
use crate::keymap::Action;
use crate::message::{ConnectionInfo, RiskLevel};
use crate::model::activity::Activity;
use crate::model::resources::{DeploymentStatus, ResourceDisplayState};
use crate::model::{Connection, Model};
use crate::theme::Role;

/// The width of the time column, fixed so that the status does not move.
const TIME: usize = 9;

/// The minimum displayed part of the deployment name.
const NAME: usize = 12;

/// The kind of cloud.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum CloudKind {
    Sandbox,
    Endpoint,
    Aws,
    Recorded,
}

/// Draws the header.
///
/// ```text
///  thumbctl   sandbox  thumbnails · sdk                    ⠋ deploying 6/15   12.5 s
///  account 000000000000 · us-east-1 · arn:aws:iam::000000000000:root
/// ```
pub fn draw(frame: &mut Frame<'_>, area: Rect, model: &Model, appearance: Appearance) {
    let columns = usize::from(area.width);
    let lines = vec![first(model, appearance, columns), second(model, appearance, columns)];
    frame.render_widget(Paragraph::new(lines), area);
    if cloud_kind(model) == CloudKind::Aws {
        let line = Rect { height: area.height.min(1), ..area }.intersection(frame.area());
        frame.buffer_mut().set_style(line, appearance.style(Role::RealBadge));
    }
}

fn cloud_kind(model: &Model) -> CloudKind {
    if model.activity.is_replay() {
        return CloudKind::Recorded;
    }
    match (model.connection_info().map(|connection| connection.risk), model.requested.cloud.as_str()) {
        (Some(RiskLevel::None), _) | (None, "sandbox") => CloudKind::Sandbox,
        (Some(RiskLevel::Cost), _) | (None, "aws") => CloudKind::Aws,
        (Some(RiskLevel::Data) | None, _) => CloudKind::Endpoint,
    }
}

fn first(model: &Model, appearance: Appearance, columns: usize) -> Line<'static> {
    let program = StyledRow::new(appearance).text(" thumbctl ", Role::Badge).space(1);
    let cloud = cloud(model, appearance, columns);
    let name = StyledRow::new(appearance).text(model.requested.name.as_str(), Role::Strong);
    let strategy = format!(" {} {}", appearance.symbols.dot, model.strategy_name());
    let lefts = [
        program.clone().then(cloud.clone()).then(name.clone()).text(&strategy, Role::Muted),
        program.then(cloud.clone()).then(name.clone()),
        cloud.clone().then(name),
    ];
    let rights = [
        state(model, appearance, true, true),
        state(model, appearance, false, true),
        state(model, appearance, false, false),
    ];
    let whole = lefts.iter().find(|left| left.width() + 1 + rights[0].width() < columns);
    if let Some(left) = whole {
        return StyledRow::spread(left.clone(), rights[0].clone().space(1), columns);
    }
    let [_, _, left] = lefts;
    // Nothing fits: the name is truncated, but figures are omitted first.
    let least = left.width().min(cloud.width() + NAME);
    let right = rights.iter().find(|right| least + 2 + right.width() < columns).unwrap_or(&rights[2]);
    StyledRow::spread(left, right.clone().space(1), columns)
}

/// The badge of the cloud, with a blank.
fn cloud(model: &Model, appearance: Appearance, columns: usize) -> StyledRow {
    let name = model.connection_info().map_or(model.requested.cloud.as_str(), |connection| connection.cloud.as_str());
    let badge = |words: &str, role| StyledRow::new(appearance).text(&format!(" {words} "), role).space(1);
    match cloud_kind(model) {
        CloudKind::Sandbox => badge(name, Role::Badge),
        CloudKind::Endpoint => badge(&appearance.cut(&super::clean(name), (columns / 3).max(12)), Role::Warn),
        CloudKind::Aws => badge(&format!("AWS {} real resources", appearance.symbols.dot), Role::RealBadge),
        CloudKind::Recorded => badge("replay", Role::Badge),
    }
}

/// The status with progress and time.
fn state(model: &Model, appearance: Appearance, with_progress: bool, with_time: bool) -> StyledRow {
    let state = model.status();
    let sign = status_symbol::for_deployment(state, model, appearance);
    let mut row = StyledRow::new(appearance).text(sign.symbol, sign.role).space(1).text(sign.label, sign.role);
    if let Activity::OtherProcess { .. } = model.activity {
        row = row.text(" (read-only)", Role::Warn);
    }
    if let Some(progress) = progress(model, state).filter(|_| with_progress) {
        row = row.space(1).text(&progress, Role::Text);
    }
    if let Some(time) = time(model, state).filter(|_| with_time) {
        row = row.text(&format!(" {time:>TIME$}"), Role::Muted);
    }
    if let Activity::Replay(position) = &model.activity {
        let words = match (position.over, position.paused) {
            (true, _) => " ended".to_owned(),
            (false, true) => format!(" {}x paused", position.speed),
            (false, false) => format!(" {}x", position.speed),
        };
        row = row.text(&format!(" {}{words}", appearance.symbols.dot), Role::Warn);
    }
    row
}

fn progress(model: &Model, state: DeploymentStatus) -> Option<String> {
    let run = model.run.as_ref().filter(|_| model.is_live())?;
    let (done, all) = match (state, run.started.action) {
        (_, RunAction::Destroy) => (run.finished_count(), run.steps.len()),
        (DeploymentStatus::Deploying | DeploymentStatus::Held | DeploymentStatus::Cancelling, _) => {
            let rows = model.resource_rows();
            (rows.iter().filter(|row| row.state == ResourceDisplayState::Ready).count(), rows.len())
        }
        _ => return None,
    };
    let digits = all.to_string().len();
    Some(format!("{done:>digits$}/{all}"))
}

fn time(model: &Model, state: DeploymentStatus) -> Option<String> {
    let run = model.run.as_ref()?;
    if matches!(state, DeploymentStatus::Empty | DeploymentStatus::Reading | DeploymentStatus::Preparing) {
        return None;
    }
    let is_live = model.is_live();
    let seconds = run.seconds(model.now, is_live);
    Some(if is_live { text::ticking(seconds) } else { text::seconds(seconds) })
}

fn second(model: &Model, appearance: Appearance, columns: usize) -> Line<'static> {
    let mut row = StyledRow::new(appearance).space(1);
    let separator = format!(" {} ", appearance.symbols.dot);
    if model.quit_after {
        row = row.text("quits at end of run", Role::Warn).text(&separator, Role::Muted);
    }
    if let Activity::OtherProcess { holder } = &model.activity {
        let words = format!("in use by {holder}: read-only");
        row = row.text(&words, Role::Warn).text(&separator, Role::Muted);
    }
    match &model.connection {
        Connection::Connecting => {
            let words = format!(" connecting to {}{}", model.requested.cloud, appearance.symbols.ellipsis);
            row.text(appearance.spinner(model), Role::Busy).text(&words, Role::Muted).line(columns)
        }
        Connection::Connected(connection) => row.then(connection_row(connection, &separator, appearance)).line(columns),
        Connection::Failed(failure) => {
            let words = format!(" {}", failure.message.lines().next().unwrap_or_default());
            let left = row.text(appearance.symbols.failed, Role::Bad).text(&words, Role::Bad);
            let right = hints::key_of(model, Action::Refresh).map_or(StyledRow::new(appearance), |key| {
                StyledRow::new(appearance).text(&key, Role::Key).text(" retry ", Role::Muted)
            });
            StyledRow::spread(left, right, columns)
        }
        Connection::NotRequired => {
            let words = match (model.activity.replay_run_id(), model.deployment.origin()) {
                (Some(run), Some(origin)) => {
                    let cloud = format!("recorded run {run} in {}", origin.cloud);
                    let parts = [cloud, account(&origin.account), origin.region.clone()];
                    parts.join(&separator)
                }
                _ => format!("reading the recording{}", appearance.symbols.ellipsis),
            };
            row.text(&words, Role::Muted).line(columns)
        }
    }
}

fn connection_row(connection: &ConnectionInfo, separator: &str, appearance: Appearance) -> StyledRow {
    let parts = [account(&connection.account), connection.region.clone(), connection.arn.clone()];
    StyledRow::new(appearance).text(&parts.join(separator), Role::Muted)
}

fn account(number: &str) -> String {
    format!("account {number}")
}

#[cfg(test)]
mod tests;
