//! What a body of the query protocol may say before awsim reads it.
//!
//! Its parser makes a list as long as the largest index of `Tags.member.N`, subtracts one from that first, and goes one
//! call deeper for each dot in a name: a short body could ask for all memory, or for more stack than there is.

use awsim_core::AwsError;
use percent_encoding::percent_decode_str;

/// The deepest name that any of IAM's or STS's operations has is five long.
const MAX_DEPTH: usize = 16;

/// The longest list.
const MAX_INDEX: usize = 10_000;

/// All indices of a request together: what its lists can cost.
const MAX_SUM: usize = 1_000_000;

/// Refuses names that would cost more than they are worth.
pub(crate) fn check(body: &[u8]) -> Result<(), AwsError> {
    let text = String::from_utf8_lossy(body);
    let mut sum = 0;
    for name in text.split('&').filter_map(|pair| pair.split('=').next()) {
        // A digit may be escaped, too.
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

/// Whether it might be taken for a number: Rust's parser takes a plus sign as well.
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
    fn what_clients_send_is_let_through() {
        assert!(check(b"Action=TagRole&Tags.member.1.Key=a&Tags.member.50.Value=b%20c&Version=2010-05-08").is_ok());
        assert!(check(b"").is_ok());
    }

    #[test]
    fn a_list_index_cannot_ask_for_memory() {
        for name in ["0", "99999999999", "10001", "%30", "%2B0", "00", "18446744073709551616"] {
            assert!(check(format!("Tags.member.{name}.Key=a").as_bytes()).is_err(), "{name}");
        }
        let many: Vec<String> = (0..200).map(|number| format!("a{number}.member.10000=x")).collect();
        assert!(check(many.join("&").as_bytes()).is_err());
    }

    #[test]
    fn a_name_cannot_ask_for_stack() {
        assert!(check(("a.".repeat(100_000) + "a=b").as_bytes()).is_err());
        assert!(check(("a%2E".repeat(100_000) + "a=b").as_bytes()).is_err());
    }
}
