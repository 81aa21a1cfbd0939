//! Saved states that come from anybody, and data directories that others have prepared: nothing outside of the state is
//! touched, and what was there before is kept.

use std::fs::{self, File, Permissions};
use std::io::Write;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use thumbctl_test_support::{Finished, Program, Sandbox, wait_for};

/// A user's directory with a subdirectory, which must be kept.
struct Precious(PathBuf);

impl Precious {
    fn new(program: &Program) -> Self {
        let dir = program.home().join("precious");
        fs::create_dir_all(dir.join("photos")).expect("a directory");
        fs::write(dir.join("photos/one.jpg"), "kept").expect("a file");
        Self(dir)
    }

    fn is_whole(&self) -> bool {
        fs::read(self.0.join("photos/one.jpg")).is_ok_and(|content| content == b"kept")
            && fs::read_dir(&self.0).is_ok_and(|entries| entries.count() == 1)
    }
}

fn pack(dir: &Path, file: &Path) {
    let mut archive = tar::Builder::new(GzEncoder::new(File::create(file).expect("a file"), Compression::fast()));
    archive.follow_symlinks(false);
    archive.append_dir_all("", dir).expect("an archive");
    archive.into_inner().and_then(GzEncoder::finish).and_then(|mut file| file.flush()).expect("an archive");
}

/// Writes a copy of a saved state with something in it changed, and answers its path.
fn changed(program: &Program, saved: &str, change: impl FnOnce(&Path)) -> String {
    let saved = program.state_dir().join(format!("saved/{saved}.tar.gz"));
    let dir = tempfile::tempdir_in(program.home()).expect("a directory");
    tar::Archive::new(GzDecoder::new(File::open(saved).expect("it was saved"))).unpack(dir.path()).expect("an archive");
    change(dir.path());
    let file = dir.path().with_extension("tar.gz");
    pack(dir.path(), &file);
    file.to_str().expect("a path of text").to_owned()
}

#[track_caller]
fn refused(program: &Program, state: &str, sentence: &str) {
    let ended: Finished = program.run(["sandbox", "load", state, "--yes"]);
    let is_one = ended.stderr.trim().lines().count() == 1;
    assert!(ended.code == Some(1) && is_one && ended.stderr.contains(sentence), "{}", ended.stderr);
}

fn buckets(program: &Program) -> Vec<String> {
    let entries = fs::read_dir(program.sandbox_dir().join("s3")).into_iter().flatten();
    let mut names: Vec<String> =
        entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

async fn create_bucket(program: &Program, name: &str) {
    program.join().await.clients.s3.create_bucket().bucket(name).send().await.expect("a bucket");
}

/// Waits until the sandbox of the last command has ended.
fn wait_for_end(program: &Program) {
    wait_for("the end of the sandbox", || (!program.has_sandbox()).then_some(()));
}

/// Every path below a directory that the group or others have any right to.
fn open_to_others(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).expect("a directory") {
        let path = entry.expect("an entry").path();
        let metadata = fs::symlink_metadata(&path).expect("it is there");
        // What an image holds is in a directory of the user's alone.
        if metadata.is_symlink() || path.ends_with("lambda/images") {
            continue;
        }
        if metadata.permissions().mode() & 0o077 != 0 {
            found.push(path.clone());
        }
        if metadata.is_dir() {
            found.extend(open_to_others(&path));
        }
    }
    found
}

#[tokio::test]
async fn load_rejects_linked_image_directory_without_deletions() {
    let program = Program::new();
    let precious = Precious::new(&program);
    create_bucket(&program, "kept").await;
    let state = program.home().join("hostile");
    fs::create_dir_all(state.join("sandbox/lambda")).expect("a directory");
    fs::create_dir_all(state.join("deployments")).expect("a directory");
    symlink(&precious.0, state.join("sandbox/lambda/images")).expect("a link");
    let file = program.work_dir().join("m.tar.gz");
    pack(&state, &file);
    let file = file.to_str().expect("a path of text");
    let sentence = "it contains 'sandbox/lambda/images', which is not part of a saved state";
    refused(&program, file, sentence);
    let sandbox = program.sandbox();
    refused(&program, file, sentence);
    assert_eq!(sandbox.clients().s3.list_buckets().send().await.expect("buckets").buckets().len(), 1);
    sandbox.interrupt().ok();
    assert!(precious.is_whole());
    assert!(fs::read_dir(program.state_dir().join("saved")).expect("it is there").next().is_none(), "nothing is left");
}

