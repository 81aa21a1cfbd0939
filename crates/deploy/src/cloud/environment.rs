//! [`CloudEnvironment`]: the environment that gives another program the same cloud and credentials.

use std::ffi::OsString;
use std::fmt;

use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};
use thumbctl_core::redaction::HIDDEN;

use super::{Cloud, CloudError, CloudLabel};

/// The AWS tools' variables for identity and endpoint, withheld from other programs.
const DECIDING: [&str; 14] = [
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_SECURITY_TOKEN",
    "AWS_PROFILE",
    "AWS_DEFAULT_PROFILE",
    "AWS_REGION",
    "AWS_DEFAULT_REGION",
    "AWS_ROLE_ARN",
    "AWS_ROLE_SESSION_NAME",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",
];

/// The prefix of the variables that set endpoints.
const ENDPOINTS: &str = "AWS_ENDPOINT_URL";

/// The variables for another program, replacing this process's AWS variables. The values are never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct CloudEnvironment {
    set: Vec<(&'static str, String)>,
    /// Whether all AWS variables are withheld.
    is_closed: bool,
}

impl fmt::Debug for CloudEnvironment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.set.iter().map(|(name, _)| (name, HIDDEN))).finish()
    }
}

impl CloudEnvironment {
    /// Returns whether a variable of this process's environment is withheld.
    pub fn withholds(&self, name: &OsString) -> bool {
        let Some(name) = name.to_str() else { return false };
        let is_aws = name.starts_with("AWS_");
        is_aws && (self.is_closed || DECIDING.contains(&name) || name.starts_with(ENDPOINTS))
    }

    /// Returns the variables to set.
    pub fn variables(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.set.iter().map(|(name, value)| (*name, value.as_str()))
    }

    /// Returns the endpoint of all services, if it is not AWS's.
    pub fn endpoint_url(&self) -> Option<&str> {
        self.variables().find(|(name, _)| *name == ENDPOINTS).map(|(_, url)| url)
    }
}

/// Creates environments for other programs, repeatedly, since credentials may be short-lived.
#[derive(Clone, Debug)]
pub struct CloudAccess {
    label: CloudLabel,
    region: String,
    profile: Option<String>,
    /// The endpoint, if it is not AWS's.
    endpoint_url: Option<String>,
    credentials: Option<SharedCredentialsProvider>,
}

impl Cloud {
    /// Returns what gives other programs access to this cloud.
    pub fn access(&self) -> CloudAccess {
        let endpoint_url = match (&self.label, &self.lease) {
            (CloudLabel::Sandbox, Some(lease)) => Some(lease.endpoint().url.clone()),
            (CloudLabel::Endpoint(url), _) => Some(url.clone()),
            _ => None,
        };
        CloudAccess {
            label: self.label.clone(),
            region: self.region.clone(),
            profile: self.profile.clone(),
            endpoint_url,
            credentials: self.credentials.clone(),
        }
    }
}

impl CloudAccess {
    /// Returns the current environment for another program. It includes credentials: a program resolving its own might
    /// find others.
    ///
    /// # Errors
    /// When there are no credentials.
    pub async fn environment(&self) -> Result<CloudEnvironment, CloudError> {
        let no_credentials = |why: String| CloudError::NoCredentials { label: self.label.clone(), why };
        let provider = self.credentials.as_ref().ok_or_else(|| no_credentials("none are configured".to_owned()))?;
        let credentials = provider.provide_credentials().await;
        let credentials = credentials
            .map_err(|error| no_credentials(thumbctl_core::event::Failure::from_error(&error).to_string()))?;
        let mut set = vec![
            ("AWS_ACCESS_KEY_ID", credentials.access_key_id().to_owned()),
            ("AWS_SECRET_ACCESS_KEY", credentials.secret_access_key().to_owned()),
            ("AWS_REGION", self.region.clone()),
            ("AWS_DEFAULT_REGION", self.region.clone()),
        ];
        set.extend(credentials.session_token().map(|token| ("AWS_SESSION_TOKEN", token.to_owned())));
        if let Some(url) = &self.endpoint_url {
            set.push((ENDPOINTS, url.clone()));
            // A profile may ignore it, which would send calls meant for an endpoint to AWS.
            set.push(("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "false".to_owned()));
        }
        match self.label {
            CloudLabel::Sandbox => set.extend([
                // The user's files are meant for AWS.
                ("AWS_CONFIG_FILE", "/dev/null".to_owned()),
                ("AWS_SHARED_CREDENTIALS_FILE", "/dev/null".to_owned()),
                ("AWS_EC2_METADATA_DISABLED", "true".to_owned()),
            ]),
            // The profile's other settings, such as a proxy's certificates, remain valid; its keys are set above.
            CloudLabel::Aws => set.extend(self.profile.as_ref().map(|profile| ("AWS_PROFILE", profile.clone()))),
            CloudLabel::Endpoint(_) => {}
        }
        Ok(CloudEnvironment { set, is_closed: self.label == CloudLabel::Sandbox })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(is_closed: bool) -> CloudEnvironment {
        CloudEnvironment { set: vec![("AWS_SECRET_ACCESS_KEY", "very secret".to_owned())], is_closed }
    }

    #[test]
    fn debug_output_shows_no_secret() {
        assert!(!format!("{:?}", environment(false)).contains("very"));
    }

    #[tokio::test]
    async fn endpoint_is_passed_on_and_not_ignored() {
        let access = CloudAccess {
            label: CloudLabel::Endpoint("http://127.0.0.1:4566".to_owned()),
            region: "us-east-1".to_owned(),
            profile: None,
            endpoint_url: Some("http://127.0.0.1:4566".to_owned()),
            credentials: Some(SharedCredentialsProvider::new(aws_credential_types::Credentials::new(
                "key", "secret", None, None, "test",
            ))),
        };
        let environment = access.environment().await.expect("there are credentials");
        let value =
            |name: &str| environment.variables().find(|(set, _)| *set == name).map(|(_, value)| value.to_owned());
        assert_eq!(value("AWS_ENDPOINT_URL").as_deref(), Some("http://127.0.0.1:4566"));
        assert_eq!(value("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS").as_deref(), Some("false"));
    }

    #[test]
    fn variables_for_other_clouds_are_withheld() {
        let (open, closed) = (environment(false), environment(true));
        for name in ["AWS_PROFILE", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_SESSION_TOKEN"] {
            assert!(open.withholds(&name.into()) && closed.withholds(&name.into()), "{name}");
        }
        assert!(!open.withholds(&"AWS_CA_BUNDLE".into()) && closed.withholds(&"AWS_CA_BUNDLE".into()));
        assert!(!closed.withholds(&"PATH".into()));
    }
}
