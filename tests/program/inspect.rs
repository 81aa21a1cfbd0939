//! Inspection of resources, deployed by the real program in the real sandbox.

use std::collections::BTreeMap;

use aws_sdk_codebuild::types::{EnvironmentVariable, ProjectEnvironment};
use aws_sdk_lambda::types::Environment;
use aws_sdk_s3::types::{BucketVersioningStatus, VersioningConfiguration};
use thumbctl_core::event::EventKind;
use thumbctl_core::names::Names;
use thumbctl_core::resource::ResourceKind;
use thumbctl_deploy::resource::inspection::DENIED;
use thumbctl_deploy::session::{Inspection, Session, SessionError};
use thumbctl_deploy::settings::Settings;
use thumbctl_test_support::{Clients, Program};

async fn session(program: &Program) -> Session {
    Session::open(Settings::with_state_dir(program.state_dir())).await.expect("a session")
}

/// Deploys and returns the names.
fn deploy(program: &Program) -> Names {
    let events = program.run(["deploy", "--output", "json"]).ok().events();
    let started = events.into_iter().find_map(|event| match event.kind {
        EventKind::RunStarted(started) => Some(started.names),
        _ => None,
    });
    started.expect("a run has a first event")
}

async fn inspect(session: &Session, kind: ResourceKind) -> Inspection {
    let inspection = session.inspect(kind).await.expect("an answer").expect("it is there");
    assert_eq!(inspection.kind, kind);
    inspection
}

#[track_caller]
fn setting<'a>(inspection: &'a Inspection, label: &str) -> &'a str {
    let found = inspection.settings.iter().find(|(name, _)| name == label);
    found.unwrap_or_else(|| panic!("no {label} in {inspection:?}")).1.as_str()
}

#[track_caller]
fn assert_settings(inspection: &Inspection, expected: &[(&str, &str)]) {
    for (label, value) in expected {
        assert_eq!(setting(inspection, label), *value, "{label} in {inspection:?}");
    }
}

/// Checks that a time is recent; the sandbox uses this machine's clock.
#[track_caller]
fn assert_recent(text: &str) {
    let time = chrono::NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S UTC").expect("a time");
    let age = chrono::Utc::now().naive_utc() - time;
    assert!((-1..86_400).contains(&age.num_seconds()), "{text}");
}

