//! [`TestUploadState`]: image selection, progress and results of test uploads.

pub mod chooser;
pub mod path_input;
pub mod picture_cache;
pub mod results;

use std::path::{Path, PathBuf};

use crossterm::event::KeyEvent;
use ratatui::layout::Rect;
use thumbctl_core::event::{Event, Failure};

use self::chooser::Chooser;
use self::path_input::{AcceptedPath, PathInput};
use self::picture_cache::{PictureCache, PictureState};
use self::results::{ApplyOutcome, TestUploadResults};
use crate::keymap::Action;
use crate::message::Effect;
use crate::pane::test_upload::areas;
use crate::pane::test_upload::protocol::{
    EntryKind, FileEntry, Folder, PictureKey, TestUploadCommand, TestUploadReport,
};

/// Image selection, progress and results of test uploads.
#[derive(Clone, Debug, Default)]
pub struct TestUploadState {
    /// The image chooser.
    pub chooser: Chooser,
    /// The open path input.
    pub path_input: Option<PathInput>,
    /// The results.
    pub results: TestUploadResults,
    /// The displayed view; none until the user or a test upload sets it.
    view: Option<TestUploadView>,
    pictures: PictureCache,
    /// Whether the panel was shown; before that no pictures are requested.
    is_entered: bool,
    /// The size in columns and rows.
    size: (u16, u16),
}

/// The displayed view.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum TestUploadView {
    Chooser,
    TestUploadResults,
}

impl TestUploadState {
    /// Whether the chooser is displayed, not the results.
    pub fn is_choosing(&self) -> bool {
        match self.view {
            Some(view) => view == TestUploadView::Chooser || self.results.is_empty(),
            None => self.results.is_empty(),
        }
    }

    /// Whether the path input is open.
    pub fn is_typing(&self) -> bool {
        self.path_input.is_some()
    }

    /// Whether a test upload was requested whose first event has not arrived.
    pub fn is_waiting(&self) -> bool {
        self.results.is_pending()
    }

    /// The images to upload: the marked ones, else the one under the cursor.
    pub fn to_send(&self) -> Vec<PathBuf> {
        match self.chooser.marked() {
            // On a folder, the key opens it.
            _ if self.chooser.can_enter() => Vec::new(),
            [] => self.chooser.selected_image().map(|entry| entry.path.clone()).into_iter().collect(),
            marked => marked.to_vec(),
        }
    }

    /// Shows the results of images that are about to be uploaded.
    pub fn start_sending(&mut self, images: &[PathBuf]) -> Vec<Effect> {
        self.results.send(images);
        self.view = Some(TestUploadView::TestUploadResults);
        self.request_pictures()
    }

    /// Applies an event of any run.
    pub fn apply(&mut self, event: &Event) -> Vec<Effect> {
        let was_sent = self.results.is_pending();
        match self.results.apply(event) {
            // Most events are log lines.
            ApplyOutcome::Ignored => return Vec::new(),
            ApplyOutcome::Started if was_sent => {
                self.view = Some(TestUploadView::TestUploadResults);
                // Uploaded images must not be uploaded again with the next selection.
                self.chooser.unmark_all();
            }
            ApplyOutcome::Started | ApplyOutcome::Updated => {}
        }
        self.request_pictures()
    }

    /// Handles the end of the active run.
    pub fn run_ended(&mut self) -> Vec<Effect> {
        self.results.abandon();
        self.request_pictures()
    }

    /// Handles the display of the panel.
    pub fn enter(&mut self) -> Vec<Effect> {
        self.is_entered = true;
        let mut effects: Vec<Effect> = self.chooser.open().into_iter().map(list).collect();
        effects.extend(self.request_pictures());
        effects
    }

