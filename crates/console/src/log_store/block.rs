//! [`Block`]: some thousand lines together, in memory or in the file.
//!
//! The texts stand in one piece, each with a line feed behind it, so that a search goes through them all at once.

use std::ops::Range;

use chrono::{DateTime, Utc};
use ratatui::style::{Color, Modifier, Style};

use super::exchange::Row;
use crate::model::log::ansi::{Paint, Painted};

/// How many bytes of text a block has at most.
pub(super) const TEXT: usize = 64 * 1024;
/// How many lines a block has at most.
const LINES: usize = 8 * 1024;
/// How many coloured parts a block has before it is full.
const PAINTS: usize = 8 * 1024;
/// How many bytes of text a line has at most; what is longer goes on in the next.
pub(super) const LONGEST: usize = 16 * 1024;

/// Bytes that a coloured part takes in the file.
const PAINT_BYTES: usize = 17;
/// Bytes that a number takes.
const NUMBER_BYTES: usize = 4;
/// Bytes that a time takes.
const TIME_BYTES: usize = 8;

/// The modifiers that are kept, a bit each.
const MODIFIERS: [Modifier; 6] =
    [Modifier::BOLD, Modifier::DIM, Modifier::ITALIC, Modifier::UNDERLINED, Modifier::REVERSED, Modifier::CROSSED_OUT];

/// Some lines.
#[derive(Clone, Debug, Default)]
pub(super) struct Block {
    text: Vec<u8>,
    /// Behind the line feed of each line.
    ends: Vec<u32>,
    /// In milliseconds; the least number where there is none.
    times: Vec<i64>,
    paints: Vec<(u32, Paint)>,
    /// The lines that go on with the one before.
    continued: Vec<u32>,
}

/// How much is in a block that was written to the file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Shape {
    pub(super) text: usize,
    pub(super) lines: usize,
    paints: usize,
    continued: usize,
}

impl Shape {
    /// How many bytes it takes in the file.
    pub(super) fn bytes(self) -> usize {
        self.text + self.lines * TIME_BYTES + self.paints * PAINT_BYTES + self.continued * NUMBER_BYTES
    }
}

impl Block {
    /// A block that fills up with so many bytes of text.
    pub(super) fn open(bytes: usize) -> Self {
        Self { text: Vec::with_capacity(bytes), ..Self::default() }
    }

    /// A block of empty lines, in the place of one that cannot be read any more.
    pub(super) fn blank(lines: usize) -> Self {
        let ends = (1..=u32::try_from(lines).expect("a block has few lines")).collect();
        Self { text: vec![b'\n'; lines], ends, times: vec![i64::MIN; lines], ..Self::default() }
    }

    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether it has room for one more line of so many bytes, so that its text has at most `most`.
    pub(super) fn has_room(&self, bytes: usize, most: usize) -> bool {
        self.text.len() + bytes < most && self.len() < LINES && self.paints.len() < PAINTS
    }

    /// About how many bytes of memory it takes.
    pub(super) fn memory(&self) -> usize {
        self.text.capacity()
            + self.ends.capacity() * NUMBER_BYTES
            + self.times.capacity() * TIME_BYTES
            + self.paints.capacity() * size_of::<(u32, Paint)>()
            + self.continued.capacity() * NUMBER_BYTES
    }

    /// Nothing more is added to it.
    pub(super) fn close(&mut self) {
        self.text.shrink_to_fit();
        self.ends.shrink_to_fit();
        self.times.shrink_to_fit();
        self.paints.shrink_to_fit();
    }

    /// Adds a part of a line. It is no longer than [`LONGEST`], and there is room for it.
    pub(super) fn push(&mut self, text: &str, paints: &[Paint], from: usize, time: Option<i64>, is_continued: bool) {
        let line = number(self.len());
        self.text.extend_from_slice(text.as_bytes());
        self.text.push(b'\n');
        self.ends.push(number(self.text.len()));
        self.times.push(time.unwrap_or(i64::MIN));
        let to = from + text.len();
        for paint in paints.iter().filter(|paint| paint.start < to && paint.end > from) {
            let part = Paint { start: paint.start.max(from) - from, end: paint.end.min(to) - from, style: paint.style };
            self.paints.push((line, part));
        }
        if is_continued {
            self.continued.push(line);
        }
    }

    /// The texts from a line on.
    pub(super) fn text_from(&self, line: usize) -> &[u8] {
        &self.text[self.range(line).start..]
    }

    /// The texts of some lines in one piece.
    pub(super) fn texts(&self, lines: Range<usize>) -> &[u8] {
        if lines.is_empty() {
            return &[];
        }
        &self.text[self.range(lines.start).start..self.range(lines.end - 1).end]
    }

    /// The lines among some that go on with the one before.
    pub(super) fn continued(&self, lines: Range<usize>) -> impl Iterator<Item = usize> {
        self.continued.iter().map(|line| *line as usize).filter(move |line| lines.contains(line))
    }

    /// Where a line is, with its line feed.
    fn range(&self, line: usize) -> Range<usize> {
        let start = if line == 0 { 0 } else { self.ends[line - 1] as usize };
        start..self.ends.get(line).map_or(self.text.len(), |end| *end as usize)
    }

    /// A line's text.
    pub(super) fn line(&self, line: usize) -> &str {
        let range = self.range(line);
        std::str::from_utf8(&self.text[range.start..range.end.saturating_sub(1)]).unwrap_or_default()
    }

