//! The IAM documents of `assets/policies`, with their `${placeholders}` filled in. Pure.

use serde_json::Value;

/// A document of `assets/policies`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Document {
    /// The build's permissions.
    BuildPolicy,
    /// The trust policy of the build's service role.
    BuildTrust,
    /// The function's permissions.
    FunctionPolicy,
    /// The trust policy of the function's execution role.
    FunctionTrust,
    /// The permissions of this program's user.
    UserPolicy,
}

impl Document {
    /// All documents.
    pub const ALL: [Self; 5] =
        [Self::BuildPolicy, Self::BuildTrust, Self::FunctionPolicy, Self::FunctionTrust, Self::UserPolicy];

    /// Returns its file name in `assets/policies`.
    pub const fn file_name(self) -> &'static str {
        match self {
            Self::BuildPolicy => "build-policy.json",
            Self::BuildTrust => "build-trust.json",
            Self::FunctionPolicy => "function-policy.json",
            Self::FunctionTrust => "function-trust.json",
            Self::UserPolicy => "user-policy.json",
        }
    }

    /// Returns its text, with placeholders.
    pub const fn text(self) -> &'static str {
        match self {
            Self::BuildPolicy => include_str!("../../../../assets/policies/build-policy.json"),
            Self::BuildTrust => include_str!("../../../../assets/policies/build-trust.json"),
            Self::FunctionPolicy => include_str!("../../../../assets/policies/function-policy.json"),
            Self::FunctionTrust => include_str!("../../../../assets/policies/function-trust.json"),
            Self::UserPolicy => include_str!("../../../../assets/policies/user-policy.json"),
        }
    }
}

/// The values of the placeholders.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PolicyValues {
    /// `${AccountId}`.
    pub account: String,
    /// `${Region}`.
    pub region: String,
    /// `${Prefix}`: the prefix of all names.
    pub prefix: String,
    /// `${RepositoryName}`.
    pub repository: String,
    /// `${BuildLogGroup}`.
    pub build_log_group: String,
    /// `${FunctionLogGroup}`.
    pub function_log_group: String,
    /// `${SourceBucket}`.
    pub source_bucket: String,
    /// `${DestinationBucket}`.
    pub destination_bucket: String,
    /// `${BuildSourceBucket}`; without one (the source is on GitHub) its statements are omitted.
    pub build_source_bucket: Option<String>,
}

impl PolicyValues {
    fn get(&self, placeholder: &str) -> Option<&str> {
        let value = match placeholder {
            "AccountId" => &self.account,
            "Region" => &self.region,
            "Prefix" => &self.prefix,
            "RepositoryName" => &self.repository,
            "BuildLogGroup" => &self.build_log_group,
            "FunctionLogGroup" => &self.function_log_group,
            "SourceBucket" => &self.source_bucket,
            "DestinationBucket" => &self.destination_bucket,
            "BuildSourceBucket" => return self.build_source_bucket.as_deref(),
            _ => return None,
        };
        // An empty name would widen the permissions: `arn:aws:s3:::/*`.
        (!value.is_empty()).then_some(value)
    }
}

/// Why a document cannot be rendered.
#[derive(Debug, thiserror::Error)]
pub enum PolicyError {
    /// A placeholder has no value.
    #[error("{document} needs a value for ${{{placeholder}}}")]
    Unfilled {
        /// The document's file.
        document: &'static str,
        /// The placeholder's name.
        placeholder: String,
    },
    /// The document is not JSON.
    #[error("{document} is not valid JSON")]
    Json {
        /// The document's file.
        document: &'static str,
        /// The parser's error.
        source: serde_json::Error,
    },
}

/// Renders a document with its placeholders filled in.
///
/// # Errors
/// [`PolicyError::Unfilled`] for a placeholder without a value; [`PolicyError::Json`] for a document that is not JSON.
pub fn render(document: Document, values: &PolicyValues) -> Result<Value, PolicyError> {
    let mut policy: Value = serde_json::from_str(document.text())
        .map_err(|source| PolicyError::Json { document: document.file_name(), source })?;
    if values.build_source_bucket.is_none()
        && let Some(statements) = policy["Statement"].as_array_mut()
    {
        statements.retain(|statement| !statement.to_string().contains("${BuildSourceBucket}"));
    }
    fill(&mut policy, document, values)?;
    Ok(policy)
}

