//! The selected cloud, the caller's identity there, and the SDK configuration for it.

#![allow(clippy::disallowed_types, reason = "the clients are created here")]

mod environment;

use std::ffi::OsString;
use std::fmt;
use std::time::Duration;

use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_sts::config::{Credentials, SharedCredentialsProvider};
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use aws_types::service_config::ServiceConfigKey;
use thumbctl_platform::python;
use thumbctl_sandbox_protocol::{self as sandbox, Latency};

pub use self::environment::{CloudAccess, CloudEnvironment};
use crate::aws::{AwsError, BoundedClient, Downloads, ErrorKind, sts};
use crate::settings::{CloudChoice, SandboxSettings, Settings};

/// The sandbox's default region.
const SANDBOX_REGION: &str = "us-east-1";

/// The services of a deployment, as the SDK names them: name in the profile, name in `AWS_ENDPOINT_URL_…`.
const SERVICES: [(&str, &str); 8] = [
    ("S3", "S3"),
    ("ECR", "ECR"),
    ("CodeBuild", "CODEBUILD"),
    ("Lambda", "LAMBDA"),
    ("IAM", "IAM"),
    ("STS", "STS"),
    ("CloudWatch Logs", "CLOUDWATCH_LOGS"),
    ("CloudFormation", "CLOUDFORMATION"),
];

/// The name of a cloud, by where calls go, not by the setting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CloudLabel {
    /// The embedded emulator of AWS.
    Sandbox,
    /// AWS itself.
    Aws,
    /// The endpoint at this URL.
    Endpoint(String),
}

impl fmt::Display for CloudLabel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sandbox => f.pad("sandbox"),
            Self::Aws => f.pad("aws"),
            Self::Endpoint(url) => f.pad(url),
        }
    }
}

/// The caller's identity in a cloud.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The account id.
    pub account: String,
    /// The caller's ARN.
    pub arn: String,
}

/// The clients of all services of a deployment.
#[derive(Clone, Debug)]
pub struct Clients {
    /// S3, for short calls.
    pub s3: aws_sdk_s3::Client,
    /// S3, for object contents: a timeout of an hour, and the SDK detects a stalled transfer. Downloads are streamed.
    pub s3_transfer: aws_sdk_s3::Client,
    /// ECR.
    pub ecr: aws_sdk_ecr::Client,
    /// CodeBuild.
    pub codebuild: aws_sdk_codebuild::Client,
    /// Lambda.
    pub lambda: aws_sdk_lambda::Client,
    /// IAM.
    pub iam: aws_sdk_iam::Client,
    /// CloudFormation.
    pub cloudformation: aws_sdk_cloudformation::Client,
    /// CloudWatch Logs.
    pub logs: aws_sdk_cloudwatchlogs::Client,
    /// STS.
    pub sts: aws_sdk_sts::Client,
}

/// A cloud with its clients.
#[derive(Debug)]
pub struct Cloud {
    label: CloudLabel,
    region: String,
    /// The configured profile.
    profile: Option<String>,
    clients: Clients,
    credentials: Option<SharedCredentialsProvider>,
    /// Keeps the sandbox running while this process needs it.
    lease: Option<sandbox::Lease>,
}

