//! [`Event`]: the record of everything that happens in a run.
//!
//! The engine and the strategies emit events; the journal stores them as JSON lines; the front ends show them.

mod unknown;

use std::fmt;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
pub use unknown::{UnknownEvent, UnknownResource, UnknownRun, Word};

use crate::names::Names;
use crate::plan::{Plan, StepId};
use crate::resource::{ResourceKind, ResourceState};

/// The version of the event format; newer versions are rejected when read.
///
/// It is raised only for a change that older readers must refuse, because they would misjudge what exists and where:
/// another meaning of an existing field or word, a `run_started` without cloud, account, region or names, or a resource
/// that is recorded otherwise than by `resource_changed` with kind, name and state. All else is added without it: types
/// of events, fields, kinds of resources, states, actions, strategies. Readers skip what they do not know
/// ([`UnknownEvent`]) and report it once; `destroy` then also searches by tag, and names the kinds it does not know.
pub const VERSION: u32 = 1;

/// The id of a deployment's run, for example `0003-destroy-9f2c`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RunId(String);

impl RunId {
    /// Creates the id of run `number`; `salt` distinguishes runs with the same number on different machines.
    pub fn new(number: u32, action: Action, salt: u16) -> Self {
        Self(format!("{number:04}-{action}-{salt:04x}"))
    }

    /// Takes the id from a journal's file name.
    pub fn from_file_stem(stem: &str) -> Self {
        Self(stem.to_owned())
    }

    /// Whether the id has the form of [`RunId::new`]: a number, an action and four hexadecimal digits.
    pub fn is_regular(&self) -> bool {
        let all = |text: &str, legal: fn(u8) -> bool| !text.is_empty() && text.bytes().all(legal);
        let parts = self.0.split_once('-').and_then(|(number, rest)| Some((number, rest.rsplit_once('-')?)));
        parts.is_some_and(|(number, (action, salt))| {
            (4..=10).contains(&number.len())
                && all(number, |byte| byte.is_ascii_digit())
                && action.len() <= 32
                && all(action, |byte| byte.is_ascii_lowercase() || byte == b'-')
                && salt.len() == 4
                && all(salt, |byte| byte.is_ascii_hexdigit())
        })
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// An event of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event<K = EventKind> {
    /// The format version, [`VERSION`].
    pub v: u32,
    /// The run.
    pub run: RunId,
    /// Its sequence number in the run, from 0, without gaps.
    pub seq: u64,
    /// Its time, by this machine's clock.
    pub at: DateTime<Utc>,
    /// Its kind and data.
    #[serde(flatten)]
    pub kind: K,
}

/// The kind of an event, with its data. Durations are in seconds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum EventKind {
    /// A run started; always the first event.
    RunStarted(Box<RunStarted>),
    /// A step started.
    StepStarted {
        /// The step.
        step: StepId,
    },
    /// A step made progress.
    StepProgress {
        /// The step.
        step: StepId,
        /// The current activity or wait.
        message: String,
        /// The completed part of `total`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        done: Option<u64>,
        /// The total amount.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        total: Option<u64>,
    },
    /// A call failed with a retryable error and will be repeated after a delay.
    StepRetried {
        /// The step.
        step: StepId,
        /// The number of the failed attempt, from 1.
        attempt: u32,
        /// The error.
        reason: String,
        /// The delay before the next attempt, in seconds.
        delay: f64,
    },
    /// A resource changed its state.
    ResourceChanged {
        /// Its role in the architecture.
        resource: ResourceKind,
        /// Its name in the cloud.
        name: String,
        /// Its ARN, once known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        arn: Option<String>,
        /// Its new state.
        state: ResourceState,
        /// The duration of the change, at its end.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        seconds: Option<f64>,
        /// A remark for the user, such as `already deleted`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        note: Option<String>,
    },
    /// A line of a log.
    LogLine {
        /// The log.
        source: LogSource,
        /// The line, without its line break.
        text: String,
        /// When it was written, by the service's clock.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        timestamp: Option<DateTime<Utc>>,
    },
    /// The run uses another program.
    ToolFound {
        /// Its name: `terraform`, `tofu`, or a provider's address.
        tool: String,
        /// Its version.
        version: String,
    },
    /// A warning; the step continues.
    WarningGiven {
        /// The step.
        step: StepId,
        /// The warning, one line.
        message: String,
    },
    /// An output of Terraform or of a stack.
    OutputGiven {
        /// The step that produced it.
        step: StepId,
        /// Its name in the configuration or template.
        name: String,
        /// Its value: a string unchanged, anything else as JSON.
        value: String,
    },
    /// A change of one resource in a change set or in Terraform's plan.
    ChangePlanned {
        /// The step that will execute it.
        step: StepId,
        /// The action, for example `add`.
        action: String,
        /// The resource's name in the template, or its address in Terraform's configuration.
        logical_id: String,
        /// The resource's type, for example `AWS::S3::Bucket` or `aws_s3_bucket`.
        resource_type: String,
    },
    /// A phase of the build started or ended.
    BuildPhase {
        /// CodeBuild's name for the phase, for example `PRE_BUILD`.
        phase: String,
        /// Its CodeBuild status, for example `IN_PROGRESS` or `SUCCEEDED`.
        status: String,
        /// Its duration, once it has ended.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        seconds: Option<f64>,
        /// CodeBuild's error context.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        context: Option<String>,
    },
    /// A test image reached a stage.
    #[serde(rename = "trial_stage")]
    TestUploadStage {
        /// The image's path, as given by the user.
        image: String,
        /// The stage.
        stage: TestUploadStage,
        /// Seconds since the start of this image's upload.
        seconds: f64,
        /// The object's key: the source's for `uploaded` and `invoked`, the thumbnail's for `thumbnail`.
        key: String,
        /// The object's size in bytes, for `uploaded` and `thumbnail`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        bytes: Option<u64>,
        /// Whether the invocation was a cold start, for `invoked`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        cold: Option<bool>,
        /// The file of the thumbnail, for `saved`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        path: Option<String>,
    },
    /// A step succeeded.
    StepFinished {
        /// The step.
        step: StepId,
        /// Its duration.
        seconds: f64,
    },
    /// A step failed.
    StepFailed {
        /// The step.
        step: StepId,
        /// Its duration until the failure.
        seconds: f64,
        /// The error.
        error: Failure,
    },
    /// A step was not run.
    StepSkipped {
        /// The step.
        step: StepId,
        /// The reason.
        reason: SkipReason,
    },
    /// A run ended; always the last event, absent if the process was killed.
    RunFinished {
        /// Its outcome.
        outcome: Outcome,
        /// Its duration.
        seconds: f64,
    },
    /// An event of a newer version; never written.
    #[serde(skip)]
    Unknown(Box<UnknownEvent>),
}

