//! Lambda: a function from a container image, its invoke permissions and its state.

use std::collections::BTreeMap;

pub use aws_sdk_lambda::Client;
use aws_sdk_lambda::types::{
    Architecture as SdkArchitecture, Environment as SdkEnvironment, FunctionCode as SdkFunctionCode, PackageType, State,
};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use tokio_util::sync::CancellationToken;

use super::Architecture;
use super::error::{self, AwsError, Deleted, ErrorKind};
use super::pages::Pages;
use super::tags::{Tagged, Tags};
use super::wait::{self, Poll, WaitError, Waiting};
use crate::aws::operation::LambdaOperation;

const SERVICE: &str = "Lambda";

fn failed<E>(operation: LambdaOperation) -> impl FnOnce(SdkError<E, HttpResponse>) -> AwsError
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
{
    AwsError::from_sdk(operation)
}

/// The parameters of a function.
#[derive(Debug, Clone)]
pub struct FunctionSpec<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its description.
    pub description: &'a str,
    /// The image, by its digest: `<repository uri>@sha256:…`.
    pub image_uri: &'a str,
    /// The execution role's ARN.
    pub role_arn: &'a str,
    /// Memory in MB.
    pub memory_mb: u32,
    /// The timeout of an invocation.
    pub timeout_seconds: u32,
    /// Its environment variables.
    pub environment: &'a [(String, String)],
    /// The image's architecture: a wrong one fails only at the first invocation.
    pub architecture: Architecture,
    /// Its tags.
    pub tags: &'a Tags,
}

/// The state of a function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FunctionState {
    /// Being prepared: cannot be invoked yet.
    Pending,
    /// Ready.
    Active,
    /// Inactive after weeks without an invocation; the next one reactivates it.
    Inactive,
    /// Failed, with the reason.
    Failed(String),
}

/// A function's configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Function {
    /// Its name.
    pub name: String,
    /// Its ARN.
    pub arn: String,
    /// Its state.
    pub state: FunctionState,
    /// Memory in MB.
    pub memory_mb: u32,
    /// The timeout of an invocation.
    pub timeout_seconds: u32,
    /// Its execution role's ARN.
    pub role_arn: String,
    /// Its description.
    pub description: Option<String>,
    /// The image's architectures: one.
    pub architectures: Vec<String>,
    /// Its environment variables; see [`Environment`].
    pub environment: Environment,
    /// The size of its package in bytes; 0 for an image.
    pub code_size: u64,
    /// The time of its last change, in Lambda's format.
    pub last_modified: Option<String>,
    /// Its log group.
    pub log_group: Option<String>,
}

/// A function's environment variables, sorted by name.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Environment(pub BTreeMap<String, String>);

// Not derived: a value may be a secret.
impl std::fmt::Debug for Environment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

/// A function's code.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FunctionCode {
    /// The image as configured.
    pub image_uri: Option<String>,
    /// The image by its digest.
    pub resolved_image_uri: Option<String>,
    /// The function's tags; `None` if Lambda does not return them.
    pub tags: Option<Tags>,
}

/// Creates a function and returns its ARN. It is `Pending` at first: see [`wait_active`].
///
/// # Errors
/// [`ErrorKind::RoleNotReady`] if the role is too new to be assumed: to be retried. [`ErrorKind::AlreadyExists`] for a
/// name in use, [`ErrorKind::LimitExceeded`] for more memory than the account may use.
pub async fn create_function(client: &Client, spec: &FunctionSpec<'_>) -> Result<String, AwsError> {
    const OPERATION: LambdaOperation = LambdaOperation::CreateFunction;
    let environment = SdkEnvironment::builder().set_variables(Some(spec.environment.iter().cloned().collect())).build();
    client
        .create_function()
        .function_name(spec.name)
        .description(spec.description)
        .package_type(PackageType::Image)
        .code(SdkFunctionCode::builder().image_uri(spec.image_uri).build())
        .role(spec.role_arn)
        .memory_size(i32::try_from(spec.memory_mb).unwrap_or(i32::MAX))
        .timeout(i32::try_from(spec.timeout_seconds).unwrap_or(i32::MAX))
        .environment(environment)
        .architectures(match spec.architecture {
            Architecture::X86_64 => SdkArchitecture::X8664,
            Architecture::Arm64 => SdkArchitecture::Arm64,
        })
        .set_tags(Some(spec.tags.clone().into_iter().collect()))
        .send()
        .await
        .map_err(failed(OPERATION))?
        .function_arn
        .ok_or_else(|| AwsError::missing_field(SERVICE, OPERATION.name(), "the function's ARN"))
}

