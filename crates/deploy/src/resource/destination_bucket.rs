//! The bucket for thumbnails.

use thumbctl_core::resource::ResourceKind;

use super::bucket::{self, BucketResource};
use super::listing::Listing;
use super::{ImportId, ResourceDescriptor, Stack, StepText, TemplateResource, TerraformResource};

pub(super) static DESTINATION_BUCKET: BucketResource = BucketResource(ResourceDescriptor {
    kind: ResourceKind::DestinationBucket,
    title: "Destination bucket",
    purpose: "Stores the function's thumbnails.",
    creation: Some(StepText {
        title: "Create the destination bucket",
        reason: "Thumbnails are written here; in the source bucket, each would invoke the function again.",
        calls: bucket::CREATION,
    }),
    deletion: Some(StepText {
        title: "Empty and delete the destination bucket",
        reason: bucket::EMPTY_FIRST,
        calls: bucket::DELETION,
    }),
    listing: Some(Listing::Buckets),
    cloudformation: Some(TemplateResource {
        stack: Stack::App,
        logical_id: "DestinationBucket",
        resource_type: "AWS::S3::Bucket",
    }),
    terraform: Some(TerraformResource {
        address: "module.function[0].aws_s3_bucket.destination",
        parts: &[
            "module.function[0].aws_s3_bucket_public_access_block.destination",
            "module.function[0].aws_s3_bucket_server_side_encryption_configuration.destination",
        ],
        import: ImportId::Name,
    }),
});
