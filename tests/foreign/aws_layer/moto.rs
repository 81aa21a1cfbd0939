//! A moto server on a free port of the loopback address, shared by the tests that run at the same time.

use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_s3::config::Credentials;
use aws_smithy_http_client::Builder;
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use tokio::sync::Mutex;

/// A region in which a location constraint is required.
pub(super) const REGION: &str = "eu-central-1";

/// A running moto; it ends with its last test.
pub(super) struct Moto {
    /// The clients' configuration.
    pub config: SdkConfig,
    _server: Server,
}

/// The server's process, ended with the tests.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Moto {
    /// The running server, or a new one; `None` if moto is not installed.
    pub(super) async fn shared() -> Option<Arc<Self>> {
        static RUNNING: Mutex<Weak<Moto>> = Mutex::const_new(Weak::new());
        let mut running = RUNNING.lock().await;
        if let Some(moto) = running.upgrade() {
            return Some(moto);
        }
        let moto = Arc::new(Self::start().await?);
        *running = Arc::downgrade(&moto);
        Some(moto)
    }

    async fn start() -> Option<Self> {
        let port = free_port();
        let child = Command::new("moto_server")
            .args(["-H", "127.0.0.1", "-p", &port.to_string()])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .ok()?;
        let mut server = Server(child);
        let deadline = Instant::now() + Duration::from_secs(60);
        let mut delay = Duration::from_millis(20);
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            // A launcher without moto ends at once.
            if server.0.try_wait().ok()?.is_some() {
                return None;
            }
            assert!(Instant::now() < deadline, "moto_server does not listen");
            tokio::time::sleep(delay).await;
            delay = (delay * 2).min(Duration::from_millis(250));
        }
        let config = config(&format!("http://127.0.0.1:{port}")).await;
        Some(Self { config, _server: server })
    }

    /// S3's configuration: path-style buckets, since there is no name resolution.
    pub(super) fn s3(&self) -> aws_sdk_s3::Config {
        aws_sdk_s3::config::Builder::from(&self.config).force_path_style(true).build()
    }
}

/// A free port.
pub(super) fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

/// The SDK's configuration for an endpoint.
pub(super) async fn config(endpoint: &str) -> SdkConfig {
    let https = Builder::new().tls_provider(Provider::Rustls(CryptoMode::Ring)).build_https();
    aws_config::defaults(BehaviorVersion::latest())
        .http_client(https)
        .region(Region::new(REGION))
        .credentials_provider(Credentials::new("test", "test", None, None, "test"))
        .endpoint_url(endpoint)
        .load()
        .await
}
