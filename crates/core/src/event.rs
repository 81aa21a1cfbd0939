//! [`Event`]: the one language in which everything that happens is told.
//!
//! The engine and the strategies emit events; the journal keeps them, one JSON object a line; the front ends show them.
//! What cannot be said here did not happen.

use std::fmt;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::names::Names;
use crate::plan::{Plan, StepId};
use crate::resource::{ResourceKind, ResourceState};

/// The version of the events that this program writes; it reads this one and refuses newer ones.
pub const VERSION: u32 = 1;

/// Names one run of a deployment, for example `0003-destroy-9f2c`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RunId(String);

impl RunId {
    /// The id of the `number`th run of a deployment; `salt` tells apart runs that were numbered alike on two machines.
    pub fn new(number: u32, action: Action, salt: u16) -> Self {
        Self(format!("{number:04}-{action}-{salt:04x}"))
    }

    /// Takes an id as a journal's file name has it.
    pub fn from_file_stem(stem: &str) -> Self {
        Self(stem.to_owned())
    }

    /// Whether the id has the form that [`RunId::new`] gives one: a number, an action and four hexadecimal digits.
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

/// Something that happened in a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// The format's version, [`VERSION`].
    pub v: u32,
    /// The run it belongs to.
    pub run: RunId,
    /// Its place in the run, from 0, without gaps.
    pub seq: u64,
    /// When it happened, by this machine's clock.
    pub at: DateTime<Utc>,
    /// What happened.
    #[serde(flatten)]
    pub kind: EventKind,
}

/// What happened. Durations are in seconds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum EventKind {
    /// A run begins; always a run's first event.
    RunStarted(Box<RunStarted>),
    /// A step begins.
    StepStarted {
        /// Which step.
        step: StepId,
    },
    /// A step that takes a while says how far it is.
    StepProgress {
        /// Which step.
        step: StepId,
        /// What it is doing or waiting for.
        message: String,
        /// How much of `total` is done.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        done: Option<u64>,
        /// How much there is to do.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        total: Option<u64>,
    },
    /// A call failed in a way that passes, and is made again after a delay.
    StepRetried {
        /// Which step.
        step: StepId,
        /// The number of the attempt that failed, from 1.
        attempt: u32,
        /// Why it is tried again.
        reason: String,
        /// How long it waits before the next attempt, in seconds.
        delay: f64,
    },
    /// A resource changed its state.
    ResourceChanged {
        /// What it is in the architecture.
        resource: ResourceKind,
        /// Its name in the cloud.
        name: String,
        /// Its ARN, once known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        arn: Option<String>,
        /// What it is now.
        state: ResourceState,
        /// How long the change took, at its end.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        seconds: Option<f64>,
        /// Something worth knowing, such as `already gone`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        note: Option<String>,
    },
    /// A line of a log.
    LogLine {
        /// Whose log.
        source: LogSource,
        /// The line, without its line break.
        text: String,
        /// When the service says that it was written.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        timestamp: Option<DateTime<Utc>>,
    },
    /// Another program takes part in the run.
    ToolFound {
        /// What it is: `terraform`, `tofu`, or a provider by its address.
        tool: String,
        /// Its version.
        version: String,
    },
    /// Something is not as it should be, and the step goes on nevertheless.
    WarningGiven {
        /// Which step.
        step: StepId,
        /// What it is, in a line.
        message: String,
    },
    /// What was made says something of itself: an output of Terraform's, or of a stack's.
    OutputGiven {
        /// The step that made it.
        step: StepId,
        /// What it is called in the configuration or template.
        name: String,
        /// Its value: text as it is, anything else as JSON.
        value: String,
    },
    /// A change set, or Terraform's plan, says what executing it would do to one resource.
    ChangePlanned {
        /// The step that executes it.
        step: StepId,
        /// What would be done, for example `add`.
        action: String,
        /// The resource's name in the template, or its address in Terraform's configuration.
        logical_id: String,
        /// The resource's type, for example `AWS::S3::Bucket` or `aws_s3_bucket`.
        resource_type: String,
    },
    /// A phase of the build began or ended.
    BuildPhase {
        /// CodeBuild's name of the phase, for example `PRE_BUILD`.
        phase: String,
        /// CodeBuild's status of it, for example `IN_PROGRESS` or `SUCCEEDED`.
        status: String,
        /// How long it took, once it has ended.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        seconds: Option<f64>,
        /// Why it failed, as CodeBuild says it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        context: Option<String>,
    },
    /// An image on its way came to the next stage.
    #[serde(rename = "trial_stage")]
    TestUploadStage {
        /// The image, as the user named it.
        image: String,
        /// The stage that it reached.
        stage: TestUploadStage,
        /// Seconds since the upload of this image began.
        seconds: f64,
        /// The object's key: the source's for `uploaded` and `invoked`, the thumbnail's for `thumbnail`.
        key: String,
        /// How many bytes the object has, for `uploaded` and `thumbnail`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        bytes: Option<u64>,
        /// Whether the function's process had to be started for it, for `invoked`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        cold: Option<bool>,
        /// Where the thumbnail was saved, for `saved`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        path: Option<String>,
    },
    /// A step is done.
    StepFinished {
        /// Which step.
        step: StepId,
        /// How long it took.
        seconds: f64,
    },
    /// A step failed.
    StepFailed {
        /// Which step.
        step: StepId,
        /// How long it took to fail.
        seconds: f64,
        /// What went wrong.
        error: Failure,
    },
    /// A step was not run.
    StepSkipped {
        /// Which step.
        step: StepId,
        /// Why not.
        reason: SkipReason,
    },
    /// A run ended; always a run's last event, absent when its process died.
    RunFinished {
        /// How it ended.
        outcome: Outcome,
        /// How long it took.
        seconds: f64,
    },
}

