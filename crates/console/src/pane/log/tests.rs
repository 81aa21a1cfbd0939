//! Tests of the drawn panel.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers, MouseButton, MouseEvent, MouseEventKind};
use insta::assert_snapshot;
use proptest::prelude::*;
use ratatui::buffer::Buffer;
use ratatui::style::{Color, Modifier};
use thumbctl_core::event;

use super::*;
use crate::log_store;
use crate::message::{Effect, Message};
use crate::scenes::{self, EventScript};
use crate::symbols;
use crate::theme::Theme;
use crate::update::update;

/// Applies a message and the reports of the log stores.
fn send(model: &mut Model, message: Message) -> Vec<Effect> {
    let effects = update(model, message);
    scenes::run_store_effects(model, effects.clone());
    effects
}

fn press(model: &mut Model, keys: &str) -> Vec<Effect> {
    let mut effects = Vec::new();
    for key in keys.chars() {
        let code = match key {
            '\n' => KeyCode::Enter,
            '\u{1b}' => KeyCode::Esc,
            letter => KeyCode::Char(letter),
        };
        effects.extend(send(model, Message::Key(KeyEvent::new(code, KeyModifiers::NONE))));
    }
    effects
}

/// A running build with the focus on its panel.
fn building(size: (u16, u16)) -> Model {
    let mut model = scenes::building(size);
    press(&mut model, "3");
    model
}

/// A build with log lines.
fn logged(size: (u16, u16), lines: &[&str]) -> Model {
    let mut model = scenes::empty(size);
    scenes::start_run(&mut model, event::Action::Deploy);
    let mut script = EventScript::new(1, event::Action::Deploy, 0.0);
    let mut events = vec![script.begin(event::Action::Deploy, scenes::deploy_plan())];
    for line in lines {
        script.wait(0.5);
        events.push(script.log(line));
    }
    scenes::apply_events(&mut model, events);
    press(&mut model, "3");
    model
}

/// The panel alone.
fn buffer_of(model: &Model) -> Buffer {
    let area = model.layout().main;
    let appearance = Appearance::of(model);
    scenes::frame((area.width, area.height), |frame| {
        model.shown_panel().pane().draw(frame, frame.area(), model, appearance);
    })
}

fn panel(model: &Model) -> String {
    let buffer = buffer_of(model);
    let mut out = String::new();
    for y in 0..buffer.area.height {
        let mut line = String::new();
        let mut x = 0;
        while x < buffer.area.width {
            let symbol = buffer[(x, y)].symbol();
            line.push_str(symbol);
            x += u16::try_from(thumbctl_platform::text::width(symbol)).expect("one or two").max(1);
        }
        out.push_str(line.trim_end());
        out.push('\n');
    }
    out
}

/// The first cell of a text.
fn at(buffer: &Buffer, text: &str) -> (u16, u16) {
    for y in 0..buffer.area.height {
        let line: String = (0..buffer.area.width).map(|x| buffer[(x, y)].symbol()).collect();
        if let Some(byte) = line.find(text) {
            let column = line[..byte].chars().count();
            return (u16::try_from(column).expect("on the screen"), y);
        }
    }
    panic!("{text} is not on the screen");
}

#[test]
fn build_log_is_followed() {
    assert_snapshot!("following_60x20", panel(&building((60, 20))));
    assert_snapshot!("following_80x24", panel(&building((80, 24))));
    assert_snapshot!("following_120x40", panel(&building((120, 40))));
    assert_snapshot!("following_200x60", panel(&building((200, 60))));
}

#[test]
fn scrolled_log_stays_until_bottom() {
    let mut model = building((120, 40));
    press(&mut model, "kkk");
    assert_snapshot!("scrolled_120x40", panel(&model));
    press(&mut model, "g");
    let top = panel(&model);
    assert!(top.contains("1 of 60") && top.contains("part-1 "), "{top}");
    press(&mut model, "G");
    assert!(panel(&model).contains("following"));
}

#[test]
fn wheel_scrolls_and_follows_again_at_end() {
    let mut model = building((120, 40));
    let main = model.layout().main;
    let wheel =
        |kind| Message::Mouse(MouseEvent { kind, column: main.x + 5, row: main.y + 12, modifiers: KeyModifiers::NONE });
    send(&mut model, wheel(MouseEventKind::ScrollUp));
    assert!(panel(&model).contains("57 of 60"), "{}", panel(&model));
    send(&mut model, wheel(MouseEventKind::ScrollDown));
    assert!(panel(&model).contains("following"));
}

