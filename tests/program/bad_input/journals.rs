//! Journals that a crash, an editor or the future has been at. Locks are in `whole_loop`.

use serde_json::{Value, json};

use thumbctl_test_support::Program;
use thumbctl_test_support::console::{Console, SIZE};
use thumbctl_test_support::whole_loop::assert_nothing_left;

/// A deployment, and its journal's text after something was done to it.
fn deployed_with(program: &Program, damage: impl Fn(&str) -> String) {
    program.run(["deploy"]).ok();
    let journal = &program.journals("thumbnails")[0];
    let text = std::fs::read_to_string(journal).expect("a journal");
    std::fs::write(journal, damage(&text)).expect("a journal");
}

#[tokio::test]
async fn partial_last_line_is_ignored() {
    let program = Program::new();
    let sandbox = program.sandbox();
    deployed_with(&program, |text| text[..text.len() - 20].to_owned());
    let status = program.run(["status"]).ok().stdout;
    assert!(status.contains("15 resources: 15 exist"), "{status}");
    program.run(["destroy", "--yes"]).ok();
    assert_nothing_left(&sandbox.clients()).await;
}

#[tokio::test]
async fn deploy_resumes_from_half_journal() {
    let program = Program::new();
    let sandbox = program.sandbox();
    deployed_with(&program, |text| text[..text.len() / 2].to_owned());
    program.run(["deploy"]).ok();
    let status = program.run(["status"]).ok().stdout;
    assert!(status.contains("15 resources: 15 exist"), "{status}");
    program.run(["destroy", "--yes"]).ok();
    assert_nothing_left(&sandbox.clients()).await;
}

#[tokio::test]
async fn newer_journal_is_rejected_unchanged() {
    let program = Program::new();
    let sandbox = program.sandbox();
    deployed_with(&program, |text| text.replace("{\"v\":1,", "{\"v\":2,\"new\":[],"));
    let journal = std::fs::read(&program.journals("thumbnails")[0]).expect("a journal");
    for command in [&["status"][..], &["deploy"], &["destroy", "--yes"], &["logs", "build"]] {
        let reported = program.run(command).fails_with(1);
        assert!(reported.contains("was written by a newer thumbctl (event version 2"), "{reported}");
        assert!(reported.contains("update thumbctl"), "{reported}");
    }
    assert_eq!(program.journals("thumbnails").len(), 1);
    assert_eq!(std::fs::read(&program.journals("thumbnails")[0]).expect("a journal"), journal);
    sandbox.kill();
}

/// A journal as a newer version may write it: with an unknown event, an unknown state and these further events.
fn newer(text: &str, further: &[Value]) -> String {
    let mut events: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).expect("an event")).collect();
    for event in events.iter_mut().filter(|event| event["resource"] == "destination_bucket") {
        event["state"] = "verified".into();
    }
    let last = events.pop().expect("the last event");
    let call = json!({ "event": "call_made", "service": "sqs", "operation": "CreateQueue" });
    for further in [&[call], further].concat() {
        let mut event = json!({ "v": 1, "run": last["run"], "at": last["at"] });
        event.as_object_mut().expect("an object").extend(further.as_object().expect("an object").clone());
        events.push(event);
    }
    events.push(last);
    let numbered = events.iter_mut().enumerate().map(|(seq, event)| {
        event["seq"] = seq.into();
        format!("{event}\n")
    });
    numbered.collect()
}

const WARNING: &str = "a newer thumbctl wrote";

