//! The shipped templates, deployed by `aws cloudformation deploy` in their README's order.

use std::path::{Path, PathBuf};

use aws_sdk_codebuild::types::StatusType;

use thumbctl_test_support::aws_tools::aws_cli;
use thumbctl_test_support::cloudformation::{StackSandbox, position};
use thumbctl_test_support::{list_everything, until};

thumbctl_test_support::foreign_tests! {
    [AwsCli, Python3] async: shipped_templates_deploy_through_the_aws_cli;
}

const SUFFIX: &str = "0123abcd";

fn template(name: &str) -> String {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/cloudformation");
    dir.join(name).display().to_string()
}

/// Builds the function's image with the stack's project; returns its URI.
async fn image(cloud: &StackSandbox) -> String {
    let clients = &cloud.clients;
    let source = thumbctl_deploy::assets::function_zip().unwrap();
    let bucket = format!("thumbs-{SUFFIX}-build-source");
    clients.s3.put_object().bucket(&bucket).key("function.zip").body(source.into()).send().await.unwrap();
    let build = clients.codebuild.start_build().project_name(format!("thumbs-{SUFFIX}-build")).send().await.unwrap();
    let id = build.build_value().unwrap().id().unwrap().to_owned();
    let build = until("the build", async || {
        let builds = clients.codebuild.batch_get_builds().ids(&id).send().await.unwrap();
        Some(builds.builds()[0].clone()).filter(|build| build.build_complete())
    })
    .await;
    assert_eq!(build.build_status(), Some(&StatusType::Succeeded));
    clients.s3.delete_object().bucket(&bucket).key("function.zip").send().await.unwrap();
    let repository = format!("thumbs-{SUFFIX}");
    let images = clients.ecr.describe_images().repository_name(&repository).send().await.unwrap();
    let digest = images.image_details()[0].image_digest().unwrap().to_owned();
    format!("000000000000.dkr.ecr.us-east-1.amazonaws.com/{repository}@{digest}")
}

async fn shipped_templates_deploy_through_the_aws_cli() {
    let Some(aws) = aws_cli() else { return };
    let cloud = StackSandbox::new();
    let dir: PathBuf = cloud.dir.path().to_owned();
    let deploy = |stack: &str, file: &str, parameters: &[String]| {
        let mut arguments: Vec<String> =
            ["cloudformation", "deploy", "--stack-name", stack, "--template-file", &template(file), "--capabilities"]
                .map(str::to_owned)
                .to_vec();
        arguments.extend(["CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"].map(str::to_owned));
        if !parameters.is_empty() {
            arguments.push("--parameter-overrides".to_owned());
            arguments.extend_from_slice(parameters);
        }
        aws.run(&dir, &cloud.sandbox, arguments).ok();
    };
    let suffix = format!("Suffix={SUFFIX}");
    deploy("thumbs-macro", "macro.yaml", &[]);
    deploy("thumbs-build", "build.yaml", std::slice::from_ref(&suffix));
    let image = image(&cloud).await;
    let image = format!("ImageUri={image}");
    deploy("thumbs-app", "app.yaml", &[suffix.clone(), image.clone()]);
    let function = format!("thumbs-{SUFFIX}-function");
    let memory = async || {
        let function = cloud.clients.lambda.get_function_configuration().function_name(&function).send().await.unwrap();
        function.memory_size()
    };
    assert_eq!(memory().await, Some(512));
    // An update, in place.
    deploy("thumbs-app", "app.yaml", &[suffix, image, "MemorySize=1024".to_owned()]);
    assert_eq!(memory().await, Some(1024));
    let events = cloud.event_lines("thumbs-app").await;
    position(&events, "Function UPDATE_COMPLETE");
    assert!(!events.iter().any(|line| line.starts_with("SourceBucket UPDATE")), "{events:#?}");
    for stack in ["thumbs-app", "thumbs-build", "thumbs-macro"] {
        cloud.delete_and_wait(stack, "DELETE_COMPLETE").await;
    }
    let mut left = list_everything(&cloud.clients, "thumbs").await;
    // A build's history outlives its project.
    left.retain(|found| !found.starts_with("build "));
    assert!(left.is_empty(), "{left:?}");
}
