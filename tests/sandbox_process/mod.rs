//! A sandbox in a process of its own, as builds need it: their tools are links to the program.
#![allow(dead_code)]

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use aws_config::retry::RetryConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_s3::config::{Credentials, SharedCredentialsProvider};
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use rustix::process::{Pid, Signal, kill_process};

pub struct Sandbox {
    process: Child,
    pub url: String,
    pub config: SdkConfig,
}

impl Sandbox {
    /// Starts one with its state in `dir`.
    pub fn on(dir: &Path) -> Self {
        let mut process = Command::new(env!("CARGO_BIN_EXE_thumbctl"))
            .args(["sandbox", "--port", "0", "--data-dir"])
            .arg(dir)
            .stdout(Stdio::piped())
            .spawn()
            .expect("the sandbox starts");
        let mut lines = BufReader::new(process.stdout.take().expect("piped")).lines();
        let mut exported = |name: &str| {
            let start = format!("export {name}=");
            lines
                .by_ref()
                .map(|line| line.expect("text"))
                .find_map(|line| line.strip_prefix(&start).map(str::to_owned))
                .expect("the sandbox says how to reach it")
        };
        let url = exported("AWS_ENDPOINT_URL");
        let credentials =
            Credentials::new(exported("AWS_ACCESS_KEY_ID"), exported("AWS_SECRET_ACCESS_KEY"), None, None, "test");
        // The log of calls must not fill the pipe.
        std::thread::spawn(move || lines.for_each(drop));
        let http =
            aws_smithy_http_client::Builder::new().tls_provider(Provider::Rustls(CryptoMode::Ring)).build_https();
        let config = SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::from_static("eu-west-1"))
            .endpoint_url(&url)
            .credentials_provider(SharedCredentialsProvider::new(credentials))
            .retry_config(RetryConfig::disabled())
            .http_client(http)
            .build();
        Self { process, url, config }
    }

    pub fn s3(&self) -> aws_sdk_s3::Client {
        let config = aws_sdk_s3::config::Builder::from(&self.config).force_path_style(true).build();
        aws_sdk_s3::Client::from_conf(config)
    }

    pub fn iam(&self) -> aws_sdk_iam::Client {
        aws_sdk_iam::Client::new(&self.config)
    }

    pub fn ecr(&self) -> aws_sdk_ecr::Client {
        aws_sdk_ecr::Client::new(&self.config)
    }

    pub fn codebuild(&self) -> aws_sdk_codebuild::Client {
        aws_sdk_codebuild::Client::new(&self.config)
    }

    pub fn logs(&self) -> aws_sdk_cloudwatchlogs::Client {
        aws_sdk_cloudwatchlogs::Client::new(&self.config)
    }

    /// `kill -9`.
    pub fn kill(mut self) {
        self.process.kill().expect("it can be killed");
        self.process.wait().expect("it ends");
    }

    /// Ctrl-C, and its end.
    pub fn interrupt(mut self) {
        let pid = Pid::from_child(&self.process);
        kill_process(pid, Signal::INT).expect("it can be signalled");
        let status = self.process.wait().expect("it ends");
        assert!(status.success(), "{status}");
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Asks until the answer is there; at most ten seconds.
pub async fn until<T>(what: &str, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let begun = std::time::Instant::now();
    let mut delay = std::time::Duration::from_millis(5);
    loop {
        if let Some(answer) = ask().await {
            return answer;
        }
        assert!(begun.elapsed().as_secs() < 10, "still waiting for {what}");
        tokio::time::sleep(delay).await;
        delay = (delay * 2).min(std::time::Duration::from_millis(100));
    }
}
