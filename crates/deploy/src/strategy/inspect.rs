//! What a resource is really like: asks the cloud, changes nothing, and says nothing that comes from our own settings.
//!
//! What looks like a credential is hidden here already, so that nobody above can show it by mistake.

mod builder;

use serde_json::Value;
use thumbctl_core::names::Names;
use thumbctl_core::resource::ResourceKind;
use thumbctl_platform::text::bytes;

use self::builder::{InspectionBuilder, minutes, time, time_of_text, yes_or_no};
use super::deploy_target::DeployTarget;
use crate::aws::s3::{EventRule, PublicAccessBlock};
use crate::aws::{AwsError, cloudformation, codebuild, ecr, iam, lambda, logs, s3};

/// A resource as the cloud describes it.
///
/// A part that the caller may not see is a setting with the value [`DENIED`], also where it would be tags or a document.
#[derive(Clone, Debug, PartialEq)]
pub struct Inspection {
    /// What it is.
    pub kind: ResourceKind,
    /// Its name.
    pub name: String,
    /// Its ARN, if such things have one.
    pub arn: Option<String>,
    /// Its configuration, label and value, in the order in which people want it.
    pub settings: Vec<(String, String)>,
    /// Its tags, sorted.
    pub tags: Vec<(String, String)>,
    /// Policy documents that belong to it, each with what it is for: `permissions`, `trust`, `resource policy`.
    pub documents: Vec<(String, Value)>,
}

/// The value of a setting that the caller may not see.
pub const DENIED: &str = "access denied";

/// Asks what one resource is like; `None` if it is not there. If the caller may not even ask whether it is, that is an
/// error of the kind [`crate::aws::ErrorKind::Denied`].
pub async fn inspect(target: &DeployTarget, names: &Names, kind: ResourceKind) -> Result<Option<Inspection>, AwsError> {
    let look = Look { target, names, name: names.of(kind) };
    let sheet = match kind {
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
    match sheet {
        Ok(sheet) => Ok(sheet.map(|sheet| sheet.finish(kind, look.name))),
        // It went while it was looked at.
        Err(error) if error.is_not_found() => Ok(None),
        Err(error) => Err(error),
    }
}

/// A look at one resource. Each kind's answers what it has found, or nothing if the resource is not there; an error of
/// the first call is the look's own, one of a later call only spoils its part if it is a refusal.
struct Look<'a> {
    target: &'a DeployTarget,
    names: &'a Names,
    name: String,
}

