//! How the console looks: colours, signs, keys of the user's own; and what it never shows.

use crate::common::Program;
use crate::{Console, ESC, SIZE, open, open_empty};

#[test]
fn without_colours_the_screen_has_none() {
    let mut program = Program::new();
    program.set("NO_COLOR", "1");
    let console = open_empty(&program);
    console.keys("a");
    console.wait_for("✔ deployed");
    let raw = String::from_utf8_lossy(&console.raw()).into_owned();
    for colour in ["\x1b[38;", "\x1b[48;", ";38;5;", ";48;5;"] {
        assert!(!raw.contains(colour), "{colour:?} sets a colour");
    }
}

#[test]
fn a_terminal_without_unicode_gets_ascii() {
    let program = Program::new();
    program.configure("[console]\nsymbols = 'ascii'\n");
    let console = open_empty(&program);
    console.keys("?");
    let screen = console.wait_for("Keys that work now");
    assert!(screen.is_ascii(), "{screen}");
}

#[test]
fn keys_of_the_users_own_work_and_are_shown() {
    let program = Program::new();
    program.configure("[console.keys]\nhelp = 'f1'\nrun-on = 'ctrl-r'\n");
    let console = open_empty(&program);
    console.wait_for("ctrl-r");
    console.keys("\x1bOP");
    console.wait_for("Keys that work now");
    console.keys(ESC);
    console.wait_gone("Keys that work now");
    console.keys("\x12");
    console.wait_for("✔ deployed");
}

#[test]
fn a_key_that_cannot_be_is_refused_before_the_terminal_is_taken() {
    let program = Program::new();
    program.configure("[console.keys]\nfly = 'f'\n");
    let mut console = open(&program);
    assert!(!console.wait_end().success());
    let raw = String::from_utf8_lossy(&console.raw()).into_owned();
    assert!(raw.contains("config.toml, line 2: there is no action 'fly'"), "{raw}");
    assert!(!raw.contains("\x1b[?1049h"), "the screen was not taken");
}

#[test]
fn the_mouse_selects_and_can_be_off() {
    let program = Program::new();
    let console = open_empty(&program);
    // The fourth resource: the header has two lines, the panel a border.
    console.keys("\x1b[<0;10;7M\x1b[<0;10;7m");
    console.wait_until("the fourth resource in the details", |screen| {
        screen.contains("╭ Build policy") || screen.contains("Build policy ─")
    });
    let raw = String::from_utf8_lossy(&console.raw()).into_owned();
    assert!(raw.contains("\x1b[?1000h"));
    drop(console);
    program.configure("[console]\nmouse = 'off'\n");
    let console = open_empty(&program);
    let raw = String::from_utf8_lossy(&console.raw()).into_owned();
    assert!(!raw.contains("\x1b[?1000h"), "the mouse was not asked for");
}

#[test]
fn keys_that_are_typed_before_anything_is_known_are_not_lost() {
    let program = Program::new();
    let console = Console::start(&program.command([] as [&str; 0]), SIZE);
    console.keys("?");
    console.wait_for("Keys that work now");
}

#[test]
fn a_cloud_that_does_not_answer_is_told_and_can_be_asked_again() {
    let program = Program::new();
    let command = program.command(["--endpoint-url", "http://127.0.0.1:9"]);
    let console = Console::start(&command, SIZE);
    console.wait_for("connecting");
    let screen = console.wait_until("the failure", |screen| screen.contains("✖"));
    assert!(!screen.contains("AWS · real"), "{screen}");
    console.keys("m");
    console.wait_for("127.0.0.1:9");
}
