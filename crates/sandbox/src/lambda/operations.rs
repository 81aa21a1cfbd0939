//! Lambda's operations.

use awsim_core::AwsError;
use chrono::Utc;
use percent_encoding::percent_decode_str;
use serde_json::{Value, json};

use super::code::Code;
use super::concurrency;
use super::errors;
use super::event_config::{self, EventConfig};
use super::function::{Function, FunctionState, ImageConfig, LATEST, UpdateStatus};
use super::invoke::{empty, refuse_unless_active};
use super::names::{self, FunctionId, FunctionReference};
use super::permissions::{of_code, of_configuration, of_function, of_invocation, of_new_function, of_resource};
use super::request::{self, FunctionSettings, PackageType};
use super::source::{CodeSource, ZipEntryPoint};
use super::{LambdaService, wire};
use crate::latency::{CallLatency, LatencySpan};
use crate::operation::Handler::{Async, Sync};
use crate::operation::{ApiCall, ApiResult, Operation, boxed};
use crate::unsupported_fields;

/// The state reason of a function during creation.
const CREATING: (&str, &str) = ("Creating", "The function is being created.");

/// Features of functions that the sandbox does not have.
const UNSUPPORTED: [&str; 5] =
    ["VpcConfig", "DeadLetterConfig", "KMSKeyArn", "FileSystemConfigs", "CodeSigningConfigArn"];

/// The path of deployment package downloads, which need no signature.
pub(crate) const PACKAGE_PATH: &str = "/_sandbox/packages/";

type LambdaOperation = Operation<LambdaService>;

const LAMBDA: CallLatency = CallLatency::LAMBDA;

