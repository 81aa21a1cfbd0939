//! Dockerfiles, as far as an image from `scratch` needs them.

use std::collections::BTreeMap;

/// One instruction of the final stage, its variables already put in.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Instruction {
    Copy {
        chmod: Option<u32>,
        sources: Vec<String>,
        target: String,
    },
    Env(String, String),
    Label(String, String),
    WorkDir(String),
    User(String),
    Expose(String),
    Entrypoint(Vec<String>),
    Cmd(Vec<String>),
    /// Not run: there is no container to run it in.
    Run(String),
}

/// What a Dockerfile comes to.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Dockerfile {
    pub(super) instructions: Vec<Instruction>,
}

/// Why a Dockerfile cannot be built here.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub(super) enum DockerfileError {
    #[error("line {line}: unknown instruction: {word}")]
    Unknown { line: usize, word: String },
    #[error("line {line}: {word} {why}")]
    Invalid { line: usize, word: String, why: &'static str },
    #[error("line {line}: FROM {image}: the sandbox builds FROM scratch only, it pulls no base image")]
    BaseImage { line: usize, image: String },
    #[error("there is no FROM")]
    NoStage,
}

impl Dockerfile {
    /// Reads a Dockerfile; `given` are the values of `--build-arg`.
    pub(super) fn read(text: &str, given: &BTreeMap<String, String>) -> Result<Self, DockerfileError> {
        let mut reader = Reader { given, variables: BTreeMap::new(), stage: None };
        for (line, text) in logical_lines(text) {
            reader.instruction(line, &text)?;
        }
        match reader.stage {
            None => Err(DockerfileError::NoStage),
            Some((line, image, _)) if image != "scratch" => Err(DockerfileError::BaseImage { line, image }),
            Some((_, _, Err(error))) => Err(error),
            Some((_, _, Ok(instructions))) => Ok(Self { instructions }),
        }
    }
}

struct Reader<'a> {
    given: &'a BTreeMap<String, String>,
    variables: BTreeMap<String, String>,
    /// The last `FROM` and what follows it. An earlier stage's instructions are forgotten, and its errors with them.
    stage: Option<(usize, String, Result<Vec<Instruction>, DockerfileError>)>,
}