    /// Performs an action of the contexts TestUpload and Chooser, or `Accept`, `Back`, `Up`, `Down` in the path input.
    /// Uploads are started by the caller, with [`Self::to_send`] and [`Self::sending`].
    pub fn act(&mut self, action: Action) -> Vec<Effect> {
        let mut effects = if self.path_input.is_some() {
            self.act_on_line(action)
        } else if self.is_choosing() {
            self.act_on_chooser(action)
        } else {
            self.act_on_results(action)
        };
        effects.extend(self.request_pictures());
        effects
    }

    fn act_on_line(&mut self, action: Action) -> Vec<Effect> {
        let Some(line) = &mut self.path_input else { return Vec::new() };
        match action {
            Action::Up => line.choose(-1),
            Action::Down => line.choose(1),
            Action::Accept => match line.accept() {
                AcceptedPath::Extended(typed) => return vec![Effect::TestUpload(TestUploadCommand::Complete(typed))],
                AcceptedPath::Complete(path) => {
                    self.path_input = None;
                    return vec![Effect::TestUpload(TestUploadCommand::Inspect(vec![path.into()]))];
                }
                AcceptedPath::Empty => self.path_input = None,
            },
            _ => self.path_input = None,
        }
        Vec::new()
    }

    fn act_on_chooser(&mut self, action: Action) -> Vec<Effect> {
        let page = isize::from(i16::try_from(self.size.1 / 2).unwrap_or(i16::MAX)).max(1);
        let folder = match action {
            Action::Left => self.chooser.leave(),
            // Sending a folder opens it.
            Action::Right | Action::Send => self.chooser.enter_selected(),
            _ => None,
        };
        match action {
            Action::Up => self.chooser.move_by(-1),
            Action::Down => self.chooser.move_by(1),
            Action::PageUp => self.chooser.move_by(-page),
            Action::PageDown => self.chooser.move_by(page),
            Action::Top => self.chooser.move_by(isize::MIN),
            Action::Bottom => self.chooser.move_by(isize::MAX),
            Action::Mark => self.chooser.mark(),
            Action::TypePath => return self.type_path(),
            Action::Back if !self.results.is_empty() => self.view = Some(TestUploadView::TestUploadResults),
            _ => {}
        }
        folder.map(list).into_iter().collect()
    }

    fn act_on_results(&mut self, action: Action) -> Vec<Effect> {
        let columns = isize::try_from(self.columns()).unwrap_or(1);
        match action {
            Action::Choose => {
                self.view = Some(TestUploadView::Chooser);
                return self.chooser.open().into_iter().map(list).collect();
            }
            Action::TypePath => {
                self.view = Some(TestUploadView::Chooser);
                let mut effects: Vec<Effect> = self.chooser.open().into_iter().map(list).collect();
                effects.extend(self.type_path());
                return effects;
            }
            Action::Save => {
                let thumbnails = self.thumbnails();
                if !thumbnails.is_empty() {
                    return vec![Effect::TestUpload(TestUploadCommand::Save(thumbnails))];
                }
            }
            Action::Left => self.results.move_by(-1),
            Action::Right => self.results.move_by(1),
            Action::Up if self.can_move_row(-columns) => self.results.move_by(-columns),
            Action::Down if self.can_move_row(columns) => self.results.move_by(columns),
            Action::Up => self.results.go(1),
            Action::Down => self.results.go(-1),
            Action::Enlarge => self.results.enlarge(!self.results.is_enlarged()),
            Action::Back => self.results.enlarge(false),
            _ => {}
        }
        Vec::new()
    }

    /// Whether the gallery has another row in a direction. Beyond the first and last row are other test uploads.
    fn can_move_row(&self, by: isize) -> bool {
        let Some(test_upload) = self.results.test_upload().filter(|_| !self.results.is_single()) else { return false };
        let columns = self.columns().max(1);
        let row = self.results.selected() / columns;
        if by < 0 { row > 0 } else { row < test_upload.cards.len().saturating_sub(1) / columns }
    }

    /// The number of gallery columns.
    fn columns(&self) -> usize {
        areas::GalleryAreas::of(
            self.inside(),
            self.results.test_upload().map_or(0, |test_upload| test_upload.cards.len()),
        )
        .columns
    }

