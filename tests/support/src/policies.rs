//! Users and their policies, in a sandbox that enforces them.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use thumbctl_deploy::aws::policy::Document;

use crate::{Clients, Program, Sandbox};

/// The actions of a statement.
pub fn actions_of(statement: &Value) -> Vec<String> {
    match &statement["Action"] {
        Value::String(action) => vec![action.clone()],
        actions => actions.as_array().expect("actions").iter().map(|one| one.as_str().expect("text").into()).collect(),
    }
}

/// All actions of a policy.
pub fn actions(policy: &Value) -> BTreeSet<String> {
    policy["Statement"].as_array().expect("statements").iter().flat_map(actions_of).collect()
}

/// Restricts a policy to these actions.
pub fn only(policy: &Value, granted: &BTreeSet<String>) -> Value {
    let mut policy = policy.clone();
    let statements = policy["Statement"].as_array_mut().expect("statements");
    for statement in statements.iter_mut() {
        let kept: Vec<String> = actions_of(statement).into_iter().filter(|action| granted.contains(action)).collect();
        statement["Action"] = kept.into();
    }
    statements.retain(|statement| statement["Action"] != serde_json::json!([]));
    if statements.is_empty() {
        // A policy has at least one statement.
        statements.push(serde_json::json!({ "Effect": "Allow", "Action": "none:Nothing", "Resource": "*" }));
    }
    policy
}

/// The actions in a denial: AWS's message, or without one (HEAD), thumbctl's hint.
pub fn refused(text: &str) -> BTreeSet<String> {
    let denied = text.split("is not authorized to perform: ").skip(1).filter_map(|rest| rest.split_whitespace().next());
    let hints = text.lines().filter_map(|line| line.strip_prefix("hint: ")?.split_once(" is missing."));
    denied.chain(hints.map(|(action, _)| action)).map(str::to_owned).collect()
}

/// The policy's actions without a test that needs them, with the reasons.
pub fn unexercised(document: Document) -> BTreeMap<String, Value> {
    let file = crate::repository("assets/policies/unexercised.json");
    let all: Value = serde_json::from_str(&std::fs::read_to_string(file).expect("the list")).expect("JSON");
    let listed = all[document.file_name()].as_object().expect("the policy's part of the list");
    listed.iter().map(|(action, reason)| (action.clone(), reason.clone())).collect()
}

/// Asserts that every action is either needed in the test, or listed with its reason; and none is both.
#[track_caller]
pub fn assert_accounted_for(document: Document, policy: &Value, needed: &BTreeSet<String>) {
    let listed: BTreeSet<String> = unexercised(document).into_keys().collect();
    let accounted: BTreeSet<String> = needed.union(&listed).cloned().collect();
    let all = actions(policy);
    let idle: Vec<_> = all.difference(&accounted).collect();
    let gone: Vec<_> = listed.difference(&all).collect();
    let both: Vec<_> = listed.intersection(needed).collect();
    assert!(idle.is_empty(), "{}: nothing needs {idle:?}", document.file_name());
    assert!(
        gone.is_empty() && both.is_empty(),
        "unexercised.json lists {gone:?}, which are gone, {both:?}, which are needed"
    );
}

/// The policy for thumbctl's own user, from the README.
pub fn user_policy(prefix: &str) -> Value {
    let text = Document::UserPolicy.text().replace("${Prefix}", prefix);
    serde_json::from_str(&text).expect("JSON")
}

/// A user with an access key: its id and its secret.
pub async fn user(admin: &Clients, name: &str) -> (String, String) {
    admin.iam.create_user().user_name(name).send().await.expect("a user");
    let key = admin.iam.create_access_key().user_name(name).send().await.expect("a key").access_key.expect("a key");
    (key.access_key_id, key.secret_access_key)
}

/// Attaches a policy to a user, and returns its ARN.
pub async fn attach(admin: &Clients, user: &str, name: &str, policy: &Value) -> String {
    let made = admin.iam.create_policy().policy_name(name).policy_document(policy.to_string()).send().await;
    let arn = made.expect("a policy").policy.expect("a policy").arn.expect("an ARN");
    admin.iam.attach_user_policy().user_name(user).policy_arn(&arn).send().await.expect("attached");
    arn
}

/// A sandbox that enforces policies, in a process and a directory of its own, and a program
/// that uses it as an endpoint.
pub fn strict(program: &Program, arguments: &[&str]) -> Sandbox {
    let dir = program.home().join("cloud");
    let dir = dir.to_str().expect("a path");
    Sandbox::start(
        program.command([&["sandbox", "--port", "0", "--data-dir", dir, "--enforce-iam"], arguments].concat()),
    )
}

/// Points a program's commands to a sandbox, with these keys.
pub fn sign_as(program: &mut Program, sandbox: &Sandbox, (access_key, secret_key): &(String, String)) {
    program.set("AWS_ENDPOINT_URL", &sandbox.url);
    program.set("AWS_REGION", &sandbox.region);
    program.set("AWS_ACCESS_KEY_ID", access_key);
    program.set("AWS_SECRET_ACCESS_KEY", secret_key);
}
