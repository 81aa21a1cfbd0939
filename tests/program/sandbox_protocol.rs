//! The protocol by which a sandbox is found, joined and started: both sides are held to the files and the command line
//! that `crates/sandbox-protocol` documents, read and written here by hand.

use std::fs::{File, TryLockError};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use thumbctl_sandbox_protocol::{SandboxOptions, data_dir_in_use, join_or_start};
use thumbctl_test_support::wait_for;

fn read_json(file: &Path) -> Option<Value> {
    serde_json::from_slice(&std::fs::read(file).ok()?).ok()
}

/// What a sandbox answers at a path, without a signature.
fn get(port: u16, path: &str) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("a sandbox");
    write!(stream, "GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n\r\n").expect("a request");
    let mut response = String::new();
    stream.read_to_string(&mut response).expect("a response");
    response
}

/// Shares the lease as a user of the sandbox does.
fn lease(dir: &Path) -> File {
    let file =
        File::options().read(true).write(true).create(true).truncate(false).open(dir.join("lease")).expect("a file");
    file.try_lock_shared().expect("a shared lock");
    file
}

#[test]
fn sandbox_follows_the_protocol_of_its_users() {
    let dir = tempfile::tempdir().expect("a directory");
    let user = lease(dir.path());
    let mut sandbox = Command::new(thumbctl_test_support::thumbctl())
        .args(["sandbox", "--attached", "--port", "0", "--data-dir"])
        .arg(dir.path())
        .env_clear()
        .stdin(Stdio::null())
        .spawn()
        .expect("a process");
    let endpoint = wait_for("the endpoint file", || read_json(&dir.path().join("endpoint.json")));
    let members: Vec<&str> = endpoint.as_object().expect("an object").keys().map(String::as_str).collect();
    assert_eq!(members, ["url", "access_key", "secret_key", "pid", "pace", "instance"]);
    assert_eq!(endpoint["pid"], json!(sandbox.id()));
    let url = endpoint["url"].as_str().expect("a URL");
    let port = url.strip_prefix("http://127.0.0.1:").and_then(|port| port.parse().ok()).expect("a port of loopback");
    let ready = get(port, "/_sandbox/ready");
    assert!(ready.starts_with("HTTP/1.1 200"), "{ready}");
    assert!(ready.contains(endpoint["instance"].as_str().expect("a text")), "{ready}");
    let server = File::open(dir.path().join("server.lock")).expect("the server's lock");
    assert!(matches!(server.try_lock(), Err(TryLockError::WouldBlock)), "the server holds its lock");
    assert!(sandbox.try_wait().expect("a process").is_none(), "it runs while a user has the lease");
    drop(user);
    assert!(sandbox.wait().expect("an end").success());
    assert!(!dir.path().join("endpoint.json").exists());
}

#[tokio::test]
async fn user_believes_only_an_endpoint_that_answers_as_its_instance() {
    let dir = tempfile::tempdir().expect("a directory");
    let stale = json!({
        "url": "http://127.0.0.1:9", "access_key": "a", "secret_key": "b", "pid": 1, "pace": null, "instance": "stale"
    });
    std::fs::write(dir.path().join("endpoint.json"), stale.to_string()).expect("a file");
    let elsewhere = dir.path().join("elsewhere");
    std::fs::write(dir.path().join("foreground.json"), json!(elsewhere).to_string()).expect("a file");
    assert_eq!(data_dir_in_use(dir.path()).await, dir.path(), "nothing answers at the announced directory");
    let options = SandboxOptions {
        data_dir: dir.path().to_owned(),
        program: thumbctl_test_support::thumbctl().into(),
        arguments: Vec::new(),
    };
    let joined = join_or_start(options).await.expect("a sandbox");
    assert_ne!(joined.endpoint().instance, "stale");
    let pid = joined.endpoint().pid;
    drop(joined);
    wait_for("the sandbox to end", || (!dir.path().join("endpoint.json").exists()).then_some(()));
    assert_ne!(pid, 1);
}
