//! Working on a stack: resources are made, changed and deleted as soon as they can be, side by side.

use std::collections::BTreeSet;
use std::sync::Arc;

use tokio::task::JoinSet;

use super::resource_types::{Made, Refused, Workplace, resource_type};
use super::service::CloudFormation;
use super::state::{Goal, Resource, Stack, Work, now};
use super::template::{Bound, Policy, Template};

const CLEANUP: &str = "_COMPLETE_CLEANUP_IN_PROGRESS";

impl CloudFormation {
    /// Goes on with a stack's work until there is none.
    pub(super) async fn work(self: Arc<Self>, id: String) {
        while let Some(stack) = self.copy(&id) {
            match stack.work.clone() {
                None => return,
                Some(Work::Create) => self.create(&stack).await,
                Some(Work::Update { before }) => self.update(&stack, *before).await,
                Some(Work::UpdateRollback { before }) => self.roll_update_back(&stack, &before).await,
                Some(Work::Rollback) => self.delete(&stack, &BTreeSet::new(), "ROLLBACK").await,
                Some(Work::Delete { retain }) => self.delete(&stack, &retain, "DELETE").await,
            }
        }
    }

    async fn create(self: &Arc<Self>, stack: &Stack) {
        let id = &stack.id;
        match self.reach(stack, &stack.goal).await {
            Ok(()) => self.change(id, |stack| {
                stack.work = None;
                stack.turn("CREATE_COMPLETE", None);
            }),
            Err(reason) => self.change(id, |stack| match stack.on_failure.as_str() {
                "DO_NOTHING" => {
                    stack.work = None;
                    stack.turn("CREATE_FAILED", Some(&reason));
                }
                "DELETE" => {
                    stack.work = Some(Work::Delete { retain: BTreeSet::new() });
                    stack.turn("DELETE_IN_PROGRESS", Some(&format!("{reason} Delete requested by user.")));
                }
                _ => {
                    stack.work = Some(Work::Rollback);
                    stack.turn("ROLLBACK_IN_PROGRESS", Some(&format!("{reason} Rollback requested by user.")));
                }
            }),
        }
    }

    async fn update(self: &Arc<Self>, stack: &Stack, before: Goal) {
        let id = &stack.id;
        match self.reach(stack, &stack.goal).await {
            Ok(()) => {
                self.change(id, |stack| stack.turn(&format!("UPDATE{CLEANUP}"), None));
                self.clean_up(id).await;
                self.change(id, |stack| {
                    stack.work = None;
                    stack.turn("UPDATE_COMPLETE", None);
                });
            }
            Err(reason) => self.change(id, |stack| {
                if stack.on_failure == "DO_NOTHING" {
                    stack.work = None;
                    stack.turn("UPDATE_FAILED", Some(&reason));
                } else {
                    stack.work = Some(Work::UpdateRollback { before: Box::new(before) });
                    stack.turn("UPDATE_ROLLBACK_IN_PROGRESS", Some(&reason));
                }
            }),
        }
    }

    async fn roll_update_back(self: &Arc<Self>, stack: &Stack, before: &Goal) {
        let id = &stack.id;
        let back = self.reach(stack, before).await;
        if let Err(reason) = back {
            return self.change(id, |stack| {
                stack.work = None;
                stack.turn("UPDATE_ROLLBACK_FAILED", Some(&reason));
            });
        }
        self.change(id, |stack| {
            stack.goal = before.clone();
            stack.turn(&format!("UPDATE_ROLLBACK{CLEANUP}"), None);
        });
        self.clean_up(id).await;
        self.change(id, |stack| {
            stack.work = None;
            stack.turn("UPDATE_ROLLBACK_COMPLETE", None);
        });
    }

