//! Failing calls: each failure is reported, `destroy` then leaves nothing, and a repeated `deploy` completes.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use thumbctl_core::deployment::Deployment;
use thumbctl_core::event::{Event, EventKind};
use thumbctl_core::names::{DeploymentName, Names, Suffix};
use thumbctl_core::plan::{Plan, Step};
use thumbctl_core::resource::ResourceKind;
use thumbctl_deploy::settings::BuildSource;
use thumbctl_deploy::strategy::destroy_plan;
use thumbctl_deploy::strategy::sdk::plan;
use thumbctl_test_support::Finished;
use thumbctl_test_support::shared_sandbox::{SharedSandbox, for_each_parallel};

/// How often the SDK makes a call before it gives up.
const SDK_ATTEMPTS: u64 = 4;

/// The number of concurrent deployments, which mostly wait.
const AT_A_TIME: usize = 6;

/// A call of a step of a plan.
#[derive(Clone, Debug)]
struct Call {
    step: Step,
    service: String,
    operation: String,
}

impl Call {
    /// All calls of a plan that can go wrong.
    fn of(plan: &Plan) -> Vec<Self> {
        let calls = plan.steps().iter().flat_map(|step| step.calls.iter().map(move |call| (step, call)));
        // PassRole is a permission, not a call.
        calls
            .filter(|(_, call)| *call != "iam:PassRole")
            .map(|(step, call)| {
                let (service, operation) = call.split_once(':').expect("service:operation");
                // The permission is called otherwise than the operation.
                let operation = operation.replace("PutBucketNotification", "PutBucketNotificationConfiguration");
                Self { step: step.clone(), service: service.to_owned(), operation }
            })
            .collect()
    }

    fn is(&self, service: &str, operation: &str) -> bool {
        self.service == service && self.operation == operation
    }

    /// Whether it makes something, or changes it.
    fn creates(&self) -> bool {
        !["Get", "BatchGet", "Describe", "List"].iter().any(|start| self.operation.starts_with(start))
    }

    /// A rule that lets this call of this step of one deployment go wrong.
    fn fault(&self, name: &str, what: &Value) -> Value {
        let mut rule = json!({ "service": self.service, "operation": self.operation, "about": self.about(name) });
        if self.step.id.as_str() == "function_active" {
            // The previous step checks for an existing function.
            rule["skip"] = json!(1);
        }
        for (key, value) in what.as_object().expect("the rest of a rule") {
            rule[key] = value.clone();
        }
        rule
    }

    /// The resource of the call, without the deployment's suffix, which is drawn at its start.
    fn about(&self, name: &str) -> String {
        use ResourceKind::*;
        let names = Names::new(DeploymentName::new(name).expect("a legal name"), Suffix::from_number(0));
        let telling = match self.step.resource {
            Some(InvokePermission | Notification | Image) | None => names.stem(),
            Some(kind) => names.of(kind),
        };
        telling.replace(names.suffix().as_str(), "????????")
    }

    /// As this service refuses a caller.
    fn denied(&self) -> Value {
        let (status, code) = match self.service.as_str() {
            "s3" | "iam" => (403, "AccessDenied"),
            "lambda" => (403, "AccessDeniedException"),
            _ => (400, "AccessDeniedException"),
        };
        json!({ "kind": "error", "status": status, "code": code, "message": "not allowed here" })
    }

    /// As this service asks for fewer requests.
    fn throttled(&self) -> Value {
        let (status, code) = match self.service.as_str() {
            "s3" => (503, "SlowDown"),
            "iam" => (400, "Throttling"),
            "lambda" => (429, "TooManyRequestsException"),
            _ => (400, "ThrottlingException"),
        };
        json!({ "kind": "error", "status": status, "code": code, "message": "slower, please" })
    }
}

/// The calls of a deployment.
fn deploy_calls() -> Vec<Call> {
    Call::of(&plan::deploy(&BuildSource::Bundle))
}

