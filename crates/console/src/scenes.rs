//! Test scenes: models in typical states, built from events.

mod no_terminal;

use chrono::{DateTime, TimeDelta, Utc};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::{Frame, Terminal, TerminalOptions, Viewport};
use thumbctl_core::event::{
    Action, Event, EventKind, Failure, LogSource, Outcome, RunId, RunStarted, StrategyKind, VERSION,
};
use thumbctl_core::names::{DeploymentName, Names, Suffix};
use thumbctl_core::plan::{Plan, Step, StepId};
use thumbctl_core::resource::{ResourceKind, ResourceState};
use thumbctl_deploy::session::Preview;
use thumbctl_deploy::settings::BuildSource;
use thumbctl_deploy::strategy::{self, sdk};

use self::no_terminal::NoTerminal;
use super::keymap::KeyMap;
use super::log_store::LogStore;
use super::message::{ConnectionInfo, Effect, Message, RiskLevel};
use super::model::activity::{ActiveRun, Activity};
use super::model::{Model, ModelInit, RequestedDeployment};
use super::symbols;
use super::theme::Theme;
use super::update::update;
use super::view;
use crate::message::RunMode;

/// The start time of every scene.
pub(crate) fn start() -> DateTime<Utc> {
    "2026-11-22T13:05:00Z".parse().expect("a valid time")
}

/// A time in seconds after the start.
pub(crate) fn after(seconds: f64) -> DateTime<Utc> {
    start() + TimeDelta::milliseconds((seconds * 1000.0) as i64)
}

/// The resource names in every scene.
pub(crate) fn names() -> Names {
    Names::new(DeploymentName::new("thumbnails").expect("a legal name"), Suffix::from_number(0x1a2b_3c4d))
}

/// The deploy plan.
pub(crate) fn deploy_plan() -> Plan {
    sdk::plan::deploy(&BuildSource::Bundle)
}

/// A new console.
pub(crate) fn fresh(size: (u16, u16)) -> Model {
    Model::new(ModelInit {
        requested: RequestedDeployment {
            cloud: "sandbox".into(),
            region: None,
            name: names().deployment().clone(),
            strategy: StrategyKind::Sdk,
            parallelism: 8,
        },
        now: start(),
        size,
        keymap: KeyMap::default(),
        theme: Some(Theme::Dark),
        symbols: &symbols::UNICODE,
        replay: false,
    })
}

/// A console connected to the sandbox, with nothing deployed.
pub(crate) fn empty(size: (u16, u16)) -> Model {
    let mut model = fresh(size);
    update(&mut model, Message::Resize(size.0, size.1));
    update(&mut model, Message::JournalsRead);
    let connection = ConnectionInfo {
        cloud: "sandbox".into(),
        risk: RiskLevel::None,
        account: "000000000000".into(),
        arn: "arn:aws:iam::000000000000:root".into(),
        region: "us-east-1".into(),
    };
    update(&mut model, Message::Connected(Box::new(connection)));
    let documents = vec![(
        ResourceKind::FunctionPolicy,
        serde_json::json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:GetObject"}]}),
    )];
    update(
        &mut model,
        Message::Preview(Box::new(Preview {
            strategy: StrategyKind::Sdk,
            template_resources: Vec::new(),
            plan: deploy_plan(),
            names: names(),
            documents,
        })),
    );
    model
}

/// Generates the events of a run.
pub(crate) struct EventScript {
    run: RunId,
    seq: u64,
    seconds: f64,
}

impl EventScript {
    /// A run with a number and a start time in seconds.
    pub(crate) fn new(number: u32, action: Action, seconds: f64) -> Self {
        Self { run: RunId::new(number, action, 0xab), seq: 0, seconds }
    }

    /// Advances the time.
    pub(crate) fn wait(&mut self, seconds: f64) {
        self.seconds += seconds;
    }

