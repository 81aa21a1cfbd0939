//! Snapshots of whole screens: every state at every size, and overlays.

mod credentials;
mod hostile;

use insta::assert_snapshot;
use proptest::prelude::*;
use thumbctl_core::event::{Action as RunAction, Failure};
use thumbctl_core::names::DeploymentName;
use thumbctl_core::resource::ResourceKind;
use tui_input::Input;

use crate::message::{ConnectionInfo, Message, RiskLevel};
use crate::model::activity::Activity;
use crate::model::messages::Severity;
use crate::model::overlay::{ConfirmAction, ConfirmDialog, ConfirmInput, Overlay};
use crate::model::{Connection, Model};
use crate::panel::Panel;
use crate::scenes::{self, text_of};
use crate::symbols;
use crate::theme::{Role, Theme};
use crate::update::{perform, update};

/// The tested sizes: minimum, usual terminal, laptop, projector.
const SIZES: [(u16, u16); 4] = [(60, 20), (80, 24), (120, 40), (200, 60)];

/// A scene at a size.
type Scene = fn((u16, u16)) -> Model;

/// The tested states.
const SCENES: [(&str, Scene); 5] = [
    ("empty", scenes::empty),
    ("building", scenes::building),
    ("failed", scenes::failed),
    ("deployed", scenes::deployed),
    ("destroying", scenes::destroying),
];

fn sized(name: &str, (width, height): (u16, u16)) -> String {
    format!("{name}_{width}x{height}")
}

#[test]
fn states_are_drawn_at_every_size() {
    for (name, scene) in SCENES {
        for size in SIZES {
            assert_snapshot!(sized(name, size), text_of(&scene(size)));
        }
    }
}

#[test]
fn too_small_terminal_shows_message() {
    assert_snapshot!("too_small_59x19", text_of(&scenes::building((59, 19))));
}

/// A deployment held before its next step.
fn held(size: (u16, u16)) -> Model {
    let mut model = scenes::empty(size);
    scenes::start_run(&mut model, RunAction::Deploy);
    let plan = scenes::deploy_plan();
    let mut script = scenes::EventScript::new(1, RunAction::Deploy, 0.0);
    let mut events = vec![script.begin(RunAction::Deploy, plan.clone())];
    for step in &plan.steps()[..5] {
        events.extend(script.step_starts(step, thumbctl_core::resource::ResourceState::Creating));
        script.wait(0.3);
        events.extend(script.step_ends(step, thumbctl_core::resource::ResourceState::Ready, 0.3));
    }
    scenes::apply_events(&mut model, events);
    scenes::hold(&mut model, &plan.steps()[5].id);
    update(&mut model, Message::Tick(scenes::after(75.0)));
    model
}

#[test]
fn held_step_is_explained() {
    for size in SIZES {
        assert_snapshot!(sized("held", size), text_of(&held(size)));
    }
}

fn aws(size: (u16, u16), scene: Scene) -> Model {
    let mut model = scene(size);
    model.connection = Connection::Connected(ConnectionInfo {
        cloud: "aws".into(),
        risk: RiskLevel::Cost,
        account: "123456789012".into(),
        arn: "arn:aws:sts::123456789012:assumed-role/AWSReservedSSO_Workshop_0123456789abcdef/somebody@example.com"
            .into(),
        region: "eu-central-1".into(),
    });
    model
}

#[test]
fn aws_is_highlighted() {
    for size in [(60, 20), (120, 40)] {
        let model = aws(size, scenes::building);
        assert_snapshot!(sized("aws", size), text_of(&model));
        let screen = scenes::screen(&model);
        let style = Theme::Dark.style(Role::RealBadge);
        for x in 0..size.0 {
            let cell = &screen[(x, 0)];
            assert_eq!((Some(cell.fg), Some(cell.bg)), (style.fg, style.bg), "column {x} of the first line");
        }
    }
}

