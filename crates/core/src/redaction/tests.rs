use proptest::prelude::*;

use super::*;

// Concatenated, so that secret scanners do not report it.
const KEY_ID: &str = concat!("AKIA", "IOSFODNN7EXAMPLE");
const TEMPORARY_KEY_ID: &str = concat!("ASIA", "IOSFODNN7EXAMPLE");
const SECRET_KEY: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";

#[track_caller]
fn assert_redacted(line: &str, expected: &str) {
    assert_eq!(redact_line(line), expected);
    assert_eq!(redact_line(expected), expected, "redaction is idempotent");
}

#[track_caller]
fn unchanged(line: &str) {
    assert!(matches!(redact_line(line), Cow::Borrowed(same) if same == line), "{line} became {}", redact_line(line));
}

#[test]
fn credential_settings_are_recognized_by_name() {
    for name in [
        "AWS_SECRET_ACCESS_KEY",
        "aws_session_token",
        "DB_PASSWORD",
        "MYSQL_PWD",
        "API_KEY",
        "apiKey",
        "AWS_ACCESS_KEY_ID",
        "GOOGLE_APPLICATION_CREDENTIALS",
        "SSH_PRIVATE_KEY",
        "passwd",
    ] {
        assert!(looks_secret(name, "x"), "{name}");
    }
    for name in ["DEST_BUCKET", "MAX_SIZE", "AWS_ACCOUNT_ID", "IMAGE_REPO_NAME", "PWD", "OLDPWD", "KEYBOARD", "PATH"] {
        assert!(!looks_secret(name, "x"), "{name}");
    }
}

#[test]
fn credential_settings_are_recognized_by_value() {
    let token = format!("eyJ{}", "a".repeat(60));
    let key = "-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----";
    for value in [KEY_ID, TEMPORARY_KEY_ID, SECRET_KEY, &token, key, "postgres://me:word@host/db", "--password word"] {
        assert!(looks_secret("PLAIN", value), "{value}");
    }
    let commit = "0123456789abcdef0123456789abcdef01234567";
    let digest = format!("sha256:{}", "0a".repeat(32));
    for value in ["", "256", "thumbnails-0a1b2c3d-destination", commit, &digest, "https://example.com/a:b@c", HIDDEN] {
        assert!(!looks_secret("PLAIN", value), "{value}");
    }
}

#[test]
fn access_key_ids_are_masked_anywhere() {
    assert_redacted(&format!("caller {KEY_ID} and ({TEMPORARY_KEY_ID})."), "caller hidden and (hidden).");
    assert_redacted(&format!("user_{KEY_ID}"), "user_hidden");
    // Part of a base64 text, and words that are too short.
    unchanged(&format!("xyz{KEY_ID}"));
    unchanged("AKIA AKIASHORT asia");
}

#[test]
fn values_of_credentials_are_masked() {
    for (line, expected) in [
        ("export AWS_SECRET_ACCESS_KEY=abc/+= next", "export AWS_SECRET_ACCESS_KEY=hidden next"),
        ("AWS_SESSION_TOKEN='a b' c", "AWS_SESSION_TOKEN='hidden' c"),
        ("set \"TOKEN=abc\" now", "set \"TOKEN=hidden\" now"),
        ("aws_secret_access_key = abc", "aws_secret_access_key = hidden"),
        ("spring.datasource.password=abc", "spring.datasource.password=hidden"),
        ("Password: abc", "Password: hidden"),
        ("GITHUB_TOKEN: abc", "GITHUB_TOKEN: hidden"),
        ("x-amz-security-token: abc", "x-amz-security-token: hidden"),
        ("docker login --password abc --username AWS", "docker login --password hidden --username AWS"),
        ("tool --api-key=abc", "tool --api-key=hidden"),
        ("tool --token \"a b\" x", "tool --token \"hidden\" x"),
        ("tool --password -abc -x", "tool --password hidden -x"),
        ("<SessionToken>abc</SessionToken>", "<SessionToken>hidden</SessionToken>"),
        (
            "\u{1b}[3mpassword\u{1b}[0m\u{1b}[2m=\u{1b}[0m\"abc\" x",
            "\u{1b}[3mpassword\u{1b}[0m\u{1b}[2m=\u{1b}[0m\"hidden\" x",
        ),
        ("TOKEN=\u{1b}[1mabc\u{1b}[0m x", "TOKEN=\u{1b}[1mhidden\u{1b}[0m x"),
        ("PASSWORD=~abc", "PASSWORD=hidden"),
        ("postgres://me:word@host/db", "postgres://me:hidden@host/db"),
        ("GET /?X-Amz-Signature=abc&list=1", "GET /?X-Amz-Signature=hidden&list=1"),
    ] {
        assert_redacted(line, expected);
    }
}

