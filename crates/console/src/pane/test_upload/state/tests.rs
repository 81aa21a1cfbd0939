//! Tests of the test upload panel without terminal, files or cloud.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use proptest::prelude::*;
use thumbctl_core::event::{Action as RunAction, Event, EventKind, Failure, Outcome, SkipReason, TestUploadStage};
use thumbctl_core::plan::{Plan, Step, StepId};

use super::chooser::ChooserRow;
use super::picture_cache::PictureState;
use super::results::{ImageState, Invocation, StoredObject};
use crate::message::{Effect, Message, Task};
use crate::model::Model;
use crate::model::activity::Activity;
use crate::pane::test_upload::protocol::{
    EntryKind, FileEntry, Folder, FolderListing, PictureKey, TestUploadCommand, TestUploadReport,
};
use crate::panel::Panel;
use crate::pictures::{Graphics, Picture};
use crate::scenes::{self, EventScript};
use crate::update::update;

/// A console of the usual size.
const USUAL: (u16, u16) = (120, 40);

/// An image in a folder.
fn image(folder: &str, name: &str, bytes: u64) -> FileEntry {
    FileEntry { name: name.into(), path: Path::new(folder).join(name), kind: EntryKind::Image { bytes } }
}

fn folder(folder: &str, name: &str) -> FileEntry {
    FileEntry { name: name.into(), path: Path::new(folder).join(name), kind: EntryKind::Folder }
}

/// The listing of the sample images.
pub(crate) fn samples() -> FolderListing {
    let names = [("bubbles.png", 91_204), ("kites.gif", 30_411), ("lighthouse.jpg", 88_120), ("mountains.jpg", 81_002)];
    let mut entries: Vec<FileEntry> =
        names.into_iter().map(|(name, bytes)| image("/tmp/samples", name, bytes)).collect();
    entries.push(image("/tmp/samples", "waves.webp", 35_468));
    FolderListing { folder: "/tmp/samples".into(), entries, left_out: 0 }
}

/// The listing of a folder with pictures.
pub(crate) fn pictures() -> FolderListing {
    let at = "/home/ada/pictures";
    let mut entries = vec![folder(at, "2025 summer"), folder(at, "日本の写真")];
    entries.extend((1..=12).map(|n| image(at, &format!("photo-{n:02}.jpg"), 1_204_331 * n)));
    entries.push(image(at, "a picture with a name that is far too long for any column that it could stand in.png", 77));
    FolderListing { folder: at.into(), entries, left_out: 0 }
}

/// A model with the test upload panel open and all folders listed.
pub(crate) fn entered(mut model: Model) -> Model {
    press(&mut model, KeyCode::Char('6'));
    apply_report(&mut model, TestUploadReport::Listed(Folder::Samples, Ok(samples())));
    apply_report(&mut model, TestUploadReport::Listed(Folder::Working, Ok(pictures())));
    model
}

pub(crate) fn press(model: &mut Model, code: KeyCode) -> Vec<Effect> {
    update(model, Message::Key(KeyEvent::new(code, KeyModifiers::NONE)))
}

pub(crate) fn apply_report(model: &mut Model, report: TestUploadReport) -> Vec<Effect> {
    update(model, Message::TestUpload(report))
}

/// A rendered picture of one colour.
pub(crate) fn picture(pixels: (u32, u32), bytes: u64, cells: (u16, u16)) -> Arc<Picture> {
    let samples = [200, 30, 60].repeat(pixels.0 as usize * pixels.1 as usize);
    let image = image::RgbImage::from_raw(pixels.0, pixels.1, samples).expect("the size matches");
    Arc::new(Picture::make(image.into(), bytes, cells, Graphics::default()).expect("a picture"))
}

/// The pictures requested by effects.
fn requested(effects: &[Effect]) -> Vec<PictureKey> {
    effects
        .iter()
        .filter_map(|effect| match effect {
            Effect::TestUpload(TestUploadCommand::Render(keys)) => Some(keys.clone()),
            _ => None,
        })
        .flatten()
        .collect()
}