/// The operations. Routes without parameters come first: awsim would read `/functions/` as a function with an empty name.
pub(super) const OPERATIONS: &[LambdaOperation] = &[
    LambdaOperation::read("ListFunctions", LAMBDA, of_function, Sync(LambdaService::list))
        .at("GET", &["/2015-03-31/functions", "/2015-03-31/functions/"]),
    LambdaOperation::write("CreateFunction", CallLatency::LAMBDA_CREATE, of_new_function, boxed!(create))
        .at("POST", &["/2015-03-31/functions"]),
    LambdaOperation::read("GetFunction", LAMBDA, of_function, Sync(LambdaService::function_with_code))
        .at("GET", &["/2015-03-31/functions/{FunctionName}"]),
    LambdaOperation::write("DeleteFunction", LAMBDA, of_function, boxed!(delete))
        .at("DELETE", &["/2015-03-31/functions/{FunctionName}"]),
    LambdaOperation::read("GetFunctionConfiguration", LAMBDA, of_function, Sync(LambdaService::configuration))
        .at("GET", &["/2015-03-31/functions/{FunctionName}/configuration"]),
    LambdaOperation::write("UpdateFunctionConfiguration", LAMBDA, of_configuration, boxed!(update_configuration))
        .at("PUT", &["/2015-03-31/functions/{FunctionName}/configuration"]),
    LambdaOperation::write("UpdateFunctionCode", LAMBDA, of_code, boxed!(update_code))
        .at("PUT", &["/2015-03-31/functions/{FunctionName}/code"]),
    LambdaOperation::read("Invoke", CallLatency::LAMBDA_INVOKE, of_invocation, boxed!(invoke))
        .at("POST", &["/2015-03-31/functions/{FunctionName}/invocations"]),
    LambdaOperation::write("AddPermission", LAMBDA, of_function, Sync(LambdaService::add_permission))
        .at("POST", &["/2015-03-31/functions/{FunctionName}/policy"]),
    LambdaOperation::read("GetPolicy", LAMBDA, of_function, Sync(LambdaService::policy))
        .at("GET", &["/2015-03-31/functions/{FunctionName}/policy"]),
    LambdaOperation::write("RemovePermission", LAMBDA, of_function, Sync(LambdaService::remove_permission))
        .at("DELETE", &["/2015-03-31/functions/{FunctionName}/policy/{StatementId}"]),
    LambdaOperation::read("ListVersionsByFunction", LAMBDA, of_function, Sync(LambdaService::versions))
        .at("GET", &["/2015-03-31/functions/{FunctionName}/versions"]),
    LambdaOperation::read("ListAliases", LAMBDA, of_function, Sync(LambdaService::aliases))
        .at("GET", &["/2015-03-31/functions/{FunctionName}/aliases"]),
    LambdaOperation::read("GetFunctionConcurrency", LAMBDA, of_function, Sync(LambdaService::concurrency))
        .at("GET", &["/2019-09-30/functions/{FunctionName}/concurrency"]),
    LambdaOperation::write("PutFunctionConcurrency", LAMBDA, of_function, Sync(LambdaService::reserve))
        .at("PUT", &["/2017-10-31/functions/{FunctionName}/concurrency"]),
    LambdaOperation::write("DeleteFunctionConcurrency", LAMBDA, of_function, Sync(LambdaService::unreserve))
        .at("DELETE", &["/2017-10-31/functions/{FunctionName}/concurrency"]),
    LambdaOperation::read("ListFunctionEventInvokeConfigs", LAMBDA, of_function, Sync(LambdaService::event_configs))
        .at("GET", &["/2019-09-25/functions/{FunctionName}/event-invoke-config/list"]),
    LambdaOperation::read("GetFunctionEventInvokeConfig", LAMBDA, of_function, Sync(LambdaService::event_config))
        .at("GET", &["/2019-09-25/functions/{FunctionName}/event-invoke-config"]),
    LambdaOperation::write(
        "PutFunctionEventInvokeConfig",
        LAMBDA,
        of_function,
        Sync(|it, call| it.configure_events(call, false)),
    )
    .at("PUT", &["/2019-09-25/functions/{FunctionName}/event-invoke-config"]),
    LambdaOperation::write(
        "UpdateFunctionEventInvokeConfig",
        LAMBDA,
        of_function,
        Sync(|it, call| it.configure_events(call, true)),
    )
    .at("POST", &["/2019-09-25/functions/{FunctionName}/event-invoke-config"]),
    LambdaOperation::write(
        "DeleteFunctionEventInvokeConfig",
        LAMBDA,
        of_function,
        Sync(LambdaService::delete_event_config),
    )
    .at("DELETE", &["/2019-09-25/functions/{FunctionName}/event-invoke-config"]),
    LambdaOperation::read("GetFunctionCodeSigningConfig", LAMBDA, of_function, Sync(LambdaService::code_signing))
        .at("GET", &["/2020-06-30/functions/{FunctionName}/code-signing-config"]),
    LambdaOperation::read("ListTags", LAMBDA, of_resource, Sync(LambdaService::tags))
        .at("GET", &["/2017-03-31/tags/{Resource}"]),
    LambdaOperation::write("TagResource", LAMBDA, of_resource, Sync(LambdaService::tag))
        .at("POST", &["/2017-03-31/tags/{Resource}"]),
    LambdaOperation::write("UntagResource", LAMBDA, of_resource, Sync(LambdaService::untag))
        .at("DELETE", &["/2017-03-31/tags/{Resource}"]),
];

impl LambdaService {
    fn account(&self) -> &str {
        self.lambda.account()
    }

    /// The function that the request names.
    pub(super) fn reference(&self, call: &ApiCall<'_>) -> Result<FunctionReference, AwsError> {
        let name = call.input["FunctionName"].as_str().unwrap_or_default();
        let mut reference = names::parse(name, &call.context.region, self.account())?;
        if let Some(qualifier) = call.input["Qualifier"].as_str().filter(|text| !text.is_empty()) {
            reference.qualifier = Some(qualifier.to_owned());
        }
        if reference.id.region != call.context.region {
            return Err(errors::function_not_found(&reference.id.arn(self.account())));
        }
        Ok(reference)
    }

