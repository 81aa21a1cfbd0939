//! Image references: `[registry/]name[:tag]` or `[registry/]name@digest`.

use super::ShimError;

/// A parsed image reference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ImageReference {
    /// Empty without a registry.
    pub(super) host: String,
    pub(super) name: String,
    /// The tag or digest.
    pub(super) tag: String,
}

impl ImageReference {
    pub(super) fn read(text: &str) -> Result<Self, ShimError> {
        // Docker's rule: a first part with a dot or port, or localhost, is a registry.
        let (host, path) = match text.split_once('/') {
            Some((host, path)) if host.contains(['.', ':']) || host == "localhost" => (host, path),
            _ => ("", text),
        };
        if let Some((name, digest)) = path.split_once('@') {
            // A digest overrides a tag.
            let name = name.split_once(':').map_or(name, |(name, _)| name);
            let of_name = Self::read(name).ok().filter(|_| digest.len() == 71 && digest.starts_with("sha256:"));
            let of_name = of_name.ok_or_else(|| ShimError::usage(format!("invalid reference format: '{text}'")))?;
            return Ok(Self { host: host.to_owned(), name: of_name.name, tag: digest.to_owned() });
        }
        let (name, tag) = path.split_once(':').unwrap_or((path, "latest"));
        let valid = |text: &str, more: &[char]| {
            !text.is_empty() && text.chars().all(|char| char.is_ascii_alphanumeric() || more.contains(&char))
        };
        let lower = !name.chars().any(|char| char.is_ascii_uppercase());
        if !lower || !valid(name, &['/', '.', '_', '-']) || !valid(tag, &['.', '_', '-']) {
            return Err(ShimError::usage(format!(
                "invalid reference format: '{text}' (a name in lower case, and a tag)"
            )));
        }
        Ok(Self { host: host.to_owned(), name: name.to_owned(), tag: tag.to_owned() })
    }

    /// The name without its tag.
    pub(super) fn repository(&self) -> String {
        if self.host.is_empty() { self.name.clone() } else { format!("{}/{}", self.host, self.name) }
    }
}

impl std::fmt::Display for ImageReference {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mark = if self.tag.contains(':') { '@' } else { ':' };
        write!(out, "{}{mark}{}", self.repository(), self.tag)
    }
}

#[cfg(test)]
mod tests {
    use super::ImageReference;

    #[test]
    fn first_part_with_dot_or_port_is_a_registry() {
        let of = |text| {
            let reference = ImageReference::read(text).unwrap();
            (reference.host, reference.name, reference.tag)
        };
        let triple = |a: &str, b: &str, c: &str| (a.to_owned(), b.to_owned(), c.to_owned());
        assert_eq!(of("thumb"), triple("", "thumb", "latest"));
        assert_eq!(of("team/thumb:v1"), triple("", "team/thumb", "v1"));
        assert_eq!(of("a.b/c/d:v1"), triple("a.b", "c/d", "v1"));
        assert_eq!(of("localhost:5000/c"), triple("localhost:5000", "c", "latest"));
        let digest = format!("sha256:{}", "0".repeat(64));
        assert_eq!(of(&format!("a.b/c:v1@{digest}")), triple("a.b", "c", &digest));
        assert_eq!(ImageReference::read(&format!("c@{digest}")).unwrap().to_string(), format!("c@{digest}"));
        for bad in ["", ":v1", "Thumb", "thumb:", "a b", "a@b"] {
            assert!(ImageReference::read(bad).is_err(), "{bad}");
        }
    }
}
