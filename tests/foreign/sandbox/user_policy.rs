//! Each action of the policy for thumbctl's own user has a reason.

use std::collections::BTreeSet;

use serde_json::Value;
use thumbctl_core::resource::ResourceKind;
use thumbctl_deploy::aws::policy::Document;

use thumbctl_test_support::policies::{
    actions, assert_accounted_for, attach, only, refused, sign_as, strict, user, user_policy,
};
use thumbctl_test_support::{Clients, Finished, Program};

thumbctl_test_support::foreign_tests! {
    [Python3] async: every_action_of_the_user_policy_is_needed_or_listed_with_its_reason;
}

/// A user with exactly the actions that commands have failed for.
struct Novice<'a> {
    program: &'a Program,
    admin: Clients,
    policy: Value,
    granted: BTreeSet<String>,
    attached: Option<String>,
}

impl Novice<'_> {
    /// Grants the user these actions, and no others.
    async fn update_policy(&mut self) {
        if let Some(arn) = self.attached.take() {
            self.admin.iam.detach_user_policy().user_name("novice").policy_arn(&arn).send().await.expect("detached");
            self.admin.iam.delete_policy().policy_arn(&arn).send().await.expect("deleted");
        }
        let policy = only(&self.policy, &self.granted);
        self.attached = Some(attach(&self.admin, "novice", "granted-so-far", &policy).await);
    }

    /// Runs a command until it succeeds, adding the denied actions each time: so each of them is needed.
    async fn learns(&mut self, command: &[&str]) -> Finished {
        let all = actions(&self.policy);
        loop {
            self.update_policy().await;
            let finished = self.program.run(command);
            let denied = refused(&format!("{}{}", finished.stdout, finished.stderr));
            let new: Vec<String> = denied.into_iter().filter(|action| !self.granted.contains(action)).collect();
            if new.is_empty() {
                return finished.ok();
            }
            for action in new {
                assert!(all.contains(&action), "{action} is missing in user-policy.json: {finished}");
                self.granted.insert(action);
            }
        }
    }
}

async fn every_action_of_the_user_policy_is_needed_or_listed_with_its_reason() {
    let mut program = Program::new();
    let sandbox = strict(&program, &[]);
    let admin = sandbox.clients();
    let keys = user(&admin, "novice").await;
    sign_as(&mut program, &sandbox, &keys);
    let (name, content) = thumbctl_deploy::assets::sample_images()[0];
    program.file(name, content);
    let mut novice = Novice {
        program: &program,
        admin: admin.clone(),
        policy: user_policy("thumbnails"),
        granted: BTreeSet::new(),
        attached: None,
    };
    novice.learns(&["deploy", "--yes"]).await;
    novice.learns(&["upload", "--yes", name]).await;
    let status = novice.learns(&["status", "--output", "json"]).await.json();
    let name_of = |kind: ResourceKind| {
        let resources = status["resources"].as_array().expect("a list");
        let resource = resources.iter().find(|resource| resource["resource"] == kind.as_str()).expect("a resource");
        (resource["name"].as_str().expect("a name").to_owned(), resource["arn"].as_str().unwrap_or_default().to_owned())
    };

    // Later additions by others block a teardown, and a running build does.
    let role = name_of(ResourceKind::FunctionRole).0;
    let more = only(&novice.policy, &BTreeSet::new()).to_string();
    let put = admin.iam.put_role_policy().role_name(role).policy_name("more").policy_document(&more);
    put.send().await.expect("an inline policy");
    let version = admin.iam.create_policy_version().policy_arn(name_of(ResourceKind::FunctionPolicy).1);
    version.policy_document(&more).send().await.expect("another version");
    let upload = admin.s3.create_multipart_upload().bucket(name_of(ResourceKind::SourceBucket).0).key("half");
    upload.send().await.expect("an upload");
    let build = admin.codebuild.start_build().project_name(name_of(ResourceKind::BuildProject).0);
    let idle = "version: 0.2\nphases:\n  build:\n    commands: [sleep 600]\n";
    build.buildspec_override(idle).send().await.expect("a build");
    novice.learns(&["destroy", "--yes"]).await;

    // Resources without a journal are found by listings and tags.
    novice.learns(&["deploy", "--yes"]).await;
    std::fs::remove_dir_all(program.state_dir().join("deployments")).expect("journals");
    novice.learns(&["destroy", "--purge", "--yes"]).await;

    // The other strategy needs some actions of its own, and the macro needs Python.
    novice.learns(&["deploy", "--yes", "--strategy", "cloudformation"]).await;
    novice.learns(&["destroy", "--yes"]).await;
    assert_accounted_for(Document::UserPolicy, &novice.policy, &novice.granted);
    sandbox.interrupt().ok();
}
