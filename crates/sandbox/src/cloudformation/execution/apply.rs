//! Making or changing one resource.

use std::sync::Arc;

use serde_json::Value;

use super::converge::{Direction, Phase, Target};
use crate::cloudformation::resource_types::{Created, HandlerContext, HandlerError, ResourceType, Stop, resource_type};
use crate::cloudformation::service::CloudFormation;
use crate::cloudformation::state::{CONFIGURED, CONSISTENCY, Making, Resource, Stack};
use crate::cloudformation::template::BoundResource;

const REPLACED: &str = "Requested update requires the creation of a new physical resource; hence creating one.";

impl CloudFormation {
    /// The first half: until the resource is configured.
    pub(super) async fn begin_resource(self: Arc<Self>, target: Arc<Target>, name: String) -> Phase {
        match self.make(&target, &name).await {
            Ok(phase) => phase,
            Err(refused) => self.fail(&target, &name, refused),
        }
    }

    /// The second half: until it is known everywhere.
    pub(super) async fn settle_resource(self: Arc<Self>, target: Arc<Target>, name: String) -> Phase {
        match self.stabilise(&target, &name).await {
            Ok(()) => Phase::Complete { name },
            Err(refused) => self.fail(&target, &name, refused),
        }
    }

    /// Says that a resource has failed, or was stopped because another has.
    pub(super) fn fail(&self, target: &Target, name: &str, refused: HandlerError) -> Phase {
        if refused == HandlerError::Stopped && target.stop.halt.is_cancelled() {
            return Phase::Halted;
        }
        let mut verb = "CREATE";
        self.change(&target.id, |stack| {
            let Some(resource) = stack.resource(name) else { return };
            verb = resource.verb();
            let reason = match (refused, verb) {
                (HandlerError::Failed(reason), _) => reason,
                (HandlerError::Stopped, "CREATE") => "Resource creation cancelled".to_owned(),
                (HandlerError::Stopped, _) => "Resource update cancelled".to_owned(),
            };
            stack.turn_resource(name, &format!("{verb}_FAILED"), Some(&reason));
        });
        Phase::Failed { name: name.to_owned(), verb }
    }

    async fn make(&self, target: &Target, name: &str) -> Result<Phase, HandlerError> {
        let wanted = target.bound.resources().iter().find(|wanted| wanted.logical_id == name);
        let wanted = wanted.ok_or_else(|| HandlerError::Failed(format!("There is no resource {name}")))?;
        let kind = known(&wanted.type_name)?;
        if target.way == Direction::Rollback {
            self.change(&target.id, |stack| take_back(stack, name));
        }
        self.remove_leftover(target, name, kind).await?;
        let stack = self.own(&target.id)?;
        let before = stack.resources.iter().find(|resource| resource.logical_id == name).cloned();
        let existing = before.clone().filter(|before| before.there);
        let resolved = target.bound.properties(name, &stack.resources);
        let tags = stack_tags(&stack, &target.tags, name);
        let configured = Phase::Configured { name: name.to_owned(), early: kind.early };
        // Nothing has to be called for.
        let is_so = existing.as_ref().zip(resolved.as_ref().ok()).is_some_and(|(before, after)| {
            before.making.is_none() && before.properties == *after && (!kind.carries_tags() || before.tags == tags)
        });
        if is_so && existing.as_ref().is_some_and(|before| before.status.ends_with("_COMPLETE")) {
            self.change(&target.id, |stack| heed(stack, wanted));
            return Ok(Phase::Complete { name: name.to_owned() });
        }
        // A sandbox that goes on finds it configured, and only has to wait.
        if is_so && existing.as_ref().is_some_and(|before| before.status.ends_with("_IN_PROGRESS")) {
            return Ok(configured);
        }
        let replaces = match (&existing, &resolved) {
            (Some(before), Ok(after)) => kind.replaces(&before.properties, after),
            _ => false,
        };
        let verb = if existing.is_some() { "UPDATE" } else { "CREATE" };
        let status = format!("{verb}_IN_PROGRESS");
        // A sandbox that goes on has said so before.
        if before.is_none_or(|before| before.status != status) {
            self.change(&target.id, |stack| {
                heed(stack, wanted);
                stack.turn_resource(name, &status, replaces.then_some(REPLACED));
            });
        }
        if is_so {
            return Ok(configured);
        }
        let after = resolved.map_err(|error| HandlerError::Failed(error.to_string()))?;
        let made = match &existing {
            Some(before) if !replaces => self.adapt(target, &stack, kind, before, &after, &tags).await?,
            _ => self.create_one(target, &stack, name, kind, existing.as_ref(), &after, &tags).await?,
        };
        self.change(&target.id, |stack| {
            if replaces && let Some(before) = existing.clone() {
                stack.replaced.push(before);
            }
            let Some(resource) = stack.resource(name) else { return };
            resource.take(made);
            resource.properties = after;
            resource.tags = tags;
            let mut said = resource.clone();
            if replaces || verb == "CREATE" {
                said.reason = Some("Resource creation Initiated".to_owned());
                stack.tell(&said, None);
            }
            if kind.early {
                said.reason = Some(CONSISTENCY.to_owned());
                stack.tell(&said, Some(CONFIGURED));
            }
        });
        Ok(configured)
    }