fn prepared_task(effects: &[Effect]) -> Option<&Task> {
    effects.iter().find_map(|effect| match effect {
        Effect::Prepare(task, _) => Some(task),
        _ => None,
    })
}

fn sends(images: &[&str]) -> Task {
    Task::TestUpload(images.iter().map(PathBuf::from).collect())
}

/// Generates the events of a test upload.
pub(crate) struct UploadScript {
    pub(crate) script: EventScript,
    images: Vec<String>,
}

impl UploadScript {
    /// A test upload with a run number.
    pub(crate) fn new(number: u32, images: &[&str]) -> Self {
        let script = EventScript::new(number, RunAction::TestUpload, 120.0 * f64::from(number));
        Self { script, images: images.iter().map(|image| (*image).to_owned()).collect() }
    }

    fn id(index: usize) -> StepId {
        StepId::from(format!("image_{}", index + 1).as_str())
    }

    /// Starts the run and all its images.
    pub(crate) fn begin(&mut self) -> Vec<Event> {
        let step = |(index, image): (usize, &String)| {
            Step::new(Self::id(index).as_str(), format!("Upload {image}"), "Its thumbnail shows that everything works.")
        };
        let plan = Plan::new(self.images.iter().enumerate().map(step).collect()).expect("a plan");
        let mut events = vec![self.script.begin(RunAction::TestUpload, plan)];
        for index in 0..self.images.len() {
            events.push(self.script.event(EventKind::StepStarted { step: Self::id(index) }));
        }
        events
    }

    /// An image reaches a stage.
    pub(crate) fn stage(&mut self, index: usize, stage: TestUploadStage, seconds: f64) -> Event {
        let name = self.images[index].rsplit('/').next().expect("a name").to_owned();
        let bytes = match stage {
            TestUploadStage::Uploaded => Some(81_002),
            TestUploadStage::Thumbnail | TestUploadStage::Saved => Some(6_310),
            TestUploadStage::Invoked => None,
        };
        let path = (stage == TestUploadStage::Saved).then(|| format!("/tmp/thumbnails/thumb-{name}"));
        let cold = (stage == TestUploadStage::Invoked).then_some(index == 0);
        let image = self.images[index].clone();
        self.script.event(EventKind::TestUploadStage { image, stage, seconds, key: name, bytes, cold, path })
    }

    /// An image succeeds.
    pub(crate) fn succeed(&mut self, index: usize) -> Vec<Event> {
        let later = index as f64 * 0.1;
        let mut events = vec![
            self.stage(index, TestUploadStage::Uploaded, 0.041 + later),
            self.stage(index, TestUploadStage::Thumbnail, 0.612 + later),
            self.stage(index, TestUploadStage::Saved, 0.640 + later),
            self.stage(index, TestUploadStage::Invoked, 0.335 + later),
        ];
        events.push(self.script.event(EventKind::StepFinished { step: Self::id(index), seconds: 0.7 }));
        events
    }

    /// An image fails.
    pub(crate) fn fail(&mut self, index: usize) -> Vec<Event> {
        let error = Failure {
            message: "the function failed: image has 900,000,000 pixels, more than 100,000,000".into(),
            causes: vec!["invocation 6f1d ended with Runtime.ExitError".into()],
            log: Vec::new(),
            hint: Some("`thumbctl logs function` shows its log".into()),
        };
        let uploaded = self.stage(index, TestUploadStage::Uploaded, 0.052);
        vec![uploaded, self.script.event(EventKind::StepFailed { step: Self::id(index), seconds: 1.2, error })]
    }

    /// Finishes the run.
    pub(crate) fn end(&mut self, outcome: Outcome) -> Event {
        self.script.end(outcome, 1.3)
    }
}

/// Uploads the chosen images and starts the run.
pub(crate) fn send(model: &mut Model) {
    press(model, KeyCode::Enter);
    scenes::start_run(model, RunAction::TestUpload);
}

