//! Lambda's operations except Invoke.

use std::sync::Arc;

use awsim_core::{AwsError, RequestContext};
use chrono::Utc;
use percent_encoding::percent_decode_str;
use serde_json::{Value, json};

use super::code::Code;
use super::concurrency;
use super::errors;
use super::event_config::{self, EventConfig};
use super::function::{Function, FunctionState, ImageConfig, LATEST, UpdateStatus};
use super::invoke::{InvokeRequest, empty, refuse_unless_active};
use super::names::{self, FunctionId, FunctionReference};
use super::registry::Lambda;
use super::request::{self, FunctionSettings, PackageType};
use super::source::{CodeSource, ZipEntryPoint};
use crate::latency::LatencySpan;
use crate::unsupported_fields;

/// The state reason of a function during creation.
const CREATING: (&str, &str) = ("Creating", "The function is being created.");

/// Features of functions that the sandbox does not have.
const UNSUPPORTED: [&str; 5] =
    ["VpcConfig", "DeadLetterConfig", "KMSKeyArn", "FileSystemConfigs", "CodeSigningConfigArn"];

/// The path of deployment package downloads, which need no signature.
pub(crate) const PACKAGE_PATH: &str = "/_sandbox/packages/";

/// An operation's input and request context.
pub(crate) struct OperationRequest<'a> {
    pub lambda: &'a Arc<Lambda>,
    pub input: &'a Value,
    pub ctx: &'a RequestContext,
}

