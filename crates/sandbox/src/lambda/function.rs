//! A function's record and its form in the API.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::code::Code;
use super::concurrency;
use super::event_config::{EventConfig, EventLimits};
use super::names::FunctionId;
use super::policy::ResourcePolicy;

/// The only version: the unpublished one.
pub(crate) const LATEST: &str = "$LATEST";

/// A function's state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum FunctionState {
    Pending,
    Active,
    Failed,
}

/// The status of a function's last update.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum UpdateStatus {
    InProgress,
    Successful,
    Failed,
}

/// A function's overrides of the image's configuration.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ImageConfig {
    pub entrypoint: Vec<String>,
    pub command: Vec<String>,
    pub working_directory: Option<String>,
}

impl ImageConfig {
    fn is_default(&self) -> bool {
        *self == Self::default()
    }

    fn view(&self) -> Value {
        let mut view = Map::new();
        if !self.entrypoint.is_empty() {
            view.insert("EntryPoint".to_owned(), json!(self.entrypoint));
        }
        if !self.command.is_empty() {
            view.insert("Command".to_owned(), json!(self.command));
        }
        if let Some(directory) = &self.working_directory {
            view.insert("WorkingDirectory".to_owned(), json!(directory));
        }
        Value::Object(view)
    }
}

/// A function.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Function {
    pub id: FunctionId,
    pub role: String,
    pub description: String,
    pub code: Code,
    pub image_config: ImageConfig,
    pub memory_size: u32,
    pub timeout: u32,
    pub ephemeral_storage: u32,
    pub architectures: Vec<String>,
    pub environment: BTreeMap<String, String>,
    pub tracing_mode: String,
    /// As given by the caller.
    pub logging: Option<Map<String, Value>>,
    pub tags: BTreeMap<String, String>,
    pub policy: ResourcePolicy,
    pub state: FunctionState,
    pub state_reason: Option<(String, String)>,
    pub update_status: UpdateStatus,
    pub update_reason: Option<(String, String)>,
    pub last_modified: DateTime<Utc>,
    pub revision: String,
    #[serde(default)]
    pub reserved_concurrency: Option<u32>,
    #[serde(default)]
    pub event_config: Option<EventConfig>,
}

impl Function {
    /// Records a change of configuration or code, after which earlier processes are not reused.
    pub(crate) fn touch(&mut self) {
        self.revision = uuid::Uuid::new_v4().to_string();
        self.last_modified = Utc::now();
    }

    /// The limits of its asynchronous events.
    pub(crate) fn event_limits(&self) -> EventLimits {
        EventLimits::of(self.event_config.as_ref())
    }

    /// The function's log group.
    pub(crate) fn log_group(&self) -> String {
        self.logging
            .as_ref()
            .and_then(|logging| logging.get("LogGroup"))
            .and_then(Value::as_str)
            .map_or_else(|| format!("/aws/lambda/{}", self.id.name), str::to_owned)
    }

    /// The response of GetFunctionConfiguration.
    pub(crate) fn configuration(&self, account: &str) -> Value {
        let mut view = json!({
            "FunctionName": self.id.name,
            "FunctionArn": self.id.arn(account),
            "Role": self.role,
            "Description": self.description,
            "Timeout": self.timeout,
            "MemorySize": self.memory_size,
            "LastModified": self.last_modified.format("%Y-%m-%dT%H:%M:%S%.3f+0000").to_string(),
            "Version": LATEST,
            "TracingConfig": { "Mode": self.tracing_mode },
            "RevisionId": self.revision,
            "State": self.state,
            "LastUpdateStatus": self.update_status,
            "Architectures": self.architectures,
            "EphemeralStorage": { "Size": self.ephemeral_storage },
            "SnapStart": { "ApplyOn": "None", "OptimizationStatus": "Off" },
            "LoggingConfig": self.logging_view(),
        });
        self.code.describe(&mut view);
        if !self.environment.is_empty() {
            view["Environment"] = json!({ "Variables": self.environment });
        }
        if !self.image_config.is_default() {
            view["ImageConfigResponse"] = json!({ "ImageConfig": self.image_config.view() });
        }
        if let Some((code, reason)) = &self.state_reason {
            view["StateReasonCode"] = json!(code);
            view["StateReason"] = json!(reason);
        }
        if let Some((code, reason)) = &self.update_reason {
            view["LastUpdateStatusReasonCode"] = json!(code);
            view["LastUpdateStatusReason"] = json!(reason);
        }
        view
    }

    /// The response of GetFunction; `code` is its `Code` member.
    pub(crate) fn view(&self, account: &str, code: Value) -> Value {
        let mut view = json!({ "Configuration": self.configuration(account), "Code": code });
        if self.reserved_concurrency.is_some() {
            view["Concurrency"] = concurrency::view(self.reserved_concurrency);
        }
        if !self.tags.is_empty() {
            view["Tags"] = json!(self.tags);
        }
        view
    }

    fn logging_view(&self) -> Value {
        let mut view = self.logging.clone().unwrap_or_default();
        view.entry("LogFormat").or_insert_with(|| json!("Text"));
        view.insert("LogGroup".to_owned(), json!(self.log_group()));
        Value::Object(view)
    }
}