    /// Creates an event at the current time.
    pub(crate) fn event(&mut self, kind: EventKind) -> Event {
        let event = Event { v: VERSION, run: self.run.clone(), seq: self.seq, at: after(self.seconds), kind };
        self.seq += 1;
        event
    }

    /// Starts the run.
    pub(crate) fn begin(&mut self, action: Action, plan: Plan) -> Event {
        self.event(EventKind::RunStarted(Box::new(RunStarted {
            action,
            deployment: "thumbnails".into(),
            strategy: StrategyKind::Sdk,
            cloud: "sandbox".into(),
            pace: None,
            account: "000000000000".into(),
            region: "us-east-1".into(),
            names: names(),
            plan,
        })))
    }

    /// Starts a step and its resource.
    pub(crate) fn step_starts(&mut self, step: &Step, state: ResourceState) -> Vec<Event> {
        let mut events = vec![self.event(EventKind::StepStarted { step: step.id.clone() })];
        events.extend(step.resource.map(|kind| self.resource(kind, state, None)));
        events
    }

    /// Finishes a step after a duration in seconds.
    pub(crate) fn step_ends(&mut self, step: &Step, state: ResourceState, seconds: f64) -> Vec<Event> {
        let resource = step.resource.map(|kind| self.resource(kind, state, Some(seconds)));
        resource.into_iter().chain([self.event(EventKind::StepFinished { step: step.id.clone(), seconds })]).collect()
    }

    /// Changes a resource.
    pub(crate) fn resource(&mut self, kind: ResourceKind, state: ResourceState, seconds: Option<f64>) -> Event {
        let name = names().of(kind);
        let arn = (state == ResourceState::Ready).then(|| format!("arn:aws:demo:us-east-1:000000000000:{name}"));
        self.event(EventKind::ResourceChanged { resource: kind, name, arn, state, seconds, note: None })
    }

    /// Creates a build log line.
    pub(crate) fn log(&mut self, text: &str) -> Event {
        let timestamp = Some(after(self.seconds));
        self.event(EventKind::LogLine { source: LogSource::Build, text: text.into(), timestamp })
    }

    /// Finishes the run.
    pub(crate) fn end(&mut self, outcome: Outcome, seconds: f64) -> Event {
        self.event(EventKind::RunFinished { outcome, seconds })
    }
}

/// The duration of a step in a scene, in seconds.
fn took(step: &Step) -> f64 {
    match step.resource {
        Some(ResourceKind::Image) => 41.7,
        Some(ResourceKind::Function) => 3.25,
        _ => 0.25,
    }
}

fn phase(phase: &str, status: &str, seconds: Option<f64>) -> EventKind {
    EventKind::BuildPhase { phase: phase.into(), status: status.into(), seconds, context: None }
}

/// The events of a deployment until the middle of its build.
pub(crate) fn until_build(script: &mut EventScript) -> Vec<Event> {
    let plan = deploy_plan();
    let mut events = vec![script.begin(Action::Deploy, plan.clone())];
    for step in plan.steps() {
        if step.resource == Some(ResourceKind::Image) {
            events.extend(script.step_starts(step, ResourceState::Creating));
            events.push(script.event(phase("SUBMITTED", "SUCCEEDED", Some(0.1))));
            events.push(script.event(phase("PROVISIONING", "SUCCEEDED", Some(2.4))));
            events.push(script.event(phase("DOWNLOAD_SOURCE", "SUCCEEDED", Some(0.8))));
            events.push(script.event(phase("BUILD", "IN_PROGRESS", None)));
            for line in 1..=60 {
                events.push(script.log(&format!("   Compiling part-{line} v0.{line}.0")));
            }
            break;
        }
        events.extend(script.step_starts(step, ResourceState::Creating));
        script.wait(took(step));
        events.extend(script.step_ends(step, ResourceState::Ready, took(step)));
    }
    events
}

