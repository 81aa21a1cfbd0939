//! Measures the sandbox as a server: start, latency, load, idle cost.
//!
//! A release build runs in a separate process. Calls are signed and sent over one persistent connection. Their duration is
//! measured by the client, from the first byte sent to the last received. Each figure is printed with its bound.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use aws_sdk_s3::config::Credentials;
use aws_sigv4::http_request::{PayloadChecksumKind, SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use serde_json::{Value, json};
use thumbctl_core::event::{Event, EventKind};
use thumbctl_core::names::Names;
use thumbctl_core::resource::ResourceKind;

const STARTS: usize = 11;
const CALLS: usize = 300;
const FUNCTIONS: usize = 100;
const OBJECTS: usize = 1000;
const AT_ONCE: usize = 20;
const IDLE: Duration = Duration::from_secs(20);
const TIMEOUT: Duration = Duration::from_secs(600);

/// `thumbctl sandbox`, running.
struct Sandbox {
    process: Child,
    url: String,
    identity: aws_sdk_s3::config::Credentials,
    region: String,
    /// The time from process start to the first response.
    start: Duration,
}

impl Sandbox {
    fn start(state: &Path) -> Self {
        let started = Instant::now();
        let mut command = Command::new(env!("CARGO_BIN_EXE_thumbctl"));
        command.args(["sandbox", "--port", "0", "--state-dir"]).arg(state);
        command.env_remove("AWS_ENDPOINT_URL").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut process = command.spawn().expect("the program starts");
        let mut lines = BufReader::new(process.stdout.take().expect("stdout is piped")).lines();
        let mut exported = |name: &str| {
            let start = format!("export {name}=");
            lines.find_map(|line| line.ok()?.strip_prefix(&start).map(str::to_owned)).expect("the variable is printed")
        };
        let url = exported("AWS_ENDPOINT_URL");
        let (key, secret) = (exported("AWS_ACCESS_KEY_ID"), exported("AWS_SECRET_ACCESS_KEY"));
        let region = exported("AWS_REGION");
        // Its output is drained, so that the pipe does not block it.
        thread::spawn(move || lines.for_each(drop));
        let mut sandbox = Self {
            process,
            url,
            identity: Credentials::new(key, secret, None, None, "bench"),
            region,
            start: Duration::ZERO,
        };
        sandbox.client().json("sts", "POST", "/", "Action=GetCallerIdentity&Version=2011-06-15");
        sandbox.start = started.elapsed();
        sandbox
    }

    fn client(&self) -> Client<'_> {
        let agent = ureq::Agent::config_builder().http_status_as_error(false).proxy(None).build();
        Client { sandbox: self, agent: agent.into() }
    }

    fn stop(mut self) {
        // Its state is saved with every call.
        self.process.kill().and_then(|()| self.process.wait()).expect("it was running");
    }
}

/// A client with one connection.
struct Client<'a> {
    sandbox: &'a Sandbox,
    agent: ureq::Agent,
}

