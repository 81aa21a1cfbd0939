//! Answers without an end.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use aws_smithy_types::body::SdkBody;
use bytes::Bytes;
use http_body_util::StreamBody;
use hyper::body::Frame;
use thumbctl_deploy::aws::{AwsError, Downloads, ErrorKind, cloudformation, logs, s3};
use thumbctl_test_support::Program;

use super::canned::{answer, clients};

/// The limit of a response, and the tolerance for data in transit.
const BOUND: u64 = 17 * 1024 * 1024;

/// An endless body that counts the bytes read.
fn endless(read: Arc<AtomicU64>) -> SdkBody {
    let piece = Bytes::from(vec![b' '; 64 * 1024]);
    SdkBody::from_body_1_x(StreamBody::new(futures::stream::repeat_with(move || {
        read.fetch_add(piece.len() as u64, Ordering::Relaxed);
        Ok::<_, std::io::Error>(Frame::data(piece.clone()))
    })))
}

fn is_oversized<T>(result: Result<T, AwsError>, message: &str) {
    let error = result.err().expect("an error");
    assert_eq!(error.kind, ErrorKind::Oversized, "{error}");
    assert!(error.to_string().ends_with(message), "{error}");
    assert!(error.hint().is_some(), "{error}");
}

#[tokio::test]
async fn endless_api_response_is_read_up_to_16_mb() {
    for status in [200, 403, 503] {
        let read = Arc::new(AtomicU64::new(0));
        let counter = read.clone();
        let clients = clients(Downloads::Buffered, move |_| answer(status, &[], endless(counter.clone())));
        is_oversized(s3::list_buckets(&clients.s3, "", "us-east-1").await, "the response is longer than 16 MB");
        is_oversized(logs::log_group(&clients.logs, "g").await, "the response is longer than 16 MB");
        is_oversized(s3::get_object_bytes(&clients.s3, "b", "k").await, "the response is longer than 16 MB");
        assert!(read.load(Ordering::Relaxed) <= 3 * BOUND);
    }
}

#[tokio::test]
async fn endless_error_of_streaming_client_is_read_up_to_16_mb() {
    let read = Arc::new(AtomicU64::new(0));
    let counter = read.clone();
    let clients = clients(Downloads::Streamed, move |_| answer(403, &[], endless(counter.clone())));
    is_oversized(s3::get_object_bytes(&clients.s3, "b", "k").await, "the response is longer than 16 MB");
    is_oversized(s3::put_object_bytes(&clients.s3, "b", "k", "x", "").await, "the response is longer than 16 MB");
    assert!(read.load(Ordering::Relaxed) <= 2 * BOUND);
}

#[tokio::test]
async fn endless_object_fails_download_without_file() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("object");
    for announced in [true, false] {
        let read = Arc::new(AtomicU64::new(0));
        let counter = read.clone();
        let headers = [("content-length".to_owned(), (u64::MAX / 4).to_string())];
        let clients = clients(Downloads::Streamed, move |_| {
            answer(200, if announced { &headers } else { &[] }, endless(counter.clone()))
        });
        let came = s3::get_object_to_file(&clients.s3, "b", "k", &file).await;
        is_oversized(came, "the object is larger than 256 MB");
        assert!(read.load(Ordering::Relaxed) < 260 * 1024 * 1024);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}

#[tokio::test]
async fn endless_listings_are_errors() {
    const AGAIN: &str = "the endpoint lists the same page again and again";
    let page = r#"<R xmlns="x"><DescribeStackEventsResult><NextToken>t</NextToken></DescribeStackEventsResult></R>"#;
    let clients = clients(Downloads::Buffered, move |request| {
        let body = match request.headers().get("x-amz-target") {
            Some(_) => r#"{"events":[{"message":"m"}],"nextToken":"t","nextForwardToken":"t"}"#.to_owned(),
            None if request.uri().contains("versions") => {
                "<ListVersionsResult><IsTruncated>true</IsTruncated><NextKeyMarker>k</NextKeyMarker></ListVersionsResult>".to_owned()
            }
            None => {
                page.replace("R ", "DescribeStackEventsResponse ").replace("</R>", "</DescribeStackEventsResponse>")
            }
        };
        answer(200, &[], SdkBody::from(body))
    });
    is_oversized(cloudformation::events_since(&clients.cloudformation, "s", None).await, AGAIN);
    is_oversized(logs::filter_events(&clients.logs, "g", 0, None).await, AGAIN);
    is_oversized(s3::empty_bucket(&clients.s3, "b", &mut |_| {}).await, AGAIN);
    // The same token twice is the end of a stream.
    let mut tail = logs::LogTail::new(clients.logs.clone(), "g", "s");
    assert_eq!(tail.drain().await.unwrap().len(), 2);
}

#[tokio::test]
async fn log_stream_without_token_ends() {
    let clients = clients(Downloads::Buffered, |_| answer(200, &[], SdkBody::from(r#"{"events":[{"message":"m"}]}"#)));
    let mut tail = logs::LogTail::new(clients.logs.clone(), "g", "s");
    assert_eq!(tail.drain().await.unwrap().len(), 1);
}

/// A server that sends this response and then zeros until the connection is closed.
fn endless_server(head: &'static str) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let serve = move |mut stream: TcpStream| -> std::io::Result<()> {
        // The request fits into one packet.
        let _ = stream.read(&mut [0; 16 * 1024])?;
        stream.write_all(head.as_bytes())?;
        loop {
            stream.write_all(&[b'0'; 64 * 1024])?;
        }
    };
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            thread::spawn(move || serve(stream));
        }
    });
    address
}

#[test]
fn program_reports_endless_response_in_one_sentence() {
    for head in [
        // Until the connection ends.
        "HTTP/1.1 200 OK\r\ncontent-type: text/xml\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-type: text/xml\r\ncontent-length: 99999999999999\r\n\r\n",
        "HTTP/1.1 403 Forbidden\r\ncontent-type: text/xml\r\n\r\n<Error>",
    ] {
        let mut program = Program::new();
        program.set("AWS_ENDPOINT_URL", format!("http://{}", endless_server(head)));
        program.set("AWS_REGION", "eu-central-1");
        program.set("AWS_ACCESS_KEY_ID", "key");
        program.set("AWS_SECRET_ACCESS_KEY", "secret");
        let stderr = program.run(["status"]).fails_with(1);
        assert!(stderr.contains("STS GetCallerIdentity failed: the response is longer than 16 MB\n"), "{stderr}");
        assert!(stderr.contains("hint: Check the endpoint"), "{stderr}");
    }
}