#[test]
fn values_of_credentials_in_json_are_masked() {
    assert_redacted(
        r#"{"AccessKeyId": "x", "SecretAccessKey":"a\"b", "Expiration": "soon"}"#,
        r#"{"AccessKeyId": "hidden", "SecretAccessKey":"hidden", "Expiration": "soon"}"#,
    );
    assert_redacted(r#""{\"SessionToken\": \"abc\", \"n\": 1}""#, r#""{\"SessionToken\": \"hidden\", \"n\": 1}""#);
    assert_redacted(r#"{"token": "cut short"#, r#"{"token": "hidden"#);
    unchanged(r#"{"tokens": 12, "secret": null}"#);
}

#[test]
fn authorization_headers_are_masked_completely() {
    assert_redacted("Authorization: AWS4-HMAC-SHA256 Credential=a/b, Signature=c", "Authorization: hidden");
    assert_redacted("curl -H 'authorization: Bearer a b' https://x", "curl -H 'authorization: hidden' https://x");
    assert_redacted(r#"{"Authorization": "Basic abc", "n": 1}"#, r#"{"Authorization": "hidden", "n": 1}"#);
}

#[test]
fn well_known_tokens_are_masked_without_name() {
    let token = format!("ghp_{}", "a1B2".repeat(9));
    assert_redacted(&format!("docker login -u AWS -p {token} host"), "docker login -u AWS -p hidden host");
    let registry = format!("eyJ{}==", "aB3/".repeat(20));
    assert_redacted(&format!("-p {registry}"), "-p hidden");
    unchanged("eyJ ghp_short");
}

#[test]
fn private_keys_are_masked() {
    assert_redacted("key -----BEGIN EC PRIVATE KEY-----\\nMII\\n-----END EC PRIVATE KEY----- end", "key hidden end");
    assert_redacted("-----BEGIN PRIVATE KEY-----", "hidden");
    unchanged("-----BEGIN CERTIFICATE-----");
}

/// Redacts lines one by one.
fn one_by_one(lines: &[&str]) -> Vec<String> {
    let mut redactor = Redactor::default();
    lines.iter().map(|line| redactor.redact(line).into_owned()).collect()
}

#[test]
fn private_key_is_masked_over_all_lines() {
    for kind in ["", "RSA ", "EC ", "OPENSSH ", "ENCRYPTED "] {
        let (begin, end) =
            (format!("x -----BEGIN {kind}PRIVATE KEY-----"), format!("-----END {kind}PRIVATE KEY----- y"));
        let shown = one_by_one(&["a", &begin, "MIIEow", "", "Qk1x==", &end, "b"]);
        assert_eq!(shown, ["a", "x hidden", "hidden", "hidden", "hidden", "hidden y", "b"]);
    }
    let shown = one_by_one(&["-----BEGIN CERTIFICATE-----", "MIIC", "-----END CERTIFICATE-----"]);
    assert_eq!(shown, ["-----BEGIN CERTIFICATE-----", "MIIC", "-----END CERTIFICATE-----"]);
    // Another key may start after an end marker, and several lines may be passed at once.
    let two = "-----END PRIVATE KEY----- -----BEGIN PRIVATE KEY-----\nMIIF";
    assert_eq!(one_by_one(&["-----BEGIN PRIVATE KEY-----\nMIIE", two, "Qk1y"]), ["hidden", "hidden hidden", "hidden"]);
    assert_eq!(one_by_one(&["KEY=\"-----BEGIN PRIVATE KEY-----", "MIIE"]), ["KEY=\"hidden", "hidden"]);
    assert_eq!(one_by_one(&["API_KEY='-----BEGIN PRIVATE KEY-----", "MIIE"]), ["API_KEY='hidden", "hidden"]);
}

#[test]
fn unterminated_key_masks_limited_number_of_lines() {
    let mut redactor = Redactor::default();
    redactor.redact("-----BEGIN PRIVATE KEY-----");
    for _ in 0..MAX_KEY_LINES {
        assert_eq!(redactor.redact("line"), HIDDEN);
    }
    assert_eq!(redactor.redact("line"), "line");
}

#[test]
fn end_marker_without_start_masks_preceding_lines() {
    let shown = |lines: &[&str]| redact_lines(lines.iter().map(|line| (*line).to_owned()));
    assert_eq!(shown(&["Qk1x", "-----END PRIVATE KEY----- x", "b"]), ["hidden", "hidden x", "b"]);
    let whole = ["a", "-----BEGIN PRIVATE KEY-----", "Qk1x", "-----END PRIVATE KEY-----", "b"];
    assert_eq!(shown(&whole), ["a", "hidden", "hidden", "hidden", "b"]);
}

#[test]
fn build_log_lines_are_unchanged() {
    for line in [
        "[Container] 2026/11/22 13:05:09.123 Running command aws ecr get-login-password --region $AWS_DEFAULT_REGION | \
         docker login --username AWS --password-stdin $REPOSITORY",
        "error: expected one of `.`, `;`, found token: `}`",
        "let token = parser.next();",
        "if token == expected { secret::reveal() }",
        "docker login --password-stdin --username AWS",
        "tool --token -u me",
        "Vec<Token> and <token>",
        "   Compiling thumbctl v0.1.0 (/codebuild/output/src)",
        "#8 pushing sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef 1.2MB / 3.4MB",
        "START RequestId: 8a1b2c3d-0000-4000-8000-000000000000 Version: $LATEST",
        "REPORT RequestId: 8a1b Duration: 12.3 ms Memory Size: 512 MB",
        "https://eu-central-1.console.aws.amazon.com/s3/buckets/b?region=eu-central-1",
        "arn:aws:iam::000000000000:role/thumbnails-0a1b2c3d-build-role",
        "Login Succeeded",
        "Größe: 12 kB · fertig",
        "",
    ] {
        unchanged(line);
    }
}

/// The forms of a secret in a line; `@` is its position.
const FORMS: [&str; 10] = [
    "AWS_SECRET_ACCESS_KEY=@",
    "password = @",
    "x --password @ y",
    "{\"SecretAccessKey\": \"@\"}",
    "{\\\"SessionToken\\\":\\\"@\\\"}",
    "Authorization: Bearer @",
    "'authorization: @'",
    "api_key: '@'",
    "https://me:@/",
    "?X-Amz-Security-Token=@&x=1",
];

proptest! {
    #[test]
    fn ordinary_lines_are_unchanged(words in proptest::collection::vec("[a-zA-Z0-9./,;()%äß€ ]{0,12}[=: ]?[a-z0-9.]{0,6}", 0..12)) {
        let line = words.join(" ");
        let normalized = normalized(&line);
        let ordinary = !NAMES.iter().any(|name| normalized.contains(name))
            && !["AUTHORIZATION", "PWD", "AKIA", "ASIA", "EYJ", "IQOJ", "FWOG", "FQOG", "://"].iter().any(|sign| normalized.contains(sign));
        prop_assume!(ordinary);
        prop_assert!(matches!(redact_line(&line), Cow::Borrowed(_)), "{}", line);
    }

    #[test]
    fn redaction_of_any_text_is_idempotent(text in "(\\PC|[\"'\\\\=: <>-]|\\x1b\\[1m|password|--token|AKIA|://|Authorization|-----BEGIN ){0,40}") {
        let once = redact_line(&text).into_owned();
        let _ = looks_secret(&text, &text);
        prop_assert_eq!(redact_line(&once).into_owned(), once.clone());
    }

    #[test]
    fn fast_check_excludes_no_credential(
        text in "([a-z]{1,9}|[A-Z0-9]{1,24}|[\"'\\\\=: <>@/.-]|\\x1b\\[1m|password|--token |<Token>|AKIA|eyJ|ghp_|://|[a-z0-9/+]{36,40}|Authorization|-----BEGIN ){0,12}"
    ) {
        prop_assert!(scan::may_contain_credential(text.as_bytes()) || scan::scan_all(&text).is_empty());
    }

    #[test]
    fn secret_is_masked_in_every_form(form in 0..FORMS.len(), secret in "[a-zA-Z0-9+_.~!]{8,40}", before in "[a-z ]{0,10}") {
        let secret = format!("Q{secret}");
        let form = FORMS[form];
        let secret_part = if form.contains("://") { format!("{secret}@host") } else { secret.clone() };
        let line = format!("{before} {}", form.replacen('@', &secret_part, 1));
        let redacted = redact_line(&line);
        prop_assert!(!redacted.contains(&secret), "{}", redacted);
        prop_assert!(redacted.contains(HIDDEN));
    }
}
