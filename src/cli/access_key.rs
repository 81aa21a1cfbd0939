//! The user's access key for the sandbox: from a file, a variable or the command line.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use super::error::CliError;

/// The environment variable with `ID:SECRET`.
pub(crate) const VARIABLE: &str = "THUMBCTL_SANDBOX_ACCESS_KEY";

/// The maximum length of `ID:SECRET`.
const MAX_LENGTH: u64 = 1024;

/// An access key's ID and its secret.
pub(crate) type AccessKey = (String, String);

/// Parses `ID:SECRET`. The error does not contain it.
pub(crate) fn parse(text: &str) -> Result<AccessKey, String> {
    let (id, secret) = text.split_once(':').ok_or("use ID:SECRET, with a colon between")?;
    let is_valid = |part: &str, most: usize| {
        (1..=most).contains(&part.len())
            && part.bytes().all(|byte| byte.is_ascii_graphic() && !b",;'\"\\".contains(&byte))
    };
    let letters = id.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if letters && is_valid(id, 128) && is_valid(secret, 128) {
        Ok((id.to_owned(), secret.to_owned()))
    } else {
        Err("use letters and digits for the ID, and no spaces or quotes in the secret".to_owned())
    }
}

/// The user's access key, if any: from the command line, else the file, else the variable.
pub(crate) fn configured(
    argument: Option<AccessKey>,
    file: Option<&Path>,
    variable: Option<OsString>,
) -> Result<Option<AccessKey>, CliError> {
    const FORM: &str = "use only ID:SECRET, for example WORKSHOP:a-long-secret";
    if argument.is_some() {
        return Ok(argument);
    }
    if let Some(file) = file {
        let text = read(file).map_err(|error| {
            CliError::usage(
                format!("cannot read the access key from {}: {error}", file.display()),
                "use a readable file, or - for standard input",
            )
        })?;
        let invalid = |why| CliError::usage(format!("the access key in {} is invalid: {why}", file.display()), FORM);
        return parse(text.trim()).map(Some).map_err(invalid);
    }
    // An empty variable counts as unset.
    let Some(text) = variable.filter(|text| !text.is_empty()) else { return Ok(None) };
    let invalid = |why| CliError::usage(format!("the access key in {VARIABLE} is invalid: {why}"), FORM);
    parse(text.to_string_lossy().trim()).map(Some).map_err(invalid)
}

fn read(file: &Path) -> io::Result<String> {
    let mut text = String::new();
    if file == Path::new("-") {
        // Read one line, since a typed key has no end of file.
        io::BufRead::read_line(&mut io::BufReader::new(io::stdin().take(MAX_LENGTH)), &mut text)?;
    } else {
        File::open(file)?.take(MAX_LENGTH).read_to_string(&mut text)?;
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
        assert_eq!(configured(key("A", "b"), Some(&file), variable()).unwrap(), key("A", "b"));
        assert_eq!(configured(None, Some(&file), variable()).unwrap(), key("FILE", "from-the-file"));
        assert_eq!(configured(None, None, variable()).unwrap(), key("VARIABLE", "from:the-variable"));
        assert_eq!(configured(None, None, Some(OsString::new())).unwrap(), None);
        assert_eq!(configured(None, None, None).unwrap(), None);
    }

    #[test]
    fn errors_name_source_without_secret() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("key");
        std::fs::write(&file, "ID:top secret").unwrap();
        let variable = Some(OsString::from("ID:top secret"));
        for (error, source) in [
            (configured(None, Some(&file), None).unwrap_err(), file.to_str().unwrap()),
            (configured(None, None, variable).unwrap_err(), VARIABLE),
            (configured(None, Some(&dir.path().join("none")), None).unwrap_err(), "none"),
        ] {
            let CliError::Usage(failure) = error else { panic!("another error") };
            assert!(failure.message.contains(source) && !failure.message.contains("top"), "{}", failure.message);
        }
    }
}
