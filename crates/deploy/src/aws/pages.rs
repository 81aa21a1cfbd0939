//! What a listing of many pages is bounded by.

use std::collections::HashSet;

use super::bounded_client::answer_bytes;
use super::error::{AwsError, ErrorKind};

/// The most that the pages of one listing may hold, in bytes, together with whatever else is read meanwhile.
const MAX_BYTES: u64 = 256 * 1024 * 1024;

/// The most pages that one listing may have.
const MAX_PAGES: usize = 10_000;

/// The pages of one listing, from the first to the last.
///
/// Where a listing ends is the endpoint's to say. One that always names a next page would be asked without end, and what it
/// lists kept in memory.
#[derive(Debug)]
pub(super) struct Pages {
    service: &'static str,
    operation: &'static str,
    token: Option<String>,
    /// The tokens of all pages so far.
    seen: HashSet<String>,
    /// What had been read before, where the listing is kept in memory.
    bytes_before: Option<u64>,
}

impl Pages {
    /// A listing that has not begun.
    pub(super) fn new(service: &'static str, operation: &'static str) -> Self {
        let bytes_before = Some(answer_bytes());
        Self { service, operation, token: None, seen: HashSet::new(), bytes_before }
    }

    /// A listing of which only one page at a time is kept: it may hold any number of bytes.
    pub(super) fn page_by_page(service: &'static str, operation: &'static str) -> Self {
        Self { bytes_before: None, ..Self::new(service, operation) }
    }

    /// What to ask the next page with.
    pub(super) fn token(&self) -> Option<String> {
        self.token.clone()
    }

    /// Takes the token of the page after the one that was just read; answers whether there is such a page.
    ///
    /// # Errors
    /// When that page has been read before, or the listing has become too long.
    pub(super) fn continue_with(&mut self, next: Option<String>) -> Result<bool, AwsError> {
        // Rule: some services say "no more" with an empty token.
        let Some(next) = next.filter(|token| !token.is_empty()) else {
            return Ok(false);
        };
        self.visit(next.clone())?;
        self.token = Some(next);
        Ok(true)
    }

    /// Records that a page is to be read, by whatever identifies it.
    ///
    /// # Errors
    /// As for [`Pages::continue_with`].
    pub(super) fn visit(&mut self, page: String) -> Result<(), AwsError> {
        let is_too_long = self.bytes_before.is_some_and(|before| answer_bytes() - before > MAX_BYTES);
        if is_too_long || self.seen.len() >= MAX_PAGES {
            return Err(self.endless("the listing is longer than 256 MB or 10,000 pages"));
        }
        if !self.seen.insert(page) {
            return Err(self.endless("the endpoint lists the same page again and again"));
        }
        Ok(())
    }

    fn endless(&self, message: &str) -> AwsError {
        AwsError::new(self.service, self.operation, ErrorKind::Oversized, message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pages() -> Pages {
        Pages::new("IAM", "ListRoles")
    }

    #[test]
    fn listing_ends_without_token_or_with_empty_token() {
        let mut pages = pages();
        assert!(pages.continue_with(Some("a".to_owned())).unwrap());
        assert_eq!(pages.token().as_deref(), Some("a"));
        assert!(!pages.continue_with(Some(String::new())).unwrap());
        assert!(!pages.continue_with(None).unwrap());
    }

    #[test]
    fn repeated_token_is_an_error() {
        let mut pages = pages();
        for token in ["a", "b"] {
            pages.continue_with(Some(token.to_owned())).unwrap();
        }
        let error = pages.continue_with(Some("a".to_owned())).unwrap_err();
        assert_eq!(error.kind, ErrorKind::Oversized);
        assert_eq!(error.to_string(), "IAM ListRoles failed: the endpoint lists the same page again and again");
    }

    #[test]
    fn listing_without_end_is_an_error() {
        let mut pages = pages();
        let error = (0..).find_map(|page| pages.continue_with(Some(format!("{page}"))).err()).unwrap();
        assert_eq!(error.kind, ErrorKind::Oversized);
        assert_eq!(pages.seen.len(), MAX_PAGES);
    }
}
