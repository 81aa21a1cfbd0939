//! Words of a Dockerfile: splitting, quotes and variables.

use std::collections::BTreeMap;

/// Splits at unquoted spaces, and keeps the quotes.
pub(super) fn split(text: &str) -> Vec<String> {
    let (mut words, mut word, mut quote) = (Vec::new(), String::new(), None);
    let mut chars = text.chars();
    while let Some(char) = chars.next() {
        match (quote, char) {
            (None, '"' | '\'') => quote = Some(char),
            (Some(open), _) if open == char => quote = None,
            (None, _) if char.is_whitespace() => {
                if !word.is_empty() {
                    words.push(std::mem::take(&mut word));
                }
                continue;
            }
            (None | Some('"'), '\\') => {
                word.push(char);
                word.extend(chars.next());
                continue;
            }
            _ => {}
        }
        word.push(char);
    }
    if !word.is_empty() {
        words.push(word);
    }
    words
}

/// The values of variables; `ENV` takes precedence over `ARG`.
#[derive(Debug, Clone, Default)]
pub(super) struct VariableScope {
    pub(super) arguments: BTreeMap<String, String>,
    pub(super) environment: BTreeMap<String, String>,
}

impl VariableScope {
    fn get(&self, name: &str) -> Option<&str> {
        self.environment.get(name).or_else(|| self.arguments.get(name)).map(String::as_str)
    }

    /// Removes a word's quotes, and expands `$NAME`, `${NAME}`, `${NAME:-default}` and `${NAME:+other}`.
    pub(super) fn expand(&self, word: &str) -> String {
        let mut out = String::new();
        let mut quote = None;
        let mut rest = word;
        while let Some(char) = rest.chars().next() {
            rest = &rest[char.len_utf8()..];
            match (quote, char) {
                (None, '"' | '\'') => quote = Some(char),
                (Some(open), _) if open == char => quote = None,
                (None | Some('"'), '\\') => {
                    let escaped = rest.chars().next().unwrap_or('\\');
                    // In double quotes a backslash is literal, except before characters it can escape.
                    if quote.is_some() && !matches!(escaped, '"' | '$' | '\\') {
                        out.push('\\');
                    }
                    out.push(escaped);
                    rest = rest.get(escaped.len_utf8()..).unwrap_or_default();
                }
                (None | Some('"'), '$') => {
                    let (value, after) = self.variable(rest);
                    out.push_str(&value);
                    rest = after;
                }
                _ => out.push(char),
            }
        }
        out
    }

    /// The value of the variable after a `$`, and the rest of the text.
    fn variable<'a>(&self, text: &'a str) -> (String, &'a str) {
        if let Some((inner, after)) = text.strip_prefix('{').and_then(|text| text.split_once('}')) {
            let set = |name: &str| self.get(name).filter(|value| !value.is_empty()).map(str::to_owned);
            let value = if let Some((name, default)) = inner.split_once(":-") {
                set(name).unwrap_or_else(|| self.expand(default))
            } else if let Some((name, other)) = inner.split_once(":+") {
                set(name).map(|_| self.expand(other)).unwrap_or_default()
            } else {
                set(inner).unwrap_or_default()
            };
            return (value, after);
        }
        let end = text.find(|char: char| !char.is_ascii_alphanumeric() && char != '_').unwrap_or(text.len());
        if end == 0 {
            return ("$".to_owned(), text);
        }
        (self.get(&text[..end]).unwrap_or_default().to_owned(), &text[end..])
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn quotes_and_variables_are_expanded_like_docker() {
        let variables = VariableScope {
            arguments: [("A", "arg"), ("B", "only")].map(|(a, b)| (a.to_owned(), b.to_owned())).into(),
            environment: [("A".to_owned(), "env".to_owned())].into(),
        };
        for (word, expected) in [
            ("$A/${B}", "env/only"),
            ("'$A'", "$A"),
            ("\"x $A\"", "x env"),
            (r"\$A", "$A"),
            (r#""a\"b""#, "a\"b"),
            ("${C:-d-$B}", "d-only"),
            ("${C:+x}${A:+y}", "y"),
            ("$", "$"),
            ("${open", "${open"),
        ] {
            assert_eq!(variables.expand(word), expected, "{word}");
        }
        assert_eq!(split(r#"a="x y" b=c\ d 'e f'"#), [r#"a="x y""#, r"b=c\ d", "'e f'"]);
    }

    proptest! {
        #[test]
        fn any_word_is_expanded_without_panic(text in any::<String>()) {
            let variables = VariableScope::default();
            for word in split(&text) {
                let _ = variables.expand(&word);
            }
        }
    }
}