#[tokio::test]
async fn sandbox_rejects_data_directory_with_links_without_deletions() {
    let program = Program::new();
    let precious = Precious::new(&program);
    create_bucket(&program, "kept").await;
    wait_for_end(&program);
    for place in
        ["lambda/images", "lambda/tmp", "codebuild/builds", "blobs/incoming", "snapshots", ".doomed", ".replaced"]
    {
        let link = program.sandbox_dir().join(place);
        let aside = program.home().join("aside");
        fs::create_dir_all(link.parent().expect("a parent")).expect("a directory");
        let was_there = fs::rename(&link, &aside).is_ok();
        symlink(&precious.0, &link).expect("a link");
        // One command changes the files itself, the other starts a sandbox that does.
        let command: &[&str] = if place == "lambda/images" { &["deploy"] } else { &["sandbox", "reset", "--yes"] };
        let ended = program.run(command);
        let is_refused = ended.stderr.contains("is a symbolic link or a special file") && ended.stderr.contains(place);
        assert!(ended.code == Some(1) && is_refused, "{place}: {}", ended.stderr);
        assert!(precious.is_whole(), "{place}");
        fs::remove_file(&link).expect("the link is still there");
        if was_there {
            fs::rename(&aside, &link).expect("it goes back");
        }
    }
    assert_eq!(buckets(&program), ["kept.jsonl"]);
}

