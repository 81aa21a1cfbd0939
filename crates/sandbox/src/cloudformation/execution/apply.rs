//! Creating or updating one resource.

use std::sync::Arc;

use serde_json::Value;

use super::converge::{Direction, Phase, Target};
use crate::cloudformation::resource_types::{Created, HandlerContext, HandlerError, ResourceType, Stop, resource_type};
use crate::cloudformation::service::CloudFormation;
use crate::cloudformation::state::{CONFIGURED, CONSISTENCY, PendingChange, Resource, Stack};
use crate::cloudformation::template::BoundResource;

const REPLACED: &str = "Requested update requires the creation of a new physical resource; hence creating one.";

impl CloudFormation {
    /// Runs the first half: until the resource is configured.
    pub(super) async fn configure_resource(self: Arc<Self>, target: Arc<Target>, name: String) -> Phase {
        match self.make(&target, &name).await {
            Ok(phase) => phase,
            Err(error) => self.fail(&target, &name, error),
        }
    }

    /// Runs the second half: until it is stable.
    pub(super) async fn stabilise_resource(self: Arc<Self>, target: Arc<Target>, name: String) -> Phase {
        match self.stabilise(&target, &name).await {
            Ok(()) => Phase::Complete { name },
            Err(error) => self.fail(&target, &name, error),
        }
    }

    /// Records the failure of a resource, or its cancellation after another's failure.
    pub(super) fn fail(&self, target: &Target, name: &str, error: HandlerError) -> Phase {
        if error == HandlerError::Stopped && target.stop.halt.is_cancelled() {
            return Phase::Halted;
        }
        let mut verb = "CREATE";
        self.change(&target.id, |stack| {
            let Some(resource) = stack.resource(name) else { return };
            verb = resource.verb();
            let reason = match (error, verb) {
                (HandlerError::Failed(reason), _) => reason,
                (HandlerError::Stopped, "CREATE") => "Resource creation cancelled".to_owned(),
                (HandlerError::Stopped, _) => "Resource update cancelled".to_owned(),
            };
            stack.set_resource_status(name, &format!("{verb}_FAILED"), Some(&reason));
        });
        Phase::Failed { name: name.to_owned(), verb }
    }

    async fn make(&self, target: &Target, name: &str) -> Result<Phase, HandlerError> {
        let declared = target.bound.resources().iter().find(|declared| declared.logical_id == name);
        let declared = declared.ok_or_else(|| HandlerError::Failed(format!("There is no resource {name}")))?;
        let kind = known(&declared.type_name)?;
        if target.way == Direction::Rollback {
            self.change(&target.id, |stack| restore_replaced(stack, name));
        }
        self.remove_leftover(target, name, kind).await?;
        let stack = self.own(&target.id)?;
        let before = stack.resources.iter().find(|resource| resource.logical_id == name).cloned();
        let existing = before.clone().filter(|before| before.exists);
        let resolved = target.bound.properties(name, &stack.resources);
        let tags = stack_tags(&stack, &target.tags, name);
        let configured = Phase::Configured { name: name.to_owned(), early: kind.early };
        // No call is necessary.
        let is_current = existing.as_ref().zip(resolved.as_ref().ok()).is_some_and(|(before, after)| {
            before.pending.is_none() && before.properties == *after && (!kind.carries_tags() || before.tags == tags)
        });
        if is_current && existing.as_ref().is_some_and(|before| before.status.ends_with("_COMPLETE")) {
            self.change(&target.id, |stack| copy_declaration(stack, declared));
            return Ok(Phase::Complete { name: name.to_owned() });
        }
        // After a restart it may be configured and only has to stabilise.
        if is_current && existing.as_ref().is_some_and(|before| before.status.ends_with("_IN_PROGRESS")) {
            return Ok(configured);
        }
        let replaces = match (&existing, &resolved) {
            (Some(before), Ok(after)) => kind.replaces(&before.properties, after),
            _ => false,
        };
        let verb = if existing.is_some() { "UPDATE" } else { "CREATE" };
        let status = format!("{verb}_IN_PROGRESS");
        // After a restart the event exists already.
        if before.is_none_or(|before| before.status != status) {
            self.change(&target.id, |stack| {
                copy_declaration(stack, declared);
                stack.set_resource_status(name, &status, replaces.then_some(REPLACED));
            });
        }
        if is_current {
            return Ok(configured);
        }
        let after = resolved.map_err(|error| HandlerError::Failed(error.to_string()))?;
        let created = match &existing {
            Some(before) if !replaces => self.adapt(target, &stack, kind, before, &after, &tags).await?,
            _ => self.create_one(target, &stack, name, kind, existing.as_ref(), &after, &tags).await?,
        };
        self.change(&target.id, |stack| {
            if replaces && let Some(before) = existing.clone() {
                stack.replaced.push(before);
            }
            let Some(resource) = stack.resource(name) else { return };
            resource.take(created);
            resource.properties = after;
            resource.tags = tags;
            let mut event = resource.clone();
            if replaces || verb == "CREATE" {
                event.reason = Some("Resource creation Initiated".to_owned());
                stack.emit_resource_event(&event, None);
            }
            if kind.early {
                event.reason = Some(CONSISTENCY.to_owned());
                stack.emit_resource_event(&event, Some(CONFIGURED));
            }
        });
        Ok(configured)
    }

