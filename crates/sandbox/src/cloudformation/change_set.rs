//! Creating, describing, executing and deleting change sets.

use std::sync::Arc;

use awsim_core::{AwsError, RequestContext};
use serde_json::{Value, json};

use super::changes::changes;
use super::descriptions;
use super::request::{invalid, is_true, legal, needed, reject_unsupported, template_error, text, word};
use super::service::{CloudFormation, updatable};
use super::state::{ChangeSet, EXECUTED, OBSOLETE, Stack, Work, now};
use super::template::{Template, TemplateError};
use crate::account::ACCOUNT;
use crate::operation::{ApiCall, ApiResult};
use crate::sync::lock;

const NO_CHANGES: &str =
    "The submitted information didn't contain changes. Submit different information to create a change set.";

impl CloudFormation {
    pub(super) async fn create_change_set(&self, ApiCall { input, context, .. }: ApiCall<'_>) -> ApiResult {
        let (stack_name, name) = (needed(input, "StackName")?, needed(input, "ChangeSetName")?);
        legal(name, "changeSetName")?;
        let kind = word(input, "ChangeSetType", &["CREATE", "UPDATE"])?.unwrap_or("UPDATE");
        let on_failure = word(input, "OnStackFailure", &["DO_NOTHING", "ROLLBACK", "DELETE"])?.unwrap_or("ROLLBACK");
        let existing = lock(&self.state).find(&context.region, stack_name).cloned();
        let (mut stack, is_new) = match (kind, existing) {
            ("CREATE", Some(stack)) if stack.status == "REVIEW_IN_PROGRESS" => (stack, false),
            ("CREATE", Some(stack)) => {
                return Err(invalid(format!(
                    "Stack [{}] already exists and cannot be created again with the changeSet [{name}].",
                    stack.name
                )));
            }
            ("CREATE", None) => (self.fresh(stack_name, context)?, true),
            (_, Some(stack)) => {
                updatable(&stack)?;
                (stack, false)
            }
            (_, None) => return Err(invalid(format!("Stack [{stack_name}] does not exist"))),
        };
        let before = (kind != "CREATE").then_some(&stack);
        let (mut goal, template) = self.requested_goal(input, before)?;
        Self::acknowledged(&goal, &template, false)?;
        // Without macros, errors are returned at once.
        if template.next_transform().is_none() {
            self.expand(&mut goal, template, &stack).await.map_err(template_error)?;
        }
        let set = ChangeSet {
            id: format!(
                "arn:aws:cloudformation:{}:{ACCOUNT}:changeSet/{name}/{}",
                context.region,
                uuid::Uuid::new_v4()
            ),
            name: name.to_owned(),
            stack_id: stack.id.clone(),
            kind: kind.to_owned(),
            status: "CREATE_PENDING".to_owned(),
            execution: "UNAVAILABLE".to_owned(),
            created: now(),
            description: text(input, "Description").map(str::to_owned),
            on_failure: on_failure.to_owned(),
            access_key: self.caller(context),
            goal,
            ..ChangeSet::default()
        };
        let (id, stack_id) = (set.id.clone(), stack.id.clone());
        {
            let mut state = lock(&self.state);
            let same = |other: &&ChangeSet| other.stack_id == stack_id && other.name == name;
            if let Some(other) = state.change_sets.iter().find(same) {
                let token = text(input, "ClientToken");
                if token.is_some() && other.token.as_deref() == token {
                    return Ok(json!({ "Id": other.id, "StackId": stack_id }));
                }
                let message = format!("ChangeSet {name} already exists for stack {stack_id}");
                return Err(AwsError::bad_request("AlreadyExistsException", message));
            }
            if is_new {
                if state.find(&context.region, stack_name).is_some() {
                    return Err(invalid(format!("Stack [{stack_name}] already exists")));
                }
                stack.set_status("REVIEW_IN_PROGRESS", Some("User Initiated"));
                state.stacks.push(stack.clone());
            }
            let mut set = set;
            if let Some(now) = state.find(&context.region, stack_name).filter(|_| kind != "CREATE") {
                // Another update may have started while macros ran.
                updatable(now)?;
                if now.updated != stack.updated {
                    OBSOLETE.clone_into(&mut set.execution);
                }
            }
            let token = text(input, "ClientToken").map(str::to_owned);
            state.change_sets.push(ChangeSet { token, ..set });
        }
        self.services.persist("cloudformation")?;
        self.begin_change_set(&id);
        Ok(json!({ "Id": id, "StackId": stack_id }))
    }

    /// Evaluates a change set: calls its macros and compares the result with the stack.
    pub(super) async fn evaluate(self: Arc<Self>, id: String) {
        let set = lock(&self.state).change_sets.iter().find(|set| set.id == id).cloned();
        let Some(set) = set.filter(ChangeSet::is_pending) else { return };
        let Some(stack) = self.copy(&set.stack_id) else { return };
        let evaluated = self.evaluated(set, stack).await;
        if let Some(set) = lock(&self.state).change_sets.iter_mut().find(|set| set.id == id && set.is_pending()) {
            let is_obsolete = set.execution == OBSOLETE && evaluated.execution == "AVAILABLE";
            let execution = if is_obsolete { OBSOLETE.to_owned() } else { evaluated.execution.clone() };
            *set = ChangeSet { execution, ..evaluated };
        }
        self.services.save("cloudformation");
    }

