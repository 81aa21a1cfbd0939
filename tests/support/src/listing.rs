//! Lists the contents of a sandbox.

use aws_sdk_iam::types::PolicyScopeType;

use crate::clients::Clients;

/// All resources with a name prefix, as `kind name`: buckets with their objects, versions and incomplete
/// uploads, repositories with their images, roles, policies, projects with their builds, functions, log groups, stacks. The
/// empty prefix finds all.
pub async fn list_everything(clients: &Clients, prefix: &str) -> Vec<String> {
    let mut found = buckets(clients, prefix).await;
    found.extend(repositories(clients, prefix).await);
    found.extend(identities(clients, prefix).await);
    found.extend(projects(clients, prefix).await);
    found.extend(functions(clients, prefix).await);
    found.extend(log_groups(clients, prefix).await);
    found.extend(stacks(clients, prefix).await);
    found.sort();
    found
}

async fn buckets(clients: &Clients, prefix: &str) -> Vec<String> {
    let mut found = Vec::new();
    let buckets = clients.s3.list_buckets().into_paginator().send().try_collect().await.expect("buckets");
    let names = buckets.iter().flat_map(|page| page.buckets()).filter_map(|bucket| bucket.name());
    for bucket in names.filter(|name| name.starts_with(prefix)) {
        found.push(format!("bucket {bucket}"));
        let pages = clients.s3.list_objects_v2().bucket(bucket).into_paginator().send().try_collect().await;
        let keys = pages.iter().flatten().flat_map(|page| page.contents()).filter_map(|object| object.key());
        found.extend(keys.map(|key| format!("object {bucket}/{key}")));
        let uploads = clients.s3.list_multipart_uploads().bucket(bucket).send().await;
        let keys = uploads.iter().flat_map(|page| page.uploads()).filter_map(|upload| upload.key());
        found.extend(keys.map(|key| format!("incomplete upload {bucket}/{key}")));
    }
    found
}

async fn repositories(clients: &Clients, prefix: &str) -> Vec<String> {
    let pages = clients.ecr.describe_repositories().into_paginator().send().try_collect().await.expect("repositories");
    let names = pages.iter().flat_map(|page| page.repositories()).filter_map(|repository| repository.repository_name());
    let mut found = Vec::new();
    for name in names.filter(|name| name.starts_with(prefix)) {
        found.push(format!("repository {name}"));
        let images = clients.ecr.list_images().repository_name(name).send().await.expect("images");
        let tags = images.image_ids().iter().map(|image| image.image_tag().unwrap_or("untagged"));
        found.extend(tags.map(|tag| format!("image {name}:{tag}")));
    }
    found
}

async fn identities(clients: &Clients, prefix: &str) -> Vec<String> {
    let roles = clients.iam.list_roles().into_paginator().send().try_collect().await.expect("roles");
    let roles = roles.iter().flat_map(|page| page.roles()).map(|role| role.role_name());
    let roles = roles.filter(|name| name.starts_with(prefix)).map(|name| format!("role {name}"));
    let policies = clients.iam.list_policies().scope(PolicyScopeType::Local);
    let policies = policies.into_paginator().send().try_collect().await.expect("policies");
    let policies = policies.iter().flat_map(|page| page.policies()).filter_map(|policy| policy.policy_name());
    let policies = policies.filter(|name| name.starts_with(prefix)).map(|name| format!("policy {name}"));
    roles.chain(policies).collect()
}

async fn projects(clients: &Clients, prefix: &str) -> Vec<String> {
    let pages = clients.codebuild.list_projects().into_paginator().send().try_collect().await.expect("projects");
    let projects = pages.iter().flat_map(|page| page.projects());
    let projects = projects.filter(|name| name.starts_with(prefix)).map(|name| format!("project {name}"));
    let pages = clients.codebuild.list_builds().into_paginator().send().try_collect().await.expect("builds");
    let builds = pages.iter().flat_map(|page| page.ids());
    let builds = builds.filter(|id| id.starts_with(prefix)).map(|id| format!("build {id}"));
    projects.chain(builds).collect()
}

async fn functions(clients: &Clients, prefix: &str) -> Vec<String> {
    let pages = clients.lambda.list_functions().into_paginator().send().try_collect().await.expect("functions");
    let names = pages.iter().flat_map(|page| page.functions()).filter_map(|function| function.function_name());
    names.filter(|name| name.starts_with(prefix)).map(|name| format!("function {name}")).collect()
}

async fn log_groups(clients: &Clients, prefix: &str) -> Vec<String> {
    let pages = clients.logs.describe_log_groups().into_paginator().send().try_collect().await.expect("log groups");
    let names = pages.iter().flat_map(|page| page.log_groups()).filter_map(|group| group.log_group_name());
    let own = |name: &&str| name.rsplit('/').next().is_some_and(|last| last.starts_with(prefix));
    names.filter(own).map(|name| format!("log group {name}")).collect()
}

async fn stacks(clients: &Clients, prefix: &str) -> Vec<String> {
    let pages = clients.cloudformation.describe_stacks().into_paginator().send().try_collect().await.expect("stacks");
    let names = pages.iter().flat_map(|page| page.stacks()).filter_map(|stack| stack.stack_name());
    names.filter(|name| name.starts_with(prefix)).map(|name| format!("stack {name}")).collect()
}
