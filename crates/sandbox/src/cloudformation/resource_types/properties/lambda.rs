//! The properties from CloudFormation's public schemas. Nothing is listed below unsupported ones.

use crate::cloudformation::resource_types::Property;

/// The properties of `AWS::Lambda::Function`.
pub(crate) const FUNCTION: &[Property] = &[
    Property::optional("Architectures"),
    Property::optional("CapacityProviderConfig"),
    Property::required("Code").with(&[
        Property::optional("ImageUri"),
        Property::optional("S3Bucket"),
        Property::optional("S3Key"),
        Property::optional("S3ObjectStorageMode"),
        Property::optional("S3ObjectVersion"),
        Property::optional("SourceKMSKeyArn"),
        Property::optional("ZipFile"),
    ]),
    Property::optional("CodeSigningConfigArn"),
    Property::optional("DeadLetterConfig"),
    Property::optional("Description"),
    Property::optional("DurableConfig"),
    Property::optional("Environment").with(&[Property::optional("Variables")]),
    Property::optional("EphemeralStorage").with(&[Property::required("Size")]),
    Property::optional("FileSystemConfigs"),
    Property::optional("FunctionName").replacing(),
    Property::optional("FunctionScalingConfig"),
    Property::optional("Handler"),
    Property::optional("ImageConfig").with(&[
        Property::optional("Command"),
        Property::optional("EntryPoint"),
        Property::optional("WorkingDirectory"),
    ]),
    Property::optional("KmsKeyArn"),
    Property::optional("Layers"),
    Property::optional("LoggingConfig").with(&[
        Property::optional("ApplicationLogLevel"),
        Property::optional("LogFormat"),
        Property::optional("LogGroup"),
        Property::optional("SystemLogLevel"),
    ]),
    Property::optional("MemorySize"),
    Property::optional("PackageType").replacing(),
    Property::optional("PublishToLatestPublished"),
    Property::optional("RecursiveLoop"),
    Property::optional("ReservedConcurrentExecutions"),
    Property::required("Role"),
    Property::optional("Runtime"),
    Property::optional("RuntimeManagementConfig"),
    Property::optional("SnapStart"),
    Property::optional("Tags").with(&[Property::required("Key"), Property::optional("Value")]),
    Property::optional("TenancyConfig").replacing(),
    Property::optional("Timeout"),
    Property::optional("TracingConfig").with(&[Property::optional("Mode")]),
    Property::optional("VpcConfig"),
];

/// The properties of `AWS::Lambda::Permission`.
pub(crate) const PERMISSION: &[Property] = &[
    Property::required("Action").replacing(),
    Property::optional("EventSourceToken").replacing(),
    Property::required("FunctionName").replacing(),
    Property::optional("FunctionUrlAuthType").replacing(),
    Property::optional("InvokedViaFunctionUrl").replacing(),
    Property::required("Principal").replacing(),
    Property::optional("PrincipalOrgID").replacing(),
    Property::optional("SourceAccount").replacing(),
    Property::optional("SourceArn").replacing(),
];