/// Why a cloud cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CloudError {
    /// The sandbox does not start.
    #[error("cannot start the sandbox: {0}")]
    Sandbox(#[source] sandbox::JoinError),
    /// This program's path is unknown.
    #[error("cannot find this program to start the sandbox with: {0}")]
    Program(#[source] std::io::Error),
    /// No region is set.
    #[error("no region is set for {0}")]
    NoRegion(CloudLabel),
    /// The region's name is invalid.
    #[error("'{0}' is not a region's name")]
    Region(String),
    /// The region is in another partition of AWS.
    #[error("region '{0}' is in another partition of AWS (China, GovCloud), which is not supported")]
    Partition(String),
    /// Only some services have an endpoint of their own; the others would be called at AWS.
    #[error("only some services have an endpoint of their own ({0}): the others would be called at AWS")]
    PartlyRedirected(String),
    /// The endpoint is not a valid URL.
    #[error("'{0}' is not an endpoint: it must be a URL such as http://127.0.0.1:4566")]
    Endpoint(String),
    /// There are no credentials.
    #[error("cannot get credentials for {label}: {why}")]
    NoCredentials {
        /// The cloud.
        label: CloudLabel,
        /// The reason.
        why: String,
    },
    /// The identity cannot be verified.
    #[error("cannot verify the credentials for {label}: {source}")]
    Identity {
        /// The cloud.
        label: CloudLabel,
        /// The configured profile.
        profile: Option<String>,
        /// The failed call.
        source: Box<AwsError>,
    },
}

impl CloudError {
    /// Returns what to do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Sandbox(_) | Self::Endpoint(_) | Self::Program(_) => None,
            Self::Partition(_) => Some("select a region of the standard AWS partition".into()),
            Self::PartlyRedirected(_) => {
                Some("set AWS_ENDPOINT_URL for all services, or unset the single ones, also in the profile".into())
            },
            Self::NoRegion(_) => {
                Some("pass --region, set AWS_REGION, or set a region for the profile with `aws configure`".into())
            }
            Self::NoCredentials { .. } => {
                Some("log in with `aws configure` or `aws sso login`, or select a profile with --profile".into())
            }
            Self::Region(_) => Some("region names are like eu-central-1 or us-east-1".into()),
            Self::Identity { profile: Some(profile), source, .. } if source.kind == ErrorKind::InvalidCredentials => {
                Some(format!(
                    "check the profile '{profile}': `aws configure list-profiles` lists them, `aws configure` and \
                     `aws sso login` set credentials"
                ))
            }
            Self::Identity { label: CloudLabel::Aws, source, .. } if source.kind == ErrorKind::InvalidCredentials => Some(
                "log in with `aws configure` or `aws sso login`, select a profile with --profile, or omit --cloud to use \
                 the sandbox, which needs no account"
                    .into(),
            ),
            Self::Identity { source, .. } => source.hint(),
        }
    }
}

impl Cloud {
    /// Connects: starts or joins the sandbox, or resolves region, credentials and endpoint as AWS's own tools do.
    /// Makes no calls yet.
    ///
    /// # Errors
    /// When the sandbox does not start, or no region is set.
    pub async fn connect(settings: &Settings) -> Result<Self, CloudError> {
        if let Some(region) = &settings.region {
            check_region(region)?;
        }
        if let Some(url) = &settings.endpoint_url {
            check_endpoint(url)?;
        }
        tracing::info!(cloud = ?settings.cloud, endpoint = settings.endpoint_url, region = settings.region, "connecting");
        match (settings.cloud, &settings.endpoint_url) {
            (CloudChoice::Sandbox, None) => Self::connect_sandbox(settings).await,
            _ => Self::connect_aws(settings).await,
        }
    }

