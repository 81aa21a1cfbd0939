//! [`Model`]: the state of the console. Pure: it does no I/O and reads no clock; [`super::update`] applies messages to it.

pub mod activity;
pub mod messages;
pub mod overlay;
pub mod resources;
pub mod run;

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use ratatui::layout::Rect;
use thumbctl_core::deployment::Deployment;
use thumbctl_core::event::{Event, Failure, LogSource, RunId, StrategyKind};
use thumbctl_core::names::{DeploymentName, Names};
use thumbctl_core::resource::ResourceKind;
use thumbctl_core::timing::History;
use thumbctl_deploy::session::Preview;

use self::activity::Activity;
use self::messages::Messages;
use self::overlay::{ConfirmDialog, Overlay};
use self::run::RunModel;
use super::keymap::KeyMap;
use super::message::{ConnectionInfo, Effect, RiskLevel, RunMode, Task};
use super::pane::details::state::DetailsState;
use super::pane::log::state::LogState;
use super::pane::resources::state::ResourcesState;
use super::pane::test_upload::state::TestUploadState;
use super::panel::Panel;
use super::symbols::Symbols;
use super::theme::Theme;

/// The state of the console.
#[derive(Debug)]
pub struct Model {
    /// The current time: the system's, or in a replay the recording's.
    pub now: DateTime<Utc>,
    /// The terminal's size: columns, rows.
    pub size: (u16, u16),
    /// The requested deployment.
    pub requested: RequestedDeployment,
    /// The state of the cloud connection.
    pub connection: Connection,
    /// Whether all journals have been read.
    pub journals_read: bool,
    /// Whether the user knows that a newer version has written events of the deployment.
    pub unknown_events_reported: bool,
    /// The deployment, from the journals.
    pub deployment: Deployment,
    /// The next event number of each known run.
    next_seq: BTreeMap<RunId, u64>,
    /// The durations of earlier runs.
    pub history: History,
    /// The preview of a deployment, once known.
    pub preview: Option<Preview>,
    /// The last deploy or destroy run, which may be active.
    pub run: Option<RunModel>,
    /// The current activity.
    pub activity: Activity,
    /// The panel with the keyboard focus.
    pub focus: Panel,
    /// The panel beside the resources, in a wide layout.
    pub shown: Panel,
    /// Whether the user chose a panel during this run; if so, it is not switched automatically.
    pub panel_chosen: bool,
    /// The list of resources.
    pub resources: ResourcesState,
    /// The details of the resources.
    pub details: DetailsState,
    /// The logs.
    logs: BTreeMap<LogSource, LogState>,
    /// The test uploads.
    pub test_upload: TestUploadState,
    /// The scroll positions of the panels with a text, in rows.
    scroll: BTreeMap<Panel, u16>,
    /// The overlay.
    pub overlay: Option<Overlay>,
    /// The messages to the user.
    pub messages: Messages,
    /// The key bindings.
    pub keymap: KeyMap,
    /// The theme.
    pub theme: Theme,
    /// Whether the user chose the theme; if so, the terminal's background is ignored.
    pub theme_chosen: bool,
    /// The symbols.
    pub symbols: &'static Symbols,
    /// Whether to quit at the end of the active run.
    pub quit_after: bool,
    /// The description of another process that holds the deployment lock.
    pub holder: Option<String>,
    /// A confirmation dialog that waits until no input line is open.
    pub pending_dialog: Option<ConfirmDialog>,
    /// The main area that the panes were last resized to.
    pub fitted: Rect,
    /// The names of the deployment whose function log is followed.
    pub followed: Option<Names>,
}

/// The requested deployment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestedDeployment {
    /// The displayed name of the cloud.
    pub cloud: String,
    /// The region, if given.
    pub region: Option<String>,
    /// The deployment's name.
    pub name: DeploymentName,
    /// The strategy.
    pub strategy: StrategyKind,
    /// The maximum number of parallel steps.
    pub parallelism: usize,
}

/// The state of the cloud connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Connection {
    /// The connection is being established.
    Connecting,
    /// The connection succeeded.
    Connected(ConnectionInfo),
    /// The connection failed.
    Failed(Failure),
    /// A replay needs no connection.
    NotRequired,
}

/// The initial parameters of a model.
#[derive(Debug)]
pub struct ModelInit {
    /// The requested deployment.
    pub requested: RequestedDeployment,
    /// What time it is.
    pub now: DateTime<Utc>,
    /// The terminal's size: columns, rows.
    pub size: (u16, u16),
    /// The key bindings.
    pub keymap: KeyMap,
    /// The chosen theme; none: by the terminal's background.
    pub theme: Option<Theme>,
    /// The symbols.
    pub symbols: &'static Symbols,
    /// Whether this is a replay.
    pub replay: bool,
}

