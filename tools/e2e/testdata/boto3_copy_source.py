"""A policy denies copies from BUCKET/secret/*: boto3 and the aws CLI try every spelling of
such a source, by CopyObject and UploadPartCopy. The environment says where and who."""

import json
import os
import subprocess
import time

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

env = os.environ


def client(endpoint, key):
    return boto3.client("s3", endpoint_url=env[endpoint], aws_access_key_id=env[key],
                        aws_secret_access_key=env["SECRET"], config=Config(s3={"addressing_style": "path"}))


owner, copier = client("ENDPOINT", "OWNER"), client("ENDPOINT", "COPIER")
bucket = "sources"


def refused(code, call, **arguments):
    try:
        call(**arguments)
    except ClientError as e:
        assert e.response["Error"]["Code"] == code, (arguments, e)
        return
    raise AssertionError(f"{arguments}: it was let through")


owner.create_bucket(Bucket=bucket, ObjectLockEnabledForBucket=True)
versions = {}
for key in "secret/o", "open/o":
    versions[key] = owner.put_object(Bucket=bucket, Key=key, Body=b"x" * 1000)["VersionId"]

# The header as it is to be sent: boto3 itself would encode it once more.
raw = []


def spell(params, **_):
    if raw:
        params["headers"]["x-amz-copy-source"] = raw[0]


for operation in "CopyObject", "UploadPartCopy":
    copier.meta.events.register("before-call.s3." + operation, spell)


def spellings(key):
    for path in (key, key.replace("/", "%2F"), key.replace("/", "%2f"), key.replace("o", "%6F"),
                 key.replace("s", "%73").replace("e", "%65"), "".join("%%%02X" % ord(c) for c in key)):
        for slash in "", "/", "%2F":
            for version in "", "?versionId=" + versions[key]:
                for between in "/", "%2F":
                    yield slash + bucket + between + path + version


def copies(key, check):
    upload = copier.create_multipart_upload(Bucket=bucket, Key="parts")["UploadId"]
    n = 0
    for raw[:] in ([s] for s in spellings(key)):
        n += 1
        check(copier.copy_object, Bucket=bucket, Key="copy", CopySource="overridden/later")
        check(copier.upload_part_copy, Bucket=bucket, Key="parts", UploadId=upload, PartNumber=1, CopySource="overridden/later")
    raw.clear()
    for source in ({"Bucket": bucket, "Key": key}, f"{bucket}/{key}", f"/{bucket}/{key}",
                   {"Bucket": bucket, "Key": key, "VersionId": versions[key]}):
        n += 1
        check(copier.copy_object, Bucket=bucket, Key="copy", CopySource=source)
        check(copier.upload_part_copy, Bucket=bucket, Key="parts", UploadId=upload, PartNumber=1, CopySource=source)
    copier.abort_multipart_upload(Bucket=bucket, Key="parts", UploadId=upload)
    return n


def cli(source):
    e = dict(env, AWS_ACCESS_KEY_ID=env["COPIER"], AWS_SECRET_ACCESS_KEY=env["SECRET"])
    done = subprocess.run(["aws", "--endpoint-url", env["OTHER_ENDPOINT"], "s3api", "copy-object", "--bucket", bucket,
                           "--key", "cli", "--copy-source", source], env=e, capture_output=True, text=True)
    assert done.returncode == 0 or "AccessDenied" in done.stderr, (source, done.stderr)
    return done.returncode == 0


def allowed(call, **arguments):
    call(**arguments)


tried = copies("secret/o", allowed)  # No policy: each spelling means the object.
for value in f"{bucket}/secret/*", f"/{bucket}/secret/*":
    owner.put_bucket_policy(Bucket=bucket, Policy=json.dumps({"Version": "2012-10-17", "Statement": [
        {"Effect": "Deny", "Principal": "*", "Action": "s3:PutObject", "Resource": f"arn:aws:s3:::{bucket}/*",
         "Condition": {"StringLike": {"s3:x-amz-copy-source": value}}}]}))
    time.sleep(1)  # The other node learns of it, as promised.
    copies("secret/o", lambda call, **a: refused("AccessDenied", call, **a))
    copies("open/o", allowed)
    for source in f"{bucket}/secret/o", f"/{bucket}/secret/o", f"{bucket}/secret/o?versionId={versions['secret/o']}":
        assert not cli(source), source
    assert cli(f"{bucket}/open/o")
owner.delete_bucket_policy(Bucket=bucket)

for who in {"NotPrincipal": {"AWS": "*"}}, {"NotPrincipal": {"AWS": "OWNER"}}:
    refused("MalformedPolicy", owner.put_bucket_policy, Bucket=bucket, Policy=json.dumps({"Version": "2012-10-17", "Statement": [
        dict(who, Effect="Allow", Action="s3:GetObject", Resource=f"arn:aws:s3:::{bucket}/*")]}))

# A governance retention becomes one of compliance by who may bypass it, and says so.
until = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 3600))
locked = dict(Bucket=bucket, Key="open/o", VersionId=versions["open/o"])
owner.put_object_retention(Retention={"Mode": "GOVERNANCE", "RetainUntilDate": until}, **locked)
compliance = {"Mode": "COMPLIANCE", "RetainUntilDate": until}
refused("AccessDenied", owner.put_object_retention, Retention=compliance, **locked)
owner.put_object_retention(Retention=compliance, BypassGovernanceRetention=True, **locked)
assert owner.get_object_retention(**locked)["Retention"]["Mode"] == "COMPLIANCE"
print(f"{tried} spellings of a source, by two operations, under two policies")
