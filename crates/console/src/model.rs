//! [`Model`]: the state of the console. Pure: it does no I/O and reads no clock; [`super::update`] applies messages to it.

pub mod activity;
pub mod details;
pub mod log;
pub mod messages;
pub mod overlay;
pub mod panel;
pub mod resources;
pub mod run;
pub mod test_upload;
pub mod timing;

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use ratatui::layout::Rect;
use thumbctl_core::deployment::Deployment;
use thumbctl_core::event::{Event, Failure, LogSource, RunId, StrategyKind};
use thumbctl_core::names::{DeploymentName, Names};
use thumbctl_core::timing::History;
use thumbctl_deploy::session::Preview;

use self::activity::Activity;
use self::details::DetailsPane;
use self::log::LogPane;
use self::messages::Messages;
use self::overlay::{ConfirmDialog, Overlay};
use self::panel::Panel;
use self::resources::ResourcesPane;
use self::run::RunModel;
use self::test_upload::TestUploadPane;
use self::timing::TimingPane;
use super::keymap::{Context, KeyMap};
use super::message::{ConnectionInfo, RiskLevel};
use super::symbols::Symbols;
use super::theme::Theme;
use super::view::layout::Layout;

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
    pub resources: ResourcesPane,
    /// The details of the selected resource.
    pub details: DetailsPane,
    /// The logs.
    logs: BTreeMap<LogSource, LogPane>,
    /// The timing panel.
    pub timing: TimingPane,
    /// The test upload panel.
    pub test_upload: TestUploadPane,
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
            next_seq: BTreeMap::new(),
            history: History::default(),
            preview: None,
            run: None,
            activity: if replay { Activity::replay() } else { Activity::Idle },
            focus: Panel::Resources,
            shown: Panel::Details,
            panel_chosen: false,
            resources: ResourcesPane::default(),
            details: DetailsPane::default(),
            logs: LogPane::SOURCES.into_iter().map(|source| (source, LogPane::new(source))).collect(),
            timing: TimingPane::default(),
            test_upload: TestUploadPane::default(),
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

    /// The screen layout.
    pub fn layout(&self) -> Layout {
        Layout::of(self)
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

    /// The available panels. Stacks and Terraform depend on the strategy.
    pub fn panels(&self) -> &'static [Panel] {
        match self.run.as_ref().map_or_else(|| self.strategy(), |run| run.started.strategy) {
            StrategyKind::Cloudformation => &Panel::WITH_STACKS,
            StrategyKind::Terraform => &Panel::WITH_TERRAFORM,
            StrategyKind::Sdk => &Panel::USUAL,
        }
    }

    /// The log of a source.
    pub fn log(&self, source: LogSource) -> &LogPane {
        self.logs.get(&source).expect("every source has a log")
    }

    /// The log of a source, mutable.
    pub fn log_mut(&mut self, source: LogSource) -> &mut LogPane {
        self.logs.entry(source).or_insert_with(|| LogPane::new(source))
    }

    /// The visible log pane.
    pub fn shown_log(&self) -> Option<&LogPane> {
        match self.shown_panel() {
            Panel::Build => Some(self.log(LogSource::Build)),
            Panel::Function => Some(self.log(LogSource::Function)),
            Panel::Stacks => Some(self.log(LogSource::Stack)),
            Panel::Terraform => Some(self.log(LogSource::Terraform)),
            _ => None,
        }
    }

    /// The panel beside the resources, or the only panel in a narrow layout.
    pub fn shown_panel(&self) -> Panel {
        if self.focus == Panel::Resources && self.layout().resources.is_some() { self.shown } else { self.focus }
    }

    /// Whether elapsed times are displayed, so that the clock must tick.
    pub fn is_ticking(&self) -> bool {
        self.activity.is_running() || matches!(self.connection, Connection::Connecting) || self.test_upload.is_waiting()
    }

    /// The active key contexts, innermost first.
    pub fn contexts(&self) -> Vec<Context> {
        let mut contexts = match &self.overlay {
            Some(overlay) => overlay.contexts().to_vec(),
            None => return self.contexts_without_overlay(),
        };
        contexts.push(Context::Always);
        contexts
    }

    /// The key contexts without an overlay, innermost first.
    pub fn contexts_without_overlay(&self) -> Vec<Context> {
        if self.is_typing() {
            return vec![Context::Typing, Context::Always];
        }
        let mut contexts = Vec::with_capacity(3);
        if self.activity.is_replay() {
            contexts.push(Context::Replay);
        }
        contexts.push(match self.focus {
            Panel::Resources => Context::Resources,
            Panel::Details => Context::Details,
            Panel::Build | Panel::Function | Panel::Stacks | Panel::Terraform => Context::Log,
            Panel::Timing => Context::Timing,
            Panel::TestUpload if self.test_upload.is_choosing() => Context::Chooser,
            Panel::TestUpload => Context::TestUpload,
        });
        contexts.extend([Context::Everywhere, Context::Always]);
        contexts
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

    /// Whether an input line is open in the focused panel.
    pub fn is_typing(&self) -> bool {
        match self.focus {
            Panel::Build => self.log(LogSource::Build).is_typing(),
            Panel::Function => self.log(LogSource::Function).is_typing(),
            Panel::Stacks => self.log(LogSource::Stack).is_typing(),
            Panel::Terraform => self.log(LogSource::Terraform).is_typing(),
            Panel::TestUpload => self.test_upload.is_typing(),
            Panel::Resources | Panel::Details | Panel::Timing => false,
        }
    }
}
