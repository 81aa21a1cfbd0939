//! Answers of any bytes, and valid answers that were spoilt: no call panics, and each ends.
//!
//! `PROPTEST_CASES=100000 cargo test --release --test hostile_answers fuzz` tries more of them.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener};
use std::sync::mpsc;
use std::time::Duration;

use aws_smithy_types::body::SdkBody;
use proptest::collection::vec;
use proptest::prelude::*;
use thumbctl_deploy::aws::{BoundedClient, Downloads};
use thumbctl_test_support::{Clients, config};

use super::calls::{SERVICES, call_all};
use super::canned::{answer, clients};

/// All calls of a service together end within this, whatever they are answered.
const DEADLINE: Duration = Duration::from_secs(60);

/// Valid answers; each service is given those of the others too.
const SEEDS: &[&str] = &[
    r#"<?xml version="1.0"?><ListAllMyBucketsResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Buckets><Bucket><Name>b</Name><CreationDate>2024-01-01T00:00:00.000Z</CreationDate><BucketRegion>us-east-1</BucketRegion></Bucket></Buckets><ContinuationToken>t</ContinuationToken></ListAllMyBucketsResult>"#,
    r#"<ListBucketResult><Name>b</Name><KeyCount>1</KeyCount><MaxKeys>1000</MaxKeys><IsTruncated>true</IsTruncated><NextContinuationToken>t</NextContinuationToken><Contents><Key>k</Key><LastModified>2024-01-01T00:00:00.000Z</LastModified><ETag>"e"</ETag><Size>12</Size></Contents></ListBucketResult>"#,
    r"<ListVersionsResult><IsTruncated>true</IsTruncated><NextKeyMarker>k</NextKeyMarker><NextVersionIdMarker>v</NextVersionIdMarker><Version><Key>k</Key><VersionId>v</VersionId><IsLatest>true</IsLatest><Size>1</Size></Version><DeleteMarker><Key>m</Key><VersionId>n</VersionId></DeleteMarker></ListVersionsResult>",
    r"<DeleteResult><Deleted><Key>k</Key></Deleted><Error><Key>m</Key><Code>AccessDenied</Code><Message>no</Message></Error></DeleteResult>",
    r"<Tagging><TagSet><Tag><Key>deployment</Key><Value>d</Value></Tag></TagSet></Tagging>",
    r"<NotificationConfiguration><CloudFunctionConfiguration><Id>i</Id><CloudFunction>arn</CloudFunction><Event>s3:ObjectCreated:*</Event><Filter><S3Key><FilterRule><Name>prefix</Name><Value>p</Value></FilterRule></S3Key></Filter></CloudFunctionConfiguration></NotificationConfiguration>",
    r"<Error><Code>NoSuchBucket</Code><Message>none</Message><RequestId>1</RequestId><HostId>h</HostId></Error>",
    r"<ErrorResponse><Error><Type>Sender</Type><Code>NoSuchEntity</Code><Message>none</Message></Error><RequestId>1</RequestId></ErrorResponse>",
    r"<ListRolesResponse><ListRolesResult><IsTruncated>true</IsTruncated><Marker>m</Marker><Roles><member><Path>/</Path><RoleName>r</RoleName><RoleId>AROA</RoleId><Arn>arn:aws:iam::1:role/r</Arn><CreateDate>2024-01-01T00:00:00Z</CreateDate><MaxSessionDuration>3600</MaxSessionDuration></member></Roles></ListRolesResult></ListRolesResponse>",
    r"<GetRoleResponse><GetRoleResult><Role><Path>/</Path><RoleName>r</RoleName><RoleId>AROA</RoleId><Arn>a</Arn><CreateDate>2024-01-01T00:00:00Z</CreateDate><AssumeRolePolicyDocument>%7B%22a%22%3A1%7D</AssumeRolePolicyDocument></Role></GetRoleResult></GetRoleResponse>",
    r"<GetPolicyVersionResponse><GetPolicyVersionResult><PolicyVersion><Document>%7B%22a%22%3A1%7D</Document><VersionId>v1</VersionId><IsDefaultVersion>true</IsDefaultVersion></PolicyVersion></GetPolicyVersionResult></GetPolicyVersionResponse>",
    r"<DescribeStacksResponse><DescribeStacksResult><Stacks><member><StackId>arn</StackId><StackName>s</StackName><CreationTime>2024-01-01T00:00:00Z</CreationTime><StackStatus>CREATE_COMPLETE</StackStatus><Outputs><member><OutputKey>k</OutputKey><OutputValue>v</OutputValue></member></Outputs></member></Stacks><NextToken>t</NextToken></DescribeStacksResult></DescribeStacksResponse>",
    r"<DescribeStackEventsResponse><DescribeStackEventsResult><StackEvents><member><EventId>e</EventId><StackId>a</StackId><StackName>s</StackName><LogicalResourceId>l</LogicalResourceId><ResourceType>AWS::S3::Bucket</ResourceType><Timestamp>2024-01-01T00:00:00Z</Timestamp><ResourceStatus>CREATE_FAILED</ResourceStatus></member></StackEvents></DescribeStackEventsResult></DescribeStackEventsResponse>",
    r"<DescribeChangeSetResponse><DescribeChangeSetResult><StackId>a</StackId><Status>CREATE_COMPLETE</Status><ExecutionStatus>AVAILABLE</ExecutionStatus><Changes><member><Type>Resource</Type><ResourceChange><Action>Add</Action><LogicalResourceId>l</LogicalResourceId><ResourceType>T</ResourceType></ResourceChange></member></Changes></DescribeChangeSetResult></DescribeChangeSetResponse>",
    r"<GetCallerIdentityResponse><GetCallerIdentityResult><Arn>arn:aws:iam::1:root</Arn><UserId>u</UserId><Account>1</Account></GetCallerIdentityResult></GetCallerIdentityResponse>",
    r#"{"repositories":[{"repositoryArn":"arn","registryId":"1","repositoryName":"r","repositoryUri":"u","createdAt":1.7E9}],"nextToken":"t"}"#,
    r#"{"imageDetails":[{"imageDigest":"sha256:a","imageTags":["t"],"imageSizeInBytes":12,"imagePushedAt":1700000000.5}],"policyText":"{\"a\":1}","tags":[{"Key":"k","Value":"v"}]}"#,
    r#"{"projects":["p"],"ids":["p:1"],"builds":[{"id":"p:1","buildStatus":"FAILED","currentPhase":"BUILD","startTime":1.7E9,"phases":[{"phaseType":"BUILD","phaseStatus":"FAILED","startTime":1,"endTime":2,"durationInSeconds":1,"contexts":[{"statusCode":"C","message":"m"}]}],"logs":{"groupName":"g","streamName":"s"}}],"build":{"id":"p:2"},"buildsNotDeleted":[{"id":"p:1","statusCode":"BUILD_IN_PROGRESS"}],"nextToken":"t"}"#,
    r#"{"Functions":[{"FunctionName":"f","FunctionArn":"arn"}],"NextMarker":"m","Tags":{"k":"v"},"Configuration":{"FunctionName":"f","FunctionArn":"arn","State":"Pending","MemorySize":128,"Timeout":3,"Environment":{"Variables":{"A":"b"}}},"Code":{"ImageUri":"i","ResolvedImageUri":"r"},"Policy":"{\"Statement\":[{\"Sid\":\"s\",\"Condition\":{\"ArnLike\":{\"AWS:SourceArn\":\"a\"}}}]}"}"#,
    r#"{"logGroups":[{"logGroupName":"g","arn":"arn:*","logGroupArn":"arn","retentionInDays":7}],"events":[{"timestamp":1700000000000,"message":"line\r\nline","logStreamName":"s","eventId":"e"}],"nextToken":"t","nextForwardToken":"f/1","tags":{"k":"v"}}"#,
    r#"{"__type":"com.amazonaws#ResourceNotFoundException","message":"none","Message":"none"}"#,
];

