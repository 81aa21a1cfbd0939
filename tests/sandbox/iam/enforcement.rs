//! Enforcement of policies, and the error messages of denied requests.

use aws_config::SdkConfig;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::types::{Delete, ObjectIdentifier};
use serde_json::{Value, json};

use thumbctl_test_support::in_process::{Sandbox, code};
use thumbctl_test_support::policies::user;
use thumbctl_test_support::{Clients, in_process};

const ROOT_TRUST: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::000000000000:root"},"Action":"sts:AssumeRole"}]}"#;

async fn strict() -> (Sandbox, Clients) {
    let sandbox = Sandbox::strict().await;
    let admin = Clients::of(sandbox.config());
    (sandbox, admin)
}

/// Creates a user with the policy statements, and returns clients with the user's keys.
async fn user_with_policy(sandbox: &Sandbox, admin: &Clients, name: &str, statements: Value) -> Clients {
    let (key, secret) = user(admin, name).await;
    set_policy(admin, name, statements).await;
    Clients::new(&sandbox.endpoint.url, "us-east-1", &key, &secret)
}

async fn set_policy(admin: &Clients, name: &str, statements: Value) {
    let policy = json!({ "Version": "2012-10-17", "Statement": statements }).to_string();
    let put = admin.iam.put_user_policy().user_name(name).policy_name("own").policy_document(policy);
    put.send().await.expect("a policy");
}

/// Status, code and message of an error response.
#[track_caller]
fn error_of<T: std::fmt::Debug, E: ProvideErrorMetadata>(result: Result<T, SdkError<E>>) -> (u16, String, String) {
    match result {
        Ok(response) => panic!("unexpected success: {response:?}"),
        Err(error) => {
            let status = error.raw_response().map_or(0, |raw| raw.status().as_u16());
            (status, error.code().unwrap_or_default().to_owned(), error.message().unwrap_or_default().to_owned())
        }
    }
}

fn denial_message(action: &str, resource: &str) -> String {
    format!(
        "User: arn:aws:iam::000000000000:user/ann is not authorized to perform: {action} on resource: {resource} because \
         no identity-based policy allows the {action} action"
    )
}

#[tokio::test]
async fn access_denied_error_matches_each_service() {
    let (sandbox, admin) = strict().await;
    let ann =
        user_with_policy(&sandbox, &admin, "ann", json!([{ "Effect": "Allow", "Action": "sts:*", "Resource": "*" }]))
            .await;
    let expect = |status: u16, code: &str, action: &str, resource: &str| {
        (status, code.to_owned(), denial_message(action, resource))
    };
    assert_eq!(
        error_of(ann.s3.get_object().bucket("pics").key("a b").send().await),
        expect(403, "AccessDenied", "s3:GetObject", "\"arn:aws:s3:::pics/a b\"")
    );
    assert_eq!(
        error_of(ann.iam.get_role().role_name("r").send().await),
        expect(403, "AccessDenied", "iam:GetRole", "arn:aws:iam::000000000000:role/r")
    );
    assert_eq!(
        error_of(ann.lambda.invoke().function_name("f").send().await),
        expect(
            403,
            "AccessDeniedException",
            "lambda:InvokeFunction",
            "arn:aws:lambda:us-east-1:000000000000:function:f"
        )
    );
    assert_eq!(
        error_of(ann.ecr.describe_images().repository_name("r").send().await),
        expect(400, "AccessDeniedException", "ecr:DescribeImages", "arn:aws:ecr:us-east-1:000000000000:repository/r")
    );
    assert_eq!(
        error_of(ann.codebuild.batch_get_builds().ids("p:1").send().await),
        expect(
            400,
            "AccessDeniedException",
            "codebuild:BatchGetBuilds",
            "arn:aws:codebuild:us-east-1:000000000000:project/p"
        )
    );
    assert_eq!(
        error_of(ann.logs.create_log_group().log_group_name("/g").send().await),
        expect(
            400,
            "AccessDeniedException",
            "logs:CreateLogGroup",
            "arn:aws:logs:us-east-1:000000000000:log-group:/g:log-stream:"
        )
    );
    // GetCallerIdentity requires no permission.
    aws_sdk_sts::Client::new(&ann.config).get_caller_identity().send().await.expect("an identity");
    sandbox.stop().await;
}