    /// Makes and changes all resources of a goal.
    async fn reach(self: &Arc<Self>, stack: &Stack, goal: &Goal) -> Result<(), String> {
        let id = &stack.id;
        let template = Template::from_document(goal.processed.clone()).map_err(|error| error.to_string())?;
        let pseudo = self.pseudo(stack);
        let bound = Arc::new(template.bind(goal.values.clone(), pseudo).map_err(|error| error.to_string())?);
        let all: Vec<_> = bound.resources().to_vec();
        let (mut begun, mut done, mut failed) = (BTreeSet::new(), BTreeSet::new(), Vec::new());
        let mut running = JoinSet::new();
        loop {
            for resource in &all {
                if failed.is_empty()
                    && !begun.contains(&resource.logical_id)
                    && resource.depends_on.iter().all(|other| done.contains(other))
                {
                    begun.insert(resource.logical_id.clone());
                    let (this, id, bound, name) =
                        (self.clone(), id.clone(), bound.clone(), resource.logical_id.clone());
                    running.spawn(async move {
                        let result = this.make(&id, &bound, &name).await;
                        (name, result)
                    });
                }
            }
            match running.join_next().await {
                None => break,
                Some(Ok((name, Ok(())))) => {
                    done.insert(name);
                }
                Some(Ok((name, Err(_)))) => failed.push(name),
                Some(Err(cause)) => return Err(cause.to_string()),
            }
        }
        if failed.is_empty() {
            let outputs = self.copy(id).map(|stack| bound.outputs(&stack.resources));
            let outputs = outputs.unwrap_or_else(|| Ok(Vec::new())).map_err(|error| error.to_string())?;
            self.change(id, |stack| {
                stack.outputs = outputs
                    .into_iter()
                    .map(|output| {
                        serde_json::json!({
                            "OutputKey": output.key, "OutputValue": output.value, "Description": output.description,
                            "ExportName": output.export_name,
                        })
                    })
                    .collect();
            });
            return Ok(());
        }
        let verb = if stack.status.starts_with("CREATE") { "create" } else { "update" };
        Err(format!("The following resource(s) failed to {verb}: [{}].", failed.join(", ")))
    }

    /// Makes or changes one resource.
    async fn make(&self, id: &str, bound: &Bound, name: &str) -> Result<(), Refused> {
        let stack = self.copy(id).ok_or_else(|| Refused("The stack is gone".to_owned()))?;
        let wanted = bound.resources().iter().find(|wanted| wanted.logical_id == name);
        let wanted = wanted.ok_or_else(|| Refused(format!("There is no resource {name}")))?;
        let kind = resource_type(&wanted.type_name).ok_or_else(|| Refused("Unknown resource type".to_owned()))?;
        let before = stack.resources.iter().find(|resource| resource.logical_id == name).cloned();
        let resolved = bound.properties(name, &stack.resources);
        let tags = stack_tags(&stack, name);
        let place = self.place(&stack, name, &tags);
        let existing = before.filter(|before| before.there && before.type_name == wanted.type_name);
        if let (Some(before), Ok(after)) = (&existing, &resolved)
            && before.properties == *after
            && before.status.ends_with("_COMPLETE")
        {
            return Ok(());
        }
        let replaces = |before: &Resource, after: &serde_json::Value| {
            kind.properties.iter().any(|own| own.replaces && before.properties[own.name] != after[own.name])
        };
        let anew = match (&existing, &resolved) {
            (Some(before), Ok(after)) => replaces(before, after),
            _ => existing.is_none(),
        };
        let verb = if existing.is_some() { "UPDATE" } else { "CREATE" };
        let finish = |result: Result<(), Refused>| {
            let status = if result.is_ok() { "COMPLETE" } else { "FAILED" };
            let reason = result.as_ref().err().map(ToString::to_string);
            self.change(id, |stack| stack.turn_resource(name, &format!("{verb}_{status}"), reason.as_deref()));
            result
        };
        self.change(id, |stack| {
            let retain = wanted.deletion_policy == Policy::Retain;
            match stack.resources.iter_mut().find(|resource| resource.logical_id == name) {
                Some(resource) => {
                    resource.retain = retain;
                    resource.depends_on = wanted.depends_on.clone();
                    wanted.type_name.clone_into(&mut resource.type_name);
                }
                None => stack.resources.push(Resource {
                    logical_id: name.to_owned(),
                    type_name: wanted.type_name.clone(),
                    depends_on: wanted.depends_on.clone(),
                    retain,
                    ..Resource::default()
                }),
            }
            stack.turn_resource(name, &format!("{verb}_IN_PROGRESS"), None);
        });
        let properties = match resolved {
            Ok(properties) => properties,
            Err(error) => return finish(Err(Refused(error.to_string()))),
        };
        let made = match &existing {
            Some(before) if !anew => {
                kind.provider.update(&place, &before.made(), &before.properties, &properties).await
            }
            _ => kind.provider.create(&place, &properties).await,
        };
        let made: Made = match made {
            Ok(made) => made,
            Err(refused) => return finish(Err(refused)),
        };
        self.change(id, |stack| {
            if anew && let Some(before) = existing.clone() {
                stack.replaced.push(before);
            }
            if let Some(resource) = stack.resources.iter_mut().find(|resource| resource.logical_id == name) {
                resource.take(made.clone());
                resource.properties = properties.clone();
                if verb == "CREATE" {
                    resource.reason = Some("Resource creation Initiated".to_owned());
                    let resource = resource.clone();
                    stack.tell(&resource, None);
                }
            }
        });
        finish(kind.provider.stabilise(&place, &made).await)
    }