/// What is put into an answer.
const PIECES: &[&str] = &[
    "",
    "\0",
    "<",
    ">",
    "</",
    "]]>",
    "<!--",
    "<![CDATA[",
    "&",
    "&lt;",
    "&#x10FFFF;",
    "&#xD800;",
    "&bomb;",
    "{",
    "}",
    "[",
    "]",
    "\"",
    "\\",
    "\\u",
    "\\ud800",
    ",",
    ":",
    "null",
    "true",
    "1e999",
    "-0",
    "99999999999999999999999999999999",
    "NaN",
    "0001-01-01T00:00:00Z",
    "9999999-01-01T00:00:00Z",
    "\u{1b}[2J",
    "\u{202e}",
    "%FF",
    "%",
    "\u{feff}",
    "<!DOCTYPE a [<!ENTITY bomb \"bomb\">]>",
    "<Error><Code>",
];

#[derive(Debug, Clone)]
enum Spoil {
    Byte(usize, u8),
    Cut(usize),
    Remove(usize, usize),
    Repeat(usize, usize, usize),
    Insert(usize, usize),
    Nest(usize, usize, usize),
}

fn spoil() -> impl Strategy<Value = Spoil> {
    let at = any::<usize>;
    prop_oneof![
        (at(), any::<u8>()).prop_map(|(at, byte)| Spoil::Byte(at, byte)),
        at().prop_map(Spoil::Cut),
        (at(), 0..60_usize).prop_map(|(at, length)| Spoil::Remove(at, length)),
        (at(), 0..200_usize, 1..50_usize).prop_map(|(at, length, times)| Spoil::Repeat(at, length, times)),
        (at(), 0..PIECES.len()).prop_map(|(at, piece)| Spoil::Insert(at, piece)),
        (at(), 0..PIECES.len(), 1..20_000_usize).prop_map(|(at, piece, times)| Spoil::Nest(at, piece, times)),
    ]
}

