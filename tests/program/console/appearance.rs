//! The appearance of the console: colours, symbols, custom keys, mouse, pictures.

use thumbctl_test_support::console::Answers;
use thumbctl_test_support::console::{Console, ESC, SIZE, open, open_empty};
use thumbctl_test_support::{Program, wait_for};

#[test]
fn no_color_disables_colours() {
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
fn ascii_symbols_are_used_when_configured() {
    let program = Program::new();
    program.configure("[console]\nsymbols = 'ascii'\n");
    let console = open_empty(&program);
    console.keys("?");
    let screen = console.wait_for("Available keys");
    assert!(screen.is_ascii(), "{screen}");
}

#[test]
fn custom_keys_work_and_are_shown() {
    let program = Program::new();
    program.configure("[console.keys]\nhelp = 'f1'\nrun-all = 'ctrl-r'\n");
    let console = open_empty(&program);
    console.wait_for("ctrl-r");
    console.keys("\x1bOP");
    console.wait_for("Available keys");
    console.keys(ESC);
    console.wait_until_gone("Available keys");
    console.keys("\x12");
    console.wait_for("✔ deployed");
}

#[test]
fn invalid_key_is_rejected_before_terminal_is_entered() {
    let program = Program::new();
    program.configure("[console.keys]\nfly = 'f'\n");
    let mut console = open(&program);
    assert!(!console.wait_end().success());
    let raw = String::from_utf8_lossy(&console.raw()).into_owned();
    assert!(raw.contains("config.toml, line 2: unknown action 'fly'"), "{raw}");
    assert!(!raw.contains("\x1b[?1049h"), "the screen was not entered");
}

#[test]
fn mouse_selects_and_can_be_disabled() {
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
    assert!(!raw.contains("\x1b[?1000h"), "the mouse was not enabled");
}

#[test]
fn keys_during_start_are_not_lost() {
    let program = Program::new();
    let console = Console::start(&program.command([] as [&str; 0]), SIZE);
    console.keys("?");
    console.wait_for("Available keys");
}

#[test]
fn failed_connection_is_shown() {
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
fn mouse_changes_panels_and_scrolls() {
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
    console.wait_until_gone("following");
    for _ in 0..3 {
        console.keys("\x1b[<65;80;15M");
    }
    console.wait_for("following");
}

#[test]
fn light_background_selects_light_theme() {
    let program = Program::new();
    let answers: Answers = &[(b"\x1b]11;?", b"\x1b]11;rgb:ffff/ffff/ffff\x1b\\"), (b"\x1b[c", b"\x1b[?62;22c")];
    let console = Console::start_in(&program.command([] as [&str; 0]), SIZE, answers);
    console.wait_for("nothing deployed");
    // The keys of the light theme have colour 25 of the 256-colour palette.
    wait_for("the light theme", || {
        let raw = String::from_utf8_lossy(&console.raw()).into_owned();
        ["38;5;25m", "38;5;25;"].iter().any(|colour| raw.contains(colour)).then_some(())
    });
}

#[test]
fn pictures_use_supported_protocol() {
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
