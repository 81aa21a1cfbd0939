//! The bucket with the function's source for CodeBuild.

use thumbctl_core::resource::ResourceKind;

use super::bucket::{self, BucketResource};
use super::listing::Listing;
use super::{ImportId, ResourceDescriptor, Stack, StepText, TemplateResource, TerraformResource};

pub(super) static BUILD_SOURCE_BUCKET: BucketResource = BucketResource(ResourceDescriptor {
    kind: ResourceKind::BuildSourceBucket,
    title: "Build source bucket",
    purpose: "Stores the function's source as a zip for CodeBuild.",
    creation: Some(StepText {
        title: "Create the build source bucket",
        reason: "CodeBuild reads the function's source from S3; no other source host is needed.",
        calls: bucket::CREATION,
    }),
    deletion: Some(StepText {
        title: "Empty and delete the build source bucket",
        reason: bucket::EMPTY_FIRST,
        calls: bucket::DELETION,
    }),
    listing: Some(Listing::Buckets),
    cloudformation: Some(TemplateResource {
        stack: Stack::Build,
        logical_id: "BuildSourceBucket",
        resource_type: "AWS::S3::Bucket",
    }),
    terraform: Some(TerraformResource {
        address: "aws_s3_bucket.build_source[0]",
        parts: &[
            "aws_s3_bucket_public_access_block.build_source[0]",
            "aws_s3_bucket_server_side_encryption_configuration.build_source[0]",
        ],
        import: ImportId::Name,
    }),
});

/// The key of the function's source in the bucket.
pub(crate) const SOURCE_KEY: &str = "function.zip";
