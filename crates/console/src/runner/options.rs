//! Conversion of settings to console options.

use thumbctl_deploy::settings::{CloudChoice, DEFAULT_STRATEGY, PictureChoice, Settings, SymbolChoice, ThemeChoice};

use super::ConsoleError;
use crate::keymap::{CustomKeys, KeyMap, KeyMapError};
use crate::model::RequestedDeployment;
use crate::pictures::GraphicsKind;
use crate::symbols::{self, Symbols};
use crate::theme::Theme;

pub(super) fn requested(settings: &Settings) -> RequestedDeployment {
    let cloud = match (&settings.endpoint_url, settings.cloud) {
        (Some(url), _) => url.clone(),
        (None, CloudChoice::Sandbox) => "sandbox".to_owned(),
        (None, CloudChoice::Aws) => "aws".to_owned(),
    };
    RequestedDeployment {
        cloud,
        region: settings.region.clone(),
        name: settings.name.clone(),
        strategy: settings.strategy.unwrap_or(DEFAULT_STRATEGY),
        parallelism: settings.parallelism.get(),
    }
}

pub(super) fn keymap(settings: &Settings) -> Result<KeyMap, ConsoleError> {
    let mut custom: Vec<CustomKeys> = Vec::new();
    for key in &settings.console.keys {
        custom.push(CustomKeys { action: key.action.clone(), keys: key.keys.clone() });
        // One by one, so that the error names the line.
        if let Err(source @ (KeyMapError::UnknownAction(_) | KeyMapError::UnknownKey { .. })) = KeyMap::with(&custom) {
            return Err(ConsoleError::Keys { origin: key.origin.to_string(), source });
        }
    }
    KeyMap::with(&custom).map_err(|source| {
        let origin = settings.console.keys.last().map(|key| key.origin.to_string()).unwrap_or_default();
        ConsoleError::Keys { origin, source }
    })
}

pub(super) fn theme(choice: ThemeChoice) -> Option<Theme> {
    // https://no-color.org: present and not empty.
    let no_colour = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    match choice {
        ThemeChoice::Auto if no_colour => Some(Theme::Plain),
        ThemeChoice::Auto => None,
        ThemeChoice::Dark => Some(Theme::Dark),
        ThemeChoice::Light => Some(Theme::Light),
        ThemeChoice::HighContrast => Some(Theme::HighContrast),
        ThemeChoice::Plain => Some(Theme::Plain),
    }
}

pub(super) fn symbol_set(choice: SymbolChoice) -> &'static Symbols {
    let unicode = match choice {
        SymbolChoice::Unicode => true,
        SymbolChoice::Ascii => false,
        SymbolChoice::Auto => locale_is_unicode(),
    };
    if unicode { &symbols::UNICODE } else { &symbols::ASCII }
}

/// Whether the locale's encoding is UTF-8, by the first variable that is set. The Linux console has only 256 glyphs in any
/// locale.
fn locale_is_unicode() -> bool {
    if std::env::var_os("TERM").is_some_and(|term| term == "linux") {
        return false;
    }
    let set = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().filter_map(std::env::var_os).find(|value| !value.is_empty());
    set.is_none_or(|locale| {
        let locale = locale.to_string_lossy().to_uppercase();
        locale.contains("UTF-8") || locale.contains("UTF8")
    })
}

/// The configured graphics protocol; none: by the terminal's capabilities.
pub(super) fn graphics_kind(choice: PictureChoice) -> Option<GraphicsKind> {
    match choice {
        PictureChoice::Auto => None,
        PictureChoice::Kitty => Some(GraphicsKind::Kitty),
        PictureChoice::Iterm2 => Some(GraphicsKind::Iterm2),
        PictureChoice::Sixel => Some(GraphicsKind::Sixel),
        PictureChoice::HalfBlocks => Some(GraphicsKind::Halfblocks),
    }
}
