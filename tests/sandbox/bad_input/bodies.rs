//! Bodies with invalid chunks, and bodies longer or shorter than announced.

use std::io::Write;

use chrono::{Duration, Utc};

use super::sandbox;
use super::wire::{Call, Response, Wire, hash, read};

const SIGNED: &str = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD";
const UNSIGNED: &str = "STREAMING-UNSIGNED-PAYLOAD-TRAILER";

/// The head of an upload in chunks.
fn upload(kind: &str, length: &str) -> Call {
    let call = Call { payload: Some(kind.to_owned()), ..Call::s3("PUT", "/pics/key", "") };
    call.header("content-encoding", "aws-chunked").header("x-amz-decoded-content-length", length)
}

/// Sends `hello` in one signed chunk and the last chunk, after `alter` changed the body.
fn send_signed(wire: &Wire, alter: impl Fn(&str) -> String) -> Response {
    let call = upload(SIGNED, "5");
    let first = call.chunk_signature(&wire.secret_key, &call.signature(&wire.secret_key), b"hello");
    let last = call.chunk_signature(&wire.secret_key, &first, b"");
    let body = format!("5;chunk-signature={first}\r\nhello\r\n0;chunk-signature={last}\r\n\r\n");
    wire.send(&Call { body: alter(&body).into_bytes(), ..call })
}

fn send_unsigned(wire: &Wire, length: &str, body: &str) -> Response {
    let call = upload(UNSIGNED, length).header("x-amz-trailer", "x-amz-checksum-crc32");
    wire.send(&Call { body: body.as_bytes().to_vec(), ..call })
}