/// The parameters of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunStarted {
    /// The action.
    pub action: Action,
    /// The deployment's name.
    pub deployment: String,
    /// The strategy.
    pub strategy: StrategyKind,
    /// The cloud's display name: `sandbox`, `aws` or an endpoint's URL.
    pub cloud: String,
    /// The pace of a sandbox with AWS latency, for example `AWS's pace x 0.1`; `None` for a cloud's own pace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pace: Option<String>,
    /// The account id.
    pub account: String,
    /// The region.
    pub region: String,
    /// The names of all resources, drawn before the first call so that every created resource can be found.
    pub names: Names,
    /// The plan.
    pub plan: Plan,
}

macro_rules! words {
    ($(#[$meta:meta])* $name:ident { $($(#[$vmeta:meta])* $variant:ident => $word:literal),+ $(,)? }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum $name { $($(#[$vmeta])* #[serde(rename = $word)] $variant),+ }

        impl $name {
            /// Its name in the journal and on the screen.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.as_str())
            }
        }
    };
}

words! {
    /// The action of a run.
    Action {
        /// Creates missing resources.
        Deploy => "deploy",
        /// Deletes existing resources.
        Destroy => "destroy",
        /// Uploads test images and waits for their thumbnails.
        TestUpload => "trial",
    }
}

words! {
    /// A deployment strategy.
    StrategyKind {
        /// AWS SDK calls.
        Sdk => "sdk",
        /// Three CloudFormation stacks, deployed by change sets.
        Cloudformation => "cloudformation",
        /// The user's Terraform or OpenTofu.
        Terraform => "terraform",
    }
}

impl clap::ValueEnum for StrategyKind {
    fn value_variants<'a>() -> &'a [Self] {
        &Self::ALL
    }

    fn to_possible_value(&self) -> Option<clap::builder::PossibleValue> {
        Some(clap::builder::PossibleValue::new(self.as_str()))
    }
}

impl StrategyKind {
    /// All strategies, the default first.
    pub const ALL: [Self; 3] = [Self::Sdk, Self::Cloudformation, Self::Terraform];
}

