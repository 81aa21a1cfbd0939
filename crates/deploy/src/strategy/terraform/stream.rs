//! Terraform's machine-readable output: one JSON object a line, as `-json` gives it. Pure.
//!
//! Source: "Machine-Readable UI", developer.hashicorp.com/terraform/internals/machine-readable-ui. Fields of later
//! versions are ignored; a line that is not JSON, as in a crash, is text.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::Value;

/// One output line.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Line {
    /// The human-readable text.
    pub(super) text: String,
    /// When Terraform wrote it.
    pub(super) at: Option<DateTime<Utc>>,
    pub(super) message: Message,
}

/// The content of a line.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Message {
    /// A planned change.
    Planned(Change),
    /// A resource that differs from the state.
    Drift(Change),
    /// The number of changes planned or made.
    Summary(Summary),
    /// A resource is being refreshed.
    Refresh,
    /// Work on a resource begins.
    Started { address: String, action: String },
    /// Work on a resource is in progress.
    Progress { address: String, seconds: f64 },
    /// Work on a resource is done.
    Completed { address: String, action: String },
    /// Work on a resource failed.
    Errored { address: String },
    /// A provisioner wrote something.
    Provisioner { address: String, output: String },
    /// A provisioner starts or has ended.
    Provision { address: String, stage: Provision },
    /// The outputs, by name; without sensitive and unknown ones.
    Outputs(Vec<(String, String)>),
    /// A warning or an error.
    Diagnostic(Diagnostic),
    /// Anything else.
    Other,
}

/// The stage of a provisioner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Provision {
    Started,
    Done,
    Failed,
}

/// A planned change of a resource, or one made outside Terraform.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Its address, for example `module.function[0].aws_s3_bucket.source`.
    pub address: String,
    /// Its type, for example `aws_s3_bucket`.
    pub resource_type: String,
    /// `create`, `update`, `replace`, `delete`, `read`, `import`, `move` or `noop`.
    pub action: String,
    /// Terraform's reason, if given: `tainted`, for example.
    pub reason: Option<String>,
}

/// The number of changes in a plan.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct Summary {
    /// Resources to create.
    #[serde(default)]
    pub add: u64,
    /// Resources to change.
    #[serde(default)]
    pub change: u64,
    /// Resources to import.
    #[serde(default)]
    pub import: u64,
    /// Resources to delete.
    #[serde(default)]
    pub remove: u64,
}

impl Summary {
    /// Returns the number of all changes.
    pub fn total(&self) -> u64 {
        self.add + self.change + self.import + self.remove
    }
}

/// A warning or an error.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(super) struct Diagnostic {
    pub(super) severity: String,
    pub(super) summary: String,
    #[serde(default)]
    pub(super) detail: String,
    #[serde(default)]
    pub(super) address: Option<String>,
    #[serde(default)]
    pub(super) range: Option<Range>,
}

/// The position in the configuration.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(super) struct Range {
    pub(super) filename: String,
    pub(super) start: Position,
}

/// A position in a file.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(super) struct Position {
    pub(super) line: u64,
}

impl Diagnostic {
    pub(super) fn is_error(&self) -> bool {
        self.severity == "error"
    }
}

#[derive(Deserialize)]
struct RawLine {
    #[serde(rename = "@message", default)]
    message: String,
    #[serde(rename = "@timestamp", default)]
    timestamp: Option<String>,
    #[serde(rename = "type", default)]
    kind: String,
    #[serde(default)]
    hook: Option<RawHook>,
    #[serde(default)]
    change: Option<RawChange>,
    #[serde(default)]
    changes: Option<Summary>,
    #[serde(default)]
    diagnostic: Option<Diagnostic>,
    #[serde(default)]
    outputs: BTreeMap<String, RawOutput>,
}

#[derive(Deserialize)]
struct RawOutput {
    #[serde(default)]
    sensitive: bool,
    #[serde(default)]
    value: Value,
}

#[derive(Deserialize)]
struct RawHook {
    #[serde(default)]
    resource: RawResource,
    #[serde(default)]
    action: String,
    #[serde(default)]
    output: String,
    #[serde(default)]
    elapsed_seconds: f64,
}

#[derive(Deserialize)]
struct RawChange {
    #[serde(default)]
    resource: RawResource,
    #[serde(default)]
    action: String,
    #[serde(default)]
    reason: Option<String>,
}

#[derive(Default, Deserialize)]
struct RawResource {
    #[serde(default)]
    addr: String,
    #[serde(default)]
    resource_type: String,
}

impl Line {
    /// Reads a line, without its line break.
    pub(super) fn read(text: &str) -> Self {
        let Ok(raw) = serde_json::from_str::<RawLine>(text) else {
            return Self { text: text.to_owned(), at: None, message: Message::Other };
        };
        let at = raw.timestamp.as_deref().and_then(|at| DateTime::parse_from_rfc3339(at).ok());
        let text = match &raw.diagnostic {
            Some(diagnostic) if !diagnostic.detail.is_empty() => format!("{}: {}", raw.message, diagnostic.detail),
            _ => raw.message.clone(),
        };
        Self { text, at: at.map(|at| at.with_timezone(&Utc)), message: raw.message() }
    }
}