impl Reader<'_> {
    fn instruction(&mut self, line: usize, text: &str) -> Result<(), DockerfileError> {
        let (word, rest) = text.split_once(char::is_whitespace).map_or((text, ""), |(word, rest)| (word, rest.trim()));
        let word = word.to_uppercase();
        let invalid = |why| DockerfileError::Invalid { line, word: word.clone(), why };
        match word.as_str() {
            "FROM" => {
                let mut words = rest.split_whitespace().filter(|it| !it.starts_with("--"));
                let image = words.next().ok_or_else(|| invalid("needs an image"))?;
                self.stage = Some((line, self.expand(image), Ok(Vec::new())));
                return Ok(());
            }
            "ARG" => {
                let (name, default) = match rest.split_once('=') {
                    Some((name, value)) => (name, Some(unquote(value))),
                    None => (rest, None),
                };
                let value = self.given.get(name).cloned();
                if let Some(value) = value.or_else(|| default.map(|it| self.expand(&it))) {
                    self.variables.insert(name.to_owned(), value);
                }
                return Ok(());
            }
            _ => {}
        }
        let parsed = self.in_stage(line, &word, rest);
        let (_, _, stage) = self.stage.as_mut().ok_or_else(|| invalid("must not stand before FROM"))?;
        match (parsed, &mut *stage) {
            (Ok(found), Ok(instructions)) => instructions.extend(found),
            (Err(error), Ok(_)) => *stage = Err(error),
            (_, Err(_)) => {}
        }
        Ok(())
    }

    fn in_stage(&mut self, line: usize, word: &str, rest: &str) -> Result<Vec<Instruction>, DockerfileError> {
        let invalid = |why| DockerfileError::Invalid { line, word: word.to_owned(), why };
        if rest.is_empty() {
            return Err(invalid("needs an argument"));
        }
        Ok(match word {
            "COPY" | "ADD" => vec![self.copy(rest).map_err(invalid)?],
            "ENV" => {
                let pairs = self.pairs(rest).map_err(invalid)?;
                self.variables.extend(pairs.iter().cloned());
                let env = |(name, value)| Instruction::Env(name, value);
                pairs.into_iter().map(env).collect()
            }
            "LABEL" => {
                let pairs = self.pairs(rest).map_err(invalid)?;
                let label = |(name, value)| Instruction::Label(name, value);
                pairs.into_iter().map(label).collect()
            }
            "WORKDIR" => vec![Instruction::WorkDir(self.expand(&unquote(rest)))],
            "USER" => vec![Instruction::User(self.expand(rest))],
            "EXPOSE" => rest.split_whitespace().map(|port| Instruction::Expose(self.expand(port))).collect(),
            "ENTRYPOINT" => vec![Instruction::Entrypoint(command(rest))],
            "CMD" => vec![Instruction::Cmd(command(rest))],
            "RUN" => vec![Instruction::Run(rest.to_owned())],
            // They say nothing that a function needs.
            "MAINTAINER" | "STOPSIGNAL" | "HEALTHCHECK" | "SHELL" | "VOLUME" | "ONBUILD" => Vec::new(),
            other => {
                return Err(DockerfileError::Unknown { line, word: other.to_owned() });
            }
        })
    }

    fn copy(&self, rest: &str) -> Result<Instruction, &'static str> {
        let (mut chmod, mut rest) = (None, rest);
        while let Some(option) = rest.strip_prefix("--") {
            let (option, after) = option.split_once(char::is_whitespace).unwrap_or((option, ""));
            rest = after.trim_start();
            match option.split_once('=') {
                Some(("chmod", mode)) => {
                    let mode = u32::from_str_radix(mode, 8);
                    chmod = Some(mode.map_err(|_| "has a --chmod that is not octal")?);
                }
                // Owners do not matter: Lambda runs the function as a user that it chooses.
                Some(("chown", _)) | None => {}
                Some(("link", _)) => {}
                Some(("from", _)) => return Err("with --from is not supported by the sandbox"),
                Some(_) => return Err("has an option that the sandbox does not know"),
            }
        }
        let words: Vec<String> = match serde_json::from_str(rest) {
            Ok(words) => words,
            Err(_) => rest.split_whitespace().map(unquote).collect(),
        };
        let mut words: Vec<_> = words.iter().map(|word| self.expand(word)).collect();
        let target = words.pop().filter(|_| !words.is_empty());
        Ok(Instruction::Copy { chmod, sources: words, target: target.ok_or("needs a source and a target")? })
    }

    /// `NAME=value …`, or the old `NAME value`.
    fn pairs(&self, rest: &str) -> Result<Vec<(String, String)>, &'static str> {
        let words = words(rest);
        let first = words.first().ok_or("needs an argument")?;
        if !first.contains('=') {
            let (name, value) = rest.split_once(char::is_whitespace).ok_or("needs a value")?;
            return Ok(vec![(name.to_owned(), self.expand(&unquote(value.trim())))]);
        }
        words
            .iter()
            .map(|word| {
                let (name, value) = word.split_once('=').ok_or("needs NAME=value")?;
                Ok((unquote(name), self.expand(&unquote(value))))
            })
            .collect()
    }

    /// Puts in `$NAME`, `${NAME}` and `${NAME:-default}`.
    fn expand(&self, text: &str) -> String {
        let mut out = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('$') {
            if let Some(before) = before.strip_suffix('\\') {
                out.push_str(before);
                out.push('$');
                rest = after;
                continue;
            }
            out.push_str(before);
            let (name, default, left) = match after.strip_prefix('{').and_then(|it| it.split_once('}')) {
                Some((inner, left)) => {
                    let (name, default) = inner.split_once(":-").unwrap_or((inner, ""));
                    (name, default, left)
                }
                None => {
                    let end =
                        after.find(|char: char| !char.is_ascii_alphanumeric() && char != '_').unwrap_or(after.len());
                    (&after[..end], "", &after[end..])
                }
            };
            out.push_str(self.variables.get(name).map_or(default, String::as_str));
            rest = left;
        }
        out + rest
    }
}

