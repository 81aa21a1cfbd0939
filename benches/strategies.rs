//! Compares the strategies with the real program in its sandbox: `cargo bench --bench strategies`. With `-- --aws` also at
//! AWS's pace, which takes 15 minutes, compared with the longest chain of waits.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use serde_json::Value;

/// The number of alternating deployments and teardowns per strategy.
const RUNS: usize = 9;

/// The dependencies in the stacks that are created in sequence. The macro's stack is created in parallel to the first.
const STACKS: [&[(&str, &[&str])]; 2] = [
    &[
        ("repository", &[]),
        ("build_source_bucket", &[]),
        ("build_log_group", &[]),
        ("build_policy", &[]),
        ("build_role", &["build_policy"]),
        ("build_project", &["build_role", "repository", "build_log_group", "build_source_bucket"]),
    ],
    &[
        ("destination_bucket", &[]),
        ("function_log_group", &[]),
        ("function_policy", &[]),
        ("function_role", &["function_policy"]),
        ("function", &["function_role", "function_log_group", "destination_bucket"]),
        ("invoke_permission", &["function"]),
        ("source_bucket", &["function", "invoke_permission"]),
    ],
];

struct Run {
    seconds: f64,
    events: Vec<Value>,
}

fn run(home: &Path, arguments: &[&str]) -> Run {
    let mut command = Command::new(env!("CARGO_BIN_EXE_thumbctl"));
    command.args(arguments).args(["--yes", "--output", "json", "--state-dir"]).arg(home.join("state"));
    command.env_remove("AWS_ENDPOINT_URL").env("XDG_CONFIG_HOME", home).stdin(Stdio::null());
    let start = Instant::now();
    let output = command.output().expect("the program starts");
    let seconds = start.elapsed().as_secs_f64();
    assert!(output.status.success(), "thumbctl {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    let lines = String::from_utf8(output.stdout).expect("its output is text");
    Run { seconds, events: lines.lines().map(|line| serde_json::from_str(line).expect("events are JSON")).collect() }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// The durations of each resource by its events: until dependents could start, and until ready.
fn times(events: &[Value]) -> BTreeMap<String, (f64, f64)> {
    let mut times: BTreeMap<String, (f64, f64)> = BTreeMap::new();
    for event in events.iter().filter(|event| event["event"] == "resource_changed") {
        let (Some(resource), Some(seconds)) = (event["resource"].as_str(), event["seconds"].as_f64()) else { continue };
        match event["state"].as_str() {
            Some("creating") => drop(times.insert(resource.to_owned(), (seconds, seconds))),
            Some("ready") => times.entry(resource.to_owned()).or_insert((seconds, seconds)).1 = seconds,
            _ => {}
        }
    }
    times
}

/// The longest chain of waits in a stack, with its length in seconds.
fn longest(stack: &[(&str, &[&str])], times: &BTreeMap<String, (f64, f64)>) -> (String, f64) {
    // Each resource's chain until dependents can start, and until ready. Dependencies precede it in the list.
    let mut chains: BTreeMap<&str, (String, f64, f64)> = BTreeMap::new();
    for (resource, needs) in stack {
        let (configured, ready) = times.get(*resource).copied().unwrap_or_default();
        let before = needs.iter().map(|need| &chains[need]).max_by(|one, other| one.1.total_cmp(&other.1));
        let (chain, begins) = before.map_or((String::new(), 0.0), |(chain, ends, _)| (format!("{chain} → "), *ends));
        chains.insert(resource, (format!("{chain}{resource}"), begins + configured, begins + ready));
    }
    let last = chains.into_values().max_by(|one, other| one.2.total_cmp(&other.2)).expect("a stack has resources");
    (last.0, last.2)
}

fn instant() {
    let mut seconds: BTreeMap<(&str, &str), Vec<f64>> = BTreeMap::new();
    for _ in 0..RUNS {
        for strategy in ["sdk", "cloudformation"] {
            let home = tempfile::tempdir().expect("a temporary folder");
            for command in ["deploy", "destroy"] {
                let run = run(home.path(), &[command, "--strategy", strategy]);
                seconds.entry((strategy, command)).or_default().push(run.seconds);
            }
        }
    }
    println!("without latency: medians of {RUNS} alternating runs each");
    for ((strategy, command), seconds) in seconds {
        println!("  {strategy:<16} {command:<8} {:>7.0} ms", median(seconds) * 1e3);
    }
}

fn at_aws_pace() {
    println!("at AWS's pace: one run each");
    for strategy in ["sdk", "cloudformation"] {
        let home = tempfile::tempdir().expect("a temporary folder");
        std::fs::create_dir(home.path().join("thumbctl")).expect("a folder");
        std::fs::write(home.path().join("thumbctl/config.toml"), "[sandbox]\nlatency = \"aws\"\n").expect("a file");
        let deployed = run(home.path(), &["deploy", "--strategy", strategy]);
        let destroyed = run(home.path(), &["destroy", "--strategy", strategy]);
        let times = times(&deployed.events);
        println!("  {strategy:<16} deploy {:>7.1} s, destroy {:>6.1} s", deployed.seconds, destroyed.seconds);
        if strategy == "sdk" {
            continue;
        }
        let build = times.get("image").map_or(0.0, |(_, ready)| *ready);
        let mut chain = build;
        println!("    the build: {build:.1} s");
        for stack in STACKS {
            let (path, seconds) = longest(stack, &times);
            println!("    {path}: {seconds:.1} s");
            chain += seconds;
        }
        println!(
            "    the chain {chain:.1} s; the deployment takes {:.1} % longer",
            (deployed.seconds / chain - 1.0) * 100.0
        );
    }
}

fn main() {
    // `cargo test --benches` only checks that the benchmark starts.
    if std::env::args().any(|argument| argument == "--test") {
        return;
    }
    instant();
    if std::env::args().any(|argument| argument == "--aws") {
        at_aws_pace();
    }
}
