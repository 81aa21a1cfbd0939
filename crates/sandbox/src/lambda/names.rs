//! Function names: name, ARN or partial ARN, with or without a qualifier.

use awsim_core::AwsError;
use serde::{Deserialize, Serialize};

use super::errors;

/// A function's region and name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub(crate) struct FunctionId {
    pub region: String,
    pub name: String,
}

impl FunctionId {
    /// The function's ARN without a qualifier.
    pub(crate) fn arn(&self, account: &str) -> String {
        format!("arn:aws:lambda:{}:{account}:function:{}", self.region, self.name)
    }
}

/// A function and qualifier as named by a caller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FunctionReference {
    pub id: FunctionId,
    pub qualifier: Option<String>,
}

/// Parses `name`, `name:qualifier`, `account:function:name` or an ARN; `region` and `account` are the defaults.
pub(crate) fn parse(text: &str, region: &str, account: &str) -> Result<FunctionReference, AwsError> {
    let parts: Vec<&str> = text.split(':').collect();
    let (region, named_account, name, qualifier) = match parts.as_slice() {
        [name] => (region, account, *name, None),
        [name, qualifier] => (region, account, *name, Some(*qualifier)),
        [owner, "function", name] => (region, *owner, *name, None),
        [owner, "function", name, qualifier] => (region, *owner, *name, Some(*qualifier)),
        ["arn", _, "lambda", region, owner, "function", name] => (*region, *owner, *name, None),
        ["arn", _, "lambda", region, owner, "function", name, qualifier] => (*region, *owner, *name, Some(*qualifier)),
        _ => return Err(malformed(text)),
    };
    if !is_valid_name(name) {
        return Err(malformed(text));
    }
    let id = FunctionId { region: region.to_owned(), name: name.to_owned() };
    if named_account != account {
        // Another account's function.
        return Err(errors::function_not_found(&id.arn(named_account)));
    }
    Ok(FunctionReference { id, qualifier: qualifier.map(str::to_owned) })
}

/// Whether `name` is a valid function name.
pub(crate) fn is_valid_name(name: &str) -> bool {
    (1..=64).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
}

fn malformed(text: &str) -> AwsError {
    errors::validation(format!(
        "1 validation error detected: Value '{text}' at 'functionName' failed to satisfy constraint: Member must satisfy \
         regular expression pattern: (arn:(aws[a-zA-Z-]*)?:lambda:)?([a-z]{{2}}((-gov)|(-iso([a-z]?)))?-[a-z]+-\\d{{1}}:)?\
         (\\d{{12}}:)?(function:)?([a-zA-Z0-9-_]+)(:(\\$LATEST|[a-zA-Z0-9-_]+))?"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ACCOUNT: &str = "000000000000";

    fn named(text: &str) -> (String, String, Option<String>) {
        let reference = parse(text, "eu-central-1", ACCOUNT).unwrap();
        (reference.id.region, reference.id.name, reference.qualifier)
    }

    #[test]
    fn name_partial_arn_and_arn_are_parsed() {
        let here = ("eu-central-1".to_owned(), "thumb".to_owned(), None);
        assert_eq!(named("thumb"), here);
        assert_eq!(named("000000000000:function:thumb"), here);
        assert_eq!(named("arn:aws:lambda:eu-central-1:000000000000:function:thumb"), here);
        assert_eq!(named("thumb:$LATEST").2.as_deref(), Some("$LATEST"));
        assert_eq!(named("arn:aws:lambda:us-east-1:000000000000:function:thumb:3").0, "us-east-1");
    }

    #[test]
    fn invalid_names_are_refused() {
        for text in ["", "a b", "a/b", "..", "arn:aws:s3:::bucket", "a:b:c:d:e:f"] {
            assert_eq!(parse(text, "eu-central-1", ACCOUNT).unwrap_err().code, "ValidationException", "{text}");
        }
        let foreign = parse("111111111111:function:thumb", "eu-central-1", ACCOUNT).unwrap_err();
        assert_eq!(foreign.code, "ResourceNotFoundException");
    }
}