#[tokio::test]
async fn load_rejects_unreadable_service_state_and_keeps_old_one() {
    let program = Program::new();
    create_bucket(&program, "kept").await;
    let write = |name: &'static str, content: &'static str| {
        move |dir: &Path| {
            let path = dir.join("sandbox").join(name);
            fs::create_dir_all(path.parent().expect("a parent")).expect("a directory");
            fs::write(path, content).expect("a file");
        }
    };
    let event =
        r#"{"function":{"region":"us-east-1","name":"f"},"request_id":"../../../precious","accepted":1,"payload":""}"#;
    let function = r#"{"functions":[{"region":5}]}"#;
    let stream = r#"{"us-east-1":{"g":{"created":1,"streams":{"s":{"created":1,"file":"../../precious"}}}}}"#;
    let object = concat!(
        r#"{"bucket":{"name":"b","region":"us-east-1","created":1}}"#,
        "\n",
        r#"{"put":{"key":"k","version":{"id":"null","modified":1,"blob":"../../../etc/passwd","size":1,"etag":"e"}}}"#,
        "\n"
    );
    let states = [
        ("snapshots/lambda.json", r#"{"regions":5}"#, "snapshots/lambda.json"),
        ("snapshots/lambda.json", function, "snapshots/lambda.json"),
        ("snapshots/iam.json", "nonsense", "snapshots/iam.json"),
        ("snapshots/ecr.json", "[]", "snapshots/ecr.json"),
        ("snapshots/codebuild.json", "5", "snapshots/codebuild.json"),
        ("snapshots/cloudformation.json", "5", "snapshots/cloudformation.json"),
        ("snapshots/logs.json", stream, "snapshots/logs.json"),
        ("s3/b.jsonl", object, "is not a SHA-256 hash"),
        ("s3/kept.jsonl", "nonsense\n", "s3/kept.jsonl, line 1,"),
        ("s3/other.jsonl", "{\"bucket\":{\"name\":\"x\",\"region\":\"r\",\"created\":1}}\n", "s3/other.jsonl, line 1,"),
        ("lambda/queue/a.json", event, "lambda/queue/a.json"),
        ("sessions.json", "{", "sessions.json"),
    ];
    program.run(["sandbox", "save", "saved"]).ok();
    let files = states.map(|(name, content, sentence)| (changed(&program, "saved", write(name, content)), sentence));
    wait_for_end(&program);
    for (file, sentence) in &files {
        refused(&program, file, sentence);
    }
    let sandbox = program.sandbox();
    refused(&program, &files[0].0, files[0].1);
    let listed = sandbox.clients().s3.list_buckets().send().await.expect("buckets");
    assert_eq!(listed.buckets()[0].name(), Some("kept"));
    sandbox.interrupt().ok();
    assert_eq!(buckets(&program), ["kept.jsonl"]);
}

/// A program with two saved states: `new`, with a bucket and the journal of a deployment; and `old`, with another bucket
/// and no journal, which is what it has.
async fn with_two_states() -> Program {
    let program = Program::new();
    create_bucket(&program, "new").await;
    let runs = program.state_dir().join("deployments/demo/runs");
    fs::create_dir_all(&runs).expect("a directory");
    let event = |seq: u32, rest: &str| {
        format!("{{\"v\":1,\"run\":\"0001-deploy-9a27\",\"seq\":{seq},\"at\":\"2026-11-29T17:38:44.390Z\",{rest}}}\n")
    };
    let journal = [
        event(
            0,
            r#""event":"run_started","action":"deploy","deployment":"demo","strategy":"sdk","cloud":"sandbox","account":"000000000000","region":"us-east-1","names":{"prefix":"demo","suffix":"bc2d24b7"},"plan":[]"#,
        ),
        event(1, r#""event":"resource_changed","resource":"repository","name":"demo-bc2d24b7","state":"ready""#),
    ];
    fs::write(runs.join("0001-deploy-9a27.jsonl"), journal.concat()).expect("a file");
    let saved = program.run(["sandbox", "save", "new"]).ok();
    assert!(saved.stdout.contains("demo"), "{}", saved.stdout);
    program.run(["sandbox", "reset", "--yes"]).ok();
    create_bucket(&program, "old").await;
    program.run(["sandbox", "save", "old"]).ok();
    assert!(!has_new_state(&program, "after the reset"));
    program
}

/// Whether the program has the state `new`, or else `old`: whole, in each case.
#[track_caller]
fn has_new_state(program: &Program, when: &str) -> bool {
    match (buckets(program)[..].join(" ").as_str(), program.journals("demo").len()) {
        ("old.jsonl", 0) => false,
        ("new.jsonl", 1) => true,
        mixed => panic!("{when}: {mixed:?}"),
    }
}

#[tokio::test]
async fn load_rejects_invalid_journals_without_changes() {
    let program = with_two_states().await;
    let journals = |dir: &Path| dir.join("deployments/demo");
    let elsewhere = |dir: &Path| {
        let path = journals(dir).join("0001-deploy-9a27.jsonl");
        let text = fs::read_to_string(&path).expect("a journal");
        fs::write(&path, text.replace("\"cloud\":\"sandbox\"", "\"cloud\":\"aws\"")).expect("a file");
    };
    let second = "0002-destroy-0000.jsonl";
    let states = [
        changed(&program, "new", |dir| fs::create_dir(journals(dir).join("terraform")).expect("a directory")),
        changed(&program, "new", |dir| fs::write(journals(dir).join("lock"), "").expect("a file")),
        changed(&program, "new", |dir| fs::write(journals(dir).join(second), "nonsense\n").expect("a file")),
        changed(&program, "new", |dir| fs::write(journals(dir).join("terraform.tfstate"), "{").expect("a file")),
        changed(&program, "new", elsewhere),
    ];
    let sentences = [
        "it contains 'deployments/demo/terraform'",
        "it contains 'deployments/demo/lock'",
        "0002-destroy-0000.jsonl' is damaged in line 1",
        "terraform.tfstate",
        "is not in the sandbox",
    ];
    wait_for_end(&program);
    for (file, sentence) in states.iter().zip(sentences) {
        refused(&program, file, sentence);
        assert!(!has_new_state(&program, sentence));
    }
    program.run(["sandbox", "load", "new", "--yes"]).ok();
    assert!(has_new_state(&program, "after the load"));
    let loaded = [program.sandbox_dir(), program.state_dir().join("deployments/demo/runs")];
    loaded.iter().for_each(|dir| assert_eq!(open_to_others(dir), Vec::<PathBuf>::new()));
}

#[tokio::test]
async fn killed_load_leaves_old_or_new_state() {
    let program = with_two_states().await;
    let places = [
        ("load-recorded", false),
        ("state-staged", false),
        ("state-moving", false),
        ("state-moved", false),
        ("state-replaced", false),
        ("state-kept", true),
        ("journals-archived", true),
        ("journals-imported", true),
    ];
    for (place, is_new) in places {
        wait_for_end(&program);
        let mut load = program.command(["sandbox", "load", "new", "--yes"]);
        let status = load.env("THUMBCTL_TEST_KILL_AT", place).output().expect("it runs").status;
        assert_eq!(std::os::unix::process::ExitStatusExt::signal(&status), Some(9), "{place}");
        // The next command puts it in order.
        drop(program.join().await);
        program.run(["sandbox", "saved"]).ok();
        assert_eq!(has_new_state(&program, place), is_new, "{place}");
        if is_new {
            program.run(["sandbox", "load", "old", "--yes"]).ok();
        }
    }
    // A sandbox that dies while it loads.
    for (place, is_new) in [("state-replaced", false), ("state-kept", true)] {
        wait_for_end(&program);
        let mut command = program.command(["sandbox", "--port", "0"]);
        command.env("THUMBCTL_TEST_KILL_AT", place);
        let sandbox = Sandbox::start(command);
        let load = program.run(["sandbox", "load", "new", "--yes"]);
        assert_eq!(load.code == Some(0), is_new, "{place}: {}", load.stderr);
        sandbox.kill();
        drop(program.join().await);
        assert_eq!(has_new_state(&program, place), is_new, "{place}");
    }
    let left = fs::read_dir(program.state_dir().join("saved")).expect("it is there");
    let mut left: Vec<_> = left.map(|entry| entry.expect("an entry").file_name()).collect();
    left.sort();
    assert_eq!(left, ["new.tar.gz", "old.tar.gz"]);
}

#[test]
fn state_is_private_at_any_umask() {
    let program = Program::new();
    for (umask, command) in [("000", "deploy"), ("077", "status"), ("077", "destroy --yes")] {
        let script = format!("umask {umask}; exec {} {command}", thumbctl_test_support::thumbctl());
        let output = program.around("sh", ["-c", &script]).output().expect("a shell");
        assert!(output.status.success(), "{command}: {}", String::from_utf8_lossy(&output.stderr));
        assert_eq!(open_to_others(&program.home().join("state")), Vec::<PathBuf>::new(), "umask {umask}: {command}");
    }
}

#[test]
fn world_writable_directory_is_rejected() {
    let program = Program::new();
    let dir = program.home().join("shared");
    fs::create_dir(&dir).expect("a directory");
    let shared = dir.to_str().expect("a path of text");
    for mode in [0o777, 0o775, 0o1777] {
        fs::set_permissions(&dir, Permissions::from_mode(mode)).expect("it is ours");
        for command in [&["sandbox", "--port", "0", "--data-dir", shared][..], &["status", "--state-dir", shared]] {
            let ended = program.run(command);
            let sentence = format!("{shared} can be written to by other users");
            let is_refused = ended.stderr.contains(&sentence) && ended.stderr.contains("chmod go-w");
            assert!(ended.code == Some(1) && is_refused, "{mode:o}: {}", ended.stderr);
        }
        assert_eq!(fs::read_dir(&dir).expect("it is there").count(), 0);
    }
}

#[tokio::test]
async fn readable_directory_gets_private_content() {
    let program = Program::new();
    let dir = program.home().join("data");
    fs::create_dir_all(dir.join("snapshots")).expect("a directory");
    fs::write(dir.join("sessions.json"), "[]").expect("a file");
    fs::write(dir.join("notes.txt"), "mine").expect("a file");
    for path in [&dir, &dir.join("snapshots")] {
        fs::set_permissions(path, Permissions::from_mode(0o755)).expect("it is ours");
    }
    for file in ["sessions.json", "notes.txt"] {
        fs::set_permissions(dir.join(file), Permissions::from_mode(0o644)).expect("it is ours");
    }
    let sandbox = Sandbox::on(&dir);
    sandbox.clients().iam.create_user().user_name("ann").send().await.expect("a user");
    assert_eq!(open_to_others(&dir), [dir.join("notes.txt")]);
    sandbox.interrupt().ok();
    assert_eq!(fs::read_to_string(dir.join("notes.txt")).expect("it is the user's"), "mine");
}
