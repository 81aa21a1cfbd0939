//! [`Sessions`]: the sessions with temporary credentials.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use rand::RngExt;
use serde::{Deserialize, Serialize};

use crate::sync::lock;

/// Temporary credentials of a role.
#[derive(Debug, Clone)]
pub(crate) struct TemporaryCredentials {
    pub access_key: String,
    pub secret_key: String,
    pub session_token: String,
}

/// A session of a role, or of a user by GetSessionToken.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Session {
    pub access_key: String,
    pub secret_key: String,
    pub session_token: String,
    /// The ARN of the role, or of the user or root.
    pub principal: String,
    /// The principal's id, `AROA…`, which differs for a role recreated under the same name.
    pub principal_id: String,
    /// The name of a role session.
    pub name: String,
    /// Seconds since 1970.
    pub expires: i64,
}

impl Session {
    /// The credentials to sign with.
    pub(crate) fn credentials(&self) -> TemporaryCredentials {
        TemporaryCredentials {
            access_key: self.access_key.clone(),
            secret_key: self.secret_key.clone(),
            session_token: self.session_token.clone(),
        }
    }

    /// Whether it is a role session.
    pub(crate) fn is_of_role(&self) -> bool {
        self.principal.contains(":role/")
    }

    /// `arn:aws:sts::…:assumed-role/ROLE/SESSION`, or the user's ARN.
    pub(crate) fn arn(&self) -> String {
        if !self.is_of_role() {
            return self.principal.clone();
        }
        let role = self.principal.rsplit('/').next().unwrap_or_default();
        format!("arn:aws:sts::{}:assumed-role/{role}/{}", crate::account::ACCOUNT, self.name)
    }

    /// The unique id of its holder, as on AWS.
    pub(crate) fn id(&self) -> String {
        if self.is_of_role() { format!("{}:{}", self.principal_id, self.name) } else { self.principal_id.clone() }
    }

    /// Whether it has expired.
    pub(crate) fn is_expired(&self) -> bool {
        self.expires <= chrono::Utc::now().timestamp()
    }
}

/// The sessions that are valid or have recently expired. Saved in a file, since running functions keep their credentials
/// when the sandbox is killed.
pub(crate) struct Sessions {
    file: PathBuf,
    by_key: Mutex<HashMap<String, Session>>,
}

impl Sessions {
    /// Reads the file; a missing file means no sessions.
    pub(crate) fn open(file: &Path) -> io::Result<Self> {
        let damaged = |cause| {
            let name = file.file_name().unwrap_or_default().to_string_lossy();
            io::Error::new(io::ErrorKind::InvalidData, format!("{name} cannot be read: {cause}"))
        };
        let sessions: Vec<Session> = match std::fs::read(file) {
            Ok(bytes) => serde_json::from_slice(&bytes).map_err(damaged)?,
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(cause) => return Err(cause),
        };
        let by_key = sessions.into_iter().map(|session| (session.access_key.clone(), session)).collect();
        Ok(Self { file: file.to_owned(), by_key: Mutex::new(by_key) })
    }

    /// Starts a session.
    pub(crate) fn start(&self, principal: &str, principal_id: &str, name: &str, seconds: i64) -> Session {
        let now = chrono::Utc::now().timestamp();
        let session = Session {
            access_key: access_key("ASIA"),
            secret_key: secret(40),
            session_token: secret(120),
            principal: principal.to_owned(),
            principal_id: principal_id.to_owned(),
            name: name.to_owned(),
            expires: now + seconds,
        };
        let mut sessions = lock(&self.by_key);
        // Expired sessions are kept for a day, so that their holders get ExpiredToken.
        sessions.retain(|_, session| session.expires > now - 86_400);
        sessions.insert(session.access_key.clone(), session.clone());
        let all: Vec<&Session> = sessions.values().collect();
        let written = serde_json::to_vec(&all)
            .map_err(io::Error::other)
            .and_then(|bytes| crate::storage::persistence::replace(&self.file, &bytes));
        if let Err(cause) = written {
            crate::error::log_error(format_args!("{} cannot be written: {cause}", self.file.display()));
        }
        session
    }

    /// The session of an access key, expired or not.
    pub(crate) fn find(&self, access_key: &str) -> Option<Session> {
        lock(&self.by_key).get(access_key).cloned()
    }
}

/// Generates an access key id; the prefix is its kind.
pub(crate) fn access_key(prefix: &str) -> String {
    let mut rng = rand::rng();
    let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let tail = (0..16).map(|_| alphabet[rng.random_range(0..alphabet.len())] as char);
    prefix.chars().chain(tail).collect()
}

/// Generates random letters and digits with a cryptographic generator.
pub(crate) fn secret(len: usize) -> String {
    let mut rng = rand::rng();
    let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    (0..len).map(|_| alphabet[rng.random_range(0..alphabet.len())] as char).collect()
}
