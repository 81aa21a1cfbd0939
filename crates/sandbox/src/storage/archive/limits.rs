//! The limits of an archive, and a reader that enforces them.

use std::cell::Cell;
use std::io::{self, Read};
use std::rc::Rc;

/// The limits of an archive, against small files that fill the disk or the memory.
#[derive(Debug, Clone, Copy)]
pub struct ArchiveLimits {
    /// Files, directories and links together.
    pub members: usize,
    /// Bytes, unpacked.
    pub bytes: u64,
    /// The largest ratio of the content to the archive …
    pub ratio: u64,
    /// … for content larger than this many bytes.
    pub ratio_from: u64,
}

impl Default for ArchiveLimits {
    fn default() -> Self {
        Self { members: 500_000, bytes: 8 << 30, ratio: 40, ratio_from: 64 << 20 }
    }
}

/// The limit that an archive exceeds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LimitExceeded {
    /// The number of files.
    #[error("more than {0} files")]
    Members(usize),
    /// The bytes.
    #[error("more than {} MB unpacked", .0 >> 20)]
    Bytes(u64),
    /// The ratio.
    #[error("more than {0} times its own size unpacked")]
    Ratio(u64),
}

impl ArchiveLimits {
    /// Checks the sizes against the limits.
    pub(super) fn check(&self, packed: u64, unpacked: u64) -> Result<(), LimitExceeded> {
        if unpacked > self.bytes {
            return Err(LimitExceeded::Bytes(self.bytes));
        }
        if unpacked > packed.saturating_mul(self.ratio).max(self.ratio_from) {
            return Err(LimitExceeded::Ratio(self.ratio));
        }
        Ok(())
    }
}

/// A reader that counts its bytes.
pub(super) struct Counted<R> {
    inner: R,
    count: Rc<Cell<u64>>,
}

impl<R> Counted<R> {
    pub(super) fn new(inner: R) -> (Self, Rc<Cell<u64>>) {
        let count = Rc::<Cell<u64>>::default();
        (Self { inner, count: count.clone() }, count)
    }
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.count.set(self.count.get() + read as u64);
        Ok(read)
    }
}

/// A reader that fails when a limit is exceeded.
pub(super) struct Limited<R> {
    inner: R,
    limits: ArchiveLimits,
    packed: Rc<Cell<u64>>,
    unpacked: u64,
    exceeded: Rc<Cell<Option<LimitExceeded>>>,
}

impl<R> Limited<R> {
    /// Creates a reader of the content of `packed` bytes. After a failure the cell holds the exceeded limit.
    pub(super) fn new(
        inner: R,
        limits: ArchiveLimits,
        packed: Rc<Cell<u64>>,
    ) -> (Self, Rc<Cell<Option<LimitExceeded>>>) {
        let exceeded = Rc::<Cell<Option<LimitExceeded>>>::default();
        (Self { inner, limits, packed, unpacked: 0, exceeded: exceeded.clone() }, exceeded)
    }
}

impl<R: Read> Read for Limited<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.unpacked += read as u64;
        self.limits.check(self.packed.get(), self.unpacked).map_err(|exceeded| {
            self.exceeded.set(Some(exceeded));
            io::Error::other(exceeded)
        })?;
        Ok(read)
    }
}
