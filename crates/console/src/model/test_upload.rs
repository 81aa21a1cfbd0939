//! [`TestUploadPane`]: images to be sent, on their way, and with their thumbnails.

pub mod chooser;
pub mod path_input;
pub mod picture_cache;
pub mod results;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crossterm::event::KeyEvent;
use ratatui::layout::Rect;
use thumbctl_core::event::{Event, Failure};

use self::chooser::{Chooser, EntryKind, FileEntry, Folder, FolderListing};
use self::path_input::{AcceptedPath, PathInput};
use self::picture_cache::{PictureCache, PictureKey, PictureState};
use self::results::{ApplyOutcome, TestUploadResults};
use crate::keymap::Action;
use crate::message::Effect;
use crate::pictures::Picture;
use crate::view::test_upload::areas;

/// Images to be sent, on their way, and with their thumbnails.
#[derive(Clone, Debug, Default)]
pub struct TestUploadPane {
    /// What can be chosen, and what is.
    pub chooser: Chooser,
    /// The path that is being typed.
    pub path_input: Option<PathInput>,
    /// What became of what was sent.
    pub results: TestUploadResults,
    /// What is looked at; none until the user or a trial has decided.
    view: Option<TestUploadView>,
    pictures: PictureCache,
    /// Whether it has been looked at: before that no picture is made ready.
    is_entered: bool,
    /// How many columns and rows it is drawn in.
    size: (u16, u16),
}

/// What is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum TestUploadView {
    Chooser,
    TestUploadResults,
}

/// What the trial needs done outside the model.
#[derive(Clone, Debug, PartialEq)]
pub enum TestUploadCommand {
    /// Say what a folder has.
    List(Folder),
    /// Say how a path that is being typed may go on.
    Complete(String),
    /// Say what is at these paths, which were dropped or typed.
    Inspect(Vec<PathBuf>),
    /// These pictures are wanted, and of those that were wanted before only what is among them.
    Render(Vec<PictureKey>),
    /// Copy these thumbnails to where the user finds them.
    Save(Vec<PathBuf>),
}

/// What was done for the trial.
#[derive(Clone, Debug)]
pub enum TestUploadReport {
    /// What a folder has.
    Listed(Folder, Result<FolderListing, Failure>),
    /// How a path may go on.
    Completed(String, Vec<FileEntry>),
    /// What is at the paths; of those that are nothing the user was told.
    Inspected(Vec<FileEntry>),
    /// A picture.
    Rendered(PictureKey, Result<Arc<Picture>, Failure>),
    /// The terminal draws in another way, or has forgotten its pictures.
    GraphicsChanged,
}

impl TestUploadPane {
    /// Whether images are being chosen (otherwise results are looked at).
    pub fn is_choosing(&self) -> bool {
        match self.view {
            Some(view) => view == TestUploadView::Chooser || self.results.is_empty(),
            None => self.results.is_empty(),
        }
    }

    /// Whether a path is being typed.
    pub fn is_typing(&self) -> bool {
        self.path_input.is_some()
    }

    /// Whether images were sent of which nothing has been heard yet, so that time is to be seen passing.
    pub fn is_waiting(&self) -> bool {
        self.results.is_pending()
    }

    /// What is to be sent: what was chosen, else the image under the cursor.
    pub fn to_send(&self) -> Vec<PathBuf> {
        match self.chooser.marked() {
            // On a folder the key opens it, whatever is marked elsewhere.
            _ if self.chooser.can_enter() => Vec::new(),
            [] => self.chooser.selected_image().map(|entry| entry.path.clone()).into_iter().collect(),
            marked => marked.to_vec(),
        }
    }

    /// These images are being sent: from now on their results are looked at.
    pub fn start_sending(&mut self, images: &[PathBuf]) -> Vec<Effect> {
        self.results.send(images);
        self.view = Some(TestUploadView::TestUploadResults);
        self.request_pictures()
    }

    /// Takes in an event of any run; those of trials are kept.
    pub fn apply(&mut self, event: &Event) -> Vec<Effect> {
        let was_sent = self.results.is_pending();
        match self.results.apply(event) {
            // Most events are lines of a log.
            ApplyOutcome::Ignored => return Vec::new(),
            ApplyOutcome::Started if was_sent => {
                self.view = Some(TestUploadView::TestUploadResults);
                // What was sent need not be chosen again, and would be sent once more with the next.
                self.chooser.unmark_all();
            }
            ApplyOutcome::Started | ApplyOutcome::Updated => {}
        }
        self.request_pictures()
    }

