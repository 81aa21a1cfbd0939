//! [`Lines`]: all lines of a log, by number. Some blocks are in memory, the others in an unnamed temporary file.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;

use thumbctl_core::event::Failure;
use thumbctl_core::redaction::Redactor;

use super::block::{Block, BlockSize, LONGEST};
use super::protocol::{DisplayLine, LogRow};
use crate::log_store::ansi::{self, StyledText};

/// The memory budget for lines in bytes.
pub(super) const BUDGET: usize = 8 * 1024 * 1024;

/// All lines of a log.
#[derive(Debug)]
pub(super) struct Lines {
    /// The closed blocks, oldest first.
    entries: VecDeque<BlockEntry>,
    /// The number of dropped blocks, which is the number of the first entry.
    dropped: usize,
    /// The blocks in memory by number, most recently used last.
    resident: VecDeque<(usize, Block)>,
    resident_bytes: usize,
    /// The last block, which is being filled.
    open: Block,
    /// The maximum size of a block's text in bytes.
    block: usize,
    budget: usize,
    spill: SpillFile,
    failure: Option<Failure>,
    /// Masks credentials; stateful, since a private key spans lines.
    redactor: Redactor,
}

/// The location of a closed block.
#[derive(Clone, Copy, Debug)]
struct BlockEntry {
    /// The number of its first line.
    first: usize,
    size: BlockSize,
    /// The offset in the file, once written.
    offset: Option<u64>,
}

/// Creates the temporary file.
pub(super) type OpenFile = fn() -> io::Result<File>;

/// The file for blocks that do not fit into memory.
#[derive(Debug)]
struct SpillFile {
    open: OpenFile,
    file: Option<File>,
    end: u64,
    /// Whether writing failed.
    is_broken: bool,
    /// Whether a read failure was reported.
    is_unreadable: bool,
}

impl SpillFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<u64> {
        let file = match &mut self.file {
            Some(file) => file,
            none => none.insert((self.open)()?),
        };
        file.write_all_at(bytes, self.end)?;
        let offset = self.end;
        self.end += bytes.len() as u64;
        Ok(offset)
    }

    fn read(&self, offset: u64, into: &mut [u8]) -> io::Result<()> {
        let file = self.file.as_ref().ok_or(io::ErrorKind::NotFound)?;
        file.read_exact_at(into, offset)
    }
}

impl Lines {
    pub(super) fn new(block: usize, budget: usize, open: OpenFile) -> Self {
        Self {
            entries: VecDeque::new(),
            dropped: 0,
            resident: VecDeque::new(),
            resident_bytes: 0,
            open: Block::default(),
            block,
            budget,
            spill: SpillFile { open, file: None, end: 0, is_broken: false, is_unreadable: false },
            failure: None,
            redactor: Redactor::default(),
        }
    }

    /// Removes all lines and the file.
    pub(super) fn clear(&mut self) {
        *self = Self::new(self.block, self.budget, self.spill.open);
    }

    /// The number of the first retained line.
    pub(super) fn first(&self) -> usize {
        self.entries.front().map_or(0, |entry| entry.first)
    }

    /// The number after the last line.
    pub(super) fn end(&self) -> usize {
        self.open_first() + self.open.len()
    }

    /// The number of the first line of the open block.
    fn open_first(&self) -> usize {
        self.entries.back().map_or(0, |entry| entry.first + entry.size.lines)
    }

    /// Takes the failure since the last call.
    pub(super) fn take_failure(&mut self) -> Option<Failure> {
        self.failure.take()
    }

    /// The memory use of the lines in bytes.
    #[cfg(test)]
    pub(super) fn memory(&self) -> usize {
        self.resident_bytes + self.open.memory()
    }

