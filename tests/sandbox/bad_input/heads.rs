//! Request heads: too large, not HTTP, wrong host, unsupported operation.

use super::sandbox;
use super::wire::Call;

#[tokio::test(flavor = "multi_thread")]
async fn oversized_headers_are_rejected() {
    sandbox(|wire| {
        let call = Call::s3("GET", "/", "");
        wire.send(&call.clone().header("x-amz-meta-a", &"a".repeat(9000))).is(400, "RequestHeaderSectionTooLarge");
        let many = (0..500).fold(call.clone(), |call, number| call.header(&format!("x-a{number}"), "0123456789"));
        wire.send(&many).is(400, "RequestHeaderSectionTooLarge");
        // Larger headers are rejected by the HTTP server.
        assert_eq!(wire.send(&call.clone().header("x-a", &"a".repeat(1_000_000))).status, 431);
        let many = (0..5000).fold(call.clone(), |call, number| call.header(&format!("x-a{number}"), "0"));
        assert_eq!(wire.send(&many).status, 431);
        let long = format!("/pics/{}", "a".repeat(100_000));
        assert!(matches!(wire.send(&Call::s3("GET", &long, "")).status, 400 | 414 | 431));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn non_http_input_is_rejected() {
    sandbox(|wire| {
        for bytes in [
            &b"\r\n\r\n"[..],
            b"GET",
            b"GET / HTTP/1.1\r\n\r\n",
            b"GET / HTTP/9.9\r\nhost: localhost\r\n\r\n",
            b"GET /\0 HTTP/1.1\r\nhost: localhost\r\n\r\n",
            b"G\xffT / HTTP/1.1\r\nhost: localhost\r\n\r\n",
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
            b"GET / HTTP/1.1\r\nhost: localhost\r\ncontent-length: -1\r\n\r\n",
            b"GET / HTTP/1.1\r\nhost: localhost\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n",
            b"GET / HTTP/1.1\r\nhost: local\0host\r\n\r\n",
        ] {
            let response = wire.send_and_shut_down(bytes);
            assert!(matches!(response.status, 0 | 400 | 403 | 505), "{bytes:?}: {response:?}");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn foreign_host_name_is_rejected() {
    sandbox(|wire| {
        let foreign = ["evil.example", "evil.example:4566", "localhost.evil.example", "127.0.0.1.evil.example", ""];
        let variants = ["localhost.", "127.1", "0.0.0.0", "[::1]", "user@localhost", "localhost:4566:1", "localhost:x"];
        for host in foreign.into_iter().chain(variants) {
            let call = Call { host: host.to_owned(), ..Call::s3("GET", "/", "") };
            assert_eq!(wire.send(&call).status, 403, "{host}");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn request_with_two_lengths_hides_no_second_request() {
    sandbox(|wire| {
        let hidden = "GET /hidden HTTP/1.1\r\nhost: localhost\r\n\r\n";
        let all = 5 + hidden.len();
        for lengths in [
            "content-length: 5\r\ntransfer-encoding: chunked",
            &format!("transfer-encoding: chunked\r\ncontent-length: {all}"),
            "transfer-encoding: chunked\r\ntransfer-encoding: identity",
            "transfer-encoding: chunked, identity",
            "transfer-encoding: xchunked",
            "transfer-encoding : chunked",
            "content-length: 5, 6",
            "content-length: +5",
        ] {
            let request = format!("POST / HTTP/1.1\r\nhost: localhost\r\n{lengths}\r\n\r\n0\r\n\r\n{hidden}");
            let response = wire.send_and_shut_down(request.as_bytes());
            assert!(matches!(response.status, 400 | 403), "{lengths}: {response:?}");
            assert!(
                !response.body.contains("HTTP/1.1") && !response.body.contains("/hidden"),
                "{lengths}: {response:?}"
            );
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn unsupported_operation_is_named_in_error() {
    sandbox(|wire| {
        let calls = [
            (Call::s3("GET", "/pics?analytics&id=1", ""), "GetBucketAnalyticsConfiguration"),
            (Call::s3("POST", "/pics", ""), "PostObject"),
            (Call::json("logs", "Logs_20140328.StartLiveTail", "{}"), "StartLiveTail"),
            (Call::json("ecr", "AmazonEC2ContainerRegistry_V20150921.StartImageScan", "{}"), "StartImageScan"),
            (Call::json("codebuild", "CodeBuild_20161006.CreateWebhook", "{}"), "CreateWebhook"),
            (Call::json("codebuild", "CodeBuild_20161006.", "{}"), ""),
            (Call::query("sts", "Action=GetFederationToken&Version=2011-06-15"), "GetFederationToken"),
            (Call::query("iam", "Action=MakeCoffee&Version=2010-05-08"), "MakeCoffee"),
            (Call::lambda("GET", "/2018-10-31/layers", ""), "ListLayers"),
            (Call::lambda("GET", "/2015-03-31/coffee", ""), "/2015-03-31/coffee"),
            (Call::json("dynamodb", "DynamoDB_20120810.ListTables", "{}"), "dynamodb"),
        ];
        for (call, name) in calls {
            let response = wire.send(&call);
            response.is(501, "NotImplemented");
            assert!(response.body.contains(name), "{name}: {}", response.body);
        }
        let form = Call::s3("POST", "/pics", "--x--").header("content-type", "multipart/form-data; boundary=x");
        wire.send_as(&form, None).is(501, "NotImplemented");
        wire.send(&Call::s3("PATCH", "/pics", "")).is(405, "MethodNotAllowed");
    })
    .await;
}