fn apply(mut bytes: Vec<u8>, spoils: &[Spoil]) -> Vec<u8> {
    for spoil in spoils {
        let length = bytes.len();
        let place = |at: usize| at % (length + 1);
        match *spoil {
            Spoil::Byte(at, byte) if length > 0 => bytes[at % length] = byte,
            Spoil::Byte(..) => {}
            Spoil::Cut(at) => bytes.truncate(place(at)),
            Spoil::Remove(at, count) => drop(bytes.drain(place(at)..(place(at) + count).min(length))),
            Spoil::Repeat(at, count, times) => {
                let part = bytes[place(at)..(place(at) + count).min(length)].repeat(times);
                bytes.splice(place(at)..place(at), part);
            }
            Spoil::Insert(at, piece) => drop(bytes.splice(place(at)..place(at), PIECES[piece].bytes())),
            Spoil::Nest(at, piece, times) => {
                bytes.splice(place(at)..place(at), PIECES[piece].repeat(times).into_bytes());
            }
        }
    }
    bytes
}

fn body() -> impl Strategy<Value = Vec<u8>> {
    let spoilt = (0..SEEDS.len(), vec(spoil(), 0..6)).prop_map(|(seed, spoils)| apply(SEEDS[seed].into(), &spoils));
    prop_oneof![9 => spoilt, 1 => vec(any::<u8>(), 0..2000)]
}

fn status() -> impl Strategy<Value = u16> {
    prop_oneof![4 => Just(200), 1 => Just(400), 1 => Just(403), 1 => Just(404), 1 => Just(409), 1 => Just(503), 2 => 200..1000_u16]
}

