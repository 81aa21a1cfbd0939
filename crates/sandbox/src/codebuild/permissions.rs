//! The permissions that CodeBuild operations require, all on the project, for builds too.

use std::collections::BTreeSet;

use awsim_core::RequestContext;
use serde_json::Value;

use crate::authz::permission::{RequiredPermission, text};

pub(crate) fn of_call(operation: &str, input: &Value, context: &RequestContext) -> Vec<RequiredPermission> {
    let action = format!("codebuild:{operation}");
    let on = |project: &str| {
        let name = project.rsplit_once(":project/").map_or(project, |(_, name)| name);
        format!("arn:aws:codebuild:{}:{}:project/{name}", context.region, context.account_id)
    };
    let named = |member: &str, project: fn(&str) -> &str| -> Vec<RequiredPermission> {
        let names = input[member].as_array().into_iter().flatten().filter_map(Value::as_str);
        let projects: BTreeSet<&str> = names.map(project).collect();
        projects.into_iter().map(|project| RequiredPermission::new(&action, on(project))).collect()
    };
    let mut needs = match operation {
        "BatchGetProjects" => named("names", |name| name),
        "BatchGetBuilds" | "BatchDeleteBuilds" => named("ids", project_of),
        "StopBuild" | "RetryBuild" => {
            text(input, "id").map(|id| RequiredPermission::new(&action, on(project_of(id)))).into_iter().collect()
        }
        _ => {
            // Every named resource is required, so an additional member grants nothing.
            let named = [text(input, "projectName"), text(input, "name")];
            named.into_iter().flatten().map(|project| RequiredPermission::new(&action, on(project))).collect()
        }
    };
    if needs.is_empty() {
        needs.push(RequiredPermission::new(&action, "*"));
    }
    let role = match operation {
        "CreateProject" | "UpdateProject" => text(input, "serviceRole"),
        "StartBuild" => text(input, "serviceRoleOverride"),
        _ => None,
    };
    needs.extend(role.map(|role| RequiredPermission::pass_role(role, "codebuild.amazonaws.com")));
    needs
}

/// The project in a build's id `project:uuid`, or in its ARN.
fn project_of(id: &str) -> &str {
    let id = id.rsplit_once(":build/").map_or(id, |(_, id)| id);
    id.split(':').next().unwrap_or(id)
}
