//! How much an archive may hold, and a reader that stops where it holds more.

use std::cell::Cell;
use std::io::{self, Read};
use std::rc::Rc;

/// How much an archive may hold, so that a small file cannot fill the disk or the memory.
#[derive(Debug, Clone, Copy)]
pub struct ArchiveLimits {
    /// Files, directories and links together.
    pub members: usize,
    /// Bytes, unpacked.
    pub bytes: u64,
    /// How many times larger than the archive its content may be …
    pub ratio: u64,
    /// … once it is larger than this many bytes.
    pub ratio_from: u64,
}

impl Default for ArchiveLimits {
    fn default() -> Self {
        Self { members: 500_000, bytes: 8 << 30, ratio: 40, ratio_from: 64 << 20 }
    }
}

/// Which limit an archive exceeds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Excess {
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
    /// Whether `unpacked` bytes may come out of `packed` ones.
    pub(super) fn check(&self, packed: u64, unpacked: u64) -> Result<(), Excess> {
        if unpacked > self.bytes {
            return Err(Excess::Bytes(self.bytes));
        }
        if unpacked > packed.saturating_mul(self.ratio).max(self.ratio_from) {
            return Err(Excess::Ratio(self.ratio));
        }
        Ok(())
    }
}

/// Counts what is read through it.
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

/// Fails as soon as more than the limits allow is read through it.
pub(super) struct Limited<R> {
    inner: R,
    limits: ArchiveLimits,
    packed: Rc<Cell<u64>>,
    unpacked: u64,
    excess: Rc<Cell<Option<Excess>>>,
}

impl<R> Limited<R> {
    /// A reader of what comes out of `packed` bytes. When it fails, the cell holds which limit was the reason.
    pub(super) fn new(inner: R, limits: ArchiveLimits, packed: Rc<Cell<u64>>) -> (Self, Rc<Cell<Option<Excess>>>) {
        let excess = Rc::<Cell<Option<Excess>>>::default();
        (Self { inner, limits, packed, unpacked: 0, excess: excess.clone() }, excess)
    }
}

impl<R: Read> Read for Limited<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.unpacked += read as u64;
        self.limits.check(self.packed.get(), self.unpacked).map_err(|excess| {
            self.excess.set(Some(excess));
            io::Error::other(excess)
        })?;
        Ok(read)
    }
}
