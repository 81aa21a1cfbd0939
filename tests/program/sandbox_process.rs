//! The sandbox as a process: joining, leaving, being killed.

use std::future::Future;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use aws_sdk_s3::primitives::ByteStream;
use thumbctl_sandbox_protocol::{JoinError, Lease, SandboxOptions, join_or_start};
use thumbctl_test_support::in_process::{code, s3};
use thumbctl_test_support::{Clients, Sandbox};

fn options(dir: &Path) -> SandboxOptions {
    SandboxOptions { data_dir: dir.into(), program: thumbctl_test_support::thumbctl().into(), arguments: Vec::new() }
}

async fn join(dir: &Path) -> Lease {
    join_or_start(options(dir)).await.expect("a sandbox")
}

/// Waits for a condition, with a deadline.
async fn until<F: Future<Output = bool>>(what: &str, condition: impl Fn() -> F) {
    let deadline = Instant::now() + Duration::from_secs(10);
    let mut delay = Duration::from_millis(5);
    while !condition().await {
        assert!(Instant::now() < deadline, "waited in vain: {what}");
        tokio::time::sleep(delay).await;
        delay = (delay * 2).min(Duration::from_millis(100));
    }
}

async fn is_gone(pid: u32) {
    until("the sandbox's end", || async move {
        // A zombie, not yet reaped by this test, has ended too.
        match std::fs::read_to_string(format!("/proc/{pid}/stat")) {
            Ok(stat) => stat.rsplit(')').next().is_some_and(|rest| rest.trim_start().starts_with('Z')),
            Err(_) => true,
        }
    })
    .await;
}

#[tokio::test]
async fn sandbox_runs_while_leased_and_ends_afterwards() {
    let dir = tempfile::tempdir().unwrap();
    let first = join(dir.path()).await;
    let second = join(dir.path()).await;
    assert_eq!(first.endpoint().pid, second.endpoint().pid);
    assert_ne!(first.endpoint().pid, std::process::id());
    s3(first.endpoint(), "us-east-1").create_bucket().bucket("kept").send().await.unwrap();
    drop(first);
    s3(second.endpoint(), "us-east-1").head_bucket().bucket("kept").send().await.unwrap();
    let pid = second.endpoint().pid;
    drop(second);
    is_gone(pid).await;
    assert!(!dir.path().join("endpoint.json").exists());
    let third = join(dir.path()).await;
    assert_ne!(third.endpoint().pid, pid);
    s3(third.endpoint(), "us-east-1").head_bucket().bucket("kept").send().await.unwrap();
    let pid = third.endpoint().pid;
    drop(third);
    is_gone(pid).await;
}

#[tokio::test]
async fn configured_access_key_is_used() {
    let dir = tempfile::tempdir().unwrap();
    let mut command = Command::new(thumbctl_test_support::thumbctl());
    command.args(["sandbox", "--port", "0", "--access-key", "WORKSHOP:the-same-for-all", "--state-dir"]);
    command.arg(dir.path()).stdin(Stdio::null());
    let sandbox = Sandbox::start(command);
    assert_eq!((sandbox.access_key.as_str(), sandbox.secret_key.as_str()), ("WORKSHOP", "the-same-for-all"));
    sandbox.clients().s3.list_buckets().send().await.unwrap();
    let wrong = Clients::new(&sandbox.url, &sandbox.region, "WORKSHOP", "another-secret");
    assert_eq!(code(wrong.s3.list_buckets().send().await), "SignatureDoesNotMatch");
    sandbox.interrupt().ok();
}

/// Starts `thumbctl sandbox` with these arguments and this environment; waits until it answers.
fn sandbox_with_key(dir: &Path, arguments: &[&str], variable: Option<&str>, input: Stdio) -> Sandbox {
    let mut command = Command::new(thumbctl_test_support::thumbctl());
    command.args(["sandbox", "--port", "0", "--state-dir"]).arg(dir).args(arguments).stdin(input);
    command.envs(variable.map(|key| ("THUMBCTL_SANDBOX_ACCESS_KEY", key)));
    Sandbox::start(command)
}

#[tokio::test]
async fn access_key_from_file_standard_input_or_variable_is_not_in_the_command_line() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("key");
    std::fs::write(&file, "WORKSHOP:the-same-for-all\n").unwrap();
    let path = file.to_str().unwrap();
    for (arguments, variable, input) in [
        (vec!["--access-key-file", path], None, Stdio::null()),
        (vec!["--access-key-file", "-"], None, Stdio::from(std::fs::File::open(&file).unwrap())),
        (vec![], Some("WORKSHOP:the-same-for-all"), Stdio::null()),
    ] {
        let sandbox = sandbox_with_key(dir.path(), &arguments, variable, input);
        assert_eq!((sandbox.access_key.as_str(), sandbox.secret_key.as_str()), ("WORKSHOP", "the-same-for-all"));
        sandbox.clients().s3.list_buckets().send().await.unwrap();
        let process = format!("/proc/{}", sandbox.id());
        if cfg!(target_os = "linux") {
            let line = std::fs::read(format!("{process}/cmdline")).unwrap();
            assert!(!String::from_utf8_lossy(&line).contains("the-same-for-all"));
        }
        sandbox.interrupt().ok();
    }
    std::fs::write(&file, "WORKSHOP the-same-for-all").unwrap();
    let refused = foreground(&["--access-key-file", path]);
    assert!(refused.contains("is invalid") && !refused.contains("the-same-for-all"), "{refused}");
}

