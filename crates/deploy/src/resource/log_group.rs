//! [`LogGroupResource`]: a log group of CloudWatch Logs.

use async_trait::async_trait;
use thumbctl_core::engine::{StepError, StepScope};
use thumbctl_platform::text::bytes;

use super::console_page::{ConsolePages, part};
use super::inspection::{InspectionBuilder, time};
use super::{Presence, ResourceContext, ResourceDefinition, ResourceDescriptor, kept_setting};
use crate::aws::{AwsError, Deleted, ErrorKind, logs, wait};
use crate::call::{call, delete};
use crate::run_context::RunContext;

pub(super) const CREATION: &[&str] = &["logs:CreateLogGroup", "logs:PutRetentionPolicy"];
pub(super) const DELETION: &[&str] = &["logs:DeleteLogGroup"];
pub(super) const DELETED_LAST: &str = "Deleted last: a late writer would recreate it.";

/// A log group.
#[derive(Debug)]
pub(super) struct LogGroupResource(pub(super) ResourceDescriptor);

#[async_trait]
impl ResourceDefinition for LogGroupResource {
    fn descriptor(&self) -> &ResourceDescriptor {
        &self.0
    }

    fn arn(&self, context: ResourceContext<'_>) -> Option<String> {
        Some(context.regional_arn("logs", &format!("log-group:{}", context.name(self.kind()))))
    }

    fn console_page(&self, pages: &ConsolePages<'_>) -> String {
        let group = encoded_twice(&pages.names.of(self.kind()));
        format!("{}/cloudwatch/home?region={}#logsV2:log-groups/log-group/{group}", pages.host, pages.region)
    }

    async fn presence(&self, context: ResourceContext<'_>) -> Result<Presence, AwsError> {
        Ok(logs::log_group(&context.target.clients.logs, &context.name(self.kind())).await?.into())
    }

    async fn inspect(&self, context: ResourceContext<'_>) -> Result<Option<InspectionBuilder>, AwsError> {
        let client = &context.target.clients.logs;
        let Some(found) = logs::log_group(client, &context.name(self.kind())).await? else { return Ok(None) };
        let tags = logs::log_group_tags(client, &found.arn).await;
        let mut builder = InspectionBuilder::new(Some(found.arn));
        builder.row("retention", retention(found.retention_days));
        builder.optional("stored", found.stored_bytes.map(bytes));
        builder.optional("created", found.created_ms.map(time));
        builder.tags(tags)?;
        Ok(Some(builder))
    }

    async fn create(&self, run: &RunContext, scope: &StepScope) -> Result<Option<String>, StepError> {
        let (client, name, tags) = (&run.target.clients.logs, &run.name(self.kind()), &run.tags());
        call(scope, &[wait::CONFLICT], || async {
            match logs::create_log_group(client, name, tags).await {
                Err(error) if error.kind == ErrorKind::AlreadyExists => Ok(()),
                result => result,
            }
        })
        .await?;
        let days = run.target.settings.logs.retention_days;
        call(scope, &[wait::CONFLICT, wait::NOT_YET_SEEN], || logs::put_retention(client, name, days)).await?;
        Ok(self.arn(run.resources()))
    }

    async fn differences(&self, run: &RunContext, scope: &StepScope) -> Result<Vec<String>, StepError> {
        let (client, name) = (&run.target.clients.logs, &run.name(self.kind()));
        let configured = Some(run.target.settings.logs.retention_days);
        let found = call(scope, &[], || logs::log_group(client, name)).await?;
        let kept = found.map(|found| found.retention_days).filter(|kept| *kept != configured);
        Ok(kept.map(|kept| kept_setting(name, "retention", &retention(kept))).into_iter().collect())
    }

    async fn delete(&self, context: ResourceContext<'_>, scope: &StepScope) -> Result<Deleted, StepError> {
        let (client, name) = (&context.target.clients.logs, &context.name(self.kind()));
        delete(scope, || logs::delete_log_group(client, name)).await
    }
}

fn retention(days: Option<u32>) -> String {
    match days {
        None => "unlimited".to_owned(),
        Some(1) => "1 day".to_owned(),
        Some(days) => format!("{days} days"),
    }
}

// Rule: CloudWatch's console encodes names twice, with dollars for the outer percent signs: `/` is `$252F`.
// https://github.com/link2aws/link2aws.github.io/issues/29
fn encoded_twice(name: &str) -> String {
    part(&part(name)).replace('%', "$")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn log_groups_are_encoded_twice_in_urls() {
        assert_eq!(encoded_twice("/aws/a b#c"), "$252Faws$252Fa$2520b$2523c");
    }
}