fn fill(value: &mut Value, document: Document, values: &PolicyValues) -> Result<(), PolicyError> {
    match value {
        Value::String(text) => *text = fill_text(text, document, values)?,
        Value::Array(items) => {
            for item in items {
                fill(item, document, values)?;
            }
        }
        Value::Object(fields) => {
            for field in fields.values_mut() {
                fill(field, document, values)?;
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
    Ok(())
}

fn fill_text(text: &str, document: Document, values: &PolicyValues) -> Result<String, PolicyError> {
    let mut filled = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${") {
        let (name, after) = after.split_once('}').unwrap_or((after, ""));
        let value = values
            .get(name)
            .ok_or_else(|| PolicyError::Unfilled { document: document.file_name(), placeholder: name.to_owned() })?;
        filled.push_str(before);
        filled.push_str(value);
        rest = after;
    }
    filled.push_str(rest);
    Ok(filled)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values() -> PolicyValues {
        PolicyValues {
            account: "000000000000".into(),
            region: "eu-central-1".into(),
            prefix: "thumbnails".into(),
            repository: "thumbnails-1-images".into(),
            build_log_group: "/aws/codebuild/thumbnails-1-build".into(),
            function_log_group: "/aws/lambda/thumbnails-1-function".into(),
            source_bucket: "thumbnails-1-source".into(),
            destination_bucket: "thumbnails-1-thumbnails".into(),
            build_source_bucket: Some("thumbnails-1-build-source".into()),
        }
    }

    fn statement<'a>(policy: &'a Value, sid: &str) -> Option<&'a Value> {
        let statements = policy["Statement"].as_array().unwrap();
        statements.iter().find(|one| one["Sid"] == sid)
    }

    #[test]
    fn every_document_is_a_policy_without_placeholders() {
        for document in Document::ALL {
            let policy = render(document, &values()).unwrap();
            assert_eq!(policy["Version"], "2012-10-17", "{document:?}");
            assert!(!policy.to_string().contains("${"), "{document:?}");
            for statement in policy["Statement"].as_array().unwrap() {
                assert_eq!(statement["Effect"], "Allow", "{document:?}");
                // IAM allows letters and digits only.
                let sid = statement["Sid"].as_str().unwrap();
                assert!(sid.chars().all(|c| c.is_ascii_alphanumeric()), "{sid}");
            }
        }
    }

    #[test]
    fn every_document_is_within_iams_size_limit() {
        for document in Document::ALL {
            // 6,144 characters without white space for a managed policy, 2,048 for a trust policy.
            let length = render(document, &values()).unwrap().to_string().len();
            assert!(length < 6144, "{document:?} has {length}");
        }
    }

    #[test]
    fn function_can_read_its_source_and_write_its_destination_only() {
        let policy = render(Document::FunctionPolicy, &values()).unwrap();
        assert_eq!(statement(&policy, "ReadImages").unwrap()["Resource"], "arn:aws:s3:::thumbnails-1-source/*");
        assert_eq!(
            statement(&policy, "WriteThumbnails").unwrap()["Resource"],
            "arn:aws:s3:::thumbnails-1-thumbnails/*"
        );
    }

    #[test]
    fn build_from_github_can_read_no_bucket() {
        let mut values = values();
        let with = render(Document::BuildPolicy, &values).unwrap();
        assert!(statement(&with, "ReadBuildSource").is_some());
        values.build_source_bucket = None;
        let without = render(Document::BuildPolicy, &values).unwrap();
        assert!(!without.to_string().contains("s3:"));
        assert!(statement(&without, "PushImage").is_some());
    }

    #[test]
    fn missing_value_is_an_error_that_names_it() {
        let mut values = values();
        values.repository.clear();
        let error = render(Document::BuildPolicy, &values).unwrap_err();
        assert_eq!(error.to_string(), "build-policy.json needs a value for ${RepositoryName}");
    }

    #[test]
    fn neither_role_can_create_log_groups() {
        for document in [Document::BuildPolicy, Document::FunctionPolicy] {
            assert!(!document.text().contains("logs:CreateLogGroup"));
        }
    }
}
