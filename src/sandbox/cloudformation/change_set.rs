//! Change sets.

use awsim_core::{AwsError, RequestContext};
use serde_json::{Value, json};

use super::answers;
use super::request::{invalid, needed, text};
use super::service::{CloudFormation, updatable};
use super::state::{ChangeSet, Goal, Stack, Work, now};
use super::template::Template;
use crate::sandbox::services::{ACCOUNT, lock};

const NO_CHANGES: &str =
    "The submitted information didn't contain changes. Submit different information to create a change set.";

impl CloudFormation {
    pub(super) async fn create_change_set(&self, input: &Value, context: &RequestContext) -> Result<Value, AwsError> {
        let (stack_name, name) = (needed(input, "StackName")?, needed(input, "ChangeSetName")?);
        let kind = text(input, "ChangeSetType").unwrap_or("UPDATE");
        let existing = lock(&self.state).find(&context.region, stack_name).cloned();
        let (stack, anew) = match (kind, existing) {
            ("CREATE", Some(stack)) if stack.status == "REVIEW_IN_PROGRESS" => (stack, false),
            ("CREATE", Some(stack)) => {
                return Err(invalid(format!(
                    "Stack [{}] already exists and cannot be created again with the changeSet [{name}].",
                    stack.name
                )));
            }
            ("CREATE", None) => (Self::fresh(stack_name, context)?, true),
            (_, Some(stack)) => {
                updatable(&stack)?;
                (stack, false)
            }
            (_, None) => return Err(invalid(format!("Stack [{stack_name}] does not exist"))),
        };
        if lock(&self.state).change_sets.iter().any(|set| set.stack_id == stack.id && set.name == name) {
            let message = format!("ChangeSet {name} already exists for stack {}", stack.id);
            return Err(AwsError::bad_request("AlreadyExistsException", message));
        }
        let before = (kind != "CREATE").then_some(&stack);
        let (mut goal, template) = self.asked(input, before)?;
        Self::acknowledged(&goal, &template, false)?;
        let expanded = self.expand(&mut goal, template, &stack).await;
        let (status, execution, reason, changes) = match expanded {
            Err(error) => ("FAILED", "UNAVAILABLE", Some(error.to_string()), Vec::new()),
            Ok(()) => {
                let changes = self.changes(&goal, &stack);
                let same_tags = stack.goal.tags == goal.tags;
                if kind != "CREATE" && changes.is_empty() && same_tags {
                    ("FAILED", "UNAVAILABLE", Some(NO_CHANGES.to_owned()), changes)
                } else {
                    ("CREATE_COMPLETE", "AVAILABLE", None, changes)
                }
            }
        };
        let set = ChangeSet {
            id: format!(
                "arn:aws:cloudformation:{}:{ACCOUNT}:changeSet/{name}/{}",
                context.region,
                uuid::Uuid::new_v4()
            ),
            name: name.to_owned(),
            stack_id: stack.id.clone(),
            kind: kind.to_owned(),
            status: status.to_owned(),
            execution: execution.to_owned(),
            reason,
            created: now(),
            description: text(input, "Description").map(str::to_owned),
            on_failure: text(input, "OnStackFailure").unwrap_or("ROLLBACK").to_owned(),
            goal,
            changes,
        };
        let answer = json!({ "Id": set.id, "StackId": stack.id });
        let mut state = lock(&self.state);
        if anew {
            let mut stack = stack;
            stack.turn("REVIEW_IN_PROGRESS", Some("User Initiated"));
            state.stacks.push(stack);
        }
        state.change_sets.push(set);
        Ok(answer)
    }

