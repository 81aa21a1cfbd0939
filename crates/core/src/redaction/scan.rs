//! Finds the credentials in a line, in one pass. All patterns are ASCII, so every range is on character boundaries.

use std::ops::Range;

use super::{CERTAIN_NAMES, HIDDEN, KEY_BEGIN, KEY_END, NAMES, PRIVATE_KEY_LABEL, TOKENS, ends_in_pwd, normalized};

/// The minimum length of an access key id and of a token.
const MIN_ID: usize = 20;
const MIN_TOKEN: usize = 36;

/// The length of the shortest credential name, except names ending in PWD.
const MIN_NAME: usize = 5;

/// The ranges of the credentials in a line, in order, without overlaps.
pub(super) fn credentials(text: &str) -> Vec<Range<usize>> {
    if may_contain_credential(text.as_bytes()) { scan_all(text) } else { Vec::new() }
}

pub(super) fn scan_all(text: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut at = 0;
    while at < text.len() {
        if let Some(part) = credential_at(text, at) {
            at = part.end.max(at + 1);
            if !part.is_empty() && &text[part.clone()] != HIDDEN {
                found.push(part);
            }
        } else {
            at += step(text.as_bytes(), at);
        }
    }
    found
}

/// Whether a line may contain a credential: an assignment, or a word as long as a key id or token. A fast check that
/// excludes most log lines.
pub(super) fn may_contain_credential(bytes: &[u8]) -> bool {
    let (mut id, mut token, mut before) = (0, 0, 0);
    for &byte in bytes {
        match byte {
            b'=' | b':' | b'>' => return true,
            b'-' if before == b'-' => return true,
            _ => {}
        }
        id = if byte.is_ascii_alphanumeric() { id + 1 } else { 0 };
        token = if is_of_token(byte) { token + 1 } else { 0 };
        if id == MIN_ID || token == MIN_TOKEN {
            return true;
        }
        before = byte;
    }
    false
}

/// The distance to the next word or sign.
fn step(bytes: &[u8], at: usize) -> usize {
    if is_name(bytes[at]) { bytes[at..].iter().take_while(|byte| is_name(**byte)).count() } else { 1 }
}

/// The credential that starts here, or that the word here names.
fn credential_at(text: &str, at: usize) -> Option<Range<usize>> {
    let bytes = text.as_bytes();
    match bytes[at] {
        b'-' if bytes[at..].starts_with(KEY_BEGIN.as_bytes()) => private_key(text, at),
        b':' if bytes[at..].starts_with(b"://") => password_in_url(bytes, at + 3),
        byte if is_name(byte) => word(text, at),
        _ => None,
    }
}

/// A private key, up to its end marker or the end of the text.
fn private_key(text: &str, at: usize) -> Option<Range<usize>> {
    let inside = behind_label(text, at + KEY_BEGIN.len())?;
    Some(at..end_of_key(&text[inside..]).map_or(text.len(), |end| inside + end))
}

/// The position after the label of a key marker, if the key is private.
fn behind_label(text: &str, from: usize) -> Option<usize> {
    let (label, _) = text[from..].split_once("-----")?;
    label.contains(PRIVATE_KEY_LABEL).then_some(from + label.len() + "-----".len())
}

/// The position after the first start marker of a private key.
pub(super) fn begin_of_key(text: &str) -> Option<usize> {
    text.match_indices(KEY_BEGIN).find_map(|(at, begin)| behind_label(text, at + begin.len()))
}

/// The position after the first end marker of a private key.
pub(super) fn end_of_key(text: &str) -> Option<usize> {
    text.match_indices(KEY_END).find_map(|(at, end)| behind_label(text, at + end.len()))
}

/// Whether the text starts a private key without ending it.
pub(super) fn leaves_key_open(text: &str) -> bool {
    let last = text.rmatch_indices(KEY_BEGIN).find_map(|(at, begin)| behind_label(text, at + begin.len()));
    last.is_some_and(|inside| end_of_key(&text[inside..]).is_none())
}

/// The password of `scheme://user:password@host`.
fn password_in_url(bytes: &[u8], from: usize) -> Option<Range<usize>> {
    let ends = |byte: &u8| byte.is_ascii_whitespace() || matches!(byte, b'/' | b'?' | b'#' | b'"' | b'\'');
    let authority = &bytes[from..from + bytes[from..].iter().take_while(|byte| !ends(byte)).count()];
    let host = authority.iter().rposition(|byte| *byte == b'@')?;
    let colon = authority[..host].iter().position(|byte| *byte == b':')?;
    Some(from + colon + 1..from + host)
}

