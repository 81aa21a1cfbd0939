//! A sandbox of its own for a test, and queries on its stacks.

use std::path::Path;
use std::process::{Command, Stdio};

use aws_sdk_cloudformation::error::{DisplayErrorContext, ProvideErrorMetadata as _};
use aws_sdk_cloudformation::operation::create_stack::builders::CreateStackFluentBuilder;
use aws_sdk_cloudformation::types::{Capability, Parameter, Stack, StackEvent, StackResource};
use serde_json::Value;
use tempfile::TempDir;

use crate::{Clients, Sandbox, until};

/// A sandbox with its state in a folder of its own.
pub struct StackSandbox {
    pub sandbox: Sandbox,
    pub clients: Clients,
    pub dir: TempDir,
}

impl StackSandbox {
    pub fn new() -> Self {
        Self::with_faults(&[])
    }

    /// A sandbox with fault rules.
    pub fn with_faults(faults: &[Value]) -> Self {
        let dir = tempfile::tempdir().expect("a folder");
        Self::continuing(dir, faults)
    }

    /// A sandbox that continues with another's state.
    pub fn continuing(dir: TempDir, faults: &[Value]) -> Self {
        let file = dir.path().join("faults.json");
        std::fs::write(&file, serde_json::to_vec(faults).expect("JSON")).expect("a file");
        let sandbox = Sandbox::start(command(dir.path(), &file));
        let clients = sandbox.clients();
        Self { sandbox, clients, dir }
    }

    /// The same cloud after a `kill -9`, without faults.
    pub fn restart_after_kill(self) -> Self {
        let Self { sandbox, dir, .. } = self;
        sandbox.kill();
        Self::continuing(dir, &[])
    }

    /// Creates a stack with all IAM capabilities.
    pub fn create(&self, name: &str, template: &str) -> CreateStackFluentBuilder {
        self.clients
            .cloudformation
            .create_stack()
            .stack_name(name)
            .template_body(template)
            .capabilities(Capability::CapabilityNamedIam)
    }

    /// The same, and waits for this status.
    pub async fn create_and_wait(&self, name: &str, template: &str, status: &str) -> Stack {
        let answer = self.create(name, template).send().await;
        answer.unwrap_or_else(|error| panic!("{}", DisplayErrorContext(error)));
        self.wait_for_status(name, status).await
    }

    /// Updates a stack, and waits for this status.
    pub async fn update_and_wait(&self, name: &str, template: &str, status: &str) -> Stack {
        let update = self.clients.cloudformation.update_stack().stack_name(name).template_body(template);
        let answer = update.capabilities(Capability::CapabilityNamedIam).send().await;
        answer.unwrap_or_else(|error| panic!("{}", DisplayErrorContext(error)));
        self.wait_for_status(name, status).await
    }

    /// Deletes a stack, and waits for this status.
    pub async fn delete_and_wait(&self, name: &str, status: &str) -> Stack {
        let id = self.stack(name).await.expect("a stack").stack_id.expect("an id");
        self.clients.cloudformation.delete_stack().stack_name(name).send().await.expect("a deletion");
        self.wait_for_status(&id, status).await
    }

    /// Returns a stack, if it exists.
    pub async fn stack(&self, name: &str) -> Option<Stack> {
        let answer = self.clients.cloudformation.describe_stacks().stack_name(name).send().await;
        answer.ok()?.stacks?.into_iter().next()
    }

    /// Waits for the end of a stack's operation, and asserts its status.
    pub async fn wait_for_status(&self, name: &str, status: &str) -> Stack {
        let stack = until(&format!("{name} to come to {status}"), async || {
            let stack = self.stack(name).await?;
            (!status_of(&stack).ends_with("_IN_PROGRESS")).then_some(stack)
        })
        .await;
        assert_eq!(status_of(&stack), status, "{:#?}", self.event_lines(name).await);
        stack
    }

    /// All events of a stack, in order.
    pub async fn events(&self, name: &str) -> Vec<StackEvent> {
        let pages = self.clients.cloudformation.describe_stack_events().stack_name(name).into_paginator();
        let pages = pages.send().try_collect().await.expect("events");
        let mut events: Vec<_> = pages.into_iter().flat_map(|page| page.stack_events.unwrap_or_default()).collect();
        events.reverse();
        events
    }

    /// The events as text: `NAME STATUS DETAIL: REASON`, as far as present.
    pub async fn event_lines(&self, name: &str) -> Vec<String> {
        self.events(name).await.iter().map(line).collect()
    }

    pub async fn resources(&self, name: &str) -> Vec<StackResource> {
        let answer = self.clients.cloudformation.describe_stack_resources().stack_name(name).send().await;
        answer.expect("resources").stack_resources.unwrap_or_default()
    }

    /// A resource's physical id.
    pub async fn physical_id(&self, stack: &str, name: &str) -> String {
        let resources = self.resources(stack).await;
        let found = resources.into_iter().find(|one| one.logical_resource_id() == Some(name));
        found.and_then(|one| one.physical_resource_id).expect("a physical id")
    }

    pub async fn has_bucket(&self, name: &str) -> bool {
        self.clients.s3.head_bucket().bucket(name).send().await.is_ok()
    }

    pub async fn has_log_group(&self, name: &str) -> bool {
        let groups = self.clients.logs.describe_log_groups().log_group_name_prefix(name).send().await;
        groups.expect("log groups").log_groups().iter().any(|group| group.log_group_name() == Some(name))
    }

    pub async fn has_role(&self, name: &str) -> bool {
        self.clients.iam.get_role().role_name(name).send().await.is_ok()
    }

    /// The error for creating a stack of a template.
    pub async fn creation_error(&self, template: &str) -> String {
        let refused = self.create("refused", template).send().await.expect_err("an error");
        assert!(self.stack("refused").await.is_none());
        format!("{}: {}", refused.code().unwrap_or_default(), refused.message().unwrap_or_default())
    }
}

fn command(dir: &Path, faults: &Path) -> Command {
    let mut command = Command::new(crate::thumbctl());
    command.args(["sandbox", "--port", "0", "--data-dir"]).arg(dir.join("data")).arg("--faults").arg(faults);
    command.env("THUMBCTL_STATE_DIR", dir.join("announced")).stdin(Stdio::null());
    command
}

pub fn status_of(stack: &Stack) -> &str {
    stack.stack_status().map_or("", |status| status.as_str())
}

fn line(event: &StackEvent) -> String {
    let mut line = event.logical_resource_id().unwrap_or_default().to_owned();
    line.push(' ');
    line.push_str(event.resource_status().map_or("", |status| status.as_str()));
    if let Some(detail) = event.detailed_status() {
        line = format!("{line} {}", detail.as_str());
    }
    match event.resource_status_reason() {
        Some(reason) => format!("{line}: {reason}"),
        None => line,
    }
}

/// The index of the first line among events that begins like this.
pub fn position(events: &[String], start: &str) -> usize {
    events.iter().position(|line| line.starts_with(start)).unwrap_or_else(|| panic!("no {start} in {events:#?}"))
}

pub fn parameter(key: &str, value: &str) -> Parameter {
    Parameter::builder().parameter_key(key).parameter_value(value).build()
}

/// A rule for a call that is denied `times` times.
pub fn refused(service: &str, operation: &str, about: &str, times: u32) -> Value {
    serde_json::json!({ "service": service, "operation": operation, "about": about, "times": times,
                        "kind": "error", "status": 403, "code": "AccessDenied", "message": "not allowed here" })
}
