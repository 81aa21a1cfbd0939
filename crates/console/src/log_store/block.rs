//! [`Block`]: up to several thousand lines, in memory or in the file.
//!
//! The texts are contiguous, each followed by a line feed, so that one search covers all of them.

use std::ops::Range;

use chrono::{DateTime, Utc};
use ratatui::style::{Color, Modifier, Style};

use super::protocol::LogRow;
use crate::log_store::ansi::{StyledRange, StyledText};

/// The maximum size of a block's text in bytes.
pub(super) const TEXT: usize = 64 * 1024;
/// The maximum number of lines of a block.
const LINES: usize = 8 * 1024;
/// The maximum number of styled ranges of a block.
const RANGES: usize = 8 * 1024;
/// The maximum length of a line in bytes; longer lines continue in the next.
pub(super) const LONGEST: usize = 16 * 1024;

/// The size of a styled range in the file, in bytes.
const RANGE_BYTES: usize = 17;
/// The size of a number in bytes.
const NUMBER_BYTES: usize = 4;
/// The size of a timestamp in bytes.
const TIME_BYTES: usize = 8;

/// The supported modifiers, one bit each.
const MODIFIERS: [Modifier; 6] =
    [Modifier::BOLD, Modifier::DIM, Modifier::ITALIC, Modifier::UNDERLINED, Modifier::REVERSED, Modifier::CROSSED_OUT];

/// A block of lines.
#[derive(Clone, Debug, Default)]
pub(super) struct Block {
    text: Vec<u8>,
    /// The end of each line, after its line feed.
    ends: Vec<u32>,
    /// Timestamps in milliseconds; `i64::MIN` for none.
    times: Vec<i64>,
    ranges: Vec<(u32, StyledRange)>,
    /// The lines that continue the previous one.
    continued: Vec<u32>,
}

/// The size of a block in the file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct BlockSize {
    pub(super) text: usize,
    pub(super) lines: usize,
    ranges: usize,
    continued: usize,
}

impl BlockSize {
    /// The number of bytes in the file.
    pub(super) fn bytes(self) -> usize {
        self.text + self.lines * TIME_BYTES + self.ranges * RANGE_BYTES + self.continued * NUMBER_BYTES
    }
}

impl Block {
    /// Creates a block with a text capacity in bytes.
    pub(super) fn open(bytes: usize) -> Self {
        Self { text: Vec::with_capacity(bytes), ..Self::default() }
    }

    /// Creates a block of empty lines, as a substitute for an unreadable one.
    pub(super) fn blank(lines: usize) -> Self {
        let ends = (1..=u32::try_from(lines).expect("a block has few lines")).collect();
        Self { text: vec![b'\n'; lines], ends, times: vec![i64::MIN; lines], ..Self::default() }
    }

    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether a line of `bytes` bytes fits, for a maximum text size of `most`.
    pub(super) fn has_room(&self, bytes: usize, most: usize) -> bool {
        self.text.len() + bytes < most && self.len() < LINES && self.ranges.len() < RANGES
    }

    /// The approximate memory use in bytes.
    pub(super) fn memory(&self) -> usize {
        self.text.capacity()
            + self.ends.capacity() * NUMBER_BYTES
            + self.times.capacity() * TIME_BYTES
            + self.ranges.capacity() * size_of::<(u32, StyledRange)>()
            + self.continued.capacity() * NUMBER_BYTES
    }

    /// Releases unused capacity.
    pub(super) fn close(&mut self) {
        self.text.shrink_to_fit();
        self.ends.shrink_to_fit();
        self.times.shrink_to_fit();
        self.ranges.shrink_to_fit();
    }