#[tokio::test]
async fn inspection_matches_deployed_settings() {
    let program = Program::new();
    let sandbox = program.sandbox();
    let clients = sandbox.clients();
    program.configure("[function]\nmemory_mb = 640\ntimeout_seconds = 17\nmax_size = 99\n[logs]\nretention_days = 3\n");
    let names = deploy(&program);
    // The session has default settings, so the values come from the cloud.
    let session = session(&program).await;
    let status = session.status().await.expect("a status");
    let documents: BTreeMap<_, _> = session.plan_preview().expect("a plan").documents.into_iter().collect();
    let tags = [("thumbctl:deployment", "thumbnails"), ("thumbctl:region", "us-east-1"), ("thumbctl:strategy", "sdk")];
    let tags = tags.map(|(key, value)| (key.to_owned(), value.to_owned())).to_vec();

    let mut found = BTreeMap::new();
    for kind in ResourceKind::ARCHITECTURE {
        let inspection = inspect(&session, kind).await;
        let journalled = status.iter().find(|resource| resource.kind == kind).expect("it is journalled");
        assert_eq!(inspection.name, journalled.name, "{kind}");
        if let Some(arn) = &inspection.arn {
            assert_eq!(Some(arn), journalled.arn.as_ref(), "{kind}");
        }
        let has_no_tags =
            matches!(kind, ResourceKind::Image | ResourceKind::InvokePermission | ResourceKind::Notification);
        assert_eq!(inspection.tags, if has_no_tags { Vec::new() } else { tags.clone() }, "{kind}");
        assert_eq!(inspection.arn.is_none(), has_no_tags, "{kind}");
        assert!(!inspection.settings.iter().any(|(_, value)| value.is_empty() || value == DENIED), "{inspection:?}");
        for label in ["created", "changed", "pushed"] {
            inspection.settings.iter().filter(|(name, _)| name == label).for_each(|(_, time)| assert_recent(time));
        }
        found.insert(kind, inspection);
    }

    let account = session.identity().account.clone();
    let of = |kind| names.of(kind);
    let role_arn = |kind| format!("arn:aws:iam::{account}:role/{}", of(kind));
    let function_arn = format!("arn:aws:lambda:us-east-1:{account}:function:{}", of(ResourceKind::Function));
    let image = image(&clients, &names).await;
    let uri = format!("{account}.dkr.ecr.us-east-1.amazonaws.com/{}", of(ResourceKind::Repository));

    assert_settings(
        &found[&ResourceKind::Repository],
        &[("URI", &uri), ("tag mutability", "mutable"), ("scan on push", "no"), ("encryption", "AES256")],
    );
    setting(&found[&ResourceKind::Repository], "created");
    assert_settings(
        &found[&ResourceKind::Image],
        &[
            ("digest", image.image_digest().expect("a digest")),
            ("tags", "latest"),
            ("media type", image.image_manifest_media_type().expect("a media type")),
            ("size", &format!("{:.1} MB", image.image_size_in_bytes().expect("a size") as f64 / 1e6)),
        ],
    );
    for kind in [ResourceKind::BuildSourceBucket, ResourceKind::SourceBucket, ResourceKind::DestinationBucket] {
        let expected =
            [("region", "us-east-1"), ("encryption", "AES256"), ("public access", "blocked"), ("versioning", "off")];
        assert_settings(&found[&kind], &expected);
    }
    for kind in [ResourceKind::BuildLogGroup, ResourceKind::FunctionLogGroup] {
        assert_settings(&found[&kind], &[("retention", "3 days")]);
    }
    assert_ne!(setting(&found[&ResourceKind::BuildLogGroup], "stored"), "0 B", "the build has written to it");
    for (policy, role) in [
        (ResourceKind::BuildPolicy, ResourceKind::BuildRole),
        (ResourceKind::FunctionPolicy, ResourceKind::FunctionRole),
    ] {
        let policy_arn = format!("arn:aws:iam::{account}:policy/{}", of(policy));
        assert_settings(&found[&policy], &[("attached to", "1 of roles, users and groups"), ("default version", "v1")]);
        assert_eq!(found[&policy].documents, [("permissions".to_owned(), documents[&policy].clone())]);
        assert_settings(&found[&role], &[("attached policy", &policy_arn), ("maximum session duration", "1 h")]);
        assert_eq!(found[&role].documents, [("trust".to_owned(), documents[&role].clone())]);
    }
    let build_source = format!("S3 {}/function.zip", of(ResourceKind::BuildSourceBucket));
    assert_settings(
        &found[&ResourceKind::BuildProject],
        &[
            ("source", &build_source),
            ("build image", "aws/codebuild/standard:8.0"),
            ("compute type", "BUILD_GENERAL1_SMALL"),
            ("privileged", "yes"),
            ("timeout", "15 min"),
            ("service role", &role_arn(ResourceKind::BuildRole)),
            ("log group", &of(ResourceKind::BuildLogGroup)),
            ("env AWS_ACCOUNT_ID", &account),
            ("env IMAGE_REPO_NAME", &of(ResourceKind::Repository)),
        ],
    );
    assert_settings(
        &found[&ResourceKind::Function],
        &[
            ("state", "active"),
            ("image digest", image.image_digest().expect("a digest")),
            ("image", &format!("{uri}@{}", image.image_digest().expect("a digest"))),
            ("architecture", if cfg!(target_arch = "aarch64") { "arm64" } else { "x86_64" }),
            ("memory", "640 MB"),
            ("timeout", "17 s"),
            ("execution role", &role_arn(ResourceKind::FunctionRole)),
            ("log group", &of(ResourceKind::FunctionLogGroup)),
            ("env DEST_BUCKET", &of(ResourceKind::DestinationBucket)),
            ("env MAX_SIZE", "99"),
        ],
    );
    let source_arn = format!("arn:aws:s3:::{}", of(ResourceKind::SourceBucket));
    assert_settings(
        &found[&ResourceKind::InvokePermission],
        &[
            ("principal", "s3.amazonaws.com"),
            ("action", "lambda:InvokeFunction"),
            ("source", &source_arn),
            ("source account", &account),
        ],
    );
    let (purpose, statement) = &found[&ResourceKind::InvokePermission].documents[0];
    assert_eq!((purpose.as_str(), &statement["Resource"]), ("resource policy", &function_arn.clone().into()));
    assert_settings(
        &found[&ResourceKind::Notification],
        &[("events", "s3:ObjectCreated:*"), ("prefix", "any"), ("suffix", "any"), ("function", &function_arn)],
    );

    program.run(["destroy", "--yes"]).ok();
    let gone = session.inspect(ResourceKind::Function).await;
    assert!(matches!(gone, Err(SessionError::NoDeployment(_))), "{gone:?}");
}