    fn type_path(&mut self) -> Vec<Effect> {
        self.path_input = Some(PathInput::default());
        vec![Effect::TestUpload(TestUploadCommand::Complete(String::new()))]
    }

    /// Handles a key in the path input.
    pub fn type_key(&mut self, key: KeyEvent) -> Vec<Effect> {
        let Some(line) = &mut self.path_input else { return Vec::new() };
        let is_changed = line.type_key(key);
        let mut effects = Vec::new();
        if is_changed {
            effects.push(Effect::TestUpload(TestUploadCommand::Complete(line.typed().to_owned())));
        }
        effects.extend(self.request_pictures());
        effects
    }

    /// Scrolls by rows, down if positive.
    pub fn scroll(&mut self, rows: i32) -> Vec<Effect> {
        let by = isize::try_from(rows).unwrap_or_default();
        if self.is_choosing() {
            self.chooser.move_by(by);
        } else {
            self.results.move_by(by);
        }
        self.request_pictures()
    }

    /// Handles a click inside the panel. A click on the selection opens, marks or enlarges it.
    pub fn click(&mut self, column: u16, row: u16) -> Vec<Effect> {
        if self.path_input.is_some() {
            return Vec::new();
        }
        if self.is_choosing() {
            let list = areas::ChooserAreas::of(self.inside()).list;
            if !list.contains((column, row).into()) {
                return Vec::new();
            }
            let rows = self.chooser.rows().len();
            let first = areas::first_row(rows, self.chooser.cursor(), usize::from(list.height));
            if self.chooser.click(first + usize::from(row - list.y)) {
                return self.act(if self.chooser.can_enter() { Action::Right } else { Action::Mark });
            }
        } else if !self.results.is_single()
            && let Some(card) = self.gallery().card_at(self.results.selected(), column, row)
            && self.results.select(card)
        {
            self.results.enlarge(true);
        }
        self.request_pictures()
    }

    fn gallery(&self) -> areas::GalleryAreas {
        areas::GalleryAreas::of(
            self.inside(),
            self.results.test_upload().map_or(0, |test_upload| test_upload.cards.len()),
        )
    }

    /// Handles dropped or pasted paths.
    pub fn drop_paths(&mut self, paths: Vec<PathBuf>) -> Vec<Effect> {
        self.view = Some(TestUploadView::Chooser);
        let mut effects: Vec<Effect> = self.chooser.open().into_iter().map(list).collect();
        effects.push(Effect::TestUpload(TestUploadCommand::Inspect(paths)));
        effects.extend(self.request_pictures());
        effects
    }

    /// Returns to the chooser after a test upload could not be prepared.
    pub fn reject(&mut self, _failure: &Failure) {
        if self.results.abandon() {
            self.view = Some(TestUploadView::Chooser);
        }
    }

    /// Sets the size in columns and rows.
    pub fn resize(&mut self, width: u16, height: u16) -> Vec<Effect> {
        self.size = (width, height);
        self.request_pictures()
    }

    /// Applies a report of the worker.
    pub fn apply_report(&mut self, report: TestUploadReport) -> Vec<Effect> {
        let mut effects = Vec::new();
        match report {
            TestUploadReport::Listed(folder, listing) => {
                self.chooser.set_listing(&folder, listing);
            }
            TestUploadReport::Completed(typed, candidates) => {
                if let Some(line) = self.path_input.as_mut()
                    && line.set_candidates(&typed, candidates)
                {
                    effects.push(Effect::TestUpload(TestUploadCommand::Complete(line.typed().to_owned())));
                }
            }
            TestUploadReport::Inspected(entries) => effects.extend(self.chooser.add_entries(entries).map(list)),
            TestUploadReport::Rendered(key, picture) => self.pictures.insert(key, picture),
            TestUploadReport::GraphicsChanged => self.pictures.clear(),
        }
        effects.extend(self.request_pictures());
        effects
    }

