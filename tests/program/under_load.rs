//! Many concurrent commands, and repeated kills.

use std::io::Write;
use std::net::TcpStream;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use rustix::process::{Resource, Rlimit, Signal, getrlimit, kill_process, setrlimit};
use thumbctl_test_support::shared_sandbox::{SharedSandbox, for_each_parallel};
use thumbctl_test_support::whole_loop::assert_nothing_left;
use thumbctl_test_support::{Program, wait_for};

/// Raises the limit of open files of this process and its children.
fn allow_open_files(count: u64) {
    let limit = getrlimit(Resource::Nofile);
    if limit.current.is_some_and(|current| current < count) {
        let raised = Rlimit { current: Some(count), maximum: limit.maximum };
        setrlimit(Resource::Nofile, raised).expect("the limit can be raised up to the system's");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sandbox_responds_despite_1100_half_open_connections() {
    const CONNECTIONS: usize = 1100;
    allow_open_files(2 * CONNECTIONS as u64);
    let program = Program::new();
    let sandbox = program.sandbox();
    let address = sandbox.url.strip_prefix("http://").expect("an address").to_owned();
    let half_open: Vec<TcpStream> = (0..CONNECTIONS)
        .map(|_| {
            let mut connection = TcpStream::connect(&address).expect("a connection");
            connection.write_all(b"GET / HTTP/1.1\r\nHost: ").expect("half a head");
            connection
        })
        .collect();
    sandbox.clients().s3.create_bucket().bucket("beside").send().await.expect("an answer");
    drop(half_open);
    sandbox.clients().s3.delete_bucket().bucket("beside").send().await.expect("an answer");
    sandbox.interrupt().ok();
}

#[test]
fn twenty_deployments_and_200_status_commands_at_once_all_succeed() {
    let shared = SharedSandbox::new();
    for_each_parallel(20, 0..20, |number| drop(shared.deploy_completes(&format!("many{number}"))));
    for_each_parallel(200, 0..200, |number| {
        let status = shared.run("status", &format!("many{}", number % 20)).ok().json();
        assert_eq!(status["resources"].as_array().map(Vec::len), Some(15), "{status}");
    });
    for_each_parallel(20, 0..20, |number| shared.destroy_leaves_nothing(&format!("many{number}")));
    shared.close();
}

/// Starts one deployment repeatedly and kills it together with its sandbox.
#[tokio::test(flavor = "multi_thread")]
async fn deploy_completes_after_50_kills_of_command_and_sandbox() {
    let program = Program::new();
    let mut random = StdRng::seed_from_u64(50);
    for _ in 0..50 {
        let mut deploy = program.start(["deploy", "--output", "json"]);
        let events = random.random_range(1..40);
        wait_for("events", || (deploy.events().len() >= events || deploy.has_ended()).then_some(()));
        let sandbox = program.has_sandbox().then(|| program.sandbox_pid()).flatten();
        deploy.kill();
        // It may have ended with its command.
        if let Some(pid) = sandbox {
            let _ = kill_process(pid, Signal::KILL);
        }
        wait_for("the sandbox's end", || (!program.has_sandbox()).then_some(()));
    }
    program.run(["deploy"]).ok();
    let status = program.run(["status"]).ok().stdout;
    assert!(status.contains("15 resources: 15 exist"), "{status}");
    program.run(["destroy", "--yes"]).ok();
    assert_nothing_left(&program.join().await.clients).await;
}