    async fn connect_sandbox(settings: &Settings) -> Result<Self, CloudError> {
        let lease = sandbox::join_or_start(sandbox_options(settings)?).await.map_err(CloudError::Sandbox)?;
        let region = settings.region.clone().unwrap_or_else(|| SANDBOX_REGION.to_owned());
        let endpoint = lease.endpoint();
        let credentials = Credentials::new(&endpoint.access_key, &endpoint.secret_key, None, None, "sandbox");
        // Built explicitly: the environment's endpoints and profiles are not meant for the sandbox.
        let http = http_client(&endpoint.url);
        let sdk = SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new(region.clone()))
            .endpoint_url(&endpoint.url)
            .credentials_provider(SharedCredentialsProvider::new(credentials))
            .http_client(BoundedClient::new(http.clone(), Downloads::Buffered))
            .retry_config(retries())
            .timeout_config(timeouts(settings))
            .build();
        let clients = Clients::new(&sdk, http, settings, true);
        let credentials = sdk.credentials_provider();
        Ok(Self { label: CloudLabel::Sandbox, region, profile: None, clients, credentials, lease: Some(lease) })
    }

    async fn connect_aws(settings: &Settings) -> Result<Self, CloudError> {
        let requested = settings.endpoint_url.as_deref();
        let http = http_client(requested.filter(|_| has_static_credentials(settings)).unwrap_or("https://"));
        let mut loader = aws_config::defaults(BehaviorVersion::latest())
            .http_client(BoundedClient::new(http.clone(), Downloads::Buffered))
            .retry_config(retries())
            .timeout_config(timeouts(settings));
        if let Some(profile) = &settings.profile {
            loader = loader.profile_name(profile);
        }
        if let Some(region) = &settings.region {
            loader = loader.region(Region::new(region.clone()));
        }
        if let Some(url) = requested {
            loader = loader.endpoint_url(url);
        }
        let sdk = loader.load().await;
        let label = match requested {
            Some(url) => CloudLabel::Endpoint(url.to_owned()),
            None => configured_endpoint(&sdk)?.map_or(CloudLabel::Aws, CloudLabel::Endpoint),
        };
        let region = match sdk.region() {
            Some(region) => region.to_string(),
            None => return Err(CloudError::NoRegion(label)),
        };
        check_region(&region)?;
        let clients = Clients::new(&sdk, http, settings, label != CloudLabel::Aws);
        let credentials = sdk.credentials_provider();
        Ok(Self { label, region, profile: settings.profile.clone(), clients, credentials, lease: None })
    }

    /// Returns its label.
    pub fn label(&self) -> &CloudLabel {
        &self.label
    }

    /// Returns its region.
    pub fn region(&self) -> &str {
        &self.region
    }

    /// Returns its pace, for a sandbox.
    pub fn pace(&self) -> Option<&str> {
        self.lease.as_ref().and_then(|lease| lease.endpoint().pace.as_deref())
    }

    /// Returns whether Python functions can run there: in the sandbox, if this machine has Python.
    pub async fn runs_python(&self) -> bool {
        self.label != CloudLabel::Sandbox || python::interpreter().await.is_some()
    }

    /// Returns its clients.
    pub fn clients(&self) -> &Clients {
        &self.clients
    }

    /// Returns the caller's identity.
    ///
    /// # Errors
    /// When the credentials are missing, invalid or expired, or the endpoint does not respond.
    pub async fn identity(&self) -> Result<Identity, CloudError> {
        let answer = sts::caller_identity(&self.clients.sts).await.map_err(|source| CloudError::Identity {
            label: self.label.clone(),
            profile: self.profile.clone(),
            source: Box::new(source),
        })?;
        Ok(Identity { account: answer.account.unwrap_or_default(), arn: answer.arn.unwrap_or_default() })
    }
}

impl Clients {
    fn new(sdk: &SdkConfig, http: SharedHttpClient, settings: &Settings, path_style: bool) -> Self {
        // Path-style addresses work at any endpoint; virtual-host ones need name resolution.
        let s3 = aws_sdk_s3::config::Builder::from(sdk).force_path_style(path_style);
        let transfer_timeouts = TimeoutConfig::builder()
            .connect_timeout(seconds(settings.timeouts.connect_seconds))
            .operation_attempt_timeout(seconds(3600))
            .build();
        let transfer =
            s3.clone().timeout_config(transfer_timeouts).http_client(BoundedClient::new(http, Downloads::Streamed));
        Self {
            s3_transfer: aws_sdk_s3::Client::from_conf(transfer.build()),
            s3: aws_sdk_s3::Client::from_conf(s3.build()),
            ecr: aws_sdk_ecr::Client::new(sdk),
            codebuild: aws_sdk_codebuild::Client::new(sdk),
            lambda: aws_sdk_lambda::Client::new(sdk),
            iam: aws_sdk_iam::Client::new(sdk),
            cloudformation: aws_sdk_cloudformation::Client::new(sdk),
            logs: aws_sdk_cloudwatchlogs::Client::new(sdk),
            sts: aws_sdk_sts::Client::new(sdk),
        }
    }
}

/// The options of a state directory's sandbox; every command with that directory uses the same sandbox.
///
/// # Errors
/// When this program's own path is unknown: it starts itself as the sandbox.
pub fn sandbox_options(settings: &Settings) -> Result<sandbox::SandboxOptions, CloudError> {
    let program = std::env::current_exe().map_err(CloudError::Program)?;
    let SandboxSettings { latency, time_scale, real_cargo } = settings.sandbox;
    let mut arguments: Vec<OsString> = Vec::new();
    if latency == Latency::Aws {
        arguments.extend(["--latency".into(), "aws".into(), "--time-scale".into(), time_scale.to_string().into()]);
    }
    if real_cargo {
        arguments.push("--real-cargo".into());
    }
    Ok(sandbox::SandboxOptions { data_dir: settings.state_dir.join("sandbox"), program, arguments })
}