/// The calls of a complete deployment's teardown.
fn destroy_calls() -> Vec<Call> {
    let name = DeploymentName::new("all").expect("a legal name");
    let change = |&resource: &ResourceKind| Event {
        v: thumbctl_core::event::VERSION,
        run: thumbctl_core::event::RunId::from_file_stem("1"),
        seq: 0,
        at: chrono::Utc::now(),
        kind: EventKind::ResourceChanged {
            resource,
            name: String::new(),
            arn: None,
            state: thumbctl_core::resource::ResourceState::Ready,
            seconds: None,
            note: None,
        },
    };
    let events: Vec<Event> = ResourceKind::ARCHITECTURE.iter().map(change).collect();
    Call::of(&destroy_plan(&Deployment::fold(name, &events)))
}

/// Fault rules, each for a separate deployment, and the deployments' names.
fn one_each(start: &str, calls: Vec<Call>, what: impl Fn(&Call) -> Value) -> (Vec<(String, Call)>, Vec<Value>) {
    let cases: Vec<(String, Call)> =
        calls.into_iter().enumerate().map(|(index, call)| (format!("{start}{index}"), call)).collect();
    let rules = cases.iter().map(|(name, call)| call.fault(name, &what(call))).collect();
    (cases, rules)
}

/// Blocks the resources that build the image, so that no build runs while another call fails.
fn hold_the_build(name: &str, milliseconds: u64) -> Value {
    let about = format!("{name}-????????-build");
    json!({ "service": "codebuild", "operation": "CreateProject", "about": about, "times": 1,
            "kind": "delay", "delay_ms": milliseconds })
}

fn needs_no_build(call: &Call) -> bool {
    use ResourceKind::*;
    let function_side = [SourceBucket, DestinationBucket, FunctionLogGroup, FunctionPolicy, FunctionRole];
    call.step.resource.is_some_and(|kind| function_side.contains(&kind))
}

fn retries_of(finished: &Finished, step: &str) -> Vec<(u32, String, f64)> {
    let retry = |event: Event| match event.kind {
        EventKind::StepRetried { step: of, attempt, reason, delay } if of.as_str() == step => {
            Some((attempt, reason, delay))
        }
        _ => None,
    };
    finished.events().into_iter().filter_map(retry).collect()
}

fn failed_steps(finished: &Finished) -> BTreeSet<String> {
    let failed = |event: Event| match event.kind {
        EventKind::StepFailed { step, .. } => Some(step.to_string()),
        _ => None,
    };
    finished.events().into_iter().filter_map(failed).collect()
}

/// Checks that the deployment failed at this call and reported the operation, the reason and the step.
#[track_caller]
fn failed_at(finished: Finished, call: &Call, why: &str) -> String {
    assert_eq!(failed_steps(&finished), BTreeSet::from([call.step.id.to_string()]), "{finished}");
    let reported = finished.fails_with(1);
    assert!(reported.contains(&call.operation), "the operation is missing: {reported}");
    assert!(reported.contains(why), "the reason is missing: {reported}");
    reported
}

#[test]
fn denied_call_names_missing_permission() {
    let (cases, mut rules) = one_each("denied", deploy_calls(), |call| {
        let mut rule = call.denied();
        rule["times"] = json!(1);
        rule
    });
    for (name, call) in &cases {
        if needs_no_build(call) {
            rules.push(hold_the_build(name, 500));
        }
    }
    let shared = SharedSandbox::with_faults(&rules);
    let cases = cases.into_iter().enumerate();
    for_each_parallel(AT_A_TIME, cases, |(index, (name, call))| {
        let reported = failed_at(shared.run("deploy", &name), &call, "AccessDenied");
        assert!(reported.contains("hint: ") && reported.contains("is missing."), "{reported}");
        if index % 6 == 0 {
            shared.deploy_completes(&name);
        }
        shared.destroy_leaves_nothing(&name);
    });
    shared.close();
}

