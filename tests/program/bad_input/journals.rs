//! Journals that a crash, an editor or the future has been at. Locks are in `whole_loop`.

use thumbctl_test_support::Program;
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