    /// Changes what is there.
    async fn adapt(
        &self,
        target: &Target,
        stack: &Stack,
        kind: &ResourceType,
        before: &Resource,
        after: &Value,
        tags: &[(String, String)],
    ) -> Result<Created, HandlerError> {
        // Of a change that was not finished on the way there, something may have to be taken back.
        let from = match &before.making {
            Some(begun) if before.properties == *after => begun.properties.clone(),
            _ => before.properties.clone(),
        };
        let making = Making { anew: false, properties: after.clone(), ..Making::default() };
        self.keep_making(&target.id, &before.logical_id, making);
        let place = HandlerContext {
            former_tags: &before.tags,
            ..self.place(stack, &before.logical_id, "", tags, &target.stop)
        };
        kind.provider.update(&place, &before.made(), &from, after).await
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
        let place = self.place(stack, name, &chance, tags, &target.stop);
        let physical_id = kind.provider.physical_id(&place, properties);
        if replaced.is_some_and(|replaced| replaced.physical_id == physical_id) {
            return Err(HandlerError::Failed(format!(
                "CloudFormation cannot update a stack when a custom-named resource requires replacing. Rename \
                 {physical_id} and update the stack again."
            )));
        }
        // What is there already is somebody else's, and must not be taken for the stack's own afterwards.
        if !kind.provider.exists(&place, &physical_id, properties).await {
            let making = Making { anew: true, physical_id, chance: chance.clone(), properties: properties.clone() };
            self.keep_making(&target.id, name, making);
        }
        let made = kind.provider.create(&place, properties).await;
        if made.as_ref().is_err_and(HandlerError::is_conflict) {
            self.change(&target.id, |stack| {
                if let Some(resource) = stack.resource(name) {
                    resource.making = None;
                }
            });
        }
        made
    }

    fn keep_making(&self, id: &str, name: &str, making: Making) {
        self.change(id, |stack| {
            if let Some(resource) = stack.resource(name) {
                resource.making = Some(making);
            }
        });
    }

    /// Deletes what a creation that failed, or whose end nobody knows, may have left: it is made anew.
    async fn remove_leftover(&self, target: &Target, name: &str, kind: &ResourceType) -> Result<(), HandlerError> {
        let stack = self.own(&target.id)?;
        let Some(resource) = stack.resources.iter().find(|resource| resource.logical_id == name) else {
            return Ok(());
        };
        if let Some(begun) = resource.making.as_ref().filter(|making| making.anew) {
            self.delete_begun(&stack, name, kind, begun, &target.stop).await?;
            self.change(&target.id, |stack| {
                if let Some(resource) = stack.resource(name) {
                    resource.making = None;
                }
            });
        }
        Ok(())
    }

    /// Deletes what a creation has made so far, if it has.
    pub(super) async fn delete_begun(
        &self,
        stack: &Stack,
        name: &str,
        kind: &ResourceType,
        begun: &Making,
        stop: &Stop,
    ) -> Result<(), HandlerError> {
        let place = self.place(stack, name, &begun.chance, &[], stop);
        if !kind.provider.exists(&place, &begun.physical_id, &begun.properties).await {
            return Ok(());
        }
        let made = Created { physical_id: begun.physical_id.clone(), ..Created::default() };
        kind.provider.delete(&place, &made, &begun.properties).await
    }

    async fn stabilise(&self, target: &Target, name: &str) -> Result<(), HandlerError> {
        let stack = self.own(&target.id)?;
        let resource = stack.resources.iter().find(|resource| resource.logical_id == name);
        let resource = resource.ok_or_else(|| HandlerError::Failed(format!("There is no resource {name}")))?;
        let kind = known(&resource.type_name)?;
        let place = self.place(&stack, name, "", &resource.tags, &target.stop);
        let made = resource.made();
        tokio::select! {
            biased;
            stable = kind.provider.stabilise(&place, &made) => stable?,
            () = target.stop.cancel.cancelled() => return Err(HandlerError::Stopped),
        }
        self.change(&target.id, |stack| stack.turn_resource(name, &format!("{}_COMPLETE", resource.verb()), None));
        Ok(())
    }

    fn own(&self, id: &str) -> Result<Stack, HandlerError> {
        self.copy(id).ok_or_else(|| HandlerError::Failed("The stack is gone".to_owned()))
    }

    pub(super) fn place<'a>(
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

/// Takes over what the template says of a resource beside its properties.
fn heed(stack: &mut Stack, wanted: &BoundResource) {
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

/// Puts a resource back into the place that another took in the update that is rolled back.
fn take_back(stack: &mut Stack, name: &str) {
    let replaced = stack.replaced.iter().position(|old| old.logical_id == name && !old.given_up);
    if let Some(place) = replaced
        && let Some(current) = stack.resources.iter_mut().find(|resource| resource.logical_id == name)
    {
        let mut old = stack.replaced.remove(place);
        // Not complete, so that its way back is told.
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
