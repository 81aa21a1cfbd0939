//! [`Scan`]: an incremental search for lines that contain a text.

use super::lines::Lines;
use crate::log_store::search_pattern::SearchPattern;

/// The lines that contain a text, as far as scanned.
#[derive(Clone, Debug)]
pub(super) struct Scan {
    pub(super) pattern: SearchPattern,
    /// The matching line numbers, in order.
    pub(super) hits: Vec<u32>,
    /// The first line not yet scanned.
    pub(super) next: usize,
}

/// The buffers of a scan, reused between slices.
#[derive(Debug, Default)]
pub(super) struct Buffers {
    read: Vec<u8>,
    folded: Vec<u8>,
}

impl Scan {
    pub(super) fn new(pattern: SearchPattern) -> Self {
        Self { pattern, hits: Vec::new(), next: 0 }
    }

    /// Scans the rest of one block, up to `until`. If `among` is given, only its lines can match.
    pub(super) fn step(&mut self, lines: &mut Lines, until: usize, among: Option<&[u32]>, buffers: &mut Buffers) {
        self.next = self.next.max(lines.first());
        if self.next >= until {
            return;
        }
        let from = self.next;
        let end = lines.rest_of_block(from).end.min(until);
        let texts = lines.texts_from(from, &mut buffers.read);
        let hits = &mut self.hits;
        self.pattern.lines(texts, &mut buffers.folded, |line| {
            let Ok(hit) = u32::try_from(from + line) else { return };
            if from + line < end && among.is_none_or(|among| among.binary_search(&hit).is_ok()) {
                hits.push(hit);
            }
        });
        self.next = end;
    }

    /// Removes hits before a line.
    pub(super) fn drop_before(&mut self, line: usize) {
        let dropped = self.hits.partition_point(|hit| (*hit as usize) < line);
        self.hits.drain(..dropped);
    }

    /// The number of hits before a line.
    pub(super) fn before(&self, line: usize) -> usize {
        self.hits.partition_point(|hit| (*hit as usize) < line)
    }
}
