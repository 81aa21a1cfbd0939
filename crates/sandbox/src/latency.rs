//! The latencies of AWS: the table from which the sandbox draws every simulated wait.
//!
//! The figures come from published measurements; `est.` marks estimates from several accounts. This project has measured
//! none of them on AWS, and the compile time on a machine of two cores.

use std::sync::Mutex;
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use thumbctl_sandbox_protocol::Latency;

use crate::sync::lock;

/// How fast the sandbox responds and works.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pace {
    /// Whether to simulate AWS's latencies.
    pub latency: Latency,
    /// The factor on AWS's times: 0.1 is ten times as fast.
    pub time_scale: f64,
    /// The seed of the jitter: the same seed and calls give the same times.
    pub seed: u64,
}

impl Default for Pace {
    fn default() -> Self {
        Self { latency: Latency::Instant, time_scale: 1.0, seed: 1 }
    }
}

impl Pace {
    /// A label for timings at this pace; nothing without simulated latency.
    pub(crate) fn description(&self) -> Option<String> {
        match self.latency {
            Latency::Instant => None,
            Latency::Aws if self.time_scale == 1.0 => Some("AWS's pace".to_owned()),
            Latency::Aws => Some(format!("AWS's pace x {}", self.time_scale)),
        }
    }
}

/// A process that takes time on AWS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LatencySpan {
    /// From CreateRole until a service can assume the role.
    RolePropagation,
    /// A build waits for a machine.
    BuildQueued,
    /// A build's machine and container are made ready.
    BuildProvisioning,
    /// A build's source is fetched.
    BuildSource,
    /// What `cargo build` takes in a build: the cold compile.
    BuildCompile,
    /// `docker push` of the image.
    BuildPush,
    /// A build is finalized.
    BuildFinalizing,
    /// From CreateFunction to Active.
    FunctionPending,
    /// From UpdateFunction… to Successful.
    FunctionUpdate,
    /// A cold start, beyond the function's own initialisation.
    ColdStart,
    /// From the object's PUT to the function's invocation.
    EventDelivery,
    /// Before Lambda's first retry of an asynchronous event.
    FirstRetry,
    /// Before Lambda's second and last retry of an asynchronous event.
    SecondRetry,
    /// CloudFormation creates a role.
    StackRole,
    /// CloudFormation creates a managed policy.
    StackManagedPolicy,
    /// CloudFormation creates a function.
    StackFunction,
    /// CloudFormation creates a bucket.
    StackBucket,
    /// CloudFormation creates a build project.
    StackProject,
    /// CloudFormation creates a resource of another type.
    StackOther,
    /// Before CloudFormation retries a failed call.
    StackRetry,
}

/// An entry of the table, in milliseconds.
struct LatencyRange {
    /// The least and the most on AWS.
    aws: (u64, u64),
    /// The time without simulated latency.
    instant: u64,
}

impl LatencySpan {
    fn row(self) -> LatencyRange {
        let row = |least, most| LatencyRange { aws: (least, most), instant: 0 };
        match self {
            // 7 to 12 s: cdkd and OFFENSAI, 2025.
            Self::RolePropagation => row(7_000, 12_000),
            // 1 / 24 / 4 / 2 s on a cached image: a published run, 2021.
            Self::BuildQueued => row(700, 1_500),
            Self::BuildProvisioning => row(20_000, 28_000),
            Self::BuildSource => row(3_000, 5_000),
            // Measured by this project, as the buildspec compiles it, with nothing fetched before, on two cores (as many as
            // BUILD_GENERAL1_SMALL has): 117 and 118 s, see docs/benchmarks.md.
            Self::BuildCompile => row(112_000, 124_000),
            // est.: a 6 MB image.
            Self::BuildPush => row(2_000, 4_000),
            Self::BuildFinalizing => row(1_500, 2_500),
            // est. 5 to 10 s, smaller images quicker: Lambda's documentation says "a few seconds".
            Self::FunctionPending => row(5_000, 10_000),
            Self::FunctionUpdate => row(2_000, 4_000),
            // est.: an image of this size, without the 16 ms that a Rust function itself takes.
            Self::ColdStart => row(100, 300),
            // "Typically in seconds": S3's documentation.
            Self::EventDelivery => row(400, 1_500),
            // One and two minutes: Lambda's documentation on asynchronous invocation.
            Self::FirstRetry => LatencyRange { aws: (60_000, 60_000), instant: 1_000 },
            Self::SecondRetry => LatencyRange { aws: (120_000, 120_000), instant: 2_000 },
            // The estimates that rain, a deploy tool of AWS's, has in its table.
            Self::StackRole => row(12_000, 12_000),
            Self::StackManagedPolicy => row(16_000, 16_000),
            Self::StackFunction => row(25_000, 25_000),
            Self::StackBucket => row(30_000, 30_000),
            Self::StackProject => row(2_000, 2_000),
            Self::StackOther => row(1_000, 1_000),
            // est.
            Self::StackRetry => LatencyRange { aws: (1_000, 1_000), instant: 10 },
        }
    }
}

