//! The permissions that CodeBuild operations require, all on the project, for builds too.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::authz::permission::{RequiredPermission, text};
use crate::operation::{ApiCall, IamStore};

/// On every named project, so that an additional member grants nothing.
pub(super) fn of_project(call: &ApiCall<'_>, _: &IamStore) -> Vec<RequiredPermission> {
    let named = [text(call.input, "projectName"), text(call.input, "name")];
    on(call, named.into_iter().flatten())
}

/// On a project whose settings may have a role.
pub(super) fn of_settings(call: &ApiCall<'_>, iam: &IamStore) -> Vec<RequiredPermission> {
    with_role(call, of_project(call, iam), "serviceRole")
}

/// On the project of a new build, which may have another role.
pub(super) fn of_new_build(call: &ApiCall<'_>, iam: &IamStore) -> Vec<RequiredPermission> {
    with_role(call, of_project(call, iam), "serviceRoleOverride")
}

/// On a list of projects.
pub(super) fn of_projects(call: &ApiCall<'_>, _: &IamStore) -> Vec<RequiredPermission> {
    on(call, strings(call, "names"))
}

/// On the project of a build.
pub(super) fn of_build(call: &ApiCall<'_>, _: &IamStore) -> Vec<RequiredPermission> {
    on(call, text(call.input, "id").map(project_of).into_iter())
}

/// On the projects of a list of builds.
pub(super) fn of_builds(call: &ApiCall<'_>, _: &IamStore) -> Vec<RequiredPermission> {
    on(call, strings(call, "ids").map(project_of))
}

/// On each project once, or on all if there is none.
fn on<'a>(call: &ApiCall<'_>, projects: impl Iterator<Item = &'a str>) -> Vec<RequiredPermission> {
    let projects: BTreeSet<&str> = projects.collect();
    if projects.is_empty() {
        return vec![call.permission("*")];
    }
    let arn = |project: &str| {
        let name = project.rsplit_once(":project/").map_or(project, |(_, name)| name);
        format!("arn:aws:codebuild:{}:{}:project/{name}", call.context.region, call.context.account_id)
    };
    projects.into_iter().map(|project| call.permission(arn(project))).collect()
}

fn with_role(call: &ApiCall<'_>, mut needs: Vec<RequiredPermission>, member: &str) -> Vec<RequiredPermission> {
    let role = text(call.input, member);
    needs.extend(role.map(|role| RequiredPermission::pass_role(role, "codebuild.amazonaws.com")));
    needs
}

fn strings<'a>(call: &ApiCall<'a>, member: &str) -> impl Iterator<Item = &'a str> + use<'a> {
    call.input[member].as_array().into_iter().flatten().filter_map(Value::as_str)
}

/// The project in a build's id `project:uuid`, or in its ARN.
fn project_of(id: &str) -> &str {
    let id = id.rsplit_once(":build/").map_or(id, |(_, id)| id);
    id.split(':').next().unwrap_or(id)
}