/// Returns a function by its name; `None` if it does not exist.
///
/// # Errors
/// When the call is denied; a missing function is no error.
pub async fn function(client: &Client, name: &str) -> Result<Option<Function>, AwsError> {
    let answer = client
        .get_function_configuration()
        .function_name(name)
        .send()
        .await
        .map_err(failed(LambdaOperation::GetFunctionConfiguration));
    Ok(error::optional(answer)?.map(|found| {
        let state = match &found.state {
            Some(State::Pending) => FunctionState::Pending,
            Some(State::Inactive) => FunctionState::Inactive,
            Some(State::Failed) => FunctionState::Failed(failure(
                found.state_reason_code.as_ref().map(aws_sdk_lambda::types::StateReasonCode::as_str),
                found.state_reason.as_deref(),
            )),
            _ => FunctionState::Active,
        };
        Function {
            name: found.function_name.unwrap_or_else(|| name.to_owned()),
            arn: found.function_arn.unwrap_or_default(),
            state,
            memory_mb: found.memory_size.and_then(|size| u32::try_from(size).ok()).unwrap_or_default(),
            timeout_seconds: found.timeout.and_then(|seconds| u32::try_from(seconds).ok()).unwrap_or_default(),
            role_arn: found.role.unwrap_or_default(),
            description: found.description.filter(|description| !description.is_empty()),
            architectures: found.architectures.iter().flatten().map(|one| one.as_str().to_owned()).collect(),
            environment: Environment(
                found
                    .environment
                    .and_then(|environment| environment.variables)
                    .unwrap_or_default()
                    .into_iter()
                    .collect(),
            ),
            code_size: u64::try_from(found.code_size).unwrap_or_default(),
            last_modified: found.last_modified,
            log_group: found.logging_config.and_then(|logging| logging.log_group),
        }
    }))
}

fn failure(code: Option<&str>, reason: Option<&str>) -> String {
    match (code, reason) {
        (Some(code), Some(reason)) => format!("{code}: {reason}"),
        (Some(text), None) | (None, Some(text)) => text.to_owned(),
        (None, None) => "no reason given".to_owned(),
    }
}

/// Waits until a function is active. A failed one ends the wait at once, with its reason.
///
/// # Errors
/// [`WaitError::Aws`] for a failed function, [`WaitError::TimedOut`] after the deadline, [`WaitError::Cancelled`].
// Rule: a Pending function refuses Invoke and updates (ResourceConflictException); the notification comes after this.
// https://docs.aws.amazon.com/lambda/latest/dg/functions-states.html
pub async fn wait_active(
    client: &Client,
    name: &str,
    cancel: &CancellationToken,
    on_wait: &mut (dyn FnMut(Waiting) + Send),
) -> Result<Function, WaitError> {
    let what = format!("the function {name} becoming active");
    wait::until(&what, &wait::FUNCTION_ACTIVE, cancel, on_wait, || async {
        match function(client, name).await? {
            // Just created, and not visible everywhere yet.
            None => Ok(Poll::Pending),
            Some(found) => match &found.state {
                FunctionState::Pending => Ok(Poll::Pending),
                FunctionState::Active | FunctionState::Inactive => Ok(Poll::Ready(found)),
                FunctionState::Failed(reason) => Err(AwsError::new(
                    SERVICE,
                    "CreateFunction",
                    ErrorKind::Other,
                    format!("the function went to Failed: {reason}"),
                )),
            },
        }
    })
    .await
}

/// Allows a bucket of an account to invoke a function.
///
/// # Errors
/// [`ErrorKind::AlreadyExists`] if the statement exists, [`ErrorKind::NotFound`] without the function.
// Rule: with the source's ARN and account: a bucket's ARN has no account, and a deleted bucket's name can be reused.
// https://docs.aws.amazon.com/lambda/latest/api/API_AddPermission.html#lambda-AddPermission-request-SourceAccount
pub async fn add_bucket_permission(
    client: &Client,
    function: &str,
    statement_id: &str,
    bucket: &str,
    account: &str,
) -> Result<(), AwsError> {
    client
        .add_permission()
        .function_name(function)
        .statement_id(statement_id)
        .action("lambda:InvokeFunction")
        .principal("s3.amazonaws.com")
        .source_arn(format!("arn:aws:s3:::{bucket}"))
        .source_account(account)
        .send()
        .await
        .map_err(failed(LambdaOperation::AddPermission))?;
    Ok(())
}

/// Removes a statement from a function's policy.
///
/// # Errors
/// When the call is denied; a missing statement or function is no error.
pub async fn remove_permission(client: &Client, function: &str, statement_id: &str) -> Result<Deleted, AwsError> {
    error::deleted(
        client
            .remove_permission()
            .function_name(function)
            .statement_id(statement_id)
            .send()
            .await
            .map_err(failed(LambdaOperation::RemovePermission)),
    )
}

/// Returns a function's code and tags; `None` if it does not exist.
///
/// # Errors
/// When the call is denied; a missing function is no error, and neither are denied tags.
pub async fn function_code(client: &Client, name: &str) -> Result<Option<FunctionCode>, AwsError> {
    let answer = client.get_function().function_name(name).send().await.map_err(failed(LambdaOperation::GetFunction));
    Ok(error::optional(answer)?.map(|found| {
        let (image_uri, resolved_image_uri) =
            found.code.map(|code| (code.image_uri, code.resolved_image_uri)).unwrap_or_default();
        // Rule: a caller without the permission to list tags gets a response with an error inside; without
        // tags it has neither.
        // https://docs.aws.amazon.com/lambda/latest/api/API_GetFunction.html#lambda-GetFunction-response-TagsError
        let tags = found.tags_error.is_none().then(|| found.tags.unwrap_or_default().into_iter().collect());
        FunctionCode { image_uri, resolved_image_uri, tags }
    }))
}

