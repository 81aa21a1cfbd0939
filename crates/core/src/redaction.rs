//! Masks credentials in settings and lines of text. Pure.
//!
//! All text from a cloud or a log is redacted before it is shown. In doubt a value is masked, since a disclosed credential
//! cannot be recalled.

mod scan;

use std::borrow::Cow;

/// The replacement for a masked value.
pub const HIDDEN: &str = "hidden";

/// Parts of credential names, in upper case and without separators.
const NAMES: [&str; 16] = [
    "SECRET",
    "TOKEN",
    "PASSWORD",
    "PASSWD",
    "PASSPHRASE",
    "CREDENTIAL",
    "PRIVATE",
    "ACCESSKEY",
    "APIKEY",
    "AUTHKEY",
    "SSHKEY",
    "MASTERKEY",
    "KEYID",
    "SIGNINGKEY",
    "ENCRYPTIONKEY",
    "AMZSIGNATURE",
];

/// Those that are unambiguous even in a sentence: `password: x`, but not `token: x`.
const CERTAIN_NAMES: [&str; 13] = [
    "PASSWORD",
    "PASSWD",
    "PASSPHRASE",
    "SECRETACCESSKEY",
    "SECRETKEY",
    "SESSIONTOKEN",
    "ACCESSTOKEN",
    "AUTHTOKEN",
    "SECURITYTOKEN",
    "REFRESHTOKEN",
    "CLIENTSECRET",
    "APIKEY",
    "PRIVATEKEY",
];

/// The prefixes of well-known tokens, with the minimum length of each token.
const TOKENS: [(&str, usize); 10] = [
    // AWS session tokens.
    ("IQoJb3JpZ2lu", 40),
    ("FwoGZXIvYXdz", 40),
    ("FQoGZXIvYXdz", 40),
    // Base64 of JSON: JSON web tokens, and ECR passwords.
    ("eyJ", 40),
    ("ghp_", 36),
    ("gho_", 36),
    ("ghs_", 36),
    ("ghu_", 36),
    ("ghr_", 36),
    ("github_pat_", 36),
];

/// The markers of a PEM private key.
const KEY_BEGIN: &str = "-----BEGIN ";
const KEY_END: &str = "-----END ";
const PRIVATE_KEY_LABEL: &str = "PRIVATE KEY";

/// The maximum number of masked lines of a private key without an end marker: more than the 200 lines of the longest keys,
/// but limited so that a lone first line does not mask the rest of the log.
const MAX_KEY_LINES: usize = 256;

/// Whether a setting must be masked, by its name or by its value.
pub fn looks_secret(name: &str, value: &str) -> bool {
    let name = normalized(name);
    let named = NAMES.iter().any(|part| name.contains(part)) || ends_in_pwd(&name);
    named || is_secret_key(value) || matches!(redact_line(value), Cow::Owned(_))
}

/// Masks the credentials in a line; borrows the line if there are none.
///
/// Masks AWS access key ids, tokens with a well-known prefix, private keys, `Authorization` headers, passwords in URLs, and
/// the values of credential names: `AWS_SECRET_ACCESS_KEY=…`, `password: …`, `--password …`, `"SecretAccessKey": "…"`.
pub fn redact_line(text: &str) -> Cow<'_, str> {
    let credentials = scan::credentials(text);
    if credentials.is_empty() {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len());
    let mut from = 0;
    for part in credentials {
        shown.push_str(&text[from..part.start]);
        shown.push_str(HIDDEN);
        from = part.end;
    }
    shown.push_str(&text[from..]);
    Cow::Owned(shown)
}

/// Masks the credentials in a stream of lines, including private keys over several lines.
#[derive(Clone, Debug, Default)]
pub struct Redactor {
    /// The maximum number of further lines to mask inside a private key; 0 outside.
    key_lines_left: usize,
}

impl Redactor {
    /// Masks the credentials in the next line or lines; borrows them if there are none.
    pub fn redact<'a>(&mut self, text: &'a str) -> Cow<'a, str> {
        let mut from = 0;
        if self.key_lines_left > 0 {
            let Some(end) = scan::end_of_key(text) else {
                self.key_lines_left = self.key_lines_left.saturating_sub(1 + text.matches('\n').count());
                return Cow::Owned(HIDDEN.to_owned());
            };
            (from, self.key_lines_left) = (end, 0);
        }
        let rest = redact_line(&text[from..]);
        // A line that starts a key is masked itself, so unchanged lines need no check.
        if matches!(rest, Cow::Owned(_)) && scan::leaves_key_open(&text[from..]) {
            self.key_lines_left = MAX_KEY_LINES;
        }
        if from == 0 { rest } else { Cow::Owned(format!("{HIDDEN}{rest}")) }
    }
}

/// Masks the credentials in consecutive lines, which may be the end of a longer text: everything before the end marker of a
/// private key without a start marker is masked.
pub fn redact_lines(lines: impl IntoIterator<Item = String>) -> Vec<String> {
    let mut redactor = Redactor::default();
    let mut shown: Vec<String> = Vec::new();
    for line in lines {
        let is_outside_key = redactor.key_lines_left == 0 && scan::begin_of_key(&line).is_none();
        if is_outside_key && let Some(end) = scan::end_of_key(&line) {
            shown.iter_mut().for_each(|line| HIDDEN.clone_into(line));
            shown.push(format!("{HIDDEN}{}", redact_line(&line[end..])));
        } else {
            shown.push(redactor.redact(&line).into_owned());
        }
    }
    shown
}

/// A name in upper case, without separators.
fn normalized(name: &str) -> String {
    name.chars().filter(|c| !matches!(c, '_' | '-' | '.' | ' ')).map(|c| c.to_ascii_uppercase()).collect()
}

// Except a shell's PWD, the working directory.
fn ends_in_pwd(name: &str) -> bool {
    name.ends_with("PWD") && !matches!(name, "PWD" | "OLDPWD")
}

/// Whether a value has the form of an AWS secret access key, which is only 40 base64 characters: specific enough for a whole
/// value, but not for a word in a line, which could be a path.
fn is_secret_key(value: &str) -> bool {
    value.len() == 40
        && value.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'+'))
        && value.bytes().any(|byte| byte.is_ascii_uppercase())
        && value.bytes().any(|byte| byte.is_ascii_lowercase())
        && value.bytes().any(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests;