    /// Our run has ended: if it has not said how each image ended, it never will.
    pub fn run_ended(&mut self) -> Vec<Effect> {
        self.results.abandon();
        self.request_pictures()
    }

    /// The panel is shown for the first time, or again.
    pub fn enter(&mut self) -> Vec<Effect> {
        self.is_entered = true;
        let mut effects: Vec<Effect> = self.chooser.open().into_iter().map(list).collect();
        effects.extend(self.request_pictures());
        effects
    }

    /// Does one of the actions of the contexts Trial and Chooser, or `Accept` / `Back` / `Up` / `Down` while typing. Sending
    /// is done by whoever knows whether it may be: with [`Self::to_send`] and [`Self::sending`].
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
            // Sending a folder is going into it.
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

    /// Whether there is another row of the gallery so many cards on; beyond the first and the last are other trials.
    fn can_move_row(&self, by: isize) -> bool {
        let Some(test_upload) = self.results.test_upload().filter(|_| !self.results.is_single()) else { return false };
        let columns = self.columns().max(1);
        let row = self.results.selected() / columns;
        if by < 0 { row > 0 } else { row < test_upload.cards.len().saturating_sub(1) / columns }
    }

    /// How many cards of the gallery stand side by side.
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

    /// Takes a key while a path is typed.
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

    /// Scrolls by so many rows, down if positive: the mouse's wheel.
    pub fn scroll(&mut self, rows: i32) -> Vec<Effect> {
        let by = isize::try_from(rows).unwrap_or_default();
        if self.is_choosing() {
            self.chooser.move_by(by);
        } else {
            self.results.move_by(by);
        }
        self.request_pictures()
    }

    /// A click on a row and column inside the panel. What was selected already is gone into, marked or enlarged.
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

    /// Takes paths that were dropped onto the terminal or pasted.
    pub fn drop_paths(&mut self, paths: Vec<PathBuf>) -> Vec<Effect> {
        self.view = Some(TestUploadView::Chooser);
        let mut effects: Vec<Effect> = self.chooser.open().into_iter().map(list).collect();
        effects.push(Effect::TestUpload(TestUploadCommand::Inspect(paths)));
        effects.extend(self.request_pictures());
        effects
    }

    /// The images that were to be sent were refused before anything was called: they can be chosen anew.
    pub fn reject(&mut self, _failure: &Failure) {
        if self.results.abandon() {
            self.view = Some(TestUploadView::Chooser);
        }
    }

    /// Says how many columns and rows it is drawn in.
    pub fn resize(&mut self, width: u16, height: u16) -> Vec<Effect> {
        self.size = (width, height);
        self.request_pictures()
    }

    /// Takes in what was done.
    pub fn take_in(&mut self, report: TestUploadReport) -> Vec<Effect> {
        let mut effects = Vec::new();
        match report {
            TestUploadReport::Listed(folder, listing) => {
                self.chooser.take_in(&folder, listing);
            }
            TestUploadReport::Completed(typed, candidates) => {
                if let Some(line) = self.path_input.as_mut()
                    && line.take_in(&typed, candidates)
                {
                    effects.push(Effect::TestUpload(TestUploadCommand::Complete(line.typed().to_owned())));
                }
            }
            TestUploadReport::Inspected(entries) => effects.extend(self.chooser.add_entries(entries).map(list)),
            TestUploadReport::Rendered(key, picture) => self.pictures.take_in(key, picture),
            TestUploadReport::GraphicsChanged => self.pictures.clear(),
        }
        effects.extend(self.request_pictures());
        effects
    }

    /// Whether an action would do something now.
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

    /// The thumbnails of the trial that is looked at.
    fn thumbnails(&self) -> Vec<PathBuf> {
        let cards = self.results.test_upload().map(|test_upload| &test_upload.cards[..]).unwrap_or_default();
        cards.iter().filter_map(|card| card.thumbnail.clone()).collect()
    }

    fn inside(&self) -> Rect {
        Rect::new(0, 0, self.size.0, self.size.1)
    }

    /// The image that is looked at while choosing: under the cursor, or what the typed path could go on to.
    pub fn preview(&self) -> Option<&FileEntry> {
        match &self.path_input {
            Some(line) => line.selected_entry().filter(|entry| entry.kind != EntryKind::Folder),
            None => self.chooser.selected_image(),
        }
    }

    /// What is known of a picture that is drawn in an area.
    pub fn picture(&self, path: &Path, area: Rect) -> PictureState<'_> {
        self.pictures.get(path, (area.width, area.height))
    }

    /// Asks for the pictures that are on the screen and not there.
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