/// The credential that a word is, or names.
fn word(text: &str, at: usize) -> Option<Range<usize>> {
    let bytes = text.as_bytes();
    let end = at + step(bytes, at);
    let word = &text[at..end];
    key_id(word)
        .map(|part| at + part.start..at + part.end)
        .or_else(|| token(bytes, at))
        .or_else(|| named_value(text, at, end))
}

/// An AWS access key id: a four-letter prefix, then sixteen or more upper-case letters and digits.
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html#identifiers-unique-ids>
fn key_id(word: &str) -> Option<Range<usize>> {
    ["AKIA", "ASIA"].into_iter().find_map(|kind| {
        let (start, _) = word.match_indices(kind).find(|(start, _)| {
            let rest = &word.as_bytes()[*start..];
            let length = rest.iter().take_while(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit()).count();
            let begins = *start == 0 || !word.as_bytes()[start - 1].is_ascii_alphanumeric();
            begins && length >= MIN_ID && rest.get(length).is_none_or(|after| !after.is_ascii_alphanumeric())
        })?;
        let rest = &word.as_bytes()[start..];
        Some(start..start + rest.iter().take_while(|byte| byte.is_ascii_alphanumeric()).count())
    })
}

/// A token with a well-known prefix; it may contain characters that names do not.
fn token(bytes: &[u8], at: usize) -> Option<Range<usize>> {
    let (_, least) = TOKENS.iter().find(|(begin, _)| bytes[at..].starts_with(begin.as_bytes()))?;
    let length = bytes[at..].iter().take_while(|byte| is_of_token(**byte)).count();
    (length >= *least).then_some(at..at + length)
}

fn is_of_token(byte: u8) -> bool {
    is_name(byte) || matches!(byte, b'.' | b'/' | b'+' | b'=' | b'%')
}

/// The value that follows a credential name.
fn named_value(text: &str, at: usize, end: usize) -> Option<Range<usize>> {
    let bytes = text.as_bytes();
    let word = &text[at..end];
    // Most words are not followed by an assignment.
    let link = link(bytes, at, end)?;
    if word.len() < MIN_NAME && !word.ends_with(['d', 'D']) {
        return None;
    }
    let name = normalized(word);
    if name.ends_with("AUTHORIZATION") {
        return match link {
            Link::Space(_) | Link::Xml(_) => None,
            Link::Tight(from) | Link::Loose(from) => Some(rest_of_header(bytes, at, from)),
            Link::Json(from) => Some(quoted(bytes, from)?),
        };
    }
    let secret = NAMES.iter().any(|part| name.contains(part)) || ends_in_pwd(&name);
    let certain = CERTAIN_NAMES.iter().any(|part| name.contains(part)) || !word.contains(|c: char| c.is_lowercase());
    match link {
        Link::Json(from) if secret => quoted(bytes, from),
        Link::Xml(from) if secret => {
            let length = bytes[from..].iter().take_while(|byte| **byte != b'<').count();
            // Without an end tag it is source code such as `Vec<Token>`.
            bytes[from + length..].starts_with(b"</").then_some(from..from + length)
        }
        Link::Tight(from) if secret => Some(value(bytes, at, from)),
        Link::Loose(from) if secret && certain => Some(value(bytes, at, from)),
        Link::Space(from) if is_option_for_secret(word, &name) => Some(value(bytes, at, from)),
        _ => None,
    }
}

/// The syntax that links a name to its value, with the start of the value.
enum Link {
    /// `name=value`.
    Tight(usize),
    /// `name = value`, `name: value`: also common in sentences and source code.
    Loose(usize),
    /// `"name": "value"`.
    Json(usize),
    /// `<name>value</name>`.
    Xml(usize),
    /// `--name value`.
    Space(usize),
}

fn link(bytes: &[u8], at: usize, end: usize) -> Option<Link> {
    // A quote after the name, possibly escaped.
    let slashes = bytes[end..].iter().take_while(|byte| **byte == b'\\').count();
    let quoted = bytes.get(end + slashes).is_some_and(|byte| matches!(byte, b'"' | b'\''));
    let (sign, space_before) = skip(bytes, if quoted { end + slashes + 1 } else { end });
    let (from, space_after) = skip(bytes, (sign + 1).min(bytes.len()));
    match (bytes.get(sign)?, bytes.get(sign + 1)) {
        (b':' | b'=', _) if quoted => Some(Link::Json(from)),
        // Not comparisons, arrows and paths.
        (b'=', Some(b'=' | b'>')) | (b':', Some(b':')) => None,
        (b'=', _) if !space_before && !space_after && from < bytes.len() => Some(Link::Tight(from)),
        (b'=' | b':', _) => Some(Link::Loose(from)),
        (b'>', _) if sign == end && at > 0 && bytes[at - 1] == b'<' => Some(Link::Xml(sign + 1)),
        _ if space_before && !quoted && bytes[at..end].starts_with(b"--") && !is_option(&bytes[sign..]) => {
            Some(Link::Space(sign))
        }
        _ => None,
    }
}

