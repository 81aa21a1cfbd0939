//! The properties from CloudFormation's public schemas. Nothing is listed below unsupported ones.

use crate::cloudformation::resource_types::Property;

/// The properties of `AWS::CodeBuild::Project`.
pub(crate) const PROJECT: &[Property] = &[
    Property::required("Artifacts").with(&ARTIFACTS),
    Property::optional("AutoRetryLimit"),
    Property::optional("BadgeEnabled"),
    Property::optional("BuildBatchConfig"),
    Property::optional("Cache").with(&[
        Property::optional("CacheNamespace"),
        Property::optional("Location"),
        Property::optional("Modes"),
        Property::required("Type"),
    ]),
    Property::optional("ConcurrentBuildLimit"),
    Property::optional("Description"),
    Property::optional("EncryptionKey"),
    Property::required("Environment").with(&[
        Property::optional("Certificate"),
        Property::required("ComputeType"),
        Property::optional("DockerServer")
            .with(&[Property::required("ComputeType"), Property::optional("SecurityGroupIds")]),
        Property::optional("EnvironmentVariables").with(&[
            Property::required("Name"),
            Property::optional("Type"),
            Property::required("Value"),
        ]),
        Property::optional("Fleet").with(&[Property::optional("FleetArn")]),
        Property::required("Image"),
        Property::optional("ImagePullCredentialsType"),
        Property::optional("PrivilegedMode"),
        Property::optional("RegistryCredential")
            .with(&[Property::required("Credential"), Property::required("CredentialProvider")]),
        Property::required("Type"),
    ]),
    Property::optional("FileSystemLocations"),
    Property::optional("LogsConfig").with(&[
        Property::optional("CloudWatchLogs").with(&[
            Property::optional("GroupName"),
            Property::required("Status"),
            Property::optional("StreamName"),
        ]),
        Property::optional("S3Logs").with(&[
            Property::optional("EncryptionDisabled"),
            Property::optional("Location"),
            Property::required("Status"),
        ]),
    ]),
    Property::optional("Name").replacing(),
    Property::optional("QueuedTimeoutInMinutes"),
    Property::optional("ResourceAccessRole"),
    Property::optional("SecondaryArtifacts").with(&ARTIFACTS),
    Property::optional("SecondarySourceVersions")
        .with(&[Property::required("SourceIdentifier"), Property::optional("SourceVersion")]),
    Property::optional("SecondarySources").with(&SOURCE),
    Property::required("ServiceRole"),
    Property::required("Source").with(&SOURCE),
    Property::optional("SourceVersion"),
    Property::optional("Tags").with(&[Property::required("Key"), Property::required("Value")]),
    Property::optional("TimeoutInMinutes"),
    Property::optional("Triggers"),
    Property::optional("Visibility"),
    Property::optional("VpcConfig"),
];

/// The members of artifacts, primary and secondary.
const ARTIFACTS: [Property; 9] = [
    Property::optional("ArtifactIdentifier"),
    Property::optional("EncryptionDisabled"),
    Property::optional("Location"),
    Property::optional("Name"),
    Property::optional("NamespaceType"),
    Property::optional("OverrideArtifactName"),
    Property::optional("Packaging"),
    Property::optional("Path"),
    Property::required("Type"),
];

/// The members of a source, primary and secondary.
const SOURCE: [Property; 10] = [
    Property::optional("Auth").with(&[Property::optional("Resource"), Property::required("Type")]),
    Property::optional("BuildSpec"),
    Property::optional("BuildStatusConfig").with(&[Property::optional("Context"), Property::optional("TargetUrl")]),
    Property::optional("GitCloneDepth"),
    Property::optional("GitSubmodulesConfig").with(&[Property::required("FetchSubmodules")]),
    Property::optional("InsecureSsl"),
    Property::optional("Location"),
    Property::optional("ReportBuildStatus"),
    Property::optional("SourceIdentifier"),
    Property::required("Type"),
];
