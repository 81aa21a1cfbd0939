//! What went wrong in Terraform, as one failure in words. Pure.

use thumbctl_core::event::Failure;

use super::stream::Diagnostic;
use crate::aws::{AwsError, ErrorKind, classify};

/// How many lines a failure takes of what Terraform said besides its diagnostics.
const LAST_LINES: usize = 20;

/// What is known of a Terraform that did not end well.
#[derive(Debug, Default)]
pub(super) struct Diagnosis<'a> {
    /// What it was to do: `terraform apply`, for example.
    pub(super) command: &'a str,
    /// The errors that it told.
    pub(super) errors: &'a [Diagnostic],
    /// What it wrote to its standard error, or, where it tells no JSON, at all.
    pub(super) said: &'a str,
    /// How its process ended, in words.
    pub(super) ended: &'a str,
    /// Whether it wrote a crash log.
    pub(super) has_crash_log: bool,
}

impl Diagnosis<'_> {
    /// One sentence with file and line; the other errors as its causes.
    pub(super) fn failure(&self) -> Failure {
        if self.said.contains("TERRAFORM CRASH") || self.has_crash_log {
            return Failure { log: self.last_lines(), ..Failure::new(format!("{} crashed, which is a bug of Terraform's or of its provider's: {}", self.command, self.ended)) }
                .with_hint("what it wrote is in terraform.err in the deployment's folder; `thumbctl deploy` goes on from what its state has, `thumbctl destroy` takes that down");
        }
        let Some((first, others)) = self.errors.split_first() else {
            let words = match told_error(self.said) {
                Some(error) => format!("{}: {error}", self.command),
                None => format!("{} {}", self.command, self.ended),
            };
            let failure = Failure { log: self.last_lines(), ..Failure::new(words) };
            return Failure { hint: Some(hint_for_text(self.said)), ..failure };
        };
        Failure {
            causes: others.iter().map(sentence).collect(),
            hint: Some(hint_for(first)),
            ..Failure::new(format!("{}: {}", self.command, sentence(first)))
        }
    }

    fn last_lines(&self) -> Vec<String> {
        let lines: Vec<&str> = self.said.lines().map(str::trim_end).filter(|line| !line.is_empty()).collect();
        lines[lines.len().saturating_sub(LAST_LINES)..].iter().map(|line| (*line).to_owned()).collect()
    }
}

/// The first error in a text for people: its first line, and what is said below it up to the next empty line.
fn told_error(said: &str) -> Option<String> {
    let mut lines = said.lines().map(|line| line.trim_start_matches(['╷', '│', '╵', ' ']).trim_end());
    let first = lines.find_map(|line| line.strip_prefix("Error: "))?;
    let below = lines.skip_while(|line| line.is_empty()).take_while(|line| !line.is_empty());
    let below: Vec<&str> = below.collect();
    Some(if below.is_empty() { first.to_owned() } else { format!("{first}: {}", below.join(" ")) })
}

/// A diagnostic as a sentence: what, about which resource, where in the configuration.
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

/// What to do about a diagnostic: what the AWS layer says of the service's error in it, if there is one.
fn hint_for(diagnostic: &Diagnostic) -> String {
    let text = format!("{} {}", diagnostic.summary, diagnostic.detail);
    if let Some(hint) = aws_error(&text).and_then(|error| error.hint()) {
        return hint;
    }
    hint_for_text(&text)
}

fn hint_for_text(text: &str) -> String {
    let says = |words: &str| text.contains(words);
    let hint = if says("Error acquiring the state lock") {
        "another Terraform is working on this state: wait until it has ended, then run the same command again"
    } else if says("Failed to query available provider packages")
        || says("Failed to install provider")
        || says("could not connect to registry")
        || says("Could not retrieve the list of available versions")
        || says("provider registry")
    {
        "the AWS provider cannot be fetched: is this machine online? Without a network, set terraform.plugin_dir to a folder \
         with the provider in it, or TF_CLI_CONFIG_FILE to a file that names a mirror"
    } else if says("Inconsistent dependency lock file") || says("Required plugins are not installed") {
        "its providers are not as they were: run the same command again, which initialises the folder anew"
    } else if says("Plugin did not respond") {
        "the provider ended in the middle of its work: is there memory enough for it? `thumbctl deploy` goes on from what is \
         there; `thumbctl destroy` takes it down"
    } else if says("Failed to load plugin schemas")
        || says("Could not load plugin")
        || says("Unrecognized remote plugin")
    {
        "the provider does not start: is it built for this machine, and is there memory enough for it?"
    } else if says("state snapshot was created by Terraform") || says("state data in a newer format") {
        "the state was written by a newer Terraform: set terraform.program to that one"
    } else {
        "`thumbctl deploy` goes on from what is there; `thumbctl destroy` takes it down"
    };
    hint.to_owned()
}

/// The service's error in a text of the provider's: `... api error AccessDenied: User ... is not authorized ...`.
fn aws_error(text: &str) -> Option<AwsError> {
    let (before, after) = text.split_once("api error ")?;
    let (code, message) = after.split_once(':')?;
    let service = service_in(before);
    let kind = classify(Some(code.trim()), 400, message);
    (kind != ErrorKind::Other)
        .then(|| AwsError { code: Some(code.trim().to_owned()), ..AwsError::new(service, "", kind, message.trim()) })
}

/// The service in the provider's words: `operation error Lambda: CreateFunction, https response error ...`.
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
    fn a_diagnostic_is_one_sentence_with_file_and_line() {
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
    fn a_lock_is_told_as_what_it_is() {
        let failure = failure(&[error("Error acquiring the state lock", "resource temporarily unavailable")]);
        assert!(failure.hint.is_some_and(|hint| hint.contains("another Terraform")));
    }

    #[test]
    fn what_ends_without_a_word_says_how() {
        let failure = Diagnosis {
            command: "terraform init",
            said: "a\n\nb\n",
            ended: "was killed by signal 9",
            ..Diagnosis::default()
        }
        .failure();
        assert_eq!(failure.message, "terraform init was killed by signal 9");
        assert_eq!(failure.log, ["a", "b"]);
    }

    #[test]
    fn what_is_told_to_people_only_is_told_as_one_sentence() {
        let said = "\n╷\n│ Error: Failed to query available provider packages\n│ \n│ Could not retrieve the list of\n│ available versions\n│ \n│ more\n╵\n";
        let failure =
            Diagnosis { command: "terraform init", said, ended: "ended with exit code 1", ..Diagnosis::default() }
                .failure();
        assert_eq!(
            failure.message,
            "terraform init: Failed to query available provider packages: Could not retrieve the list of available versions"
        );
        assert!(failure.hint.is_some_and(|hint| hint.contains("terraform.plugin_dir")));
    }

    #[test]
    fn a_crash_is_told_as_one() {
        let said = "!!!!!!!!!!!!!!!!!!!!!!!!!!! TERRAFORM CRASH !!!!!!!!!!!!!!!!!!!!!!!!!!!!";
        let failure =
            Diagnosis { command: "terraform plan", said, ended: "ended with exit status 11", ..Diagnosis::default() }
                .failure();
        assert!(failure.message.contains("crashed"), "{failure:?}");
    }
}
