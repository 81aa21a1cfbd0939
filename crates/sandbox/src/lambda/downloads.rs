//! Download links for deployment packages, as returned by GetFunction: valid for ten minutes, without a signature.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use crate::sync::lock;

/// Lambda's own validity.
const VALIDITY: Duration = Duration::from_secs(10 * 60);

/// The valid links.
#[derive(Debug, Default)]
pub(crate) struct Downloads {
    links: Mutex<HashMap<String, DownloadLink>>,
}

#[derive(Debug)]
struct DownloadLink {
    sha256: String,
    until: Instant,
}

impl Downloads {
    /// Creates a link and returns its secret part.
    pub(crate) fn link(&self, sha256: String) -> String {
        let token = format!("{}{}", uuid::Uuid::new_v4().simple(), uuid::Uuid::new_v4().simple());
        let now = Instant::now();
        let mut links = lock(&self.links);
        links.retain(|_, link| link.until > now);
        links.insert(token.clone(), DownloadLink { sha256, until: now + VALIDITY });
        token
    }

    /// The hash of the blob behind a link.
    pub(crate) fn find(&self, token: &str) -> Option<String> {
        let links = lock(&self.links);
        links.get(token).filter(|link| link.until > Instant::now()).map(|link| link.sha256.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn link_opens_only_its_own_package() {
        let downloads = Downloads::default();
        let (one, other) = (downloads.link("a".to_owned()), downloads.link("b".to_owned()));
        assert_eq!(downloads.find(&one).as_deref(), Some("a"));
        assert_eq!(downloads.find(&other).as_deref(), Some("b"));
        assert_eq!(downloads.find("a"), None);
    }
}
