//! Parses Dockerfiles into stages and instructions, without expanding variables.

use super::words;

/// One instruction of a stage.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Instruction {
    Arg(String, Option<String>),
    Copy(CopyInstruction),
    Env(Vec<(String, String)>),
    Label(Vec<(String, String)>),
    WorkDir(String),
    User(String),
    Expose(Vec<String>),
    Entrypoint(Vec<String>),
    Cmd(Vec<String>),
    /// Skipped: there are no containers.
    Run(String),
}

/// `COPY`, or `ADD` of files.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct CopyInstruction {
    /// Another stage or image; `None` for the context.
    pub(super) from: Option<String>,
    pub(super) chmod: Option<u32>,
    pub(super) sources: Vec<String>,
    pub(super) target: String,
    /// Whether it is an `ADD`, which extracts archives and fetches URLs.
    pub(super) is_add: bool,
}

/// A build stage, which starts with a `FROM`.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Stage {
    pub(super) image: String,
    pub(super) name: Option<String>,
    pub(super) instructions: Vec<Instruction>,
}

/// A parsed Dockerfile.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Dockerfile {
    /// `ARG`s before the first `FROM`.
    pub(super) arguments: Vec<(String, Option<String>)>,
    pub(super) stages: Vec<Stage>,
}

/// An invalid Dockerfile.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub(super) enum DockerfileError {
    #[error("line {line}: unknown instruction: {word}")]
    Unknown { line: usize, word: String },
    #[error("line {line}: {word} {why}")]
    Invalid { line: usize, word: String, why: &'static str },
    #[error("the Dockerfile has no FROM")]
    NoStage,
}

impl Dockerfile {
    /// Reads a Dockerfile.
    pub(super) fn read(text: &str) -> Result<Self, DockerfileError> {
        let mut file = Self::default();
        for (line, text) in logical_lines(text) {
            let (word, rest) = text.split_once(char::is_whitespace).unwrap_or((&text, ""));
            let word = word.to_uppercase();
            let invalid = |why| DockerfileError::Invalid { line, word: word.clone(), why };
            let rest = rest.trim();
            if rest.is_empty() {
                return Err(if known(&word) {
                    invalid("needs an argument")
                } else {
                    DockerfileError::Unknown { line, word: word.clone() }
                });
            }
            if word == "FROM" {
                file.stages.push(stage(rest).map_err(invalid)?);
                continue;
            }
            let found = instruction(&word, rest).map_err(invalid)?;
            match (file.stages.last_mut(), found) {
                (_, None) if !known(&word) => return Err(DockerfileError::Unknown { line, word }),
                (None, Some(Instruction::Arg(name, default))) => file.arguments.push((name, default)),
                (None, _) => return Err(invalid("must not come before FROM")),
                (Some(stage), found) => stage.instructions.extend(found),
            }
        }
        if file.stages.is_empty() { Err(DockerfileError::NoStage) } else { Ok(file) }
    }
}

/// Whether the word is an instruction, including the ignored ones.
fn known(word: &str) -> bool {
    matches!(
        word,
        "FROM"
            | "ARG"
            | "COPY"
            | "ADD"
            | "ENV"
            | "LABEL"
            | "WORKDIR"
            | "USER"
            | "EXPOSE"
            | "ENTRYPOINT"
            | "CMD"
            | "RUN"
            | "MAINTAINER"
            | "STOPSIGNAL"
            | "HEALTHCHECK"
            | "SHELL"
            | "VOLUME"
            | "ONBUILD"
    )
}

fn stage(rest: &str) -> Result<Stage, &'static str> {
    let words: Vec<_> = rest.split_whitespace().filter(|word| !word.starts_with("--")).collect();
    let (image, name) = match words[..] {
        [image] => (image, None),
        [image, r#as, name] if r#as.eq_ignore_ascii_case("as") => (image, Some(name.to_lowercase())),
        _ => return Err("needs one image, or IMAGE AS NAME"),
    };
    Ok(Stage { image: image.to_owned(), name, instructions: Vec::new() })
}

