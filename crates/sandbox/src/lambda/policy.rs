//! A function's resource policy: AddPermission's statements and their evaluation.

use awsim_core::AwsError;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::errors;

/// A function's resource policy. Statements are kept as JSON.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct ResourcePolicy {
    statements: Vec<Value>,
    revision: String,
}

/// The caller of an invocation.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Invoker<'a> {
    /// A service principal, such as `s3.amazonaws.com`.
    pub principal: &'a str,
    pub source_arn: &'a str,
    pub source_account: &'a str,
}

impl ResourcePolicy {
    pub(crate) fn is_empty(&self) -> bool {
        self.statements.is_empty()
    }

    /// The response of GetPolicy.
    pub(crate) fn document(&self) -> Value {
        let policy = json!({ "Version": "2012-10-17", "Id": "default", "Statement": self.statements });
        json!({ "Policy": policy.to_string(), "RevisionId": self.revision })
    }

    /// Adds a permission and returns the new statement.
    pub(crate) fn add(&mut self, input: &Value, function_arn: &str) -> Result<Value, AwsError> {
        self.check_revision(input)?;
        let statement = statement(input, function_arn)?;
        let sid = statement["Sid"].as_str().unwrap_or_default();
        if self.statements.iter().any(|existing| existing["Sid"] == sid) {
            return Err(errors::conflict(format!(
                "The statement id ({sid}) provided already exists. Please provide a new statement id, or remove the \
                 existing statement."
            )));
        }
        self.statements.push(statement.clone());
        self.revision = uuid::Uuid::new_v4().to_string();
        Ok(statement)
    }

    /// Removes a permission.
    pub(crate) fn remove(&mut self, sid: &str, input: &Value) -> Result<(), AwsError> {
        self.check_revision(input)?;
        let before = self.statements.len();
        self.statements.retain(|statement| statement["Sid"] != sid);
        if self.statements.len() == before {
            return Err(errors::not_found(format!("Statement {sid} is not found in resource policy.")));
        }
        self.revision = uuid::Uuid::new_v4().to_string();
        Ok(())
    }

    /// Whether any statement lets `invoker` invoke the function.
    pub(crate) fn allows(&self, invoker: Invoker<'_>) -> bool {
        self.statements.iter().any(|statement| {
            statement["Effect"] == "Allow"
                && action_covers_invoke(statement["Action"].as_str().unwrap_or_default())
                && principal_matches(&statement["Principal"], invoker.principal)
                && conditions_hold(&statement["Condition"], invoker)
        })
    }

    fn check_revision(&self, input: &Value) -> Result<(), AwsError> {
        match input["RevisionId"].as_str() {
            Some(expected) if expected != self.revision => Err(errors::precondition_failed()),
            _ => Ok(()),
        }
    }
}

fn statement(input: &Value, function_arn: &str) -> Result<Value, AwsError> {
    let field = |name: &str| {
        input[name].as_str().filter(|text| !text.is_empty()).ok_or_else(|| {
            let member = format!("{}{}", name[..1].to_lowercase(), &name[1..]);
            errors::validation(format!(
                "1 validation error detected: Value null at '{member}' failed to satisfy constraint: Member must not be null"
            ))
        })
    };
    let (sid, action, principal) = (field("StatementId")?, field("Action")?, field("Principal")?);
    if !sid.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)) || sid.len() > 100 {
        return Err(errors::validation(format!(
            "1 validation error detected: Value '{sid}' at 'statementId' failed to satisfy constraint: Member must \
             satisfy regular expression pattern: ([a-zA-Z0-9-_]+)"
        )));
    }
    if action != "*" && !action.starts_with("lambda:") {
        return Err(errors::validation(format!(
            "1 validation error detected: Value '{action}' at 'action' failed to satisfy constraint: Member must satisfy \
             regular expression pattern: (lambda:[*]|lambda:[a-zA-Z]+|[*])"
        )));
    }
    let principal = if principal == "*" {
        json!("*")
    } else if principal.len() == 12 && principal.bytes().all(|byte| byte.is_ascii_digit()) {
        json!({ "AWS": format!("arn:aws:iam::{principal}:root") })
    } else if principal.starts_with("arn:") {
        json!({ "AWS": principal })
    } else if principal.contains('.') {
        json!({ "Service": principal })
    } else {
        return Err(errors::invalid_parameter(
            "The provided principal was invalid. Please check the principal and try again.",
        ));
    };

    let mut statement = json!({
        "Sid": sid,
        "Effect": "Allow",
        "Principal": principal,
        "Action": action,
        "Resource": function_arn,
    });
    let mut condition = Map::new();
    if let Some(account) = input["SourceAccount"].as_str() {
        condition.insert("StringEquals".to_owned(), json!({ "AWS:SourceAccount": account }));
    }
    if let Some(arn) = input["SourceArn"].as_str() {
        condition.insert("ArnLike".to_owned(), json!({ "AWS:SourceArn": arn }));
    }
    if !condition.is_empty() {
        statement["Condition"] = Value::Object(condition);
    }
    Ok(statement)
}

fn action_covers_invoke(action: &str) -> bool {
    matches_pattern(&action.to_ascii_lowercase(), "lambda:invokefunction")
}