#[test]
fn click_selects_line() {
    let mut model = logged((80, 24), &["one", &"long ".repeat(40), "three", "four"]);
    press(&mut model, "w");
    let row = |model: &Model, text: &str| at(&buffer_of(model), text).1 + model.layout().main.y;
    let click = |model: &mut Model, row: u16| {
        let column = model.layout().main.x + 20;
        let kind = MouseEventKind::Down(MouseButton::Left);
        send(model, Message::Mouse(MouseEvent { kind, column, row, modifiers: KeyModifiers::NONE }));
    };
    let target = row(&model, "three");
    click(&mut model, target);
    assert!(panel(&model).contains("3 of 4"), "{}", panel(&model));
    click(&mut model, target - 1);
    assert!(panel(&model).contains("2 of 4"), "the row before is the end of the long line");
    click(&mut model, target + 5);
    assert!(panel(&model).contains("2 of 4"), "there is nothing below the log");
    click(&mut model, target + 1);
    assert!(panel(&model).contains("following"));
}

#[test]
fn search_shows_matches_and_position() {
    let mut model = building((120, 40));
    press(&mut model, "g/part-2");
    assert_snapshot!("typing_a_search_120x40", panel(&model));
    press(&mut model, "\nn");
    assert_snapshot!("searching_120x40", panel(&model));
    press(&mut model, "N");
    assert!(panel(&model).contains("1 of 11"));
    press(&mut model, "N");
    assert!(panel(&model).contains("11 of 11"), "before the first match comes the last");
    press(&mut model, "n");
    assert!(panel(&model).contains("1 of 11"));
    press(&mut model, "\u{1b}");
    assert!(!panel(&model).contains("of 11"));
}

#[test]
fn current_match_is_highlighted() {
    let mut model = building((120, 40));
    press(&mut model, "g/part-2\n");
    let buffer = buffer_of(&model);
    let current = at(&buffer, "part-2 v");
    let other = at(&buffer, "part-20");
    let style = |at: (u16, u16)| (buffer[at].style().fg, buffer[at].style().bg);
    let role = |role| (Theme::Dark.style(role).fg, Theme::Dark.style(role).bg);
    assert_eq!(style(current), role(Role::CurrentMatch));
    assert_eq!(style(other), role(Role::Match));
    assert_eq!(buffer[(1, current.1)].symbol(), symbols::UNICODE.cursor);
    assert_eq!(buffer[(1, other.1)].symbol(), " ");
}

#[test]
fn cancelled_search_restores_view() {
    let mut model = building((120, 40));
    let before = panel(&model);
    press(&mut model, "/part-3");
    assert_ne!(panel(&model), before);
    press(&mut model, "\u{1b}");
    assert_eq!(panel(&model), before);
}

#[test]
fn filter_shows_matching_lines() {
    let mut model = building((80, 24));
    press(&mut model, "fpart-3\n");
    assert_snapshot!("filtered_80x24", panel(&model));
    press(&mut model, "/39\n");
    assert_snapshot!("filtered_and_searched_80x24", panel(&model));
    press(&mut model, "\u{1b}f zzz\n");
    assert_snapshot!("filtered_to_nothing_80x24", panel(&model));
    press(&mut model, "\u{1b}");
    assert!(panel(&model).contains("39 of 60"), "the current line stays the match");
}

#[test]
fn long_lines_are_wrapped_or_scrolled() {
    let long = format!("start {} end", "0123456789".repeat(20));
    let wide = format!("{}|", "日本語".repeat(30));
    let mut model = logged((80, 24), &["before", &long, &wide, "after"]);
    assert_snapshot!("cut_80x24", panel(&model));
    press(&mut model, "ll");
    assert_snapshot!("to_the_side_80x24", panel(&model));
    press(&mut model, "w");
    assert_snapshot!("broken_80x24", panel(&model));
    press(&mut model, "kk");
    assert_snapshot!("broken_and_scrolled_80x24", panel(&model));
}

#[test]
fn log_keeps_colours_only() {
    let lines = [
        "\u{1b}[1;32m   Compiling\u{1b}[0m serde\u{1b}[2J",
        "10%\r 55%\r100%",
        "tab\tstop \u{7}",
        "\u{1b}[30mblack\u{1b}[0m",
    ];
    let mut model = logged((80, 24), &lines);
    press(&mut model, "gj");
    assert_snapshot!("coloured_80x24", panel(&model));
    let buffer = buffer_of(&model);
    let word = &buffer[at(&buffer, "Compiling")];
    assert_eq!((word.fg, word.modifier), (Color::Indexed(2), Modifier::BOLD));
    let plain = &buffer[at(&buffer, "serde")];
    assert_eq!((plain.fg, plain.modifier), (Color::Reset, Modifier::empty()));
    assert_eq!(buffer[at(&buffer, "black")].fg, Color::Reset, "no black on black");
    model.theme = Theme::Plain;
    let buffer = buffer_of(&model);
    let word = &buffer[at(&buffer, "Compiling")];
    assert_eq!((word.fg, word.modifier), (Color::Reset, Modifier::BOLD));
}

