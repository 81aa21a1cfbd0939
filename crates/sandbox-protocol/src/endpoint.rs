//! The endpoint file of a running sandbox, in its data directory, and its verification.

use std::io;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// The file with the sandbox's [`Endpoint`], in its data directory.
pub const ENDPOINT_FILE: &str = "endpoint.json";
/// The file in the default data directory with the data directory of a foreground sandbox.
pub const ANNOUNCEMENT_FILE: &str = "foreground.json";
/// The path of the unsigned readiness check: status 200 with the sandbox's instance.
pub const READY_PATH: &str = "/_sandbox/ready";

/// The endpoint and credentials of a running sandbox.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Endpoint {
    /// `http://127.0.0.1:PORT`.
    pub url: String,
    /// The access key id, new at each start.
    pub access_key: String,
    /// The secret access key.
    pub secret_key: String,
    /// The server's process id.
    pub pid: u32,
    /// Its pace; `None` for the machine's own.
    #[serde(default)]
    pub pace: Option<String>,
    /// Identifies this server, since another may use its port later.
    pub instance: String,
}

impl Endpoint {
    /// The port.
    pub fn port(&self) -> u16 {
        self.url.rsplit(':').next().and_then(|port| port.parse().ok()).unwrap_or_default()
    }

    /// The endpoint file of a data directory, whether or not its sandbox is running.
    pub fn read(dir: &Path) -> Option<Self> {
        serde_json::from_slice(&std::fs::read(dir.join(ENDPOINT_FILE)).ok()?).ok()
    }

    /// The sandbox of a data directory, if it responds.
    pub async fn find(dir: &Path) -> Option<Self> {
        let endpoint = Self::read(dir)?;
        let is_ready = tokio::time::timeout(Duration::from_secs(2), endpoint.is_ready()).await;
        matches!(is_ready, Ok(Ok(true))).then_some(endpoint)
    }

    async fn is_ready(&self) -> io::Result<bool> {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port())).await?;
        let request =
            format!("GET {READY_PATH} HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nConnection: close\r\n\r\n", self.port());
        stream.write_all(request.as_bytes()).await?;
        let mut response = String::new();
        stream.take(4096).read_to_string(&mut response).await?;
        Ok(response.starts_with("HTTP/1.1 200") && response.contains(&self.instance))
    }
}

/// The data directory to use: that of a foreground sandbox announced in `default_dir`, or `default_dir` itself.
pub async fn data_dir_in_use(default_dir: &Path) -> PathBuf {
    match announced_dir(default_dir) {
        // A killed sandbox is still announced, but does not respond.
        Some(dir) if Endpoint::find(&dir).await.is_some() => dir,
        _ => default_dir.to_owned(),
    }
}

/// The data directory announced in `default_dir`, whether or not its sandbox is running.
pub fn announced_dir(default_dir: &Path) -> Option<PathBuf> {
    serde_json::from_slice(&std::fs::read(default_dir.join(ANNOUNCEMENT_FILE)).ok()?).ok()
}
