//! External text (an endpoint's answers, names of files, journals) in every output format: without control sequences.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use thumbctl_test_support::Program;
use thumbctl_test_support::console::Console;

/// A file name with a title, a cleared screen, a forged line, a bidirectional character and an 8-bit sequence.
const NAME: &str = "a\u{1b}]0;title\u{7}\u{1b}[2J\nerror: forged\u{202e}gpj\u{9b}2J\u{7f}.png";

/// An endpoint that responds to every call with an error of hostile text.
struct Endpoint {
    address: SocketAddr,
    is_over: Arc<AtomicBool>,
    server: Option<JoinHandle<()>>,
}

impl Endpoint {
    fn start() -> Self {
        // As XML can have them: escaped, and the others as they are.
        let words = "x&#x1b;]0;title&#x7;&#x1b;[2J&#x9b;2J\u{9b}2J\u{202e}&#xa;error: forged\u{2066}\u{61c}\u{200f}";
        let body = format!(
            "<ErrorResponse><Error><Type>Sender</Type><Code>{words}</Code><Message>{words}</Message></Error>\
             <RequestId>1</RequestId></ErrorResponse>"
        );
        let answer = format!(
            "HTTP/1.1 403 Forbidden\r\ncontent-type: text/xml\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
            body.len()
        );
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let address = listener.local_addr().expect("it has an address");
        let is_over = Arc::new(AtomicBool::new(false));
        let stop = Arc::clone(&is_over);
        let server = std::thread::spawn(move || {
            for connection in listener.incoming() {
                if stop.load(Ordering::SeqCst) {
                    break;
                }
                let Ok(mut connection) = connection else { continue };
                let mut request = Vec::new();
                let mut buffer = [0; 4096];
                while !request.windows(4).any(|window| window == b"\r\n\r\n") {
                    match connection.read(&mut buffer) {
                        Ok(count) if count > 0 => request.extend_from_slice(&buffer[..count]),
                        _ => break,
                    }
                }
                // Ignore closed connections.
                let _ = connection.write_all(answer.as_bytes());
            }
        });
        Self { address, is_over, server: Some(server) }
    }

    fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

impl Drop for Endpoint {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::SeqCst);
        // Wakes the server, so that it stops.
        let _ = std::net::TcpStream::connect(self.address);
        if let Some(server) = self.server.take() {
            let _ = server.join();
        }
    }
}

