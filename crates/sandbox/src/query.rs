//! Limits on request bodies of the query protocol, checked before awsim parses them.
//!
//! awsim's parser allocates a list as long as the largest index of `Tags.member.N` and recurses once per dot in a name: a
//! short body could exhaust the memory or the stack.

use awsim_core::AwsError;
use percent_encoding::percent_decode_str;

/// The most parts of a parameter's name; those of IAM and STS have at most five.
const MAX_DEPTH: usize = 16;

/// The largest index of a list.
const MAX_INDEX: usize = 10_000;

/// The largest sum of a request's indices, which bounds the memory of its lists.
const MAX_SUM: usize = 1_000_000;

/// Checks the parameters' names against the limits.
pub(crate) fn check(body: &[u8]) -> Result<(), AwsError> {
    let text = String::from_utf8_lossy(body);
    let mut sum = 0;
    for name in text.split('&').filter_map(|pair| pair.split('=').next()) {
        // Digits may be percent-encoded.
        let name = name.replace('+', " ");
        let name = percent_decode_str(&name).decode_utf8_lossy();
        if name.split('.').count() > MAX_DEPTH {
            return Err(malformed("A parameter's name has too many parts"));
        }
        for segment in name.split('.').skip(1).filter(|segment| is_number(segment)) {
            match segment.parse::<usize>() {
                Ok(index @ 1..=MAX_INDEX) => sum += index,
                _ => return Err(malformed("A list's index is out of range")),
            }
        }
        if sum > MAX_SUM {
            return Err(malformed("The request's lists are too long"));
        }
    }
    Ok(())
}

/// Whether Rust's parser accepts it as a number, which may have a plus sign.
fn is_number(segment: &str) -> bool {
    let digits = segment.strip_prefix('+').unwrap_or(segment);
    !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
}

fn malformed(message: &str) -> AwsError {
    AwsError::bad_request("MalformedInput", message)
}

#[cfg(test)]
mod tests {
    use super::check;

    #[test]
    fn usual_bodies_are_accepted() {
        assert!(check(b"Action=TagRole&Tags.member.1.Key=a&Tags.member.50.Value=b%20c&Version=2010-05-08").is_ok());
        assert!(check(b"").is_ok());
    }

    #[test]
    fn large_list_indices_are_rejected() {
        for name in ["0", "99999999999", "10001", "%30", "%2B0", "00", "18446744073709551616"] {
            assert!(check(format!("Tags.member.{name}.Key=a").as_bytes()).is_err(), "{name}");
        }
        let many: Vec<String> = (0..200).map(|number| format!("a{number}.member.10000=x")).collect();
        assert!(check(many.join("&").as_bytes()).is_err());
    }

    #[test]
    fn deeply_nested_names_are_rejected() {
        assert!(check(("a.".repeat(100_000) + "a=b").as_bytes()).is_err());
        assert!(check(("a%2E".repeat(100_000) + "a=b").as_bytes()).is_err());
    }
}
