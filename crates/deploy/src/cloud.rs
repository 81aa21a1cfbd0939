//! Which cloud it is, who we are there, and the SDK's configuration for it.

#![allow(clippy::disallowed_types, reason = "the clients are made here")]

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

/// The region of a sandbox when none is asked for.
const SANDBOX_REGION: &str = "us-east-1";

/// The services that a deployment speaks to, as the SDK knows them: name in the profile, name in `AWS_ENDPOINT_URL_…`.
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

/// What a cloud is called: by where calls really go, not by what was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CloudLabel {
    /// The embedded look-alike.
    Sandbox,
    /// The real one.
    Aws,
    /// Whatever answers at this URL.
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

/// Who we are in a cloud.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The account's number.
    pub account: String,
    /// Our ARN.
    pub arn: String,
}

/// The clients of all services that a deployment needs.
#[derive(Clone, Debug)]
pub struct Clients {
    /// S3, for short calls.
    pub s3: aws_sdk_s3::Client,
    /// S3, for objects' bytes: an hour for a call, and the SDK notices a transfer that stalls. Downloads are streamed.
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

/// A cloud, ready to be called.
#[derive(Debug)]
pub struct Cloud {
    label: CloudLabel,
    region: String,
    /// The profile that was asked for.
    profile: Option<String>,
    clients: Clients,
    credentials: Option<SharedCredentialsProvider>,
    /// Keeps the sandbox running for as long as this process needs it.
    lease: Option<sandbox::Lease>,
}

/// Why a cloud cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CloudError {
    /// The sandbox does not start.
    #[error("cannot start the sandbox: {0}")]
    Sandbox(#[source] sandbox::JoinError),
    /// This program does not know where it is.
    #[error("cannot find this program to start the sandbox with: {0}")]
    Program(#[source] std::io::Error),
    /// Nobody said which region.
    #[error("no region is set for {0}")]
    NoRegion(CloudLabel),
    /// What stands for a region is none.
    #[error("'{0}' is not a region's name")]
    Region(String),
    /// The region is in a partition of AWS that has names of its own.
    #[error("region '{0}' is in another partition of AWS (China, GovCloud), whose ARNs thumbctl does not know")]
    Partition(String),
    /// Some services are called at an endpoint of their own, the others at AWS.
    #[error("only some services have an endpoint of their own ({0}): the others would be called at AWS")]
    PartlyRedirected(String),
    /// The endpoint is not a URL that can be called.
    #[error("'{0}' is not an endpoint: it must be a URL such as http://127.0.0.1:4566")]
    Endpoint(String),
    /// There is nothing to be somebody by.
    #[error("cannot get credentials for {label}: {why}")]
    NoCredentials {
        /// For which cloud.
        label: CloudLabel,
        /// Why not.
        why: String,
    },
    /// The cloud does not say who we are.
    #[error("cannot find out who I am in {label}: {source}")]
    Identity {
        /// Which cloud.
        label: CloudLabel,
        /// The profile that was asked for.
        profile: Option<String>,
        /// Why.
        source: Box<AwsError>,
    },
}

impl CloudError {
    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Sandbox(_) | Self::Endpoint(_) | Self::Program(_) => None,
            Self::Partition(_) => Some("choose a region of AWS's ordinary partition".into()),
            Self::PartlyRedirected(_) => {
                Some("set AWS_ENDPOINT_URL for all services, or unset the single ones, also in the profile".into())
            },
            Self::NoRegion(_) => {
                Some("pass --region, set AWS_REGION, or set a region for the profile with `aws configure`".into())
            }
            Self::NoCredentials { .. } => {
                Some("log in with `aws configure` or `aws sso login`, or choose a profile with --profile".into())
            }
            Self::Region(_) => Some("regions are called like eu-central-1 or us-east-1".into()),
            Self::Identity { profile: Some(profile), source, .. } if source.kind == ErrorKind::InvalidCredentials => {
                Some(format!(
                    "is '{profile}' the right profile? `aws configure list-profiles` shows which there are; `aws configure` and \
                     `aws sso login` give one its credentials"
                ))
            }
            Self::Identity { label: CloudLabel::Aws, source, .. } if source.kind == ErrorKind::InvalidCredentials => Some(
                "log in with `aws configure` or `aws sso login`, choose a profile with --profile, or leave --cloud away to use \
                 the sandbox, which needs no account"
                    .into(),
            ),
            Self::Identity { source, .. } => source.hint(),
        }
    }
}

