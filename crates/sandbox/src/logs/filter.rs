//! Filter patterns: terms, phrases, `?any` and `-excluded`.

use awsim_core::AwsError;

/// The required, alternative and excluded terms.
#[derive(Default)]
pub(super) struct FilterPattern {
    all: Vec<String>,
    any: Vec<String>,
    none: Vec<String>,
}

impl FilterPattern {
    /// Reads a pattern. Patterns for JSON, columns and regular expressions are refused.
    pub(super) fn read(text: &str) -> Result<Self, AwsError> {
        let text = text.trim();
        if text.starts_with('{') || text.starts_with('[') || text.starts_with('%') {
            return Err(AwsError::bad_request(
                "InvalidParameterException",
                "The sandbox supports filter patterns of terms and phrases only",
            ));
        }
        let mut pattern = Self::default();
        let mut rest = text;
        while let Some(start) = rest.chars().next() {
            let kind = if matches!(start, '?' | '-') { start } else { ' ' };
            if kind != ' ' {
                rest = &rest[1..];
            }
            let word = match rest.strip_prefix('"') {
                Some(quoted) => {
                    let end = quoted.find('"').unwrap_or(quoted.len());
                    rest = quoted.get(end + 1..).unwrap_or("");
                    &quoted[..end]
                }
                None => {
                    let end = rest.find(char::is_whitespace).unwrap_or(rest.len());
                    let word = &rest[..end];
                    rest = &rest[end..];
                    word
                }
            };
            rest = rest.trim_start();
            if word.is_empty() {
                continue;
            }
            match kind {
                '?' => pattern.any.push(word.to_owned()),
                '-' => pattern.none.push(word.to_owned()),
                _ => pattern.all.push(word.to_owned()),
            }
        }
        Ok(pattern)
    }

    pub(super) fn matches(&self, message: &str) -> bool {
        let has = |word: &String| message.contains(word.as_str());
        self.all.iter().all(has) && (self.any.is_empty() || self.any.iter().any(has)) && !self.none.iter().any(has)
    }
}

#[cfg(test)]
mod tests {
    use super::FilterPattern;

    #[test]
    fn terms_phrases_alternatives_and_exclusions_match() {
        let matches = |pattern: &str, message: &str| FilterPattern::read(pattern).unwrap().matches(message);
        assert!(matches("", "anything"));
        assert!(matches("ERROR disk", "ERROR: the disk is full"));
        assert!(!matches("ERROR disk", "ERROR: no memory"));
        assert!(matches("\"is full\"", "the disk is full"));
        assert!(matches("?ERROR ?WARN", "WARN x"));
        assert!(!matches("ERROR -retry", "ERROR, will retry"));
        assert!(FilterPattern::read("{ $.level = \"error\" }").is_err());
    }
}