    /// Adds a part of a line, of at most [`LONGEST`] bytes. It must fit.
    pub(super) fn push(
        &mut self,
        text: &str,
        ranges: &[StyledRange],
        from: usize,
        time: Option<i64>,
        is_continued: bool,
    ) {
        let line = number(self.len());
        self.text.extend_from_slice(text.as_bytes());
        self.text.push(b'\n');
        self.ends.push(number(self.text.len()));
        self.times.push(time.unwrap_or(i64::MIN));
        let to = from + text.len();
        for range in ranges.iter().filter(|range| range.start < to && range.end > from) {
            let part =
                StyledRange { start: range.start.max(from) - from, end: range.end.min(to) - from, style: range.style };
            self.ranges.push((line, part));
        }
        if is_continued {
            self.continued.push(line);
        }
    }

    /// The text from a line on.
    pub(super) fn text_from(&self, line: usize) -> &[u8] {
        &self.text[self.range(line).start..]
    }

    /// The contiguous text of a range of lines.
    pub(super) fn texts(&self, lines: Range<usize>) -> &[u8] {
        if lines.is_empty() {
            return &[];
        }
        &self.text[self.range(lines.start).start..self.range(lines.end - 1).end]
    }

    /// The continuation lines in a range.
    pub(super) fn continued(&self, lines: Range<usize>) -> impl Iterator<Item = usize> {
        self.continued.iter().map(|line| *line as usize).filter(move |line| lines.contains(line))
    }

    /// The byte range of a line, with its line feed.
    fn range(&self, line: usize) -> Range<usize> {
        let start = if line == 0 { 0 } else { self.ends[line - 1] as usize };
        start..self.ends.get(line).map_or(self.text.len(), |end| *end as usize)
    }

    /// The text of a line.
    pub(super) fn line(&self, line: usize) -> &str {
        let range = self.range(line);
        std::str::from_utf8(&self.text[range.start..range.end.saturating_sub(1)]).unwrap_or_default()
    }

    /// A line with styles and timestamp.
    pub(super) fn row(&self, line: usize, number_in_log: usize) -> LogRow {
        let index = number(line);
        let first = self.ranges.partition_point(|(at, _)| *at < index);
        let ranges = self.ranges[first..].iter().take_while(|(at, _)| *at == index).map(|(_, range)| *range).collect();
        LogRow {
            number: number_in_log,
            styled: StyledText { text: self.line(line).to_owned(), ranges },
            timestamp: DateTime::<Utc>::from_timestamp_millis(self.times[line])
                .filter(|_| self.times[line] != i64::MIN),
            is_continued: self.continued.binary_search(&index).is_ok(),
        }
    }

    pub(super) fn size(&self) -> BlockSize {
        BlockSize {
            text: self.text.len(),
            lines: self.len(),
            ranges: self.ranges.len(),
            continued: self.continued.len(),
        }
    }

    /// Serializes the block: the text first, so that a search reads nothing else.
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.size().bytes());
        bytes.extend_from_slice(&self.text);
        for time in &self.times {
            bytes.extend_from_slice(&time.to_le_bytes());
        }
        for (line, range) in &self.ranges {
            bytes.extend_from_slice(&line.to_le_bytes());
            bytes.extend_from_slice(&short(range.start).to_le_bytes());
            bytes.extend_from_slice(&short(range.end).to_le_bytes());
            bytes.extend_from_slice(&colour_bytes(range.style.fg));
            bytes.extend_from_slice(&colour_bytes(range.style.bg));
            let flags = MODIFIERS.iter().enumerate().filter(|(_, flag)| range.style.add_modifier.contains(**flag));
            bytes.push(flags.fold(0, |all, (bit, _)| all | 1 << bit));
        }
        for line in &self.continued {
            bytes.extend_from_slice(&line.to_le_bytes());
        }
        bytes
    }

    /// Deserializes a block; none if the bytes are invalid.
    pub(super) fn from_bytes(bytes: &[u8], size: BlockSize) -> Option<Self> {
        if bytes.len() != size.bytes() {
            return None;
        }
        let (text, rest) = bytes.split_at(size.text);
        let (times, rest) = rest.split_at(size.lines * TIME_BYTES);
        let (ranges, continued) = rest.split_at(size.ranges * RANGE_BYTES);
        let ends: Vec<u32> = memchr::memchr_iter(b'\n', text).map(|at| number(at + 1)).collect();
        let block = Self {
            text: text.to_vec(),
            ends,
            times: times.as_chunks().0.iter().map(|time| i64::from_le_bytes(*time)).collect(),
            ranges: ranges.as_chunks().0.iter().map(range_from).collect(),
            continued: continued.as_chunks().0.iter().map(|line| u32::from_le_bytes(*line)).collect(),
        };
        (block.len() == size.lines).then_some(block)
    }
}

