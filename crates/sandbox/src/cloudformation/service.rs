//! [`CloudFormation`]: the operations of the service.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, Weak};

use awsim_core::{AwsError, Protocol, RequestContext};
use serde_json::{Value, json};

use super::descriptions;
use super::execution::StackWorkers;
use super::macros::{self, MacroContext};
use super::permissions::{of_all, of_creation, of_stack};
use super::request::{
    invalid, is_true, legal, list, needed, parameters, reject_unsupported, tags, template_body, template_error, text,
    word,
};
use super::state::{Goal, Stack, State, Work, now};
use super::template::{Pseudo, Template, TemplateError};
use crate::account::ACCOUNT;
use crate::latency::CallLatency;
use crate::operation::Handler::{Async, Sync};
use crate::operation::{ApiCall, ApiResult, Operation, Service, boxed};
use crate::s3::S3;
use crate::service_registry::ServiceRegistry;
use crate::sync::lock;

/// Unsupported request members.
const UNSUPPORTED: [&str; 15] = [
    "DeploymentConfig",
    "DeploymentMode",
    "EnableTerminationProtection",
    "ImportExistingResources",
    "NotificationARNs",
    "ResourceTypes",
    "ResourcesToImport",
    "RetainExceptOnCreate",
    "RoleARN",
    "RollbackConfiguration",
    "StackPolicyBody",
    "StackPolicyDuringUpdateBody",
    "StackPolicyDuringUpdateURL",
    "StackPolicyURL",
    "TimeoutInMinutes",
];

/// The service.
pub(crate) struct CloudFormation {
    this: Weak<Self>,
    pub(super) services: Arc<ServiceRegistry>,
    pub(super) s3: Arc<S3>,
    pub(super) state: Mutex<State>,
    pub(super) running: Mutex<StackWorkers>,
}

impl CloudFormation {
    pub(crate) fn new(services: Arc<ServiceRegistry>, s3: Arc<S3>) -> Arc<Self> {
        Arc::new_cyclic(|this| Self {
            this: this.clone(),
            services,
            s3,
            state: Mutex::default(),
            running: Mutex::default(),
        })
    }

    /// A reference to itself for a task; nothing while it is being dropped.
    pub(super) fn this(&self) -> Option<Arc<Self>> {
        self.this.upgrade()
    }

    pub(super) fn copy(&self, id: &str) -> Option<Stack> {
        lock(&self.state).stacks.iter().find(|stack| stack.id == id).cloned()
    }