#[test]
fn panel_lists_samples_and_working_directory_once() {
    let mut model = scenes::deployed(USUAL);
    let lists = |effects: &[Effect]| {
        effects.iter().filter(|effect| matches!(effect, Effect::TestUpload(TestUploadCommand::List(_)))).count()
    };
    assert_eq!(lists(&press(&mut model, KeyCode::Char('6'))), 2);
    press(&mut model, KeyCode::Char('1'));
    assert_eq!(lists(&press(&mut model, KeyCode::Char('6'))), 0);
}

#[test]
fn sample_is_uploaded_with_one_key() {
    let mut model = entered(scenes::deployed(USUAL));
    let effects = press(&mut model, KeyCode::Enter);
    assert_eq!(prepared_task(&effects), Some(&sends(&["/tmp/samples/bubbles.png"])));
    assert!(matches!(&model.activity, Activity::Preparing { task: Task::TestUpload(_), .. }));
    assert!(!model.test_upload.is_choosing() && model.test_upload.is_waiting());
}

#[test]
fn marked_images_are_uploaded_in_order() {
    let mut model = entered(scenes::deployed(USUAL));
    press(&mut model, KeyCode::Char('j'));
    press(&mut model, KeyCode::Char(' '));
    for _ in 0..2 {
        press(&mut model, KeyCode::Char('k'));
    }
    press(&mut model, KeyCode::Char(' '));
    press(&mut model, KeyCode::Char('G'));
    let effects = press(&mut model, KeyCode::Enter);
    assert_eq!(prepared_task(&effects), Some(&sends(&["/tmp/samples/kites.gif", "/tmp/samples/bubbles.png"])));
}

#[test]
fn mark_is_toggled() {
    let mut model = entered(scenes::deployed(USUAL));
    press(&mut model, KeyCode::Char(' '));
    press(&mut model, KeyCode::Char('k'));
    press(&mut model, KeyCode::Char(' '));
    assert!(model.test_upload.chooser.marked().is_empty());
}

#[test]
fn enter_does_nothing_without_deployment() {
    let mut model = entered(scenes::empty(USUAL));
    assert_eq!(press(&mut model, KeyCode::Enter), []);
    assert_eq!(model.activity, Activity::Idle);
    assert!(model.test_upload.is_choosing());
}

#[test]
fn enter_opens_folder() {
    for mut model in [scenes::empty(USUAL), scenes::deployed(USUAL)].map(entered) {
        for _ in 0..6 {
            press(&mut model, KeyCode::Char('j'));
        }
        let effects = press(&mut model, KeyCode::Enter);
        let there = PathBuf::from("/home/ada/pictures/2025 summer");
        assert!(effects.contains(&Effect::TestUpload(TestUploadCommand::List(Folder::At(there)))), "{effects:?}");
    }
}

#[test]
fn parent_folder_selects_previous_folder() {
    let mut model = entered(scenes::deployed(USUAL));
    press(&mut model, KeyCode::Char('h'));
    let above = FolderListing {
        folder: "/home/ada".into(),
        entries: vec![folder("/home/ada", "music"), folder("/home/ada", "pictures")],
        left_out: 0,
    };
    apply_report(&mut model, TestUploadReport::Listed(Folder::At("/home/ada".into()), Ok(above)));
    assert!(matches!(model.test_upload.chooser.selected(), Some(ChooserRow::Entry(entry)) if entry.name == "pictures"));
    // A late listing of an earlier request is ignored.
    apply_report(&mut model, TestUploadReport::Listed(Folder::Working, Ok(pictures())));
    assert!(
        model
            .test_upload
            .chooser
            .rows()
            .iter()
            .any(|row| matches!(row, ChooserRow::Entry(entry) if entry.name == "music"))
    );
    press(&mut model, KeyCode::Char('l'));
    apply_report(&mut model, TestUploadReport::Listed(Folder::At("/home/ada/pictures".into()), Ok(pictures())));
    assert!(
        matches!(model.test_upload.chooser.selected(), Some(ChooserRow::Entry(entry)) if entry.name == "2025 summer")
    );
}

