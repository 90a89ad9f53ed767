"""What programs with boto3 do with checksums, metadata, classes and buckets."""
import base64
import os
import zlib

import boto3
from boto3.s3.transfer import TransferConfig
from botocore.exceptions import ClientError

bucket, file, compat = os.environ["BUCKET"], os.environ["FILE"], os.environ["COMPAT"]
s3 = boto3.client("s3", endpoint_url=os.environ["ENDPOINT"])
parts = TransferConfig(multipart_threshold=5 << 20, multipart_chunksize=5 << 20)
with open(file, "rb") as f:
    data = f.read()
whole = base64.b64encode(zlib.crc32(data).to_bytes(4, "big")).decode()


def code(call, **args):
    """Returns the code of the error that a call ends with, empty for none."""
    try:
        call(**args)
    except ClientError as e:
        return e.response["Error"]["Code"]
    return ""


s3.create_bucket(Bucket=bucket)
again = code(s3.create_bucket, Bucket=bucket)
assert again == ("" if compat == "aws" else "BucketAlreadyOwnedByYou"), again

# A checksum of the whole object, which the client computes of its parts.
s3.upload_file(file, bucket, "crc32", ExtraArgs={"ChecksumAlgorithm": "CRC32", "ACL": "private"}, Config=parts)
head = s3.head_object(Bucket=bucket, Key="crc32", ChecksumMode="ENABLED")
assert "ChecksumCRC32" in head, head

# One that the program gives: older versions of boto3 do not know of it.
if "ChecksumCRC32" in boto3.s3.transfer.S3Transfer.ALLOWED_UPLOAD_ARGS:
    s3.upload_file(file, bucket, "given", ExtraArgs={"ChecksumCRC32": whole}, Config=parts)
    head = s3.head_object(Bucket=bucket, Key="given", ChecksumMode="ENABLED")
    assert head["ChecksumCRC32"] == whole, head
    wrong = base64.b64encode(b"0000").decode()
    try:
        s3.upload_file(file, bucket, "wrong", ExtraArgs={"ChecksumCRC32": wrong}, Config=parts)
        raise AssertionError("a wrong checksum of the whole was taken")
    except boto3.exceptions.S3UploadFailedError as e:
        assert "BadDigest" in str(e), e
    assert code(s3.head_object, Bucket=bucket, Key="wrong") == "404"

for algorithm in ("SHA256", "CRC32"):
    s3.put_object(Bucket=bucket, Key="small", Body=b"small", ChecksumAlgorithm=algorithm)
    copied = s3.copy_object(Bucket=bucket, Key="copy", CopySource=bucket + "/small")
    assert "Checksum" + algorithm in copied["CopyObjectResult"], copied
s3.copy_object(Bucket=bucket, Key="small", CopySource=bucket + "/small", StorageClass="STANDARD")

s3.put_object(Bucket=bucket, Key="deep", Body=b"x", StorageClass="DEEP_ARCHIVE", ACL="bucket-owner-full-control")
assert s3.head_object(Bucket=bucket, Key="deep")["StorageClass"] == "DEEP_ARCHIVE"
assert code(s3.get_object, Bucket=bucket, Key="deep") == "InvalidObjectState"

assert code(s3.get_bucket_replication, Bucket=bucket) == "ReplicationConfigurationNotFoundError"
assert "AnalyticsConfigurationList" not in s3.list_bucket_analytics_configurations(Bucket=bucket)

tagged = bucket + "-tagged"
if "Tags" in s3.meta.service_model.shape_for("CreateBucketConfiguration").members:
    s3.create_bucket(Bucket=tagged, CreateBucketConfiguration={"Tags": [{"Key": "team", "Value": "storage"}]})
    assert s3.get_bucket_tagging(Bucket=tagged)["TagSet"] == [{"Key": "team", "Value": "storage"}]
else:
    s3.create_bucket(Bucket=tagged)
s3.create_multipart_upload(Bucket=tagged, Key="open")
left = code(s3.delete_bucket, Bucket=tagged)
assert left == ("" if compat == "aws" else "BucketNotEmpty"), left

grants = s3.get_object_acl(Bucket=bucket, Key="small")["Grants"]
assert [g["Grantee"]["DisplayName"] for g in grants] == ["habits"], grants