    /// Appends a line; a text with line breaks becomes several lines.
    pub(super) fn push(&mut self, line: &DisplayLine) {
        let time = line.timestamp.map(|time| time.timestamp_millis());
        let text = line.text.trim_end_matches(['\r', '\n']);
        if memchr::memchr(b'\n', text.as_bytes()).is_none() {
            let styled = ansi::read(text);
            match self.masked(&styled.text) {
                Some(masked) => self.add(&StyledText { text: masked, ranges: Vec::new() }, time),
                None => self.add(&styled, time),
            }
            return;
        }
        // Masked together: a quoted value may span lines.
        let lines: Vec<StyledText> = text.split('\n').map(ansi::read).collect();
        let together = lines.iter().map(|line| line.text.as_str()).collect::<Vec<_>>().join("\n");
        match self.masked(&together) {
            Some(masked) => {
                masked
                    .split('\n')
                    .for_each(|text| self.add(&StyledText { text: text.into(), ranges: Vec::new() }, time));
            }
            None => lines.iter().for_each(|line| self.add(line, time)),
        }
    }

    /// The masked text, if it contains a credential. The plain text is checked, since escape sequences may split a
    /// credential. Masking invalidates the style ranges, so colours are dropped.
    fn masked(&mut self, text: &str) -> Option<String> {
        match self.redactor.redact(text) {
            Cow::Borrowed(_) => None,
            Cow::Owned(masked) => Some(masked),
        }
    }

    fn add(&mut self, styled: &StyledText, time: Option<i64>) {
        let mut from = 0;
        loop {
            let rest = &styled.text[from..];
            let part = &rest[..rest.floor_char_boundary(LONGEST)];
            if !self.open.has_room(part.len(), self.block) {
                self.close();
            }
            self.open.push(part, &styled.ranges, from, time, from > 0);
            from += part.len();
            if from == styled.text.len() {
                break;
            }
        }
    }

    /// Closes the open block and starts a new one.
    fn close(&mut self) {
        let mut full = std::mem::replace(&mut self.open, Block::open(self.block));
        if full.len() == 0 {
            return;
        }
        full.close();
        let first = self.open_first();
        self.entries.push_back(BlockEntry { first, size: full.size(), offset: None });
        let number = self.dropped + self.entries.len() - 1;
        self.keep(number, full, true);
    }

    /// Adds a block to memory, evicting others over budget.
    fn keep(&mut self, number: usize, block: Block, may_drop: bool) {
        self.resident_bytes += block.memory();
        self.resident.push_back((number, block));
        while self.resident_bytes > self.budget && self.resident.len() > 1 && self.make_room(may_drop) {}
    }

    /// Evicts the least recently used block. Returns whether further eviction is possible.
    fn make_room(&mut self, may_drop: bool) -> bool {
        if !self.spill.is_broken {
            let number = self.resident.front().expect("there is more than one").0;
            match self.write(number) {
                Ok(()) => self.evict(0),
                Err(error) => {
                    self.spill.is_broken = true;
                    let hint = "the oldest lines are dropped; free space in the temporary folder (TMPDIR)";
                    self.fail("cannot write the log to a temporary file", &error, hint);
                }
            }
            return true;
        }
        // Without the file: first evict what it already has, then drop the oldest lines, so that no gap appears.
        let others = self.resident.len() - 1;
        let is_written = |(number, _): &(usize, Block)| self.entries[*number - self.dropped].offset.is_some();
        if let Some(at) = self.resident.iter().take(others).position(is_written) {
            self.evict(at);
            return true;
        }
        if may_drop {
            if let Some(at) = self.resident.iter().position(|(number, _)| *number == self.dropped) {
                self.evict(at);
            }
            self.entries.pop_front();
            self.dropped += 1;
        }
        may_drop
    }

    /// Writes the first block in memory to the file, unless already written.
    fn write(&mut self, number: usize) -> io::Result<()> {
        let entry = &mut self.entries[number - self.dropped];
        if entry.offset.is_none() {
            entry.offset = Some(self.spill.write(&self.resident[0].1.to_bytes())?);
        }
        Ok(())
    }

    fn evict(&mut self, index: usize) {
        if let Some((_, block)) = self.resident.remove(index) {
            self.resident_bytes -= block.memory();
        }
    }

    fn fail(&mut self, message: &str, error: &io::Error, hint: &str) {
        self.failure = Some(Failure {
            message: message.to_owned(),
            causes: vec![error.to_string()],
            log: Vec::new(),
            hint: Some(hint.to_owned()),
        });
    }

