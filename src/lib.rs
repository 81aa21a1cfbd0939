//! thumbctl: deploys the S3 Thumbnail Creator, shows it, times it, tries it and takes it down again.
//!
//! The rooms; `docs/architecture.md` says who may know whom:

pub mod assets; // what is shipped inside the binary
pub mod aws; // the AWS services, one file each, and their rules that bite
pub mod cli; // the headless front end: one file a command
pub mod cloud; // which cloud, who am I, the SDK configuration
pub mod deployment; // what exists, as a fold over events
pub mod engine; // runs a plan
pub mod event; // the one language that everything speaks
#[cfg(debug_assertions)]
mod failpoint; // where a test may have the process killed
pub mod journal; // the events on disk
pub mod log_follower; // a log, read as it grows
pub mod names; // what the parts are called
pub mod plan; // the graph of what is to be done
pub mod private_fs; // files that only their owner may read
pub mod recorder; // numbers events, journals them, passes them on
pub mod resource; // what the architecture consists of
pub mod sandbox; // the embedded cloud
pub mod secret; // what must never be shown
pub mod session; // one cloud, one deployment, and what can be done with them
pub mod settings; // what the user may choose
pub mod strategy; // how to deploy and how to destroy
pub mod text; // text as it is shown: columns, folding, times, sizes
pub mod timing; // what took how long
pub mod trial; // sends images through
pub mod tui; // the console