/// Fails if the output has control sequences other than the program's own.
#[track_caller]
fn assert_harmless(output: &str, what: &str) {
    // Styles, and the sequences for drawing in place.
    let ours = regex_lite::Regex::new("\u{1b}\\[[0-9;]*m|\u{1b}\\[\\?2026[hl]|\u{1b}\\[[KJ]|\u{1b}\\[[0-9]+A|\r+\n|\r")
        .expect("a good expression");
    let rest = ours.replace_all(output, "");
    let is_obeyed = |c: &char| {
        (c.is_control() && *c != '\n')
            || matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    let found: Vec<char> = rest.chars().filter(is_obeyed).collect();
    assert!(found.is_empty(), "{found:?} in {what}: {output:?}");
    assert!(!rest.lines().any(|line| line.starts_with("error: forged")), "a forged line in {what}: {output:?}");
}

/// Runs a command in a terminal, and answers everything that it wrote.
fn in_terminal(program: &Program, arguments: &[&str], columns: u16) -> String {
    let mut console = Console::start(&program.command(arguments), (columns, 24));
    console.wait_end();
    String::from_utf8(console.raw()).expect("it writes UTF-8")
}

#[test]
fn error_of_a_hostile_endpoint_is_cleaned() {
    let endpoint = Endpoint::start();
    let url = endpoint.url();
    let mut program = Program::new();
    program.set("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE");
    program.set("AWS_SECRET_ACCESS_KEY", "secret");
    program.set("AWS_REGION", "us-east-1");
    let status = ["status", "-v", "--endpoint-url", &url];
    let reported = program.run(status).fails_with(1);
    assert!(
        reported.contains("GetCallerIdentity") && reported.contains('\u{fffd}'),
        "the error contains the response: {reported}"
    );
    assert_harmless(&reported, "an error");
    assert_harmless(&in_terminal(&program, &status, 80), "an error in a terminal");
    for form in ["text", "json"] {
        let doctor = program.run(["doctor", "--output", form, "--endpoint-url", &url]).ends_with(1);
        assert!(doctor.stdout.contains("GetCallerIdentity"), "{doctor}");
        assert_harmless(&doctor.stdout, form);
    }
}

#[test]
fn names_of_files_journals_and_environment_are_cleaned() {
    let mut program = Program::new();
    let picture = std::fs::read(program.work_dir().join(super::picture(&program))).expect("a picture");
    let tabs = "a-longer-name-\t\t\t\t.png";
    for name in [NAME, tabs] {
        program.file(name, &picture);
    }
    let sandbox = program.sandbox();
    program.run(["deploy"]).ok();
    let upload = ["upload", NAME, "--save", "thumbnails"];
    let reported = program.run(upload).ok();
    assert!(reported.stdout.contains("forged"), "{reported}");
    assert_harmless(&reported.stdout, "a run as text");
    assert_harmless(&reported.stderr, "a run as text");
    let reported = program.run([&upload[..], &["--output", "json"]].concat()).ok();
    assert_harmless(&reported.stdout, "a run as JSON");
    let plan = reported.events().into_iter().find_map(|event| match event.kind {
        thumbctl_core::event::EventKind::RunStarted(started) => Some(started.plan),
        _ => None,
    });
    let titles: Vec<String> = plan.expect("it begins").steps().iter().map(|step| step.title.clone()).collect();
    assert!(titles[0].ends_with(NAME), "who parses JSON gets the name as it is: {titles:?}");
    assert_harmless(&in_terminal(&program, &upload, 100), "a run in a terminal");
    for columns in [60, 100] {
        let reported = in_terminal(&program, &["upload", tabs, "--save", "thumbnails"], columns);
        assert_harmless(&reported, "a run in a terminal");
        assert!(
            reported.contains("All thumbnails written") && !reported.contains("has a bug"),
            "{columns}: {reported}"
        );
    }
    let missing = format!("no-{NAME}");
    let reported = program.run(["upload", &missing]);
    assert_ne!(reported.code, Some(0));
    assert_harmless(&reported.stderr, "an error about a file");
    // A clap error about a file name that looks like an option.
    let reported = program.run(["upload", &format!("--{NAME}")]).ends_with(2);
    assert!(reported.stderr.contains("unexpected argument"), "{reported}");
    assert_harmless(&reported.stderr, "an error about an argument");
    rewrite_journal(&program);
    for command in [&["status"][..], &["logs", "build"], &["destroy", "--yes", "--strategy", NAME]] {
        for form in ["text", "json"] {
            let reported = program.run([command, &["--output", form]].concat());
            assert_harmless(&reported.stdout, &command.join(" "));
            assert_harmless(&reported.stderr, &command.join(" "));
        }
    }
    assert_harmless(&in_terminal(&program, &["status"], 80), "status in a terminal");
    program.set("THUMBCTL_PARALLELISM", NAME);
    let reported = program.run(["status"]).ends_with(2);
    assert_harmless(&reported.stderr, "an error about the environment");
    sandbox.kill();
}

/// Puts hostile text into the titles, ARNs and lines of the log of the first journal.
fn rewrite_journal(program: &Program) {
    let journal = &program.journals("thumbnails")[0];
    let text = std::fs::read_to_string(journal).expect("a journal");
    let hostile = serde_json::to_string(NAME).expect("a text is JSON");
    let hostile = hostile.trim_matches('"');
    let text = text
        .replace("Create the", hostile)
        .replace("arn:aws:", &format!("arn:aws:{hostile}"))
        .replace("\"source\":\"build\",\"text\":\"", &format!("\"source\":\"build\",\"text\":\"{hostile}"));
    std::fs::write(journal, text).expect("a journal");
}