impl Client<'_> {
    fn send(&self, service: &str, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> (u16, Vec<u8>) {
        let sandbox = self.sandbox;
        let uri = format!("{}{path}", sandbox.url);
        let identity = sandbox.identity.clone().into();
        let mut settings = SigningSettings::default();
        settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
        let parameters = v4::SigningParams::builder()
            .identity(&identity)
            .region(&sandbox.region)
            .name(service)
            .time(SystemTime::now())
            .settings(settings)
            .build()
            .expect("complete")
            .into();
        let signable = SignableRequest::new(method, &uri, headers.iter().copied(), SignableBody::Bytes(body));
        let (instructions, _) = sign(signable.expect("a request"), &parameters).expect("a signature").into_parts();
        let mut request = http::Request::builder().method(method).uri(&uri);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let mut request = request.body(body.to_vec()).expect("a request");
        instructions.apply_to_request_http1x(&mut request);
        let mut response = self.agent.run(request).expect("a response");
        let mut bytes = Vec::new();
        response.body_mut().as_reader().read_to_end(&mut bytes).expect("a complete response");
        (response.status().as_u16(), bytes)
    }

    /// Executes a successful call.
    fn call(&self, service: &str, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Vec<u8> {
        let (status, response) = self.send(service, method, path, headers, body);
        assert!(status < 300, "{method} {path}: {status} {}", String::from_utf8_lossy(&response));
        response
    }

    fn json(&self, service: &str, method: &str, path: &str, body: &str) -> Value {
        let kind =
            if service == "sts" || service == "iam" { "application/x-www-form-urlencoded" } else { "application/json" };
        let response = self.call(service, method, path, &[("content-type", kind)], body.as_bytes());
        serde_json::from_slice(&response).unwrap_or(Value::Null)
    }

    fn put(&self, bucket: &str, key: &str, body: &[u8]) {
        self.call("s3", "PUT", &format!("/{bucket}/{key}"), &[], body);
    }

    /// The number of objects with a prefix in a bucket, at most a thousand.
    fn count(&self, bucket: &str, prefix: &str) -> usize {
        let list = self.call("s3", "GET", &format!("/{bucket}?list-type=2&prefix={prefix}"), &[], b"");
        String::from_utf8_lossy(&list).matches("<Contents>").count()
    }
}

/// Deploys the architecture and returns its names.
fn deploy(state: &Path) -> Names {
    let mut command = Command::new(env!("CARGO_BIN_EXE_thumbctl"));
    command.args(["deploy", "--yes", "--output", "json", "--state-dir"]).arg(state);
    let output = command.env_remove("AWS_ENDPOINT_URL").stdin(Stdio::null()).output().expect("the program starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).expect("text");
    let mut events = text.lines().map(|line| serde_json::from_str::<Event>(line).expect("an event"));
    events
        .find_map(|event| match event.kind {
            EventKind::RunStarted(started) => Some(started.names),
            _ => None,
        })
        .expect("the run has a start event")
}

fn median(mut times: Vec<Duration>) -> f64 {
    times.sort();
    times.get(times.len() / 2).map_or(f64::NAN, |time| time.as_secs_f64() * 1e3)
}

fn report(what: &str, value: f64, unit: &str, bound: Option<f64>) {
    let verdict = match bound {
        Some(bound) if value <= bound => format!("bound {bound} {unit}: met"),
        Some(bound) => format!("bound {bound} {unit}: BROKEN"),
        None => String::new(),
    };
    println!("{what:<52} {value:>9.2} {unit:<6} {verdict}");
}

/// Measures the median duration of calls, for the current state.
fn calls(client: &Client<'_>, names: &Names, when: &str) {
    let (source, function) = (names.of(ResourceKind::SourceBucket), names.of(ResourceKind::Function));
    let bucket = names.of(ResourceKind::DestinationBucket);
    let arn = client.json("lambda", "GET", &format!("/2015-03-31/functions/{function}"), "");
    let arn = arn["Configuration"]["FunctionArn"].as_str().expect("an ARN").replace(':', "%3A");
    let role = names.of(ResourceKind::FunctionRole);
    let logs = |target: &'static str| [("x-amz-target", target), ("content-type", "application/x-amz-json-1.1")];
    let group = json!({ "logGroupName": names.of(ResourceKind::FunctionLogGroup) }).to_string();
    let measure = |what: &str, act: &dyn Fn(usize)| {
        let times = (0..CALLS).map(|number| {
            let started = Instant::now();
            act(number);
            started.elapsed()
        });
        report(&format!("{what}, {when}"), median(times.collect()), "ms", Some(2.0));
    };
    measure("s3 PutObject", &|number| client.put(&bucket, &format!("bench/{number}"), b"small"));
    measure("s3 GetObject", &|number| drop(client.call("s3", "GET", &format!("/{bucket}/bench/{number}"), &[], b"")));
    measure("s3 ListObjectsV2 of 10", &|_| {
        client.call("s3", "GET", &format!("/{source}?list-type=2&max-keys=10"), &[], b"");
    });
    measure("lambda GetFunction", &|_| {
        drop(client.json("lambda", "GET", &format!("/2015-03-31/functions/{function}"), ""));
    });
    measure("lambda TagResource", &|number| {
        let tags = json!({ "Tags": { "bench": number.to_string() } }).to_string();
        client.json("lambda", "POST", &format!("/2017-03-31/tags/{arn}"), &tags);
    });
    measure("iam GetRole", &|_| {
        client.json("iam", "POST", "/", &format!("Action=GetRole&RoleName={role}&Version=2010-05-08"));
    });
    measure("iam TagRole", &|number| {
        let tag = format!("Tags.member.1.Key=bench&Tags.member.1.Value={number}");
        client.json("iam", "POST", "/", &format!("Action=TagRole&RoleName={role}&{tag}&Version=2010-05-08"));
    });
    measure("logs DescribeLogStreams", &|_| {
        client.call("logs", "POST", "/", &logs("Logs_20140328.DescribeLogStreams"), group.as_bytes());
    });
    measure("sts GetCallerIdentity", &|_| {
        drop(client.json("sts", "POST", "/", "Action=GetCallerIdentity&Version=2011-06-15"));
    });
}

/// Uploads `count` images under `prefix` over `connections` connections and waits for the thumbnails; returns the duration.
fn load(sandbox: &Sandbox, names: &Names, image: &[u8], prefix: &str, count: usize, connections: usize) -> Duration {
    let (source, destination) = (names.of(ResourceKind::SourceBucket), names.of(ResourceKind::DestinationBucket));
    let next = AtomicUsize::new(0);
    let started = Instant::now();
    thread::scope(|scope| {
        for _ in 0..connections {
            scope.spawn(|| {
                let client = sandbox.client();
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= count {
                        return;
                    }
                    client.put(&source, &format!("{prefix}{number}.jpg"), image);
                }
            });
        }
    });
    let client = sandbox.client();
    while client.count(&destination, &format!("thumb-{prefix}")) < count {
        assert!(started.elapsed() < TIMEOUT, "timeout while waiting for {count} thumbnails");
        thread::sleep(Duration::from_millis(20));
    }
    started.elapsed()
}

/// The number of failed invocations in the function log.
fn failures(client: &Client<'_>, names: &Names) -> usize {
    let headers = [("x-amz-target", "Logs_20140328.FilterLogEvents"), ("content-type", "application/x-amz-json-1.1")];
    let group = names.of(ResourceKind::FunctionLogGroup);
    let (mut token, mut failed) = (Value::Null, 0);
    loop {
        let mut input = json!({ "logGroupName": group, "filterPattern": "REPORT" });
        if token.is_string() {
            input["nextToken"] = token;
        }
        let page = client.call("logs", "POST", "/", &headers, input.to_string().as_bytes());
        let page: Value = serde_json::from_slice(&page).expect("JSON");
        let messages = page["events"].as_array().into_iter().flatten().filter_map(|event| event["message"].as_str());
        failed += messages.filter(|message| message.contains("Status: ")).count();
        token = page["nextToken"].clone();
        if token.is_null() {
            return failed;
        }
    }
}

fn functions(client: &Client<'_>, names: &Names) {
    let function = names.of(ResourceKind::Function);
    let model = client.json("lambda", "GET", &format!("/2015-03-31/functions/{function}"), "");
    for number in 0..FUNCTIONS {
        let input = json!({
            "FunctionName": format!("bench-{number}"),
            "PackageType": "Image",
            "Code": { "ImageUri": model["Code"]["ImageUri"] },
            "Role": model["Configuration"]["Role"],
            "Environment": { "Variables": { "DEST_BUCKET": "none" } },
        });
        client.json("lambda", "POST", "/2015-03-31/functions", &input.to_string());
    }
}

/// The resident set of a process in MB; Linux only, else 0.
fn resident(pid: u32) -> f64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|value| value.trim().trim_end_matches(" kB").parse::<f64>().ok()).unwrap_or(0.0) / 1024.0
}