    /// Changes a stack and saves the state.
    pub(super) fn change(&self, id: &str, change: impl FnOnce(&mut Stack)) {
        {
            let mut state = lock(&self.state);
            if let Some(stack) = state.stack(id) {
                change(stack);
            }
            state.forget_long_deleted();
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

    /// The goal of a request, before macros are called.
    pub(super) fn requested_goal(&self, input: &Value, before: Option<&Stack>) -> Result<(Goal, Template), AwsError> {
        reject_unsupported(input, &UNSUPPORTED)?;
        let old = before.map(|stack| stack.goal.clone()).unwrap_or_default();
        let body = match template_body(input)? {
            Some(body) => body.to_owned(),
            None if is_true(input, "UsePreviousTemplate") && before.is_some() => old.text.clone(),
            None => return Err(invalid("Either Template URL or Template Body must be specified.")),
        };
        let template = Template::parse(&body).map_err(template_error)?;
        let supplied = parameters(input, &old.supplied)?;
        let values = template.parameter_values(&supplied).map_err(template_error)?;
        let capabilities = list(input, "Capabilities");
        let tags = if input["Tags"].is_null() { old.tags } else { tags(input)? };
        Ok((Goal { text: body, supplied, values, tags, capabilities, ..Goal::default() }, template))
    }

    /// Calls the macros and checks the result.
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
        // The macros' result may require capabilities.
        Self::acknowledged(goal, &template, false).map_err(|error| TemplateError(error.message))?;
        let kinds = |name: &str| goal.processed["Resources"][name]["Type"].as_str();
        let other = stack
            .resources
            .iter()
            .filter(|one| one.exists && kinds(&one.logical_id).is_some_and(|kind| kind != one.type_name));
        let other: Vec<_> = other.map(|one| one.logical_id.as_str()).collect();
        if !other.is_empty() {
            return Err(TemplateError(format!(
                "Update of resource type is not permitted. The new template modifies resource type of the following \
                 resources: [{}]",
                other.join(", ")
            )));
        }
        Ok(())
    }

    /// Checks that the required capabilities are acknowledged.
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

    /// The access key whose permissions the operation has; none for the administrator, whose keys change with each start.
    pub(super) fn caller(&self, context: &RequestContext) -> Option<String> {
        let owner = self.services.access().map(|access| access.root_key());
        context.access_key.clone().filter(|key| owner != Some(key.as_str()))
    }

    pub(super) fn fresh(&self, name: &str, context: &RequestContext) -> Result<Stack, AwsError> {
        legal(name, "stackName")?;
        Ok(Stack {
            id: format!("arn:aws:cloudformation:{}:{ACCOUNT}:stack/{name}/{}", context.region, uuid::Uuid::new_v4()),
            name: name.to_owned(),
            region: context.region.clone(),
            created: now(),
            access_key: self.caller(context),
            on_failure: "ROLLBACK".to_owned(),
            ..Stack::default()
        })
    }

    async fn create_stack(&self, ApiCall { input, context, .. }: ApiCall<'_>) -> ApiResult {
        let name = needed(input, "StackName")?;
        let token = text(input, "ClientRequestToken");
        if let Some(existing) = lock(&self.state).find(&context.region, name) {
            if token.is_some() && existing.token.as_deref() == token {
                return Ok(json!({ "StackId": existing.id }));
            }
            return Err(AwsError::bad_request("AlreadyExistsException", format!("Stack [{name}] already exists")));
        }
        let on_failure = on_failure(input)?;
        let (mut goal, template) = self.requested_goal(input, None)?;
        let mut stack = self.fresh(name, context)?;
        Self::acknowledged(&goal, &template, true)?;
        self.expand(&mut goal, template, &stack).await.map_err(template_error)?;
        stack.goal = goal;
        stack.token = token.map(str::to_owned);
        stack.on_failure = on_failure;
        stack.work = Some(Work::Create);
        stack.set_status("CREATE_IN_PROGRESS", Some("User Initiated"));
        let id = stack.id.clone();
        {
            let mut state = lock(&self.state);
            // Another stack may have been created while macros ran.
            if state.find(&context.region, name).is_some() {
                let message = format!("Stack [{name}] already exists");
                return Err(AwsError::bad_request("AlreadyExistsException", message));
            }
            state.stacks.push(stack);
        }
        self.services.persist("cloudformation")?;
        self.begin(&id);
        Ok(json!({ "StackId": id }))
    }

    async fn update_stack(&self, ApiCall { input, context, .. }: ApiCall<'_>) -> ApiResult {
        let stack = self.found(&context.region, needed(input, "StackName")?)?;
        let token = text(input, "ClientRequestToken");
        if token.is_some() && stack.token.as_deref() == token {
            return Ok(json!({ "StackId": stack.id }));
        }
        updatable(&stack)?;
        let (mut goal, template) = self.requested_goal(input, Some(&stack))?;
        Self::acknowledged(&goal, &template, true)?;
        self.expand(&mut goal, template, &stack).await.map_err(template_error)?;
        let old = &stack.goal;
        if (&old.processed, &old.values, &old.tags) == (&goal.processed, &goal.values, &goal.tags) {
            return Err(invalid("No updates are to be performed."));
        }
        let on_failure = on_failure(input)?;
        self.start_update(&stack.id, goal, on_failure, token, None, context)?;
        Ok(json!({ "StackId": stack.id }))
    }

    pub(super) fn start_update(
        &self,
        id: &str,
        goal: Goal,
        on_failure: String,
        token: Option<&str>,
        executed: Option<&str>,
        context: &RequestContext,
    ) -> Result<(), AwsError> {
        let mut refused = None;
        self.change(id, |stack| {
            // Another update may have started while macros ran.
            refused = updatable(stack).err();
            if refused.is_some() {
                return;
            }
            let before = Box::new(std::mem::replace(&mut stack.goal, goal));
            stack.work = Some(Work::Update { before });
            stack.updated = Some(now());
            stack.access_key = self.caller(context);
            stack.token = token.map(str::to_owned);
            stack.on_failure = on_failure;
            stack.set_status("UPDATE_IN_PROGRESS", Some("User Initiated"));
        });
        match refused {
            Some(refused) => Err(refused),
            None => {
                lock(&self.state).supersede_change_sets(id, executed);
                let kept = self.services.persist("cloudformation");
                // The update starts even if the state could not be saved.
                self.begin(id);
                kept
            }
        }
    }

    fn delete_stack(&self, &ApiCall { input, context, .. }: &ApiCall<'_>) -> ApiResult {
        reject_unsupported(input, &["RoleARN"])?;
        word(input, "DeletionMode", &["STANDARD"])?;
        // Deleting a missing stack succeeds.
        let Ok(stack) = self.found(&context.region, needed(input, "StackName")?) else { return Ok(json!({})) };
        if stack.status == "DELETE_COMPLETE" || stack.status == "DELETE_IN_PROGRESS" {
            return Ok(json!({}));
        }
        let retain: BTreeSet<String> = list(input, "RetainResources").into_iter().collect();
        if !retain.is_empty() && stack.status != "DELETE_FAILED" {
            return Err(invalid(format!(
                "Invalid operation on stack [{}]. Specify resources to retain only when the current stack status is \
                 DELETE_FAILED",
                stack.id
            )));
        }
        // A creation can be interrupted, an update cannot.
        if !matches!(stack.work, None | Some(Work::Create | Work::Rollback)) {
            return Err(invalid(format!("Stack [{}] cannot be deleted while in status {}", stack.name, stack.status)));
        }
        self.change(&stack.id, |stack| {
            stack.work = Some(Work::Delete { retain, undoes_creation: false });
            stack.token = text(input, "ClientRequestToken").map(str::to_owned);
            stack.access_key = self.caller(context);
            stack.set_status("DELETE_IN_PROGRESS", Some("User Initiated"));
        });
        self.interrupt(&stack.id);
        Ok(json!({}))
    }

    /// Registers macros; only for internal calls from stacks.
    fn macros(&self, &ApiCall { operation, input, context }: &ApiCall<'_>) -> ApiResult {
        if !context.internal_bypass {
            return Err(AwsError::unknown_operation(operation));
        }
        let name = needed(input, "Name")?;
        let key = format!("{}/{name}", context.region);
        let mut state = lock(&self.state);
        if operation == "DescribeMacro" {
            let missing = || AwsError::not_found("MacroNotFoundException", format!("There is no macro {name}"));
            return state.macros.get(&key).map(|function| json!({ "FunctionName": function })).ok_or_else(missing);
        }
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

/// What to do with a stack whose creation or update fails.
fn on_failure(input: &Value) -> Result<String, AwsError> {
    let on_failure = word(input, "OnFailure", &["DO_NOTHING", "ROLLBACK", "DELETE"])?;
    match (on_failure, text(input, "DisableRollback").is_some(), is_true(input, "DisableRollback")) {
        (Some(_), true, _) => Err(invalid("You can specify either DisableRollback or OnFailure, but not both.")),
        (Some(what), false, _) => Ok(what.to_owned()),
        (None, _, true) => Ok("DO_NOTHING".to_owned()),
        (None, _, false) => Ok("ROLLBACK".to_owned()),
    }
}

/// Checks that a stack can be updated.
pub(super) fn updatable(stack: &Stack) -> Result<(), AwsError> {
    let settled = ["CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE", "CREATE_FAILED", "UPDATE_FAILED"];
    if settled.contains(&stack.status.as_str()) {
        return Ok(());
    }
    Err(invalid(format!("Stack:{} is in {} state and can not be updated.", stack.id, stack.status)))
}

type StackOperation = Operation<CloudFormation>;

const LATENCY: CallLatency = CallLatency::CLOUDFORMATION;
/// The page on macros, which have no operations on AWS.
const MACRO: &str =
    "https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-cloudformation-macro.html";

impl Service for CloudFormation {
    const NAME: &'static str = "cloudformation";
    const PROTOCOL: Protocol = Protocol::AwsQuery;
    const REFERENCE: &'static str = "https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/";
    const OPERATIONS: &'static [Operation<Self>] = &[
        StackOperation::write("CreateStack", LATENCY, of_stack, boxed!(create_stack)),
        StackOperation::write("UpdateStack", LATENCY, of_stack, boxed!(update_stack)),
        StackOperation::write("DeleteStack", LATENCY, of_stack, Sync(Self::delete_stack)),
        StackOperation::write("CreateChangeSet", LATENCY, of_stack, boxed!(create_change_set)),
        StackOperation::read("DescribeChangeSet", LATENCY, of_stack, Sync(Self::describe_change_set)),
        StackOperation::write("ExecuteChangeSet", LATENCY, of_stack, Sync(Self::execute_change_set)),
        StackOperation::write("DeleteChangeSet", LATENCY, of_stack, Sync(Self::delete_change_set)),
        StackOperation::read("ValidateTemplate", LATENCY, of_all, Sync(|it, call| it.validate(call.input))),
        StackOperation::read("GetTemplateSummary", LATENCY, of_stack, Sync(Self::summarise)),
        StackOperation::read("DescribeStacks", LATENCY, of_stack, Sync(Self::describe_stacks)),
        StackOperation::read("ListStacks", LATENCY, of_all, Sync(Self::list_stacks)),
        StackOperation::read("DescribeStackEvents", LATENCY, of_stack, Sync(Self::describe_events)),
        StackOperation::read("ListStackResources", LATENCY, of_stack, Sync(Self::list_resources)),
        StackOperation::read("DescribeStackResources", LATENCY, of_stack, Sync(Self::describe_resources)),
        StackOperation::read("DescribeStackResource", LATENCY, of_stack, Sync(Self::describe_resource)),
        StackOperation::read("GetTemplate", LATENCY, of_stack, Sync(Self::get_template)),
        StackOperation::write("RegisterMacro", LATENCY, of_creation, Sync(Self::macros)).documented_at(MACRO),
        StackOperation::write("DeregisterMacro", LATENCY, of_creation, Sync(Self::macros)).documented_at(MACRO),
        StackOperation::read("DescribeMacro", LATENCY, of_all, Sync(Self::macros)).documented_at(MACRO),
    ];

    fn present(result: Value) -> Value {
        descriptions::wrapped(result)
    }

    fn snapshot(&self) -> Option<Vec<u8>> {
        lock(&self.state).write().ok()
    }

    fn restore(&self, data: &[u8]) -> Result<(), String> {
        *lock(&self.state) = serde_json::from_slice(data).map_err(|cause| cause.to_string())?;
        Ok(())
    }

    /// Resumes running operations.
    fn rehydrate(&self) -> Result<(), String> {
        self.resume_all();
        Ok(())
    }
}