impl RawLine {
    fn message(self) -> Message {
        match (self.kind.as_str(), self.hook, self.change, self.changes, self.diagnostic) {
            ("planned_change", _, Some(change), ..) => Message::Planned(change.into()),
            ("resource_drift", _, Some(change), ..) => Message::Drift(change.into()),
            ("change_summary", _, _, Some(summary), _) => Message::Summary(summary),
            ("refresh_start" | "refresh_complete", ..) => Message::Refresh,
            ("apply_start", Some(hook), ..) => Message::Started { address: hook.resource.addr, action: hook.action },
            ("apply_progress", Some(hook), ..) => {
                Message::Progress { address: hook.resource.addr, seconds: hook.elapsed_seconds }
            }
            ("apply_complete", Some(hook), ..) => {
                Message::Completed { address: hook.resource.addr, action: hook.action }
            }
            ("apply_errored", Some(hook), ..) => Message::Errored { address: hook.resource.addr },
            ("provision_progress", Some(hook), ..) => {
                Message::Provisioner { address: hook.resource.addr, output: hook.output }
            }
            ("provision_start", Some(hook), ..) => hook.provision(Provision::Started),
            ("provision_complete", Some(hook), ..) => hook.provision(Provision::Done),
            ("provision_errored", Some(hook), ..) => hook.provision(Provision::Failed),
            ("diagnostic", .., Some(diagnostic)) => Message::Diagnostic(diagnostic),
            ("outputs", ..) => {
                let known = self.outputs.into_iter().filter(|(_, output)| !output.sensitive && !output.value.is_null());
                Message::Outputs(known.map(|(name, output)| (name, output.words())).collect())
            }
            _ => Message::Other,
        }
    }
}

impl RawHook {
    fn provision(self, stage: Provision) -> Message {
        Message::Provision { address: self.resource.addr, stage }
    }
}

impl RawOutput {
    fn words(self) -> String {
        match self.value {
            Value::String(text) => text,
            other => other.to_string(),
        }
    }
}

impl From<RawChange> for Change {
    fn from(raw: RawChange) -> Self {
        Self {
            address: raw.resource.addr,
            resource_type: raw.resource.resource_type,
            action: raw.action,
            reason: raw.reason,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn each_type_of_line_is_parsed() {
        let of = |text: &str| Line::read(text).message;
        let resource = r#""resource":{"addr":"a.b","resource_type":"a"}"#;
        assert_eq!(
            of(&format!(r#"{{"type":"apply_start","hook":{{{resource},"action":"create"}}}}"#)),
            Message::Started { address: "a.b".into(), action: "create".into() }
        );
        assert_eq!(
            of(&format!(r#"{{"type":"apply_progress","hook":{{{resource},"elapsed_seconds":10}}}}"#)),
            Message::Progress { address: "a.b".into(), seconds: 10.0 }
        );
        assert_eq!(
            of(&format!(
                r#"{{"type":"planned_change","change":{{{resource},"action":"replace","reason":"tainted"}}}}"#
            )),
            Message::Planned(Change {
                address: "a.b".into(),
                resource_type: "a".into(),
                action: "replace".into(),
                reason: Some("tainted".into())
            })
        );
        assert_eq!(
            of(r#"{"type":"change_summary","changes":{"add":24,"change":0,"import":1,"remove":2,"operation":"plan"}}"#),
            Message::Summary(Summary { add: 24, change: 0, import: 1, remove: 2 })
        );
        let Message::Diagnostic(diagnostic) = of(
            r#"{"type":"diagnostic","diagnostic":{"severity":"error","summary":"S","detail":"D","address":"a.b","range":{"filename":"s3.tf","start":{"line":3,"column":1,"byte":2},"end":{"line":3,"column":1,"byte":2}}}}"#,
        ) else {
            panic!("it is a diagnostic")
        };
        assert!(diagnostic.is_error());
        assert_eq!(diagnostic.range.map(|range| (range.filename, range.start.line)), Some(("s3.tf".into(), 3)));
    }

    #[test]
    fn provisioners_and_outputs_are_parsed() {
        let of = |text: &str| Line::read(text).message;
        let begins = r#"{"type":"provision_start","hook":{"resource":{"addr":"a.b"},"provisioner":"local-exec"}}"#;
        assert_eq!(of(begins), Message::Provision { address: "a.b".into(), stage: Provision::Started });
        let failed = begins.replace("provision_start", "provision_errored");
        assert_eq!(of(&failed), Message::Provision { address: "a.b".into(), stage: Provision::Failed });
        let outputs = r#"{"type":"outputs","outputs":{"name":{"sensitive":false,"type":"string","value":"x"},
            "many":{"sensitive":false,"type":["list","number"],"value":[1,2]},"key":{"sensitive":true,"value":"hidden"},
            "later":{"sensitive":false,"action":"create"}}}"#;
        let expected = [("many", "[1,2]"), ("name", "x")].map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(of(outputs), Message::Outputs(expected.into()));
    }

    #[test]
    fn times_are_terraforms_own() {
        let line = Line::read(r#"{"@message":"m","@timestamp":"2026-11-28T01:46:37.519062+01:00","type":"version"}"#);
        assert_eq!(line.at.map(|at| at.timestamp_subsec_millis()), Some(519));
        assert_eq!((line.text.as_str(), line.message), ("m", Message::Other));
    }

    proptest! {
        #[test]
        fn any_text_is_parsed(text in ".*") {
            let line = Line::read(&text);
            prop_assert!(line.message == Message::Other || text.contains("type"));
        }

        #[test]
        fn any_json_is_parsed(kind in "[a-z_]{0,20}", number in any::<i64>()) {
            let text = format!(r#"{{"type":"{kind}","hook":{{"resource":{number}}},"change":null}}"#);
            Line::read(&text);
        }
    }
}