    fn function(&self, call: &ApiCall<'_>) -> Result<Function, AwsError> {
        self.lambda.get(&self.reference(call)?)
    }

    fn configuration(&self, call: &ApiCall<'_>) -> ApiResult {
        Ok(self.function(call)?.configuration(self.account()))
    }

    /// The response of GetFunction.
    fn function_with_code(&self, call: &ApiCall<'_>) -> ApiResult {
        let function = self.function(call)?;
        let code = match &function.code {
            Code::Image(image) => json!({
                "RepositoryType": "ECR",
                "ImageUri": image.uri,
                "ResolvedImageUri": image.resolved_uri(),
            }),
            Code::Zip(zip) => {
                let token = self.lambda.downloads.link(zip.blob());
                let location = format!("{}{PACKAGE_PATH}{token}", self.lambda.internal.endpoint());
                json!({ "RepositoryType": "S3", "Location": location })
            }
        };
        Ok(function.view(self.account(), code))
    }

    /// Changes the function that the request names.
    fn change(
        &self,
        call: &ApiCall<'_>,
        change: impl FnOnce(&mut Function) -> Result<Value, AwsError>,
    ) -> Result<Value, AwsError> {
        let reference = self.reference(call)?;
        self.lambda.get(&reference)?;
        self.lambda.change(&reference.id, change)
    }

    fn concurrency(&self, call: &ApiCall<'_>) -> ApiResult {
        Ok(concurrency::view(self.function(call)?.reserved_concurrency))
    }

    fn unreserve(&self, call: &ApiCall<'_>) -> ApiResult {
        self.change(call, |function| {
            function.reserved_concurrency = None;
            Ok(empty(204))
        })
    }

    fn reserve(&self, call: &ApiCall<'_>) -> ApiResult {
        let id = self.reference(call)?.id;
        let reserved_by_others = {
            let functions = self.lambda.functions();
            let reserved_by_others = functions.values().filter(|other| other.id.region == id.region && other.id != id);
            reserved_by_others.filter_map(|other| other.reserved_concurrency).sum()
        };
        self.change(call, |function| {
            function.reserved_concurrency = Some(concurrency::reserved(call.input, reserved_by_others)?);
            Ok(concurrency::view(function.reserved_concurrency))
        })
    }

    fn event_config(&self, call: &ApiCall<'_>) -> ApiResult {
        let function = self.function(call)?;
        let config = function.event_config.as_ref();
        config
            .map(|config| config.view(&function, self.account()))
            .ok_or_else(|| event_config::missing(&function, self.account()))
    }

    fn event_configs(&self, call: &ApiCall<'_>) -> ApiResult {
        let function = self.function(call)?;
        let configs = function.event_config.iter().map(|config| config.view(&function, self.account()));
        Ok(json!({ "FunctionEventInvokeConfigs": configs.collect::<Vec<_>>() }))
    }

    fn delete_event_config(&self, call: &ApiCall<'_>) -> ApiResult {
        self.change(call, |function| match function.event_config.take() {
            Some(_) => Ok(empty(204)),
            None => Err(event_config::missing(function, self.account())),
        })
    }

    fn configure_events(&self, call: &ApiCall<'_>, update: bool) -> ApiResult {
        self.change(call, |function| {
            let before = function.event_config.clone().filter(|_| update);
            if update && before.is_none() {
                return Err(event_config::missing(function, self.account()));
            }
            let config = EventConfig::read(call.input, before.as_ref())?;
            let view = config.view(function, self.account());
            function.event_config = Some(config);
            Ok(view)
        })
    }

