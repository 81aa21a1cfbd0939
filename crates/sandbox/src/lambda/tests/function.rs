//! The tests' function: a real process that uses the Runtime API and runs the task in its event.
//!
//! Its program is the test binary: the image's `bootstrap` starts it with [`function_process`] as its only test.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};

/// The image's `/bootstrap`: a script that executes the test binary.
///
/// The test harness writes to standard output, which must not be in the log, so the function writes to descriptor 3.
/// Variables that shells export are unset.
pub(super) fn bootstrap() -> String {
    let program = std::env::current_exe().unwrap();
    let program = program.to_str().unwrap().replace('\'', r"'\''");
    let module = module_path!().split_once("::").unwrap().1;
    format!(
        "#!/bin/sh\nexec 3>&1 >/dev/null\nexec /usr/bin/env -u _ -u PWD -u OLDPWD -u SHLVL '{program}' --exact --ignored \
         --nocapture --test-threads=1 {module}::function_process -- \"$@\"\n"
    )
}

/// A task in an event. An event without `do` is returned unchanged.
#[derive(Deserialize)]
#[serde(tag = "do", rename_all = "snake_case")]
enum Task {
    /// Returns the environment.
    Env,
    /// Returns the working directory and the arguments.
    Where,
    /// Returns the process id, the number of events so far, and the event's headers.
    Count,
    /// Appends the request id to a file.
    Mark { mark: PathBuf },
    /// Appends the request id, waits until another file exists, and optionally reports an error.
    WaitFor {
        mark: PathBuf,
        file: PathBuf,
        #[serde(default)]
        then_fail: bool,
    },
    /// Appends the request id and never responds.
    Hang { mark: Option<PathBuf> },
    /// Writes lines to standard output, and one to standard error.
    Print { lines: Vec<String> },
    /// Starts a child that keeps running after the event.
    Spawn,
    /// Starts children in their own sessions, the second without the function's environment.
    Detach,
    /// Fills memory.
    Hoard { megabytes: usize },
    /// Fills memory in a child.
    HoardInChild { megabytes: usize },
    /// Ends the process.
    Exit { code: i32 },
    /// Reports an error.
    Fail,
    /// Returns a text of a given size.
    Large { bytes: usize },
}

struct Function {
    agent: ureq::Agent,
    base: String,
    output: File,
    served: u64,
}

/// An event and its headers.
struct Request {
    headers: http::HeaderMap,
    body: String,
    event: Value,
}

impl Request {
    fn header(&self, name: &str) -> &str {
        self.headers[name].to_str().unwrap()
    }

    fn id(&self) -> &str {
        self.header("lambda-runtime-aws-request-id")
    }

    fn mark(&self, path: &Path) {
        let mut file = File::options().append(true).create(true).open(path).unwrap();
        writeln!(file, "{}", self.id()).unwrap();
    }
}

impl Function {
    fn new() -> Self {
        let address = std::env::var("AWS_LAMBDA_RUNTIME_API").expect("tests start this in the sandbox");
        let agent = ureq::Agent::config_builder().http_status_as_error(false).proxy(None).build().into();
        let output = File::options().write(true).open("/dev/fd/3").unwrap();
        Self { agent, base: format!("http://{address}/2018-06-01/runtime"), output, served: 0 }
    }

    fn post(&self, path: &str, body: &str) {
        self.agent.post(format!("{}/{path}", self.base)).send(body).unwrap();
    }

    /// The next event; `None` after the sandbox has ended.
    fn next(&self) -> Option<Request> {
        let mut response = self.agent.get(format!("{}/invocation/next", self.base)).call().ok()?;
        let body = response.body_mut().read_to_string().ok()?;
        let event = serde_json::from_str(&body).expect("only JSON is passed on");
        Some(Request { headers: response.headers().clone(), body, event })
    }

    fn report_failure(&self, request: &Request) {
        let error = json!({ "errorType": "Oops", "errorMessage": "on purpose" });
        self.post(&format!("invocation/{}/error", request.id()), &error.to_string());
    }

    fn respond(&self, request: &Request, response: &str) {
        self.post(&format!("invocation/{}/response", request.id()), response);
    }