#[test]
fn connecting_and_failed_connection_are_shown() {
    for size in [(60, 20), (120, 40)] {
        let mut model = scenes::fresh(size);
        update(&mut model, Message::JournalsRead);
        assert_snapshot!(sized("connecting", size), text_of(&model));
        let failure = Failure {
            message: "cannot reach the endpoint http://localhost:4566".into(),
            causes: vec!["connection refused".into()],
            log: Vec::new(),
            hint: Some("start the endpoint, or choose another cloud with --cloud".into()),
        };
        update(&mut model, Message::NotConnected(failure));
        assert_snapshot!(sized("not_connected", size), text_of(&model));
    }
}

#[test]
fn other_process_and_replay_are_read_only() {
    for size in [(60, 20), (120, 40)] {
        let mut model = scenes::building(size);
        model.activity = Activity::OtherProcess { holder: "process 4711 (thumbctl deploy)".into() };
        assert_snapshot!(sized("other_process", size), text_of(&model));
        model.activity = Activity::Replay(crate::message::ReplayPosition {
            run: "0001-deploy-00ab".into(),
            speed: 10.0,
            paused: false,
            over: false,
        });
        model.connection = Connection::NotRequired;
        assert_snapshot!(sized("replay", size), text_of(&model));
    }
}

#[test]
fn interrupted_deployment_can_be_resumed() {
    for size in [(80, 24), (120, 40)] {
        let mut model = scenes::building(size);
        model.activity = Activity::Idle;
        assert_snapshot!(sized("interrupted", size), text_of(&model));
    }
}

fn dialog(resources: usize, input: ConfirmInput) -> Overlay {
    Overlay::Confirm(ConfirmDialog {
        prompt: "Destroy deployment?".into(),
        consequence: format!("Delete {resources} resources and their contents from sandbox?"),
        resources: ResourceKind::ARCHITECTURE[..resources]
            .iter()
            .map(|kind| (*kind, scenes::names().of(*kind)))
            .collect(),
        foreign: vec!["thumbnails-1a2b3c4d-elsewhere".into()],
        input,
        action: ConfirmAction::Start,
        scroll: 0,
    })
}

/// All overlays.
fn overlays() -> Vec<(&'static str, Overlay)> {
    vec![
        ("help", Overlay::Help { scroll: 0 }),
        ("messages", Overlay::Messages { scroll: 0 }),
        ("palette", Overlay::Palette { input: Input::default(), selected: 2 }),
        ("palette_typed", Overlay::Palette { input: Input::new("sho".into()), selected: 0 }),
        ("palette_nothing", Overlay::Palette { input: Input::new("日本".into()), selected: 0 }),
        ("confirm_key", dialog(15, ConfirmInput::Key)),
        ("confirm_word", dialog(15, ConfirmInput::Word(Input::new("ye".into())))),
        ("confirm_few", dialog(2, ConfirmInput::Key)),
        ("quitting", Overlay::Quitting),
    ]
}

#[test]
fn overlays_fit_minimum_and_large_size() {
    for (name, overlay) in overlays() {
        for size in [(60, 20), (120, 40)] {
            let mut model = scenes::failed(size);
            model.messages.add(model.now, Severity::Info, "Cancelled. No changes were made.");
            model.messages.add(model.now, Severity::Success, "The log was saved to /home/somebody/thumbctl-build.log.");
            if name == "quitting" {
                model = scenes::building(size);
            }
            if name == "confirm_word" {
                model = aws(size, scenes::deployed);
            }
            model.overlay = Some(overlay.clone());
            assert_snapshot!(sized(name, size), text_of(&model));
        }
    }
}

#[test]
fn long_names_and_wide_characters_stay_in_columns() {
    for size in [(60, 20), (80, 24), (120, 40)] {
        let mut model = scenes::building(size);
        let name = "a-deployment-with-the-longest-legal-name";
        model.requested.name = DeploymentName::new(name).expect("a legal name");
        model.requested.cloud = "http://ein-sehr-langer-rechnername.intranet.example.com:4566/some/path".into();
        if let Connection::Connected(connection) = &mut model.connection {
            connection.cloud.clone_from(&model.requested.cloud);
            connection.risk = RiskLevel::Data;
        }
        let words = "サムネイルは大阪のバケットに書き込まれました、とても長い文なので切り取られます。".repeat(2);
        model.messages.add(model.now, Severity::Success, words);
        assert_snapshot!(sized("long", size), text_of(&model));
    }
}

