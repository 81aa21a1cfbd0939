use super::*;
use crate::keymap::Action;
use crate::model::messages::Severity;
use crate::scenes;
use crate::update::perform;

#[test]
fn dialog_stays_on_screen_between_header_and_footer() {
    for width in 0..130 {
        for height in 0..50 {
            let screen = Rect::new(0, 0, width, height);
            let area = centred(screen, 64, 18);
            assert_eq!(area.intersection(screen), area, "{screen}");
            if height >= 20 && width >= 60 {
                assert!(area.y >= 2 && area.bottom() <= height - 2, "{screen}");
            }
        }
    }
}

#[test]
fn help_is_completely_scrollable_at_minimum_size() {
    let mut model = scenes::deployed((60, 20));
    perform(&mut model, Action::Help);
    let mut seen = String::new();
    for _ in 0..10 {
        seen.push_str(&scenes::text_of(&model));
        perform(&mut model, Action::PageDown);
    }
    for binding in model.contexts_without_overlay().into_iter().flat_map(|context| model.keymap.bindings(context)) {
        let (works, title) = (crate::update::available_without_overlay(&model, binding.action), binding.action.title());
        // A short title may be part of another word: `Up`.
        if works || title.len() >= 12 {
            assert_eq!(seen.contains(title), works, "{title}");
        }
    }
}

#[test]
fn messages_start_at_end_and_scroll_to_start() {
    let mut model = scenes::empty((60, 20));
    for number in 1..=60 {
        model.messages.add(model.now, Severity::Info, format!("Message number {number}."));
    }
    model.now = scenes::after(60.0);
    perform(&mut model, Action::Messages);
    let screen = scenes::text_of(&model);
    assert!(screen.contains("number 60.") && !screen.contains("number 1."), "{screen}");
    perform(&mut model, Action::Top);
    let screen = scenes::text_of(&model);
    assert!(screen.contains("number 1.") && !screen.contains("number 60."), "{screen}");
    perform(&mut model, Action::Down);
    assert!(!scenes::text_of(&model).contains("number 1."), "one press scrolls");
}

#[test]
fn palette_shows_cursor() {
    let mut model = scenes::empty((80, 24));
    model.overlay = Some(Overlay::Palette { input: tui_input::Input::new("run".into()), selected: 0 });
    let mut terminal = ratatui::Terminal::new(ratatui::backend::TestBackend::new(80, 24)).expect("a test screen");
    terminal.draw(|frame| crate::view::draw(frame, &model)).expect("it does not fail");
    let cursor = terminal.get_cursor_position().expect("a test screen has a cursor");
    let before: String =
        (0..3).map(|back| terminal.backend().buffer()[(cursor.x - 3 + back, cursor.y)].symbol()).collect();
    assert_eq!(before, "run");
}

#[test]
fn wide_character_beneath_does_not_shift_border() {
    let mut model = scenes::empty((120, 40));
    let area = centred(model.layout().screen, 64, 18);
    let mut terminal = ratatui::Terminal::new(ratatui::backend::TestBackend::new(120, 40)).expect("a test screen");
    model.overlay = Some(Overlay::Palette { input: tui_input::Input::default(), selected: 0 });
    let appearance = Appearance::of(&model);
    terminal
        .draw(|frame| {
            frame.buffer_mut()[(area.x - 1, area.y + 1)].set_symbol("日");
            draw(frame, frame.area(), &model, appearance);
        })
        .expect("it does not fail");
    assert_eq!(terminal.backend().buffer()[(area.x - 1, area.y + 1)].symbol(), " ");
    assert_eq!(terminal.backend().buffer()[(area.x, area.y + 1)].symbol(), "│");
}
