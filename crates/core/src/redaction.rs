//! What must never be shown: which settings look like credentials, and how a line of text is drawn without them.
//!
//! Pure. Everything that a cloud or a log says goes through here before it is drawn. When in doubt a value is hidden: a
//! line that says too little is a nuisance, one that says too much cannot be taken back.

mod scan;

use std::borrow::Cow;

/// What stands in the place of a value that is not shown.
pub const HIDDEN: &str = "hidden";

/// The parts of names that credentials have, in capitals and without what joins words.
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

/// Those of them that leave no doubt, even where the line may be a sentence: `password: x`, and not `token: x`.
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

/// How tokens of well-known makers begin, and how long such a token is at least.
const TOKENS: [(&str, usize); 10] = [
    // AWS's session tokens.
    ("IQoJb3JpZ2lu", 40),
    ("FwoGZXIvYXdz", 40),
    ("FQoGZXIvYXdz", 40),
    // JSON in base64: web tokens, and the password of ECR's registry.
    ("eyJ", 40),
    ("ghp_", 36),
    ("gho_", 36),
    ("ghs_", 36),
    ("ghu_", 36),
    ("ghr_", 36),
    ("github_pat_", 36),
];

/// How a private key in PEM begins, how it ends, and what is said of it both times.
const KEY_BEGINS: &str = "-----BEGIN ";
const KEY_ENDS: &str = "-----END ";
const KEY_IS_PRIVATE: &str = "PRIVATE KEY";

/// How many lines of a private key are hidden while its end does not come. The longest that are made have two hundred, and
/// a log must not go dark because somebody wrote a key's first line.
const KEY_LINES: usize = 256;

/// Whether a setting's value must not be shown, by its name or by what it is.
pub fn looks_secret(name: &str, value: &str) -> bool {
    let name = plain(name);
    let named = NAMES.iter().any(|part| name.contains(part)) || ends_in_pwd(&name);
    named || is_secret_key(value) || matches!(redact_line(value), Cow::Owned(_))
}

/// A line of text with its credentials masked; without any, the line itself.
///
/// Masked are AWS's access key ids, tokens that are known by how they begin, private keys, `Authorization` headers,
/// passwords in URLs, and the values of names that credentials have: `AWS_SECRET_ACCESS_KEY=…`, `password: …`,
/// `--password …`, `"SecretAccessKey": "…"`.
pub fn redact_line(text: &str) -> Cow<'_, str> {
    let hidden = scan::secrets(text);
    if hidden.is_empty() {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len());
    let mut from = 0;
    for part in hidden {
        shown.push_str(&text[from..part.start]);
        shown.push_str(HIDDEN);
        from = part.end;
    }
    shown.push_str(&text[from..]);
    Cow::Owned(shown)
}

/// Masks the credentials of a text that comes line by line: a private key goes over several of them.
#[derive(Clone, Debug, Default)]
pub struct Redactor {
    /// How many more lines are hidden at most, while a private key has begun and not ended.
    of_key: usize,
}

impl Redactor {
    /// The next line with its credentials masked; without any, the line itself. Several lines may come at once.
    pub fn redact<'a>(&mut self, text: &'a str) -> Cow<'a, str> {
        let mut from = 0;
        if self.of_key > 0 {
            let Some(end) = scan::end_of_key(text) else {
                self.of_key = self.of_key.saturating_sub(1 + text.matches('\n').count());
                return Cow::Owned(HIDDEN.to_owned());
            };
            (from, self.of_key) = (end, 0);
        }
        let rest = redact_line(&text[from..]);
        // What begins a key is masked itself: the others need not be looked at for it.
        if matches!(rest, Cow::Owned(_)) && scan::leaves_key_open(&text[from..]) {
            self.of_key = KEY_LINES;
        }
        if from == 0 { rest } else { Cow::Owned(format!("{HIDDEN}{rest}")) }
    }
}

/// Lines that belong together with their credentials masked. They may be the end of a longer text: where a private key ends
/// that has not begun in them, all before its end is taken for a part of it.
pub fn redact_lines(lines: impl IntoIterator<Item = String>) -> Vec<String> {
    let mut redactor = Redactor::default();
    let mut shown: Vec<String> = Vec::new();
    for line in lines {
        let has_no_beginning = redactor.of_key == 0 && scan::begin_of_key(&line).is_none();
        if has_no_beginning && let Some(end) = scan::end_of_key(&line) {
            shown.iter_mut().for_each(|line| HIDDEN.clone_into(line));
            shown.push(format!("{HIDDEN}{}", redact_line(&line[end..])));
        } else {
            shown.push(redactor.redact(&line).into_owned());
        }
    }
    shown
}

/// A name in capitals, without what joins its words.
fn plain(name: &str) -> String {
    name.chars().filter(|c| !matches!(c, '_' | '-' | '.' | ' ')).map(|c| c.to_ascii_uppercase()).collect()
}

// Not just any PWD: a shell's own is the folder that it is in.
fn ends_in_pwd(plain: &str) -> bool {
    plain.ends_with("PWD") && !matches!(plain, "PWD" | "OLDPWD")
}

/// Whether a text as a whole has the form of AWS's secret access keys, which is no more than forty letters and digits:
/// good enough for a value, too little for a word of a line, where it could be a path.
fn is_secret_key(value: &str) -> bool {
    value.len() == 40
        && value.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'+'))
        && value.bytes().any(|byte| byte.is_ascii_uppercase())
        && value.bytes().any(|byte| byte.is_ascii_lowercase())
        && value.bytes().any(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests;