#[test]
fn ascii_symbols_are_used_without_unicode() {
    for (name, scene) in SCENES {
        for size in SIZES {
            let mut model = scene(size);
            model.symbols = &symbols::ASCII;
            model.resources.dependencies = true;
            model.resources.selected = ResourceKind::Function;
            for overlay in [None].into_iter().chain(overlays().into_iter().map(Some)) {
                let is_wide = matches!(&overlay, Some((name, _)) if *name == "palette_nothing");
                model.overlay = overlay.map(|(_, overlay)| overlay);
                let text = text_of(&model);
                let strange = text.chars().find(|c| !c.is_ascii() && !is_wide);
                assert_eq!(strange, None, "{name} {size:?}\n{text}");
            }
        }
    }
    let mut model = scenes::building((120, 40));
    model.symbols = &symbols::ASCII;
    assert_snapshot!("ascii_120x40", text_of(&model));
}

#[test]
fn control_characters_do_not_reach_screen() {
    let evil = "a\u{1b}[31mred\u{7}\r\n\u{202e}b\tc\u{0}";
    let mut model = scenes::failed((120, 40));
    model.messages.add_failure(model.now, &Failure::new(evil).with_hint(evil));
    model.connection = Connection::Failed(Failure { causes: vec![evil.into()], ..Failure::new(evil) });
    for overlay in [
        None,
        Some(Overlay::Messages { scroll: 0 }),
        Some(Overlay::Palette { input: Input::new(evil.into()), selected: 0 }),
    ] {
        model.overlay = overlay;
        let screen = scenes::screen(&model);
        let bad = screen.content().iter().find(|cell| cell.symbol().chars().any(char::is_control));
        assert_eq!(bad, None);
    }
}

#[test]
fn shrunk_screen_is_not_drawn_before_resize() {
    let model = scenes::building((120, 40));
    let mut terminal = ratatui::Terminal::new(ratatui::backend::TestBackend::new(80, 24)).expect("a test screen");
    terminal.draw(|frame| super::draw(frame, &model)).expect("it does not fail");
    let is_blank = terminal.backend().buffer().content().iter().all(|cell| cell.symbol() == " ");
    assert!(is_blank);
}

#[test]
fn plain_theme_has_no_colours() {
    use ratatui::style::Color;
    for (_, scene) in SCENES {
        let mut model = scene((120, 40));
        model.theme = Theme::Plain;
        let screen = scenes::screen(&model);
        let coloured = screen.content().iter().find(|cell| cell.fg != Color::Reset || cell.bg != Color::Reset);
        assert_eq!(coloured, None);
    }
}

/// All panels.
const PANELS: &[Panel] = Panel::ALL;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn any_state_is_drawn_at_any_size(
        scene in 0..SCENES.len(),
        width in 0u16..=250,
        height in 0u16..=80,
        overlay in proptest::option::of(0usize..9),
        focus in 0..PANELS.len(),
        shown in 1..PANELS.len(),
        selected in 0..ResourceKind::ARCHITECTURE.len(),
        scroll in any::<u16>(),
        dependencies in any::<bool>(),
        ascii in any::<bool>(),
    ) {
        let mut model = SCENES[scene].1((width, height));
        model.focus = PANELS[focus];
        model.shown = PANELS[shown];
        model.resources.selected = ResourceKind::ARCHITECTURE[selected];
        model.resources.dependencies = dependencies;
        *model.scroll_mut(Panel::Details) = scroll;
        model.overlay = overlay.map(|at| overlays().remove(at).1);
        if let Some(Overlay::Help { scroll: at } | Overlay::Messages { scroll: at }) = &mut model.overlay {
            *at = scroll;
        }
        if let Some(Overlay::Confirm(dialog)) = &mut model.overlay {
            dialog.scroll = scroll;
        }
        if ascii {
            model.symbols = &symbols::ASCII;
        }
        scenes::screen(&model);
        perform(&mut model, crate::keymap::Action::PageDown);
        perform(&mut model, crate::keymap::Action::Bottom);
        scenes::screen(&model);
    }
}