#[test]
fn unreadable_folder_shows_reason_and_can_be_left() {
    let mut model = entered(scenes::deployed(USUAL));
    press(&mut model, KeyCode::Char('h'));
    let denied = Failure::new("permission denied");
    apply_report(&mut model, TestUploadReport::Listed(Folder::At("/home/ada".into()), Err(denied)));
    assert!(scenes::text_of(&model).contains("permission denied"));
    let effects = press(&mut model, KeyCode::Char('h'));
    assert!(effects.contains(&Effect::TestUpload(TestUploadCommand::List(Folder::At("/home".into())))));
}

#[test]
fn dropped_images_are_inspected_marked_and_previewed() {
    let mut model = scenes::deployed(USUAL);
    let effects = update(&mut model, Message::Paste("'/data/my photo.jpg' /data/b.png".into()));
    let paths = vec![PathBuf::from("/data/my photo.jpg"), PathBuf::from("/data/b.png")];
    assert!(effects.contains(&Effect::TestUpload(TestUploadCommand::Inspect(paths))), "{effects:?}");
    assert_eq!(model.focus, Panel::TestUpload);
    apply_report(&mut model, TestUploadReport::Listed(Folder::Samples, Ok(samples())));
    let found = vec![image("/data", "my photo.jpg", 5), image("/data", "b.png", 6)];
    let effects = apply_report(&mut model, TestUploadReport::Inspected(found));
    assert_eq!(requested(&effects).first().map(|key| key.path.as_path()), Some(Path::new("/data/b.png")));
    let effects = press(&mut model, KeyCode::Enter);
    assert_eq!(prepared_task(&effects), Some(&sends(&["/data/my photo.jpg", "/data/b.png"])));
}

#[test]
fn dropped_folder_is_opened() {
    let mut model = entered(scenes::deployed(USUAL));
    let effects = apply_report(&mut model, TestUploadReport::Inspected(vec![folder("/data", "trip")]));
    assert!(effects.contains(&Effect::TestUpload(TestUploadCommand::List(Folder::At("/data/trip".into())))));
}

#[test]
fn path_input_completes() {
    let mut model = entered(scenes::deployed(USUAL));
    press(&mut model, KeyCode::Char('/'));
    assert!(model.test_upload.is_typing());
    for letter in "~/pi".chars() {
        let effects = press(&mut model, KeyCode::Char(letter));
        assert!(matches!(&effects[..], [Effect::TestUpload(TestUploadCommand::Complete(_))]), "{effects:?}");
    }
    apply_report(&mut model, TestUploadReport::Completed("~/pi".into(), vec![folder("/home/ada", "pictures")]));
    let effects = press(&mut model, KeyCode::Tab);
    assert_eq!(effects, [Effect::TestUpload(TestUploadCommand::Complete("~/pictures/".into()))]);
    apply_report(&mut model, TestUploadReport::Completed("~/pictures/".into(), pictures().entries));
    press(&mut model, KeyCode::Down);
    press(&mut model, KeyCode::Down);
    let looked_at = requested(&press(&mut model, KeyCode::Down));
    assert_eq!(looked_at[0].path, Path::new("/home/ada/pictures/photo-01.jpg"), "the selected completion is previewed");
    let effects = press(&mut model, KeyCode::Enter);
    assert!(effects.contains(&Effect::TestUpload(TestUploadCommand::Inspect(vec!["~/pictures/photo-01.jpg".into()]))));
    assert!(!model.test_upload.is_typing());
}

#[test]
fn escape_closes_path_input_then_chooser() {
    let mut model = shown_result();
    press(&mut model, KeyCode::Char('i'));
    press(&mut model, KeyCode::Char('/'));
    press(&mut model, KeyCode::Esc);
    assert!(!model.test_upload.is_typing() && model.test_upload.is_choosing());
    press(&mut model, KeyCode::Esc);
    assert!(!model.test_upload.is_choosing());
}

