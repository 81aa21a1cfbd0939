//! Reads and validates the input of CreateFunction and UpdateFunction*.

use std::collections::BTreeMap;

use awsim_core::AwsError;
use serde_json::{Map, Value};

use super::code::Code;
use super::errors;
use super::function::{Function, ImageConfig};
use super::python;
use super::source::ZipEntryPoint;

/// Variables reserved for Lambda.
const RESERVED: &[&str] = &[
    "_HANDLER",
    "_X_AMZN_TRACE_ID",
    "AWS_DEFAULT_REGION",
    "AWS_REGION",
    "AWS_EXECUTION_ENV",
    "AWS_LAMBDA_FUNCTION_NAME",
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
    "AWS_LAMBDA_FUNCTION_VERSION",
    "AWS_LAMBDA_INITIALIZATION_TYPE",
    "AWS_LAMBDA_LOG_GROUP_NAME",
    "AWS_LAMBDA_LOG_STREAM_NAME",
    "AWS_ACCESS_KEY",
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_LAMBDA_RUNTIME_API",
    "LAMBDA_TASK_ROOT",
    "LAMBDA_RUNTIME_DIR",
];
/// The limit for all variables together, in bytes.
const MAX_ENVIRONMENT: usize = 4096;

/// The settings of CreateFunction and UpdateFunctionConfiguration. `None` keeps the current value.
#[derive(Debug, Default)]
pub(crate) struct FunctionSettings {
    pub role: Option<String>,
    description: Option<String>,
    memory_size: Option<u32>,
    timeout: Option<u32>,
    ephemeral_storage: Option<u32>,
    environment: Option<BTreeMap<String, String>>,
    image_config: Option<ImageConfig>,
    tracing_mode: Option<String>,
    logging: Option<Map<String, Value>>,
    runtime: Option<String>,
    handler: Option<String>,
}

impl FunctionSettings {
    pub(crate) fn read(input: &Value) -> Result<Self, AwsError> {
        Ok(Self {
            role: role(input)?,
            description: text(input, "Description"),
            memory_size: number(input, "MemorySize", "memorySize", 128, 10_240)?,
            timeout: number(input, "Timeout", "timeout", 1, 900)?,
            ephemeral_storage: number(&input["EphemeralStorage"], "Size", "ephemeralStorage.size", 512, 10_240)?,
            environment: environment(input)?,
            image_config: image_config(input)?,
            tracing_mode: one_of(&input["TracingConfig"], "Mode", "tracingConfig.mode", &["Active", "PassThrough"])?,
            logging: logging(input)?,
            runtime: runtime(input)?,
            handler: handler(input)?,
        })
    }

    pub(crate) fn apply(self, function: &mut Function) {
        fn set<T>(target: &mut T, value: Option<T>) {
            if let Some(value) = value {
                *target = value;
            }
        }
        set(&mut function.role, self.role);
        set(&mut function.description, self.description);
        set(&mut function.memory_size, self.memory_size);
        set(&mut function.timeout, self.timeout);
        set(&mut function.ephemeral_storage, self.ephemeral_storage);
        set(&mut function.environment, self.environment);
        set(&mut function.image_config, self.image_config);
        set(&mut function.tracing_mode, self.tracing_mode);
        if self.logging.is_some() {
            function.logging = self.logging;
        }
        if let Code::Zip(zip) = &mut function.code {
            set(&mut zip.runtime, self.runtime);
            set(&mut zip.handler, self.handler);
        }
    }
}

/// A function's package type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PackageType {
    Image,
    Zip,
}

impl PackageType {
    /// Reads CreateFunction's package type, and refuses members of the other type.
    pub(crate) fn read(input: &Value) -> Result<Self, AwsError> {
        let package = match input["PackageType"].as_str() {
            Some("Image") => Self::Image,
            // Lambda's default is Zip.
            Some("Zip") | None => Self::Zip,
            Some(other) => return Err(not_in_set(other, "packageType", &["Zip", "Image"])),
        };
        package.refuse_foreign(input)?;
        let complete =
            ["Handler", "Runtime"].iter().all(|field| input[field].as_str().is_some_and(|text| !text.is_empty()));
        if package == Self::Zip && !complete && input["Code"]["ImageUri"].is_null() {
            return Err(errors::invalid_parameter(
                "Runtime and Handler are mandatory parameters for functions created with deployment packages.",
            ));
        }
        Ok(package)
    }