    /// Updates a resource in place.
    async fn adapt(
        &self,
        target: &Target,
        stack: &Stack,
        kind: &ResourceType,
        before: &Resource,
        after: &Value,
        tags: &[(String, String)],
    ) -> Result<Created, HandlerError> {
        // An unfinished change to the same goal may have to be undone.
        let from = match &before.pending {
            Some(started) if before.properties == *after => started.properties.clone(),
            _ => before.properties.clone(),
        };
        let pending = PendingChange { creates: false, properties: after.clone(), ..PendingChange::default() };
        self.save_pending(&target.id, &before.logical_id, pending);
        let context = HandlerContext {
            former_tags: &before.tags,
            ..self.handler_context(stack, &before.logical_id, "", tags, &target.stop)
        };
        kind.provider.update(&context, &before.created(), &from, after).await
    }

    #[allow(clippy::too_many_arguments)] // all of them make up the one call
    async fn create_one(
        &self,
        target: &Target,
        stack: &Stack,
        name: &str,
        kind: &ResourceType,
        replaced: Option<&Resource>,
        properties: &Value,
        tags: &[(String, String)],
    ) -> Result<Created, HandlerError> {
        let chance = chance();
        let context = self.handler_context(stack, name, &chance, tags, &target.stop);
        let physical_id = kind.provider.physical_id(&context, properties);
        if replaced.is_some_and(|replaced| replaced.physical_id == physical_id) {
            return Err(HandlerError::Failed(format!(
                "CloudFormation cannot update a stack when a custom-named resource requires replacing. Rename \
                 {physical_id} and update the stack again."
            )));
        }
        // An existing resource does not belong to the stack.
        if !kind.provider.exists(&context, &physical_id, properties).await {
            let pending =
                PendingChange { creates: true, physical_id, chance: chance.clone(), properties: properties.clone() };
            self.save_pending(&target.id, name, pending);
        }
        let created = kind.provider.create(&context, properties).await;
        if created.as_ref().is_err_and(HandlerError::is_conflict) {
            self.change(&target.id, |stack| {
                if let Some(resource) = stack.resource(name) {
                    resource.pending = None;
                }
            });
        }
        created
    }

    fn save_pending(&self, id: &str, name: &str, pending: PendingChange) {
        self.change(id, |stack| {
            if let Some(resource) = stack.resource(name) {
                resource.pending = Some(pending);
            }
        });
    }

    /// Deletes the remains of a failed or unconfirmed creation.
    async fn remove_leftover(&self, target: &Target, name: &str, kind: &ResourceType) -> Result<(), HandlerError> {
        let stack = self.own(&target.id)?;
        let Some(resource) = stack.resources.iter().find(|resource| resource.logical_id == name) else {
            return Ok(());
        };
        if let Some(started) = resource.pending.as_ref().filter(|pending| pending.creates) {
            self.delete_begun(&stack, name, kind, started, &target.stop).await?;
            self.change(&target.id, |stack| {
                if let Some(resource) = stack.resource(name) {
                    resource.pending = None;
                }
            });
        }
        Ok(())
    }