impl Look<'_> {
    async fn repository(&self) -> Result<Option<InspectionBuilder>, AwsError> {
        let client = &self.target.clients.ecr;
        let Some(found) = ecr::repository(client, &self.name).await? else { return Ok(None) };
        let (tags, policy) =
            tokio::join!(ecr::repository_tags(client, &found.arn), ecr::repository_policy(client, &self.name));
        let mut sheet = InspectionBuilder::new(Some(found.arn));
        sheet.row("URI", found.uri);
        sheet.optional("tag mutability", found.tag_mutability.map(|word| word.to_lowercase().replace('_', " ")));
        sheet.optional("scan on push", found.scan_on_push.map(yes_or_no));
        sheet.optional("encryption", found.encryption);
        sheet.optional("created", found.created_ms.map(time));
        sheet.tags(tags)?;
        if let Some(Some(policy)) = sheet.part("resource policy", policy)? {
            sheet.document("resource policy", policy);
        }
        Ok(Some(sheet))
    }

    async fn image(&self) -> Result<Option<InspectionBuilder>, AwsError> {
        let repository = self.names.of(ResourceKind::Repository);
        let image = ecr::image_by_tag(&self.target.clients.ecr, &repository, self.names.image_tag()).await?;
        Ok(image.map(|image| {
            let mut sheet = InspectionBuilder::new(None);
            sheet.row("digest", image.digest);
            sheet.row("tags", image.tags.join(", "));
            sheet.row("size", bytes(image.size));
            sheet.optional("pushed", image.pushed_ms.map(time));
            sheet.optional("media type", image.media_type);
            sheet
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
        let mut sheet = InspectionBuilder::new(Some(format!("arn:aws:s3:::{name}")));
        sheet.optional("region", found.region);
        if let Some(encryption) = sheet.part("encryption", encryption)? {
            sheet.row("encryption", encryption.map_or("none".to_owned(), words_for_encryption));
        }
        if let Some(block) = sheet.part("public access", block)? {
            sheet.row("public access", words_for_block(block));
        }
        if let Some(versioning) = sheet.part("versioning", versioning)? {
            sheet.row("versioning", versioning.map_or("off".to_owned(), |status| status.to_lowercase()));
        }
        sheet.tags(tags)?;
        Ok(Some(sheet))
    }

    async fn log_group(&self) -> Result<Option<InspectionBuilder>, AwsError> {
        let client = &self.target.clients.logs;
        let Some(found) = logs::log_group(client, &self.name).await? else { return Ok(None) };
        let tags = logs::log_group_tags(client, &found.arn).await;
        let mut sheet = InspectionBuilder::new(Some(found.arn));
        sheet.row(
            "retention",
            match found.retention_days {
                None => "for ever".to_owned(),
                Some(1) => "1 day".to_owned(),
                Some(days) => format!("{days} days"),
            },
        );
        sheet.optional("stored", found.stored_bytes.map(bytes));
        sheet.optional("created", found.created_ms.map(time));
        sheet.tags(tags)?;
        Ok(Some(sheet))
    }

    async fn policy(&self) -> Result<Option<InspectionBuilder>, AwsError> {
        let client = &self.target.clients.iam;
        let arn = format!("arn:aws:iam::{}:policy/{}", self.target.identity.account, self.name);
        let Some(found) = iam::policy(client, &arn).await? else { return Ok(None) };
        let mut sheet = InspectionBuilder::new(Some(found.arn));
        sheet.optional("description", found.description);
        sheet
            .optional("attached to", found.attachment_count.map(|count| format!("{count} of roles, users and groups")));
        sheet.optional("default version", found.default_version.clone());
        sheet.optional("created", found.created_ms.map(time));
        sheet.optional("changed", found.updated_ms.map(time));
        sheet.tags(Ok(found.tags))?;
        if let Some(version) = found.default_version {
            let document = iam::policy_document(client, &arn, &version).await;
            if let Some(document) = sheet.part("permissions", document)? {
                sheet.document("permissions", document);
            }
        }
        Ok(Some(sheet))
    }

    async fn role(&self) -> Result<Option<InspectionBuilder>, AwsError> {
        let client = &self.target.clients.iam;
        let Some(found) = iam::role(client, &self.name).await? else { return Ok(None) };
        let attached = iam::attached_policies(client, &self.name).await;
        let mut sheet = InspectionBuilder::new(Some(found.arn));
        sheet.optional("description", found.description);
        match sheet.part("attached policy", attached)? {
            Some(None) => return Ok(None),
            Some(Some(policies)) if policies.is_empty() => sheet.row("attached policy", "none"),
            Some(Some(policies)) => policies.into_iter().for_each(|arn| sheet.row("attached policy", arn)),
            None => {}
        }
        sheet.optional("longest session", found.max_session_seconds.map(|seconds| minutes(seconds / 60)));
        sheet.optional("created", found.created_ms.map(time));
        sheet.tags(Ok(found.tags))?;
        if let Some(trust) = found.trust {
            sheet.document("trust", trust);
        }
        Ok(Some(sheet))
    }

    async fn project(&self) -> Result<Option<InspectionBuilder>, AwsError> {
        let Some(found) = codebuild::project(&self.target.clients.codebuild, &self.name).await? else {
            return Ok(None);
        };
        let mut sheet = InspectionBuilder::new(Some(found.arn));
        sheet.optional("description", found.description);
        let source = [found.source.kind, found.source.location].into_iter().flatten().collect::<Vec<_>>();
        sheet.row("source", source.join(" "));
        sheet.row(
            "buildspec",
            match found.source.buildspec {
                None => "the source's own".to_owned(),
                Some(text) if text.contains('\n') => "written in the project".to_owned(),
                Some(path) => path,
            },
        );
        sheet.optional("build image", found.image);
        sheet.optional("compute type", found.compute_type);
        sheet.optional("environment type", found.environment_type);
        sheet.optional("privileged", found.privileged.map(yes_or_no));
        sheet.optional("timeout", found.timeout_minutes.map(minutes));
        sheet.optional("queue timeout", found.queued_timeout_minutes.map(minutes));
        sheet.optional("service role", found.role_arn);
        sheet.optional("log group", found.log_group);
        for variable in found.environment {
            let value = match variable.kept_in {
                None => variable.value,
                Some(place) => format!("{} ({})", variable.value, place.to_lowercase().replace('_', " ")),
            };
            sheet.variable(&variable.name, &value);
        }
        sheet.optional("created", found.created_ms.map(time));
        sheet.optional("changed", found.modified_ms.map(time));
        sheet.tags(Ok(found.tags))?;
        Ok(Some(sheet))
    }

    async fn function(&self) -> Result<Option<InspectionBuilder>, AwsError> {
        let client = &self.target.clients.lambda;
        let Some(found) = lambda::function(client, &self.name).await? else { return Ok(None) };
        let code = lambda::function_code(client, &self.name).await;
        let mut sheet = InspectionBuilder::new(Some(found.arn));
        sheet.row("state", words_for_state(found.state));
        sheet.optional("description", found.description);
        let code = sheet.part("image", code)?;
        let mut tags = None;
        match code {
            Some(None) => return Ok(None),
            Some(Some(code)) => {
                sheet.optional("image", code.image_uri);
                let digest = code.resolved_image_uri.as_deref().and_then(|uri| uri.split_once('@'));
                sheet.optional("image digest", digest.map(|(_, digest)| digest.to_owned()));
                tags = code.tags;
            }
            None => {}
        }
        sheet.row("architecture", found.architectures.join(", "));
        sheet.row("memory", format!("{} MB", found.memory_mb));
        sheet.row("timeout", format!("{} s", found.timeout_seconds));
        sheet.row("execution role", found.role_arn);
        sheet.optional("log group", found.log_group);
        for (name, value) in &found.environment.0 {
            sheet.variable(name, value);
        }
        // Of an image, Lambda says 0: ECR has it.
        sheet.row("code size", if found.code_size == 0 { "kept in ECR".to_owned() } else { bytes(found.code_size) });
        sheet.optional("changed", found.last_modified.map(time_of_text));
        match tags {
            Some(tags) => sheet.tags(Ok(tags))?,
            None => sheet.row("tags", DENIED),
        }
        Ok(Some(sheet))
    }

    async fn permission(&self) -> Result<Option<InspectionBuilder>, AwsError> {
        let function = self.names.of(ResourceKind::Function);
        let bucket = self.names.of(ResourceKind::SourceBucket);
        let statements = lambda::bucket_permissions(&self.target.clients.lambda, &function, &bucket).await?;
        Ok(statements.into_iter().next().map(|statement| {
            let mut sheet = InspectionBuilder::new(None);
            let text = |value: &Value| value.as_str().map(str::to_owned);
            let condition = &statement["Condition"];
            sheet.row("function", function);
            sheet.optional("effect", text(&statement["Effect"]));
            sheet.optional("principal", text(&statement["Principal"]["Service"]).or(text(&statement["Principal"])));
            sheet.optional("action", text(&statement["Action"]));
            sheet.optional("source", text(&condition["ArnLike"]["AWS:SourceArn"]));
            sheet.optional("source account", text(&condition["StringEquals"]["AWS:SourceAccount"]));
            sheet.document("resource policy", statement);
            sheet
        }))
    }

    async fn stack(&self) -> Result<Option<InspectionBuilder>, AwsError> {
        let found = cloudformation::stack(&self.target.clients.cloudformation, &self.name).await?;
        let Some(found) = found.filter(|found| !found.status.is_deleted()) else { return Ok(None) };
        let mut sheet = InspectionBuilder::new(Some(found.id));
        sheet.row("status", found.status.as_str());
        sheet.optional("reason", found.reason);
        sheet.optional("description", found.description);
        sheet.optional("created", found.created_ms.map(time));
        for (name, value) in found.parameters {
            sheet.row(&format!("parameter {name}"), value);
        }
        for (name, value) in found.outputs {
            sheet.row(&format!("output {name}"), value);
        }
        sheet.tags(Ok(found.tags))?;
        Ok(Some(sheet))
    }

    /// CloudFormation describes no macros: what there is to know stands with its stack and its function.
    async fn template_macro(&self) -> Result<Option<InspectionBuilder>, AwsError> {
        let stack = self.names.of(ResourceKind::MacroStack);
        let found = cloudformation::stack(&self.target.clients.cloudformation, &stack).await?;
        Ok(found.filter(|found| found.status.is_complete()).map(|_| {
            let mut sheet = InspectionBuilder::new(None);
            sheet.row("stack", stack);
            sheet.row("function", self.names.of(ResourceKind::MacroFunction));
            sheet
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
        let mut sheet = InspectionBuilder::new(None);
        sheet.row("bucket", bucket);
        for rule in rules {
            sheet.row("events", rule.events.join(", "));
            sheet.row("prefix", rule.prefix.unwrap_or_else(|| "any".to_owned()));
            sheet.row("suffix", rule.suffix.unwrap_or_else(|| "any".to_owned()));
            sheet.row("function", rule.function_arn);
            sheet.optional("id", rule.id);
        }
        Ok(Some(sheet))
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
        _ => format!("blocked, but for {}", open.join(", ")),
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
    fn what_is_left_open_is_named() {
        let block = |block_acls, ignore_acls, block_policy, restrict| {
            words_for_block(Some(PublicAccessBlock { block_acls, ignore_acls, block_policy, restrict }))
        };
        assert_eq!(block(true, true, true, true), "blocked");
        assert_eq!(block(true, false, true, false), "blocked, but for ACLs, policies");
        assert_eq!(block(false, false, false, false), "not blocked");
        assert_eq!(words_for_block(None), "not blocked");
    }
}