/// A deployment in the middle of its build.
pub(crate) fn building(size: (u16, u16)) -> Model {
    let mut model = empty(size);
    start_run(&mut model, Action::Deploy);
    let mut script = EventScript::new(1, Action::Deploy, 0.0);
    let events = until_build(&mut script);
    apply_events(&mut model, events);
    script.wait(12.5);
    update(&mut model, Message::Tick(after(script.seconds)));
    model
}

/// A deployment whose build failed.
pub(crate) fn failed(size: (u16, u16)) -> Model {
    let mut model = empty(size);
    start_run(&mut model, Action::Deploy);
    let mut script = EventScript::new(1, Action::Deploy, 0.0);
    let mut events = until_build(&mut script);
    script.wait(9.0);
    events.push(script.log("error: linking with `cc` failed: exit status: 1"));
    events.push(script.event(EventKind::BuildPhase {
        phase: "BUILD".into(),
        status: "FAILED".into(),
        seconds: Some(9.0),
        context: Some(
            "COMMAND_EXECUTION_ERROR: Error while executing command: cargo build. Reason: exit status 101".into(),
        ),
    }));
    let image = deploy_plan().steps().iter().find(|step| step.resource == Some(ResourceKind::Image)).cloned();
    let image = image.expect("a deployment builds an image");
    events.push(script.resource(ResourceKind::Image, ResourceState::Failed, Some(12.3)));
    events.push(script.event(EventKind::StepFailed {
        step: image.id.clone(),
        seconds: 12.3,
        error: Failure {
            message: "the build failed in phase BUILD".into(),
            causes: vec!["COMMAND_EXECUTION_ERROR: exit status 101".into()],
            log: vec!["error: linking with `cc` failed: exit status: 1".into()],
            hint: Some("see the build log; deploy again to resume".into()),
        },
    }));
    let plan = deploy_plan();
    let failed_index = plan.steps().iter().position(|step| step.id == image.id).expect("it is in the plan");
    for step in &plan.steps()[failed_index + 1..] {
        let reason = thumbctl_core::event::SkipReason::Failed;
        events.push(script.event(EventKind::StepSkipped { step: step.id.clone(), reason }));
    }
    events.push(script.end(Outcome::Failed, 14.0));
    apply_events(&mut model, events);
    update(&mut model, Message::Tick(after(script.seconds)));
    update(&mut model, Message::RunEnded(Ok(Outcome::Failed)));
    model
}

/// The events of a complete deployment.
pub(crate) fn whole_deployment(script: &mut EventScript) -> Vec<Event> {
    let plan = deploy_plan();
    let start = script.seconds;
    let mut events = until_build(script);
    let mut rest = plan.steps().iter().skip_while(|step| step.resource != Some(ResourceKind::Image));
    let image = rest.next().expect("a deployment builds an image");
    script.wait(took(image));
    events.push(script.event(phase("BUILD", "SUCCEEDED", Some(38.0))));
    events.push(script.event(phase("POST_BUILD", "SUCCEEDED", Some(0.4))));
    events.extend(script.step_ends(image, ResourceState::Ready, took(image)));
    for step in rest {
        events.extend(script.step_starts(step, ResourceState::Creating));
        script.wait(took(step));
        events.extend(script.step_ends(step, ResourceState::Ready, took(step)));
    }
    let seconds = script.seconds - start;
    events.push(script.end(Outcome::Succeeded, seconds));
    events
}

/// A complete deployment.
pub(crate) fn deployed(size: (u16, u16)) -> Model {
    let mut model = empty(size);
    start_run(&mut model, Action::Deploy);
    let mut script = EventScript::new(1, Action::Deploy, 0.0);
    let events = whole_deployment(&mut script);
    apply_events(&mut model, events);
    update(&mut model, Message::Tick(after(script.seconds)));
    update(&mut model, Message::RunEnded(Ok(Outcome::Succeeded)));
    model
}