    /// Deletes the resource of an unconfirmed creation, if it exists.
    pub(super) async fn delete_begun(
        &self,
        stack: &Stack,
        name: &str,
        kind: &ResourceType,
        started: &PendingChange,
        stop: &Stop,
    ) -> Result<(), HandlerError> {
        let context = self.handler_context(stack, name, &started.chance, &[], stop);
        if !kind.provider.exists(&context, &started.physical_id, &started.properties).await {
            return Ok(());
        }
        let created = Created { physical_id: started.physical_id.clone(), ..Created::default() };
        kind.provider.delete(&context, &created, &started.properties).await
    }

    async fn stabilise(&self, target: &Target, name: &str) -> Result<(), HandlerError> {
        let stack = self.own(&target.id)?;
        let resource = stack.resources.iter().find(|resource| resource.logical_id == name);
        let resource = resource.ok_or_else(|| HandlerError::Failed(format!("There is no resource {name}")))?;
        let kind = known(&resource.type_name)?;
        let context = self.handler_context(&stack, name, "", &resource.tags, &target.stop);
        let created = resource.created();
        tokio::select! {
            biased;
            stable = kind.provider.stabilise(&context, &created) => stable?,
            () = target.stop.cancel.cancelled() => return Err(HandlerError::Stopped),
        }
        self.change(&target.id, |stack| {
            stack.set_resource_status(name, &format!("{}_COMPLETE", resource.verb()), None);
        });
        Ok(())
    }

    fn own(&self, id: &str) -> Result<Stack, HandlerError> {
        self.copy(id).ok_or_else(|| HandlerError::Failed("The stack no longer exists".to_owned()))
    }

    pub(super) fn handler_context<'a>(
        &'a self,
        stack: &'a Stack,
        logical_id: &'a str,
        chance: &'a str,
        tags: &'a [(String, String)],
        stop: &'a Stop,
    ) -> HandlerContext<'a> {
        HandlerContext {
            services: &self.services,
            s3: &self.s3,
            region: &stack.region,
            access_key: stack.access_key.as_deref(),
            stack_name: &stack.name,
            logical_id,
            chance,
            tags,
            former_tags: &[],
            stop,
        }
    }
}

pub(super) fn known(type_name: &str) -> Result<&'static ResourceType, HandlerError> {
    resource_type(type_name).ok_or_else(|| HandlerError::Failed(format!("Unrecognized resource type: {type_name}")))
}

/// Copies the attributes of a resource's declaration to the stack.
fn copy_declaration(stack: &mut Stack, wanted: &BoundResource) {
    let name = &wanted.logical_id;
    if stack.resource(name).is_none() {
        stack.resources.push(Resource { logical_id: name.clone(), ..Resource::default() });
    }
    if let Some(resource) = stack.resource(name) {
        resource.type_name.clone_from(&wanted.type_name);
        resource.depends_on.clone_from(&wanted.depends_on);
        resource.deletion = wanted.deletion_policy;
        resource.replacement = wanted.update_replace_policy;
    }
}

/// Restores a resource that was replaced in the update that is rolled back.
fn restore_replaced(stack: &mut Stack, name: &str) {
    let replaced = stack.replaced.iter().position(|old| old.logical_id == name && !old.given_up);
    if let Some(context) = replaced
        && let Some(current) = stack.resources.iter_mut().find(|resource| resource.logical_id == name)
    {
        let mut old = stack.replaced.remove(context);
        // Not complete, so that the rollback emits events.
        "UPDATE_FAILED".clone_into(&mut old.status);
        let new = std::mem::replace(current, old);
        stack.replaced.push(Resource { given_up: true, ..new });
    }
}

fn chance() -> String {
    uuid::Uuid::new_v4().simple().to_string().to_uppercase().chars().take(12).collect()
}

fn stack_tags(stack: &Stack, tags: &[(String, String)], logical_id: &str) -> Vec<(String, String)> {
    let own = [("stack-name", stack.name.as_str()), ("stack-id", stack.id.as_str()), ("logical-id", logical_id)];
    let own = own.into_iter().map(|(key, value)| (format!("aws:cloudformation:{key}"), value.to_owned()));
    tags.iter().cloned().chain(own).collect()
}