impl Model {
    /// Creates the initial model.
    pub fn new(init: ModelInit) -> Self {
        let ModelInit { requested, now, size, keymap, theme, symbols, replay } = init;
        Self {
            now,
            size,
            deployment: Deployment::new(requested.name.clone()),
            requested,
            connection: if replay { Connection::NotRequired } else { Connection::Connecting },
            journals_read: false,
            unknown_events_reported: false,
            next_seq: BTreeMap::new(),
            history: History::default(),
            preview: None,
            run: None,
            activity: if replay { Activity::replay() } else { Activity::Idle },
            focus: Panel::Resources,
            shown: Panel::Details,
            panel_chosen: false,
            resources: ResourcesState::default(),
            details: DetailsState::default(),
            logs: LogState::SOURCES.into_iter().map(|source| (source, LogState::new(source))).collect(),
            test_upload: TestUploadState::default(),
            scroll: BTreeMap::new(),
            overlay: None,
            messages: Messages::default(),
            keymap,
            theme: theme.unwrap_or_default(),
            theme_chosen: theme.is_some(),
            symbols,
            quit_after: false,
            holder: None,
            pending_dialog: None,
            fitted: Rect::ZERO,
            followed: None,
        }
    }

    /// Whether an event is new. Events of the active run arrive twice: from the run and from its journal.
    pub fn is_new_event(&mut self, event: &Event) -> bool {
        let next = self.next_seq.entry(event.run.clone()).or_default();
        let is_first = event.seq >= *next;
        if is_first {
            *next = event.seq + 1;
        }
        is_first
    }

    /// The time of the next change on the screen without input.
    pub fn next_change(&self) -> Option<DateTime<Utc>> {
        self.messages.expires(self.now)
    }

    /// The connection, if established.
    pub fn connection_info(&self) -> Option<&ConnectionInfo> {
        match &self.connection {
            Connection::Connected(info) => Some(info),
            Connection::Connecting | Connection::Failed(_) | Connection::NotRequired => None,
        }
    }

    /// The risk level of the connection. Without a connection, the highest level applies.
    pub fn risk(&self) -> RiskLevel {
        self.connection_info().map_or(RiskLevel::Cost, |info| info.risk)
    }

    /// The strategy of the existing deployment, else the requested one.
    pub fn strategy(&self) -> StrategyKind {
        let existing = self.deployment.origin().filter(|_| self.deployment.has_resources());
        existing.map_or(self.requested.strategy, |origin| origin.strategy)
    }

    /// The name of the strategy; a newer version's is unknown to this one.
    pub fn strategy_name(&self) -> String {
        let existing = self.deployment.origin().filter(|_| self.deployment.has_resources());
        let unknown = existing.and_then(|origin| origin.unknown_strategy.clone());
        unknown.unwrap_or_else(|| self.strategy().to_string())
    }

    /// The available panels, in the order of the tabs. Stacks and Terraform depend on the strategy.
    pub fn panels(&self) -> Vec<Panel> {
        Panel::of(self.run.as_ref().map_or_else(|| self.strategy(), |run| run.started.strategy))
    }

    /// The log of a source.
    pub fn log(&self, source: LogSource) -> &LogState {
        self.logs.get(&source).expect("every source has a log")
    }

    /// The log of a source, mutable.
    pub fn log_mut(&mut self, source: LogSource) -> &mut LogState {
        self.logs.entry(source).or_insert_with(|| LogState::new(source))
    }

    /// The scroll position of a panel, in rows.
    pub fn scroll(&self, panel: Panel) -> u16 {
        self.scroll.get(&panel).copied().unwrap_or_default()
    }

    /// The scroll position of a panel, mutable.
    pub fn scroll_mut(&mut self, panel: Panel) -> &mut u16 {
        self.scroll.entry(panel).or_default()
    }

    /// Whether elapsed times are displayed, so that the clock must tick.
    pub fn is_ticking(&self) -> bool {
        self.activity.is_running() || matches!(self.connection, Connection::Connecting) || self.test_upload.is_waiting()
    }

    /// Ends the activity of this process; another process may hold the lock.
    pub fn set_idle(&mut self) {
        self.activity = match &self.holder {
            Some(holder) => Activity::OtherProcess { holder: holder.clone() },
            None => Activity::Idle,
        };
    }

    /// The ARN of the selected resource, if known.
    pub fn selected_arn(&self) -> Option<String> {
        self.deployment.resource(self.resources.selected).and_then(|resource| resource.arn.clone())
    }

    /// Requests a run.
    pub fn prepare(&mut self, task: Task, mode: RunMode) -> Vec<Effect> {
        // The previous message is outdated.
        self.messages.dismiss();
        self.activity = Activity::Preparing { task: task.clone(), mode };
        vec![Effect::Prepare(task, mode)]
    }

    /// Selects a resource.
    pub fn select(&mut self, kind: ResourceKind) {
        self.resources.selected = kind;
        self.scroll.remove(&Panel::Details);
    }
}
