//! [`Card`]: the content of the card for the next step, or for the current status.

use thumbctl_core::event::{Action as RunAction, Failure};
use thumbctl_core::plan::Step;
use thumbctl_core::resource::ResourceKind;
use thumbctl_platform::text;

use super::Appearance;
use super::status_symbol::{self, StatusSymbol};
use crate::keymap::Action;
use crate::message::{RunMode, Task};
use crate::model::activity::{ActiveRun, Activity};
use crate::model::resources::DeploymentStatus;
use crate::model::run::{PlannedChange, StepModel, StepState};
use crate::model::{Connection, Model};
use crate::panel::Panel;
use crate::theme::Role;

/// The content of the card.
#[derive(Clone, Debug, PartialEq)]
pub struct Card {
    /// The title.
    pub title: String,
    /// The symbol before the first line.
    pub sign: &'static str,
    /// The role of the symbol.
    pub role: Role,
    /// The first line.
    pub head: String,
    /// The content below.
    pub parts: Vec<CardPart>,
    /// The actions with descriptions. Only available ones are displayed.
    pub keys: Vec<(Action, &'static str)>,
    /// Whether the first line is the next step.
    pub is_next_step: bool,
}

/// A part of a card's content.
#[derive(Clone, Debug, PartialEq)]
pub enum CardPart {
    /// A paragraph.
    Text(String, Role),
    /// A short text with a label.
    Labelled(&'static str, String),
    /// A running step.
    RunningStep {
        /// The symbol of its state.
        sign: StatusSymbol,
        /// The title.
        title: String,
        /// The elapsed time.
        time: String,
        /// The progress, or the reason of a retry.
        detail: Option<String>,
    },
    /// A blank line.
    Blank,
}

impl Card {
    /// Creates the card for the current state.
    pub fn of(model: &Model, appearance: Appearance) -> Self {
        match &model.activity {
            Activity::Preparing { task, .. } => preparing(task, model, appearance),
            Activity::Confirming { .. } => {
                Self::new("Confirmation", appearance.symbols.next, Role::Next, "Confirm or cancel.")
            }
            Activity::Running(active) => running(active, model, appearance),
            Activity::OtherProcess { .. } => {
                let mut card =
                    Self::busy("Read-only", "In use by another process.", Role::Warn, model, appearance).blank();
                card.parts.extend(running_steps(model, appearance));
                card
            }
            Activity::Replay(position) => {
                let mut card = Self::busy("Replay", "Playing a recorded run.", Role::Busy, model, appearance);
                if position.over {
                    card = Self::new("Replay", appearance.symbols.ready, Role::Good, "The recording has ended.");
                }
                card = card.blank();
                card.parts.extend(running_steps(model, appearance));
                let pause = if position.paused { "resume" } else { "pause" };
                card.keys = vec![
                    (Action::Pause, pause),
                    (Action::Faster, "increase speed"),
                    (Action::Slower, "decrease speed"),
                ];
                card
            }
            Activity::Idle => idle(model, appearance),
        }
    }

    fn new(title: &str, sign: &'static str, role: Role, head: impl Into<String>) -> Self {
        let (parts, keys) = (Vec::new(), Vec::new());
        Self { title: title.into(), sign, role, head: head.into(), parts, keys, is_next_step: false }
    }

    fn busy(title: &str, head: &str, role: Role, model: &Model, appearance: Appearance) -> Self {
        Self::new(title, appearance.spinner(model), role, head)
    }

    fn text(mut self, words: &str) -> Self {
        self.parts.push(CardPart::Text(words.to_owned(), Role::Text));
        self
    }