#[test]
fn failed_call_reports_service_error() {
    let error = json!({ "kind": "error", "status": 500, "code": "InternalFailure", "times": SDK_ATTEMPTS });
    let (cases, mut rules) = one_each("broken", deploy_calls(), |_| error.clone());
    for (name, call) in &cases {
        if needs_no_build(call) {
            rules.push(hold_the_build(name, 3000));
        }
    }
    let shared = SharedSandbox::with_faults(&rules);
    let cases = cases.into_iter().enumerate();
    for_each_parallel(AT_A_TIME, cases, |(index, (name, call))| {
        let deployed = shared.run("deploy", &name);
        if call.is("logs", "GetLogEvents") || call.is("codebuild", "BatchGetBuilds") {
            // A build is not over because it, or its log, could not be looked at for a while.
            deployed.ok();
        } else {
            failed_at(deployed, &call, "InternalFailure");
            if index % 6 == 3 {
                shared.deploy_completes(&name);
            }
        }
        shared.destroy_leaves_nothing(&name);
    });
    shared.close();
}

#[test]
fn unanswered_call_ends_at_deadline() {
    // The first call of each step: they take seconds.
    let mut calls = deploy_calls();
    calls.dedup_by(|second, first| second.step.id == first.step.id);
    let hang = json!({ "kind": "hang", "times": SDK_ATTEMPTS });
    let (cases, mut rules) = one_each("silent", calls, |_| hang.clone());
    for (name, call) in &cases {
        if needs_no_build(call) {
            rules.push(hold_the_build(name, 800));
        }
    }
    let shared = SharedSandbox::with_faults(&rules);
    shared.program.configure("timeouts.call_seconds = 1\n");
    let cases = cases.into_iter().enumerate();
    for_each_parallel(2 * AT_A_TIME, cases, |(index, (name, call))| {
        failed_at(shared.run("deploy", &name), &call, "in time");
        if index % 6 == 4 {
            shared.deploy_completes(&name);
        }
        shared.destroy_leaves_nothing(&name);
    });
    shared.close();
}

#[test]
fn deploy_waits_out_long_throttling() {
    let name = "throttled";
    let throttle = |call: &Call| {
        let mut rule = call.throttled();
        rule["times"] = json!(SDK_ATTEMPTS + 1);
        call.fault(name, &rule)
    };
    let rules: Vec<Value> = deploy_calls().iter().map(throttle).collect();
    let shared = SharedSandbox::with_faults(&rules);
    let deployed = shared.deploy_completes(name);
    for call in deploy_calls() {
        let retries = retries_of(&deployed, call.step.id.as_str());
        // A polled call tolerates an unanswered one.
        let is_asked_anyway = call.step.id.as_str() == "function_active";
        assert!(is_asked_anyway || !retries.is_empty(), "{call:?} was not made again");
        assert!(retries.iter().all(|(_, reason, _)| reason.contains("throttled")), "{retries:?}");
    }
    shared.destroy_leaves_nothing(name);
    shared.close();
}

#[test]
fn deploy_waits_for_role_propagation() {
    let about = "role-????????";
    let refused = |service: &str, operation: &str, code: &str, message: &str| {
        json!({ "service": service, "operation": operation, "about": about, "times": 3, "kind": "error", "status": 400,
                "code": code, "message": message })
    };
    let shared = SharedSandbox::with_faults(&[
        refused(
            "codebuild",
            "CreateProject",
            "InvalidInputException",
            "CodeBuild is not authorized to perform: sts:AssumeRole on arn:aws:iam::000000000000:role/role-build-role",
        ),
        refused(
            "lambda",
            "CreateFunction",
            "InvalidParameterValueException",
            "The role defined for the function cannot be assumed by Lambda.",
        ),
    ]);
    let deployed = shared.deploy_completes("role");
    for (step, service) in [("build_project", "CodeBuild"), ("function", "Lambda")] {
        let reason = format!("{service} cannot assume the new role yet");
        let expected = [(1, 0.25), (2, 0.5), (3, 1.0)].map(|(attempt, delay)| (attempt, reason.clone(), delay));
        assert_eq!(retries_of(&deployed, step), expected);
    }
    shared.destroy_leaves_nothing("role");
    shared.close();
}

