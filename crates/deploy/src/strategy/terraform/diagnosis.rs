//! Summarizes a failed Terraform run as one failure. Pure.

use thumbctl_core::event::Failure;

use super::stream::Diagnostic;
use crate::aws::{AwsError, ErrorKind, classify};

/// How many lines of other output a failure has.
const LAST_LINES: usize = 20;

/// The data about a failed Terraform run.
#[derive(Debug, Default)]
pub(super) struct Diagnosis<'a> {
    /// The command: `terraform apply`, for example.
    pub(super) command: &'a str,
    /// The error diagnostics.
    pub(super) errors: &'a [Diagnostic],
    /// Its standard error, or all its output for commands without JSON.
    pub(super) output: &'a str,
    /// Its process's end: exit code or signal.
    pub(super) ended: &'a str,
    /// Whether there is a crash log.
    pub(super) has_crash_log: bool,
}

impl Diagnosis<'_> {
    /// Returns one sentence with file and line; other errors as causes.
    pub(super) fn failure(&self) -> Failure {
        if self.output.contains("TERRAFORM CRASH") || self.has_crash_log {
            return Failure { log: self.last_lines(), ..Failure::new(format!("{} crashed, a bug in Terraform or its provider: {}", self.command, self.ended)) }
                .with_hint("the output is in terraform.err in the deployment's folder; `thumbctl deploy` resumes, `thumbctl destroy` deletes the deployment");
        }
        let Some((first, others)) = self.errors.split_first() else {
            let words = match first_error(self.output) {
                Some(error) => format!("{}: {error}", self.command),
                None => format!("{} {}", self.command, self.ended),
            };
            let failure = Failure { log: self.last_lines(), ..Failure::new(words) };
            return Failure { hint: Some(hint_for_text(self.output)), ..failure };
        };
        Failure {
            causes: others.iter().map(sentence).collect(),
            hint: Some(hint_for(first)),
            ..Failure::new(format!("{}: {}", self.command, sentence(first)))
        }
    }

    fn last_lines(&self) -> Vec<String> {
        let lines: Vec<&str> = self.output.lines().map(str::trim_end).filter(|line| !line.is_empty()).collect();
        lines[lines.len().saturating_sub(LAST_LINES)..].iter().map(|line| (*line).to_owned()).collect()
    }
}

/// The first error in human-readable output: its first line, and the lines below it up to the next empty line.
fn first_error(output: &str) -> Option<String> {
    let mut lines = output.lines().map(|line| line.trim_start_matches(['╷', '│', '╵', ' ']).trim_end());
    let first = lines.find_map(|line| line.strip_prefix("Error: "))?;
    let below = lines.skip_while(|line| line.is_empty()).take_while(|line| !line.is_empty());
    let below: Vec<&str> = below.collect();
    Some(if below.is_empty() { first.to_owned() } else { format!("{first}: {}", below.join(" ")) })
}

/// A diagnostic as one sentence: summary, resource, position in the configuration.
pub(super) fn sentence(diagnostic: &Diagnostic) -> String {
    let detail: Vec<&str> = diagnostic.detail.split_whitespace().collect();
    let mut words = diagnostic.summary.split_whitespace().collect::<Vec<_>>().join(" ");
    if !detail.is_empty() {
        words.push_str(": ");
        words.push_str(&detail.join(" "));
    }
    let place = diagnostic.range.as_ref().map(|range| format!("{} line {}", range.filename, range.start.line));
    let place: Vec<String> = diagnostic.address.iter().cloned().chain(place).collect();
    if !place.is_empty() {
        words.push_str(&format!(" ({})", place.join(", ")));
    }
    words
}

/// The hint for a diagnostic: that of the service's error in it, if there is one.
fn hint_for(diagnostic: &Diagnostic) -> String {
    let text = format!("{} {}", diagnostic.summary, diagnostic.detail);
    if let Some(hint) = aws_error(&text).and_then(|error| error.hint()) {
        return hint;
    }
    hint_for_text(&text)
}

fn hint_for_text(text: &str) -> String {
    let contains = |words: &str| text.contains(words);
    let hint = if contains("Error acquiring the state lock") {
        "another Terraform has locked the state: wait for its end, then run the same command again"
    } else if contains("Failed to query available provider packages")
        || contains("Failed to install provider")
        || contains("could not connect to registry")
        || contains("Could not retrieve the list of available versions")
        || contains("provider registry")
    {
        "cannot download the AWS provider: check the network, or set terraform.plugin_dir to a folder \
         with the provider in it, or TF_CLI_CONFIG_FILE to a file that names a mirror"
    } else if contains("Inconsistent dependency lock file") || contains("Required plugins are not installed") {
        "the providers have changed: run the same command again, which initializes the folder"
    } else if contains("Plugin did not respond") {
        "the provider process ended early: check free memory; `thumbctl deploy` resumes from what is \
         there; `thumbctl destroy` deletes it"
    } else if contains("Failed to load plugin schemas")
        || contains("Could not load plugin")
        || contains("Unrecognized remote plugin")
    {
        "the provider does not start: check its platform and free memory"
    } else if contains("state snapshot was created by Terraform") || contains("state data in a newer format") {
        "the state was written by a newer Terraform: set terraform.program to it"
    } else {
        "`thumbctl deploy` resumes; `thumbctl destroy` deletes the deployment"
    };
    hint.to_owned()
}

