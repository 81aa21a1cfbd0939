//! Detects why a program could not write a file, from its output.

/// A reason related to the disk or a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WriteFailure {
    /// ENOSPC: the disk is full.
    NoSpace,
    /// EDQUOT: the user's disk quota is used up.
    Quota,
    /// EFBIG: the file size limit (`ulimit -f`) is exceeded.
    FileSizeLimit,
}

impl WriteFailure {
    /// Finds a reason in a text, by the message of `strerror` or by [`Self::reason`].
    pub fn in_text(text: &str) -> Option<Self> {
        let has = |words: &str| text.contains(words);
        if has("No space left on device") || has("no space left on device") {
            Some(Self::NoSpace)
        } else if has("Disk quota exceeded") || has("disk quota exceeded") {
            Some(Self::Quota)
        } else if has("File too large") || has("File size limit exceeded") || has("file size limit exceeded") {
            Some(Self::FileSizeLimit)
        } else {
            None
        }
    }

    /// The reason, in lower case.
    pub fn reason(self) -> &'static str {
        match self {
            Self::NoSpace => "no space left on device",
            Self::Quota => "disk quota exceeded",
            Self::FileSizeLimit => "file size limit exceeded",
        }
    }

    /// The hint for a failed build.
    pub fn hint_for_build(self) -> &'static str {
        match self {
            Self::NoSpace => {
                "the build's disk is full: in the sandbox free space for its state directory, on AWS use a larger \
                 build.compute_type; then run `thumbctl deploy` again"
            }
            Self::Quota => "free disk quota, or use another --state-dir; then run `thumbctl deploy` again",
            Self::FileSizeLimit => {
                "raise the limit with `ulimit -f unlimited`, stop the sandbox, and run `thumbctl deploy` again"
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn in_text_finds_system_messages_and_own_reasons() {
        for (text, found) in [
            ("cp: error writing 'x': No space left on device", Some(WriteFailure::NoSpace)),
            ("docker: cannot write: No space left on device (os error 28)", Some(WriteFailure::NoSpace)),
            ("tar: x: Cannot write: Disk quota exceeded", Some(WriteFailure::Quota)),
            ("File too large (os error 27)", Some(WriteFailure::FileSizeLimit)),
            ("bash: line 1: 4242 File size limit exceeded head -c 9M /dev/zero", Some(WriteFailure::FileSizeLimit)),
            ("exit status 1", None),
        ] {
            assert_eq!(WriteFailure::in_text(text), found, "{text}");
        }
        for failure in [WriteFailure::NoSpace, WriteFailure::Quota, WriteFailure::FileSizeLimit] {
            assert_eq!(WriteFailure::in_text(failure.reason()), Some(failure));
        }
    }
}
