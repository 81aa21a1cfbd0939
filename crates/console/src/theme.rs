//! [`Theme`]: the styles of the console. The view uses roles ([`Role`]); the theme maps them to styles.

use ratatui::style::{Color, Modifier, Style};

/// The semantic role of a piece of the screen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Ordinary text.
    Text,
    /// Secondary text.
    Muted,
    /// Emphasized text.
    Strong,
    /// The border of a panel.
    Border,
    /// The border of the focused panel.
    FocusedBorder,
    /// The title of a panel.
    Title,
    /// The active tab.
    ActiveTab,
    /// The selected row of the focused panel.
    Selected,
    /// The selected row of another panel.
    SelectedElsewhere,
    /// Success.
    Good,
    /// Activity.
    Busy,
    /// A warning: a retry, a cancellation.
    Warn,
    /// Failure.
    Bad,
    /// The next step.
    Next,
    /// A key hint.
    Key,
    /// The badge of the program, and of a cloud without costs.
    Badge,
    /// The badge of a cloud with costs.
    RealBadge,
    /// A search match.
    Match,
    /// The current search match.
    CurrentMatch,
    /// A waterfall bar.
    Bar,
    /// A waterfall bar on the critical path.
    CriticalBar,
    /// A JSON key.
    JsonKey,
    /// A JSON string.
    JsonText,
    /// A JSON number or keyword.
    JsonValue,
}

/// A colour theme.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Theme {
    /// For dark backgrounds.
    #[default]
    Dark,
    /// For light backgrounds.
    Light,
    /// For projectors: strong colours only.
    HighContrast,
    /// Without colours, for `NO_COLOR`.
    Plain,
}

impl Theme {
    /// The name in the configuration file.
    pub fn name(self) -> &'static str {
        match self {
            Self::Dark => "dark",
            Self::Light => "light",
            Self::HighContrast => "high-contrast",
            Self::Plain => "plain",
        }
    }

    /// The style of a role, with colours of the 256-colour palette.
    pub fn style(self, role: Role) -> Style {
        match self {
            Self::Dark => dark(role),
            Self::Light => light(role),
            Self::HighContrast => high_contrast(role),
            Self::Plain => plain(role),
        }
    }
}

fn coloured(colour: u8) -> Style {
    Style::new().fg(Color::Indexed(colour))
}

fn on(colour: u8, background: u8) -> Style {
    coloured(colour).bg(Color::Indexed(background))
}

fn dark(role: Role) -> Style {
    match role {
        Role::Text => Style::new(),
        Role::Muted => coloured(245),
        Role::Strong => coloured(255).bold(),
        Role::Border => coloured(238),
        Role::FocusedBorder => coloured(74),
        Role::Title => coloured(250).bold(),
        Role::ActiveTab => coloured(117).bold(),
        Role::Selected => on(255, 24).bold(),
        Role::SelectedElsewhere => on(252, 236),
        Role::Good => coloured(114),
        Role::Busy => coloured(117),
        Role::Warn => coloured(221),
        Role::Bad => coloured(210).bold(),
        Role::Next => coloured(183),
        Role::Key => coloured(117),
        Role::Badge => on(16, 114).bold(),
        Role::RealBadge => on(231, 160).bold(),
        Role::Match => on(16, 179),
        Role::CurrentMatch => on(16, 221).bold(),
        Role::Bar => coloured(67),
        Role::CriticalBar => coloured(215),
        Role::JsonKey => coloured(117),
        Role::JsonText => coloured(150),
        Role::JsonValue => coloured(215),
    }
}

fn light(role: Role) -> Style {
    match role {
        Role::Text => Style::new(),
        Role::Muted => coloured(242),
        // The default colour, since the actual background may differ.
        Role::Strong => Style::new().bold(),
        Role::Border => coloured(250),
        Role::FocusedBorder => coloured(25),
        Role::Title => Style::new().bold(),
        Role::ActiveTab => coloured(25).bold(),
        Role::Selected => on(231, 25).bold(),
        Role::SelectedElsewhere => on(234, 254),
        Role::Good => coloured(28),
        Role::Busy => coloured(25),
        Role::Warn => coloured(130),
        Role::Bad => coloured(160).bold(),
        Role::Next => coloured(91),
        Role::Key => coloured(25),
        Role::Badge => on(231, 28).bold(),
        Role::RealBadge => on(231, 160).bold(),
        Role::Match => on(16, 222),
        Role::CurrentMatch => on(16, 214).bold(),
        Role::Bar => coloured(67),
        Role::CriticalBar => coloured(166),
        Role::JsonKey => coloured(25),
        Role::JsonText => coloured(28),
        Role::JsonValue => coloured(130),
    }
}