    async fn evaluated(&self, mut set: ChangeSet, stack: Stack) -> ChangeSet {
        let result = async {
            if set.goal.processed.is_null() {
                let template = Template::parse(&set.goal.text)?;
                let asking = Stack { access_key: set.access_key.clone(), ..stack.clone() };
                self.expand(&mut set.goal, template, &asking).await?;
            }
            let changes = changes(&self.bound(&set.goal, &stack)?, &set.goal, &stack)?;
            let is_same = changes.is_empty() && stack.goal.tags == set.goal.tags;
            // Only the outputs may change.
            let is_same = is_same && stack.goal.processed["Outputs"] == set.goal.processed["Outputs"];
            if set.kind != "CREATE" && is_same {
                return Err(TemplateError(NO_CHANGES.to_owned()));
            }
            Ok(changes)
        };
        match result.await {
            Ok(changes) => {
                "CREATE_COMPLETE".clone_into(&mut set.status);
                "AVAILABLE".clone_into(&mut set.execution);
                set.changes = changes;
            }
            Err(error) => {
                "FAILED".clone_into(&mut set.status);
                set.reason = Some(error.to_string());
            }
        }
        set
    }

    fn find_change_set(&self, input: &Value, context: &RequestContext) -> Result<ChangeSet, AwsError> {
        let name = needed(input, "ChangeSetName")?;
        let stack = text(input, "StackName").map(|stack| self.found(&context.region, stack)).transpose()?;
        let state = lock(&self.state);
        // It must belong to the named stack, whose permissions were checked.
        let set = state.change_sets.iter().find(|set| match &stack {
            Some(stack) => set.stack_id == stack.id && (set.id == name || set.name == name),
            None => set.id == name,
        });
        set.cloned().ok_or_else(|| {
            AwsError::service_not_found("ChangeSetNotFound", format!("ChangeSet [{name}] does not exist"))
        })
    }

    pub(super) fn describe_change_set(&self, &ApiCall { input, context, .. }: &ApiCall<'_>) -> ApiResult {
        reject_unsupported(input, &["IncludePropertyValues"])?;
        let set = self.find_change_set(input, context)?;
        descriptions::change_set(&set, &self.found(&context.region, &set.stack_id)?, input)
    }

    pub(super) fn delete_change_set(&self, &ApiCall { input, context, .. }: &ApiCall<'_>) -> ApiResult {
        let set = self.find_change_set(input, context)?;
        lock(&self.state).change_sets.retain(|other| other.id != set.id);
        self.services.persist("cloudformation")?;
        Ok(json!({}))
    }

    pub(super) fn execute_change_set(&self, &ApiCall { input, context, .. }: &ApiCall<'_>) -> ApiResult {
        reject_unsupported(input, &["RetainExceptOnCreate"])?;
        let set = self.find_change_set(input, context)?;
        let stack = self.found(&context.region, &set.stack_id)?;
        let token = text(input, "ClientRequestToken");
        if token.is_some() && stack.token.as_deref() == token && set.execution == EXECUTED {
            return Ok(json!({}));
        }
        if set.execution != "AVAILABLE" {
            return Err(AwsError::bad_request(
                "InvalidChangeSetStatus",
                format!(
                    "ChangeSet [{}] cannot be executed in its current {} of [{}]",
                    set.id,
                    if set.execution == OBSOLETE { "execution status" } else { "status" },
                    if set.execution == OBSOLETE { OBSOLETE } else { set.status.as_str() }
                ),
            ));
        }
        let on_failure = if is_true(input, "DisableRollback") { "DO_NOTHING" } else { set.on_failure.as_str() };
        if set.kind == "CREATE" {
            let mut started = false;
            self.change(&stack.id, |stack| {
                if stack.status != "REVIEW_IN_PROGRESS" {
                    return;
                }
                started = true;
                stack.goal = set.goal.clone();
                on_failure.clone_into(&mut stack.on_failure);
                stack.access_key = self.caller(context);
                stack.token = token.map(str::to_owned);
                stack.work = Some(Work::Create);
                stack.set_status("CREATE_IN_PROGRESS", Some("User Initiated"));
            });
            if !started {
                return Err(invalid(format!(
                    "Stack:{} is in {} state and can not be updated.",
                    stack.id, stack.status
                )));
            }
            self.begin(&stack.id);
        } else {
            let (goal, on_failure) = (set.goal.clone(), on_failure.to_owned());
            self.start_update(&stack.id, goal, on_failure, token, Some(&set.id), context)?;
            return Ok(json!({}));
        }
        lock(&self.state).supersede_change_sets(&stack.id, Some(&set.id));
        self.services.persist("cloudformation")?;
        Ok(json!({}))
    }
}
