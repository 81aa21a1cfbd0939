//! Snapshots of the panel in each state and size.

use crossterm::event::KeyCode;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Color;
use thumbctl_core::event::{Action, Outcome, TestUploadStage};
use thumbctl_platform::text;

use super::areas;
use crate::message::{Effect, Message};
use crate::model::Model;
use crate::model::overlay::Overlay;
use crate::pane::test_upload::protocol::{PictureKey, TestUploadCommand, TestUploadReport};
use crate::pane::test_upload::state::tests::{
    UploadScript, apply_report, entered, gallery, picture, pictures, press, samples, send,
};
use crate::pictures::{Graphics, GraphicsKind, Picture};
use crate::scenes;
use crate::symbols;
use crate::theme::{Role, Theme};
use crate::update::update;
use crate::view::layout::Layout;

const SIZES: [(u16, u16); 4] = [(60, 20), (80, 24), (120, 40), (200, 60)];

/// The panel of a model as text.
fn panel(model: &Model) -> String {
    let buffer = scenes::screen(model);
    let area = model.layout().main;
    let mut out = String::new();
    for y in area.top()..area.bottom() {
        let mut line = String::new();
        let mut skip = 0;
        for x in area.left()..area.right() {
            if skip > 0 {
                skip -= 1;
                continue;
            }
            let symbol = buffer[(x, y)].symbol();
            line.push_str(symbol);
            skip = text::width(symbol).saturating_sub(1);
        }
        out.push_str(line.trim_end());
        out.push('\n');
    }
    out
}

/// Draws a state at each size.
fn at_each_size(name: &str, make: impl Fn((u16, u16)) -> Model) {
    for (width, height) in SIZES {
        insta::assert_snapshot!(format!("{name}_{width}x{height}"), panel(&make((width, height))));
    }
}

/// Provides the pixel sizes of all pictures by rendering at another size: snapshots show a frame instead of half blocks.
fn know_pixels(model: &mut Model) {
    for (path, pixels) in samples().entries.into_iter().map(|entry| (entry.path, (1600, 1067))).chain(
        ["bubbles.png", "kites.gif", "lighthouse.jpg", "mountains.jpg", "waves.webp"]
            .map(|name| (format!("/tmp/thumbnails/thumb-{name}").into(), (200, 133))),
    ) {
        let key = PictureKey { path, cells: (1, 1) };
        apply_report(model, TestUploadReport::Rendered(key, Ok(picture(pixels, 81_002, (1, 1)))));
    }
}

/// A test upload of one image, with events.
fn one(
    size: (u16, u16),
    events: impl Fn(&mut UploadScript) -> Vec<thumbctl_core::event::Event>,
    seconds: f64,
) -> Model {
    let mut model = entered(scenes::deployed(size));
    for _ in 0..3 {
        press(&mut model, KeyCode::Down);
    }
    send(&mut model);
    let mut upload = UploadScript::new(2, &["/tmp/samples/mountains.jpg"]);
    let mut all = upload.begin();
    all.extend(events(&mut upload));
    scenes::apply_events(&mut model, all);
    know_pixels(&mut model);
    update(&mut model, Message::Tick(scenes::after(240.0 + seconds)));
    model
}

fn succeeded(size: (u16, u16)) -> Model {
    let mut model = one(
        size,
        |upload| {
            let mut events = upload.succeed(0);
            events.push(upload.end(Outcome::Succeeded));
            events
        },
        0.7,
    );
    update(&mut model, Message::RunEnded(Ok(Outcome::Succeeded)));
    model
}

#[test]
fn panel_without_deployment() {
    at_each_size("empty", |size| entered(scenes::empty(size)));
}

#[test]
fn panel_with_marked_samples() {
    at_each_size("samples", |size| {
        let mut model = entered(scenes::deployed(size));
        know_pixels(&mut model);
        press(&mut model, KeyCode::Char(' '));
        press(&mut model, KeyCode::Down);
        press(&mut model, KeyCode::Char(' '));
        model
    });
}

#[test]
fn panel_with_folder() {
    at_each_size("browsing", |size| {
        let mut model = entered(scenes::deployed(size));
        for _ in 0..10 {
            press(&mut model, KeyCode::Down);
        }
        model
    });
}

#[test]
fn panel_with_path_input() {
    at_each_size("typing", |size| {
        let mut model = entered(scenes::deployed(size));
        press(&mut model, KeyCode::Char('/'));
        for letter in "~/pictures/".chars() {
            press(&mut model, KeyCode::Char(letter));
        }
        apply_report(&mut model, TestUploadReport::Completed("~/pictures/".into(), pictures().entries));
        press(&mut model, KeyCode::Down);
        press(&mut model, KeyCode::Down);
        model
    });
}

#[test]
fn panel_during_upload() {
    at_each_size("sending", |size| one(size, |upload| vec![upload.stage(0, TestUploadStage::Uploaded, 0.041)], 0.3));
}

#[test]
fn panel_after_success() {
    at_each_size("one", succeeded);
}