/// The least and the most that a call takes on AWS, in milliseconds. All of it is est., as clients see it from within a
/// region: there are no published figures.
#[derive(Debug, Clone, Copy)]
pub(crate) struct CallLatency(u64, u64);

impl CallLatency {
    pub(crate) const CLOUDFORMATION: Self = Self(30, 100);
    pub(crate) const CODEBUILD: Self = Self(30, 100);
    pub(crate) const CODEBUILD_START: Self = Self(150, 400);
    pub(crate) const ECR: Self = Self(30, 100);
    pub(crate) const ECR_REPOSITORY: Self = Self(100, 300);
    pub(crate) const IAM_READ: Self = Self(40, 100);
    pub(crate) const IAM_WRITE: Self = Self(100, 300);
    pub(crate) const LAMBDA: Self = Self(40, 120);
    pub(crate) const LAMBDA_CREATE: Self = Self(300, 700);
    pub(crate) const LAMBDA_INVOKE: Self = Self(5, 15);
    pub(crate) const LOGS: Self = Self(30, 100);
    pub(crate) const REGISTRY: Self = Self(30, 80);
    pub(crate) const S3: Self = Self(30, 100);
    pub(crate) const S3_CREATE_BUCKET: Self = Self(150, 400);
    pub(crate) const S3_OBJECT: Self = Self(20, 60);
    pub(crate) const STS: Self = Self(20, 60);
}

/// Draws latencies from the table.
#[derive(Debug)]
pub(crate) struct Latencies {
    pace: Pace,
    jitter: Mutex<StdRng>,
}

impl Latencies {
    pub(crate) fn new(pace: Pace) -> Self {
        Self { pace, jitter: Mutex::new(StdRng::seed_from_u64(pace.seed)) }
    }

    /// Draws the duration of a span.
    pub(crate) fn of(&self, span: LatencySpan) -> Duration {
        let row = span.row();
        match self.pace.latency {
            Latency::Instant => Duration::from_millis(row.instant),
            Latency::Aws => self.draw(row.aws),
        }
    }

    /// Waits for the duration of a span.
    pub(crate) async fn wait(&self, span: LatencySpan) {
        wait(self.of(span)).await;
    }

    /// A duration of the sandbox's own, such as an idle timeout, at this pace.
    pub(crate) fn scaled(&self, duration: Duration) -> Duration {
        duration.mul_f64(self.pace.time_scale)
    }

    /// Draws the latency of a call.
    fn of_call(&self, CallLatency(least, most): CallLatency) -> Duration {
        match self.pace.latency {
            Latency::Instant => Duration::ZERO,
            Latency::Aws => self.draw((least, most)),
        }
    }

    /// Waits for the latency of a call.
    pub(crate) async fn wait_for_call(&self, call: CallLatency) {
        wait(self.of_call(call)).await;
    }

    fn draw(&self, (least, most): (u64, u64)) -> Duration {
        let milliseconds = lock(&self.jitter).random_range(least..=most);
        Duration::from_millis(milliseconds).mul_f64(self.pace.time_scale)
    }
}

/// Sleeps, unless the duration is zero.
pub(crate) async fn wait(duration: Duration) {
    if !duration.is_zero() {
        tokio::time::sleep(duration).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AWS: Pace = Pace { latency: Latency::Aws, time_scale: 1.0, seed: 7 };

    #[test]
    fn instant_pace_has_no_latency() {
        let instant = Latencies::new(Pace::default());
        assert_eq!(instant.of(LatencySpan::RolePropagation), Duration::ZERO);
        assert_eq!(instant.of_call(CallLatency::S3_OBJECT), Duration::ZERO);
    }

    #[test]
    fn same_seed_gives_the_same_times_within_bounds() {
        let (one, other) = (Latencies::new(AWS), Latencies::new(AWS));
        for _ in 0..50 {
            let drawn = one.of(LatencySpan::RolePropagation);
            assert_eq!(drawn, other.of(LatencySpan::RolePropagation));
            assert!((Duration::from_secs(7)..=Duration::from_secs(12)).contains(&drawn), "{drawn:?}");
        }
    }

    #[test]
    fn time_scale_applies_to_all_latencies() {
        let fast = Latencies::new(Pace { time_scale: 0.01, ..AWS });
        assert!(fast.of(LatencySpan::SecondRetry) == Duration::from_millis(1_200));
        assert!(fast.of_call(CallLatency::IAM_WRITE) <= Duration::from_millis(3));
    }
}
