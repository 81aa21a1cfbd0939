//! Detects a clock that differs from S3's, for which S3 refuses signatures.

use std::time::{SystemTime, UNIX_EPOCH};

/// Smaller differences in seconds are accepted: a presigned URL is valid for five minutes.
const REFUSED_FROM: i64 = 300;

/// A remark on the clock's difference, from a response's `Date` header; `None` if the clock is right.
pub fn remark(date: &str) -> Option<String> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).ok()?.as_secs();
    describe(i64::try_from(now).ok()?.checked_sub(seconds(date)?)?)
}

fn describe(ahead: i64) -> Option<String> {
    let minutes = ahead.unsigned_abs() / 60;
    let direction = if ahead < 0 { "behind" } else { "ahead of" };
    (ahead.unsigned_abs() > REFUSED_FROM.unsigned_abs())
        .then(|| format!("this machine's clock is {} h {} min {direction} S3's", minutes / 60, minutes % 60))
}

/// Parses an HTTP date to seconds since 1970: `Sun, 06 Nov 1994 08:49:37 GMT`.
fn seconds(date: &str) -> Option<i64> {
    const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let (_, date) = date.split_once(", ")?;
    let mut parts = date.split([' ', ':']);
    let number = |parts: &mut dyn Iterator<Item = &str>| -> Option<i64> {
        parts.next().filter(|part| part.len() <= 4)?.parse().ok().filter(|number| *number >= 0)
    };
    let day = number(&mut parts)?;
    let name = parts.next()?;
    let month = MONTHS.iter().position(|month| *month == name)? as i64 + 1;
    let (year, hour, minute, second) =
        (number(&mut parts)?, number(&mut parts)?, number(&mut parts)?, number(&mut parts)?);
    // Days since 1970, in years that start with March, so that the leap day is the last of its year.
    let (shifted_year, shifted_month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let leap_days = shifted_year / 4 - shifted_year / 100 + shifted_year / 400;
    let days = 365 * shifted_year + leap_days + (153 * shifted_month + 2) / 5 + day - 1 - 719_468;
    Some(((days * 24 + hour) * 60 + minute) * 60 + second)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn http_dates_are_parsed() {
        for (date, expected) in [
            ("Thu, 01 Jan 1970 00:00:00 GMT", Some(0)),
            ("Sun, 06 Nov 1994 08:49:37 GMT", Some(784_111_777)),
            ("Thu, 29 Feb 2024 23:59:59 GMT", Some(1_709_251_199)),
            ("Fri, 01 Mar 2024 00:00:00 GMT", Some(1_709_251_200)),
            ("Sun, 06 Foo 1994 08:49:37 GMT", None),
            ("Sun, 06 Nov 99999999999999999 08:49:37 GMT", None),
            ("yesterday", None),
            ("", None),
        ] {
            assert_eq!(seconds(date), expected, "{date}");
        }
    }

    #[test]
    fn remark_has_amount_and_direction() {
        assert_eq!(describe(-7380).as_deref(), Some("this machine's clock is 2 h 3 min behind S3's"));
        assert_eq!(describe(600).as_deref(), Some("this machine's clock is 0 h 10 min ahead of S3's"));
        assert_eq!(describe(-120), None);
        assert!(remark("Thu, 01 Jan 1970 00:00:00 GMT").is_some());
    }
}