/// A successful test upload of one image.
pub(crate) fn shown_result() -> Model {
    let mut model = entered(scenes::deployed(USUAL));
    send(&mut model);
    let mut upload = UploadScript::new(2, &["/tmp/samples/bubbles.png"]);
    let mut events = upload.begin();
    events.extend(upload.succeed(0));
    events.push(upload.end(Outcome::Succeeded));
    scenes::apply_events(&mut model, events);
    update(&mut model, Message::RunEnded(Ok(Outcome::Succeeded)));
    model
}

#[test]
fn uploaded_image_shows_stages_and_requests_thumbnail() {
    let mut model = entered(scenes::deployed(USUAL));
    send(&mut model);
    let mut upload = UploadScript::new(2, &["/tmp/samples/bubbles.png"]);
    let begin = upload.begin();
    scenes::apply_events(&mut model, begin);
    assert!(!model.test_upload.is_waiting(), "its first event arrived");
    let events = upload.succeed(0);
    let effects = update(&mut model, Message::Events(events));
    let paths: Vec<PathBuf> = requested(&effects).into_iter().map(|key| key.path).collect();
    assert!(paths.contains(&"/tmp/thumbnails/thumb-bubbles.png".into()), "{effects:?}");
    let card = model.test_upload.results.card().expect("an image");
    assert_eq!(card.uploaded, Some(StoredObject { seconds: 0.041, bytes: Some(81_002) }));
    assert_eq!(card.invoked, Some(Invocation { seconds: 0.335, cold: Some(true) }));
    assert_eq!(card.written, Some(StoredObject { seconds: 0.612, bytes: Some(6_310) }));
    assert_eq!(card.state, ImageState::Done);
}

#[test]
fn uploaded_images_are_unmarked() {
    let mut model = entered(scenes::deployed(USUAL));
    press(&mut model, KeyCode::Char(' '));
    send(&mut model);
    assert_eq!(model.test_upload.chooser.marked().len(), 1, "until the run starts");
    let mut upload = UploadScript::new(2, &["/tmp/samples/bubbles.png"]);
    let begin = upload.begin();
    scenes::apply_events(&mut model, begin);
    assert!(model.test_upload.chooser.marked().is_empty());
}

#[test]
fn duplicate_events_count_once() {
    let mut model = entered(scenes::deployed(USUAL));
    let twice = "/tmp/samples/bubbles.png";
    let mut upload = UploadScript::new(2, &[twice, twice]);
    let mut events = upload.begin();
    events.extend(upload.succeed(0));
    scenes::apply_events(&mut model, events.clone());
    scenes::apply_events(&mut model, events);
    let cards = &model.test_upload.results.test_upload().expect("a trial").cards;
    assert_eq!((cards[0].uploaded.map(|object| object.seconds), cards[1].uploaded), (Some(0.041), None));
    assert_eq!(model.test_upload.results.count(), 1);
}

#[test]
fn rejected_images_stay_marked() {
    let mut model = entered(scenes::deployed(USUAL));
    press(&mut model, KeyCode::Char(' '));
    let effects = press(&mut model, KeyCode::Enter);
    let task = prepared_task(&effects).expect("it is uploaded").clone();
    update(&mut model, Message::PrepareFailed(task, Failure::new("the image /tmp/samples/bubbles.png is empty")));
    assert!(model.test_upload.is_choosing() && !model.test_upload.is_waiting());
    assert_eq!(model.test_upload.chooser.marked().len(), 1);
    assert!(model.messages.all().any(|message| message.text.contains("is empty")));
}

#[test]
fn function_failure_is_shown_without_spinner() {
    let mut model = entered(scenes::deployed(USUAL));
    send(&mut model);
    let mut upload = UploadScript::new(2, &["/tmp/samples/bubbles.png"]);
    let mut events = upload.begin();
    events.extend(upload.fail(0));
    events.push(upload.end(Outcome::Failed));
    scenes::apply_events(&mut model, events);
    update(&mut model, Message::RunEnded(Ok(Outcome::Failed)));
    assert!(!model.is_ticking());
    let text = scenes::text_of(&model);
    for words in ["the function failed", "Runtime.ExitError", "hint:", "1 image failed"] {
        assert!(text.contains(words), "{words} is missing in\n{text}");
    }
}