/// Lines with those that go on joined, without comments; each with the number it began at.
fn logical_lines(text: &str) -> Vec<(usize, String)> {
    let mut lines: Vec<(usize, String)> = Vec::new();
    let mut goes_on = false;
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        // A comment may stand in the middle of an instruction, too.
        if line.starts_with('#') || (line.is_empty() && !goes_on) {
            continue;
        }
        let (line, more) = match line.strip_suffix('\\') {
            Some(line) => (line, true),
            None => (line, false),
        };
        match lines.last_mut().filter(|_| goes_on) {
            Some((_, begun)) => begun.push_str(line),
            None => lines.push((index + 1, line.to_owned())),
        }
        goes_on = more;
    }
    lines.retain(|(_, line)| !line.trim().is_empty());
    lines
}

/// Words parted by spaces that are not in quotes; the quotes stay.
fn words(text: &str) -> Vec<String> {
    let (mut words, mut word, mut quote) = (Vec::new(), String::new(), None);
    for char in text.chars() {
        match (quote, char) {
            (None, '"' | '\'') => quote = Some(char),
            (Some(open), _) if open == char => quote = None,
            (None, _) if char.is_whitespace() => {
                if !word.is_empty() {
                    words.push(std::mem::take(&mut word));
                }
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

fn unquote(text: &str) -> String {
    let quoted = |mark: char| text.strip_prefix(mark)?.strip_suffix(mark);
    quoted('"').or_else(|| quoted('\'')).unwrap_or(text).to_owned()
}

/// A command as a list; one that is written as text is for a shell.
fn command(rest: &str) -> Vec<String> {
    serde_json::from_str(rest).unwrap_or_else(|_| vec!["/bin/sh".to_owned(), "-c".to_owned(), rest.to_owned()])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Vec<Instruction>, DockerfileError> {
        let given = BTreeMap::from([("MODE".to_owned(), "given".to_owned())]);
        Dockerfile::read(text, &given).map(|file| file.instructions)
    }

    #[test]
    fn reads_an_image_from_scratch() {
        let found = read(
            "# comment\nARG MODE=default\nFROM scratch\nENV A=\"x y\" B=${MODE}\nCOPY --chmod=755 app \\\n  # why\n  \
             /bin/$A/\nWORKDIR /w\nRUN make\nENTRYPOINT [\"/app\", \"-v\"]\nCMD run\n",
        )
        .unwrap();
        assert_eq!(
            found,
            [
                Instruction::Env("A".into(), "x y".into()),
                Instruction::Env("B".into(), "given".into()),
                Instruction::Copy { chmod: Some(0o755), sources: vec!["app".into()], target: "/bin/x y/".into() },
                Instruction::WorkDir("/w".into()),
                Instruction::Run("make".into()),
                Instruction::Entrypoint(vec!["/app".into(), "-v".into()]),
                Instruction::Cmd(vec!["/bin/sh".into(), "-c".into(), "run".into()]),
            ]
        );
    }

    #[test]
    fn only_the_last_stage_counts_and_it_must_be_from_scratch() {
        let found = read("FROM rust AS build\nCOPY --from=x a b\nFROM scratch\nCOPY a /a\n").unwrap();
        assert_eq!(found.len(), 1);
        assert_eq!(
            read("FROM scratch\nFROM python:3.13\n"),
            Err(DockerfileError::BaseImage { line: 2, image: "python:3.13".into() })
        );
    }

    #[test]
    fn says_where_and_what_it_does_not_take() {
        let message = |text| read(text).unwrap_err().to_string();
        assert_eq!(message(""), "there is no FROM");
        assert_eq!(message("FROM scratch\nFOO x\n"), "line 2: unknown instruction: FOO");
        assert!(message("FROM scratch\nCOPY --from=build a b\n").contains("--from is not supported"));
        assert!(message("COPY a b\n").contains("must not stand before FROM"));
    }
}
