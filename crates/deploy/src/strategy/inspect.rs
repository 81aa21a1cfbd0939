//! Reads a resource's actual configuration from the cloud; changes nothing, and adds nothing of the local settings.
//!
//! Credentials are hidden here already, so that no caller can show them by mistake.

mod builder;

use serde_json::Value;
use thumbctl_core::names::Names;
use thumbctl_core::resource::ResourceKind;
use thumbctl_platform::text::bytes;

use self::builder::{InspectionBuilder, minutes, time, time_of_text, yes_or_no};
use super::deploy_target::DeployTarget;
use crate::aws::s3::{EventRule, PublicAccessBlock};
use crate::aws::{AwsError, cloudformation, codebuild, ecr, iam, lambda, logs, s3};

/// A resource's configuration in the cloud.
///
/// A part without read permission is a setting with the value [`DENIED`], also for tags or a document.
#[derive(Clone, Debug, PartialEq)]
pub struct Inspection {
    /// Its kind.
    pub kind: ResourceKind,
    /// Its name.
    pub name: String,
    /// Its ARN, if the kind has one.
    pub arn: Option<String>,
    /// Its settings, label and value, in display order.
    pub settings: Vec<(String, String)>,
    /// Its tags, sorted.
    pub tags: Vec<(String, String)>,
    /// Its policy documents, each with its purpose: `permissions`, `trust`, `resource policy`.
    pub documents: Vec<(String, Value)>,
}

/// The value of a setting without read permission.
pub const DENIED: &str = "access denied";

/// Reads one resource; `None` if it does not exist. If its existence is not visible either, that is an
/// error of the kind [`crate::aws::ErrorKind::Denied`].
pub async fn inspect(target: &DeployTarget, names: &Names, kind: ResourceKind) -> Result<Option<Inspection>, AwsError> {
    let look = Inspector { target, names, name: names.of(kind) };
    let builder = match kind {
        ResourceKind::Repository => look.repository().await,
        ResourceKind::Image => look.image().await,
        ResourceKind::BuildSourceBucket | ResourceKind::SourceBucket | ResourceKind::DestinationBucket => {
            look.bucket().await
        }
        ResourceKind::BuildLogGroup | ResourceKind::FunctionLogGroup | ResourceKind::MacroLogGroup => {
            look.log_group().await
        }
        ResourceKind::BuildPolicy | ResourceKind::FunctionPolicy => look.policy().await,
        ResourceKind::BuildRole | ResourceKind::FunctionRole | ResourceKind::MacroRole => look.role().await,
        ResourceKind::BuildProject => look.project().await,
        ResourceKind::Function | ResourceKind::MacroFunction => look.function().await,
        ResourceKind::InvokePermission => look.permission().await,
        ResourceKind::Notification => look.notification().await,
        ResourceKind::MacroStack | ResourceKind::BuildStack | ResourceKind::AppStack => look.stack().await,
        ResourceKind::Macro => look.template_macro().await,
    };
    match builder {
        Ok(builder) => Ok(builder.map(|builder| builder.finish(kind, look.name))),
        // It was deleted during the inspection.
        Err(error) if error.is_not_found() => Ok(None),
        Err(error) => Err(error),
    }
}

/// The inspection of one resource. Each kind's method returns its settings, or nothing if it does not exist; an error
/// of the first call is the inspection's, a denied later call only affects its part.
struct Inspector<'a> {
    target: &'a DeployTarget,
    names: &'a Names,
    name: String,
}

