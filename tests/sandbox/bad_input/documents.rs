//! Malformed XML, JSON and forms, and well-formed ones with invalid content.

use serde_json::{Value, json};

use super::sandbox;
use super::wire::Call;

#[tokio::test(flavor = "multi_thread")]
async fn broken_xml_returns_malformed_xml() {
    sandbox(|wire| {
        assert_eq!(wire.send(&Call::s3("PUT", "/pics", "")).status, 200);
        let upload = wire.send(&Call::s3("POST", "/pics/key?uploads", ""));
        let id = upload.body.split("<UploadId>").nth(1).and_then(|rest| rest.split('<').next()).expect("an upload");
        let complete = format!("/pics/key?uploadId={id}");
        let targets = [
            ("PUT", "/pics?versioning"),
            ("PUT", "/pics?tagging"),
            ("PUT", "/pics?notification"),
            ("PUT", "/pics?encryption"),
            ("PUT", "/pics?publicAccessBlock"),
            ("PUT", "/pics?lifecycle"),
            ("POST", "/pics?delete"),
            ("POST", &complete),
        ];
        let bomb = "<!DOCTYPE x [<!ENTITY a \"aaaaaaaaaa\"><!ENTITY b \"&a;&a;&a;&a;\">]><x>&b;</x>";
        let deep = "<a>".repeat(100_000);
        let documents: [&[u8]; 10] = [
            b"",
            b"<",
            b"not xml",
            b"<a>",
            b"<a></b>",
            b"<a/><b/>",
            b"<Versioning>&nothing;</Versioning>",
            b"\xff\xfe<\0a\0>\0",
            bomb.as_bytes(),
            deep.as_bytes(),
        ];
        for (method, target) in targets {
            for document in documents {
                let response = wire.send(&Call::s3(method, target, document));
                let start = String::from_utf8_lossy(&document[..document.len().min(80)]).into_owned();
                assert_eq!((response.status, response.code().as_str()), (400, "MalformedXML"), "{target} {start}");
            }
            let large = format!("<a>{}</a>", " ".repeat(5_000_000));
            wire.send(&Call::s3(method, target, large)).is(400, "MaxMessageLengthExceeded");
        }
        wire.send(&Call::s3("PUT", "/pics?policy", "{\"Statement\":")).is(400, "MalformedPolicy");
        wire.send(&Call::s3("PUT", "/pics?policy", "[".repeat(100_000))).is(400, "MalformedPolicy");
    })
    .await;
}

