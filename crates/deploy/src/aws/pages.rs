//! Bounds for paginated listings.

use std::collections::HashSet;

use super::bounded_client::response_bytes;
use super::error::{AwsError, ErrorKind};

/// The maximum size of one listing, in bytes, including other responses read meanwhile.
const MAX_BYTES: u64 = 256 * 1024 * 1024;

/// The maximum number of pages of one listing.
const MAX_PAGES: usize = 10_000;

/// The pages of one listing, in order.
///
/// The endpoint decides where a listing ends. One that always returns another token would be read forever, with its
/// contents in memory.
#[derive(Debug)]
pub(super) struct Pages {
    service: &'static str,
    operation: &'static str,
    token: Option<String>,
    /// The tokens of all pages so far.
    seen: HashSet<String>,
    /// The response bytes read before the listing, if it is kept in memory.
    bytes_before: Option<u64>,
}

impl Pages {
    /// Starts a listing.
    pub(super) fn new(service: &'static str, operation: &'static str) -> Self {
        let bytes_before = Some(response_bytes());
        Self { service, operation, token: None, seen: HashSet::new(), bytes_before }
    }

    /// Starts a listing that keeps one page at a time; its size is not bounded.
    pub(super) fn page_by_page(service: &'static str, operation: &'static str) -> Self {
        Self { bytes_before: None, ..Self::new(service, operation) }
    }

    /// Returns the token for the next request.
    pub(super) fn token(&self) -> Option<String> {
        self.token.clone()
    }

    /// Takes the next page's token; returns whether there is a next page.
    ///
    /// # Errors
    /// When that page has been read before, or the listing has become too long.
    pub(super) fn continue_with(&mut self, next: Option<String>) -> Result<bool, AwsError> {
        // Rule: some services end a listing with an empty token.
        // Observed; the SDK's own paginators end there too.
        let Some(next) = next.filter(|token| !token.is_empty()) else {
            return Ok(false);
        };
        self.visit(next.clone())?;
        self.token = Some(next);
        Ok(true)
    }

    /// Records a page by its identifier.
    ///
    /// # Errors
    /// As for [`Pages::continue_with`].
    pub(super) fn visit(&mut self, page: String) -> Result<(), AwsError> {
        let is_too_long = self.bytes_before.is_some_and(|before| response_bytes() - before > MAX_BYTES);
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
