//! The messages between the test upload pane and its worker.

use std::path::PathBuf;
use std::sync::Arc;

use thumbctl_core::event::Failure;

use crate::pictures::Picture;

/// A command to the test upload worker.
#[derive(Clone, Debug, PartialEq)]
pub enum TestUploadCommand {
    /// Lists a folder.
    List(Folder),
    /// Completes a typed path.
    Complete(String),
    /// Inspects dropped or typed paths.
    Inspect(Vec<PathBuf>),
    /// Renders these pictures; earlier requests that are not among them are cancelled.
    Render(Vec<PictureKey>),
    /// Saves these thumbnails for the user.
    Save(Vec<PathBuf>),
}

/// A report of the test upload worker.
#[derive(Clone, Debug)]
pub enum TestUploadReport {
    /// A folder listing.
    Listed(Folder, Result<FolderListing, Failure>),
    /// Path completions.
    Completed(String, Vec<FileEntry>),
    /// The valid entries among inspected paths.
    Inspected(Vec<FileEntry>),
    /// A rendered picture.
    Rendered(PictureKey, Result<Arc<Picture>, Failure>),
    /// The graphics protocol changed, or the terminal lost its pictures.
    GraphicsChanged,
}

/// An entry of a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileEntry {
    /// The name.
    pub name: String,
    /// The path.
    pub path: PathBuf,
    /// The kind.
    pub kind: EntryKind,
}

/// The kind of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EntryKind {
    /// A folder.
    Folder,
    /// An image.
    Image {
        /// The file size in bytes.
        bytes: u64,
    },
}

/// The folder to be listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Folder {
    /// The sample images.
    Samples,
    /// The working directory.
    Working,
    /// A path.
    At(PathBuf),
}

/// The listing of a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FolderListing {
    /// The path.
    pub folder: PathBuf,
    /// The folders and images.
    pub entries: Vec<FileEntry>,
    /// The number of omitted entries.
    pub left_out: usize,
}

/// A picture at a maximum size.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PictureKey {
    /// The image file.
    pub path: PathBuf,
    /// The maximum size in cells: columns, rows.
    pub cells: (u16, u16),
}