async fn image(clients: &Clients, names: &Names) -> aws_sdk_ecr::types::ImageDetail {
    let images = clients.ecr.describe_images().repository_name(names.of(ResourceKind::Repository));
    images.send().await.expect("images").image_details.expect("a list").remove(0)
}

#[tokio::test]
async fn inspection_shows_changes_and_masks_credentials() {
    let program = Program::new();
    let sandbox = program.sandbox();
    let clients = sandbox.clients();
    let names = deploy(&program);
    let of = |kind| names.of(kind);
    let key_id = concat!("AKIA", "IOSFODNN7EXAMPLE");
    let environment = [("API_TOKEN", "very-secret"), ("PLAIN", key_id), ("MAX_SIZE", "12")];
    let mut for_function = Environment::builder();
    for (name, value) in environment {
        for_function = for_function.variables(name, value);
    }
    let update = clients.lambda.update_function_configuration().function_name(of(ResourceKind::Function));
    update.memory_size(256).environment(for_function.build()).send().await.expect("an update");
    let projects = clients.codebuild.batch_get_projects().names(of(ResourceKind::BuildProject)).send().await;
    let old = projects.expect("a project").projects.expect("a list").remove(0).environment.expect("an environment");
    let mut for_project = ProjectEnvironment::builder()
        .r#type(old.r#type)
        .image(old.image)
        .compute_type(old.compute_type)
        .privileged_mode(false);
    for (name, value) in environment {
        let variable = EnvironmentVariable::builder().name(name).value(value).build().expect("a variable");
        for_project = for_project.environment_variables(variable);
    }
    let update = clients.codebuild.update_project().name(of(ResourceKind::BuildProject));
    update.environment(for_project.build().expect("an environment")).send().await.expect("an update");
    let versioning = VersioningConfiguration::builder().status(BucketVersioningStatus::Enabled).build();
    let put = clients.s3.put_bucket_versioning().bucket(of(ResourceKind::SourceBucket));
    put.versioning_configuration(versioning).send().await.expect("versioning");
    clients.s3.delete_public_access_block().bucket(of(ResourceKind::SourceBucket)).send().await.expect("unblocked");
    clients.s3.delete_bucket_tagging().bucket(of(ResourceKind::SourceBucket)).send().await.expect("no tags");
    let clear = clients.s3.put_bucket_notification_configuration().bucket(of(ResourceKind::SourceBucket));
    let nothing = aws_sdk_s3::types::NotificationConfiguration::builder().build();
    clear.notification_configuration(nothing).send().await.expect("no notification");
    let permission = clients.lambda.remove_permission().function_name(of(ResourceKind::Function));
    permission.statement_id(of(ResourceKind::InvokePermission)).send().await.expect("no permission");
    let retention = clients.logs.delete_retention_policy().log_group_name(of(ResourceKind::FunctionLogGroup));
    retention.send().await.expect("no retention");
    let repository = clients.ecr.delete_repository().repository_name(of(ResourceKind::Repository)).force(true);
    repository.send().await.expect("no repository");

    let session = session(&program).await;
    for kind in [ResourceKind::Function, ResourceKind::BuildProject] {
        let found = inspect(&session, kind).await;
        assert_settings(&found, &[("env API_TOKEN", "hidden"), ("env PLAIN", "hidden"), ("env MAX_SIZE", "12")]);
        let all = format!("{found:?}");
        assert!(!all.contains("very-secret") && !all.contains(key_id), "{all}");
    }
    assert_settings(&inspect(&session, ResourceKind::Function).await, &[("memory", "256 MB")]);
    assert_settings(&inspect(&session, ResourceKind::BuildProject).await, &[("privileged", "no")]);
    let bucket = inspect(&session, ResourceKind::SourceBucket).await;
    assert_settings(&bucket, &[("versioning", "enabled"), ("public access", "not blocked")]);
    assert_eq!(bucket.tags, []);
    assert_settings(&inspect(&session, ResourceKind::FunctionLogGroup).await, &[("retention", "unlimited")]);
    for kind in
        [ResourceKind::Repository, ResourceKind::Image, ResourceKind::InvokePermission, ResourceKind::Notification]
    {
        assert_eq!(session.inspect(kind).await.expect("an answer"), None, "{kind}");
    }
    program.run(["destroy", "--yes"]).ok();
}

