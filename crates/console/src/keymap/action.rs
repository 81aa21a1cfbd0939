//! [`Action`]: everything that can be done in the console, by name.

macro_rules! actions {
    ($($(#[$meta:meta])* $action:ident => $name:literal, $title:literal;)+) => {
        /// Everything that can be done in the console. A key, an entry of the command palette and a click all mean one of
        /// these.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Action { $($(#[$meta])* $action),+ }

        impl Action {
            /// Every action, in the order of the help page.
            pub const ALL: &'static [Self] = &[$(Self::$action),+];

            /// Its name in the configuration file.
            pub fn name(self) -> &'static str {
                match self { $(Self::$action => $name),+ }
            }

            /// What it does, in a few words.
            pub fn title(self) -> &'static str {
                match self { $(Self::$action => $title),+ }
            }
        }
    };
}

actions! {
    /// Does the next step of the deployment, beginning one where none runs.
    RunStep => "do-next", "Do the next step";
    /// Runs on to the end without asking.
    RunAll => "run-on", "Run on to the end";
    /// Holds the run before its next step.
    Pause => "pause", "Pause before the next step";
    /// Cancels what runs, after asking.
    Cancel => "cancel", "Cancel what runs";
    /// Destroys the deployment, after asking.
    Destroy => "destroy", "Destroy everything";
    /// Asks the cloud again.
    Refresh => "refresh", "Ask the cloud again";
    /// Plays a recording faster.
    Faster => "faster", "Play faster";
    /// Plays a recording slower.
    Slower => "slower", "Play slower";

    /// Goes to the next panel.
    NextPanel => "next-panel", "Next panel";
    /// Goes to the panel before.
    PreviousPanel => "previous-panel", "Previous panel";
    /// Goes to the resources.
    ShowResources => "show-resources", "Show the resources";
    /// Goes to the selected resource's details.
    ShowDetails => "show-details", "Show the details of a resource";
    /// Goes to the build's log.
    ShowBuild => "show-build", "Show the build and its log";
    /// Goes to the function's log.
    ShowFunction => "show-function", "Show the function's log";
    /// Goes to the log of stacks.
    ShowStacks => "show-stacks", "Show what CloudFormation says of its stacks";
    /// The log of Terraform's output.
    ShowTerraform => "show-terraform", "Show what Terraform says";
    /// Goes to the times.
    ShowTiming => "show-timing", "Show what took how long";
    /// Goes to the trial.
    ShowTestUpload => "show-trial", "Try it with an image";

    /// One up.
    Up => "up", "Up";
    /// One down.
    Down => "down", "Down";
    /// One to the left.
    Left => "left", "Left";
    /// One to the right.
    Right => "right", "Right";
    /// A page up.
    PageUp => "page-up", "Page up";
    /// A page down.
    PageDown => "page-down", "Page down";
    /// To the top.
    Top => "top", "To the top";
    /// To the bottom; in a log, to follow it.
    Bottom => "bottom", "To the bottom";

    /// Shows or hides what a resource depends on.
    ToggleDependencies => "dependencies", "Show what depends on what";
    /// Copies what is selected: a line of a log, an ARN.
    Copy => "copy", "Copy the line or ARN";

    /// Searches the log.
    Search => "search", "Search the log";
    /// To the next match.
    SearchNext => "search-next", "Next match";
    /// To the match before.
    SearchPrevious => "search-previous", "Previous match";
    /// Shows only lines that contain a text.
    Filter => "filter", "Show only lines that contain";
    /// Breaks long lines, or does not.
    ToggleWrap => "wrap", "Break long lines";
    /// Saves the log to a file, or the thumbnails to a folder.
    Save => "save", "Save to a file";

    /// Chooses images to send.
    Choose => "choose", "Choose images";
    /// Types the path of an image.
    TypePath => "type-path", "Type the path of an image";
    /// Marks an image, or takes the mark away.
    Mark => "mark", "Mark an image";
    /// Looks at one image of several, or at all again.
    Enlarge => "enlarge", "Look at one image, or at all";
    /// Sends the chosen images.
    Send => "send", "Send the images";

    /// Says yes to what is asked.
    Accept => "accept", "Yes";
    /// Closes what is open; ends a search.
    Back => "back", "Back";
    /// Waits for the end, then quits.
    QuitAfter => "quit-after", "Wait for the end, then quit";
    /// Cancels what runs, then quits.
    QuitCancel => "quit-cancel", "Cancel, then quit";
    /// Quits and leaves what runs to the next start.
    QuitLeave => "quit-leave", "Quit at once, go on at the next start";

    /// Shows the keys.
    Help => "help", "Help";
    /// Opens the command palette.
    Palette => "palette", "All commands by name";
    /// Shows earlier messages.
    Messages => "messages", "Earlier messages";
    /// Stops the program for a while; the shell's `fg` goes on.
    Suspend => "suspend", "Suspend (fg continues)";
    /// Draws everything anew.
    Redraw => "redraw", "Draw anew";
    /// Ends the console.
    Quit => "quit", "Quit";
}

impl Action {
    /// The action of a name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|action| action.name() == name)
    }

    /// Whether it moves within a panel or a list.
    pub fn is_move(self) -> bool {
        matches!(
            self,
            Self::Up | Self::Down | Self::Left | Self::Right | Self::PageUp | Self::PageDown | Self::Top | Self::Bottom
        )
    }

    /// What stands beside its key in the footer: a word or two.
    pub fn label(self) -> &'static str {
        match self {
            Self::RunStep => "next",
            Self::RunAll => "run on",
            Self::Pause => "pause",
            Self::Cancel => "cancel",
            Self::Destroy => "destroy",
            Self::Refresh => "refresh",
            Self::Faster => "faster",
            Self::Slower => "slower",
            Self::NextPanel => "panel",
            Self::PreviousPanel => "back a panel",
            Self::ShowResources => "resources",
            Self::ShowDetails => "details",
            Self::ShowBuild => "build",
            Self::ShowFunction => "function",
            Self::ShowStacks => "stacks",
            Self::ShowTerraform => "terraform",
            Self::ShowTiming => "timing",
            Self::ShowTestUpload => "try it",
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
            Self::TypePath => "type a path",
            Self::Mark => "mark",
            Self::Send => "send",
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