    /// What would become of each resource.
    fn changes(&self, goal: &Goal, stack: &Stack) -> Vec<Value> {
        let change = |action: &str, name: &str, kind: &str, physical: Option<&str>, replacement: Option<&str>| {
            let (scope, details) = match action {
                "Modify" => (json!(["Properties"]), json!([])),
                _ => (json!([]), json!([])),
            };
            json!({ "Type": "Resource", "ResourceChange": {
                "Action": action, "LogicalResourceId": name, "PhysicalResourceId": physical, "ResourceType": kind,
                "Replacement": replacement, "Scope": scope, "Details": details,
            }})
        };
        let bound = Template::from_document(goal.processed.clone())
            .and_then(|template| template.bind(goal.values.clone(), self.pseudo(stack)));
        let Ok(bound) = bound else { return Vec::new() };
        let mut changes = Vec::new();
        for wanted in bound.resources() {
            let (name, kind) = (&wanted.logical_id, &wanted.type_name);
            let Some(old) = stack.resources.iter().find(|old| old.logical_id == *name && old.there) else {
                changes.push(change("Add", name, kind, None, None));
                continue;
            };
            let after = bound.properties(name, &stack.resources).unwrap_or_default();
            if after != old.properties {
                let types = super::resource_types::resource_type(kind);
                let replaces = types.is_some_and(|own| {
                    own.properties.iter().any(|one| one.replaces && old.properties[one.name] != after[one.name])
                });
                let replacement = if replaces { "True" } else { "False" };
                changes.push(change("Modify", name, kind, Some(&old.physical_id), Some(replacement)));
            }
        }
        for old in stack.resources.iter().filter(|old| old.there) {
            if !bound.resources().iter().any(|wanted| wanted.logical_id == old.logical_id) {
                changes.push(change("Remove", &old.logical_id, &old.type_name, Some(&old.physical_id), None));
            }
        }
        changes
    }

    fn set_of(&self, input: &Value, context: &RequestContext) -> Result<ChangeSet, AwsError> {
        let name = needed(input, "ChangeSetName")?;
        let stack = text(input, "StackName").map(|stack| self.found(&context.region, stack)).transpose()?;
        let state = lock(&self.state);
        let set = state.change_sets.iter().find(|set| {
            set.id == name || (set.name == name && stack.as_ref().is_some_and(|stack| stack.id == set.stack_id))
        });
        set.cloned().ok_or_else(|| {
            AwsError::service_not_found("ChangeSetNotFound", format!("ChangeSet [{name}] does not exist"))
        })
    }

    pub(super) fn describe_change_set(&self, input: &Value, context: &RequestContext) -> Result<Value, AwsError> {
        let set = self.set_of(input, context)?;
        Ok(answers::change_set(&set, &self.found(&context.region, &set.stack_id)?))
    }

    pub(super) fn delete_change_set(&self, input: &Value, context: &RequestContext) -> Result<Value, AwsError> {
        let set = self.set_of(input, context)?;
        lock(&self.state).change_sets.retain(|other| other.id != set.id);
        Ok(json!({}))
    }

    pub(super) fn execute_change_set(&self, input: &Value, context: &RequestContext) -> Result<Value, AwsError> {
        let set = self.set_of(input, context)?;
        if set.execution != "AVAILABLE" {
            return Err(AwsError::bad_request(
                "InvalidChangeSetStatus",
                format!("ChangeSet [{}] cannot be executed in its current status of [{}]", set.id, set.status),
            ));
        }
        let stack = self.found(&context.region, &set.stack_id)?;
        if set.kind != "CREATE" {
            updatable(&stack)?;
        }
        // As on AWS, the others of the stack go: they were made against what it was.
        lock(&self.state).change_sets.retain(|other| other.stack_id != set.stack_id);
        if set.kind == "CREATE" {
            self.change(&stack.id, |stack| {
                stack.goal = set.goal.clone();
                stack.on_failure =
                    if input["DisableRollback"] == "true" { "DO_NOTHING".to_owned() } else { set.on_failure.clone() };
                stack.access_key.clone_from(&context.access_key);
                stack.work = Some(Work::Create);
                stack.turn("CREATE_IN_PROGRESS", Some("User Initiated"));
            });
            self.begin(&stack.id);
        } else {
            self.start_update(&stack.id, set.goal, context);
        }
        Ok(json!({}))
    }
}
