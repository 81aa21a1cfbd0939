//! What the cloud and the runs answer, taken in.

use thumbctl_core::event::{Action, Failure, Outcome};
use thumbctl_core::resource::{ResourceKind, ResourceState};
use thumbctl_deploy::session::{Inspection, ResourceStatus};
use thumbctl_platform::text;
use tui_input::Input;

use crate::message::{Effect, Pace, Place, PreparedRun, Stakes, Task};
use crate::model::activity::{Activity, OurRun};
use crate::model::details::Inspected;
use crate::model::messages::Tone;
use crate::model::overlay::{Answer, Asking, Overlay, Question};
use crate::model::{Connection, Model};

pub(super) fn connected(model: &mut Model, place: Place) -> Vec<Effect> {
    model.connection = Connection::Connected(place);
    ask_status(model)
}

/// Asks whether what stands is really there, once cloud and journals have been heard.
pub(super) fn ask_status(model: &Model) -> Vec<Effect> {
    let can_ask = model.place().is_some() && model.journals_read && model.deployment.has_resources();
    if can_ask { vec![Effect::AskStatus] } else { Vec::new() }
}

/// Another process begins or ends its work. While we are at work ourselves, that is kept for later.
pub(super) fn holder(model: &mut Model, holder: Option<String>) -> Vec<Effect> {
    let has_let_go = holder.is_none() && matches!(model.activity, Activity::Theirs { .. });
    model.holder = holder;
    if !matches!(model.activity, Activity::Idle | Activity::Theirs { .. }) {
        return Vec::new();
    }
    model.rest();
    if !has_let_go {
        return Vec::new();
    }
    model.messages.say(model.now, Tone::Info, "The other process has let go of the deployment.");
    ask_status(model)
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
        model.rest();
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
    model.question = Some(Question {
        question: question.to_owned(),
        consequence,
        resources: prepared.resources.clone(),
        foreign: prepared.foreign.clone(),
        answer,
        about: Asking::Start,
        scroll: 0,
    });
    model.activity = Activity::Asking { prepared, pace };
    Vec::new()
}

/// Begins the run that is ready. In step by step, the press that began it lets its first step go: that was shown.
pub(super) fn start(model: &mut Model, task: &Task, pace: Pace) -> Vec<Effect> {
    let action = task.action();
    model.activity = Activity::Ours(OurRun { action, id: None, pace, held: None, cancelling: false });
    // What is there already is not asked about.
    let plan = model.preview.as_ref().map(|preview| &preview.plan).filter(|_| *task == Task::Deploy);
    let steps = plan.iter().flat_map(|plan| plan.steps());
    let free = steps.filter(|step| plan.is_some_and(|plan| model.is_done(step, plan))).map(|step| step.id.clone());
    vec![Effect::Start { pace, passes: usize::from(pace == Pace::Stepwise), free: free.collect() }]
}

pub(super) fn not_prepared(model: &mut Model, task: &Task, failure: &Failure) -> Vec<Effect> {
    if matches!(&model.activity, Activity::Preparing { .. } | Activity::Ours(OurRun { id: None, .. })) {
        model.rest();
    }
    if let Task::Trial(_) = task {
        model.trial.refused(failure);
    }
    model.messages.fail(model.now, failure);
    quit_if_wanted(model)
}

pub(super) fn run_ended(model: &mut Model, ended: Result<Outcome, Failure>) -> Vec<Effect> {
    let Some(ours) = model.activity.ours().cloned() else { return Vec::new() };
    model.rest();
    let mut effects = if ours.action == Action::TestUpload { model.trial.run_ended() } else { Vec::new() };
    if matches!(model.overlay, Some(Overlay::Quitting | Overlay::Question(Question { about: Asking::Cancel, .. }))) {
        model.overlay = None;
    }
    match ended {
        Err(failure) => model.messages.fail(model.now, &failure),
        Ok(outcome) => tell_outcome(model, ours.action, outcome),
    }
    effects.extend(if model.quit_after { quit_if_wanted(model) } else { ask_status(model) });
    effects
}

fn quit_if_wanted(model: &Model) -> Vec<Effect> {
    if model.quit_after { vec![Effect::Quit] } else { Vec::new() }
}

fn tell_outcome(model: &mut Model, action: Action, outcome: Outcome) {
    let seconds = model.run.as_ref().filter(|_| action != Action::TestUpload).and_then(|run| run.ended);
    let took = seconds.map(|(_, seconds)| format!(" in {}", text::seconds(seconds))).unwrap_or_default();
    match (action, outcome) {
        (Action::Deploy, Outcome::Succeeded) => {
            model.messages.say(model.now, Tone::Good, format!("Deployed{took}. Try it with an image."));
        }
        (Action::Destroy, Outcome::Succeeded) => {
            model.messages.say(model.now, Tone::Good, format!("Destroyed{took}. Nothing is left."));
        }
        // Each image says for itself what became of it.
        (Action::TestUpload, Outcome::Succeeded | Outcome::Failed) => {}
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
    use thumbctl_deploy::strategy::Presence;
    match status {
        Err(failure) => model.messages.fail(model.now, &failure),
        Ok(resources) => {
            // What is being made or removed just now is not lost.
            if model.is_live() {
                return Vec::new();
            }
            let is_lost = |resource: &&ResourceStatus| {
                resource.journal == ResourceState::Ready && resource.presence == Presence::Missing
            };
            model.details.lost = resources.iter().filter(is_lost).map(|resource| resource.kind).collect();
            let lost: Vec<&str> = model.details.lost.iter().map(|kind| kind.title()).collect();
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
    // An answer to a question that was put aside, because the resource has changed since, is old.
    if model.deployment.is_ready(kind) {
        model.details.inspected.insert(kind, said);
    }
    Vec::new()
}
