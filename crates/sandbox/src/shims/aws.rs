//! The `aws` shim: `aws ecr get-login-password`. Other commands run the machine's AWS CLI, if it has one, with the build's
//! credentials.

use std::os::unix::process::CommandExt as _;
use std::process::Command;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::Method;
use serde_json::Value;

use super::signed::{Signer, UnsignedRequest};
use super::{BuildEnvironment, ShimError, expect_success, variable};
use crate::http_agent::agent;

pub(super) fn run(args: &[&str], build: &BuildEnvironment) -> Result<(), ShimError> {
    let (words, region) = split_region(args)?;
    if words != ["ecr", "get-login-password"] {
        if let Ok(cli) = variable(super::AWS_CLI) {
            let cause = Command::new(&cli).args(args).env_remove(super::AWS_CLI).exec();
            return Err(ShimError::Io { what: format!("cannot start {cli}"), cause });
        }
        if words == ["--version"] {
            println!("aws-cli/2 (the sandbox's shim)");
            return Ok(());
        }
        return Err(ShimError::usage(format!(
            "the sandbox's shim supports only 'aws ecr get-login-password', and the sandbox's PATH has no AWS CLI for 'aws {}'",
            words.join(" ")
        )));
    }
    let region = region
        .map(str::to_owned)
        .or_else(|| variable("AWS_REGION").ok())
        .or_else(|| variable("AWS_DEFAULT_REGION").ok())
        .ok_or_else(|| {
            ShimError::usage(
                "You must specify a region. You can also configure your region by running \"aws configure\".",
            )
        })?;
    println!("{}", password(build.endpoint()?, region)?);
    Ok(())
}

fn split_region<'a>(args: &[&'a str]) -> Result<(Vec<&'a str>, Option<&'a str>), ShimError> {
    let (mut words, mut region) = (Vec::new(), None);
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        match arg.strip_prefix("--region") {
            Some("") => match args.next() {
                Some(value) => region = Some(*value),
                None => return Err(ShimError::usage("argument --region: expected one argument")),
            },
            Some(value) if value.starts_with('=') => region = Some(&value[1..]),
            _ => words.push(*arg),
        }
    }
    Ok((words, region))
}

/// Gets ECR's password for docker with the environment's credentials.
fn password(endpoint: &str, region: String) -> Result<String, ShimError> {
    let what = "GetAuthorizationToken";
    let signer = Signer {
        access_key: variable("AWS_ACCESS_KEY_ID")?,
        secret_key: variable("AWS_SECRET_ACCESS_KEY")?,
        session_token: variable("AWS_SESSION_TOKEN").ok(),
        region,
    };
    let request = UnsignedRequest {
        method: Method::POST,
        endpoint,
        path: "/",
        query: None,
        headers: &[
            ("content-type", "application/x-amz-json-1.1"),
            ("x-amz-target", "AmazonEC2ContainerRegistry_V20150921.GetAuthorizationToken"),
        ],
        body: b"{}",
    };
    let request =
        signer.sign("ecr", &request).map_err(|cause| ShimError::usage(format!("{what} cannot be signed: {cause}")))?;
    let mut answer = expect_success(what, agent().run(request))?;
    let body = answer
        .body_mut()
        .read_to_string()
        .map_err(|cause| ShimError::Http { what: what.to_owned(), cause: Box::new(cause) })?;
    let token = serde_json::from_str::<Value>(&body).ok().and_then(|body| {
        let token = body["authorizationData"][0]["authorizationToken"].as_str()?;
        String::from_utf8(STANDARD.decode(token).ok()?).ok()
    });
    token
        .as_deref()
        .and_then(|token| token.split_once(':'))
        .map(|(_, password)| password.to_owned())
        .ok_or_else(|| ShimError::usage(format!("{what}: the response has no token")))
}

#[cfg(test)]
mod tests {
    use super::split_region;

    #[test]
    fn region_option_is_accepted_at_any_position() {
        let words = vec!["ecr", "get-login-password"];
        for args in [
            &["ecr", "get-login-password", "--region", "eu-west-1"][..],
            &["--region=eu-west-1", "ecr", "get-login-password"][..],
        ] {
            assert_eq!(split_region(args).unwrap(), (words.clone(), Some("eu-west-1")));
        }
        assert!(split_region(&["ecr", "--region"]).is_err());
    }
}
