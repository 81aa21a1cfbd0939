//! The policy of the README suffices for all commands of thumbctl.

use thumbctl_test_support::policies::{attach, sign_as, strict, user, user_policy};
use thumbctl_test_support::{Program, list_everything};

#[tokio::test]
async fn readme_policy_suffices_for_all_commands() {
    let mut program = Program::new();
    let sandbox = strict(&program, &[]);
    let admin = sandbox.clients();
    let keys = user(&admin, "deployer").await;
    attach(&admin, "deployer", "thumbctl", &user_policy("thumbnails")).await;
    sign_as(&mut program, &sandbox, &keys);
    let (name, content) = thumbctl_deploy::assets::sample_images()[0];
    program.file(name, content);

    program.run(["deploy", "--yes"]).ok();
    let status = program.run(["status"]).ok().stdout;
    assert!(status.contains("15 resources: 15 exist"), "{status}");
    program.run(["upload", "--yes", "--save", "thumbs", name]).ok();
    assert!(program.work_dir().join("thumbs").join(format!("thumb-{name}")).exists());
    for log in ["build", "function"] {
        assert!(!program.run(["logs", log]).ok().stdout.is_empty(), "{log}");
    }
    program.run(["destroy", "--yes"]).ok();
    program.run(["destroy", "--purge", "--yes"]).ok();

    // The demo has its own name prefix.
    attach(&admin, "deployer", "demo", &user_policy("demo")).await;
    program.run(["demo", "--yes"]).ok();
    let remaining = list_everything(&admin, "").await;
    let remaining: Vec<_> =
        remaining.into_iter().filter(|one| one != "policy thumbctl" && one != "policy demo").collect();
    assert!(remaining.is_empty(), "{remaining:#?}");
    sandbox.interrupt().ok();
}
