//! Tests that need external programs: reported as ignored, with the reason, where one is missing.
//!
//! Rust's own test harness decides at compile time which tests are ignored, so these tests run in one that checks first.

use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::num::NonZeroUsize;
use std::process::{Command, ExitCode, Stdio};
use std::sync::LazyLock;

use libtest_mimic::{Arguments, Trial};

use crate::tools::{Terraform, on_path};

/// Set to `1`, a missing tool fails the tests that need it.
pub const REQUIRE_TOOLS: &str = "THUMBCTL_REQUIRE_TOOLS";

/// A test's requirement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Tool {
    /// The AWS CLI.
    AwsCli,
    /// A Python with boto3.
    Boto3,
    /// moto's server.
    Moto,
    /// Python, with which the sandbox runs functions and macros.
    Python3,
    /// Permission to mount a small disk.
    SmallDisk,
    /// Terraform with its AWS provider.
    Terraform,
}

impl fmt::Display for Tool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::AwsCli => "the AWS CLI (aws)",
            Self::Boto3 => "a Python with boto3",
            Self::Moto => "moto_server",
            Self::Python3 => "python3",
            Self::SmallDisk => "permission to mount a small disk",
            Self::Terraform => "terraform with its AWS provider",
        })
    }
}

impl Tool {
    /// Returns whether this machine has it; checked once.
    pub fn is_here(self) -> bool {
        static AWS_CLI: LazyLock<bool> = LazyLock::new(|| works("aws", &["--version"]));
        static BOTO3: LazyLock<bool> = LazyLock::new(|| works("python3", &["-c", "import boto3"]));
        static MOTO: LazyLock<bool> = LazyLock::new(|| works("moto_server", &["--help"]));
        static PYTHON3: LazyLock<bool> = LazyLock::new(|| on_path("python3").is_some());
        static SMALL_DISK: LazyLock<bool> = LazyLock::new(can_mount);
        static TERRAFORM: LazyLock<bool> = LazyLock::new(|| Terraform::find().is_ok());
        let found = match self {
            Self::AwsCli => &AWS_CLI,
            Self::Boto3 => &BOTO3,
            Self::Moto => &MOTO,
            Self::Python3 => &PYTHON3,
            Self::SmallDisk => &SMALL_DISK,
            Self::Terraform => &TERRAFORM,
        };
        **found
    }
}

fn works(program: &str, arguments: &[&str]) -> bool {
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

/// Returns whether a file system can be mounted, by mounting one.
fn can_mount() -> bool {
    let Ok(dir) = tempfile::tempdir() else { return false };
    let path = dir.path().to_str().expect("a temporary directory has a plain name");
    works("mount", &["-t", "tmpfs", "-o", "size=1m", "tmpfs", path]) && works("umount", &[path])
}

/// A test and its requirements.
pub struct ForeignTest {
    name: String,
    needs: &'static [Tool],
    run: fn(),
}

impl ForeignTest {
    /// A test by its path, as [`foreign_tests!`](crate::foreign_tests) lists it.
    pub fn new(path: &str, needs: &'static [Tool], run: fn()) -> Self {
        let name = path.split_once("::").map_or(path, |(_crate, rest)| rest).to_owned();
        Self { name, needs, run }
    }

    fn missing(&self) -> Vec<Tool> {
        self.needs.iter().copied().filter(|tool| !tool.is_here()).collect()
    }
}

/// Runs a future to its end, as `#[tokio::test]` does.
///
/// # Panics
/// When no runtime can be started.
pub fn block_on(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    runtime.expect("a runtime can be started").block_on(test);
}

/// Runs the tests selected by the command line, and prints at the end what was skipped and why.
pub fn run(tests: Vec<ForeignTest>) -> ExitCode {
    let mut arguments = Arguments::from_args();
    // External programs mostly wait.
    let processors = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
    arguments.test_threads.get_or_insert(2 * processors);
    let required = std::env::var_os(REQUIRE_TOOLS).is_some_and(|value| value == "1");
    let mut skipped: BTreeMap<Tool, usize> = BTreeMap::new();
    let mut trials = Vec::new();
    for test in tests {
        let missing = test.missing();
        let trial = if missing.is_empty() {
            let run = test.run;
            Trial::test(test.name, move || {
                run();
                Ok(())
            })
        } else {
            let list = missing.iter().map(Tool::to_string).collect::<Vec<_>>().join(" and ");
            if !required && is_asked_for(&arguments, &test.name) {
                missing.iter().for_each(|tool| *skipped.entry(*tool).or_default() += 1);
            }
            let reason = format!("it needs {list}, which this machine does not have");
            Trial::test(test.name, move || Err(reason.into()))
                .with_kind(format!("needs {list}"))
                .with_ignored_flag(!required)
        };
        trials.push(trial);
    }
    let conclusion = libtest_mimic::run(&arguments, trials);
    if !arguments.list {
        for (tool, count) in skipped {
            let tests = if count == 1 { "1 test was".to_owned() } else { format!("{count} tests were") };
            println!("{tests} ignored: this machine does not have {tool}");
        }
    }
    conclusion.exit_code()
}

/// Returns whether the command line's filters select a test.
fn is_asked_for(arguments: &Arguments, name: &str) -> bool {
    let fits = |filter: &str| if arguments.exact { name == filter } else { name.contains(filter) };
    arguments.filter.as_deref().is_none_or(fits) && !arguments.skip.iter().any(|skip| fits(skip))
}

/// Lists a module's tests, in groups: their requirements, and whether they are functions (`sync`) or futures (`async`).
/// An unlisted test is dead code, which the lints reject.
#[macro_export]
macro_rules! foreign_tests {
    ($($needs:tt $kind:tt : $($test:ident),+ ;)+) => {
        pub(crate) fn tests() -> Vec<$crate::foreign::ForeignTest> {
            let mut tests = Vec::new();
            $($crate::foreign_tests!(@group tests $needs $kind $($test)+);)+
            tests
        }
    };
    (@group $tests:ident $needs:tt $kind:tt $($test:ident)+) => {
        $($tests.push($crate::foreign::ForeignTest::new(
            concat!(module_path!(), "::", stringify!($test)),
            {
                use $crate::foreign::Tool::*;
                const NEEDS: &[$crate::foreign::Tool] = &$needs;
                NEEDS
            },
            $crate::foreign_tests!(@run $kind $test),
        ));)+
    };
    (@run sync $test:ident) => { $test };
    (@run async $test:ident) => { || $crate::foreign::block_on($test()) };
}
