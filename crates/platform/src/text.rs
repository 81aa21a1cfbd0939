//! Text for terminals, measured and cut in [`columns`] and cleaned in [`clean`](mod@clean), and formatted numbers.

mod clean;
mod columns;

pub use clean::{clean, clean_line, is_unsafe, skip_escape};
pub use columns::{beginning, cut, end, fit, fold, padding, width, wrap};

/// A duration: `0.41 s`, `12.3 s`, `2 m 05 s`, `1 h 02 m`.
pub fn seconds(seconds: f64) -> String {
    let seconds = seconds.max(0.0);
    if seconds < 9.995 {
        format!("{seconds:.2} s")
    } else if seconds < 59.95 {
        format!("{seconds:.1} s")
    } else if seconds < 3599.5 {
        let whole = seconds.round() as u64;
        format!("{} m {:02} s", whole / 60, whole % 60)
    } else {
        let minutes = (seconds / 60.0).round() as u64;
        format!("{} h {:02} m", minutes / 60, minutes % 60)
    }
}

/// A running duration: coarser than [`seconds`], to avoid flicker.
pub fn ticking(elapsed: f64) -> String {
    if elapsed < 59.95 { format!("{elapsed:.1} s") } else { seconds(elapsed) }
}

/// A short duration: `41 ms`; from ten seconds like [`seconds`].
pub fn milliseconds(elapsed: f64) -> String {
    if elapsed < 9.9995 { format!("{:.0} ms", elapsed.max(0.0) * 1000.0) } else { seconds(elapsed) }
}

/// A size: `512 B`, `18.2 kB`, `1.4 MB`.
pub fn bytes(bytes: u64) -> String {
    if bytes < 1000 {
        return format!("{bytes} B");
    }
    let mut size = bytes as f64;
    let mut unit = "B";
    for next in ["kB", "MB", "GB", "TB"] {
        size /= 1000.0;
        unit = next;
        if size < 999.95 {
            break;
        }
    }
    format!("{size:.1} {unit}")
}

/// A number with its noun: `1 step`, `3 steps`.
pub fn count(number: usize, one: &str) -> String {
    if number == 1 { format!("1 {one}") } else { format!("{number} {one}s") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short() {
        assert_eq!(seconds(0.412), "0.41 s");
        assert_eq!(seconds(9.996), "10.0 s");
        assert_eq!(seconds(59.96), "1 m 00 s");
        assert_eq!(seconds(125.2), "2 m 05 s");
        assert_eq!(seconds(3725.0), "1 h 02 m");
        assert_eq!(milliseconds(0.0414), "41 ms");
        assert_eq!(bytes(999), "999 B");
        assert_eq!(bytes(18_240), "18.2 kB");
        assert_eq!(bytes(999_960), "1.0 MB");
        assert_eq!(count(1, "step"), "1 step");
    }
}
