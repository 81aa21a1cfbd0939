use insta::assert_snapshot;
use thumbctl_core::resource::ResourceKind;

use super::*;
use crate::scenes;
use crate::theme::Theme;

fn with_dependencies(size: (u16, u16), selected: ResourceKind) -> Model {
    let mut model = scenes::building(size);
    model.resources.dependencies = true;
    model.resources.selected = selected;
    model
}

#[test]
fn dependencies_of_selection_are_marked() {
    assert_snapshot!(scenes::text_of(&with_dependencies((60, 24), ResourceKind::BuildProject)));
}

#[test]
fn relations_are_equal_in_teardown() {
    let relations = |model: &Model| {
        let graph = DependencyGraph::of(model);
        ResourceKind::ARCHITECTURE.map(|kind| graph.relation(kind, ResourceKind::Function))
    };
    assert_eq!(relations(&scenes::deployed((80, 24))), relations(&scenes::destroying((80, 24))));
}

#[test]
fn selected_row_is_visible() {
    for height in 0..24 {
        for kind in ResourceKind::ARCHITECTURE {
            let mut model = scenes::building((60, 24));
            model.resources.selected = kind;
            let inside = Rect::new(0, 0, 58, height);
            let first = first_row(inside, &model);
            let at = ResourceKind::ARCHITECTURE.iter().position(|other| *other == kind).expect("a kind");
            let rows = usize::from(height);
            assert!(height == 0 || (first..first + rows).contains(&at), "{kind} at {height}: from {first}");
            assert!(first + rows <= ResourceKind::ARCHITECTURE.len() || first == 0, "no row is left empty");
        }
    }
}

#[test]
fn list_shows_number_of_hidden_rows() {
    let mut model = scenes::building((60, 20));
    model.resources.selected = ResourceKind::Notification;
    assert!(scenes::text_of(&model).contains("↑ 2 more"));
    model.resources.selected = ResourceKind::FunctionRole;
    let screen = scenes::text_of(&model);
    assert!(screen.contains("↑ 1 more  ↓ 1 more"), "{screen}");
}

#[test]
fn lost_resource_is_shown() {
    let mut model = scenes::deployed((80, 24));
    model.details.lost = vec![ResourceKind::SourceBucket];
    let screen = scenes::text_of(&model);
    let row = screen.lines().find(|line| line.contains("Source bucket ")).expect("the row");
    assert!(row.contains("lost") && row.contains("◌"), "{row}");
}

#[test]
fn selection_style_shows_focus() {
    let mut model = scenes::building((120, 40));
    let inside = Layout::inside(model.layout().resources.expect("a wide layout"));
    let style_of = |model: &Model| {
        let cell = &scenes::screen(model)[(inside.x + 5, inside.y)];
        (cell.fg, cell.bg)
    };
    let colours = |role| {
        let style = Theme::Dark.style(role);
        (style.fg.expect("a colour"), style.bg.expect("a background"))
    };
    assert_eq!(style_of(&model), colours(Role::Selected));
    model.focus = Panel::Build;
    assert_eq!(style_of(&model), colours(Role::SelectedElsewhere));
}

#[test]
fn states_have_unique_labels_and_symbols() {
    let model = scenes::building((120, 40));
    let appearance = Appearance::of(&model);
    let states = [
        ResourceDisplayState::Waiting,
        ResourceDisplayState::Next,
        ResourceDisplayState::Creating,
        ResourceDisplayState::Retrying,
        ResourceDisplayState::Ready,
        ResourceDisplayState::Failed,
        ResourceDisplayState::Deleted,
        ResourceDisplayState::Unfinished,
    ];
    let mut row = model.resource_rows().remove(0);
    let mut signs: Vec<(&str, &str)> = states
        .iter()
        .map(|state| {
            row.state = *state;
            let sign = status_symbol::for_resource(&row, &model, appearance);
            (sign.symbol, sign.label)
        })
        .collect();
    signs.sort_unstable();
    assert!(signs.windows(2).all(|two| two[0].0 != two[1].0 && two[0].1 != two[1].1), "{signs:?}");
}
