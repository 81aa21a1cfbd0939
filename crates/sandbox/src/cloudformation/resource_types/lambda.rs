//! Functions and their permissions.

use std::io::{Cursor, Write as _};
use std::time::Duration;

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::call::Failure;
use super::shape::{self, created, text};
use super::{Created, HandlerContext, HandlerError, Provider};
use crate::latency::{self, LatencySpan};

const UNSUPPORTED: [&str; 14] = [
    "CapacityProviderConfig",
    "CodeSigningConfigArn",
    "DeadLetterConfig",
    "DurableConfig",
    "FileSystemConfigs",
    "FunctionScalingConfig",
    "KmsKeyArn",
    "Layers",
    "PublishToLatestPublished",
    "RecursiveLoop",
    "RuntimeManagementConfig",
    "SnapStart",
    "TenancyConfig",
    "VpcConfig",
];

/// The timeout for a function to become active.
const ACTIVE_TIMEOUT: Duration = Duration::from_secs(300);

/// `AWS::Lambda::Function`.
pub(super) struct Function;

/// `AWS::Lambda::Permission`.
pub(super) struct Permission;

/// The updatable members with their defaults.
fn configuration(properties: &Value) -> Value {
    let mut input = Value::Object(shape::take(
        properties,
        &["Description", "Handler", "Runtime", "Role", "TracingConfig", "LoggingConfig", "ImageConfig"],
    ));
    for member in ["MemorySize", "Timeout"] {
        if !properties[member].is_null() {
            input[member] = shape::number(&properties[member]);
        }
    }
    if !properties["EphemeralStorage"]["Size"].is_null() {
        input["EphemeralStorage"] = json!({ "Size": shape::number(&properties["EphemeralStorage"]["Size"]) });
    }
    if let Some(variables) = properties["Environment"]["Variables"].as_object() {
        let variables: serde_json::Map<_, _> =
            variables.iter().filter_map(|(name, value)| Some((name.clone(), Value::String(text(value)?)))).collect();
        input["Environment"] = json!({ "Variables": variables });
    }
    input
}

/// The code for Lambda: inline code becomes a file in an archive.
fn code(properties: &Value) -> Result<Value, Failure> {
    let given = &properties["Code"];
    let mut code = Value::Object(shape::take(given, &["ImageUri", "S3Bucket", "S3Key", "S3ObjectVersion"]));
    if let Some(source) = text(&given["ZipFile"]) {
        let extension = match properties["Runtime"].as_str() {
            Some(runtime) if runtime.starts_with("nodejs") => "js",
            _ => "py",
        };
        let archive = zip(&format!("index.{extension}"), &source)
            .map_err(|cause| Failure::unsupported(format!("The code cannot be packed: {cause}")))?;
        code["ZipFile"] = STANDARD.encode(archive).into();
    }
    Ok(code)
}

fn zip(name: &str, text: &str) -> std::io::Result<Vec<u8>> {
    let mut archive = zip::ZipWriter::new(Cursor::new(Vec::new()));
    let options = zip::write::SimpleFileOptions::default().unix_permissions(0o644);
    archive.start_file(name, options).map_err(std::io::Error::other)?;
    archive.write_all(text.as_bytes())?;
    Ok(archive.finish().map_err(std::io::Error::other)?.into_inner())
}

