//! A sandbox in the test's own process, and the SDK's clients for it.

use std::path::Path;

use aws_config::SdkConfig;
use aws_sdk_s3::error::ProvideErrorMetadata;
use thumbctl_sandbox::{Behaviour, DataDir, Fault, FaultRule, SandboxError, ServeOptions, serve};
use thumbctl_sandbox_protocol::Endpoint;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

pub use crate::clients::config as config_with_keys;

pub struct Sandbox {
    pub endpoint: Endpoint,
    stop: oneshot::Sender<()>,
    served: JoinHandle<Result<(), SandboxError>>,
}

impl Sandbox {
    /// An ephemeral sandbox.
    pub async fn ephemeral() -> Self {
        Self::start(DataDir::Ephemeral, Vec::new()).await
    }

    /// One whose state is in `dir`.
    pub async fn on(dir: &Path) -> Self {
        Self::start(DataDir::Persistent(dir.into()), Vec::new()).await
    }

    pub async fn with_faults(faults: &str) -> Self {
        Self::start(
            DataDir::Ephemeral,
            serde_json::from_str::<Vec<Fault>>(faults).expect("faults").into_iter().map(FaultRule::Counted).collect(),
        )
        .await
    }

    /// A sandbox that enforces policies.
    pub async fn strict() -> Self {
        let behaviour = Behaviour { enforce_iam: true, ..Behaviour::default() };
        Self::behaving(DataDir::Ephemeral, Vec::new(), behaviour).await
    }

    async fn start(data_dir: DataDir, faults: Vec<FaultRule>) -> Self {
        Self::behaving(data_dir, faults, Behaviour::default()).await
    }

    async fn behaving(data_dir: DataDir, faults: Vec<FaultRule>, behaviour: Behaviour) -> Self {
        let (ready, is_ready) = oneshot::channel();
        let (stop, stopped) = oneshot::channel::<()>();
        let options = ServeOptions {
            data_dir,
            port: None,
            announce_in: None,
            attached: false,
            on_ready: Some(Box::new(move |endpoint| {
                let _ = ready.send(endpoint.clone());
            })),
            on_request: None,
            shutdown: Box::pin(async {
                let _ = stopped.await;
            }),
            faults,
            function_files: thumbctl_deploy::assets::function_files,
            behaviour,
            keys: None,
        };
        let served = tokio::spawn(serve(options));
        let endpoint = is_ready.await.expect("a sandbox that starts");
        Self { endpoint, stop, served }
    }

    pub async fn stop(self) {
        let _ = self.stop.send(());
        self.served.await.expect("no panic").expect("a sandbox that ends well");
    }

    pub fn config(&self) -> SdkConfig {
        config(&self.endpoint, "us-east-1")
    }

    pub fn s3(&self) -> aws_sdk_s3::Client {
        s3(&self.endpoint, "us-east-1")
    }
}

pub fn config(endpoint: &Endpoint, region: &str) -> SdkConfig {
    config_with_keys(&endpoint.url, region, &endpoint.access_key, &endpoint.secret_key, None)
}

pub fn s3(endpoint: &Endpoint, region: &str) -> aws_sdk_s3::Client {
    let config = aws_sdk_s3::config::Builder::from(&config(endpoint, region)).force_path_style(true).build();
    aws_sdk_s3::Client::from_conf(config)
}

/// The AWS error code.
pub fn code<T, E>(result: Result<T, aws_sdk_s3::error::SdkError<E>>) -> String
where
    E: ProvideErrorMetadata,
{
    match result {
        Ok(_) => "no error".to_owned(),
        Err(error) => {
            let status = error.raw_response().map_or(0, |raw| raw.status().as_u16());
            error.code().map_or_else(|| format!("status {status}"), str::to_owned)
        }
    }
}