    /// Reports unreadable lines, only once.
    fn fail_reading(&mut self, error: &io::Error) {
        if !std::mem::replace(&mut self.spill.is_unreadable, true) {
            let hint = "these lines are shown empty; new lines are not affected";
            self.fail("cannot read log lines from the temporary file", error, hint);
        }
    }

    /// The index of the entry whose block has a line; none for the open block.
    fn entry_of(&self, line: usize) -> Option<usize> {
        if line >= self.open_first() {
            return None;
        }
        Some(self.entries.partition_point(|entry| entry.first + entry.size.lines <= line))
    }

    /// Loads the block of a line; returns it with the number of its first line.
    fn block_of(&mut self, line: usize) -> (usize, &Block) {
        let Some(at) = self.entry_of(line) else { return (self.open_first(), &self.open) };
        let first = self.entries[at].first;
        let number = self.dropped + at;
        match self.resident.iter().rposition(|(other, _)| *other == number) {
            Some(index) if index + 1 == self.resident.len() => {}
            Some(index) => {
                let used = self.resident.remove(index).expect("it was just found");
                self.resident.push_back(used);
            }
            None => {
                let block = self.load(self.entries[at]);
                self.keep(number, block, false);
            }
        }
        (first, &self.resident.back().expect("it was just put there").1)
    }

    fn load(&mut self, entry: BlockEntry) -> Block {
        let mut bytes = vec![0; entry.size.bytes()];
        let read = entry.offset.ok_or_else(|| io::ErrorKind::NotFound.into());
        let block = read
            .and_then(|offset| self.spill.read(offset, &mut bytes))
            .and_then(|()| Block::from_bytes(&bytes, entry.size).ok_or_else(|| io::ErrorKind::InvalidData.into()));
        block.unwrap_or_else(|error| {
            self.fail_reading(&error);
            Block::blank(entry.size.lines)
        })
    }

    /// The text of a line.
    pub(super) fn text(&mut self, line: usize) -> &str {
        let (first, block) = self.block_of(line);
        block.line(line - first)
    }

    /// A line with styles and timestamp.
    pub(super) fn row(&mut self, line: usize) -> LogRow {
        let (first, block) = self.block_of(line);
        block.row(line - first, line)
    }

    /// The lines from a line to the end of its block.
    pub(super) fn rest_of_block(&self, line: usize) -> Range<usize> {
        match self.entry_of(line) {
            None => line..self.end(),
            Some(at) => line..self.entries[at].first + self.entries[at].size.lines,
        }
    }

    /// The text from a line to the end of its block. A block in the file is read into the buffer and not cached: a search
    /// reads everything once and would evict the visible blocks.
    pub(super) fn texts_from<'a>(&'a mut self, line: usize, buffer: &'a mut Vec<u8>) -> &'a [u8] {
        let Some(at) = self.entry_of(line) else { return self.open.text_from(line - self.open_first()) };
        let entry = self.entries[at];
        let number = self.dropped + at;
        if let Some(index) = self.resident.iter().position(|(other, _)| *other == number) {
            return self.resident[index].1.text_from(line - entry.first);
        }
        buffer.resize(entry.size.text, 0);
        let read = entry.offset.ok_or_else(|| io::ErrorKind::NotFound.into());
        if let Err(error) = read.and_then(|offset| self.spill.read(offset, buffer)) {
            self.fail_reading(&error);
            return &[];
        }
        let skipped = match line - entry.first {
            0 => 0,
            lines => memchr::memchr_iter(b'\n', buffer).nth(lines - 1).map_or(buffer.len(), |at| at + 1),
        };
        &buffer[skipped..]
    }

    /// Copies the text of lines of one block, with the indices of continuation lines among them.
    pub(super) fn copy(&mut self, lines: Range<usize>) -> (Vec<u8>, Vec<usize>) {
        let (first, block) = self.block_of(lines.start);
        let inside = lines.start - first..lines.end - first;
        let continued = block.continued(inside.clone()).map(|line| line - inside.start).collect();
        (block.texts(inside).to_vec(), continued)
    }
}

/// Creates an unnamed temporary file.
pub(super) fn temporary_file() -> io::Result<File> {
    tempfile::tempfile()
}
