//! The API.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, Weak};

use async_trait::async_trait;
use awsim_core::{AwsError, Protocol, RequestContext, ServiceHandler};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::answers;
use super::macros::{self, MacroContext};
use super::request::{invalid, is_true, list, needed, parameters, tags, text};
use super::state::{Goal, Stack, State, Work, now};
use super::template::{Pseudo, Template, TemplateError};
use crate::sandbox::s3::S3;
use crate::sandbox::services::{ACCOUNT, Services, lock};

/// The service.
pub(crate) struct CloudFormation {
    this: Weak<Self>,
    pub(super) services: Arc<Services>,
    pub(super) s3: Arc<S3>,
    pub(super) state: Mutex<State>,
    running: Mutex<JoinSet<()>>,
}

impl CloudFormation {
    pub(crate) fn new(services: Arc<Services>, s3: Arc<S3>) -> Arc<Self> {
        Arc::new_cyclic(|this| Self {
            this: this.clone(),
            services,
            s3,
            state: Mutex::default(),
            running: Mutex::default(),
        })
    }

    /// Stops working on stacks; the next life goes on.
    pub(crate) fn close(&self) {
        lock(&self.running).abort_all();
    }

    pub(super) fn begin(&self, id: &str) {
        if let Some(this) = self.this.upgrade() {
            lock(&self.running).spawn(this.work(id.to_owned()));
        }
    }

    pub(super) fn copy(&self, id: &str) -> Option<Stack> {
        lock(&self.state).stack(id).cloned()
    }

    /// Changes a stack, and keeps that.
    pub(super) fn change(&self, id: &str, change: impl FnOnce(&mut Stack)) {
        if let Some(stack) = lock(&self.state).stack(id) {
            change(stack);
        }
        self.services.save("cloudformation");
    }

    pub(super) fn pseudo(&self, stack: &Stack) -> Pseudo {
        Pseudo {
            account: ACCOUNT.to_owned(),
            region: stack.region.clone(),
            stack_name: stack.name.clone(),
            stack_id: stack.id.clone(),
            notification_arns: Vec::new(),
        }
    }

    pub(super) fn found(&self, region: &str, name: &str) -> Result<Stack, AwsError> {
        let stack = lock(&self.state).find(region, name).cloned();
        stack.ok_or_else(|| invalid(format!("Stack with id {name} does not exist")))
    }

    /// What a request asks for, as far as that can be said before macros are called.
    pub(super) fn asked(&self, input: &Value, before: Option<&Stack>) -> Result<(Goal, Template), AwsError> {
        if text(input, "TemplateURL").is_some() {
            return Err(AwsError::not_implemented("TemplateURL"));
        }
        let old = before.map(|stack| stack.goal.clone()).unwrap_or_default();
        let body = match text(input, "TemplateBody") {
            Some(body) => body.to_owned(),
            None if is_true(input, "UsePreviousTemplate") && before.is_some() => old.text.clone(),
            None => return Err(invalid("Either Template URL or Template Body must be specified.")),
        };
        let template = Template::parse(&body).map_err(refused)?;
        let supplied = parameters(input, &old.supplied)?;
        let values = template.parameter_values(&supplied).map_err(refused)?;
        let capabilities = list(input, "Capabilities");
        let tags = if input["Tags"].is_null() { old.tags } else { tags(input) };
        Ok((Goal { text: body, supplied, values, tags, capabilities, ..Goal::default() }, template))
    }

    /// Calls the macros, and checks the whole.
    pub(super) async fn expand(&self, goal: &mut Goal, template: Template, stack: &Stack) -> Result<(), TemplateError> {
        let macros = lock(&self.state).macros.clone();
        let region = stack.region.clone();
        let function_of = move |name: &str| macros.get(&format!("{region}/{name}")).cloned();
        let context = MacroContext {
            services: &self.services,
            region: &stack.region,
            access_key: stack.access_key.as_deref(),
            parameter_values: &goal.values,
            function_of: &function_of,
        };
        let template = macros::expand(template, &context).await?;
        template.bind(goal.values.clone(), self.pseudo(stack))?;
        goal.processed = template.document().clone();
        Ok(())
    }

