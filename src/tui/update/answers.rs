//! What the cloud and the runs answer, taken in.

use tui_input::Input;

use crate::event::{Action, Failure, Outcome};
use crate::resource::ResourceKind;
use crate::session::{Inspection, ResourceStatus};
use crate::text;
use crate::tui::message::{Effect, Pace, Place, PreparedRun, Stakes, Task};
use crate::tui::model::activity::{Activity, OurRun};
use crate::tui::model::details::Inspected;
use crate::tui::model::messages::Tone;
use crate::tui::model::overlay::{Answer, Asking, Overlay, Question};
use crate::tui::model::{Connection, Model};

pub(super) fn connected(model: &mut Model, place: Place) -> Vec<Effect> {
    model.connection = Connection::Connected(place);
    let mut effects = Vec::new();
    if model.deployment.is_standing() {
        effects.push(Effect::AskStatus);
    }
    effects.extend(super::commands::inspect_selected(model));
    if model.shown_panel() == crate::tui::model::panel::Panel::Function {
        effects.push(Effect::FollowFunctionLog(true));
    }
    effects
}

pub(super) fn holder(model: &mut Model, holder: Option<String>) -> Vec<Effect> {
    match (holder, &model.activity) {
        (Some(holder), Activity::Idle | Activity::Theirs { .. }) => {
            model.activity = Activity::Theirs { holder };
            Vec::new()
        }
        (None, Activity::Theirs { .. }) => {
            model.activity = Activity::Idle;
            model.messages.say(model.now, Tone::Info, "The other process has let go of the deployment.");
            vec![Effect::AskStatus]
        }
        _ => Vec::new(),
    }
}

/// A run is ready: it begins at once where nothing is at stake, else the user is asked.
pub(super) fn prepared(model: &mut Model, prepared: Box<PreparedRun>) -> Vec<Effect> {
    let pace = match &model.activity {
        Activity::Preparing { pace, .. } => *pace,
        // The user has changed their mind.
        _ => return vec![Effect::Discard],
    };
    for name in &prepared.foreign {
        let words = format!("Left alone: {name} has a name like ours but not our tag.");
        model.messages.say(model.now, Tone::Info, words);
    }
    if prepared.plan.steps().is_empty() {
        let words = match prepared.task {
            Task::Destroy => "There is nothing to destroy.",
            Task::Deploy | Task::Trial(_) => "There is nothing to do.",
        };
        model.messages.say(model.now, Tone::Info, words);
        model.activity = Activity::Idle;
        return vec![Effect::Discard];
    }
    let stakes = model.stakes();
    let must_ask = match prepared.task {
        Task::Destroy => true,
        Task::Deploy => stakes != Stakes::None && !prepared.resources.is_empty(),
        Task::Trial(_) => false,
    };
    if !must_ask {
        return start(model, &prepared.task, pace);
    }
    let count = text::count(prepared.resources.len(), "resource");
    let cloud = model.place().map_or_else(|| "the cloud".to_owned(), |place| place.cloud.clone());
    let (question, consequence) = match prepared.task {
        Task::Destroy => ("Delete them?", format!("This deletes {count} and all that is in them, in {cloud}.")),
        Task::Deploy | Task::Trial(_) => ("Create them?", format!("This creates {count} for real, in {cloud}.")),
    };
    let answer = if stakes == Stakes::Money { Answer::Word(Input::default()) } else { Answer::Key };
    model.overlay = Some(Overlay::Question(Question {
        question: question.to_owned(),
        consequence,
        resources: prepared.resources.clone(),
        foreign: prepared.foreign.clone(),
        answer,
        about: Asking::Start,
        scroll: 0,
    }));
    model.activity = Activity::Asking { prepared, pace };
    Vec::new()
}

/// Begins the run that is ready. In step by step, the press that began it lets its first step go: that was shown.
pub(super) fn start(model: &mut Model, task: &Task, pace: Pace) -> Vec<Effect> {
    let action = task.action();
    model.activity = Activity::Ours(OurRun { action, id: None, pace, held: None, cancelling: false });
    vec![Effect::Start { pace, passes: usize::from(pace == Pace::Stepwise) }]
}