/// Services, operations as in `x-amz-target`, and their members.
fn json_operations() -> Vec<(&'static str, String, &'static [&'static str])> {
    let logs: &[(&str, &[&str])] = &[
        ("CreateLogGroup", &["logGroupName", "tags", "logGroupClass"]),
        ("DescribeLogGroups", &["logGroupNamePrefix", "logGroupNamePattern", "nextToken", "limit"]),
        ("PutRetentionPolicy", &["logGroupName", "retentionInDays"]),
        ("CreateLogStream", &["logGroupName", "logStreamName"]),
        ("PutLogEvents", &["logGroupName", "logStreamName", "logEvents"]),
        ("GetLogEvents", &["logGroupName", "logStreamName", "nextToken", "limit", "startTime", "endTime"]),
        ("FilterLogEvents", &["logGroupName", "logStreamNames", "filterPattern", "nextToken", "limit", "startTime"]),
        ("DescribeLogStreams", &["logGroupName", "orderBy", "descending", "nextToken", "limit"]),
        ("TagResource", &["resourceArn", "tags"]),
    ];
    let ecr: &[(&str, &[&str])] = &[
        ("CreateRepository", &["repositoryName", "tags", "encryptionConfiguration", "imageScanningConfiguration"]),
        ("DescribeRepositories", &["repositoryNames", "nextToken", "maxResults"]),
        ("PutImage", &["repositoryName", "imageManifest", "imageTag", "imageDigest"]),
        ("BatchGetImage", &["repositoryName", "imageIds"]),
        ("DescribeImages", &["repositoryName", "imageIds", "filter", "maxResults"]),
        ("UploadLayerPart", &["repositoryName", "uploadId", "partFirstByte", "partLastByte", "layerPartBlob"]),
        ("CompleteLayerUpload", &["repositoryName", "uploadId", "layerDigests"]),
        ("BatchCheckLayerAvailability", &["repositoryName", "layerDigests"]),
        ("SetRepositoryPolicy", &["repositoryName", "policyText"]),
    ];
    let codebuild: &[(&str, &[&str])] = &[
        ("CreateProject", &["name", "source", "artifacts", "environment", "serviceRole", "logsConfig", "tags"]),
        ("UpdateProject", &["name", "source", "environment", "logsConfig"]),
        ("StartBuild", &["projectName", "environmentVariablesOverride", "logsConfigOverride", "buildspecOverride"]),
        ("BatchGetBuilds", &["ids"]),
        ("BatchGetProjects", &["names"]),
        ("ListBuildsForProject", &["projectName", "nextToken", "sortOrder"]),
    ];
    let of = |service, prefix: &'static str, list: &'static [(&'static str, &'static [&'static str])]| {
        list.iter().map(move |(name, members)| (service, format!("{prefix}.{name}"), *members))
    };
    of("logs", "Logs_20140328", logs)
        .chain(of("ecr", "AmazonEC2ContainerRegistry_V20150921", ecr))
        .chain(of("codebuild", "CodeBuild_20161006", codebuild))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn broken_json_returns_serialization_exception() {
    sandbox(|wire| {
        let deep = "[".repeat(100_000);
        let nested = format!("{}1{}", "{\"a\":".repeat(100_000), "}".repeat(100_000));
        let bodies: [&[u8]; 10] = [
            b"{",
            b"[]",
            b"null",
            b"\"x\"",
            b"1e999",
            b"{\"a\":}",
            b"\xff",
            b"{} {}",
            deep.as_bytes(),
            nested.as_bytes(),
        ];
        for service in ["logs", "ecr", "codebuild"] {
            let (_, target, _) = json_operations().into_iter().find(|(of, _, _)| *of == service).expect("an operation");
            for body in bodies {
                wire.send(&Call::json(service, &target, body)).is(400, "SerializationException");
            }
        }
        for body in bodies {
            wire.send(&Call::lambda("POST", "/2015-03-31/functions", body)).is(400, "SerializationException");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn members_of_any_shape_cause_no_server_error() {
    let shapes = [
        json!(null),
        json!(true),
        json!(-1),
        json!(u64::MAX),
        json!(""),
        json!("\u{1f980}"),
        json!("f/+0/s"),
        json!([]),
        json!([1, "x", null, {}]),
        json!({}),
        json!({ "type": 1, "name": [], "imageDigest": {}, "cloudWatchLogs": "x", "environmentVariables": "x" }),
    ];
    sandbox(|wire| {
        let check = |call: &Call| {
            let response = wire.send(call);
            assert!(response.status == 200 || response.status / 100 == 4, "{call:?}: {response:?}", call = call.target);
        };
        for (service, target, members) in json_operations() {
            for member in members {
                for shape in &shapes {
                    let mut body: Value = members.iter().map(|name| ((*name).to_owned(), json!("name"))).collect();
                    body[*member] = shape.clone();
                    check(&Call::json(service, &target, body.to_string()));
                }
            }
        }
        let members =
            ["FunctionName", "Role", "Code", "PackageType", "Environment", "Timeout", "Tags", "Architectures"];
        for member in members {
            for shape in &shapes {
                let mut body = json!({
                    "FunctionName": "f", "Role": "arn:aws:iam::000000000000:role/r", "PackageType": "Image",
                    "Code": { "ImageUri": "000000000000.dkr.ecr.us-east-1.amazonaws.com/r:t" },
                });
                body[member] = shape.clone();
                check(&Call::lambda("POST", "/2015-03-31/functions", body.to_string()));
                check(&Call::lambda("PUT", "/2015-03-31/functions/f/configuration", body.to_string()));
            }
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn form_cannot_exhaust_memory_or_stack() {
    sandbox(|wire| {
        let trust = "Action=CreateRole&Version=2010-05-08&RoleName=r&AssumeRolePolicyDocument=%7B%7D";
        let names = [
            "Tags.member.0.Key".to_owned(),
            "Tags.member.%30.Key".to_owned(),
            "Tags.member.%2B0.Key".to_owned(),
            "Tags.member.4294967295.Key".to_owned(),
            "Tags.member.18446744073709551615.Key".to_owned(),
            "a.".repeat(1_000_000) + "b",
            "a%2E".repeat(1_000_000) + "b",
            (0..500).map(|number| format!("a{number}.member.10000=x&")).collect::<String>() + "b",
        ];
        for name in names {
            wire.send(&Call::query("iam", format!("{trust}&{name}=x"))).is(400, "MalformedInput");
        }
        let response = wire.send(&Call::query("iam", "Version=2010-05-08"));
        assert_eq!(response.status, 400, "{}", response.body);
        for body in [&b"Action=ListRoles&Marker=\xff"[..], b"Action=%FF", b"Action=ListRoles&Action=&&&==&%", b"&=&=&"]
        {
            let response = wire.send(&Call::query("iam", body));
            assert!(response.status / 100 == 4 || response.status == 501 || response.status == 200, "{response:?}");
        }
        for items in ["0", "-1", "1001", "x"] {
            let body = format!("Action=ListRoles&Version=2010-05-08&MaxItems={items}");
            wire.send(&Call::query("iam", body)).is(400, "ValidationError");
        }
        let document = format!("{trust}&x={}", "%5B".repeat(100_000));
        assert_eq!(wire.send(&Call::query("iam", document)).status / 100, 4);
        let deep = format!("Action=CreatePolicy&PolicyName=p&PolicyDocument={}", "%5B".repeat(5_000));
        wire.send(&Call::query("iam", deep)).is(400, "MalformedPolicyDocument");
    })
    .await;
}
