"""Objects with boto3: every size and checksum, in parts, versions, presigned addresses, the resource API."""

import io
import os
import urllib.error
import urllib.request

import boto3
from boto3.s3.transfer import TransferConfig
from botocore.config import Config
from botocore.exceptions import ClientError, MissingDependencyException

MIB = 1024 * 1024
BUCKET = "wk-objects"
s3 = boto3.client("s3")


def code(call, **arguments):
    try:
        call(**arguments)
    except ClientError as error:
        return error.response["Error"]["Code"]
    return "no error"


def checksums():
    """The sizes that differ on the wire, with each algorithm that needs no further package."""
    tried = 0
    for size in (0, 1, 8 * 1024, 5 * MIB):
        content = os.urandom(size)
        for algorithm in ("CRC32", "SHA1", "SHA256", "CRC32C", "CRC64NVME"):
            key = f"{size}/{algorithm}"
            try:
                # A stream is sent in chunks with the checksum behind them.
                put = s3.put_object(Bucket=BUCKET, Key=key, Body=io.BytesIO(content), ChecksumAlgorithm=algorithm)
            except MissingDependencyException:
                continue
            got = s3.get_object(Bucket=BUCKET, Key=key, ChecksumMode="ENABLED")
            assert got["Body"].read() == content, key
            assert got["ChecksumType"] == "FULL_OBJECT", got
            assert got[f"Checksum{algorithm}"] == put[f"Checksum{algorithm}"], got
            tried += 1
    assert tried >= 12, tried
    wrong = dict(Bucket=BUCKET, Key="wrong", Body=b"hello", ChecksumCRC32="AAAAAA==")
    assert code(s3.put_object, **wrong) == "BadDigest"
    assert code(s3.head_object, Bucket=BUCKET, Key="wrong") == "404"


def parts():
    content = os.urandom(20 * MIB + 7)
    with open("large", "wb") as file:
        file.write(content)
    config = TransferConfig(multipart_threshold=5 * MIB, multipart_chunksize=5 * MIB)
    s3.upload_file("large", BUCKET, "large", Config=config)
    s3.download_file(BUCKET, "large", "back", Config=config)
    with open("back", "rb") as file:
        assert file.read() == content
    head = s3.head_object(Bucket=BUCKET, Key="large", ChecksumMode="ENABLED")
    assert head["ETag"].endswith('-5"') and head["ChecksumType"] == "COMPOSITE", head
    part = s3.get_object(Bucket=BUCKET, Key="large", PartNumber=5)
    assert part["PartsCount"] == 5 and part["Body"].read() == content[20 * MIB :], part
    assert code(s3.get_object, Bucket=BUCKET, Key="large", PartNumber=6) == "InvalidPartNumber"
    wanted = ["ETag", "Checksum", "ObjectParts", "ObjectSize"]
    attributes = s3.get_object_attributes(Bucket=BUCKET, Key="large", ObjectAttributes=wanted)
    assert attributes["ObjectParts"]["TotalPartsCount"] == 5, attributes
    assert attributes["ObjectSize"] == len(content), attributes
    s3.copy({"Bucket": BUCKET, "Key": "large"}, BUCKET, "copy", Config=config)
    assert s3.get_object(Bucket=BUCKET, Key="copy")["Body"].read() == content

    begun = s3.create_multipart_upload(Bucket=BUCKET, Key="small", ChecksumAlgorithm="SHA256")
    assert begun["ChecksumAlgorithm"] == "SHA256" and begun["ChecksumType"] == "COMPOSITE", begun
    upload = dict(Bucket=BUCKET, Key="small", UploadId=begun["UploadId"])
    sent = [s3.upload_part(PartNumber=number, Body=b"small", ChecksumAlgorithm="SHA256", **upload) for number in (1, 2)]
    named = [{"PartNumber": number, "ETag": part["ETag"]} for number, part in enumerate(sent, 1)]
    complete = lambda parts: code(s3.complete_multipart_upload, MultipartUpload={"Parts": parts}, **upload)
    assert complete(named) == "EntityTooSmall"
    assert complete(named[::-1]) == "InvalidPartOrder"
    assert complete([{"PartNumber": 3, "ETag": named[0]["ETag"]}]) == "InvalidPart"
    assert complete([named[0] | {"ChecksumSHA256": sent[0]["ChecksumSHA256"][::-1]}]) == "InvalidPart"
    assert complete(named[:1]) == "no error"
    assert complete(named[:1]) == "NoSuchUpload"


def presigned():
    """Addresses that work without keys, signed as boto3 does unasked, and as it does when asked for Version 4."""
    for signature in (None, "s3v4"):
        client = boto3.client("s3", config=Config(signature_version=signature)) if signature else s3
        where = dict(Bucket=BUCKET, Key="a key+with %20 ü")
        sign = lambda operation, **more: client.generate_presigned_url(operation, Params=where | more)

        def fetch(url, method="GET", content=None):
            request = urllib.request.Request(url, data=content, method=method, headers={"Content-Type": "text/plain"})
            with urllib.request.urlopen(request) as answer:
                return answer.headers, answer.read()

        fetch(sign("put_object", ContentType="text/plain"), "PUT", b"presigned")
        get = sign("get_object", ResponseContentType="text/odd")
        request = urllib.request.Request(get)
        with urllib.request.urlopen(request) as answer:
            assert (answer.read(), answer.headers["content-type"]) == (b"presigned", "text/odd")
        try:
            urllib.request.urlopen(get.replace("Signature=", "Signature=x"))
            raise AssertionError("a spoilt signature was taken")
        except urllib.error.HTTPError as error:
            assert error.code == 403 and b"<Code>SignatureDoesNotMatch</Code>" in error.read()
        late = client.generate_presigned_url("get_object", Params=where, ExpiresIn=-10)
        try:
            urllib.request.urlopen(late)
            raise AssertionError("an address was taken after its time")
        except urllib.error.HTTPError as error:
            assert error.code in (400, 403), error.code
        urllib.request.urlopen(urllib.request.Request(sign("delete_object"), method="DELETE"))
        s3.get_waiter("object_not_exists").wait(**where)


def everything_goes():
    s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
    for content in (b"one", b"two"):
        s3.put_object(Bucket=BUCKET, Key="versioned", Body=content)
    s3.delete_object(Bucket=BUCKET, Key="versioned")
    s3.create_multipart_upload(Bucket=BUCKET, Key="unfinished")
    bucket = boto3.resource("s3").Bucket(BUCKET)
    versions = [(version.key, version.is_latest) for version in bucket.object_versions.filter(Prefix="versioned")]
    assert len(versions) == 3 and sum(latest for _, latest in versions) == 1, versions
    bucket.objects.all().delete()
    assert not list(bucket.objects.all())
    assert code(bucket.delete) == "BucketNotEmpty"
    bucket.object_versions.delete()
    for upload in bucket.multipart_uploads.all():
        upload.abort()
    bucket.delete()
    bucket.wait_until_not_exists()


s3.create_bucket(Bucket=BUCKET)
checksums()
parts()
presigned()
everything_goes()
print("done")