#[test]
fn lost_response_creates_nothing_twice() {
    let lose = |name: &str, times: u64| -> Vec<Value> {
        let lost = json!({ "kind": "drop_after", "times": times });
        deploy_calls().iter().filter(|call| call.creates()).map(|call| call.fault(name, &lost)).collect()
    };
    // Lost once, the SDK retries; lost every time, the step fails and the next deploy finds the existing resource.
    let shared = SharedSandbox::with_faults(&[lose("once", 1), lose("always", SDK_ATTEMPTS)].concat());
    for_each_parallel(2, ["once", "always"], |name| {
        let mut runs = 1;
        while shared.run("deploy", name).code != Some(0) {
            runs += 1;
            assert!(runs < 40, "{name} does not come to an end");
        }
        assert!(name == "always" || runs == 1, "an answer that is lost once fails nothing");
        shared.assert_complete(name);
        assert_eq!(shared.build_count(name), 1, "{name}");
        shared.destroy_leaves_nothing(name);
    });
    shared.close();
}

#[test]
fn teardown_continues_after_denied_deletion() {
    use ResourceKind::*;
    let deletes = |call: &Call| {
        // These operations are not called here.
        let rare = ["StopBuild", "AbortMultipartUpload", "DeletePolicyVersion"].contains(&call.operation.as_str());
        call.creates() && !rare
    };
    let deny = |name: &str, call: &Call| {
        let mut rule = call.denied();
        rule["times"] = json!(1);
        if call.is("s3", "PutBucketNotificationConfiguration") {
            // The deployment makes this call too: removing a notification has no other operation.
            rule["skip"] = json!(1);
        }
        call.fault(name, &rule)
    };
    // Only the buckets that hold something have objects to delete.
    let has_objects = |call: &Call| call.operation != "DeleteObjects" || call.step.resource == Some(BuildSourceBucket);
    let calls: Vec<Call> = destroy_calls().into_iter().filter(deletes).filter(has_objects).collect();

    // One deployment in which the first deleting call of every step is denied …
    let mut first_of_step = calls.clone();
    first_of_step.dedup_by(|second, first| second.step.id == first.step.id);
    let mut rules: Vec<Value> = first_of_step.iter().map(|call| deny("every", call)).collect();
    // … and one deployment for each denied call: one resource of each kind, and a build only where it matters.
    let tried_on_others = [SourceBucket, DestinationBucket, FunctionLogGroup, FunctionPolicy, FunctionRole].map(Some);
    let needs_build = |call: &Call| {
        let after_it = [Image, Function, InvokePermission, Notification].map(Some);
        after_it.contains(&call.step.resource) || call.operation == "BatchDeleteBuilds"
    };
    let alone = calls.into_iter().filter(|call| !tried_on_others.contains(&call.step.resource)).enumerate();
    let cases: Vec<(String, Call)> = alone.map(|(index, call)| (format!("alone{index}"), call)).collect();
    for (name, call) in &cases {
        rules.push(deny(name, call));
        if !needs_build(call) {
            rules.push(json!({ "service": "codebuild", "operation": "StartBuild", "about": format!("{name}-????????"),
                               "kind": "error", "status": 400, "code": "AccessDeniedException" }));
        }
    }

    let shared = SharedSandbox::with_faults(&rules);
    let denied_at = |name: &str, steps: &BTreeSet<String>| {
        let destroyed = shared.run("destroy", name).ends_with(1);
        assert_eq!(failed_steps(&destroyed), *steps, "{destroyed}");
        let error_count = destroyed.stderr.lines().filter(|line| line.starts_with("error: ")).count();
        assert_eq!(error_count, steps.len(), "every failure is reported: {destroyed}");
        let kept: BTreeSet<String> = shared.journalled_resources(name).iter().map(ToString::to_string).collect();
        assert_eq!(kept, *steps, "the journal keeps what is left");
        shared.destroy_leaves_nothing(name);
    };
    for_each_parallel(AT_A_TIME, cases, |(name, call)| {
        let deployed = shared.run("deploy", &name);
        assert_eq!(deployed.code, Some(i32::from(!needs_build(&call))), "{deployed}");
        denied_at(&name, &BTreeSet::from([call.step.id.to_string()]));
    });
    shared.deploy_completes("every");
    let steps: BTreeSet<String> = first_of_step.iter().map(|call| call.step.id.to_string()).collect();
    assert_eq!(steps.len(), ResourceKind::ARCHITECTURE.len(), "every step of a teardown deletes something");
    denied_at("every", &steps);
    shared.close();
}
