//! `.dockerignore`, and the wildcards that it shares with COPY.

use std::path::Path;

/// What of a build's context counts as not there.
#[derive(Debug, Default)]
pub(super) struct DockerIgnore {
    /// Patterns, and whether each takes back what was ignored before; the last one that fits decides.
    patterns: Vec<(Vec<String>, bool)>,
}

impl DockerIgnore {
    pub(super) fn read(text: &str) -> Self {
        let patterns =
            text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')).map(|line| {
                let (pattern, back) = line.strip_prefix('!').map_or((line, false), |pattern| (pattern, true));
                (parts(pattern), back)
            });
        Self { patterns: patterns.filter(|(parts, _)| !parts.is_empty()).collect() }
    }

    /// Whether a path within the context is ignored, by itself or with a directory above it.
    pub(super) fn has(&self, path: &Path) -> bool {
        let path = parts(&path.to_string_lossy());
        let mut ignored = false;
        for (pattern, back) in &self.patterns {
            if (1..=path.len()).any(|length| fits(pattern, &path[..length])) {
                ignored = !back;
            }
        }
        ignored
    }

    /// Whether something beneath an ignored directory may be there all the same.
    pub(super) fn takes_back(&self) -> bool {
        self.patterns.iter().any(|(_, back)| *back)
    }
}

fn parts(path: &str) -> Vec<String> {
    path.split('/').filter(|part| !part.is_empty() && *part != ".").map(str::to_owned).collect()
}

/// Whether a path fits a pattern, part by part; `**` stands for any number of parts.
fn fits(pattern: &[String], path: &[String]) -> bool {
    match (pattern, path) {
        ([], []) => true,
        ([any, rest @ ..], _) if any == "**" => (0..=path.len()).any(|skipped| fits(rest, &path[skipped..])),
        ([part, rest @ ..], [name, below @ ..]) => matches(part, name) && fits(rest, below),
        _ => false,
    }
}

/// Whether a name fits a pattern with `*`, `?` and `[a-z]`.
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
    fn the_last_pattern_that_fits_decides() {
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
        assert!(ignore.takes_back());
    }

    #[test]
    fn names_fit_wildcards() {
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
