//! Credentials and endpoints that do not work.

use thumbctl_test_support::{Program, Sandbox};

const WHO: &str = "error: cannot verify the credentials for ";

/// What `status` says at a sandbox's endpoint, with these keys.
fn status(program: &mut Program, sandbox: &Sandbox, access_key: &str, secret_key: &str) -> String {
    program.set("AWS_ENDPOINT_URL", &sandbox.url);
    program.set("AWS_REGION", "eu-central-1");
    program.set("AWS_ACCESS_KEY_ID", access_key);
    program.set("AWS_SECRET_ACCESS_KEY", secret_key);
    program.run(["status"]).fails_with(1)
}

/// Rules that make every call of who we are end so.
fn refusing(status: u16, code: &str, message: &str) -> String {
    format!(r#"[{{"service":"sts","kind":"error","status":{status},"code":"{code}","message":"{message}"}}]"#)
}

#[test]
fn without_credentials_it_says_how_to_get_some() {
    let mut program = Program::new();
    program.set("AWS_EC2_METADATA_DISABLED", "true");
    let said = program.run(["status", "--cloud", "aws", "--region", "eu-central-1"]).fails_with(1);
    assert!(
        said.starts_with(&format!("{WHO}aws: STS GetCallerIdentity failed: no credentials were found\n")),
        "{said}"
    );
    assert!(said.contains("hint: log in with `aws configure`"), "{said}");
    let profile =
        program.run(["plan", "--cloud", "aws", "--region", "eu-central-1", "--profile", "nope"]).fails_with(1);
    assert!(profile.contains("hint: is 'nope' the right profile?"), "{profile}");
}

#[test]
fn credentials_that_are_not_known_are_told_from_those_that_do_not_fit() {
    let mut program = Program::new();
    let sandbox = program.sandbox();
    let (access_key, secret_key) = (sandbox.access_key.clone(), sandbox.secret_key.clone());
    let unknown = status(&mut program, &sandbox, "AKIAIOSFODNN7EXAMPLE", &secret_key);
    assert!(unknown.starts_with(WHO) && unknown.contains("InvalidClientTokenId"), "{unknown}");
    assert!(unknown.contains("hint: AWS rejects these credentials"), "{unknown}");
    let wrong = status(&mut program, &sandbox, &access_key, "wrong");
    assert!(wrong.contains("SignatureDoesNotMatch") && wrong.contains("hint: "), "{wrong}");
    for said in [unknown, wrong] {
        assert!(!said.contains(&secret_key) && said.lines().count() == 2, "{said}");
    }
}

#[test]
fn expired_and_denied_credentials_have_hints_of_their_own() {
    let mut program = Program::new();
    let expired = refusing(403, "ExpiredToken", "The security token included in the request is expired");
    let sandbox = program.sandbox_with_faults(&expired);
    let (access_key, secret_key) = (sandbox.access_key.clone(), sandbox.secret_key.clone());
    let said = status(&mut program, &sandbox, &access_key, &secret_key);
    assert!(said.contains("ExpiredToken") && said.contains("hint: Log in again (`aws sso login`"), "{said}");
    sandbox.kill();

    let denied = refusing(403, "AccessDenied", "User: ann is not authorized to perform: sts:GetCallerIdentity");
    let mut program = Program::new();
    let sandbox = program.sandbox_with_faults(&denied);
    let (access_key, secret_key) = (sandbox.access_key.clone(), sandbox.secret_key.clone());
    let said = status(&mut program, &sandbox, &access_key, &secret_key);
    assert!(said.contains("hint: sts:GetCallerIdentity is missing."), "{said}");
}

#[test]
fn what_may_not_be_created_is_said_with_the_permission_that_is_missing() {
    let program = Program::new();
    let sandbox = program.sandbox_with_faults(
        r#"[{"service":"iam","operation":"CreateRole","kind":"error","status":403,"code":"AccessDenied","message":"Access Denied"}]"#,
    );
    let deployed = program.run(["deploy", "--parallelism", "1"]);
    let said = deployed.fails_with(1);
    assert!(said.contains("AccessDenied") && said.contains("iam:CreateRole is missing"), "{said}");
    program.run(["destroy", "--yes"]).ok();
    sandbox.kill();
}

#[test]
fn an_endpoint_where_nobody_answers_is_one_sentence() {
    let mut program = Program::new();
    program.set("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE");
    program.set("AWS_SECRET_ACCESS_KEY", "secret");
    program.set("AWS_REGION", "eu-central-1");
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}", nobody.local_addr().expect("an address"));
    drop(nobody);
    for command in ["deploy", "status", "destroy"] {
        let said = program.run([command, "--yes", "--endpoint-url", &url]).fails_with(1);
        assert!(said.starts_with(&format!("{WHO}{url}: ")) && said.contains("cannot reach the endpoint"), "{said}");
        assert!(said.contains("hint: Check the endpoint"), "{said}");
    }
    let said = program.run(["status", "--endpoint-url", "http://nowhere.invalid"]).fails_with(1);
    assert!(said.contains("cannot reach the endpoint"), "{said}");
}

#[test]
fn an_endpoint_that_is_no_aws_is_one_sentence() {
    let mut program = Program::new();
    program.set("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE");
    program.set("AWS_SECRET_ACCESS_KEY", "secret");
    program.set("AWS_REGION", "eu-central-1");
    let server = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}", server.local_addr().expect("an address"));
    std::thread::spawn(move || {
        for connection in server.incoming() {
            use std::io::{Read, Write};
            let Ok(mut connection) = connection else { return };
            let _ = connection.read(&mut [0; 4096]);
            let page = "<html>It works!</html>";
            let answer =
                format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{page}", page.len());
            let _ = connection.write_all(answer.as_bytes());
        }
    });
    let said = program.run(["status", "--endpoint-url", &url]).fails_with(1);
    assert!(said.starts_with(&format!("{WHO}{url}: ")), "{said}");
}

#[test]
fn without_a_region_it_says_where_to_set_one() {
    let mut program = Program::new();
    program.set("AWS_EC2_METADATA_DISABLED", "true");
    let said = program.run(["status", "--cloud", "aws"]).fails_with(1);
    assert!(said.starts_with("error: no region is set for aws\nhint: pass --region"), "{said}");
}