/// The CPU time of a process in hundredths of a second; Linux only, else 0.
fn ticks(pid: u32) -> u64 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let fields = stat.rsplit_once(')').map_or("", |(_, rest)| rest).split_whitespace();
    fields.skip(11).take(2).filter_map(|field| field.parse::<u64>().ok()).sum()
}

fn idle(sandbox: &Sandbox, when: &str) {
    let pid = sandbox.process.id();
    let (started, before) = (Instant::now(), ticks(pid));
    thread::sleep(IDLE);
    let share = (ticks(pid) - before) as f64 / started.elapsed().as_secs_f64();
    report(&format!("memory, {when}"), resident(pid), "MB", Some(60.0));
    report(&format!("share of a core, {when}"), share, "%", Some(0.5));
}

fn image() -> Vec<u8> {
    let (width, height) = (640_u16, 480_u16);
    let pixel = |at: u32| [at % 251, at / 640 % 253, at % 17 * 15].map(|value| value as u8);
    let pixels: Vec<u8> = (0..u32::from(width) * u32::from(height)).flat_map(pixel).collect();
    let mut jpeg = Vec::new();
    let encoder = jpeg_encoder::Encoder::new(&mut jpeg, 80);
    encoder.encode(&pixels, width, height, jpeg_encoder::ColorType::Rgb).expect("the pixels fill the picture");
    jpeg
}

