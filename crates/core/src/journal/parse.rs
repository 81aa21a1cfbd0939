//! Parses the lines of a journal.

use std::io::BufRead;
use std::path::Path;

use super::{JournalError, io_error};
use crate::event::{Event, UnknownEvent, VERSION};

/// Passes the events of the complete lines to `handle`, in order.
pub(super) fn read_events(
    path: &Path,
    mut reader: impl BufRead,
    mut handle: impl FnMut(Event),
) -> Result<(), JournalError> {
    let mut line = Vec::new();
    for number in 1.. {
        line.clear();
        let read = reader.read_until(b'\n', &mut line).map_err(io_error("read", path))?;
        if read == 0 || !line.ends_with(b"\n") {
            break;
        }
        handle(parse(path, number, &line)?);
    }
    Ok(())
}

/// Parses the event on a complete line. A line with an event's fixed fields is not damaged, but of a newer version.
pub(super) fn parse(path: &Path, number: usize, line: &[u8]) -> Result<Event, JournalError> {
    let event = serde_json::from_slice::<Event>(line)
        .or_else(|source| serde_json::from_slice::<Event<UnknownEvent>>(line).map(Event::from).map_err(|_| source));
    match event {
        Ok(event) if event.v <= VERSION => Ok(event),
        Ok(event) => Err(JournalError::Newer { path: path.to_owned(), found: event.v.into() }),
        Err(source) => {
            // Even the fixed fields of an event may have changed.
            let version = serde_json::from_slice::<serde_json::Value>(line).ok().and_then(|value| value["v"].as_u64());
            match version.filter(|&found| found > u64::from(VERSION)) {
                Some(found) => Err(JournalError::Newer { path: path.to_owned(), found }),
                None => Err(JournalError::Damaged { path: path.to_owned(), line: number, source }),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::EventKind;

    /// Parses a line with an event's fixed fields and these.
    fn parse_fields(fields: &str) -> Result<EventKind, JournalError> {
        let line = format!(r#"{{"v":1,"run":"0001-deploy-9f2c","seq":4,"at":"2026-11-29T17:38:44.390Z",{fields}}}"#);
        parse(Path::new("j.jsonl"), 1, line.as_bytes()).map(|event| event.kind)
    }

    const RUN: &str = r#""event":"run_started","action":"deploy","deployment":"demo","strategy":"sdk","cloud":"sandbox",
        "account":"000000000000","region":"us-east-1","names":{"prefix":"demo","suffix":"bc2d24b7"},
        "plan":[{"id":"queue","title":"","why":"","needs":[],"calls":[],"resource":"repository","also":["image"]}]"#;

    #[test]
    fn unknown_words_make_event_unknown() {
        let change = r#""event":"resource_changed","resource":"repository","name":"demo-bc2d24b7","state":"ready""#;
        let skip = r#""event":"step_skipped","step":"queue","reason":"cancelled""#;
        for (fields, word, newer) in [
            (RUN, r#""sdk""#, r#""pulumi""#),
            (RUN, r#""deploy","#, r#""update","#),
            (change, "repository", "dead_letter_queue"),
            (change, "ready", "drifted"),
            (skip, "cancelled", "not_needed"),
            (skip, "step_skipped", "step_postponed"),
        ] {
            let known = parse_fields(fields).expect("an event");
            assert!(!matches!(known, EventKind::Unknown(_)), "{known:?}");
            let unknown = parse_fields(&fields.replace(word, newer)).expect("an event");
            let EventKind::Unknown(unknown) = unknown else { panic!("{newer}: {unknown:?}") };
            match *unknown {
                UnknownEvent::RunStarted(run) => assert!(fields == RUN && run.cloud == "sandbox"),
                UnknownEvent::ResourceChanged(it) => assert!(fields == change && it.name == "demo-bc2d24b7"),
                UnknownEvent::Other => assert_eq!(fields, skip),
            }
        }
    }

    #[test]
    fn unknown_fields_and_kinds_in_plan_are_ignored() {
        let fields = RUN.replace("repository", "dead_letter_queue").replace("image", "alarm");
        let EventKind::RunStarted(run) = parse_fields(&format!(r#"{fields},"owner":{{}}"#)).expect("an event") else {
            panic!("a known run")
        };
        assert_eq!(run.plan.steps()[0].resources().count(), 0);
    }

    #[test]
    fn event_without_required_fields_is_damaged() {
        for fields in [r#""event":{}"#.to_owned(), RUN.replace("account", "owner"), RUN.replace("event", "type")] {
            assert!(matches!(parse_fields(&fields), Err(JournalError::Damaged { .. })), "{fields}");
        }
    }
}