#[tokio::test]
async fn temporary_files_of_a_killed_sandbox_are_removed_at_the_next_start() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join("snapshots")).unwrap();
    let left = ["endpoint.4242.new", "sessions.4242.new", "snapshots/iam.new"].map(|name| dir.path().join(name));
    for file in &left {
        std::fs::write(file, "{\"secret").unwrap();
    }
    let lease = join(dir.path()).await;
    assert!(left.iter().all(|file| !file.exists()));
    let pid = lease.endpoint().pid;
    drop(lease);
    is_gone(pid).await;
}

#[tokio::test]
async fn concurrent_starts_share_one_sandbox() {
    let dir = tempfile::tempdir().unwrap();
    let leases = futures::future::join_all((0..8).map(|_| join(dir.path()))).await;
    let pid = leases[0].endpoint().pid;
    assert!(leases.iter().all(|lease| lease.endpoint().pid == pid));
    drop(leases);
    is_gone(pid).await;
}

#[tokio::test]
async fn killed_sandbox_keeps_answered_writes() {
    let dir = tempfile::tempdir().unwrap();
    let lease = join(dir.path()).await;
    let client = s3(lease.endpoint(), "us-east-1");
    client.create_bucket().bucket("kept").send().await.unwrap();
    let config = thumbctl_test_support::in_process::config(lease.endpoint(), "us-east-1");
    aws_sdk_iam::Client::new(&config).create_user().user_name("ann").send().await.unwrap();
    for number in 0..50 {
        let put = client.put_object().bucket("kept").key(format!("{number}"));
        put.body(ByteStream::from(vec![number; 100])).send().await.unwrap();
    }
    let pid = lease.endpoint().pid;
    let killed = Command::new("kill").args(["-9", &pid.to_string()]).status().unwrap();
    assert!(killed.success());
    drop(lease);
    let lease = join(dir.path()).await;
    assert_ne!(lease.endpoint().pid, pid);
    let client = s3(lease.endpoint(), "us-east-1");
    assert_eq!(client.list_objects_v2().bucket("kept").send().await.unwrap().contents().len(), 50);
    let got = client.get_object().bucket("kept").key("49").send().await.unwrap();
    assert_eq!(got.body.collect().await.unwrap().to_vec(), vec![49; 100]);
    let config = thumbctl_test_support::in_process::config(lease.endpoint(), "us-east-1");
    aws_sdk_iam::Client::new(&config).get_user().user_name("ann").send().await.unwrap();
    let pid = lease.endpoint().pid;
    drop(lease);
    is_gone(pid).await;
}

#[tokio::test]
#[cfg(target_os = "linux")]
async fn fifty_megabyte_object_needs_little_memory() {
    let dir = tempfile::tempdir().unwrap();
    let lease = join(dir.path()).await;
    let client = s3(lease.endpoint(), "us-east-1");
    let idle = peak_megabytes(lease.endpoint().pid);
    client.create_bucket().bucket("big").send().await.unwrap();
    let bytes = vec![7u8; 50 * 1024 * 1024];
    client.put_object().bucket("big").key("k").body(ByteStream::from(bytes.clone())).send().await.unwrap();
    let got = client.get_object().bucket("big").key("k").send().await.unwrap();
    assert!(got.body.collect().await.unwrap().to_vec() == bytes);
    let peak = peak_megabytes(lease.endpoint().pid);
    println!("resident memory: {idle} MB idle, {peak} MB at most");
    assert!(idle < 60 && peak < 100, "{idle} MB idle, {peak} MB at most");
    let pid = lease.endpoint().pid;
    drop(lease);
    is_gone(pid).await;
}

/// The most memory that a process has had.
fn peak_megabytes(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches("kB").trim().parse::<u64>().unwrap() / 1024
}

fn foreground(arguments: &[&str]) -> String {
    let output = Command::new(thumbctl_test_support::thumbctl())
        .arg("sandbox")
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert!(!output.status.success());
    String::from_utf8(output.stderr).unwrap()
}

#[tokio::test]
async fn start_errors_are_one_sentence() {
    let dir = tempfile::tempdir().unwrap();
    let lease = join(dir.path()).await;
    let second = foreground(&["--data-dir", dir.path().to_str().unwrap()]);
    assert!(second.contains("already runs"), "{second}");
    let other = tempfile::tempdir().unwrap();
    let port = lease.endpoint().port().to_string();
    let busy = foreground(&["--data-dir", other.path().to_str().unwrap(), "--port", &port]);
    assert!(busy.contains(&format!("port {port} is in use")), "{busy}");
    let file = other.path().join("file");
    std::fs::write(&file, "").unwrap();
    let unwritable = foreground(&["--data-dir", file.join("below").to_str().unwrap()]);
    assert!(unwritable.contains("cannot use its data directory"), "{unwritable}");
    let missing = SandboxOptions { program: "/nonexistent/thumbctl".into(), ..options(other.path()) };
    assert!(matches!(join_or_start(missing).await, Err(JoinError::Spawn { .. })));
    std::fs::create_dir_all(other.path().join("snapshots")).unwrap();
    std::fs::write(other.path().join("snapshots/iam.json"), "{").unwrap();
    match join_or_start(options(other.path())).await {
        Err(JoinError::Ended { last_line }) => assert!(last_line.contains("is damaged"), "{last_line}"),
        other => panic!("{other:?}"),
    }
    let pid = lease.endpoint().pid;
    drop(lease);
    is_gone(pid).await;
}

#[tokio::test]
async fn data_directory_is_private() {
    use std::os::unix::fs::PermissionsExt;
    let outer = tempfile::tempdir().unwrap();
    let dir = outer.path().join("state");
    let lease = join(&dir).await;
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&dir), 0o700);
    assert_eq!(mode(&dir.join("endpoint.json")), 0o600);
    let pid = lease.endpoint().pid;
    drop(lease);
    is_gone(pid).await;
}