    /// Refuses a request's members that only the other package type has.
    pub(crate) fn refuse_foreign(self, input: &Value) -> Result<(), AwsError> {
        let (name, foreign): (_, &[&str]) = match self {
            Self::Image => ("Image", &["Handler", "Runtime", "Layers"]),
            Self::Zip => ("Zip", &["ImageConfig"]),
        };
        if let Some(field) = foreign.iter().find(|field| !input[field].is_null()) {
            return Err(errors::invalid_parameter(format!(
                "Please don't provide {} when the intended function PackageType is {name}",
                field.to_lowercase()
            )));
        }
        if input["Layers"].as_array().is_some_and(|layers| !layers.is_empty()) {
            return Err(errors::invalid_parameter(
                "The sandbox has no layers: include dependencies in the function's package.",
            ));
        }
        Ok(())
    }
}

/// The runtime and handler of a request that creates a zip function.
pub(crate) fn entry(input: &Value) -> Option<ZipEntryPoint> {
    Some(ZipEntryPoint { runtime: text(input, "Runtime")?, handler: text(input, "Handler")? })
}

/// The architectures of a request, at most one.
pub(crate) fn architectures(input: &Value) -> Result<Option<Vec<String>>, AwsError> {
    let Some(list) = input["Architectures"].as_array().filter(|list| !list.is_empty()) else {
        return Ok(None);
    };
    match list.iter().map(Value::as_str).collect::<Vec<_>>().as_slice() {
        [Some(architecture @ ("x86_64" | "arm64"))] => Ok(Some(vec![(*architecture).to_owned()])),
        [Some(other)] => Err(not_in_set(other, "architectures", &["x86_64", "arm64"])),
        _ => Err(errors::invalid_parameter("Exactly one architecture can be given.")),
    }
}

/// The tags of CreateFunction and TagResource. Internal calls may set `aws:` tags.
pub(crate) fn tags(input: &Value, internal: bool) -> Result<BTreeMap<String, String>, AwsError> {
    let Some(tags) = input["Tags"].as_object() else {
        return Ok(BTreeMap::new());
    };
    let tags: BTreeMap<String, String> =
        tags.iter().filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned()))).collect();
    // CloudFormation's tags, set only by internal calls.
    if let Some(name) = tags.keys().find(|name| name.starts_with("aws:")).filter(|_| !internal) {
        return Err(errors::invalid_parameter(format!("The tag key '{name}' is not allowed.")));
    }
    check_tags(&tags)?;
    Ok(tags)
}

/// Lambda allows 50 tags.
pub(crate) fn check_tags(tags: &BTreeMap<String, String>) -> Result<(), AwsError> {
    if tags.keys().filter(|name| !name.starts_with("aws:")).count() > 50 {
        return Err(errors::invalid_parameter("Tag count exceeds the limit of 50."));
    }
    match tags.keys().find(|name| name.is_empty() || name.len() > 128) {
        Some(name) => Err(errors::invalid_parameter(format!("The tag key '{name}' is not allowed."))),
        None => Ok(()),
    }
}

fn text(input: &Value, field: &str) -> Option<String> {
    input[field].as_str().map(str::to_owned)
}

fn runtime(input: &Value) -> Result<Option<String>, AwsError> {
    let runtime = text(input, "Runtime");
    runtime.as_deref().map(python::check_runtime).transpose()?;
    Ok(runtime)
}

fn handler(input: &Value) -> Result<Option<String>, AwsError> {
    let handler = text(input, "Handler");
    match &handler {
        Some(name) if name.len() > 128 || name.contains(char::is_whitespace) => Err(errors::validation(format!(
            "1 validation error detected: Value '{name}' at 'handler' failed to satisfy constraint: Member must satisfy \
             regular expression pattern: [^\\s]+ and have length less than or equal to 128"
        ))),
        _ => Ok(handler),
    }
}

