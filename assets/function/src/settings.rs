//! The function's configuration in its environment.

use thiserror::Error;

/// The configuration of one process.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The destination bucket.
    pub destination: String,
    /// The longest side of a thumbnail in pixels.
    pub max_side: u32,
    /// The function's memory in bytes.
    pub memory: u64,
    /// The region for signatures.
    pub region: String,
    /// The endpoint instead of AWS's own.
    pub endpoint: Option<String>,
    /// The PEM file of trusted authorities instead of the compiled ones.
    pub ca_bundle: Option<String>,
    /// The execution role's access key.
    pub access_key: String,
    /// The execution role's secret key.
    pub secret_key: String,
    /// The session token of temporary credentials.
    pub session_token: Option<String>,
}

/// A missing or invalid variable.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum SettingsError {
    /// A variable is not set, or is empty.
    #[error("the environment variable {0} is not set; it must hold {1}")]
    Missing(&'static str, &'static str),
    /// A variable has an invalid value.
    #[error("the environment variable {name} is \"{value}\"; it must be {expected}")]
    Wrong {
        /// The variable's name.
        name: &'static str,
        /// Its value.
        value: String,
        /// The expected kind of value.
        expected: &'static str,
    },
}

impl Settings {
    /// Reads the process's environment.
    pub fn from_env() -> Result<Self, SettingsError> {
        Self::from_lookup(|name| std::env::var(name).ok())
    }

    /// Reads variables with `lookup`; an empty value counts as not set.
    pub fn from_lookup(lookup: impl Fn(&str) -> Option<String>) -> Result<Self, SettingsError> {
        let optional = |name: &str| lookup(name).filter(|value| !value.trim().is_empty());
        let required =
            |name: &'static str, what: &'static str| optional(name).ok_or(SettingsError::Missing(name, what));

        let destination = required("DEST_BUCKET", "the name of the bucket for thumbnails")?;
        let max_side = match optional("MAX_SIZE") {
            None => 256,
            Some(text) => number("MAX_SIZE", &text, 1..=16_384, "a whole number of pixels, 1 to 16384")? as u32,
        };
        // The runtime client panics without these, so they are checked here.
        let lambda = "the value set by Lambda";
        for name in ["AWS_LAMBDA_RUNTIME_API", "AWS_LAMBDA_FUNCTION_NAME", "AWS_LAMBDA_FUNCTION_VERSION"] {
            required(name, lambda)?;
        }
        let memory_name = "AWS_LAMBDA_FUNCTION_MEMORY_SIZE";
        let memory =
            number(memory_name, &required(memory_name, lambda)?, 1..=1_048_576, "the function's memory in MB")?;
        let region = optional("AWS_REGION")
            .or_else(|| optional("AWS_DEFAULT_REGION"))
            .ok_or(SettingsError::Missing("AWS_REGION", "the region"))?;

        let endpoint_names = ["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"];
        let endpoint = endpoint_names.into_iter().find_map(|name| {
            let value = optional(name)?;
            Some((name, value))
        });
        if let Some((name, value)) = &endpoint
            && !value.starts_with("http://")
            && !value.starts_with("https://")
        {
            return Err(SettingsError::Wrong {
                name,
                value: value.clone(),
                expected: "an http:// or https:// address",
            });
        }

        Ok(Self {
            destination,
            max_side,
            memory: memory * 1024 * 1024,
            region,
            endpoint: endpoint.map(|(_, value)| value),
            ca_bundle: optional("AWS_CA_BUNDLE"),
            access_key: required("AWS_ACCESS_KEY_ID", "the execution role's access key")?,
            secret_key: required("AWS_SECRET_ACCESS_KEY", "the execution role's secret key")?,
            session_token: optional("AWS_SESSION_TOKEN"),
        })
    }

    /// The memory limit of decoding in bytes: half of the memory.
    pub fn decode_limit(&self) -> u64 {
        self.memory / 2
    }

    /// The size limit of an object in bytes: a quarter of the memory, beside its decoded form.
    pub fn object_limit(&self) -> u64 {
        self.memory / 4
    }
}

fn number(
    name: &'static str,
    text: &str,
    range: std::ops::RangeInclusive<u64>,
    expected: &'static str,
) -> Result<u64, SettingsError> {
    text.trim().parse().ok().filter(|number| range.contains(number)).ok_or_else(|| SettingsError::Wrong {
        name,
        value: text.to_owned(),
        expected,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(changes: &[(&str, &str)]) -> Result<Settings, SettingsError> {
        let base = [
            ("DEST_BUCKET", "thumbs"),
            ("AWS_LAMBDA_RUNTIME_API", "127.0.0.1:9001"),
            ("AWS_LAMBDA_FUNCTION_NAME", "f"),
            ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST"),
            ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "512"),
            ("AWS_REGION", "eu-central-1"),
            ("AWS_ACCESS_KEY_ID", "AKIA"),
            ("AWS_SECRET_ACCESS_KEY", "secret"),
        ];
        Settings::from_lookup(|name| {
            changes.iter().chain(&base).find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn unset_variables_have_defaults() {
        let settings = with(&[]).unwrap();
        assert_eq!(settings.max_side, 256);
        assert_eq!(settings.decode_limit(), 256 * 1024 * 1024);
        assert_eq!(settings.object_limit(), 128 * 1024 * 1024);
        assert_eq!(settings.endpoint, None);
    }

    #[test]
    fn missing_bucket_variable_is_named() {
        let error = with(&[("DEST_BUCKET", "")]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the environment variable DEST_BUCKET is not set; it must hold the name of the bucket for thumbnails"
        );
    }

    #[test]
    fn invalid_values_are_named() {
        for (name, value) in [
            ("MAX_SIZE", "0"),
            ("MAX_SIZE", "big"),
            ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "-3"),
            ("AWS_ENDPOINT_URL", "localhost:80"),
        ] {
            let message = with(&[(name, value)]).unwrap_err().to_string();
            assert!(message.contains(name) && message.contains(value), "{message}");
        }
    }

    #[test]
    fn service_endpoint_overrides_general_endpoint() {
        let settings = with(&[("AWS_ENDPOINT_URL", "http://general"), ("AWS_ENDPOINT_URL_S3", "http://s3")]);
        assert_eq!(settings.unwrap().endpoint.as_deref(), Some("http://s3"));
    }
}