#[tokio::test]
async fn explicit_deny_and_boundary_take_precedence() {
    let (sandbox, admin) = strict().await;
    let everything = json!({ "Effect": "Allow", "Action": "*", "Resource": "*" });
    let denied = json!({ "Effect": "Deny", "NotAction": ["iam:*", "s3:*"], "Resource": "*" });
    let ann = user_with_policy(&sandbox, &admin, "ann", json!([everything, denied])).await;
    let (status, _, message) = error_of(ann.logs.describe_log_groups().send().await);
    assert_eq!(status, 400);
    assert!(message.ends_with("with an explicit deny in an identity-based policy"), "{message}");
    ann.s3.list_buckets().send().await.expect("allowed");

    let boundary =
        json!({ "Version": "2012-10-17", "Statement": [{ "Effect": "Allow", "Action": "iam:*", "Resource": "*" }] });
    let boundary = admin.iam.create_policy().policy_name("bound").policy_document(boundary.to_string()).send().await;
    let boundary = boundary.expect("a policy").policy.expect("a policy").arn.expect("an ARN");
    let put = admin.iam.put_user_permissions_boundary().user_name("ann").permissions_boundary(boundary);
    put.send().await.expect("a boundary");
    let (_, _, message) = error_of(ann.s3.list_buckets().send().await);
    assert!(message.ends_with("because no permissions boundary allows the s3:ListAllMyBuckets action"), "{message}");
    sandbox.stop().await;
}

#[tokio::test]
async fn each_deleted_key_is_authorized_separately() {
    let (sandbox, admin) = strict().await;
    admin.s3.create_bucket().bucket("pics").send().await.expect("a bucket");
    for key in ["mine/a", "other"] {
        admin.s3.put_object().bucket("pics").key(key).send().await.expect("an object");
    }
    let own = json!([{ "Effect": "Allow", "Action": ["s3:DeleteObject", "s3:GetObject"], "Resource": "arn:aws:s3:::pics/mine/*" }]);
    let ann = user_with_policy(&sandbox, &admin, "ann", own).await;
    let object = |key: &str| ObjectIdentifier::builder().key(key).build().expect("a complete request");
    let delete =
        Delete::builder().objects(object("mine/a")).objects(object("other")).build().expect("a complete request");
    let response = ann.s3.delete_objects().bucket("pics").delete(delete).send().await.expect("a response");
    assert_eq!(response.deleted()[0].key(), Some("mine/a"));
    let error = &response.errors()[0];
    assert_eq!((error.key(), error.code()), (Some("other"), Some("AccessDenied")));
    // Without permission to list keys, a missing key returns AccessDenied.
    assert_eq!(code(ann.s3.get_object().bucket("pics").key("mine/none").send().await), "AccessDenied");
    assert_eq!(code(admin.s3.get_object().bucket("pics").key("mine/none").send().await), "NoSuchKey");
    sandbox.stop().await;
}

#[tokio::test]
async fn pass_role_is_limited_to_named_services() {
    let (sandbox, admin) = strict().await;
    admin.iam.create_role().role_name("r").assume_role_policy_document(ROOT_TRUST).send().await.expect("a role");
    let pass = |service: &str| {
        json!([{ "Effect": "Allow", "Action": "lambda:*", "Resource": "*" }, {
            "Effect": "Allow", "Action": "iam:PassRole", "Resource": "*",
            "Condition": { "StringEquals": { "iam:PassedToService": service } },
        }])
    };
    let ann = user_with_policy(&sandbox, &admin, "ann", pass("codebuild.amazonaws.com")).await;
    let update = || {
        let update = ann.lambda.update_function_configuration().function_name("f");
        update.role("arn:aws:iam::000000000000:role/r").send()
    };
    let (status, code, message) = error_of(update().await);
    assert_eq!((status, code.as_str()), (403, "AccessDeniedException"));
    assert_eq!(message, denial_message("iam:PassRole", "arn:aws:iam::000000000000:role/r"));
    set_policy(&admin, "ann", pass("lambda.amazonaws.com")).await;
    assert_eq!(error_of(update().await).1, "ResourceNotFoundException");
    sandbox.stop().await;
}