fn role(input: &Value) -> Result<Option<String>, AwsError> {
    let Some(role) = input["Role"].as_str() else {
        return Ok(None);
    };
    let shaped = role.strip_prefix("arn:aws").and_then(|rest| rest.split_once(":iam::")).is_some_and(|(_, rest)| {
        rest.split_once(":role/").is_some_and(|(account, name)| {
            account.len() == 12 && account.bytes().all(|byte| byte.is_ascii_digit()) && !name.is_empty()
        })
    });
    if !shaped {
        return Err(errors::validation(format!(
            "1 validation error detected: Value '{role}' at 'role' failed to satisfy constraint: Member must satisfy \
             regular expression pattern: arn:(aws[a-zA-Z-]*)?:iam::\\d{{12}}:role/?[a-zA-Z_0-9+=,.@\\-_/]+"
        )));
    }
    Ok(Some(role.to_owned()))
}

pub(crate) fn number(input: &Value, field: &str, member: &str, least: u32, most: u32) -> Result<Option<u32>, AwsError> {
    let value = &input[field];
    if value.is_null() {
        return Ok(None);
    }
    let refuse = |bound: String| {
        Err(errors::validation(format!(
            "1 validation error detected: Value '{value}' at '{member}' failed to satisfy constraint: Member must have \
             value {bound}"
        )))
    };
    match value.as_i64() {
        Some(number) if number > i64::from(most) => refuse(format!("less than or equal to {most}")),
        Some(number) if number < i64::from(least) => refuse(format!("greater than or equal to {least}")),
        Some(number) => Ok(u32::try_from(number).ok()),
        None => Err(AwsError::bad_request("SerializationException", format!("{field} must be a number"))),
    }
}

fn one_of(input: &Value, field: &str, member: &str, allowed: &[&str]) -> Result<Option<String>, AwsError> {
    match input[field].as_str() {
        Some(value) if !allowed.contains(&value) => Err(not_in_set(value, member, allowed)),
        value => Ok(value.map(str::to_owned)),
    }
}

fn not_in_set(value: &str, member: &str, allowed: &[&str]) -> AwsError {
    errors::validation(format!(
        "1 validation error detected: Value '{value}' at '{member}' failed to satisfy constraint: Member must satisfy enum \
         value set: [{}]",
        allowed.join(", ")
    ))
}

fn environment(input: &Value) -> Result<Option<BTreeMap<String, String>>, AwsError> {
    if input["Environment"].is_null() {
        return Ok(None);
    }
    let mut environment = BTreeMap::new();
    for (name, value) in input["Environment"]["Variables"].as_object().into_iter().flatten() {
        let head = name.bytes().next().is_some_and(|byte| byte.is_ascii_alphabetic());
        if !head || !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
            if RESERVED.contains(&name.as_str()) {
                return Err(reserved(name));
            }
            return Err(errors::validation(format!(
                "1 validation error detected: Value at 'environment.variables' failed to satisfy constraint: Map keys must \
                 satisfy constraint: [Member must satisfy regular expression pattern: [a-zA-Z]([a-zA-Z0-9_])+], got \
                 '{name}'"
            )));
        }
        let Some(value) = value.as_str() else {
            return Err(AwsError::bad_request(
                "SerializationException",
                format!("The variable {name} must be a string"),
            ));
        };
        if value.contains('\0') {
            return Err(errors::invalid_parameter(format!("The value of {name} holds a NUL character.")));
        }
        environment.insert(name.clone(), value.to_owned());
    }
    if let Some(name) = environment.keys().find(|name| RESERVED.contains(&name.as_str())) {
        return Err(reserved(name));
    }
    if environment.iter().map(|(name, value)| name.len() + value.len()).sum::<usize>() > MAX_ENVIRONMENT {
        return Err(errors::invalid_parameter(
            "Lambda was unable to configure your environment variables because the environment variables you have provided \
             exceeded the 4KB limit.",
        ));
    }
    Ok(Some(environment))
}

fn reserved(name: &str) -> AwsError {
    errors::invalid_parameter(format!(
        "Lambda was unable to configure your environment variables because the environment variables you have provided \
         contains reserved keys that are currently not supported for modification. Reserved keys used in this request: \
         {name}"
    ))
}