fn principal_matches(principal: &Value, service: &str) -> bool {
    principal == "*" || principal["Service"] == service
}

/// Evaluates conditions. Keys are case-insensitive; an unknown key does not match.
fn conditions_hold(condition: &Value, invoker: Invoker<'_>) -> bool {
    let Some(operators) = condition.as_object() else {
        return true;
    };
    operators.iter().all(|(operator, keys)| {
        keys.as_object().is_some_and(|keys| {
            keys.iter().all(|(key, expected)| {
                let actual = match key.to_ascii_lowercase().as_str() {
                    "aws:sourcearn" => invoker.source_arn,
                    "aws:sourceaccount" => invoker.source_account,
                    _ => return false,
                };
                let expected: Vec<&str> = match expected {
                    Value::Array(values) => values.iter().filter_map(Value::as_str).collect(),
                    other => other.as_str().into_iter().collect(),
                };
                expected.iter().any(|expected| match operator.to_ascii_lowercase().as_str() {
                    "stringequals" => *expected == actual,
                    "arnlike" | "arnequals" | "stringlike" => matches_pattern(expected, actual),
                    _ => false,
                })
            })
        })
    })
}

/// `*` for any run of characters, `?` for one.
fn matches_pattern(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
    let (mut at, mut read) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while read < text.len() {
        if at < pattern.len() && (pattern[at] == b'?' || (pattern[at] != b'*' && pattern[at] == text[read])) {
            at += 1;
            read += 1;
        } else if at < pattern.len() && pattern[at] == b'*' {
            star = Some((at, read));
            at += 1;
        } else if let Some((star_at, star_read)) = star {
            star = Some((star_at, star_read + 1));
            at = star_at + 1;
            read = star_read + 1;
        } else {
            return false;
        }
    }
    pattern[at..].iter().all(|byte| *byte == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    const ARN: &str = "arn:aws:lambda:eu-central-1:000000000000:function:thumb";
    const BUCKET: &str = "arn:aws:s3:::pictures";

    fn permission() -> Value {
        json!({
            "StatementId": "s3", "Action": "lambda:InvokeFunction", "Principal": "s3.amazonaws.com",
            "SourceArn": BUCKET, "SourceAccount": "000000000000",
        })
    }

    fn allows(policy: &ResourcePolicy, principal: &str, source_arn: &str, source_account: &str) -> bool {
        policy.allows(Invoker { principal, source_arn, source_account })
    }

    #[test]
    fn add_creates_statement_in_aws_form() {
        let mut policy = ResourcePolicy::default();
        let statement = policy.add(&permission(), ARN).unwrap();
        assert_eq!(
            statement,
            json!({
                "Sid": "s3", "Effect": "Allow", "Principal": { "Service": "s3.amazonaws.com" },
                "Action": "lambda:InvokeFunction", "Resource": ARN,
                "Condition": {
                    "StringEquals": { "AWS:SourceAccount": "000000000000" },
                    "ArnLike": { "AWS:SourceArn": BUCKET },
                },
            })
        );
    }

    #[test]
    fn only_named_principal_and_source_may_invoke() {
        let mut policy = ResourcePolicy::default();
        assert!(!allows(&policy, "s3.amazonaws.com", BUCKET, "000000000000"));
        policy.add(&permission(), ARN).unwrap();
        assert!(allows(&policy, "s3.amazonaws.com", BUCKET, "000000000000"));
        assert!(!allows(&policy, "sns.amazonaws.com", BUCKET, "000000000000"));
        assert!(!allows(&policy, "s3.amazonaws.com", "arn:aws:s3:::other", "000000000000"));
        assert!(!allows(&policy, "s3.amazonaws.com", BUCKET, "111111111111"));
        policy.remove("s3", &json!({})).unwrap();
        assert!(!allows(&policy, "s3.amazonaws.com", BUCKET, "000000000000"));
    }

    #[test]
    fn permission_for_other_action_does_not_allow_invoke() {
        let mut policy = ResourcePolicy::default();
        let mut input = permission();
        input["Action"] = json!("lambda:GetFunction");
        policy.add(&input, ARN).unwrap();
        assert!(!allows(&policy, "s3.amazonaws.com", BUCKET, "000000000000"));
    }

    #[test]
    fn statement_ids_are_unique_and_required_for_removal() {
        let mut policy = ResourcePolicy::default();
        policy.add(&permission(), ARN).unwrap();
        assert_eq!(policy.add(&permission(), ARN).unwrap_err().code, "ResourceConflictException");
        assert_eq!(policy.remove("other", &json!({})).unwrap_err().code, "ResourceNotFoundException");
        let stale = json!({ "RevisionId": "of yesterday" });
        assert_eq!(policy.remove("s3", &stale).unwrap_err().code, "PreconditionFailedException");
    }

    #[test]
    fn patterns_know_stars_and_question_marks() {
        assert!(matches_pattern("arn:aws:s3:::*", BUCKET));
        assert!(matches_pattern("arn:aws:s3:::p?ctur*s", BUCKET));
        assert!(!matches_pattern("arn:aws:s3:::picture", BUCKET));
        assert!(matches_pattern("*", ""));
    }
}
