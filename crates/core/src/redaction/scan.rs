//! Finding the credentials in a line. One pass; all that is looked for is ASCII, so every cut is between characters.

use std::ops::Range;

use super::{CERTAIN_NAMES, HIDDEN, KEY_BEGINS, KEY_ENDS, KEY_IS_PRIVATE, NAMES, TOKENS, ends_in_pwd, plain};

/// How many letters and digits an access key id has at least, and how many characters a token.
const SHORTEST_ID: usize = 20;
const SHORTEST_TOKEN: usize = 36;

/// How many letters the shortest name has that is not told by how it ends.
const SHORTEST_NAME: usize = 5;

/// Where the credentials of a line are, in order, apart from each other.
pub(super) fn secrets(text: &str) -> Vec<Range<usize>> {
    if may_tell(text.as_bytes()) { by_the_rules(text) } else { Vec::new() }
}

pub(super) fn by_the_rules(text: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut at = 0;
    while at < text.len() {
        if let Some(part) = secret_at(text, at) {
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

/// Whether a line can tell a credential at all: has a sign that could give a name its value, or something as long as what
/// is known without a name. Most lines of a log do not, and this is far quicker than the rules.
pub(super) fn may_tell(bytes: &[u8]) -> bool {
    let (mut id, mut token, mut before) = (0, 0, 0);
    for &byte in bytes {
        match byte {
            b'=' | b':' | b'>' => return true,
            b'-' if before == b'-' => return true,
            _ => {}
        }
        id = if byte.is_ascii_alphanumeric() { id + 1 } else { 0 };
        token = if is_of_token(byte) { token + 1 } else { 0 };
        if id == SHORTEST_ID || token == SHORTEST_TOKEN {
            return true;
        }
        before = byte;
    }
    false
}

/// How far the next place is at which something may begin: the next word, or the next sign.
fn step(bytes: &[u8], at: usize) -> usize {
    if is_name(bytes[at]) { bytes[at..].iter().take_while(|byte| is_name(**byte)).count() } else { 1 }
}

/// The credential that what begins here makes known, if it does.
fn secret_at(text: &str, at: usize) -> Option<Range<usize>> {
    let bytes = text.as_bytes();
    match bytes[at] {
        b'-' if bytes[at..].starts_with(KEY_BEGINS.as_bytes()) => private_key(text, at),
        b':' if bytes[at..].starts_with(b"://") => password_in_url(bytes, at + 3),
        byte if is_name(byte) => word(text, at),
        _ => None,
    }
}

/// From a private key's beginning to its end, which may be on another line.
fn private_key(text: &str, at: usize) -> Option<Range<usize>> {
    let inside = behind_label(text, at + KEY_BEGINS.len())?;
    Some(at..end_of_key(&text[inside..]).map_or(text.len(), |end| inside + end))
}

/// Behind what is said of a key, if it is that it is private.
fn behind_label(text: &str, from: usize) -> Option<usize> {
    let (label, _) = text[from..].split_once("-----")?;
    label.contains(KEY_IS_PRIVATE).then_some(from + label.len() + "-----".len())
}

/// Behind the first beginning of a private key.
pub(super) fn begin_of_key(text: &str) -> Option<usize> {
    text.match_indices(KEY_BEGINS).find_map(|(at, begin)| behind_label(text, at + begin.len()))
}

/// Behind the first end of a private key.
pub(super) fn end_of_key(text: &str) -> Option<usize> {
    text.match_indices(KEY_ENDS).find_map(|(at, end)| behind_label(text, at + end.len()))
}

/// Whether a private key begins here whose end is elsewhere.
pub(super) fn leaves_key_open(text: &str) -> bool {
    let last = text.rmatch_indices(KEY_BEGINS).find_map(|(at, begin)| behind_label(text, at + begin.len()));
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

/// What a word is, or gives a name to.
fn word(text: &str, at: usize) -> Option<Range<usize>> {
    let bytes = text.as_bytes();
    let end = at + step(bytes, at);
    let word = &text[at..end];
    key_id(word)
        .map(|part| at + part.start..at + part.end)
        .or_else(|| token(bytes, at))
        .or_else(|| named_value(text, at, end))
}

/// AWS's access key ids: four letters that say which kind, sixteen or more capitals and digits.
fn key_id(word: &str) -> Option<Range<usize>> {
    ["AKIA", "ASIA"].into_iter().find_map(|kind| {
        let (start, _) = word.match_indices(kind).find(|(start, _)| {
            let rest = &word.as_bytes()[*start..];
            let length = rest.iter().take_while(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit()).count();
            let begins = *start == 0 || !word.as_bytes()[start - 1].is_ascii_alphanumeric();
            begins && length >= SHORTEST_ID && rest.get(length).is_none_or(|after| !after.is_ascii_alphanumeric())
        })?;
        let rest = &word.as_bytes()[start..];
        Some(start..start + rest.iter().take_while(|byte| byte.is_ascii_alphanumeric()).count())
    })
}

/// A token that is known by its first letters; it may hold what no name holds.
fn token(bytes: &[u8], at: usize) -> Option<Range<usize>> {
    let (_, least) = TOKENS.iter().find(|(begin, _)| bytes[at..].starts_with(begin.as_bytes()))?;
    let length = bytes[at..].iter().take_while(|byte| is_of_token(**byte)).count();
    (length >= *least).then_some(at..at + length)
}

fn is_of_token(byte: u8) -> bool {
    is_name(byte) || matches!(byte, b'.' | b'/' | b'+' | b'=' | b'%')
}

/// The value that follows a name that credentials have.
fn named_value(text: &str, at: usize, end: usize) -> Option<Range<usize>> {
    let bytes = text.as_bytes();
    let word = &text[at..end];
    // Most words are followed by nothing that could give them a value: they are not looked at any closer.
    let link = link(bytes, at, end)?;
    if word.len() < SHORTEST_NAME && !word.ends_with(['d', 'D']) {
        return None;
    }
    let name = plain(word);
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
            // Without an end it is a program's `Vec<Token>`.
            bytes[from + length..].starts_with(b"</").then_some(from..from + length)
        }
        Link::Tight(from) if secret => Some(value(bytes, at, from)),
        Link::Loose(from) if secret && certain => Some(value(bytes, at, from)),
        Link::Space(from) if is_option_for_secret(word, &name) => Some(value(bytes, at, from)),
        _ => None,
    }
}

/// How a name and its value hang together; each with where the value begins.
enum Link {
    /// `name=value`.
    Tight(usize),
    /// `name = value`, `name: value`: also how sentences and programs are written.
    Loose(usize),
    /// `"name": "value"`.
    Json(usize),
    /// `<name>value</name>`.
    Xml(usize),
    /// `--name value`.
    Space(usize),
}

fn link(bytes: &[u8], at: usize, end: usize) -> Option<Link> {
    // A quote behind the name, perhaps one that is itself within quotes.
    let slashes = bytes[end..].iter().take_while(|byte| **byte == b'\\').count();
    let quoted = bytes.get(end + slashes).is_some_and(|byte| matches!(byte, b'"' | b'\''));
    let (sign, space_before) = skip(bytes, if quoted { end + slashes + 1 } else { end });
    let (from, space_after) = skip(bytes, (sign + 1).min(bytes.len()));
    match (bytes.get(sign)?, bytes.get(sign + 1)) {
        (b':' | b'=', _) if quoted => Some(Link::Json(from)),
        // Comparisons, arrows and paths are no assignments.
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

/// Past spaces and what switches colours, which some programs do between a name and its value; whether there were spaces.
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

/// Whether a word is the next option and no value: `-u`, `--username`.
fn is_option(bytes: &[u8]) -> bool {
    match bytes {
        [b'-', b'-', ..] | [b'-', _] => true,
        [b'-', _, after, ..] => after.is_ascii_whitespace(),
        _ => false,
    }
}

/// Whether an option's value is a credential: `--password`, and neither `--password-stdin` nor `--token-file`.
fn is_option_for_secret(word: &str, name: &str) -> bool {
    let ends =
        ["PASSWORD", "PASSWD", "PASSPHRASE", "SECRET", "TOKEN", "SECRETKEY", "ACCESSKEY", "APIKEY", "PRIVATEKEY"];
    word.starts_with("--") && ends.iter().any(|end| name.ends_with(end))
}

/// A value: what is in its quotes, or up to the next space, or to the end of the quotes or of the parameter it is in.
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

/// What is between the quotes that begin here; to the end of the line if they do not end.
fn quoted(bytes: &[u8], from: usize) -> Option<Range<usize>> {
    let slashes = bytes[from..].iter().take_while(|byte| **byte == b'\\').count();
    let quote = bytes.get(from + slashes).copied().filter(|byte| matches!(byte, b'"' | b'\''))?;
    let start = from + slashes + 1;
    let mut at = start;
    while at < bytes.len() {
        let run = bytes[at..].iter().take_while(|byte| **byte == b'\\').count();
        // Within quotes that are escaped themselves, a quote that ends them is escaped as often as the one that began.
        if bytes.get(at + run) == Some(&quote) && (run == slashes || (slashes == 0 && run % 2 == 0)) {
            // Slashes before a plain quote belong to the value; those before an escaped one to the quote.
            return Some(start..if slashes == 0 { at + run } else { at });
        }
        at += run + 1;
    }
    Some(start..bytes.len())
}

/// A header's value: to the end of the line, or of the quotes that the header is in.
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
