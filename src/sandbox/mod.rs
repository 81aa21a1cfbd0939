//! The embedded cloud: an AWS look-alike on the loopback address.

mod blobs;
mod ecr;
mod lambda;
mod persistence;
mod services;
mod sessions;