    /// Whether an action is available.
    pub fn can(&self, action: Action) -> bool {
        if self.path_input.is_some() {
            return matches!(action, Action::Accept | Action::Back | Action::Up | Action::Down);
        }
        if self.is_choosing() {
            return match action {
                Action::Send => !self.to_send().is_empty() || self.chooser.can_enter(),
                Action::Mark => self.chooser.selected_image().is_some(),
                Action::Left => self.chooser.can_leave(),
                Action::Right => self.chooser.can_enter(),
                Action::Back => !self.results.is_empty(),
                Action::Up | Action::Down | Action::PageUp | Action::PageDown | Action::Top | Action::Bottom => {
                    self.chooser.selected().is_some()
                }
                Action::TypePath => true,
                _ => false,
            };
        }
        match action {
            Action::Choose | Action::TypePath => true,
            Action::Save => !self.thumbnails().is_empty(),
            Action::Left | Action::Right | Action::Enlarge => self.results.has_several(),
            Action::Up => self.can_move_row(-1) || self.results.can_go(1),
            Action::Down => self.can_move_row(1) || self.results.can_go(-1),
            Action::Back => self.results.is_enlarged(),
            _ => false,
        }
    }

    /// The thumbnails of the displayed test upload.
    fn thumbnails(&self) -> Vec<PathBuf> {
        let cards = self.results.test_upload().map(|test_upload| &test_upload.cards[..]).unwrap_or_default();
        cards.iter().filter_map(|card| card.thumbnail.clone()).collect()
    }

    fn inside(&self) -> Rect {
        Rect::new(0, 0, self.size.0, self.size.1)
    }

    /// The previewed image: under the cursor, or the selected completion.
    pub fn preview(&self) -> Option<&FileEntry> {
        match &self.path_input {
            Some(line) => line.selected_entry().filter(|entry| entry.kind != EntryKind::Folder),
            None => self.chooser.selected_image(),
        }
    }

    /// The state of a picture in an area.
    pub fn picture(&self, path: &Path, area: Rect) -> PictureState<'_> {
        self.pictures.get(path, (area.width, area.height))
    }

    /// Requests the missing pictures on the screen.
    fn request_pictures(&mut self) -> Vec<Effect> {
        let keys = if self.is_entered { self.on_screen() } else { Vec::new() };
        self.pictures.request(&keys)
    }

    fn on_screen(&self) -> Vec<PictureKey> {
        let inside = self.inside();
        let key = |path: &Path, area: Rect| PictureKey { path: path.to_owned(), cells: (area.width, area.height) };
        let mut keys = Vec::new();
        if self.is_choosing() {
            let area = areas::ChooserAreas::of(inside).picture;
            keys.extend(self.preview().zip(area).map(|(entry, area)| key(&entry.path, area)));
        } else if let Some(test_upload) = self.results.test_upload() {
            if self.results.is_single() {
                let areas = areas::SingleAreas::of(inside);
                if let Some(card) = self.results.card() {
                    keys.extend(card.source().map(|path| key(path, areas.source)));
                    keys.extend(card.thumbnail.as_deref().map(|path| key(path, areas.thumbnail)));
                }
            } else {
                for (index, area) in self.gallery().cards(self.results.selected()) {
                    let Some(card) = test_upload.cards.get(index) else { continue };
                    let areas = areas::CardAreas::of(area);
                    let source = areas.source.filter(|_| card.thumbnail.is_none() || areas.thumbnail != areas.source);
                    keys.extend(card.source().zip(source).map(|(path, area)| key(path, area)));
                    keys.extend(card.thumbnail.as_deref().zip(areas.thumbnail).map(|(path, area)| key(path, area)));
                }
            }
        }
        keys.retain(|key| key.cells.0 > 0 && key.cells.1 > 0);
        keys
    }
}

fn list(folder: Folder) -> Effect {
    Effect::TestUpload(TestUploadCommand::List(folder))
}

#[cfg(test)]
pub(crate) mod tests;
