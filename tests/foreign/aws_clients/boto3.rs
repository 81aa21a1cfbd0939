//! boto3: each test is a Python script beside this file.

use thumbctl_deploy::aws::policy::Document;
use thumbctl_test_support::aws_tools::python_with_boto3;
use thumbctl_test_support::{Program, Sandbox};

use super::{Architecture, assert_nothing_left, assert_thumbnail};

thumbctl_test_support::foreign_tests! {
    [Boto3] async: architecture_is_created_and_deleted_by_boto3;
    [Boto3] sync: objects_are_uploaded_and_downloaded_unchanged,
        every_listing_is_paginated;
}

/// Runs a script against a new sandbox to its last line, `done`; `None` without boto3.
fn run(script: &str, prepare: impl FnOnce(&Program, &Sandbox)) -> Option<(Program, Sandbox)> {
    let python = python_with_boto3()?;
    let program = Program::new();
    let sandbox = program.sandbox();
    prepare(&program, &sandbox);
    let path = format!("{}/tests/foreign/aws_clients/{script}", env!("CARGO_MANIFEST_DIR"));
    let finished = python.run(&program.work_dir(), &sandbox, [path]).ok();
    assert!(finished.stdout.ends_with("done\n"), "{finished}");
    Some((program, sandbox))
}

async fn architecture_is_created_and_deleted_by_boto3() {
    let ran = run("architecture.py", |program, sandbox| {
        let architecture = Architecture { region: sandbox.region.clone() };
        program.file("function.zip", thumbctl_deploy::assets::function_zip().expect("a zip"));
        for document in [Document::BuildTrust, Document::BuildPolicy, Document::FunctionTrust, Document::FunctionPolicy]
        {
            program.file(document.file_name(), architecture.document(document));
        }
        program.file("environment.json", architecture.environment());
        for (name, content) in thumbctl_deploy::assets::sample_images() {
            program.file(name, content);
        }
    });
    if let Some((program, sandbox)) = ran {
        assert_thumbnail(&std::fs::read(program.work_dir().join("thumbnail.jpg")).expect("a thumbnail"));
        assert_nothing_left(&sandbox.clients()).await;
        sandbox.interrupt().ok();
    }
}

fn objects_are_uploaded_and_downloaded_unchanged() {
    if let Some((_program, sandbox)) = run("objects.py", |_, _| ()) {
        sandbox.interrupt().ok();
    }
}

fn every_listing_is_paginated() {
    if let Some((_program, sandbox)) = run("pages.py", |_, _| ()) {
        sandbox.interrupt().ok();
    }
}