    /// Refuses what was not acknowledged.
    pub(super) fn acknowledged(goal: &Goal, template: &Template, macros: bool) -> Result<(), AwsError> {
        let mut missing = template.needed_capabilities().capabilities;
        let given = &goal.capabilities;
        missing.retain(|one| {
            let within_named = one == "CAPABILITY_IAM" && given.iter().any(|own| own == "CAPABILITY_NAMED_IAM");
            !(given.contains(one) || within_named)
        });
        if macros
            && !template.declared_transforms().is_empty()
            && !given.iter().any(|own| own == "CAPABILITY_AUTO_EXPAND")
        {
            missing.push("CAPABILITY_AUTO_EXPAND".to_owned());
        }
        if missing.is_empty() {
            return Ok(());
        }
        let message = format!("Requires capabilities : [{}]", missing.join(", "));
        Err(AwsError::bad_request("InsufficientCapabilitiesException", message))
    }

    pub(super) fn fresh(name: &str, context: &RequestContext) -> Result<Stack, AwsError> {
        let legal = name.len() <= 128
            && name.starts_with(|c: char| c.is_ascii_alphabetic())
            && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
        if !legal {
            return Err(invalid(format!(
                "1 validation error detected: Value '{name}' at 'stackName' failed to satisfy constraint: Member must satisfy regular expression pattern: [a-zA-Z][-a-zA-Z0-9]*"
            )));
        }
        Ok(Stack {
            id: format!("arn:aws:cloudformation:{}:{ACCOUNT}:stack/{name}/{}", context.region, uuid::Uuid::new_v4()),
            name: name.to_owned(),
            region: context.region.clone(),
            created: now(),
            access_key: context.access_key.clone(),
            on_failure: "ROLLBACK".to_owned(),
            ..Stack::default()
        })
    }

    async fn create_stack(&self, input: &Value, context: &RequestContext) -> Result<Value, AwsError> {
        let name = needed(input, "StackName")?;
        let token = text(input, "ClientRequestToken");
        if let Some(existing) = lock(&self.state).find(&context.region, name) {
            if token.is_some() && existing.token.as_deref() == token {
                return Ok(json!({ "StackId": existing.id }));
            }
            return Err(AwsError::bad_request("AlreadyExistsException", format!("Stack [{name}] already exists")));
        }
        let (mut goal, template) = self.asked(input, None)?;
        let mut stack = Self::fresh(name, context)?;
        Self::acknowledged(&goal, &template, true)?;
        self.expand(&mut goal, template, &stack).await.map_err(refused)?;
        stack.goal = goal;
        stack.token = token.map(str::to_owned);
        stack.on_failure = match (text(input, "OnFailure"), is_true(input, "DisableRollback")) {
            (Some(what), _) => what.to_owned(),
            (None, true) => "DO_NOTHING".to_owned(),
            (None, false) => "ROLLBACK".to_owned(),
        };
        stack.work = Some(Work::Create);
        stack.turn("CREATE_IN_PROGRESS", Some("User Initiated"));
        let id = stack.id.clone();
        lock(&self.state).stacks.push(stack);
        self.services.keep("cloudformation")?;
        self.begin(&id);
        Ok(json!({ "StackId": id }))
    }

    async fn update_stack(&self, input: &Value, context: &RequestContext) -> Result<Value, AwsError> {
        let stack = self.found(&context.region, needed(input, "StackName")?)?;
        updatable(&stack)?;
        let (mut goal, template) = self.asked(input, Some(&stack))?;
        Self::acknowledged(&goal, &template, true)?;
        self.expand(&mut goal, template, &stack).await.map_err(refused)?;
        let old = &stack.goal;
        if (&old.processed, &old.values, &old.tags) == (&goal.processed, &goal.values, &goal.tags) {
            return Err(invalid("No updates are to be performed."));
        }
        self.start_update(&stack.id, goal, context);
        Ok(json!({ "StackId": stack.id }))
    }

    pub(super) fn start_update(&self, id: &str, goal: Goal, context: &RequestContext) {
        self.change(id, |stack| {
            let before = Box::new(std::mem::replace(&mut stack.goal, goal));
            stack.work = Some(Work::Update { before });
            stack.updated = Some(now());
            stack.access_key.clone_from(&context.access_key);
            stack.turn("UPDATE_IN_PROGRESS", Some("User Initiated"));
        });
        self.begin(id);
    }