fn instruction(word: &str, rest: &str) -> Result<Option<Instruction>, &'static str> {
    Ok(Some(match word {
        "ARG" => match rest.split_once('=') {
            Some((name, value)) => Instruction::Arg(name.to_owned(), Some(value.to_owned())),
            None => Instruction::Arg(rest.to_owned(), None),
        },
        "COPY" | "ADD" => Instruction::Copy(copy(rest, word == "ADD")?),
        "ENV" => Instruction::Env(pairs(rest)?),
        "LABEL" => Instruction::Label(pairs(rest)?),
        "WORKDIR" => Instruction::WorkDir(rest.to_owned()),
        "USER" => Instruction::User(rest.to_owned()),
        "EXPOSE" => Instruction::Expose(rest.split_whitespace().map(str::to_owned).collect()),
        "ENTRYPOINT" => Instruction::Entrypoint(command(rest)),
        "CMD" => Instruction::Cmd(command(rest)),
        "RUN" => Instruction::Run(rest.to_owned()),
        _ => return Ok(None),
    }))
}

fn copy(rest: &str, is_add: bool) -> Result<CopyInstruction, &'static str> {
    let mut copy = CopyInstruction { is_add, ..CopyInstruction::default() };
    let mut rest = rest;
    while let Some(option) = rest.strip_prefix("--") {
        let (option, after) = option.split_once(char::is_whitespace).unwrap_or((option, ""));
        rest = after.trim_start();
        match option.split_once('=') {
            Some(("chmod", mode)) => {
                copy.chmod = Some(u32::from_str_radix(mode, 8).map_err(|_| "has a --chmod that is not octal")?);
            }
            Some(("from", from)) if !is_add => copy.from = Some(from.to_owned()),
            // Owners do not matter: Lambda chooses the user of the function.
            Some(("chown" | "link", _)) => {}
            None if option == "link" => {}
            _ => return Err("has an unsupported option"),
        }
    }
    let mut words: Vec<String> = serde_json::from_str(rest).unwrap_or_else(|_| words::split(rest));
    copy.target = words.pop().filter(|_| !words.is_empty()).ok_or("needs a source and a target")?;
    if words.iter().any(|word| word.starts_with("<<")) {
        return Err("with a here-document is not supported by the sandbox");
    }
    copy.sources = words;
    Ok(copy)
}

/// Reads `NAME=value …` or the legacy form `NAME value`.
fn pairs(rest: &str) -> Result<Vec<(String, String)>, &'static str> {
    let words = words::split(rest);
    if words.first().is_some_and(|first| !first.contains('=')) {
        let (name, value) = rest.split_once(char::is_whitespace).ok_or("needs a value")?;
        return Ok(vec![(name.to_owned(), value.trim().to_owned())]);
    }
    let pair = |word: &String| {
        let (name, value) = word.split_once('=').ok_or("needs NAME=value")?;
        Ok((name.to_owned(), value.to_owned()))
    };
    words.iter().map(pair).collect()
}

/// A command as a list; the shell form becomes a command of `/bin/sh`.
fn command(rest: &str) -> Vec<String> {
    serde_json::from_str(rest).unwrap_or_else(|_| vec!["/bin/sh".to_owned(), "-c".to_owned(), rest.to_owned()])
}

/// Logical lines without comments: continued lines are joined. Each has its first line's number.
fn logical_lines(text: &str) -> Vec<(usize, String)> {
    let mut lines: Vec<(usize, String)> = Vec::new();
    let mut continues = false;
    let mut document = None;
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        // A here-document belongs to the RUN before it, which is skipped.
        if let Some(end) = &document {
            if line == end {
                document = None;
            }
            continue;
        }
        // Comments may also be inside an instruction.
        if line.starts_with('#') || (line.is_empty() && !continues) {
            continue;
        }
        let (line, more) = match line.strip_suffix('\\') {
            Some(line) => (line, true),
            None => (line, false),
        };
        match lines.last_mut().filter(|_| continues) {
            Some((_, started)) => started.push_str(line),
            None => lines.push((index + 1, line.to_owned())),
        }
        continues = more;
        let whole = lines.last().map(|(_, whole)| whole.as_str()).filter(|_| !more);
        document = whole.and_then(here_document);
    }
    lines.retain(|(_, line)| !line.trim().is_empty());
    lines
}