/// Waits until the function is active and not being updated.
async fn wait_until_active(context: &HandlerContext<'_>, name: &str) -> Result<(), HandlerError> {
    let latencies = context.services.latencies();
    let deadline = std::time::Instant::now() + ACTIVE_TIMEOUT;
    let mut pause = Duration::from_millis(5);
    loop {
        let state = context.services.call(
            "lambda",
            context.region,
            "GetFunctionConfiguration",
            json!({ "FunctionName": name }),
        );
        let state = state.await.map_err(|error| HandlerError::Failed(error.message))?;
        let reason = |member: &str| text(&state[member]).unwrap_or_default();
        let failed = match (state["State"].as_str(), state["LastUpdateStatus"].as_str()) {
            (Some("Failed"), _) => Some(reason("StateReason")),
            (_, Some("Failed")) => Some(reason("LastUpdateStatusReason")),
            (Some("Active" | "Inactive"), Some("Successful") | None) => return Ok(()),
            _ => None,
        };
        let failed =
            failed.or_else(|| (std::time::Instant::now() > deadline).then(|| "Exceeded attempts to wait".to_owned()));
        if let Some(reason) = failed {
            return Err(HandlerError::Failed(format!(
                "Resource handler returned message: \"{reason}\" (RequestToken: {}, HandlerErrorCode: NotStabilized)",
                uuid::Uuid::new_v4()
            )));
        }
        tokio::time::sleep(latencies.scaled(pause).max(Duration::from_millis(5))).await;
        pause = (pause * 2).min(Duration::from_secs(1));
    }
}

async fn reserve(context: &HandlerContext<'_>, name: &str, before: &Value, after: &Value) -> Result<(), Failure> {
    let member = "ReservedConcurrentExecutions";
    if before[member] == after[member] {
        return Ok(());
    }
    let (operation, input) = if after[member].is_null() {
        ("DeleteFunctionConcurrency", json!({ "FunctionName": name }))
    } else {
        ("PutFunctionConcurrency", json!({ "FunctionName": name, member: shape::number(&after[member]) }))
    };
    context.call("lambda", operation, input).await.map(|_| ())
}

fn reject_unsupported(properties: &Value) -> Result<(), Failure> {
    shape::reject_unsupported("AWS::Lambda::Function", properties, &UNSUPPORTED)?;
    shape::reject_unsupported(
        "AWS::Lambda::Function's Code",
        &properties["Code"],
        &["SourceKMSKeyArn", "S3ObjectStorageMode"],
    )
}

#[async_trait]
impl Provider for Function {
    fn physical_id(&self, context: &HandlerContext<'_>, properties: &Value) -> String {
        shape::name(context, &properties["FunctionName"], 64)
    }

    async fn exists(&self, context: &HandlerContext<'_>, physical_id: &str, _: &Value) -> bool {
        context.has("lambda", "GetFunctionConfiguration", json!({ "FunctionName": physical_id })).await
    }

    async fn create(&self, context: &HandlerContext<'_>, properties: &Value) -> Result<Created, HandlerError> {
        reject_unsupported(properties)?;
        let name = self.physical_id(context, properties);
        let mut input = configuration(properties);
        input["FunctionName"] = name.clone().into();
        input["Code"] = code(properties)?;
        // An image implies the package type.
        let package = text(&properties["PackageType"])
            .unwrap_or_else(|| if properties["Code"]["ImageUri"].is_null() { "Zip" } else { "Image" }.to_owned());
        input["PackageType"] = package.into();
        if !properties["Architectures"].is_null() {
            input["Architectures"] = properties["Architectures"].clone();
        }
        input["Tags"] = json!(shape::tags(context, &properties["Tags"]));
        let answer = context.call_with_role("lambda", "CreateFunction", input).await?;
        let created = created(name.clone(), [("Arn", answer["FunctionArn"].clone())]);
        let configured = reserve(context, &name, &Value::Null, properties).await;
        self.finish_creation(context, created, properties, configured).await
    }

    async fn stabilise(&self, context: &HandlerContext<'_>, created: &Created) -> Result<(), HandlerError> {
        let rest = context.services.latencies().of(LatencySpan::StackFunction);
        tokio::join!(wait_until_active(context, &created.physical_id), latency::wait(rest)).0
    }

