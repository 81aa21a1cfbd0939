//! How the console looks: colours, signs, keys of the user's own; and what it never shows.

use thumbctl_test_support::console::Answers;
use thumbctl_test_support::console::{Console, ESC, SIZE, open, open_empty};
use thumbctl_test_support::{Program, wait_for};

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

#[test]
fn the_mouse_changes_panels_and_scrolls() {
    let program = Program::new();
    program.run(["deploy", "--yes"]).ok();
    let console = open(&program);
    let screen = console.wait_for("15/15 ready");
    let tabs = screen.lines().nth(2).expect("the tabs");
    let column = |title: &str| tabs.split(title).next().map(|before| before.chars().count() + 2).expect("a tab");
    let (build, timing) = (column("Build"), column("Timing"));
    console.keys(&format!("\x1b[<0;{timing};3M\x1b[<0;{timing};3m"));
    console.wait_for("critical path");
    console.keys(&format!("\x1b[<0;{build};3M\x1b[<0;{build};3m"));
    console.wait_for("following");
    console.keys("\x1b[<64;80;15M");
    console.wait_gone("following");
    for _ in 0..3 {
        console.keys("\x1b[<65;80;15M");
    }
    console.wait_for("following");
}

#[test]
fn a_light_background_gets_the_light_theme() {
    let program = Program::new();
    let answers: Answers = &[(b"\x1b]11;?", b"\x1b]11;rgb:ffff/ffff/ffff\x1b\\"), (b"\x1b[c", b"\x1b[?62;22c")];
    let console = Console::start_in(&program.command([] as [&str; 0]), SIZE, answers);
    console.wait_for("nothing deployed");
    // The light theme's keys are dark blue, number 25 of the 256.
    wait_for("the light theme", || {
        let raw = String::from_utf8_lossy(&console.raw()).into_owned();
        ["38;5;25m", "38;5;25;"].iter().any(|colour| raw.contains(colour)).then_some(())
    });
}

#[test]
fn pictures_are_sent_in_the_protocol_that_the_terminal_knows() {
    let program = Program::new();
    let answers: Answers =
        &[(b"\x1b_Gi=31", b"\x1b_Gi=31;OK\x1b\\"), (b"\x1b[16t", b"\x1b[6;20;10t"), (b"\x1b[c", b"\x1b[?62;22c")];
    let console = Console::start_in(&program.command([] as [&str; 0]), SIZE, answers);
    console.wait_for("nothing deployed");
    console.keys("6");
    console.wait_for("lighthouse.jpg");
    wait_for("a picture by kitty's protocol", || {
        String::from_utf8_lossy(&console.raw()).contains("\x1b_Gq=2").then_some(())
    });
}