#[test]
fn panel_after_failure() {
    at_each_size("failed", |size| {
        one(
            size,
            |upload| {
                let mut events = upload.fail(0);
                events.push(upload.end(Outcome::Failed));
                events
            },
            1.4,
        )
    });
}

#[test]
fn gallery_of_five() {
    at_each_size("gallery", |size| gallery(entered(scenes::deployed(size)), 5));
}

#[test]
fn gallery_in_progress() {
    let mut model = entered(scenes::deployed((120, 40)));
    send(&mut model);
    scenes::start_run(&mut model, Action::TestUpload);
    let mut upload = UploadScript::new(
        2,
        &["/photos/a.jpg", "/photos/b.jpg", "/photos/名前の長い写真名前の長い写真.jpg", "relative.gif"],
    );
    let mut events = upload.begin();
    events.extend(upload.succeed(0));
    events.extend(upload.fail(1));
    events.push(upload.stage(2, TestUploadStage::Uploaded, 0.2));
    scenes::apply_events(&mut model, events);
    insta::assert_snapshot!("gallery_in_progress", panel(&model));
}

#[test]
fn panel_without_unicode() {
    let mut model = succeeded((80, 24));
    model.symbols = &symbols::ASCII;
    insta::assert_snapshot!("one_ascii_80x24", panel(&model));
    let mut model = entered(scenes::deployed((60, 20)));
    model.symbols = &symbols::ASCII;
    press(&mut model, KeyCode::Char('G'));
    let signs: String = panel(&model).chars().filter(|c| !c.is_ascii() && !"日本の写真".contains(*c)).collect();
    assert_eq!(signs, "", "a truncated name ends with an ASCII symbol");
}

/// Renders every requested picture.
fn draw_pictures(model: &mut Model) {
    // Requests all visible pictures again.
    let effects = apply_report(model, TestUploadReport::GraphicsChanged);
    for effect in effects {
        if let Effect::TestUpload(TestUploadCommand::Render(keys)) = effect {
            for key in keys {
                let thumbnail = key.path.to_string_lossy().contains("thumb-");
                let pixels = if thumbnail { (200, 133) } else { (1600, 1067) };
                let cells = key.cells;
                apply_report(model, TestUploadReport::Rendered(key, Ok(picture(pixels, 81_002, cells))));
            }
        }
    }
}

#[test]
fn both_pictures_colour_their_cells() {
    for size in SIZES {
        let mut model = succeeded(size);
        draw_pictures(&mut model);
        let inside = Layout::text_area(Layout::inside(model.layout().main));
        let single = areas::SingleAreas::of(inside);
        let buffer = scenes::screen(&model);
        for area in [single.source, single.thumbnail] {
            assert_eq!(buffer[(area.x, area.y)].bg, Color::Rgb(200, 30, 60), "{size:?}");
        }
        let text = panel(&model);
        assert!(text.contains("1600 × 1067 · 81.0 kB") && text.contains("200 × 133 · 6.3 kB"), "{text}");
    }
}

#[test]
fn every_card_has_pictures() {
    let mut model = gallery(entered(scenes::deployed((120, 40))), 5);
    draw_pictures(&mut model);
    let inside = Layout::text_area(Layout::inside(model.layout().main));
    let buffer = scenes::screen(&model);
    let mut seen = 0;
    for (_, card) in areas::GalleryAreas::of(inside, 5).cards(0) {
        let small = areas::CardAreas::of(card);
        for area in [small.source, small.thumbnail].into_iter().flatten() {
            assert_eq!(buffer[(area.x, area.y)].bg, Color::Rgb(200, 30, 60));
            seen += 1;
        }
    }
    assert!(seen >= 5);
}

/// A test upload with horizontal gradients as pictures.
fn with_a_ramp(theme: Theme, symbols: &'static symbols::Symbols) -> (Model, [Rect; 2]) {
    let mut model = succeeded((120, 40));
    (model.theme, model.symbols) = (theme, symbols);
    let inside = Layout::text_area(Layout::inside(model.layout().main));
    let single = areas::SingleAreas::of(inside);
    for effect in apply_report(&mut model, TestUploadReport::GraphicsChanged) {
        let Effect::TestUpload(TestUploadCommand::Render(keys)) = effect else { continue };
        for key in keys {
            let (width, height) = (u32::from(key.cells.0), u32::from(key.cells.1) * 2);
            let image = image::RgbImage::from_fn(width, height, |x, _| {
                image::Rgb([u8::try_from(x * 255 / (width - 1)).expect("a byte"); 3])
            });
            let picture = Picture::make(image.into(), 81_002, key.cells, Graphics::default()).expect("a picture");
            apply_report(&mut model, TestUploadReport::Rendered(key, Ok(picture.into())));
        }
    }
    (model, [single.source, single.thumbnail])
}

/// A picture's first row, as text.
fn row(buffer: &Buffer, area: Rect) -> String {
    (area.left()..area.right()).map(|x| buffer[(x, area.y)].symbol()).collect()
}

/// A text without repetitions.
fn steps(row: &str) -> String {
    let mut letters: Vec<char> = row.chars().collect();
    letters.dedup();
    letters.into_iter().collect()
}