    async fn create(&self, call: ApiCall<'_>) -> ApiResult {
        refuse_unsupported(call.input)?;
        let id = self.reference(&call)?.id;
        let package = PackageType::read(call.input)?;
        refuse_publish(call.input)?;
        let settings = FunctionSettings::read(call.input)?;
        let tags = request::tags(call.input, call.context.internal_bypass)?;
        let architectures = request::architectures(call.input)?;
        let code_source = CodeSource::read(&call.input["Code"], package, "creating")?;
        let Some(role) = settings.role.clone() else {
            return Err(errors::validation(
                "1 validation error detected: Value null at 'role' failed to satisfy constraint: Member must not be null",
            ));
        };
        if self.lambda.functions().contains_key(&id) {
            return Err(already_exists(&id));
        }
        self.check_role(&role, &id.name).await?;
        let (code, source) = self.lambda.fetch_code(code_source, &id.region, request::entry(call.input)).await?;
        let mut function = Function {
            role,
            description: String::new(),
            code,
            image_config: ImageConfig::default(),
            memory_size: 128,
            timeout: 3,
            ephemeral_storage: 512,
            architectures: architectures.unwrap_or_else(|| vec!["x86_64".to_owned()]),
            environment: Default::default(),
            tracing_mode: "PassThrough".to_owned(),
            logging: None,
            tags,
            policy: Default::default(),
            state: FunctionState::Pending,
            state_reason: Some(owned(CREATING)),
            update_status: UpdateStatus::InProgress,
            update_reason: Some(owned(CREATING)),
            last_modified: Utc::now(),
            revision: uuid::Uuid::new_v4().to_string(),
            reserved_concurrency: None,
            event_config: None,
            id: id.clone(),
        };
        settings.apply(&mut function);
        let view = function.configuration(self.account());
        match self.lambda.functions().entry(id.clone()) {
            std::collections::btree_map::Entry::Occupied(_) => return Err(already_exists(&id)),
            std::collections::btree_map::Entry::Vacant(slot) => slot.insert(function),
        };
        self.lambda.prepare(id, source, LatencySpan::FunctionPending);
        Ok(with_status(view, 201))
    }

    async fn update_configuration(&self, call: ApiCall<'_>) -> ApiResult {
        refuse_unsupported(call.input)?;
        let id = self.reference(&call)?.id;
        let settings = FunctionSettings::read(call.input)?;
        let before = self.function(&call)?;
        check_changeable(&before, call.input)?;
        package_of(&before).refuse_foreign(call.input)?;
        if let Some(role) = &settings.role {
            self.check_role(role, &id.name).await?;
        }
        let view = self.lambda.change(&id, |function| {
            check_changeable(function, call.input)?;
            settings.apply(function);
            Ok(self.begin_update(function))
        })?;
        // The image stays the same, so nothing needs to be prepared.
        self.lambda.finish_update(id);
        Ok(view)
    }

    async fn update_code(&self, call: ApiCall<'_>) -> ApiResult {
        let id = self.reference(&call)?.id;
        refuse_publish(call.input)?;
        let before = self.function(&call)?;
        check_changeable(&before, call.input)?;
        let code_source = CodeSource::read(call.input, package_of(&before), "updating")?;
        let architectures = request::architectures(call.input)?;
        let entry = match &before.code {
            Code::Zip(zip) => Some(ZipEntryPoint { runtime: zip.runtime.clone(), handler: zip.handler.clone() }),
            Code::Image(_) => None,
        };
        let (code, source) = self.lambda.fetch_code(code_source, &id.region, entry).await?;
        if call.input["DryRun"] == true {
            return Ok(before.configuration(self.account()));
        }
        // Unpacked first; until then the function keeps its code.
        self.lambda
            .images
            .ensure(&source)
            .await
            .map_err(|error| errors::invalid_parameter(format!("The code is not valid: {error}.")))?;
        let view = self.lambda.change(&id, |function| {
            check_changeable(function, call.input)?;
            function.code = code;
            if let Some(architectures) = architectures {
                function.architectures = architectures;
            }
            Ok(self.begin_update(function))
        })?;
        self.lambda.prepare(id, source, LatencySpan::FunctionUpdate);
        Ok(view)
    }

