//! The state on disk: writing, copying, packing and removing it.

pub(crate) mod archive;
pub(crate) mod blobs;
pub(crate) mod data_dir;
pub(crate) mod dir_handle;
pub(crate) mod persistence;
pub(crate) mod scratch;
pub(crate) mod state;
pub(crate) mod temp_files;
pub(crate) mod tree;