fn main() {
    // `cargo test --benches` only checks that the benchmark starts.
    if std::env::args().any(|argument| argument == "--test") {
        return;
    }
    let dir = tempfile::tempdir().expect("a temporary folder");
    let starts = (0..STARTS).map(|number| {
        let sandbox = Sandbox::start(&dir.path().join(format!("start-{number}")));
        let start = sandbox.start;
        sandbox.stop();
        start
    });
    report("start to the first response", median(starts.collect()), "ms", Some(150.0));

    let state: PathBuf = dir.path().join("state");
    let sandbox = Sandbox::start(&state);
    idle(&sandbox, "new and idle");
    let names = deploy(&state);
    let client = sandbox.client();
    let image = image();
    calls(&client, &names, "deployed");

    let took = load(&sandbox, &names, &image, "at-once-", AT_ONCE, AT_ONCE);
    report(&format!("{AT_ONCE} images at once"), took.as_secs_f64(), "s", None);
    let done = AtomicBool::new(false);
    let (took, during) = thread::scope(|scope| {
        let watch = scope.spawn(|| {
            let client = sandbox.client();
            let mut times = Vec::new();
            while !done.load(Ordering::Relaxed) {
                let started = Instant::now();
                client.json("sts", "POST", "/", "Action=GetCallerIdentity&Version=2011-06-15");
                times.push(started.elapsed());
                thread::sleep(Duration::from_millis(5));
            }
            times
        });
        let took = load(&sandbox, &names, &image, "many-", OBJECTS, 8);
        done.store(true, Ordering::Relaxed);
        (took, watch.join().expect("the thread does not panic"))
    });
    report(&format!("{OBJECTS} objects to {OBJECTS} thumbnails"), took.as_secs_f64(), "s", None);
    report("a call during that load", median(during), "ms", Some(2.0));
    report("invocations that failed", failures(&client, &names) as f64, "", Some(0.0));
    functions(&client, &names);
    calls(&client, &names, &format!("{OBJECTS} objects, {FUNCTIONS} functions"));
    idle(&sandbox, "idle after the load");
    let pid = sandbox.process.id();
    drop(client);
    sandbox.stop();
    assert!(resident(pid) == 0.0, "it has ended");
}