impl Cloud {
    /// Makes a cloud ready: starts or joins the sandbox, or finds region, credentials and endpoint as AWS's own tools do.
    /// Calls nothing yet.
    ///
    /// # Errors
    /// When the sandbox does not start, or no region is known.
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
        // Made by hand: what the environment says of endpoints and profiles is not meant for the sandbox.
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
        let asked = settings.endpoint_url.as_deref();
        let http = http_client(asked.filter(|_| has_own_keys(settings)).unwrap_or("https://"));
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
        if let Some(url) = asked {
            loader = loader.endpoint_url(url);
        }
        let sdk = loader.load().await;
        let label = match asked {
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

    /// What it is called.
    pub fn label(&self) -> &CloudLabel {
        &self.label
    }

    /// Its region.
    pub fn region(&self) -> &str {
        &self.region
    }

    /// How fast its time goes, where that is a sandbox's choice.
    pub fn pace(&self) -> Option<&str> {
        self.lease.as_ref().and_then(|lease| lease.endpoint().pace.as_deref())
    }

    /// Whether functions in Python run there: in the sandbox that takes this machine's own.
    pub async fn runs_python(&self) -> bool {
        self.label != CloudLabel::Sandbox || python::interpreter().await.is_some()
    }

    /// Its services.
    pub fn clients(&self) -> &Clients {
        &self.clients
    }

    /// Asks who we are.
    ///
    /// # Errors
    /// When the credentials are missing, wrong or expired, or nothing answers.
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
        // Path-style addresses work at any endpoint; virtual-host ones need a name server that plays along.
        let s3 = aws_sdk_s3::config::Builder::from(sdk).force_path_style(path_style);
        let patient = TimeoutConfig::builder()
            .connect_timeout(seconds(settings.timeouts.connect_seconds))
            .operation_attempt_timeout(seconds(3600))
            .build();
        let transfer = s3.clone().timeout_config(patient).http_client(BoundedClient::new(http, Downloads::Streamed));
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

/// The sandbox of a state directory; every command that uses the directory uses this one.
///
/// # Errors
/// When this program cannot find itself: the sandbox is this program, started once more.
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

/// The endpoint that environment or profile set behind our back, for all services or for one of them.
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
            .expect("all three parts of the key are given");
        configured.load_config(key).or_else(|| std::env::var(format!("AWS_ENDPOINT_URL_{env}")).ok())
    };
    let redirected: Vec<String> =
        SERVICES.iter().filter_map(|service| Some(format!("{} at {}", service.0, of(service)?))).collect();
    match redirected.len() {
        0 => Ok(None),
        all if all == SERVICES.len() => Ok(of(&SERVICES[0])),
        // What is shown as the cloud would be wrong for some of the calls, and those would cost money.
        _ => Err(CloudError::PartlyRedirected(redirected.join(", "))),
    }
}

/// Whether the credentials are at hand: to fetch them by a profile's roles or by SSO takes HTTPS, whatever the endpoint.
fn has_own_keys(settings: &Settings) -> bool {
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

/// The SDK's standard retries: throttling and passing failures, with growing delays.
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
    let good = match parts.split_last() {
        Some((number, words)) => {
            words.len() >= 2
                && words.iter().all(letters)
                && number.chars().all(|c| c.is_ascii_digit())
                && !number.is_empty()
        }
        None => false,
    };
    if good { Ok(()) } else { Err(CloudError::Region(region.to_owned())) }
}

fn check_endpoint(url: &str) -> Result<(), CloudError> {
    let good = url.parse::<http::Uri>().is_ok_and(|uri| {
        matches!(uri.scheme_str(), Some("http" | "https")) && uri.host().is_some_and(|host| !host.is_empty())
    });
    if good { Ok(()) } else { Err(CloudError::Endpoint(url.to_owned())) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn regions_are_told_from_other_words() {
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