#[test]
fn interrupted_run_leaves_nothing_pending() {
    for has_begun in [false, true] {
        let mut model = entered(scenes::deployed(USUAL));
        send(&mut model);
        if has_begun {
            let begin = UploadScript::new(2, &["/tmp/samples/bubbles.png"]).begin();
            scenes::apply_events(&mut model, begin);
        }
        update(&mut model, Message::RunEnded(Err(Failure::new("the disk is full"))));
        assert!(!model.is_ticking());
        assert_eq!(
            model.test_upload.results.test_upload().map(super::results::TestUploadRun::is_over),
            has_begun.then_some(true)
        );
    }
}

#[test]
fn earlier_test_uploads_are_shown_with_pictures() {
    let mut model = scenes::deployed(USUAL);
    for number in 2..=3 {
        let mut upload = UploadScript::new(number, &["/photos/a.jpg"]);
        let mut events = upload.begin();
        events.extend(upload.succeed(0));
        events.push(upload.end(Outcome::Succeeded));
        let effects = update(&mut model, Message::Events(events));
        assert_eq!(requested(&effects), [], "the panel was not shown yet");
    }
    let keys = requested(&press(&mut model, KeyCode::Char('6')));
    assert_eq!(keys.len(), 2);
    assert!(!model.test_upload.is_choosing());
    for key in keys {
        apply_report(&mut model, TestUploadReport::Rendered(key, Err(Failure::new("not found"))));
    }
    let text = scenes::text_of(&model);
    assert!(text.contains("picture not available") && text.contains("612 ms"), "{text}");
    assert!(text.contains("upload 2 of 2"));
    press(&mut model, KeyCode::Char('j'));
    assert!(scenes::text_of(&model).contains("upload 1 of 2"));
    press(&mut model, KeyCode::Char('k'));
    assert!(scenes::text_of(&model).contains("upload 2 of 2"));
}

#[test]
fn test_upload_of_dead_process_is_interrupted() {
    let mut model = scenes::deployed(USUAL);
    let events = UploadScript::new(2, &["/photos/a.jpg"]).begin();
    scenes::apply_events(&mut model, events);
    press(&mut model, KeyCode::Char('6'));
    assert!(!model.is_ticking());
    assert!(scenes::text_of(&model).contains("interrupted"));
}

#[test]
fn relative_path_has_no_picture() {
    let mut model = scenes::deployed(USUAL);
    let mut upload = UploadScript::new(2, &["photos/a.jpg"]);
    let mut events = upload.begin();
    events.push(upload.stage(0, TestUploadStage::Uploaded, 0.1));
    scenes::apply_events(&mut model, events);
    assert_eq!(requested(&press(&mut model, KeyCode::Char('6'))), []);
}

#[test]
fn pictures_are_requested_again_after_resize_or_graphics_change() {
    let mut model = entered(scenes::deployed(USUAL));
    let effects = update(&mut model, Message::Resize(150, 44));
    let [key] = &requested(&effects)[..] else { panic!("{effects:?}") };
    apply_report(&mut model, TestUploadReport::Rendered(key.clone(), Ok(picture((640, 480), 91_204, key.cells))));
    assert!(scenes::text_of(&model).contains("640 × 480 · 91.2 kB"));
    assert_eq!(update(&mut model, Message::Resize(150, 44)), [], "nothing has changed");
    let effects = apply_report(&mut model, TestUploadReport::GraphicsChanged);
    assert_eq!(requested(&effects), std::slice::from_ref(key));
}

#[test]
fn thumbnails_are_saved() {
    let mut model = shown_result();
    let effects = press(&mut model, KeyCode::Char('s'));
    let thumbnails = vec![PathBuf::from("/tmp/thumbnails/thumb-bubbles.png")];
    assert_eq!(effects, [Effect::TestUpload(TestUploadCommand::Save(thumbnails))]);
}