    fn blank(mut self) -> Self {
        self.parts.push(CardPart::Blank);
        self
    }
}

fn preparing(task: &Task, model: &Model, appearance: Appearance) -> Card {
    let head = match task {
        Task::Deploy => "Checking existing resources.",
        Task::Destroy => "Finding resources to delete.",
        Task::TestUpload(_) => "Reading images.",
    };
    Card::busy("Preparing", head, Role::Busy, model, appearance)
}

fn running(active: &ActiveRun, model: &Model, appearance: Appearance) -> Card {
    let mut card = match (&active.held, active.action) {
        _ if active.cancelling => {
            let card = Card::busy("Cancelling", "No further step starts.", Role::Warn, model, appearance);
            card.text("Running calls finish first.")
        }
        (Some(_), _) if model.next_step().is_some() => {
            let step = model.next_step().expect("checked above");
            let mut card = step_card("Next step", step, model, appearance);
            card.keys =
                vec![(Action::RunStep, "run step"), (Action::RunAll, "run all"), (Action::Cancel, "cancel run")];
            card
        }
        (_, RunAction::Deploy) => Card::busy("In progress", "Deploying.", Role::Busy, model, appearance),
        (_, RunAction::Destroy) => Card::busy("In progress", "Destroying.", Role::Warn, model, appearance),
        (_, RunAction::TestUpload) => Card::busy("In progress", "Uploading images.", Role::Busy, model, appearance),
    };
    let running_steps = running_steps(model, appearance);
    if !running_steps.is_empty() {
        card = card.blank();
        card.parts.extend(running_steps);
    }
    if active.mode == RunMode::StepByStep && active.held.is_none() && !active.cancelling {
        card = card.blank().text("Then it waits for your input.");
    }
    if card.keys.is_empty() {
        card.keys = vec![
            (Action::Pause, "pause before next step"),
            (Action::RunAll, "run all"),
            (Action::Cancel, "cancel run"),
        ];
    }
    card
}

/// The running steps with their progress.
fn running_steps(model: &Model, appearance: Appearance) -> Vec<CardPart> {
    let steps = model.run.iter().filter(|_| model.is_live()).flat_map(|run| &run.steps);
    let part = |step: &StepModel| {
        let StepState::Running { since, retrying } = step.state else { return None };
        let seconds = (model.now - since).as_seconds_f64().max(0.0);
        let detail = if retrying { &step.retry_reason } else { &step.progress };
        Some(CardPart::RunningStep {
            sign: status_symbol::for_step(&step.state, model, appearance),
            title: step.step.title.clone(),
            time: text::ticking(seconds),
            detail: detail.clone(),
        })
    };
    steps.filter_map(part).collect()
}

fn idle(model: &Model, appearance: Appearance) -> Card {
    if let Connection::Failed(failure) = &model.connection {
        let mut card = failure_card("No connection", failure, appearance);
        card.keys = vec![(Action::Refresh, "retry")];
        return card;
    }
    let next = model.next_step();
    match (model.status(), next) {
        (DeploymentStatus::Reading, _) => Card::busy("Loading", "Reading the journal.", Role::Busy, model, appearance),
        (DeploymentStatus::Failed, _) => failed(model, appearance),
        (DeploymentStatus::Ready, _) => {
            let card = Card::new("Deployed", appearance.symbols.ready, Role::Good, "Deployment complete.");
            let mut card = card.text("Upload an image to the source bucket; the function writes a thumbnail.");
            card.keys = vec![
                (Action::Show(Panel::TestUpload), "test upload"),
                (Action::Show(Panel::Timing), "show timing"),
                (Action::Destroy, "destroy deployment"),
            ];
            card
        }
        (DeploymentStatus::Interrupted, Some(step)) => {
            let mut card = step_card("Interrupted", step, model, appearance);
            card.parts
                .insert(0, CardPart::Text("The last run was interrupted. Resume from this step.".into(), Role::Warn));
            card.keys = vec![
                (Action::RunStep, "run step"),
                (Action::RunAll, "run all"),
                (Action::Destroy, "destroy deployment"),
            ];
            card
        }
        (state, Some(step)) => {
            let mut card = step_card("Next step", step, model, appearance);
            card.keys = vec![(Action::RunStep, "run step"), (Action::RunAll, "run all")];
            if state == DeploymentStatus::Partial {
                card.keys.push((Action::Destroy, "destroy deployment"));
            }
            card
        }
        (_, None) if model.connection == Connection::Connecting => {
            let card = Card::busy("Loading", "Connecting to the cloud.", Role::Busy, model, appearance);
            card.text("The plan is displayed once connected.")
        }
        (_, None) => Card::new("Next step", appearance.symbols.waiting, Role::Muted, "Nothing to do."),
    }
}

fn failed(model: &Model, appearance: Appearance) -> Card {
    let mut failures = model.run.iter().flat_map(super::super::model::run::RunModel::failures);
    let mut has_log = false;
    let mut card = match failures.next() {
        Some((step, failure)) => {
            let mut card = failure_card("Failed", failure, appearance);
            card.parts.insert(0, CardPart::Text(failure.message.clone(), Role::Bad));
            card.head = step.title.clone();
            has_log = step.resource == Some(ResourceKind::Image);
            card
        }
        None => Card::new("Failed", appearance.symbols.failed, Role::Bad, "The last run failed."),
    };
    let others = failures.count();
    if others > 0 {
        card = card.text(&format!("And {} more.", text::count(others, "failure")));
    }
    card.keys = vec![
        (Action::RunAll, "retry, then run all"),
        (Action::RunStep, "retry step"),
        (Action::Destroy, "destroy deployment"),
    ];
    if has_log {
        card.keys.insert(0, (Action::Show(Panel::Build), "show build log"));
    }
    card
}

fn failure_card(title: &str, failure: &Failure, appearance: Appearance) -> Card {
    let mut card = Card::new(title, appearance.symbols.failed, Role::Bad, failure.message.clone());
    for cause in &failure.causes {
        card.parts.push(CardPart::Text(cause.clone(), Role::Muted));
    }
    if let Some(hint) = &failure.hint {
        card.parts.extend([CardPart::Blank, CardPart::Text(hint.clone(), Role::Text)]);
    }
    card
}

/// The change actions of CloudFormation and Terraform, with their labels on a card.
const ACTIONS: [(&[&str], &str); 6] = [
    (&["add"], "add"),
    (&["create"], "create"),
    (&["modify", "update"], "update"),
    (&["replace"], "replace"),
    (&["import"], "import"),
    (&["remove", "delete"], "delete"),
];

fn step_card(title: &str, step: &Step, model: &Model, appearance: Appearance) -> Card {
    let plan = model.plan();
    let place = plan.and_then(|plan| {
        let at = plan.steps().iter().position(|other| other.id == step.id)?;
        Some(format!("{title}: {} of {}", at + 1, plan.steps().len()))
    });
    let mut card =
        Card::new(&place.unwrap_or_else(|| title.to_owned()), appearance.symbols.next, Role::Next, &*step.title);
    card.is_next_step = true;
    // Planned changes come first, since they are what is confirmed.
    let step_model = model.run.as_ref().filter(|_| model.is_live()).and_then(|run| run.step(&step.id));
    for (actions, label) in ACTIONS {
        // Terraform appends a reason, as in `replace (tainted)`.
        let is_one =
            |change: &&PlannedChange| change.action.split(' ').next().is_some_and(|word| actions.contains(&word));
        let changes = step_model.iter().flat_map(|step_model| &step_model.changes).filter(is_one);
        let changes: Vec<&str> = changes.map(|change| change.logical_id.as_str()).collect();
        if !changes.is_empty() {
            let count = if changes.len() > 3 { format!("{}: ", changes.len()) } else { String::new() };
            card.parts.push(CardPart::Labelled(label, super::clean(&format!("{count}{}", changes.join(", ")))));
        }
    }
    card = card.text(&step.why).blank();
    card.parts.push(CardPart::Labelled("calls", step.calls.join(", ")));
    let open: Vec<&str> = step
        .needs
        .iter()
        .filter_map(|id| plan?.step(id))
        .filter(|needed| needed.resource.is_none_or(|kind| !model.deployment.is_ready(kind)))
        .filter(|needed| {
            let run = model.run.as_ref().filter(|_| model.is_live()).and_then(|run| run.step(&needed.id));
            !run.is_some_and(|step| step.state.is_over())
        })
        .filter(|needed| needed.resource.is_some() || model.is_live())
        .map(|needed| needed.title.as_str())
        .collect();
    if !open.is_empty() {
        card.parts.push(CardPart::Labelled("after", open.join(", ")));
    }
    card
}
