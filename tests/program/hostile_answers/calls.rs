//! Calls of every service, as the program makes them.

use std::path::Path;

use thumbctl_deploy::aws::{AwsError, cloudformation, codebuild, ecr, iam, lambda, logs, s3, sts};

use thumbctl_test_support::Clients;

/// The services.
pub(super) const SERVICES: [&str; 8] = ["s3", "iam", "ecr", "codebuild", "lambda", "logs", "cloudformation", "sts"];

/// Formats the result of a call as the program would.
fn look<T: std::fmt::Debug>(result: Result<T, AwsError>) {
    match result {
        Ok(value) => drop(format!("{value:?}")),
        Err(error) => {
            let mut next: Option<&dyn std::error::Error> = Some(&error);
            while let Some(cause) = next {
                drop(cause.to_string());
                next = cause.source();
            }
            drop((error.hint(), format!("{error:?}")));
        }
    }
}

/// Makes calls of a service, one after the other; downloads go into `folder`.
pub(super) async fn call_all(service: &str, clients: &Clients, folder: &Path) {
    match service {
        "s3" => {
            let client = &clients.s3;
            look(s3::list_buckets(client, "", "us-east-1").await);
            look(s3::list_objects(client, "b", "").await);
            look(s3::head_object(client, "b", "k").await);
            look(s3::bucket(client, "b").await);
            look(s3::bucket_tags(client, "b").await);
            look(s3::bucket_encryption(client, "b").await);
            look(s3::notification(client, "b").await);
            look(s3::create_bucket(client, "b", "us-east-1").await);
            look(s3::put_object_bytes(client, "b", "k", "x", "text/plain").await);
            look(s3::get_object_bytes(client, "b", "k").await);
            look(s3::get_object_to_file(client, "b", "k", &folder.join("object")).await);
            look(s3::empty_bucket(client, "b", &mut |_| {}).await);
            look(s3::delete_bucket(client, "b").await);
        }
        "iam" => {
            let client = &clients.iam;
            look(iam::list_roles(client, "").await);
            look(iam::list_policies(client, "").await);
            look(iam::role(client, "r").await);
            look(iam::policy(client, "arn:aws:iam::1:policy/p").await);
            look(iam::policy_document(client, "arn:aws:iam::1:policy/p", "v1").await);
            look(iam::delete_role(client, "r").await);
            look(iam::delete_policy(client, "arn:aws:iam::1:policy/p").await);
        }
        "ecr" => {
            let client = &clients.ecr;
            look(ecr::list_repositories(client, "").await);
            look(ecr::repository(client, "r").await);
            look(ecr::image_by_tag(client, "r", "t").await);
            look(ecr::repository_policy(client, "r").await);
            look(ecr::delete_image(client, "r", "t").await);
            look(ecr::delete_repository(client, "r").await);
        }
        "codebuild" => {
            let client = &clients.codebuild;
            look(codebuild::list_projects(client, "").await);
            look(codebuild::build(client, "p:1").await);
            look(codebuild::start_build(client, "p", "token").await);
            look(codebuild::stop_build(client, "p:1").await);
            look(codebuild::delete_project(client, "p").await);
        }
        "lambda" => {
            let client = &clients.lambda;
            look(lambda::list_functions(client, "").await);
            look(lambda::function(client, "f").await);
            look(lambda::function_code(client, "f").await);
            look(lambda::bucket_permissions(client, "f", "b").await);
            look(lambda::delete_function(client, "f").await);
        }
        "logs" => {
            let client = &clients.logs;
            look(logs::list_log_groups(client, "").await);
            look(logs::log_group(client, "g").await);
            look(logs::filter_events(client, "g", 0, Some("p")).await);
            look(logs::LogTail::new(client.clone(), "g", "s").drain().await);
            look(logs::delete_log_group(client, "g").await);
        }
        "cloudformation" => {
            let client = &clients.cloudformation;
            look(cloudformation::list_stacks(client, "").await);
            look(cloudformation::stack(client, "s").await);
            look(cloudformation::events_since(client, "s", None).await);
            look(cloudformation::newest_event(client, "s").await);
            look(cloudformation::change_set(client, "s", "c").await);
            look(cloudformation::delete_stack(client, "s").await);
        }
        _ => {
            let client = aws_sdk_sts::Client::new(&clients.config);
            look(sts::caller_identity(&client).await);
        }
    }
}