/// Skips spaces and SGR sequences, which some programs write between name and value; returns whether there were spaces.
fn skip(bytes: &[u8], from: usize) -> (usize, bool) {
    let (mut at, mut space) = (from, false);
    loop {
        match bytes.get(at) {
            Some(b' ' | b'\t') => {
                space = true;
                at += 1;
            }
            Some(b'\x1b') if bytes.get(at + 1) == Some(&b'[') => {
                let length =
                    bytes[at + 2..].iter().take_while(|byte| matches!(byte, b'0'..=b'?' | b' '..=b'/')).count();
                at = (at + 3 + length).min(bytes.len());
            }
            _ => return (at, space),
        }
    }
}

/// Whether a word is an option, not a value: `-u`, `--username`.
fn is_option(bytes: &[u8]) -> bool {
    match bytes {
        [b'-', b'-', ..] | [b'-', _] => true,
        [b'-', _, after, ..] => after.is_ascii_whitespace(),
        _ => false,
    }
}

/// Whether an option's value is a credential: `--password`, but not `--password-stdin` or `--token-file`.
fn is_option_for_secret(word: &str, name: &str) -> bool {
    let ends =
        ["PASSWORD", "PASSWD", "PASSPHRASE", "SECRET", "TOKEN", "SECRETKEY", "ACCESSKEY", "APIKEY", "PRIVATEKEY"];
    word.starts_with("--") && ends.iter().any(|end| name.ends_with(end))
}

/// A value: the content of its quotes, or up to the next space, or up to the end of the enclosing quotes or parameter.
fn value(bytes: &[u8], name: usize, from: usize) -> Range<usize> {
    if let Some(inner) = quoted(bytes, from) {
        return inner;
    }
    let before = name.checked_sub(1).map(|before| bytes[before]);
    let around = before.filter(|byte| matches!(byte, b'"' | b'\'' | b'`'));
    let in_query = before.is_some_and(|byte| matches!(byte, b'?' | b'&'));
    let ends = |byte: &u8| {
        byte.is_ascii_whitespace()
            || *byte == b'\x1b'
            || Some(*byte) == around
            || (in_query && matches!(byte, b'&' | b'#'))
    };
    from..from + bytes[from..].iter().take_while(|byte| !ends(byte)).count()
}

/// The content of the quotes that start here; up to the end of the line if they are not closed.
fn quoted(bytes: &[u8], from: usize) -> Option<Range<usize>> {
    let slashes = bytes[from..].iter().take_while(|byte| **byte == b'\\').count();
    let quote = bytes.get(from + slashes).copied().filter(|byte| matches!(byte, b'"' | b'\''))?;
    let start = from + slashes + 1;
    let mut at = start;
    while at < bytes.len() {
        let run = bytes[at..].iter().take_while(|byte| **byte == b'\\').count();
        // Inside escaped quotes, the closing quote has as many backslashes as the opening one.
        if bytes.get(at + run) == Some(&quote) && (run == slashes || (slashes == 0 && run % 2 == 0)) {
            // Backslashes before a plain quote belong to the value, those before an escaped one to the quote.
            return Some(start..if slashes == 0 { at + run } else { at });
        }
        at += run + 1;
    }
    Some(start..bytes.len())
}

/// A header's value: up to the end of the line, or of the enclosing quotes.
fn rest_of_header(bytes: &[u8], name: usize, from: usize) -> Range<usize> {
    if let Some(inner) = quoted(bytes, from) {
        return inner;
    }
    let around = name.checked_sub(1).map(|before| bytes[before]).filter(|byte| matches!(byte, b'"' | b'\'' | b'`'));
    let length = bytes[from..].iter().take_while(|byte| around.is_none_or(|quote| quote != **byte)).count();
    let trailing = bytes[from..from + length].iter().rev().take_while(|byte| byte.is_ascii_whitespace()).count();
    from..from + length - trailing
}

fn is_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-')
}
