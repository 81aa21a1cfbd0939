//! Measures the real program with its sandbox: duration and memory of the main commands.
//!
//! Every run has its own state directory. Times are from process start to end unless noted. Memory is the peak resident
//! set, separately for the command and its sandbox.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

const RUNS: usize = 9;

/// The figures of a command.
struct Measured {
    seconds: f64,
    first_event: f64,
    command_peak: u64,
    sandbox_peak: u64,
}

struct Bench {
    dir: tempfile::TempDir,
}

impl Bench {
    fn new() -> Self {
        Self { dir: tempfile::tempdir().expect("a temporary folder") }
    }

    fn state(&self) -> PathBuf {
        self.dir.path().join("state")
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_thumbctl"));
        command.args(arguments).args(["--yes", "--output", "json", "--state-dir"]).arg(self.state());
        command.env_remove("AWS_ENDPOINT_URL").env("XDG_CONFIG_HOME", self.dir.path());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    fn run(&self, arguments: &[&str]) -> Measured {
        let start = Instant::now();
        let mut child = self.command(arguments).spawn().expect("the program starts");
        let watch = MemoryWatch::start(child.id(), self.state());
        let mut lines = BufReader::new(child.stdout.take().expect("stdout is piped")).lines();
        let first = lines.next().and_then(Result::ok);
        let first_event = start.elapsed().as_secs_f64();
        for line in lines {
            line.expect("its output is text");
        }
        let status = child.wait().expect("it was started");
        let seconds = start.elapsed().as_secs_f64();
        if !status.success() {
            let mut errors = String::new();
            if let Some(mut stderr) = child.stderr.take() {
                std::io::Read::read_to_string(&mut stderr, &mut errors).expect("its errors are text");
            }
            panic!("thumbctl {arguments:?} failed: {errors} (first line: {first:?})");
        }
        let (command_peak, sandbox_peak) = watch.stop();
        Measured { seconds, first_event, command_peak, sandbox_peak }
    }
}

/// Records the peak memory of a command and its sandbox until stopped.
struct MemoryWatch {
    stop: Arc<AtomicBool>,
    command: Arc<AtomicU64>,
    sandbox: Arc<AtomicU64>,
    thread: thread::JoinHandle<()>,
}

impl MemoryWatch {
    fn start(pid: u32, state: PathBuf) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let (command, sandbox) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
        let thread = thread::spawn({
            let (stop, command, sandbox) = (stop.clone(), command.clone(), sandbox.clone());
            move || {
                while !stop.load(Ordering::Relaxed) {
                    command.fetch_max(peak_of(pid), Ordering::Relaxed);
                    if let Some(pid) = sandbox_pid(&state) {
                        sandbox.fetch_max(peak_of(pid), Ordering::Relaxed);
                    }
                    thread::sleep(Duration::from_millis(5));
                }
            }
        });
        Self { stop, command, sandbox, thread }
    }

    fn stop(self) -> (u64, u64) {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().expect("the thread does not panic");
        (self.command.load(Ordering::Relaxed), self.sandbox.load(Ordering::Relaxed))
    }
}

/// The peak resident set in kB; Linux only, else 0.
fn peak_of(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|value| value.trim().trim_end_matches(" kB").parse().ok()).unwrap_or(0)
}

fn sandbox_pid(state: &Path) -> Option<u32> {
    let text = fs::read_to_string(state.join("sandbox/endpoint.json")).ok()?;
    let endpoint: serde_json::Value = serde_json::from_str(&text).ok()?;
    endpoint["pid"].as_u64()?.try_into().ok()
}

/// A sandbox in a separate process, so that uploads are measured without its start.
struct Sandbox(Child);

