//! The strategies side by side, by the real program in its sandbox: `cargo bench --bench strategies`. With `-- --aws` also at
//! AWS's pace, which takes a quarter of an hour: how much longer each takes than the longest chain of waits in it.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use serde_json::Value;

/// How often each strategy deploys and destroys, by turns.
const RUNS: usize = 9;

/// The longest chains: resources that wait for each other, by stack.
const CHAINS: [&[&str]; 2] = [
    &["build_policy", "build_role", "build_project"],
    &["function_policy", "function_role", "function", "source_bucket"],
];

struct Run {
    seconds: f64,
    events: Vec<Value>,
}

fn run(home: &Path, arguments: &[&str]) -> Run {
    let mut command = Command::new(env!("CARGO_BIN_EXE_thumbctl"));
    command.args(arguments).args(["--yes", "--output", "json", "--state-dir"]).arg(home.join("state"));
    command.env_remove("AWS_ENDPOINT_URL").env("XDG_CONFIG_HOME", home).stdin(Stdio::null());
    let began = Instant::now();
    let output = command.output().expect("the program starts");
    let seconds = began.elapsed().as_secs_f64();
    assert!(output.status.success(), "thumbctl {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    let lines = String::from_utf8(output.stdout).expect("its output is text");
    Run { seconds, events: lines.lines().map(|line| serde_json::from_str(line).expect("events are JSON")).collect() }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// How long each resource took, by what was told.
fn times(events: &[Value]) -> BTreeMap<String, f64> {
    let ready = events.iter().filter(|event| event["event"] == "resource_changed" && event["state"] == "ready");
    ready.filter_map(|event| Some((event["resource"].as_str()?.to_owned(), event["seconds"].as_f64()?))).collect()
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
    println!("without latency: medians of {RUNS} runs each, by turns");
    for ((strategy, command), seconds) in seconds {
        println!("  {strategy:<16} {command:<8} {:>7.0} ms", median(seconds) * 1e3);
    }
}

fn at_awss_pace() {
    println!("at AWS's pace: one run each");
    for strategy in ["sdk", "cloudformation"] {
        let home = tempfile::tempdir().expect("a temporary folder");
        std::fs::create_dir(home.path().join("thumbctl")).expect("a folder");
        std::fs::write(home.path().join("thumbctl/config.toml"), "[sandbox]\nlatency = \"aws\"\n").expect("a file");
        let deployed = run(home.path(), &["deploy", "--strategy", strategy]);
        let destroyed = run(home.path(), &["destroy", "--strategy", strategy]);
        let times = times(&deployed.events);
        println!("  {strategy:<16} deploy {:>7.1} s, destroy {:>6.1} s", deployed.seconds, destroyed.seconds);
        let mut chain = times.get("image").copied().unwrap_or_default();
        println!("    the build {chain:.1} s");
        for kinds in CHAINS {
            let each: Vec<(&str, f64)> =
                kinds.iter().map(|kind| (*kind, times.get(*kind).copied().unwrap_or_default())).collect();
            let told: Vec<String> = each.iter().map(|(kind, seconds)| format!("{kind} {seconds:.1}")).collect();
            println!("    {}", told.join(" → "));
            chain += each.iter().map(|(_, seconds)| seconds).sum::<f64>();
        }
        println!(
            "    the chain {chain:.1} s; the deployment takes {:.1} % longer",
            (deployed.seconds / chain - 1.0) * 100.0
        );
    }
}

fn main() {
    // `cargo test --benches` only wants to know that it starts.
    if std::env::args().any(|argument| argument == "--test") {
        return;
    }
    instant();
    if std::env::args().any(|argument| argument == "--aws") {
        at_awss_pace();
    }
}
