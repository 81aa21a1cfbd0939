//! Buckets and keys of other accounts, missing ones, and hostile ones.

use super::sandbox;
use super::wire::Call;

#[tokio::test(flavor = "multi_thread")]
async fn bucket_of_another_account_is_inaccessible() {
    sandbox(|wire| {
        for target in ["/amzn-s3-demo-bucket", "/amzn-s3-demo-bucket/key", "/amzn-s3-demo-bucket?policy"] {
            wire.send(&Call::s3("GET", target, "")).is(403, "AccessDenied");
        }
        assert_eq!(wire.send(&Call::s3("HEAD", "/amzn-s3-demo-bucket", "")).status, 403);
        wire.send(&Call::s3("PUT", "/amzn-s3-demo-bucket/key", "x")).is(403, "AccessDenied");
        wire.send(&Call::s3("DELETE", "/amzn-s3-demo-bucket", "")).is(403, "AccessDenied");
        wire.send(&Call::s3("PUT", "/amzn-s3-demo-bucket", "")).is(409, "BucketAlreadyExists");
        assert_eq!(wire.send(&Call::s3("PUT", "/mine", "")).status, 200);
        let copy = Call::s3("PUT", "/mine/key", "").header("x-amz-copy-source", "amzn-s3-demo-bucket/key");
        wire.send(&copy).is(403, "AccessDenied");
        let call = Call::s3("GET", "/mine", "").header("x-amz-expected-bucket-owner", "111111111111");
        wire.send(&call).is(403, "AccessDenied");
        wire.send(&Call::s3("GET", "/no-such-bucket/key", "")).is(404, "NoSuchBucket");
        for name in ["..", "A", "a_b", "%00", &"a".repeat(64)] {
            wire.send(&Call::s3("PUT", &format!("/{name}"), "")).is(400, "InvalidBucketName");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_are_never_used_as_paths() {
    sandbox(|wire| {
        assert_eq!(wire.send(&Call::s3("PUT", "/pics", "")).status, 200);
        let keys = ["..%2F..%2Fx", "../../x", "a//b", "%00", "a/./b", "%2F", "..", "%2e%2e/x", "a%0Ab", "%EF%BF%BF"];
        for key in keys {
            let target = format!("/pics/{key}");
            let canonical = Call::s3("PUT", &target.replace("%2F", "/").replace("%2e", "."), key);
            // Signed with the decoded path, sent with the encoded one.
            let put = wire
                .send_as(&Call { target: target.clone(), ..canonical.clone() }, Some(&canonical.authorization(wire)));
            assert_eq!(put.status, 200, "{key}: {}", put.body);
            assert_eq!(wire.send(&Call::s3("GET", &canonical.target, "")).body, key);
        }
        wire.send(&Call::s3("PUT", &format!("/pics/{}", "k".repeat(1025)), "x")).is(400, "KeyTooLongError");
        // Invalid UTF-8.
        let call = Call::s3("PUT", "/pics/%EF%BF%BD", "x");
        let response =
            wire.send_as(&Call { target: "/pics/%FF".to_owned(), ..call.clone() }, Some(&call.authorization(wire)));
        response.is(400, "InvalidURI");
        let listed = wire.send(&Call::s3("GET", "/pics?list-type=2&encoding-type=url", ""));
        assert_eq!(listed.status, 200, "{}", listed.body);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn invalid_s3_parameters_are_rejected_or_ignored() {
    sandbox(|wire| {
        assert_eq!(wire.send(&Call::s3("PUT", "/pics", "")).status, 200);
        let upload = wire.send(&Call::s3("POST", "/pics/key?uploads", ""));
        let id = upload.body.split("<UploadId>").nth(1).and_then(|rest| rest.split('<').next()).expect("an upload");
        for target in [
            "/pics?max-keys=-1",
            "/pics?max-keys=x",
            "/pics?encoding-type=x",
            "/pics?list-type=2&continuation-token=%21",
        ] {
            wire.send(&Call::s3("GET", target, "")).is(400, "InvalidArgument");
        }
        for number in ["0", "10001", "-1", "x", ""] {
            let target = format!("/pics/key?partNumber={number}&uploadId={id}");
            wire.send(&Call::s3("PUT", &target, "x")).is(400, "InvalidArgument");
        }
        wire.send(&Call::s3("PUT", "/pics/key?partNumber=1&uploadId=none", "x")).is(404, "NoSuchUpload");
        let parts = wire.send(&Call::s3("GET", &format!("/pics/key?part-number-marker=4294967295&uploadId={id}"), ""));
        assert_eq!(parts.status, 200, "{}", parts.body);
        assert_eq!(wire.send(&Call::s3("PUT", "/pics/key", "0123456789")).status, 200);
        for range in ["bytes=10-", "bytes=99999999999999999999-", "bytes=-0"] {
            let response = wire.send(&Call::s3("GET", "/pics/key", "").header("range", range));
            assert!(matches!(response.status, 200 | 416), "{range}: {response:?}");
        }
        for range in ["bytes=", "bytes=a-b", "bytes=5-1", "bytes", "bytes=0-1,4-5"] {
            assert_eq!(
                wire.send(&Call::s3("GET", "/pics/key", "").header("range", range)).body,
                "0123456789",
                "{range}"
            );
        }
        wire.send(&Call::s3("GET", "/pics/key?partNumber=2", "")).is(416, "InvalidPartNumber");
        wire.send(&Call::s3("GET", "/pics/key?partNumber=x", "")).is(400, "InvalidArgument");
    })
    .await;
}
