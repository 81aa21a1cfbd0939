"""boto3's paginators with pages so small that every listing is really cut."""

import hashlib
import json
import time

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

account = boto3.client("sts").get_caller_identity()["Account"]
ANYONE = {"Service": ["lambda.amazonaws.com", "codebuild.amazonaws.com"]}
TRUST = json.dumps(
    {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": ANYONE, "Action": "sts:AssumeRole"}]}
)
POLICY = json.dumps(
    {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}]}
)


def check(client, operation, element, expected, name=lambda item: item, size=2, resumes=True, **arguments):
    """A listing has these names, on as many pages as they need, and resumes where it was left."""
    paginator = client.get_paginator(operation)
    pages = list(paginator.paginate(PaginationConfig={"PageSize": size}, **arguments))
    found = [name(item) for page in pages for item in page.get(element, [])]
    assert sorted(found) == sorted(expected), (operation, found, expected)
    assert len(pages) >= -(-len(expected) // size), (operation, len(pages))
    assert all(len(page.get(element, [])) <= size for page in pages), (operation, pages)
    # boto3 counts only a listing's first element.
    if not resumes:
        return
    most = dict(PageSize=size, MaxItems=3)
    begun = paginator.paginate(PaginationConfig=most, **arguments).build_full_result()
    assert len(begun[element]) == 3, (operation, begun)
    rest = dict(PageSize=size, StartingToken=begun["NextToken"])
    rest = paginator.paginate(PaginationConfig=rest, **arguments).build_full_result()
    both = [name(item) for item in begun[element] + rest[element]]
    assert both == found, (operation, both, found)


def key(element):
    return lambda item: item[element]


def objects():
    s3 = boto3.client("s3")
    buckets = [f"wk-{number}" for number in range(5)]
    for bucket in buckets:
        s3.create_bucket(Bucket=bucket)
    check(s3, "list_buckets", "Buckets", buckets, key("Name"))
    where = dict(Bucket=buckets[0])
    names = [f"p/{number}/ü &+" for number in range(5)]
    for name in names:
        s3.put_object(Key=name, Body=b"", **where)
    for operation in ("list_objects", "list_objects_v2"):
        check(s3, operation, "Contents", names, key("Key"), **where)
        folders = [name[:4] for name in names]
        check(s3, operation, "CommonPrefixes", folders, key("Prefix"), resumes=False, Prefix="p/", Delimiter="/", **where)
    s3.put_bucket_versioning(VersioningConfiguration={"Status": "Enabled"}, **where)
    for _ in range(4):
        s3.put_object(Key="versions", Body=b"", **where)
    check(s3, "list_object_versions", "Versions", ["versions"] * 4, key("Key"), Prefix="versions", **where)
    uploads = [s3.create_multipart_upload(Key=f"upload{number % 2}", **where)["UploadId"] for number in range(5)]
    check(s3, "list_multipart_uploads", "Uploads", uploads, key("UploadId"), **where)
    upload = dict(Key="upload0", UploadId=uploads[0], **where)
    for number in range(1, 6):
        s3.upload_part(PartNumber=number, Body=b"part", **upload)
    check(s3, "list_parts", "Parts", [1, 2, 3, 4, 5], key("PartNumber"), **upload)


def identities():
    iam = boto3.client("iam")
    roles = [f"role{number}" for number in range(5)]
    policies = [f"policy{number}" for number in range(5)]
    for role in roles:
        iam.create_role(RoleName=role, AssumeRolePolicyDocument=TRUST)
    arns = [iam.create_policy(PolicyName=policy, PolicyDocument=POLICY)["Policy"]["Arn"] for policy in policies]
    check(iam, "list_roles", "Roles", roles, key("RoleName"))
    check(iam, "list_policies", "Policies", policies, key("PolicyName"), Scope="Local")
    for policy, arn in zip(policies, arns):
        iam.attach_role_policy(RoleName=roles[0], PolicyArn=arn)
        iam.put_role_policy(RoleName=roles[0], PolicyName=policy, PolicyDocument=POLICY)
    for role in roles[1:]:
        iam.attach_role_policy(RoleName=role, PolicyArn=arns[0])
    for _ in range(4):
        iam.create_policy_version(PolicyArn=arns[0], PolicyDocument=POLICY, SetAsDefault=True)
    of_role, of_policy = dict(RoleName=roles[0]), dict(PolicyArn=arns[0])
    check(iam, "list_attached_role_policies", "AttachedPolicies", policies, key("PolicyName"), **of_role)
    check(iam, "list_role_policies", "PolicyNames", policies, **of_role)
    check(iam, "list_entities_for_policy", "PolicyRoles", roles, key("RoleName"), resumes=False, **of_policy)
    versions = [f"v{number}" for number in range(1, 6)]
    check(iam, "list_policy_versions", "Versions", versions, key("VersionId"), **of_policy)
    tags = [{"Key": name, "Value": name} for name in "abcde"]
    iam.tag_role(Tags=tags, **of_role)
    iam.tag_policy(Tags=tags, **of_policy)
    check(iam, "list_role_tags", "Tags", "abcde", key("Key"), **of_role)
    check(iam, "list_policy_tags", "Tags", "abcde", key("Key"), **of_policy)


def lines():
    logs = boto3.client("logs")
    groups = [f"/wk/{number}" for number in range(5)]
    for group in groups:
        logs.create_log_group(logGroupName=group)
    check(logs, "describe_log_groups", "logGroups", groups, key("logGroupName"), logGroupNamePrefix="/wk/")
    streams, where = [f"s{number}" for number in range(5)], dict(logGroupName=groups[0])
    now = int(time.time() * 1000)
    for number, stream in enumerate(streams):
        logs.create_log_stream(logStreamName=stream, **where)
        events = [{"timestamp": now + number, "message": f"{stream} {line}"} for line in range(3)]
        logs.put_log_events(logStreamName=stream, logEvents=events, **where)
    for order in ({}, {"orderBy": "LastEventTime", "descending": True}):
        check(logs, "describe_log_streams", "logStreams", streams, key("logStreamName"), **order, **where)
    messages = [f"{stream} {line}" for stream in streams for line in range(3)]
    check(logs, "filter_log_events", "events", messages, key("message"), size=4, **where)
    check(logs, "filter_log_events", "events", messages[6:], key("message"), startTime=now + 2, **where)
    # Its host has a prefix that no loopback address has.
    live = boto3.client("logs", config=Config(inject_host_prefix=False, retries={"total_max_attempts": 1}))
    try:
        live.start_live_tail(logGroupIdentifiers=[f"arn:aws:logs:us-east-1:{account}:log-group:{groups[0]}"])
        raise AssertionError("StartLiveTail is there")
    except ClientError as error:
        assert error.response["ResponseMetadata"]["HTTPStatusCode"] == 501, error
        assert "StartLiveTail" in str(error), error


def images():
    ecr = boto3.client("ecr")
    repositories = [f"wk/{number}" for number in range(5)]
    for repository in repositories:
        ecr.create_repository(repositoryName=repository)
    check(ecr, "describe_repositories", "repositories", repositories, key("repositoryName"))
    where = dict(repositoryName=repositories[0])
    tags = [f"t{number}" for number in range(5)]
    for tag in tags:
        content = json.dumps({"architecture": "amd64", "os": "linux", "rootfs": {"type": "layers"}, "tag": tag}).encode()
        digest = "sha256:" + hashlib.sha256(content).hexdigest()
        upload = dict(uploadId=ecr.initiate_layer_upload(**where)["uploadId"], **where)
        ecr.upload_layer_part(partFirstByte=0, partLastByte=len(content) - 1, layerPartBlob=content, **upload)
        ecr.complete_layer_upload(layerDigests=[digest], **upload)
        kind = "application/vnd.oci.image"
        config = {"mediaType": f"{kind}.config.v1+json", "digest": digest, "size": len(content)}
        manifest = {"schemaVersion": 2, "mediaType": f"{kind}.manifest.v1+json", "config": config, "layers": []}
        ecr.put_image(imageManifest=json.dumps(manifest), imageTag=tag, **where)
    check(ecr, "list_images", "imageIds", tags, key("imageTag"), **where)
    check(ecr, "describe_images", "imageDetails", tags, lambda image: image["imageTags"][0], **where)


def projects():
    codebuild = boto3.client("codebuild")
    names = [f"wk-{number}" for number in range(5)]
    spec = "version: 0.2\nphases: {build: {commands: [echo hello]}}"
    for name in names:
        codebuild.create_project(
            name=name,
            source={"type": "NO_SOURCE", "buildspec": spec},
            artifacts={"type": "NO_ARTIFACTS"},
            environment={"type": "LINUX_CONTAINER", "image": "aws/codebuild/standard:8.0", "computeType": "BUILD_GENERAL1_SMALL"},
            serviceRole=f"arn:aws:iam::{account}:role/role0",
        )
    # CodeBuild's listings have pages of one size: their paginators take none.
    for operation, element, expected in (("list_projects", "projects", names), ("list_builds", "ids", [])):
        pages = list(codebuild.get_paginator(operation).paginate())
        assert [item for page in pages for item in page[element]] == expected, operation
    builds = [codebuild.start_build(projectName=names[0])["build"]["id"] for _ in range(3)]
    for operation, more in (("list_builds", {}), ("list_builds_for_project", {"projectName": names[0]})):
        for order, ids in (("DESCENDING", builds[::-1]), ("ASCENDING", builds)):
            pages = list(codebuild.get_paginator(operation).paginate(sortOrder=order, **more))
            assert [build for page in pages for build in page["ids"]] == ids, operation


objects()
identities()
lines()
images()
projects()
functions = boto3.client("lambda").get_paginator("list_functions").paginate(PaginationConfig={"PageSize": 2})
assert [page["Functions"] for page in functions] == [[]]
print("done")
