//! Text as terminals need it: measured, cut, cleaned; and figures as people read them.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// How many columns a text takes.
pub fn width(text: &str) -> usize {
    text.width()
}

/// The text in at most so many columns, with an ellipsis where something was cut off.
pub fn cut(text: &str, columns: usize) -> String {
    if width(text) <= columns {
        return text.to_owned();
    }
    let mut kept = String::new();
    let mut used = 0;
    for c in text.chars() {
        let next = c.width().unwrap_or(0);
        if used + next + 1 > columns {
            break;
        }
        kept.push(c);
        used += next;
    }
    if columns > 0 {
        kept.push('…');
    }
    kept
}

/// The text filled up with spaces to so many columns, or cut to them.
pub fn fit(text: &str, columns: usize) -> String {
    let mut fitted = cut(text, columns);
    fitted.extend(std::iter::repeat_n(' ', columns.saturating_sub(width(&fitted))));
    fitted
}

/// The text broken between words into lines of at most so many columns.
pub fn wrap(text: &str, columns: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = String::new();
    for word in text.split_whitespace() {
        if !line.is_empty() && width(&line) + 1 + width(word) > columns {
            lines.push(std::mem::take(&mut line));
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    if !line.is_empty() {
        lines.push(line);
    }
    lines
}

/// The text as it stands, broken at so many columns: what a log says may not be put together anew.
pub fn fold(text: &str, columns: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    let mut used = 0;
    for c in text.chars() {
        let next = c.width().unwrap_or(0);
        if used + next > columns.max(1) && used > 0 {
            lines.push(String::new());
            used = 0;
        }
        lines.last_mut().expect("there is always a line").push(c);
        used += next;
    }
    lines
}

/// A line of a log without anything that a terminal would obey: escape sequences are left out, tabs become spaces, other
/// control characters a sign that something was there.
pub fn clean(line: &str) -> String {
    let mut cleaned = String::with_capacity(line.len());
    let mut rest = line.trim_end_matches(['\r', '\n']).chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '\u{1b}' => skip_escape(&mut rest),
            '\t' => cleaned.push_str("    "),
            // A bare carriage return draws over the line, as progress bars do: what counts is what comes last.
            '\r' => cleaned.clear(),
            c if c.is_control() || is_direction(c) => cleaned.push('\u{fffd}'),
            c => cleaned.push(c),
        }
    }
    cleaned
}

/// Characters that turn the direction of writing, by which a text can look like another.
fn is_direction(c: char) -> bool {
    matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

fn skip_escape(rest: &mut std::iter::Peekable<std::str::Chars<'_>>) {
    match rest.next() {
        // CSI: up to its final byte.
        Some('[') => while rest.next().is_some_and(|c| !('\u{40}'..='\u{7e}').contains(&c)) {},
        // OSC and other strings: up to BEL or ST.
        Some(']' | 'P' | 'X' | '^' | '_') => {
            while let Some(c) = rest.next() {
                if c == '\u{7}' || (c == '\u{1b}' && rest.next_if_eq(&'\\').is_some()) {
                    break;
                }
            }
        }
        // Designations of character sets have one character more.
        Some('(' | ')' | '*' | '+' | '#') => {
            rest.next();
        }
        _ => {}
    }
}

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

/// A duration that ticks: coarser than [`seconds`], so that it does not flicker.
pub fn ticking(elapsed: f64) -> String {
    if elapsed < 59.95 { format!("{elapsed:.1} s") } else { seconds(elapsed) }
}

/// A short duration: `41 ms`, above ten seconds as [`seconds`].
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

/// A number and what it counts: `1 step`, `3 steps`.
pub fn count(number: usize, one: &str) -> String {
    if number == 1 { format!("1 {one}") } else { format!("{number} {one}s") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cutting_counts_columns_and_not_characters() {
        assert_eq!(cut("thumbnails", 10), "thumbnails");
        assert_eq!(cut("thumbnails", 6), "thumb…");
        assert_eq!(cut("日本語", 5), "日本…");
        assert_eq!(cut("日本語", 4), "日…");
        assert_eq!(cut("x", 0), "");
        assert_eq!(fit("ab", 4), "ab  ");
        assert_eq!(width(&fit("日本語", 4)), 4);
    }

    #[test]
    fn what_a_terminal_would_obey_is_cleaned() {
        assert_eq!(clean("\u{1b}[32mok\u{1b}[0m\tdone\r\n"), "ok    done");
        assert_eq!(clean("\u{1b}]0;title\u{7}x\u{1b}]8;;http://a\u{1b}\\link"), "xlink");
        assert_eq!(clean("10%\r20%\r30%"), "30%");
        assert_eq!(clean("bell\u{7} \u{202e}evil"), "bell\u{fffd} \u{fffd}evil");
        assert_eq!(clean("\u{1b}[31"), "");
        assert_eq!(clean("\u{1b}(Bplain"), "plain");
    }

    #[test]
    fn figures_are_short() {
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

    #[test]
    fn folding_keeps_every_character() {
        assert_eq!(fold("one  two", 4), ["one ", " two"]);
        assert_eq!(fold("日本語", 4), ["日本", "語"]);
        assert_eq!(fold("", 4), [""]);
    }

    #[test]
    fn wrapping_keeps_words_whole() {
        assert_eq!(wrap("one two  three", 7), ["one two", "three"]);
        assert!(wrap("", 7).is_empty());
    }
}
