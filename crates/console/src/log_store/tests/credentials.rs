//! Credentials in logs.

use std::fs;

use super::*;

/// All displayed lines of a log, and the saved file.
fn shown_and_saved(store: &mut LogStore, folder: &std::path::Path) -> (Vec<String>, String) {
    let window = run(store, show(400, 200, false));
    let (_, reports) = run_to_end(store, LogCommand::Save("log".into()));
    assert!(matches!(&reports[..], [LogReport::Saved { .. }]), "{reports:?}");
    let path = folder.join("log.log");
    let saved = fs::read_to_string(&path).expect("it was saved");
    fs::remove_file(path).expect("it exists");
    (texts(&window).into_iter().map(str::to_owned).collect(), saved)
}

#[test]
fn credentials_with_colour_sequences_are_masked() {
    // Concatenated, so that secret scanners do not report it.
    let id = concat!("AKIA", "\u{1b}[m\u{1b}[K", "IOSFODNN7EXAMPLE");
    let secret = "wJalr\u{1b}[32mXUtnFEMI\u{1b}[0m/K7MDENG/bPxRfiCYEXAMPLEKEY";
    let lines = [
        format!("\u{1b}[1mcaller\u{1b}[0m {id} \u{1b}[32mok"),
        format!("AWS_SECRET_ACCESS_\u{1b}[1mKEY\u{1b}[0m={secret}"),
        format!("AWS_SECRET_ACCESS_KEY\u{1b}]8;;x\u{7}={secret}"),
        format!("one\r\u{9b}1mpass\u{9b}0mword: {secret}"),
        format!("first\nPASSWORD=\"a b\n{secret}\"\nlast"),
    ];
    let dir = tempfile::tempdir().expect("a folder");
    let mut store =
        LogStore::with(Lines::new(64 * 1024, lines::BUDGET, lines::temporary_file), Some(dir.path().to_owned()));
    run(&mut store, LogCommand::Append(lines.iter().map(|text| line(text)).collect()));
    let (shown, saved) = shown_and_saved(&mut store, dir.path());
    let expected = [
        "caller hidden ok",
        "AWS_SECRET_ACCESS_KEY=hidden",
        "AWS_SECRET_ACCESS_KEY=hidden",
        "password: hidden",
        "first",
        "PASSWORD=\"hidden\"",
        "last",
    ];
    assert_eq!(shown, expected);
    assert_eq!(saved, expected.map(|line| format!("{line}\n")).concat());
    let window = run(&mut store, LogCommand::Search("hidden".into()));
    assert!(window.lines.iter().all(|row| row.styled.ranges.is_empty()), "style ranges would be wrong");
}

#[test]
fn private_key_is_masked_until_its_end_or_clear() {
    let dir = tempfile::tempdir().expect("a folder");
    let mut store = small(lines::temporary_file, Some(dir.path().to_owned()));
    let begin = "\u{1b}[33m-----BEGIN \u{1b}[1mRSA PRIVATE KEY-----";
    let (end, body) = ("-----END RSA PRIVATE \u{1b}[mKEY-----", "MIIEow\u{1b}[32mIBAAKCAQEA");
    let append = |lines: &[&str]| LogCommand::Append(lines.iter().map(|text| line(text)).collect());
    // Also across several commands.
    run(&mut store, append(&["a", begin, body]));
    run(&mut store, append(&[body]));
    run(&mut store, append(&[body, end, "b"]));
    let (shown, saved) = shown_and_saved(&mut store, dir.path());
    assert_eq!(shown, ["a", "hidden", "hidden", "hidden", "hidden", "hidden", "b"]);
    assert!(!saved.contains("MIIE") && saved.starts_with("a\nhidden\n") && saved.ends_with("hidden\nb\n"), "{saved}");
    let window = run(&mut store, append(&[begin, body]));
    assert_eq!(texts(&window)[7..], ["hidden", "hidden"]);
    // Another store is not affected by this key.
    let mut other = small(lines::temporary_file, None);
    run(&mut other, show(400, 200, false));
    assert_eq!(texts(&run(&mut other, append(&["c"]))), ["c"]);
    run(&mut store, LogCommand::Clear);
    assert_eq!(texts(&run(&mut store, append(&["c"]))), ["c"]);
}