#[test]
fn current_line_is_copied_as_plain_text() {
    let mut model = logged((80, 24), &["\u{1b}[31mone\u{1b}[0m 1", "two"]);
    assert_eq!(
        press(&mut model, "ky"),
        [
            Effect::Log(LogSource::Build, log_store::LogCommand::Move(log_store::LogMove::Up)),
            Effect::Copy("one 1".into())
        ]
    );
}

#[test]
fn failed_phase_shows_reason() {
    for (name, size) in [("failed_60x20", (60, 20)), ("failed_120x40", (120, 40)), ("failed_200x60", (200, 60))] {
        let mut model = scenes::failed(size);
        press(&mut model, "3");
        assert_snapshot!(name, panel(&model));
    }
    let model = scenes::failed((120, 40));
    let buffer = {
        let mut model = model;
        press(&mut model, "3");
        buffer_of(&model)
    };
    assert_eq!(buffer[at(&buffer, "BUILD failed")].fg, Theme::Dark.style(Role::Bad).fg.expect("a colour"));
}

#[test]
fn state_without_running_build_is_a_sentence() {
    let mut model = scenes::empty((80, 24));
    press(&mut model, "3");
    assert_snapshot!("empty_80x24", panel(&model));
    press(&mut model, "4");
    assert_snapshot!("function_empty_80x24", panel(&model));
    let mut model = scenes::deployed((120, 40));
    press(&mut model, "3");
    assert_snapshot!("built_120x40", panel(&model));
    let mut model = scenes::destroying((80, 24));
    press(&mut model, "3");
    assert_snapshot!("destroying_80x24", panel(&model));
}

#[test]
fn ascii_symbols_are_used_without_unicode() {
    let mut model = building((80, 24));
    model.symbols = &symbols::ASCII;
    press(&mut model, "kk");
    let drawn = panel(&model);
    assert!(drawn.is_ascii(), "{drawn}");
    assert_snapshot!("ascii_80x24", drawn);
}

#[test]
fn log_area_matches_drawn_log() {
    for (width, height) in [(60, 20), (80, 24), (99, 33), (120, 40), (200, 60)] {
        for (key, source) in [("3", LogSource::Build), ("4", LogSource::Function)] {
            let mut model = scenes::building((width, height));
            press(&mut model, key);
            let main = model.layout().main;
            let area = log_area(main, source);
            assert_eq!(area.intersection(Layout::inside(main)), area);
            assert!(area.height >= 8, "{width}x{height}: {area:?}");
            if source == LogSource::Build {
                assert_eq!(model.log(LogSource::Build).window().lines.len(), usize::from(area.height));
                let drawn = panel(&model);
                let last = drawn.lines().nth(usize::from(area.bottom() - main.y) - 1).expect("it is in the panel");
                assert!(last.contains("part-60"), "{drawn}");
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_keys_show_a_part_of_the_log(
        keys in proptest::collection::vec("[kjGghlwynNfs/ab\n\u{1b}+]", 0..40), size in (60u16..140, 20u16..50)
    ) {
        let mut model = logged(size, &["a b", "", "b", &"ab ".repeat(60)]);
        for (count, key) in keys.iter().enumerate() {
            match key.as_str() {
                // Appends lines or resizes. `s` is not a key here: nothing is saved.
                "+" => {
                    let lines = (0..count).map(|n| log_store::DisplayLine { text: format!("a{n}"), timestamp: None });
                    let effects = model.log_mut(LogSource::Build).append(lines.collect());
                    scenes::run_store_effects(&mut model, effects);
                }
                "s" => {
                    let size = (size.0 + u16::try_from(count).expect("few"), size.1);
                    send(&mut model, Message::Resize(size.0, size.1));
                }
                _ => {
                    press(&mut model, key);
                }
            }
            let area = log_area(model.layout().main, LogSource::Build);
            let window = model.log(LogSource::Build).window();
            prop_assert!(window.lines.len() <= usize::from(area.height));
            prop_assert_eq!(window.lines.is_empty(), window.passing == 0);
            prop_assert!(window.lines.is_empty() || window.current < window.lines.len());
            if !model.log(LogSource::Build).wraps() {
                prop_assert_eq!(window.lines.len(), window.passing.min(usize::from(area.height)));
            }
            let drawn = panel(&model);
            prop_assert_eq!(drawn.lines().count(), usize::from(model.layout().main.height));
        }
    }

    #[test]
    fn any_area_is_drawn(
        x in 0u16..30, y in 0u16..20, width in 0u16..120, height in 0u16..40, keys in "[kgjGwlh]{0,4}", narrow in 60u16..90
    ) {
        let long = "日本語 and more ".repeat(12);
        let mut model = logged((narrow, 24), &["\u{1b}[31mred", &long, "", &long, "ok"]);
        press(&mut model, &keys);
        press(&mut model, "/and");
        let appearance = Appearance::of(&model);
        let area = Rect::new(x, y, width, height);
        scenes::frame((100, 30), |frame| model.shown_panel().pane().draw(frame, area.intersection(frame.area()), &model, appearance));
    }
}
