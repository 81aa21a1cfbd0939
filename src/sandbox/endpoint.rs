//! Where a running sandbox is to be found: a file in its data directory, and whether it speaks the truth.

use std::fs::File;
use std::io;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::access::RootKeys;
use super::front::READY_PATH;
use super::latency::Pace;
use super::persistence::replace_shared;
use crate::private_fs;

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
    pub(crate) instance: String,
}

impl Endpoint {
    pub(crate) fn new(port: u16, root: &RootKeys, pace: &Pace) -> Self {
        Self {
            url: format!("http://127.0.0.1:{port}"),
            access_key: root.access_key.clone(),
            secret_key: root.secret_key.clone(),
            pid: std::process::id(),
            pace: pace.description(),
            instance: uuid::Uuid::new_v4().to_string(),
        }
    }

    /// The port that it answers on.
    pub fn port(&self) -> u16 {
        self.url.rsplit(':').next().and_then(|port| port.parse().ok()).unwrap_or_default()
    }

    /// Writes the file: its owner alone may read it.
    pub(crate) fn publish(&self, dir: &Path) -> io::Result<()> {
        replace_shared(&file(dir), &serde_json::to_vec_pretty(self)?)
    }

    /// Removes the file.
    pub(crate) fn withdraw(dir: &Path) {
        let _ = std::fs::remove_file(file(dir));
    }

    /// Tells those who look for a sandbox in `usual` that the one of `dir` is to be used instead, while it runs.
    pub(crate) fn announce(usual: &Path, dir: &Path) -> io::Result<()> {
        replace_shared(&usual.join(FOREGROUND), &serde_json::to_vec(dir)?)
    }

    /// Takes that back, unless another has been announced meanwhile.
    pub(crate) fn renounce(usual: &Path, dir: &Path) {
        if announced(usual).as_deref() == Some(dir) {
            let _ = std::fs::remove_file(usual.join(FOREGROUND));
        }
    }

    /// The sandbox of a data directory, if it answers.
    pub(crate) async fn find(dir: &Path) -> Option<Self> {
        let endpoint: Self = serde_json::from_slice(&std::fs::read(file(dir)).ok()?).ok()?;
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

/// The file in the usual data directory that names the one of a sandbox in the foreground.
const FOREGROUND: &str = "foreground.json";

/// The data directory of the sandbox that is used by those who look in `usual`: its own, or that of a sandbox which runs in
/// the foreground elsewhere and was announced there.
pub async fn data_dir_in_use(usual: &Path) -> PathBuf {
    match announced(usual) {
        // One that was killed is still announced, and does not answer.
        Some(dir) if Endpoint::find(&dir).await.is_some() => dir,
        _ => usual.to_owned(),
    }
}

fn announced(usual: &Path) -> Option<PathBuf> {
    serde_json::from_slice(&std::fs::read(usual.join(FOREGROUND)).ok()?).ok()
}

fn file(dir: &Path) -> PathBuf {
    dir.join("endpoint.json")
}

/// Opens a file that is there to be locked.
pub(crate) fn open_lock(dir: &Path, name: &str) -> io::Result<File> {
    private_fs::options().read(true).write(true).create(true).truncate(false).open(dir.join(name))
}
