//! How a running sandbox is found, joined and started.
//!
//! The sandbox is a process of its own. Those who use it and the sandbox itself know each other by the command line and by
//! four files in a *data directory*:
//!
//! | file | written by | content |
//! |---|---|---|
//! | `endpoint.json` | the sandbox, when it answers | an [`Endpoint`]: URL, access key, process id, pace, instance |
//! | `foreground.json` | a sandbox in the foreground whose data is elsewhere | the path of that data directory |
//! | `lease` | nobody | locked shared by every user of the sandbox, exclusively by a sandbox that ends |
//! | `server.lock` | nobody | locked exclusively by the one sandbox of the directory |
//!
//! - An endpoint file is believed only if `GET` [`READY_PATH`] at its port answers 200 with the file's `instance`.
//! - A sandbox that none has started yet is started as `PROGRAM sandbox --attached --port 0 --data-dir DIR`; it ends when
//!   no lock on `lease` is left.

mod endpoint;
mod error;
mod latency;
mod lease;

pub use endpoint::{ANNOUNCEMENT_FILE, ENDPOINT_FILE, Endpoint, READY_PATH, announced_dir, data_dir_in_use};
pub use error::JoinError;
pub use latency::Latency;
pub use lease::{LEASE_FILE, Lease, SandboxOptions, join_or_start, open_lock, share_lease};