#[tokio::test]
async fn bucket_policy_allows_and_denies() {
    let (sandbox, admin) = strict().await;
    admin.s3.create_bucket().bucket("pics").send().await.expect("a bucket");
    admin.s3.put_object().bucket("pics").key("a").send().await.expect("an object");
    let ann =
        user_with_policy(&sandbox, &admin, "ann", json!([{ "Effect": "Allow", "Action": "iam:*", "Resource": "*" }]))
            .await;
    assert_eq!(code(ann.s3.get_object().bucket("pics").key("a").send().await), "AccessDenied");
    let policy = |effect: &str| {
        json!({ "Version": "2012-10-17", "Statement": [{
            "Effect": effect, "Principal": { "AWS": "arn:aws:iam::000000000000:user/ann" },
            "Action": "s3:GetObject", "Resource": "arn:aws:s3:::pics/*",
        }] })
        .to_string()
    };
    admin.s3.put_bucket_policy().bucket("pics").policy(policy("Allow")).send().await.expect("a policy");
    ann.s3.get_object().bucket("pics").key("a").send().await.expect("allowed");
    admin.s3.put_bucket_policy().bucket("pics").policy(policy("Deny")).send().await.expect("a policy");
    let (_, _, message) = error_of(ann.s3.get_object().bucket("pics").key("a").send().await);
    assert!(message.ends_with("with an explicit deny in a resource-based policy"), "{message}");
    sandbox.stop().await;
}

#[tokio::test]
async fn copy_source_is_authorized_by_its_own_bucket() {
    let (sandbox, admin) = strict().await;
    for bucket in ["mine", "theirs"] {
        admin.s3.create_bucket().bucket(bucket).send().await.expect("a bucket");
    }
    admin.s3.put_object().bucket("theirs").key("a").send().await.expect("an object");
    let own_bucket =
        json!([{ "Effect": "Allow", "Action": "s3:*", "Resource": ["arn:aws:s3:::mine", "arn:aws:s3:::mine/*"] }]);
    let ann = user_with_policy(&sandbox, &admin, "ann", own_bucket).await;
    let policy = |resource: &str| {
        json!({ "Version": "2012-10-17", "Statement": [{
            "Effect": "Allow", "Principal": { "AWS": "arn:aws:iam::000000000000:user/ann" },
            "Action": "s3:GetObject", "Resource": resource,
        }] })
        .to_string()
    };
    ann.s3.put_bucket_policy().bucket("mine").policy(policy("arn:aws:s3:::theirs/*")).send().await.expect("a policy");
    let copy = || ann.s3.copy_object().copy_source("theirs/a").bucket("mine").key("b").send();
    assert_eq!(code(copy().await), "AccessDenied", "a bucket's policy grants no access to another bucket");
    admin
        .s3
        .put_bucket_policy()
        .bucket("theirs")
        .policy(policy("arn:aws:s3:::theirs/*"))
        .send()
        .await
        .expect("a policy");
    copy().await.expect("allowed by the source bucket's policy");
    let nonsense = json!({ "Version": "2012-10-17", "Statement": [{ "Effect": "Perhaps" }] }).to_string();
    assert_eq!(code(ann.s3.put_bucket_policy().bucket("mine").policy(nonsense).send().await), "MalformedPolicy");
    sandbox.stop().await;
}

async fn assume(config: &SdkConfig, role: &str, external_id: Option<&str>) -> Result<Clients, String> {
    let assume = aws_sdk_sts::Client::new(config).assume_role().role_arn(role).role_session_name("me");
    let assumed = assume.set_external_id(external_id.map(str::to_owned)).send().await;
    let keys = assumed.map_err(|error| error_of::<(), _>(Err(error)).2)?.credentials.expect("keys");
    let url = config.endpoint_url().expect("an endpoint");
    let token = Some(keys.session_token());
    Ok(Clients::of(in_process::config_with_keys(
        url,
        "us-east-1",
        keys.access_key_id(),
        keys.secret_access_key(),
        token,
    )))
}

