use super::*;
use crate::scenes;
use crate::theme::Theme;

fn line_text(line: &Line<'_>) -> String {
    line.spans.iter().map(|span| span.content.as_ref()).collect()
}

fn first_line(model: &Model, columns: usize) -> String {
    line_text(&first(model, Appearance::of(model), columns))
}

#[test]
fn less_important_parts_are_omitted_first() {
    let model = scenes::building((120, 40));
    let at = |columns| first_line(&model, columns);
    for (columns, strategy, program, progress) in
        [(100, true, true, true), (60, false, true, true), (55, false, false, true), (42, false, false, false)]
    {
        let line = at(columns);
        assert_eq!(line.contains("· sdk"), strategy, "{columns}: {line}");
        assert_eq!(line.contains("thumbctl"), program, "{columns}: {line}");
        assert_eq!(line.contains("6/15"), progress, "{columns}: {line}");
        assert!(line.contains("sandbox") && line.contains("deploying"), "{columns}: {line}");
        assert_eq!(text::width(&line), columns, "{line}");
    }
}

#[test]
fn status_does_not_move_with_time() {
    let mut model = scenes::building((120, 40));
    let mut places = Vec::new();
    for seconds in [9.9, 10.0, 59.9, 60.0, 3599.0, 7200.0] {
        model.now = scenes::after(seconds);
        let line = first_line(&model, 120);
        places.push(text::width(&line[..line.find("deploying").expect("the state")]));
    }
    assert!(places.windows(2).all(|two| two[0] == two[1]), "{places:?}");
}

#[test]
fn cloud_kind_is_known_before_connection() {
    let mut model = scenes::fresh((120, 40));
    assert_eq!(cloud_kind(&model), CloudKind::Sandbox);
    model.requested.cloud = "aws".into();
    assert_eq!(cloud_kind(&model), CloudKind::Aws);
    model.requested.cloud = "http://localhost:4566".into();
    assert_eq!(cloud_kind(&model), CloudKind::Endpoint);
    model.activity = Activity::replay();
    assert_eq!(cloud_kind(&model), CloudKind::Recorded);
}

#[test]
fn real_badge_is_used_for_aws_only() {
    for theme in [Theme::Dark, Theme::Light, Theme::HighContrast, Theme::Plain] {
        let mut model = scenes::building((120, 40));
        model.theme = theme;
        let real = theme.style(Role::RealBadge);
        let is_real = |model: &Model| {
            let screen = scenes::screen(model);
            let cell = &screen[(1, 0)];
            let end = &screen[(119, 0)];
            [cell, end]
                .iter()
                .all(|cell| real.bg.is_none_or(|bg| cell.bg == bg) && cell.modifier.contains(real.add_modifier))
        };
        assert!(!is_real(&model), "{}", theme.name());
        if let Connection::Connected(connection) = &mut model.connection {
            connection.risk = RiskLevel::Cost;
        }
        assert!(is_real(&model), "{}", theme.name());
    }
}

#[test]
fn pending_quit_is_shown() {
    let mut model = scenes::building((120, 40));
    model.quit_after = true;
    assert!(line_text(&second(&model, Appearance::of(&model), 120)).contains("quits at end of run"));
}