impl Inspector<'_> {
    async fn repository(&self) -> Result<Option<InspectionBuilder>, AwsError> {
        let client = &self.target.clients.ecr;
        let Some(found) = ecr::repository(client, &self.name).await? else { return Ok(None) };
        let (tags, policy) =
            tokio::join!(ecr::repository_tags(client, &found.arn), ecr::repository_policy(client, &self.name));
        let mut builder = InspectionBuilder::new(Some(found.arn));
        builder.row("URI", found.uri);
        builder.optional("tag mutability", found.tag_mutability.map(|word| word.to_lowercase().replace('_', " ")));
        builder.optional("scan on push", found.scan_on_push.map(yes_or_no));
        builder.optional("encryption", found.encryption);
        builder.optional("created", found.created_ms.map(time));
        builder.tags(tags)?;
        if let Some(Some(policy)) = builder.part("resource policy", policy)? {
            builder.document("resource policy", policy);
        }
        Ok(Some(builder))
    }

    async fn image(&self) -> Result<Option<InspectionBuilder>, AwsError> {
        let repository = self.names.of(ResourceKind::Repository);
        let image = ecr::image_by_tag(&self.target.clients.ecr, &repository, self.names.image_tag()).await?;
        Ok(image.map(|image| {
            let mut builder = InspectionBuilder::new(None);
            builder.row("digest", image.digest);
            builder.row("tags", image.tags.join(", "));
            builder.row("size", bytes(image.size));
            builder.optional("pushed", image.pushed_ms.map(time));
            builder.optional("media type", image.media_type);
            builder
        }))
    }

    async fn bucket(&self) -> Result<Option<InspectionBuilder>, AwsError> {
        let (client, name) = (&self.target.clients.s3, &self.name);
        let Some(found) = s3::bucket(client, name).await? else { return Ok(None) };
        let (encryption, block, versioning, tags) = tokio::join!(
            s3::bucket_encryption(client, name),
            s3::public_access_block(client, name),
            s3::bucket_versioning(client, name),
            s3::bucket_tags(client, name),
        );
        let mut builder = InspectionBuilder::new(Some(format!("arn:aws:s3:::{name}")));
        builder.optional("region", found.region);
        if let Some(encryption) = builder.part("encryption", encryption)? {
            builder.row("encryption", encryption.map_or("none".to_owned(), words_for_encryption));
        }
        if let Some(block) = builder.part("public access", block)? {
            builder.row("public access", words_for_block(block));
        }
        if let Some(versioning) = builder.part("versioning", versioning)? {
            builder.row("versioning", versioning.map_or("off".to_owned(), |status| status.to_lowercase()));
        }
        builder.tags(tags)?;
        Ok(Some(builder))
    }

    async fn log_group(&self) -> Result<Option<InspectionBuilder>, AwsError> {
        let client = &self.target.clients.logs;
        let Some(found) = logs::log_group(client, &self.name).await? else { return Ok(None) };
        let tags = logs::log_group_tags(client, &found.arn).await;
        let mut builder = InspectionBuilder::new(Some(found.arn));
        builder.row(
            "retention",
            match found.retention_days {
                None => "unlimited".to_owned(),
                Some(1) => "1 day".to_owned(),
                Some(days) => format!("{days} days"),
            },
        );
        builder.optional("stored", found.stored_bytes.map(bytes));
        builder.optional("created", found.created_ms.map(time));
        builder.tags(tags)?;
        Ok(Some(builder))
    }

    async fn policy(&self) -> Result<Option<InspectionBuilder>, AwsError> {
        let client = &self.target.clients.iam;
        let arn = format!("arn:aws:iam::{}:policy/{}", self.target.identity.account, self.name);
        let Some(found) = iam::policy(client, &arn).await? else { return Ok(None) };
        let mut builder = InspectionBuilder::new(Some(found.arn));
        builder.optional("description", found.description);
        builder
            .optional("attached to", found.attachment_count.map(|count| format!("{count} of roles, users and groups")));
        builder.optional("default version", found.default_version.clone());
        builder.optional("created", found.created_ms.map(time));
        builder.optional("changed", found.updated_ms.map(time));
        builder.tags(Ok(found.tags))?;
        if let Some(version) = found.default_version {
            let document = iam::policy_document(client, &arn, &version).await;
            if let Some(document) = builder.part("permissions", document)? {
                builder.document("permissions", document);
            }
        }
        Ok(Some(builder))
    }

    async fn role(&self) -> Result<Option<InspectionBuilder>, AwsError> {
        let client = &self.target.clients.iam;
        let Some(found) = iam::role(client, &self.name).await? else { return Ok(None) };
        let attached = iam::attached_policies(client, &self.name).await;
        let mut builder = InspectionBuilder::new(Some(found.arn));
        builder.optional("description", found.description);
        match builder.part("attached policy", attached)? {
            Some(None) => return Ok(None),
            Some(Some(policies)) if policies.is_empty() => builder.row("attached policy", "none"),
            Some(Some(policies)) => policies.into_iter().for_each(|arn| builder.row("attached policy", arn)),
            None => {}
        }
        builder.optional("longest session", found.max_session_seconds.map(|seconds| minutes(seconds / 60)));
        builder.optional("created", found.created_ms.map(time));
        builder.tags(Ok(found.tags))?;
        if let Some(trust) = found.trust {
            builder.document("trust", trust);
        }
        Ok(Some(builder))
    }

    async fn project(&self) -> Result<Option<InspectionBuilder>, AwsError> {
        let Some(found) = codebuild::project(&self.target.clients.codebuild, &self.name).await? else {
            return Ok(None);
        };
        let mut builder = InspectionBuilder::new(Some(found.arn));
        builder.optional("description", found.description);
        let source = [found.source.kind, found.source.location].into_iter().flatten().collect::<Vec<_>>();
        builder.row("source", source.join(" "));
        builder.row(
            "buildspec",
            match found.source.buildspec {
                None => "from the source".to_owned(),
                Some(text) if text.contains('\n') => "inline".to_owned(),
                Some(path) => path,
            },
        );
        builder.optional("build image", found.image);
        builder.optional("compute type", found.compute_type);
        builder.optional("environment type", found.environment_type);
        builder.optional("privileged", found.privileged.map(yes_or_no));
        builder.optional("timeout", found.timeout_minutes.map(minutes));
        builder.optional("queue timeout", found.queued_timeout_minutes.map(minutes));
        builder.optional("service role", found.role_arn);
        builder.optional("log group", found.log_group);
        for variable in found.environment {
            let value = match variable.kept_in {
                None => variable.value,
                Some(place) => format!("{} ({})", variable.value, place.to_lowercase().replace('_', " ")),
            };
            builder.variable(&variable.name, &value);
        }
        builder.optional("created", found.created_ms.map(time));
        builder.optional("changed", found.modified_ms.map(time));
        builder.tags(Ok(found.tags))?;
        Ok(Some(builder))
    }

    async fn function(&self) -> Result<Option<InspectionBuilder>, AwsError> {
        let client = &self.target.clients.lambda;
        let Some(found) = lambda::function(client, &self.name).await? else { return Ok(None) };
        let code = lambda::function_code(client, &self.name).await;
        let mut builder = InspectionBuilder::new(Some(found.arn));
        builder.row("state", words_for_state(found.state));
        builder.optional("description", found.description);
        let code = builder.part("image", code)?;
        let mut tags = None;
        match code {
            Some(None) => return Ok(None),
            Some(Some(code)) => {
                builder.optional("image", code.image_uri);
                let digest = code.resolved_image_uri.as_deref().and_then(|uri| uri.split_once('@'));
                builder.optional("image digest", digest.map(|(_, digest)| digest.to_owned()));
                tags = code.tags;
            }
            None => {}
        }
        builder.row("architecture", found.architectures.join(", "));
        builder.row("memory", format!("{} MB", found.memory_mb));
        builder.row("timeout", format!("{} s", found.timeout_seconds));
        builder.row("execution role", found.role_arn);
        builder.optional("log group", found.log_group);
        for (name, value) in &found.environment.0 {
            builder.variable(name, value);
        }
        // For an image, Lambda reports 0: it is in ECR.
        builder
            .row("code size", if found.code_size == 0 { "stored in ECR".to_owned() } else { bytes(found.code_size) });
        builder.optional("changed", found.last_modified.map(time_of_text));
        match tags {
            Some(tags) => builder.tags(Ok(tags))?,
            None => builder.row("tags", DENIED),
        }
        Ok(Some(builder))
    }

    async fn permission(&self) -> Result<Option<InspectionBuilder>, AwsError> {
        let function = self.names.of(ResourceKind::Function);
        let bucket = self.names.of(ResourceKind::SourceBucket);
        let statements = lambda::bucket_permissions(&self.target.clients.lambda, &function, &bucket).await?;
        Ok(statements.into_iter().next().map(|statement| {
            let mut builder = InspectionBuilder::new(None);
            let text = |value: &Value| value.as_str().map(str::to_owned);
            let condition = &statement["Condition"];
            builder.row("function", function);
            builder.optional("effect", text(&statement["Effect"]));
            builder.optional("principal", text(&statement["Principal"]["Service"]).or(text(&statement["Principal"])));
            builder.optional("action", text(&statement["Action"]));
            builder.optional("source", text(&condition["ArnLike"]["AWS:SourceArn"]));
            builder.optional("source account", text(&condition["StringEquals"]["AWS:SourceAccount"]));
            builder.document("resource policy", statement);
            builder
        }))
    }

    async fn stack(&self) -> Result<Option<InspectionBuilder>, AwsError> {
        let found = cloudformation::stack(&self.target.clients.cloudformation, &self.name).await?;
        let Some(found) = found.filter(|found| !found.status.is_deleted()) else { return Ok(None) };
        let mut builder = InspectionBuilder::new(Some(found.id));
        builder.row("status", found.status.as_str());
        builder.optional("reason", found.reason);
        builder.optional("description", found.description);
        builder.optional("created", found.created_ms.map(time));
        for (name, value) in found.parameters {
            builder.row(&format!("parameter {name}"), value);
        }
        for (name, value) in found.outputs {
            builder.row(&format!("output {name}"), value);
        }
        builder.tags(Ok(found.tags))?;
        Ok(Some(builder))
    }

    /// CloudFormation describes no macros: the data is that of its stack and its function.
    async fn template_macro(&self) -> Result<Option<InspectionBuilder>, AwsError> {
        let stack = self.names.of(ResourceKind::MacroStack);
        let found = cloudformation::stack(&self.target.clients.cloudformation, &stack).await?;
        Ok(found.filter(|found| found.status.is_complete()).map(|_| {
            let mut builder = InspectionBuilder::new(None);
            builder.row("stack", stack);
            builder.row("function", self.names.of(ResourceKind::MacroFunction));
            builder
        }))
    }

    async fn notification(&self) -> Result<Option<InspectionBuilder>, AwsError> {
        let bucket = self.names.of(ResourceKind::SourceBucket);
        let function = self.names.of(ResourceKind::Function);
        let rules = s3::notification(&self.target.clients.s3, &bucket).await?.unwrap_or_default();
        let rules: Vec<EventRule> = rules.into_iter().filter(|rule| rule.invokes(&function)).collect();
        if rules.is_empty() {
            return Ok(None);
        }
        let mut builder = InspectionBuilder::new(None);
        builder.row("bucket", bucket);
        for rule in rules {
            builder.row("events", rule.events.join(", "));
            builder.row("prefix", rule.prefix.unwrap_or_else(|| "any".to_owned()));
            builder.row("suffix", rule.suffix.unwrap_or_else(|| "any".to_owned()));
            builder.row("function", rule.function_arn);
            builder.optional("id", rule.id);
        }
        Ok(Some(builder))
    }
}

