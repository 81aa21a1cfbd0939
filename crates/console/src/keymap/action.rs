//! [`Action`]: the commands of the console, by name.

use crate::panel::Panel;

macro_rules! actions {
    (
        $($(#[$meta:meta])* $action:ident => $name:literal, $title:literal, $label:literal;)+
        [Show(panel)];
        $($(#[$meta_after:meta])* $after:ident => $name_after:literal, $title_after:literal, $label_after:literal;)+
    ) => {
        /// A command of the console. Keys, entries of the command palette and clicks map to it.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Action {
            $($(#[$meta])* $action,)+
            /// Goes to a panel.
            Show(Panel),
            $($(#[$meta_after])* $after),+
        }

        impl Action {
            /// Every action, in the order of the help page.
            pub fn all() -> Vec<Self> {
                let mut all = vec![$(Self::$action),+];
                all.extend(Panel::ALL.iter().copied().map(Self::Show));
                all.extend([$(Self::$after),+]);
                all
            }

            /// The name in the configuration file.
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$action => $name,)+
                    Self::Show(panel) => panel.tab().name,
                    $(Self::$after => $name_after),+
                }
            }

            /// The description in help and command palette.
            pub fn title(self) -> &'static str {
                match self {
                    $(Self::$action => $title,)+
                    Self::Show(panel) => panel.tab().command,
                    $(Self::$after => $title_after),+
                }
            }

            /// The label beside the key in the footer, at most two words.
            pub fn label(self) -> &'static str {
                match self {
                    $(Self::$action => $label,)+
                    Self::Show(panel) => panel.tab().label,
                    $(Self::$after => $label_after),+
                }
            }
        }
    };
}

actions! {
    /// Runs the next step of the deployment; starts a run if there is none.
    RunStep => "run-step", "Run the next step", "run step";
    /// Runs all remaining steps without a prompt.
    RunAll => "run-all", "Run all remaining steps", "run all";
    /// Pauses the run before its next step.
    Pause => "pause", "Pause before the next step", "pause";
    /// Cancels the run, after confirmation.
    Cancel => "cancel", "Cancel the run", "cancel";
    /// Destroys the deployment, after confirmation.
    Destroy => "destroy", "Destroy the deployment", "destroy";
    /// Refreshes the state from the cloud.
    Refresh => "refresh", "Refresh from the cloud", "refresh";
    /// Increases the replay speed.
    Faster => "faster", "Increase replay speed", "faster";
    /// Decreases the replay speed.
    Slower => "slower", "Decrease replay speed", "slower";

    /// Goes to the next panel.
    NextPanel => "next-panel", "Next panel", "panel";
    /// Goes to the previous panel.
    PreviousPanel => "previous-panel", "Previous panel", "previous panel";
    [Show(panel)];

    /// Moves up by one.
    Up => "up", "Up", "up";
    /// Moves down by one.
    Down => "down", "Down", "down";
    /// Moves left by one.
    Left => "left", "Left", "left";
    /// Moves right by one.
    Right => "right", "Right", "right";
    /// Moves up by a page.
    PageUp => "page-up", "Page up", "page up";
    /// Moves down by a page.
    PageDown => "page-down", "Page down", "page down";
    /// Goes to the top.
    Top => "top", "Go to the top", "top";
    /// Goes to the bottom; in a log, follows it.
    Bottom => "bottom", "Go to the bottom", "bottom";

    /// Shows or hides the dependencies of a resource.
    ToggleDependencies => "dependencies", "Show dependencies", "dependencies";
    /// Copies the selection: a log line or an ARN.
    Copy => "copy", "Copy log line or ARN", "copy";

    /// Searches the log.
    Search => "search", "Search the log", "search";
    /// Goes to the next match.
    SearchNext => "search-next", "Next match", "next";
    /// Goes to the previous match.
    SearchPrevious => "search-previous", "Previous match", "previous";
    /// Filters the log by a text.
    Filter => "filter", "Filter the log", "filter";
    /// Wraps long lines, or not.
    ToggleWrap => "wrap", "Wrap long lines", "wrap";
    /// Saves the log to a file, or the thumbnails to a folder.
    Save => "save", "Save to a file", "save";

    /// Chooses images to upload.
    Choose => "choose", "Choose images", "choose";
    /// Opens the input line for an image path.
    TypePath => "type-path", "Enter an image path", "enter path";
    /// Marks or unmarks an image.
    Mark => "mark", "Mark an image", "mark";
    /// Switches between one image and all images.
    Enlarge => "enlarge", "Show one image or all", "enlarge";
    /// Uploads the chosen images.
    Send => "send", "Upload the images", "upload";

    /// Confirms.
    Accept => "accept", "Confirm", "accept";
    /// Closes the overlay; ends a search.
    Back => "back", "Back", "back";
    /// Waits for the end of the run, then quits.
    QuitAfter => "quit-after", "Wait for the run, then quit", "wait";
    /// Cancels the run, then quits.
    QuitCancel => "quit-cancel", "Cancel the run, then quit", "cancel";
    /// Quits now; the next start can resume the run.
    QuitLeave => "quit-leave", "Quit now, resume at next start", "leave";

    /// Shows the key bindings.
    Help => "help", "Help", "help";
    /// Opens the command palette.
    Palette => "palette", "Command palette", "commands";
    /// Shows previous messages.
    Messages => "messages", "Messages", "messages";
    /// Suspends the program; the shell's `fg` continues it.
    Suspend => "suspend", "Suspend (fg continues)", "suspend";
    /// Redraws the screen.
    Redraw => "redraw", "Redraw the screen", "redraw";
    /// Quits the console.
    Quit => "quit", "Quit", "quit";
}

impl Action {
    /// The action with a name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::all().into_iter().find(|action| action.name() == name)
    }

    /// Whether the action scrolls a text or moves in a list.
    pub fn is_scroll(self) -> bool {
        matches!(self, Self::Up | Self::Down | Self::PageUp | Self::PageDown | Self::Top | Self::Bottom)
    }

    /// Whether the action moves within a panel or list.
    pub fn is_move(self) -> bool {
        self.is_scroll() || matches!(self, Self::Left | Self::Right)
    }
}