impl Sandbox {
    fn start(bench: &Bench) -> Self {
        let data = bench.state().join("sandbox");
        let mut command = Command::new(env!("CARGO_BIN_EXE_thumbctl"));
        command.args(["sandbox", "--port", "0", "--data-dir"]).arg(&data).arg("--state-dir").arg(bench.state());
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        let child = child.expect("the program starts");
        let start = Instant::now();
        while sandbox_pid(&bench.state()).is_none() {
            assert!(start.elapsed() < Duration::from_secs(10), "the sandbox does not start");
            thread::sleep(Duration::from_millis(5));
        }
        Self(child)
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        // Its state is not needed by other runs.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A deterministic photo-like JPEG of 2,400 x 1,600 pixels and about one megabyte.
fn photo() -> Vec<u8> {
    let (width, height) = (2_400u16, 1_600u16);
    let mut grain = 0x2545_f491_u32;
    let mut pixels = Vec::with_capacity(usize::from(width) * usize::from(height) * 3);
    for y in 0..u32::from(height) {
        for x in 0..u32::from(width) {
            grain ^= grain << 13;
            grain ^= grain >> 17;
            grain ^= grain << 5;
            let noise = grain % 12;
            let waves = (x * x / 2_000 + y * 3) % 160;
            pixels.extend([x * 200 / 2_400 + noise, waves + noise, y * 220 / 1_600 + noise].map(|value| value as u8));
        }
    }
    let mut jpeg = Vec::new();
    let encoder = jpeg_encoder::Encoder::new(&mut jpeg, 87);
    encoder.encode(&pixels, width, height, jpeg_encoder::ColorType::Rgb).expect("the pixels fill the picture");
    jpeg
}

/// The photo padded to at least `bytes` bytes with application segments, which decoders ignore.
fn padded(photo: &[u8], bytes: usize) -> Vec<u8> {
    // Application segments follow the start marker; each holds up to 65,533 bytes.
    let mut padded = photo[..2].to_vec();
    while padded.len() + photo.len() < bytes {
        padded.extend([0xff, 0xef, 0xff, 0xff]);
        padded.extend(std::iter::repeat_n(0x20, 65_533));
    }
    padded.extend(&photo[2..]);
    padded
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn report(what: &str, runs: &[Measured]) {
    let command = runs.iter().map(|run| run.command_peak).max().unwrap_or(0) as f64 / 1024.0;
    let sandbox = runs.iter().map(|run| run.sandbox_peak).max().unwrap_or(0) as f64 / 1024.0;
    println!(
        "{what:<34} {:>8.0} ms   first event {:>5.0} ms   peak: command {command:>5.1} MB, sandbox {sandbox:>5.1} MB",
        median(runs.iter().map(|run| run.seconds * 1e3).collect()),
        median(runs.iter().map(|run| run.first_event * 1e3).collect()),
    );
}

fn main() {
    // `cargo test --benches` only checks that the benchmark starts.
    if std::env::args().any(|argument| argument == "--test") {
        return;
    }
    let photo = photo();
    println!("medians of {RUNS} runs each; peaks are the highest of all runs; the photo has {} bytes", photo.len());
    let (mut deploys, mut destroys) = (Vec::new(), Vec::new());
    let (mut cold, mut warm, mut large) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..RUNS {
        let bench = Bench::new();
        let image = bench.dir.path().join("one-megabyte.jpg");
        fs::File::create(&image).and_then(|mut file| file.write_all(&photo)).expect("the file can be written");
        let big = bench.dir.path().join("fifty-megabytes.jpg");
        fs::File::create(&big)
            .and_then(|mut file| file.write_all(&padded(&photo, 50_000_000)))
            .expect("the file can be written");
        let (image, big) = (image.display().to_string(), big.display().to_string());
        let saved = bench.dir.path().join("saved").display().to_string();

        deploys.push(bench.run(&["deploy"]));
        {
            let _sandbox = Sandbox::start(&bench);
            cold.push(bench.run(&["upload", &image, "--save", &saved]));
            warm.push(bench.run(&["upload", &image, "--save", &saved]));
            large.push(bench.run(&["upload", &big, "--save", &saved]));
        }
        destroys.push(bench.run(&["destroy"]));
    }
    report("deploy", &deploys);
    report("upload 1 MB, cold function", &cold);
    report("upload 1 MB, warm function", &warm);
    report("upload 50 MB", &large);
    report("destroy", &destroys);
}
