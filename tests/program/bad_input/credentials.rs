//! Credentials and endpoints that do not work.

use thumbctl_test_support::{Program, Sandbox};

const WHO: &str = "error: cannot verify the credentials for ";

/// The errors of `status` at a sandbox's endpoint with these keys.
fn status(program: &mut Program, sandbox: &Sandbox, access_key: &str, secret_key: &str) -> String {
    program.set("AWS_ENDPOINT_URL", &sandbox.url);
    program.set("AWS_REGION", "eu-central-1");
    program.set("AWS_ACCESS_KEY_ID", access_key);
    program.set("AWS_SECRET_ACCESS_KEY", secret_key);
    program.run(["status"]).fails_with(1)
}

/// Fault rules that make every GetCallerIdentity call fail.
fn refusing(status: u16, code: &str, message: &str) -> String {
    format!(r#"[{{"service":"sts","kind":"error","status":{status},"code":"{code}","message":"{message}"}}]"#)
}

#[test]
fn missing_credentials_error_has_hint() {
    let mut program = Program::new();
    program.set("AWS_EC2_METADATA_DISABLED", "true");
    let reported = program.run(["status", "--cloud", "aws", "--region", "eu-central-1"]).fails_with(1);
    assert!(
        reported.starts_with(&format!("{WHO}aws: STS GetCallerIdentity failed: no credentials were found\n")),
        "{reported}"
    );
    assert!(reported.contains("hint: log in with `aws configure`"), "{reported}");
    let profile =
        program.run(["plan", "--cloud", "aws", "--region", "eu-central-1", "--profile", "nope"]).fails_with(1);
    assert!(profile.contains("hint: check the profile 'nope':"), "{profile}");
}

#[test]
fn unknown_key_and_wrong_secret_have_different_errors() {
    let mut program = Program::new();
    let sandbox = program.sandbox();
    let (access_key, secret_key) = (sandbox.access_key.clone(), sandbox.secret_key.clone());
    let unknown = status(&mut program, &sandbox, "AKIAIOSFODNN7EXAMPLE", &secret_key);
    assert!(unknown.starts_with(WHO) && unknown.contains("InvalidClientTokenId"), "{unknown}");
    assert!(unknown.contains("hint: AWS rejects these credentials"), "{unknown}");
    let wrong = status(&mut program, &sandbox, &access_key, "wrong");
    assert!(wrong.contains("SignatureDoesNotMatch") && wrong.contains("hint: "), "{wrong}");
    for reported in [unknown, wrong] {
        assert!(!reported.contains(&secret_key) && reported.lines().count() == 2, "{reported}");
    }
}

#[test]
fn expired_and_denied_credentials_have_separate_hints() {
    let mut program = Program::new();
    let expired = refusing(403, "ExpiredToken", "The security token included in the request is expired");
    let sandbox = program.sandbox_with_faults(&expired);
    let (access_key, secret_key) = (sandbox.access_key.clone(), sandbox.secret_key.clone());
    let reported = status(&mut program, &sandbox, &access_key, &secret_key);
    assert!(
        reported.contains("ExpiredToken") && reported.contains("hint: Log in again (`aws sso login`"),
        "{reported}"
    );
    sandbox.kill();

    let denied = refusing(403, "AccessDenied", "User: ann is not authorized to perform: sts:GetCallerIdentity");
    let mut program = Program::new();
    let sandbox = program.sandbox_with_faults(&denied);
    let (access_key, secret_key) = (sandbox.access_key.clone(), sandbox.secret_key.clone());
    let reported = status(&mut program, &sandbox, &access_key, &secret_key);
    assert!(reported.contains("hint: sts:GetCallerIdentity is missing."), "{reported}");
}

#[test]
fn denied_creation_names_missing_permission() {
    let program = Program::new();
    let sandbox = program.sandbox_with_faults(
        r#"[{"service":"iam","operation":"CreateRole","kind":"error","status":403,"code":"AccessDenied","message":"Access Denied"}]"#,
    );
    let deployed = program.run(["deploy", "--parallelism", "1"]);
    let reported = deployed.fails_with(1);
    assert!(reported.contains("AccessDenied") && reported.contains("iam:CreateRole is missing"), "{reported}");
    program.run(["destroy", "--yes"]).ok();
    sandbox.kill();
}

#[test]
fn unreachable_endpoint_error_is_one_sentence() {
    let mut program = Program::new();
    program.set("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE");
    program.set("AWS_SECRET_ACCESS_KEY", "secret");
    program.set("AWS_REGION", "eu-central-1");
    let unused = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}", unused.local_addr().expect("an address"));
    drop(unused);
    for command in ["deploy", "status", "destroy"] {
        let printed = program.run([command, "--yes", "--endpoint-url", &url]).fails_with(1);
        assert!(
            printed.starts_with(&format!("{WHO}{url}: ")) && printed.contains("cannot reach the endpoint"),
            "{printed}"
        );
        assert!(printed.contains("hint: Check the endpoint"), "{printed}");
    }
    let reported = program.run(["status", "--endpoint-url", "http://nowhere.invalid"]).fails_with(1);
    assert!(reported.contains("cannot reach the endpoint"), "{reported}");
}

#[test]
fn foreign_endpoint_error_is_one_sentence() {
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
    let reported = program.run(["status", "--endpoint-url", &url]).fails_with(1);
    assert!(reported.starts_with(&format!("{WHO}{url}: ")), "{reported}");
}

#[test]
fn missing_region_error_has_hint() {
    let mut program = Program::new();
    program.set("AWS_EC2_METADATA_DISABLED", "true");
    let reported = program.run(["status", "--cloud", "aws"]).fails_with(1);
    assert!(reported.starts_with("error: no region is set for aws\nhint: pass --region"), "{reported}");
}