/// A successful test upload of several images.
pub(crate) fn gallery(mut model: Model, count: usize) -> Model {
    let names: Vec<String> = (0..count)
        .map(|n| samples().entries.get(n).map_or(format!("/photos/{n}.jpg"), |entry| entry.path.display().to_string()))
        .collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut upload = UploadScript::new(2, &names);
    let mut events = upload.begin();
    for index in 0..count {
        events.extend(upload.succeed(index));
    }
    events.push(upload.end(Outcome::Succeeded));
    scenes::apply_events(&mut model, events);
    model
}

#[test]
fn one_image_can_be_enlarged() {
    let mut model = gallery(entered(scenes::deployed(USUAL)), 5);
    assert!(!model.test_upload.results.is_single());
    press(&mut model, KeyCode::Right);
    press(&mut model, KeyCode::Char('z'));
    assert!(model.test_upload.results.is_single());
    assert!(scenes::text_of(&model).contains("5 images uploaded · 2 of 5"));
    press(&mut model, KeyCode::Right);
    assert_eq!(model.test_upload.results.selected(), 2);
    press(&mut model, KeyCode::Esc);
    assert!(!model.test_upload.results.is_single());
    assert_eq!(model.test_upload.results.selected(), 2);
}

#[test]
fn click_selects_and_second_click_opens() {
    let mut model = gallery(entered(scenes::deployed(USUAL)), 5);
    assert_eq!(model.test_upload.results.selected(), 0);
    let columns = model.test_upload.gallery();
    let (index, area) = columns.cards(0).nth(1).expect("a second card");
    model.test_upload.click(area.x, area.y);
    assert_eq!(model.test_upload.results.selected(), index);
    model.test_upload.click(area.x, area.y);
    assert!(model.test_upload.results.is_single());

    let mut model = entered(scenes::deployed(USUAL));
    model.test_upload.click(3, 4);
    assert_eq!(model.test_upload.chooser.selected_image().map(|entry| entry.name.as_str()), Some("lighthouse.jpg"));
    model.test_upload.click(3, 4);
    assert_eq!(model.test_upload.chooser.marked(), [PathBuf::from("/tmp/samples/lighthouse.jpg")]);
}

#[test]
fn pictures_of_visible_cards_are_requested() {
    let model = gallery(entered(scenes::deployed(USUAL)), 5);
    let areas = model.test_upload.gallery();
    let in_sight = areas.cards(0).count();
    assert_eq!(in_sight, 5);
    for (index, area) in areas.cards(0) {
        let small = super::areas::CardAreas::of(area);
        let card = &model.test_upload.results.test_upload().expect("a trial").cards[index];
        let path = card.thumbnail.as_deref().expect("it was received");
        let shown = model.test_upload.picture(path, small.thumbnail.expect("it fits"));
        assert!(matches!(shown, PictureState::Loading(None)));
    }
    assert!(model.test_upload.on_screen().len() >= in_sight);
}

/// A random action.
#[derive(Clone, Debug)]
enum RandomAction {
    Press(KeyCode),
    Hear(u8),
    Resize(u16, u16),
    Click(u16, u16),
    Event(usize),
    Ended(bool),
    Paste,
    Drawn(bool),
}

fn steps() -> impl Strategy<Value = Vec<RandomAction>> {
    let keys = prop::sample::select(
        "jkhlGg /izs6123aDxyn~"
            .chars()
            .map(KeyCode::Char)
            .chain([
                KeyCode::Enter,
                KeyCode::Esc,
                KeyCode::Tab,
                KeyCode::Up,
                KeyCode::Down,
                KeyCode::Left,
                KeyCode::Right,
                KeyCode::Home,
                KeyCode::Backspace,
                KeyCode::PageDown,
            ])
            .collect::<Vec<_>>(),
    );
    let step = prop_oneof![
        12 => keys.prop_map(RandomAction::Press),
        3 => (0..8_u8).prop_map(RandomAction::Hear),
        1 => (0..220_u16, 0..70_u16).prop_map(|(width, height)| RandomAction::Resize(width, height)),
        2 => (0..130_u16, 0..45_u16).prop_map(|(column, row)| RandomAction::Click(column, row)),
        5 => (0..24_usize).prop_map(RandomAction::Event),
        1 => any::<bool>().prop_map(RandomAction::Ended),
        1 => Just(RandomAction::Paste),
        2 => any::<bool>().prop_map(RandomAction::Drawn),
    ];
    prop::collection::vec(step, 0..60)
}

