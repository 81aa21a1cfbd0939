//! [`Model`]: everything that the console knows and shows. Pure: it reads no clock and does nothing; events and messages
//! are folded into it by [`super::update`].

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

/// Everything that the console knows.
#[derive(Debug)]
pub struct Model {
    /// What time it is: the machine's, or in a replay the recording's.
    pub now: DateTime<Utc>,
    /// The terminal's size: columns, rows.
    pub size: (u16, u16),
    /// What the user has asked for, before the cloud has answered.
    pub requested: RequestedDeployment,
    /// Whether the cloud has answered.
    pub connection: Connection,
    /// Whether all journals have been read.
    pub journals_read: bool,
    /// What stands, as the journals tell it.
    pub deployment: Deployment,
    /// The number of the event that comes next, of every run that was heard of.
    next_seq: BTreeMap<RunId, u64>,
    /// What earlier runs took.
    pub history: History,
    /// What a deployment would do, once that is known.
    pub preview: Option<Preview>,
    /// The last run that deployed or destroyed, perhaps still under way.
    pub run: Option<RunModel>,
    /// Who works on the deployment, and how.
    pub activity: Activity,
    /// The panel that has the keys.
    pub focus: Panel,
    /// The panel beside the resources, where there is room for both.
    pub shown: Panel,
    /// Whether the user has chosen a panel since the run began: then it is not changed for them.
    pub panel_chosen: bool,
    /// The list of resources.
    pub resources: ResourcesPane,
    /// The selected resource's details.
    pub details: DetailsPane,
    /// The build's log.
    pub build_log: LogPane,
    /// The function's log.
    pub function_log: LogPane,
    /// The log of stacks' events.
    pub stack_log: LogPane,
    /// What Terraform says.
    pub terraform_log: LogPane,
    /// The times.
    pub timing: TimingPane,
    /// The trial.
    pub test_upload: TestUploadPane,
    /// What lies over the panels.
    pub overlay: Option<Overlay>,
    /// What was said.
    pub messages: Messages,
    /// Which key does what.
    pub keymap: KeyMap,
    /// How things look.
    pub theme: Theme,
    /// Whether the user chose the theme: then the terminal's background does not.
    pub theme_chosen: bool,
    /// The signs that are drawn.
    pub symbols: &'static Symbols,
    /// Whether the program ends when what runs has ended.
    pub quit_after: bool,
    /// Another process that works on the deployment, in its own words.
    pub holder: Option<String>,
    /// A question that waits until nobody types.
    pub pending_dialog: Option<ConfirmDialog>,
    /// The area for which the panes were told their size last.
    pub fitted: Rect,
    /// Whose function's log is being read.
    pub followed: Option<Names>,
}

/// What the user has asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestedDeployment {
    /// The cloud, as it is called on the screen.
    pub cloud: String,
    /// The region, where one was named.
    pub region: Option<String>,
    /// The deployment's name.
    pub name: DeploymentName,
    /// The strategy's name.
    pub strategy: String,
    /// How many steps may run side by side.
    pub parallelism: usize,
}

/// Whether the cloud has answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Connection {
    /// It has not been heard of yet.
    Connecting,
    /// It knows us.
    Connected(ConnectionInfo),
    /// It cannot be used.
    Failed(Failure),
    /// It is not needed: a recording is played.
    NotRequired,
}

/// How a console begins.
#[derive(Debug)]
pub struct ModelInit {
    /// What the user has asked for.
    pub requested: RequestedDeployment,
    /// What time it is.
    pub now: DateTime<Utc>,
    /// The terminal's size: columns, rows.
    pub size: (u16, u16),
    /// Which key does what.
    pub keymap: KeyMap,
    /// The theme that the user chose; none: by the terminal's background.
    pub theme: Option<Theme>,
    /// The signs that are drawn.
    pub symbols: &'static Symbols,
    /// Whether a recording is played.
    pub replay: bool,
}

impl Model {
    /// A console of which nothing is known but how it was started.
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
            build_log: LogPane::new(LogSource::Build),
            function_log: LogPane::new(LogSource::Function),
            stack_log: LogPane::new(LogSource::Stack),
            terraform_log: LogPane::new(LogSource::Terraform),
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

    /// Whether an event is heard for the first time: those of our own runs come from the run itself and from its journal.
    pub fn is_new_event(&mut self, event: &Event) -> bool {
        let next = self.next_seq.entry(event.run.clone()).or_default();
        let is_first = event.seq >= *next;
        if is_first {
            *next = event.seq + 1;
        }
        is_first
    }