fn high_contrast(role: Role) -> Style {
    match role {
        Role::Text => coloured(231),
        Role::Muted => coloured(252),
        Role::Strong | Role::Title => coloured(231).bold(),
        Role::Border => coloured(250),
        Role::FocusedBorder | Role::ActiveTab | Role::Key => coloured(226).bold(),
        Role::Selected => on(16, 226).bold(),
        Role::SelectedElsewhere => on(16, 250),
        Role::Good | Role::JsonText => coloured(46).bold(),
        Role::Busy | Role::Bar | Role::JsonKey => coloured(51).bold(),
        Role::Warn | Role::CriticalBar | Role::JsonValue => coloured(226).bold(),
        Role::Bad => coloured(203).bold(),
        Role::Next => coloured(213).bold(),
        Role::Badge => on(16, 46).bold(),
        Role::RealBadge => on(231, 196).bold(),
        Role::Match => on(16, 51),
        Role::CurrentMatch => on(16, 226).bold(),
    }
}

fn plain(role: Role) -> Style {
    let style = Style::new();
    match role {
        Role::Strong | Role::Title | Role::FocusedBorder | Role::Bad | Role::CriticalBar | Role::Key => style.bold(),
        Role::JsonKey => style.bold(),
        Role::Muted | Role::Border => style.add_modifier(Modifier::DIM),
        Role::Selected | Role::Badge | Role::CurrentMatch | Role::ActiveTab => style.reversed(),
        Role::RealBadge => style.reversed().bold(),
        Role::SelectedElsewhere | Role::Match => style.underlined(),
        Role::Busy | Role::Next => style.bold(),
        Role::Warn => style.bold().underlined(),
        Role::Text | Role::Good | Role::Bar | Role::JsonText | Role::JsonValue => style,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Theme; 4] = [Theme::Dark, Theme::Light, Theme::HighContrast, Theme::Plain];

    /// Adjacent roles, which must be distinct even without colours.
    const SIDE_BY_SIDE: &[&[Role]] = &[
        &[Role::Text, Role::Muted, Role::Strong],
        &[Role::Text, Role::Bad],
        &[Role::Border, Role::FocusedBorder],
        &[Role::Muted, Role::ActiveTab],
        &[Role::Muted, Role::Key],
        &[Role::Text, Role::Selected, Role::SelectedElsewhere],
        &[Role::Text, Role::Match, Role::CurrentMatch],
        &[Role::Badge, Role::RealBadge],
        &[Role::Bar, Role::CriticalBar],
        &[Role::JsonKey, Role::JsonText],
    ];

    /// Roles of states, each with its own colour.
    const STATES: &[Role] = &[Role::Text, Role::Muted, Role::Good, Role::Busy, Role::Warn, Role::Bad, Role::Next];

    fn assert_distinct(theme: Theme, roles: &[Role]) {
        for (at, one) in roles.iter().enumerate() {
            for other in &roles[at + 1..] {
                assert_ne!(theme.style(*one), theme.style(*other), "{}: {one:?} and {other:?}", theme.name());
            }
        }
    }

    #[test]
    fn adjacent_roles_are_distinct_in_every_theme() {
        for theme in ALL {
            for roles in SIDE_BY_SIDE {
                assert_distinct(theme, roles);
            }
        }
    }

    #[test]
    fn states_are_distinct_with_colours() {
        for theme in [Theme::Dark, Theme::Light, Theme::HighContrast] {
            assert_distinct(theme, STATES);
            assert_distinct(theme, &[Role::JsonKey, Role::JsonText, Role::JsonValue, Role::Muted]);
        }
    }

    #[test]
    fn real_badge_is_unique() {
        for theme in ALL {
            let style = theme.style(Role::RealBadge);
            for role in
                [Role::Badge, Role::Selected, Role::SelectedElsewhere, Role::Match, Role::CurrentMatch, Role::Bad]
            {
                assert_ne!(style, theme.style(role), "{}: {role:?}", theme.name());
            }
        }
    }
}