words! {
    /// The source of a log line.
    LogSource {
        /// The CodeBuild build.
        Build => "build",
        /// The Lambda function.
        Function => "function",
        /// The events of the CloudFormation stacks.
        Stack => "stack",
        /// Terraform's output.
        Terraform => "terraform",
    }
}

impl LogSource {
    /// The strategy whose runs write this log, if it is specific to one.
    pub const fn strategy(self) -> Option<StrategyKind> {
        match self {
            Self::Stack => Some(StrategyKind::Cloudformation),
            Self::Terraform => Some(StrategyKind::Terraform),
            Self::Build | Self::Function => None,
        }
    }
}

words! {
    /// The stage of a test upload.
    TestUploadStage {
        /// It is in the source bucket.
        Uploaded => "uploaded",
        /// The function has started processing it.
        Invoked => "invoked",
        /// Its thumbnail is in the destination bucket.
        Thumbnail => "thumbnail",
        /// Its thumbnail is saved in a local file.
        Saved => "saved",
    }
}

words! {
    /// The outcome of a run.
    Outcome {
        /// All steps succeeded.
        Succeeded => "succeeded",
        /// A step failed.
        Failed => "failed",
        /// The user cancelled it.
        Cancelled => "cancelled",
    }
}

words! {
    /// Why a step was not run.
    SkipReason {
        /// There was nothing to do: its resource was already created, or already deleted.
        AlreadyDone => "already_done",
        /// The user cancelled.
        Cancelled => "cancelled",
        /// A dependency failed, or the run stopped after another failure.
        Failed => "failed_before",
    }
}

impl TestUploadStage {
    /// The stage as shown to the user; `cold` is whether the invocation was a cold start, if known.
    pub fn label(self, cold: Option<bool>) -> &'static str {
        match (self, cold) {
            (Self::Uploaded, _) => "uploaded",
            (Self::Invoked, Some(true)) => "function started (cold)",
            (Self::Invoked, Some(false)) => "function started (warm)",
            (Self::Invoked, None) => "function started",
            (Self::Thumbnail, _) => "thumbnail written",
            (Self::Saved, _) => "thumbnail saved",
        }
    }
}

impl SkipReason {
    /// The reason as shown to the user.
    pub fn label(self, action: Action) -> &'static str {
        match (self, action) {
            (Self::AlreadyDone, Action::Destroy) => "already deleted",
            (Self::AlreadyDone, _) => "already exists",
            (Self::Cancelled, _) => "skipped: cancelled",
            (Self::Failed, _) => "skipped after a failure",
        }
    }
}

/// A failure, described for the user.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// What failed and why, one sentence.
    pub message: String,
    /// The causes, outermost first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub causes: Vec<String>,
    /// The last lines of the related log, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub log: Vec<String>,
    /// How to resolve it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

impl Failure {
    /// Creates a failure with a message only.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), causes: Vec::new(), log: Vec::new(), hint: None }
    }

    /// Adds a hint on how to resolve it.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Creates a failure from an error and its causes, without causes that the message already includes.
    pub fn from_error(error: &dyn std::error::Error) -> Self {
        let message = error.to_string();
        let mut causes: Vec<String> = Vec::new();
        let mut next = error.source();
        while let Some(cause) = next {
            let text = cause.to_string();
            if !message.contains(&text) && !causes.iter().any(|earlier| earlier.contains(&text)) {
                causes.push(text);
            }
            next = cause.source();
        }
        Self { message, causes, log: Vec::new(), hint: None }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        for cause in &self.causes {
            write!(f, ": {cause}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn event_is_flat_json_object() {
        let event = Event {
            v: VERSION,
            run: RunId::new(1, Action::Deploy, 0xab),
            seq: 17,
            at: "2026-11-22T13:05:09.123Z".parse().expect("a valid time"),
            kind: EventKind::StepFinished { step: "repository".into(), seconds: 0.412 },
        };
        let line = serde_json::to_string(&event).expect("events are JSON");
        assert_eq!(
            line,
            r#"{"v":1,"run":"0001-deploy-00ab","seq":17,"at":"2026-11-22T13:05:09.123Z","event":"step_finished","step":"repository","seconds":0.412}"#
        );
        assert_eq!(serde_json::from_str::<Event>(&line).expect("a written event can be read"), event);
    }

    #[test]
    fn failure_omits_cause_included_in_message() {
        #[derive(Debug, thiserror::Error)]
        #[error("cannot open: {0}")]
        struct Outer(#[source] std::io::Error);
        let failure = Failure::from_error(&Outer(std::io::Error::other("disk full")));
        assert_eq!(failure.to_string(), "cannot open: disk full");
    }
}