    /// When what is on the screen changes by itself although nothing runs.
    pub fn next_change(&self) -> Option<DateTime<Utc>> {
        self.messages.expires(self.now)
    }

    /// Where everything is on the screen.
    pub fn layout(&self) -> Layout {
        Layout::of(self)
    }

    /// The place, once the cloud has answered.
    pub fn connection_info(&self) -> Option<&ConnectionInfo> {
        match &self.connection {
            Connection::Connected(info) => Some(info),
            Connection::Connecting | Connection::Failed(_) | Connection::NotRequired => None,
        }
    }

    /// What is at stake where the console is connected to. An unknown place is treated as if it cost money.
    pub fn risk(&self) -> RiskLevel {
        self.connection_info().map_or(RiskLevel::Cost, |info| info.risk)
    }

    /// The way in which the deployment is made: as what stands was, else as was asked for.
    pub fn strategy(&self) -> String {
        let standing = self.deployment.origin().filter(|_| self.deployment.is_standing());
        standing.map_or_else(|| self.requested.strategy.clone(), |origin| origin.strategy.to_string())
    }

    /// The panels that there are: stacks only where there are any, and Terraform's log only where it is at work.
    pub fn panels(&self) -> &'static [Panel] {
        let strategy = match &self.run {
            Some(run) => run.started.strategy.to_string(),
            None => self.strategy(),
        };
        match StrategyKind::ALL.into_iter().find(|kind| kind.as_str() == strategy) {
            Some(StrategyKind::Cloudformation) => &Panel::WITH_STACKS,
            Some(StrategyKind::Terraform) => &Panel::WITH_TERRAFORM,
            Some(StrategyKind::Sdk) | None => &Panel::USUAL,
        }
    }

    /// The log of a source.
    pub fn log_mut(&mut self, source: LogSource) -> &mut LogPane {
        match source {
            LogSource::Build => &mut self.build_log,
            LogSource::Function => &mut self.function_log,
            LogSource::Stack => &mut self.stack_log,
            LogSource::Terraform => &mut self.terraform_log,
        }
    }

    /// The log that is on the screen.
    pub fn shown_log(&self) -> Option<&LogPane> {
        match self.shown_panel() {
            Panel::Build => Some(&self.build_log),
            Panel::Function => Some(&self.function_log),
            Panel::Stacks => Some(&self.stack_log),
            Panel::Terraform => Some(&self.terraform_log),
            _ => None,
        }
    }

    /// The panel beside the resources, or in their place where there is room for one only.
    pub fn shown_panel(&self) -> Panel {
        if self.focus == Panel::Resources && self.layout().resources.is_some() { self.shown } else { self.focus }
    }

    /// Whether something happens whose time is shown, so that the clock must tick.
    pub fn is_ticking(&self) -> bool {
        self.activity.is_running() || matches!(self.connection, Connection::Connecting) || self.test_upload.is_waiting()
    }

    /// The contexts in which keys are understood now, innermost first.
    pub fn contexts(&self) -> Vec<Context> {
        let mut contexts = match &self.overlay {
            Some(overlay) => overlay.contexts().to_vec(),
            None => return self.contexts_without_overlay(),
        };
        contexts.push(Context::Always);
        contexts
    }

    /// The contexts in which keys are understood when no overlay is open, innermost first.
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

    /// We do nothing any more; perhaps another process does.
    pub fn set_idle(&mut self) {
        self.activity = match &self.holder {
            Some(holder) => Activity::OtherProcess { holder: holder.clone() },
            None => Activity::Idle,
        };
    }

    /// The selected resource's ARN, where it is known.
    pub fn selected_arn(&self) -> Option<String> {
        self.deployment.resource(self.resources.selected).and_then(|resource| resource.arn.clone())
    }

    /// Whether a line is being typed in the panel that has the keys.
    pub fn is_typing(&self) -> bool {
        match self.focus {
            Panel::Build => self.build_log.is_typing(),
            Panel::Function => self.function_log.is_typing(),
            Panel::Stacks => self.stack_log.is_typing(),
            Panel::Terraform => self.terraform_log.is_typing(),
            Panel::TestUpload => self.test_upload.is_typing(),
            Panel::Resources | Panel::Details | Panel::Timing => false,
        }
    }
}