    /// A line with all that is known of it.
    pub(super) fn row(&self, line: usize, number_in_log: usize) -> Row {
        let index = number(line);
        let first = self.paints.partition_point(|(at, _)| *at < index);
        let paints = self.paints[first..].iter().take_while(|(at, _)| *at == index).map(|(_, paint)| *paint).collect();
        Row {
            number: number_in_log,
            painted: Painted { text: self.line(line).to_owned(), paints },
            timestamp: DateTime::<Utc>::from_timestamp_millis(self.times[line])
                .filter(|_| self.times[line] != i64::MIN),
            is_continued: self.continued.binary_search(&index).is_ok(),
        }
    }

    pub(super) fn shape(&self) -> Shape {
        Shape { text: self.text.len(), lines: self.len(), paints: self.paints.len(), continued: self.continued.len() }
    }

    /// As it is written to the file: the texts first, so that a search reads them alone.
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.shape().bytes());
        bytes.extend_from_slice(&self.text);
        for time in &self.times {
            bytes.extend_from_slice(&time.to_le_bytes());
        }
        for (line, paint) in &self.paints {
            bytes.extend_from_slice(&line.to_le_bytes());
            bytes.extend_from_slice(&short(paint.start).to_le_bytes());
            bytes.extend_from_slice(&short(paint.end).to_le_bytes());
            bytes.extend_from_slice(&colour_bytes(paint.style.fg));
            bytes.extend_from_slice(&colour_bytes(paint.style.bg));
            let flags = MODIFIERS.iter().enumerate().filter(|(_, flag)| paint.style.add_modifier.contains(**flag));
            bytes.push(flags.fold(0, |all, (bit, _)| all | 1 << bit));
        }
        for line in &self.continued {
            bytes.extend_from_slice(&line.to_le_bytes());
        }
        bytes
    }

    /// As it was before it was written; none if that is not what these bytes are.
    pub(super) fn from_bytes(bytes: &[u8], shape: Shape) -> Option<Self> {
        if bytes.len() != shape.bytes() {
            return None;
        }
        let (text, rest) = bytes.split_at(shape.text);
        let (times, rest) = rest.split_at(shape.lines * TIME_BYTES);
        let (paints, continued) = rest.split_at(shape.paints * PAINT_BYTES);
        let ends: Vec<u32> = memchr::memchr_iter(b'\n', text).map(|at| number(at + 1)).collect();
        let block = Self {
            text: text.to_vec(),
            ends,
            times: times.as_chunks().0.iter().map(|time| i64::from_le_bytes(*time)).collect(),
            paints: paints.as_chunks().0.iter().map(paint_of).collect(),
            continued: continued.as_chunks().0.iter().map(|line| u32::from_le_bytes(*line)).collect(),
        };
        (block.len() == shape.lines).then_some(block)
    }
}

fn paint_of(bytes: &[u8; PAINT_BYTES]) -> (u32, Paint) {
    let [a, b, c, d, start_low, start_high, end_low, end_high, fg @ .., g0, g1, g2, g3, flags] = *bytes;
    let add_modifier = MODIFIERS
        .iter()
        .enumerate()
        .filter(|(bit, _)| flags & 1 << bit != 0)
        .fold(Modifier::empty(), |all, (_, flag)| all | *flag);
    let style = Style { fg: colour_of(fg), bg: colour_of([g0, g1, g2, g3]), add_modifier, ..Style::new() };
    let start = usize::from(u16::from_le_bytes([start_low, start_high]));
    let end = usize::from(u16::from_le_bytes([end_low, end_high]));
    (u32::from_le_bytes([a, b, c, d]), Paint { start, end, style })
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
    use crate::model::log::ansi;

    fn block() -> Block {
        let mut block = Block::open(TEXT);
        for (text, time) in
            [("\u{1b}[1;31mred\u{1b}[0m \u{1b}[48;2;1;2;3;3mground", Some(7)), ("", None), ("日本", Some(9))]
        {
            let painted = ansi::read(text);
            block.push(&painted.text, &painted.paints, 0, time, text.is_empty());
        }
        block
    }

    #[test]
    fn a_block_that_was_written_is_the_same_when_read() {
        let block = block();
        let bytes = block.to_bytes();
        let again = Block::from_bytes(&bytes, block.shape()).expect("it was written so");
        for line in 0..block.len() {
            assert_eq!(again.row(line, line), block.row(line, line));
        }
        assert_eq!(again.row(0, 0).painted, ansi::read("\u{1b}[1;31mred\u{1b}[0m \u{1b}[48;2;1;2;3;3mground"));
        assert_eq!(again.row(1, 1).timestamp, None);
        assert!(again.row(1, 1).is_continued);
        assert_eq!(again.text_from(1), "\n日本\n".as_bytes());
    }

    #[test]
    fn bytes_that_are_no_block_are_refused() {
        let block = block();
        let mut bytes = block.to_bytes();
        bytes[3] = b'\n';
        assert!(Block::from_bytes(&bytes, block.shape()).is_none());
        assert!(Block::from_bytes(&bytes[1..], block.shape()).is_none());
    }

    #[test]
    fn a_line_that_is_divided_keeps_its_colours() {
        let painted = ansi::read("ab\u{1b}[31mcdef\u{1b}[0mgh");
        let mut block = Block::open(TEXT);
        block.push(&painted.text[..4], &painted.paints, 0, None, false);
        block.push(&painted.text[4..], &painted.paints, 4, None, true);
        let parts = |line| block.row(line, line).painted.paints.iter().map(|p| (p.start, p.end)).collect::<Vec<_>>();
        assert_eq!((parts(0), parts(1)), (vec![(2, 4)], vec![(0, 2)]));
    }
}