#[tokio::test]
async fn role_is_assumable_by_trusted_principals_and_deletion_ends_its_sessions() {
    let (sandbox, admin) = strict().await;
    let role = "arn:aws:iam::000000000000:role/r";
    let create = async || {
        admin.iam.create_role().role_name("r").assume_role_policy_document(ROOT_TRUST).send().await.expect("a role");
        let put = admin.iam.put_role_policy().role_name("r").policy_name("own");
        let all = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"*"}]}"#;
        put.policy_document(all).send().await.expect("a policy");
    };
    create().await;
    let ann =
        user_with_policy(&sandbox, &admin, "ann", json!([{ "Effect": "Allow", "Action": "s3:*", "Resource": "*" }]))
            .await;
    let message = assume(&ann.config, role, None).await.map(|_| ()).expect_err("not allowed by the user's policies");
    assert_eq!(
        message,
        format!(
            "User: arn:aws:iam::000000000000:user/ann is not authorized to perform: sts:AssumeRole on resource: {role}"
        )
    );
    set_policy(&admin, "ann", json!([{ "Effect": "Allow", "Action": "sts:AssumeRole", "Resource": role }])).await;
    let session = assume(&ann.config, role, None).await.expect("a session");
    session.s3.list_buckets().send().await.expect("allowed");

    // A trust policy that names the user suffices if its conditions hold.
    set_policy(&admin, "ann", json!([{ "Effect": "Allow", "Action": "iam:*", "Resource": "*" }])).await;
    let trust = json!({ "Version": "2012-10-17", "Statement": [{
        "Effect": "Allow", "Principal": { "AWS": "arn:aws:iam::000000000000:user/ann" }, "Action": "sts:AssumeRole",
        "Condition": { "StringEquals": { "sts:ExternalId": "secret" } },
    }] });
    let update = admin.iam.update_assume_role_policy().role_name("r").policy_document(trust.to_string());
    update.send().await.expect("another trust policy");
    assert!(assume(&ann.config, role, None).await.is_err());
    assert!(assume(&ann.config, role, Some("secret")).await.is_ok());

    // Sessions of a deleted role stay invalid after a role with the same name is created.
    admin.iam.delete_role_policy().role_name("r").policy_name("own").send().await.expect("deleted");
    admin.iam.delete_role().role_name("r").send().await.expect("deleted");
    assert_eq!(code(session.s3.list_buckets().send().await), "AccessDenied");
    create().await;
    assert_eq!(code(session.s3.list_buckets().send().await), "AccessDenied");
    sandbox.stop().await;
}

#[tokio::test]
async fn session_token_has_permissions_of_its_user() {
    let (sandbox, admin) = strict().await;
    let ann = user_with_policy(
        &sandbox,
        &admin,
        "ann",
        json!([{ "Effect": "Allow", "Action": "s3:List*", "Resource": "*" }]),
    )
    .await;
    let token = aws_sdk_sts::Client::new(&ann.config).get_session_token().send().await.expect("a token");
    let keys = token.credentials.expect("keys");
    let config = in_process::config_with_keys(
        &sandbox.endpoint.url,
        "us-east-1",
        keys.access_key_id(),
        keys.secret_access_key(),
        Some(keys.session_token()),
    );
    let session = Clients::of(config);
    let me = aws_sdk_sts::Client::new(&session.config).get_caller_identity().send().await.expect("an identity");
    assert_eq!(me.arn(), Some("arn:aws:iam::000000000000:user/ann"));
    session.s3.list_buckets().send().await.expect("allowed");
    assert_eq!(code(session.s3.create_bucket().bucket("pics").send().await), "AccessDenied");
    sandbox.stop().await;
}

#[tokio::test]
async fn user_policies_apply_only_if_enforced() {
    let sandbox = Sandbox::ephemeral().await;
    let admin = Clients::of(sandbox.config());
    let ann =
        user_with_policy(&sandbox, &admin, "ann", json!([{ "Effect": "Deny", "Action": "*", "Resource": "*" }])).await;
    ann.s3.create_bucket().bucket("pics").send().await.expect("allowed");
    sandbox.stop().await;
}

#[tokio::test]
async fn groups_and_aws_managed_policies_apply() {
    let (sandbox, admin) = strict().await;
    let ann =
        user_with_policy(&sandbox, &admin, "ann", json!([{ "Effect": "Allow", "Action": "sts:*", "Resource": "*" }]))
            .await;
    admin.iam.create_group().group_name("readers").send().await.expect("a group");
    admin.iam.add_user_to_group().group_name("readers").user_name("ann").send().await.expect("a member");
    let attach = |policy: &str| {
        let arn = format!("arn:aws:iam::aws:policy/{policy}");
        admin.iam.attach_group_policy().group_name("readers").policy_arn(arn).send()
    };
    attach("AmazonS3ReadOnlyAccess").await.expect("attached");
    ann.s3.list_buckets().send().await.expect("allowed");
    assert_eq!(code(ann.s3.create_bucket().bucket("pics").send().await), "AccessDenied");
    assert_eq!(code(attach("NoSuchPolicyOfAws").await), "NoSuchEntity");
    sandbox.stop().await;
}