pub(super) fn not_prepared(model: &mut Model, task: &Task, failure: &Failure) -> Vec<Effect> {
    if matches!(&model.activity, Activity::Preparing { .. } | Activity::Ours(OurRun { id: None, .. })) {
        model.activity = Activity::Idle;
    }
    if let Task::Trial(_) = task {
        model.trial.refused(failure);
    }
    model.messages.fail(model.now, failure);
    quit_if_wanted(model)
}

pub(super) fn run_ended(model: &mut Model, ended: Result<Outcome, Failure>) -> Vec<Effect> {
    let Some(ours) = model.activity.ours().cloned() else { return Vec::new() };
    model.activity = Activity::Idle;
    let pictures = if ours.action == Action::Trial { model.trial.run_ended() } else { Vec::new() };
    if matches!(model.overlay, Some(Overlay::Quitting | Overlay::Question(Question { about: Asking::Cancel, .. }))) {
        model.overlay = None;
    }
    match ended {
        Err(failure) => model.messages.fail(model.now, &failure),
        Ok(outcome) => tell_outcome(model, ours.action, outcome),
    }
    let mut effects = quit_if_wanted(model);
    if effects.is_empty() {
        effects.push(Effect::AskStatus);
        effects.extend(super::commands::inspect_selected(model));
        effects.extend(pictures);
    }
    effects
}

fn quit_if_wanted(model: &Model) -> Vec<Effect> {
    if model.quit_after { vec![Effect::Quit] } else { Vec::new() }
}

fn tell_outcome(model: &mut Model, action: Action, outcome: Outcome) {
    let seconds = model.run.as_ref().filter(|_| action != Action::Trial).and_then(|run| run.ended);
    let took = seconds.map(|(_, seconds)| format!(" in {}", text::seconds(seconds))).unwrap_or_default();
    match (action, outcome) {
        (Action::Deploy, Outcome::Succeeded) => {
            model.messages.say(model.now, Tone::Good, format!("Deployed{took}. Try it with an image."));
        }
        (Action::Destroy, Outcome::Succeeded) => {
            model.messages.say(model.now, Tone::Good, format!("Destroyed{took}. Nothing is left."));
        }
        // Each image says for itself what became of it.
        (Action::Trial, Outcome::Succeeded | Outcome::Failed) => {}
        (_, Outcome::Cancelled) => {
            model.messages.say(
                model.now,
                Tone::Info,
                format!("Cancelled{took}. What is there stays; go on or destroy."),
            );
        }
        (_, Outcome::Failed) => {
            let failures: Vec<Failure> = model
                .run
                .iter()
                .flat_map(|run| run.failures())
                .map(|(step, failure)| Failure {
                    message: format!("{}: {}", step.title, failure.message),
                    ..failure.clone()
                })
                .collect();
            for failure in &failures {
                model.messages.fail(model.now, failure);
            }
        }
    }
}

/// Says where the journal and the cloud disagree.
pub(super) fn status(model: &mut Model, status: Result<Vec<ResourceStatus>, Failure>) -> Vec<Effect> {
    use crate::strategy::sdk::Presence;
    match status {
        Err(failure) => model.messages.fail(model.now, &failure),
        Ok(resources) => {
            let lost: Vec<&str> = resources
                .iter()
                .filter(|resource| {
                    resource.journal == crate::resource::ResourceState::Ready && resource.presence == Presence::Missing
                })
                .map(|resource| resource.kind.title())
                .collect();
            model.details.lost = resources
                .iter()
                .filter(|resource| resource.presence == Presence::Missing)
                .map(|resource| resource.kind)
                .collect();
            if !lost.is_empty() {
                let words = format!("The cloud does not have any more: {}. Run on to make it again.", lost.join(", "));
                model.messages.say(model.now, Tone::Bad, words);
            }
        }
    }
    Vec::new()
}

pub(super) fn inspected(
    model: &mut Model,
    kind: ResourceKind,
    answer: Result<Option<Box<Inspection>>, Failure>,
) -> Vec<Effect> {
    let said = match answer {
        Ok(Some(inspection)) => Inspected::There(inspection),
        Ok(None) => Inspected::Missing,
        Err(failure) => Inspected::Failed(failure),
    };
    model.details.inspected.insert(kind, said);
    Vec::new()
}