    /// Marks the start of an update, and returns the function's configuration.
    fn begin_update(&self, function: &mut Function) -> Value {
        function.update_status = UpdateStatus::InProgress;
        function.update_reason = Some(owned(CREATING));
        function.touch();
        function.configuration(self.account())
    }

    async fn delete(&self, call: ApiCall<'_>) -> ApiResult {
        let reference = self.reference(&call)?;
        self.lambda.get(&reference)?;
        if self.lambda.functions().remove(&reference.id).is_none() {
            return Err(errors::function_not_found(&reference.id.arn(self.account())));
        }
        self.lambda.clean_up_deleted(&reference.id).await;
        Ok(empty(204))
    }

    fn list(&self, call: &ApiCall<'_>) -> ApiResult {
        let most = match call.input["MaxItems"].as_str() {
            None => 50,
            Some(text) => text.parse::<usize>().ok().filter(|count| (1..=10_000).contains(count)).ok_or_else(|| {
                errors::validation(format!("1 validation error detected: Value '{text}' at 'maxItems'"))
            })?,
        }
        // Lambda returns at most 50 per page.
        .min(50);
        let after = call.input["Marker"].as_str().unwrap_or_default();
        let functions = self.lambda.functions();
        let mut here = functions
            .values()
            .filter(|function| function.id.region == call.context.region && function.id.name.as_str() > after);
        let page: Vec<&Function> = here.by_ref().take(most).collect();
        let more = here.next().is_some();
        let mut answer = json!({
            "Functions": page.iter().map(|function| function.configuration(self.account())).collect::<Vec<_>>(),
        });
        if more && let Some(last) = page.last() {
            answer["NextMarker"] = json!(last.id.name);
        }
        Ok(answer)
    }

    fn versions(&self, call: &ApiCall<'_>) -> ApiResult {
        let mut version = self.function(call)?.configuration(self.account());
        let arn = version["FunctionArn"].as_str().unwrap_or_default();
        version["FunctionArn"] = json!(format!("{arn}:{LATEST}"));
        Ok(json!({ "Versions": [version] }))
    }

    fn aliases(&self, call: &ApiCall<'_>) -> ApiResult {
        self.function(call).map(|_| json!({ "Aliases": [] }))
    }

    fn code_signing(&self, call: &ApiCall<'_>) -> ApiResult {
        self.function(call).map(|function| json!({ "FunctionName": function.id.name }))
    }

    fn add_permission(&self, call: &ApiCall<'_>) -> ApiResult {
        let reference = self.reference(call)?;
        self.lambda.get(&reference)?;
        let arn = reference.id.arn(self.account());
        let statement = self.lambda.change(&reference.id, |function| function.policy.add(call.input, &arn))?;
        Ok(with_status(json!({ "Statement": statement.to_string() }), 201))
    }

    fn remove_permission(&self, call: &ApiCall<'_>) -> ApiResult {
        let reference = self.reference(call)?;
        let sid = call.input["StatementId"].as_str().unwrap_or_default();
        self.lambda.change(&reference.id, |function| function.policy.remove(sid, call.input))?;
        Ok(empty(204))
    }

    fn policy(&self, call: &ApiCall<'_>) -> ApiResult {
        let function = self.function(call)?;
        if function.policy.is_empty() {
            return Err(errors::not_found("The resource you requested does not exist."));
        }
        Ok(function.policy.document())
    }

    fn tags(&self, call: &ApiCall<'_>) -> ApiResult {
        self.tagged(call, |function| Ok(json!({ "Tags": function.tags })))
    }

    fn tag(&self, call: &ApiCall<'_>) -> ApiResult {
        let tags = request::tags(call.input, call.context.internal_bypass)?;
        self.tagged(call, |function| {
            let mut all = function.tags.clone();
            all.extend(tags);
            request::check_tags(&all)?;
            function.tags = all;
            Ok(empty(204))
        })
    }