    #[expect(clippy::disallowed_methods, reason = "a separate process, whose output is the function's log")]
    #[expect(clippy::zombie_processes, reason = "the tests check that the sandbox kills the children")]
    fn serve(&mut self, request: &Request) {
        self.served += 1;
        let event = &request.event;
        let task = event.get("do").map(|_| Task::deserialize(event).expect("a known task"));
        let response = match task {
            None => return self.respond(request, &request.body),
            Some(Task::Env) => std::env::vars().collect(),
            Some(Task::Where) => {
                let arguments: Vec<String> = std::env::args().skip_while(|argument| argument != "--").skip(1).collect();
                json!({ "cwd": std::env::current_dir().unwrap(), "arguments": arguments })
            }
            Some(Task::Count) => json!({
                "pid": std::process::id(),
                "served": self.served,
                "deadline": request.header("lambda-runtime-deadline-ms").parse::<u64>().unwrap(),
                "arn": request.header("lambda-runtime-invoked-function-arn"),
                "trace": request.header("lambda-runtime-trace-id"),
            }),
            Some(Task::Mark { mark }) => {
                request.mark(&mark);
                event.clone()
            }
            Some(Task::WaitFor { mark, file, then_fail }) => {
                request.mark(&mark);
                while !file.exists() {
                    std::thread::sleep(Duration::from_millis(2));
                }
                if then_fail {
                    return self.report_failure(request);
                }
                event.clone()
            }
            Some(Task::Hang { mark }) => {
                mark.iter().for_each(|mark| request.mark(mark));
                loop {
                    std::thread::park();
                }
            }
            Some(Task::Print { lines }) => {
                let lines: String = lines.iter().map(|line| format!("{line}\n")).collect();
                self.output.write_all(lines.as_bytes()).unwrap();
                self.output.write_all(b"no line break").unwrap();
                std::io::stderr().write_all(b"\nfrom stderr\n").unwrap();
                event.clone()
            }
            Some(Task::Spawn) => {
                let child = Command::new("sleep").arg("600").spawn().unwrap();
                json!({ "pid": std::process::id(), "child": child.id() })
            }
            Some(Task::Detach) => {
                let sleep = || {
                    let mut command = Command::new("setsid");
                    command.args(["sleep", "600"]);
                    command
                };
                let path = std::env::var_os("PATH").unwrap();
                let children = [sleep().spawn(), sleep().env_clear().env("PATH", path).spawn()];
                children.map(|child| child.unwrap().id()).into_iter().collect()
            }
            Some(Task::Hoard { megabytes }) => {
                let hoard: Vec<Vec<u8>> = (0..megabytes / 4).map(|_| vec![1; 4 << 20]).collect();
                json!(std::hint::black_box(hoard).len())
            }
            Some(Task::HoardInChild { megabytes }) => {
                // dd reads one block into memory, and then blocks on the pipe.
                let size = format!("bs={}", megabytes << 20);
                let mut child = Command::new("dd");
                let child = child.args(["if=/dev/zero", &size, "count=1"]).stdout(Stdio::piped()).spawn();
                json!(child.unwrap().wait().unwrap().code())
            }
            Some(Task::Exit { code }) => std::process::exit(code),
            Some(Task::Fail) => return self.report_failure(request),
            Some(Task::Large { bytes }) => json!("x".repeat(bytes)),
        };
        self.respond(request, &response.to_string());
    }
}

#[test]
#[ignore = "started by other tests as their function's process"]
fn function_process() {
    let mut function = Function::new();
    match std::env::var("BREAK_INIT").as_deref() {
        Ok("error") => {
            function.post("init/error", r#"{"errorType":"Init.Bad","errorMessage":"cannot start"}"#);
            std::process::exit(1);
        }
        Ok("exit") => std::process::exit(3),
        Ok("wait") => {
            let file = std::env::var_os("WAIT_FOR").unwrap();
            while !Path::new(&file).exists() {
                std::thread::sleep(Duration::from_millis(5));
            }
        }
        _ => {}
    }
    function.output.write_all(b"initialised\n").unwrap();
    while let Some(request) = function.next() {
        function.serve(&request);
    }
}
