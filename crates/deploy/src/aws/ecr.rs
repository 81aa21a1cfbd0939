//! ECR: the repository, and its image by digest.

use aws_sdk_ecr::Client;
use aws_sdk_ecr::types::{ImageIdentifier, ImageScanningConfiguration, Tag};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

use super::error::{self, AwsError, Deleted, ErrorKind};
use super::pages::Pages;
use super::tags::{self, Tagged, Tags};
use crate::aws::operation::EcrOperation;

const SERVICE: &str = "ECR";

fn failed<E>(operation: EcrOperation) -> impl FnOnce(SdkError<E, HttpResponse>) -> AwsError
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
{
    AwsError::from_sdk(operation)
}

/// A repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Repository {
    /// Its name.
    pub name: String,
    /// Its ARN.
    pub arn: String,
    /// The URI of its images: `<account>.dkr.ecr.<region>.amazonaws.com/<name>`.
    pub uri: String,
    /// The tag mutability: `MUTABLE`, `IMMUTABLE`, ….
    pub tag_mutability: Option<String>,
    /// Whether images are scanned on push.
    pub scan_on_push: Option<bool>,
    /// The encryption at rest: `AES256`, `KMS`, ….
    pub encryption: Option<String>,
    /// When it was created, in milliseconds since 1970.
    pub created_ms: Option<i64>,
}

/// An image in a repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    /// `sha256:…`: the reference to deploy, since a tag can move.
    pub digest: String,
    /// Its size in bytes, compressed.
    pub size: u64,
    /// When it was pushed, in milliseconds since 1970.
    pub pushed_ms: Option<i64>,
    /// Its tags.
    pub tags: Vec<String>,
    /// The media type of its manifest.
    pub media_type: Option<String>,
}

/// Creates a repository without scan on push.
///
/// # Errors
/// [`ErrorKind::AlreadyExists`] for a name in use; also when the response lacks the repository.
pub async fn create_repository(client: &Client, name: &str, tags: &Tags) -> Result<Repository, AwsError> {
    const OPERATION: EcrOperation = EcrOperation::CreateRepository;
    let tags = tags
        .iter()
        .map(|(key, value)| {
            Tag::builder()
                .key(key)
                .value(value)
                .build()
                .map_err(|error| AwsError::new(SERVICE, OPERATION.name(), ErrorKind::Invalid, error.to_string()))
        })
        .collect::<Result<Vec<_>, _>>()?;
    client
        .create_repository()
        .repository_name(name)
        .image_scanning_configuration(ImageScanningConfiguration::builder().scan_on_push(false).build())
        .set_tags(Some(tags))
        .send()
        .await
        .map_err(failed(OPERATION))?
        .repository
        .and_then(from_sdk)
        .ok_or_else(|| AwsError::missing_field(SERVICE, OPERATION.name(), "the repository's ARN and URI"))
}

fn from_sdk(repository: aws_sdk_ecr::types::Repository) -> Option<Repository> {
    Some(Repository {
        name: repository.repository_name?,
        arn: repository.repository_arn?,
        uri: repository.repository_uri?,
        tag_mutability: repository.image_tag_mutability.map(|mutability| mutability.as_str().to_owned()),
        scan_on_push: repository.image_scanning_configuration.map(|scanning| scanning.scan_on_push),
        encryption: repository.encryption_configuration.map(|how| how.encryption_type.as_str().to_owned()),
        created_ms: repository.created_at.and_then(|at| at.to_millis().ok()),
    })
}

/// Returns a repository by its name; `None` if it does not exist.
///
/// # Errors
/// When the call is denied, or fails otherwise; a missing repository is no error.
pub async fn repository(client: &Client, name: &str) -> Result<Option<Repository>, AwsError> {
    let answer = client
        .describe_repositories()
        .repository_names(name)
        .send()
        .await
        .map_err(failed(EcrOperation::DescribeRepositories));
    Ok(error::optional(answer)?
        .and_then(|found| found.repositories)
        .and_then(|found| found.into_iter().find_map(from_sdk)))
}

/// Returns the image of a tag; `None` without the image or the repository.
///
/// # Errors
/// When the call is denied; a missing image or repository is no error.
pub async fn image_by_tag(client: &Client, repository: &str, tag: &str) -> Result<Option<Image>, AwsError> {
    let answer = client
        .describe_images()
        .repository_name(repository)
        .image_ids(ImageIdentifier::builder().image_tag(tag).build())
        .send()
        .await
        .map_err(failed(EcrOperation::DescribeImages));
    Ok(error::optional(answer)?
        .and_then(|found| found.image_details)
        .and_then(|found| found.into_iter().next())
        .and_then(|image| {
            Some(Image {
                digest: image.image_digest?,
                size: u64::try_from(image.image_size_in_bytes.unwrap_or_default()).unwrap_or_default(),
                pushed_ms: image.image_pushed_at.and_then(|at| at.to_millis().ok()),
                tags: image.image_tags.unwrap_or_default(),
                media_type: image.image_manifest_media_type,
            })
        }))
}