/// The service's error in a provider's message: `... api error AccessDenied: User ... is not authorized ...`.
fn aws_error(text: &str) -> Option<AwsError> {
    let (before, after) = text.split_once("api error ")?;
    let (code, message) = after.split_once(':')?;
    let service = service_in(before);
    let kind = classify(Some(code.trim()), 400, message);
    (kind != ErrorKind::Other)
        .then(|| AwsError { code: Some(code.trim().to_owned()), ..AwsError::new(service, "", kind, message.trim()) })
}

/// The service in a provider's message: `operation error Lambda: CreateFunction, https response error ...`.
fn service_in(text: &str) -> &'static str {
    const SERVICES: [&str; 6] = ["Lambda", "CodeBuild", "S3", "IAM", "ECR", "STS"];
    let named = text.rsplit_once("operation error ").map_or("", |(_, rest)| rest);
    if named.starts_with("CloudWatch Logs") {
        return "CloudWatch Logs";
    }
    SERVICES.into_iter().find(|service| named.starts_with(service)).unwrap_or("AWS")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::strategy::terraform::stream::{Position, Range};

    fn error(summary: &str, detail: &str) -> Diagnostic {
        Diagnostic {
            severity: "error".into(),
            summary: summary.into(),
            detail: detail.into(),
            address: Some("aws_iam_role.build".into()),
            range: Some(Range { filename: "iam.tf".into(), start: Position { line: 25 } }),
        }
    }

    fn failure(errors: &[Diagnostic]) -> Failure {
        Diagnosis { command: "terraform apply", errors, ended: "ended with exit status 1", ..Diagnosis::default() }
            .failure()
    }

    #[test]
    fn diagnostic_is_one_sentence_with_file_and_line() {
        let refused = error(
            "creating IAM Role (thumbs): operation error IAM: CreateRole, https response error StatusCode: 403, RequestID: 1, api error AccessDenied: User is not authorized to perform: iam:CreateRole",
            "",
        );
        let failure = failure(&[refused, error("second", "with a\n detail")]);
        assert!(failure.message.starts_with("terraform apply: creating IAM Role"), "{failure:?}");
        assert!(failure.message.ends_with("(aws_iam_role.build, iam.tf line 25)"), "{failure:?}");
        assert_eq!(failure.causes, ["second: with a detail (aws_iam_role.build, iam.tf line 25)"]);
        assert!(failure.hint.is_some_and(|hint| hint.contains("iam:CreateRole")));
    }

    #[test]
    fn state_lock_error_has_its_own_hint() {
        let failure = failure(&[error("Error acquiring the state lock", "resource temporarily unavailable")]);
        assert!(failure.hint.is_some_and(|hint| hint.contains("another Terraform")));
    }

    #[test]
    fn failure_without_diagnostics_has_exit_reason_and_output() {
        let failure = Diagnosis {
            command: "terraform init",
            output: "a\n\nb\n",
            ended: "was killed by signal 9",
            ..Diagnosis::default()
        }
        .failure();
        assert_eq!(failure.message, "terraform init was killed by signal 9");
        assert_eq!(failure.log, ["a", "b"]);
    }

    #[test]
    fn human_readable_error_becomes_one_sentence() {
        let output = "\n╷\n│ Error: Failed to query available provider packages\n│ \n│ Could not retrieve the list of\n│ available versions\n│ \n│ more\n╵\n";
        let failure =
            Diagnosis { command: "terraform init", output, ended: "ended with exit code 1", ..Diagnosis::default() }
                .failure();
        assert_eq!(
            failure.message,
            "terraform init: Failed to query available provider packages: Could not retrieve the list of available versions"
        );
        assert!(failure.hint.is_some_and(|hint| hint.contains("terraform.plugin_dir")));
    }

    #[test]
    fn crash_is_reported_as_crash() {
        let output = "!!!!!!!!!!!!!!!!!!!!!!!!!!! TERRAFORM CRASH !!!!!!!!!!!!!!!!!!!!!!!!!!!!";
        let failure =
            Diagnosis { command: "terraform plan", output, ended: "ended with exit status 11", ..Diagnosis::default() }
                .failure();
        assert!(failure.message.contains("crashed"), "{failure:?}");
    }
}