/// All that is known when a run begins.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunStarted {
    /// What the run does.
    pub action: Action,
    /// The deployment's name.
    pub deployment: String,
    /// By which of the three ways.
    pub strategy: StrategyKind,
    /// Which cloud, as it is called on the screen: `sandbox`, `aws` or an endpoint's URL.
    pub cloud: String,
    /// How fast time goes in a sandbox that keeps AWS's, for example `AWS's pace x 0.1`; none where it is the cloud's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pace: Option<String>,
    /// The account's number.
    pub account: String,
    /// The region.
    pub region: String,
    /// The names of all resources, drawn before the first call, so that whatever a call leaves can be found.
    pub names: Names,
    /// What the run will do.
    pub plan: Plan,
}

macro_rules! words {
    ($(#[$meta:meta])* $name:ident { $($(#[$vmeta:meta])* $variant:ident => $word:literal),+ $(,)? }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum $name { $($(#[$vmeta])* #[serde(rename = $word)] $variant),+ }

        impl $name {
            /// The word that stands for it in the journal and on the screen.
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
    /// What a run does.
    Action {
        /// Creates what is missing.
        Deploy => "deploy",
        /// Removes what is there.
        Destroy => "destroy",
        /// Sends images through.
        TestUpload => "trial",
    }
}

words! {
    /// One of the three ways of deploying.
    StrategyKind {
        /// Direct calls of the AWS SDK.
        Sdk => "sdk",
        /// Three CloudFormation stacks, by change sets.
        Cloudformation => "cloudformation",
        /// The user's own Terraform, or OpenTofu.
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
    /// Every way, the default first.
    pub const ALL: [Self; 3] = [Self::Sdk, Self::Cloudformation, Self::Terraform];
}

words! {
    /// Whose log a line comes from.
    LogSource {
        /// CodeBuild's build.
        Build => "build",
        /// The Lambda function.
        Function => "function",
        /// CloudFormation's stacks: their events.
        Stack => "stack",
        /// Terraform's own output.
        Terraform => "terraform",
    }
}

words! {
    /// How far an image has come.
    TestUploadStage {
        /// It is in the source bucket.
        Uploaded => "uploaded",
        /// The function began to work on it.
        Invoked => "invoked",
        /// Its thumbnail is in the destination bucket.
        Thumbnail => "thumbnail",
        /// Its thumbnail is in a file of the user's.
        Saved => "saved",
    }
}

words! {
    /// How a run ended.
    Outcome {
        /// Everything was done.
        Succeeded => "succeeded",
        /// Something failed.
        Failed => "failed",
        /// The user stopped it.
        Cancelled => "cancelled",
    }
}

words! {
    /// Why a step was not run.
    SkipReason {
        /// What it makes is there, or what it removes is gone.
        AlreadyDone => "already_done",
        /// The user cancelled.
        Cancelled => "cancelled",
        /// A step that it needs failed, or another did and the run stops.
        Failed => "failed_before",
    }
}

impl TestUploadStage {
    /// The stage in words; `cold` says whether the function's process had to be started, where that is known.
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
    /// The reason in words, in a run that does `action`.
    pub fn label(self, action: Action) -> &'static str {
        match (self, action) {
            (Self::AlreadyDone, Action::Destroy) => "was gone already",
            (Self::AlreadyDone, _) => "was there already",
            (Self::Cancelled, _) => "not done: cancelled",
            (Self::Failed, _) => "not done: something failed before",
        }
    }
}

/// Why something failed, in words for people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// One sentence: what failed and why.
    pub message: String,
    /// What caused it, outermost first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub causes: Vec<String>,
    /// The last lines of the log that tells more, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub log: Vec<String>,
    /// What to do about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

impl Failure {
    /// A failure that needs no more words than its message.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), causes: Vec::new(), log: Vec::new(), hint: None }
    }

    /// Adds what to do about it.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Takes an error's message and the chain of its causes, leaving out causes that the message already says.
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
    fn an_event_is_one_flat_json_object() {
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
        assert_eq!(serde_json::from_str::<Event>(&line).expect("what was written can be read"), event);
    }

    #[test]
    fn a_failure_does_not_repeat_what_its_message_says() {
        #[derive(Debug, thiserror::Error)]
        #[error("cannot open: {0}")]
        struct Outer(#[source] std::io::Error);
        let failure = Failure::from_error(&Outer(std::io::Error::other("disk on fire")));
        assert_eq!(failure.to_string(), "cannot open: disk on fire");
    }
}