impl OperationRequest<'_> {
    pub(crate) async fn handle(&self, operation: &str) -> Result<Value, AwsError> {
        if matches!(operation, "CreateFunction" | "UpdateFunctionConfiguration")
            && let Some(member) = unsupported_fields::first_set(self.input, &UNSUPPORTED)
        {
            return Err(errors::invalid_parameter(format!("The sandbox's functions do not have {member}.")));
        }
        match operation {
            "CreateFunction" => self.create().await,
            "GetFunction" => self.function_with_code(),
            "GetFunctionConfiguration" => Ok(self.function()?.configuration(self.account())),
            "ListFunctions" => self.list(),
            "ListVersionsByFunction" => self.versions(),
            "ListAliases" => self.function().map(|_| json!({ "Aliases": [] })),
            "GetFunctionConcurrency" => {
                self.function().map(|function| concurrency::view(function.reserved_concurrency))
            }
            "PutFunctionConcurrency" => self.reserve(),
            "DeleteFunctionConcurrency" => self.change(|function| {
                function.reserved_concurrency = None;
                Ok(empty(204))
            }),
            "GetFunctionEventInvokeConfig" => {
                let function = self.function()?;
                let config = function.event_config.as_ref();
                config
                    .map(|config| config.view(&function, self.account()))
                    .ok_or_else(|| event_config::missing(&function, self.account()))
            }
            "ListFunctionEventInvokeConfigs" => self.function().map(|function| {
                let configs = function.event_config.iter().map(|config| config.view(&function, self.account()));
                json!({ "FunctionEventInvokeConfigs": configs.collect::<Vec<_>>() })
            }),
            "PutFunctionEventInvokeConfig" => self.configure_events(false),
            "UpdateFunctionEventInvokeConfig" => self.configure_events(true),
            "DeleteFunctionEventInvokeConfig" => self.change(|function| match function.event_config.take() {
                Some(_) => Ok(empty(204)),
                None => Err(event_config::missing(function, self.account())),
            }),
            "GetFunctionCodeSigningConfig" => {
                self.function().map(|function| json!({ "FunctionName": function.id.name }))
            }
            "UpdateFunctionConfiguration" => self.update_configuration().await,
            "UpdateFunctionCode" => self.update_code().await,
            "DeleteFunction" => self.delete().await,
            "AddPermission" => self.add_permission(),
            "RemovePermission" => self.remove_permission(),
            "GetPolicy" => self.policy(),
            "TagResource" => self.tag(),
            "UntagResource" => self.untag(),
            "ListTags" => self.tagged(|function| Ok(json!({ "Tags": function.tags }))),
            "Invoke" => self.lambda.invoke(self.call()?).await,
            other => Err(AwsError::unknown_operation(other)),
        }
    }

    fn account(&self) -> &str {
        self.lambda.account()
    }

    /// The function that the request names.
    pub(crate) fn reference(&self) -> Result<FunctionReference, AwsError> {
        let name = self.input["FunctionName"].as_str().unwrap_or_default();
        let mut reference = names::parse(name, &self.ctx.region, self.account())?;
        if let Some(qualifier) = self.input["Qualifier"].as_str().filter(|text| !text.is_empty()) {
            reference.qualifier = Some(qualifier.to_owned());
        }
        if reference.id.region != self.ctx.region {
            return Err(errors::function_not_found(&reference.id.arn(self.account())));
        }
        Ok(reference)
    }

    fn function(&self) -> Result<Function, AwsError> {
        self.lambda.get(&self.reference()?)
    }

    /// The response of GetFunction.
    fn function_with_code(&self) -> Result<Value, AwsError> {
        let function = self.function()?;
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
    fn change(&self, change: impl FnOnce(&mut Function) -> Result<Value, AwsError>) -> Result<Value, AwsError> {
        let reference = self.reference()?;
        self.lambda.get(&reference)?;
        self.lambda.change(&reference.id, change)
    }

    fn reserve(&self) -> Result<Value, AwsError> {
        let id = self.reference()?.id;
        let reserved_by_others = {
            let functions = self.lambda.functions();
            let reserved_by_others = functions.values().filter(|other| other.id.region == id.region && other.id != id);
            reserved_by_others.filter_map(|other| other.reserved_concurrency).sum()
        };
        self.change(|function| {
            function.reserved_concurrency = Some(concurrency::reserved(self.input, reserved_by_others)?);
            Ok(concurrency::view(function.reserved_concurrency))
        })
    }

    fn configure_events(&self, update: bool) -> Result<Value, AwsError> {
        self.change(|function| {
            let before = function.event_config.clone().filter(|_| update);
            if update && before.is_none() {
                return Err(event_config::missing(function, self.account()));
            }
            let config = EventConfig::read(self.input, before.as_ref())?;
            let view = config.view(function, self.account());
            function.event_config = Some(config);
            Ok(view)
        })
    }

    async fn create(&self) -> Result<Value, AwsError> {
        let id = self.reference()?.id;
        let package = PackageType::read(self.input)?;
        refuse_publish(self.input)?;
        let settings = FunctionSettings::read(self.input)?;
        let tags = request::tags(self.input, self.ctx.internal_bypass)?;
        let architectures = request::architectures(self.input)?;
        let code_source = CodeSource::read(&self.input["Code"], package, "creating")?;
        let Some(role) = settings.role.clone() else {
            return Err(errors::validation(
                "1 validation error detected: Value null at 'role' failed to satisfy constraint: Member must not be null",
            ));
        };
        if self.lambda.functions().contains_key(&id) {
            return Err(already_exists(&id));
        }
        self.check_role(&role, &id.name).await?;
        let (code, source) = self.lambda.fetch_code(code_source, &id.region, request::entry(self.input)).await?;
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

    async fn update_configuration(&self) -> Result<Value, AwsError> {
        let id = self.reference()?.id;
        let settings = FunctionSettings::read(self.input)?;
        let before = self.function()?;
        check_changeable(&before, self.input)?;
        package_of(&before).refuse_foreign(self.input)?;
        if let Some(role) = &settings.role {
            self.check_role(role, &id.name).await?;
        }
        let view = self.lambda.change(&id, |function| {
            check_changeable(function, self.input)?;
            settings.apply(function);
            Ok(self.begin_update(function))
        })?;
        // The image stays the same, so nothing needs to be prepared.
        self.lambda.finish_update(id);
        Ok(view)
    }

    async fn update_code(&self) -> Result<Value, AwsError> {
        let id = self.reference()?.id;
        refuse_publish(self.input)?;
        let before = self.function()?;
        check_changeable(&before, self.input)?;
        let code_source = CodeSource::read(self.input, package_of(&before), "updating")?;
        let architectures = request::architectures(self.input)?;
        let entry = match &before.code {
            Code::Zip(zip) => Some(ZipEntryPoint { runtime: zip.runtime.clone(), handler: zip.handler.clone() }),
            Code::Image(_) => None,
        };
        let (code, source) = self.lambda.fetch_code(code_source, &id.region, entry).await?;
        if self.input["DryRun"] == true {
            return Ok(before.configuration(self.account()));
        }
        // Unpacked first; until then the function keeps its code.
        self.lambda
            .images
            .ensure(&source)
            .await
            .map_err(|error| errors::invalid_parameter(format!("The code is not valid: {error}.")))?;
        let view = self.lambda.change(&id, |function| {
            check_changeable(function, self.input)?;
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

    async fn delete(&self) -> Result<Value, AwsError> {
        let reference = self.reference()?;
        self.lambda.get(&reference)?;
        if self.lambda.functions().remove(&reference.id).is_none() {
            return Err(errors::function_not_found(&reference.id.arn(self.account())));
        }
        self.lambda.clean_up_deleted(&reference.id).await;
        Ok(empty(204))
    }

    fn list(&self) -> Result<Value, AwsError> {
        let most = match self.input["MaxItems"].as_str() {
            None => 50,
            Some(text) => text.parse::<usize>().ok().filter(|count| (1..=10_000).contains(count)).ok_or_else(|| {
                errors::validation(format!("1 validation error detected: Value '{text}' at 'maxItems'"))
            })?,
        }
        // Lambda returns at most 50 per page.
        .min(50);
        let after = self.input["Marker"].as_str().unwrap_or_default();
        let functions = self.lambda.functions();
        let mut here = functions
            .values()
            .filter(|function| function.id.region == self.ctx.region && function.id.name.as_str() > after);
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

    fn versions(&self) -> Result<Value, AwsError> {
        let mut version = self.function()?.configuration(self.account());
        let arn = version["FunctionArn"].as_str().unwrap_or_default();
        version["FunctionArn"] = json!(format!("{arn}:{LATEST}"));
        Ok(json!({ "Versions": [version] }))
    }

    fn add_permission(&self) -> Result<Value, AwsError> {
        let reference = self.reference()?;
        self.lambda.get(&reference)?;
        let arn = reference.id.arn(self.account());
        let statement = self.lambda.change(&reference.id, |function| function.policy.add(self.input, &arn))?;
        Ok(with_status(json!({ "Statement": statement.to_string() }), 201))
    }

    fn remove_permission(&self) -> Result<Value, AwsError> {
        let reference = self.reference()?;
        let sid = self.input["StatementId"].as_str().unwrap_or_default();
        self.lambda.change(&reference.id, |function| function.policy.remove(sid, self.input))?;
        Ok(empty(204))
    }

    fn policy(&self) -> Result<Value, AwsError> {
        let function = self.function()?;
        if function.policy.is_empty() {
            return Err(errors::not_found("The resource you requested does not exist."));
        }
        Ok(function.policy.document())
    }

    fn tag(&self) -> Result<Value, AwsError> {
        let tags = request::tags(self.input, self.ctx.internal_bypass)?;
        self.tagged(|function| {
            let mut all = function.tags.clone();
            all.extend(tags);
            request::check_tags(&all)?;
            function.tags = all;
            Ok(empty(204))
        })
    }

    fn untag(&self) -> Result<Value, AwsError> {
        let keys = self.query("tagKeys");
        if keys.is_empty() {
            return Err(errors::validation(
                "1 validation error detected: Value null at 'tagKeys' failed to satisfy constraint: Member must not be null",
            ));
        }
        self.tagged(|function| {
            function.tags.retain(|key, _| !keys.contains(key));
            Ok(empty(204))
        })
    }

    /// Changes a function named by ARN, as the tag operations do.
    fn tagged(&self, change: impl FnOnce(&mut Function) -> Result<Value, AwsError>) -> Result<Value, AwsError> {
        let arn = self.input["Resource"].as_str().unwrap_or_default();
        if !arn.starts_with("arn:") {
            return Err(errors::validation(format!(
                "1 validation error detected: Value '{arn}' at 'resource' failed to satisfy constraint: Member must be an ARN"
            )));
        }
        let id = names::parse(arn, &self.ctx.region, self.account())?.id;
        self.lambda.change(&id, change)
    }

    /// All values of a query parameter; awsim's router keeps only the first.
    fn query(&self, name: &str) -> Vec<String> {
        let query = self.ctx.uri.split_once('?').map_or("", |(_, query)| query);
        let values: Vec<String> = query
            .split('&')
            .filter_map(|pair| pair.split_once('='))
            .filter(|(key, _)| *key == name)
            .map(|(_, value)| percent_decode_str(&value.replace('+', " ")).decode_utf8_lossy().into_owned())
            .collect();
        match (values.is_empty(), &self.input[name]) {
            (true, Value::String(one)) => vec![one.clone()],
            _ => values,
        }
    }

    fn call(&self) -> Result<InvokeRequest, AwsError> {
        super::wire::call(self)
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
