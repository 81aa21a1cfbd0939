//! Measures thumbctl's overhead over Terraform: `cargo bench --bench terraform`. The exported configuration is applied and
//! destroyed alternately by Terraform alone and by thumbctl, in one sandbox. Skipped without terraform and its AWS provider.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use thumbctl_test_support::tools::Terraform;

/// The number of alternating deployments and teardowns.
const ROUNDS: usize = 5;

const THUMBCTL: &str = env!("CARGO_BIN_EXE_thumbctl");
const KEY: (&str, &str) = ("AKIAIOSFODNN7EXAMPLE", "a-secret-of-forty-characters-for-a-bench");

/// A finished command.
struct Run {
    seconds: f64,
    /// The peak memory of the process without its children; none if unknown.
    peak: Option<Memory>,
    stdout: String,
}

/// The memory of a process in MB.
#[derive(Clone, Copy)]
struct Memory {
    /// Private memory: heap, stacks, modified data.
    own: f64,
    /// Including the pages of the program file, which are shared and can be evicted.
    resident: f64,
}

fn run(mut command: Command) -> Run {
    let start = Instant::now();
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().expect("the program starts");
    let mut stdout = child.stdout.take().expect("piped");
    let reader = std::thread::spawn(move || {
        let mut text = String::new();
        std::io::Read::read_to_string(&mut stdout, &mut text).expect("its output is text");
        text
    });
    let mut peak = None;
    let status = loop {
        peak = larger(peak, memory_of(&child));
        if let Some(status) = child.try_wait().expect("the status is available") {
            break status;
        }
        std::thread::sleep(Duration::from_millis(10));
    };
    let seconds = start.elapsed().as_secs_f64();
    let stdout = reader.join().expect("the thread does not panic");
    assert!(status.success(), "{command:?}: {stdout}");
    Run { seconds, peak, stdout }
}

fn memory_of(child: &Child) -> Option<Memory> {
    let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).ok()?;
    let field = |name: &str| {
        let line = status.lines().find(|line| line.starts_with(name))?;
        line.split_whitespace().nth(1)?.parse::<f64>().ok().map(|kb| kb / 1024.0)
    };
    Some(Memory { own: field("RssAnon:")?, resident: field("VmHWM:")? })
}

fn larger(one: Option<Memory>, other: Option<Memory>) -> Option<Memory> {
    match (one, other) {
        (Some(one), Some(other)) => {
            Some(Memory { own: one.own.max(other.own), resident: one.resident.max(other.resident) })
        }
        (one, other) => one.or(other),
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// The duration of Terraform's own steps in a run.
fn terraform_seconds(events: &str) -> f64 {
    let of_terraform = ["plan_start", "plan", "apply_start", "apply", "destroy_start", "destroy"];
    let seconds = |line: &str| {
        let event: Value = serde_json::from_str(line).expect("events are JSON");
        let is_its = of_terraform.iter().any(|step| event["step"] == **step);
        event["seconds"].as_f64().filter(|_| is_its && event["event"] == "step_finished")
    };
    events.lines().filter_map(seconds).sum()
}

/// Starts the shared sandbox.
fn sandbox(home: &Path) -> (Child, String) {
    let mut command = Command::new(THUMBCTL);
    command.args(["sandbox", "--port", "0", "--access-key", &format!("{}:{}", KEY.0, KEY.1)]);
    command
        .env("THUMBCTL_STATE_DIR", home.join("state"))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    let mut child = command.spawn().expect("the program starts");
    let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines();
    let url = lines
        .by_ref()
        .map_while(Result::ok)
        .find_map(|line| line.strip_prefix("export AWS_ENDPOINT_URL=").map(str::to_owned));
    let url = url.expect("the URL is printed");
    std::thread::spawn(move || lines.for_each(drop));
    (child, url)
}

fn main() {
    // `cargo test --benches` only checks that the benchmark starts.
    if std::env::args().any(|argument| argument == "--test") {
        return;
    }
    let terraform = match Terraform::find() {
        Ok(terraform) => terraform,
        Err(why) => return println!("skipped: {why}"),
    };
    let home = tempfile::tempdir().expect("a temporary folder");
    let (mut sandbox, url) = sandbox(home.path());
    let around = |program: &Path, arguments: &[&str]| {
        let mut command = Command::new(program);
        command.args(arguments).env("TF_CLI_CONFIG_FILE", "/dev/null").env("CHECKPOINT_DISABLE", "1");
        command.env("XDG_CONFIG_HOME", home.path()).env("THUMBCTL_STATE_DIR", home.path().join("state"));
        command
    };
    let thumbctl = |command: &str| {
        let mut command =
            around(Path::new(THUMBCTL), &[command, "--strategy", "terraform", "--yes", "--output", "json"]);
        command.envs(terraform.environment()).env_remove("AWS_ENDPOINT_URL");
        run(command)
    };
    let folder = home.path().join("configuration");
    run(around(Path::new(THUMBCTL), &["export", "terraform", folder.to_str().expect("a path")]));
    let by_hand = |arguments: &[&str]| {
        let mut command = around(&terraform.program, arguments);
        command.current_dir(&folder).envs([
            ("AWS_ENDPOINT_URL", url.as_str()),
            ("AWS_ACCESS_KEY_ID", KEY.0),
            ("AWS_SECRET_ACCESS_KEY", KEY.1),
            ("TF_VAR_endpoint_url", &url),
            ("TF_VAR_region", "us-east-1"),
            ("TF_VAR_suffix", "0a1b2c3d"),
            ("TF_VAR_builder", THUMBCTL),
            ("TF_INPUT", "0"),
        ]);
        run(command)
    };
    let plugins = format!("-plugin-dir={}", terraform.plugins.display());
    by_hand(&["init", &plugins]);
    // Initializes both folders once.
    thumbctl("deploy");
    thumbctl("destroy");

    let mut seconds: [Vec<f64>; 4] = Default::default();
    let (mut added, mut peak): ([Vec<f64>; 2], Option<Memory>) = Default::default();
    for _ in 0..ROUNDS {
        let planned = by_hand(&["plan", "-out=plan"]);
        let applied = by_hand(&["apply", "plan"]);
        seconds[0].push(planned.seconds + applied.seconds);
        seconds[1].push(by_hand(&["destroy", "-auto-approve", "-var=stage=build"]).seconds);
        for (at, command) in ["deploy", "destroy"].into_iter().enumerate() {
            let run = thumbctl(command);
            added[at].push(run.seconds - terraform_seconds(&run.stdout));
            seconds[2 + at].push(run.seconds);
            peak = larger(peak, run.peak);
        }
    }
    let [hand_deploy, hand_destroy, our_deploy, our_destroy] = seconds.map(median);
    println!("medians of {ROUNDS} alternating rounds, without init");
    for (what, hand, ours, added) in
        [("deploy", hand_deploy, our_deploy, &added[0]), ("destroy", hand_destroy, our_destroy, &added[1])]
    {
        let added = median(added.clone());
        println!(
            "  {what:<8} by hand {hand:>6.2} s, through thumbctl {ours:>6.2} s, {:+.1} %; outside Terraform's own steps {:.0} ms, {:.1} %",
            (ours / hand - 1.0) * 100.0,
            added * 1e3,
            added / ours * 100.0
        );
    }
    if let Some(Memory { own, resident }) = peak {
        println!("  peak memory of thumbctl: {own:.1} MB private, {resident:.1} MB with program pages");
    }
    sandbox.kill().expect("the sandbox can be killed");
    sandbox.wait().expect("it ends");
}