fn headers() -> impl Strategy<Value = Vec<(String, String)>> {
    const NAMES: &[&str] = &[
        "content-type",
        "content-length",
        "date",
        "age",
        "etag",
        "last-modified",
        "x-amzn-errortype",
        "x-amzn-requestid",
        "x-amz-request-id",
        "x-amz-id-2",
        "x-amz-bucket-region",
        "x-amz-checksum-crc32",
        "content-range",
        "retry-after",
        "x-amz-meta-a",
        "x-amz-tagging-count",
        "x-amz-missing-meta",
        "x-amz-delete-marker",
        "x-amz-retry-after",
    ];
    let value = prop_oneof![
        "[ -~]{0,40}",
        "[0-9]{1,30}",
        Just("-1".to_owned()),
        Just("Sun, 06 Nov 1994 08:49:37 GMT".to_owned()),
        Just("Fri, 31 Dec 9999999 23:59:60 GMT".to_owned()),
        Just("NoSuchKey".to_owned()),
        Just("\u{e4}\u{1f600}".to_owned()),
    ];
    vec((prop::sample::select(NAMES).prop_map(str::to_owned), value), 0..6)
}

/// The number of cases in `PROPTEST_CASES`, or a small default.
fn cases(few: u32) -> ProptestConfig {
    let cases = std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(few);
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

fn run(service: &str, clients: &Clients) {
    let folder = tempfile::tempdir().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let calls = call_all(service, clients, folder.path());
    let ended = runtime.block_on(async { tokio::time::timeout(DEADLINE, calls).await });
    assert!(ended.is_ok(), "the calls of {service} do not end");
}

proptest! {
    #![proptest_config(cases(96))]

    #[test]
    fn calls_end_for_any_response(
        service in prop::sample::select(&SERVICES[..]),
        status in status(),
        headers in headers(),
        bodies in vec(body(), 1..3),
        streamed in any::<bool>(),
    ) {
        let downloads = if streamed { Downloads::Streamed } else { Downloads::Buffered };
        let next = std::sync::atomic::AtomicUsize::new(0);
        // Pages that alternate never show the same token twice in a row.
        let clients = clients(downloads, move |_| {
            let at = next.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            answer(status, &headers, SdkBody::from(bodies[at % bodies.len()].clone()))
        });
        run(service, &clients);
    }
}

/// What an HTTP/1.1 answer may begin with.
const HEADS: &[&str] = &[
    "HTTP/1.1 200 OK\r\ncontent-type: text/xml\r\ncontent-length: 500\r\n\r\n",
    "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 403 Forbidden\r\ndate: Sun, 06 Nov 1994 08:49:37 GMT\r\n\r\n",
    "HTTP/1.0 503 Slow Down\r\nretry-after: 1\r\nconnection: close\r\n\r\n",
    "",
];

proptest! {
    #![proptest_config(cases(48))]

    #[test]
    fn call_ends_for_any_response_bytes(
        head in prop::sample::select(HEADS),
        spoils in vec(spoil(), 0..4),
        body in body(),
    ) {
        let mut bytes = apply(head.into(), &spoils);
        bytes.extend(body);
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (done, is_done) = mpsc::channel::<()>();
        let server = std::thread::spawn(move || {
            while is_done.try_recv() == Err(mpsc::TryRecvError::Empty) {
                let Ok((mut stream, _)) = listener.accept() else { return };
                let _ = stream.read(&mut [0; 16 * 1024]);
                let _ = stream.write_all(&bytes);
                let _ = stream.shutdown(Shutdown::Write);
            }
        });
        let config = config(&format!("http://{address}"), "us-east-1", "key", "secret", None);
        let http = BoundedClient::new(aws_smithy_http_client::Builder::new().build_http(), Downloads::Buffered);
        run("sts", &Clients::of(config.into_builder().http_client(http).build()));
        drop(done);
        // Another connection makes the server stop.
        drop(std::net::TcpStream::connect(address));
        server.join().unwrap();
    }
}