/// The word that ends a here-document, if the line starts one.
fn here_document(line: &str) -> Option<String> {
    let (word, rest) = line.split_once(char::is_whitespace)?;
    let takes_one = ["RUN", "COPY", "ADD"].iter().any(|it| word.eq_ignore_ascii_case(it));
    let (_, after) = rest.split_once("<<").filter(|_| takes_one)?;
    let name: String =
        after.trim_start_matches(['-', '"', '\'']).chars().take_while(|it| it.is_alphanumeric()).collect();
    Some(name).filter(|name| !name.is_empty())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn owned(words: &[&str]) -> Vec<String> {
        words.iter().map(|word| (*word).to_owned()).collect()
    }

    #[test]
    fn stages_and_instructions_are_read() {
        let file = Dockerfile::read(
            "# comment\nARG MODE=default\nFROM --platform=$BUILDPLATFORM rust:1 AS Build\nRUN <<END\nFROM nothing\nEND\nFROM \
             scratch\nENV A=\"x y\" B=${MODE}\nCOPY --chmod=755 app \\\n  # why\n  /bin/$A/\nCOPY --from=build a \
             b\nWORKDIR /w\nRUN make\nENTRYPOINT [\"/app\", \"-v\"]\nCMD run\nHEALTHCHECK NONE\n",
        )
        .unwrap();
        assert_eq!(file.arguments, [("MODE".to_owned(), Some("default".to_owned()))]);
        let [build, last] = &file.stages[..] else { panic!("{file:?}") };
        assert_eq!((build.image.as_str(), build.name.as_deref()), ("rust:1", Some("build")));
        assert_eq!(build.instructions.len(), 1);
        let copy = CopyInstruction {
            chmod: Some(0o755),
            sources: owned(&["app"]),
            target: "/bin/$A/".into(),
            ..CopyInstruction::default()
        };
        let from = CopyInstruction {
            from: Some("build".into()),
            sources: owned(&["a"]),
            target: "b".into(),
            ..CopyInstruction::default()
        };
        assert_eq!(
            last.instructions,
            [
                Instruction::Env(vec![("A".into(), "\"x y\"".into()), ("B".into(), "${MODE}".into())]),
                Instruction::Copy(copy),
                Instruction::Copy(from),
                Instruction::WorkDir("/w".into()),
                Instruction::Run("make".into()),
                Instruction::Entrypoint(owned(&["/app", "-v"])),
                Instruction::Cmd(owned(&["/bin/sh", "-c", "run"])),
            ]
        );
    }

    #[test]
    fn errors_name_line_and_instruction() {
        let message = |text| Dockerfile::read(text).unwrap_err().to_string();
        assert_eq!(message(""), "the Dockerfile has no FROM");
        assert_eq!(message("FROM scratch\nFOO x\n"), "line 2: unknown instruction: FOO");
        assert_eq!(message("FROM scratch\nCOPY a\n"), "line 2: COPY needs a source and a target");
        assert_eq!(message("FROM scratch\n\nENV\n"), "line 3: ENV needs an argument");
        assert!(message("COPY a b\n").contains("must not come before FROM"));
        assert!(message("FROM scratch\nADD --checksum=x a b\n").contains("unsupported option"));
    }

    proptest! {
        #[test]
        fn any_text_is_read_without_panic(text in "((FROM|COPY|ARG|ENV|RUN|ADD|CMD|x|--from=|<<E|E)[ =\\\\\"'\n$\\{\\}\\[\\]a-c]{0,6}){0,20}") {
            let _ = Dockerfile::read(&text);
        }
    }
}
