//! The configuration file: finds it, reads it, and converts it to assignments with their lines.

use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::keys::{KEYS, KEYS_TABLE, Key, Kind};
use super::{Assignment, Environment, Origin, Settings, SettingsError};

/// Reads the configured file, or the default one if it exists.
pub(super) fn read_first(
    asked_for: Option<&Path>,
    environment: Environment<'_>,
) -> Result<Vec<Assignment>, SettingsError> {
    let named = asked_for
        .map(Path::to_owned)
        .or_else(|| environment("THUMBCTL_CONFIG").filter(|path| !path.is_empty()).map(PathBuf::from));
    let (path, may_be_missing) = match named {
        Some(path) => (path, false),
        None => match Settings::usual_file(environment) {
            Some(path) => (path, true),
            None => return Ok(Vec::new()),
        },
    };
    match std::fs::read_to_string(&path) {
        Ok(text) => parse(&path, &text),
        Err(error) if may_be_missing && error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(source) => Err(SettingsError::Unreadable { path, source }),
    }
}

/// A file's assignments.
pub(super) fn parse(path: &Path, text: &str) -> Result<Vec<Assignment>, SettingsError> {
    let file = File { path, text };
    let document = DeTable::parse(text).map_err(|error| SettingsError::Syntax {
        path: path.to_owned(),
        line: file.line(error.span().unwrap_or_default()),
        message: error.message().lines().collect::<Vec<_>>().join(", "),
    })?;
    let mut assignments = Vec::new();
    file.table("", document.get_ref(), &mut assignments)?;
    Ok(assignments)
}

struct File<'a> {
    path: &'a Path,
    text: &'a str,
}

impl File<'_> {
    fn line(&self, span: Range<usize>) -> usize {
        let before = &self.text.as_bytes()[..span.start.min(self.text.len())];
        before.iter().filter(|&&byte| byte == b'\n').count() + 1
    }

    fn table(&self, prefix: &str, table: &DeTable<'_>, into: &mut Vec<Assignment>) -> Result<(), SettingsError> {
        for (name, value) in table {
            let key = format!("{prefix}{}", name.get_ref());
            let line = self.line(name.span());
            let section = format!("{key}.");
            if section == KEYS_TABLE {
                self.keys(line, &key, value, into)?;
                continue;
            }
            if KEYS.iter().any(|known| known.name.starts_with(&section)) {
                let DeValue::Table(inner) = value.get_ref() else {
                    return Err(self.wrong(line, &key, value, &format!("a table: write [{key}] on a line of its own")));
                };
                self.table(&section, inner, into)?;
                continue;
            }
            let Some(known) = KEYS.iter().find(|known| known.name == key) else {
                let known = known_beside(prefix, &key);
                return Err(SettingsError::Unknown { path: self.path.to_owned(), line, key, known });
            };
            into.push(self.assignment(known, line, value)?);
        }
        Ok(())
    }

    /// The console's keys, action by action.
    fn keys(
        &self,
        line: usize,
        key: &str,
        value: &Spanned<DeValue<'_>>,
        into: &mut Vec<Assignment>,
    ) -> Result<(), SettingsError> {
        let DeValue::Table(actions) = value.get_ref() else {
            return Err(self.wrong(line, key, value, &format!("a table: write [{key}] on a line of its own")));
        };
        for (action, keys) in actions {
            let line = self.line(action.span());
            let key = format!("{KEYS_TABLE}{}", action.get_ref());
            let DeValue::String(text) = keys.get_ref() else {
                return Err(self.wrong(line, &key, keys, "text in quotes: keys such as \"ctrl-b, B\""));
            };
            let origin = Origin::File { path: self.path.to_owned(), line };
            into.push(Assignment { key, value: text.to_string(), origin });
        }
        Ok(())
    }

    fn assignment(&self, key: &Key, line: usize, value: &Spanned<DeValue<'_>>) -> Result<Assignment, SettingsError> {
        let text = match (key.kind, value.get_ref()) {
            (Kind::Text, DeValue::String(text)) => text.to_string(),
            (Kind::Number, DeValue::Integer(number)) if number.radix() == 10 => number.as_str().replace('_', ""),
            (Kind::Text, _) => {
                return Err(self.wrong(line, key.name, value, &format!("text in quotes: {}", key.allowed)));
            }
            (Kind::Number, _) => {
                return Err(self.wrong(line, key.name, value, &format!("{}, without quotes", key.allowed)));
            }
        };
        let origin = Origin::File { path: self.path.to_owned(), line };
        Ok(Assignment { key: key.name.to_owned(), value: text, origin })
    }

    fn wrong(&self, line: usize, key: &str, value: &Spanned<DeValue<'_>>, allowed: &str) -> SettingsError {
        let found = match value.get_ref() {
            DeValue::String(_) => "the text ",
            DeValue::Array(_) => "the list ",
            DeValue::Table(_) => "a table",
            _ => "",
        };
        let written = match value.get_ref() {
            DeValue::Table(_) => "",
            _ => self.text.get(value.span()).unwrap_or_default().lines().next().unwrap_or_default(),
        };
        SettingsError::Value {
            origin: Origin::File { path: self.path.to_owned(), line },
            key: key.to_owned(),
            found: format!("{found}{written}"),
            allowed: allowed.to_owned(),
        }
    }
}

/// The suggestion for an unknown name: the nearest name, or all names beside it.
fn known_beside(prefix: &str, key: &str) -> String {
    let meant = |known: &&Key| known.name.starts_with(key) || edit_distance(known.name, key) <= 2;
    if let Some(near) = KEYS.iter().filter(meant).min_by_key(|known| edit_distance(known.name, key)) {
        return format!("did you mean '{}'?", near.name);
    }
    let beside: Vec<&str> =
        KEYS.iter().filter_map(|known| known.name.strip_prefix(prefix)).filter(|name| !name.contains('.')).collect();
    let tables: &[&str] = if prefix.is_empty() {
        &["[function]", "[build]", "[logs]", "[timeouts]", "[sandbox]", "[console]"]
    } else {
        &[]
    };
    let all: Vec<&str> = beside.iter().chain(tables).copied().collect();
    format!("known: {}", all.join(", "))
}

/// The number of letters to insert, delete or replace to turn one word into the other.
fn edit_distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, &to) in b.iter().enumerate() {
            let exchanged = diagonal + usize::from(from != to);
            diagonal = row[j + 1];
            row[j + 1] = exchanged.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}
