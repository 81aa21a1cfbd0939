//! [`Pane`]: what a [`Panel`] does: its keys, its actions and its drawing.
//!
//! A pane has no data of its own: what it knows is in the [`Model`], since other parts of the screen read it too. A pane
//! that shows a text needs only a scroll position, which every panel has; more is in its `state` module.

pub mod details;
pub mod log;
pub mod resources;
pub mod test_upload;
pub mod timing;

use crossterm::event::KeyEvent;
use ratatui::Frame;
use ratatui::layout::{Position, Rect};

use crate::keymap::{Action, Context, DefaultKeys, KeyMap};
use crate::message::Effect;
use crate::model::Model;
use crate::panel::Panel;
use crate::scroll;
use crate::theme::Role;
use crate::view::Appearance;
use crate::view::layout::Layout;

impl Panel {
    /// What the panel does.
    pub fn pane(self) -> &'static dyn Pane {
        match self {
            Self::Resources => &resources::ResourcesPane,
            Self::Details => &details::DetailsPane,
            Self::Build => &log::BUILD,
            Self::Function => &log::FUNCTION,
            Self::Stacks => &log::STACKS,
            Self::Terraform => &log::TERRAFORM,
            Self::Timing => &timing::TimingPane,
            Self::TestUpload => &test_upload::TestUploadPane,
        }
    }
}

/// What a panel does. An `area` is that of the panel with its border. By default it shows a text that scrolls.
pub trait Pane: Sync {
    /// The panel.
    fn panel(&self) -> Panel;

    /// The default keys, in the order of footer and help.
    fn keys(&self) -> Vec<DefaultKeys>;

    /// The active context of these keys.
    fn context(&self, model: &Model) -> Context;

    /// Draws the panel.
    fn draw(&self, frame: &mut Frame<'_>, area: Rect, model: &Model, appearance: Appearance);

    /// The number of rows of its text at a width inside the border.
    fn rows(&self, _model: &Model, _width: u16) -> usize {
        0
    }

    /// Whether an action of its keys is available.
    fn can(&self, _model: &Model, action: Action) -> bool {
        action.is_scroll()
    }

    /// Performs an available action.
    fn act(&self, model: &mut Model, action: Action) -> Vec<Effect> {
        self.scroll_text(model, action)
    }

    /// Performs an action that scrolls its text.
    fn scroll_text(&self, model: &mut Model, action: Action) -> Vec<Effect> {
        let inside = Layout::inside(model.layout().main);
        let rows = self.rows(model, inside.width);
        let position = model.scroll_mut(self.panel());
        *position = scroll::scrolled(*position, action, rows, inside.height);
        Vec::new()
    }

    /// Scrolls by lines, down if positive.
    fn scroll(&self, model: &mut Model, area: Rect, lines: i32) -> Vec<Effect> {
        let inside = Layout::inside(area);
        let most = scroll::limit(self.rows(model, inside.width), inside.height);
        let position = model.scroll_mut(self.panel());
        *position = scroll::moved(*position, lines).min(most);
        Vec::new()
    }

    /// Handles a click.
    fn click(&self, _model: &mut Model, _area: Rect, _at: Position) -> Vec<Effect> {
        Vec::new()
    }

    /// Whether an input line is open. Then only `Accept`, `Back`, `Up` and `Down` are performed.
    fn is_typing(&self, _model: &Model) -> bool {
        false
    }

    /// Handles a key in the input line.
    fn type_key(&self, _model: &mut Model, _key: KeyEvent) -> Vec<Effect> {
        Vec::new()
    }

    /// Handles the start of its display.
    fn enter(&self, _model: &mut Model) -> Vec<Effect> {
        Vec::new()
    }

    /// Handles another area of the panels.
    fn resize(&self, _model: &mut Model, _area: Rect) -> Vec<Effect> {
        Vec::new()
    }

    /// The effects that follow from the model after every message, whether the panel is displayed or not.
    fn follow_up(&self, _model: &mut Model) -> Vec<Effect> {
        Vec::new()
    }

    /// Whether the tab has a column for a symbol of activity.
    fn has_symbol(&self) -> bool {
        false
    }

    /// The symbol of activity in the tab.
    fn symbol(&self, _model: &Model, _look: Appearance) -> Option<(&'static str, Role)> {
        None
    }
}

impl Default for KeyMap {
    fn default() -> Self {
        let mut keys: Vec<DefaultKeys> = Vec::new();
        for panel in Panel::ALL {
            // Panes of one kind have the same keys.
            let new: Vec<_> = panel.pane().keys().into_iter().filter(|key| !keys.contains(key)).collect();
            keys.extend(new);
        }
        Self::of(&keys)
    }
}

impl Model {
    /// The focused pane.
    pub fn focused(&self) -> &'static dyn Pane {
        self.focus.pane()
    }

    /// Whether an input line is open in the focused panel.
    pub fn is_typing(&self) -> bool {
        self.focused().is_typing(self)
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
        let mut contexts = Vec::with_capacity(4);
        if self.activity.is_replay() {
            contexts.push(Context::Replay);
        }
        contexts.extend([self.focused().context(self), Context::Everywhere, Context::Always]);
        contexts
    }
}
