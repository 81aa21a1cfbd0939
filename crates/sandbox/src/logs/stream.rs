//! One log stream's events: messages in a file, their index in memory.

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use thumbctl_platform::private_fs;

/// An event's position: its time, then its order of arrival. Tokens encode it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct EventPosition {
    pub time: i64,
    pub number: u64,
}

/// The position before all events.
pub(super) const START: EventPosition = EventPosition { time: i64::MIN, number: 0 };

/// One event without its message.
#[derive(Debug, Clone, Copy)]
pub(super) struct EventEntry {
    pub at: EventPosition,
    pub ingested: i64,
    offset: u64,
    length: u32,
}

/// An event as a line of the file: number, time, ingestion time, message.
#[derive(Serialize, Deserialize)]
struct EventLine<'a>(u64, i64, i64, std::borrow::Cow<'a, str>);

/// The events of one stream.
pub(super) struct StreamEvents {
    path: PathBuf,
    end: u64,
    /// In order.
    pub entries: Vec<EventEntry>,
    pub bytes: u64,
    pub last_ingestion: Option<i64>,
}

impl StreamEvents {
    /// Opens the file, if it exists. A truncated last line belongs to an unfinished call, and is removed.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let mut events = Self { path: path.to_owned(), end: 0, entries: Vec::new(), bytes: 0, last_ingestion: None };
        let file = match File::open(path) {
            Ok(file) => file,
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => return Ok(events),
            Err(cause) => return Err(cause),
        };
        let mut reader = BufReader::new(file);
        let mut line = Vec::new();
        loop {
            line.clear();
            if reader.read_until(b'\n', &mut line)? == 0 {
                return Ok(events);
            }
            match serde_json::from_slice::<EventLine>(&line) {
                Ok(parsed) if line.ends_with(b"\n") => events.index(&parsed, line.len()),
                _ => break,
            }
        }
        OpenOptions::new().write(true).open(path)?.set_len(events.end)?;
        Ok(events)
    }

    /// Appends events: number, time, message.
    pub(super) fn append(&mut self, new: &[(u64, i64, String)], ingested: i64) -> io::Result<()> {
        let mut text = Vec::new();
        let mut lines = Vec::with_capacity(new.len());
        for (number, time, message) in new {
            let before = text.len();
            let line = EventLine(*number, *time, ingested, message.as_str().into());
            serde_json::to_writer(&mut text, &line)?;
            text.push(b'\n');
            lines.push((line, text.len() - before));
        }
        let mut file = private_fs::options().create(true).append(true).open(&self.path)?;
        // A full disk may have written a part.
        file.write_all(&text).inspect_err(|_| {
            let _ = file.set_len(self.end);
        })?;
        for (line, length) in &lines {
            self.index(line, *length);
        }
        Ok(())
    }

    fn index(&mut self, line: &EventLine, length: usize) {
        let at = EventPosition { time: line.1, number: line.0 };
        let entry = EventEntry { at, ingested: line.2, offset: self.end, length: length as u32 };
        let index = self.entries.partition_point(|other| other.at < at);
        self.entries.insert(index, entry);
        self.end += length as u64;
        // AWS adds 26 bytes per event.
        self.bytes += line.3.len() as u64 + 26;
        self.last_ingestion = self.last_ingestion.max(Some(line.2));
    }

    /// The messages of these events, in the same order.
    pub(super) fn messages(&self, entries: &[EventEntry]) -> io::Result<Vec<String>> {
        if entries.is_empty() {
            return Ok(Vec::new());
        }
        let mut file = File::open(&self.path)?;
        let mut messages = Vec::with_capacity(entries.len());
        let mut at = u64::MAX;
        let mut buffered = BufReader::new(&mut file);
        let mut line = Vec::new();
        for entry in entries {
            if entry.offset != at {
                buffered.seek(SeekFrom::Start(entry.offset))?;
            }
            line.resize(entry.length as usize, 0);
            buffered.read_exact(&mut line)?;
            at = entry.offset + u64::from(entry.length);
            messages.push(serde_json::from_slice::<EventLine>(&line)?.3.into_owned());
        }
        Ok(messages)
    }

    /// Removes the file.
    pub(super) fn delete(&self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_ordered_by_time_and_persist() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("1.jsonl");
        let mut events = StreamEvents::open(&path).unwrap();
        events.append(&[(1, 10, "b\n\"x\"".into()), (2, 30, "d".into())], 5).unwrap();
        events.append(&[(3, 5, "a".into()), (4, 10, "c".into())], 6).unwrap();
        OpenOptions::new().append(true).open(&path).unwrap().write_all(b"[5,40,7,\"cut").unwrap();
        let mut events = StreamEvents::open(&path).unwrap();
        events.append(&[(6, 50, "e".into())], 7).unwrap();
        let events = StreamEvents::open(&path).unwrap();
        assert_eq!(events.messages(&events.entries).unwrap(), ["a", "b\n\"x\"", "c", "d", "e"]);
        assert_eq!(events.last_ingestion, Some(7));
    }
}
