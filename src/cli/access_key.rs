//! The sandbox's access key, where the user chooses it: from a file, a variable or the command line.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use super::error::CliError;

/// The variable with `ID:SECRET`.
pub(crate) const VARIABLE: &str = "THUMBCTL_SANDBOX_ACCESS_KEY";

/// More than an ID and a secret can be.
const LONGEST: u64 = 1024;

/// An access key's ID and its secret.
pub(crate) type AccessKey = (String, String);

/// Reads `ID:SECRET`. The error does not repeat it.
pub(crate) fn parse(text: &str) -> Result<AccessKey, String> {
    let (id, secret) = text.split_once(':').ok_or("it must be the key's ID and its secret, with a colon between")?;
    let plain = |part: &str, most: usize| {
        (1..=most).contains(&part.len())
            && part.bytes().all(|byte| byte.is_ascii_graphic() && !b",;'\"\\".contains(&byte))
    };
    let letters = id.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if letters && plain(id, 128) && plain(secret, 128) {
        Ok((id.to_owned(), secret.to_owned()))
    } else {
        Err("the ID must be letters and digits, the secret have no spaces or quotes".to_owned())
    }
}

/// The access key that was chosen, if one was: on the command line, else in the file, else in the variable.
pub(crate) fn chosen(
    argument: Option<AccessKey>,
    file: Option<&Path>,
    variable: Option<OsString>,
) -> Result<Option<AccessKey>, CliError> {
    const FORM: &str = "write ID:SECRET, such as WORKSHOP:a-long-secret, and nothing else";
    if argument.is_some() {
        return Ok(argument);
    }
    if let Some(file) = file {
        let text = read(file).map_err(|error| {
            CliError::usage(
                format!("cannot read the access key from {}: {error}", file.display()),
                "name a file that you may read, or - for standard input",
            )
        })?;
        let invalid =
            |why| CliError::usage(format!("the access key in {} cannot be used: {why}", file.display()), FORM);
        return parse(text.trim()).map(Some).map_err(invalid);
    }
    // Set and empty is how a shell says unset.
    let Some(text) = variable.filter(|text| !text.is_empty()) else { return Ok(None) };
    let invalid = |why| CliError::usage(format!("the access key in {VARIABLE} cannot be used: {why}"), FORM);
    parse(text.to_string_lossy().trim()).map(Some).map_err(invalid)
}

fn read(file: &Path) -> io::Result<String> {
    let mut text = String::new();
    if file == Path::new("-") {
        // To the end of the line: whoever types it cannot end the input in between.
        io::BufRead::read_line(&mut io::BufReader::new(io::stdin().take(LONGEST)), &mut text)?;
    } else {
        File::open(file)?.take(LONGEST).read_to_string(&mut text)?;
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(id: &str, secret: &str) -> Option<AccessKey> {
        Some((id.to_owned(), secret.to_owned()))
    }

    #[test]
    fn argument_precedes_file_precedes_variable() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("key");
        std::fs::write(&file, "FILE:from-the-file\n").unwrap();
        let variable = || Some(OsString::from("VARIABLE:from:the-variable"));
        assert_eq!(chosen(key("A", "b"), Some(&file), variable()).unwrap(), key("A", "b"));
        assert_eq!(chosen(None, Some(&file), variable()).unwrap(), key("FILE", "from-the-file"));
        assert_eq!(chosen(None, None, variable()).unwrap(), key("VARIABLE", "from:the-variable"));
        assert_eq!(chosen(None, None, Some(OsString::new())).unwrap(), None);
        assert_eq!(chosen(None, None, None).unwrap(), None);
    }

    #[test]
    fn errors_name_the_source_and_not_the_secret() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("key");
        std::fs::write(&file, "ID:top secret").unwrap();
        let variable = Some(OsString::from("ID:top secret"));
        for (error, source) in [
            (chosen(None, Some(&file), None).unwrap_err(), file.to_str().unwrap()),
            (chosen(None, None, variable).unwrap_err(), VARIABLE),
            (chosen(None, Some(&dir.path().join("none")), None).unwrap_err(), "none"),
        ] {
            let CliError::Usage(failure) = error else { panic!("another error") };
            assert!(failure.message.contains(source) && !failure.message.contains("top"), "{}", failure.message);
        }
    }
}