fn words_for_encryption(encryption: s3::Encryption) -> String {
    match encryption.key {
        Some(key) => format!("{} with {key}", encryption.algorithm),
        None => encryption.algorithm,
    }
}

fn words_for_block(block: Option<PublicAccessBlock>) -> String {
    let Some(block) = block else { return "not blocked".to_owned() };
    let ways = [
        ("new ACLs", block.block_acls),
        ("ACLs", block.ignore_acls),
        ("new policies", block.block_policy),
        ("policies", block.restrict),
    ];
    let open: Vec<&str> = ways.iter().filter(|(_, blocked)| !blocked).map(|(way, _)| *way).collect();
    match open.len() {
        0 => "blocked".to_owned(),
        4 => "not blocked".to_owned(),
        _ => format!("blocked, except {}", open.join(", ")),
    }
}

fn words_for_state(state: lambda::FunctionState) -> String {
    match state {
        lambda::FunctionState::Pending => "pending".to_owned(),
        lambda::FunctionState::Active => "active".to_owned(),
        lambda::FunctionState::Inactive => "inactive".to_owned(),
        lambda::FunctionState::Failed(reason) => format!("failed: {reason}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unblocked_public_access_is_named() {
        let block = |block_acls, ignore_acls, block_policy, restrict| {
            words_for_block(Some(PublicAccessBlock { block_acls, ignore_acls, block_policy, restrict }))
        };
        assert_eq!(block(true, true, true, true), "blocked");
        assert_eq!(block(true, false, true, false), "blocked, except ACLs, policies");
        assert_eq!(block(false, false, false, false), "not blocked");
        assert_eq!(words_for_block(None), "not blocked");
    }
}