    fn delete_stack(&self, input: &Value, context: &RequestContext) -> Result<Value, AwsError> {
        // One that is not there is deleted already.
        let Ok(stack) = self.found(&context.region, needed(input, "StackName")?) else { return Ok(json!({})) };
        if stack.status == "DELETE_COMPLETE" || stack.status == "DELETE_IN_PROGRESS" {
            return Ok(json!({}));
        }
        if stack.work.is_some() {
            return Err(invalid(format!("Stack [{}] cannot be deleted while in status {}", stack.name, stack.status)));
        }
        self.change(&stack.id, |stack| {
            let retain = list(input, "RetainResources").into_iter().collect();
            stack.work = Some(Work::Delete { retain });
            stack.access_key.clone_from(&context.access_key);
            stack.turn("DELETE_IN_PROGRESS", Some("User Initiated"));
        });
        self.begin(&stack.id);
        Ok(json!({}))
    }

    fn read(&self, operation: &str, input: &Value, context: &RequestContext) -> Result<Value, AwsError> {
        let region = &context.region;
        let own = |name: &str| self.found(region, name);
        match operation {
            "DescribeStacks" => {
                let stacks = match text(input, "StackName") {
                    Some(name) => vec![answers::stack(&own(name)?)],
                    None => {
                        let state = lock(&self.state);
                        let there = state.stacks.iter().rev();
                        let there = there.filter(|stack| stack.region == *region && stack.status != "DELETE_COMPLETE");
                        there.map(answers::stack).collect()
                    }
                };
                answers::page("Stacks", stacks, input)
            }
            "ListStacks" => {
                let wanted = list(input, "StackStatusFilter");
                let state = lock(&self.state);
                let stacks =
                    state.stacks.iter().rev().filter(|stack| {
                        stack.region == *region && (wanted.is_empty() || wanted.contains(&stack.status))
                    });
                answers::page("StackSummaries", stacks.map(answers::summary).collect(), input)
            }
            "DescribeStackEvents" => {
                let stack = own(needed(input, "StackName")?)?;
                answers::page("StackEvents", stack.events.into_iter().rev().collect(), input)
            }
            "ListStackResources" => {
                let stack = own(needed(input, "StackName")?)?;
                let all = stack.resources.iter().map(|one| answers::resource(&stack, one, "LastUpdatedTimestamp"));
                answers::page("StackResourceSummaries", all.collect(), input)
            }
            "DescribeStackResources" => {
                let stack = own(needed(input, "StackName")?)?;
                let wanted = text(input, "LogicalResourceId");
                let all = stack.resources.iter().filter(|one| wanted.is_none_or(|name| one.logical_id == name));
                let all: Vec<_> = all.map(|one| answers::resource(&stack, one, "Timestamp")).collect();
                Ok(json!({ "StackResources": all }))
            }
            "DescribeStackResource" => {
                let stack = own(needed(input, "StackName")?)?;
                let name = needed(input, "LogicalResourceId")?;
                let resource = stack
                    .resources
                    .iter()
                    .find(|one| one.logical_id == name)
                    .ok_or_else(|| invalid(format!("Resource {name} does not exist for stack {}", stack.name)))?;
                Ok(json!({ "StackResourceDetail": answers::resource(&stack, resource, "LastUpdatedTimestamp") }))
            }
            _ => {
                let stack = own(needed(input, "StackName")?)?;
                let body = match text(input, "TemplateStage") {
                    Some("Processed") => stack.goal.processed.to_string(),
                    _ => stack.goal.text,
                };
                Ok(json!({ "TemplateBody": body, "StagesAvailable": ["Original", "Processed"] }))
            }
        }
    }

    /// What a template says of itself, by its text or by a stack that was made of it: the CLI's `deploy` asks before it
    /// changes a stack.
    fn summarise(&self, input: &Value, context: &RequestContext) -> Result<Value, AwsError> {
        let body = match (text(input, "TemplateBody"), text(input, "StackName")) {
            (Some(body), None) => body.to_owned(),
            (None, Some(name)) => self.found(&context.region, name)?.goal.text,
            _ => return Err(invalid("Exactly one of TemplateBody and StackName must be specified.")),
        };
        let mut summary = self.validate(&json!({ "TemplateBody": body }))?;
        let template = Template::parse(&body).map_err(refused)?;
        let document = template.document();
        let types = document["Resources"].as_object().into_iter().flat_map(|all| all.values());
        let types: BTreeSet<&str> = types.filter_map(|resource| resource["Type"].as_str()).collect();
        summary["ResourceTypes"] = json!(types);
        summary["Version"] = document["AWSTemplateFormatVersion"].clone();
        for (shown, declared) in summary["Parameters"].as_array_mut().into_iter().flatten().zip(template.parameters()) {
            shown["ParameterType"] = declared.kind.into();
            shown["ParameterConstraints"] = json!({ "AllowedValues": declared.allowed_values });
        }
        Ok(summary)
    }

