//! Requests without a signature or with an invalid one.

use chrono::{Duration, Utc};

use super::sandbox;
use super::wire::Call;

/// One request of each protocol.
fn one_of_each() -> [Call; 4] {
    [
        Call::s3("GET", "/", ""),
        Call::json("logs", "Logs_20140328.DescribeLogGroups", "{}"),
        Call::query("iam", "Action=ListRoles&Version=2010-05-08"),
        Call::lambda("GET", "/2015-03-31/functions/", ""),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn unsigned_request_is_rejected() {
    sandbox(|wire| {
        let [s3, json, query, lambda] = one_of_each();
        wire.send_as(&s3, None).is(403, "AccessDenied");
        wire.send_as(&json, None).is(400, "MissingAuthenticationTokenException");
        wire.send_as(&query, None).is(403, "MissingAuthenticationToken");
        wire.send_as(&lambda, None).is(400, "MissingAuthenticationTokenException");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn malformed_signature_is_rejected() {
    sandbox(|wire| {
        for call in one_of_each() {
            let good = call.authorization(wire);
            let replaced = |from: &str, to: &str| {
                assert!(good.contains(from), "{from} is not in {good}");
                good.replacen(from, to, 1)
            };
            let signature = call.signature(&wire.secret_key);
            let malformed = [
                "AWS4-HMAC-SHA256".to_owned(),
                "AWS4-HMAC-SHA256 ".to_owned(),
                "Basic dXNlcjpwYXNz".to_owned(),
                "AWS4-HMAC-SHA512 Credential=a/b/c/d/aws4_request".to_owned(),
                "\u{1f980}".to_owned(),
                ",=,=,".repeat(100),
                replaced("Credential=", "Credentials="),
                replaced("/aws4_request", ""),
                replaced("/aws4_request", "/aws5_request"),
                replaced("SignedHeaders=host;", "SignedHeaders="),
                replaced("Signature=", "Sig="),
                replaced("/us-east-1/", "/"),
                replaced(&signature, ""),
                replaced(&signature, &"f".repeat(64)),
                replaced(&signature, &"f".repeat(6000)),
                replaced(&signature, "\u{444}"),
                replaced("host;x-amz-date", "host;x-amz-date;x-not-there"),
                replaced(&format!("Credential={}", wire.access_key), "Credential=AKIAUNKNOWN"),
                replaced(&format!("Credential={}", wire.access_key), "Credential="),
            ];
            for authorization in malformed {
                let response = wire.send_as(&call, Some(&authorization));
                assert!(matches!(response.status, 400 | 403), "{authorization}: {response:?}");
                assert!(!response.code().is_empty(), "{authorization}: {response:?}");
            }
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_secret_and_unknown_key_are_rejected() {
    sandbox(|wire| {
        let expected = [
            ("SignatureDoesNotMatch", 403, "InvalidAccessKeyId"),
            ("InvalidSignatureException", 400, "UnrecognizedClientException"),
            ("SignatureDoesNotMatch", 403, "InvalidClientTokenId"),
            ("InvalidSignatureException", 400, "UnrecognizedClientException"),
        ];
        for (call, (mismatch, status, unknown)) in one_of_each().into_iter().zip(expected) {
            let good = call.authorization(wire);
            let forged = good.replace(&call.signature(&wire.secret_key), &call.signature("another's secret"));
            wire.send_as(&call, Some(&forged)).is(403, mismatch);
            wire.send_as(&call, Some(&good.replace(&wire.access_key, "AKIAUNKNOWN"))).is(status, unknown);
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn skewed_clock_is_rejected() {
    sandbox(|wire| {
        for hours in [-1, 1, -100_000] {
            let time = Utc::now() + Duration::hours(hours);
            let [s3, json, query, _] = one_of_each().map(|call| Call { time, ..call });
            wire.send(&s3).is(403, "RequestTimeTooSkewed");
            wire.send(&json).is(403, "InvalidSignatureException");
            wire.send(&query).is(403, "SignatureDoesNotMatch");
        }
        let call = Call::s3("GET", "/", "");
        let head = call.head(Some(&call.authorization(wire)));
        let date = head.lines().find(|line| line.starts_with("x-amz-date")).expect("a date").to_owned();
        for wrong in ["x-amz-date: yesterday", "x-amz-date: 99999999T999999Z", "x-amz-date: ", "x-other: 1"] {
            wire.raw(head.replace(&date, wrong).as_bytes()).is(400, "AuthorizationHeaderMalformed");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn body_with_wrong_hash_is_rejected() {
    sandbox(|wire| {
        let create = |body: &str| Call::json("logs", "Logs_20140328.CreateLogGroup", body);
        let signed = create(r#"{"logGroupName":"a"}"#);
        let sent = create(r#"{"logGroupName":"b"}"#);
        wire.send_as(&sent, Some(&signed.authorization(wire))).is(403, "InvalidSignatureException");
        // The same with a header that declares the body's hash.
        let signed = Call { payload: Some(super::wire::hash(&signed.body)), ..signed };
        let sent = Call { payload: signed.payload.clone(), ..sent };
        wire.send_as(&sent, Some(&signed.authorization(wire))).is(403, "InvalidSignatureException");
        assert_eq!(wire.send(&Call::s3("PUT", "/pics", "")).status, 200);
        let signed = Call::s3("PUT", "/pics/a", "as it was");
        let sent = Call { body: b"as it is!".to_vec(), ..signed.clone() };
        wire.send_as(&sent, Some(&signed.authorization(wire))).is(400, "XAmzContentSHA256Mismatch");
        wire.send(&Call::s3("GET", "/pics/a", "")).is(404, "NoSuchKey");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn presigned_url_is_verified() {
    sandbox(|wire| {
        let day = Utc::now().format("%Y%m%d").to_string();
        let now = Utc::now().format("%Y%m%dT%H%M%SZ").to_string();
        let credential = format!("{}%2F{day}%2Fus-east-1%2Fs3%2Faws4_request", wire.access_key);
        let address = |expires: &str, date: &str, credential: &str| {
            format!(
                "/?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential={credential}&X-Amz-Date={date}\
                 &X-Amz-Expires={expires}&X-Amz-SignedHeaders=host&X-Amz-Signature=00"
            )
        };
        let send = |target: &str| wire.send_as(&Call { payload: None, ..Call::s3("GET", target, "") }, None);
        send(&address("60", &now, &credential)).is(403, "SignatureDoesNotMatch");
        for expires in ["", "-1", "soon", "604801", "99999999999999999999999"] {
            send(&address(expires, &now, &credential)).is(400, "AuthorizationQueryParametersError");
        }
        let too_long = send(&address("604801", &now, &credential)).body;
        assert!(too_long.contains("X-Amz-Expires must be less than a week (in seconds)"), "{too_long}");
        // A week exactly: only the signature is wrong.
        send(&address("604800", &now, &credential)).is(403, "SignatureDoesNotMatch");
        send(&address("60", "20200101T000000Z", &credential)).is(403, "AccessDenied");
        send(&address("60", &now, "nothing")).is(400, "AuthorizationQueryParametersError");
        send("/?X-Amz-Signature=00").is(400, "AuthorizationQueryParametersError");
        // Version 2.
        let key = &wire.access_key;
        send(&format!("/?AWSAccessKeyId={key}&Signature=x&Expires=1")).is(403, "AccessDenied");
        send(&format!("/?AWSAccessKeyId={key}&Signature=x&Expires=never")).is(400, "AuthorizationHeaderMalformed");
        send(&format!("/?AWSAccessKeyId={key}&Signature=x")).is(400, "AuthorizationHeaderMalformed");
        send(&format!("/?AWSAccessKeyId={key}&Signature=x&Expires=9999999999")).is(403, "SignatureDoesNotMatch");
        send("/?AWSAccessKeyId=AKIAUNKNOWN&Signature=x&Expires=9999999999").is(403, "InvalidAccessKeyId");
    })
    .await;
}
