//! [`Action`]: the commands of the console, by name.

macro_rules! actions {
    ($($(#[$meta:meta])* $action:ident => $name:literal, $title:literal;)+) => {
        /// A command of the console. Keys, entries of the command palette and clicks map to it.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Action { $($(#[$meta])* $action),+ }

        impl Action {
            /// Every action, in the order of the help page.
            pub const ALL: &'static [Self] = &[$(Self::$action),+];

            /// The name in the configuration file.
            pub fn name(self) -> &'static str {
                match self { $(Self::$action => $name),+ }
            }

            /// The description in help and command palette.
            pub fn title(self) -> &'static str {
                match self { $(Self::$action => $title),+ }
            }
        }
    };
}

actions! {
    /// Runs the next step of the deployment; starts a run if there is none.
    RunStep => "do-next", "Run the next step";
    /// Runs all remaining steps without a prompt.
    RunAll => "run-on", "Run all remaining steps";
    /// Pauses the run before its next step.
    Pause => "pause", "Pause before the next step";
    /// Cancels the run, after confirmation.
    Cancel => "cancel", "Cancel the run";
    /// Destroys the deployment, after confirmation.
    Destroy => "destroy", "Destroy the deployment";
    /// Refreshes the state from the cloud.
    Refresh => "refresh", "Refresh from the cloud";
    /// Increases the replay speed.
    Faster => "faster", "Increase replay speed";
    /// Decreases the replay speed.
    Slower => "slower", "Decrease replay speed";

    /// Goes to the next panel.
    NextPanel => "next-panel", "Next panel";
    /// Goes to the previous panel.
    PreviousPanel => "previous-panel", "Previous panel";
    /// Goes to the resources.
    ShowResources => "show-resources", "Show the resources";
    /// Goes to the selected resource's details.
    ShowDetails => "show-details", "Show resource details";
    /// Goes to the build log.
    ShowBuild => "show-build", "Show build and build log";
    /// Goes to the function log.
    ShowFunction => "show-function", "Show function log";
    /// Goes to the stack events.
    ShowStacks => "show-stacks", "Show CloudFormation stack events";
    /// Goes to the Terraform output.
    ShowTerraform => "show-terraform", "Show Terraform output";
    /// Goes to the timing panel.
    ShowTiming => "show-timing", "Show timing";
    /// Goes to the test upload panel.
    ShowTestUpload => "show-trial", "Test upload";

    /// Moves up by one.
    Up => "up", "Up";
    /// Moves down by one.
    Down => "down", "Down";
    /// Moves left by one.
    Left => "left", "Left";
    /// Moves right by one.
    Right => "right", "Right";
    /// Moves up by a page.
    PageUp => "page-up", "Page up";
    /// Moves down by a page.
    PageDown => "page-down", "Page down";
    /// Goes to the top.
    Top => "top", "Go to the top";
    /// Goes to the bottom; in a log, follows it.
    Bottom => "bottom", "Go to the bottom";

    /// Shows or hides the dependencies of a resource.
    ToggleDependencies => "dependencies", "Show dependencies";
    /// Copies the selection: a log line or an ARN.
    Copy => "copy", "Copy log line or ARN";

    /// Searches the log.
    Search => "search", "Search the log";
    /// Goes to the next match.
    SearchNext => "search-next", "Next match";
    /// Goes to the previous match.
    SearchPrevious => "search-previous", "Previous match";
    /// Filters the log by a text.
    Filter => "filter", "Filter the log";
    /// Wraps long lines, or not.
    ToggleWrap => "wrap", "Wrap long lines";
    /// Saves the log to a file, or the thumbnails to a folder.
    Save => "save", "Save to a file";

    /// Chooses images to upload.
    Choose => "choose", "Choose images";
    /// Opens the input line for an image path.
    TypePath => "type-path", "Enter an image path";
    /// Marks or unmarks an image.
    Mark => "mark", "Mark an image";
    /// Switches between one image and all images.
    Enlarge => "enlarge", "Show one image or all";
    /// Uploads the chosen images.
    Send => "send", "Upload the images";

    /// Confirms.
    Accept => "accept", "Confirm";
    /// Closes the overlay; ends a search.
    Back => "back", "Back";
    /// Waits for the end of the run, then quits.
    QuitAfter => "quit-after", "Wait for the run, then quit";
    /// Cancels the run, then quits.
    QuitCancel => "quit-cancel", "Cancel the run, then quit";
    /// Quits now; the next start can resume the run.
    QuitLeave => "quit-leave", "Quit now, resume at next start";

    /// Shows the key bindings.
    Help => "help", "Help";
    /// Opens the command palette.
    Palette => "palette", "Command palette";
    /// Shows previous messages.
    Messages => "messages", "Messages";
    /// Suspends the program; the shell's `fg` continues it.
    Suspend => "suspend", "Suspend (fg continues)";
    /// Redraws the screen.
    Redraw => "redraw", "Redraw the screen";
    /// Quits the console.
    Quit => "quit", "Quit";
}

impl Action {
    /// The action with a name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|action| action.name() == name)
    }

    /// Whether the action moves within a panel or list.
    pub fn is_move(self) -> bool {
        matches!(
            self,
            Self::Up | Self::Down | Self::Left | Self::Right | Self::PageUp | Self::PageDown | Self::Top | Self::Bottom
        )
    }

    /// The label beside the key in the footer, at most two words.
    pub fn label(self) -> &'static str {
        match self {
            Self::RunStep => "run step",
            Self::RunAll => "run all",
            Self::Pause => "pause",
            Self::Cancel => "cancel",
            Self::Destroy => "destroy",
            Self::Refresh => "refresh",
            Self::Faster => "faster",
            Self::Slower => "slower",
            Self::NextPanel => "panel",
            Self::PreviousPanel => "previous panel",
            Self::ShowResources => "resources",
            Self::ShowDetails => "details",
            Self::ShowBuild => "build",
            Self::ShowFunction => "function",
            Self::ShowStacks => "stacks",
            Self::ShowTerraform => "terraform",
            Self::ShowTiming => "timing",
            Self::ShowTestUpload => "test upload",
            Self::Up => "up",
            Self::Down => "down",
            Self::Left => "left",
            Self::Right => "right",
            Self::PageUp => "page up",
            Self::PageDown => "page down",
            Self::Top => "top",
            Self::Bottom => "bottom",
            Self::ToggleDependencies => "dependencies",
            Self::Copy => "copy",
            Self::Search => "search",
            Self::SearchNext => "next",
            Self::SearchPrevious => "previous",
            Self::Filter => "filter",
            Self::ToggleWrap => "wrap",
            Self::Save => "save",
            Self::Choose => "choose",
            Self::TypePath => "enter path",
            Self::Mark => "mark",
            Self::Send => "upload",
            Self::Enlarge => "enlarge",
            Self::Accept => "accept",
            Self::Back => "back",
            Self::QuitAfter => "wait",
            Self::QuitCancel => "cancel",
            Self::QuitLeave => "leave",
            Self::Help => "help",
            Self::Palette => "commands",
            Self::Messages => "messages",
            Self::Suspend => "suspend",
            Self::Redraw => "redraw",
            Self::Quit => "quit",
        }
    }
}
