//! [`Chooser`]: the list of images to choose from: dropped or typed ones, samples, a folder.

use std::path::{Path, PathBuf};

use thumbctl_core::event::Failure;

use crate::pane::test_upload::protocol::{EntryKind, FileEntry, Folder, FolderListing};

/// The state of a folder listing.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub enum DirectoryState {
    /// Not requested.
    #[default]
    Unknown,
    /// Loading.
    Loading,
    /// Listed.
    Listed(FolderListing),
    /// Unreadable.
    Failed(Failure),
}

/// A row of the list.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum ChooserRow<'a> {
    /// A heading.
    Heading(&'a str, Option<&'a Path>),
    /// The parent folder.
    Parent(&'a Path),
    /// A folder or an image.
    Entry(&'a FileEntry),
    /// A note.
    Note(ListNote<'a>),
}

/// A note about an empty or incomplete list.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum ListNote<'a> {
    /// Loading.
    Reading,
    /// There are no images.
    NoImages,
    /// The number of omitted entries.
    LeftOut(usize),
    /// Unreadable.
    Failed(&'a Failure),
}

impl ChooserRow<'_> {
    /// Whether the row is selectable.
    pub fn can_be_chosen(&self) -> bool {
        matches!(self, Self::Parent(_) | Self::Entry(_))
    }
}

/// The list of images to choose from.
#[derive(Clone, Debug, Default)]
pub struct Chooser {
    /// The dropped or typed images.
    added: Vec<FileEntry>,
    samples: DirectoryState,
    files: DirectoryState,
    /// The listed folder, once known.
    folder: Option<PathBuf>,
    /// The last requested folder; other listings are ignored.
    requested: Option<Folder>,
    /// The path to select when the folder is listed.
    next_to: Option<PathBuf>,
    /// The marked images, in order of marking.
    marked: Vec<PathBuf>,
    /// The row under the cursor.
    cursor: usize,
    /// Whether the user moved the cursor; until then it stays at the top.
    is_moved: bool,
}

impl Chooser {
    /// Requests the initial listings.
    pub fn open(&mut self) -> Vec<Folder> {
        let mut folders = Vec::new();
        if self.samples == DirectoryState::Unknown {
            self.samples = DirectoryState::Loading;
            folders.push(Folder::Samples);
        }
        if self.files == DirectoryState::Unknown {
            self.files = DirectoryState::Loading;
            self.requested = Some(Folder::Working);
            folders.push(Folder::Working);
        }
        folders
    }

    /// Applies a listing. Returns whether it was requested.
    pub fn set_listing(&mut self, folder: &Folder, listing: Result<FolderListing, Failure>) -> bool {
        if *folder == Folder::Samples {
            let under = self.is_moved.then(|| self.under_cursor()).flatten();
            self.samples = directory_state(listing);
            self.go_to(under);
            return true;
        }
        if self.requested.as_ref() != Some(folder) {
            return false;
        }
        self.requested = None;
        let was_on_parent = matches!(self.selected(), Some(ChooserRow::Parent(_)));
        let under = self.next_to.take().or_else(|| self.is_moved.then(|| self.under_cursor()).flatten());
        if let Ok(listing) = &listing {
            self.folder = Some(listing.folder.clone());
        }
        self.files = directory_state(listing);
        if under.is_none() && was_on_parent && self.is_moved {
            self.move_by(1);
        }
        self.go_to(under);
        true
    }

    /// Adds and marks dropped or typed images. Returns the folder to list, if there is one among them.
    pub fn add_entries(&mut self, entries: Vec<FileEntry>) -> Option<Folder> {
        let mut folder = None;
        let mut last = None;
        for entry in entries {
            match entry.kind {
                EntryKind::Folder => folder = Some(entry.path),
                EntryKind::Image { .. } => {
                    last = Some(entry.path.clone());
                    if !self.marked.contains(&entry.path) {
                        self.marked.push(entry.path.clone());
                    }
                    if !self
                        .rows()
                        .iter()
                        .any(|row| matches!(row, ChooserRow::Entry(known) if known.path == entry.path))
                    {
                        self.added.push(entry);
                    }
                }
            }
        }
        if last.is_some() {
            self.is_moved = true;
            self.go_to(last);
        }
        folder.map(|path| self.enter(path))
    }

    /// The rows of the list.
    pub fn rows(&self) -> Vec<ChooserRow<'_>> {
        let mut rows = Vec::new();
        if !self.added.is_empty() {
            rows.push(ChooserRow::Heading("Dropped or typed", None));
            rows.extend(self.added.iter().map(ChooserRow::Entry));
        }
        rows.push(ChooserRow::Heading("Sample images", None));
        directory_rows(&self.samples, &mut rows);
        rows.push(ChooserRow::Heading("Files", self.folder.as_deref()));
        rows.extend(self.folder.as_deref().and_then(Path::parent).map(ChooserRow::Parent));
        directory_rows(&self.files, &mut rows);
        rows
    }

    /// The index of the row under the cursor in [`Self::rows`]; a selectable one, if any.
    pub fn cursor(&self) -> usize {
        let rows = self.rows();
        let at = self.cursor.min(rows.len().saturating_sub(1));
        let below = (at..rows.len()).find(|row| rows[*row].can_be_chosen());
        below.or_else(|| (0..at).rev().find(|row| rows[*row].can_be_chosen())).unwrap_or(at)
    }

    /// The selectable row under the cursor.
    pub fn selected(&self) -> Option<ChooserRow<'_>> {
        self.rows().get(self.cursor()).copied().filter(ChooserRow::can_be_chosen)
    }

    /// The image under the cursor.
    pub fn selected_image(&self) -> Option<&FileEntry> {
        match self.selected()? {
            ChooserRow::Entry(entry) if entry.kind != EntryKind::Folder => Some(entry),
            _ => None,
        }
    }

    /// Moves the cursor by selectable rows.
    pub fn move_by(&mut self, by: isize) {
        let rows = self.rows();
        let positions: Vec<usize> = (0..rows.len()).filter(|row| rows[*row].can_be_chosen()).collect();
        let at = positions.iter().position(|position| *position == self.cursor()).unwrap_or(0);
        self.is_moved = true;
        if let Some(last) = positions.len().checked_sub(1) {
            self.cursor = positions[at.saturating_add_signed(by).min(last)];
        }
    }

    /// Moves the cursor to a selectable row. Returns whether it was there already.
    pub fn click(&mut self, row: usize) -> bool {
        let was = self.cursor();
        if self.rows().get(row).is_some_and(ChooserRow::can_be_chosen) {
            self.cursor = row;
            self.is_moved = true;
        }
        row == was
    }

    /// Marks or unmarks the image under the cursor and moves to the next.
    pub fn mark(&mut self) {
        let Some(path) = self.selected_image().map(|entry| entry.path.clone()) else { return };
        match self.marked.iter().position(|marked| *marked == path) {
            Some(at) => {
                self.marked.remove(at);
            }
            None => self.marked.push(path),
        }
        self.move_by(1);
    }

    /// The marked images, in order of marking.
    pub fn marked(&self) -> &[PathBuf] {
        &self.marked
    }

    /// Unmarks all images. Dropped or typed ones stay in the list.
    pub fn unmark_all(&mut self) {
        self.marked.clear();
    }

    /// Whether there is a folder under the cursor.
    pub fn can_enter(&self) -> bool {
        matches!(
            self.selected(),
            Some(ChooserRow::Parent(_) | ChooserRow::Entry(FileEntry { kind: EntryKind::Folder, .. }))
        )
    }

    /// Opens the folder under the cursor. Returns the folder to list.
    pub fn enter_selected(&mut self) -> Option<Folder> {
        match self.selected()? {
            ChooserRow::Parent(_) => self.leave(),
            ChooserRow::Entry(FileEntry { kind: EntryKind::Folder, path, .. }) => {
                let path = path.clone();
                Some(self.enter(path))
            }
            _ => None,
        }
    }

    /// Whether there is a parent folder.
    pub fn can_leave(&self) -> bool {
        self.folder.as_deref().and_then(Path::parent).is_some()
    }

    /// Opens the parent folder. Returns the folder to list.
    pub fn leave(&mut self) -> Option<Folder> {
        let from = self.folder.clone()?;
        let to = from.parent()?.to_owned();
        let folder = self.enter(to);
        self.next_to = Some(from);
        Some(folder)
    }

    /// Opens a folder.
    fn enter(&mut self, path: PathBuf) -> Folder {
        self.next_to = None;
        self.folder = Some(path.clone());
        self.files = DirectoryState::Loading;
        let folder = Folder::At(path);
        self.requested = Some(folder.clone());
        // The first row is the parent folder, until the listing arrives.
        let heading = self.rows().iter().position(|row| matches!(row, ChooserRow::Heading("Files", _)));
        self.cursor = heading.map_or(0, |heading| heading + 1);
        self.is_moved = true;
        folder
    }

    fn under_cursor(&self) -> Option<PathBuf> {
        match self.selected()? {
            ChooserRow::Entry(entry) => Some(entry.path.clone()),
            _ => None,
        }
    }

    /// Moves the cursor to a path, if listed.
    fn go_to(&mut self, path: Option<PathBuf>) {
        let Some(path) = path else { return };
        let at = self.rows().iter().position(|row| matches!(row, ChooserRow::Entry(entry) if entry.path == path));
        self.cursor = at.unwrap_or(self.cursor);
    }
}

fn directory_state(listing: Result<FolderListing, Failure>) -> DirectoryState {
    match listing {
        Ok(listing) => DirectoryState::Listed(listing),
        Err(failure) => DirectoryState::Failed(failure),
    }
}

fn directory_rows<'a>(state: &'a DirectoryState, rows: &mut Vec<ChooserRow<'a>>) {
    match state {
        DirectoryState::Unknown | DirectoryState::Loading => rows.push(ChooserRow::Note(ListNote::Reading)),
        DirectoryState::Failed(failure) => rows.push(ChooserRow::Note(ListNote::Failed(failure))),
        DirectoryState::Listed(listing) => {
            rows.extend(listing.entries.iter().map(ChooserRow::Entry));
            if !listing.entries.iter().any(|entry| entry.kind != EntryKind::Folder) {
                rows.push(ChooserRow::Note(ListNote::NoImages));
            }
            if listing.left_out > 0 {
                rows.push(ChooserRow::Note(ListNote::LeftOut(listing.left_out)));
            }
        }
    }
}