#[tokio::test(flavor = "multi_thread")]
async fn each_signed_chunk_is_verified() {
    sandbox(|wire| {
        assert_eq!(wire.send(&Call::s3("PUT", "/pics", "")).status, 200);
        let valid = send_signed(wire, str::to_owned);
        assert_eq!(valid.status, 200, "{}", valid.body);
        assert_eq!(wire.send(&Call::s3("GET", "/pics/key", "")).body, "hello");
        send_signed(wire, |body| body.replace("hello", "hullo")).is(403, "SignatureDoesNotMatch");
        send_signed(wire, |body| body.replacen("chunk-signature=", "chunk-signature=0", 1))
            .is(403, "SignatureDoesNotMatch");
        send_signed(wire, |body| body.replacen(";chunk-signature=", ";chunk=", 1)).is(400, "InvalidRequest");
        send_signed(wire, |body| body.replacen("5;", "4;", 1)).is(400, "InvalidRequest");
        send_signed(wire, |body| body.replacen("5;", "five;", 1)).is(400, "InvalidRequest");
        send_signed(wire, |body| body.replacen("5;", "+5;", 1)).is(400, "InvalidRequest");
        send_signed(wire, |body| body.replacen("5;", "ffffffffffffffff;", 1)).is(400, "IncompleteBody");
        send_signed(wire, |body| body.replacen("5;", "ffffffffffffffffff;", 1)).is(400, "InvalidRequest");
        // Without the last chunk, an attacker could truncate the body.
        send_signed(wire, |body| body[..body.find("\r\n0;").expect("the last chunk") + 2].to_owned())
            .is(400, "IncompleteBody");
        assert_eq!(wire.send(&Call::s3("GET", "/pics/key", "")).body, "hello");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn trailer_must_match_announced_header() {
    sandbox(|wire| {
        assert_eq!(wire.send(&Call::s3("PUT", "/pics", "")).status, 200);
        // The CRC-32 of "hello".
        let good = send_unsigned(wire, "5", "5\r\nhello\r\n0\r\nx-amz-checksum-crc32:NhCmhg==\r\n\r\n");
        assert_eq!(good.status, 200, "{}", good.body);
        let send = |body: &str| send_unsigned(wire, "5", body);
        send("5\r\nhello\r\n0\r\nx-amz-checksum-crc32:AAAAAA==\r\n\r\n").is(400, "BadDigest");
        send("5\r\nhello\r\n0\r\n\r\n").is(400, "MalformedTrailerError");
        send("5\r\nhello\r\n0\r\nx-amz-checksum-sha256:NhCmhg==\r\n\r\n").is(400, "MalformedTrailerError");
        send("5\r\nhello\r\n0\r\nno colon\r\n\r\n").is(400, "InvalidRequest");
        send(&format!("5\r\nhello\r\n0\r\n{}\r\n", "a: b\r\n".repeat(1000))).is(400, "InvalidRequest");
        send(&format!("5\r\nhello\r\n0\r\na: {}\r\n\r\n", "b".repeat(100_000))).is(400, "InvalidRequest");
        send("").is(400, "IncompleteBody");
        send("\r\n\r\n\r\n").is(400, "InvalidRequest");
        send(&"5".repeat(100_000)).is(400, "InvalidRequest");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn body_length_must_match_announced_length() {
    sandbox(|wire| {
        assert_eq!(wire.send(&Call::s3("PUT", "/pics", "")).status, 200);
        let body = "5\r\nhello\r\n0\r\nx-amz-checksum-crc32:NhCmhg==\r\n\r\n";
        for length in ["4", "6", "0"] {
            send_unsigned(wire, length, body).is(400, "IncompleteBody");
        }
        send_unsigned(wire, "five", body).is(411, "MissingContentLength");
        send_unsigned(wire, "-5", body).is(411, "MissingContentLength");
        let streamed = Call::s3("PUT", "/pics/key", "").header("transfer-encoding", "chunked");
        wire.send(&Call { body: b"0\r\n\r\n".to_vec(), ..streamed }).is(411, "MissingContentLength");
        wire.send(&Call::s3("GET", "/pics/key", "")).is(404, "NoSuchKey");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn objects_over_256_megabytes_are_rejected_before_transfer() {
    const TOO_LONG: &str = "268435457";
    sandbox(|wire| {
        assert_eq!(wire.send(&Call::s3("PUT", "/pics", "")).status, 200);
        let call = Call { payload: Some("UNSIGNED-PAYLOAD".to_owned()), ..Call::s3("PUT", "/pics/key", "") };
        wire.send(&call.clone().header("content-length", TOO_LONG)).is(400, "EntityTooLarge");
        send_unsigned(wire, TOO_LONG, "").is(400, "EntityTooLarge");
        // The limit applies to the sum of an upload's parts.
        let upload = wire.send(&Call::s3("POST", "/pics/key?uploads", ""));
        let id = upload.body.split("<UploadId>").nth(1).and_then(|rest| rest.split('<').next()).expect("an upload");
        let part = |number: u32, body: &str| {
            let target = format!("/pics/key?partNumber={number}&uploadId={id}");
            Call { payload: Some("UNSIGNED-PAYLOAD".to_owned()), ..Call::s3("PUT", &target, body) }
        };
        assert_eq!(wire.send(&part(1, "some bytes")).status, 200);
        wire.send(&part(2, "").header("content-length", "268435447")).is(400, "EntityTooLarge");
        // A part replaces the part with the same number.
        assert_eq!(wire.send(&part(1, "other bytes")).status, 200);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn request_bodies_of_other_services_are_limited() {
    sandbox(|wire| {
        let body = vec![b' '; 16 * 1024 * 1024 + 1];
        let response = wire.send(&Call::json("logs", "Logs_20140328.PutLogEvents", &body));
        assert_eq!(response.status, 413, "{}", response.body);
        assert_eq!(wire.send(&Call::query("iam", &body)).status, 413);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn request_with_invalid_head_is_rejected_before_its_body() {
    sandbox(|wire| {
        // Only the head is sent: a sandbox that reads the body first would respond with `100 Continue`.
        let list = Call::json("logs", "Logs_20140328.DescribeLogGroups", "");
        let list = list.header("content-length", "16777216").header("expect", "100-continue");
        let unknown = list.authorization(wire).replace(&wire.access_key, "AKIAUNKNOWN");
        wire.send_as(&list, Some(&unknown)).is(400, "UnrecognizedClientException");
        let early = Call { time: Utc::now() - Duration::hours(1), ..list.clone() };
        wire.send(&early).is(403, "InvalidSignatureException");
        let declared = Call { payload: Some(hash(b"anything")), ..list };
        let forged = declared.authorization(wire).replace(&declared.signature(&wire.secret_key), &"0".repeat(64));
        wire.send_as(&declared, Some(&forged)).is(403, "InvalidSignatureException");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn interrupted_upload_leaves_no_files() {
    sandbox(|wire| {
        assert_eq!(wire.send(&Call::s3("PUT", "/pics", "")).status, 200);
        let call = Call::s3("PUT", "/pics/key", vec![b'x'; 100_000]);
        let mut bytes = call.head(Some(&call.authorization(wire))).into_bytes();
        let head = bytes.len();
        bytes.extend(&call.body);
        for length in [1, 10, head / 2, head - 1, head, head + 1, head + 70_000] {
            // First closed completely, then for writing only.
            drop(wire.connect().write_all(&bytes[..length]));
            let response = wire.send_and_shut_down(&bytes[..length]);
            assert!(response.status == 0 || response.status == 400, "{length}: {response:?}");
        }
        wire.send(&Call::s3("GET", "/pics/key", "")).is(404, "NoSuchKey");
        assert_eq!(wire.raw(&bytes).status, 200);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn slow_clients_do_not_block_others() {
    sandbox(|wire| {
        assert_eq!(wire.send(&Call::s3("PUT", "/pics", "")).status, 200);
        let call = Call::s3("PUT", "/pics/slow", "slowly");
        let mut bytes = call.head(Some(&call.authorization(wire))).into_bytes();
        bytes.extend(b"slow");
        let mut waiting: Vec<_> = (0..200).map(|_| wire.connect()).collect();
        for (number, stream) in waiting.iter_mut().enumerate() {
            stream.write_all(&bytes[..bytes.len() - number % 5]).expect("the sandbox reads");
        }
        wire.assert_responsive();
        let mut last = waiting.swap_remove(0);
        last.write_all(b"ly").expect("the sandbox still reads");
        assert_eq!(read(&mut last).status, 200);
        assert_eq!(hash(wire.send(&Call::s3("GET", "/pics/slow", "")).body.as_bytes()), hash(b"slowly"));
    })
    .await;
}
