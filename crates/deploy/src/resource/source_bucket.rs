//! The bucket that images are uploaded to.

use thumbctl_core::resource::ResourceKind;

use super::bucket::{self, BucketResource};
use super::listing::Listing;
use super::{ImportId, ResourceDescriptor, Stack, StepText, TemplateResource, TerraformResource};

pub(super) static SOURCE_BUCKET: BucketResource = BucketResource(ResourceDescriptor {
    kind: ResourceKind::SourceBucket,
    title: "Source bucket",
    purpose: "Receives the images: each upload invokes the function.",
    creation: Some(StepText {
        title: "Create the source bucket",
        reason: "Images are uploaded here.",
        calls: bucket::CREATION,
    }),
    deletion: Some(StepText {
        title: "Empty and delete the source bucket",
        reason: bucket::EMPTY_FIRST,
        calls: bucket::DELETION,
    }),
    listing: Some(Listing::Buckets),
    cloudformation: Some(TemplateResource {
        stack: Stack::App,
        logical_id: "SourceBucket",
        resource_type: "AWS::S3::Bucket",
    }),
    terraform: Some(TerraformResource {
        address: "module.function[0].aws_s3_bucket.source",
        parts: &[
            "module.function[0].aws_s3_bucket_public_access_block.source",
            "module.function[0].aws_s3_bucket_server_side_encryption_configuration.source",
        ],
        import: ImportId::Name,
    }),
});
