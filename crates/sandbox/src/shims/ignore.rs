//! `.dockerignore`, and its wildcards, which COPY uses too.

use std::path::Path;

/// The ignored paths of a build's context.
#[derive(Debug, Default)]
pub(super) struct DockerIgnore {
    /// The patterns, and whether each is an exception; the last match decides.
    patterns: Vec<(Vec<String>, bool)>,
}

impl DockerIgnore {
    pub(super) fn read(text: &str) -> Self {
        let patterns =
            text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')).map(|line| {
                let (pattern, is_exception) = line.strip_prefix('!').map_or((line, false), |pattern| (pattern, true));
                (parts(pattern), is_exception)
            });
        Self { patterns: patterns.filter(|(parts, _)| !parts.is_empty()).collect() }
    }

    /// Whether a path of the context is ignored, itself or by a parent directory.
    pub(super) fn has(&self, path: &Path) -> bool {
        let path = parts(&path.to_string_lossy());
        let mut ignored = false;
        for (pattern, is_exception) in &self.patterns {
            if (1..=path.len()).any(|length| matches_path(pattern, &path[..length])) {
                ignored = !is_exception;
            }
        }
        ignored
    }

    /// Whether there are exceptions, so that files in an ignored directory may be included.
    pub(super) fn has_exceptions(&self) -> bool {
        self.patterns.iter().any(|(_, is_exception)| *is_exception)
    }
}

fn parts(path: &str) -> Vec<String> {
    path.split('/').filter(|part| !part.is_empty() && *part != ".").map(str::to_owned).collect()
}

/// Whether a path matches a pattern by parts; `**` matches any number of parts.
fn matches_path(pattern: &[String], path: &[String]) -> bool {
    match (pattern, path) {
        ([], []) => true,
        ([any, rest @ ..], _) if any == "**" => (0..=path.len()).any(|skipped| matches_path(rest, &path[skipped..])),
        ([part, rest @ ..], [name, below @ ..]) => matches(part, name) && matches_path(rest, below),
        _ => false,
    }
}

/// Whether a name matches a pattern with `*`, `?` and `[a-z]`.
pub(super) fn matches(pattern: &str, name: &str) -> bool {
    let (mut pattern, mut name) = (pattern.chars(), name.chars());
    match pattern.next() {
        None => name.next().is_none(),
        Some('*') => {
            let rest = pattern.as_str().trim_start_matches('*');
            let name = name.as_str();
            rest.is_empty() || name.char_indices().any(|(at, _)| matches(rest, &name[at..]))
        }
        Some('?') => name.next().is_some() && matches(pattern.as_str(), name.as_str()),
        Some('[') => {
            let Some((set, rest)) = pattern.as_str().split_once(']') else { return false };
            name.next().is_some_and(|char| in_set(set, char)) && matches(rest, name.as_str())
        }
        Some(char) => name.next() == Some(char) && matches(pattern.as_str(), name.as_str()),
    }
}

fn in_set(set: &str, char: char) -> bool {
    let (set, not) = set.strip_prefix(['^', '!']).map_or((set, false), |set| (set, true));
    let chars: Vec<_> = set.chars().collect();
    let ranges =
        chars.windows(3).filter(|window| window[1] == '-').any(|window| (window[0]..=window[2]).contains(&char));
    (ranges || chars.contains(&char)) != not
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn last_matching_pattern_decides() {
        let ignore = DockerIgnore::read("# why\ntarget\n*.log\n**/*.tmp\n!keep.log\nnode_modules/**/test\n");
        for (path, ignored) in [
            ("target", true),
            ("target/release/x", true),
            ("a.log", true),
            ("sub/a.log", false),
            ("keep.log", false),
            ("a/b/c.tmp", true),
            ("c.tmp", true),
            ("node_modules/a/b/test", true),
            ("src", false),
        ] {
            assert_eq!(ignore.has(Path::new(path)), ignored, "{path}");
        }
        assert!(ignore.has_exceptions());
    }

    #[test]
    fn wildcards_match_names() {
        for (pattern, name, fit) in [
            ("*", "", true),
            ("a*c", "abbc", true),
            ("a*c", "abb", false),
            ("?[a-c]", "xb", true),
            ("[^a]", "a", false),
            ("[", "[", false),
        ] {
            assert_eq!(matches(pattern, name), fit, "{pattern} {name}");
        }
    }
}