#[tokio::test]
async fn inspection_marks_denied_parts_only() {
    let program = Program::new();
    let sandbox = program.sandbox();
    let names = deploy(&program);
    sandbox.interrupt();
    let refused = [
        ("s3", "GetBucketEncryption"),
        ("s3", "GetPublicAccessBlock"),
        ("s3", "GetBucketVersioning"),
        ("s3", "GetBucketTagging"),
        ("ecr", "ListTagsForResource"),
        ("ecr", "DescribeImages"),
        ("logs", "ListTagsForResource"),
        ("iam", "GetPolicyVersion"),
        ("iam", "ListAttachedRolePolicies"),
        ("lambda", "GetFunction"),
        ("lambda", "GetPolicy"),
    ];
    let refused = refused.map(|(service, operation)| {
        serde_json::json!({
            "service": service, "operation": operation,
            "kind": "error", "status": 403, "code": if service == "s3" || service == "iam" { "AccessDenied" } else { "AccessDeniedException" },
        })
    });
    let sandbox = program.sandbox_with_faults(&serde_json::Value::from(refused.to_vec()).to_string());
    let session = session(&program).await;

    let bucket = inspect(&session, ResourceKind::SourceBucket).await;
    let expected = [
        ("region", "us-east-1"),
        ("encryption", DENIED),
        ("public access", DENIED),
        ("versioning", DENIED),
        ("tags", DENIED),
    ];
    assert_settings(&bucket, &expected);
    assert_eq!(bucket.tags, []);
    let repository = inspect(&session, ResourceKind::Repository).await;
    assert_settings(&repository, &[("tags", DENIED), ("scan on push", "no")]);
    assert_settings(
        &inspect(&session, ResourceKind::BuildLogGroup).await,
        &[("tags", DENIED), ("retention", "7 days")],
    );
    let policy = inspect(&session, ResourceKind::BuildPolicy).await;
    assert_settings(&policy, &[("permissions", DENIED), ("default version", "v1")]);
    assert_eq!(policy.documents, []);
    let role = inspect(&session, ResourceKind::FunctionRole).await;
    assert_settings(&role, &[("attached policy", DENIED), ("maximum session duration", "1 h")]);
    assert_eq!(role.documents.len(), 1);
    let function = inspect(&session, ResourceKind::Function).await;
    assert_settings(&function, &[("image", DENIED), ("tags", DENIED), ("memory", "512 MB")]);
    for kind in [ResourceKind::Image, ResourceKind::InvokePermission] {
        let error = session.inspect(kind).await.expect_err("access is denied");
        assert!(error.to_string().contains("AccessDenied"), "{error}");
        assert!(error.hint().is_some_and(|hint| hint.contains("is missing")), "{error}");
    }
    // Inspection changes nothing.
    for operation in ["PutBucketTagging", "DeleteBucket", "CreateFunction", "TagResource", "PutRetentionPolicy"] {
        for service in ["s3", "lambda", "ecr", "logs"] {
            assert_eq!(sandbox.calls(service, operation), 0, "{service} {operation}");
        }
    }
    assert_eq!(names.of(ResourceKind::Function), function.name);
    drop(session);
    sandbox.interrupt();
    // Without the faults, so that the resources can be deleted.
    program.run(["destroy", "--yes"]).ok();
}

#[tokio::test]
async fn inspection_without_deployment_fails() {
    let program = Program::new();
    let _sandbox = program.sandbox();
    let session = session(&program).await;
    for kind in ResourceKind::ARCHITECTURE {
        let answer = session.inspect(kind).await;
        assert!(matches!(answer, Err(SessionError::NoDeployment(_))), "{kind}: {answer:?}");
    }
}