/// Deletes the image of a tag; a missing repository has none.
///
/// # Errors
/// When the call is denied, or the response lists the image as undeleted.
pub async fn delete_image(client: &Client, repository: &str, tag: &str) -> Result<Deleted, AwsError> {
    let id = aws_sdk_ecr::types::ImageIdentifier::builder().image_tag(tag).build();
    let answer = client
        .batch_delete_image()
        .repository_name(repository)
        .image_ids(id)
        .send()
        .await
        .map_err(failed(EcrOperation::BatchDeleteImage));
    // Rule: failed deletions are listed in a successful response.
    // https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_BatchDeleteImage.html
    let Some(deleted) = error::optional(answer)? else { return Ok(Deleted::AlreadyGone) };
    let undeleted = deleted
        .failures()
        .iter()
        .find(|failure| failure.failure_code() != Some(&aws_sdk_ecr::types::ImageFailureCode::ImageNotFound));
    match undeleted {
        Some(failure) => {
            let why = failure.failure_reason().unwrap_or("no reason given");
            Err(AwsError::new(SERVICE, "BatchDeleteImage", ErrorKind::Other, why))
        }
        None if deleted.image_ids().is_empty() => Ok(Deleted::AlreadyGone),
        None => Ok(Deleted::Now),
    }
}

/// Deletes a repository with the images in it.
///
/// # Errors
/// When the call is denied; a missing repository is no error.
// Rule: by force; without it, deleting a repository with images fails.
// https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_DeleteRepository.html
pub async fn delete_repository(client: &Client, name: &str) -> Result<Deleted, AwsError> {
    error::deleted(
        client
            .delete_repository()
            .repository_name(name)
            .force(true)
            .send()
            .await
            .map_err(failed(EcrOperation::DeleteRepository)),
    )
}

/// Returns the repositories with a name prefix, with their tags.
///
/// # Errors
/// When a page is denied, or the listing has no end ([`ErrorKind::Oversized`]).
pub async fn list_repositories(client: &Client, prefix: &str) -> Result<Vec<Tagged>, AwsError> {
    let mut named = Vec::new();
    let mut pages = Pages::new(SERVICE, "DescribeRepositories");
    loop {
        let page = client
            .describe_repositories()
            .set_next_token(pages.token())
            .send()
            .await
            .map_err(failed(EcrOperation::DescribeRepositories))?;
        named.extend(
            page.repositories
                .unwrap_or_default()
                .into_iter()
                .filter_map(from_sdk)
                .filter(|repository| repository.name.starts_with(prefix)),
        );
        if !pages.continue_with(page.next_token)? {
            break;
        }
    }
    let mut found = Vec::with_capacity(named.len());
    for repository in named {
        if let Some(tags) = error::optional(repository_tags(client, &repository.arn).await)? {
            found.push(Tagged { name: repository.name, arn: repository.arn, tags });
        }
    }
    Ok(found)
}

/// Returns a repository's policy, as JSON; `None` if it has none. Lambda writes one when it first pulls an image.
///
/// # Errors
/// When the call is denied, or the policy is not JSON; none is no error.
pub async fn repository_policy(client: &Client, name: &str) -> Result<Option<serde_json::Value>, AwsError> {
    const OPERATION: EcrOperation = EcrOperation::GetRepositoryPolicy;
    let answer = client.get_repository_policy().repository_name(name).send().await.map_err(failed(OPERATION));
    let Some(text) = error::optional(answer)?.and_then(|found| found.policy_text) else { return Ok(None) };
    serde_json::from_str(&text).map(Some).map_err(|error| AwsError {
        source: Some(Box::new(error)),
        ..AwsError::missing_field(SERVICE, OPERATION.name(), "a readable policy")
    })
}

/// Returns a repository's tags, by its ARN.
///
/// # Errors
/// [`ErrorKind::NotFound`] without the repository.
pub async fn repository_tags(client: &Client, arn: &str) -> Result<Tags, AwsError> {
    let answer = client
        .list_tags_for_resource()
        .resource_arn(arn)
        .send()
        .await
        .map_err(failed(EcrOperation::ListTagsForResource))?;
    Ok(tags::from_pairs(answer.tags.unwrap_or_default().into_iter().map(|tag| (tag.key, tag.value))))
}
