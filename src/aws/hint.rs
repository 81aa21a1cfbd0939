//! What to do about an error of AWS.

use super::error::AwsError;

impl AwsError {
    /// What to do about it, if there is something: one or two sentences.
    pub fn hint(&self) -> Option<String> {
        None
    }
}