/// A teardown in progress.
pub(crate) fn destroying(size: (u16, u16)) -> Model {
    let mut model = deployed(size);
    start_run(&mut model, Action::Destroy);
    let plan = strategy::destroy_plan(&model.deployment);
    let mut script = EventScript::new(2, Action::Destroy, 100.0);
    let mut events = vec![script.begin(Action::Destroy, plan.clone())];
    for (index, step) in plan.steps().iter().take(6).enumerate() {
        events.extend(script.step_starts(step, ResourceState::Deleting));
        script.wait(0.2);
        if index < 4 {
            events.extend(script.step_ends(step, ResourceState::Deleted, 0.2));
        }
    }
    apply_events(&mut model, events);
    update(&mut model, Message::Tick(after(script.seconds)));
    model
}

/// Starts a run of this process.
pub(crate) fn start_run(model: &mut Model, action: Action) {
    model.activity =
        Activity::Running(ActiveRun { action, id: None, mode: RunMode::Continuous, held: None, cancelling: false });
}

/// Holds the active run before a step.
pub(crate) fn hold(model: &mut Model, step: &StepId) {
    if let Some(active) = model.activity.active_run_mut() {
        active.mode = RunMode::StepByStep;
    }
    update(model, Message::Held(step.clone()));
}

/// Applies events and the reports of the log stores.
pub(crate) fn apply_events(model: &mut Model, events: Vec<Event>) {
    let effects = update(model, Message::Events(events));
    run_store_effects(model, effects);
}

/// Executes log effects in tests until no work is pending. Supports one model at a time: a new model gets new stores.
pub(crate) fn run_store_effects(model: &mut Model, effects: Vec<Effect>) {
    thread_local! {
        static STORES: std::cell::RefCell<[LogStore; 2]> = std::cell::RefCell::default();
    }
    const SOURCES: [LogSource; 2] = [LogSource::Build, LogSource::Function];
    STORES.with_borrow_mut(|stores| {
        if SOURCES.iter().all(|source| !model.log_mut(*source).has_reported()) {
            *stores = Default::default();
        }
        let shown = SOURCES.map(|source| Effect::Log(source, model.log_mut(source).show()));
        let mut effects: std::collections::VecDeque<Effect> = shown.into_iter().chain(effects).collect();
        while let Some(effect) = effects.pop_front() {
            let Effect::Log(source, command) = effect else { continue };
            let store = &mut stores[usize::from(source == LogSource::Function)];
            let mut reports = store.run(command);
            while store.has_work() {
                reports.extend(store.work());
            }
            for report in reports {
                effects.extend(update(model, Message::Log(source, report)));
            }
        }
    });
}

/// Draws a frame of a size.
pub(crate) fn frame((width, height): (u16, u16), draw: impl FnOnce(&mut Frame<'_>)) -> Buffer {
    let viewport = Viewport::Fixed(Rect::new(0, 0, width, height));
    let mut terminal = Terminal::with_options(NoTerminal, TerminalOptions { viewport }).expect("it cannot fail");
    let mut frame = terminal.get_frame();
    draw(&mut frame);
    std::mem::take(frame.buffer_mut())
}

/// The screen of a model, with styles.
pub(crate) fn screen(model: &Model) -> Buffer {
    frame(model.size, |frame| view::draw(frame, model))
}

/// The screen of a model as text, without trailing blanks.
pub(crate) fn text_of(model: &Model) -> String {
    let buffer = screen(model);
    let area = buffer.area;
    let mut out = String::new();
    for y in area.top()..area.bottom() {
        let mut line = String::new();
        let mut skip = 0;
        for x in area.left()..area.right() {
            let symbol = buffer[(x, y)].symbol();
            if skip > 0 {
                skip -= 1;
                continue;
            }
            line.push_str(symbol);
            skip = thumbctl_platform::text::width(symbol).saturating_sub(1);
        }
        out.push_str(line.trim_end());
        out.push('\n');
    }
    out
}