fn range_from(bytes: &[u8; RANGE_BYTES]) -> (u32, StyledRange) {
    let [a, b, c, d, start_low, start_high, end_low, end_high, fg @ .., g0, g1, g2, g3, flags] = *bytes;
    let add_modifier = MODIFIERS
        .iter()
        .enumerate()
        .filter(|(bit, _)| flags & 1 << bit != 0)
        .fold(Modifier::empty(), |all, (_, flag)| all | *flag);
    let style = Style { fg: colour_of(fg), bg: colour_of([g0, g1, g2, g3]), add_modifier, ..Style::new() };
    let start = usize::from(u16::from_le_bytes([start_low, start_high]));
    let end = usize::from(u16::from_le_bytes([end_low, end_high]));
    (u32::from_le_bytes([a, b, c, d]), StyledRange { start, end, style })
}

fn colour_bytes(colour: Option<Color>) -> [u8; 4] {
    match colour {
        Some(Color::Indexed(index)) => [1, index, 0, 0],
        Some(Color::Rgb(red, green, blue)) => [2, red, green, blue],
        _ => [0; 4],
    }
}

fn colour_of([kind, a, b, c]: [u8; 4]) -> Option<Color> {
    match kind {
        1 => Some(Color::Indexed(a)),
        2 => Some(Color::Rgb(a, b, c)),
        _ => None,
    }
}

fn number(size: usize) -> u32 {
    u32::try_from(size).expect("a block is small")
}

fn short(size: usize) -> u16 {
    u16::try_from(size).expect("a line is short")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log_store::ansi;

    fn block() -> Block {
        let mut block = Block::open(TEXT);
        for (text, time) in
            [("\u{1b}[1;31mred\u{1b}[0m \u{1b}[48;2;1;2;3;3mground", Some(7)), ("", None), ("日本", Some(9))]
        {
            let styled = ansi::read(text);
            block.push(&styled.text, &styled.ranges, 0, time, text.is_empty());
        }
        block
    }

    #[test]
    fn block_round_trips_through_bytes() {
        let block = block();
        let bytes = block.to_bytes();
        let again = Block::from_bytes(&bytes, block.size()).expect("the bytes are valid");
        for line in 0..block.len() {
            assert_eq!(again.row(line, line), block.row(line, line));
        }
        assert_eq!(again.row(0, 0).styled, ansi::read("\u{1b}[1;31mred\u{1b}[0m \u{1b}[48;2;1;2;3;3mground"));
        assert_eq!(again.row(1, 1).timestamp, None);
        assert!(again.row(1, 1).is_continued);
        assert_eq!(again.text_from(1), "\n日本\n".as_bytes());
    }

    #[test]
    fn invalid_bytes_are_rejected() {
        let block = block();
        let mut bytes = block.to_bytes();
        bytes[3] = b'\n';
        assert!(Block::from_bytes(&bytes, block.size()).is_none());
        assert!(Block::from_bytes(&bytes[1..], block.size()).is_none());
    }

    #[test]
    fn split_line_keeps_colours() {
        let styled = ansi::read("ab\u{1b}[31mcdef\u{1b}[0mgh");
        let mut block = Block::open(TEXT);
        block.push(&styled.text[..4], &styled.ranges, 0, None, false);
        block.push(&styled.text[4..], &styled.ranges, 4, None, true);
        let parts = |line| block.row(line, line).styled.ranges.iter().map(|p| (p.start, p.end)).collect::<Vec<_>>();
        assert_eq!((parts(0), parts(1)), (vec![(2, 4)], vec![(0, 2)]));
    }
}