/// Returns a function's resource policy, as JSON; `None` if it has none, or does not exist.
///
/// # Errors
/// When the call is denied, or the policy is not JSON; none is no error.
pub async fn resource_policy(client: &Client, function: &str) -> Result<Option<serde_json::Value>, AwsError> {
    const OPERATION: LambdaOperation = LambdaOperation::GetPolicy;
    let answer = client.get_policy().function_name(function).send().await.map_err(failed(OPERATION));
    let Some(policy) = error::optional(answer)?.and_then(|found| found.policy) else {
        return Ok(None);
    };
    serde_json::from_str(&policy).map(Some).map_err(|error| AwsError {
        source: Some(Box::new(error)),
        ..AwsError::missing_field(SERVICE, OPERATION.name(), "a readable policy")
    })
}

/// Returns the policy statements that allow a bucket to invoke a function, by content: CloudFormation and Terraform
/// generate their own.
///
/// # Errors
/// When the call is denied, or the policy is not JSON; none is no error.
pub async fn bucket_permissions(
    client: &Client,
    function: &str,
    bucket: &str,
) -> Result<Vec<serde_json::Value>, AwsError> {
    let policy = resource_policy(client, function).await?;
    Ok(policy.map(|policy| statements_for(&policy, bucket)).unwrap_or_default())
}

fn statements_for(policy: &serde_json::Value, bucket: &str) -> Vec<serde_json::Value> {
    let source = format!("arn:aws:s3:::{bucket}");
    let is_it = |statement: &&serde_json::Value| {
        let principal = &statement["Principal"];
        let conditions = statement["Condition"].as_object().into_iter().flatten();
        (principal["Service"] == "s3.amazonaws.com" || *principal == "s3.amazonaws.com")
            && conditions.into_iter().any(|(_, keys)| keys["AWS:SourceArn"] == source.as_str())
    };
    policy["Statement"].as_array().into_iter().flatten().filter(is_it).cloned().collect()
}

/// Deletes a function.
///
/// # Errors
/// [`ErrorKind::Conflict`] during another operation; a missing function is no error.
pub async fn delete_function(client: &Client, name: &str) -> Result<Deleted, AwsError> {
    error::deleted(
        client.delete_function().function_name(name).send().await.map_err(failed(LambdaOperation::DeleteFunction)),
    )
}

/// Returns the functions with a name prefix, with their tags.
///
/// # Errors
/// When a page or a function's tags are denied, or the listing has no end ([`ErrorKind::Oversized`]).
pub async fn list_functions(client: &Client, prefix: &str) -> Result<Vec<Tagged>, AwsError> {
    let mut named = Vec::new();
    let mut pages = Pages::new(SERVICE, "ListFunctions");
    loop {
        let page = client
            .list_functions()
            .set_marker(pages.token())
            .send()
            .await
            .map_err(failed(LambdaOperation::ListFunctions))?;
        named.extend(
            page.functions
                .unwrap_or_default()
                .into_iter()
                .filter_map(|function| Some((function.function_name?, function.function_arn?)))
                .filter(|(name, _)| name.starts_with(prefix)),
        );
        if !pages.continue_with(page.next_marker)? {
            break;
        }
    }
    let mut found = Vec::with_capacity(named.len());
    for (name, arn) in named {
        let answer = client.list_tags().resource(&arn).send().await.map_err(failed(LambdaOperation::ListTags));
        if let Some(tags) = error::optional(answer)? {
            found.push(Tagged { name, arn, tags: tags.tags.unwrap_or_default().into_iter().collect() });
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_for_a_bucket_are_found_by_content() {
        let of = |sid: &str, principal: serde_json::Value, source: &str| {
            serde_json::json!({
                "Sid": sid, "Principal": principal, "Condition": {"ArnLike": {"AWS:SourceArn": source}},
            })
        };
        let s3 = serde_json::json!({"Service": "s3.amazonaws.com"});
        let sns = serde_json::json!({"Service": "sns.amazonaws.com"});
        let (ours, anothers) = ("arn:aws:s3:::ours", "arn:aws:s3:::anothers");
        let policy = serde_json::json!({
            "Statement": [of("a", s3.clone(), ours), of("b", s3, anothers), of("c", sns, ours), {"Sid": "d"}],
        });
        let found = statements_for(&policy, "ours");
        assert_eq!(found.iter().map(|one| one["Sid"].as_str()).collect::<Vec<_>>(), [Some("a")]);
        assert!(statements_for(&serde_json::json!({}), "ours").is_empty());
    }

    #[test]
    fn failure_has_lambdas_code_and_reason() {
        assert_eq!(failure(Some("ImageAccessDenied"), Some("no")), "ImageAccessDenied: no");
        assert_eq!(failure(None, None), "no reason given");
    }
}