    fn untag(&self, call: &ApiCall<'_>) -> ApiResult {
        let keys = query(call, "tagKeys");
        if keys.is_empty() {
            return Err(errors::validation(
                "1 validation error detected: Value null at 'tagKeys' failed to satisfy constraint: Member must not be null",
            ));
        }
        self.tagged(call, |function| {
            function.tags.retain(|key, _| !keys.contains(key));
            Ok(empty(204))
        })
    }

    /// Changes a function named by ARN, as the tag operations do.
    fn tagged(
        &self,
        call: &ApiCall<'_>,
        change: impl FnOnce(&mut Function) -> Result<Value, AwsError>,
    ) -> Result<Value, AwsError> {
        let arn = call.input["Resource"].as_str().unwrap_or_default();
        if !arn.starts_with("arn:") {
            return Err(errors::validation(format!(
                "1 validation error detected: Value '{arn}' at 'resource' failed to satisfy constraint: Member must be an ARN"
            )));
        }
        let id = names::parse(arn, &call.context.region, self.account())?.id;
        self.lambda.change(&id, change)
    }

    async fn invoke(&self, call: ApiCall<'_>) -> ApiResult {
        self.lambda.invoke(wire::invoke_request(self, &call)?).await
    }

    /// Checks that the role exists and trusts Lambda. On AWS a new role may need a moment.
    async fn check_role(&self, role: &str, session: &str) -> Result<(), AwsError> {
        self.lambda
            .internal
            .assume_role(role, session)
            .await
            .map(|_| ())
            .map_err(|_| errors::invalid_parameter("The role defined for the function cannot be assumed by Lambda."))
    }
}

fn refuse_unsupported(input: &Value) -> Result<(), AwsError> {
    match unsupported_fields::first_set(input, &UNSUPPORTED) {
        Some(member) => Err(errors::invalid_parameter(format!("The sandbox's functions do not have {member}."))),
        None => Ok(()),
    }
}

/// All values of a query parameter; awsim's router keeps only the first.
fn query(call: &ApiCall<'_>, name: &str) -> Vec<String> {
    let query = call.context.uri.split_once('?').map_or("", |(_, query)| query);
    let values: Vec<String> = query
        .split('&')
        .filter_map(|pair| pair.split_once('='))
        .filter(|(key, _)| *key == name)
        .map(|(_, value)| percent_decode_str(&value.replace('+', " ")).decode_utf8_lossy().into_owned())
        .collect();
    match (values.is_empty(), &call.input[name]) {
        (true, Value::String(one)) => vec![one.clone()],
        _ => values,
    }
}

fn package_of(function: &Function) -> PackageType {
    match function.code {
        Code::Image(_) => PackageType::Image,
        Code::Zip(_) => PackageType::Zip,
    }
}

fn check_changeable(function: &Function, input: &Value) -> Result<(), AwsError> {
    if function.state == FunctionState::Pending {
        refuse_unless_active(function)?;
    }
    if function.update_status == UpdateStatus::InProgress {
        return Err(errors::conflict(format!(
            "The operation cannot be performed at this time. An update is in progress for resource: {}",
            function.id.name
        )));
    }
    match input["RevisionId"].as_str() {
        Some(expected) if expected != function.revision => Err(errors::precondition_failed()),
        _ => Ok(()),
    }
}

fn refuse_publish(input: &Value) -> Result<(), AwsError> {
    if input["Publish"] == true {
        // Versions are not supported, so they are refused.
        return Err(errors::invalid_parameter("The sandbox has no published versions: use Publish=false."));
    }
    Ok(())
}

fn already_exists(id: &FunctionId) -> AwsError {
    errors::conflict(format!("Function already exist: {}", id.name))
}

fn owned((code, reason): (&str, &str)) -> (String, String) {
    (code.to_owned(), reason.to_owned())
}

fn with_status(mut view: Value, status: u16) -> Value {
    view["__status_code"] = json!(status);
    view
}

#[cfg(test)]
mod properties;