    fn validate(&self, input: &Value) -> Result<Value, AwsError> {
        let body = needed(input, "TemplateBody")?;
        let template = Template::parse(body).map_err(refused)?;
        template.check_types().map_err(refused)?;
        let needs = template.needed_capabilities();
        let parameters: Vec<_> = template
            .parameters()
            .into_iter()
            .map(|one| {
                json!({
                    "ParameterKey": one.name, "DefaultValue": one.default, "NoEcho": one.no_echo,
                    "Description": one.description,
                })
            })
            .collect();
        Ok(json!({
            "Parameters": parameters, "Description": template.description(), "Capabilities": needs.capabilities,
            "CapabilitiesReason": needs.reason, "DeclaredTransforms": template.declared_transforms(),
        }))
    }

    /// Macros come and go with stacks: only the house itself may call these.
    fn macros(&self, operation: &str, input: &Value, context: &RequestContext) -> Result<Value, AwsError> {
        if !context.internal_bypass {
            return Err(AwsError::unknown_operation(operation));
        }
        let name = needed(input, "Name")?;
        let key = format!("{}/{name}", context.region);
        let mut state = lock(&self.state);
        if operation == "DeregisterMacro" {
            state.macros.remove(&key);
        } else if state.macros.contains_key(&key) && input["Replace"] != json!(true) {
            return Err(AwsError::bad_request("AlreadyExistsException", format!("{name} already exists")));
        } else {
            state.macros.insert(key, needed(input, "FunctionName")?.to_owned());
        }
        Ok(json!({}))
    }
}

pub(super) fn refused(error: TemplateError) -> AwsError {
    invalid(error.to_string())
}

/// Refuses to change a stack that is worked on, or never came to be.
pub(super) fn updatable(stack: &Stack) -> Result<(), AwsError> {
    let settled = ["CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE", "CREATE_FAILED", "UPDATE_FAILED"];
    if settled.contains(&stack.status.as_str()) {
        return Ok(());
    }
    Err(invalid(format!("Stack:{} is in {} state and can not be updated.", stack.id, stack.status)))
}

#[async_trait]
impl ServiceHandler for CloudFormation {
    fn service_name(&self) -> &str {
        "cloudformation"
    }

    fn protocol(&self) -> Protocol {
        Protocol::AwsQuery
    }

    async fn handle(&self, operation: &str, input: Value, context: &RequestContext) -> Result<Value, AwsError> {
        let answer = match operation {
            "CreateStack" => self.create_stack(&input, context).await,
            "UpdateStack" => self.update_stack(&input, context).await,
            "DeleteStack" => self.delete_stack(&input, context),
            "CreateChangeSet" => self.create_change_set(&input, context).await,
            "DescribeChangeSet" => self.describe_change_set(&input, context),
            "ExecuteChangeSet" => self.execute_change_set(&input, context),
            "DeleteChangeSet" => self.delete_change_set(&input, context),
            "ValidateTemplate" => self.validate(&input),
            "GetTemplateSummary" => self.summarise(&input, context),
            "RegisterMacro" | "DeregisterMacro" => self.macros(operation, &input, context),
            "DescribeStacks"
            | "ListStacks"
            | "DescribeStackEvents"
            | "ListStackResources"
            | "DescribeStackResources"
            | "DescribeStackResource"
            | "GetTemplate" => self.read(operation, &input, context),
            other => Err(AwsError::unknown_operation(other)),
        };
        answer.map(answers::wrapped)
    }

    fn snapshot(&self) -> Option<Vec<u8>> {
        serde_json::to_vec(&*lock(&self.state)).ok()
    }

    fn restore(&self, data: &[u8]) -> Result<(), String> {
        *lock(&self.state) = serde_json::from_slice(data).map_err(|cause| cause.to_string())?;
        Ok(())
    }

    /// Goes on with what was in work.
    fn rehydrate(&self) -> Result<(), String> {
        let stacks: Vec<_> = {
            let state = lock(&self.state);
            state.stacks.iter().filter(|stack| stack.work.is_some()).map(|stack| stack.id.clone()).collect()
        };
        stacks.iter().for_each(|id| self.begin(id));
        Ok(())
    }
}