fn image_config(input: &Value) -> Result<Option<ImageConfig>, AwsError> {
    let config = &input["ImageConfig"];
    if config.is_null() {
        return Ok(None);
    }
    let list = |field: &str| -> Result<Vec<String>, AwsError> {
        let list: Vec<String> = config[field]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|item| item.as_str().map(str::to_owned))
            .collect();
        match list.len() {
            0..=1500 => Ok(list),
            _ => Err(errors::invalid_parameter(format!("{field} has too many parts."))),
        }
    };
    Ok(Some(ImageConfig {
        entrypoint: list("EntryPoint")?,
        command: list("Command")?,
        working_directory: text(config, "WorkingDirectory").filter(|directory| !directory.is_empty()),
    }))
}

fn logging(input: &Value) -> Result<Option<Map<String, Value>>, AwsError> {
    let config = &input["LoggingConfig"];
    let Some(logging) = config.as_object() else {
        return Ok(None);
    };
    if one_of(config, "LogFormat", "loggingConfig.logFormat", &["JSON", "Text"])?.as_deref() == Some("JSON") {
        // Refused, since the logs would be text all the same.
        return Err(errors::invalid_parameter("The sandbox writes function logs as Text only."));
    }
    if let Some(group) = config["LogGroup"].as_str()
        && !(1..=512).contains(&group.len())
    {
        return Err(errors::validation("1 validation error detected: 'loggingConfig.logGroup' is too long or empty"));
    }
    Ok(Some(logging.clone()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn refused(input: Value) -> AwsError {
        FunctionSettings::read(&input).unwrap_err()
    }

    #[test]
    fn memory_size_and_timeout_out_of_range_are_refused() {
        assert!(FunctionSettings::read(&json!({ "MemorySize": 128, "Timeout": 900 })).is_ok());
        for input in [
            json!({ "MemorySize": 127 }),
            json!({ "MemorySize": 10_241 }),
            json!({ "Timeout": 0 }),
            json!({ "Timeout": 901 }),
            json!({ "Timeout": -1 }),
        ] {
            assert_eq!(refused(input).code, "ValidationException");
        }
        assert_eq!(
            refused(json!({ "Timeout": 901 })).message,
            "1 validation error detected: Value '901' at 'timeout' failed to satisfy constraint: Member must have value \
             less than or equal to 900"
        );
    }

    #[test]
    fn reserved_variables_are_refused() {
        let refused = refused(json!({ "Environment": { "Variables": { "AWS_REGION": "x" } } }));
        assert_eq!(refused.code, "InvalidParameterValueException");
        assert!(refused.message.ends_with("AWS_REGION"));
        assert!(FunctionSettings::read(&json!({ "Environment": { "Variables": { "DEST_BUCKET": "x" } } })).is_ok());
    }

    #[test]
    fn members_of_other_package_type_are_refused() {
        let package = |input: Value| PackageType::read(&input).map_err(|error| error.message);
        assert_eq!(package(json!({ "PackageType": "Image" })), Ok(PackageType::Image));
        assert_eq!(package(json!({ "Runtime": "python3.13", "Handler": "a.b" })), Ok(PackageType::Zip));
        assert!(package(json!({ "PackageType": "Zip" })).unwrap_err().starts_with("Runtime and Handler are mandatory"));
        assert!(package(json!({ "PackageType": "Image", "Handler": "a.b" })).unwrap_err().contains("handler"));
        let layers = json!({ "Runtime": "python3.13", "Handler": "a.b", "Layers": ["arn:aws:lambda:x"] });
        assert!(package(layers).unwrap_err().contains("no layers"));
        assert_eq!(refused(json!({ "Runtime": "nodejs22.x" })).code, "InvalidParameterValueException");
        assert_eq!(refused(json!({ "Handler": "a b" })).code, "ValidationException");
    }

    #[test]
    fn role_must_be_a_role_arn() {
        assert!(FunctionSettings::read(&json!({ "Role": "arn:aws:iam::000000000000:role/path/name" })).is_ok());
        assert_eq!(refused(json!({ "Role": "name" })).code, "ValidationException");
    }
}
