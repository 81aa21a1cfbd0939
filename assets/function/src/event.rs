//! S3's events.

use serde::Deserialize;
use serde_json::Value;
use thiserror::Error;

/// An event from S3.
#[derive(Debug, PartialEq, Eq)]
pub enum Event {
    /// S3's test event, sent when a notification is configured.
    Test {
        /// The bucket of the notification.
        bucket: String,
    },
    /// The events of objects.
    Records(Vec<Record>),
}

/// One event of one object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// The event's name, for example `ObjectCreated:Put`.
    pub name: String,
    /// The object's bucket.
    pub bucket: String,
    /// The object's key, decoded.
    pub key: String,
}

impl Record {
    /// Whether the object was created, so that it needs a thumbnail.
    pub fn is_creation(&self) -> bool {
        // Some events have the service as a prefix.
        self.name.trim_start_matches("s3:").starts_with("ObjectCreated")
    }
}

/// A payload that is not an event of S3.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum EventError {
    /// The payload has no records.
    #[error("this is not an S3 event: it has no list of Records")]
    NoRecords,
    /// A record is not from S3.
    #[error("this is not an S3 event: record {0} has no S3 bucket and key")]
    NotS3(usize),
    /// A key that is not valid in S3's encoding.
    #[error("record {number} of the event has the key \"{key}\", which does not decode to UTF-8")]
    BadKey {
        /// The number of the record, from 1.
        number: usize,
        /// The encoded key.
        key: String,
    },
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawRecord {
    event_name: String,
    s3: RawEntity,
}

#[derive(Deserialize)]
struct RawEntity {
    bucket: RawBucket,
    object: RawObject,
}

#[derive(Deserialize)]
struct RawBucket {
    name: String,
}

#[derive(Deserialize)]
struct RawObject {
    key: String,
}

impl Event {
    /// Parses the payload of an invocation.
    pub fn parse(payload: &Value) -> Result<Self, EventError> {
        if payload.get("Event").and_then(Value::as_str) == Some("s3:TestEvent") {
            let bucket = payload.get("Bucket").and_then(Value::as_str);
            let bucket = bucket.unwrap_or_default().to_owned();
            return Ok(Self::Test { bucket });
        }
        let records = payload
            .get("Records")
            .and_then(Value::as_array)
            .filter(|records| !records.is_empty())
            .ok_or(EventError::NoRecords)?;
        records
            .iter()
            .zip(1..)
            .map(|(value, number)| {
                let raw = RawRecord::deserialize(value).map_err(|_| EventError::NotS3(number))?;
                let key = decode_key(&raw.s3.object.key)
                    .ok_or_else(|| EventError::BadKey { number, key: raw.s3.object.key.clone() })?;
                Ok(Record { name: raw.event_name, bucket: raw.s3.bucket.name, key })
            })
            .collect::<Result<_, _>>()
            .map(Self::Records)
    }
}

/// Decodes an event's key: `+` is a space, `%XX` a byte.
///
/// `None` if the bytes are not UTF-8. A `%` without two hexadecimal digits is literal.
pub fn decode_key(encoded: &str) -> Option<String> {
    let bytes = encoded.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let [first, tail @ ..] = rest {
        rest = tail;
        match (first, tail) {
            (b'+', _) => decoded.push(b' '),
            (b'%', [high, low, tail @ ..]) => match (hex(*high), hex(*low)) {
                (Some(high), Some(low)) => {
                    decoded.push(high << 4 | low);
                    rest = tail;
                }
                _ => decoded.push(b'%'),
            },
            _ => decoded.push(*first),
        }
    }
    String::from_utf8(decoded).ok()
}

fn hex(digit: u8) -> Option<u8> {
    (digit as char).to_digit(16).map(|value| value as u8)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn record(key: &str) -> Value {
        json!({
            "eventName": "ObjectCreated:Put",
            "s3": {"bucket": {"name": "source"}, "object": {"key": key, "size": 3}}
        })
    }

    #[test]
    fn keys_are_decoded() {
        for (encoded, plain) in [
            ("a+b%2Bc.jpg", "a b+c.jpg"),
            ("holiday/100%25.png", "holiday/100%.png"),
            ("%E6%97%A5%e6%9c%ac.gif", "日本.gif"),
            ("plain.jpg", "plain.jpg"),
            ("50%", "50%"),
            ("50%zz", "50%zz"),
            ("", ""),
        ] {
            assert_eq!(decode_key(encoded).as_deref(), Some(plain), "{encoded}");
        }
        assert_eq!(decode_key("%ff%fe"), None);
    }

    #[test]
    fn all_records_are_parsed() {
        let event = Event::parse(&json!({"Records": [record("a+1.jpg"), record("b.png")]}));
        let Ok(Event::Records(records)) = event else { panic!("{event:?}") };
        assert_eq!(records.len(), 2);
        assert_eq!(records[0].key, "a 1.jpg");
        assert_eq!(records[1].bucket, "source");
        assert!(records[1].is_creation());
    }

    #[test]
    fn test_event_is_recognised() {
        let event = json!({"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": "source"});
        let bucket = "source".to_owned();
        assert_eq!(Event::parse(&event), Ok(Event::Test { bucket }));
    }

    #[test]
    fn other_events_are_refused() {
        for (event, error) in [
            (json!({"hello": 1}), EventError::NoRecords),
            (json!([1, 2]), EventError::NoRecords),
            (json!({"Records": []}), EventError::NoRecords),
            (json!({"Records": [record("a"), {"eventSource": "aws:sqs"}]}), EventError::NotS3(2)),
        ] {
            assert_eq!(Event::parse(&event), Err(error));
        }
    }
}