    async fn update(
        &self,
        context: &HandlerContext<'_>,
        created: &Created,
        before: &Value,
        after: &Value,
    ) -> Result<Created, HandlerError> {
        reject_unsupported(after)?;
        let name = &created.physical_id;
        if before["Code"] != after["Code"] || before["Architectures"] != after["Architectures"] {
            let mut input = code(after)?;
            input["FunctionName"] = name.clone().into();
            if !after["Architectures"].is_null() {
                input["Architectures"] = after["Architectures"].clone();
            }
            context.call("lambda", "UpdateFunctionCode", input).await?;
            wait_until_active(context, name).await?;
        }
        let mut input = configuration(after);
        if input != configuration(before) {
            // Removed properties get their defaults.
            for (member, value) in [
                ("Description", json!("")),
                ("MemorySize", json!(128)),
                ("Timeout", json!(3)),
                ("Environment", json!({ "Variables": {} })),
                ("EphemeralStorage", json!({ "Size": 512 })),
                ("TracingConfig", json!({ "Mode": "PassThrough" })),
            ] {
                if input[member].is_null() {
                    input[member] = value;
                }
            }
            input["FunctionName"] = name.clone().into();
            context.call_with_role("lambda", "UpdateFunctionConfiguration", input).await?;
            wait_until_active(context, name).await?;
        }
        reserve(context, name, before, after).await?;
        let arn = &created.attributes["Arn"];
        let removed = shape::removed_tag_keys(context, &before["Tags"], &after["Tags"]);
        for key in removed {
            context.call("lambda", "UntagResource", json!({ "Resource": arn, "tagKeys": key })).await?;
        }
        let tags = shape::tags(context, &after["Tags"]);
        if !tags.is_empty() {
            context.call("lambda", "TagResource", json!({ "Resource": arn, "Tags": tags })).await?;
        }
        Ok(created.clone())
    }

    async fn delete(&self, context: &HandlerContext<'_>, created: &Created, _: &Value) -> Result<(), HandlerError> {
        let input = json!({ "FunctionName": created.physical_id });
        Ok(shape::unless_missing(context.call("lambda", "DeleteFunction", input).await)?)
    }
}

#[async_trait]
impl Provider for Permission {
    fn physical_id(&self, context: &HandlerContext<'_>, _: &Value) -> String {
        shape::name(context, &Value::Null, 100)
    }

    async fn exists(&self, context: &HandlerContext<'_>, physical_id: &str, properties: &Value) -> bool {
        let input = json!({ "FunctionName": properties["FunctionName"] });
        let policy = context.look("lambda", "GetPolicy", input).await.and_then(|found| text(&found["Policy"]));
        policy.is_some_and(|policy| policy.contains(&format!("\"{physical_id}\"")))
    }

    async fn create(&self, context: &HandlerContext<'_>, properties: &Value) -> Result<Created, HandlerError> {
        shape::reject_unsupported(
            "AWS::Lambda::Permission",
            properties,
            &["EventSourceToken", "FunctionUrlAuthType", "InvokedViaFunctionUrl", "PrincipalOrgID"],
        )?;
        let sid = self.physical_id(context, properties);
        let mut input = Value::Object(shape::take(
            properties,
            &["Action", "FunctionName", "Principal", "SourceArn", "SourceAccount"],
        ));
        input["StatementId"] = sid.clone().into();
        context.call("lambda", "AddPermission", input).await?;
        Ok(created(sid.clone(), [("Id", sid.into())]))
    }

    async fn update(
        &self,
        _: &HandlerContext<'_>,
        created: &Created,
        _: &Value,
        _: &Value,
    ) -> Result<Created, HandlerError> {
        // All properties replace it.
        Ok(created.clone())
    }

    async fn delete(
        &self,
        context: &HandlerContext<'_>,
        created: &Created,
        properties: &Value,
    ) -> Result<(), HandlerError> {
        let input = json!({ "FunctionName": properties["FunctionName"], "StatementId": created.physical_id });
        Ok(shape::unless_missing(context.call("lambda", "RemovePermission", input).await)?)
    }
}
