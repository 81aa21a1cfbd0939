//! The protocol to find, join and start a sandbox.
//!
//! The sandbox is a separate process. Its interface to its users is its command line and four files in a *data directory*:
//!
//! | file | written by | content |
//! |---|---|---|
//! | `endpoint.json` | the sandbox, when it is ready | an [`Endpoint`]: URL, access key, process id, pace, instance |
//! | `foreground.json` | a foreground sandbox with another data directory | the path of that data directory |
//! | `lease` | – | locked shared by every user of the sandbox, exclusively by an ending sandbox |
//! | `server.lock` | – | locked exclusively by the directory's sandbox |
//!
//! - An endpoint file is valid only if `GET` [`READY_PATH`] at its port returns 200 with the file's `instance`.
//! - A user starts a missing sandbox as `PROGRAM sandbox --attached --port 0 --data-dir DIR`; it exits when no lock on
//!   `lease` is left.

mod endpoint;
mod error;
mod latency;
mod lease;

pub use endpoint::{ANNOUNCEMENT_FILE, ENDPOINT_FILE, Endpoint, READY_PATH, announced_dir, data_dir_in_use};
pub use error::{DataDirError, JoinError};
pub use latency::Latency;
pub use lease::{LEASE_FILE, Lease, SandboxOptions, join_or_start, open_lock, share_lease};
