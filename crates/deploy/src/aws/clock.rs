//! The difference between this machine's clock and a service's.

use std::fmt;
use std::time::SystemTime;

use aws_smithy_runtime_api::http::Headers;
use aws_smithy_types::DateTime;
use aws_smithy_types::date_time::Format;

/// The difference from which signatures are rejected: 15 minutes for S3, 5 for other services.
const REFUSED_FROM: i64 = 5 * 60;

/// Seconds by which this machine's clock is ahead of a service's; negative if it is behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ClockDifference(i64);

impl ClockDifference {
    /// Measures it from a response's `Date` header; `None` without one, or for a cached
    /// response.
    pub(super) fn measure(headers: &Headers) -> Option<Self> {
        if headers.get("age").is_some() {
            return None;
        }
        let theirs = DateTime::from_str(headers.get("date")?, Format::HttpDate).ok()?.secs();
        Some(Self(DateTime::from(SystemTime::now()).secs().checked_sub(theirs)?))
    }

    /// Returns whether a service may reject signatures because of it.
    pub(super) fn is_refused(self) -> bool {
        self.0.unsigned_abs() > REFUSED_FROM.unsigned_abs()
    }
}

impl fmt::Display for ClockDifference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let minutes = self.0.unsigned_abs() / 60;
        let direction = if self.0 < 0 { "behind" } else { "ahead of" };
        let (days, hours, minutes) = (minutes / 1440, minutes / 60 % 24, minutes % 60);
        f.write_str("this machine's clock is ")?;
        match (days, hours) {
            (0, 0) => write!(f, "{minutes} min")?,
            (0, _) => write!(f, "{hours} h {minutes} min")?,
            _ => write!(f, "{days} d {hours} h")?,
        }
        write!(f, " {direction} the service's")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn difference_names_amount_and_direction() {
        let text = |seconds| ClockDifference(seconds).to_string();
        assert_eq!(text(-7380), "this machine's clock is 2 h 3 min behind the service's");
        assert_eq!(text(600), "this machine's clock is 10 min ahead of the service's");
        assert_eq!(text(3 * 86_400 + 3600), "this machine's clock is 3 d 1 h ahead of the service's");
        assert!(text(i64::MIN).ends_with("behind the service's"));
    }

    #[test]
    fn difference_is_measured_by_date_header_of_uncached_response() {
        let headers = |pairs: &[(&'static str, &'static str)]| {
            let mut headers = Headers::new();
            for (name, value) in pairs {
                headers.insert(*name, *value);
            }
            headers
        };
        let date = ("date", "Mon, 01 Jan 2001 00:00:00 GMT");
        assert!(ClockDifference::measure(&headers(&[date])).unwrap().is_refused());
        assert_eq!(ClockDifference::measure(&headers(&[date, ("age", "3")])), None);
        assert_eq!(ClockDifference::measure(&headers(&[("date", "yesterday")])), None);
        assert_eq!(ClockDifference::measure(&headers(&[])), None);
        let now = DateTime::from(SystemTime::now()).fmt(Format::HttpDate).unwrap();
        let mut current = Headers::new();
        current.insert("date", now);
        assert!(!ClockDifference::measure(&current).unwrap().is_refused());
    }
}