#[tokio::test]
async fn unknown_resource_is_named_and_never_reported_as_deleted() {
    let program = Program::new();
    let sandbox = program.sandbox();
    let arn = "arn:aws:sqs:us-east-1:000000000000:thumbnails-failed";
    let queue = json!({
        "event": "resource_changed", "resource": "dead_letter_queue", "name": "thumbnails-failed", "arn": arn,
        "state": "ready",
    });
    deployed_with(&program, |text| newer(text, std::slice::from_ref(&queue)));
    let journal = || std::fs::read(&program.journals("thumbnails")[0]).expect("a journal");
    let before = journal();

    let status = program.run(["status"]).ok();
    assert_eq!(status.stderr.matches(WARNING).count(), 1, "{}", status.stderr);
    assert!(status.stdout.contains("14 resources: 14 exist"), "{}", status.stdout);
    assert!(status.stdout.contains(&format!("unknown to this version: dead_letter_queue {arn}")), "{}", status.stdout);
    for log in ["build", "stack"] {
        let logs = program.run(["logs", log]).ok();
        assert_eq!(logs.stderr.matches(WARNING).count(), 1, "{}", logs.stderr);
    }
    for command in [&[][..], &["replay", "1", "--speed", "1024"]] {
        let mut console = Console::start(&program.command(command), SIZE);
        console.wait_for(WARNING);
        console.keys("q");
        assert!(console.wait_end().success());
    }
    program.run(["sandbox", "save", "newer"]).ok();
    program.run(["sandbox", "load", "newer", "--yes"]).ok();
    assert!(journal() == before, "lines that this version does not know are kept byte by byte");

    // Nothing is left to delete the second time, and the queue is not forgotten.
    for _ in 0..2 {
        let destroyed = program.run(["destroy", "--yes"]).fails_with(1);
        assert_eq!(destroyed.matches(WARNING).count(), 1, "{destroyed}");
        let left = format!("1 resource unknown to this version may be left: dead_letter_queue {arn}");
        assert!(destroyed.contains(&left) && destroyed.contains("update thumbctl, then"), "{destroyed}");
        assert_nothing_left(&sandbox.clients()).await;
    }
    let purged = program.run(["destroy", "--purge", "--yes"]).fails_with(1);
    assert!(purged.contains(arn), "{purged}");
    let status = program.run(["status"]).ok().stdout;
    assert!(status.contains(arn) && !status.contains("Nothing is deployed"), "{status}");
    assert!(journal() == before, "a journal is never rewritten");
}

#[tokio::test]
async fn destroy_searches_by_tag_after_newer_version() {
    let program = Program::new();
    let sandbox = program.sandbox();
    deployed_with(&program, |text| newer(text, &[]));
    let status = program.run(["status"]).ok().stdout;
    assert!(status.contains("14 resources: 14 exist"), "the destination bucket's state is unknown: {status}");
    let destroyed = program.run(["destroy", "--yes"]).ok();
    assert!(destroyed.stdout.contains("destination bucket"), "{}", destroyed.stdout);
    assert_nothing_left(&sandbox.clients()).await;
    assert!(program.run(["destroy", "--yes"]).ok().stdout.contains("Nothing is deployed"));
}

#[tokio::test]
async fn deployment_by_unknown_strategy_can_only_be_destroyed() {
    let program = Program::new();
    let sandbox = program.sandbox();
    deployed_with(&program, |text| text.replace("\"strategy\":\"sdk\"", "\"strategy\":\"pulumi\""));
    assert!(program.run(["status"]).ok().stdout.contains("15 resources: 15 exist"));
    for command in ["deploy", "plan"] {
        let refused = program.run([command]).fails_with(1);
        assert!(refused.contains("was created by pulumi, a strategy unknown to this version"), "{refused}");
        assert!(refused.contains("hint: update thumbctl"), "{refused}");
    }
    assert_eq!(program.journals("thumbnails").len(), 1);
    program.run(["destroy", "--yes"]).ok();
    assert_nothing_left(&sandbox.clients()).await;
}

#[test]
fn damaged_journal_error_names_line() {
    let program = Program::new();
    let sandbox = program.sandbox();
    deployed_with(&program, |text| {
        let mut lines: Vec<&str> = text.lines().collect();
        lines[4] = "{\"v\":1,\"run\"";
        lines.join("\n") + "\n"
    });
    for command in [&["status"][..], &["deploy"], &["destroy", "--yes"]] {
        let reported = program.run(command).fails_with(1);
        assert!(
            reported.contains(".jsonl, line 5, is not an event") && reported.contains("destroy --purge"),
            "{reported}"
        );
    }
    sandbox.kill();
}

#[test]
fn journal_directory_error_is_one_sentence() {
    let program = Program::new();
    std::fs::create_dir_all(program.state_dir().join("deployments/thumbnails/runs/0001-deploy-0000.jsonl")).unwrap();
    let reported = program.run(["status"]).fails_with(1);
    assert!(reported.starts_with("error: cannot read ") && reported.contains("0001-deploy-0000.jsonl"), "{reported}");
}
