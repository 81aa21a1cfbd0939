//! The README is consistent with the program.

use std::fs;
use std::path::Path;

fn file(name: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).expect("the file exists in the repository")
}

#[test]
fn readme_policy_matches_shipped_policy() {
    let shipped = file("assets/policies/user-policy.json").replace("${Prefix}", "thumbnails");
    assert!(file("README.md").contains(shipped.trim()), "copy assets/policies/user-policy.json into the README");
}

#[test]
fn readme_links_exist() {
    let readme = file("README.md");
    let links = readme.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    for link in links.filter(|link| !link.starts_with("http")) {
        assert!(Path::new(env!("CARGO_MANIFEST_DIR")).join(link).exists(), "the README links to {link}");
    }
}

#[test]
fn readme_commands_are_valid() {
    let readme = file("README.md");
    let lines = readme.lines().filter_map(|line| line.strip_prefix("    thumbctl "));
    let mut checked = 0;
    for line in lines {
        let command = line.split_whitespace().next().expect("the line has a command");
        let status = std::process::Command::new(thumbctl_test_support::thumbctl())
            .args([command, "--help"])
            .output()
            .expect("the program starts");
        assert!(status.status.success(), "`thumbctl {command}` is in the README");
        checked += 1;
    }
    assert!(checked >= 7, "the README has examples");
}