#[test]
fn picture_without_colours_is_drawn_in_shades() {
    for (symbols, ramp) in [(&symbols::UNICODE, " ░▒▓█"), (&symbols::ASCII, " .:-=+*#%@")] {
        let (model, pictures) = with_a_ramp(Theme::Plain, symbols);
        let buffer = scenes::screen(&model);
        assert!(buffer.content.iter().all(|cell| cell.fg == Color::Reset && cell.bg == Color::Reset));
        for picture in pictures {
            assert_eq!(steps(&row(&buffer, picture)), ramp);
        }
    }
}

#[test]
fn picture_without_unicode_is_coloured_ascii() {
    for (theme, ramp) in [(Theme::Dark, " .:-=+*#%@"), (Theme::Light, "@%#*+=-:. ")] {
        let (model, pictures) = with_a_ramp(theme, &symbols::ASCII);
        let buffer = scenes::screen(&model);
        let strange = buffer.content.iter().find(|cell| !cell.symbol().is_ascii());
        assert_eq!(strange, None);
        for picture in pictures {
            assert_eq!(steps(&row(&buffer, picture)), ramp);
            assert_eq!(buffer[(picture.left(), picture.y)].fg, Color::Rgb(0, 0, 0));
            assert_eq!(buffer[(picture.right() - 1, picture.y)].fg, Color::Rgb(255, 255, 255));
        }
    }
}

#[test]
fn protocol_picture_is_kept_without_colours() {
    for kind in [GraphicsKind::Kitty, GraphicsKind::Sixel] {
        let picture_in = |theme: Theme| {
            let mut model = entered(scenes::deployed((120, 40)));
            model.theme = theme;
            for effect in apply_report(&mut model, TestUploadReport::GraphicsChanged) {
                let Effect::TestUpload(TestUploadCommand::Render(keys)) = effect else { continue };
                for key in keys {
                    let image = image::RgbImage::from_pixel(80, 80, image::Rgb([9, 9, 9]));
                    let graphics = Graphics { kind, cell: (8, 16) };
                    let picture = Picture::make(image.into(), 9, key.cells, graphics).expect("a picture");
                    apply_report(&mut model, TestUploadReport::Rendered(key, Ok(picture.into())));
                }
            }
            scenes::screen(&model).content.iter().filter(|cell| cell.symbol().contains('\u{1b}')).count()
        };
        assert!(picture_in(Theme::Dark) > 0);
        assert_eq!(picture_in(Theme::Plain), picture_in(Theme::Dark), "{kind:?}");
    }
}

#[test]
fn overlaid_picture_is_hidden_by_overlay() {
    let mut model = entered(scenes::deployed((120, 40)));
    let effects = apply_report(&mut model, TestUploadReport::GraphicsChanged);
    let key = effects.into_iter().find_map(|effect| match effect {
        Effect::TestUpload(TestUploadCommand::Render(keys)) => keys.into_iter().next(),
        _ => None,
    });
    let key = key.expect("the image under the cursor is requested");
    let image = image::RgbImage::from_pixel(80, 80, image::Rgb([9, 9, 9]));
    let graphics = Graphics { kind: GraphicsKind::Sixel, cell: (8, 16) };
    let picture = Picture::make(image.into(), 9, key.cells, graphics).expect("a picture");
    apply_report(&mut model, TestUploadReport::Rendered(key, Ok(picture.into())));
    let has_sixels = |model: &Model| scenes::screen(model).content.iter().any(|cell| cell.symbol().contains("\x1bP"));
    assert!(has_sixels(&model));
    model.overlay = Some(Overlay::Help { scroll: 0 });
    assert!(!has_sixels(&model));
}

#[test]
fn states_have_styles_and_labels() {
    let model = one((120, 40), |upload| upload.fail(0), 1.4);
    let buffer = scenes::screen(&model);
    let bad = Theme::Dark.style(Role::Bad);
    let failed = buffer.content.iter().find(|cell| cell.symbol() == symbols::UNICODE.failed).expect("a sign");
    assert_eq!(Some(failed.fg), bad.fg);
    let model = entered(scenes::deployed((120, 40)));
    let buffer = scenes::screen(&model);
    let selected = Theme::Dark.style(Role::Selected);
    let inside = Layout::text_area(Layout::inside(model.layout().main));
    let list = areas::ChooserAreas::of(inside).list;
    assert_eq!(Some(buffer[(list.x, list.y + 1)].bg), selected.bg, "the first sample is under the cursor");
}

#[test]
fn control_characters_in_names_are_replaced() {
    let mut model = scenes::deployed((80, 24));
    let mut upload = UploadScript::new(2, &["/photos/a\u{1b}[31mb\u{7}.jpg"]);
    let mut events = upload.begin();
    events.extend(upload.succeed(0));
    scenes::apply_events(&mut model, events);
    press(&mut model, KeyCode::Char('6'));
    let buffer = scenes::screen(&model);
    assert!(buffer.content.iter().all(|cell| !cell.symbol().contains(['\u{1b}', '\u{7}'])));
    assert!(panel(&model).contains("ab\u{fffd}.jpg"));
}