/// The endpoint that environment or profile set, for all services or for one of them.
fn configured_endpoint(sdk: &SdkConfig) -> Result<Option<String>, CloudError> {
    if let Some(url) = sdk.endpoint_url() {
        return Ok(Some(url.to_owned()));
    }
    let Some(configured) = sdk.service_config() else { return Ok(None) };
    let of = |(profile, env): &(&str, &str)| {
        let key = ServiceConfigKey::builder()
            .service_id(profile)
            .env("AWS_ENDPOINT_URL")
            .profile("endpoint_url")
            .build()
            .expect("the key has its three parts");
        configured.load_config(key).or_else(|| std::env::var(format!("AWS_ENDPOINT_URL_{env}")).ok())
    };
    let redirected: Vec<String> =
        SERVICES.iter().filter_map(|service| Some(format!("{} at {}", service.0, of(service)?))).collect();
    match redirected.len() {
        0 => Ok(None),
        all if all == SERVICES.len() => Ok(of(&SERVICES[0])),
        // The displayed cloud would be wrong for some calls, and those would cost money.
        _ => Err(CloudError::PartlyRedirected(redirected.join(", "))),
    }
}

/// Returns whether the credentials are static: resolving a profile's roles or SSO takes HTTPS, whatever the endpoint.
fn has_static_credentials(settings: &Settings) -> bool {
    settings.profile.is_none() && std::env::var_os("AWS_ACCESS_KEY_ID").is_some()
}

/// A client for one endpoint: over plain HTTP no certificates are loaded, which takes longer than the first call.
fn http_client(endpoint: &str) -> SharedHttpClient {
    let builder = aws_smithy_http_client::Builder::new();
    if endpoint.starts_with("http://") {
        builder.build_http()
    } else {
        builder.tls_provider(Provider::Rustls(CryptoMode::Ring)).build_https()
    }
}

/// The SDK's standard retries: throttling and transient errors, with growing delays.
fn retries() -> RetryConfig {
    RetryConfig::standard().with_max_attempts(4).with_initial_backoff(Duration::from_millis(200))
}

fn timeouts(settings: &Settings) -> TimeoutConfig {
    TimeoutConfig::builder()
        .connect_timeout(seconds(settings.timeouts.connect_seconds))
        .operation_attempt_timeout(seconds(settings.timeouts.call_seconds))
        .build()
}

fn seconds(seconds: u32) -> Duration {
    Duration::from_secs(u64::from(seconds))
}

fn check_region(region: &str) -> Result<(), CloudError> {
    let parts: Vec<&str> = region.split('-').collect();
    let letters = |part: &&str| !part.is_empty() && part.chars().all(|c| c.is_ascii_lowercase());
    if ["cn-", "us-gov-", "us-iso", "eu-isoe-"].iter().any(|prefix| region.starts_with(prefix)) {
        return Err(CloudError::Partition(region.to_owned()));
    }
    let valid = match parts.split_last() {
        Some((number, words)) => {
            words.len() >= 2
                && words.iter().all(letters)
                && number.chars().all(|c| c.is_ascii_digit())
                && !number.is_empty()
        }
        None => false,
    };
    if valid { Ok(()) } else { Err(CloudError::Region(region.to_owned())) }
}

fn check_endpoint(url: &str) -> Result<(), CloudError> {
    let valid = url.parse::<http::Uri>().is_ok_and(|uri| {
        matches!(uri.scheme_str(), Some("http" | "https")) && uri.host().is_some_and(|host| !host.is_empty())
    });
    if valid { Ok(()) } else { Err(CloudError::Endpoint(url.to_owned())) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn region_names_are_validated() {
        for good in ["eu-central-1", "us-east-1", "ap-southeast-4"] {
            assert!(check_region(good).is_ok(), "{good}");
        }
        for bad in [
            "us-gov-west-1",
            "cn-north-1",
            "",
            "frankfurt",
            "eu-central",
            "EU-central-1",
            "eu_central_1",
            "eu--1",
            "-1",
        ] {
            assert!(check_region(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn endpoints_are_http_urls() {
        assert!(check_endpoint("http://127.0.0.1:4566").is_ok());
        assert!(check_endpoint("https://example.com/base").is_ok());
        for bad in ["127.0.0.1:4566", "ftp://x", "http://", "", "not a url"] {
            assert!(check_endpoint(bad).is_err(), "{bad}");
        }
    }
}