/// The events of two test uploads, for any order.
fn events() -> Vec<Event> {
    let mut one = UploadScript::new(2, &["/photos/a.jpg", "/photos/b.jpg", "relative.png"]);
    let mut events = one.begin();
    events.extend(one.succeed(0));
    events.extend(one.fail(1));
    let reason = SkipReason::Cancelled;
    events.push(one.script.event(EventKind::StepSkipped { step: UploadScript::id(2), reason }));
    events.push(one.end(Outcome::Cancelled));
    let mut two = UploadScript::new(3, &["/photos/a.jpg"]);
    events.extend(two.begin());
    events.extend(two.succeed(0));
    events.push(two.end(Outcome::Succeeded));
    events
}

fn report(number: u8) -> TestUploadReport {
    match number {
        0 => TestUploadReport::Listed(Folder::Samples, Ok(samples())),
        1 => TestUploadReport::Listed(Folder::Working, Ok(pictures())),
        2 => TestUploadReport::Listed(Folder::At("/home/ada".into()), Err(Failure::new("permission denied"))),
        3 => TestUploadReport::Listed(Folder::Samples, Err(Failure::new("the disk is full"))),
        4 => TestUploadReport::Completed(String::new(), pictures().entries),
        5 => TestUploadReport::Inspected(vec![image("/data", "x.jpg", 1), folder("/data", "y")]),
        6 => TestUploadReport::Completed("~".into(), vec![folder("/home/ada", "日本")]),
        _ => TestUploadReport::GraphicsChanged,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_actions_keep_panel_drawable_with_valid_cursor(steps in steps()) {
        let mut model = scenes::deployed((80, 24));
        let events = events();
        let mut pending: Vec<PictureKey> = Vec::new();
        for step in steps {
            let effects = match step {
                RandomAction::Press(code) => press(&mut model, code),
                RandomAction::Hear(number) => apply_report(&mut model, report(number)),
                RandomAction::Resize(width, height) => update(&mut model, Message::Resize(width, height)),
                RandomAction::Click(column, row) => model.test_upload.click(column, row),
                RandomAction::Event(number) => {
                    update(&mut model, Message::Events(events.get(number).cloned().into_iter().collect()))
                }
                RandomAction::Ended(well) => {
                    let ended = if well { Ok(Outcome::Succeeded) } else { Err(Failure::new("the disk is full")) };
                    scenes::start_run(&mut model, RunAction::TestUpload);
                    update(&mut model, Message::RunEnded(ended))
                }
                RandomAction::Paste => update(&mut model, Message::Paste("/data/x.jpg".into())),
                RandomAction::Drawn(well) => match pending.pop() {
                    None => Vec::new(),
                    Some(key) => {
                        let picture = if well { Ok(picture((64, 48), 9, key.cells)) } else { Err(Failure::new("no")) };
                        apply_report(&mut model, TestUploadReport::Rendered(key, picture))
                    }
                },
            };
            if effects.iter().any(|effect| matches!(effect, Effect::TestUpload(TestUploadCommand::Render(_)))) {
                pending = requested(&effects);
            }
            scenes::screen(&model);
            let rows = model.test_upload.chooser.rows();
            let can_stand = rows.iter().any(ChooserRow::can_be_chosen);
            prop_assert_eq!(model.test_upload.chooser.selected().is_some(), can_stand);
            if let Some(test_upload) = model.test_upload.results.test_upload() {
                prop_assert!(model.test_upload.results.selected() < test_upload.cards.len());
            }
            if !model.activity.is_running() {
                prop_assert!(!model.test_upload.is_waiting(), "the wait would never end");
            }
        }
    }
}
