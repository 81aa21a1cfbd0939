use thumbctl_core::event::StrategyKind;
use thumbctl_core::resource::ResourceKind;

use super::*;
use crate::keymap::{CustomKeys, KeyMap};
use crate::message::Message;
use crate::model::messages::Severity;
use crate::model::overlay::Overlay;
use crate::scenes;
use crate::update::update;

fn line_of(model: &Model, row: u16) -> String {
    scenes::text_of(model).lines().nth(usize::from(row)).unwrap_or_default().to_owned()
}

#[test]
fn tab_at_matches_drawn_tabs() {
    for size in [(60, 20), (80, 24), (100, 30), (120, 40), (200, 60)] {
        let model = scenes::building(size);
        let layout = model.layout();
        let line: Vec<char> = line_of(&model, layout.tabs.y).chars().collect();
        for panel in layout.tabbed(&model.panels()) {
            let titles = [panel.tab().title, panel.tab().short_title].map(|title| title.chars().collect::<Vec<_>>());
            let from = usize::from(layout.tabs.x);
            let is_title = |at: &usize| titles.iter().any(|title| line[*at..].starts_with(title));
            let at = (from..line.len()).find(is_title).expect("the tab is drawn");
            let found = tab_at(layout.tabs, &layout, &model, u16::try_from(at).expect("a column"));
            assert_eq!(found, Some(*panel), "{size:?}");
        }
        assert_eq!(tab_at(layout.tabs, &layout, &model, layout.tabs.x), None, "before the first");
        assert_eq!(tab_at(layout.tabs, &layout, &model, size.0), None, "after the last");
    }
}

#[test]
fn stacks_tab_depends_on_strategy() {
    let mut model = scenes::empty((120, 40));
    assert!(!model.panels().contains(&Panel::Stacks));
    model.requested.strategy = StrategyKind::Cloudformation;
    let tabs = line_of(&model, model.layout().tabs.y);
    assert!(model.panels().contains(&Panel::Stacks) && tabs.contains("7 Stacks"), "{tabs}");
}

#[test]
fn terraform_tab_depends_on_strategy() {
    let mut model = scenes::empty((120, 40));
    assert!(!model.panels().contains(&Panel::Terraform));
    model.requested.strategy = StrategyKind::Terraform;
    let tabs = line_of(&model, model.layout().tabs.y);
    assert!(tabs.contains("8 Terraform") && !tabs.contains("7 Stacks"), "{tabs}");
}

#[test]
fn tabs_do_not_move_during_build() {
    for size in [(60, 20), (80, 24), (120, 40)] {
        let columns_of = |model: &Model| {
            let layout = model.layout();
            (0..size.0)
                .map(|x| tab_at(layout.tabs, &layout, model, x).map(|panel| panel.tab().title))
                .collect::<Vec<_>>()
        };
        assert_eq!(columns_of(&scenes::empty(size)), columns_of(&scenes::building(size)), "{size:?}");
        assert_eq!(columns_of(&scenes::empty(size)), columns_of(&scenes::failed(size)), "{size:?}");
    }
}

#[test]
fn active_tab_is_underlined_without_colours() {
    use ratatui::style::Modifier;
    let mut model = scenes::empty((120, 40));
    model.theme = crate::theme::Theme::Plain;
    let layout = model.layout();
    let screen = scenes::screen(&model);
    let styled: String = (layout.tabs.x..layout.tabs.right())
        .map(|x| &screen[(x, layout.tabs.y)])
        .filter(|cell| cell.modifier.contains(Modifier::UNDERLINED))
        .map(|cell| cell.symbol())
        .collect();
    assert_eq!(styled, "Details");
}

#[test]
fn key_hints_are_not_truncated() {
    for scene in [scenes::empty, scenes::building, scenes::failed, scenes::deployed, scenes::destroying] {
        let mut model = scene((60, 24));
        for width in 60..=140 {
            update(&mut model, Message::Resize(width, 24));
            let hints = hints::now(&model);
            let line = line_of(&model, model.layout().footer.y);
            let shown: Vec<&str> = line.trim().split("   ").map(str::trim).filter(|part| !part.is_empty()).collect();
            for part in &shown {
                let is_one = hints.iter().any(|hint| *part == format!("{} {}", hint.key, hint.label));
                assert!(is_one, "{width}: '{part}' in '{line}'");
            }
            assert!(shown.contains(&"? help") && shown.contains(&"q quit"), "{width}: {line}");
        }
    }
}

#[test]
fn only_available_keys_are_shown() {
    let keys = |model: &Model| hints::now(model).iter().map(|hint| hint.action).collect::<Vec<_>>();
    let empty = keys(&scenes::empty((120, 40)));
    assert!(empty.contains(&Action::RunStep) && !empty.contains(&Action::Destroy) && !empty.contains(&Action::Cancel));
    let building = keys(&scenes::building((120, 40)));
    assert!(building.contains(&Action::Cancel) && !building.contains(&Action::RunStep));
    let deployed = keys(&scenes::deployed((120, 40)));
    assert_eq!(deployed.first(), Some(&Action::Show(Panel::TestUpload)));
    assert!(deployed.contains(&Action::Destroy) && !deployed.contains(&Action::RunStep));
    let mut help = scenes::deployed((120, 40));
    help.overlay = Some(Overlay::Help { scroll: 0 });
    assert_eq!(keys(&help), [Action::Back]);
}

#[test]
fn custom_keys_are_shown() {
    let mut model = scenes::empty((120, 40));
    model.keymap = KeyMap::with(&[
        CustomKeys { action: "run-step".into(), keys: "f5".into() },
        CustomKeys { action: "show-timing".into(), keys: "T".into() },
    ])
    .expect("good keys");
    let screen = scenes::text_of(&model);
    assert!(
        screen.contains("f5 run step") && screen.contains("f5  run step") && screen.contains("T Timing"),
        "{screen}"
    );
}

#[test]
fn shadowed_key_is_not_shown() {
    let mut model = scenes::failed((120, 40));
    let has_next = |model: &Model| hints::now(model).iter().any(|hint| hint.action == Action::RunStep);
    assert!(has_next(&model));
    model.keymap = KeyMap::with(&[CustomKeys { action: "copy".into(), keys: "enter".into() }]).expect("good keys");
    assert!(!has_next(&model), "enter copies here");
    assert!(hints::now(&model).iter().any(|hint| hint.action == Action::Copy && hint.key == "enter"));
    model.resources.selected = ResourceKind::Image;
    assert!(has_next(&model), "a failed resource has no ARN");
}

#[test]
fn truncated_message_shows_key_for_more() {
    let mut model = scenes::empty((60, 20));
    let row = model.layout().message.y;
    model.messages.add(model.now, Severity::Info, "Short.");
    assert_eq!(line_of(&model, row), " · Short.");
    model.messages.add(model.now, Severity::Success, "long ".repeat(20));
    let line = line_of(&model, row);
    assert!(line.starts_with(" ✔ long") && line.ends_with("… m more"), "{line}");
    let failure = thumbctl_core::event::Failure::new("It failed.").with_hint("Do it again.");
    model.messages.add_failure(model.now, &failure);
    let line = line_of(&model, row);
    assert!(line.starts_with(" ✖ It failed.") && line.ends_with("m more"), "{line}");
}
