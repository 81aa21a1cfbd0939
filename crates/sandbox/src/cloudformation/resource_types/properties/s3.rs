//! The properties from CloudFormation's public schemas. Nothing is listed below unsupported ones.

use crate::cloudformation::resource_types::Property;

/// The properties of `AWS::S3::Bucket`.
pub(crate) const BUCKET: &[Property] = &[
    Property::optional("AbacStatus"),
    Property::optional("AccelerateConfiguration"),
    Property::optional("AccessControl"),
    Property::optional("AnalyticsConfigurations"),
    Property::optional("BucketEncryption").with(&[Property::required("ServerSideEncryptionConfiguration").with(&[
        Property::optional("BlockedEncryptionTypes").with(&[Property::optional("EncryptionType")]),
        Property::optional("BucketKeyEnabled"),
        Property::optional("ServerSideEncryptionByDefault")
            .with(&[Property::optional("KMSMasterKeyID"), Property::required("SSEAlgorithm")]),
    ])]),
    Property::optional("BucketName").replacing(),
    Property::optional("BucketNamePrefix").replacing(),
    Property::optional("BucketNamespace").replacing(),
    Property::optional("CorsConfiguration"),
    Property::optional("IntelligentTieringConfigurations"),
    Property::optional("InventoryConfigurations"),
    Property::optional("LifecycleConfiguration").with(&[
        Property::required("Rules").with(&[
            Property::optional("AbortIncompleteMultipartUpload").with(&[Property::required("DaysAfterInitiation")]),
            Property::optional("ExpirationDate"),
            Property::optional("ExpirationInDays"),
            Property::optional("ExpiredObjectDeleteMarker"),
            Property::optional("Id"),
            Property::optional("NoncurrentVersionExpiration")
                .with(&[Property::optional("NewerNoncurrentVersions"), Property::required("NoncurrentDays")]),
            Property::optional("NoncurrentVersionExpirationInDays"),
            Property::optional("NoncurrentVersionTransition").with(&[
                Property::optional("NewerNoncurrentVersions"),
                Property::required("StorageClass"),
                Property::required("TransitionInDays"),
            ]),
            Property::optional("NoncurrentVersionTransitions").with(&[
                Property::optional("NewerNoncurrentVersions"),
                Property::required("StorageClass"),
                Property::required("TransitionInDays"),
            ]),
            Property::optional("ObjectSizeGreaterThan"),
            Property::optional("ObjectSizeLessThan"),
            Property::optional("Prefix"),
            Property::required("Status"),
            Property::optional("TagFilters").with(&[Property::required("Key"), Property::required("Value")]),
            Property::optional("Transition").with(&[
                Property::required("StorageClass"),
                Property::optional("TransitionDate"),
                Property::optional("TransitionInDays"),
            ]),
            Property::optional("Transitions").with(&[
                Property::required("StorageClass"),
                Property::optional("TransitionDate"),
                Property::optional("TransitionInDays"),
            ]),
        ]),
        Property::optional("TransitionDefaultMinimumObjectSize"),
    ]),
    Property::optional("LoggingConfiguration"),
    Property::optional("MetadataConfiguration"),
    Property::optional("MetadataTableConfiguration"),
    Property::optional("MetricsConfigurations"),
    Property::optional("NotificationConfiguration").with(&[
        Property::optional("EventBridgeConfiguration").with(&[Property::required("EventBridgeEnabled")]),
        Property::optional("LambdaConfigurations").with(&[
            Property::required("Event"),
            Property::optional("Filter").with(&[Property::required("S3Key").with(&[
                Property::required("Rules").with(&[Property::required("Name"), Property::required("Value")])
            ])]),
            Property::required("Function"),
        ]),
        Property::optional("QueueConfigurations").with(&[
            Property::required("Event"),
            Property::optional("Filter").with(&[Property::required("S3Key").with(&[
                Property::required("Rules").with(&[Property::required("Name"), Property::required("Value")])
            ])]),
            Property::required("Queue"),
        ]),
        Property::optional("TopicConfigurations").with(&[
            Property::required("Event"),
            Property::optional("Filter").with(&[Property::required("S3Key").with(&[
                Property::required("Rules").with(&[Property::required("Name"), Property::required("Value")])
            ])]),
            Property::required("Topic"),
        ]),
    ]),
    Property::optional("ObjectLockConfiguration"),
    Property::optional("ObjectLockEnabled"),
    Property::optional("OwnershipControls")
        .with(&[Property::required("Rules").with(&[Property::optional("ObjectOwnership")])]),
    Property::optional("PublicAccessBlockConfiguration").with(&[
        Property::optional("BlockPublicAcls"),
        Property::optional("BlockPublicPolicy"),
        Property::optional("IgnorePublicAcls"),
        Property::optional("RestrictPublicBuckets"),
    ]),
    Property::optional("ReplicationConfiguration"),
    Property::optional("Tags").with(&[Property::required("Key"), Property::required("Value")]),
    Property::optional("VersioningConfiguration").with(&[Property::required("Status")]),
    Property::optional("WebsiteConfiguration"),
];

/// The properties of `AWS::S3::BucketPolicy`.
pub(crate) const BUCKET_POLICY: &[Property] =
    &[Property::required("Bucket").replacing(), Property::required("PolicyDocument")];
