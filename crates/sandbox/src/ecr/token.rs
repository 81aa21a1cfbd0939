//! Docker passwords and layer download links: signed, expiring, not stored.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use chrono::Utc;
use serde_json::json;
use sha2::{Digest as _, Sha256};

use super::Ecr;
use super::repository::host;
use crate::authz::canonical::same;
use crate::operation::{ApiCall, ApiResult};

/// ECR's validity of a password.
const PASSWORD_SECONDS: i64 = 12 * 3600;
/// The validity of a layer link.
const LINK_SECONDS: i64 = 3600;

/// Replaces the administrator's key in passwords, since the key changes at each start.
pub(super) const ADMINISTRATOR: &str = "administrator";

/// The region and the access key of a valid password.
pub(super) struct PasswordGrant {
    pub(super) region: String,
    pub(super) access_key: String,
}

impl Ecr {
    /// Handles `GetAuthorizationToken`.
    pub(super) fn authorization(&self, call: &ApiCall<'_>) -> ApiResult {
        let ctx = call.context;
        let expires = Utc::now().timestamp() + PASSWORD_SECONDS;
        let key = ctx.access_key.as_deref().unwrap_or_default();
        let is_administrator = self.services.access().is_some_and(|access| access.root_key() == key);
        let key = if is_administrator { ADMINISTRATOR } else { key };
        let password = self.seal("password", &format!("{} {key}", ctx.region), expires);
        Ok(json!({ "authorizationData": [{
            "authorizationToken": STANDARD.encode(format!("AWS:{password}")),
            "expiresAt": expires,
            "proxyEndpoint": format!("https://{}", host(&ctx.account_id, &ctx.region)),
        }]}))
    }

    /// The grant of a password, if it is valid.
    pub(super) fn grant(&self, password: &str) -> Option<PasswordGrant> {
        let subject = self.unseal("password", password)?;
        let (region, access_key) = subject.split_once(' ')?;
        Some(PasswordGrant { region: region.to_owned(), access_key: access_key.to_owned() })
    }

    /// Creates a token for one layer.
    pub(super) fn layer_token(&self, digest: &str) -> String {
        self.seal("layer", digest, Utc::now().timestamp() + LINK_SECONDS)
    }

    /// Whether a token is valid for this layer.
    pub(super) fn is_valid_for_layer(&self, digest: &str, token: &str) -> bool {
        self.unseal("layer", token).as_deref() == Some(digest)
    }

    fn seal(&self, purpose: &str, subject: &str, expires: i64) -> String {
        let content = format!("{subject} {expires}");
        let seal = self.sign(purpose, &content);
        URL_SAFE_NO_PAD.encode(format!("{content} {seal}"))
    }

    fn unseal(&self, purpose: &str, token: &str) -> Option<String> {
        let token = String::from_utf8(URL_SAFE_NO_PAD.decode(token).ok()?).ok()?;
        let (content, seal) = token.rsplit_once(' ')?;
        let (subject, expires) = content.rsplit_once(' ')?;
        let is_valid = expires.parse::<i64>().ok()? > Utc::now().timestamp();
        (is_valid && same(&self.sign(purpose, content), seal)).then(|| subject.to_owned())
    }

    fn sign(&self, purpose: &str, content: &str) -> String {
        let secret = self.lock().secret.clone();
        // The secret on both sides prevents length extension.
        let sum = Sha256::digest(format!("{secret} {purpose} {content} {secret}"));
        format!("{sum:x}")
    }
}
