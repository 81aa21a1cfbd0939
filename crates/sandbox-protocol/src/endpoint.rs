//! Where a running sandbox is to be found: a file in its data directory, and whether it speaks the truth.

use std::io;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// The file in a data directory that says where its sandbox answers.
pub const ENDPOINT_FILE: &str = "endpoint.json";
/// The file in the usual data directory that names the one of a sandbox in the foreground.
pub const ANNOUNCEMENT_FILE: &str = "foreground.json";
/// The path at which a sandbox answers 200 with its instance, without a signature.
pub const READY_PATH: &str = "/_sandbox/ready";

/// A sandbox that answers, and what its calls are signed with.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Endpoint {
    /// `http://127.0.0.1:PORT`.
    pub url: String,
    /// The access key, made anew at each start.
    pub access_key: String,
    /// Its secret.
    pub secret_key: String,
    /// The server's process.
    pub pid: u32,
    /// How fast its time goes, unless that is the machine's own way.
    #[serde(default)]
    pub pace: Option<String>,
    /// Tells this server from whatever may have its port later.
    pub instance: String,
}

impl Endpoint {
    /// The port that it answers on.
    pub fn port(&self) -> u16 {
        self.url.rsplit(':').next().and_then(|port| port.parse().ok()).unwrap_or_default()
    }

    /// The sandbox of a data directory, if it answers.
    pub async fn find(dir: &Path) -> Option<Self> {
        let endpoint: Self = serde_json::from_slice(&std::fs::read(dir.join(ENDPOINT_FILE)).ok()?).ok()?;
        let answers = tokio::time::timeout(Duration::from_secs(2), endpoint.answers()).await;
        matches!(answers, Ok(Ok(true))).then_some(endpoint)
    }

    async fn answers(&self) -> io::Result<bool> {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port())).await?;
        let request =
            format!("GET {READY_PATH} HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nConnection: close\r\n\r\n", self.port());
        stream.write_all(request.as_bytes()).await?;
        let mut answer = String::new();
        stream.take(4096).read_to_string(&mut answer).await?;
        Ok(answer.starts_with("HTTP/1.1 200") && answer.contains(&self.instance))
    }
}

/// The data directory of the sandbox that is used by those who look in `usual`: its own, or that of a sandbox which runs in
/// the foreground elsewhere and was announced there.
pub async fn data_dir_in_use(usual: &Path) -> PathBuf {
    match announced_dir(usual) {
        // One that was killed is still announced, and does not answer.
        Some(dir) if Endpoint::find(&dir).await.is_some() => dir,
        _ => usual.to_owned(),
    }
}

/// The data directory that was announced in `usual`, whether its sandbox still runs or not.
pub fn announced_dir(usual: &Path) -> Option<PathBuf> {
    serde_json::from_slice(&std::fs::read(usual.join(ANNOUNCEMENT_FILE)).ok()?).ok()
}
