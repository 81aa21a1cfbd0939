//! Temporary credentials that have been given out.

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

/// One session: of a role, or of a user by GetSessionToken.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Session {
    pub access_key: String,
    pub secret_key: String,
    pub session_token: String,
    /// The ARN of the role, or of the user (or the root) whose session it is.
    pub principal: String,
    /// Its id, `AROA…`: a role that is made anew under the same name is another one.
    pub principal_id: String,
    /// A role session's name.
    pub name: String,
    /// Seconds since 1970.
    pub expires: i64,
}

impl Session {
    /// What its holder signs with.
    pub(crate) fn credentials(&self) -> TemporaryCredentials {
        TemporaryCredentials {
            access_key: self.access_key.clone(),
            secret_key: self.secret_key.clone(),
            session_token: self.session_token.clone(),
        }
    }

    /// Whether it is a role's.
    pub(crate) fn is_of_role(&self) -> bool {
        self.principal.contains(":role/")
    }

    /// `arn:aws:sts::…:assumed-role/ROLE/SESSION`; a user stays a user.
    pub(crate) fn arn(&self) -> String {
        if !self.is_of_role() {
            return self.principal.clone();
        }
        let role = self.principal.rsplit('/').next().unwrap_or_default();
        format!("arn:aws:sts::{}:assumed-role/{role}/{}", crate::account::ACCOUNT, self.name)
    }

    /// AWS's id of its holder.
    pub(crate) fn id(&self) -> String {
        if self.is_of_role() { format!("{}:{}", self.principal_id, self.name) } else { self.principal_id.clone() }
    }

    /// Whether it is over.
    pub(crate) fn is_expired(&self) -> bool {
        self.expires <= chrono::Utc::now().timestamp()
    }
}

/// Every session that has not been over for long. Kept in a file, since a function started before the sandbox was
/// killed goes on with its credentials.
pub(crate) struct Sessions {
    file: PathBuf,
    by_key: Mutex<HashMap<String, Session>>,
}

impl Sessions {
    /// Reads the file; there are no sessions if it is missing.
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
        // A session that is over is remembered for a day, so that its holder is told ExpiredToken.
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

    /// The session that signs with this key, expired or not.
    pub(crate) fn find(&self, access_key: &str) -> Option<Session> {
        lock(&self.by_key).get(access_key).cloned()
    }
}

/// An access key's id: the prefix says of what kind it is.
pub(crate) fn access_key(prefix: &str) -> String {
    let mut rng = rand::rng();
    let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let tail = (0..16).map(|_| alphabet[rng.random_range(0..alphabet.len())] as char);
    prefix.chars().chain(tail).collect()
}

/// Letters and digits from a cryptographic generator.
pub(crate) fn secret(len: usize) -> String {
    let mut rng = rand::rng();
    let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    (0..len).map(|_| alphabet[rng.random_range(0..alphabet.len())] as char).collect()
}