    /// Deletes what was replaced, and what the goal no longer has.
    async fn clean_up(self: &Arc<Self>, id: &str) {
        let Some(stack) = self.copy(id) else { return };
        for old in stack.replaced.iter().filter(|old| !old.retain) {
            // What cannot be deleted after an update stays, as on AWS.
            let _ = self.remove(&stack, old).await;
        }
        self.change(id, |stack| stack.replaced.clear());
        let wanted = &stack.goal.processed["Resources"];
        let gone = stack.resources.iter().filter(|resource| wanted[&resource.logical_id].is_null());
        for resource in gone.rev() {
            self.unmake(id, resource).await;
        }
        let wanted = wanted.clone();
        self.change(id, |stack| stack.resources.retain(|resource| !wanted[&resource.logical_id].is_null()));
    }

    /// Deletes all resources, those first on which no other depends.
    async fn delete(self: &Arc<Self>, stack: &Stack, retain: &BTreeSet<String>, verb: &str) {
        let id = &stack.id;
        let mut left: Vec<_> =
            stack.resources.iter().filter(|resource| resource.status != "DELETE_COMPLETE").cloned().collect();
        let (mut begun, mut failed, mut running) = (BTreeSet::new(), Vec::new(), JoinSet::new());
        loop {
            for resource in &left {
                let needed = left.iter().any(|other| other.depends_on.contains(&resource.logical_id));
                if needed || !begun.insert(resource.logical_id.clone()) {
                    continue;
                }
                let (this, id, resource) = (self.clone(), id.clone(), resource.clone());
                let stays = retain.contains(&resource.logical_id) || (resource.retain && verb == "DELETE");
                running.spawn(async move {
                    if stays && resource.there {
                        this.change(&id, |stack| stack.turn_resource(&resource.logical_id, "DELETE_SKIPPED", None));
                        return (resource.logical_id, true);
                    }
                    let deleted = this.unmake(&id, &resource).await;
                    (resource.logical_id, deleted)
                });
            }
            match running.join_next().await {
                None => break,
                Some(Ok((name, true))) => left.retain(|resource| resource.logical_id != name),
                Some(Ok((name, false))) => failed.push(name),
                Some(Err(cause)) => failed.push(cause.to_string()),
            }
        }
        self.change(id, |stack| {
            stack.work = None;
            if failed.is_empty() {
                if verb == "DELETE" {
                    stack.deleted = Some(now());
                }
                stack.turn(&format!("{verb}_COMPLETE"), None);
            } else {
                let reason = format!("The following resource(s) failed to delete: [{}].", failed.join(", "));
                stack.turn(&format!("{verb}_FAILED"), Some(&reason));
            }
        });
    }

    /// Deletes one resource, and says so.
    async fn unmake(&self, id: &str, resource: &Resource) -> bool {
        let Some(stack) = self.copy(id) else { return false };
        let name = &resource.logical_id;
        self.change(id, |stack| stack.turn_resource(name, "DELETE_IN_PROGRESS", None));
        let result = if resource.there { self.remove(&stack, resource).await } else { Ok(()) };
        let (status, reason) = match &result {
            Ok(()) => ("DELETE_COMPLETE", None),
            Err(refused) => ("DELETE_FAILED", Some(refused.to_string())),
        };
        self.change(id, |stack| {
            if result.is_ok()
                && let Some(gone) = stack.resources.iter_mut().find(|other| other.logical_id == *name)
            {
                gone.there = false;
            }
            stack.turn_resource(name, status, reason.as_deref());
        });
        result.is_ok()
    }

    async fn remove(&self, stack: &Stack, resource: &Resource) -> Result<(), Refused> {
        let Some(kind) = resource_type(&resource.type_name) else { return Ok(()) };
        let tags = stack_tags(stack, &resource.logical_id);
        let place = self.place(stack, &resource.logical_id, &tags);
        kind.provider.delete(&place, &resource.made(), &resource.properties).await
    }

    fn place<'a>(&'a self, stack: &'a Stack, logical_id: &'a str, tags: &'a [(String, String)]) -> Workplace<'a> {
        Workplace {
            services: &self.services,
            s3: &self.s3,
            region: &stack.region,
            access_key: stack.access_key.as_deref(),
            stack_name: &stack.name,
            stack_id: &stack.id,
            logical_id,
            tags,
        }
    }
}

fn stack_tags(stack: &Stack, logical_id: &str) -> Vec<(String, String)> {
    let own = [("stack-name", stack.name.as_str()), ("stack-id", stack.id.as_str()), ("logical-id", logical_id)];
    let own = own.into_iter().map(|(key, value)| (format!("aws:cloudformation:{key}"), value.to_owned()));
    stack.goal.tags.iter().cloned().chain(own).collect()
}
