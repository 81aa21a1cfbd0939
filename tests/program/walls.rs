//! The walls between rooms: who may know whom. A source that goes through a wall fails here, with the line.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

/// The library's and the program's sources, with their paths below `src`.
fn sources() -> Vec<(String, String)> {
    fn collect(dir: &Path, into: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(dir).expect("the folder is there") {
            let path = entry.expect("the folder can be read").path();
            if path.is_dir() {
                collect(&path, into);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                into.push(path);
            }
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut paths = Vec::new();
    collect(&root, &mut paths);
    paths.sort();
    assert!(paths.len() > 50, "the sources are not where they were");
    paths
        .into_iter()
        .map(|path| {
            let text = fs::read_to_string(&path).expect("the source can be read");
            let name = path.strip_prefix(&root).expect("it is below src").to_string_lossy().into_owned();
            (name, code_of(&text))
        })
        .collect()
}

/// A source without its comments and without what its strings say; its lines stay where they are.
fn code_of(source: &str) -> String {
    let chars: Vec<char> = source.chars().collect();
    let mut code = String::with_capacity(source.len());
    let mut at = 0;
    let starts = |at: usize, text: &str| text.chars().enumerate().all(|(n, c)| chars.get(at + n) == Some(&c));
    while at < chars.len() {
        let raw_hashes = chars[at..].iter().skip(1).take_while(|&&c| c == '#').count();
        let after_word = at > 0 && (chars[at - 1].is_alphanumeric() || chars[at - 1] == '_');
        let end = if starts(at, "//") {
            at + chars[at..].iter().take_while(|&&c| c != '\n').count()
        } else if starts(at, "/*") {
            (at..chars.len()).find(|&end| starts(end, "*/")).map_or(chars.len(), |end| end + 2)
        } else if chars[at] == 'r' && !after_word && chars.get(at + 1 + raw_hashes) == Some(&'"') {
            let close = format!("\"{}", "#".repeat(raw_hashes));
            let length = close.chars().count();
            (at + 2 + raw_hashes..chars.len()).find(|&end| starts(end, &close)).map_or(chars.len(), |end| end + length)
        } else if chars[at] == '"' {
            let mut end = at + 1;
            while end < chars.len() && chars[end] != '"' {
                end += if chars[end] == '\\' { 2 } else { 1 };
            }
            end + 1
        } else if starts(at, "'\"'") {
            at + 3
        } else if starts(at, "'\\") {
            (at + 3..chars.len()).find(|&end| chars[end] == '\'').map_or(chars.len(), |end| end + 1)
        } else {
            code.push(chars[at]);
            at += 1;
            continue;
        };
        let end = end.min(chars.len());
        code.extend(chars[at..end].iter().filter(|&&c| c == '\n'));
        code.push(' ');
        at = end;
    }
    code
}

/// Whether a line has a word that begins or is `word`; a word ending in `_` or `:` matches as a beginning.
fn mentions(line: &str, word: &str) -> bool {
    let part_of_word = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(word).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        let after = line[at + word.len()..].chars().next();
        let open = word.ends_with('_') || word.ends_with(':');
        !before.is_some_and(part_of_word) && (open || !after.is_some_and(part_of_word))
    })
}

/// Fails with every place where one of the words stands in a source to which the rule applies.
fn forbid(words: &[&str], applies: impl Fn(&str) -> bool, why: &str) {
    let mut broken = String::new();
    for (path, code) in sources().iter().filter(|(path, _)| applies(path)) {
        for (number, line) in code.lines().enumerate() {
            for word in words.iter().filter(|word| mentions(line, word)) {
                let _ = writeln!(broken, "src/{path}:{}: {word}: {}", number + 1, line.trim());
            }
        }
    }
    assert!(broken.is_empty(), "{why}:\n{broken}");
}

fn below(path: &str, rooms: &[&str]) -> bool {
    rooms.iter().any(|room| path == *room || (room.ends_with('/') && path.starts_with(room)))
}

#[test]
fn only_the_console_draws() {
    forbid(&["ratatui", "crossterm"], |path| !below(path, &["tui/"]), "ratatui and crossterm belong to tui/");
}

#[test]
fn only_the_command_line_parses_arguments() {
    let words = ["clap", "clap_complete", "clap_mangen"];
    forbid(&words, |path| !below(path, &["cli/", "main.rs"]), "clap belongs to cli/ and main.rs");
}

#[test]
fn only_the_aws_room_and_the_cloud_speak_to_aws() {
    let may = ["aws/", "aws.rs", "cloud.rs"];
    // Tests may be clients.
    let is_test = |path: &str| path.contains("/tests/") || path.ends_with("/tests.rs");
    forbid(&["aws_sdk_"], |path| !below(path, &may) && !is_test(path), "the SDK's clients belong to aws/");
}

#[test]
fn what_the_sandbox_is_made_of_stays_in_it() {
    let words = ["awsim_", "axum", "hyper", "hyper_util", "http_body_util", "quick_xml", "tar", "yaml_rust2", "ureq"];
    forbid(&words, |path| !below(path, &["sandbox/"]), "these belong to sandbox/");
}

#[test]
fn only_the_cloud_and_the_command_line_start_the_sandbox() {
    let words = ["sandbox::", "crate::sandbox"];
    let may = ["sandbox/", "cloud.rs", "cli/", "main.rs"];
    forbid(&words, |path| !below(path, &may), "the rest speaks to the sandbox over HTTP, as to any endpoint");
}

#[test]
fn folds_do_nothing_but_fold() {
    let words = [
        "std::fs",
        "std::io",
        "std::net",
        "std::env",
        "std::process",
        "std::thread",
        "tokio",
        "Instant",
        "SystemTime",
        "Utc::now",
        "Local::now",
        "rand",
        "print",
        "println",
        "eprintln",
    ];
    let pure = [
        "timing/",
        "plan.rs",
        "deployment.rs",
        "lesson.rs",
        "secret.rs",
        "secret/",
        "aws/console_url.rs",
        "text.rs",
        "tui/model.rs",
        "tui/model/",
        "tui/update.rs",
        "tui/update/",
        "tui/keymap/",
        "tui/view/",
        "tui/theme.rs",
        "tui/symbols.rs",
    ];
    forbid(&words, |path| below(path, &pure), "these rooms do no I/O and read no clock");
}

#[test]
fn nothing_is_drawn_that_may_tell_a_credential() {
    forbid(
        &["text::clean", "use crate::text::"],
        |path| below(path, &["tui/view/"]) && path != "tui/view/mod.rs",
        "views clean texts by their own `clean`, which masks credentials too",
    );
}

#[test]
fn nobody_below_knows_a_front_end() {
    forbid(
        &["crate::cli", "crate::tui"],
        |path| !below(path, &["cli/", "tui/"]),
        "front ends know the rest, and not the other way round",
    );
    forbid(&["crate::tui"], |path| below(path, &["cli/"]), "the command line does not know the console");
}

#[test]
fn comments_and_strings_are_no_code() {
    let source =
        "let a = \"clap // \\\" clap\"; // clap\n/* clap\nclap */ let b = r#\"clap \" clap\"#; let c = '\"'; clap";
    let code = code_of(source);
    assert_eq!(code.matches("clap").count(), 1, "{code}");
    assert_eq!(code.lines().count(), source.lines().count());
    assert!(mentions("use aws_sdk_s3::Client;", "aws_sdk_"));
    assert!(mentions("    tar::Builder::new()", "tar"));
    assert!(!mentions("let start = target;", "tar"));
}
