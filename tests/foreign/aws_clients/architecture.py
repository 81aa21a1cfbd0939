"""The thumbnail creator: deployed, tried and taken down with boto3, waiting with its waiters."""

import base64
import json
import time
from pathlib import Path

import boto3
from botocore.exceptions import ClientError

BUILD, FUNCTION, REPOSITORY = "wk-build", "wk-function", "wk-images"
SOURCE, DESTINATION, BUILD_SOURCE = "wk-source", "wk-thumbnails", "wk-build-source"
GROUPS = [f"/aws/codebuild/{BUILD}", f"/aws/lambda/{FUNCTION}"]

s3, iam, ecr = boto3.client("s3"), boto3.client("iam"), boto3.client("ecr")
logs, codebuild, functions = boto3.client("logs"), boto3.client("codebuild"), boto3.client("lambda")
caller = boto3.client("sts").get_caller_identity()
account, region = caller["Account"], s3.meta.region_name


def refused(call, **arguments):
    """The code and the status of the error that a call ends with."""
    try:
        call(**arguments)
    except ClientError as error:
        return error.response["Error"]["Code"], error.response["ResponseMetadata"]["HTTPStatusCode"]
    raise AssertionError(f"{call} was not refused")


def until(what, ask):
    """Asks until there is an answer."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        answer = ask()
        if answer:
            return answer
        time.sleep(0.05)
    raise AssertionError(f"waited in vain for {what}")


def make_role(name, trust, policy):
    made = iam.create_policy(PolicyName=name, PolicyDocument=Path(policy).read_text())["Policy"]
    iam.get_waiter("policy_exists").wait(PolicyArn=made["Arn"])
    role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=Path(trust).read_text())["Role"]
    iam.get_waiter("role_exists").wait(RoleName=name)
    iam.attach_role_policy(RoleName=name, PolicyArn=made["Arn"])
    return role["Arn"]


def deploy():
    for bucket in (SOURCE, DESTINATION, BUILD_SOURCE):
        s3.create_bucket(Bucket=bucket)
        s3.get_waiter("bucket_exists").wait(Bucket=bucket)
    repository = ecr.create_repository(repositoryName=REPOSITORY)["repository"]
    for group in GROUPS:
        logs.create_log_group(logGroupName=group)
        logs.put_retention_policy(logGroupName=group, retentionInDays=7)
    build_role = make_role(BUILD, "build-trust.json", "build-policy.json")
    function_role = make_role(FUNCTION, "function-trust.json", "function-policy.json")

    s3.upload_file("function.zip", BUILD_SOURCE, "function.zip")
    codebuild.create_project(
        name=BUILD,
        source={"type": "S3", "location": f"{BUILD_SOURCE}/function.zip"},
        artifacts={"type": "NO_ARTIFACTS"},
        environment=json.loads(Path("environment.json").read_text()),
        serviceRole=build_role,
    )
    build = codebuild.start_build(projectName=BUILD)["build"]
    look = lambda: codebuild.batch_get_builds(ids=[build["id"]])["builds"][0]
    built = until("the build", lambda: look() if look()["buildComplete"] else None)
    assert built["buildStatus"] == "SUCCEEDED", built
    assert built["endTime"] >= built["startTime"] >= build["startTime"], built
    assert built["logs"]["streamName"] == build["id"].split(":")[1], built["logs"]

    image = ecr.describe_images(repositoryName=REPOSITORY, imageIds=[{"imageTag": "latest"}])["imageDetails"][0]
    made = functions.create_function(
        FunctionName=FUNCTION,
        PackageType="Image",
        Code={"ImageUri": f"{repository['repositoryUri']}@{image['imageDigest']}"},
        Role=function_role,
        Timeout=30,
        MemorySize=256,
        Environment={"Variables": {"DEST_BUCKET": DESTINATION, "MAX_SIZE": "128"}},
    )
    assert (made["State"], made["ResponseMetadata"]["HTTPStatusCode"]) == ("Pending", 201), made
    for waiter in ("function_exists", "function_active_v2", "function_updated_v2", "function_active", "function_updated"):
        functions.get_waiter(waiter).wait(FunctionName=FUNCTION)
    functions.add_permission(
        FunctionName=FUNCTION,
        StatementId="s3",
        Action="lambda:InvokeFunction",
        Principal="s3.amazonaws.com",
        SourceArn=f"arn:aws:s3:::{SOURCE}",
        SourceAccount=account,
    )
    configuration = {"LambdaFunctionArn": made["FunctionArn"], "Events": ["s3:ObjectCreated:*"]}
    s3.put_bucket_notification_configuration(
        Bucket=SOURCE, NotificationConfiguration={"LambdaFunctionConfigurations": [configuration]}
    )


def follow(group, start):
    """Every event of a group so far, as `aws logs tail` asks for them."""
    pages = logs.get_paginator("filter_log_events").paginate(
        logGroupName=group, startTime=start, interleaved=True, PaginationConfig={"PageSize": 2}
    )
    return {event["eventId"]: event["message"] for page in pages for event in page["events"]}


def attempt():
    start = int(time.time() * 1000)
    s3.upload_file("lighthouse.jpg", SOURCE, "lighthouse.jpg")
    s3.get_waiter("object_exists").wait(Bucket=DESTINATION, Key="thumb-lighthouse.jpg")
    s3.download_file(DESTINATION, "thumb-lighthouse.jpg", "thumbnail.jpg")
    until("the report", lambda: [line for line in follow(GROUPS[1], start).values() if line.startswith("REPORT")])
    answer = functions.invoke(FunctionName=FUNCTION, Payload=b'{"Records":[]}', LogType="Tail")
    assert answer["StatusCode"] == 200 and answer["ExecutedVersion"] == "$LATEST", answer
    assert b"REPORT RequestId:" in base64.b64decode(answer["LogResult"]), answer
    assert functions.invoke(FunctionName=FUNCTION, InvocationType="DryRun")["StatusCode"] == 204
    failed = functions.invoke(FunctionName=FUNCTION, Payload=b"{}")
    assert failed["FunctionError"] == "Unhandled" and "errorType" in json.load(failed["Payload"]), failed


def destroy():
    s3.put_bucket_notification_configuration(Bucket=SOURCE, NotificationConfiguration={})
    functions.delete_function(FunctionName=FUNCTION)
    assert refused(functions.get_function, FunctionName=FUNCTION) == ("ResourceNotFoundException", 404)
    codebuild.batch_delete_builds(ids=codebuild.list_builds_for_project(projectName=BUILD)["ids"])
    codebuild.delete_project(name=BUILD)
    assert refused(ecr.delete_repository, repositoryName=REPOSITORY) == ("RepositoryNotEmptyException", 400)
    ecr.delete_repository(repositoryName=REPOSITORY, force=True)
    for name in (SOURCE, DESTINATION, BUILD_SOURCE):
        bucket = boto3.resource("s3").Bucket(name)
        assert refused(s3.delete_bucket, Bucket=name) == ("BucketNotEmpty", 409)
        bucket.objects.all().delete()
        bucket.delete()
        s3.get_waiter("bucket_not_exists").wait(Bucket=name)
    for name in (BUILD, FUNCTION):
        assert refused(iam.delete_role, RoleName=name) == ("DeleteConflict", 409)
        role = boto3.resource("iam").Role(name)
        for policy in list(role.attached_policies.all()):
            assert refused(iam.delete_policy, PolicyArn=policy.arn) == ("DeleteConflict", 409)
            policy.detach_role(RoleName=name)
            policy.delete()
        role.delete()
    for group in GROUPS:
        logs.delete_log_group(logGroupName=group)


assert caller["Arn"] == f"arn:aws:iam::{account}:root", caller
deploy()
attempt()
destroy()
print("done")
